/*
 * codes.c
 *		What a provider's return code means, by the table in force.
 *
 * A code, with its whole path, means what the newest version of the table of
 * its interface lists.  A code that is not listed is unknown, and so is one
 * that is malformed (without a layer, with an empty layer, or with a slash or a
 * star in a layer).  Nothing is trimmed, folded or guessed.
 *
 * A session reads a table at its first use and keeps it compiled.  Each look-up
 * first accepts invalidations.  A definition sends a relcache invalidation; its
 * callback only sets a mark, and the next look-up reads the table again.  So a
 * definition holds for every look-up that begins after its commit, whatever the
 * isolation level of the transaction.  Nothing is locked: an answer that is
 * judged while a definition commits is judged by either version.
 *
 * Cost: two look-ups in a hash table.
 *
 * Shown by sql/codes.sql and test/isolation/specs/codes_redefine.spec.
 */
#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "base/forget.h"
#include "base/latest.h"
#include "codes/codes.h"
#include "codes/codes_inner.h"

/* One table, compiled */
typedef struct CodesEntry
{
	char		interface[NAMEDATALEN]; /* hash key, must be first */
	IdemCodeTable table;
} CodesEntry;

const IdemDefinitionKind idem_codes_kind = {
	.noun = "return code table",
	.word = "table",
	.log_kind = "codes",
	.table = "return_code_table",
	.index = "return_code_table_pkey",
	.column = "codes",
	.article = "a table",
	.define = "define_return_codes",
	.check = "check_return_codes"
};

static HTAB *tables = NULL;
static MemoryContext tables_context = NULL;
static Oid	tables_relid = InvalidOid;	/* idem.return_code_table */
static bool tables_valid = false;

static void
forget_tables(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == tables_relid)
		tables_valid = false;
}

/* Forget every table, and make room for new ones. */
static void
reset_tables(void)
{
	HASHCTL		ctl;

	if (tables_context)
		MemoryContextDelete(tables_context);
	tables = NULL;
	tables_context = AllocSetContextCreate(CacheMemoryContext,
										   "idem return codes",
										   ALLOCSET_SMALL_SIZES);
	ctl.keysize = NAMEDATALEN;
	ctl.entrysize = sizeof(CodesEntry);
	ctl.hcxt = tables_context;
	tables = hash_create("idem return codes", 16, &ctl,
						 HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/*
 * See that what is remembered is of now.  Valid is said first: what is heard
 * from here on marks it again.
 */
static void
renew_tables(void)
{
	idem_accept_news();
	if (likely(tables_valid))
		return;
	idem_forget_with(forget_tables);
	tables_relid = idem_definition_table(&idem_codes_kind);
	tables_valid = true;
	reset_tables();
}

/* Read the codes of a version; 42P17 if that cannot be done. */
void
idem_codes_parse(IdemCodeTable *table, const char *name,
				 const IdemDefinition *row)
{
	IdemFault	fault = {0};

	if (idem_code_table_read(table, row->text, strlen(row->text)) &&
		idem_code_table_check(table, &fault, 1) == 0)
		return;
	if (table->error_line > 0)
	{
		fault.line = table->error_line;
		fault.column = table->error_column;
		strlcpy(fault.reason, table->reason, IDEM_REASON_BYTES);
	}
	idem_definition_unreadable(&idem_codes_kind, name, row->version, &fault);
}

/* Read the newest version into the cache, or NULL; whole or not at all. */
static const IdemCodeTable *
load_table(const char *interface)
{
	IdemDefinition row;
	IdemCodeTable table;
	CodesEntry *entry;
	MemoryContext context;
	MemoryContext old;

	if (!idem_definition_fetch(&idem_codes_kind, interface, 0, &row))
		return NULL;
	context = AllocSetContextCreate(CurrentMemoryContext,
									"idem return code table",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	idem_codes_parse(&table, interface, &row);
	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, tables_context);
	entry = hash_search(tables, interface, HASH_ENTER, NULL);
	entry->table = table;
	return &entry->table;
}

/*
 * The table in force of an interface, or NULL.  It can be read until the next
 * look-up.
 */
static const IdemCodeTable *
find_table(const char *interface)
{
	CodesEntry *entry;

	if (strlen(interface) >= NAMEDATALEN)
		return NULL;
	renew_tables();
	entry = hash_search(tables, interface, HASH_FIND, NULL);
	return entry ? &entry->table : load_table(interface);
}

/* The same; 42704 if there is none. */
static const IdemCodeTable *
get_table(const char *interface)
{
	const IdemCodeTable *table = find_table(interface);

	if (table == NULL)
		idem_definition_missing(&idem_codes_kind, interface, 0);
	return table;
}

/* Is there a table of this interface? */
bool
idem_code_table_exists(const char *interface)
{
	return find_table(interface) != NULL;
}

/* Does the table in force list a code that means this?  42704 without table. */
bool
idem_code_table_lists(const char *interface, IdemMeaning meaning)
{
	const IdemCodeTable *table = get_table(interface);
	int			i;

	for (i = 0; i < table->count; i++)
	{
		if (table->rows[i].meaning == meaning)
			return true;
	}
	return false;
}

/*
 * The path of a code, into a buffer of IDEM_CODE_BYTES_MAX + 1 bytes; returns
 * its length, 0 if no table could list it.
 */
static size_t
join_layers(const char *const *layers, int count, char *path)
{
	size_t		length = 0;
	int			i;

	for (i = 0; i < count; i++)
	{
		size_t		bytes = layers[i] == NULL ? 0 : strlen(layers[i]);

		if (bytes == 0 || strpbrk(layers[i], "/*") != NULL ||
			length + bytes + 1 > IDEM_CODE_BYTES_MAX + 1)
			return 0;
		if (length > 0)
			path[length - 1] = '/';
		memcpy(path + length, layers[i], bytes);
		length += bytes + 1;
	}
	return length > 0 && idem_cell_path_fits(path, length - 1) ?
		length - 1 : 0;
}

/*
 * What a code means on an interface: its layers, of which one that is NULL or
 * empty makes it none.  *listed becomes whether the table lists it, and be it
 * as unknown.  42704 if there is no table of that interface, 42P17 if it cannot
 * be read.  Locks nothing.
 */
IdemMeaning
idem_code_meaning(const char *interface, const char *const *layers, int count,
				  bool *listed)
{
	const IdemCodeTable *table = get_table(interface);
	char		path[IDEM_CODE_BYTES_MAX + 2];
	size_t		length = join_layers(layers, count, path);
	const IdemCodeRow *row = length == 0 ? NULL :
		idem_code_table_judge(table, path, length);

	*listed = row != NULL;
	return row == NULL ? IDEM_MEANING_UNKNOWN : row->meaning;
}
