/*
 * change.c
 *		The change log: every declaration of a rule, and its end.
 *
 * idem.change is append-only.  A rename changes no entry: it appends one for
 * each guard that stands on the table, with the new name.  The entries of a
 * guard share a number (column guard), which its first entry gives; a guard is
 * on the table that its last entry names.  So a guard follows its table, and a
 * table that takes the name of a renamed or dropped one takes over nothing.
 *
 * The order of entries is n: the clock, or one more than the newest entry
 * where the clock is not past it.  It is not the clock alone, which may be
 * set back; it is not a sequence, because lastval() belongs to the user; and
 * it is not a plain count, because the entries of a dump are restored among
 * those that the restore itself has written.
 *
 * Locks, until the end of the transaction: ROW EXCLUSIVE on idem.change, and
 * on the schema of the table; renaming a schema takes SHARE ROW EXCLUSIVE on
 * it, so no entry for one of its tables is written meanwhile, and other
 * schemas do not wait.  Two entries of one guard are in order because whoever
 * writes one holds a lock on the table that excludes the other, and reads the
 * log as it is then: with the latest snapshot, whatever the isolation level.
 *
 * All functions but idem_log_knows and idem_log_place want the caller to be
 * connected to SPI.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/argument.h"
#include "base/ask.h"
#include "base/change.h"

#define Anum_change_n				1
#define Anum_change_action			4
#define Anum_change_guard			6
#define Anum_change_table_schema	7
#define Anum_change_table_name		8
#define Anum_change_name			9

/* A guard that the log knows and that was not dropped. */
typedef struct LoggedGuard
{
	Datum		guard;			/* its number, a uuid */
	char	   *kind;
	char	   *name;			/* of its trigger */
	char	   *table;			/* on which it stands */
	ArrayType  *settings;		/* text[], as it was declared last */
} LoggedGuard;

/* The log, open to be written until the transaction ends. */
static Relation
open_log(void)
{
	return table_openrv(makeRangeVar("idem", "change", -1), RowExclusiveLock);
}

/*
 * Lock the schema of a table that an entry is about.  Look up its name after
 * this: if the lock waited for a renaming, the name is a new one.
 */
static void
lock_schema(Oid schema, LOCKMODE lockmode)
{
	if (OidIsValid(schema))
		LockDatabaseObject(NamespaceRelationId, schema, 0, lockmode);
}

/* The order of the next entry: the clock, but after the newest entry. */
static int64
next_number(Relation log)
{
	(void) idem_ask(log, "SELECT pg_catalog.max(n) FROM idem.change", "");
	return Max(GetCurrentTimestamp(), DatumGetInt64(idem_found(0, 1)) + 1);
}

/*
 * The guards that stand on a table by the log: those whose last entry names
 * it.  table NULL: on all tables of the schema; kind and name NULL: all.
 */
static List *
logged_guards(Relation log, const char *schema, const char *table,
			  const char *kind, const char *name)
{
	List	   *guards = NIL;
	uint64		rows;
	uint64		i;

	rows = idem_ask(log, "SELECT DISTINCT l.guard, l.kind, l.name, l.table_name,"
					" (SELECT d.arguments FROM idem.change d"
					" WHERE d.guard = l.guard AND d.action = 'declared'"
					" ORDER BY d.n DESC LIMIT 1)"
					" FROM idem.change l"
					" WHERE l.table_schema = $1 AND ($2 IS NULL OR l.table_name = $2)"
					" AND ($3 IS NULL OR l.kind = $3) AND ($4 IS NULL OR l.name = $4)"
					" AND l.guard IS NOT NULL AND l.action <> 'dropped'"
					" AND NOT EXISTS (SELECT FROM idem.change o"
					" WHERE o.guard = l.guard AND o.n > l.n)"
					" ORDER BY l.table_name, l.kind, l.name, l.guard",
					"nntt", schema, table, kind, name);
	for (i = 0; i < rows; i++)
	{
		LoggedGuard *guard = palloc(sizeof(LoggedGuard));
		Datum		settings = idem_found(i, 5);

		guard->guard = datumCopy(idem_found(i, 1), false, UUID_LEN);
		guard->kind = idem_found_text(i, 2);
		guard->name = idem_found_text(i, 3);
		guard->table = idem_found_text(i, 4);
		guard->settings = settings ?
			DatumGetArrayTypePCopy(settings) : idem_list_array(NIL);
		guards = lappend(guards, guard);
	}
	return guards;
}

/*
 * Append one entry.  guard NULL: the first one of a guard, or of what is not
 * on a table.
 */
static void
write_entry(Relation log, const char *action, const char *kind,
			const LoggedGuard *guard, const char *schema, const char *table,
			const char *name, ArrayType *arguments, const char *reason)
{
	(void) idem_ask(log, "INSERT INTO idem.change"
					" (n, action, kind, guard, table_schema, table_name, name, arguments, reason)"
					" VALUES ($1, $2, $3,"
					" CASE WHEN $6 IS NOT NULL THEN coalesce($4, pg_catalog.gen_random_uuid()) END,"
					" $5, $6, $7, $8, $9)",
					"ittunntat", next_number(log), action, kind,
					guard ? guard->guard : (Datum) 0, schema, table, name,
					arguments, reason);
}

/*
 * An entry about the guard of this kind and name on a table; one for each if
 * the log knows several, as after a dump was restored over declarations.
 */
static void
write_change(Relation log, const char *action, const char *kind,
			 const char *schema, const char *table, const char *name,
			 List *arguments, const char *reason)
{
	ArrayType  *array = idem_list_array(arguments);
	List	   *guards = table == NULL ? NIL :
		logged_guards(log, schema, table, kind, name);
	ListCell   *lc;

	if (guards == NIL)
		write_entry(log, action, kind, NULL, schema, table, name, array,
					reason);
	foreach(lc, guards)
		write_entry(log, action, kind, lfirst(lc), schema, table, name, array,
					reason);
}

/*
 * Keep a declaration for good in idem.change_log: who, when, what, why.
 * relid may be invalid (a machine, a scope), reason NULL.
 */
void
idem_log_change(const char *action, const char *kind, Oid relid,
				const char *name, List *arguments, const char *reason)
{
	bool		named = OidIsValid(relid);
	Relation	log = open_log();

	if (named)
		lock_schema(get_rel_namespace(relid), RowExclusiveLock);
	write_change(log, action, kind,
				 named ? get_namespace_name(get_rel_namespace(relid)) : NULL,
				 named ? get_rel_name(relid) : NULL,
				 name, arguments, reason);
	table_close(log, NoLock);
}

/* The same for a table by its name, which need not exist any longer. */
void
idem_log_change_of(const char *action, const char *kind, const char *schema,
				   const char *table, const char *name, List *arguments,
				   const char *reason)
{
	Relation	log = open_log();

	if (schema != NULL)
		lock_schema(get_namespace_oid(schema, true), RowExclusiveLock);
	write_change(log, action, kind, schema, table, name, arguments, reason);
	table_close(log, NoLock);
}

static void
write_renamed(Relation log, const LoggedGuard *guard, const char *schema,
			  const char *table, const char *from)
{
	List	   *arguments = list_make1(psprintf("from=%s", from));

	write_entry(log, "renamed", guard->kind, guard, schema, table, guard->name,
				idem_list_array(arguments), NULL);
}

/*
 * A table has another name, or is in another schema; schema_before is the
 * schema in which it was.
 */
void
idem_log_renamed(Oid relid, Oid schema_before, const char *name_before)
{
	Relation	log = open_log();
	char	   *before;
	char	   *schema;
	ListCell   *lc;

	lock_schema(schema_before, RowExclusiveLock);
	lock_schema(get_rel_namespace(relid), RowExclusiveLock);
	before = get_namespace_name(schema_before);
	schema = get_namespace_name(get_rel_namespace(relid));
	if (before != NULL && schema != NULL)
	{
		foreach(lc, logged_guards(log, before, name_before, NULL, NULL))
			write_renamed(log, lfirst(lc), schema, get_rel_name(relid),
						  quote_qualified_identifier(before, name_before));
	}
	table_close(log, NoLock);
}

/*
 * A schema was altered: if it has another name now, so has every table in it.
 */
void
idem_log_schema_renamed(Oid schema, const char *name_before)
{
	char	   *name = get_namespace_name(schema);
	Relation	log;
	ListCell   *lc;

	if (name == NULL || strcmp(name, name_before) == 0)
		return;
	log = open_log();
	lock_schema(schema, ShareRowExclusiveLock);
	foreach(lc, logged_guards(log, name_before, NULL, NULL, NULL))
	{
		LoggedGuard *guard = lfirst(lc);

		write_renamed(log, guard, name, guard->table,
					  quote_qualified_identifier(name_before, guard->table));
	}
	table_close(log, NoLock);
}

/*
 * A table was dropped, and its guards with it. schema: the one it was in;
 * schema_name: the name of that, in case the schema is gone, too; reason: why
 * its rows could go, or NULL.
 */
void
idem_log_table_dropped(Oid schema, const char *schema_name, const char *table,
					   const char *reason)
{
	Relation	log = open_log();
	char	   *name;
	ListCell   *lc;

	lock_schema(schema, RowExclusiveLock);
	name = get_namespace_name(schema);
	if (name == NULL)
		name = pstrdup(schema_name);
	foreach(lc, logged_guards(log, name, table, NULL, NULL))
	{
		LoggedGuard *guard = lfirst(lc);

		write_entry(log, "dropped", guard->kind, guard, name, table,
					guard->name, guard->settings,
					reason ? psprintf("the table was dropped: %s", reason) :
					"the table was dropped");
	}
	table_close(log, NoLock);
}

/*
 * Is there an entry about a table of this name?  Cheap, since it is asked of
 * every table that is renamed or dropped.
 */
bool
idem_log_knows(const char *schema, const char *table)
{
	Oid			idem = get_namespace_oid("idem", false);
	Oid			relid = get_relname_relid("change", idem);
	Oid			index = get_relname_relid("change_table", idem);
	NameData	names[2];
	ScanKeyData key[2];
	Relation	log;
	SysScanDesc scan;
	bool		found;

	/* as in the middle of DROP EXTENSION */
	if (!OidIsValid(relid))
		return false;
	namestrcpy(&names[0], table);
	namestrcpy(&names[1], schema);
	ScanKeyInit(&key[0], Anum_change_table_name, BTEqualStrategyNumber,
				F_NAMEEQ, NameGetDatum(&names[0]));
	ScanKeyInit(&key[1], Anum_change_table_schema, BTEqualStrategyNumber,
				F_NAMEEQ, NameGetDatum(&names[1]));
	log = table_open(relid, AccessShareLock);
	scan = systable_beginscan(log, index, OidIsValid(index), NULL, 2, key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(log, AccessShareLock);
	return found;
}

/*
 * The number that the log gives the guard of this kind and name on a table, as
 * text; NULL: it was declared nowhere in this database.
 */
char *
idem_log_number(Oid relid, const char *kind, const char *name)
{
	Relation	log = open_log();
	List	   *guards =
		logged_guards(log, get_namespace_name(get_rel_namespace(relid)),
					  get_rel_name(relid), kind, name);

	table_close(log, NoLock);
	if (guards == NIL)
		return NULL;
	return DatumGetCString(DirectFunctionCall1(uuid_out,
											   ((LoggedGuard *) linitial(guards))->guard));
}

static Datum
entry_column(Relation log, HeapTuple entry, int number)
{
	bool		isnull;
	Datum		value = heap_getattr(entry, number, RelationGetDescr(log),
									 &isnull);

	if (isnull)
		elog(ERROR, "column %d of idem.change is null", number);
	return value;
}

/* What an entry of a guard says of its place; false: it was dropped. */
static bool
place_of_entry(Relation log, HeapTuple entry, Oid *relid, const char **name)
{
	char	   *action = TextDatumGetCString(entry_column(log, entry,
														  Anum_change_action));
	Name		schema = DatumGetName(entry_column(log, entry,
												   Anum_change_table_schema));
	Name		table = DatumGetName(entry_column(log, entry,
												  Anum_change_table_name));
	Oid			namespace = get_namespace_oid(NameStr(*schema), true);

	*name = TextDatumGetCString(entry_column(log, entry, Anum_change_name));
	*relid = OidIsValid(namespace) ?
		get_relname_relid(NameStr(*table), namespace) : InvalidOid;
	return OidIsValid(*relid) && strcmp(action, "dropped") != 0;
}

/*
 * Where the guard with this number, a uuid, stands now: its table, and the name
 * of its trigger.  False: nowhere.  As it is committed now, and without SPI.
 */
bool
idem_log_place(Datum number, Oid *relid, const char **name)
{
	Oid			idem = get_namespace_oid("idem", false);
	Oid			index = get_relname_relid("change_guard", idem);
	Relation	log = table_openrv(makeRangeVar("idem", "change", -1),
								   AccessShareLock);
	int64		newest = PG_INT64_MIN;
	bool		stands = false;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	entry;

	ScanKeyInit(&key, Anum_change_guard, BTEqualStrategyNumber, F_UUID_EQ,
				number);
	scan = systable_beginscan(log, index, OidIsValid(index), NULL, 1, &key);
	while (HeapTupleIsValid(entry = systable_getnext(scan)))
	{
		int64		n = DatumGetInt64(entry_column(log, entry, Anum_change_n));

		if (n < newest)
			continue;
		newest = n;
		stands = place_of_entry(log, entry, relid, name);
	}
	systable_endscan(scan);
	table_close(log, AccessShareLock);
	return stands;
}
