/*
 * settings.c
 *		The arguments of a guard's trigger: one grammar, one reader.
 *
 * The settings of a guard stand in the arguments of its triggers, where \d
 * shows them and pg_dump carries them.  The first argument is idem=1, the
 * version of this grammar; each other one is name=value, every name once, in
 * any order.  A trigger function lists the names that it knows (IdemSetting);
 * an argument that it does not know is refused, because a rule that is read
 * in part is a different rule.
 *
 * A list is written as PostgreSQL writes a text[]: {amount,"paid at"}.  A map
 * is a list of pairs, in the order of the bytes of its keys: {a,1,b,2}; where
 * a value is itself a list, it is one element: {sent,"{paid,late}"}.  Lists
 * and maps are read only in the one form in which they are written here, so
 * that equal settings have equal text.
 *
 * Whoever may create a trigger writes its arguments.  Nothing here raises an
 * error for their content, because the doctor, which only looks on, must not
 * fail. guard.c and kind.c raise 39P01 with what idem_settings_problem()
 * says.
 *
 * No catalog is read.  Results are in the current memory context.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/settings.h"
#include "base/settings_known.h"
#include "base/settings_trigger.h"
#include "base/settings_write.h"

#define NUMBER_DIGITS_MAX 18

/* A list that names more than a table can have columns names nothing. */
#define LIST_MAX (2 * MaxHeapAttributeNumber)

/* ---------- lists and maps as text ---------- */

/* Would the element be read as something else without quotes? */
static bool
needs_quotes(const char *element)
{
	return *element == '\0' || pg_strcasecmp(element, "null") == 0 ||
		strpbrk(element, "\"\\{}, \t\n\r\v\f") != NULL;
}

/* A list of strings as the text of an array: {amount,"paid at"}. */
char *
idem_list_text(List *strings)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfoChar(&buf, '{');
	foreach(lc, strings)
	{
		const char *c = lfirst(lc);
		bool		quoted = needs_quotes(c);

		if (buf.len > 1)
			appendStringInfoChar(&buf, ',');
		if (quoted)
			appendStringInfoChar(&buf, '"');
		for (; *c != '\0'; c++)
		{
			if (*c == '"' || *c == '\\')
				appendStringInfoChar(&buf, '\\');
			appendStringInfoChar(&buf, *c);
		}
		if (quoted)
			appendStringInfoChar(&buf, '"');
	}
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

/* Are they the same strings in the same order? */
bool
idem_same_strings(List *a, List *b)
{
	ListCell   *one;
	ListCell   *other;

	if (list_length(a) != list_length(b))
		return false;
	forboth(one, a, other, b)
	{
		if (strcmp(lfirst(one), lfirst(other)) != 0)
			return false;
	}
	return true;
}

/* For list_sort: by their bytes. */
int
idem_compare_strings(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* One element, from *at on, which moves behind it; NULL if there is none. */
static char *
read_element(const char **at)
{
	StringInfoData element;
	bool		quoted = **at == '"';
	const char *c = *at + (quoted ? 1 : 0);

	initStringInfo(&element);
	while (*c != '\0' && (quoted ? *c != '"' : strchr(",}", *c) == NULL))
	{
		if (*c == '\\' && *++c == '\0')
			return NULL;
		appendStringInfoChar(&element, *c++);
	}
	if (quoted && *c++ != '"')
		return NULL;
	*at = c;
	return element.data;
}

/* Read a list; false if it is none, or is written in another way. */
static bool
read_list(const char *str, List **list)
{
	const char *at = str;

	*list = NIL;
	if (strcmp(str, "{}") == 0)
		return true;
	while (*at == '{' || *at == ',')
	{
		char	   *element;

		if ((*at == '{') != (at == str))
			return false;
		at++;
		element = read_element(&at);
		if (element == NULL || list_length(*list) >= LIST_MAX)
			return false;
		*list = lappend(*list, element);
	}
	return strcmp(at, "}") == 0 && strcmp(idem_list_text(*list), str) == 0;
}

/* The elements of a list; NIL if the text is none. */
List *
idem_text_list(const char *str)
{
	List	   *list;

	return read_list(str, &list) ? list : NIL;
}

/* The same as read_list for a map. */
static bool
read_map(const char *str, List **keys, List **values)
{
	List	   *list;
	ListCell   *lc;

	*keys = *values = NIL;
	if (!read_list(str, &list) || list_length(list) % 2 != 0)
		return false;
	foreach(lc, list)
	{
		if (foreach_current_index(lc) % 2 != 0)
			*values = lappend(*values, lfirst(lc));
		else if (*keys != NIL && strcmp(llast(*keys), lfirst(lc)) >= 0)
			return false;
		else
			*keys = lappend(*keys, lfirst(lc));
	}
	return true;
}

/* ---------- arguments ---------- */

/* The value, if the argument is name=value; else NULL. */
static const char *
value_of(const char *argument, const char *name)
{
	size_t		len = strlen(name);

	return strncmp(argument, name, len) == 0 && argument[len] == '=' ?
		argument + len + 1 : NULL;
}

/* Copies of the arguments of a trigger, which the relcache may take away. */
List *
idem_settings_of_trigger(const Trigger *trigger)
{
	List	   *settings = NIL;
	int			i;

	for (i = 0; i < trigger->tgnargs; i++)
		settings = lappend(settings, pstrdup(trigger->tgargs[i]));
	return settings;
}

/* The same from pg_trigger.tgargs: one after the other, each with its zero. */
List *
idem_settings_of_args(bytea *args)
{
	const char *at = VARDATA_ANY(args);
	const char *end = at + VARSIZE_ANY_EXHDR(args);
	List	   *settings = NIL;

	while (at < end)
	{
		char	   *argument = pnstrdup(at, end - at);

		settings = lappend(settings, argument);
		at += strlen(argument) + 1;
	}
	return settings;
}

/* The same from a text[]; nulls in it are left out. */
List *
idem_settings_of_array(ArrayType *array)
{
	List	   *settings = NIL;
	Datum	   *items;
	bool	   *nulls;
	int			n;
	int			i;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &items, &nulls, &n);
	for (i = 0; i < n; i++)
	{
		if (!nulls[i])
			settings = lappend(settings, TextDatumGetCString(items[i]));
	}
	return settings;
}

/* The value of a setting; NULL if it is absent. */
const char *
idem_setting(List *settings, const char *name)
{
	ListCell   *lc;

	foreach(lc, settings)
	{
		const char *value = value_of(lfirst(lc), name);

		if (value != NULL)
			return value;
	}
	return NULL;
}

/* A copy of it, or NULL. */
char *
idem_setting_copy(List *settings, const char *name)
{
	const char *value = idem_setting(settings, name);

	return value == NULL ? NULL : pstrdup(value);
}

/* Has it this value? */
bool
idem_setting_is(List *settings, const char *name, const char *value)
{
	const char *is = idem_setting(settings, name);

	return is != NULL && strcmp(is, value) == 0;
}

/* The elements of one that is a list; NIL if it is absent, or no list. */
List *
idem_setting_list(List *settings, const char *name)
{
	const char *value = idem_setting(settings, name);
	List	   *list;

	return value != NULL && read_list(value, &list) ? list : NIL;
}

/* The pairs of one that is a map; NIL if it is absent, or no map. */
void
idem_setting_map(List *settings, const char *name, List **keys, List **values)
{
	const char *value = idem_setting(settings, name);

	if (value == NULL || !read_map(value, keys, values))
		*keys = *values = NIL;
}

/*
 * The same of a trigger that has been checked against what its function
 * knows.
 */
const char *
idem_trigger_setting(const Trigger *trigger, const char *name)
{
	int			i;

	for (i = 0; i < trigger->tgnargs; i++)
	{
		const char *value = value_of(trigger->tgargs[i], name);

		if (value != NULL)
			return value;
	}
	return NULL;
}

/* The elements of the setting of that name, NIL if it is not there */
List *
idem_trigger_setting_list(const Trigger *trigger, const char *name)
{
	const char *value = idem_trigger_setting(trigger, name);
	List	   *list;

	return value != NULL && read_list(value, &list) ? list : NIL;
}

/* The columns that one setting names: itself, its elements, or its keys. */
static List *
columns_of(List *settings, const IdemSetting *setting)
{
	const char *value = idem_setting(settings, setting->name);
	List	   *columns;
	List	   *values;

	if (value == NULL)
		return NIL;
	if (setting->form == IDEM_LIST)
		return idem_setting_list(settings, setting->name);
	if (setting->form != IDEM_MAP)
		return list_make1(unconstify(char *, value));
	idem_setting_map(settings, setting->name, &columns, &values);
	return columns;
}

/* The columns that this setting, one marked so, names. */
List *
idem_setting_columns(List *settings, const IdemSetting *known)
{
	return known->flags & IDEM_SETTING_COLUMN ? columns_of(settings, known) :
		NIL;
}

/*
 * The settings that tell this guard from others of its kind on the same
 * table, each name=value.
 */
List *
idem_settings_identity(List *settings, const IdemSetting *known)
{
	List	   *identity = NIL;

	for (; known->name != NULL; known++)
	{
		const char *value = idem_setting(settings, known->name);

		if (known->flags & IDEM_SETTING_IDENTITY && value != NULL)
			identity = idem_settings_add(identity, known->name, value);
	}
	return identity;
}

/* ---------- what is wrong with them ---------- */

/* The setting of which the argument tells, or NULL. */
static const IdemSetting *
known_setting(const char *argument, const IdemSetting *known)
{
	for (; known->name != NULL; known++)
	{
		if (value_of(argument, known->name) != NULL)
			return known;
	}
	return NULL;
}

/* Is the value one of the words in "one|other"? */
static bool
is_choice(const char *value, const char *choices)
{
	size_t		len = strcspn(value, "|");

	if (len == 0 || value[len] != '\0')
		return false;
	while (strncmp(choices, value, len) != 0 ||
		   (choices[len] != '|' && choices[len] != '\0'))
	{
		choices = strchr(choices, '|');
		if (choices == NULL)
			return false;
		choices++;
	}
	return true;
}

/* What the value should be and is not, or NULL. */
static const char *
wrong_form(const char *value, const IdemSetting *setting)
{
	List	   *list;
	List	   *other;
	size_t		len = strlen(value);

	switch (setting->form)
	{
		case IDEM_WORD:
			return len > 0 ? NULL : "a text";
		case IDEM_CHOICE:
			return is_choice(value, setting->choices) ? NULL :
				psprintf("one of %s", setting->choices);
		case IDEM_NUMBER:
			return len > 0 && len <= NUMBER_DIGITS_MAX &&
				strspn(value, "0123456789") == len ? NULL : "a number";
		case IDEM_LIST:
			return read_list(value, &list) ? NULL : "a list";
		case IDEM_MAP:
			return read_map(value, &list, &other) ? NULL : "a map";
	}
	return NULL;				/* keep the compiler quiet */
}

/* What is wrong with the argument at cell lc, or NULL. */
static char *
argument_problem(List *settings, ListCell *lc, const IdemSetting *known)
{
	const char *argument = lfirst(lc);
	const char *end = strchr(argument, '=');
	const IdemSetting *setting = known_setting(argument, known);
	const char *form;

	if (end == NULL)
		return psprintf("has argument \"%.*s\", which is not name=value",
						pg_mbcliplen(argument, strlen(argument),
									 NAMEDATALEN - 1), argument);
	if (setting == NULL)
		return psprintf("has an unknown argument \"%.*s\"",
						pg_mbcliplen(argument, end - argument,
									 NAMEDATALEN - 1), argument);
	if (idem_setting(settings, setting->name) !=
		value_of(argument, setting->name))
		return psprintf("has its argument \"%s\" more than once",
						setting->name);
	form = wrong_form(value_of(argument, setting->name), setting);
	return form == NULL ? NULL :
		psprintf("has an argument \"%s\" that is not %s", setting->name, form);
}

/*
 * The setting that is missing where a guard has no setting at all that tells
 * it from others of its kind; NULL: it has one.
 */
static const IdemSetting *
missing_identity(List *settings, const IdemSetting *known)
{
	const IdemSetting *first = NULL;

	for (; known->name != NULL; known++)
	{
		const char *value = idem_setting(settings, known->name);

		if ((known->flags & IDEM_SETTING_IDENTITY) == 0)
			continue;
		if (value != NULL && strcmp(value, "{}") != 0)
			return NULL;
		if (first == NULL)
			first = known;
	}
	return first;
}

/* The first setting that has to be there and is not, or NULL. */
static const IdemSetting *
missing_setting(List *settings, const IdemSetting *known)
{
	const IdemSetting *setting;

	for (setting = known; setting->name != NULL; setting++)
	{
		if (setting->flags & IDEM_SETTING_REQUIRED &&
			idem_setting(settings, setting->name) == NULL)
			return setting;
	}
	return missing_identity(settings, known);
}

/*
 * What is wrong with the arguments of a trigger whose function knows these
 * settings: the end of a sentence that begins with the trigger; NULL: nothing.
 */
char *
idem_settings_problem(List *settings, const IdemSetting *known)
{
	ListCell   *lc;

	if (settings == NIL || value_of(linitial(settings), "idem") == NULL)
		return psprintf("lacks its first argument \"%s\"",
						IDEM_SETTINGS_GRAMMAR);
	if (strcmp(linitial(settings), IDEM_SETTINGS_GRAMMAR) != 0)
		return pstrdup("has arguments in a grammar that this version of idem does not read");
	for_each_from(lc, settings, 1)
	{
		char	   *problem = argument_problem(settings, lc, known);

		if (problem != NULL)
			return problem;
	}
	known = missing_setting(settings, known);
	return known == NULL ? NULL :
		psprintf("lacks its argument \"%s\"", known->name);
}

/* ---------- writing ---------- */

/* The settings of a new trigger, of which there are none yet. */
List *
idem_settings_begin(void)
{
	return list_make1(pstrdup(IDEM_SETTINGS_GRAMMAR));
}

/* One more; value NULL: it is left out. */
List *
idem_settings_add(List *settings, const char *name, const char *value)
{
	return value == NULL ? settings :
		lappend(settings, psprintf("%s=%s", name, value));
}

/* The same for a list; an empty one is left out. */
List *
idem_settings_add_list(List *settings, const char *name, List *values)
{
	return values == NIL ? settings :
		idem_settings_add(settings, name, idem_list_text(values));
}

/* A pair of a map that is being written. */
typedef struct Pair
{
	char	   *key;
	char	   *value;
} Pair;

static int
compare_pairs(const ListCell *a, const ListCell *b)
{
	return strcmp(((Pair *) lfirst(a))->key, ((Pair *) lfirst(b))->key);
}

/* The same for a map, whose keys differ; an empty one is left out. */
List *
idem_settings_add_map(List *settings, const char *name,
					  List *keys, List *values)
{
	List	   *pairs = NIL;
	List	   *list = NIL;
	ListCell   *a;
	ListCell   *b;

	forboth(a, keys, b, values)
	{
		Pair	   *pair = palloc(sizeof(Pair));

		pair->key = lfirst(a);
		pair->value = lfirst(b);
		pairs = lappend(pairs, pair);
	}
	list_sort(pairs, compare_pairs);
	foreach(a, pairs)
	{
		list = lappend(list, ((Pair *) lfirst(a))->key);
		list = lappend(list, ((Pair *) lfirst(a))->value);
	}
	return idem_settings_add_list(settings, name, list);
}

/* ---------- names of what a guard makes ---------- */

/* FNV-1a, which is the same on every server and in every version. */
static uint32
hash_text(const char *str)
{
	uint32		hash = 2166136261u;

	for (; *str != '\0'; str++)
		hash = (hash ^ (unsigned char) *str) * 16777619u;
	return hash;
}

/*
 * prefix_part_part: a name that fits.  One that would be too long ends with
 * eight digits of a hash of all of it, so that long names that differ only in
 * what is cut off stay apart.  Such names stand in users' schemas and in
 * their dumps: this rule never changes.
 */
char *
idem_made_name(const char *prefix, List *parts)
{
	StringInfoData name;
	ListCell   *lc;
	int			keep;

	initStringInfo(&name);
	appendStringInfoString(&name, prefix);
	foreach(lc, parts)
		appendStringInfo(&name, "_%s", (char *) lfirst(lc));
	if (name.len < NAMEDATALEN)
		return name.data;
	keep = pg_mbcliplen(name.data, name.len, NAMEDATALEN - 1 - 9);
	return psprintf("%.*s_%08x", keep, name.data, hash_text(name.data));
}
