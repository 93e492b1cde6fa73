/*
 * limit_count.c
 *		What children do to the totals of their parent.
 *
 * The notes of a statement are counted in memory: first what is released, so
 * that a statement is judged by what it leaves (two amounts that change
 * places fit where each of them did), then what is taken, in the order of the
 * rows, which decides for requests beside facts: a request is refused if a
 * fact before it has taken the room, and accepted if the fact comes after it.
 *
 * A parent whose state asks for exactly what it declares keeps that
 * (total_exact.c): its children may change places, not the sum.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "limit/limit.h"

/* The smaller one. */
static Datum
least(IdemAmountType *amount, Datum a, Datum b)
{
	return idem_amount_compare(amount, a, b) <= 0 ? a : b;
}

/*
 * Take a child's amount into the totals of its parent, or out of them; false
 * if it is a request and does not fit.  Room that a growing cap has made is
 * filled from the excess first, and what is given back leaves the excess
 * first, so that used is what went back within the limit and excess the rest.
 *
 * Overflow is 22003 and can only come of an excess near the end of the type.
 */
static bool
take_step(IdemAmountType *amount, IdemLimitStep step,
		  Datum cap, Datum value, IdemTotals *totals)
{
	IdemTotals	t = *totals;
	Datum		room = idem_amount_minus(amount, cap, IDEM_USED(&t));
	Datum		part;

	if (idem_amount_compare(amount, IDEM_EXCESS(&t), amount->zero) != 0)
	{
		part = least(amount, room, IDEM_EXCESS(&t));
		IDEM_USED(&t) = idem_amount_plus(amount, IDEM_USED(&t), part);
		IDEM_EXCESS(&t) = idem_amount_minus(amount, IDEM_EXCESS(&t), part);
		room = idem_amount_minus(amount, room, part);
	}
	if (step == IDEM_LIMIT_RELEASE)
	{
		part = least(amount, value, IDEM_EXCESS(&t));
		IDEM_EXCESS(&t) = idem_amount_minus(amount, IDEM_EXCESS(&t), part);
		IDEM_USED(&t) = idem_amount_minus(amount, IDEM_USED(&t),
										  idem_amount_minus(amount, value, part));
		t.count--;
	}
	else
	{
		part = least(amount, value, room);
		if (step == IDEM_LIMIT_REQUEST &&
			idem_amount_compare(amount, part, value) != 0)
			return false;
		IDEM_USED(&t) = idem_amount_plus(amount, IDEM_USED(&t), part);
		IDEM_EXCESS(&t) = idem_amount_plus(amount, IDEM_EXCESS(&t),
										   idem_amount_minus(amount, value, part));
		t.count++;
	}
	*totals = t;
	return true;
}

/*
 * What the parent would have after all notes; false if one, then c->refused,
 * does not fit.
 */
bool
idem_limit_count(IdemTotalChange *c, IdemTotals *next)
{
	IdemLimitSettings *s = IDEM_LIMIT_SETTINGS(c);
	IdemAmountType *amount = &c->total->amount;
	Datum		cap = idem_total_amount(c, IDEM_LIMIT_CAP);
	int			pass;
	int			i;

	c->refused = NULL;
	idem_total_read(c, next);
	for (pass = 0; pass < 2; pass++)
	{
		for (i = 0; i < c->n; i++)
		{
			const IdemTotalNote *note = c->notes[i];

			if ((note->step == IDEM_LIMIT_RELEASE) != (pass == 0))
				continue;
			c->refused = note;
			if (note->step == IDEM_LIMIT_REQUEST && s->count_cap > 0 &&
				next->count >= s->count_cap)
				return false;
			if (!take_step(amount, note->step, cap, note->amount, next))
				return false;
		}
	}
	c->refused = NULL;
	return true;
}

/* Are there as many children as the parent declares? */
static bool
has_number(IdemTotalChange *c, const IdemTotals *totals)
{
	AttrNumber	column = c->total->number[IDEM_LIMIT_DECLARED];
	bool		isnull;
	Datum		declared;

	if (column == 0)
		return true;
	declared = idem_total_value(c, IDEM_LIMIT_DECLARED, &isnull);
	return !isnull && totals->count ==
		idem_count_value(TupleDescAttr(RelationGetDescr(c->parent),
									   column - 1)->atttypid, declared);
}

/* Has the parent what its state asks for, with these totals? */
static bool
is_exact(IdemTotalChange *c, const IdemTotals *totals)
{
	IdemLimitSettings *s = IDEM_LIMIT_SETTINGS(c);
	bool		isnull;
	Datum		state;

	if (s->exact.n == 0)
		return true;
	state = idem_total_value(c, IDEM_LIMIT_STATE, &isnull);
	return !idem_states_contain(&s->exact, state, isnull) ||
		(idem_amount_compare(&c->total->amount, IDEM_USED(totals),
							 idem_total_amount(c, IDEM_LIMIT_CAP)) == 0 &&
		 has_number(c, totals));
}

/*
 * The same; false also if the parent needs exactly what it declares and would
 * have something else: what the last note leaves is refused.
 */
bool
idem_limit_next(IdemTotalChange *c, IdemTotals *next)
{
	if (!idem_limit_count(c, next))
		return false;
	if (is_exact(c, next))
		return true;
	c->refused = c->notes[c->n - 1];
	return false;
}
