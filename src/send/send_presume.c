/*
 * send_presume.c
 *		No news is good news, where the provider works so.
 *
 * Some providers never say that a payment arrived, only that it came back:
 * ACH, some direct debits.  The channel of such a provider says after how many
 * of its business days no news means success (presume_days).  The key is
 * succeeded then and marked as presumed; a return still comes, and is recorded
 * as one, and a failure is late and before a person, as after any success.
 *
 * A key that waits for a person is not presumed.  A key that another session
 * has settled meanwhile is left alone: it is looked at again under its lock.
 *
 * Locks: ROW EXCLUSIVE on idem.reservation; the rows that are presumed.
 *
 * Shown by sql/channel_late.sql.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/tuplestore.h"

#include "base/latest.h"
#include "send/send.h"

/* $1 scope, $2 now, $3 batch */
static const char *const overdue_sql =
"SELECT r.key, r.attempt FROM idem.reservation r"
" JOIN idem.attempt a ON a.scope = r.scope AND a.key = r.key AND a.attempt = r.attempt"
" JOIN idem.channel c ON c.name = a.channel"
" WHERE r.scope = $1 AND r.due_at IS NOT NULL AND r.state IN ('d', 'u')"
" AND r.concern IS NULL AND c.presume_days IS NOT NULL"
" AND idem.business_days(c.calendar, a.business_date, idem.business_date(c.calendar, $2)) >= c.presume_days"
" ORDER BY r.key LIMIT $3";

/* The keys that have been silent for long enough; the result is SPI's. */
static void
find_overdue(Relation rel, const IdemScope *scope, int32 batch)
{
	Oid			types[3] = {INT4OID, TIMESTAMPTZOID, INT4OID};
	Datum		values[3];

	values[0] = Int32GetDatum(scope->id);
	values[1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[2] = Int32GetDatum(batch);
	(void) idem_run_as_owner(rel, overdue_sql, 3, types, values, NULL);
}

/* Take the silence of a key for success, unless it was broken meanwhile. */
static bool
presume(IdemCall *call, int32 attempt)
{
	IdemReservation *row = &call->row;
	IdemNews	news = {0};

	if (!idem_send_lock(call, false) || row->attempt != attempt ||
		row->concern != IDEM_CONCERN_NONE ||
		(row->state != IDEM_STATE_DISPATCHED &&
		 row->state != IDEM_STATE_UNKNOWN))
		return false;
	row->state = IDEM_STATE_SUCCEEDED;
	row->finished_at = call->now;
	row->presumed_at = call->now;
	row->lease_until = 0;
	if (row->fenced_at != 0)
	{
		row->concern = IDEM_CONCERN_REVERSE;
		row->step = 0;
		row->due_at = call->now;
	}
	else
		row->due_at = 0;
	idem_send_write(call);
	news.asked_at = call->now;
	idem_send_keep_evidence(call, "presume", &news, "succeeded");
	return true;
}

/* One key that was found, as a row of the answer if it is presumed. */
static void
put_row(ReturnSetInfo *result, IdemCall *call, text *key, int32 attempt)
{
	IdemAnswer	answer = {0};
	Datum		values[SEND_RESULT_COLUMNS];
	bool		nulls[SEND_RESULT_COLUMNS];

	idem_key_init(call->key.scope, key, &call->key);
	if (!presume(call, attempt))
		return;
	idem_send_describe(call, &answer);
	answer.outcome = call->row.concern == IDEM_CONCERN_REVERSE ?
		"reverse_needed" : answer.state;
	idem_key_send_values(&call->key, &answer, values, nulls);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * presume(scope, batch) -> setof send_result
 */
PG_FUNCTION_INFO_V1(idem_presume);
Datum
idem_presume(PG_FUNCTION_ARGS)
{
	IdemCall	call;
	int32		batch;
	SPITupleTable *found;
	uint64		i;

	PreventCommandIfReadOnly("idem.presume()");
	PreventCommandIfParallelMode("idem.presume()");
	idem_send_begin_batch(fcinfo, &call, &batch);
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	find_overdue(call.table.table, call.key.scope, batch);
	found = SPI_tuptable;
	for (i = 0; i < found->numvals; i++)
	{
		bool		isnull;
		Datum		key = SPI_getbinval(found->vals[i], found->tupdesc, 1,
										&isnull);
		Datum		attempt = SPI_getbinval(found->vals[i], found->tupdesc, 2,
											&isnull);

		put_row((ReturnSetInfo *) fcinfo->resultinfo, &call,
				DatumGetTextPCopy(key), DatumGetInt32(attempt));
	}
	SPI_finish();
	idem_key_close(&call.table);
	return (Datum) 0;
}
