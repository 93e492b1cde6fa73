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
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/rel.h"

#include "base/idem_compat.h"
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
 * Keep that the attempt of a locked reservation was dispatched, in the
 * transaction that changes the state.
 */
void
idem_send_keep_attempt(const IdemCall *call, const IdemAttempt *attempt)
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

/*
 * What is known of an attempt that was dispatched, of a reservation that is
 * locked or committed.  Nothing, if the row is not there: it is older than the
 * table, or was taken away by hand.
 */
void
idem_send_read_attempt(const IdemKey *key, int32 number, IdemAttempt *attempt)
{
	Relation	log = idem_key_log_open("attempt", Natts_attempt,
										AccessShareLock);
	TupleDesc	desc = RelationGetDescr(log);
	HeapTuple	tuple = idem_key_log_find(log, key, number);

	memset(attempt, 0, sizeof(*attempt));
	if (tuple != NULL)
	{
		attempt->channel = text_of(tuple, desc, Anum_attempt_channel);
		attempt->serial = text_of(tuple, desc, Anum_attempt_serial);
		attempt->has_date = date_of(tuple, desc, Anum_attempt_business_date,
									&attempt->business_date);
		attempt->has_other_date = date_of(tuple, desc,
										  Anum_attempt_other_date,
										  &attempt->other_date);
	}
	table_close(log, NoLock);
}
