/*
 * claim_retire.c
 *		What may be forgotten, and what never is.
 *
 * Bodies: of a claim that has been final for the keep of its scope, request
 * and response are dropped.  State, fingerprint and times stay, so a repeat is
 * answered as before, only without the response.
 *
 * Keys: in a scope whose keys carry their own time, the horizon moves forward
 * and final anchors of older keys are removed, in one transaction; from then
 * on such a key is expired (claim_horizon.c).  What is reserved, dispatched,
 * unknown, released or fenced, or waits for a person, is never removed, nor is
 * anything of a transaction that has not committed.
 *
 * Both in batches: whatever is left is for the next call.  No index leads to
 * what is old, so a call reads the table until it has found its batch.
 *
 * Locks: SHARE ROW EXCLUSIVE on idem.scope, one retirement or declaration at a
 * time; ROW EXCLUSIVE on the table of keys; the rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/identity.h"
#include "claim/claim.h"

/* $1 scope, $2 batch, $3 limit in time, $4 key_time, $5 parts */
#define PARAMETERS 5

typedef struct Retirement
{
	const IdemScope *scope;
	Relation	table;
	Datum		values[PARAMETERS];
	char		nulls[PARAMETERS + 1];
} Retirement;

/*
 * When $1 the keep of the scope began to end, or NULL if it never does.  The
 * day of keep is one of UTC, whatever time zone the session is in.
 */
static const char keep_sql[] =
"SELECT (clock_timestamp() AT TIME ZONE 'UTC' - keep) AT TIME ZONE 'UTC', key_time, parts, horizon"
" FROM idem.scope WHERE id = $1";

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

static const char remove_inside_sql[] =
"DELETE FROM idem.anchor WHERE ctid = ANY (ARRAY("
"SELECT ctid FROM idem.anchor WHERE scope = $1 AND state IN ('c', 's', 'd')"
" AND idem.key_time(key, $4, $5) < $3 LIMIT $2 FOR UPDATE SKIP LOCKED))";

static const char remove_outside_sql[] =
"DELETE FROM idem.reservation WHERE ctid = ANY (ARRAY("
"SELECT ctid FROM idem.reservation WHERE scope = $1 AND state IN ('s', 'f') AND due_at IS NULL"
" AND idem.key_time(key, $4, $5) < $3 LIMIT $2 FOR UPDATE SKIP LOCKED))";

static const char horizon_sql[] =
"UPDATE idem.scope SET horizon = $3 WHERE id = $1 AND (horizon IS NULL OR horizon < $3)";

/* Run one of the statements as the owner of a table; how many rows. */
static uint64
run(Retirement *retirement, Relation owner, const char *sql)
{
	static Oid	types[PARAMETERS] = {INT4OID, INT8OID, TIMESTAMPTZOID,
		TEXTOID, INT4OID};
	IdemIdentity saved;

	idem_become_declarer(owner, &saved);
	if (SPI_execute_with_args(sql, PARAMETERS, types, retirement->values,
							  retirement->nulls, false, 0) < 0)
		elog(ERROR, "could not retire claims of a scope");
	idem_restore_identity(&saved);
	return SPI_processed;
}

static bool
has(const Retirement *retirement, int n)
{
	return retirement->nulls[n] == ' ';
}

static TimestampTz
limit_of(const Retirement *retirement)
{
	return DatumGetTimestampTz(retirement->values[2]);
}

static void
set_limit(Retirement *retirement, TimestampTz limit)
{
	retirement->values[2] = TimestampTzGetDatum(limit);
	retirement->nulls[2] = ' ';
}

/* What the scope says: its keep as a limit in $3, key_time and parts. */
static void
read_rules(Retirement *retirement, Relation rel)
{
	TupleDesc	desc;
	int			i;

	if (run(retirement, rel, keep_sql) != 1)
		elog(ERROR, "could not read idem.scope");
	desc = SPI_tuptable->tupdesc;
	for (i = 0; i < 3; i++)
	{
		bool		isnull;

		retirement->values[2 + i] = SPI_getbinval(SPI_tuptable->vals[0], desc,
												  i + 1, &isnull);
		retirement->nulls[2 + i] = isnull ? 'n' : ' ';
	}
	/* idem.key_time takes no NULL */
	if (!has(retirement, 4))
		retirement->values[4] = Int32GetDatum(0);
	retirement->nulls[4] = ' ';
}

/* 22023 for a scope or a time for which nothing can be retired. */
static void
check_rules(const Retirement *retirement, bool has_before, TimestampTz before)
{
	const char *name = retirement->scope->name;
	bool		key_time = has(retirement, 3);

	if (!has(retirement, 2) && !key_time)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scope \"%s\" keeps keys and bodies for good", name),
				 errhint("A scope with keep drops bodies; one with key_time can forget keys.")));
	if (!has_before)
		return;
	if (TIMESTAMP_NOT_FINITE(before) || before > GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("claims cannot be retired before a time that has not come")));
	if (key_time && has(retirement, 2) && before > limit_of(retirement))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keys of scope \"%s\" cannot be forgotten within its keep",
						name),
				 errdetail("It keeps what was answered until %s.",
						   timestamptz_to_str(limit_of(retirement)))));
}

/* Drop bodies that were kept long enough, and not after before. */
static uint64
drop_bodies(Retirement *retirement, bool has_before, TimestampTz before)
{
	if (!has(retirement, 2))
		return 0;
	if (has_before && before < limit_of(retirement))
		set_limit(retirement, before);
	return run(retirement, retirement->table, retirement->scope->outside ?
			   drop_outside_sql : drop_inside_sql);
}

/* Move the horizon, then remove what lies before it. */
static uint64
remove_keys(Retirement *retirement, Relation rel, TimestampTz before)
{
	TimestampTz horizon = idem_scope_horizon(retirement->scope);

	set_limit(retirement, Max(before, horizon));
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

/*
 * retire(scope, before, batch) -> (dropped, removed, horizon)
 */
PG_FUNCTION_INFO_V1(idem_retire);
Datum
idem_retire(PG_FUNCTION_ARGS)
{
	bool		has_before = !PG_ARGISNULL(1);
	TimestampTz before = has_before ? PG_GETARG_TIMESTAMPTZ(1) : 0;
	Relation	rel = table_open(idem_scope_relid(), ShareRowExclusiveLock);
	Retirement	retirement;
	uint64		dropped;
	uint64		removed = 0;
	TimestampTz horizon;

	idem_require_argument(fcinfo, 2, "batch");
	if (PG_GETARG_INT32(2) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch must be at least 1")));
	retirement.scope = idem_scope_get(PG_ARGISNULL(0) ? NULL :
									  PG_GETARG_TEXT_PP(0));
	retirement.table = table_open(retirement.scope->outside ?
								  idem_reservation_relid() : idem_anchor_relid(),
								  RowExclusiveLock);
	memset(retirement.nulls, 'n', PARAMETERS);
	retirement.values[0] = Int32GetDatum(retirement.scope->id);
	retirement.values[1] = Int64GetDatum((int64) PG_GETARG_INT32(2));
	retirement.nulls[0] = retirement.nulls[1] = ' ';

	SPI_connect();
	read_rules(&retirement, rel);
	check_rules(&retirement, has_before, before);
	dropped = drop_bodies(&retirement, has_before, before);
	if (has_before && has(&retirement, 3))
		removed = remove_keys(&retirement, rel, before);
	horizon = idem_scope_horizon(retirement.scope);
	if (dropped > 0 || removed > 0)
		idem_log_change("retired", "scope", InvalidOid, retirement.scope->name,
						list_make2(psprintf("dropped=" UINT64_FORMAT, dropped),
								   psprintf("removed=" UINT64_FORMAT, removed)),
						NULL);
	SPI_finish();
	table_close(retirement.table, NoLock);
	table_close(rel, NoLock);
	PG_RETURN_DATUM(result_row(fcinfo, dropped, removed, horizon));
}
