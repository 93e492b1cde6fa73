/*
 * send_word.c
 *		The meaning of a provider's answer for a key.
 *
 * Room channel reads an answer.  This file finds the attempt that the answer
 * is about, and decides how much of it is believed before the state of the key
 * is looked at.  An outcome that the caller tells as well is a second opinion:
 * where the two differ, nothing is known.  A person who gives a reason (force)
 * and an outcome is believed, whatever the answer says.
 *
 * Where all attempts of a key carry one serial, a "failed" may be the answer
 * to an earlier one: with several attempts it counts only from an inquiry that
 * was asked after the newest one had time to arrive.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "base/latest.h"
#include "base/named.h"
#include "key/key_log.h"
#include "send/send.h"

/* Drop the parts of an answer that a scope does not keep. */
static void
keep_fields(const IdemCall *call, const IdemChannel *channel, Jsonb *request,
			IdemNews *news)
{
	if (call->key.scope->keeps_fields)
		news->response = idem_channel_trim(call->key.scope, channel,
										   news->response, request);
}

/* The same where no channel is known that would say more of it. */
void
idem_send_keep_fields(const IdemCall *call, IdemNews *news)
{
	keep_fields(call, NULL, NULL, news);
}

/* Note that nothing is known, and the reason. */
static void
withdraw(IdemNews *news, const char *detail)
{
	news->state = IDEM_STATE_UNKNOWN;
	news->absent = false;
	news->returned = false;
	news->has_amount = false;
	news->detail = detail;
}

/* The channel an attempt went by; NULL: none, or it was dropped since. */
static const IdemChannel *
attempt_channel(const IdemAttempt *attempt)
{
	return attempt->channel == NULL ? NULL :
		idem_channel_find(text_to_cstring(attempt->channel));
}

/* The data that were sent, to compare an answer with. */
static void
describe_sent(const IdemCall *call, const IdemAttempt *attempt,
			  const IdemChannel *channel, IdemSent *sent)
{
	const IdemFound *found = &call->row.found;
	Datum		request = found->values[Anum_reservation_request - 1];

	memset(sent, 0, sizeof(*sent));
	sent->channel = channel;
	sent->serial = attempt->serial;
	sent->has_date = attempt->has_date;
	sent->business_date = attempt->business_date;
	sent->has_other_date = attempt->has_other_date;
	sent->other_date = attempt->other_date;
	sent->dropped = call->row.dropped;
	if (!found->nulls[Anum_reservation_request - 1])
		sent->request = DatumGetJsonbP(request);
}

/* The state that a meaning leads to, for a key whose outcome is open. */
static char
state_of(IdemWord word)
{
	switch (word)
	{
		case IDEM_WORD_SUCCEEDED:
		case IDEM_WORD_RETURNED:
			return IDEM_STATE_SUCCEEDED;
		case IDEM_WORD_FAILED:
			return IDEM_STATE_FAILED;
		case IDEM_WORD_ABSENT:
			return IDEM_STATE_RELEASED;
		case IDEM_WORD_UNKNOWN:
			break;
	}
	return IDEM_STATE_UNKNOWN;
}

/* Take the outcome from the answer, unless the caller says less. */
static void
take_verdict(IdemNews *news, const IdemVerdict *verdict)
{
	char		given = news->outcome == NULL ? '\0' : news->state;

	news->codes = verdict->codes;
	news->detail = verdict->detail;
	news->date = verdict->date;
	news->has_date = verdict->has_date;
	if (given != '\0' && news->force != NULL)
		return;					/* a person has decided */
	news->mismatch = verdict->mismatch;
	news->ran = verdict->ran;
	news->state = state_of(verdict->word);
	news->absent = verdict->word == IDEM_WORD_ABSENT;
	news->returned = verdict->word == IDEM_WORD_RETURNED;
	news->amount = verdict->amount;
	news->has_amount = verdict->has_amount;
	if (given == IDEM_STATE_UNKNOWN && news->state != given)
		withdraw(news, "the caller does not know, whatever the code says");
	else if (given != '\0' && given != news->state)
		withdraw(news, news->detail != NULL ? news->detail :
				 "the outcome given and the code of the answer do not agree");
}

/*
 * Is a "failed" about the newest attempt, of several under one serial?  By
 * an answer or a notice nobody can tell.
 */
static bool
may_be_of_another(const IdemCall *call, const IdemChannel *channel,
				  int32 number, const IdemNews *news)
{
	return news->state == IDEM_STATE_FAILED && news->force == NULL &&
		channel->serial_per_key && call->row.attempt > 1 &&
		number == call->row.attempt &&
		!(news->which == IDEM_INTERFACE_INQUIRE &&
		  news->asked_at >= call->row.dispatched_at +
		  Max(channel->quiet, call->key.scope->quiet));
}

/* Judge an answer that speaks of an attempt, by an interface of its channel. */
static void
judge(IdemCall *call, const IdemChannel *channel, const IdemAttempt *attempt,
	  IdemNews *news)
{
	IdemSent	sent;
	IdemVerdict verdict;

	describe_sent(call, attempt, channel, &sent);
	news->judged = true;
	news->via = channel->interfaces[news->which];
	idem_channel_judge(&sent, news->which, news->response, &verdict);
	news->all_days = idem_channel_all_days(&sent, &verdict);
	take_verdict(news, &verdict);
	if (may_be_of_another(call, channel, attempt->number, news))
		withdraw(news, "another attempt had the same serial: only an inquiry after the quiet interval tells that this one failed");
	keep_fields(call, channel, sent.request, news);
}

/*
 * No provider answered: the outcome is unknown, unless the report claims no
 * more than that.
 */
static void
judge_nothing(IdemNews *news, const char *detail)
{
	news->judged = true;
	if (news->state != IDEM_STATE_UNKNOWN)
		withdraw(news, detail);
}

/*
 * Can codes tell the outcome of the key: does its scope name channels, or has
 * its last attempt gone by one?
 */
bool
idem_send_is_judged(IdemCall *call)
{
	return call->key.scope->nchannels > 0 ||
		(call->row.dispatched_at != 0 &&
		 idem_send_attempt(call, call->row.attempt)->channel != NULL);
}

/*
 * The report of the holder of a token, about a key that is locked: the answer
 * to its request.  The holder cannot know that there is no such transaction.
 */
void
idem_send_judge_holder(IdemCall *call, IdemNews *news)
{
	const IdemAttempt *attempt = idem_send_attempt_of_token(call, news->token);
	const IdemChannel *channel = attempt_channel(attempt);

	news->asked_at = call->now;
	if (channel == NULL)
	{
		/* it went by no channel, or has not gone yet */
		if (news->outcome == NULL)
			judge_nothing(news, "the attempt went by no channel whose codes tell");
		keep_fields(call, NULL, NULL, news);
		return;
	}
	news->which = IDEM_INTERFACE_SEND;
	if (news->response == NULL || channel->interfaces[news->which] == NULL)
		judge_nothing(news, "there is no answer whose code tells");
	else
		judge(call, channel, attempt, news);
	if (news->absent)
		withdraw(news, "that there is no such transaction is told by an inquiry or a statement");
}

/* Does a channel of the scope have the interface? */
static bool
scope_has(const IdemScope *scope, const char *via)
{
	IdemInterface which;
	int			i;

	for (i = 0; i < scope->nchannels; i++)
	{
		if (idem_channel_interface(idem_channel_get(scope->channels[i]), via,
								   &which))
			return true;
	}
	return false;
}

/* Could an answer that came by an interface be about an attempt? */
static bool
may_speak_of(const IdemAttempt *attempt, IdemNews *news)
{
	const IdemChannel *channel = attempt_channel(attempt);

	return channel != NULL &&
		idem_channel_interface(channel, news->via, &news->which);
}

/*
 * The attempt that an answer speaks of: the one named, else the newest one of
 * the channel with the serial that the answer names, else the newest one of
 * the channel.  0: none went by a channel with this interface.
 */
static int32
find_attempt(IdemCall *call, IdemNews *news)
{
	text	   *serial = idem_channel_named_serial(news->response);
	int32		newest = 0;
	int32		number;

	for (number = call->row.attempt; number > 0; number--)
	{
		const IdemAttempt *attempt = idem_send_attempt(call, number);

		if (!may_speak_of(attempt, news) ||
			(news->attempt != 0 && number != news->attempt))
			continue;
		if (newest == 0)
			newest = number;
		if (serial == NULL || attempt->serial == NULL ||
			idem_channel_same_serial(attempt->serial, serial))
			return number;
	}
	return newest;
}

/* An answer of a channel by which the key never went. */
static void
refuse_stranger(const IdemCall *call, IdemNews *news)
{
	Datum		member = CStringGetTextDatum("channel");

	if (!scope_has(call->key.scope, news->via))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is no interface of a channel of scope \"%s\"",
						news->via, call->key.scope->name)));
	news->judged = true;
	keep_fields(call, NULL, NULL, news);
	withdraw(news, "the key did not go by this channel");
	news->mismatch = construct_array(&member, 1, TEXTOID, -1, false,
									 TYPALIGN_INT);
}

/*
 * The report of somebody else, about a key that is locked: the answer to an
 * inquiry, a notice, a line of a statement.  news->via says by which interface
 * it came: 22023 for one of no channel of the scope.
 */
void
idem_send_judge_notice(IdemCall *call, IdemNews *news)
{
	int32		number;

	if (news->response == NULL)
	{
		/* what a person says needs no answer */
		if (news->force == NULL)
			judge_nothing(news, "there is no answer whose code tells");
		return;
	}
	number = find_attempt(call, news);
	if (number == 0)
	{
		refuse_stranger(call, news);
		return;
	}
	(void) may_speak_of(idem_send_attempt(call, number), news);
	judge(call, attempt_channel(&call->attempt), &call->attempt, news);
	if (number < call->row.attempt)
		news->attempt = number;
	if (news->absent && news->which != IDEM_INTERFACE_INQUIRE &&
		news->which != IDEM_INTERFACE_STATEMENT)
		withdraw(news, "that there is no such transaction is told by an inquiry or a statement");
}

/* The interfaces that may say of the last attempt that it never arrived. */
IdemAbsence
idem_send_absence(IdemCall *call)
{
	const IdemChannel *channel =
		attempt_channel(idem_send_attempt(call, call->row.attempt));

	return channel == NULL ? IDEM_ABSENCE_OPERATOR : channel->absence;
}

/* How long after the dispatch nobody may say that it never arrived. */
int64
idem_send_quiet(IdemCall *call)
{
	const IdemChannel *channel =
		attempt_channel(idem_send_attempt(call, call->row.attempt));

	return Max(call->key.scope->quiet, channel == NULL ? 0 : channel->quiet);
}

/*
 * Was it said before, of the same attempt, that there is no such transaction:
 * asked after the quiet interval, and another one before this time; and has
 * nothing else been said since, or asked after it?
 */
bool
idem_send_was_absent(IdemCall *call, const IdemNews *news)
{
	static const char *const sql =
		"SELECT FROM idem.evidence a WHERE scope = $1 AND key = $2"
		" AND scope_created_at = $3 AND attempt = $4 AND action = 'absent'"
		" AND asked_at BETWEEN $5 AND $6 AND NOT EXISTS"
		" (SELECT FROM idem.evidence b WHERE b.scope = a.scope AND b.key = a.key"
		" AND (b.n > a.n OR b.asked_at >= a.asked_at)"
		" AND b.attempt = a.attempt AND b.action <> 'absent')"
		" LIMIT 1";
	Oid			types[6] = {INT4OID, TEXTOID, TIMESTAMPTZOID, INT4OID,
	TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[6];
	int64		quiet = idem_send_quiet(call);
	Relation	rel = table_open(idem_extension_relation("evidence"),
								 AccessShareLock);
	bool		found;

	values[0] = Int32GetDatum(call->key.scope->id);
	values[1] = PointerGetDatum(call->key.text);
	values[2] = TimestampTzGetDatum(call->key.scope->created_at);
	values[3] = Int32GetDatum(call->row.attempt);
	values[4] = TimestampTzGetDatum(call->row.dispatched_at + quiet);
	values[5] = TimestampTzGetDatum(news->asked_at - quiet);
	SPI_connect();
	found = idem_run_as_owner(rel, sql, 6, types, values, NULL) > 0;
	SPI_finish();
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * Does an answer wait for a person that may be about this key after all: one
 * that disagreed, and not in the serial?
 */
bool
idem_send_is_doubted(IdemCall *call)
{
	static const char *const sql =
		"SELECT FROM idem.late_result WHERE scope = $1 AND key = $2"
		" AND scope_created_at = $3"
		" AND NOT coalesce('serial' = ANY (mismatch), false) LIMIT 1";
	Oid			types[3] = {INT4OID, TEXTOID, TIMESTAMPTZOID};
	Datum		values[3];
	Relation	rel;
	bool		found;

	if (call->row.concern == IDEM_CONCERN_NONE)
		return false;
	rel = table_open(idem_extension_relation("late_result"), AccessShareLock);
	values[0] = Int32GetDatum(call->key.scope->id);
	values[1] = PointerGetDatum(call->key.text);
	values[2] = TimestampTzGetDatum(call->key.scope->created_at);
	SPI_connect();
	found = idem_run_as_owner(rel, sql, 3, types, values, NULL) > 0;
	SPI_finish();
	table_close(rel, AccessShareLock);
	return found;
}

/* The outcome of an effect, as a word. */
const char *
idem_send_said(const IdemNews *news)
{
	if (news->returned)
		return "returned";
	switch (news->state)
	{
		case IDEM_STATE_SUCCEEDED:
			return "succeeded";
		case IDEM_STATE_FAILED:
			return "failed";
		case IDEM_STATE_RELEASED:
			return "released";
		default:
			return "unknown";
	}
}

/* Keep the report in idem.evidence, with the answer to it. */
void
idem_send_keep_evidence(const IdemCall *call, const char *action,
						const IdemNews *news, const char *outcome)
{
	IdemEvidence evidence = {0};

	evidence.action = action;
	evidence.outcome = outcome;
	evidence.attempt = news->attempt != 0 ? news->attempt : call->row.attempt;
	evidence.evidence = news->evidence;
	evidence.response = news->response;
	evidence.reason = news->force;
	evidence.asked_at = news->asked_at;
	evidence.via = news->via;
	evidence.codes = news->codes;
	evidence.settled_amount = news->amount;
	evidence.has_settled_amount = news->has_amount;
	idem_key_keep_evidence(&call->key, &evidence);
}
