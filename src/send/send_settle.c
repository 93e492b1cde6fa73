/*
 * send_settle.c
 *		What became of an effect outside: complete, resolve, late results.
 *
 * The holder of the newest token completes, whatever the lease says; everybody
 * else resolves, with evidence that is kept.  succeeded, failed and fenced are
 * final: no later word moves them.
 *
 * A word that contradicts what is known, or comes from an overtaken token, is
 * an answer and not an error, since an error would roll the evidence back: it
 * is kept in idem.late_result, and the key is put before a person.  Until the
 * person has looked, a key that may be tried again is not: the first payment
 * may have arrived after all.
 *
 * To settle against the quiet interval, or a key that waits for a person, is to
 * overrule: operators do that, and no application, which would dismiss what
 * tells of its own mistake.
 *
 * "failed" without the provider's answer is "unknown": an exception is not an
 * answer.  And a "no such transaction" to who asked within the quiet interval
 * is the inquiry overtaking the payment: it is refused, however late it is
 * brought.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/identity.h"
#include "base/reason.h"
#include "send/send.h"

/* What a call says became of the effect. */
typedef struct Word
{
	char		state;			/* succeeded, failed, unknown or released */
	const char *outcome;		/* the same as a word */
	int64		token;			/* 0: by resolve */
	int32		attempt;		/* of resolve; 0: the last one */
	TimestampTz asked_at;		/* of resolve: it knows nothing later */
	Jsonb	   *response;		/* NULL: none */
	Jsonb	   *evidence;		/* NULL: none, by complete */
	const char *force;			/* reason, or NULL */
} Word;

/* Keep a word that changes nothing in idem.late_result. */
static void
keep_late_result(const IdemCall *call, const Word *word)
{
	bool		retired = !idem_send_has_row(call);
	IdemLateResult late = {0};

	late.token = word->token;
	if (word->attempt != 0)
		late.attempt = word->attempt;
	else if (!retired && (word->token == 0 || word->token == call->row.token))
		late.attempt = call->row.attempt;
	late.outcome = word->outcome;
	late.response = word->response;
	late.evidence = word->evidence;
	late.asked_at = word->asked_at;
	late.state = retired ? "expired" : idem_send_state_name(&call->row);
	late.newest = retired ? 0 : call->row.token;
	idem_key_keep_late_result(&call->key, &late);
}

/* Keep a word that was believed in idem.evidence. */
static void
keep_evidence(const IdemCall *call, const Word *word, const IdemAnswer *answer)
{
	IdemEvidence evidence = {0};

	evidence.action = "resolve";
	evidence.outcome = answer->outcome;
	evidence.attempt = word->attempt != 0 ? word->attempt : call->row.attempt;
	evidence.evidence = word->evidence;
	evidence.response = word->response;
	evidence.reason = word->force;
	evidence.asked_at = word->asked_at;
	idem_key_keep_evidence(&call->key, &evidence);
}

/* Put the key before a person, at once; the graver concern stays. */
static void
raise_concern(IdemCall *call, char concern)
{
	if (call->row.concern == IDEM_CONCERN_NONE || concern == IDEM_CONCERN_RAN)
		call->row.concern = concern;
	call->row.step = 0;
	call->row.due_at = call->now;
}

/* A person has looked, and says why that is all. */
static void
close_concern(IdemCall *call, const Word *word)
{
	if (word->force != NULL)
		call->row.concern = IDEM_CONCERN_NONE;
}

/* The word contradicts what is known: it changes nothing, and is kept. */
static void
answer_late(IdemCall *call, const Word *word, IdemAnswer *answer)
{
	keep_late_result(call, word);
	raise_concern(call, word->state == IDEM_STATE_SUCCEEDED ?
				  IDEM_CONCERN_RAN : IDEM_CONCERN_LATE);
	idem_send_write(call);
	idem_send_describe(call, answer);
	answer->outcome = "late";
	answer->settled = true;
	answer->retry_at = 0;
	answer->detail = word->token != 0 && word->token < call->row.token ?
		"the token was overtaken; the result is kept for a person" :
		"the result contradicts what is known; it is kept for a person";
}

/*
 * The key waits for a person, and the caller is none: what it says of an
 * attempt that is out is kept for the person beside what came before.  The
 * ladder goes on, so that nobody is asked at once again.
 */
static void
answer_to_person(IdemCall *call, const Word *word, IdemAnswer *answer)
{
	keep_late_result(call, word);
	if (word->state == IDEM_STATE_SUCCEEDED)
		call->row.concern = IDEM_CONCERN_RAN;
	idem_send_write(call);
	idem_send_describe(call, answer);
	answer->outcome = "late";
	answer->settled = true;
	answer->retry_at = 0;
	answer->detail = "the key waits for a person; the result is kept";
}

/*
 * There is no row to settle.  A key that is retired was final, and the word is
 * kept; one that is being reserved by somebody else says to come again.
 */
static void
answer_without_row(const IdemCall *call, const Word *word, IdemAnswer *answer)
{
	if (call->row.found.held == IDEM_HELD_NOT)
		keep_late_result(call, word);
	idem_send_describe(call, answer);
}

/* The word says what is known already. */
static void
answer_again(const IdemCall *call, IdemAnswer *answer)
{
	idem_send_describe(call, answer);
	if (call->row.state != IDEM_STATE_RESERVED)
		answer->outcome = answer->state;
	answer->reentrant = true;
}

/* The word is believed: a final state, for good.  A concern outlives it. */
static void
finish(IdemCall *call, const Word *word, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;
	bool		reverse = word->state == IDEM_STATE_SUCCEEDED &&
		row->fenced_at != 0;

	row->state = word->state;
	row->finished_at = call->now;
	row->response = word->response;
	row->lease_until = 0;
	close_concern(call, word);
	if (reverse)
		raise_concern(call, IDEM_CONCERN_REVERSE);
	else if (row->concern != IDEM_CONCERN_NONE)
		raise_concern(call, row->concern);
	else
		row->due_at = 0;
	idem_send_write(call);
	idem_send_describe(call, answer);
	answer->outcome = reverse ? "reverse_needed" : word->outcome;
}

/* Nobody knows whether it arrived: inquire, along the ladder. */
static void
stay_unknown(IdemCall *call, IdemAnswer *answer)
{
	if (call->row.state != IDEM_STATE_UNKNOWN)
	{
		call->row.state = IDEM_STATE_UNKNOWN;
		call->row.lease_until = 0;
		idem_send_watch(call, call->now);
		idem_send_write(call);
	}
	idem_send_describe(call, answer);
}

/* Are two responses one?  One that was not given, or dropped, agrees. */
static bool
responses_agree(const IdemReservation *row, Jsonb *response)
{
	if (row->response == NULL || response == NULL)
		return true;
	return compareJsonbContainers(&row->response->root, &response->root) == 0;
}

/*
 * Does the word say what is known of a key that is not waited for?  Where
 * nothing ran, failed and released say the same.
 */
static bool
agrees(const IdemReservation *row, const Word *word)
{
	if (row->state == IDEM_STATE_FENCED || !idem_send_is_final(row))
		return word->state == IDEM_STATE_FAILED ||
			word->state == IDEM_STATE_RELEASED;
	return row->state == word->state && responses_agree(row, word->response);
}

/*
 * complete of a reservation: only that nothing was sent.  Who says that it
 * succeeded has sent without leave: an error would forget it, and the next
 * one would send again.
 */
static void
complete_unsent(IdemCall *call, const Word *word, IdemAnswer *answer)
{
	if (word->state == IDEM_STATE_FAILED)
		finish(call, word, answer);
	else if (word->state == IDEM_STATE_SUCCEEDED)
		answer_late(call, word, answer);
	else
		idem_send_refuse(call, psprintf("cannot be completed as %s: it was never dispatched", word->outcome),
						 "CALL idem.dispatch before anything is sent; before it, only failed (never sent) or idem.release can follow.");
}

/* complete, by the newest token. */
static void
complete(IdemCall *call, Word *word, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;

	if (row->state == IDEM_STATE_RESERVED)
	{
		complete_unsent(call, word, answer);
		return;
	}
	if (word->state == IDEM_STATE_FAILED && word->response == NULL)
		word->state = IDEM_STATE_UNKNOWN;
	if (row->state == IDEM_STATE_DISPATCHED || row->state == IDEM_STATE_UNKNOWN)
	{
		if (word->state == IDEM_STATE_UNKNOWN)
			stay_unknown(call, answer);
		else
			finish(call, word, answer);
	}
	else if (word->state == IDEM_STATE_UNKNOWN)
		idem_send_describe(call, answer);	/* says nothing new */
	else if (agrees(row, word))
		answer_again(call, answer);
	else
		answer_late(call, word, answer);
}

static const char *
outcome_argument(FunctionCallInfo fcinfo, int n, const char *other,
				 char other_state, char *state)
{
	const char *outcome = idem_required_text(fcinfo, n, "outcome");

	if (strcmp(outcome, "succeeded") == 0)
		*state = IDEM_STATE_SUCCEEDED;
	else if (strcmp(outcome, "failed") == 0)
		*state = IDEM_STATE_FAILED;
	else if (strcmp(outcome, other) == 0)
		*state = other_state;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid outcome \"%s\"", outcome),
				 errhint("It is 'succeeded', 'failed' or '%s'.", other)));
	return outcome;
}

/*
 * complete(scope, key, token, outcome, response) -> send_result
 */
PG_FUNCTION_INFO_V1(idem_complete_outside);
Datum
idem_complete_outside(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer = {0};
	IdemCall	call;
	Word		word = {0};

	idem_require_argument(fcinfo, 2, "token");
	word.outcome = outcome_argument(fcinfo, 3, "unknown", IDEM_STATE_UNKNOWN,
									&word.state);
	word.response = PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4);
	idem_send_begin_write(fcinfo, "idem.complete()", &call);
	(void) idem_send_lock(&call, true);
	word.token = idem_send_token(fcinfo, &call, "completed");
	if (!idem_send_has_row(&call))
		answer_without_row(&call, &word, &answer);
	else if (word.token < call.row.token && word.state == IDEM_STATE_UNKNOWN)
		idem_send_describe(&call, &answer); /* says nothing */
	else if (word.token < call.row.token)
		answer_late(&call, &word, &answer);
	else
		complete(&call, &word, &answer);
	answer.token = word.token;
	idem_key_close(&call.table);
	PG_RETURN_DATUM(idem_key_send_row(&call.key, &answer));
}

/*
 * Was it asked too early to believe that nothing arrived?  Then nothing is
 * changed.  What counts is when the provider was asked: who asked early and
 * was stopped for a while knows no more than before.
 */
static bool
is_quiet(const IdemCall *call, const Word *word, IdemAnswer *answer)
{
	TimestampTz until = call->row.dispatched_at + call->key.scope->quiet;

	if (word->state == IDEM_STATE_SUCCEEDED || word->force != NULL ||
		word->asked_at >= until)
		return false;
	idem_send_describe(call, answer);
	answer->retry_at = Max(until, call->now);
	answer->detail = "too early: what was just sent may not have arrived yet; ask again after the quiet interval";
	return true;
}

/* It never arrived: it may be tried again, unless it was fenced meanwhile. */
static void
set_free(IdemCall *call, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;

	row->lease_until = 0;
	row->nonce = NULL;
	if (row->fenced_at != 0)
	{
		row->state = IDEM_STATE_FENCED;
		row->finished_at = call->now;
		if (row->concern == IDEM_CONCERN_NONE)
			row->due_at = 0;
	}
	else
	{
		row->state = IDEM_STATE_RELEASED;
		idem_send_watch(call, call->now + call->key.scope->lease);
	}
	idem_send_write(call);
	idem_send_describe(call, answer);
}

/* Believe the word. */
static void
settle(IdemCall *call, const Word *word, IdemAnswer *answer)
{
	close_concern(call, word);
	if (word->state == IDEM_STATE_RELEASED)
		set_free(call, answer);
	else
		finish(call, word, answer);
}

/* The word says what was known; with force, a person says that it is all. */
static void
confirm(IdemCall *call, const Word *word, IdemAnswer *answer)
{
	if (word->force != NULL && call->row.concern != IDEM_CONCERN_NONE)
	{
		close_concern(call, word);
		if (idem_send_is_final(&call->row))
			call->row.due_at = 0;
		idem_send_write(call);
	}
	answer_again(call, answer);
}

/*
 * A word about an attempt that was released, and followed by another: that it
 * did not arrive is known, that it did is late.  False: it is kept there.
 */
static bool
resolve_former(IdemCall *call, const Word *word, IdemAnswer *answer)
{
	if (word->state == IDEM_STATE_SUCCEEDED)
	{
		answer_late(call, word, answer);
		return false;
	}
	idem_send_describe(call, answer);
	return true;
}

/*
 * resolve.  True: the word was believed, or said what was known, and is kept
 * as evidence.
 */
static bool
resolve(IdemCall *call, const Word *word, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;

	if (word->attempt != 0 && word->attempt < row->attempt)
		return resolve_former(call, word, answer);
	if (row->state == IDEM_STATE_DISPATCHED || row->state == IDEM_STATE_UNKNOWN)
	{
		if (is_quiet(call, word, answer))
			return false;
		if (row->concern != IDEM_CONCERN_NONE && !idem_is_operator())
		{
			answer_to_person(call, word, answer);
			return false;
		}
		settle(call, word, answer);
		return true;
	}
	if (row->state == IDEM_STATE_RESERVED && row->attempt == 1 &&
		row->concern == IDEM_CONCERN_NONE)
		idem_send_refuse(call, "cannot be resolved: it was never dispatched",
						 "A reservation is dispatched, released or fenced.");
	if (agrees(row, word))
		confirm(call, word, answer);
	else if (!idem_send_is_final(row) && word->force != NULL &&
			 row->concern != IDEM_CONCERN_NONE)
		settle(call, word, answer); /* the late result was right */
	else
	{
		answer_late(call, word, answer);
		return false;
	}
	return true;
}

/* The evidence of a resolve: 22004 for null, 22023 for nothing. */
static Jsonb *
evidence_argument(FunctionCallInfo fcinfo, int n)
{
	Jsonb	   *evidence;

	idem_require_argument(fcinfo, n, "evidence");
	evidence = PG_GETARG_JSONB_P(n);
	if (JB_ROOT_COUNT(evidence) == 0 ||
		(JB_ROOT_IS_SCALAR(evidence) &&
		 getIthJsonbValueFromContainer(&evidence->root, 0)->type == jbvNull))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("evidence is empty"),
				 errhint("Say what the provider answered, or who looked where.")));
	return evidence;
}

/* The attempt a resolve is about; 0: the last one.  22023 if there is none. */
static int32
attempt_argument(FunctionCallInfo fcinfo, int n, const IdemCall *call)
{
	int32		attempt = PG_ARGISNULL(n) ? 0 : PG_GETARG_INT32(n);

	if (!PG_ARGISNULL(n) && idem_send_has_row(call) &&
		(attempt < 1 || attempt > call->row.attempt))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("key \"%s\" in scope \"%s\" has no attempt %d",
						text_to_cstring(call->key.text),
						call->key.scope->name, attempt)));
	return attempt;
}

/*
 * resolve(scope, key, outcome, evidence, response, force, attempt, asked_at)
 *		-> send_result
 */
PG_FUNCTION_INFO_V1(idem_resolve);
Datum
idem_resolve(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer = {0};
	IdemCall	call;
	Word		word = {0};

	word.outcome = outcome_argument(fcinfo, 2, "released", IDEM_STATE_RELEASED,
									&word.state);
	word.evidence = evidence_argument(fcinfo, 3);
	word.response = PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4);
	word.force = idem_reason(fcinfo, 5, "force");
	if (word.force != NULL)
		idem_require_operator("resolve with force");
	idem_send_begin_write(fcinfo, "idem.resolve()", &call);
	(void) idem_send_lock(&call, true);
	if (call.row.found.held == IDEM_HELD_NOT && !idem_key_judge(&call.key))
		idem_send_refuse(&call, "cannot be resolved: it was never reserved",
						 "Fence it, if it must never run.");
	word.attempt = attempt_argument(fcinfo, 6, &call);
	/* nobody asks in the future, whatever the client's clock says */
	word.asked_at = PG_ARGISNULL(7) ? call.now :
		Min(PG_GETARG_TIMESTAMPTZ(7), call.now);
	if (!idem_send_has_row(&call))
		answer_without_row(&call, &word, &answer);
	else if (resolve(&call, &word, &answer))
		keep_evidence(&call, &word, &answer);
	idem_key_close(&call.table);
	PG_RETURN_DATUM(idem_key_send_row(&call.key, &answer));
}
