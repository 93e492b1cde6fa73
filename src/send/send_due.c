/*
 * send_due.c
 *		The keys that somebody has to look at now.
 *
 * Every key that is not final, or has a late result or needs a reversal, has a
 * time at which somebody has to look at it.  idem.due hands these keys out,
 * oldest first, and moves each one rung along the ladder of its scope, so that
 * the next caller gets it later.  At the end of the ladder "why" is manual and
 * the last rung repeats, so no key is lost.
 *
 * A key that is reserved while its scope is paused, or every channel of it
 * closed or paused, or in the wrong place to send from, waits where it is,
 * since nobody could do anything about it.
 *
 * Two sessions are not handed the same row, and neither waits (SKIP LOCKED). A
 * row that is handed out is never leave to send.  Handing out is not flushed:
 * after a crash the row is handed out again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "base/identity.h"
#include "send/send.h"

/*
 * $1 scope, $2 now, $3 batch, $4 rungs in microseconds, $5 whether nothing
 * that is reserved could be dispatched now.  step counts from 0:
 * the rung after this one is the next of an array that counts from 1.
 */
static const char *const due_sql =
"WITH picked AS MATERIALIZED ("
" SELECT r.digest, r.due_at FROM idem.reservation r"
" WHERE r.scope OPERATOR(pg_catalog.=) $1 AND r.due_at OPERATOR(pg_catalog.<=) $2"
" AND NOT ($5 AND r.state OPERATOR(pg_catalog.=) 'r')"
" ORDER BY r.due_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED),"
" moved AS ("
" UPDATE idem.reservation r SET step = r.step OPERATOR(pg_catalog.+) 1,"
" due_at = $2 OPERATOR(pg_catalog.+) ('1 microsecond'::pg_catalog.interval OPERATOR(pg_catalog.*)"
" ($4)[LEAST(r.step OPERATOR(pg_catalog.+) 2, pg_catalog.cardinality($4))]::pg_catalog.float8)"
" FROM picked p WHERE r.digest OPERATOR(pg_catalog.=) p.digest"
" RETURNING r.*, p.due_at AS was_due_at)"
" SELECT * FROM moved ORDER BY was_due_at";

/* Columns of idem.due_result after those of idem.send_result. */
enum
{
	DUE_REQUEST = SEND_RESULT_COLUMNS,
	DUE_STEP,
	DUE_WHY,
	DUE_COLUMNS
};

/*
 * The reason why somebody has to look; the row has been moved along already.
 * As long as an attempt is out, it is inquired about, whatever is known of
 * another one: a person cannot judge before.
 */
static const char *
why_due(const IdemScope *scope, const IdemReservation *row)
{
	bool		out = row->state == IDEM_STATE_DISPATCHED ||
		row->state == IDEM_STATE_UNKNOWN;

	if (out && row->step <= scope->nrungs)
		return "inquire";
	switch (row->concern)
	{
		case IDEM_CONCERN_LATE:
		case IDEM_CONCERN_RAN:
			return "late result";
		case IDEM_CONCERN_REVERSE:
			return "reverse needed";
		case IDEM_CONCERN_STALE:
			return "stale attempt";
		case IDEM_CONCERN_MOVED:
			return "lost attempt";
		default:
			break;
	}
	if (row->step > scope->nrungs)
		return "manual";
	return "abandoned reservation";
}

/* The ladder as a bigint[]. */
static Datum
ladder_array(const IdemScope *scope)
{
	Datum	   *rungs = palloc(sizeof(Datum) * scope->nrungs);
	int			i;

	for (i = 0; i < scope->nrungs; i++)
		rungs[i] = Int64GetDatum(scope->ladder[i]);
	return PointerGetDatum(construct_array(rungs, scope->nrungs, INT8OID,
										   sizeof(int64), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

/* Pick the rows and move them along; the result is SPI's. */
static void
pick(Relation rel, const IdemScope *scope, TimestampTz now, int32 batch)
{
	Oid			types[5] = {INT4OID, TIMESTAMPTZOID, INT4OID, INT8ARRAYOID,
	BOOLOID};
	Datum		values[5];
	IdemIdentity saved;

	values[0] = Int32GetDatum(scope->id);
	values[1] = TimestampTzGetDatum(now);
	values[2] = Int32GetDatum(batch);
	values[3] = ladder_array(scope);
	values[4] = BoolGetDatum(idem_send_nothing_goes(scope, now));
	idem_become_declarer(rel, &saved);
	if (SPI_execute_with_args(due_sql, 5, types, values, NULL, false,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read idem.reservation");
	idem_restore_identity(&saved);
}

/* One row that was picked, as a row of the answer. */
static void
put_row(ReturnSetInfo *result, IdemCall *call, HeapTuple tuple, TupleDesc desc)
{
	IdemReservation *row = &call->row;
	IdemAnswer	answer = {0};

	/* ours, perhaps columns that somebody added, and when it was due */
	Datum	   *columns = palloc(sizeof(Datum) * desc->natts);
	bool	   *column_nulls = palloc(sizeof(bool) * desc->natts);
	Datum		values[DUE_COLUMNS];
	bool		nulls[DUE_COLUMNS];

	heap_deform_tuple(tuple, desc, columns, column_nulls);
	memcpy(row->found.values, columns, sizeof(row->found.values));
	memcpy(row->found.nulls, column_nulls, sizeof(row->found.nulls));
	row->found.held = IDEM_HELD_COMMITTED;
	memset(&row->found.commit, 0, sizeof(IdemCommit));	/* ours covers it */
	idem_send_decode(row);
	call->attempt.number = 0;
	call->key.text = DatumGetTextPP(columns[Anum_anchor_key - 1]);
	idem_send_describe(call, &answer);
	answer.token = row->token;
	answer.retry_at = row->due_at;
	idem_key_send_values(&call->key, &answer, values, nulls);
	values[DUE_REQUEST] = columns[Anum_reservation_request - 1];
	nulls[DUE_REQUEST] = column_nulls[Anum_reservation_request - 1];
	values[DUE_STEP] = Int32GetDatum(row->step);
	nulls[DUE_STEP] = false;
	values[DUE_WHY] = CStringGetTextDatum(why_due(call->key.scope, row));
	nulls[DUE_WHY] = false;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * due(scope, batch) -> setof due_result
 */
PG_FUNCTION_INFO_V1(idem_due);
Datum
idem_due(PG_FUNCTION_ARGS)
{
	IdemCall	call;
	int32		batch;
	uint64		i;

	PreventCommandIfReadOnly("idem.due()");
	PreventCommandIfParallelMode("idem.due()");
	idem_send_begin_batch(fcinfo, &call, &batch);
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	call.now = GetCurrentTimestamp();
	pick(call.table.table, call.key.scope, call.now, batch);
	for (i = 0; i < SPI_processed; i++)
		put_row((ReturnSetInfo *) fcinfo->resultinfo, &call,
				SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	SPI_finish();
	idem_key_close(&call.table);
	return (Datum) 0;
}
