/*
 * key_answer.c
 *		The answer to a call for a key.
 *
 * Every answer that lets the caller act passes vouch(): the commit that it
 * rests on is on disk, and with the required standbys, or the answer does not
 * say so (base/durable.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/subtrans.h"
#include "funcapi.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

#include "base/durable.h"
#include "key/key_answer.h"
#include "key/key_inner.h"

/*
 * How long an answer waits for the standbys that have to confirm a commit of
 * another session, in milliseconds; longer than it takes them when all is
 * well.
 */
#define STANDBYS_WAIT_MS		1000

static void
set_string(Datum *values, bool *nulls, int column, const char *value)
{
	nulls[column] = value == NULL;
	if (value != NULL)
		values[column] = CStringGetTextDatum(value);
}

static void
set_pointer(Datum *values, bool *nulls, int column, const void *value)
{
	values[column] = PointerGetDatum(value);
	nulls[column] = value == NULL;
}

static void
set_value(Datum *values, bool *nulls, int column, Datum value, bool given)
{
	values[column] = value;
	nulls[column] = !given;
}

static void
set_time(Datum *values, bool *nulls, int column, TimestampTz value)
{
	set_value(values, nulls, column, TimestampTzGetDatum(value), value != 0);
}

/*
 * Take back what the answer says of a commit that the standbys may not have.
 * Of our own only that the message may be acknowledged: what this call did it
 * has done.
 */
static void
withhold(IdemAnswer *answer)
{
	answer->settled = false;
	answer->detail = "the standbys that are required have not confirmed it";
	if (answer->commit.kind == IDEM_COMMIT_OURS)
		return;
	answer->outcome = "in_progress";
	answer->reentrant = false;
	answer->token = 0;
	answer->has_response = false;
	answer->response_dropped = false;
}

/*
 * Every answer that lets the caller act passes here: settled, granted, or a
 * token given again.  The commit that it rests on is on disk, and with the
 * required standbys, or the answer does not say so.  A grant rests on a commit
 * that is still to come; idem.dispatch looks again after it.
 */
static void
vouch(const IdemKey *key, IdemAnswer *answer)
{
	if (answer->granted && key->scope->flush)
		idem_flush_effect();
	if ((answer->settled || (answer->reentrant && answer->token != 0)) &&
		!idem_commit_is_durable(&answer->commit, key->scope->standbys,
								STANDBYS_WAIT_MS))
		withhold(answer);
}

/* The answer as the columns of idem.claim_result. */
void
idem_key_claim_values(const IdemKey *key, IdemAnswer *answer,
					  Datum *values, bool *nulls)
{
	vouch(key, answer);
	set_string(values, nulls, RESULT_OUTCOME, answer->outcome);
	set_value(values, nulls, RESULT_GRANTED, BoolGetDatum(answer->granted),
			  true);
	set_value(values, nulls, RESULT_SETTLED, BoolGetDatum(answer->settled),
			  true);
	set_value(values, nulls, RESULT_REENTRANT, BoolGetDatum(answer->reentrant),
			  !answer->never_reentrant);
	set_pointer(values, nulls, RESULT_KEY, key->text);
	set_string(values, nulls, RESULT_STATE, answer->state);
	set_value(values, nulls, RESULT_RESPONSE, answer->response,
			  answer->has_response);
	set_value(values, nulls, RESULT_RESPONSE_DROPPED, BoolGetDatum(true),
			  answer->response_dropped);
	set_pointer(values, nulls, RESULT_MISMATCH, answer->mismatch);
	set_time(values, nulls, RESULT_FIRST_SEEN, answer->first_seen);
	set_string(values, nulls, RESULT_DETAIL, answer->detail);
}

/* The answer as the columns of idem.send_result. */
void
idem_key_send_values(const IdemKey *key, IdemAnswer *answer,
					 Datum *values, bool *nulls)
{
	idem_key_claim_values(key, answer, values, nulls);
	set_value(values, nulls, RESULT_TOKEN, Int64GetDatum(answer->token),
			  answer->token != 0);
	set_value(values, nulls, RESULT_ATTEMPT, Int32GetDatum(answer->attempt),
			  answer->attempt != 0);
	set_pointer(values, nulls, RESULT_SERIAL, answer->serial);
	set_pointer(values, nulls, RESULT_CHANNEL, answer->channel);
	set_value(values, nulls, RESULT_BUSINESS_DATE,
			  DateADTGetDatum(answer->business_date), answer->has_date);
	set_value(values, nulls, RESULT_OTHER_DATE,
			  DateADTGetDatum(answer->other_date), answer->has_other_date);
	set_time(values, nulls, RESULT_DISPATCHED_AT, answer->dispatched_at);
	set_time(values, nulls, RESULT_FINISHED_AT, answer->finished_at);
	set_time(values, nulls, RESULT_LEASE_UNTIL, answer->lease_until);
	set_time(values, nulls, RESULT_RETRY_AT, answer->retry_at);
	set_value(values, nulls, RESULT_SETTLED_AMOUNT, answer->settled_amount,
			  answer->has_settled_amount);
	set_pointer(values, nulls, RESULT_MARKS, answer->marks);
}

/* Columns of an answer as a row of its type. */
static Datum
form_row(Oid type, int columns, Datum *values, bool *nulls)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	HeapTuple	tuple;

	if (desc->natts != columns)
		elog(ERROR, "type %s has %d columns", format_type_be(type),
			 desc->natts);
	tuple = heap_form_tuple(desc, values, nulls);
	ReleaseTupleDesc(desc);
	return HeapTupleGetDatum(tuple);
}

/* The answer as a row of idem.claim_result. */
Datum
idem_key_claim_row(const IdemKey *key, IdemAnswer *answer)
{
	Datum		values[CLAIM_RESULT_COLUMNS];
	bool		nulls[CLAIM_RESULT_COLUMNS];

	idem_key_claim_values(key, answer, values, nulls);
	return form_row(idem_key_claim_result_type(), CLAIM_RESULT_COLUMNS, values,
					nulls);
}

/* The answer as a row of idem.send_result. */
Datum
idem_key_send_row(const IdemKey *key, IdemAnswer *answer)
{
	Datum		values[SEND_RESULT_COLUMNS];
	bool		nulls[SEND_RESULT_COLUMNS];

	idem_key_send_values(key, answer, values, nulls);
	return form_row(idem_key_send_result_type(), SEND_RESULT_COLUMNS, values,
					nulls);
}

/* The transaction that a caller who meets a key in progress can look up. */
const char *
idem_key_rival_detail(TransactionId rival)
{
	TransactionId top = SubTransGetTopmostTransaction(rival);
	int			pid = BackendXidGetPid(top);

	if (pid != 0)
		return psprintf("held by an open transaction of process %d", pid);
	if (TransactionIdIsInProgress(top))
		return "held by a prepared transaction";
	return "held by a transaction that has just ended";
}

/* The facts about a held key: state, response, times. */
void
idem_key_describe(const IdemFound *found, IdemAnswer *answer)
{
	char		state = DatumGetChar(found->values[Anum_anchor_state - 1]);

	answer->commit = found->commit;
	answer->first_seen =
		DatumGetTimestampTz(found->values[Anum_anchor_first_seen - 1]);
	answer->state = state == IDEM_STATE_SUCCEEDED ||
		found->held == IDEM_HELD_COMMITTED ? "succeeded" : "claimed";
	if (state == IDEM_STATE_FENCED && found->held != IDEM_HELD_RIVAL)
	{
		answer->outcome = "fenced";
		answer->state = "fenced";
		answer->settled = true;
		return;
	}
	if (state == IDEM_STATE_ADOPTED)
		answer->state = "adopted";
	switch (found->held)
	{
		case IDEM_HELD_NOT:
			Assert(false);
			break;
		case IDEM_HELD_RIVAL:
			/* of a row not committed, only what is stored in line is read */
			answer->outcome = "in_progress";
			answer->state = "claimed";
			answer->detail = idem_key_rival_detail(found->rival);
			return;
		case IDEM_HELD_OWN:
			answer->outcome = "duplicate";
			break;
		case IDEM_HELD_COMMITTED:
			answer->outcome = "replayed";
			answer->settled = true;
			break;
	}
	answer->response = found->values[Anum_anchor_response - 1];
	answer->has_response = !found->nulls[Anum_anchor_response - 1];
	answer->response_dropped = state == IDEM_STATE_DROPPED;
}

/* A key that is too old to be known: never run again, so it is settled. */
void
idem_key_answer_expired(const IdemKey *key, IdemAnswer *answer)
{
	answer->outcome = "expired";
	answer->settled = true;
	(void) idem_key_scope_horizon(key->scope, &answer->commit);
	answer->detail = "the key's own time lies before the horizon of the scope";
}

/*
 * In a scope whose keys others number, and begin again: a key that was final
 * so long ago is another request's.  The key is known, so it cannot run; and
 * this request was not done, so it must not be acknowledged.
 */
void
idem_key_answer_reused(const IdemKey *key, IdemAnswer *answer)
{
	int64		within = key->scope->repeat_within;

	if (within == 0 || !answer->settled || answer->first_seen == 0 ||
		GetCurrentTimestamp() - answer->first_seen <= within)
		return;
	answer->outcome = "reused";
	answer->settled = false;
	answer->has_response = false;
	answer->response_dropped = false;
	answer->retry_at = 0;
	answer->detail = "the key was used before, longer ago than a repeat may come: the request needs another key";
}
