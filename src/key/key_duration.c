/*
 * key_duration.c
 *		Lengths of time that a scope or a call declares.
 *
 * A lease of a day is 24 hours, whatever time zone the session is in: two
 * sessions must agree on when it ends.  A month has no length and is refused.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "utils/array.h"

#include "key/key_inner.h"

/* A hundred years: nothing that is added to the time of day overflows. */
#define DURATION_MAX	(INT64CONST(36500) * USECS_PER_DAY)

/*
 * The microseconds of an interval: 22023 if it has months, is negative or
 * longer than a hundred years, or is zero where it must not be.
 */
int64
idem_key_duration(const char *argument, const Interval *interval, bool zero)
{
	int64		duration;

	if (interval->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not have months or years", argument),
				 errhint("Say it in days, which have 24 hours here.")));
	if (interval->time > DURATION_MAX || interval->time < -DURATION_MAX ||
		interval->day > 36500 || interval->day < -36500)
		duration = -1;
	else
		duration = interval->day * USECS_PER_DAY + interval->time;
	if (duration < 0 || duration > DURATION_MAX || (duration == 0 && !zero))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 zero ? errmsg("%s must not be negative or longer than 36500 days", argument) :
				 errmsg("%s must be longer than zero and at most 36500 days", argument)));
	return duration;
}

/*
 * The rungs of a ladder, in the current memory context: 22023 unless it is a
 * list of at least one.
 */
int64 *
idem_key_ladder(ArrayType *array, int *count)
{
	Datum	   *items;
	bool	   *nulls;
	int64	   *rungs;
	int			i;

	deconstruct_array(array, INTERVALOID, sizeof(Interval), false,
					  TYPALIGN_DOUBLE, &items, &nulls, count);
	if (ARR_NDIM(array) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ladder must be a list of at least one interval")));
	rungs = palloc(sizeof(int64) * *count);
	for (i = 0; i < *count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" contains a null", "ladder")));
		rungs[i] = idem_key_duration("step of the ladder",
									 DatumGetIntervalP(items[i]), false);
	}
	return rungs;
}
