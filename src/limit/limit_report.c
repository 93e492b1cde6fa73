/*
 * limit_report.c
 *		What is said when a child is refused.
 *
 * The message alone is enough.  Values of parent and child are told only to
 * someone who may know them (total_report.c).
 */
#include "postgres.h"

#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/idem_errors.h"
#include "base/right.h"
#include "base/row.h"
#include "limit/limit.h"

static const char *
child_name(IdemTotalChange *c)
{
	return get_rel_name(c->total->key.child);
}

static const char *
parent_name(IdemTotalChange *c)
{
	return RelationGetRelationName(c->parent);
}

/* Limit 100.00, used 80.00, remaining 20.00. */
static int
detail_totals(IdemTotalChange *c, const IdemTotals *totals)
{
	IdemAmountType *amount = &c->total->amount;
	Datum		cap = idem_total_amount(c, IDEM_LIMIT_CAP);
	Datum		rest = idem_amount_minus(amount, cap, IDEM_USED(totals));
	const char *beyond = "";

	if (!idem_may_read(c->parent))
		return 0;
	if (c->total->number[IDEM_LIMIT_EXCESS])
	{
		rest = idem_amount_minus(amount, rest, IDEM_EXCESS(totals));
		beyond = psprintf(", in excess %s",
						  idem_amount_text(amount, IDEM_EXCESS(totals)));
	}
	return errdetail("Limit %s, used %s%s, remaining %s.",
					 idem_amount_text(amount, cap),
					 idem_amount_text(amount, IDEM_USED(totals)), beyond,
					 idem_amount_text(amount, rest));
}

/* 23I05: as many children as there may be. */
static void
report_too_many(IdemTotalChange *c, int64 cap)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
			 errmsg("%s%s already has as many rows of %s as its limit allows",
					parent_name(c), idem_total_key_text(c), child_name(c)),
			 errdetail("At most " INT64_FORMAT " count.", cap),
			 idem_total_guard_fields(c->refused->total)));
}

/* An amount, count or state of the parent, without quotes. */
static char *
value_text(IdemTotalChange *c, int column)
{
	bool		isnull;
	Datum		value = idem_total_value(c, column, &isnull);

	return isnull ? "null" :
		idem_value_text(TupleDescAttr(RelationGetDescr(c->parent),
									  c->total->number[column] - 1)->atttypid,
						value);
}

/* 23I05: the parent would no longer have exactly what it declares. */
static void
report_not_exact(IdemTotalChange *c, const IdemTotals *totals)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
			 errmsg("%s%s is complete: its rows of %s stay exactly what it declares",
					parent_name(c), idem_total_key_text(c), child_name(c)),
			 idem_may_read(c->parent) ?
			 errdetail("%s",
					   idem_exact_detail(c->total->column[IDEM_LIMIT_STATE],
										 value_text(c, IDEM_LIMIT_STATE),
										 value_text(c, IDEM_LIMIT_CAP),
										 idem_amount_text(&c->total->amount,
														  IDEM_USED(totals)),
										 c->total->number[IDEM_LIMIT_DECLARED] == 0 ?
										 NULL :
										 value_text(c, IDEM_LIMIT_DECLARED),
										 totals->count)) : 0,
			 idem_total_guard_fields(c->refused->total)));
}

/* 23I05, with the totals as they were when the child was counted. */
void
idem_limit_report_exceeded(IdemTotalChange *c)
{
	int64		count_cap = IDEM_LIMIT_SETTINGS(c)->count_cap;
	const IdemTotalNote *refused = c->refused;
	IdemTotals	totals;

	if (idem_limit_count(c, &totals))
	{
		c->refused = refused;
		report_not_exact(c, &totals);
	}
	if (count_cap > 0 && totals.count >= count_cap)
		report_too_many(c, count_cap);
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
			 errmsg("%s%s exceeds the limit of %s%s", child_name(c),
					idem_total_amount_text(c->refused, c->refused->amount),
					parent_name(c), idem_total_key_text(c)),
			 detail_totals(c, &totals),
			 idem_total_fields(c->refused->total,
							   c->refused->total->amount_column)));
}

/* 23I09: the state of the parent allows no new child. */
void
idem_limit_report_not_open(IdemTotalChange *c)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_PARENT_NOT_OPEN),
			 errmsg("%s%s is not open for a new %s",
					parent_name(c), idem_total_key_text(c), child_name(c)),
			 idem_may_read(c->parent) ?
			 errdetail("Its \"%s\" is %s.", c->total->column[IDEM_LIMIT_STATE],
					   idem_total_parent_text(c, IDEM_LIMIT_STATE)) : 0,
			 idem_total_guard_fields(c->total)));
}

/* 23I09: the parent is older than max_age. */
void
idem_limit_report_too_old(IdemTotalChange *c)
{
	Interval   *max_age = IDEM_LIMIT_SETTINGS(c)->max_age;
	char	   *age = OidOutputFunctionCall(F_INTERVAL_OUT,
											IntervalPGetDatum(max_age));

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_PARENT_NOT_OPEN),
			 errmsg("%s%s is too old for a new %s",
					parent_name(c), idem_total_key_text(c), child_name(c)),
			 idem_may_read(c->parent) ?
			 errdetail("Its \"%s\" is %s, and it takes children for %s.",
					   c->total->column[IDEM_LIMIT_SINCE],
					   idem_total_parent_text(c, IDEM_LIMIT_SINCE), age) : 0,
			 idem_total_guard_fields(c->total)));
}
