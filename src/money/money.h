/*
 * money.h
 *		The type money_micro, for the rooms that handle amounts.
 *
 * A Datum of the type is an int64 passed by value, the number of millionths of
 * a currency unit.  Include postgres.h and fmgr.h first.
 */
#ifndef IDEM_MONEY_H
#define IDEM_MONEY_H

#include "access/attnum.h"

#include "money/money_text.h"

typedef int64 MoneyMicro;

#define DatumGetMoneyMicro(X)		((MoneyMicro) DatumGetInt64(X))
#define MoneyMicroGetDatum(X)		Int64GetDatum(X)
#define PG_GETARG_MONEY_MICRO(n)	DatumGetMoneyMicro(PG_GETARG_DATUM(n))
#define PG_RETURN_MONEY_MICRO(x)	return MoneyMicroGetDatum(x)

/* The text of the amount, palloc'd. */
extern char *idem_money_to_cstring(MoneyMicro amount);

/* Reports that a result is not an amount: 22003. */
_Noreturn extern void idem_money_report_range(void);

/* Reports a number of decimals that is not 0 to 6: 22023. */
extern void idem_money_check_decimals(int decimals);

/* Is the numeric exactly an amount?  It may be packed, not compressed. */
extern bool idem_money_from_numeric_exact(struct varlena *number,
										  int64 *micros);

/*
 * 22023 for a column default, just stored, that turns numbers without a unit
 * into amounts.
 */
extern void idem_money_check_default(Oid relid, AttrNumber attnum);

/* pg_catalog.money_micro, or an error when the extension is not there. */
extern Oid	idem_money_type(void);

#endif							/* IDEM_MONEY_H */
