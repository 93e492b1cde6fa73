/*
 * money_allocate.c
 *		Parts of an amount that add up to it.
 *
 * allocate() gives every part its share of the weights, split() equal shares;
 * the units that are left at the given scale go one by one to the parts that
 * lost most when they were cut down, among equal ones to the first.
 * money_share.c does this; here the arguments are checked.  Nothing is locked,
 * nothing is rounded.
 *
 * Limit: the weights, written with the decimals of the finest, have to add up
 * to less than 2^127 (any 38 digits).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "base/idem_compat.h"
#include "money/money.h"
#include "money/money_share.h"

PG_FUNCTION_INFO_V1(idem_money_allocate);
PG_FUNCTION_INFO_V1(idem_money_split);

static int	get_scale(FunctionCallInfo fcinfo, int arg);
static int64 get_units(MoneyMicro amount, int scale);
static IdemMoneyShare *get_weights(ArrayType *array, int *count);
static Datum make_parts(IdemMoneyShare *shares, int count, int64 unit);

/*
 * (amount, weights, scale): an array of parts that add up to the amount, each
 * of scale decimals; NULL for no amount, 22023 for weights or decimals that
 * are not valid.
 */
Datum
idem_money_allocate(PG_FUNCTION_ARGS)
{
	IdemMoneyShare *shares;
	int			count;
	int			scale;
	int64		units;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights must not be null")));
	scale = get_scale(fcinfo, 2);
	units = get_units(PG_GETARG_MONEY_MICRO(0), scale);
	shares = get_weights(PG_GETARG_ARRAYTYPE_P(1), &count);

	if (!idem_money_share(units, shares, count))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights add up to zero"),
				 errhint("At least one weight has to be larger than zero.")));
	PG_RETURN_DATUM(make_parts(shares, count, idem_money_unit_of_scale(scale)));
}

/* (amount, number of parts, scale): the same with equal weights */
Datum
idem_money_split(PG_FUNCTION_ARGS)
{
	IdemMoneyShare *shares;
	int			scale;
	int			count;
	int64		units;
	int			i;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	count = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	if (count < 1 || count > MaxAllocSize / sizeof(IdemMoneyShare))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of parts must be between 1 and %zu",
						MaxAllocSize / sizeof(IdemMoneyShare))));
	scale = get_scale(fcinfo, 2);
	units = get_units(PG_GETARG_MONEY_MICRO(0), scale);

	shares = palloc0(count * sizeof(IdemMoneyShare));
	for (i = 0; i < count; i++)
		shares[i].weight = 1;
	if (!idem_money_share(units, shares, count))
		elog(ERROR, "equal shares of an amount could not be computed");
	PG_RETURN_DATUM(make_parts(shares, count, idem_money_unit_of_scale(scale)));
}


/* ---------- arguments ---------- */

static int
get_scale(FunctionCallInfo fcinfo, int arg)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scale must not be null")));
	idem_money_check_decimals(PG_GETARG_INT32(arg));
	return PG_GETARG_INT32(arg);
}

/* The amount as a number of units of 10^-scale. */
static int64
get_units(MoneyMicro amount, int scale)
{
	int64		units = 0;

	if (idem_money_to_scaled(amount, scale, &units) != IDEM_MONEY_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("amount %s has more than %d decimals",
						idem_money_to_cstring(amount), scale),
				 errhint("Parts of that scale cannot add up to it; use a larger scale, or round the amount first.")));
	return units;
}

pg_noreturn static void
report_weight(Datum weight)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("weight %s is out of range",
					DatumGetCString(DirectFunctionCall1(numeric_out, weight))),
			 errdetail("Weights add up to less than 2^127, counted in units of the finest one's last decimal.")));
}

/* A weight as an integer of so many decimals. */
static void
read_weight(Datum weight, IdemUint128 * number, int *decimals)
{
	char	   *str = DatumGetCString(DirectFunctionCall1(numeric_out, weight));

	if (numeric_is_nan(DatumGetNumeric(weight)) ||
		numeric_is_inf(DatumGetNumeric(weight)))
		report_weight(weight);
	if (str[0] == '-')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight %s is negative", str)));
	if (idem_money_parse_weight(str, number, decimals) != IDEM_MONEY_OK)
		report_weight(weight);
	pfree(str);
}

/* The weights as integers of the same unit, that of the finest. */
static IdemMoneyShare *
get_weights(ArrayType *array, int *count)
{
	Datum	   *weights;
	bool	   *nulls;
	IdemMoneyShare *shares;
	int		   *decimals;
	IdemUint128 sum = 0;
	int			finest = 0;
	int			i;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weights must be an array of one dimension")));
	deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT,
					  &weights, &nulls, count);
	shares = palloc0(Max(*count, 1) * sizeof(IdemMoneyShare));
	decimals = palloc0(Max(*count, 1) * sizeof(int));

	for (i = 0; i < *count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("weights must not be null")));
		read_weight(weights[i], &shares[i].weight, &decimals[i]);
		finest = Max(finest, decimals[i]);
	}
	for (i = 0; i < *count; i++)
	{
		if (!idem_money_scale_weight(&shares[i].weight, finest - decimals[i]))
			report_weight(weights[i]);
		sum += shares[i].weight;
		if (sum >= IDEM_MONEY_WEIGHT_MAX)
			report_weight(weights[i]);
	}
	return shares;
}


/* ---------- result ---------- */

static Datum
make_parts(IdemMoneyShare *shares, int count, int64 unit)
{
	Datum	   *parts = palloc(count * sizeof(Datum));
	int			i;

	for (i = 0; i < count; i++)
		parts[i] = MoneyMicroGetDatum(shares[i].part * unit);
	return PointerGetDatum(construct_array(parts, count, idem_money_type(),
										   sizeof(MoneyMicro), true,
										   TYPALIGN_DOUBLE));
}
