/*
 * money_round.c
 *		Rounding, multiplying and dividing by a rule that the caller names.
 *
 * The exact result is compared with its two neighbours once: nothing is
 * rounded on the way, so 0.5 is a half and 0.4999...9 is below it, however
 * many nines there are.
 *
 * Numbers that are amounts themselves (up to six decimals: rates, prices,
 * shares) are handled in 128 bits; any other numeric takes the server's exact
 * operations, with the same result.
 *
 * A rule is a value of the enum idem.rounding_mode, so that a misspelled one
 * is refused while the statement is parsed.  The server passes the OID of the
 * value, whose name is looked up once a statement.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_enum.h"
#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/syscache.h"

#include "money/money.h"
#include "money/money_share.h"

PG_FUNCTION_INFO_V1(idem_money_round);
PG_FUNCTION_INFO_V1(idem_money_round_numeric);
PG_FUNCTION_INFO_V1(idem_money_multiply_rounded);
PG_FUNCTION_INFO_V1(idem_money_divide_rounded);

/* What a function remembers of its last call. */
typedef struct RoundingCache
{
	Oid			value;			/* of the enum */
	IdemRounding rounding;
} RoundingCache;

static IdemRounding get_rounding(FunctionCallInfo fcinfo, int arg);
static int	get_scale(FunctionCallInfo fcinfo, int arg);
static MoneyMicro rounded(IdemMoneyStatus status, MoneyMicro amount, int scale);
static MoneyMicro round_ratio(Datum dividend, Datum divisor, int scale,
							  IdemRounding rounding);
static void check_number(Datum number);


/* ---------- the functions ---------- */

Datum
idem_money_round(PG_FUNCTION_ARGS)
{
	MoneyMicro	amount = PG_GETARG_MONEY_MICRO(0);
	int			scale = get_scale(fcinfo, 1);
	IdemRounding rounding = get_rounding(fcinfo, 2);
	IdemMoneyStatus status;

	status = idem_money_round_ratio(amount, idem_money_unit_of_scale(scale),
									scale, rounding, &amount);
	PG_RETURN_MONEY_MICRO(rounded(status, amount, scale));
}

/*
 * (numeric, scale, mode): the numeric rounded once to an amount of scale
 * decimals
 */
Datum
idem_money_round_numeric(PG_FUNCTION_ARGS)
{
	struct varlena *number = PG_GETARG_VARLENA_PP(0);
	int			scale = get_scale(fcinfo, 1);
	IdemRounding rounding = get_rounding(fcinfo, 2);
	int64		amount;
	IdemMoneyStatus status;

	if (!idem_money_from_numeric_exact(number, &amount))
	{
		/* units of 10^-scale: number / 10^-scale */
		Datum		unit = NumericGetDatum(int64_div_fast_to_numeric(1, scale));

		check_number(PointerGetDatum(number));
		PG_RETURN_MONEY_MICRO(round_ratio(PointerGetDatum(number), unit,
										  scale, rounding));
	}
	status = idem_money_round_ratio(amount, idem_money_unit_of_scale(scale),
									scale, rounding, &amount);
	PG_RETURN_MONEY_MICRO(rounded(status, amount, scale));
}

/*
 * (amount, factor, scale, mode): their product, rounded once from its exact
 * value
 */
Datum
idem_money_multiply_rounded(PG_FUNCTION_ARGS)
{
	MoneyMicro	amount = PG_GETARG_MONEY_MICRO(0);
	struct varlena *factor = PG_GETARG_VARLENA_PP(1);
	int			scale = get_scale(fcinfo, 2);
	IdemRounding rounding = get_rounding(fcinfo, 3);
	int64		unit = idem_money_unit_of_scale(scale);
	int64		factor_micros;
	IdemMoneyStatus status;

	if (!idem_money_from_numeric_exact(factor, &factor_micros))
	{
		/* the millionths are whole, so the product has the factor's decimals */
		Datum		micros = NumericGetDatum(int64_to_numeric(amount));

		check_number(PointerGetDatum(factor));
		PG_RETURN_MONEY_MICRO(round_ratio(DirectFunctionCall2(numeric_mul,
															  micros,
															  PointerGetDatum(factor)),
										  NumericGetDatum(int64_to_numeric(unit)),
										  scale, rounding));
	}
	status = idem_money_round_ratio((IdemInt128) amount * factor_micros,
									(IdemInt128) IDEM_MONEY_UNIT * unit,
									scale, rounding, &amount);
	PG_RETURN_MONEY_MICRO(rounded(status, amount, scale));
}

/*
 * (amount, divisor, scale, mode): their quotient, rounded once from its exact
 * value; 22012 for zero
 */
Datum
idem_money_divide_rounded(PG_FUNCTION_ARGS)
{
	MoneyMicro	amount = PG_GETARG_MONEY_MICRO(0);
	struct varlena *divisor = PG_GETARG_VARLENA_PP(1);
	int			scale = get_scale(fcinfo, 2);
	IdemRounding rounding = get_rounding(fcinfo, 3);
	int64		divisor_micros;
	IdemMoneyStatus status;

	if (!idem_money_from_numeric_exact(divisor, &divisor_micros))
	{
		/* units of 10^-scale: the point moves, no digit is lost */
		Datum		units = NumericGetDatum(int64_div_fast_to_numeric(amount,
																	  IDEM_MONEY_DECIMALS - scale));

		check_number(PointerGetDatum(divisor));
		PG_RETURN_MONEY_MICRO(round_ratio(units, PointerGetDatum(divisor),
										  scale, rounding));
	}
	if (divisor_micros == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DIVISION_BY_ZERO),
				 errmsg("division by zero")));
	status = idem_money_round_ratio((IdemInt128) amount * IDEM_MONEY_UNIT,
									(IdemInt128) divisor_micros *
									idem_money_unit_of_scale(scale),
									scale, rounding, &amount);
	PG_RETURN_MONEY_MICRO(rounded(status, amount, scale));
}


/* ---------- arguments and results ---------- */

static IdemRounding
look_up_rounding(Oid value)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum(value));
	IdemRounding rounding;
	const char *label;
	bool		known;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for enum value %u", value);
	label = NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel);
	known = idem_money_rounding(label, &rounding);
	ReleaseSysCache(tuple);
	if (!known)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rounding mode is not one of idem's")));
	return rounding;
}

static IdemRounding
get_rounding(FunctionCallInfo fcinfo, int arg)
{
	Oid			value = PG_GETARG_OID(arg);
	RoundingCache *cache = fcinfo->flinfo->fn_extra;

	if (cache == NULL)
	{
		cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt,
									   sizeof(RoundingCache));
		fcinfo->flinfo->fn_extra = cache;
	}
	if (cache->value != value)
	{
		cache->rounding = look_up_rounding(value);
		cache->value = value;
	}
	return cache->rounding;
}

static int
get_scale(FunctionCallInfo fcinfo, int arg)
{
	int			scale = PG_GETARG_INT32(arg);

	idem_money_check_decimals(scale);
	return scale;
}

/* The amount, or the error for it. */
static MoneyMicro
rounded(IdemMoneyStatus status, MoneyMicro amount, int scale)
{
	if (unlikely(status == IDEM_MONEY_TOO_FINE))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("rounding is necessary to keep %d decimals", scale),
				 errdetail("Rounding mode \"unnecessary\" keeps exact results only.")));
	if (unlikely(status != IDEM_MONEY_OK))
		idem_money_report_range();
	return amount;
}


/* ---------- any numeric ---------- */

static void
check_number(Datum number)
{
	if (numeric_is_nan(DatumGetNumeric(number)) ||
		numeric_is_inf(DatumGetNumeric(number)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s is not a number of money_micro",
						DatumGetCString(DirectFunctionCall1(numeric_out,
															number)))));
}

static int
sign_of(Datum number)
{
	Datum		zero = NumericGetDatum(int64_to_numeric(0));

	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, number, zero));
}

/* The remainder of the dividend, compared with half of the divisor. */
static IdemMoneyRest
compare_rest(Datum dividend, Datum divisor, Datum units)
{
	Datum		rest;
	Datum		twice;
	int			order;

	rest = DirectFunctionCall2(numeric_sub, dividend,
							   DirectFunctionCall2(numeric_mul, units,
												   divisor));
	if (sign_of(rest) == 0)
		return IDEM_REST_NONE;

	twice = DirectFunctionCall1(numeric_abs,
								DirectFunctionCall2(numeric_add, rest, rest));
	order = DatumGetInt32(DirectFunctionCall2(numeric_cmp, twice,
											  DirectFunctionCall1(numeric_abs,
																  divisor)));
	if (order == 0)
		return IDEM_REST_HALF;
	return order < 0 ? IDEM_REST_BELOW_HALF : IDEM_REST_ABOVE_HALF;
}

/* dividend / divisor units of 10^-scale, rounded. */
static MoneyMicro
round_ratio(Datum dividend, Datum divisor, int scale, IdemRounding rounding)
{
	bool		negative = (sign_of(dividend) < 0) != (sign_of(divisor) < 0);
	Datum		units =
		DirectFunctionCall2(numeric_div_trunc, dividend, divisor);
	char	   *str = DatumGetCString(DirectFunctionCall1(numeric_out, units));
	int64		unit = idem_money_unit_of_scale(scale);
	int64		amount = 0;
	IdemMoneyStatus status;
	bool		away;

	if (idem_money_parse_scaled(str, strlen(str), scale,
								&amount) != IDEM_MONEY_OK)
		idem_money_report_range();

	status =
		idem_money_round_away(rounding, compare_rest(dividend, divisor, units),
							  negative, amount / unit % 2 != 0, &away);
	if (away)
		amount += negative ? -unit : unit;
	if (status == IDEM_MONEY_OK && !idem_money_in_range(amount))
		status = IDEM_MONEY_OUT_OF_RANGE;
	return rounded(status, amount, scale);
}
