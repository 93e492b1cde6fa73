/*
 * doctor_settle.c
 *		Judging a DDL command when it is complete.
 *
 * Called at ddl_command_end with what doctor_watch.c noted.  The command
 * still holds its locks, so what is seen here stays until it commits; an
 * error undoes the command.
 *
 * Guards of a table that was dropped or renamed are followed in the change
 * log (base/change.c).  Rows that come in by ATTACH, or leave by DETACH, are
 * judged by the room of the guard (base/kind.h).  What a new partition lacks it
 * gets: the server clones row triggers, and none that refuse TRUNCATE.  Then
 * the guards of all tables that were touched are judged (doctor_judge.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "executor/spi.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/change.h"
#include "base/declare.h"
#include "base/identity.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/moved.h"
#include "base/rows.h"
#include "doctor/doctor.h"

static bool
table_exists(Oid relid)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid));
}

/* The table of a trigger and the trigger it is a clone of; false if gone. */
static bool
trigger_of(Oid oid, Oid *relid, Oid *parent)
{
	HeapTuple	tuple = idem_catalog_row(TriggerRelationId, TriggerOidIndexId,
										 Anum_pg_trigger_oid, oid, NULL, NULL);

	if (tuple == NULL)
		return false;
	*relid = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
	*parent = ((Form_pg_trigger) GETSTRUCT(tuple))->tgparentid;
	return true;
}

/* Run by the owner of the table, as a declaration does. */
static void
as_owner(Oid relid, void (*act) (Oid relid, const char *guard),
		 const char *guard)
{
	IdemIdentity saved;

	idem_become_declarer_of(relid, &saved);
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
	if (finding == NULL ||
		idem_lets_pass(top, kind->kind, guard->name,
					   psprintf("attach partition \"%s\": %s",
								get_rel_name(partition), finding)))
		return;
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
						   note->table, note->name,
						   note->settings,
						   note->what ?
						   psprintf("the partition was dropped: %s", note->what) :
						   "the partition was dropped");
}

static void
settle_trigger(IdemNote *note)
{
	Oid			relid;
	Oid			parent = note->other;

	if (!OidIsValid(parent) || !note->kind->decides ||
		table_exists(note->relid))
		return;
	/* a clone went with its table: which is the trigger at the top? */
	do
	{
		if (!trigger_of(parent, &relid, &parent))
			return;
	} while (OidIsValid(parent));
	log_dropped_partition(note, relid);
}

/* ---------- inheritance ---------- */

/* A new partition: its rows follow the guards, and TRUNCATE is refused. */
static void
settle_partition(IdemNote *note, Oid parent)
{
	Oid			top = idem_root_of(parent);
	List	   *truncates = NIL;
	ListCell   *lc;

	foreach(lc, idem_guard_triggers_of(note->relid))
	{
		IdemGuardTrigger *trigger = lfirst(lc);
		const IdemGuardKind *kind = trigger->kind;
		IdemGuard  *guard = trigger->guard;

		if (!trigger->is_clone)
			continue;
		judge_attached(top, kind, guard, note->relid);
		if (kind->decides &&
			idem_statement_trigger(parent, guard->name) != NULL)
			truncates = lappend(truncates, guard->name);
	}
	foreach(lc, truncates)
		as_owner(note->relid, idem_create_statement_triggers, lfirst(lc));
}

/* A partition that left: its rows, and what refuses TRUNCATE for a guard */
static void
settle_detached(Oid partition, Oid top)
{
	ListCell   *lc;

	foreach(lc, idem_guard_triggers_of(top))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (!trigger->kind->decides)
			continue;
		idem_judge_detached(top, trigger->kind, trigger->guard, partition);
		if (get_rel_relkind(partition) != RELKIND_FOREIGN_TABLE)
			as_owner(partition, idem_drop_statement_triggers,
					 trigger->guard->name);
	}
}

/*
 * What is written elsewhere, or to a table without the triggers, the
 * definition of intact tells (doctor_judge.c); here only rows are looked at.
 */
static void
settle_inheritance(IdemNote *note)
{
	Oid			parent = note->other;
	bool		is_child;

	if (!table_exists(note->relid) || !table_exists(parent))
		return;
	is_child = list_member_oid(find_inheritance_children(parent, NoLock),
							   note->relid);
	if (get_rel_relkind(parent) != RELKIND_PARTITIONED_TABLE)
		return;
	if (!is_child)
		settle_detached(note->relid, idem_root_of(parent));
	else if (get_rel_relkind(note->relid) != RELKIND_FOREIGN_TABLE &&
			 get_rel_persistence(note->relid) == RELPERSISTENCE_PERMANENT)
		settle_partition(note, parent);
}

/* ---------- all of it ---------- */

static void
settle(IdemNote *note)
{
	switch (note->type)
	{
		case IDEM_NOTE_TOUCHED:
		case IDEM_NOTE_RELIED:
			break;
		case IDEM_NOTE_TRIGGER:
			settle_trigger(note);
			break;
		case IDEM_NOTE_INHERITS:
			settle_inheritance(note);
			break;
		case IDEM_NOTE_TABLE_RENAMED:
			if (table_exists(note->relid))
				idem_log_renamed(note->relid, note->other, note->table);
			break;
		case IDEM_NOTE_TABLE_DROPPED:
			idem_log_table_dropped(note->other, note->schema, note->table,
								   note->what);
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
							   note->table, note->name,
							   list_make1(note->what), idem_allow_unguarded);
			break;
	}
}

/* Judge what the command left of the guards of the tables that it touched. */
static void
judge_tables(List *notes, CommandId cid, const char *command)
{
	List	   *touched = NIL;
	List	   *relied = NIL;
	ListCell   *lc;

	foreach(lc, notes)
	{
		IdemNote   *note = lfirst(lc);

		/* of a child and its parent the child: that above it is looked at */
		if (note->type == IDEM_NOTE_TOUCHED || note->type == IDEM_NOTE_INHERITS)
			touched = lappend_oid(touched, note->relid);
		else if (note->type == IDEM_NOTE_RELIED)
			relied = lappend_oid(relied, note->relid);
	}
	idem_judge(touched, relied, cid, command);
}

/*
 * Judging may make notes itself (of what was let pass), so go on until none
 * is left.  Rows are looked at first, because that also gives a new partition
 * the triggers that it lacks.
 */
void
idem_settle_notes(const char *command)
{
	CommandId	cid;
	List	   *notes;

	while ((notes = idem_take_notes(&cid)) != NIL)
	{
		ListCell   *lc;

		/* rows that came after the statement began and before it locked */
		PushActiveSnapshot(GetLatestSnapshot());
		SPI_connect();
		foreach(lc, notes)
			settle(lfirst(lc));
		judge_tables(notes, cid, command);
		SPI_finish();
		PopActiveSnapshot();
	}
}
