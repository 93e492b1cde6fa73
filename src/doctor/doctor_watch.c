/*
 * doctor_watch.c
 *		Seeing every DDL command that could weaken a guard.
 *
 * The server tells object_access_hook of each catalog row that a command
 * creates, changes or drops.  That is more than an event trigger is told (it
 * learns nothing of DISABLE TRIGGER, and of a dropped trigger only its name),
 * costs a look at the class of the object for everything that is none of our
 * business, and comes before the command can do harm.  The event triggers
 * (doctor_ddl.c) see to it that the library, and with it the hook, is loaded
 * before the first DDL command of a session runs.
 *
 * What is wrong whatever else the command does is refused here.  What depends
 * on the rest of the command (a trigger dropped along with its table is no
 * loss) is noted and judged when the command is complete (doctor_settle.c).
 * Notes live in the transaction; those of a failed subtransaction go with it.
 *
 * Of column defaults only room money is told, which refuses those that would
 * make amounts of numbers without a unit.
 *
 * In the hook the catalog still shows what was before, SnapshotSelf what is
 * new.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/declare.h"
#include "base/idem_compat.h"
#include "doctor/doctor.h"
#include "money/money.h"

static object_access_hook_type next_hook = NULL;

/* IdemNote *, in TopTransactionContext, oldest first */
static List *notes = NIL;

/* ---------- notes ---------- */

static IdemNote *
add_note(IdemNoteType type, Oid relid)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	IdemNote   *note = palloc0(sizeof(IdemNote));

	note->type = type;
	note->subid = GetCurrentSubTransactionId();
	note->relid = relid;
	if (type == IDEM_NOTE_SCHEMA_RENAMED)
		note->schema = get_namespace_name(relid);
	else if (OidIsValid(relid))
	{
		note->schema = get_namespace_name(get_rel_namespace(relid));
		note->table = get_rel_name(relid);
	}
	notes = lappend(notes, note);
	MemoryContextSwitchTo(old);
	return note;
}

static char *
keep_text(const char *text)
{
	return MemoryContextStrdup(TopTransactionContext, text);
}

static IdemGuard *
keep_guard(const IdemGuard *guard)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	IdemGuard  *kept = palloc0(sizeof(IdemGuard));
	ListCell   *lc;

	kept->relid = guard->relid;
	kept->name = pstrdup(guard->name);
	kept->kind = guard->kind;
	foreach(lc, guard->settings)
		kept->settings = lappend(kept->settings, pstrdup(lfirst(lc)));
	MemoryContextSwitchTo(old);
	return kept;
}

/* For the log: what idem.allow_unguarded let pass. */
void
idem_note_passed(Oid relid, const char *kind, const char *name,
				 const char *what)
{
	IdemNote   *note = add_note(IDEM_NOTE_PASSED, relid);
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

	note->guard = palloc0(sizeof(IdemGuard));
	note->guard->name = pstrdup(name);
	note->guard_kind = pstrdup(kind);
	note->what = pstrdup(what);
	MemoryContextSwitchTo(old);
}

/*
 * A table of ours is changed; before is what was wrong with ours when the
 * command began, NIL if it cannot bring about anything that was there.
 */
void
idem_note_own_table(Oid relid, List *before)
{
	IdemNote   *note = add_note(IDEM_NOTE_OWN_TABLE, relid);
	ListCell   *lc;

	foreach(lc, before)
	{
		MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

		note->before = lappend(note->before, pstrdup(lfirst(lc)));
		MemoryContextSwitchTo(old);
	}
}

/* What there is to judge, which is then up to the caller. */
List *
idem_take_notes(void)
{
	List	   *taken = notes;

	notes = NIL;
	return taken;
}

static void
notes_at_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE ||
		event == XACT_EVENT_ABORT)
		notes = NIL;
}

static void
notes_at_subtransaction(SubXactEvent event, SubTransactionId mySubid,
						SubTransactionId parentSubid, void *arg)
{
	ListCell   *lc;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	foreach(lc, notes)
	{
		IdemNote   *note = lfirst(lc);

		if (note->subid != mySubid)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			note->subid = parentSubid;
		else
			notes = foreach_delete_current(notes, lc);
	}
}

/* ---------- catalog rows, before and after ---------- */

/* A row of a catalog by OID, in memory of the caller, or NULL. */
static HeapTuple
fetch(Oid catalog, Oid index, AttrNumber column, Oid oid, Snapshot snapshot,
	  TupleDesc *desc)
{
	Relation	rel = table_open(catalog, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(oid));
	scan = systable_beginscan(rel, index, true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	if (desc != NULL)
		*desc = CreateTupleDescCopy(RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tuple;
}

static HeapTuple
fetch_trigger(Oid oid, Snapshot snapshot, TupleDesc *desc)
{
	return fetch(TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid,
				 oid, snapshot, desc);
}

/* A guard out of a row of pg_trigger, in TopTransactionContext. */
static IdemGuard *
guard_of_tuple(HeapTuple tuple, TupleDesc desc)
{
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	IdemGuard  *guard = palloc0(sizeof(IdemGuard));
	bool		isnull;
	Datum		value = heap_getattr(tuple, Anum_pg_trigger_tgargs, desc, &isnull);

	guard->relid = trigger->tgrelid;
	guard->name = pstrdup(NameStr(trigger->tgname));
	guard->kind = idem_kind_of_function(trigger->tgfoid);
	if (!isnull)
		guard->settings = idem_settings_of_args(DatumGetByteaPP(value));
	MemoryContextSwitchTo(old);
	return guard;
}

/* Cheap: has the relation triggers at all?  False for what is not there. */
bool
idem_has_triggers(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = ((Form_pg_class) GETSTRUCT(tuple))->relhastriggers;
	ReleaseSysCache(tuple);
	return result;
}

/* The table has triggers of ours: opened, else NULL. */
static Relation
open_guarded(Oid relid)
{
	Relation	rel;

	if (!idem_has_triggers(relid))
		return NULL;
	rel = try_relation_open(relid, AccessShareLock);
	if (rel == NULL || idem_bears_guard(rel))
		return rel;
	relation_close(rel, NoLock);
	return NULL;
}

/* ---------- triggers ---------- */

/* A trigger of ours was renamed, or no longer fires always. */
static void
trigger_altered(Oid oid)
{
	TupleDesc	desc;
	HeapTuple	before = fetch_trigger(oid, NULL, &desc);
	HeapTuple	after = fetch_trigger(oid, SnapshotSelf, NULL);
	Form_pg_trigger old;
	Form_pg_trigger new;
	const char *verb;

	if (!HeapTupleIsValid(before) || !HeapTupleIsValid(after))
		return;
	old = (Form_pg_trigger) GETSTRUCT(before);
	new = (Form_pg_trigger) GETSTRUCT(after);
	if (!idem_is_our_function(old->tgfoid))
		return;
	if (strcmp(NameStr(old->tgname), NameStr(new->tgname)) != 0)
		verb = "rename";
	else if (old->tgenabled == TRIGGER_FIRES_ALWAYS &&
			 new->tgenabled != TRIGGER_FIRES_ALWAYS)
		verb = new->tgenabled == TRIGGER_DISABLED ? "disable" :
			"enable without ALWAYS";
	else
		return;
	idem_refuse_trigger(old->tgrelid, idem_kind_of_function(old->tgfoid),
						guard_of_tuple(before, desc), old->tgconstrrelid,
						psprintf("%s trigger \"%s\" of table \"%s\"", verb,
								 NameStr(old->tgname),
								 get_rel_name(old->tgrelid)));
}

/*
 * CREATE OR REPLACE TRIGGER in place of one of ours.  A new one may be in the
 * catalog already, too, but then as the same row.
 */
static void
trigger_created(Oid oid)
{
	TupleDesc	desc;
	HeapTuple	before = fetch_trigger(oid, NULL, &desc);
	HeapTuple	after = fetch_trigger(oid, SnapshotSelf, NULL);
	Form_pg_trigger old;

	if (!HeapTupleIsValid(before) || !HeapTupleIsValid(after) ||
		ItemPointerEquals(&before->t_self, &after->t_self))
		return;
	old = (Form_pg_trigger) GETSTRUCT(before);
	if (idem_is_our_function(old->tgfoid))
		idem_refuse_trigger(old->tgrelid, idem_kind_of_function(old->tgfoid),
							guard_of_tuple(before, desc), old->tgconstrrelid,
							psprintf("replace trigger \"%s\" of table \"%s\"",
									 NameStr(old->tgname),
									 get_rel_name(old->tgrelid)));
}

static void
trigger_dropped(Oid oid)
{
	TupleDesc	desc;
	HeapTuple	tuple = fetch_trigger(oid, NULL, &desc);
	Form_pg_trigger trigger;
	IdemNote   *note;

	if (!HeapTupleIsValid(tuple))
		return;
	trigger = (Form_pg_trigger) GETSTRUCT(tuple);
	if (!idem_is_our_function(trigger->tgfoid))
		return;
	note = add_note(IDEM_NOTE_TRIGGER, trigger->tgrelid);
	note->kind = idem_kind_of_function(trigger->tgfoid);
	note->guard = guard_of_tuple(tuple, desc);
	note->other = trigger->tgparentid;
	note->bound = trigger->tgconstrrelid;
	note->what = keep_text(psprintf("drop trigger \"%s\" of table \"%s\"",
									NameStr(trigger->tgname),
									get_rel_name(trigger->tgrelid)));
}

/* ---------- columns ---------- */

/* The trigger of a guard that names the column, or NULL. */
static IdemGuardTrigger *
trigger_naming(Relation rel, const char *column, bool not_null)
{
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (idem_guard_names_column(trigger->guard,
									not_null ? IDEM_SETTING_NOT_NULL :
									IDEM_SETTING_COLUMN, column))
			return trigger;
	}
	return NULL;
}

static void
refuse_column(Relation rel, const IdemGuardTrigger *trigger,
			  const char *column, const char *verb)
{
	idem_refuse_trigger(RelationGetRelid(rel), trigger->kind, trigger->guard,
						trigger->bound,
						psprintf("%s column \"%s\" of table \"%s\"", verb,
								 column, RelationGetRelationName(rel)));
}

/* Do values keep their meaning where the stored bytes stay as they are? */
static bool
same_kind_of_type(Oid before, Oid after)
{
	before = getBaseType(before);
	after = getBaseType(after);
	return before == after ||
		((before == TEXTOID || before == VARCHAROID) &&
		 (after == TEXTOID || after == VARCHAROID));
}

/* A column was renamed, lost its NOT NULL, or has another type. */
static void
column_altered(Oid relid, AttrNumber attnum)
{
	Relation	rel = open_guarded(relid);
	Relation	catalog;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	after;
	HeapTuple	before;
	Form_pg_attribute old;
	Form_pg_attribute new;
	IdemGuardTrigger *trigger;

	if (rel == NULL)
		return;
	before = SearchSysCacheCopyAttNum(relid, attnum);
	catalog = table_open(AttributeRelationId, AccessShareLock);
	ScanKeyInit(&key[0], Anum_pg_attribute_attrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&key[1], Anum_pg_attribute_attnum, BTEqualStrategyNumber,
				F_INT2EQ, Int16GetDatum(attnum));
	scan = systable_beginscan(catalog, AttributeRelidNumIndexId, true,
							  SnapshotSelf, 2, key);
	after = systable_getnext(scan);
	if (HeapTupleIsValid(before) && HeapTupleIsValid(after))
	{
		old = (Form_pg_attribute) GETSTRUCT(before);
		new = (Form_pg_attribute) GETSTRUCT(after);
		trigger = trigger_naming(rel, NameStr(old->attname), false);
		if (trigger != NULL &&
			strcmp(NameStr(old->attname), NameStr(new->attname)) != 0)
			refuse_column(rel, trigger, NameStr(old->attname), "rename");
		if (trigger != NULL &&
			!same_kind_of_type(old->atttypid, new->atttypid))
			refuse_column(rel, trigger, NameStr(old->attname),
						  "change the type of");
		if (old->attnotnull && !new->attnotnull &&
			(trigger = trigger_naming(rel, NameStr(old->attname), true)) != NULL)
			refuse_column(rel, trigger, NameStr(old->attname),
						  "drop NOT NULL of");
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	relation_close(rel, NoLock);
}

static void
column_dropped(Oid relid, AttrNumber attnum)
{
	Relation	rel = open_guarded(relid);
	char	   *column = get_attname(relid, attnum, true);
	IdemGuardTrigger *trigger;
	IdemNote   *note;

	if (rel == NULL)
		return;
	trigger = column ? trigger_naming(rel, column, false) : NULL;
	if (trigger != NULL)
	{
		note = add_note(IDEM_NOTE_COLUMN, relid);
		note->kind = trigger->kind;
		note->bound = trigger->bound;
		note->guard = keep_guard(trigger->guard);
		note->what = keep_text(psprintf("drop column \"%s\" of table \"%s\"",
										column, RelationGetRelationName(rel)));
	}
	relation_close(rel, NoLock);
}

/* ---------- constraints, rules, inheritance, names ---------- */

/* Dropped, renamed or changed: whether the guard can live with it is seen later. */
static void
constraint_touched(Oid oid, const char *verb)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(oid));
	Form_pg_constraint con;
	Relation	rel;
	IdemNote   *note;

	if (!HeapTupleIsValid(tuple))
		return;
	con = (Form_pg_constraint) GETSTRUCT(tuple);
	if (OidIsValid(con->conrelid) && !OidIsValid(con->conparentid) &&
		(rel = open_guarded(con->conrelid)) != NULL)
	{
		note = add_note(IDEM_NOTE_CONSTRAINT, con->conrelid);
		note->contype = con->contype;
		note->other = con->confrelid;
		note->what = keep_text(psprintf("%s constraint \"%s\" of table \"%s\"",
										verb, NameStr(con->conname),
										RelationGetRelationName(rel)));
		relation_close(rel, NoLock);
	}
	ReleaseSysCache(tuple);
}

/* A foreign key that references a table of ours. */
static void
constraint_created(Oid oid)
{
	HeapTuple	tuple = fetch(ConstraintRelationId, ConstraintOidIndexId,
							  Anum_pg_constraint_oid, oid, SnapshotSelf, NULL);
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
	HeapTuple	tuple = fetch(RewriteRelationId, RewriteOidIndexId,
							  Anum_pg_rewrite_oid, oid, SnapshotSelf, NULL);
	Form_pg_rewrite rule;
	Relation	rel;
	ListCell   *lc;

	if (!HeapTupleIsValid(tuple))
		return;
	rule = (Form_pg_rewrite) GETSTRUCT(tuple);
	if (rule->ev_type == '1' || (rel = open_guarded(rule->ev_class)) == NULL)
		return;
	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		idem_refuse_trigger(rule->ev_class, trigger->kind, trigger->guard,
							trigger->bound,
							psprintf("create rule \"%s\" on table \"%s\"",
									 NameStr(rule->rulename),
									 RelationGetRelationName(rel)));
	}
	relation_close(rel, NoLock);
}

/* Is the one a child of the other after the command? */
static bool
inherits_now(Oid child, Oid parent)
{
	Relation	catalog = table_open(InheritsRelationId, AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key[0], Anum_pg_inherits_inhrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(child));
	ScanKeyInit(&key[1], Anum_pg_inherits_inhparent, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(parent));
	scan = systable_beginscan(catalog, InvalidOid, false, SnapshotSelf, 2,
							  key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* A table became a child of another one, or stopped to be one. */
static void
inheritance_changed(Oid child, Oid parent)
{
	if ((idem_is_own_table(child) || idem_is_own_table(parent)) &&
		inherits_now(child, parent))
		idem_note_own_table(parent, NIL);
	if (idem_has_triggers(child) || idem_has_triggers(parent))
		add_note(IDEM_NOTE_INHERITS, child)->other = parent;
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
	after = fetch(RelationRelationId, ClassOidIndexId, Anum_pg_class_oid,
				  relid, SnapshotSelf, NULL);
	if (!HeapTupleIsValid(after))
		return;
	new = (Form_pg_class) GETSTRUCT(after);
	if ((strcmp(NameStr(new->relname), name) != 0 ||
		 new->relnamespace != get_rel_namespace(relid)) &&
		may_be_logged(relid))
		add_note(IDEM_NOTE_TABLE_RENAMED, relid)->other =
			get_rel_namespace(relid);
}

/*
 * Dropped by a command.  What the server drops on its own behalf is a copy of
 * a table that it has written anew (VACUUM FULL, CLUSTER, ALTER TABLE), or
 * temporary.
 */
static void
table_dropped(Oid relid)
{
	if (may_be_logged(relid))
		add_note(IDEM_NOTE_TABLE_DROPPED, relid)->other =
			get_rel_namespace(relid);
}

/* ---------- the extension itself ---------- */

/* A function of ours got another body, another name or other settings. */
static void
function_changed(Oid oid)
{
	HeapTuple	before;
	HeapTuple	after;

	if (!idem_is_our_function(oid) ||
		getExtensionOfObject(ProcedureRelationId, oid) !=
		get_extension_oid("idem", true))
		return;
	before = SearchSysCacheCopy1(PROCOID, ObjectIdGetDatum(oid));
	after = fetch(ProcedureRelationId, ProcedureOidIndexId, Anum_pg_proc_oid,
				  oid, SnapshotSelf, NULL);
	if (!HeapTupleIsValid(before) || !HeapTupleIsValid(after) ||
		((Form_pg_proc) GETSTRUCT(before))->proowner !=
		((Form_pg_proc) GETSTRUCT(after))->proowner)
		return;
	if (idem_reason_given())
	{
		idem_note_passed(InvalidOid, "extension", get_func_name(oid),
						 "change the function");
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot change function idem.%s: guards rely on it",
					get_func_name(oid)),
			 errhint("It is changed by ALTER EXTENSION idem UPDATE.")));
}

/* Does a table of ours hold a row? */
static bool
holds_rows(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL, SO_NONE);
	bool		found = heap_getnext(scan, ForwardScanDirection) != NULL;

	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	return found;
}

/*
 * Claims and history go with the extension, also without CASCADE: what tells
 * a repeated request from a new one is not dropped by the way.  Definitions
 * (scopes, machines, currencies, the log) alone are no reason to refuse.
 */
static void
extension_table_dropped(Oid relid)
{
	static const char *const definitions[] = {"scope", "machine", "currency",
	"change", NULL};
	char	   *name = get_rel_name(relid);
	int			i;

	if (get_rel_relkind(relid) != RELKIND_RELATION)
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
			trigger_created(object);
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
			trigger_altered(object);
			break;
		case RelationRelationId:
			if (column > 0)
				column_altered(object, column);
			else
				table_altered(object);
			break;
		case ConstraintRelationId:
			constraint_touched(object, "change");
			break;
		case InheritsRelationId:
			inheritance_changed(object, auxiliary);
			break;
		case ProcedureRelationId:
			function_changed(object);
			break;
		case NamespaceRelationId:
			(void) add_note(IDEM_NOTE_SCHEMA_RENAMED, object);
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
			constraint_touched(object, "drop");
			break;
		case RelationRelationId:
			if (column > 0)
				column_dropped(object, column);
			else if ((flags & PERFORM_DELETION_INTERNAL) == 0)
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
 * extension, pg_upgrade, or no idem in this database?
 */
static bool
unwatched(Oid idem)
{
	return !OidIsValid(idem) || idem_executing() || IsBinaryUpgrade ||
		(creating_extension &&
		 CurrentExtensionObject == get_extension_oid("idem", true));
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

void
idem_doctor_watch_init(void)
{
	next_hook = object_access_hook;
	object_access_hook = watch;
	RegisterXactCallback(notes_at_transaction, NULL);
	RegisterSubXactCallback(notes_at_subtransaction, NULL);
}
