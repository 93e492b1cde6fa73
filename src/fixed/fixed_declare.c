/*
 * fixed_declare.c
 *		Putting fixed columns and kept rows on a table.
 *
 * Locks SHARE ROW EXCLUSIVE until the end of the transaction: writers wait,
 * readers do not.  Rows that exist are not looked at: whatever they hold is
 * what was recorded.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/rel.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/kind.h"

/* All columns exist, and none is in both lists. */
static void
check_columns(Relation rel, List *always, List *once)
{
	ListCell   *lc;
	ListCell   *other;

	if (always == NIL && once == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no column is named"),
				 errhint("Name the columns to fix in \"columns\" or \"once\".")));
	foreach(lc, always)
	{
		(void) idem_stored_column(rel, lfirst(lc));
		foreach(other, once)
		{
			if (strcmp(lfirst(lc), lfirst(other)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" is in both \"columns\" and \"once\"",
								(char *) lfirst(lc))));
		}
	}
	foreach(lc, once)
		(void) idem_stored_column(rel, lfirst(lc));
}

/* A column is fixed by one guard, which says in which way: 42710. */
static void
refuse_fixed_twice(Relation rel, List *columns)
{
	ListCell   *t;
	ListCell   *lc;

	foreach(t, idem_guard_triggers(rel))
	{
		IdemGuard  *guard = ((IdemGuardTrigger *) lfirst(t))->guard;

		if (strcmp(guard->kind->kind, "fixed") != 0)
			continue;
		foreach(lc, columns)
		{
			if (idem_guard_names_column(guard, IDEM_SETTING_COLUMN, lfirst(lc)))
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_OBJECT),
						 errmsg("column \"%s\" of table \"%s\" is already fixed by guard \"%s\"",
								(char *) lfirst(lc),
								RelationGetRelationName(rel), guard->name),
						 errhint("Take it off with idem.drop_guard before you declare it anew."),
						 errtable(rel)));
		}
	}
}

/*
 * guard_fixed(relation regclass, columns text[], once text[]) -> void
 *
 * A row of a partitioned table can move, which the server does as DELETE and
 * INSERT.  A plain table may become a partition later: then a row that leaves
 * it is seen by its DELETE, and refused, because where it goes is not seen.
 */
PG_FUNCTION_INFO_V1(idem_guard_fixed);
Datum
idem_guard_fixed(PG_FUNCTION_ARGS)
{
	Oid			relid;
	Relation	rel;
	List	   *always;
	List	   *once;
	List	   *columns;
	List	   *settings;
	const char *events;
	const char *trigger;
	IdemIdentity saved;

	idem_require_argument(fcinfo, 0, "relation");
	idem_require_argument(fcinfo, 1, "columns");
	idem_require_argument(fcinfo, 2, "once");
	relid = PG_GETARG_OID(0);
	always = idem_array_list("columns", PG_GETARG_ARRAYTYPE_P(1));
	once = idem_array_list("once", PG_GETARG_ARRAYTYPE_P(2));

	rel = idem_open_for_guard(relid, ShareRowExclusiveLock);
	check_columns(rel, always, once);
	columns = list_concat_copy(always, once);
	refuse_fixed_twice(rel, columns);
	settings = idem_settings_add_list(idem_settings_begin(), "columns", always);
	settings = idem_settings_add_list(settings, "once", once);
	trigger = idem_free_trigger_name(relid, "idem_fixed", columns);
	events = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ?
		"INSERT OR UPDATE OR DELETE" : "UPDATE OR DELETE";

	idem_become_declarer(rel, &saved);
	relation_close(rel, NoLock);
	SPI_connect();
	idem_create_row_trigger(relid, trigger, events, "keep_fixed", settings);
	idem_log_change("declared", "fixed", relid, trigger, settings, NULL);
	SPI_finish();
	idem_restore_identity(&saved);
	PG_RETURN_VOID();
}

/* guard_kept(relation regclass) -> void */
PG_FUNCTION_INFO_V1(idem_guard_kept);
Datum
idem_guard_kept(PG_FUNCTION_ARGS)
{
	Oid			relid;
	Relation	rel;
	List	   *settings;
	const char *trigger;
	IdemIdentity saved;

	idem_require_argument(fcinfo, 0, "relation");
	relid = PG_GETARG_OID(0);
	rel = idem_open_for_guard(relid, ShareRowExclusiveLock);
	settings = idem_settings_begin();
	idem_refuse_second_guard(rel, "kept", settings);
	trigger = idem_free_trigger_name(relid, "idem_kept", NIL);

	idem_become_declarer(rel, &saved);
	relation_close(rel, NoLock);
	SPI_connect();
	idem_create_row_trigger(relid, trigger, "UPDATE OR DELETE", "keep_rows",
							settings);
	idem_create_truncate_triggers(relid, trigger);
	idem_log_change("declared", "kept", relid, trigger, settings, NULL);
	SPI_finish();
	idem_restore_identity(&saved);
	PG_RETURN_VOID();
}
