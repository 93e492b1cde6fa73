/*
 * total.c
 *		The changes that a statement's rows make to totals are applied at its
 *		end.
 *
 * The trigger of a child notes each stored row, in the order of the rows.  The
 * trigger at the end of the statement takes the notes of its table, of all
 * guards together, and changes each parent row once (total_change.c): as many
 * children of one parent as there may be cost one change, and what is judged
 * is what the statement leaves.
 *
 * A statement that stores one row needs no waiting: its notes are applied at
 * once, which is before the server looks at the foreign key, whose trigger
 * sorts behind ours.  The other way round every writer that waits for the
 * parent would share its row with the others, in a multixact that each of them
 * expands.  Of several guards of the child the last that fires for the row
 * applies what all of them say, so that the parents are locked in the order of
 * their keys.  How many rows a statement has stored is known when its triggers
 * fire (one_row_of); where it is not, as in COPY, notes wait.
 *
 * A statement is known by its table at the top and its subtransaction:
 *
 *	 - Row triggers fire on the partition that has the row, the trigger at the
 *	   end on the table that the statement names, which may be any of the tree:
 *	   each of them bears it.
 *	 - Statements that triggers run end before the one that fired them.  One of
 *	   the same table, in the same subtransaction, applies what its outer
 *	   statement has noted so far, which stands and falls with it.  In another
 *	   subtransaction it leaves those notes alone: if it applied them and was
 *	   rolled back, the rows would be counted nowhere.
 *	 - Actions of foreign keys fire the triggers of the rows they change at the
 *	   end of the statement that caused them, and the one at the end behind
 *	   them.
 *	 - A writable CTE and the statement around it may name two tables, which
 *	   have two ends.
 *
 * What an aborted subtransaction has noted is gone with it.  If notes are
 * left when the transaction commits or prepares, they were never applied,
 * because somebody has taken the trigger off: 39P01.
 *
 * In a logical apply worker no trigger fires at the end of a statement, and
 * the rooms note nothing.
 *
 * Not promised: in a statement of several rows a user's trigger sees the
 * totals from before the statement, unless it fires at its end and sorts
 * behind ours.  One that releases such a row in an exception block gives back
 * what has not been taken yet, and may violate the CHECK.
 *
 * Shown by sql/total.sql and test/isolation/specs/limit_pairs.spec.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "parser/parsetree.h"
#include "storage/lmgr.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/empty.h"
#include "base/idem_compat.h"
#include "base/moved.h"
#include "total/total.h"

/* What a statement has noted. */
typedef struct Noted
{
	Oid			root;			/* table at the top */
	SubTransactionId subid;
	MemoryContext context;		/* where all of this lives */
	int			n;
	IdemTotalNote *first;
	IdemTotalNote *last;
	struct Noted *outer;
} Noted;

/* in TopTransactionContext, the latest first */
static Noted *noted = NULL;

/* the table that the statement whose triggers fire has stored one row in */
static Oid	one_row_of = InvalidOid;

static ExecutorFinish_hook_type next_executor_finish = NULL;

/* ------------------------------------------------------------------------
 * Notes
 * ------------------------------------------------------------------------
 */

/* Does the statement whose triggers fire consist of this row? */
static bool
is_only_row(Relation rel)
{
	if (likely(one_row_of == RelationGetRelid(rel)))
		return true;
	return OidIsValid(one_row_of) && rel->rd_rel->relispartition &&
		idem_root_of(one_row_of) == idem_root_relid(rel);
}

/* The notes of this statement on a table at the top, or NULL. */
static Noted *
find_noted(Oid root)
{
	SubTransactionId subid = GetCurrentSubTransactionId();
	Noted	   *found = noted;

	while (found != NULL && (found->root != root || found->subid != subid))
		found = found->outer;
	return found;
}

/* (A small allocation set is had from a list of those that were given back.) */
static Noted *
begin_noted(Oid root, bool one_row)
{
	MemoryContext context = one_row ?
		AllocSetContextCreate(TopTransactionContext, "idem noted row",
							  ALLOCSET_SMALL_SIZES) :
		GenerationContextCreate(TopTransactionContext, "idem noted rows",
								ALLOCSET_DEFAULT_SIZES);
	Noted	   *begun = MemoryContextAllocZero(context, sizeof(Noted));

	begun->root = root;
	begun->subid = GetCurrentSubTransactionId();
	begun->context = context;
	begun->outer = noted;
	noted = begun;
	return begun;
}

/* Take it off the list; its notes are still there. */
static void
end_noted(Noted *ended)
{
	Noted	  **place = &noted;

	while (*place != ended)
		place = &(*place)->outer;
	*place = ended->outer;
}

/*
 * The settings of the trigger that fired, of which the total is the first
 * member, with the parent locked.
 *
 * The foreign key says which table that is; it stays while we write the
 * child.  The parent is locked only now, and another session may have changed
 * it or its counterpart before: settings that are older than the lock do not
 * count, those read under it do, until the end of the statement.
 */
IdemTotal *
idem_total_open(const IdemGuardCall *call, IdemGuardCompile compile)
{
	IdemTotal  *total = idem_guard_settings(call, compile);
	Oid			parent = total->key.parent;

	LockRelationOid(parent, RowExclusiveLock);
	total = idem_guard_settings(call, compile);
	Assert(total->key.parent == parent);
	return total;
}

/* 23502 for a child that has no parent. */
static void
report_no_key(const IdemGuardCall *call, IdemTotal *total, AttrNumber column)
{
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("row of table \"%s\" has no parent to be limited by",
					get_rel_name(total->key.child)),
			 errtablecol(call->rel, column)));
}

/* The effect of a row on its parent, as its image says; step is the room's. */
IdemTotalNote *
idem_total_note(const IdemGuardCall *call, IdemTotal *total,
				TupleTableSlot *row, int step)
{
	IdemTotalNote *note = palloc(SizeOfIdemTotalNote(total));
	bool		isnull;
	int			i;

	note->total = total;
	note->next = NULL;
	note->n = 0;
	note->step = step;
	note->begins = false;
	note->inserted = IDEM_CALL_IS_INSERT(call);
	note->amount = slot_getattr(row, total->amount_column, &isnull);
	note->other = total->amount.zero;
	for (i = 0; i < total->nvalues; i++)
	{
		note->values[i].value = slot_getattr(row, total->source[i],
											 &note->values[i].isnull);
		if (note->values[i].isnull && i < total->key.n)
			report_no_key(call, total, total->source[i]);
	}
	return note;
}

/* A note that outlives its row. */
static IdemTotalNote *
copy_note(const IdemTotalNote *note, MemoryContext context)
{
	const IdemTotal *total = note->total;
	Size		size = SizeOfIdemTotalNote(total);
	MemoryContext old = MemoryContextSwitchTo(context);
	IdemTotalNote *copy = memcpy(palloc(size), note, size);
	int			i;

	copy->amount = datumCopy(note->amount, total->amount.byval,
							 total->amount.len);
	if (note->other != total->amount.zero)
		copy->other = datumCopy(note->other, total->amount.byval,
								total->amount.len);
	for (i = 0; i < total->nvalues; i++)
	{
		if (!note->values[i].isnull)
			copy->values[i].value = datumCopy(note->values[i].value,
											  total->byval[i], total->len[i]);
	}
	MemoryContextSwitchTo(old);
	return copy;
}

/* Put a note behind the others of its statement. */
static void
keep_note(Noted *to, const IdemTotalNote *note)
{
	IdemTotalNote *kept = copy_note(note, to->context);

	kept->n = to->n++;
	if (to->last == NULL)
		to->first = kept;
	else
		to->last->next = kept;
	to->last = kept;
}

/* Apply what this subtransaction has noted of the table. */
static void
apply_noted(Oid root)
{
	Noted	   *ended;

	while ((ended = find_noted(root)) != NULL)
	{
		IdemTotalNote **notes =
			palloc_extended(sizeof(IdemTotalNote *) * ended->n,
							MCXT_ALLOC_HUGE);
		IdemTotalNote *note;
		int			n = 0;

		for (note = ended->first; note != NULL; note = note->next)
			notes[n++] = note;
		end_noted(ended);
		idem_total_apply(notes, n);
		pfree(notes);
		MemoryContextDelete(ended->context);
	}
}

/*
 * What the row of this trigger call does to its parents: applied now, if the
 * row is all that its statement has stored, behind what an outer statement has
 * noted before it, else kept for the end.  Of several guards of the child the
 * last applies what all of them say of the row, so that the parents are locked
 * in the order of their keys.  n may be 0.
 */
void
idem_total_noted(const IdemGuardCall *call, IdemTotal *total,
				 IdemTotalNote **notes, int n)
{
	Noted	   *to = noted == NULL ? NULL :
		find_noted(idem_root_relid(call->rel));
	bool		now = total->at_once || is_only_row(call->rel);
	int			i;

	if (to == NULL && n == 0)
		return;
	if (to == NULL && now && total->is_last)
	{
		for (i = 0; i < n; i++)
			notes[i]->n = i;
		idem_total_apply(notes, n);
		return;
	}
	if (to == NULL)
		to = begin_noted(idem_root_relid(call->rel), now);
	for (i = 0; i < n; i++)
		keep_note(to, notes[i]);
	if (now && total->is_last)
		apply_noted(idem_root_relid(call->rel));
}

/* ------------------------------------------------------------------------
 * The end of a statement
 * ------------------------------------------------------------------------
 */

/*
 * apply_totals() -> trigger
 *
 * AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE FOR EACH STATEMENT of a child:
 * applies what the rows of the statement do to their parents; TRUNCATE is
 * 23I08.
 */
PG_FUNCTION_INFO_V1(idem_apply_totals);
Datum
idem_apply_totals(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_AFTER(trigdata->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired AFTER STATEMENT",
						"idem.apply_totals"),
				 errhint("Put guards on a table with the idem.guard_... functions.")));
	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		idem_judge_truncation(trigdata);
	if (noted != NULL)
		apply_noted(idem_root_relid(trigdata->tg_relation));
	return PointerGetDatum(NULL);
}

/* The end of a query, at which its triggers fire. */
static void
total_executor_finish(QueryDesc *query)
{
	PlannedStmt *planned = query->plannedstmt;
	int			target = idem_first_result_relation(planned);
	Oid			outer = one_row_of;

	one_row_of = InvalidOid;
	if (query->estate->es_processed == 1 && target > 0 &&
		!planned->hasModifyingCTE)
		one_row_of = rt_fetch(target, planned->rtable)->relid;
	if (next_executor_finish != NULL)
		next_executor_finish(query);
	else
		standard_ExecutorFinish(query);
	one_row_of = outer;
}

/* ------------------------------------------------------------------------
 * The end of a transaction
 * ------------------------------------------------------------------------
 */

static void
refuse_left_notes(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("rows of table \"%s\" were stored and not counted",
					get_rel_name(noted->root)),
			 errdetail("The trigger of its guard that fires at the end of a statement did not fire."),
			 errhint("idem.rearm puts it back.")));
}

/* Nothing may be left over when the transaction commits. */
static void
total_at_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (noted != NULL)
				refuse_left_notes();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			noted = NULL;
			one_row_of = InvalidOid;
			break;
		default:
			break;
	}
}

/* The notes of a subtransaction go with it, or belong to its parent. */
static void
total_at_subtransaction(SubXactEvent event, SubTransactionId mySubid,
						SubTransactionId parentSubid, void *arg)
{
	Noted	   *found;
	Noted	   *outer;

	if (event == SUBXACT_EVENT_ABORT_SUB)
		one_row_of = InvalidOid;	/* whose end it was we do not know */
	for (found = noted; found != NULL; found = outer)
	{
		outer = found->outer;
		if (found->subid != mySubid)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			found->subid = parentSubid;
		else if (event == SUBXACT_EVENT_ABORT_SUB)
		{
			end_noted(found);
			MemoryContextDelete(found->context);
		}
	}
}

/* Called once, when the library is loaded */
void
idem_total_init(void)
{
	next_executor_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = total_executor_finish;
	RegisterXactCallback(total_at_transaction, NULL);
	RegisterSubXactCallback(total_at_subtransaction, NULL);
}
