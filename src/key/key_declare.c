/*
 * key_declare.c
 *		Declaring scopes of keys, and altering them (key_drop.c drops them).
 *
 * A declaration is a row of idem.scope.  An altered scope is checked as a
 * whole, as if it were declared anew, and then compared with the old one: a
 * change that makes the scope looser needs a reason; one that makes it
 * stricter, or does neither (leases and ladders), does not.  Effect and
 * key_time determine which keys there are, and cannot be altered.
 *
 * Altered fields: known keys keep the fingerprint of the fields they were
 * claimed under, and a repeat has to agree in the fields of both times.  So
 * fields cannot become {*}: nobody could tell whether a member that an old
 * fingerprint lacks was missing or not declared.
 *
 * The id of a scope is made of its name.  Two names may share one, and one
 * name in two thousand million has none: both are refused, another name will
 * do.
 *
 * Locks: SHARE ROW EXCLUSIVE on idem.scope, one declaration at a time; claims
 * go on.  The scope is read after the lock with the latest snapshot, at every
 * isolation level.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/approval.h"
#include "base/argument.h"
#include "base/change.h"
#include "base/latest.h"
#include "base/reason.h"
#include "base/row.h"
#include "base/settings_write.h"
#include "key/key_inner.h"

/* The settings of a scope: the arguments of create_scope after the name. */
enum
{
	EFFECT,
	FIELDS,
	COMPLETION,
	LEASE,
	QUIET,
	LADDER,
	KEEP,
	KEY_TIME,
	CHARSET,
	PARTS,
	FLUSH,
	STANDBYS,
	CHANNELS,
	KEEP_ANSWERS,
	REPEAT_WITHIN,
	DUPLICATE_FIELDS,
	DUPLICATE_WINDOW,
	ON_DUPLICATE,
	CONFIRM_BY,
	SETTINGS
};

#define SETTING_NAMES \
	"effect, fields, completion, lease, quiet, ladder, keep, key_time, charset, parts, flush, standbys, channels, keep_answers, repeat_within, duplicate_fields, duplicate_window, on_duplicate, confirm_by"

static const struct
{
	const char *name;
	Oid			type;
	bool		optional;		/* may be NULL */
	int			arg;			/* of alter_scope; 0: cannot be altered */
}			settings[SETTINGS] =

{
	[EFFECT] = {"effect", TEXTOID, false, 0},
	[FIELDS] = {"fields", TEXTARRAYOID, false, 1},
	[COMPLETION] = {"completion", TEXTOID, false, 2},
	[LEASE] = {"lease", INTERVALOID, false, 3},
	[QUIET] = {"quiet", INTERVALOID, false, 4},
	[LADDER] = {"ladder", INTERVALARRAYOID, false, 5},
	[KEEP] = {"keep", INTERVALOID, true, 6},
	[KEY_TIME] = {"key_time", TEXTOID, true, 0},
	[CHARSET] = {"charset", TEXTOID, false, 7},
	[PARTS] = {"parts", INT4OID, true, 8},
	[FLUSH] = {"flush", BOOLOID, false, 9},
	[STANDBYS] = {"standbys", INT4OID, false, 10},
	[CHANNELS] = {"channels", TEXTARRAYOID, false, 11},
	[KEEP_ANSWERS] = {"keep_answers", TEXTOID, false, 12},
	[REPEAT_WITHIN] = {"repeat_within", INTERVALOID, true, 13},
	[DUPLICATE_FIELDS] = {"duplicate_fields", TEXTARRAYOID, false, 14},
	[DUPLICATE_WINDOW] = {"duplicate_window", INTERVALOID, true, 15},
	[ON_DUPLICATE] = {"on_duplicate", TEXTOID, false, 16},
	[CONFIRM_BY] = {"confirm_by", TEXTOID, false, 17}
};

#define ALTER_ARG_FORCE		18

typedef struct Declaration
{
	Datum		values[SETTINGS];
	bool		nulls[SETTINGS];
} Declaration;

/* A setting as text, NULL as "null". */
static char *
setting_text(const Declaration *decl, int n)
{
	return decl->nulls[n] ? pstrdup("null") :
		idem_value_text(settings[n].type, decl->values[n]);
}

static bool
setting_is(const Declaration *decl, int n, const char *word)
{
	return strcmp(setting_text(decl, n), word) == 0;
}

/* ----------
 * Checks: 22023 for what cannot be kept
 * ----------
 */

static void
check_word(const Declaration *decl, int n,
		   const char *this_one, const char *that_one)
{
	if (!setting_is(decl, n, this_one) && !setting_is(decl, n, that_one))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s \"%s\" of a scope", settings[n].name,
						setting_text(decl, n)),
				 errhint("It is '%s' or '%s'.", this_one, that_one)));
}

static void
check_name(const char *name)
{
	if (!idem_key_is_clean_name(name, strlen(name)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid name of a scope"),
				 errhint("A name is 1 to %d bytes of text without control characters and without a blank at either end.",
						 IDEM_SCOPE_NAME_BYTES_MAX)));
}

/* The id for a scope of this name; 42710 if it cannot have one of its own. */
static int32
new_scope_id(const char *name)
{
	int32		id = idem_key_scope_id(name);
	char	   *other = id == 0 ? NULL : idem_key_scope_named(id);

	if (other != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("scope \"%s\" cannot be declared beside scope \"%s\"",
						name, other),
				 errdetail("The id of a scope is made of its name, and theirs are the same: %d.",
						   id),
				 errhint("Choose another name.")));
	if (id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("scope \"%s\" cannot be declared", name),
				 errdetail("The id of a scope is made of its name, and for this name it would be 0, which is not an id."),
				 errhint("Choose another name.")));
	return id;
}

/* 22023 for fields of which no fingerprint can be made. */
void
idem_key_check_fields(List *fields)
{
	int			size = 0;
	ListCell   *lc;

	foreach(lc, fields)
	{
		const char *field = lfirst(lc);
		int			len = strlen(field);

		if (len == 0 || len > IDEM_MEMBER_BYTES_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("name of a field has to be 1 to %d bytes long",
							IDEM_MEMBER_BYTES_MAX)));
		if (strcmp(field, "*") == 0 && list_length(fields) > 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("field \"*\" stands for all and must be the only one")));
		size += 1 + len + IDEM_DIGEST_BYTES;
	}
	if (size > IDEM_FINGERPRINT_BYTES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("fingerprint of the fields would be longer than %d bytes",
						IDEM_FINGERPRINT_BYTES_MAX),
				 errhint("Declare fewer fields: those in which a repeat must not differ.")));
}

static void
check_keep(const Interval *keep)
{
	if (keep->time < 0 || keep->day < 0 || keep->month < 0 ||
		(keep->time == 0 && keep->day == 0 && keep->month == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keep must be longer than zero")));
}

static void
check_parts(int parts)
{
	if (parts < 1 || parts > IDEM_KEY_PARTS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parts must be 1 to %d", IDEM_KEY_PARTS_MAX)));
}

/*
 * Settings that are only for effects of the other kind must have their
 * defaults.
 */
static void
check_durability(const Declaration *decl)
{
	bool		outside = setting_is(decl, EFFECT, "outside");
	int			standbys = DatumGetInt32(decl->values[STANDBYS]);

	if (outside && !DatumGetBool(decl->values[FLUSH]))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("flush false is for scopes with effect 'inside'"),
				 errdetail("A commit that leads to an effect outside is always flushed.")));
	if (standbys < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("standbys must not be negative")));
	if (!outside && standbys > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("standbys are for scopes with effect 'outside'"),
				 errdetail("A claim inside is as far as the effect that it commits with.")));
}

/* Channels are for effects outside, each once. */
static void
check_channels(const Declaration *decl)
{
	List	   *channels = idem_array_list("channels",
										   DatumGetArrayTypeP(decl->values[CHANNELS]));

	if (channels != NIL && !setting_is(decl, EFFECT, "outside"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("channels are for scopes with effect 'outside'")));
}

/* What is compared, for how long after, and what is done then. */
static void
check_duplicates(const Declaration *decl)
{
	List	   *fields = idem_array_list("duplicate_fields",
										 DatumGetArrayTypeP(decl->values[DUPLICATE_FIELDS]));

	idem_key_check_fields(fields);
	check_word(decl, ON_DUPLICATE, "report", "hold");
	check_word(decl, CONFIRM_BY, "operator", "caller");
	if (!decl->nulls[DUPLICATE_WINDOW])
		(void) idem_key_duration("duplicate_window",
								 DatumGetIntervalP(decl->values[DUPLICATE_WINDOW]),
								 false);
	else if (fields != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("duplicate_fields need a duplicate_window"),
				 errhint("Within it another key with the same members is suspected to be a duplicate.")));
	if (fields == NIL && setting_is(decl, ON_DUPLICATE, "hold"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("on_duplicate 'hold' needs duplicate_fields"),
				 errdetail("Without them nothing is suspected to be a duplicate.")));
}

/* 22004 for a setting that must be there. */
static void
check_nulls(const Declaration *decl)
{
	int			i;

	for (i = 0; i < SETTINGS; i++)
	{
		if (decl->nulls[i] && !settings[i].optional)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null",
							settings[i].name),
					 i == FIELDS ?
					 errhint("'{}' declares none, '{*}' all members of the request.") : 0));
	}
}

/* Is this a valid scope?  For declaring and altering. */
static void
check_declaration(const Declaration *decl)
{
	int			rungs;

	check_nulls(decl);
	check_word(decl, EFFECT, "inside", "outside");
	idem_key_check_fields(idem_array_list("fields",
										  DatumGetArrayTypeP(decl->values[FIELDS])));
	check_word(decl, COMPLETION, "optional", "required");
	if (setting_is(decl, EFFECT, "outside") &&
		setting_is(decl, COMPLETION, "required"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("completion 'required' is for scopes with effect 'inside'"),
				 errdetail("An effect outside is completed in a later transaction; idem.due lists those that were not.")));
	(void) idem_key_duration("lease", DatumGetIntervalP(decl->values[LEASE]),
							 false);
	(void) idem_key_duration("quiet", DatumGetIntervalP(decl->values[QUIET]),
							 true);
	(void) idem_key_ladder(DatumGetArrayTypeP(decl->values[LADDER]), &rungs);
	if (!decl->nulls[KEEP])
		check_keep(DatumGetIntervalP(decl->values[KEEP]));
	if (!decl->nulls[KEY_TIME])
		(void) idem_key_time_named(setting_text(decl, KEY_TIME));
	check_word(decl, CHARSET, "ascii", "any");
	if (!decl->nulls[PARTS])
		check_parts(DatumGetInt32(decl->values[PARTS]));
	check_durability(decl);
	check_channels(decl);
	check_word(decl, KEEP_ANSWERS, "whole", "fields");
	if (!decl->nulls[REPEAT_WITHIN])
		(void) idem_key_duration("repeat_within",
								 DatumGetIntervalP(decl->values[REPEAT_WITHIN]),
								 false);
	check_duplicates(decl);
}

/* ----------
 * Reading and writing the row; connected to SPI
 * ----------
 */

/* What idem.change_log keeps of a declaration: of scope $1. */
static const char logged_sql[] =
"SELECT array_remove(ARRAY['effect=' || effect, 'fields=' || fields::text,"
" 'completion=' || completion,"
" CASE effect WHEN 'outside' THEN 'lease=' || lease::text END,"
" CASE effect WHEN 'outside' THEN 'quiet=' || quiet::text END,"
" CASE effect WHEN 'outside' THEN 'ladder=' || ladder::text END,"
" 'keep=' || keep::text, 'key_time=' || key_time, 'charset=' || charset,"
" 'parts=' || parts::text,"
" CASE effect WHEN 'inside' THEN format('flush=%s', flush) END,"
" CASE effect WHEN 'outside' THEN 'standbys=' || standbys::text END,"
" CASE WHEN channels <> '{}' THEN 'channels=' || channels::text END,"
" CASE keep_answers WHEN 'fields' THEN 'keep_answers=fields' END,"
" 'repeat_within=' || repeat_within::text,"
" CASE WHEN duplicate_fields <> '{}' THEN 'duplicate_fields=' || duplicate_fields::text END,"
" CASE WHEN duplicate_fields <> '{}' THEN 'duplicate_window=' || duplicate_window::text END,"
" CASE WHEN duplicate_fields <> '{}' THEN 'on_duplicate=' || on_duplicate END,"
" CASE WHEN duplicate_fields <> '{}' THEN 'confirm_by=' || confirm_by END],"
" NULL) FROM idem.scope WHERE id = $1";

/*
 * What the settings $1 to $19 change in scope $20, in the order of settings;
 * and, where that makes the scope looser, how.  Leases and ladders do neither.
 * A longer quiet or keep is stricter, and to keep for good, which nothing can
 * become again, is strictest.  Other duplicate_fields are looser whichever they
 * are: no key from before is compared in them.
 */
static const char changes_sql[] =
"SELECT v.name || '=' || v.now, CASE WHEN v.looser"
" THEN format('%s %s, was %s', v.name, v.now, coalesce(v.was, 'null')) END"
" FROM idem.scope s, LATERAL (VALUES"
" (1, 'fields', s.fields::text, $2::text, NOT $2 @> s.fields COLLATE \"C\"),"
" (2, 'completion', s.completion, $3, $3 = 'optional'),"
" (3, 'lease', s.lease::text, $4::text, false),"
" (4, 'quiet', s.quiet::text, $5::text, $5 < s.quiet),"
" (5, 'ladder', s.ladder::text, $6::text, false),"
" (6, 'keep', s.keep::text, $7::text, s.keep IS NULL OR $7 < s.keep),"
" (7, 'charset', s.charset, $9, $9 = 'any'),"
" (8, 'parts', s.parts::text, $10::text, s.parts IS NOT NULL),"
" (9, 'flush', format('%s', s.flush), format('%s', $11), NOT $11),"
" (10, 'standbys', s.standbys::text, $12::text, $12 < s.standbys),"
" (11, 'channels', s.channels::text, $13::text, s.channels <> '{}' AND ($13 = '{}' OR NOT s.channels @> $13 COLLATE \"C\")),"
" (12, 'keep_answers', s.keep_answers, $14, $14 = 'whole'),"
" (13, 'repeat_within', s.repeat_within::text, $15::text, $15 > s.repeat_within),"
" (14, 'duplicate_fields', s.duplicate_fields::text, $16::text, s.duplicate_fields <> '{}' AND NOT (s.duplicate_fields @> $16 COLLATE \"C\" AND $16 @> s.duplicate_fields COLLATE \"C\")),"
" (15, 'duplicate_window', s.duplicate_window::text, $17::text, $17 < s.duplicate_window),"
" (16, 'on_duplicate', s.on_duplicate, $18, $18 = 'report'),"
" (17, 'confirm_by', s.confirm_by, $19, $19 = 'caller' AND s.duplicate_fields <> '{}')"
") v (n, name, was, now, looser)"
" WHERE s.id = $20 AND v.was IS DISTINCT FROM v.now COLLATE \"C\""
" ORDER BY v.n";

/*
 * Run a statement with the settings as $1 to $19, and one value more as $20:
 * the scope's name or its id.  Returns how many rows there were.
 */
static uint64
run_with_settings(Relation rel, const char *sql, const Declaration *decl,
				  Oid type, Datum value)
{
	Oid			types[SETTINGS + 1];
	Datum		values[SETTINGS + 1];
	char		nulls[SETTINGS + 1];
	int			i;

	for (i = 0; i < SETTINGS; i++)
	{
		types[i] = settings[i].type;
		values[i] = decl->values[i];
		nulls[i] = decl->nulls[i] ? 'n' : ' ';
	}
	types[SETTINGS] = type;
	values[SETTINGS] = value;
	nulls[SETTINGS] = ' ';
	return idem_run_as_owner(rel, sql, SETTINGS + 1, types, values, nulls);
}

/* Run a statement about the scope $1; returns how many rows there were. */
uint64
idem_key_run_with_scope(Relation rel, const char *sql, int32 scope)
{
	Oid			type = INT4OID;
	Datum		id = Int32GetDatum(scope);

	return idem_run_as_owner(rel, sql, 1, &type, &id, NULL);
}

/*
 * 42704 unless the channels of a declaration are there.  They stay until the
 * transaction ends: a session that drops one waits, and then finds the scope.
 */
static void
lock_channels(Relation rel, const Declaration *decl)
{
	Oid			type = TEXTARRAYOID;
	Datum		channels = decl->values[CHANNELS];
	bool		isnull;

	(void) idem_run_as_owner(rel, "SELECT FROM idem.channel WHERE name = ANY ($1) FOR KEY SHARE",
							 1, &type, &channels, NULL);
	if (idem_run_as_owner(rel, "SELECT c FROM unnest($1) c WHERE NOT EXISTS"
						  " (SELECT FROM idem.channel WHERE name = c) LIMIT 1",
						  1, &type, &channels, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("channel \"%s\" does not exist",
						TextDatumGetCString(SPI_getbinval(SPI_tuptable->vals[0],
														  SPI_tuptable->tupdesc,
														  1, &isnull))),
				 errhint("Declare it with idem.create_channel.")));
}

/* A column of a row that a statement returned. */
static Datum
result(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						 column, isnull);
}

/* The settings of a scope that is there, in the context of SPI. */
static void
read_settings(Relation rel, int32 scope, Declaration *decl)
{
	int			i;

	if (idem_key_run_with_scope(rel, "SELECT " SETTING_NAMES " FROM idem.scope WHERE id = $1",
								scope) != 1)
		elog(ERROR, "could not read idem.scope");
	for (i = 0; i < SETTINGS; i++)
		decl->values[i] = result(0, i + 1, &decl->nulls[i]);
}

/* What idem.change_log keeps of a scope that is there. */
List *
idem_key_logged_settings(Relation rel, int32 scope)
{
	bool		isnull;

	if (idem_key_run_with_scope(rel, logged_sql, scope) != 1)
		elog(ERROR, "could not read idem.scope");
	return idem_array_list("settings",
						   DatumGetArrayTypeP(result(0, 1, &isnull)));
}

/* ----------
 * A scope that is declared again
 * ----------
 */

/* Are these lists of the same names, in whatever order? */
static bool
same_names(Datum a, Datum b)
{
	List	   *ones = idem_array_list("names", DatumGetArrayTypeP(a));
	List	   *others = idem_array_list("names", DatumGetArrayTypeP(b));

	list_sort(ones, idem_compare_strings);
	list_sort(others, idem_compare_strings);
	return idem_same_strings(ones, others);
}

static bool
same_setting(const Declaration *a, const Declaration *b, int n)
{
	if (settings[n].type == TEXTARRAYOID && !a->nulls[n] && !b->nulls[n])
		return same_names(a->values[n], b->values[n]);
	return a->nulls[n] == b->nulls[n] &&
		strcmp(setting_text(a, n), setting_text(b, n)) == 0;
}

/*
 * The scope exists: a NOTICE if it was declared in the same way, else 42710
 * with the differences.
 */
static void
declare_again(Relation rel, const char *name, const Declaration *wanted)
{
	Declaration has;
	StringInfoData detail;
	int			i;

	read_settings(rel, idem_key_scope_id(name), &has);
	initStringInfo(&detail);
	for (i = 0; i < SETTINGS; i++)
	{
		if (!same_setting(&has, wanted, i))
			appendStringInfo(&detail, "%sIts \"%s\" is %s, not %s.",
							 detail.len > 0 ? " " : "", settings[i].name,
							 setting_text(&has, i), setting_text(wanted, i));
	}
	if (detail.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("scope \"%s\" already exists", name),
				 errdetail_internal("%s", detail.data),
				 errhint("idem.alter_scope changes it.")));
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("scope \"%s\" already exists, skipping", name)));
}

/* ----------
 * The functions
 * ----------
 */

/* Write a new scope into idem.scope, and into the log. */
static void
declare_scope(Relation rel, const char *name, const Declaration *decl)
{
	static const char *const sql =
		"INSERT INTO idem.scope (" SETTING_NAMES ", name, id, created_by)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
		" $15, $16, $17, $18, $19, $20, %d, %s)";
	int32		id = new_scope_id(name);

	lock_channels(rel, decl);
	(void) run_with_settings(rel, psprintf(sql, id,
										   quote_literal_cstr(GetUserNameFromId(GetUserId(), false))),
							 decl, TEXTOID, CStringGetTextDatum(name));
	idem_log_change("declared", "scope", InvalidOid, name,
					idem_key_logged_settings(rel, id), NULL);
}

/*
 * create_scope(name, effect, fields, completion, lease, quiet, ladder, keep,
 * key_time, charset, parts, flush, standbys, channels, keep_answers,
 * repeat_within, duplicate_fields, duplicate_window, on_duplicate, confirm_by)
 * -> void
 */
PG_FUNCTION_INFO_V1(idem_create_scope);
Datum
idem_create_scope(PG_FUNCTION_ARGS)
{
	char	   *name = idem_required_text(fcinfo, 0, "name");
	Declaration decl;
	Relation	rel;
	int			i;

	PreventCommandIfReadOnly("idem.create_scope()");
	for (i = 0; i < SETTINGS; i++)
	{
		decl.values[i] = PG_GETARG_DATUM(1 + i);
		decl.nulls[i] = PG_ARGISNULL(1 + i);
	}
	check_name(name);
	check_declaration(&decl);
	/* one declaration at a time, so that the second one of a name finds it */
	rel = table_open(idem_key_scope_relid(), ShareRowExclusiveLock);
	SPI_connect();
	if (idem_key_scope_exists(name))
		declare_again(rel, name, &decl);
	else
		declare_scope(rel, name, &decl);
	SPI_finish();
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* Put what the call alters into decl, and check the whole. */
static void
merge_settings(FunctionCallInfo fcinfo, Declaration *decl)
{
	int			i;

	for (i = 0; i < SETTINGS; i++)
	{
		if (settings[i].arg == 0 || PG_ARGISNULL(settings[i].arg))
			continue;
		decl->values[i] = PG_GETARG_DATUM(settings[i].arg);
		decl->nulls[i] = false;
	}
	check_declaration(decl);
}

/* 42P17: nobody could tell whether an old request lacked a member. */
static void
refuse_all_fields(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("fields of a scope cannot become {*}"),
			 errdetail("Of earlier requests only the fields that were declared then are known."),
			 errhint("Name the fields, or declare a scope of another name.")));
}

/*
 * 42501 where what is forced on a scope needs a second person: of this very
 * scope as it is now.
 */
void
idem_key_need_approval(Relation rel, const char *action, int32 scope,
					   const char *name, List *changes, const char *force)
{
	const IdemScope *now = idem_key_scope_get(cstring_to_text(name));
	List	   *facts = list_make2(pstrdup(force),
								   psprintf(INT64_FORMAT, now->created_at));

	facts = list_concat(facts, idem_key_logged_settings(rel, scope));
	facts = list_concat(facts, changes);
	idem_need_approval(action, psprintf("scope \"%s\"", name), facts);
}

/*
 * What the settings change in a scope, as the log has it; 42P17 if something
 * makes the scope looser and there is no reason for it.
 */
static List *
changes_of(Relation rel, int32 scope, const char *name,
		   const Declaration *decl, const char *force)
{
	uint64		n = run_with_settings(rel, changes_sql, decl, INT4OID,
									  Int32GetDatum(scope));
	List	   *changes = NIL;
	bool		loosened = false;
	uint64		i;

	for (i = 0; i < n; i++)
	{
		bool		isnull;
		char	   *change = TextDatumGetCString(result(i, 1, &isnull));
		Datum		looser = result(i, 2, &isnull);

		if (strcmp(change, "fields={*}") == 0)
			refuse_all_fields();
		if (!isnull && force == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("scope \"%s\" would become looser: %s", name,
							TextDatumGetCString(looser)),
					 errhint("If that is meant, give force => 'reason'.")));
		changes = lappend(changes, change);
		loosened = loosened || !isnull;
	}
	if (loosened)
		idem_key_need_approval(rel, "alter_scope", scope, name, changes, force);
	return changes;
}

/*
 * alter_scope(name, fields, completion, lease, quiet, ladder, keep, charset,
 * parts, flush, standbys, channels, keep_answers, repeat_within,
 * duplicate_fields, duplicate_window, on_duplicate, confirm_by, force) -> void
 */
PG_FUNCTION_INFO_V1(idem_alter_scope);
Datum
idem_alter_scope(PG_FUNCTION_ARGS)
{
	static const char *const sql =
		"UPDATE idem.scope SET (" SETTING_NAMES ")"
		" = ROW ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
		" $15, $16, $17, $18, $19) WHERE id = $20";
	char	   *name = idem_required_text(fcinfo, 0, "name");
	char	   *force = idem_reason(fcinfo, ALTER_ARG_FORCE, "force");
	Relation	rel;
	int32		id;
	Declaration decl;
	List	   *changes;

	PreventCommandIfReadOnly("idem.alter_scope()");
	rel = table_open(idem_key_scope_relid(), ShareRowExclusiveLock);
	id = idem_key_scope_get(cstring_to_text(name))->id;
	SPI_connect();
	read_settings(rel, id, &decl);
	merge_settings(fcinfo, &decl);
	lock_channels(rel, &decl);
	changes = changes_of(rel, id, name, &decl, force);
	if (changes != NIL)
	{
		(void) run_with_settings(rel, sql, &decl, INT4OID, Int32GetDatum(id));
		idem_log_change("altered", "scope", InvalidOid, name, changes, force);
	}
	SPI_finish();
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}
