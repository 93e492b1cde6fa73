/*
 * send_attempt.c
 *		One row for every attempt that was dispatched.
 *
 * It is numbered by the reservation, whose lock the dispatch holds.  An attempt
 * that has a row is never dispatched again (23505), not even if its
 * reservation was brought back from an older time.
 *
 * Locks: ROW EXCLUSIVE on idem.attempt, or ACCESS SHARE to read.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/date.h"
#include "utils/rel.h"

#include "base/latest.h"
#include "key/key_log.h"
#include "send/send.h"

/* Columns of idem.attempt. */
#define Anum_attempt_token			4
#define Anum_attempt_dispatched_at	5
#define Anum_attempt_channel		6
#define Anum_attempt_serial			7
#define Anum_attempt_business_date	8
#define Anum_attempt_other_date		9
#define Natts_attempt				9

/*
 * Record that the attempt of a locked reservation was dispatched, in the
 * transaction that changes the state.
 */
void
idem_send_keep_attempt(IdemCall *call, const IdemAttempt *attempt)
{
	const IdemReservation *reservation = &call->row;
	IdemKeyLogRow row;

	idem_key_log_begin(&row, "attempt", Natts_attempt, &call->key);
	idem_key_log_put(&row, Anum_key_log_number,
					 Int32GetDatum(reservation->attempt));
	idem_key_log_put(&row, Anum_attempt_token,
					 Int64GetDatum(reservation->token));
	idem_key_log_put(&row, Anum_attempt_dispatched_at,
					 TimestampTzGetDatum(reservation->dispatched_at));
	idem_key_log_put_pointer(&row, Anum_attempt_channel, attempt->channel);
	idem_key_log_put_pointer(&row, Anum_attempt_serial, attempt->serial);
	if (attempt->has_date)
		idem_key_log_put(&row, Anum_attempt_business_date,
						 DateADTGetDatum(attempt->business_date));
	if (attempt->has_other_date)
		idem_key_log_put(&row, Anum_attempt_other_date,
						 DateADTGetDatum(attempt->other_date));
	idem_key_log_insert(&row);
	call->attempt = *attempt;
	call->attempt.number = reservation->attempt;
	call->attempt.token = reservation->token;
	call->attempt.dispatched_at = reservation->dispatched_at;
}

/* The text of a column, copied; NULL if it is null. */
static text *
text_of(HeapTuple tuple, TupleDesc desc, int attnum)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attnum, desc, &isnull);

	return isnull ? NULL : DatumGetTextPCopy(value);
}

/* The date of a column; false if it is null. */
static bool
date_of(HeapTuple tuple, TupleDesc desc, int attnum, DateADT *date)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attnum, desc, &isnull);

	if (!isnull)
		*date = DatumGetDateADT(value);
	return !isnull;
}

/* Put down what a row says. */
static void
read_row(HeapTuple tuple, TupleDesc desc, IdemAttempt *attempt)
{
	bool		isnull;

	attempt->token = DatumGetInt64(heap_getattr(tuple, Anum_attempt_token,
												desc, &isnull));
	attempt->dispatched_at =
		DatumGetTimestampTz(heap_getattr(tuple, Anum_attempt_dispatched_at,
										 desc, &isnull));
	attempt->channel = text_of(tuple, desc, Anum_attempt_channel);
	attempt->serial = text_of(tuple, desc, Anum_attempt_serial);
	attempt->has_date = date_of(tuple, desc, Anum_attempt_business_date,
								&attempt->business_date);
	attempt->has_other_date = date_of(tuple, desc, Anum_attempt_other_date,
									  &attempt->other_date);
}

/*
 * The row of an attempt that was dispatched, of a reservation that is locked
 * or committed; it can be read until the next one is asked for.  Empty if
 * there is no row: the attempt is older than the table, its row was removed by
 * hand, or it was never dispatched.
 */
const IdemAttempt *
idem_send_attempt(IdemCall *call, int32 number)
{
	Relation	log;
	HeapTuple	tuple;

	if (call->attempt.number == number)
		return &call->attempt;
	log = idem_key_log_open("attempt", Natts_attempt, AccessShareLock);
	tuple = idem_key_log_find(log, &call->key, number);
	memset(&call->attempt, 0, sizeof(IdemAttempt));
	call->attempt.number = number;
	if (tuple != NULL)
		read_row(tuple, RelationGetDescr(log), &call->attempt);
	table_close(log, NoLock);
	return &call->attempt;
}

/* The attempt that was dispatched with a token; the last one if none was. */
const IdemAttempt *
idem_send_attempt_of_token(IdemCall *call, int64 token)
{
	int32		number;

	for (number = call->row.attempt; number > 1; number--)
	{
		const IdemAttempt *attempt = idem_send_attempt(call, number);

		if (attempt->token != 0 && attempt->token <= token)
			break;
	}
	return idem_send_attempt(call, Max(number, 1));
}

/* The provider has booked an attempt on another day than we thought. */
void
idem_send_move_date(IdemCall *call, int32 number, DateADT date)
{
	Oid			types[4] = {INT4OID, TEXTOID, INT4OID, DATEOID};
	Datum		values[4];
	Relation	log = idem_key_log_open("attempt", Natts_attempt,
										RowExclusiveLock);

	values[0] = Int32GetDatum(call->key.scope->id);
	values[1] = PointerGetDatum(call->key.text);
	values[2] = Int32GetDatum(number);
	values[3] = DateADTGetDatum(date);
	SPI_connect();
	(void) idem_run_as_owner(log, "UPDATE idem.attempt SET business_date = $4, other_date = NULL"
							 " WHERE scope = $1 AND key = $2 AND attempt = $3",
							 4, types, values, NULL);
	SPI_finish();
	table_close(log, NoLock);
	call->attempt.number = 0;
}
