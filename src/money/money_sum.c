/*
 * money_sum.c
 *		sum and avg over money_micro.
 *
 * The state adds up in 128 bits: amounts are below 2^61, so no number of rows
 * a server can count (2^63) overflows it.  Hence the order of the rows does
 * not matter, leaving rows can be taken out again (window frames), and only
 * the end result has to fit.
 */
#include "postgres.h"

#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "money/money.h"

#ifndef HAVE_INT128
#error "idem needs a compiler with a 128-bit integer type"
#endif

PG_FUNCTION_INFO_V1(idem_money_sum_add);
PG_FUNCTION_INFO_V1(idem_money_sum_remove);
PG_FUNCTION_INFO_V1(idem_money_sum_combine);
PG_FUNCTION_INFO_V1(idem_money_sum_serialize);
PG_FUNCTION_INFO_V1(idem_money_sum_deserialize);
PG_FUNCTION_INFO_V1(idem_money_sum_final);
PG_FUNCTION_INFO_V1(idem_money_avg_final);

typedef struct MoneySum
{
	int128		total;			/* millionths */
	int64		count;			/* amounts in it, NULLs not counted */
} MoneySum;

#define TEN_TO_18				INT64CONST(1000000000000000000)

/* Decimals of an average whose decimals never end. */
#define AVG_DECIMALS_MIN		12

/* Decimals shown of an average that needs fewer. */
#define AVG_DECIMALS_SHOWN		2

/* The state of a new group, in the memory the aggregate keeps. */
static MoneySum *
make_sum(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return MemoryContextAllocZero(context, sizeof(MoneySum));
}

static inline MoneySum *
get_sum(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : (MoneySum *) PG_GETARG_POINTER(arg);
}

Datum
idem_money_sum_add(PG_FUNCTION_ARGS)
{
	MoneySum   *sum = get_sum(fcinfo, 0);

	if (sum == NULL)
		sum = make_sum(fcinfo);
	if (!PG_ARGISNULL(1))
	{
		sum->total += PG_GETARG_MONEY_MICRO(1);
		sum->count++;
	}
	PG_RETURN_POINTER(sum);
}

Datum
idem_money_sum_remove(PG_FUNCTION_ARGS)
{
	MoneySum   *sum = get_sum(fcinfo, 0);

	if (sum == NULL)
		elog(ERROR, "amount taken out of a sum without state");
	if (!PG_ARGISNULL(1))
	{
		sum->total -= PG_GETARG_MONEY_MICRO(1);
		sum->count--;
	}
	PG_RETURN_POINTER(sum);
}

Datum
idem_money_sum_combine(PG_FUNCTION_ARGS)
{
	MoneySum   *sum = get_sum(fcinfo, 0);
	MoneySum   *other = get_sum(fcinfo, 1);

	if (sum == NULL)
		sum = make_sum(fcinfo);
	if (other != NULL)
	{
		sum->total += other->total;
		sum->count += other->count;
	}
	PG_RETURN_POINTER(sum);
}

/* count, upper and lower half of the total */
Datum
idem_money_sum_serialize(PG_FUNCTION_ARGS)
{
	MoneySum   *sum = (MoneySum *) PG_GETARG_POINTER(0);
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendint64(&message, sum->count);
	pq_sendint64(&message, (int64) (sum->total >> 64));
	pq_sendint64(&message, (int64) (uint64) sum->total);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

Datum
idem_money_sum_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *serialized = PG_GETARG_BYTEA_PP(0);
	MoneySum   *sum;
	StringInfoData message;
	uint64		upper;
	uint64		lower;

	if (!AggCheckCallContext(fcinfo, NULL))
		elog(ERROR, "aggregate function called in non-aggregate context");

	initStringInfo(&message);
	appendBinaryStringInfo(&message, VARDATA_ANY(serialized),
						   VARSIZE_ANY_EXHDR(serialized));
	sum = palloc0(sizeof(MoneySum));
	sum->count = pq_getmsgint64(&message);
	upper = (uint64) pq_getmsgint64(&message);
	lower = (uint64) pq_getmsgint64(&message);
	sum->total = (int128) (((uint128) upper << 64) | lower);
	pq_getmsgend(&message);
	pfree(message.data);
	PG_RETURN_POINTER(sum);
}

/* The sum, NULL over no amounts; it alone has to be within the range. */
Datum
idem_money_sum_final(PG_FUNCTION_ARGS)
{
	MoneySum   *sum = get_sum(fcinfo, 0);

	if (sum == NULL || sum->count == 0)
		PG_RETURN_NULL();
	if (unlikely(sum->total > IDEM_MONEY_MAX || sum->total < -IDEM_MONEY_MAX))
		idem_money_report_range();
	PG_RETURN_MONEY_MICRO((int64) sum->total);
}


/* ---------- average ---------- */

static Datum
numeric_with_scale(Datum number, int scale)
{
	return DirectFunctionCall2(numeric_round, number, Int32GetDatum(scale));
}

/* Without the zeros at the end, but with as many decimals as are shown. */
static Datum
drop_zeros(Datum number)
{
	Datum		trimmed = DirectFunctionCall1(numeric_trim_scale, number);
	Datum		zero = NumericGetDatum(int64_div_fast_to_numeric(0, AVG_DECIMALS_SHOWN));

	return DirectFunctionCall2(numeric_add, trimmed, zero);
}

static Datum
int128_get_numeric(int128 value)
{
	/* the upper part fits: a total is below count * 2^61 */
	Datum		upper = NumericGetDatum(int64_to_numeric((int64) (value / TEN_TO_18)));
	Datum		lower = NumericGetDatum(int64_to_numeric((int64) (value % TEN_TO_18)));
	Datum		factor = NumericGetDatum(int64_to_numeric(TEN_TO_18));

	return DirectFunctionCall2(numeric_add,
							   DirectFunctionCall2(numeric_mul, upper, factor),
							   lower);
}

/* Takes the factor out of the number; returns how often it was in there. */
static int
take_out(int64 *number, int64 factor)
{
	int			count = 0;

	while (*number % factor == 0)
	{
		*number /= factor;
		count++;
	}
	return count;
}

/*
 * How many decimals are enough for total / count, in units; -1 if they never
 * end.  Only twos and fives may be left below the line once the fraction is
 * reduced, and those of a millionth come on top.
 */
static int
count_decimals(int128 total, int64 count)
{
	int64		divisor = count;
	int64		a = (int64) (total % count);
	int			twos;
	int			fives;

	while (a != 0)				/* the common divisor ends up in divisor */
	{
		int64		rest = divisor % a;

		divisor = a;
		a = rest;
	}
	count /= divisor;
	twos = take_out(&count, 2);
	fives = take_out(&count, 5);
	if (count != 1 && count != -1)
		return -1;
	return IDEM_MONEY_DECIMALS + Max(twos, fives);
}

/*
 * The average, NULL over no amounts: exact where its decimals end, otherwise
 * with as many as numeric division gives, but not fewer than 12.
 */
Datum
idem_money_avg_final(PG_FUNCTION_ARGS)
{
	MoneySum   *sum = get_sum(fcinfo, 0);
	Datum		total;
	Datum		divisor;
	Datum		result;
	int			decimals;

	if (sum == NULL || sum->count == 0)
		PG_RETURN_NULL();

	decimals = count_decimals(sum->total, sum->count);
	total = int128_get_numeric(sum->total);
	divisor = DirectFunctionCall2(numeric_mul,
								  NumericGetDatum(int64_to_numeric(sum->count)),
								  NumericGetDatum(int64_to_numeric(IDEM_MONEY_UNIT)));

	/* division keeps at least the decimals of what it divides */
	total = numeric_with_scale(total, Max(decimals, AVG_DECIMALS_MIN));
	result = DirectFunctionCall2(numeric_div, total, divisor);
	if (decimals >= 0)
		result = drop_zeros(result);
	PG_RETURN_DATUM(result);
}
