/*
 * ledger_count.c
 *		What entries do to the balance of their account.
 *
 * The notes of a statement are counted in memory: first what gives room above
 * the floor, so that a statement is judged by what it leaves, then what takes
 * it, in the order of the rows, which decides for requests beside facts: a
 * request is refused where a fact before it has taken what there was.  The
 * ceiling is judged at the end.
 *
 * A posting takes nothing that is not held: what it posts and what it gives
 * back is one step, so that nobody takes the room between them.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "ledger/ledger.h"

#define BALANCE(totals)		((totals)->value[IDEM_LEDGER_BALANCE])
#define HELD(totals)		((totals)->value[IDEM_LEDGER_HELD])
#define SHORTFALL(totals)	((totals)->value[IDEM_LEDGER_SHORTFALL])

/* 23514: nobody knows which side makes the account grow. */
static void
report_normal(IdemTotalChange *c)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("\"%s\" of %s%s is neither the word for a debit nor the one for a credit",
					c->total->column[IDEM_LEDGER_NORMAL],
					RelationGetRelationName(c->parent),
					idem_total_key_text(c)),
			 errtableconstraint(c->parent, c->total->trigger)));
}

static IdemLedgerSide
normal_side(IdemTotalChange *c, IdemLedgerSettings *s)
{
	bool		isnull;
	Datum		word;

	if (s->normal != IDEM_SIDE_OF_ROW)
		return s->normal;
	word = idem_total_value(c, IDEM_LEDGER_NORMAL, &isnull);
	if (idem_states_contain(&s->normal_credit, word, isnull))
		return IDEM_SIDE_CREDIT;
	if (!idem_states_contain(&s->normal_debit, word, isnull))
		report_normal(c);
	return IDEM_SIDE_DEBIT;
}

/* Is the entry on the side that makes its account grow? */
bool
idem_ledger_grows(IdemTotalChange *c, const IdemTotalNote *note)
{
	IdemLedgerSide side = note->step & IDEM_ENTRY_CREDIT ?
		IDEM_SIDE_CREDIT : IDEM_SIDE_DEBIT;

	return side == normal_side(c, IDEM_LEDGER_SETTINGS(note->total));
}

/*
 * Does the note take of what is available?  Not a posting, unless it posts more
 * than was held, and nothing that a pending credit does.
 */
bool
idem_ledger_takes(IdemTotalChange *c, const IdemTotalNote *note)
{
	bool		grows = idem_ledger_grows(c, note);

	if (note->step & IDEM_ENTRY_POSTING)
		return !grows && idem_amount_compare(&c->total->amount, note->amount,
											 note->other) > 0;
	if ((note->step & IDEM_ENTRY_PENDING) && grows)
		return false;
	if (note->step & IDEM_ENTRY_UNDO)
		grows = !grows;
	return !grows;
}

/* Take the note into the totals. */
static void
take_note(IdemTotalChange *c, const IdemTotalNote *note, IdemTotals *t)
{
	IdemAmountType *type = &c->total->amount;
	bool		grows = idem_ledger_grows(c, note);
	bool		undo = (note->step & IDEM_ENTRY_UNDO) != 0;

	if (note->step & IDEM_ENTRY_PENDING)
	{
		if (grows)
			return;				/* it is not here before it is posted */
		HELD(t) = undo ? idem_amount_minus(type, HELD(t), note->amount) :
			idem_amount_plus(type, HELD(t), note->amount);
		return;
	}
	if ((note->step & IDEM_ENTRY_POSTING) && !grows)
		HELD(t) = idem_amount_minus(type, HELD(t), note->other);
	BALANCE(t) = grows != undo ?
		idem_amount_plus(type, BALANCE(t), note->amount) :
		idem_amount_minus(type, BALANCE(t), note->amount);
}

/* Has the account this bound, a column of it? */
static bool
is_bounded(IdemTotalChange *c, int bound)
{
	bool		isnull;

	if (c->total->number[bound] == 0)
		return false;
	return c->total->number[IDEM_LEDGER_UNBOUNDED] == 0 ||
		!DatumGetBool(idem_total_value(c, IDEM_LEDGER_UNBOUNDED, &isnull));
}

/*
 * Is it an account that everybody posts to, whose balance is added up in
 * batches (ledger_batch.c)?  Whether it is never changes, so no lock is needed
 * to know.
 */
bool
idem_ledger_passes(IdemTotalChange *c)
{
	bool		isnull;

	return IDEM_LEDGER_SETTINGS(c->total)->batched &&
		DatumGetBool(idem_total_value(c, IDEM_LEDGER_UNBOUNDED, &isnull));
}

/* Is what is available at or above the floor? */
static bool
above_floor(IdemTotalChange *c, const IdemTotals *t)
{
	IdemAmountType *type = &c->total->amount;

	return idem_amount_compare(type,
							   idem_amount_minus(type, BALANCE(t), HELD(t)),
							   idem_total_amount(c, IDEM_LEDGER_FLOOR)) >= 0;
}

/* What facts have taken beyond the floor, of an account that has one. */
static void
find_shortfall(IdemTotalChange *c, IdemTotals *t)
{
	IdemAmountType *type = &c->total->amount;

	SHORTFALL(t) = type->zero;
	if (c->total->number[IDEM_LEDGER_SHORTFALL] == 0 ||
		!is_bounded(c, IDEM_LEDGER_FLOOR) || above_floor(c, t))
		return;
	SHORTFALL(t) =
		idem_amount_minus(type, idem_total_amount(c, IDEM_LEDGER_FLOOR),
						  idem_amount_minus(type, BALANCE(t), HELD(t)));
}

/* Is it recorded whatever the bounds are? */
static bool
is_given(const IdemTotalNote *note)
{
	return (note->step & (IDEM_ENTRY_FACT | IDEM_ENTRY_POSTING)) != 0;
}

/* The last note that raised the balance and can be refused; NULL: none. */
static const IdemTotalNote *
last_raiser(IdemTotalChange *c)
{
	int			i;

	for (i = c->n - 1; i >= 0; i--)
	{
		const IdemTotalNote *note = c->notes[i];
		bool		undo = (note->step & IDEM_ENTRY_UNDO) != 0;

		if (!is_given(note) && (note->step & IDEM_ENTRY_PENDING) == 0 &&
			idem_ledger_grows(c, note) != undo)
			return note;
	}
	return NULL;
}

static bool
below_ceiling(IdemTotalChange *c, const IdemTotals *t)
{
	if (!is_bounded(c, IDEM_LEDGER_CEILING) ||
		idem_amount_compare(&c->total->amount, BALANCE(t),
							idem_total_amount(c, IDEM_LEDGER_CEILING)) <= 0)
		return true;
	c->refused = last_raiser(c);
	return c->refused == NULL;
}

/*
 * What the account would have after all notes; false if one, now c->refused,
 * does not fit: next is then what there was when it was judged.
 */
bool
idem_ledger_next(IdemTotalChange *c, IdemTotals *next)
{
	bool		bounded = is_bounded(c, IDEM_LEDGER_FLOOR);
	int			pass;
	int			i;

	c->refused = NULL;
	idem_total_read(c, next);
	for (pass = 0; pass < 2; pass++)
	{
		for (i = 0; i < c->n; i++)
		{
			IdemTotals	before = *next;

			if (idem_ledger_takes(c, c->notes[i]) != (pass == 1))
				continue;
			take_note(c, c->notes[i], next);
			if (pass == 1 && bounded && !is_given(c->notes[i]) &&
				!above_floor(c, next))
			{
				c->refused = c->notes[i];
				*next = before;
				return false;
			}
		}
	}
	find_shortfall(c, next);
	return below_ceiling(c, next);
}
