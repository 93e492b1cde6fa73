/*
 * money.c
 *		The type money_micro: input, output, arithmetic.
 *
 * Two rules decide everything here: nothing is rounded, and a unit is never
 * guessed.  A value that cannot be represented exactly is refused: text that
 * is not a number with 22P02, a number or a result with more than six decimals
 * or outside the range with 22003, division by zero with 22012.
 *
 * Comparison, hashing, sort support, sign, absolute value and remainder are
 * the server's own functions for bigint (see money.sql): an amount is a
 * bigint, and within the range none of these functions can overflow.
 *
 * On the wire an amount is the 8 bytes of the count of millionths, network
 * order.  Text that is sent in its place by mistake is refused: if it has 8
 * bytes, the first one is 0x20 or more, which is outside the range.
 *
 * Shown by sql/money.sql, sql/money_arith.sql and test/property/money.sql.
 */
#include "postgres.h"

#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/syscache.h"

#include "base/idem_compat.h"
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

#define HINT_BINARY \
	"The binary form is the number of millionths as an 8-byte integer in network byte order; text has to be sent in text format."

/* Bytes of wrongly sent text that a message shows. */
#define REPORTED_MAX	64

pg_noreturn static void report_binary(const char *bytes, int length);
static bool fits_typmod(MoneyMicro amount, int32 typmod);
static void check_typmod(MoneyMicro amount, int32 typmod);
static MoneyMicro multiply(MoneyMicro amount, int64 factor);


/* ---------- for the other rooms ---------- */

char *
idem_money_to_cstring(MoneyMicro amount)
{
	char		str[IDEM_MONEY_TEXT_SIZE];
	size_t		length = idem_money_format(amount, str);
	char	   *result = palloc(length + 1);

	memcpy(result, str, length + 1);
	return result;
}

/* 22003 */
void
idem_money_report_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("money_micro out of range")));
}

/* 22023 for a number of decimals that amounts do not have */
void
idem_money_check_decimals(int decimals)
{
	if (decimals < 0 || decimals > IDEM_MONEY_DECIMALS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scale %d must be between 0 and %d",
						decimals, IDEM_MONEY_DECIMALS)));
}

/* The OID of money_micro; 42704 where the extension is not installed */
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
	char	   *str = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	int64		amount = 0;

	if (likely(idem_money_parse_plain(str, &amount) && typmod < 0))
		PG_RETURN_MONEY_MICRO(amount);

	switch (idem_money_parse(str, strlen(str), &amount))
	{
		case IDEM_MONEY_OK:
			break;
		case IDEM_MONEY_OUT_OF_RANGE:
			ereturn(fcinfo->context, (Datum) 0,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value \"%s\" is out of range for type money_micro",
							str)));
		case IDEM_MONEY_TOO_FINE:
			ereturn(fcinfo->context, (Datum) 0,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value \"%s\" for type money_micro has more than %d decimals",
							str, IDEM_MONEY_DECIMALS),
					 errhint("Round it by a rule of your choice first; money_micro never rounds.")));
		default:
			ereturn(fcinfo->context, (Datum) 0,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid input syntax for type money_micro: \"%s\"",
							str)));
	}

	if (!fits_typmod(amount, typmod))
		ereturn(fcinfo->context, (Datum) 0,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value %s has more decimals than money_micro(%d) allows",
						idem_money_to_cstring(amount), typmod)));
	PG_RETURN_MONEY_MICRO(amount);
}

/* The text of an amount, with two decimals at least */
Datum
idem_money_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(idem_money_to_cstring(PG_GETARG_MONEY_MICRO(0)));
}

/* The binary form: a bigint of millionths */
Datum
idem_money_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int32		typmod = PG_GETARG_INT32(2);
	const char *bytes = message->data + message->cursor;
	int			length = message->len - message->cursor;
	int64		amount;

	if (unlikely(length != sizeof(amount)))
		report_binary(bytes, length);
	amount = pq_getmsgint64(message);
	if (unlikely(!idem_money_in_range(amount)))
		report_binary(bytes, length);
	check_typmod(amount, typmod);
	PG_RETURN_MONEY_MICRO(amount);
}

/*
 * Are these the bytes of a text?  The first 8 bytes of one are never an
 * amount.
 */
static bool
is_text(const char *bytes, int length)
{
	int			i;

	for (i = 0; i < length; i++)
	{
		if (bytes[i] < ' ' || bytes[i] > '~')
			return false;
	}
	return length > 0;
}

/*
 * Reports bytes that are not the binary form of an amount: 22P03, or 22003
 * where only the number is wrong.
 */
static void
report_binary(const char *bytes, int length)
{
	if (is_text(bytes, length))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("text \"%s\" was sent as the binary form of type money_micro",
						pnstrdup(bytes, Min(length, REPORTED_MAX))),
				 errhint(HINT_BINARY)));
	if (length != sizeof(int64))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("binary value of type money_micro has %d bytes, not %d",
						length, (int) sizeof(int64)),
				 errhint(HINT_BINARY)));
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("binary value is out of range for type money_micro"),
			 errhint(HINT_BINARY)));
}

/* The same, written */
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

/* The modifier, as a type is shown: (2) */
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

/* amount - amount; 22003 outside the range */
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

/* amount * bigint; 22003 outside the range */
Datum
idem_money_mul(PG_FUNCTION_ARGS)
{
	PG_RETURN_MONEY_MICRO(multiply(PG_GETARG_MONEY_MICRO(0),
								   PG_GETARG_INT64(1)));
}

/* bigint * amount; 22003 outside the range */
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
				 errhint("idem.divide rounds by a rule of your choice, idem.split leaves no remainder.")));
	PG_RETURN_MONEY_MICRO(amount / divisor);
}
