/*
 * limit.c
 *		Children never add up to more than their parent.
 *
 * The parent row has a running total.  A child that begins to count adds its
 * amount once it is stored; one that has certainly failed takes it back.  Two
 * writers meet at the row version of the parent; total.c and total_change.c
 * say how the row is found and changed, and why the sum is right at every
 * isolation level.  What the children do is counted in memory
 * (limit_count.c): once a parent and statement, however many children the
 * statement has stored.
 *
 * A request is refused above the limit.  A fact has already happened: it is
 * stored whatever the limit is, fills the total up to the cap, and the rest
 * is added to the parent's excess column; while there is an excess, no
 * request fits.  Several child tables may name one running total.
 *
 * Whatever else goes wrong, CHECK ((used BETWEEN 0 AND cap) IS TRUE) of the
 * parent holds.
 *
 * Locked: the parent rows, FOR NO KEY UPDATE.
 *
 * Not promised: order among waiters.  A trigger of the child that fires before
 * ours and releases the row inside the statement that stores it is judged
 * before the row has been counted, and may meet the CHECK.
 *
 * Shown by sql/limit.sql, test/isolation/specs/limit_race.spec and
 * test/isolation/specs/limit_pairs.spec.
 */
#include "postgres.h"

#include "base/arrive.h"
#include "base/pause.h"
#include "limit/limit.h"

/* Every child counts, unless its state says that it certainly failed. */
static bool
counts(IdemLimitSettings *s, TupleTableSlot *row)
{
	bool		isnull;
	Datum		state;

	if (s->released.n == 0)
		return true;
	state = slot_getattr(row, s->released.column, &isnull);
	return !idem_states_contain(&s->released, state, isnull);
}

/* Has what the row records happened already, or is it asked for? */
static IdemLimitStep
step_of(IdemLimitSettings *s, TupleTableSlot *row)
{
	bool		isnull = true;
	Datum		state = (Datum) 0;

	if (s->facts.column)
		state = slot_getattr(row, s->facts.column, &isnull);
	return idem_states_contain(&s->facts, state, isnull) ?
		IDEM_LIMIT_FACT : IDEM_LIMIT_REQUEST;
}

/*
 * The row counts from now on.  begins: as one that the parent must be open
 * for, if it is a request, not as the later edit of one that has counted.
 */
static IdemTotalNote *
count_row(const IdemGuardCall *call, IdemLimitSettings *s, bool begins)
{
	IdemLimitStep step = step_of(s, call->after);
	IdemTotalNote *note = idem_total_note(call, &s->total, call->after, step);

	note->begins = begins && step == IDEM_LIMIT_REQUEST;
	if (idem_any_paused() && note->begins)
		idem_limit_check_pause(call);
	return note;
}

/* The row has counted and no longer does: give back exactly its amount. */
static IdemTotalNote *
release_row(const IdemGuardCall *call, IdemLimitSettings *s)
{
	return idem_total_note(call, &s->total, call->before, IDEM_LIMIT_RELEASE);
}

/*
 * Counted and still counted: an edit gives back the old and takes the new.
 * Returns how many notes that are.
 */
static int
recount_row(const IdemGuardCall *call, IdemLimitSettings *s,
			IdemTotalNote **notes)
{
	AttrNumber	changed;
	int			nkeys = s->total.key.n;
	bool		moved =
		!idem_total_same_values(call, &s->total, 0, nkeys, &changed);

	if (!moved && idem_total_same_amount(call, &s->total) &&
		idem_total_same_values(call, &s->total, nkeys, s->total.nvalues,
							   &changed))
		return 0;
	notes[0] = release_row(call, s);
	notes[1] = count_row(call, s, moved);
	return 2;
}

static int
judge_insert(const IdemGuardCall *call, IdemLimitSettings *s,
			 IdemTotalNote **notes)
{
	idem_total_check_amount(call, &s->total, false);
	if (!counts(s, call->after))
		return 0;
	notes[0] = count_row(call, s, true);
	return 1;
}

static int
judge_update(const IdemGuardCall *call, IdemLimitSettings *s,
			 IdemTotalNote **notes)
{
	bool		was = counts(s, call->before);
	bool		is = counts(s, call->after);

	if (!s->editable)
		idem_total_check_kept(call, &s->total, s->row_key);
	idem_total_check_amount(call, &s->total, false);
	if (was && is)
		return s->editable ? recount_row(call, s, notes) : 0;
	if (!was && !is)
		return 0;
	notes[0] = was ? release_row(call, s) : count_row(call, s, true);
	return 1;
}

static int
judge_delete(const IdemGuardCall *call, IdemLimitSettings *s,
			 IdemTotalNote **notes)
{
	if (!s->editable)
		idem_refuse_delete(call);
	if (!counts(s, call->before))
		return 0;
	notes[0] = release_row(call, s);
	return 1;
}

/*
 * keep_limit() -> trigger
 *
 * AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW of a child: says what the row
 * does to its parent, which apply_totals() does at the end of the statement.
 * In a logical apply worker the row was judged at its origin and the parent's
 * total arrives by itself: nothing is counted.
 */
PG_FUNCTION_INFO_V1(idem_keep_limit);
Datum
idem_keep_limit(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	IdemLimitSettings *s;
	IdemTotalNote *notes[2];
	int			n;

	if (idem_in_apply_worker())
		return PointerGetDatum(NULL);
	if (!idem_guard_call(fcinfo, "idem.keep_limit", &call))
		return PointerGetDatum(NULL);
	s = (IdemLimitSettings *) idem_total_open(&call, idem_limit_compile);
	if (IDEM_CALL_IS_DELETE(&call))
		n = judge_delete(&call, s, notes);
	else if (IDEM_CALL_IS_INSERT(&call))
		n = judge_insert(&call, s, notes);
	else
		n = judge_update(&call, s, notes);
	idem_total_noted(&call, &s->total, notes, n);
	return PointerGetDatum(NULL);
}
