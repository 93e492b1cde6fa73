/*
 * money_numeric.c
 *		Between money_micro and numeric: casts, + and -, ratio, exact
 *		comparison.
 *
 * A numeric becomes an amount, and is added to one, only if it is one: NaN,
 * infinities, more than six significant decimals and values outside the range
 * are refused with 22003.  There is no * with a numeric: it would have to
 * round, and amount * 2 would be ambiguous.
 *
 * Comparison is exact for every numeric, orders NaN as the server does (above
 * everything) and never raises an error.  So it is leakproof, and an index on
 * amounts serves "amount > 100".
 *
 * For speed, as in a filter on many rows, the digits of the numeric are read
 * in place.  Their layout is the one on disk, which cannot change without
 * breaking pg_upgrade, but no header of the server promises it.  So each
 * backend first reads some numerics with known values; if it reads one of them
 * wrongly, it uses the server's own functions instead.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "money/money.h"

PG_FUNCTION_INFO_V1(idem_money_from_numeric);
PG_FUNCTION_INFO_V1(idem_money_to_numeric);
PG_FUNCTION_INFO_V1(idem_money_to_json);
PG_FUNCTION_INFO_V1(idem_money_to_jsonb);
PG_FUNCTION_INFO_V1(idem_money_ratio);
PG_FUNCTION_INFO_V1(idem_money_plus_numeric);
PG_FUNCTION_INFO_V1(idem_numeric_plus_money);
PG_FUNCTION_INFO_V1(idem_money_minus_numeric);
PG_FUNCTION_INFO_V1(idem_numeric_minus_money);

/* Where a numeric lies, relative to the range of amounts. */
typedef enum NumericPlace
{
	NUMERIC_BELOW,				/* below every amount */
	NUMERIC_WITHIN,
	NUMERIC_ABOVE				/* above every amount, or not a number */
} NumericPlace;

typedef struct NumericReading
{
	NumericPlace place;
	bool		negative;
	int64		micros;			/* if within: cut off towards zero */
	bool		cut;			/* if within: something was cut off */
} NumericReading;

/* The header of a numeric on disk, see numeric.c of the server. */
#define HEADER_KIND(h)			((h) & 0xC000)
#define KIND_NEGATIVE			0x4000
#define KIND_SHORT				0x8000
#define KIND_SPECIAL			0xC000
#define SPECIAL_MINUS_INFINITY	0xF000
#define SHORT_NEGATIVE			0x2000
#define SHORT_WEIGHT(h)			((int) ((h) & 0x3F) - (int) ((h) & 0x40))
#define DIGIT_SIZE				2	/* one digit to base 10000 */

/* Digits with this weight are 10^12 each, the largest in any amount. */
#define WEIGHT_MAX				3
#define TOP_DIGIT_MAX			(IDEM_MONEY_WHOLE_MAX / INT64_C(1000000000000))

static int	compare_with_numeric(FunctionCallInfo fcinfo, int money_arg);
static int	compare_by_server(MoneyMicro amount, Datum number);
static bool layout_is_known(void);


/* ---------- reading the digits ---------- */

static inline uint16
read_uint16(const char *p)
{
	uint16		result;

	memcpy(&result, p, sizeof(result));
	return result;
}

/* Puts the digits together; sets place, micros and cut. */
static void
read_digits(const char *digits, int count, int weight, NumericReading *reading)
{
	NumericPlace outside = reading->negative ? NUMERIC_BELOW : NUMERIC_ABOVE;
	uint64		magnitude = 0;
	int			i;

	reading->place = NUMERIC_WITHIN;
	reading->micros = 0;
	reading->cut = false;
	if (count == 0)
		return;

	/* the first digit is never zero, so this bounds what follows */
	if (weight > WEIGHT_MAX ||
		(weight == WEIGHT_MAX && read_uint16(digits) > TOP_DIGIT_MAX))
	{
		reading->place = outside;
		return;
	}

	/* down to 10^-4, then the upper half of the next digit */
	for (i = 0; i <= weight + 1; i++)
		magnitude = magnitude * 10000 +
			(i < count ? read_uint16(digits + i * DIGIT_SIZE) : 0);
	magnitude *= 100;
	if (weight >= -2 && i < count)
	{
		uint16		digit = read_uint16(digits + i * DIGIT_SIZE);

		magnitude += digit / 100;
		reading->cut = (digit % 100 != 0);
		i++;
	}
	reading->cut = reading->cut || i < count;

	if (magnitude > (uint64) IDEM_MONEY_MAX)
		reading->place = outside;
	reading->micros =
		reading->negative ? -(int64) magnitude : (int64) magnitude;
}

/* The value of a numeric, which may be packed but not compressed. */
static NumericReading
read_numeric(struct varlena *number)
{
	const char *data = VARDATA_ANY(number);
	int			size = VARSIZE_ANY_EXHDR(number);
	uint16		header = read_uint16(data);
	NumericReading reading = {0};

	if (HEADER_KIND(header) == KIND_SPECIAL)
		reading.place = (header == SPECIAL_MINUS_INFINITY) ?
			NUMERIC_BELOW : NUMERIC_ABOVE;
	else if (HEADER_KIND(header) == KIND_SHORT)
	{
		reading.negative = (header & SHORT_NEGATIVE) != 0;
		read_digits(data + 2, (size - 2) / DIGIT_SIZE, SHORT_WEIGHT(header),
					&reading);
	}
	else
	{
		reading.negative = (HEADER_KIND(header) == KIND_NEGATIVE);
		read_digits(data + 4, (size - 4) / DIGIT_SIZE,
					(int16) read_uint16(data + 2), &reading);
	}
	return reading;
}

/* Does this server store numerics the way they are read above? */
static bool
check_layout(void)
{
	static const struct
	{
		const char *str;
		NumericPlace place;
		int64		micros;
		bool		cut;
	}			samples[] =
	{
		{"0", NUMERIC_WITHIN, 0, false},
		{"1", NUMERIC_WITHIN, 1000000, false},
		{"-0.000001", NUMERIC_WITHIN, -1, false},
		{"0.0000001", NUMERIC_WITHIN, 0, true},
		{"-1e-300", NUMERIC_WITHIN, 0, true},
		{"-123456789.987654", NUMERIC_WITHIN, INT64CONST(-123456789987654), false},
		{"2305843009213.693951", NUMERIC_WITHIN, IDEM_MONEY_MAX, false},
		{"2305843009213.693952", NUMERIC_ABOVE, 0, false},
		{"-1e300", NUMERIC_BELOW, 0, false},
		{"NaN", NUMERIC_ABOVE, 0, false},
		{"Infinity", NUMERIC_ABOVE, 0, false},
		{"-Infinity", NUMERIC_BELOW, 0, false}
	};
	int			i;

	for (i = 0; i < lengthof(samples); i++)
	{
		Datum		number = DirectFunctionCall3(numeric_in,
												 CStringGetDatum(samples[i].str),
												 ObjectIdGetDatum(InvalidOid),
												 Int32GetDatum(-1));
		NumericReading reading =
			read_numeric((struct varlena *) DatumGetPointer(number));

		pfree(DatumGetPointer(number));
		if (reading.place != samples[i].place)
			return false;
		if (reading.place == NUMERIC_WITHIN &&
			(reading.micros != samples[i].micros ||
			 reading.cut != samples[i].cut))
			return false;
	}
	return true;
}

static bool
layout_is_known(void)
{
	static int	known = -1;		/* not yet checked in this backend */

	if (unlikely(known < 0))
		known = check_layout();
	return known;
}


/* ---------- casts ---------- */

/* The exact value of a numeric through its text, whatever its layout. */
static bool
from_numeric_by_server(Datum number, int64 *micros)
{
	char	   *str = DatumGetCString(DirectFunctionCall1(numeric_out, number));

	return idem_money_parse(str, strlen(str), micros) == IDEM_MONEY_OK;
}

/* True if the numeric is an amount; it may be packed but not compressed. */
bool
idem_money_from_numeric_exact(struct varlena *number, int64 *micros)
{
	NumericReading reading;

	if (unlikely(!layout_is_known()))
		return from_numeric_by_server(PointerGetDatum(number), micros);

	reading = read_numeric(number);
	*micros = reading.micros;
	return reading.place == NUMERIC_WITHIN && !reading.cut;
}

/* The amount that is equal to a numeric argument; 22003 if there is none. */
static MoneyMicro
amount_of_argument(FunctionCallInfo fcinfo, int arg)
{
	struct varlena *number = PG_GETARG_VARLENA_PP(arg);
	int64		amount;

	if (unlikely(!idem_money_from_numeric_exact(number, &amount)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("numeric value %s is not exactly representable as money_micro",
						DatumGetCString(DirectFunctionCall1(numeric_out,
															PointerGetDatum(number)))),
				 errdetail("An amount has at most %d decimals and is less than 2^61 millionths.",
						   IDEM_MONEY_DECIMALS)));
	return amount;
}

/*
 * The amount of a numeric; 22003 if it has more than six decimals or is too
 * large
 */
Datum
idem_money_from_numeric(PG_FUNCTION_ARGS)
{
	PG_RETURN_MONEY_MICRO(amount_of_argument(fcinfo, 0));
}

/* The amount as a numeric of six decimals at most, exactly */
Datum
idem_money_to_numeric(PG_FUNCTION_ARGS)
{
	PG_RETURN_NUMERIC(int64_div_fast_to_numeric(PG_GETARG_MONEY_MICRO(0),
												IDEM_MONEY_DECIMALS));
}

/* A bare JSON number with the digits of the text form. */
Datum
idem_money_to_json(PG_FUNCTION_ARGS)
{
	char		str[IDEM_MONEY_TEXT_SIZE];
	size_t		length = idem_money_format(PG_GETARG_MONEY_MICRO(0), str);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(str, (int) length));
}

/* The amount as a number in JSON */
Datum
idem_money_to_jsonb(PG_FUNCTION_ARGS)
{
	char		str[IDEM_MONEY_TEXT_SIZE];
	JsonbValue	value;

	idem_money_format(PG_GETARG_MONEY_MICRO(0), str);
	value.type = jbvNumeric;
	value.val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in,
															CStringGetDatum(str),
															ObjectIdGetDatum(InvalidOid),
															Int32GetDatum(-1)));
	PG_RETURN_JSONB_P(JsonbValueToJsonb(&value));
}

/*
 * How many times one amount is the other; the units cancel out.  Divided as
 * numerics with the decimals of amounts, so that a large ratio has decimals,
 * too.
 */
Datum
idem_money_ratio(PG_FUNCTION_ARGS)
{
	Numeric		dividend = int64_div_fast_to_numeric(PG_GETARG_MONEY_MICRO(0),
													 IDEM_MONEY_DECIMALS);
	Numeric		divisor = int64_div_fast_to_numeric(PG_GETARG_MONEY_MICRO(1),
													IDEM_MONEY_DECIMALS);

	PG_RETURN_DATUM(DirectFunctionCall2(numeric_div,
										NumericGetDatum(dividend),
										NumericGetDatum(divisor)));
}


/* ---------- + and - with a numeric that is an amount ---------- */

static MoneyMicro
add(MoneyMicro a, MoneyMicro b)
{
	int64		result;

	if (unlikely(idem_money_add_overflow(a, b, &result)))
		idem_money_report_range();
	return result;
}

/* amount + numeric; 22003 if the numeric or the sum is no amount, as below */
Datum
idem_money_plus_numeric(PG_FUNCTION_ARGS)
{
	PG_RETURN_MONEY_MICRO(add(PG_GETARG_MONEY_MICRO(0),
							  amount_of_argument(fcinfo, 1)));
}

/* numeric + amount */
Datum
idem_numeric_plus_money(PG_FUNCTION_ARGS)
{
	PG_RETURN_MONEY_MICRO(add(amount_of_argument(fcinfo, 0),
							  PG_GETARG_MONEY_MICRO(1)));
}

/* amount - numeric */
Datum
idem_money_minus_numeric(PG_FUNCTION_ARGS)
{
	PG_RETURN_MONEY_MICRO(add(PG_GETARG_MONEY_MICRO(0),
							  -amount_of_argument(fcinfo, 1)));
}

/* numeric - amount */
Datum
idem_numeric_minus_money(PG_FUNCTION_ARGS)
{
	PG_RETURN_MONEY_MICRO(add(amount_of_argument(fcinfo, 0),
							  -PG_GETARG_MONEY_MICRO(1)));
}


/* ---------- comparison ---------- */

/* -1, 0 or 1: the amount against the numeric that was read. */
static int
compare_with_reading(MoneyMicro amount, const NumericReading *reading)
{
	if (reading->place == NUMERIC_ABOVE)
		return -1;
	if (reading->place == NUMERIC_BELOW)
		return 1;
	if (amount != reading->micros)
		return amount < reading->micros ? -1 : 1;
	if (reading->cut)
		return reading->negative ? 1 : -1;
	return 0;
}

static int
compare_by_server(MoneyMicro amount, Datum number)
{
	Numeric		converted = int64_div_fast_to_numeric(amount,
													  IDEM_MONEY_DECIMALS);
	int			result;

	result = DatumGetInt32(DirectFunctionCall2(numeric_cmp,
											   NumericGetDatum(converted),
											   number));
	pfree(converted);			/* an index search must not leak */
	return result;
}

/* The money argument of a comparison function against the other one. */
static int
compare_with_numeric(FunctionCallInfo fcinfo, int money_arg)
{
	MoneyMicro	amount = PG_GETARG_MONEY_MICRO(money_arg);
	int			number_arg = 1 - money_arg;
	struct varlena *number = PG_GETARG_VARLENA_PP(number_arg);
	int			result;

	if (likely(layout_is_known()))
	{
		NumericReading reading = read_numeric(number);

		result = compare_with_reading(amount, &reading);
	}
	else
		result = compare_by_server(amount, PointerGetDatum(number));

	PG_FREE_IF_COPY(number, number_arg);
	return result;
}

#define MONEY_COMPARES_NUMERIC(name, operator) \
PG_FUNCTION_INFO_V1(idem_money_##name##_numeric); \
Datum \
idem_money_##name##_numeric(PG_FUNCTION_ARGS) \
{ \
	PG_RETURN_BOOL(compare_with_numeric(fcinfo, 0) operator 0); \
} \
extern Datum idem_money_##name##_numeric(PG_FUNCTION_ARGS)

#define NUMERIC_COMPARES_MONEY(name, operator) \
PG_FUNCTION_INFO_V1(idem_numeric_##name##_money); \
Datum \
idem_numeric_##name##_money(PG_FUNCTION_ARGS) \
{ \
	PG_RETURN_BOOL(0 operator compare_with_numeric(fcinfo, 1)); \
} \
extern Datum idem_numeric_##name##_money(PG_FUNCTION_ARGS)

MONEY_COMPARES_NUMERIC(eq, ==);
MONEY_COMPARES_NUMERIC(ne, !=);
MONEY_COMPARES_NUMERIC(lt, <);
MONEY_COMPARES_NUMERIC(le, <=);
MONEY_COMPARES_NUMERIC(gt, >);
MONEY_COMPARES_NUMERIC(ge, >=);

NUMERIC_COMPARES_MONEY(eq, ==);
NUMERIC_COMPARES_MONEY(ne, !=);
NUMERIC_COMPARES_MONEY(lt, <);
NUMERIC_COMPARES_MONEY(le, <=);
NUMERIC_COMPARES_MONEY(gt, >);
NUMERIC_COMPARES_MONEY(ge, >=);

PG_FUNCTION_INFO_V1(idem_money_cmp_numeric);
PG_FUNCTION_INFO_V1(idem_numeric_cmp_money);

/* -1, 0 or 1: the amount against the numeric, whatever that is */
Datum
idem_money_cmp_numeric(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_with_numeric(fcinfo, 0));
}

/* -1, 0 or 1: the numeric against the amount */
Datum
idem_numeric_cmp_money(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(-compare_with_numeric(fcinfo, 1));
}
