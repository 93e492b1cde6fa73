/*
 * money.c
 *		The type money_micro: input, output, arithmetic.
 *
 * Two rules decide everything here: nothing is rounded, and a unit is never
 * guessed.  What cannot be represented exactly is refused: text that is not
 * an amount or says more than six decimals with 22P02, every result outside
 * the range with 22003, division by zero with 22012.
 *
 * Comparison, hashing, sort support, sign, absolute value and remainder are
 * the server's own functions for bigint (see money.sql): an amount is one,
 * and within the range none of them can overflow.
 *
 * On the wire an amount is the 8 bytes of the count of millionths, network
 * order.  Text sent there by mistake has a first byte of 0x20 or more, which
 * is outside the range, and is refused.
 */
#include "postgres.h"

#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "money/money.h"

PG_FUNCTION_INFO_V1(idem_money_in);
PG_FUNCTION_INFO_V1(idem_money_out);
PG_FUNCTION_INFO_V1(idem_money_recv);
PG_FUNCTION_INFO_V1(idem_money_send);
PG_FUNCTION_INFO_V1(idem_money_typmod_in);
PG_FUNCTION_INFO_V1(idem_money_typmod_out);
PG_FUNCTION_INFO_V1(idem_money_typmod);
PG_FUNCTION_INFO_V1(idem_money_add);
PG_FUNCTION_INFO_V1(idem_money_sub);
PG_FUNCTION_INFO_V1(idem_money_mul);
PG_FUNCTION_INFO_V1(idem_money_mul_left);
PG_FUNCTION_INFO_V1(idem_money_div);

static bool fits_typmod(MoneyMicro amount, int32 typmod);
static void check_typmod(MoneyMicro amount, int32 typmod);
static MoneyMicro multiply(MoneyMicro amount, int64 factor);


/* ---------- for the other rooms ---------- */

char *
idem_money_to_cstring(MoneyMicro amount)
{
	char		text[IDEM_MONEY_TEXT_SIZE];
	size_t		length = idem_money_format(amount, text);
	char	   *result = palloc(length + 1);

	memcpy(result, text, length + 1);
	return result;
}

void
idem_money_report_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("money_micro out of range")));
}

void
idem_money_check_decimals(int decimals)
{
	if (decimals < 0 || decimals > IDEM_MONEY_DECIMALS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scale %d must be between 0 and %d",
						decimals, IDEM_MONEY_DECIMALS)));
}

Oid
idem_money_type(void)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum("money_micro"),
									   ObjectIdGetDatum(PG_CATALOG_NAMESPACE));

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type \"pg_catalog.money_micro\" does not exist"),
				 errhint("Create the extension idem in this database.")));
	return type;
}


/* ---------- input and output ---------- */

Datum
idem_money_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	int64		amount = 0;

	if (likely(idem_money_parse_plain(text, &amount) && typmod < 0))
		PG_RETURN_MONEY_MICRO(amount);

	switch (idem_money_parse(text, strlen(text), &amount))
	{
		case IDEM_MONEY_OK:
			break;
		case IDEM_MONEY_OUT_OF_RANGE:
			ereturn(fcinfo->context, (Datum) 0,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value \"%s\" is out of range for type money_micro",
							text)));
		case IDEM_MONEY_TOO_FINE:
			ereturn(fcinfo->context, (Datum) 0,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("value \"%s\" for type money_micro has more than %d decimals",
							text, IDEM_MONEY_DECIMALS),
					 errhint("Round it by a rule of your choice first; money_micro never rounds.")));
		default:
			ereturn(fcinfo->context, (Datum) 0,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid input syntax for type money_micro: \"%s\"",
							text)));
	}

	if (!fits_typmod(amount, typmod))
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value %s has more decimals than money_micro(%d) allows",
						idem_money_to_cstring(amount), typmod)));
	PG_RETURN_MONEY_MICRO(amount);
}

Datum
idem_money_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(idem_money_to_cstring(PG_GETARG_MONEY_MICRO(0)));
}

Datum
idem_money_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int32		typmod = PG_GETARG_INT32(2);
	int64		amount = pq_getmsgint64(message);

	if (!idem_money_in_range(amount))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("binary value is out of range for type money_micro"),
				 errhint("The binary form is the number of millionths as an 8-byte integer in network byte order; text has to be sent in text format.")));
	check_typmod(amount, typmod);
	PG_RETURN_MONEY_MICRO(amount);
}

Datum
idem_money_send(PG_FUNCTION_ARGS)
{
	StringInfoData message;

	pq_begintypsend(&message);
	pq_sendint64(&message, PG_GETARG_MONEY_MICRO(0));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}


/* ---------- money_micro(n): at most n decimals ---------- */

/* The type modifier is the number of decimals itself, -1 for any. */
Datum
idem_money_typmod_in(PG_FUNCTION_ARGS)
{
	ArrayType  *modifiers = PG_GETARG_ARRAYTYPE_P(0);
	int			count;
	int32	   *values = ArrayGetIntegerTypmods(modifiers, &count);

	if (count != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("money_micro takes one type modifier, the number of decimals")));
	if (values[0] < 0 || values[0] > IDEM_MONEY_DECIMALS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of decimals %d of money_micro must be between 0 and %d",
						values[0], IDEM_MONEY_DECIMALS)));
	PG_RETURN_INT32(values[0]);
}

Datum
idem_money_typmod_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(psprintf("(%d)", PG_GETARG_INT32(0)));
}

/* The cast from money_micro to money_micro(n). */
Datum
idem_money_typmod(PG_FUNCTION_ARGS)
{
	MoneyMicro	amount = PG_GETARG_MONEY_MICRO(0);

	check_typmod(amount, PG_GETARG_INT32(1));
	PG_RETURN_MONEY_MICRO(amount);
}

static bool
fits_typmod(MoneyMicro amount, int32 typmod)
{
	return typmod < 0 || typmod > IDEM_MONEY_DECIMALS ||
		idem_money_has_decimals(amount, typmod);
}

static void
check_typmod(MoneyMicro amount, int32 typmod)
{
	if (unlikely(!fits_typmod(amount, typmod)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value %s has more decimals than money_micro(%d) allows",
						idem_money_to_cstring(amount), typmod)));
}


/* ---------- arithmetic ---------- */

Datum
idem_money_add(PG_FUNCTION_ARGS)
{
	MoneyMicro	a = PG_GETARG_MONEY_MICRO(0);
	MoneyMicro	b = PG_GETARG_MONEY_MICRO(1);
	int64		result;

	if (unlikely(idem_money_add_overflow(a, b, &result)))
		idem_money_report_range();
	PG_RETURN_MONEY_MICRO(result);
}

Datum
idem_money_sub(PG_FUNCTION_ARGS)
{
	MoneyMicro	a = PG_GETARG_MONEY_MICRO(0);
	MoneyMicro	b = PG_GETARG_MONEY_MICRO(1);
	int64		result;

	if (unlikely(idem_money_sub_overflow(a, b, &result)))
		idem_money_report_range();
	PG_RETURN_MONEY_MICRO(result);
}

Datum
idem_money_mul(PG_FUNCTION_ARGS)
{
	PG_RETURN_MONEY_MICRO(multiply(PG_GETARG_MONEY_MICRO(0),
								   PG_GETARG_INT64(1)));
}

Datum
idem_money_mul_left(PG_FUNCTION_ARGS)
{
	PG_RETURN_MONEY_MICRO(multiply(PG_GETARG_MONEY_MICRO(1),
								   PG_GETARG_INT64(0)));
}

static MoneyMicro
multiply(MoneyMicro amount, int64 factor)
{
	int64		result;

	if (unlikely(idem_money_mul_overflow(amount, factor, &result)))
		idem_money_report_range();
	return result;
}

/* An amount divided by a whole number, if that leaves nothing over. */
Datum
idem_money_div(PG_FUNCTION_ARGS)
{
	MoneyMicro	amount = PG_GETARG_MONEY_MICRO(0);
	int64		divisor = PG_GETARG_INT64(1);

	if (unlikely(divisor == 0))
		ereport(ERROR,
				(errcode(ERRCODE_DIVISION_BY_ZERO),
				 errmsg("division by zero")));

	/* -1 cannot overflow: the smallest int64 is not an amount */
	Assert(idem_money_in_range(amount));
	if (amount % divisor != 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s divided by " INT64_FORMAT " is not a whole number of millionths",
						idem_money_to_cstring(amount), divisor),
				 errhint("idem.divide rounds by a rule of your choice, idem.split leaves nothing over.")));
	PG_RETURN_MONEY_MICRO(amount / divisor);
}
