/*
 * machine_within.c
 *		How long a row may stand in a state.
 *
 *		guard_states(..., within => '{"paying": "2 h"}')
 *
 * refuses nothing: a row that stands there for longer is listed by idem.stuck.
 * Since when it stands there is told by its history, so that a guard without
 * history takes no such time.
 *
 * A day has 24 hours here, and months are refused: two sessions in different
 * time zones must agree on when a row is overdue.  The time is kept in one
 * spelling, whatever it was written as, so that the same declaration again is
 * the same.
 *
 * Shown by sql/machine_within.sql.
 */
#include "postgres.h"

#include "datatype/timestamp.h"
#include "miscadmin.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "machine/machine.h"

/* A hundred years: nothing that is added to a time overflows. */
#define WITHIN_MAX	(INT64CONST(36500) * USECS_PER_DAY)

static void
refuse_within(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"within\" of idem.guard_states must be an object of lengths of time"),
			 errhint("Write it as {\"state\": \"2 h\", ...}.")));
}

/*
 * The microseconds of a length of time: 22007 if it is none, 0 if it has
 * months, is not longer than zero, or is longer than a hundred years.
 */
int64
idem_within_usecs(const char *str)
{
	Interval   *interval =
		DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(str),
											  ObjectIdGetDatum(InvalidOid),
											  Int32GetDatum(-1)));
	int64		usecs;

	if (interval->month != 0 ||
		interval->day > 36500 || interval->day < -36500 ||
		interval->time > WITHIN_MAX || interval->time < -WITHIN_MAX)
		return 0;
	usecs = interval->day * USECS_PER_DAY + interval->time;
	return usecs > 0 && usecs <= WITHIN_MAX ? usecs : 0;
}

/* The one spelling of a length of time: 22007, or 22023 where that is 0. */
static char *
within_text(const char *state, const char *str)
{
	char	   *result = palloc(MAXDATELEN + 1);
	int64		usecs = idem_within_usecs(str);
	Interval	interval = {0};
	struct pg_itm itm;

	if (usecs == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time \"%s\" of state \"%s\" in argument \"within\" is out of range",
						str, state),
				 errhint("It is longer than zero, at most 36500 days, and said in days, hours, minutes and seconds.")));
	interval.day = usecs / USECS_PER_DAY;
	interval.time = usecs % USECS_PER_DAY;
	interval2itm(interval, &itm);
	EncodeInterval(&itm, INTSTYLE_POSTGRES, result);
	return result;
}

/*
 * The states in the argument, and in *times how long a row may stand in each,
 * in one spelling.
 */
List *
idem_within_argument(Jsonb *within, List **times)
{
	List	   *states = NIL;
	JsonbIterator *it = JsonbIteratorInit(&within->root);
	JsonbValue	value;
	JsonbIteratorToken token = JsonbIteratorNext(&it, &value, true);

	*times = NIL;
	if (token != WJB_BEGIN_OBJECT)
		refuse_within();
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_END_OBJECT)
	{
		char	   *str;

		if (value.type != jbvString)
			refuse_within();
		str = pnstrdup(value.val.string.val, value.val.string.len);
		if (token == WJB_KEY)
			states = lappend(states, str);
		else
			*times = lappend(*times, within_text(llast(states), str));
	}
	return states;
}

/*
 * 42704 for a state that the machine does not have; 22023 for one that is
 * final, which rows are not meant to leave, and for a guard without history.
 */
void
idem_within_check(const IdemMachine *machine, List *states, bool history)
{
	ListCell   *lc;

	if (states != NIL && !history)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"within\" of idem.guard_states needs the history of the rows"),
				 errhint("Leave out history => false.")));
	foreach(lc, states)
	{
		const char *name = lfirst(lc);
		int			state = idem_names_find(&machine->diagram.state_names, name,
											strlen(name));

		if (state < 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("state machine \"%s\" has no state \"%s\"",
							machine->name, name),
					 errdetail("Argument \"within\" names it.")));
		if (machine->diagram.states[state].final_line > 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("state \"%s\" of state machine \"%s\" is final",
							name, machine->name),
					 errdetail("Argument \"within\" names it, and rows stay in it for good.")));
	}
}
