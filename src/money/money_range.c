/*
 * money_range.c
 *		Ranges of amounts: discrete, one millionth apart.
 *
 * A bounded range is kept as [lower,upper), so that equal sets of amounts are
 * equal ranges.  The largest amount has no successor: a range that includes
 * it is written without an upper bound, as with bigint and int8range.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/rangetypes.h"

#include "base/idem_compat.h"
#include "money/money.h"

PG_FUNCTION_INFO_V1(idem_money_range_canonical);
PG_FUNCTION_INFO_V1(idem_money_range_diff);

/* Moves a bound to the next amount; false if there is none. */
static bool
move_bound(RangeBound *bound, bool inclusive)
{
	int64		next;

	if (idem_money_add_overflow(DatumGetMoneyMicro(bound->val), 1, &next))
		return false;
	bound->val = MoneyMicroGetDatum(next);
	bound->inclusive = inclusive;
	return true;
}

/* The range in its one form, [lower,upper), as a range of whole millionths */
Datum
idem_money_range_canonical(PG_FUNCTION_ARGS)
{
	RangeType  *range = PG_GETARG_RANGE_P(0);
	TypeCacheEntry *type = range_get_typcache(fcinfo, RangeTypeGetOid(range));
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;

	range_deserialize(type, range, &lower, &upper, &empty);
	if (empty)
		PG_RETURN_RANGE_P(range);

	if ((!lower.infinite && !lower.inclusive && !move_bound(&lower, true)) ||
		(!upper.infinite && upper.inclusive && !move_bound(&upper, false)))
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("money_micro out of range"),
				 errdetail("The largest amount has no successor."),
				 errhint("Leave out the upper bound of a range that includes it.")));

	PG_RETURN_RANGE_P(range_serialize(type, &lower, &upper, false,
									  fcinfo->context));
}

/* How far apart two amounts are, for the planner and for GiST. */
Datum
idem_money_range_diff(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8((float8) PG_GETARG_MONEY_MICRO(0) -
					 (float8) PG_GETARG_MONEY_MICRO(1));
}
