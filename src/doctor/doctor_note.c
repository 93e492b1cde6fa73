/*
 * doctor_note.c
 *		What a DDL command did, until it is complete and can be judged.
 *
 * Notes live in the transaction; those of a failed subtransaction go with it.
 * Each has the command of the transaction at which it was made, and the DDL
 * command the one at which it began: a snapshot with that command shows what
 * was before.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "doctor/doctor.h"

/* IdemNote *, in TopTransactionContext, oldest first */
static List *notes = NIL;

/* With which command of the transaction the DDL command began that runs */
static CommandId begun = InvalidCommandId;

/*
 * A new note about a relation, or about a schema that is renamed; the caller
 * fills in what else there is to say, in TopTransactionContext.
 */
IdemNote *
idem_note(IdemNoteType type, Oid relid)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	IdemNote   *note = palloc0(sizeof(IdemNote));

	note->type = type;
	note->subid = GetCurrentSubTransactionId();
	note->cid = GetCurrentCommandId(false);
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

/*
 * Something may have changed that guards of this table rely on, if it has
 * triggers at all: that is judged when the command is complete.
 */
void
idem_note_change(IdemNoteType type, Oid relid)
{
	IdemNote   *last = notes == NIL ? NULL : llast(notes);

	if (OidIsValid(relid) && idem_has_triggers(relid) &&
		(last == NULL || last->type != type || last->relid != relid ||
		 last->subid != GetCurrentSubTransactionId()))
		(void) idem_note(type, relid);
}

/* For the log: what idem.allow_unguarded let pass. */
void
idem_note_passed(Oid relid, const char *kind, const char *name,
				 const char *what)
{
	IdemNote   *note = idem_note(IDEM_NOTE_PASSED, relid);
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

	note->name = pstrdup(name);
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
	IdemNote   *note = idem_note(IDEM_NOTE_OWN_TABLE, relid);
	ListCell   *lc;

	foreach(lc, before)
	{
		MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

		note->before = lappend(note->before, pstrdup(lfirst(lc)));
		MemoryContextSwitchTo(old);
	}
}

/* A command begins; one that runs inside another is part of that. */
void
idem_begin_notes(void)
{
	if (notes == NIL)
		begun = GetCurrentCommandId(false);
}

/* What was noted so far, IdemNote *, oldest first */
List *
idem_noted(void)
{
	return notes;
}

/*
 * What there is to judge, which is then up to the caller, and with which
 * command of the transaction it began.
 */
List *
idem_take_notes(CommandId *cid)
{
	List	   *taken = notes;
	ListCell   *lc;

	*cid = begun;
	foreach(lc, notes)
	{
		IdemNote   *note = lfirst(lc);

		*cid = Min(*cid, note->cid);
	}
	notes = NIL;
	return taken;
}

static void
notes_at_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE ||
		event == XACT_EVENT_ABORT)
	{
		notes = NIL;
		begun = InvalidCommandId;
	}
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

/* Called once, when the library is loaded. */
void
idem_doctor_note_init(void)
{
	RegisterXactCallback(notes_at_transaction, NULL);
	RegisterSubXactCallback(notes_at_subtransaction, NULL);
}
