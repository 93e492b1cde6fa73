/*
 * money.h
 *		The type money_micro, for the rooms that handle amounts.
 *
 * A Datum of the type is an int64 passed by value: so many millionths of a
 * currency unit.  postgres.h and fmgr.h come first.
 */
#ifndef IDEM_MONEY_H
#define IDEM_MONEY_H

#include "access/attnum.h"

#include "base/idem_compat.h"
#include "money/money_text.h"

typedef int64 MoneyMicro;

#define DatumGetMoneyMicro(X)		((MoneyMicro) DatumGetInt64(X))
#define MoneyMicroGetDatum(X)		Int64GetDatum(X)
#define PG_GETARG_MONEY_MICRO(n)	DatumGetMoneyMicro(PG_GETARG_DATUM(n))
#define PG_RETURN_MONEY_MICRO(x)	return MoneyMicroGetDatum(x)

/* What the amount looks like, in palloc'd memory. */
extern char *idem_money_to_cstring(MoneyMicro amount);

/* Reports that a result is not an amount: 22003. */
pg_noreturn extern void idem_money_report_range(void);

/* Reports a number of decimals that is not 0 to 6: 22023. */
extern void idem_money_check_decimals(int decimals);

/* Is the numeric exactly an amount?  It may be packed, not compressed. */
extern bool idem_money_from_numeric_exact(struct varlena *number,
										  int64 *micros);

/*
 * Reports a column default, just stored, that makes amounts of numbers without
 * a unit: 22023.
 */
extern void idem_money_check_default(Oid relid, AttrNumber attnum);

/* pg_catalog.money_micro, or an error when the extension is not there. */
extern Oid	idem_money_type(void);

#endif							/* IDEM_MONEY_H */
