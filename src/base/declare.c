/*
 * declare.c
 *		Functions that the declaration of every guard needs.
 *
 * A guard is made of ordinary triggers and constraints of the user's own
 * table, so that \d shows it, pg_dump carries it and the server itself keeps
 * it.  A declaration is DDL: it needs ownership of the table, takes a lock
 * (SHARE ROW EXCLUSIVE: writers wait, readers do not), and either succeeds as
 * a whole or leaves nothing.
 *
 * Every statement runs through SPI as the owner of the table, restricted
 * (identity.c), with all names written in full.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/change.h"
#include "base/citus.h"
#include "base/column.h"
#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/identity.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/qualified.h"
#include "base/settings_known.h"
#include "base/settings_trigger.h"
#include "base/settings_write.h"

/* Can a trigger guard every row of the table? */
static void
check_guardable(Relation rel)
{
	char		relkind = rel->rd_rel->relkind;

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(rel)),
				 errtable(rel)));
	if (IsSystemRelation(rel))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("table \"%s\" is a system catalog",
						RelationGetRelationName(rel)),
				 errtable(rel)));
	if (rel->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("table \"%s\" is temporary or unlogged",
						RelationGetRelationName(rel)),
				 errdetail("Its rows do not survive a crash."),
				 errtable(rel)));
	if (rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" is a partition",
						RelationGetRelationName(rel)),
				 errhint("Put the guard on the partitioned table at the top."),
				 errtable(rel)));
}

/*
 * Do triggers fire on all tables that hold its rows?  They are locked, because
 * a lock on the table at the top keeps nobody from attaching a partition
 * below.
 */
static void
check_children(Relation rel, LOCKMODE lockmode)
{
	List	   *children = find_all_inheritors(RelationGetRelid(rel),
											   lockmode, NULL);
	ListCell   *lc;

	if (rel->rd_rel->relkind == RELKIND_RELATION && list_length(children) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("table \"%s\" has inheritance children",
						RelationGetRelationName(rel)),
				 errdetail("Rows of a child do not fire the triggers of its parent."),
				 errhint("Use partitions instead."),
				 errtable(rel)));
	foreach(lc, children)
	{
		Oid			child = lfirst_oid(lc);

		if (get_rel_relkind(child) == RELKIND_FOREIGN_TABLE)
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("partition \"%s\" of table \"%s\" is a foreign table",
							get_rel_name(child),
							RelationGetRelationName(rel)),
					 errdetail("Rows written at the other server do not fire triggers here."),
					 errtable(rel)));
	}
}

/*
 * The number of a column whose stored value can be judged, which must exist. A
 * stored generated column has one; a virtual one (18) has no value in the rows
 * that a trigger gets.
 */
AttrNumber
idem_stored_column(Relation rel, const char *name)
{
	AttrNumber	attnum = idem_column_number(rel, name);
	char		generated = TupleDescAttr(RelationGetDescr(rel),
										  attnum - 1)->attgenerated;

	if (generated != '\0' && generated != ATTRIBUTE_GENERATED_STORED)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" is not stored",
						name, RelationGetRelationName(rel)),
				 errhint("Name the columns it is computed from, or make it a stored one."),
				 errtablecol(rel, attnum)));
	return attnum;
}

/*
 * 42P01 if there is no such relation, 42501 unless the caller owns it.  The
 * server's own ownership check lets a superuser name anything.
 */
void
idem_check_owned(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!object_ownercheck(RelationRelationId, relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER,
					   get_relkind_objtype(get_rel_relkind(relid)), name);
}

/*
 * Open the table a guard is to be put on: 42P01 if it does not exist, 42501
 * unless the caller owns it, 42809 or 42P17 if its rows cannot all be
 * guarded.  The lock is kept until the end of the transaction.
 */
Relation
idem_open_for_guard(Oid relid, LOCKMODE lockmode)
{
	Relation	rel;

	/* before the lock, which only the owner may take, and again under it */
	idem_check_owned(relid);
	LockRelationOid(relid, lockmode);
	idem_check_owned(relid);
	rel = relation_open(relid, NoLock);
	check_guardable(rel);
	check_children(rel, lockmode);
	return rel;
}

/* How many statements run that may change guards. */
static int	unwatched = 0;

/* Does a statement of our own run that may change guards? */
bool
idem_executing(void)
{
	return unwatched > 0;
}

static void
run_statement(const char *sql)
{
	int			nest = idem_citus_begin();
	int			code = SPI_execute(sql, false, 0);

	idem_citus_done(nest);
	if (code < 0)
		elog(ERROR, "SPI_execute returned %s: %s",
			 SPI_result_code_string(code), sql);
}

static char *format_statement(const char *format,
							  va_list args) pg_attribute_printf(1, 0);

static char *
format_statement(const char *format, va_list args)
{
	StringInfoData sql;
	int			needed = 0;

	initStringInfo(&sql);
	do
	{
		va_list		again;

		enlargeStringInfo(&sql, needed);
		va_copy(again, args);
		needed = appendStringInfoVA(&sql, format, again);
		va_end(again);
	} while (needed != 0);
	return sql.data;
}

/* Run one statement that returns nothing; the caller is connected to SPI. */
void
idem_execute(const char *format,...)
{
	char	   *sql;
	va_list		args;

	va_start(args, format);
	sql = format_statement(format, args);
	va_end(args);
	run_statement(sql);
	pfree(sql);
}

/*
 * The same for a statement that takes a guard, or what it is made of, off a
 * table: the doctor refuses that to everybody else.
 */
void
idem_execute_unwatched(const char *format,...)
{
	char	   *sql;
	va_list		args;

	va_start(args, format);
	sql = format_statement(format, args);
	va_end(args);
	unwatched++;
	PG_TRY();
	{
		run_statement(sql);
	}
	PG_FINALLY();
	{
		unwatched--;
	}
	PG_END_TRY();
	pfree(sql);
}

/* schema.table, quoted where needed. */
char *
idem_qualified_name(Relation rel)
{
	return idem_qualified_name_of(RelationGetRelid(rel));
}

/*
 * A name for a trigger on a table: the prefix, the parts that tell it from
 * others, and a number where another trigger has that name already.
 */
char *
idem_free_trigger_name(Oid relid, const char *prefix, List *parts)
{
	char	   *name = idem_made_name(prefix, parts);
	int			n;

	for (n = 2; OidIsValid(get_trigger_oid(relid, name, true)); n++)
		name = idem_made_name(prefix, lappend(list_copy(parts),
											  psprintf("%d", n)));
	return name;
}

/*
 * 'a=b','c=d' as the arguments of a trigger: 22023 for what its function would
 * not read, such as a list of more elements than a list may have.
 */
static char *
trigger_arguments(const char *function, List *settings)
{
	char	   *problem = idem_settings_problem(settings,
												idem_known_settings(function));
	StringInfoData buf;
	ListCell   *lc;

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("guard cannot be declared: its trigger %s", problem),
				 errhint("A list has a few thousand elements at most.")));
	initStringInfo(&buf);
	foreach(lc, settings)
	{
		if (buf.len > 0)
			appendStringInfoString(&buf, ", ");
		appendStringInfoString(&buf, quote_literal_cstr(lfirst(lc)));
	}
	return buf.data;
}

/* schema.table of a table that is locked but not open. */
char *
idem_qualified_name_of(Oid relid)
{
	char	   *schema = get_namespace_name(get_rel_namespace(relid));

	return quote_qualified_identifier(schema, get_rel_name(relid));
}

/*
 * 0A000 for a table of Citus that a guard with this function would not hold
 * on: where each node has a copy of all rows, where rows are in partitions of
 * shards, and of a kind that was not made for shards (base/kind.h).
 */
static void
check_shards(Oid relid, const char *function)
{
	IdemCitusTable how = idem_citus_table(relid);
	const char *why;

	if (how == IDEM_CITUS_NONE)
		return;
	if (how == IDEM_CITUS_COPIES)
		why = "a reference table";
	else if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE)
		why = "distributed and partitioned";
	else if (!idem_kind_holds_on_shards(function))
		why = "distributed";
	else
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("table \"%s\" cannot have this guard: it is %s",
					get_rel_name(relid), why),
			 errhint("On a distributed table without partitions guards of these kinds hold: %s.",
					 idem_kinds_on_shards())));
}

/*
 * Put the deciding trigger of a guard on a table: AFTER, FOR EACH ROW, fired
 * whatever session_replication_role is.  The server makes clones on
 * partitions.  The caller holds the lock and has closed the table: ALTER TABLE
 * refuses one that is open (55006).
 */
void
idem_create_row_trigger(Oid relid, const char *trigger, const char *events,
						const char *function, List *settings)
{
	const char *table = idem_qualified_name_of(relid);
	const char *name = quote_identifier(trigger);

	check_shards(relid, function);
	/* what a moved row is to such a trigger: guard.h */
	Assert(strstr(events, "INSERT") == NULL || strstr(events, "DELETE") != NULL);
	idem_execute("CREATE TRIGGER %s AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION idem.%s(%s)",
				 name, events, table, function,
				 trigger_arguments(function, settings));
	idem_execute("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, name);
}

/*
 * Put another one in its place, of the same name and events, with other
 * settings.
 */
void
idem_replace_row_trigger(Oid relid, const char *trigger, const char *events,
						 const char *function, List *settings)
{
	const char *table = idem_qualified_name_of(relid);
	const char *name = quote_identifier(trigger);

	idem_execute_unwatched("CREATE OR REPLACE TRIGGER %s AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION idem.%s(%s)",
						   name, events, table, function,
						   trigger_arguments(function, settings));
	idem_execute_unwatched("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table,
						   name);
}

/*
 * The same, fired before the row is written, for a guard that has to see a row
 * that may then be skipped.
 */
void
idem_create_early_trigger(Oid relid, const char *trigger, const char *events,
						  const char *function, List *settings)
{
	const char *table = idem_qualified_name_of(relid);
	const char *name = quote_identifier(trigger);

	check_shards(relid, function);
	idem_execute("CREATE TRIGGER %s BEFORE %s ON %s FOR EACH ROW EXECUTE FUNCTION idem.%s(%s)",
				 name, events, table, function,
				 trigger_arguments(function, settings));
	idem_execute("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, name);
}

/*
 * The same as a constraint: one that is bound to another table, or none, and
 * that may wait until the transaction commits.
 *
 * Bound: the server keeps that table's OID beside the trigger (FROM,
 * tgconstrrelid), so the tie survives renames and dumps, and the trigger goes
 * when the other table goes.  Needs TRIGGER on both.
 */
void
idem_create_constraint_trigger(Oid relid, Oid other, bool deferred,
							   const char *trigger, const char *events,
							   const char *function, List *settings)
{
	const char *table = idem_qualified_name_of(relid);
	const char *name = quote_identifier(trigger);

	check_shards(relid, function);
	idem_execute("CREATE CONSTRAINT TRIGGER %s AFTER %s ON %s%s%s %s FOR EACH ROW EXECUTE FUNCTION idem.%s(%s)",
				 name, events, table, OidIsValid(other) ? " FROM " : "",
				 OidIsValid(other) ? idem_qualified_name_of(other) : "",
				 deferred ? "DEFERRABLE INITIALLY DEFERRED" : "NOT DEFERRABLE",
				 function, trigger_arguments(function, settings));
	idem_execute("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, name);
}

/* The same, bound to another table, for a guard that judges at once. */
void
idem_create_bound_trigger(Oid relid, Oid other, const char *trigger,
						  const char *events, const char *function,
						  List *settings)
{
	idem_create_constraint_trigger(relid, other, false, trigger, events,
								   function, settings);
}

/* Does the trigger fire once a statement, for the guard of that name? */
static bool
is_statement_trigger(const Trigger *trigger, const char *guard)
{
	const char *of = idem_trigger_setting(trigger, "guard");

	return of != NULL && strcmp(of, guard) == 0 &&
		idem_is_our_function(trigger->tgfoid) &&
		idem_is_statement_function(get_func_name(trigger->tgfoid));
}

/*
 * The name of the trigger that refuses TRUNCATE of the table for a guard of
 * it, and applies what its rows do to totals, by its argument; NULL if there
 * is none.
 */
char *
idem_statement_trigger(Oid relid, const char *guard)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	TriggerDesc *triggers = CopyTriggerDesc(rel->trigdesc);
	int			i;

	relation_close(rel, NoLock);
	for (i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		if (is_statement_trigger(&triggers->triggers[i], guard))
			return triggers->triggers[i].tgname;
	}
	return NULL;
}

/* The function that such a trigger of the guard has to call. */
static const char *
statement_function(Oid relid, const char *guard)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	List	   *triggers = idem_guard_triggers(rel);
	ListCell   *lc;

	relation_close(rel, NoLock);
	foreach(lc, triggers)
	{
		const IdemGuardTrigger *trigger = lfirst(lc);

		if (trigger->kind->decides &&
			strcmp(trigger->guard->name, guard) == 0)
			return idem_statement_function(trigger->kind);
	}
	return IDEM_TRUNCATE_FUNCTION;
}

static void
create_statement_trigger(Oid relid, const char *guard, const char *function)
{
	List	   *settings = idem_settings_add(idem_settings_begin(), "guard",
											 guard);
	const char *table = idem_qualified_name_of(relid);
	char	   *word = pstrdup(idem_statement_word(function));
	const char *name;

	name = quote_identifier(idem_free_trigger_name(relid, guard,
												   list_make1(word)));
	idem_execute("CREATE TRIGGER %s %s ON %s FOR EACH STATEMENT EXECUTE FUNCTION idem.%s(%s)",
				 name, idem_statement_events(function), table, function,
				 trigger_arguments(function, settings));
	idem_execute("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, name);
}

/*
 * Refuse TRUNCATE of the table and of every partition, and do what the guard
 * does at the end of a statement: such a trigger has no clones, so each table
 * gets its own, unless it has it (a partition that was made from a dump).  The
 * table has the guard, and the caller has closed it.
 */
void
idem_create_statement_triggers(Oid relid, const char *guard)
{
	List	   *tables =
		find_all_inheritors(relid, ShareRowExclusiveLock, NULL);
	const char *function = statement_function(relid, guard);
	ListCell   *lc;

	foreach(lc, tables)
	{
		if (idem_statement_trigger(lfirst_oid(lc), guard) == NULL)
			create_statement_trigger(lfirst_oid(lc), guard, function);
	}
}

/* Take them off again; a partition made later has none. */
void
idem_drop_statement_triggers(Oid relid, const char *guard)
{
	List	   *tables = find_all_inheritors(relid, AccessExclusiveLock, NULL);
	ListCell   *lc;

	foreach(lc, tables)
	{
		Oid			member = lfirst_oid(lc);
		char	   *name = idem_statement_trigger(member, guard);

		if (name != NULL)
			idem_execute_unwatched("DROP TRIGGER %s ON %s",
								   quote_identifier(name),
								   idem_qualified_name_of(member));
	}
}

/*
 * Put a guard on a table: the trigger that decides, those that refuse TRUNCATE
 * if it keeps rows, and the entry of the change log.  The table is closed here
 * and stays locked.
 */
void
idem_put_guard(Relation rel, const char *kind, const char *trigger,
			   const char *events, List *settings)
{
	Oid			relid = RelationGetRelid(rel);
	IdemGuard	guard = {.kind = idem_kind_named(kind),.settings = settings};
	IdemIdentity saved;

	SPI_connect();
	idem_become_declarer(rel, &saved);
	relation_close(rel, NoLock);
	idem_create_row_trigger(relid, trigger, events, guard.kind->function,
							settings);
	if (idem_guard_keeps_rows(&guard))
		idem_create_statement_triggers(relid, trigger);
	idem_restore_identity(&saved);
	idem_log_change("declared", kind, relid, trigger, settings, NULL);
	SPI_finish();
}

/*
 * Take the trigger that decides, if there is one, and those that refuse
 * TRUNCATE off a table.  Connected to SPI; the caller writes the log.
 */
void
idem_take_guard_off(Oid relid, const char *trigger)
{
	IdemIdentity saved;

	idem_become_declarer_of(relid, &saved);
	if (OidIsValid(get_trigger_oid(relid, trigger, true)))
		idem_execute_unwatched("DROP TRIGGER %s ON %s",
							   quote_identifier(trigger),
							   idem_qualified_name_of(relid));
	idem_drop_statement_triggers(relid, trigger);
	idem_restore_identity(&saved);
}
