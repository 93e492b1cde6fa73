/*
 * money_sum.c
 *		sum and avg over money_micro.
 *
 * The state adds up in 128 bits: amounts are below 2^61, so the 2^63 rows that
 * a server can count do not overflow it.  Hence the order of the rows does not
 * matter, rows that leave a window frame can be taken out again, and only the
 * final result has to fit.
 *
 * idem.sum(amount, currency) adds in the same way and refuses a second
 * currency with 22023, even if its amounts would cancel out or another worker
 * saw them.
 */
#include "postgres.h"

#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "base/idem_compat.h"
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
PG_FUNCTION_INFO_V1(idem_money_sum_currency_add);
PG_FUNCTION_INFO_V1(idem_money_sum_currency_remove);
PG_FUNCTION_INFO_V1(idem_money_sum_currency_combine);
PG_FUNCTION_INFO_V1(idem_money_sum_currency_serialize);
PG_FUNCTION_INFO_V1(idem_money_sum_currency_deserialize);

typedef struct MoneySum
{
	int128		total;			/* millionths */
	int64		count;			/* amounts in it, NULLs not counted */
} MoneySum;

/* A sum of one currency: also a MoneySum, for the final function. */
typedef struct CurrencySum
{
	MoneySum	sum;			/* must be first */
	text	   *currency;		/* of all amounts in it, NULL if there are
								 * none */
} CurrencySum;

#define TEN_TO_18				INT64CONST(1000000000000000000)

/* Decimals of an average whose decimals never end. */
#define AVG_DECIMALS_MIN		12

/* Decimals shown of an average that needs fewer. */
#define AVG_DECIMALS_SHOWN		2

/* The memory that lives as long as the states of the aggregate. */
static MemoryContext
get_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "aggregate function called in non-aggregate context");
	return context;
}

static MoneySum *
make_sum(FunctionCallInfo fcinfo)
{
	return MemoryContextAllocZero(get_context(fcinfo), sizeof(MoneySum));
}

static inline MoneySum *
get_sum(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : (MoneySum *) PG_GETARG_POINTER(arg);
}

/*
 * Transition function: an amount more; the state may be NULL, the amount too.
 */
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

/* Inverse transition function: an amount that leaves the window frame */
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

/* Combine function: what another worker added up */
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
static void
write_sum(StringInfo message, const MoneySum *sum)
{
	pq_sendint64(message, sum->count);
	pq_sendint64(message, (int64) (sum->total >> 64));
	pq_sendint64(message, (int64) (uint64) sum->total);
}

static void
read_sum(StringInfo message, MoneySum *sum)
{
	uint64		upper;
	uint64		lower;

	sum->count = pq_getmsgint64(message);
	upper = (uint64) pq_getmsgint64(message);
	lower = (uint64) pq_getmsgint64(message);
	sum->total = (int128) (((uint128) upper << 64) | lower);
}

/* The bytes of a serialized state, to be read as a message. */
static void
open_message(StringInfo message, bytea *serialized)
{
	initStringInfo(message);
	appendBinaryStringInfo(message, VARDATA_ANY(serialized),
						   VARSIZE_ANY_EXHDR(serialized));
}

/* A state, for another process */
Datum
idem_money_sum_serialize(PG_FUNCTION_ARGS)
{
	MoneySum   *sum = (MoneySum *) PG_GETARG_POINTER(0);
	StringInfoData message;

	(void) get_context(fcinfo);
	pq_begintypsend(&message);
	write_sum(&message, sum);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* A state that another process has serialized */
Datum
idem_money_sum_deserialize(PG_FUNCTION_ARGS)
{
	MoneySum   *sum;
	StringInfoData message;

	(void) get_context(fcinfo);
	open_message(&message, PG_GETARG_BYTEA_PP(0));
	sum = palloc0(sizeof(MoneySum));
	read_sum(&message, sum);
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


/* ---------- sum of one currency ---------- */

/* The state of the aggregate, made for the first row. */
static CurrencySum *
get_currency_sum(FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(0))
		return (CurrencySum *) PG_GETARG_POINTER(0);
	return MemoryContextAllocZero(get_context(fcinfo), sizeof(CurrencySum));
}

/* The currency of the sum is the one given from now on, or was it before. */
static void
keep_currency(FunctionCallInfo fcinfo, CurrencySum *state, text *currency)
{
	Size		length = VARSIZE_ANY_EXHDR(currency);

	if (state->currency == NULL)
	{
		state->currency = MemoryContextAlloc(get_context(fcinfo),
											 length + VARHDRSZ);
		SET_VARSIZE(state->currency, length + VARHDRSZ);
		memcpy(VARDATA(state->currency), VARDATA_ANY(currency), length);
	}
	else if (unlikely(VARSIZE_ANY_EXHDR(state->currency) != length ||
					  memcmp(VARDATA(state->currency), VARDATA_ANY(currency),
							 length) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("amounts of different currencies cannot be added: \"%s\" and \"%s\"",
						text_to_cstring(state->currency),
						text_to_cstring(currency)),
				 errhint("Group by the currency.")));
}

/* A row without an amount adds nothing; an amount needs a currency. */
Datum
idem_money_sum_currency_add(PG_FUNCTION_ARGS)
{
	CurrencySum *state = get_currency_sum(fcinfo);

	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("currency of an amount must not be null")));

	keep_currency(fcinfo, state, PG_GETARG_TEXT_PP(2));
	state->sum.total += PG_GETARG_MONEY_MICRO(1);
	state->sum.count++;
	PG_RETURN_POINTER(state);
}

/*
 * Inverse transition function; the currency stays while an amount is in the
 * state.
 */
Datum
idem_money_sum_currency_remove(PG_FUNCTION_ARGS)
{
	CurrencySum *state = get_currency_sum(fcinfo);

	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	state->sum.total -= PG_GETARG_MONEY_MICRO(1);
	state->sum.count--;
	if (state->sum.count == 0)
	{
		/* the next frame may be of another currency */
		pfree(state->currency);
		state->currency = NULL;
	}
	PG_RETURN_POINTER(state);
}

/* Combine function; 22023 for states of two currencies */
Datum
idem_money_sum_currency_combine(PG_FUNCTION_ARGS)
{
	CurrencySum *state = get_currency_sum(fcinfo);
	CurrencySum *other;

	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(state);
	other = (CurrencySum *) PG_GETARG_POINTER(1);
	if (other->currency != NULL)
		keep_currency(fcinfo, state, other->currency);
	state->sum.total += other->sum.total;
	state->sum.count += other->sum.count;
	PG_RETURN_POINTER(state);
}

/* the sum, then the bytes of its currency if there is an amount in it */
Datum
idem_money_sum_currency_serialize(PG_FUNCTION_ARGS)
{
	CurrencySum *state = (CurrencySum *) PG_GETARG_POINTER(0);
	StringInfoData message;

	(void) get_context(fcinfo);
	pq_begintypsend(&message);
	write_sum(&message, &state->sum);
	if (state->currency != NULL)
		pq_sendbytes(&message, VARDATA(state->currency),
					 VARSIZE_ANY_EXHDR(state->currency));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* A state that another process has serialized */
Datum
idem_money_sum_currency_deserialize(PG_FUNCTION_ARGS)
{
	CurrencySum *state;
	StringInfoData message;

	(void) get_context(fcinfo);
	open_message(&message, PG_GETARG_BYTEA_PP(0));
	state = palloc0(sizeof(CurrencySum));
	read_sum(&message, &state->sum);
	if (state->sum.count > 0)
	{
		int			length = message.len - message.cursor;

		state->currency =
			cstring_to_text_with_len(pq_getmsgbytes(&message, length),
									 length);
	}
	pq_getmsgend(&message);
	pfree(message.data);
	PG_RETURN_POINTER(state);
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
	Datum		zero =
		NumericGetDatum(int64_div_fast_to_numeric(0, AVG_DECIMALS_SHOWN));

	return DirectFunctionCall2(numeric_add, trimmed, zero);
}

static Datum
int128_get_numeric(int128 value)
{
	/* the upper part fits: a total is below count * 2^61 */
	Datum		upper =
		NumericGetDatum(int64_to_numeric((int64) (value / TEN_TO_18)));
	Datum		lower =
		NumericGetDatum(int64_to_numeric((int64) (value % TEN_TO_18)));
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
