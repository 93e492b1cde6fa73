/*
 * total_row.c
 *		The parent row as it was last looked at, in whichever way.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/rel.h"

#include "total/total.h"

/* A column of the parent row as it was judged (IdemTotalColumn). */
Datum
idem_total_value(IdemTotalChange *c, int column, bool *isnull)
{
	if (c->seen != NULL)
		return slot_getattr(c->seen, c->total->number[column], isnull);
	return SPI_getbinval(c->looked->vals[0], c->looked->tupdesc, column + 1,
						 isnull);
}

/* A column that is never null; the zero of one that the parent lacks. */
static Datum
value_of(IdemTotalChange *c, int column, Datum zero)
{
	bool		isnull;
	Datum		value;

	if (c->total->number[column] == 0)
		return zero;
	value = idem_total_value(c, column, &isnull);
	if (isnull)
		elog(ERROR, "column \"%s\" of a total is null",
			 c->total->column[column]);
	return value;
}

/* An amount of the parent row, as it was last looked at. */
Datum
idem_total_amount(IdemTotalChange *c, int column)
{
	return value_of(c, column, c->total->amount.zero);
}

/* What the parent row has, as it was last looked at. */
void
idem_total_read(IdemTotalChange *c, IdemTotals *totals)
{
	AttrNumber	count = c->total->number[IDEM_TOTAL_COUNT];
	int			i;

	for (i = 0; i < IDEM_TOTAL_VALUES; i++)
		totals->value[i] = idem_total_amount(c, IDEM_TOTAL_KEPT + i);
	totals->count = 0;
	if (count)
		totals->count =
			idem_count_value(TupleDescAttr(RelationGetDescr(c->parent),
										   count - 1)->atttypid,
							 value_of(c, IDEM_TOTAL_COUNT, (Datum) 0));
}

/* The parent's cap, in the type of the amounts */
/* 39P01: the parent did not let its totals be changed. */
void
idem_total_report_not_kept(IdemTotalChange *c)
{
	Relation	rel = table_open(c->total->relid, AccessShareLock);

	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("the running total of table \"%s\" could not be kept",
					RelationGetRelationName(c->parent)),
			 errdetail("A rule or a BEFORE trigger of the table changed or suppressed the UPDATE of column \"%s\", or the counterpart of the %s did not fire.",
					   c->total->column[IDEM_TOTAL_KEPT], c->total->kind),
			 errtableconstraint(rel, c->total->trigger)));
}
