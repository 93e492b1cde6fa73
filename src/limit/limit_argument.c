/*
 * limit_argument.c
 *		The arguments of guard_limit().
 *
 * Reads the arguments and refuses contradictions, before any table is read:
 * 22004 for a NULL where a value has to be, 22023 for a value that is none of
 * the known ones, or for an argument without the one that it needs.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "base/argument.h"
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
	d->exact_count = idem_text_argument(fcinfo, 19);
	if (d->exact_count != NULL && d->count_used == NULL)
		idem_total_refuse_pairing(&d->total, "exact_count", "count_used");
	if (PG_ARGISNULL(14))
	{
		if (d->count_used != NULL && d->exact_count == NULL)
			idem_total_refuse_pairing(&d->total, "count_used", "count_cap");
		return;
	}
	d->count_cap = PG_GETARG_INT32(14);
	if (d->count_used == NULL)
		idem_total_refuse_pairing(&d->total, "count_cap", "count_used");
	require_positive(d->count_cap > 0, "count_cap");
}

/* An interval that is longer than none; NULL for a NULL. */
static Interval *
interval_argument(FunctionCallInfo fcinfo, int n, const char *argument)
{
	Interval	zero = {0, 0, 0};
	Interval   *interval;

	if (PG_ARGISNULL(n))
		return NULL;
	interval = PG_GETARG_INTERVAL_P(n);
	require_positive(DatumGetBool(DirectFunctionCall2(interval_gt,
													  IntervalPGetDatum(interval),
													  IntervalPGetDatum(&zero))),
					 argument);
	return interval;
}

static void
read_age(FunctionCallInfo fcinfo, IdemLimitDeclaration *d)
{
	d->age_from = idem_text_argument(fcinfo, 17);
	d->max_age = interval_argument(fcinfo, 16, "max_age");
	d->clear_within = interval_argument(fcinfo, 20, "clear_within");
	if (d->age_from == NULL && d->max_age != NULL)
		idem_total_refuse_pairing(&d->total, "max_age", "age_from");
	if (d->age_from == NULL && d->clear_within != NULL)
		idem_total_refuse_pairing(&d->total, "clear_within", "age_from");
	if (d->age_from != NULL && d->max_age == NULL && d->clear_within == NULL)
		idem_total_refuse_pairing(&d->total, "age_from",
								  "max_age\" or \"clear_within");
}

/* Facts are stored whatever the parent declares. */
static void
refuse_facts(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"exact\" of idem.guard_limit does not go with argument \"facts\""),
			 errdetail("A fact is stored, whatever its parent declares.")));
}

/* Which parents need exactly what they declare. */
static void
read_exact(FunctionCallInfo fcinfo, IdemLimitDeclaration *d)
{
	d->exact = idem_list_argument(fcinfo, 18, "exact");
	if (d->exact_count != NULL && d->exact == NIL)
		idem_total_refuse_pairing(&d->total, "exact_count", "exact");
	if (d->exact == NIL)
		return;
	if (d->parent_state == NULL)
		idem_total_refuse_pairing(&d->total, "exact", "parent_state");
	if (d->total.of.facts != NIL)
		refuse_facts();
	idem_total_refuse_overlap("exact", d->exact, "open", d->open);
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
	of->facts = idem_states_argument(fcinfo, 12, "facts");
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
	read_exact(fcinfo, d);
	if (d->parent_state != NULL && d->open == NIL && d->exact == NIL)
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
