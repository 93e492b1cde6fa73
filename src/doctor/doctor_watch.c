/*
 * doctor_watch.c
 *		Which tables a DDL command touched.
 *
 * The server tells object_access_hook of each catalog row that a command
 * creates, changes or drops, also of what falls by CASCADE.  What may concern
 * a guard is noted, table by table, and judged when the command is complete
 * (doctor_settle.c, doctor_judge.c); anything else costs no more than a look
 * at the class of the object.  The event triggers (doctor_ddl.c) see to it
 * that the library, and with it the hook, is loaded before the first DDL
 * command of a session runs.
 *
 * Only what is gone at the end of the command is judged at once: a table that
 * is dropped with guarded rows or with the claims of the extension, an
 * attribute of a composite type, and the former version of one of our
 * functions.
 *
 * Column defaults are left to room money, which refuses those that would turn
 * numbers without a unit into amounts.
 *
 * In the hook the catalog still shows what was before,
 * SnapshotSelf what is new.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/change.h"
#include "base/citus.h"
#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/kind.h"
#include "base/settings_trigger.h"
#include "doctor/doctor.h"
#include "money/money.h"

static object_access_hook_type next_hook = NULL;

/* Its triggers, or what keeps them from firing */
static void
touch(Oid relid)
{
	idem_note_change(IDEM_NOTE_TOUCHED, relid);
}

/* Its columns or constraints */
static void
shape_changed(Oid relid)
{
	idem_note_change(IDEM_NOTE_RELIED, relid);
}

/* A row of a catalog as the command leaves it, by its OID, or NULL */
static HeapTuple
new_row(Oid catalog, Oid index, AttrNumber column, Oid oid)
{
	return idem_catalog_row(catalog, index, column, oid, SnapshotSelf, NULL);
}

/* ---------- triggers ---------- */

/* A trigger as it is, of ours or not: NULL if it is gone */
static HeapTuple
fetch_trigger(Oid oid, Snapshot snapshot, TupleDesc *desc)
{
	return idem_catalog_row(TriggerRelationId, TriggerOidIndexId,
							Anum_pg_trigger_oid,
							oid, snapshot, desc);
}

/*
 * The table of a trigger, and the one it is bound to; for a clone only the
 * partition, since it is the trigger at the top that is bound.
 */
static void
touch_tables_of(Form_pg_trigger trigger)
{
	touch(trigger->tgrelid);
	if (!OidIsValid(trigger->tgparentid))
		touch(trigger->tgconstrrelid);
}

/*
 * A trigger was altered, or made in place of another one.  A new one may be in
 * the catalog already, too, but then as the same row: nothing is judged before
 * it can be enabled.
 */
static void
trigger_changed(Oid oid)
{
	HeapTuple	before = fetch_trigger(oid, NULL, NULL);
	HeapTuple	after = fetch_trigger(oid, SnapshotSelf, NULL);
	Form_pg_trigger trigger;

	if (!HeapTupleIsValid(before) || !HeapTupleIsValid(after) ||
		ItemPointerEquals(&before->t_self, &after->t_self))
		return;
	trigger = (Form_pg_trigger) GETSTRUCT(before);
	if (!idem_is_our_function(trigger->tgfoid))
		return;
	touch_tables_of(trigger);
}

/* For the log, if it goes with a partition, and for the reason of a drop */
static void
note_dropped(HeapTuple tuple, TupleDesc desc, const IdemGuardKind *kind)
{
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
	IdemNote   *note = idem_note(IDEM_NOTE_TRIGGER, trigger->tgrelid);
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	bool		isnull;
	Datum		value = heap_getattr(tuple, Anum_pg_trigger_tgargs, desc,
									 &isnull);

	note->kind = kind;
	note->name = pstrdup(NameStr(trigger->tgname));
	if (!isnull)
		note->settings = idem_settings_of_args(DatumGetByteaPP(value));
	note->other = trigger->tgparentid;
	MemoryContextSwitchTo(old);
}

static void
trigger_dropped(Oid oid)
{
	TupleDesc	desc;
	HeapTuple	tuple = fetch_trigger(oid, NULL, &desc);
	Form_pg_trigger trigger;
	const IdemGuardKind *kind;

	if (!HeapTupleIsValid(tuple))
		return;
	trigger = (Form_pg_trigger) GETSTRUCT(tuple);
	if (!idem_is_our_function(trigger->tgfoid))
		return;
	touch_tables_of(trigger);
	kind = idem_kind_of_function(trigger->tgfoid);
	if (kind != NULL)
		note_dropped(tuple, desc, kind);
}

/* ---------- constraints, rules, inheritance, names ---------- */

/* Dropped, renamed or changed. A foreign key concerns its child. */
static void
constraint_touched(Oid oid)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid));
	Form_pg_constraint con;

	if (!HeapTupleIsValid(tuple))
		return;
	con = (Form_pg_constraint) GETSTRUCT(tuple);
	if (!OidIsValid(con->conparentid))
		shape_changed(con->conrelid);
	ReleaseSysCache(tuple);
}

/* A foreign key that references a table of ours. */
static void
constraint_created(Oid oid)
{
	HeapTuple	tuple =
		new_row(ConstraintRelationId, ConstraintOidIndexId,
				Anum_pg_constraint_oid, oid);
	Form_pg_constraint con;

	if (!HeapTupleIsValid(tuple))
		return;
	con = (Form_pg_constraint) GETSTRUCT(tuple);
	if (OidIsValid(con->confrelid) && idem_is_own_table(con->confrelid))
		idem_note_own_table(con->confrelid, NIL);
}

/* A rule would take statements away from the triggers. */
static void
rule_created(Oid oid)
{
	HeapTuple	tuple =
		new_row(RewriteRelationId, RewriteOidIndexId,
				Anum_pg_rewrite_oid, oid);
	Form_pg_rewrite rule;

	if (!HeapTupleIsValid(tuple))
		return;
	rule = (Form_pg_rewrite) GETSTRUCT(tuple);
	if (rule->ev_type != '1')
		touch(rule->ev_class);
}

/* Is the one a child of the other after the command? */
static bool
inherits_now(Oid child, Oid parent)
{
	ListCell   *lc;

	foreach(lc, idem_catalog_rows(InheritsRelationId,
								  InheritsRelidSeqnoIndexId,
								  Anum_pg_inherits_inhrelid, child,
								  SnapshotSelf, NULL))
	{
		if (IDEM_CATALOG_ROW(Form_pg_inherits, lc)->inhparent == parent)
			return true;
	}
	return false;
}

/* A table became a child of another one, or stopped to be one. */
static void
inheritance_changed(Oid child, Oid parent)
{
	if ((idem_is_own_table(child) || idem_is_own_table(parent)) &&
		inherits_now(child, parent))
		idem_note_own_table(parent, NIL);
	if (idem_has_triggers(child) || idem_has_triggers(parent))
		idem_note(IDEM_NOTE_INHERITS, child)->other = parent;
}

/* May the change log tell of guards on the table? */
static bool
may_be_logged(Oid relid)
{
	char		relkind = get_rel_relkind(relid);
	char	   *schema = get_namespace_name(get_rel_namespace(relid));
	char	   *name = get_rel_name(relid);

	return (relkind == RELKIND_RELATION ||
			relkind == RELKIND_PARTITIONED_TABLE) &&
		get_rel_persistence(relid) != RELPERSISTENCE_TEMP &&
		schema != NULL && name != NULL && idem_log_knows(schema, name);
}

/* Renamed or moved to another schema, as far as it may be in the log. */
static void
table_altered(Oid relid)
{
	HeapTuple	after;
	Form_pg_class new;
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		return;
	after = new_row(RelationRelationId, ClassOidIndexId,
					Anum_pg_class_oid, relid);
	if (!HeapTupleIsValid(after))
		return;
	new = (Form_pg_class) GETSTRUCT(after);
	if ((strcmp(NameStr(new->relname), name) != 0 ||
		 new->relnamespace != get_rel_namespace(relid)) &&
		may_be_logged(relid))
		idem_note(IDEM_NOTE_TABLE_RENAMED, relid)->other =
			get_rel_namespace(relid);
}

/* ---------- tables with rows ---------- */

/* Does a table hold a row? */
static bool
holds_rows(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL, SO_NONE);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool		found = table_scan_getnextslot(scan, ForwardScanDirection,
											   slot);

	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	return found;
}

/*
 * The guard whose trigger went with a table that is being dropped, or NULL: a
 * table is dropped after what stands on it.
 */
static const IdemNote *
dropped_guard(Oid relid)
{
	ListCell   *lc;

	foreach(lc, idem_noted())
	{
		IdemNote   *note = lfirst(lc);

		if (note->type == IDEM_NOTE_TRIGGER && note->relid == relid)
			return note;
	}
	return NULL;
}

/*
 * Rows that cannot be deleted do not go with their table either, unless its
 * owner says why: 2BP01.  Returns the reason, or NULL if none was needed.
 */
static const char *
reason_for_rows(Oid relid)
{
	const IdemNote *guard = dropped_guard(relid);
	const char *reason = idem_reason_to_drop(relid);

	if (guard == NULL || get_rel_relkind(relid) != RELKIND_RELATION ||
		!holds_rows(relid))
		return NULL;
	if (reason == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop table \"%s\": it holds rows of %s guard \"%s\"",
						get_rel_name(relid), guard->kind->kind, guard->name),
				 errhint("To drop them for good, the owner of the table says why: SET idem.drop_reason = '...'.")));
	return reason;
}

/*
 * Dropped by a command.  What the server drops on its own behalf is a copy of
 * a table that it has written anew (VACUUM FULL, CLUSTER, ALTER TABLE), or
 * temporary.
 */
static void
table_dropped(Oid relid)
{
	const char *reason = reason_for_rows(relid);
	char	   *kept = reason ? MemoryContextStrdup(TopTransactionContext,
													reason) : NULL;
	ListCell   *lc;

	if (may_be_logged(relid))
	{
		IdemNote   *note = idem_note(IDEM_NOTE_TABLE_DROPPED, relid);

		note->other = get_rel_namespace(relid);
		note->what = kept;
	}
	/* of a partition the triggers that went with it tell */
	foreach(lc, idem_noted())
	{
		IdemNote   *note = lfirst(lc);

		if (note->type == IDEM_NOTE_TRIGGER && note->relid == relid)
			note->what = kept;
	}
}

/* What was dropped is an index: a guard may find its rows by it. */
static bool
index_dropped(Oid relid)
{
	char		relkind = get_rel_relkind(relid);

	if (relkind != RELKIND_INDEX && relkind != RELKIND_PARTITIONED_INDEX)
		return false;
	shape_changed(IndexGetRelation(relid, false));
	return true;
}

/* A column was dropped: of a composite, values under a guard lose a part. */
static void
column_dropped(Oid relid, AttrNumber attnum)
{
	Oid			type = get_rel_type_id(relid);
	char	   *name = get_attname(relid, attnum, true);

	shape_changed(relid);
	if (OidIsValid(type) && name != NULL)
		idem_check_type(type, true,
						psprintf("drop attribute \"%s\" of type %s", name,
								 format_type_be(type)));
}

/* ---------- the extension itself ---------- */

/* A function of ours got another body, another name or other settings. */
static void
function_changed(Oid oid)
{
	HeapTuple	before;
	HeapTuple	after;

	if (!idem_is_our_function(oid) || !idem_is_own(ProcedureRelationId, oid))
		return;
	before = SearchSysCacheCopy1(PROCOID, ObjectIdGetDatum(oid));
	after = new_row(ProcedureRelationId, ProcedureOidIndexId,
					Anum_pg_proc_oid, oid);
	if (!HeapTupleIsValid(before) || !HeapTupleIsValid(after) ||
		((Form_pg_proc) GETSTRUCT(before))->proowner !=
		((Form_pg_proc) GETSTRUCT(after))->proowner ||
		idem_lets_pass(InvalidOid, "extension", get_func_name(oid),
					   "change the function"))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot change function idem.%s: guards rely on it",
					get_func_name(oid)),
			 errhint("It is changed by ALTER EXTENSION idem UPDATE.")));
}

/*
 * DROP EXTENSION, even without CASCADE, would drop claims and history,
 * without which a repeated request cannot be told from a new one: refused
 * while there are any.  Definitions (scopes, machines, currencies, the log)
 * alone are no reason to refuse.
 */
static void
extension_table_dropped(Oid relid)
{
	static const char *const definitions[] = {"scope", "machine",
		"return_code_table", "currency",
	"change", NULL};
	char	   *name = get_rel_name(relid);
	int			i;

	if (!idem_is_own_table(relid))
		return;
	for (i = 0; definitions[i] != NULL; i++)
	{
		if (strcmp(definitions[i], name) == 0)
			return;
	}
	if (idem_reason_given() || !holds_rows(relid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop extension idem: table idem.%s holds rows",
					name),
			 errdetail("Without its claims and its history a repeated request is a new one."),
			 errhint("To drop them for good, a superuser says why: SET idem.allow_unguarded = '...'.")));
}

/* ---------- the hook ---------- */

static void
see_created(Oid class, Oid object, int column)
{
	switch (class)
	{
		case AttrDefaultRelationId:
			idem_money_check_default(object, column);
			break;
		case TriggerRelationId:
			trigger_changed(object);
			break;
		case RewriteRelationId:
			rule_created(object);
			break;
		case ConstraintRelationId:
			constraint_created(object);
			break;
		case ProcedureRelationId:
			function_changed(object);
			break;
		default:
			break;
	}
}

static void
see_altered(Oid class, Oid object, int column, Oid auxiliary)
{
	switch (class)
	{
		case TriggerRelationId:
			trigger_changed(object);
			break;
		case RelationRelationId:
			if (column > 0)
				shape_changed(object);
			else
				table_altered(object);
			break;
		case ConstraintRelationId:
			constraint_touched(object);
			break;
		case InheritsRelationId:
			inheritance_changed(object, auxiliary);
			break;
		case ProcedureRelationId:
			function_changed(object);
			break;
		case NamespaceRelationId:
			(void) idem_note(IDEM_NOTE_SCHEMA_RENAMED, object);
			break;
		default:
			break;
	}
}

static void
see_dropped(Oid class, Oid object, int column, int flags, Oid idem)
{
	switch (class)
	{
		case TriggerRelationId:
			trigger_dropped(object);
			break;
		case ConstraintRelationId:
			constraint_touched(object);
			break;
		case RelationRelationId:
			if (column > 0)
				column_dropped(object, column);
			else if ((flags & PERFORM_DELETION_INTERNAL) == 0 &&
					 !index_dropped(object))
			{
				table_dropped(object);
				if (get_rel_namespace(object) == idem)
					extension_table_dropped(object);
			}
			break;
		default:
			break;
	}
}

/*
 * Is there nothing to watch: statements of our own, the script of our own
 * extension, pg_upgrade, what Citus carries from a node where it was judged,
 * or no idem in this database?
 */
static bool
unwatched(Oid idem)
{
	return !OidIsValid(idem) || idem_executing() || IsBinaryUpgrade ||
		idem_in_own_script() || idem_citus_carries();
}

static void
watch(ObjectAccessType access, Oid class, Oid object, int column, void *arg)
{
	Oid			idem;

	if (next_hook != NULL)
		next_hook(access, class, object, column, arg);
	if (access != OAT_POST_CREATE && access != OAT_POST_ALTER &&
		access != OAT_DROP)
		return;
	if (!IsTransactionState())
		return;
	idem = get_namespace_oid("idem", true);
	if (unwatched(idem))
		return;
	if (access == OAT_POST_CREATE)
		see_created(class, object, column);
	else if (access == OAT_POST_ALTER)
		see_altered(class, object, column,
					((ObjectAccessPostAlter *) arg)->auxiliary_id);
	else
		see_dropped(class, object, column,
					((ObjectAccessDrop *) arg)->dropflags, idem);
}

/* Called once, when the library is loaded */
void
idem_doctor_watch_init(void)
{
	next_hook = object_access_hook;
	object_access_hook = watch;
}
