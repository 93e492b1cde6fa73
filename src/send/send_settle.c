/*
 * send_settle.c
 *		The outcome of an effect outside: complete, resolve, late results.
 *
 * The holder of the newest token calls complete, even after its lease;
 * everybody else calls resolve, with evidence that is kept.  succeeded, failed
 * and fenced are final: no later report moves them.
 *
 * A report that contradicts the known outcome, or comes with an overtaken
 * token, gets an answer and not an error, since an error would roll the
 * evidence back: it is kept in idem.late_result, and the key is put before a
 * person.  A key that could be tried again is not, until the person has
 * looked: the first payment may have arrived after all.
 *
 * Settling a key against the quiet interval, or one that waits for a person,
 * is overruling.  That is for operators and not for an application, which
 * could dismiss the signs of its own mistake.
 *
 * "failed" without the provider's answer is "unknown": an exception is not an
 * answer.  And with "no such transaction" to an inquiry made within the quiet
 * interval, the inquiry may have overtaken the payment: it is refused, however
 * late it is reported.
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"

#include "base/argument.h"
#include "base/right.h"
#include "key/key_log.h"
#include "send/send.h"

/* More tokens than a key was given in what is lost of it */
#define LOST_TOKENS		1000

/* Keep a report that changes nothing in idem.late_result. */
static void
keep_late_result(const IdemCall *call, const IdemNews *news)
{
	bool		retired = !idem_send_has_row(call);
	IdemLateResult late = {0};

	late.token = news->token;
	if (news->attempt != 0)
		late.attempt = news->attempt;
	else if (!retired && (news->token == 0 || news->token == call->row.token))
		late.attempt = call->row.attempt;
	late.outcome = idem_send_said(news);
	late.response = news->response;
	late.evidence = news->evidence;
	late.asked_at = news->asked_at;
	late.via = news->via;
	late.codes = news->codes;
	late.mismatch = news->mismatch;
	late.state = retired ? "expired" : idem_send_state_name(&call->row);
	late.newest = retired ? 0 : call->row.token;
	idem_key_keep_late_result(&call->key, &late);
}

/* Is the outcome of the key still open? */
static bool
is_waited_for(const IdemReservation *row)
{
	return row->state == IDEM_STATE_DISPATCHED ||
		row->state == IDEM_STATE_UNKNOWN;
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

/*
 * A person has looked and gives a reason for closing the matter.  An attempt
 * that should not have been sent, or may be lost, is of no concern any more
 * once the key is settled.
 */
static void
close_concern(IdemCall *call, const IdemNews *news)
{
	if (news->force != NULL || call->row.concern == IDEM_CONCERN_STALE ||
		call->row.concern == IDEM_CONCERN_MOVED)
		call->row.concern = IDEM_CONCERN_NONE;
}

/*
 * The report contradicts the known outcome: it changes nothing, and is kept.
 * Where something ran under the serial of a key that may be tried again, it is
 * not, be it that another amount was paid.
 */
static void
answer_late(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	bool		ran = news->state == IDEM_STATE_SUCCEEDED ||
		(news->ran && !idem_send_is_final(&call->row));

	keep_late_result(call, news);
	raise_concern(call, ran ? IDEM_CONCERN_RAN : IDEM_CONCERN_LATE);
	idem_send_write(call);
	idem_send_describe(call, answer);
	answer->outcome = "late";
	answer->settled = true;
	answer->retry_at = 0;
	answer->mismatch = news->mismatch;
	answer->detail = news->mismatch != NULL ?
		"the answer is not about this request; it is kept for a person" :
		news->token != 0 && news->token < call->row.token ?
		"the token was overtaken; the result is kept for a person" :
		"the result contradicts what is known; it is kept for a person";
}

/*
 * The key waits for a person, and the caller is not an operator: its report
 * about an attempt that is out is kept for the person, with those before.  The
 * ladder goes on, so that nobody is asked at once again.
 */
static void
answer_to_person(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	keep_late_result(call, news);
	if (news->state == IDEM_STATE_SUCCEEDED)
		call->row.concern = IDEM_CONCERN_RAN;
	idem_send_write(call);
	idem_send_describe(call, answer);
	answer->outcome = "late";
	answer->settled = true;
	answer->retry_at = 0;
	answer->detail = "the key waits for a person; the result is kept";
}

/*
 * The answer is about something else.  It changes only this: somebody has to
 * look, and the key is unknown if its outcome is open.  If that was so before,
 * the ladder goes on: an inquiry that is answered so every time comes before a
 * person in the end.
 */
static void
answer_stranger(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;

	if (!is_waited_for(row))
	{
		answer_late(call, news, answer);
		return;
	}
	keep_late_result(call, news);
	if (row->state != IDEM_STATE_UNKNOWN)
	{
		row->state = IDEM_STATE_UNKNOWN;
		row->lease_until = 0;
		idem_send_watch(call, call->now);
	}
	if (row->concern == IDEM_CONCERN_NONE)
		raise_concern(call, IDEM_CONCERN_LATE);
	idem_send_write(call);
	idem_send_describe(call, answer);
	answer->mismatch = news->mismatch;
	answer->detail = "the answer is not about this request; it is kept for a person";
}

/*
 * There is no row to settle.  A retired key was final, and the report is kept;
 * for one that somebody else is just reserving the answer is to come again.
 */
static void
answer_without_row(IdemCall *call, IdemNews *news, IdemAnswer *answer)
{
	idem_send_keep_fields(call, news);
	if (call->row.found.held == IDEM_HELD_NOT)
		keep_late_result(call, news);
	idem_send_describe(call, answer);
}

/* The report repeats the known outcome. */
static void
answer_again(IdemCall *call, IdemAnswer *answer)
{
	idem_send_describe(call, answer);
	if (call->row.state != IDEM_STATE_RESERVED)
		answer->outcome = answer->state;
	answer->reentrant = true;
}

/* What came back of an effect that succeeded. */
static void
note_return(IdemCall *call, const IdemNews *news)
{
	IdemReservation *row = &call->row;

	row->returned = true;
	row->returned_on = news->has_date ? news->date :
		DatumGetDateADT(DirectFunctionCall1(timestamptz_date,
											TimestampTzGetDatum(call->now)));
	row->returned_amount = news->amount;
	row->has_returned_amount = news->has_amount;
}

/*
 * The amount that was paid, if it differs from the requested one, and the day.
 */
static void
note_settled(IdemCall *call, const IdemNews *news)
{
	const IdemAttempt *attempt;

	if (news->returned)
		note_return(call, news);
	call->row.settled_amount = news->amount;
	call->row.has_settled_amount = news->has_amount && !news->returned;
	if (!news->has_date || news->returned)
		return;
	attempt = idem_send_attempt(call, call->row.attempt);
	if (attempt->has_date && (attempt->business_date != news->date ||
							  attempt->has_other_date))
		idem_send_move_date(call, call->row.attempt, news->date);
}

/* The report is believed: a final state, for good.  A concern outlives it. */
static void
finish(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;
	bool		reverse = news->state == IDEM_STATE_SUCCEEDED &&
		row->fenced_at != 0;

	row->state = news->state;
	row->finished_at = call->now;
	row->response = news->response;
	row->lease_until = 0;
	note_settled(call, news);
	close_concern(call, news);
	if (reverse)
		raise_concern(call, IDEM_CONCERN_REVERSE);
	else if (row->concern != IDEM_CONCERN_NONE)
		raise_concern(call, row->concern);
	else
		row->due_at = 0;
	idem_send_write(call);
	idem_send_describe(call, answer);
	answer->outcome = reverse ? "reverse_needed" : idem_send_said(news);
}

/*
 * Nobody knows whether it arrived: inquire, along the ladder.  An answer that
 * is kept makes a new version of the row all the same, or a transaction with
 * an older snapshot would take the answer before it for the last one.
 */
static void
stay_unknown(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	if (call->row.state != IDEM_STATE_UNKNOWN)
	{
		call->row.state = IDEM_STATE_UNKNOWN;
		call->row.lease_until = 0;
		idem_send_watch(call, call->now);
		idem_send_write(call);
	}
	else if (news->judged && news->response != NULL)
		idem_send_update(call);
	idem_send_describe(call, answer);
	if (news->detail != NULL)
		answer->detail = news->detail;
}

/* It succeeded, and was returned: recorded once, and of no more concern. */
static void
answer_returned(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	bool		again = call->row.returned;

	if (!again)
	{
		note_return(call, news);
		idem_send_write(call);
	}
	idem_send_describe(call, answer);
	answer->outcome = "returned";
	answer->reentrant = again;
}

/* Are two responses one?  One that was not given, or dropped, agrees. */
static bool
responses_agree(const IdemReservation *row, Jsonb *response)
{
	if (row->response == NULL || response == NULL)
		return true;
	return compareJsonbContainers(&row->response->root, &response->root) == 0;
}

/* Was the same amount paid? */
static bool
amounts_agree(const IdemReservation *row, const IdemNews *news)
{
	if (!row->has_settled_amount || !news->has_amount)
		return row->has_settled_amount == news->has_amount;
	return DatumGetBool(DirectFunctionCall2(numeric_eq, row->settled_amount,
											news->amount));
}

/*
 * Does the report agree with the known outcome of a key that is not open?
 * Where nothing ran, failed and released mean the same.
 */
static bool
agrees(const IdemReservation *row, const IdemNews *news)
{
	if (row->state == IDEM_STATE_FENCED || !idem_send_is_final(row))
		return news->state == IDEM_STATE_FAILED ||
			news->state == IDEM_STATE_RELEASED;
	if (row->state != news->state)
		return false;
	/* an answer and a notice are two texts that say the same */
	return news->judged ? amounts_agree(row, news) :
		responses_agree(row, news->response);
}

/*
 * complete of a reservation may only say that nothing was sent.  A caller that
 * says it succeeded has sent without leave; an error would forget that, and
 * the next caller would send again.
 */
static void
complete_unsent(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	if (news->state == IDEM_STATE_FAILED)
		finish(call, news, answer);
	else if (news->state == IDEM_STATE_SUCCEEDED)
		answer_late(call, news, answer);
	else
		idem_send_refuse(call, psprintf("cannot be completed as %s: it was never dispatched", idem_send_said(news)),
						 "CALL idem.dispatch before anything is sent; before it, only failed (never sent) or idem.release can follow.");
}

/* A report about a key whose outcome is open. */
static void
complete_waited_for(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	bool		unknown = news->state == IDEM_STATE_UNKNOWN;

	if (unknown)
		stay_unknown(call, news, answer);
	else
		finish(call, news, answer);
	/* what a table of codes does not know is looked at, to make it grow */
	if (news->judged && news->response != NULL &&
		(unknown || news->has_amount))
		idem_send_keep_evidence(call, "complete", news, answer->outcome);
}

/* complete, by the newest token. */
static void
complete(IdemCall *call, IdemNews *news, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;

	if (row->state == IDEM_STATE_RESERVED)
	{
		complete_unsent(call, news, answer);
		return;
	}
	if (news->state == IDEM_STATE_FAILED && news->response == NULL)
		news->state = IDEM_STATE_UNKNOWN;
	if (news->mismatch != NULL)
		answer_stranger(call, news, answer);
	else if (is_waited_for(row))
		complete_waited_for(call, news, answer);
	else if (news->state == IDEM_STATE_UNKNOWN)
		idem_send_describe(call, answer);	/* says nothing new */
	else if (news->returned && row->state == IDEM_STATE_SUCCEEDED)
		answer_returned(call, news, answer);
	else if (agrees(row, news))
		answer_again(call, answer);
	else
		answer_late(call, news, answer);
}

/* complete, however the caller says it. */
static Datum
complete_call(FunctionCallInfo fcinfo, IdemNews *news)
{
	IdemAnswer	answer = {0};
	IdemCall	call;

	idem_send_begin_write(fcinfo, "idem.complete()", &call);
	(void) idem_send_lock(&call, true);
	news->token = idem_send_token(fcinfo, &call, "completed");
	if (idem_send_has_row(&call))
		idem_send_hear_holder(&call, news);
	if (!idem_send_has_row(&call))
		answer_without_row(&call, news, &answer);
	else if (news->token == call.row.token)
		complete(&call, news, &answer);
	else if (news->state == IDEM_STATE_UNKNOWN && news->mismatch == NULL)
		idem_send_describe(&call, &answer); /* says nothing */
	else
		answer_late(&call, news, &answer);
	answer.token = news->token;
	idem_key_close(&call.table);
	return idem_key_send_row(&call.key, &answer);
}

/*
 * complete(scope, key, token, outcome, response) -> send_result
 */
PG_FUNCTION_INFO_V1(idem_complete_outside);
Datum
idem_complete_outside(PG_FUNCTION_ARGS)
{
	IdemNews	news = {0};

	idem_require_argument(fcinfo, 2, "token");
	news.outcome = idem_send_outcome_argument(fcinfo, 3, "unknown", IDEM_STATE_UNKNOWN,
											  &news.state);
	news.response = PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4);
	PG_RETURN_DATUM(complete_call(fcinfo, &news));
}

/*
 * complete(scope, key, token, answer) -> send_result
 */
PG_FUNCTION_INFO_V1(idem_complete_answer);
Datum
idem_complete_answer(PG_FUNCTION_ARGS)
{
	IdemNews	news = {0};

	idem_require_argument(fcinfo, 2, "token");
	news.state = IDEM_STATE_UNKNOWN;
	news.response = PG_ARGISNULL(3) ? NULL : PG_GETARG_JSONB_P(3);
	PG_RETURN_DATUM(complete_call(fcinfo, &news));
}

/*
 * Was it asked too early to believe that nothing arrived?  Then nothing is
 * changed.  The time of the inquiry counts: a caller that asked early and was
 * stopped for a while knows no more than before.
 */
static bool
is_quiet(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	TimestampTz until = call->row.dispatched_at + idem_send_quiet(call);

	if (news->state == IDEM_STATE_SUCCEEDED || news->force != NULL ||
		news->asked_at >= until)
		return false;
	/* a code that says it for certain is believed at once */
	if (news->judged && news->state == IDEM_STATE_FAILED)
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

/*
 * Believe the news.  A key that is free again gets a token above those that
 * were given out in the lost part, so that their holders are overtaken.
 */
static void
settle(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	if (call->row.concern == IDEM_CONCERN_MOVED &&
		news->state == IDEM_STATE_RELEASED && call->row.fenced_at == 0)
		call->row.token += LOST_TOKENS;
	close_concern(call, news);
	if (news->state == IDEM_STATE_RELEASED)
		set_free(call, answer);
	else
		finish(call, news, answer);
}

/*
 * The report repeats the known outcome; with force, a person closes the
 * matter.
 */
static void
confirm(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	if (news->force != NULL && call->row.concern != IDEM_CONCERN_NONE)
	{
		close_concern(call, news);
		if (idem_send_is_final(&call->row))
			call->row.due_at = 0;
		idem_send_write(call);
	}
	answer_again(call, answer);
}

/*
 * A word about an attempt that was released, and followed by another: that it
 * did not arrive is known, that it did is late.  NULL: it is kept there.
 */
static const char *
resolve_former(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	if (news->state == IDEM_STATE_SUCCEEDED)
	{
		answer_late(call, news, answer);
		return NULL;
	}
	idem_send_describe(call, answer);
	return "resolve";
}

/* There is no such transaction: a person decides, at once. */
static void
ask_operator(IdemCall *call, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;

	row->state = IDEM_STATE_UNKNOWN;
	row->lease_until = 0;
	if (row->step < call->key.scope->nrungs)
	{
		row->step = call->key.scope->nrungs;
		row->due_at = call->now;
	}
	idem_send_write(call);
	idem_send_describe(call, answer);
	answer->detail = "the provider knows no such transaction: a person has to decide";
}

/* There is no such transaction, and it is to be asked once more. */
static void
ask_again(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;

	row->state = IDEM_STATE_UNKNOWN;
	row->lease_until = 0;
	row->due_at = Max(call->now, news->asked_at + idem_send_quiet(call));
	idem_send_write(call);
	idem_send_describe(call, answer);
	answer->detail = "the provider knows no such transaction: ask once more after the quiet interval";
}

/*
 * There is no such transaction, the provider says.  The channel decides
 * whether that frees the key: never by itself, after two inquiries that are a
 * quiet interval apart, or after a statement that lacks it.  Where an answer
 * under the same serial disagreed, as in the amount, a person decides.
 */
static const char *
resolve_absent(IdemCall *call, IdemNews *news, IdemAnswer *answer)
{
	IdemAbsence absence = idem_send_absence(call);
	bool		doubted = news->force == NULL && idem_send_is_doubted(call);
	bool		enough = absence == IDEM_ABSENCE_STATEMENT ?
		news->which == IDEM_INTERFACE_STATEMENT :
		absence == IDEM_ABSENCE_INQUIRY && idem_send_was_absent(call, news);

	if (!news->all_days)
	{
		news->detail = "that there is no such transaction was not said of every day on which it may be booked";
		stay_unknown(call, news, answer);
		return "resolve";
	}
	if (is_quiet(call, news, answer))
		return NULL;
	if (enough && !doubted)
		settle(call, news, answer);
	else if (doubted || absence == IDEM_ABSENCE_OPERATOR)
		ask_operator(call, answer);
	else if (absence == IDEM_ABSENCE_INQUIRY)
		ask_again(call, news, answer);
	else
		stay_unknown(call, news, answer);
	return "absent";
}

/*
 * Does the key wait for a person, and the caller is not an operator?  An
 * answer that is judged to be about this very request may settle it even so:
 * what has to be looked at stays, unless an effect is known to have run that
 * should not have.  Where an attempt may be lost, an end is an end; only that
 * nothing arrived may be true of one and not of the other.
 */
static bool
waits_for_person(const IdemCall *call, const IdemNews *news)
{
	char		concern = call->row.concern;

	return concern != IDEM_CONCERN_NONE &&
		!(news->judged && concern == IDEM_CONCERN_LATE) &&
		!(concern == IDEM_CONCERN_MOVED &&
		  news->state != IDEM_STATE_RELEASED) && !idem_is_operator();
}

/* A report about a key whose outcome is open. */
static const char *
resolve_waited_for(IdemCall *call, IdemNews *news, IdemAnswer *answer)
{
	if (news->state == IDEM_STATE_UNKNOWN)
	{
		stay_unknown(call, news, answer);
		return "resolve";
	}
	if (!news->absent && is_quiet(call, news, answer))
		return NULL;
	if (waits_for_person(call, news))
	{
		answer_to_person(call, news, answer);
		return NULL;
	}
	if (news->absent)
		return resolve_absent(call, news, answer);
	settle(call, news, answer);
	return "resolve";
}

/* A report about a key whose outcome is not open. */
static const char *
resolve_known(IdemCall *call, IdemNews *news, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;

	if (news->state == IDEM_STATE_UNKNOWN)
		idem_send_describe(call, answer);	/* says nothing new */
	else if (news->returned && row->state == IDEM_STATE_SUCCEEDED)
		answer_returned(call, news, answer);
	else if (agrees(row, news))
		confirm(call, news, answer);
	else if (!idem_send_is_final(row) && news->force != NULL &&
			 row->concern != IDEM_CONCERN_NONE)
		settle(call, news, answer); /* the late result was right */
	else
	{
		answer_late(call, news, answer);
		return NULL;
	}
	return "resolve";
}

/*
 * resolve.  What it is kept as in idem.evidence, if the word was believed, or
 * said what was known; else NULL.
 */
static const char *
resolve(IdemCall *call, IdemNews *news, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;

	if (row->state == IDEM_STATE_RESERVED && row->attempt == 1 &&
		row->concern == IDEM_CONCERN_NONE)
		idem_send_refuse(call, "cannot be resolved: it was never dispatched",
						 "A reservation is dispatched, released or fenced.");
	if (news->mismatch != NULL)
	{
		answer_stranger(call, news, answer);
		return NULL;
	}
	if (news->attempt != 0 && news->attempt < row->attempt)
		return resolve_former(call, news, answer);
	if (is_waited_for(row))
		return resolve_waited_for(call, news, answer);
	return resolve_known(call, news, answer);
}

/*
 * resolve(scope, key, outcome, evidence, response, force, attempt, asked_at,
 *		via, answer) -> send_result
 */
PG_FUNCTION_INFO_V1(idem_resolve);
Datum
idem_resolve(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer = {0};
	IdemCall	call;
	IdemNews	news = {0};
	const char *action;

	idem_send_read_news(fcinfo, &news);
	idem_send_begin_write(fcinfo, "idem.resolve()", &call);
	(void) idem_send_lock(&call, true);
	if (call.row.found.held == IDEM_HELD_NOT && !idem_key_judge(&call.key))
		idem_send_refuse(&call, "cannot be resolved: it was never reserved",
						 "Fence it, if it must never run.");
	news.attempt = idem_send_attempt_argument(fcinfo, 6, &call, &news);
	/* nobody asks in the future, whatever the client's clock says */
	news.asked_at = PG_ARGISNULL(7) ? call.now :
		Min(PG_GETARG_TIMESTAMPTZ(7), call.now);
	if (!idem_send_has_row(&call))
		answer_without_row(&call, &news, &answer);
	else
	{
		idem_send_hear_notice(&call, &news);
		action = resolve(&call, &news, &answer);
		if (action != NULL)
			idem_send_keep_evidence(&call, action, &news, answer.outcome);
	}
	idem_key_close(&call.table);
	PG_RETURN_DATUM(idem_key_send_row(&call.key, &answer));
}
