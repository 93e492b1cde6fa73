/*
 * key_retire.c
 *		Dropping bodies and forgetting keys.
 *
 * Bodies: of a claim that has been final for the keep of its scope, request
 * and response are dropped.  State, fingerprint and times stay, so a repeat is
 * answered as before, only without the response.
 *
 * Keys: in a scope whose keys carry their own time, the horizon moves forward
 * and final anchors of older keys are removed, in one transaction; from then
 * on such a key is expired (key_horizon.c).  A key that is reserved,
 * dispatched, unknown, released or fenced, or waits for a person, is never
 * removed, nor is one of a transaction that has not committed.
 *
 * A key that was claimed before the scope asked for this form of keys, so that
 * no time can be read from it now, is kept.
 *
 * Sightings (key_sighting.c): of keys first seen longer ago than the
 * duplicate_window of the scope, and before the window of the oldest
 * transaction.  While a key is held as a duplicate, however long ago it came,
 * everything it was compared with stays, keys included: or it would be granted
 * when that is forgotten.
 *
 * Both work in batches: the rest is for the next call.  No index leads to the
 * old rows, so a call reads the table until it has found its batch.
 *
 * Locks: SHARE ROW EXCLUSIVE on idem.scope, one retirement or declaration at a
 * time; ROW EXCLUSIVE on the table of keys; the rows.  Rows are read after the
 * locks with the latest snapshot, at every isolation level.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/argument.h"
#include "base/change.h"
#include "base/latest.h"
#include "key/key_inner.h"

/* What the statements are given, from $1 on. */
enum
{
	SCOPE,
	BATCH,
	KEPT_UNTIL,					/* what is final since then is kept */
	KEY_TIME,
	PARTS,
	SEEN_UNTIL,					/* what was seen since then is compared */
	BEFORE,
	COMPARED_UNTIL,				/* the same of whatever has not ended */
	PARAMETERS
};

typedef struct Retirement
{
	const IdemScope *scope;
	Relation	table;
	Datum		values[PARAMETERS];
	char		nulls[PARAMETERS];
} Retirement;

/*
 * Days and months of keep are those of UTC, whatever the session's time zone.
 * A transaction that has not ended may have compared a key with what was in the
 * window when it began, and nobody sees as yet that the key is held.  Of one
 * that is prepared, only when that was done is known.
 */
static const char keep_sql[] =
"SELECT (clock_timestamp() AT TIME ZONE 'UTC' - keep) AT TIME ZONE 'UTC', key_time, parts,"
" clock_timestamp() - w.within, least(clock_timestamp(), "
" (SELECT min(xact_start) FROM pg_stat_activity WHERE datname = current_database() AND backend_type <> 'autovacuum worker'),"
" (SELECT min(prepared) FROM pg_prepared_xacts WHERE database = current_database())) - w.within FROM idem.scope,"
" LATERAL (SELECT CASE WHEN duplicate_fields <> '{}'"
" THEN make_interval(secs => date_part('epoch', duplicate_window)) END AS within) w WHERE id = $1";

/* FOR UPDATE SKIP LOCKED: a claim that somebody works on is left for later. */
static const char drop_inside_sql[] =
"UPDATE idem.anchor SET response = NULL, state = 'd' WHERE ctid = ANY (ARRAY("
"SELECT ctid FROM idem.anchor WHERE scope = $1 AND state = 's' AND response IS NOT NULL"
" AND first_seen < $3 LIMIT $2 FOR UPDATE SKIP LOCKED))";

static const char drop_outside_sql[] =
"UPDATE idem.reservation SET response = NULL, request = NULL, dropped = true WHERE ctid = ANY (ARRAY("
"SELECT ctid FROM idem.reservation WHERE scope = $1 AND state IN ('s', 'f') AND due_at IS NULL"
" AND NOT dropped AND num_nonnulls(request, response) > 0"
" AND finished_at < $3 LIMIT $2 FOR UPDATE SKIP LOCKED))";

/* Keys that somebody has to compare with one that is held. */
#define COMPARED_KEYS \
	"(SELECT s.key FROM idem.suspect h JOIN idem.sighting s ON s.digest = h.members WHERE h.scope = $1 AND h.held)"

static const char remove_inside_sql[] =
"DELETE FROM idem.anchor WHERE ctid = ANY (ARRAY("
"SELECT ctid FROM idem.anchor WHERE scope = $1 AND state IN ('c', 's', 'd', 'a')"
" AND ($3 IS NULL OR first_seen < $3) AND ($8 IS NULL OR first_seen < $8)"
" AND key NOT IN " COMPARED_KEYS
" AND idem.known_key_time(key, $4, $5) < $7 LIMIT $2 FOR UPDATE SKIP LOCKED))";

/* A row a reservation that is gone; their attempts go with them. */
static const char remove_outside_sql[] =
"WITH gone AS (DELETE FROM idem.reservation WHERE ctid = ANY (ARRAY("
"SELECT ctid FROM idem.reservation WHERE scope = $1 AND due_at IS NULL AND state IN ('s', 'f', 'a')"
" AND ($3 IS NULL OR finished_at < $3) AND ($8 IS NULL OR first_seen < $8)"
" AND key NOT IN " COMPARED_KEYS
" AND idem.known_key_time(key, $4, $5) < $7 LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING key),"
" attempts AS (DELETE FROM idem.attempt a USING gone WHERE a.scope = $1 AND a.key = gone.key)"
" SELECT FROM gone";

static const char horizon_sql[] =
"UPDATE idem.scope SET horizon = $7 WHERE id = $1 AND (horizon IS NULL OR horizon < $7)";

/* Before the sightings: one that was held and is known keeps none any more. */
static const char forget_suspects_sql[] =
"DELETE FROM idem.suspect WHERE ctid = ANY (ARRAY("
"SELECT h.ctid FROM idem.suspect h WHERE h.scope = $1 AND h.first_seen < $8"
" AND (NOT h.held OR EXISTS (SELECT FROM idem.anchor a WHERE a.digest = h.id)"
" OR EXISTS (SELECT FROM idem.reservation r WHERE r.digest = h.id AND r.state <> 'l'))"
" LIMIT $2 FOR UPDATE SKIP LOCKED))";

static const char forget_sightings_sql[] =
"DELETE FROM idem.sighting WHERE ctid = ANY (ARRAY("
"SELECT s.ctid FROM idem.sighting s WHERE s.scope = $1"
" AND (s.first_seen < $8 OR s.first_seen = 'infinity')"
" AND s.digest NOT IN (SELECT h.members FROM idem.suspect h WHERE h.scope = $1 AND h.held)"
" LIMIT $2 FOR UPDATE SKIP LOCKED))";

/*
 * Run one of the statements as the owner of a table; returns the number of
 * rows.
 */
static uint64
run(Retirement *retirement, Relation owner, const char *sql)
{
	static Oid	types[PARAMETERS] = {INT4OID, INT8OID, TIMESTAMPTZOID,
	TEXTOID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID};

	return idem_run_as_owner(owner, sql, PARAMETERS, types, retirement->values,
							 retirement->nulls);
}

static bool
has(const Retirement *retirement, int n)
{
	return retirement->nulls[n] == ' ';
}

static void
set(Retirement *retirement, int n, Datum value)
{
	retirement->values[n] = value;
	retirement->nulls[n] = ' ';
}

/* What the scope says: keep and window as times, key_time and parts. */
static void
read_rules(Retirement *retirement, Relation rel)
{
	static const int rules[] = {KEPT_UNTIL, KEY_TIME, PARTS, SEEN_UNTIL,
	COMPARED_UNTIL};
	TupleDesc	desc;
	int			i;

	if (run(retirement, rel, keep_sql) != 1)
		elog(ERROR, "could not read idem.scope");
	desc = SPI_tuptable->tupdesc;
	for (i = 0; i < (int) lengthof(rules); i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], desc, i + 1,
										  &isnull);

		if (!isnull)
			set(retirement, rules[i], value);
	}
	/* idem.known_key_time takes no NULL */
	if (!has(retirement, PARTS))
		set(retirement, PARTS, Int32GetDatum(0));
}

/* 22023 for a time from which keys are still compared with new ones. */
static void
check_window(const Retirement *retirement, TimestampTz before)
{
	TimestampTz seen = DatumGetTimestampTz(retirement->values[SEEN_UNTIL]);

	if (has(retirement, SEEN_UNTIL) && before > seen)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keys of scope \"%s\" cannot be forgotten within its duplicate_window",
						retirement->scope->name),
				 errdetail("New keys are compared with those that came since %s.",
						   timestamptz_to_str(seen))));
}

/* 22023 for a scope or a time for which nothing can be retired. */
static void
check_rules(const Retirement *retirement)
{
	const char *name = retirement->scope->name;
	TimestampTz before = DatumGetTimestampTz(retirement->values[BEFORE]);
	TimestampTz kept = DatumGetTimestampTz(retirement->values[KEPT_UNTIL]);

	if (!has(retirement, KEPT_UNTIL) && !has(retirement, KEY_TIME) &&
		!has(retirement, SEEN_UNTIL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scope \"%s\" keeps keys and bodies for good", name),
				 errhint("A scope with keep drops bodies; one with key_time can forget keys.")));
	if (!has(retirement, BEFORE))
		return;
	if (!has(retirement, KEY_TIME))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keys of scope \"%s\" carry no time and are kept for good",
						name),
				 errhint("Leave \"before\" out to drop bodies.")));
	if (TIMESTAMP_NOT_FINITE(before) || before > GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("claims cannot be retired before a time that has not come")));
	if (has(retirement, KEPT_UNTIL) && before > kept)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keys of scope \"%s\" cannot be forgotten within its keep",
						name),
				 errdetail("It keeps the answers since %s.",
						   timestamptz_to_str(kept))));
	check_window(retirement, before);
}

/* Move the horizon, never back, then remove what lies before it. */
static uint64
remove_keys(Retirement *retirement, Relation rel)
{
	TimestampTz before = DatumGetTimestampTz(retirement->values[BEFORE]);
	TimestampTz horizon = idem_key_scope_horizon(retirement->scope, NULL);

	set(retirement, BEFORE, TimestampTzGetDatum(Max(before, horizon)));
	(void) run(retirement, rel, horizon_sql);
	return run(retirement, retirement->table, retirement->scope->outside ?
			   remove_outside_sql : remove_inside_sql);
}

/* dropped, removed, horizon */
static Datum
result_row(FunctionCallInfo fcinfo, uint64 dropped, uint64 removed,
		   TimestampTz horizon)
{
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum(dropped);
	values[1] = Int64GetDatum(removed);
	values[2] = TimestampTzGetDatum(horizon);
	nulls[2] = TIMESTAMP_IS_NOBEGIN(horizon);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values,
											 nulls));
}

/* What was retired, if anything, goes into the log. */
static void
log_retired(const Retirement *retirement, uint64 dropped, uint64 removed,
			uint64 sightings)
{
	List	   *facts = list_make2(psprintf("dropped=" UINT64_FORMAT, dropped),
								   psprintf("removed=" UINT64_FORMAT, removed));

	if (sightings > 0)
		facts = lappend(facts, psprintf("sightings=" UINT64_FORMAT, sightings));
	if (dropped > 0 || removed > 0 || sightings > 0)
		idem_log_change("retired", "scope", InvalidOid, retirement->scope->name,
						facts, NULL);
}

/*
 * retire(scope, before, batch) -> (dropped, removed, horizon)
 */
PG_FUNCTION_INFO_V1(idem_retire);
Datum
idem_retire(PG_FUNCTION_ARGS)
{
	Relation	rel;
	Retirement	retirement;
	uint64		dropped = 0;
	uint64		removed = 0;
	uint64		sightings = 0;
	TimestampTz horizon;

	PreventCommandIfReadOnly("idem.retire()");
	rel = table_open(idem_key_scope_relid(), ShareRowExclusiveLock);
	idem_require_argument(fcinfo, 2, "batch");
	if (PG_GETARG_INT32(2) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch must be at least 1")));
	retirement.scope = idem_key_scope_get(PG_ARGISNULL(0) ? NULL :
										  PG_GETARG_TEXT_PP(0));
	retirement.table = table_open(retirement.scope->outside ?
								  idem_key_reservation_relid() :
								  idem_key_anchor_relid(),
								  RowExclusiveLock);
	memset(retirement.values, 0, sizeof(retirement.values));
	memset(retirement.nulls, 'n', PARAMETERS);
	set(&retirement, SCOPE, Int32GetDatum(retirement.scope->id));
	set(&retirement, BATCH, Int64GetDatum((int64) PG_GETARG_INT32(2)));
	if (!PG_ARGISNULL(1))
		set(&retirement, BEFORE, PG_GETARG_DATUM(1));

	SPI_connect();
	read_rules(&retirement, rel);
	check_rules(&retirement);
	if (has(&retirement, KEPT_UNTIL))
		dropped = run(&retirement, retirement.table, retirement.scope->outside ?
					  drop_outside_sql : drop_inside_sql);
	if (has(&retirement, BEFORE))
		removed = remove_keys(&retirement, rel);
	if (has(&retirement, SEEN_UNTIL))
	{
		(void) run(&retirement, rel, forget_suspects_sql);
		sightings = run(&retirement, rel, forget_sightings_sql);
	}
	horizon = idem_key_scope_horizon(retirement.scope, NULL);
	log_retired(&retirement, dropped, removed, sightings);
	SPI_finish();
	table_close(retirement.table, NoLock);
	table_close(rel, NoLock);
	PG_RETURN_DATUM(result_row(fcinfo, dropped, removed, horizon));
}
