/*
 * fixed_declare.c
 *		Putting fixed columns and kept rows on a table.
 *
 * Locks SHARE ROW EXCLUSIVE until the end of the transaction: writers wait,
 * readers do not.  The rows that exist are not read: what they hold counts as
 * recorded.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/rel.h"

#include "base/again.h"
#include "base/argument.h"
#include "base/column.h"
#include "base/declare.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "base/settings_write.h"

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

/* The settings of a guard for a DETAIL */
static char *
settings_text(const IdemGuard *guard)
{
	const char *always = idem_setting(guard->settings, "columns");
	const char *once = idem_setting(guard->settings, "once");

	return psprintf("Its \"columns\" is %s, its \"once\" is %s.",
					always ? always : "{}", once ? once : "{}");
}

/*
 * 42710 if another guard fixes the column: one guard says in which way it is
 * fixed.
 */
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
						 errdetail_internal("%s", settings_text(guard)),
						 errhint("Take it off with idem.drop_guard before you declare it anew."),
						 errtable(rel)));
		}
	}
}

/* What guard_fixed was asked for */
typedef struct FixedArguments
{
	List	   *always;
	List	   *once;
} FixedArguments;

static List *
fixed_settings(const FixedArguments *args)
{
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add_list(settings, "columns", args->always);
	return idem_settings_add_list(settings, "once", args->once);
}

static bool
fixed_stands(Relation rel, void *declaration)
{
	return idem_guard_stands(rel, "fixed", fixed_settings(declaration),
							 NULL, NIL);
}

/*
 * guard_fixed(relation regclass, columns text[], once text[]) -> void
 *
 * A row of a partitioned table can move, which the server does as DELETE and
 * INSERT.  A plain table may become a partition later.  Then the trigger sees
 * the DELETE of a row that moves away, and refuses it, because it does not see
 * the INSERT elsewhere.
 */
PG_FUNCTION_INFO_V1(idem_guard_fixed);
Datum
idem_guard_fixed(PG_FUNCTION_ARGS)
{
	Oid			relid;
	Relation	rel;
	FixedArguments args;
	List	   *columns;
	List	   *settings;
	const char *events;
	const char *trigger;

	idem_require_argument(fcinfo, 0, "relation");
	idem_require_argument(fcinfo, 1, "columns");
	idem_require_argument(fcinfo, 2, "once");
	relid = PG_GETARG_OID(0);
	args.always = idem_array_list("columns", PG_GETARG_ARRAYTYPE_P(1));
	args.once = idem_array_list("once", PG_GETARG_ARRAYTYPE_P(2));

	rel = idem_open_to_declare(relid, fixed_stands, &args);
	if (rel == NULL)
		PG_RETURN_VOID();
	check_columns(rel, args.always, args.once);
	columns = list_concat_copy(args.always, args.once);
	refuse_fixed_twice(rel, columns);
	settings = fixed_settings(&args);
	trigger = idem_free_trigger_name(relid, "idem_fixed", columns);
	events = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ?
		"INSERT OR UPDATE OR DELETE" : "UPDATE OR DELETE";
	idem_put_guard(rel, "fixed", trigger, events, settings);
	PG_RETURN_VOID();
}

/* The settings of a kept table: the columns that it has */
static List *
kept_settings(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *columns = NIL;
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped)
			columns = lappend(columns, pstrdup(NameStr(att->attname)));
	}
	return idem_settings_add_list(idem_settings_begin(), "columns", columns);
}

static bool
kept_stands(Relation rel, void *declaration)
{
	return idem_guard_stands(rel, "kept", idem_settings_begin(), NULL, NIL);
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

	idem_require_argument(fcinfo, 0, "relation");
	relid = PG_GETARG_OID(0);
	rel = idem_open_to_declare(relid, kept_stands, NULL);
	if (rel == NULL)
		PG_RETURN_VOID();
	settings = kept_settings(rel);
	trigger = idem_free_trigger_name(relid, "idem_kept", NIL);
	idem_put_guard(rel, "kept", trigger, "UPDATE OR DELETE", settings);
	PG_RETURN_VOID();
}
