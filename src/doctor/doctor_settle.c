/*
 * doctor_settle.c
 *		Judging a DDL command when it is complete.
 *
 * Called at ddl_command_end with what doctor_watch.c noted.  The command
 * still holds its locks, so what is seen here stays until it commits; an
 * error undoes the command.
 *
 * Guards of a table that was dropped or renamed are followed in the change
 * log (base/change.c).  A trigger dropped from a table that stays is refused,
 * unless its table left a partitioned one.  Rows that
 * come in by ATTACH, or leave by DETACH, are judged by the room of the guard
 * (base/kind.h).  What a new partition lacks it gets: the server clones row
 * triggers, and none that refuse TRUNCATE.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "doctor/doctor.h"

static bool
table_exists(Oid relid)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid));
}

static Oid
top_of(Oid relid)
{
	while (get_rel_relispartition(relid))
		relid = get_partition_parent(relid, true);
	return relid;
}

/* The table of a trigger and the trigger it is a clone of; false if gone. */
static bool
trigger_of(Oid oid, Oid *relid, Oid *parent)
{
	Relation	catalog = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(oid));
	scan = systable_beginscan(catalog, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		*relid = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
		*parent = ((Form_pg_trigger) GETSTRUCT(tuple))->tgparentid;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/* Run by the owner of the table, as a declaration does. */
static void
as_owner(Oid relid, void (*act) (Oid relid, const char *guard),
		 const char *guard)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	IdemIdentity saved;

	idem_become_declarer(rel, &saved);
	relation_close(rel, NoLock);
	act(relid, guard);
	idem_restore_identity(&saved);
}

/* ---------- rows that come and go ---------- */

/* A finding about the rows of a partition, as a sentence. */
static char *
sentence(const char *finding)
{
	return psprintf(idem_rows_unseen(finding) ? "Its %s." : "It has %s.",
					finding);
}

/* Rows of a table that became a partition of a guarded one. */
static void
judge_attached(Oid top, const IdemGuardKind *kind, IdemGuard *guard,
			   Oid partition)
{
	char	   *finding;

	if (kind->check_attached == NULL)
		return;
	guard->relid = top;
	finding = idem_ask_rows(kind->check_attached, guard, partition, 0);
	if (finding == NULL)
		return;
	if (idem_reason_given())
	{
		idem_note_passed(top, kind->kind, guard->name,
						 psprintf("attach partition \"%s\": %s",
								  get_rel_name(partition), finding));
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("cannot attach partition \"%s\" to table \"%s\": it does not follow %s guard \"%s\"",
					get_rel_name(partition), get_rel_name(top), kind->kind,
					guard->name),
			 errdetail("%s", sentence(finding)),
			 errhint("Attach it empty and insert the rows, which are then judged one by one.")));
}

/* Rows of a partition that leaves a guarded table. */
void
idem_judge_detached(Oid top, const IdemGuardKind *kind, IdemGuard *guard,
					Oid partition)
{
	char	   *finding;

	if (kind->check_detached == NULL ||
		get_rel_relkind(partition) == RELKIND_FOREIGN_TABLE)
		return;
	guard->relid = top;
	finding = idem_ask_rows(kind->check_detached, guard, partition, 0);
	if (finding != NULL)
		idem_refuse_change(top, kind->kind, guard->name,
						   psprintf("detach partition \"%s\" of table \"%s\"",
									get_rel_name(partition), get_rel_name(top)),
						   sentence(finding));
}

/* ---------- triggers ---------- */

/*
 * A partition went, and with it rows of a guard that stays on the table at
 * the top; said once for each declared guard.
 */
static void
log_dropped_partition(const IdemNote *note, Oid top)
{
	if (idem_log_knows(get_namespace_name(get_rel_namespace(top)),
					   get_rel_name(top)))
		idem_log_change_of("dropped", note->kind->kind, note->schema,
						   note->table, note->guard->name,
						   note->guard->settings, "the partition was dropped");
}

static void
settle_trigger(IdemNote *note)
{
	bool		gone = !table_exists(note->relid);
	Oid			relid;
	Oid			parent = note->other;

	if (!gone && OidIsValid(note->bound) && !table_exists(note->bound))
		return;					/* the other side of a limit */
	if (!OidIsValid(parent))
	{
		if (!gone)
			idem_refuse_trigger(note->relid, note->kind, note->guard,
								note->bound, note->what);
		return;
	}
	/* a clone: the partition was detached or dropped, or the trigger above went */
	do
	{
		if (!trigger_of(parent, &relid, &parent))
			return;
	} while (OidIsValid(parent));
	if (note->kind == NULL || !note->kind->decides)
		return;
	if (gone)
	{
		log_dropped_partition(note, relid);
		return;
	}
	idem_judge_detached(relid, note->kind, note->guard, note->relid);
	if (get_rel_relkind(note->relid) != RELKIND_FOREIGN_TABLE)
		as_owner(note->relid, idem_drop_truncate_triggers, note->guard->name);
}

/* ---------- columns and constraints ---------- */

static void
settle_column(IdemNote *note)
{
	if (table_exists(note->relid) &&
		OidIsValid(get_trigger_oid(note->relid, note->guard->name, true)))
		idem_refuse_trigger(note->relid, note->kind, note->guard, note->bound,
							note->what);
}

/* The parent of a limit was dropped, and with it the foreign key. */
static void
drop_orphan(Oid relid, const IdemGuardTrigger *trigger)
{
	IdemGuard  *guard = trigger->guard;
	Relation	rel = relation_open(relid, AccessShareLock);
	IdemIdentity saved;

	idem_become_declarer(rel, &saved);
	relation_close(rel, NoLock);
	idem_execute_unwatched("DROP TRIGGER %s ON %s",
						   quote_identifier(guard->name),
						   idem_qualified_name_of(relid));
	idem_drop_truncate_triggers(relid, guard->name);
	idem_restore_identity(&saved);
	idem_log_change("dropped", trigger->kind->kind, relid, guard->name,
					guard->settings, "the parent table was dropped");
}

/* What is wrong with a guard now that the constraint is gone, or NULL. */
static char *
shape_problem(Relation rel, const IdemGuardKind *kind, IdemGuard *guard,
			  char contype)
{
	if (contype == CONSTRAINT_PRIMARY && kind->needs_key &&
		bms_is_empty(idem_row_key_columns(rel)))
		return "Its rows have no primary key.";
	if (contype != CONSTRAINT_PRIMARY && kind->check_shape != NULL)
		return idem_ask_rows(kind->check_shape, guard, InvalidOid, 0);
	return NULL;
}

/*
 * The column that lost its NOT NULL with the constraint, of those that the
 * guard needs: from server 18 on that is how one is lost.
 */
static const char *
nullable_column(Relation rel, const IdemGuard *guard)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && !att->attnotnull &&
			idem_guard_names_column(guard, IDEM_SETTING_NOT_NULL,
									NameStr(att->attname)))
			return NameStr(att->attname);
	}
	return NULL;
}

static void
settle_constraint(IdemNote *note)
{
	Relation	rel;
	List	   *orphans = NIL;
	ListCell   *lc;

	if (!table_exists(note->relid))
		return;
	rel = relation_open(note->relid, AccessShareLock);
	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuardTrigger *trigger = lfirst(lc);
		const IdemGuardKind *kind = trigger->kind;
		IdemGuard  *guard = trigger->guard;

		if (note->contype == IDEM_CONSTRAINT_NOTNULL)
		{
			const char *column = nullable_column(rel, guard);

			if (column != NULL)
				idem_refuse_trigger(note->relid, kind, guard, trigger->bound,
									psprintf("drop NOT NULL of column \"%s\" of table \"%s\"",
											 column, RelationGetRelationName(rel)));
		}
		if (shape_problem(rel, kind, guard, note->contype) == NULL)
			continue;
		if (note->contype == CONSTRAINT_FOREIGN && kind->decides &&
			!table_exists(note->other))
			orphans = lappend(orphans, trigger);
		else
			idem_refuse_trigger(note->relid, kind, guard, trigger->bound,
								note->what);
	}
	relation_close(rel, NoLock);
	foreach(lc, orphans)
		drop_orphan(note->relid, lfirst(lc));
}

/* ---------- inheritance ---------- */

/* A new partition: its rows follow the guards, and TRUNCATE is refused. */
static void
settle_partition(IdemNote *note, Oid parent)
{
	Relation	rel = relation_open(note->relid, AccessShareLock);
	Oid			top = top_of(parent);
	List	   *truncates = NIL;
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuardTrigger *trigger = lfirst(lc);
		const IdemGuardKind *kind = trigger->kind;
		IdemGuard  *guard = trigger->guard;

		if (!trigger->is_clone)
		{
			if (kind->decides)
				idem_refuse_change(note->relid, kind->kind, guard->name,
								   psprintf("attach table \"%s\" to table \"%s\"",
											RelationGetRelationName(rel),
											get_rel_name(parent)),
								   "Rows that move to another partition would not be judged.");
			continue;
		}
		judge_attached(top, kind, guard, note->relid);
		if (kind->decides && idem_truncate_trigger(parent, guard->name) != NULL)
			truncates = lappend(truncates, guard->name);
	}
	relation_close(rel, NoLock);
	foreach(lc, truncates)
		as_owner(note->relid, idem_create_truncate_triggers, lfirst(lc));
}

/* What is written elsewhere, or to a table without the triggers, is not seen. */
static void
refuse_child(IdemNote *note, Oid parent, const char *verb)
{
	Relation	rel = relation_open(parent, AccessShareLock);
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		idem_refuse_trigger(parent, trigger->kind, trigger->guard,
							trigger->bound,
							psprintf("%s table \"%s\" %s table \"%s\"",
									 verb, get_rel_name(note->relid),
									 verb[0] == 'l' ? "inherit from" : "as a partition of",
									 get_rel_name(parent)));
	}
	relation_close(rel, NoLock);
}

static void
settle_inheritance(IdemNote *note)
{
	Oid			parent = note->other;

	if (!table_exists(note->relid) || !table_exists(parent))
		return;
	if (get_rel_relispartition(note->relid))
	{
		if (get_partition_parent(note->relid, true) != parent)
			return;
		if (get_rel_relkind(note->relid) == RELKIND_FOREIGN_TABLE)
			refuse_child(note, parent, "have foreign");
		else if (get_rel_persistence(note->relid) != RELPERSISTENCE_PERMANENT)
			refuse_child(note, parent, "have unlogged");
		else
			settle_partition(note, parent);
	}
	else if (list_member_oid(find_inheritance_children(parent, NoLock),
							 note->relid))
		refuse_child(note, parent, "let");
}

/* ---------- all of it ---------- */

static void
settle(IdemNote *note)
{
	switch (note->type)
	{
		case IDEM_NOTE_TRIGGER:
			settle_trigger(note);
			break;
		case IDEM_NOTE_COLUMN:
			settle_column(note);
			break;
		case IDEM_NOTE_CONSTRAINT:
			settle_constraint(note);
			break;
		case IDEM_NOTE_INHERITS:
			settle_inheritance(note);
			break;
		case IDEM_NOTE_TABLE_RENAMED:
			if (table_exists(note->relid))
				idem_log_renamed(note->relid, note->other, note->table);
			break;
		case IDEM_NOTE_TABLE_DROPPED:
			idem_log_table_dropped(note->other, note->schema, note->table);
			break;
		case IDEM_NOTE_SCHEMA_RENAMED:
			if (note->schema != NULL)
				idem_log_schema_renamed(note->relid, note->schema);
			break;
		case IDEM_NOTE_OWN_TABLE:
			idem_settle_own_table(note->before);
			break;
		case IDEM_NOTE_PASSED:
			idem_log_change_of("unguarded", note->guard_kind, note->schema,
							   note->table, note->guard->name,
							   list_make1(note->what), idem_allow_unguarded);
			break;
	}
}

/* Judging may note something itself (what was let pass), so go on until none is left. */
void
idem_settle_notes(void)
{
	List	   *notes;

	while ((notes = idem_take_notes()) != NIL)
	{
		ListCell   *lc;

		/* rows that came after the statement began and before it locked */
		PushActiveSnapshot(GetLatestSnapshot());
		SPI_connect();
		foreach(lc, notes)
			settle(lfirst(lc));
		SPI_finish();
		PopActiveSnapshot();
	}
}
