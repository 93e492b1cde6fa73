/*
 * doctor_ddl.c
 *		The event triggers.
 *
 * ddl_command_start	loads the library, and with it the hook of
 *						doctor_watch.c, and looks at the two commands of which
 *						the hook learns nothing in time: ALTER TYPE ... RENAME
 *						VALUE, and DETACH PARTITION CONCURRENTLY, which commits
 *						half of its work before the hook is told.
 * table_rewrite		ALTER COLUMN ... TYPE ... USING and SET UNLOGGED: rows
 *						are written anew and no row trigger fires.
 * ddl_command_end		judges what the hook noted.
 *
 * All three are ENABLE ALWAYS.  Server commands that event triggers are not
 * fired for (ALTER EVENT TRIGGER itself, anything in single-user mode) pass;
 * idem.doctor() reports an event trigger that is off.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/moved.h"
#include "base/idem_compat.h"
#include "doctor/doctor.h"

/* ---------- ddl_command_start ---------- */

/* Is one of the columns that the guard names of this enum? */
static bool
names_column_of_type(Relation rel, const IdemGuardKind *kind,
					 const IdemGuard *guard, Oid type)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && getBaseType(att->atttypid) == type &&
			idem_guard_names_column(guard, kind->columns, NameStr(att->attname)))
			return true;
	}
	return false;
}

/* ALTER TYPE ... RENAME VALUE renames a state under the rows that stand in it. */
static void
check_enum_rename(AlterEnumStmt *stmt)
{
	Oid			type;
	Relation	catalog;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (stmt->oldVal == NULL)
		return;
	type = LookupTypeNameOid(NULL, makeTypeNameFromNameList(stmt->typeName), true);
	if (!OidIsValid(type))
		return;
	catalog = table_open(TriggerRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
		const IdemGuardKind *kind = idem_kind_of_function(form->tgfoid);
		Relation	rel;
		ListCell   *lc;

		if (kind == NULL || OidIsValid(form->tgparentid))
			continue;
		rel = relation_open(form->tgrelid, AccessShareLock);
		foreach(lc, idem_guard_triggers(rel))
		{
			IdemGuardTrigger *trigger = lfirst(lc);

			if (trigger->oid == form->oid &&
				names_column_of_type(rel, kind, trigger->guard, type))
				idem_refuse_trigger(form->tgrelid, kind, trigger->guard,
									trigger->bound,
									psprintf("rename value \"%s\" of type %s",
											 stmt->oldVal, format_type_be(type)));
		}
		relation_close(rel, NoLock);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
}

/* ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY, before its first half. */
static void
check_detach_concurrently(PartitionCmd *cmd)
{
	Oid			partition = RangeVarGetRelid(cmd->name, AccessShareLock, true);
	Relation	rel;
	Oid			top;
	ListCell   *lc;

	if (!OidIsValid(partition))
		return;
	PushActiveSnapshot(GetLatestSnapshot());
	SPI_connect();
	rel = relation_open(partition, NoLock);
	top = idem_root_relid(rel);
	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (trigger->is_clone)
			idem_judge_detached(top, trigger->kind, trigger->guard, partition);
	}
	relation_close(rel, NoLock);
	SPI_finish();
	PopActiveSnapshot();
}

static void
at_start(Node *parsetree)
{
	ListCell   *lc;

	if (IsA(parsetree, AlterEnumStmt))
		check_enum_rename((AlterEnumStmt *) parsetree);
	if (!IsA(parsetree, AlterTableStmt))
		return;
	foreach(lc, ((AlterTableStmt *) parsetree)->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (cmd->subtype == AT_DetachPartition &&
			((PartitionCmd *) cmd->def)->concurrent)
			check_detach_concurrently((PartitionCmd *) cmd->def);
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

	if (reason & AT_REWRITE_ALTER_PERSISTENCE)
		idem_refuse_trigger(RelationGetRelid(rel), kind, guard, trigger->bound,
							psprintf("make table \"%s\" unlogged",
									 RelationGetRelationName(rel)));
	if ((reason & AT_REWRITE_COLUMN_REWRITE) == 0)
		return;
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		/* a kept row keeps every column */
		if (!att->attisdropped &&
			(strcmp(kind->kind, "kept") == 0 ||
			 idem_guard_names_column(guard, kind->columns, NameStr(att->attname))) &&
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
	Oid			relid = DatumGetObjectId(OidFunctionCall0(F_PG_EVENT_TRIGGER_TABLE_REWRITE_OID));
	int			reason = DatumGetInt32(OidFunctionCall0(F_PG_EVENT_TRIGGER_TABLE_REWRITE_REASON));
	Relation	rel = relation_open(relid, AccessShareLock);
	ListCell   *lc;

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
	if (IsBinaryUpgrade || idem_executing() ||
		!OidIsValid(get_namespace_oid("idem", true)))
		PG_RETURN_VOID();
	if (strcmp(data->event, "ddl_command_start") == 0)
		at_start(data->parsetree);
	else if (strcmp(data->event, "table_rewrite") == 0)
		at_rewrite(data->parsetree);
	else if (strcmp(data->event, "ddl_command_end") == 0)
		idem_settle_notes();
	PG_RETURN_VOID();
}
