/*
 * limit.c
 *		Children never add up to more than their parent.
 *
 * The parent row has a running total.  A child that begins to count, once it
 * is stored, adds its amount to it, and one that certainly failed takes it
 * back.  Two writers meet at the row version of the parent, so the sum is
 * right at every isolation level: under READ COMMITTED the second waits and
 * judges the version the first left; under REPEATABLE READ and SERIALIZABLE a
 * version that the transaction's own snapshot cannot see is 40001, because
 * writing upon it would show the transaction two versions of one row; where
 * the latest version already leaves no room it is 23I05 at once.  State, age
 * and compared columns are judged on the version that was changed, for the
 * same reason.
 *
 * A request is refused above the limit.  A fact has happened already: it is
 * stored whatever the limit is, fills the total up to the cap and puts the
 * rest into the parent's column of the excess; until that is gone no request
 * fits.  Several child tables may name one running total.
 *
 * The row is changed by limit_direct.c, where the parent is a plain table,
 * else by limit_statement.c.  No word of the server (40001, 40P01, 55P03,
 * 57014) is caught.  Whatever else goes wrong, CHECK ((used BETWEEN 0 AND
 * cap) IS TRUE) of the parent holds.
 *
 * Locked: the parent row, FOR NO KEY UPDATE, which goes along with the KEY
 * SHARE of foreign keys.  Cost: one change of one row for each child,
 * however many there are.
 *
 * Not promised: order among waiters.  A trigger of the child that releases
 * the row inside the statement that stores it is judged before the row has
 * been counted, and may meet the CHECK.
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "limit/limit.h"

/* ------------------------------------------------------------------------
 * The parent
 * ------------------------------------------------------------------------
 */

/* A column of the parent that is never null; the zero of one it lacks. */
static Datum
total(IdemLimitCall *c, IdemParentColumn column, Datum zero)
{
	bool		isnull;
	Datum		value;

	if (c->s->number[column] == 0)
		return zero;
	value = idem_parent_value(c, column, &isnull);
	if (isnull)
		elog(ERROR, "column \"%s\" of a limit is null", c->s->column[column]);
	return value;
}

/* What the parent row has, as it was last looked at. */
void
idem_limit_totals(IdemLimitCall *c, IdemTotals *totals)
{
	AttrNumber	count = c->s->number[IDEM_PARENT_COUNT];
	Datum		zero = c->s->amount.zero;

	totals->used = total(c, IDEM_PARENT_USED, zero);
	totals->excess = total(c, IDEM_PARENT_EXCESS, zero);
	totals->count = 0;
	if (count)
		totals->count =
			idem_count_value(TupleDescAttr(RelationGetDescr(c->parent),
										   count - 1)->atttypid,
							 total(c, IDEM_PARENT_COUNT, (Datum) 0));
}

/* What it would have after this child; false if a request does not fit. */
bool
idem_limit_next(IdemLimitCall *c, IdemTotals *next)
{
	IdemLimitSettings *s = c->s;

	idem_limit_totals(c, next);
	if (c->step == IDEM_LIMIT_REQUEST && s->count_cap > 0 &&
		next->count >= s->count_cap)
		return false;
	return idem_totals_step(&s->amount, c->step,
							total(c, IDEM_PARENT_CAP, s->amount.zero),
							c->amount, next);
}

/* Is the parent young enough?  By the clock, after all waiting. */
static bool
is_young(IdemLimitCall *c)
{
	bool		isnull;
	Datum		since = idem_parent_value(c, IDEM_PARENT_SINCE, &isnull);
	Datum		until;

	if (isnull)
		return false;
	until = DirectFunctionCall2(timestamptz_pl_interval, since,
								IntervalPGetDatum(c->s->max_age));
	return GetCurrentTimestamp() <= DatumGetTimestampTz(until);
}

/* Is the parent, as it was changed or looked at, one for this child? */
static void
judge_parent(IdemLimitCall *c, bool begins)
{
	IdemLimitSettings *s = c->s;
	bool		parent_null;
	bool		child_null;
	int			i;

	if (begins && s->number[IDEM_PARENT_STATE])
	{
		Datum		state = idem_parent_value(c, IDEM_PARENT_STATE,
											  &parent_null);

		if (!idem_states_contain(&s->open, state, parent_null))
			idem_report_not_open(c);
	}
	if (begins && s->number[IDEM_PARENT_SINCE] && !is_young(c))
		idem_report_too_old(c);
	for (i = 0; i < s->npairs; i++)
	{
		Datum		other = idem_parent_value(c, IDEM_PARENT_SAME + i,
											  &parent_null);
		Datum		mine = slot_getattr(c->row, s->pairs[i].child,
										&child_null);

		if (parent_null || child_null ||
			!idem_equal(&s->pairs[i].equal, other, mine))
			idem_report_mismatch(c, i);
	}
}

/*
 * Open the parent.  Which one it is says the foreign key, which stays while
 * we write the child.  Only now it is locked, and whoever held it may have
 * changed it or its counterpart: settings older than the lock do not count,
 * those that are read behind it do.
 */
static void
open_parent(IdemLimitCall *c)
{
	Oid			parent;

	c->s = idem_guard_settings(c->call, idem_limit_compile);
	parent = c->s->key.parent;
	LockRelationOid(parent, RowExclusiveLock);
	c->s = idem_guard_settings(c->call, idem_limit_compile);
	Assert(c->s->key.parent == parent);
	c->parent = table_open(parent, NoLock);
}

/* Take amount and key from the row; key columns are never null. */
static void
open_call(IdemLimitCall *c, const IdemGuardCall *call, TupleTableSlot *row,
		  IdemLimitStep step)
{
	bool		isnull;
	int			i;

	c->call = call;
	c->row = row;
	c->step = step;
	c->seen = NULL;
	open_parent(c);
	c->amount = slot_getattr(row, c->s->amount_column, &isnull);
	for (i = 0; i < c->s->key.n; i++)
	{
		c->key[i] = slot_getattr(row, c->s->fk[i], &isnull);
		if (isnull)
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("row of table \"%s\" has no parent to be limited by",
							get_rel_name(c->s->key.child)),
					 errtablecol(call->rel, c->s->fk[i])));
	}
}

/* Change the totals, the short way if the parent allows it. */
static IdemLimitResult
change_parent(IdemLimitCall *c)
{
	IdemLimitResult result = IDEM_LIMIT_NOT_PLAIN;

	if (c->s->direct != NULL)
		result = idem_direct_change(c);
	if (result != IDEM_LIMIT_NOT_PLAIN)
		return result;
	if (c->seen != NULL)
		ExecDropSingleTupleTableSlot(c->seen);
	SPI_connect();
	return idem_statement_change(c);
}

static void
close_call(IdemLimitCall *c)
{
	if (c->seen != NULL)
		ExecDropSingleTupleTableSlot(c->seen);
	else
		SPI_finish();
	table_close(c->parent, NoLock);
}

/*
 * The row counts from now on.  begins: as one that the parent must be open
 * for, if it is a request, not as the later edit of one that has counted.
 */
static void
count_row(const IdemGuardCall *call, TupleTableSlot *row, IdemLimitStep step,
		  bool begins)
{
	IdemLimitCall c;
	IdemLimitResult result;

	open_call(&c, call, row, step);
	result = change_parent(&c);
	if (result == IDEM_LIMIT_NO_ROW)
		idem_report_no_parent(&c);
	if (c.s->judged)
		judge_parent(&c, begins && step == IDEM_LIMIT_REQUEST);
	if (result == IDEM_LIMIT_NO_ROOM)
		idem_report_exceeded(&c);
	close_call(&c);
}

/* The row has counted and no longer does: give back exactly its amount. */
static void
release_row(const IdemGuardCall *call, TupleTableSlot *row)
{
	IdemLimitCall c;

	open_call(&c, call, row, IDEM_LIMIT_RELEASE);
	if (change_parent(&c) == IDEM_LIMIT_NO_ROW)
		idem_report_no_parent(&c);
	close_call(&c);
}

/* ------------------------------------------------------------------------
 * The child
 * ------------------------------------------------------------------------
 */

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

/* 23502 or 23514 unless the amount of a stored child is a positive number. */
static void
check_amount(const IdemGuardCall *call, IdemLimitSettings *s)
{
	bool		isnull;
	Datum		amount = slot_getattr(call->after, s->amount_column, &isnull);
	const char *name = NameStr(TupleDescAttr(RelationGetDescr(call->rel),
											 s->amount_column - 1)->attname);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("\"%s\" of %s is null", name,
						get_rel_name(s->key.child)),
				 errhint("An amount under a limit is a positive number."),
				 errtablecol(call->rel, s->amount_column)));
	if (!idem_amount_is_finite(&s->amount, amount) ||
		idem_amount_compare(&s->amount, amount, s->amount.zero) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("\"%s\" of %s is %s, not a positive number", name,
						get_rel_name(s->key.child),
						idem_amount_text(&s->amount, amount)),
				 errtablecol(call->rel, s->amount_column),
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

	if (idem_same_image(call->rel, s->amount_column,
						call->before, call->after))
		return true;
	before = slot_getattr(call->before, s->amount_column, &null_before);
	after = slot_getattr(call->after, s->amount_column, &null_after);
	return !null_before && !null_after &&
		idem_amount_compare(&s->amount, before, after) == 0;
}

static bool
same_parent(const IdemGuardCall *call, IdemLimitSettings *s, AttrNumber *changed)
{
	int			i;

	for (i = 0; i < s->key.n; i++)
	{
		*changed = s->fk[i];
		if (!idem_same_image(call->rel, s->fk[i], call->before, call->after))
			return false;
	}
	return true;
}

static bool
same_pairs(const IdemGuardCall *call, IdemLimitSettings *s, AttrNumber *changed)
{
	int			i;

	for (i = 0; i < s->npairs; i++)
	{
		*changed = s->pairs[i].child;
		if (!idem_same_image(call->rel, s->pairs[i].child,
							 call->before, call->after))
			return false;
	}
	return true;
}

/* 23I07 if an update changes what a child was judged by. */
static void
check_kept(const IdemGuardCall *call, IdemLimitSettings *s)
{
	AttrNumber	changed = s->amount_column;

	idem_refuse_key_change(call, s->row_key);
	if (same_amount(call, s) && same_parent(call, s, &changed) &&
		same_pairs(call, s, &changed))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_FIXED_COLUMN),
			 errmsg("column \"%s\" of table \"%s\" cannot be changed",
					NameStr(TupleDescAttr(RelationGetDescr(call->rel),
										  changed - 1)->attname),
					get_rel_name(s->key.child)),
			 errhint("What counts against a limit stays as it was recorded; release the row by its state and insert another."),
			 errtablecol(call->rel, changed),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* Counted and still counted: an edit gives back the old and takes the new. */
static void
recount_row(const IdemGuardCall *call, IdemLimitSettings *s)
{
	AttrNumber	changed;
	bool		moved = !same_parent(call, s, &changed);

	if (!moved && same_amount(call, s) && same_pairs(call, s, &changed))
		return;
	release_row(call, call->before);
	count_row(call, call->after, step_of(s, call->after), moved);
}

static void
judge_update(const IdemGuardCall *call, IdemLimitSettings *s)
{
	bool		was = counts(s, call->before);
	bool		is = counts(s, call->after);

	if (!s->editable)
		check_kept(call, s);
	check_amount(call, s);
	if (was && is)
	{
		if (s->editable)
			recount_row(call, s);
	}
	else if (was)
		release_row(call, call->before);
	else if (is)
		count_row(call, call->after, step_of(s, call->after), true);
}

static void
judge_delete(const IdemGuardCall *call, IdemLimitSettings *s)
{
	if (!s->editable)
		idem_refuse_delete(call);
	if (counts(s, call->before))
		release_row(call, call->before);
}

/*
 * keep_limit() -> trigger
 *
 * AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW of a child.  In a logical
 * apply worker the row was judged at its origin and the parent's total
 * arrives by itself: nothing is counted.
 */
PG_FUNCTION_INFO_V1(idem_keep_limit);
Datum
idem_keep_limit(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	IdemLimitSettings *s;

	if (idem_in_apply_worker())
		return PointerGetDatum(NULL);
	if (!idem_guard_call(fcinfo, "idem.keep_limit", &call))
		return PointerGetDatum(NULL);
	s = idem_guard_settings(&call, idem_limit_compile);
	if (IDEM_CALL_IS_DELETE(&call))
		judge_delete(&call, s);
	else if (IDEM_CALL_IS_INSERT(&call))
	{
		check_amount(&call, s);
		if (counts(s, call.after))
			count_row(&call, call.after, step_of(s, call.after), true);
	}
	else
		judge_update(&call, s);
	return PointerGetDatum(NULL);
}
