/*
 * limit_argument.c
 *		What guard_limit() is asked for.
 *
 * Reads the arguments and refuses what contradicts itself, before any table
 * is looked at: 22004 for a NULL where a value has to be, 22023 for a value
 * that is none of the known ones, or for an argument without the one that it
 * needs.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "base/declare.h"
#include "limit/limit_declare.h"

/* 22023 unless the value of this argument is positive. */
static void
require_positive(bool is_positive, const char *argument)
{
	if (!is_positive)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" of idem.guard_limit must be positive",
						argument)));
}

static void
read_count(FunctionCallInfo fcinfo, IdemLimitDeclaration *d)
{
	d->count_used = idem_text_argument(fcinfo, 15);
	if (PG_ARGISNULL(14))
	{
		if (d->count_used != NULL)
			idem_total_refuse_pairing(&d->total, "count_used", "count_cap");
		return;
	}
	d->count_cap = PG_GETARG_INT32(14);
	if (d->count_used == NULL)
		idem_total_refuse_pairing(&d->total, "count_cap", "count_used");
	require_positive(d->count_cap > 0, "count_cap");
}

static void
read_age(FunctionCallInfo fcinfo, IdemLimitDeclaration *d)
{
	Interval	zero = {0, 0, 0};

	d->age_from = idem_text_argument(fcinfo, 17);
	if (PG_ARGISNULL(16))
	{
		if (d->age_from != NULL)
			idem_total_refuse_pairing(&d->total, "age_from", "max_age");
		return;
	}
	d->max_age = PG_GETARG_INTERVAL_P(16);
	if (d->age_from == NULL)
		idem_total_refuse_pairing(&d->total, "max_age", "age_from");
	require_positive(DatumGetBool(DirectFunctionCall2(interval_gt,
													  IntervalPGetDatum(d->max_age),
													  IntervalPGetDatum(&zero))),
					 "max_age");
}

/* Which children count, and how; which parents take them. */
static void
read_states(FunctionCallInfo fcinfo, IdemLimitDeclaration *d)
{
	IdemTotalSource *of = &d->total.of;

	if (!PG_ARGISNULL(6) && PG_ARGISNULL(5))
		idem_total_refuse_unsaid();
	of->released = idem_list_argument(fcinfo, 5, "released");
	of->state = idem_text_argument(fcinfo, 6);
	d->parent_state = idem_text_argument(fcinfo, 8);
	d->open = idem_list_argument(fcinfo, 9, "open");
	of->facts = idem_list_argument(fcinfo, 12, "facts");
	if (of->facts != NIL)
		d->excess = idem_required_text(fcinfo, 13, "excess");

	if (of->released != NIL && of->state == NULL)
		idem_total_refuse_pairing(&d->total, "released", "state");
	if (of->facts != NIL && !idem_total_is_everything(of->facts) &&
		of->state == NULL)
		idem_total_refuse_pairing(&d->total, "facts", "state");
	idem_total_refuse_overlap("facts", of->facts, "released", of->released);
	if (d->open != NIL && d->parent_state == NULL)
		idem_total_refuse_pairing(&d->total, "open", "parent_state");
	if (d->parent_state != NULL && d->open == NIL)
		idem_total_refuse_pairing(&d->total, "parent_state", "open");
}

/*
 * The arguments of both forms, of which one takes several columns as fk; the
 * order stands in limit.sql.
 */
void
idem_limit_read_arguments(FunctionCallInfo fcinfo, bool many,
						  IdemLimitDeclaration *d)
{
	idem_total_read_arguments(fcinfo, many, 7, 11, &d->total);
	d->cap = idem_required_text(fcinfo, 3, "cap");
	d->total.of.total = idem_required_text(fcinfo, 4, "used");
	idem_require_argument(fcinfo, 10, "cap_grows");
	d->cap_grows = PG_GETARG_BOOL(10);
	read_count(fcinfo, d);
	read_age(fcinfo, d);
	read_states(fcinfo, d);
}
