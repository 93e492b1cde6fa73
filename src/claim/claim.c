/*
 * claim.c
 *		At most one transaction has the effect of a key.
 *
 * The anchor row of a key commits together with the effect: a rolled back
 * transaction or savepoint frees the key, a crash before the commit too.  The
 * unique index decides every race, at every isolation level.
 *
 * Outcomes are rows, not errors, because an error would end the caller's
 * transaction: granted, replayed, in_progress, mismatch, duplicate, expired,
 * suspect, paused.
 * Nobody waits for a rival that has not ended: in_progress is answered at once.
 *
 * READ COMMITTED answers from what is committed now.  REPEATABLE READ and
 * SERIALIZABLE answer only from what their snapshot sees; a key committed
 * since is 40001, never an answer from another time.
 *
 * A fingerprint that differs is reported before anything else is looked at.
 *
 * Every answer passes vouch() (key/key_answer.c): before a caller is told to
 * act, the commit that the answer rests on is on disk and with the required
 * standbys.
 *
 * Not promised: which of several rivals wins; that a key reported in progress
 * still is so when the caller reads it.
 *
 * Locks: ROW EXCLUSIVE on idem.anchor.  A repeat of a key that is there writes
 * nothing and takes no transaction id.
 *
 * Shown by sql/claim.sql and test/isolation/specs/claim_race.spec.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

#include "base/idem_errors.h"
#include "claim/claim.h"
#include "key/key_request.h"
#include "key/key_taken.h"

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
 * it and takes the row apart, which costs as much as a look into the index. So
 * the row is put into a store of ours, as a function that returns a set may
 * do; after one row it says that there is no other, so the server takes the
 * store.
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
		return idem_key_claim_row(key, answer);
	idem_key_claim_values(key, answer, values, nulls);
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	random = (rsinfo->allowedModes & SFRM_Materialize_Random) != 0;
	rsinfo->setResult = tuplestore_begin_heap(random, false, work_mem);
	MemoryContextSwitchTo(old);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->expectedDesc, values,
						 nulls);
	rsinfo->isDone = ExprEndResult;
	PG_RETURN_NULL();
}

/* 55I02 for a scope of the other use. */
void
idem_claim_check_scope(const IdemScope *scope)
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
	scope = idem_key_open(PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0),
						  RowExclusiveLock, anchor);
	idem_key_check_right(scope);
	idem_claim_check_scope(scope);
	idem_key_init(scope, PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1),
				  key);
}

/* The answer for a key that is held, to this request. */
static void
answer_held(const IdemKey *key, const IdemFound *found, Jsonb *request,
			IdemAnswer *answer)
{
	bytea	   *first =
		DatumGetByteaPP(found->values[Anum_anchor_fingerprint - 1]);

	idem_key_describe(found, answer);
	/* fenced before it was ever claimed: there is no first request */
	if (DatumGetChar(found->values[Anum_anchor_state - 1]) != IDEM_STATE_FENCED)
		answer->mismatch = idem_key_request_diff(key->scope, request, first);
	if (answer->mismatch == NULL)
	{
		idem_key_answer_reused(key, answer);
		return;
	}
	answer->outcome = "mismatch";
	answer->settled = false;
	answer->has_response = false;
	answer->response_dropped = false;
}

typedef enum Taken
{
	TAKEN,						/* it is ours */
	TAKEN_HELD,					/* somebody has it */
	TAKEN_REFUSED,				/* it could be ours: the answer says why not */
	TAKEN_EXPIRED				/* too old to know whether somebody had it */
} Taken;

/*
 * Take the key, or find the row that has it.  Each turn of the loop but the
 * last means that another session inserted the key and was gone again before
 * the next probe, or that the horizon has just moved over it.
 */
static Taken
take_key(IdemAnchor *anchor, IdemKey *key, Jsonb *request,
		 const char *confirmed, IdemAnswer *answer, IdemFound *found)
{
	bytea	   *fingerprint = NULL;

	for (;;)
	{
		idem_key_probe(anchor, key, found);
		if (found->held != IDEM_HELD_NOT)
			return TAKEN_HELD;
		if (idem_key_judge(key))
			return TAKEN_EXPIRED;
		if (fingerprint == NULL)
			fingerprint = idem_key_fingerprint(key->scope, request, NULL);
		if (idem_key_refused(anchor, key, request, fingerprint, confirmed,
							 answer))
			return TAKEN_REFUSED;
		answer->first_seen = GetCurrentTimestamp();
		if (idem_key_insert_anchor(anchor, key, fingerprint,
								   answer->first_seen, IDEM_STATE_CLAIMED))
			return TAKEN;
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Claim one key of an open table, and return the answer.  confirmed: why
 * it is no duplicate of another key, or NULL.
 */
void
idem_claim_one(IdemAnchor *anchor, IdemKey *key, Jsonb *request,
			   const char *confirmed, IdemAnswer *answer)
{
	IdemFound	found;

	memset(answer, 0, sizeof(*answer));
	answer->never_reentrant = true;
	switch (take_key(anchor, key, request, confirmed, answer, &found))
	{
		case TAKEN:
			answer->outcome = "granted";
			answer->granted = true;
			answer->state = "claimed";
			idem_key_note_granted(&key->digest);
			if (key->scope->required)
				idem_claim_require_completion(key);
			break;
		case TAKEN_REFUSED:
			break;
		case TAKEN_HELD:
			idem_key_check_visible(anchor, key, &found);
			answer_held(key, &found, request, answer);
			break;
		case TAKEN_EXPIRED:
			idem_key_answer_expired(key, answer);
			break;
	}
}

/*
 * claim(scope, key, request) -> claim_result
 * claim(scope, key, request, confirmed) -> claim_result
 */
PG_FUNCTION_INFO_V1(idem_claim);
Datum
idem_claim(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer;
	IdemAnchor	anchor;
	IdemKey		key;

	begin_inside_call(fcinfo, "idem.claim()", &key, &anchor);
	idem_key_check_here(key.scope);
	idem_claim_one(&anchor, &key, PG_ARGISNULL(2) ? NULL :
				   PG_GETARG_JSONB_P(2),
				   PG_NARGS() > 3 ? idem_key_confirmed(fcinfo, 3, key.scope) :
				   NULL, &answer);
	idem_key_close(&anchor);
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
	Jsonb	   *stored;

	if (found->nulls[Anum_anchor_response - 1] || response == NULL)
		return found->nulls[Anum_anchor_response - 1] && response == NULL;
	stored = DatumGetJsonbP(found->values[Anum_anchor_response - 1]);
	return compareJsonbContainers(&stored->root, &response->root) == 0;
}

/* Complete the claim of an effect inside, which this transaction wrote. */
static void
keep_response(IdemAnchor *anchor, const IdemFound *found, Datum response,
			  bool no_response)
{
	Datum		values[Natts_anchor];
	bool		nulls[Natts_anchor];

	memcpy(values, found->values, sizeof(values));
	memcpy(nulls, found->nulls, sizeof(nulls));
	values[Anum_anchor_state - 1] = CharGetDatum(IDEM_STATE_SUCCEEDED);
	values[Anum_anchor_response - 1] = response;
	nulls[Anum_anchor_response - 1] = no_response;
	idem_key_update(anchor, found, values, nulls);
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
	idem_key_probe(&anchor, &key, &found);
	if (found.held == IDEM_HELD_NOT)
		(void) idem_key_judge(&key);
	check_own(&key, &found);
	if (DatumGetChar(found.values[Anum_anchor_state - 1]) == IDEM_STATE_CLAIMED)
		keep_response(&anchor, &found, JsonbPGetDatum(response),
					  response == NULL);
	else if (same_response(&found, response))
		answer.reentrant = true;
	else
		refuse_complete(&key, "is already completed with another response",
						"A response is given once and never changes.");
	idem_key_close(&anchor);

	answer.outcome = "succeeded";
	answer.state = "succeeded";
	answer.first_seen =
		DatumGetTimestampTz(found.values[Anum_anchor_first_seen - 1]);
	answer.response = answer.reentrant ?
		found.values[Anum_anchor_response - 1] : JsonbPGetDatum(response);
	answer.has_response = response != NULL;
	PG_RETURN_DATUM(idem_key_claim_row(&key, &answer));
}
