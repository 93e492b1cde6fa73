/*
 * ledger.c
 *		The balance of an account is the sum of its entries, within bounds.
 *
 * An entry that is stored changes the balance of the account that it
 * references: a debit or a credit, as a column of the entry, the guard, or the
 * sign of the amount says.  The guard, or a column of the account, says which
 * of the two makes the balance grow.  A pending entry holds what it would take;
 * it is posted by another entry that names it, or by its own state, and what it
 * held is given back, once.
 *
 * Two writers meet at the row version of the account.  total.c and
 * total_change.c explain how it is found and changed, and why the sum is right
 * at every isolation level: what the rows of a statement do is counted in
 * memory (ledger_count.c) and judged by what the statement leaves, the accounts
 * in the order of their keys, once each.  A row with two accounts has two
 * guards, and both are applied together.
 *
 * A hold and its posting, or its release, meet at the row of the hold
 * (ledger_hold.c).
 *
 * Whatever else goes wrong, the CHECKs of the account hold: what is available
 * is not below the floor but for the shortfall, nothing is held twice over.
 *
 * Locked: the account rows, FOR NO KEY UPDATE; the row of a hold that is
 * posted, FOR SHARE.
 *
 * Not promised: order among waiters.
 *
 * Shown by sql/ledger.sql, sql/ledger_hold.sql,
 * test/isolation/specs/ledger_race.spec.
 */
#include "postgres.h"

#include "utils/lsyscache.h"

#include "base/arrive.h"
#include "base/idem_errors.h"
#include "base/row.h"
#include "ledger/ledger.h"

/* What a row is to its account. */
typedef enum Phase
{
	RELEASED,					/* nothing */
	PENDING,					/* a hold */
	POSTED						/* part of the balance */
} Phase;

/* A state that is neither counts, also NULL. */
static Phase
phase_of(IdemLedgerSettings *s, TupleTableSlot *row)
{
	bool		isnull;
	Datum		state;

	if (s->released.column == 0)
		return POSTED;
	state = slot_getattr(row, s->released.column, &isnull);
	if (idem_states_contain(&s->released, state, isnull))
		return RELEASED;
	return idem_states_contain(&s->pending, state, isnull) ? PENDING : POSTED;
}

static bool
is_fact(IdemLedgerSettings *s, TupleTableSlot *row)
{
	bool		isnull = true;
	Datum		state = (Datum) 0;

	if (s->facts.column)
		state = slot_getattr(row, s->facts.column, &isnull);
	return idem_states_contain(&s->facts, state, isnull);
}

/* What one image of a row does, with more flags of the step. */
static IdemTotalNote *
note_row(const IdemGuardCall *call, IdemLedgerSettings *s,
		 TupleTableSlot *row, Phase phase, int step)
{
	IdemAmountType *type = &s->total.amount;
	IdemLedgerSide side = idem_ledger_side(call, s, row);
	IdemTotalNote *note;

	if (side == IDEM_SIDE_CREDIT)
		step |= IDEM_ENTRY_CREDIT;
	if (phase == PENDING)
		step |= IDEM_ENTRY_PENDING;
	if (is_fact(s, row))
		step |= IDEM_ENTRY_FACT;
	note = idem_total_note(call, &s->total, row, step);
	if (s->side == IDEM_SIDE_OF_SIGN && side == IDEM_SIDE_DEBIT)
		note->amount = idem_amount_minus(type, type->zero, note->amount);
	return note;
}

/* Does the row post a hold?  Then hold is its key. */
static bool
posts_hold(IdemLedgerSettings *s, TupleTableSlot *row, Datum *hold)
{
	bool		isnull = true;

	if (s->posts.column)
		*hold = slot_getattr(row, s->posts.column, &isnull);
	return !isnull;
}

/* A row that begins to count. */
static IdemTotalNote *
count_row(const IdemGuardCall *call, IdemLedgerSettings *s, Phase phase)
{
	IdemTotalNote *note;
	Datum		hold;

	if (!posts_hold(s, call->after, &hold))
		return note_row(call, s, call->after, phase, 0);
	if (phase != POSTED)
		idem_ledger_refuse_entry(call, ERRCODE_CHECK_VIOLATION,
								 s->released.column,
								 psprintf("row of table \"%s\" that posts a hold is not posted itself",
										  get_rel_name(s->total.key.child)),
								 NULL);
	note = note_row(call, s, call->after, phase, IDEM_ENTRY_POSTING);
	note->other = idem_hold_amount(call, s, note, hold);
	return note;
}

static int
judge_insert(const IdemGuardCall *call, IdemLedgerSettings *s,
			 IdemTotalNote **notes)
{
	Phase		phase = phase_of(s, call->after);
	Datum		hold;

	idem_total_check_amount(call, &s->total, s->side == IDEM_SIDE_OF_SIGN);
	(void) idem_ledger_side(call, s, call->after);
	if (phase == RELEASED && !posts_hold(s, call->after, &hold))
		return 0;
	notes[0] = count_row(call, s, phase);
	return 1;
}

static bool
same_column(const IdemGuardCall *call, AttrNumber column)
{
	return column == 0 ||
		idem_same_image(call->rel, column, call->before, call->after);
}

/* 23I07 if an update changes what an entry was judged by. */
static void
check_kept(const IdemGuardCall *call, IdemLedgerSettings *s)
{
	idem_total_check_kept(call, &s->total, s->row_key);
	if (!same_column(call, s->debit.column))
		idem_total_refuse_change(call, &s->total, s->debit.column);
	if (!same_column(call, s->posts.column))
		idem_total_refuse_change(call, &s->total, s->posts.column);
}

/* Has an update left all that the account knows of the row, but its phase? */
static bool
same_entry(const IdemGuardCall *call, IdemLedgerSettings *s)
{
	AttrNumber	changed;

	return idem_total_same_amount(call, &s->total) &&
		idem_total_same_values(call, &s->total, 0, s->total.nvalues,
							   &changed) &&
		same_column(call, s->debit.column);
}

/* 23I07: what posts a hold has done so for good. */
static void
refuse_reversal(const IdemGuardCall *call, IdemLedgerSettings *s)
{
	idem_ledger_refuse_entry(call, ERRCODE_IDEM_FIXED_COLUMN,
							 s->released.column,
							 psprintf("row of table \"%s\" has posted a hold and cannot be taken back by its state",
									  get_rel_name(s->total.key.child)),
							 "Reverse it with an entry of its own.");
}

static int
judge_update(const IdemGuardCall *call, IdemLedgerSettings *s,
			 IdemTotalNote **notes)
{
	Phase		was = phase_of(s, call->before);
	Phase		is = phase_of(s, call->after);
	Datum		hold;
	int			n = 0;

	if (!s->editable)
		check_kept(call, s);
	idem_total_check_amount(call, &s->total, s->side == IDEM_SIDE_OF_SIGN);
	(void) idem_ledger_side(call, s, call->after);
	if (was == is && (!s->editable || same_entry(call, s)))
		return 0;
	if (posts_hold(s, call->before, &hold))
		refuse_reversal(call, s);
	if (was == PENDING && s->posts.column)
		idem_hold_require_open(call, s);
	if (was == PENDING && is == POSTED && same_entry(call, s))
	{
		/* it posts itself, and is given back what it held */
		notes[0] = note_row(call, s, call->after, is, IDEM_ENTRY_POSTING);
		notes[0]->other = notes[0]->amount;
		return 1;
	}
	if (was != RELEASED)
		notes[n++] = note_row(call, s, call->before, was, IDEM_ENTRY_UNDO);
	if (is != RELEASED)
		notes[n++] = note_row(call, s, call->after, is, 0);
	return n;
}

static int
judge_delete(const IdemGuardCall *call, IdemLedgerSettings *s,
			 IdemTotalNote **notes)
{
	Phase		was = phase_of(s, call->before);

	if (!s->editable)
		idem_refuse_delete(call);
	if (was == RELEASED)
		return 0;
	notes[0] = note_row(call, s, call->before, was, IDEM_ENTRY_UNDO);
	return 1;
}

/*
 * keep_balance() -> trigger
 *
 * AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW of the entries: says what the
 * row does to its account.  In a logical apply worker the row was judged at its
 * origin and the balance arrives by itself: nothing is counted.
 */
PG_FUNCTION_INFO_V1(idem_keep_balance);
Datum
idem_keep_balance(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	IdemLedgerSettings *s;
	IdemTotalNote *notes[2];
	int			n;

	if (idem_in_apply_worker())
		return PointerGetDatum(NULL);
	if (!idem_guard_call(fcinfo, "idem.keep_balance", &call))
		return PointerGetDatum(NULL);
	s = (IdemLedgerSettings *) idem_total_open(&call, idem_ledger_compile);
	if (IDEM_CALL_IS_DELETE(&call))
		n = judge_delete(&call, s, notes);
	else if (IDEM_CALL_IS_INSERT(&call))
		n = judge_insert(&call, s, notes);
	else
		n = judge_update(&call, s, notes);
	idem_total_noted(&call, &s->total, notes, n);
	return PointerGetDatum(NULL);
}
