/*
 * limit.c
 *		Children never add up to more than their parent.
 *
 * The parent row has a running total.  A child that begins to count, once it
 * is stored, adds its amount to it, and one that certainly failed takes it
 * back.  Two writers meet at the row version of the parent; how the row is
 * found and changed, and why the sum is right at every isolation level, is
 * told in total.c and total_change.c.  What the children do is counted in
 * memory (limit_count.c): once a parent and statement, however many children
 * the statement has stored.
 *
 * A request is refused above the limit.  A fact has happened already: it is
 * stored whatever the limit is, fills the total up to the cap and puts the
 * rest into the parent's column of the excess; until that is gone no request
 * fits.  Several child tables may name one running total.
 *
 * Whatever else goes wrong, CHECK ((used BETWEEN 0 AND cap) IS TRUE) of the
 * parent holds.
 *
 * Locked: the parent rows, FOR NO KEY UPDATE.  Tests: sql/limit.sql,
 * sql/total.sql, limit_race.spec, limit_pairs.spec.
 *
 * Not promised: order among waiters.  A trigger of the child that fires before
 * ours and releases the row inside the statement that stores it is judged
 * before the row has been counted, and may meet the CHECK.
 */
#include "postgres.h"

#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/idem_errors.h"
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
	if (note->begins)
		idem_limit_check_pause(call);
	return note;
}

/* The row has counted and no longer does: give back exactly its amount. */
static IdemTotalNote *
release_row(const IdemGuardCall *call, IdemLimitSettings *s)
{
	return idem_total_note(call, &s->total, call->before, IDEM_LIMIT_RELEASE);
}

/* 23502 or 23514 unless the amount of a stored child is a positive number. */
static void
check_amount(const IdemGuardCall *call, IdemLimitSettings *s)
{
	bool		isnull;
	Datum		amount =
		slot_getattr(call->after, s->total.amount_column, &isnull);
	const char *name = NameStr(TupleDescAttr(RelationGetDescr(call->rel),
											 s->total.amount_column - 1)->attname);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("\"%s\" of %s is null", name,
						get_rel_name(s->total.key.child)),
				 errhint("An amount under a limit is a positive number."),
				 errtablecol(call->rel, s->total.amount_column)));
	if (!idem_amount_is_finite(&s->total.amount, amount) ||
		idem_amount_compare(&s->total.amount, amount,
							s->total.amount.zero) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("\"%s\" of %s is %s, not a positive number", name,
						get_rel_name(s->total.key.child),
						idem_amount_text(&s->total.amount, amount)),
				 errtablecol(call->rel, s->total.amount_column),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
									call->trigger->tgname)));
}

static bool
same_amount(const IdemGuardCall *call, IdemLimitSettings *s)
{
	bool		null_before;
	bool		null_after;
	Datum		before;
	Datum		after;

	if (idem_same_image(call->rel, s->total.amount_column,
						call->before, call->after))
		return true;
	before = slot_getattr(call->before, s->total.amount_column, &null_before);
	after = slot_getattr(call->after, s->total.amount_column, &null_after);
	return !null_before && !null_after &&
		idem_amount_compare(&s->total.amount, before, after) == 0;
}

/* Are these columns of the child the same, of those that a note has? */
static bool
same_values(const IdemGuardCall *call, IdemLimitSettings *s, int from, int to,
			AttrNumber *changed)
{
	int			i;

	for (i = from; i < to; i++)
	{
		*changed = s->total.source[i];
		if (!idem_same_image(call->rel, *changed, call->before, call->after))
			return false;
	}
	return true;
}

/* 23I07 if an update changes what a child was judged by. */
static void
check_kept(const IdemGuardCall *call, IdemLimitSettings *s)
{
	AttrNumber	changed = s->total.amount_column;

	idem_refuse_key_change(call, s->row_key);
	if (same_amount(call, s) &&
		same_values(call, s, 0, s->total.nvalues, &changed))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_FIXED_COLUMN),
			 errmsg("column \"%s\" of table \"%s\" cannot be changed",
					NameStr(TupleDescAttr(RelationGetDescr(call->rel),
										  changed - 1)->attname),
					get_rel_name(s->total.key.child)),
			 errhint("What counts against a limit stays as it was recorded; release the row by its state and insert another."),
			 errtablecol(call->rel, changed),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
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
	bool		moved = !same_values(call, s, 0, nkeys, &changed);

	if (!moved && same_amount(call, s) &&
		same_values(call, s, nkeys, s->total.nvalues, &changed))
		return 0;
	notes[0] = release_row(call, s);
	notes[1] = count_row(call, s, moved);
	return 2;
}

static int
judge_insert(const IdemGuardCall *call, IdemLimitSettings *s,
			 IdemTotalNote **notes)
{
	check_amount(call, s);
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
		check_kept(call, s);
	check_amount(call, s);
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
