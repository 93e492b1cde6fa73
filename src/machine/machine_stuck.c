/*
 * machine_stuck.c
 *		Rows that stand in a state for longer than was said, and how many stand
 *		in each.
 *
 * guard_states(..., within => '{"paying": "2 h"}') says how long
 * (machine_within.c), the history of a row since when (machine_log.c).  A row
 * of which nobody knows since when it stands there is shown, too.
 *
 * Counted are the states that rows are meant to leave: a table of finished
 * rows is not read, where it has an index (machine_watch.c).  Of states with
 * a time also since when the first of their rows stands there, and how many
 * are overdue, which costs one look into the history for each.
 *
 * Shown by sql/machine_within.sql.
 */
#include "postgres.h"

#include "access/relation.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "base/settings.h"
#include "machine/machine_watch.h"

/* ---------- which rows ---------- */

/* One row of stuck_states, if it is overdue */
static void
put_overdue(IdemWatch *watch, int state, const char *key)
{
	Datum		values[7] = {0};
	bool		nulls[7] = {false, false, false, true, true, false, true};
	TimestampTz since;

	if (idem_watch_since(watch, state, key, &since))
	{
		if (since + watch->within[state] > watch->now)
			return;
		values[3] = TimestampTzGetDatum(since);
		values[4] = TimestampTzGetDatum(since + watch->within[state]);
		nulls[3] = nulls[4] = false;
	}
	values[0] = ObjectIdGetDatum(watch->guard.relid);
	nulls[1] = !watch->may_read;
	values[1] = CStringGetTextDatum(key);
	values[2] = CStringGetTextDatum(watch->machine->diagram.states[state].name);
	values[5] = PointerGetDatum(idem_next_states(watch->machine, state));
	tuplestore_putvalues(watch->rsinfo->setResult, watch->rsinfo->setDesc,
						 values, nulls);
}

static void
put_unread(IdemWatch *watch, const char *why)
{
	Datum		values[7] = {0};
	bool		nulls[7] = {false, true, true, true, true, true, false};

	/* who says nothing of times says nothing of rows that are stuck */
	if (idem_setting(watch->guard.settings, "within") == NULL)
		return;
	values[0] = ObjectIdGetDatum(watch->guard.relid);
	values[6] = CStringGetTextDatum(why);
	tuplestore_putvalues(watch->rsinfo->setResult, watch->rsinfo->setDesc,
						 values, nulls);
}

/* The overdue rows of one guard (IdemRowsCheck). */
static char *
look_for_overdue(const IdemGuard *guard, Oid rows)
{
	IdemWatch  *watch = (IdemWatch *) unconstify(IdemGuard *, guard);
	Relation	rel;

	if (idem_setting(guard->settings, "within") == NULL)
		return NULL;
	rel = relation_open(rows, AccessShareLock);
	idem_watch_begin(watch, rel);
	idem_watch_rows(watch, rel, idem_watch_timed(watch, true), put_overdue);
	relation_close(rel, NoLock);
	return NULL;
}

/*
 * stuck_states() -> SETOF (relation, key, state, since, due, next_states,
 *							unread)
 */
PG_FUNCTION_INFO_V1(idem_stuck_states);
Datum
idem_stuck_states(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	idem_watch_at_guards((ReturnSetInfo *) fcinfo->resultinfo,
						 look_for_overdue, put_unread);
	SPI_finish();
	return (Datum) 0;
}

/* ---------- how many ---------- */

/* The rows that stand in one state */
typedef struct Standing
{
	int64		rows;
	TimestampTz oldest;			/* 0: not known */
	int64		overdue;
} Standing;

static void
count_row(IdemWatch *watch, int state, const char *key)
{
	Standing   *standing = (Standing *) watch->found + state;
	TimestampTz since;

	standing->rows++;
	if (!idem_watch_since(watch, state, key, &since))
	{
		standing->overdue++;
		return;
	}
	if (standing->oldest == 0 || since < standing->oldest)
		standing->oldest = since;
	if (since + watch->within[state] <= watch->now)
		standing->overdue++;
}

static void
put_standing(IdemWatch *watch, int state, const Standing *standing)
{
	bool		timed = watch->within[state] > 0;
	Datum		values[7] = {0};
	bool		nulls[7] = {false, false, false, false, true, true, true};

	values[0] = ObjectIdGetDatum(watch->guard.relid);
	values[1] = DirectFunctionCall1(namein, CStringGetDatum(watch->column));
	values[2] = CStringGetTextDatum(watch->machine->diagram.states[state].name);
	values[3] = Int64GetDatum(standing->rows);
	nulls[4] = standing->oldest == 0;
	values[4] = TimestampTzGetDatum(standing->oldest);
	nulls[5] = !timed;
	values[5] = Int64GetDatum(standing->overdue);
	tuplestore_putvalues(watch->rsinfo->setResult, watch->rsinfo->setDesc,
						 values, nulls);
}

static void
put_uncounted(IdemWatch *watch, const char *why)
{
	Datum		values[7] = {0};
	bool		nulls[7] = {false, false, true, true, true, true, false};

	values[0] = ObjectIdGetDatum(watch->guard.relid);
	values[1] = DirectFunctionCall1(namein, CStringGetDatum(watch->column));
	values[6] = CStringGetTextDatum(why);
	tuplestore_putvalues(watch->rsinfo->setResult, watch->rsinfo->setDesc,
						 values, nulls);
}

/* The rows of one guard, by their state (IdemRowsCheck). */
static char *
count_states(const IdemGuard *guard, Oid rows)
{
	IdemWatch  *watch = (IdemWatch *) unconstify(IdemGuard *, guard);
	Relation	rel = relation_open(rows, AccessShareLock);
	Standing   *standing;
	int64	   *counts;
	int			n;
	int			i;

	idem_watch_begin(watch, rel);
	n = idem_state_count(&watch->machine->diagram);
	watch->found = standing = palloc0(sizeof(Standing) * (n + 1));
	counts = palloc0(sizeof(int64) * (n + 1));
	idem_watch_rows(watch, rel, idem_watch_timed(watch, true), count_row);
	idem_watch_counts(rel, watch->machine, watch->number,
					  idem_watch_timed(watch, false), counts);
	relation_close(rel, NoLock);
	for (i = 0; i < n; i++)
	{
		standing[i].rows += counts[i];
		if (watch->machine->diagram.states[i].final_line == 0)
			put_standing(watch, i, &standing[i]);
	}
	return NULL;
}

/*
 * state_counts() -> SETOF (relation, column, state, rows, oldest, overdue,
 *							unread)
 */
PG_FUNCTION_INFO_V1(idem_state_counts);
Datum
idem_state_counts(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	idem_watch_at_guards((ReturnSetInfo *) fcinfo->resultinfo, count_states,
						 put_uncounted);
	SPI_finish();
	return (Datum) 0;
}
