/*
 * claim.c
 *		At most one transaction has the effect of a key.
 *
 * The anchor row of a key commits together with the effect: a rolled back
 * transaction or savepoint frees the key, a crash before the commit too.  The
 * unique index decides every race, at every isolation level.
 *
 * Outcomes are rows, not errors, because an error would end the caller's
 * transaction: granted, replayed, in_progress, mismatch, duplicate, expired.
 * Nobody waits for a rival that has not ended: in_progress is answered at once.
 *
 * READ COMMITTED answers from what is committed now.  REPEATABLE READ and
 * SERIALIZABLE answer only from what their snapshot sees; a key committed
 * since is 40001, never an answer from another time.
 *
 * A fingerprint that differs is reported before anything else is looked at.
 *
 * What a caller is told to act on is on disk and with the standbys that are
 * required: see vouch(), which every answer passes, and base/durable.c.
 *
 * Not promised: which of several rivals wins; that a key reported in progress
 * still is so when the caller reads it.
 *
 * Locks: ROW EXCLUSIVE on idem.anchor; a lookup ACCESS SHARE.  A repeat writes
 * nothing and takes no transaction id.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/subtrans.h"
#include "access/transam.h"
#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "send/send.h"

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
 * The one place that every answer passes which lets the caller act: settled,
 * granted, or a token given again.  What it rests on is on disk, and with the
 * standbys that are required, or the answer does not say so.  A grant rests on
 * a commit that is still to come; idem.dispatch looks again after it.
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
idem_claim_values(const IdemKey *key, IdemAnswer *answer,
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
idem_send_values(const IdemKey *key, IdemAnswer *answer,
				 Datum *values, bool *nulls)
{
	idem_claim_values(key, answer, values, nulls);
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
idem_claim_row(const IdemKey *key, IdemAnswer *answer)
{
	Datum		values[CLAIM_RESULT_COLUMNS];
	bool		nulls[CLAIM_RESULT_COLUMNS];

	idem_claim_values(key, answer, values, nulls);
	return form_row(idem_claim_result_type(), CLAIM_RESULT_COLUMNS, values,
					nulls);
}

/* Is a call an item of FROM, with the columns of its type expected? */
static bool
is_from_item(FunctionCallInfo fcinfo, int columns)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	return rsinfo != NULL && IsA(rsinfo, ReturnSetInfo) &&
		(rsinfo->allowedModes & SFRM_Materialize) != 0 &&
		rsinfo->expectedDesc != NULL && rsinfo->expectedDesc->natts == columns;
}

/*
 * The answer of a call, as a row of idem.claim_result.
 *
 * For SELECT * FROM idem.claim(...) the server keeps the row of a function in
 * a tuple store, and on the way there looks its type up, copies it, compares
 * it and takes the row apart, which costs as much as a look into the index.
 * So the row is put into a store of ours, as a function that returns a set
 * may do; that there is no further row tells the server to take it.
 */
static Datum
return_claim(FunctionCallInfo fcinfo, const IdemKey *key, IdemAnswer *answer)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	bool		random;
	Datum		values[CLAIM_RESULT_COLUMNS];
	bool		nulls[CLAIM_RESULT_COLUMNS];

	if (!is_from_item(fcinfo, CLAIM_RESULT_COLUMNS))
		return idem_claim_row(key, answer);
	idem_claim_values(key, answer, values, nulls);
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	random = (rsinfo->allowedModes & SFRM_Materialize_Random) != 0;
	rsinfo->setResult = tuplestore_begin_heap(random, false, work_mem);
	MemoryContextSwitchTo(old);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->expectedDesc, values,
						 nulls);
	rsinfo->isDone = ExprEndResult;
	PG_RETURN_NULL();
}

/* The answer as a row of idem.send_result. */
Datum
idem_send_row(const IdemKey *key, IdemAnswer *answer)
{
	Datum		values[SEND_RESULT_COLUMNS];
	bool		nulls[SEND_RESULT_COLUMNS];

	idem_send_values(key, answer, values, nulls);
	return form_row(idem_send_result_type(), SEND_RESULT_COLUMNS, values,
					nulls);
}

/*
 * The key of a call: 22I01 for what is none in any scope.  Its form is judged
 * only if it is not there (idem_key_judge).
 */
void
idem_claim_key_read(const IdemScope *scope, text *text, IdemKey *key)
{
	key->scope = scope;
	key->text = text;
	key->time = 0;
	idem_key_check_size(scope, text);
	idem_key_digest(scope->id, text, &key->digest);
}

/* 55I02 for a scope of the other use. */
void
idem_scope_check_inside(const IdemScope *scope)
{
	if (scope->outside)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_CLAIM_NOT_OPEN),
				 errmsg("scope \"%s\" is for effects outside of the transaction",
						scope->name),
				 errhint("A claim whose effect commits with it needs a scope with effect 'inside'.")));
}

/* Read scope and key of a call that writes, and open the table. */
static void
begin_inside_call(FunctionCallInfo fcinfo, const char *function,
				  IdemKey *key, IdemAnchor *anchor)
{
	const IdemScope *scope;

	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
	scope = idem_scope_open(PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0),
							RowExclusiveLock, anchor);
	idem_scope_check_inside(scope);
	idem_claim_key_read(scope, PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1),
						key);
}

/* Whom a caller who meets a key in progress can look up. */
const char *
idem_rival_detail(TransactionId rival)
{
	TransactionId top = SubTransGetTopmostTransaction(rival);
	int			pid = BackendXidGetPid(top);

	if (pid != 0)
		return psprintf("held by an open transaction of process %d", pid);
	if (TransactionIdIsInProgress(top))
		return "held by a prepared transaction";
	return "held by a transaction that has just ended";
}

/* What is known of a held key: state, response, times. */
void
idem_anchor_describe(const IdemFound *found, IdemAnswer *answer)
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
			answer->detail = idem_rival_detail(found->rival);
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

/* The answer for a key that is held, to this request. */
static void
answer_held(const IdemKey *key, const IdemFound *found, Jsonb *request,
			IdemAnswer *answer)
{
	bytea	   *first = DatumGetByteaPP(found->values[Anum_anchor_fingerprint - 1]);

	idem_anchor_describe(found, answer);
	/* fenced before it was ever claimed: there is no first request */
	if (DatumGetChar(found->values[Anum_anchor_state - 1]) == IDEM_STATE_FENCED)
		return;
	answer->mismatch = idem_request_diff(key->scope, request, first);
	if (answer->mismatch == NULL)
		return;
	answer->outcome = "mismatch";
	answer->settled = false;
	answer->has_response = false;
	answer->response_dropped = false;
}

/* A key that is too old to be known: never run again, so it is settled. */
void
idem_answer_expired(const IdemKey *key, IdemAnswer *answer)
{
	answer->outcome = "expired";
	answer->settled = true;
	(void) idem_scope_horizon(key->scope, &answer->commit);
	answer->detail = "the key's own time lies before the horizon of the scope";
}

typedef enum Taken
{
	TAKEN,						/* it is ours */
	TAKEN_HELD,					/* somebody has it */
	TAKEN_EXPIRED				/* too old to know whether somebody had it */
} Taken;

/*
 * Take the key, or find out who has it.  Each turn of the loop but the last
 * means that another session inserted the key and was gone again before the
 * next probe, or that the horizon has just moved over it.
 */
static Taken
take_key(IdemAnchor *anchor, IdemKey *key, Jsonb *request,
		 TimestampTz *first_seen, IdemFound *found)
{
	bytea	   *fingerprint = NULL;

	for (;;)
	{
		idem_anchor_probe(anchor, key, found);
		if (found->held != IDEM_HELD_NOT)
			return TAKEN_HELD;
		if (idem_key_judge(key))
			return TAKEN_EXPIRED;
		if (fingerprint == NULL)
			fingerprint = idem_fingerprint(key->scope, request, NULL);
		*first_seen = GetCurrentTimestamp();
		if (idem_anchor_insert(anchor, key, fingerprint, *first_seen,
							   IDEM_STATE_CLAIMED))
			return TAKEN;
		CHECK_FOR_INTERRUPTS();
	}
}

/* Claim one key of an open table: what the call is answered. */
void
idem_claim_one(IdemAnchor *anchor, IdemKey *key, Jsonb *request,
			   IdemAnswer *answer)
{
	IdemFound	found;

	memset(answer, 0, sizeof(*answer));
	answer->never_reentrant = true;
	switch (take_key(anchor, key, request, &answer->first_seen, &found))
	{
		case TAKEN:
			answer->outcome = "granted";
			answer->granted = true;
			answer->state = "claimed";
			if (key->scope->required)
				idem_require_completion(key);
			break;
		case TAKEN_HELD:
			idem_anchor_check_visible(anchor, key, &found);
			answer_held(key, &found, request, answer);
			break;
		case TAKEN_EXPIRED:
			idem_answer_expired(key, answer);
			break;
	}
}

/*
 * claim(scope, key, request) -> claim_result
 */
PG_FUNCTION_INFO_V1(idem_claim);
Datum
idem_claim(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer;
	IdemAnchor	anchor;
	IdemKey		key;

	begin_inside_call(fcinfo, "idem.claim()", &key, &anchor);
	idem_scope_check_here(key.scope);
	idem_claim_one(&anchor, &key, PG_ARGISNULL(2) ? NULL :
				   PG_GETARG_JSONB_P(2), &answer);
	idem_anchor_close(&anchor);
	return return_claim(fcinfo, &key, &answer);
}

static void
refuse_complete(const IdemKey *key, const char *message, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_CLAIM_NOT_OPEN),
			 errmsg("key \"%s\" in scope \"%s\" %s",
					text_to_cstring(key->text), key->scope->name, message),
			 errdetail_internal("%s", detail),
			 errhint("Complete a claim once, in the transaction in which it was granted.")));
}

/* 55I02 unless the key was claimed in this transaction. */
static void
check_own(const IdemKey *key, const IdemFound *found)
{
	static const char *const message = "is not claimed in this transaction";

	if (found->held != IDEM_HELD_NOT &&
		DatumGetChar(found->values[Anum_anchor_state - 1]) == IDEM_STATE_FENCED)
		refuse_complete(key, message, "It is fenced.");
	switch (found->held)
	{
		case IDEM_HELD_OWN:
			break;
		case IDEM_HELD_NOT:
			refuse_complete(key, message, "Nobody has claimed it.");
			break;
		case IDEM_HELD_RIVAL:
			refuse_complete(key, message,
							"Another transaction that has not ended holds it.");
			break;
		case IDEM_HELD_COMMITTED:
			refuse_complete(key, message, "It succeeded before.");
			break;
	}
}

/* Is the response the one that is stored?  As jsonb compares, or both NULL. */
static bool
same_response(const IdemFound *found, Jsonb *response)
{
	if (found->nulls[Anum_anchor_response - 1] || response == NULL)
		return found->nulls[Anum_anchor_response - 1] && response == NULL;
	return compareJsonbContainers(&DatumGetJsonbP(found->values[Anum_anchor_response - 1])->root,
								  &response->root) == 0;
}

/*
 * complete(scope, key, response) -> claim_result
 */
PG_FUNCTION_INFO_V1(idem_complete);
Datum
idem_complete(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer = {0};
	IdemAnchor	anchor;
	IdemFound	found;
	IdemKey		key;
	Jsonb	   *response = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);

	begin_inside_call(fcinfo, "idem.complete()", &key, &anchor);
	idem_anchor_probe(&anchor, &key, &found);
	if (found.held == IDEM_HELD_NOT)
		(void) idem_key_judge(&key);
	check_own(&key, &found);
	if (DatumGetChar(found.values[Anum_anchor_state - 1]) == IDEM_STATE_CLAIMED)
		idem_anchor_complete(&anchor, &found, JsonbPGetDatum(response),
							 response == NULL);
	else if (same_response(&found, response))
		answer.reentrant = true;
	else
		refuse_complete(&key, "is already completed with another response",
						"A response is given once and never changes.");
	idem_anchor_close(&anchor);

	answer.outcome = "succeeded";
	answer.state = "succeeded";
	answer.first_seen =
		DatumGetTimestampTz(found.values[Anum_anchor_first_seen - 1]);
	answer.response = answer.reentrant ?
		found.values[Anum_anchor_response - 1] : JsonbPGetDatum(response);
	answer.has_response = response != NULL;
	PG_RETURN_DATUM(idem_claim_row(&key, &answer));
}

/*
 * lookup(scope, key) -> send_result
 */
PG_FUNCTION_INFO_V1(idem_lookup);
Datum
idem_lookup(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer = {0};
	IdemCall	call;
	IdemFound  *found = &call.row.found;

	PreventCommandDuringRecovery("idem.lookup()");
	PreventCommandIfParallelMode("idem.lookup()");
	idem_call_begin(fcinfo, AccessShareLock, &call);
	idem_anchor_find(&call.table, &call.key, found);
	idem_anchor_check_visible(&call.table, &call.key, found);
	if (found->held == IDEM_HELD_NOT)
	{
		/* that there was nothing is something SERIALIZABLE has to know */
		if (IsolationIsSerializable())
			(void) idem_anchor_read(&call.table, &call.key, found);
		if (idem_key_judge(&call.key))
			idem_answer_expired(&call.key, &answer);
		else
			answer.outcome = "unseen";
	}
	else if (call.key.scope->outside)
	{
		idem_reservation_decode(&call.row);
		call.now = GetCurrentTimestamp();
		idem_reservation_describe(&call, &answer);
	}
	else
		idem_anchor_describe(found, &answer);
	idem_anchor_close(&call.table);
	PG_RETURN_DATUM(idem_send_row(&call.key, &answer));
}
