/*
 * limit_judge.c
 *		Which parents take a child.
 *
 * Judged on the version of the parent row that is changed, or locked.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "limit/limit.h"

/* Is the parent young enough?  By the clock, after all waiting. */
static bool
is_young(IdemTotalChange *c)
{
	bool		isnull;
	Datum		since = idem_total_value(c, IDEM_LIMIT_SINCE, &isnull);
	Datum		until;

	if (isnull)
		return false;
	until = DirectFunctionCall2(timestamptz_pl_interval, since,
								IntervalPGetDatum(IDEM_LIMIT_SETTINGS(c)->max_age));
	return GetCurrentTimestamp() <= DatumGetTimestampTz(until);
}

/*
 * Is the parent, as it was changed or looked at, one for this child?  Raises
 * 23I09 or 23I06.  It has to be open, and young, for a request that begins to
 * count, not for the later edit of one that has counted.
 */
void
idem_limit_judge(IdemTotalChange *c, const IdemTotalNote *note)
{
	IdemLimitSettings *s = IDEM_LIMIT_SETTINGS(c);
	bool		isnull;

	if (note->step == IDEM_LIMIT_RELEASE)
		return;
	if (note->begins && s->open.n > 0)
	{
		Datum		state = idem_total_value(c, IDEM_LIMIT_STATE, &isnull);

		if (!idem_states_contain(&s->open, state, isnull))
			idem_limit_report_not_open(c);
	}
	if (note->begins && s->max_age != NULL && !is_young(c))
		idem_limit_report_too_old(c);
	idem_total_judge_same(c, note);
}
