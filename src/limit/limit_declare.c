/*
 * limit_declare.c
 *		guard_limit(): put a limit on a table.
 *
 * Checks everything the guard relies on, adds the running total to the parent
 * if it is not there, fills it from the children that count, and only then
 * arms both tables.  What already breaks the limit is refused with the
 * offenders in DETAIL.
 *
 * Locked until the end of the transaction: child, then parent, SHARE ROW
 * EXCLUSIVE (writers wait, readers do not) while the rows are read and the
 * totals filled.  ACCESS EXCLUSIVE on the parent from ADD COLUMN on, where a
 * column is added, which comes first; where its columns are there already,
 * with DEFAULT 0 and NOT NULL, only from ADD CHECK on, which is the last step
 * and reads nothing: NOT VALID on a parent that has rows.  validate_guard()
 * reads them later under SHARE UPDATE EXCLUSIVE, while others write.  Other
 * child tables that share the total are not locked: what they count is behind
 * the lock of the parent.
 *
 * Rows are read under the latest snapshot, because that of a REPEATABLE READ
 * transaction may be older than the locks.
 *
 * Everything on the parent runs as its owner, everything on the child as
 * its own.  Where the owners differ the parent's needs SELECT and TRIGGER on
 * the child, and is told so by the server.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/kind.h"
#include "limit/limit_declare.h"

/*
 * Run one ALTER TABLE on the parent, which refuses a table that is open; the
 * lock stays.
 */
static void
alter_parent(IdemLimitDeclaration *d, const char *change)
{
	char	   *table = idem_qualified_name(d->parent);

	table_close(d->parent, NoLock);
	idem_execute("ALTER TABLE %s %s", table, change);
	d->parent = table_open(d->of.key.parent, NoLock);
}

/* a, b */
static char *
list_sql(List *parts)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, parts)
		appendStringInfo(&sql, "%s%s", sql.len > 0 ? ", " : "",
						 (char *) lfirst(lc));
	return sql.data;
}

static List *
add_count(List *settings, IdemLimitDeclaration *d)
{
	if (d->count_cap == 0)
		return settings;
	settings = idem_settings_add(settings, "count_cap",
								 psprintf(INT64_FORMAT, d->count_cap));
	return idem_settings_add(settings, "count_used", d->of.count_used);
}

/* The age is written so that every intervalstyle reads it alike. */
static List *
add_age(List *settings, IdemLimitDeclaration *d)
{
	int			level;
	char	   *age;

	if (d->max_age == NULL)
		return settings;
	level = NewGUCNestLevel();
	(void) set_config_option("intervalstyle", "iso_8601", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	age = OidOutputFunctionCall(F_INTERVAL_OUT,
								IntervalPGetDatum(d->max_age));
	AtEOXact_GUC(true, level);
	settings = idem_settings_add(settings, "max_age", age);
	return idem_settings_add(settings, "age_from", d->age_from);
}

static List *
limit_settings(IdemLimitDeclaration *d)
{
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add_list(settings, "fk", d->of.fk);
	settings = idem_settings_add(settings, "amount", d->of.amount);
	settings = idem_settings_add(settings, "cap", d->of.cap);
	settings = idem_settings_add(settings, "used", d->of.used);
	settings = idem_settings_add(settings, "state", d->of.state);
	settings = idem_settings_add_list(settings, "released", d->of.released);
	settings = idem_settings_add_map(settings, "same", d->same, d->same_parent);
	settings = idem_settings_add(settings, "parent_state", d->parent_state);
	settings = idem_settings_add_list(settings, "open", d->open);
	settings = idem_settings_add_list(settings, "facts", d->of.facts);
	settings = idem_settings_add(settings, "excess", d->of.excess);
	settings = add_count(settings, d);
	settings = add_age(settings, d);
	return idem_settings_add(settings, "children",
							 d->editable ? "editable" : "kept");
}

/* The parent columns of "same", in the order in which the child has them. */
static List *
compared_columns(IdemLimitDeclaration *d)
{
	List	   *child;
	List	   *parent;

	idem_setting_map(limit_settings(d), "same", &child, &parent);
	return parent;
}

static List *
total_settings(IdemLimitDeclaration *d)
{
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add_list(settings, "fk", d->of.fk);
	settings = idem_settings_add(settings, "amount", d->of.amount);
	settings = idem_settings_add_list(settings, "key", idem_total_parent_columns(&d->of.key));
	settings = idem_settings_add(settings, "cap", d->of.cap);
	settings = idem_settings_add(settings, "used", d->of.used);
	settings = idem_settings_add(settings, "excess", d->of.excess);
	settings = idem_settings_add(settings, "count_used", d->of.count_used);
	settings = idem_settings_add_list(settings, "same_parent",
									  compared_columns(d));
	settings = idem_settings_add(settings, "parent_state", d->parent_state);
	settings = idem_settings_add(settings, "age_from", d->age_from);
	return idem_settings_add(settings, "cap_grows",
							 d->cap_grows ? "true" : "false");
}

/* Has the parent no rows that a CHECK would have to read? */
static bool
has_no_rows(IdemLimitDeclaration *d)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(d->of.key.parent, NoLock, NULL))
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);
		bool		empty = !RELKIND_HAS_STORAGE(rel->rd_rel->relkind) ||
			RelationGetNumberOfBlocks(rel) == 0;

		table_close(rel, NoLock);
		if (!empty)
			return false;
	}
	return true;
}

/* One CHECK, unless another limit that shares the column brought it. */
static void
add_check(IdemLimitDeclaration *d, const char *column_name,
		  const char *condition)
{
	char	   *name = idem_check_name("limit", column_name);

	if (OidIsValid(get_relation_constraint_oid(d->of.key.parent, name, true)))
		return;
	d->finish = lappend(d->finish,
						psprintf("ADD CONSTRAINT %s CHECK ((%s) IS TRUE)%s",
								 quote_identifier(name), condition,
								 has_no_rows(d) ? "" : " NOT VALID"));
}

/*
 * The CHECKs the server itself keeps, the last step; numeric has a NaN above
 * every cap.  Facts are stored however many children there are.
 */
static void
make_checks(IdemLimitDeclaration *d)
{
	const char *used = quote_identifier(d->of.used);
	const char *cap = quote_identifier(d->of.cap);
	const char *finite = d->type != NUMERICOID ? "" : " AND %s < 'Infinity'";

	add_check(d, d->of.used, psprintf("%s BETWEEN '0' AND %s%s", used, cap,
									  psprintf(finite, cap)));
	if (d->of.excess != NULL)
		add_check(d, d->of.excess, psprintf("%s >= '0'%s",
											quote_identifier(d->of.excess),
											psprintf(finite,
													 quote_identifier(d->of.excess))));
	if (d->of.count_used != NULL && d->of.facts == NIL)
		add_check(d, d->of.count_used,
				  psprintf("%s BETWEEN 0 AND " INT64_FORMAT,
						   quote_identifier(d->of.count_used), d->count_cap));
	else if (d->of.count_used != NULL)
		add_check(d, d->of.count_used,
				  psprintf("%s >= 0", quote_identifier(d->of.count_used)));
	if (d->finish != NIL)
		alter_parent(d, list_sql(d->finish));
}

/* Fail, rather than overlook rows, where row security would hide some. */
static void
see_every_row(void)
{
	(void) set_config_option("row_security", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Columns, totals and counterpart, as the owner of the parent. */
static void
make_parent(IdemLimitDeclaration *d)
{
	IdemIdentity saved;

	idem_become_declarer(d->parent, &saved);
	see_every_row();
	idem_limit_check_rows(d);
	if (d->missing != NIL)
		alter_parent(d, list_sql(d->missing));
	idem_limit_fill_totals(d);
	table_close(d->parent, NoLock);
	idem_create_bound_trigger(d->of.key.parent, d->of.key.child, d->total_name,
							  "INSERT OR UPDATE OR DELETE", IDEM_TOTAL_FUNCTION,
							  total_settings(d));
	d->parent = table_open(d->of.key.parent, NoLock);
	idem_restore_identity(&saved);
}

static void
make_child(IdemLimitDeclaration *d)
{
	IdemIdentity saved;

	idem_become_declarer(d->child, &saved);
	table_close(d->child, NoLock);
	idem_create_row_trigger(d->of.key.child, d->limit_name,
							"INSERT OR UPDATE OR DELETE", "keep_limit",
							limit_settings(d));
	idem_create_statement_triggers(d->of.key.child, d->limit_name);
	idem_restore_identity(&saved);
}

/* What takes ACCESS EXCLUSIVE comes last. */
static void
finish_parent(IdemLimitDeclaration *d)
{
	IdemIdentity saved;

	idem_become_declarer(d->parent, &saved);
	make_checks(d);
	table_close(d->parent, NoLock);
	idem_restore_identity(&saved);
}

/* Does the child have this limit, and the parent its side of it? */
static bool
limit_stands(Relation child, void *declaration)
{
	IdemLimitDeclaration *d = declaration;
	Relation	parent;
	bool		stands;

	idem_total_find_key(RelationGetRelid(child), d->of.fk,
						ERRCODE_INVALID_OBJECT_DEFINITION, &d->of.key);
	d->of.fk = idem_total_child_columns(&d->of.key);
	idem_check_owned(d->of.key.parent);
	parent = table_open(d->of.key.parent, AccessShareLock);
	stands = idem_guard_stands(child, "limit", limit_settings(d), parent,
							   total_settings(d));
	table_close(parent, NoLock);
	return stands;
}

static void
declare_limit(FunctionCallInfo fcinfo, bool many)
{
	IdemLimitDeclaration declaration = {0};
	IdemLimitDeclaration *d = &declaration;

	idem_limit_read_arguments(fcinfo, many, d);
	SPI_connect();
	d->child = idem_open_to_declare(PG_GETARG_OID(0), limit_stands, d);
	if (d->child == NULL)
	{
		SPI_finish();
		return;
	}
	idem_limit_open_parent(d);
	make_parent(d);
	make_child(d);
	finish_parent(d);
	idem_log_change("declared", "limit", d->of.key.child, d->limit_name,
					idem_settings_add(limit_settings(d), "cap_grows",
									  d->cap_grows ? "true" : "false"), NULL);
	SPI_finish();
}

/*
 * guard_limit(child regclass, fk text, ...) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_limit);
Datum
idem_guard_limit(PG_FUNCTION_ARGS)
{
	declare_limit(fcinfo, false);
	PG_RETURN_VOID();
}

/*
 * guard_limit(child regclass, fk text[], ...) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_limit_columns);
Datum
idem_guard_limit_columns(PG_FUNCTION_ARGS)
{
	declare_limit(fcinfo, true);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * Validating it later
 * ------------------------------------------------------------------------
 */

/* Validate the CHECK of one column, if there is one. */
static void
validate_check(Oid parent, const char *column_name)
{
	char	   *name;

	if (column_name == NULL)
		return;
	name = idem_check_name("limit", column_name);
	if (OidIsValid(get_relation_constraint_oid(parent, name, true)))
		idem_execute("ALTER TABLE %s VALIDATE CONSTRAINT %s",
					 idem_qualified_name_of(parent), quote_identifier(name));
}

static void
validate_limit(Relation child, Trigger *trigger)
{
	IdemTotalKey key;
	Relation	parent;
	IdemIdentity saved;

	idem_total_find_key(RelationGetRelid(child),
						idem_trigger_setting_list(trigger, "fk"),
						ERRCODE_INVALID_OBJECT_DEFINITION, &key);
	idem_check_owned(key.parent);
	parent = table_open(key.parent, ShareUpdateExclusiveLock);
	idem_check_owned(key.parent);
	idem_become_declarer(parent, &saved);
	table_close(parent, NoLock);
	validate_check(key.parent, idem_trigger_setting(trigger, "used"));
	validate_check(key.parent, idem_trigger_setting(trigger, "excess"));
	validate_check(key.parent, idem_trigger_setting(trigger, "count_used"));
	idem_restore_identity(&saved);
}

/*
 * The guards of other kinds whose rows can be read later: 23514 with what is
 * found.  How many there were.
 */
static int
validate_others(Relation rel, const char *name)
{
	int			found = 0;
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuard  *guard = ((IdemGuardTrigger *) lfirst(lc))->guard;
		char	   *finding;

		if (!guard->kind->validates ||
			(name != NULL && strcmp(name, guard->name) != 0))
			continue;
		idem_check_owned(guard->relid);
		idem_guard_require(guard);
		finding = guard->kind->check_rows(guard, guard->relid);
		if (finding != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("table \"%s\" does not follow guard \"%s\"",
							RelationGetRelationName(rel), guard->name),
					 errdetail("It has %s.", finding),
					 errtableconstraint(rel, guard->name)));
		found++;
	}
	return found;
}

/*
 * validate_guard(relation regclass, name text) -> void
 */
PG_FUNCTION_INFO_V1(idem_validate_guard);
Datum
idem_validate_guard(PG_FUNCTION_ARGS)
{
	Relation	child;
	TriggerDesc *triggers;
	char	   *name = PG_ARGISNULL(1) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			found = 0;
	int			i;

	idem_require_argument(fcinfo, 0, "relation");
	child = idem_open_named(PG_GETARG_OID(0));
	triggers = CopyTriggerDesc(child->trigdesc);
	SPI_connect();
	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (!idem_total_is_readable(trigger, "keep_limit") ||
			(name != NULL && strcmp(name, trigger->tgname) != 0))
			continue;
		validate_limit(child, trigger);
		found++;
	}
	found += validate_others(child, name);
	SPI_finish();
	if (found == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" has no limit",
						RelationGetRelationName(child))));
	relation_close(child, NoLock);
	PG_RETURN_VOID();
}
