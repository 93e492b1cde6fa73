/*
 * doctor_ddl.c
 *		The event triggers.
 *
 * ddl_command_start	loads the library, and with it the hook of
 *						doctor_watch.c, and looks at the commands of which the
 *						hook learns nothing in time: ALTER TYPE ... RENAME
 *						VALUE, DETACH PARTITION CONCURRENTLY, which commits
 *						half of its work before the hook is told, and changes
 *						of our own tables (doctor_tables.c).
 * table_rewrite		ALTER COLUMN ... TYPE ... USING, where rows are written
 *						anew and no row trigger fires, and SET UNLOGGED.
 * ddl_command_end		judges what the hook noted.
 *
 * All three are ENABLE ALWAYS.  Server commands that event triggers are not
 * fired for (ALTER EVENT TRIGGER itself, anything in single-user mode) pass;
 * idem.doctor() reports an event trigger that is off.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/citus.h"
#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/moved.h"
#include "base/settings_known.h"
#include "doctor/doctor.h"

/* ---------- ddl_command_start ---------- */

/*
 * The server has not checked anything yet when these are called.  A caller
 * that does not own what the command names gets the server's own error; until
 * then nothing of the object is locked, read or disclosed.
 */

/*
 * ALTER TYPE ... RENAME VALUE renames a state under the rows that stand in it.
 */
static void
check_enum_rename(AlterEnumStmt *stmt)
{
	Oid			type;

	if (stmt->oldVal == NULL)
		return;
	type =
		LookupTypeNameOid(NULL, makeTypeNameFromNameList(stmt->typeName), true);
	if (!OidIsValid(type) ||
		!object_ownercheck(TypeRelationId, type, GetUserId()))
		return;
	idem_check_type(type, false,
					psprintf("rename value \"%s\" of type %s", stmt->oldVal,
							 format_type_be(type)));
}

/*
 * The partition that a command is to detach, if the caller may do so; else
 * none.
 */
static Oid
partition_to_detach(const RangeVar *table, const RangeVar *partition)
{
	Oid			parent = RangeVarGetRelid(table, NoLock, true);
	Oid			relid;

	if (!OidIsValid(parent) ||
		!object_ownercheck(RelationRelationId, parent, GetUserId()))
		return InvalidOid;
	relid = RangeVarGetRelid(partition, NoLock, true);
	if (!OidIsValid(relid) || !get_rel_relispartition(relid) ||
		get_partition_parent(relid, true) != parent)
		return InvalidOid;
	return relid;
}

/* ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY, before its first half. */
static void
check_detach_concurrently(const RangeVar *table, const RangeVar *name)
{
	Oid			partition = partition_to_detach(table, name);
	ListCell   *lc;

	if (!OidIsValid(partition))
		return;
	LockRelationOid(partition, AccessShareLock);
	/* who waited for the lock may find another table of that name */
	if (partition_to_detach(table, name) != partition)
		return;
	PushActiveSnapshot(GetLatestSnapshot());
	SPI_connect();
	foreach(lc, idem_guard_triggers_of(partition))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (trigger->is_clone)
			idem_judge_detached(idem_root_of(partition), trigger->kind,
								trigger->guard, partition);
	}
	SPI_finish();
	PopActiveSnapshot();
}

static void
at_start(Node *parsetree)
{
	ListCell   *lc;

	idem_begin_notes();
	idem_tables_at_start(parsetree);
	if (IsA(parsetree, AlterEnumStmt))
		check_enum_rename((AlterEnumStmt *) parsetree);
	if (!IsA(parsetree, AlterTableStmt))
		return;
	foreach(lc, ((AlterTableStmt *) parsetree)->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_DetachPartition &&
			((PartitionCmd *) cmd->def)->concurrent)
			check_detach_concurrently(((AlterTableStmt *) parsetree)->relation,
									  ((PartitionCmd *) cmd->def)->name);
	}
}

/* ---------- table_rewrite ---------- */

/* Does a command of the statement rewrite values of this column? */
static bool
rewrites_column(Node *parsetree, const char *column)
{
	ListCell   *lc;

	if (!IsA(parsetree, AlterTableStmt))
		return true;
	foreach(lc, ((AlterTableStmt *) parsetree)->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->name == NULL || strcmp(cmd->name, column) != 0)
			continue;
		if (cmd->subtype == AT_AlterColumnType)
			return true;
#if PG_VERSION_NUM >= 170000
		if (cmd->subtype == AT_SetExpression)
			return true;
#endif
	}
	return false;
}

static void
check_rewritten(Node *parsetree, Relation rel, const IdemGuardTrigger *trigger,
				int reason)
{
	const IdemGuardKind *kind = trigger->kind;
	IdemGuard  *guard = trigger->guard;
	TupleDesc	desc = RelationGetDescr(rel);
	int			i;

	if ((reason & AT_REWRITE_COLUMN_REWRITE) == 0)
		return;
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		/* a kept row keeps every column */
		if (!att->attisdropped &&
			(kind->keeps_all ||
			 idem_guard_names_column(guard, IDEM_SETTING_COLUMN,
									 NameStr(att->attname))) &&
			rewrites_column(parsetree, NameStr(att->attname)))
			idem_refuse_trigger(RelationGetRelid(rel), kind, guard,
								trigger->bound,
								psprintf("rewrite column \"%s\" of table \"%s\"",
										 NameStr(att->attname),
										 RelationGetRelationName(rel)));
	}
}

static void
at_rewrite(Node *parsetree)
{
	Datum		table = OidFunctionCall0(F_PG_EVENT_TRIGGER_TABLE_REWRITE_OID);
	Datum		why = OidFunctionCall0(F_PG_EVENT_TRIGGER_TABLE_REWRITE_REASON);
	Oid			relid = DatumGetObjectId(table);
	int			reason = DatumGetInt32(why);
	Relation	rel = relation_open(relid, AccessShareLock);
	ListCell   *lc;

	if ((reason & AT_REWRITE_ALTER_PERSISTENCE) != 0 &&
		rel->rd_rel->relpersistence == RELPERSISTENCE_PERMANENT)
		idem_check_unlogged(rel);
	foreach(lc, idem_guard_triggers(rel))
		check_rewritten(parsetree, rel, lfirst(lc), reason);
	relation_close(rel, NoLock);
}

/*
 * watch_ddl() -> event_trigger
 */
PG_FUNCTION_INFO_V1(idem_watch_ddl);
Datum
idem_watch_ddl(PG_FUNCTION_ARGS)
{
	EventTriggerData *data = (EventTriggerData *) fcinfo->context;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by event trigger manager",
						"idem.watch_ddl")));
	if (IsBinaryUpgrade || idem_executing() || idem_citus_carries() ||
		!OidIsValid(get_namespace_oid("idem", true)))
		PG_RETURN_VOID();
	if (strcmp(data->event, "ddl_command_start") == 0)
		at_start(data->parsetree);
	else if (strcmp(data->event, "table_rewrite") == 0)
		at_rewrite(data->parsetree);
	else if (strcmp(data->event, "ddl_command_end") == 0)
		idem_settle_notes(GetCommandTagName(data->tag));
	PG_RETURN_VOID();
}
