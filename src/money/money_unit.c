/*
 * money_unit.c
 *		Whole units, minor units and millionths as amounts and back.
 *
 * A bare integer does not say its unit, so there is no cast: each unit has a
 * function of its own.  All are exact or report 22003.
 *
 * The minor unit of a currency is read from the table idem.currency through
 * its primary key, as the caller's snapshot sees it.  No right is needed,
 * since everybody may read the table.  Its shipped rows cannot be changed: a
 * dump leaves them out, so a change would be gone after the restore.
 * Therefore a backend remembers shipped rows, and none of the user's.
 *
 * Only an upgrade of the extension changes a shipped row, and it has to
 * disable triggers for that, which invalidates the table in every backend and
 * empties the memory.  A row is remembered as the newest snapshot sees it: an
 * older one could see it as it was before the upgrade.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/forget.h"
#include "base/idem_errors.h"
#include "money/money.h"

PG_FUNCTION_INFO_V1(idem_money_from_major);
PG_FUNCTION_INFO_V1(idem_money_from_micro);
PG_FUNCTION_INFO_V1(idem_money_from_scaled_int8);
PG_FUNCTION_INFO_V1(idem_money_from_scaled_text);
PG_FUNCTION_INFO_V1(idem_money_minor_units);
PG_FUNCTION_INFO_V1(idem_money_from_minor_int8);
PG_FUNCTION_INFO_V1(idem_money_from_minor_text);
PG_FUNCTION_INFO_V1(idem_money_to_minor);
PG_FUNCTION_INFO_V1(idem_money_to_minor_text);
PG_FUNCTION_INFO_V1(idem_money_format_currency);
PG_FUNCTION_INFO_V1(idem_money_keep_currency);

/* Columns of idem.currency */
#define CURRENCY_CODE			1
#define CURRENCY_MINOR_UNITS	3
#define CURRENCY_BUILTIN		6

/* What a row of idem.currency says */
typedef struct CurrencyRow
{
	bool		found;
	bool		builtin;
	bool		has_minor_units;
	int			minor_units;
} CurrencyRow;

/* Codes of three capital letters */
#define LETTERS					26
#define ISO_CODES				(LETTERS * LETTERS * LETTERS)

/* Shipped rows: one more than the minor units, 0 if not yet read */
static int8 shipped_units[ISO_CODES];

/* The table they were read from; invalid while there are none */
static Oid	shipped_relid = InvalidOid;

/* Widest fixed-length field that is written */
#define WIDTH_MAX				64

/* Digits of the largest count of minor units */
#define COUNT_DIGITS_MAX		20

static int	get_minor_units(text *currency);
static MoneyMicro from_units(int64 units, int scale);
static MoneyMicro from_unit_text(text *units, int scale);
static int64 to_minor(MoneyMicro amount, text *currency);
static void check_scale(int scale);


/* ---------- units without a currency ---------- */

Datum
idem_money_from_major(PG_FUNCTION_ARGS)
{
	PG_RETURN_MONEY_MICRO(from_units(PG_GETARG_INT64(0), 0));
}

/* Millionths, a bigint, as an amount; 22003 outside the range, as below */
Datum
idem_money_from_micro(PG_FUNCTION_ARGS)
{
	PG_RETURN_MONEY_MICRO(from_units(PG_GETARG_INT64(0), IDEM_MONEY_DECIMALS));
}

/* (n, scale): n units of 10^-scale */
Datum
idem_money_from_scaled_int8(PG_FUNCTION_ARGS)
{
	int			scale = PG_GETARG_INT32(1);

	check_scale(scale);
	PG_RETURN_MONEY_MICRO(from_units(PG_GETARG_INT64(0), scale));
}

/* The same from decimal digits in a text */
Datum
idem_money_from_scaled_text(PG_FUNCTION_ARGS)
{
	int			scale = PG_GETARG_INT32(1);

	check_scale(scale);
	PG_RETURN_MONEY_MICRO(from_unit_text(PG_GETARG_TEXT_PP(0), scale));
}


/* ---------- minor units of a currency ---------- */

Datum
idem_money_minor_units(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(get_minor_units(PG_GETARG_TEXT_PP(0)));
}

/* (n, currency): n minor units of the currency */
Datum
idem_money_from_minor_int8(PG_FUNCTION_ARGS)
{
	int			scale = get_minor_units(PG_GETARG_TEXT_PP(1));

	PG_RETURN_MONEY_MICRO(from_units(PG_GETARG_INT64(0), scale));
}

/* The same from decimal digits in a text */
Datum
idem_money_from_minor_text(PG_FUNCTION_ARGS)
{
	int			scale = get_minor_units(PG_GETARG_TEXT_PP(1));

	PG_RETURN_MONEY_MICRO(from_unit_text(PG_GETARG_TEXT_PP(0), scale));
}

/* (amount, currency): the minor units in it; 22003 if they are not whole */
Datum
idem_money_to_minor(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(to_minor(PG_GETARG_MONEY_MICRO(0), PG_GETARG_TEXT_PP(1)));
}

/*
 * Digits only, because channels do not agree on the place of a sign in a fixed
 * field.
 */
Datum
idem_money_to_minor_text(PG_FUNCTION_ARGS)
{
	MoneyMicro	amount = PG_GETARG_MONEY_MICRO(0);
	int64		count = to_minor(amount, PG_GETARG_TEXT_PP(1));
	int			width = PG_GETARG_INT32(2);
	char		digits[COUNT_DIGITS_MAX + 1];
	char		field[WIDTH_MAX];
	int			length;

	if (width < 1 || width > WIDTH_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("width %d must be between 1 and %d", width, WIDTH_MAX)));
	if (count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("negative amount %s cannot be written as digits",
						idem_money_to_cstring(amount)),
				 errhint("Write the absolute value, and the sign where the format has a place for it.")));

	length = pg_lltoa(count, digits);
	if (length > width)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount %s does not fit in %d digits",
						idem_money_to_cstring(amount), width)));

	memset(field, '0', width - length);
	memcpy(field + width - length, digits, length);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(field, width));
}

/* For people: the code, the sign, and all digits in groups of three. */
Datum
idem_money_format_currency(PG_FUNCTION_ARGS)
{
	MoneyMicro	amount = PG_GETARG_MONEY_MICRO(0);
	char	   *currency = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			decimals = get_minor_units(PG_GETARG_TEXT_PP(1));
	char		digits[IDEM_MONEY_GROUPED_SIZE];

	idem_money_format_grouped(amount, decimals, digits);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s %s", currency, digits)));
}


/* ---------- helpers ---------- */

static void
check_scale(int scale)
{
	if (scale < 0 || scale > IDEM_MONEY_SCALE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scale %d must be between 0 and %d",
						scale, IDEM_MONEY_SCALE_MAX)));
}

static MoneyMicro
from_units(int64 units, int scale)
{
	int64		amount = 0;

	switch (idem_money_from_scaled(units, scale, &amount))
	{
		case IDEM_MONEY_OK:
			break;
		case IDEM_MONEY_TOO_FINE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg(INT64_FORMAT " units of scale %d are not a whole number of millionths",
							units, scale)));
			break;
		default:
			idem_money_report_range();
	}
	return amount;
}

static MoneyMicro
from_unit_text(text *units, int scale)
{
	int64		amount = 0;

	switch (idem_money_parse_scaled(VARDATA_ANY(units),
									VARSIZE_ANY_EXHDR(units),
									scale, &amount))
	{
		case IDEM_MONEY_OK:
			break;
		case IDEM_MONEY_MALFORMED:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid number of units: \"%s\"",
							text_to_cstring(units)),
					 errhint("Units are written as digits with an optional sign, without a decimal point.")));
			break;
		case IDEM_MONEY_TOO_FINE:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("%s units of scale %d are not a whole number of millionths",
							text_to_cstring(units), scale)));
			break;
		default:
			idem_money_report_range();
	}
	return amount;
}

static int64
to_minor(MoneyMicro amount, text *currency)
{
	int			scale = get_minor_units(currency);
	int64		count = 0;

	if (idem_money_to_scaled(amount, scale, &count) != IDEM_MONEY_OK)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount %s is not a whole number of minor units of %s",
						idem_money_to_cstring(amount),
						text_to_cstring(currency)),
				 errdetail("%s has %d decimals.",
						   text_to_cstring(currency), scale),
				 errhint("Round the amount by a rule of your choice first.")));
	return count;
}

/*
 * Opens idem.currency; sets the OID of its primary key, which is looked up
 * once the table is locked: REINDEX CONCURRENTLY gives it another one, and
 * takes none away while the table is open.
 */
static Relation
open_currency(Oid *index)
{
	Oid			schema = get_namespace_oid("idem", false);
	Oid			relid = get_relname_relid("currency", schema);
	Relation	table = OidIsValid(relid) ?
		table_open(relid, AccessShareLock) : NULL;

	*index = get_relname_relid("currency_pkey", schema);
	if (table == NULL || !OidIsValid(*index))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"idem.currency\" or its primary key does not exist")));
	return table;
}

/*
 * SELECT minor_units, builtin FROM idem.currency WHERE code = $1
 *
 * Without a snapshot: as of now.
 */
static CurrencyRow
read_currency(Relation table, Oid index, text *currency, Snapshot snapshot)
{
	CurrencyRow result = {0};
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&key, CURRENCY_CODE, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(currency));
	scan = systable_beginscan(table, index, true, snapshot, 1, &key);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
	{
		Datum		value;
		bool		isnull;

		result.found = true;
		value = heap_getattr(row, CURRENCY_MINOR_UNITS,
							 RelationGetDescr(table), &isnull);
		result.has_minor_units = !isnull;
		result.minor_units = isnull ? 0 : DatumGetInt16(value);
		value = heap_getattr(row, CURRENCY_BUILTIN,
							 RelationGetDescr(table), &isnull);
		result.builtin = !isnull && DatumGetBool(value);
	}
	systable_endscan(scan);
	return result;
}

/* Where a shipped code is remembered, -1 if it cannot be one. */
static int
place_of_code(text *currency)
{
	const char *code = VARDATA_ANY(currency);
	int			place = 0;
	int			i;

	if (VARSIZE_ANY_EXHDR(currency) != 3)
		return -1;
	for (i = 0; i < 3; i++)
	{
		if (code[i] < 'A' || code[i] > 'Z')
			return -1;
		place = place * LETTERS + (code[i] - 'A');
	}
	return place;
}

static void
forget_shipped(Datum arg, Oid relid)
{
	if (OidIsValid(shipped_relid) &&
		(relid == shipped_relid || !OidIsValid(relid)))
	{
		memset(shipped_units, 0, sizeof(shipped_units));
		shipped_relid = InvalidOid;
	}
}

/* Remembers a shipped row as it is now, in the place of its code. */
static void
remember_shipped(Relation table, Oid index, text *currency, int place)
{
	CurrencyRow row;

	idem_forget_with(forget_shipped);
	row = read_currency(table, index, currency, NULL);
	if (row.builtin && row.has_minor_units)
	{
		shipped_units[place] = (int8) (row.minor_units + 1);
		shipped_relid = RelationGetRelid(table);
	}
}

/* Upper and lower case differ: a code that is not in the table is refused. */
static int
get_minor_units(text *currency)
{
	int			place = place_of_code(currency);
	Oid			index;
	Relation	table;
	CurrencyRow row;

	if (place >= 0 && shipped_units[place] > 0)
		return shipped_units[place] - 1;

	table = open_currency(&index);
	row = read_currency(table, index, currency, GetActiveSnapshot());
	if (row.builtin && place >= 0)
		remember_shipped(table, index, currency, place);
	table_close(table, AccessShareLock);

	if (!row.found)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("currency \"%s\" is not known",
						text_to_cstring(currency)),
				 errhint("Codes are upper case; own currencies are added to idem.currency.")));
	if (!row.has_minor_units)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("currency \"%s\" has no minor unit",
						text_to_cstring(currency))));
	return row.minor_units;
}

/*
 * Refuses the change that its trigger was fired for; the triggers say which
 * ones.
 */
Datum
idem_money_keep_currency(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"idem.keep_currency\" must be called as an AFTER trigger")));

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_KEPT_ROW),
			 errmsg("currencies shipped with idem cannot be changed"),
			 errhint("Add a currency with a code of your own, with builtin false."),
			 errtableconstraint(trigdata->tg_relation,
								trigdata->tg_trigger->tgname)));
}
