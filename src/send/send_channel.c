/*
 * send_channel.c
 *		The channel of an attempt, and its number there.
 *
 * A scope that names channels sends by one of them, which the row of the
 * attempt names.  A key goes by one channel at a time: the next attempt, by
 * whatever channel, needs a new reservation, which is given only after the
 * attempt before was released.  So nothing here has to look at other attempts
 * for that.
 *
 * The number under which the provider knows an attempt is made before the
 * commit that accepts it: by reserve, where all attempts of a key carry one
 * and all channels of the scope make it alike, else by dispatch.
 *
 * A channel that is closed, or has forgotten the number that the attempt would
 * carry again, is not sent to: the key stays reserved, and in the second case
 * comes before a person.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "base/latest.h"
#include "base/named.h"
#include "base/pause.h"
#include "base/site.h"
#include "send/send.h"

/*
 * The channel that makes the number of a key, if the number does not depend on
 * the channel that the key will take; else NULL.  A counted number is made by
 * dispatch: the scope may name another channel by then, for which this number
 * would be that of another payment.
 */
static const IdemChannel *
serial_channel(const IdemScope *scope)
{
	const IdemChannel *first = NULL;
	int			i;

	for (i = 0; i < scope->nchannels; i++)
	{
		const IdemChannel *channel = idem_channel_get(scope->channels[i]);

		if (channel->serial == NULL || !channel->serial_per_key ||
			idem_channel_counts(channel))
			return NULL;
		if (first != NULL && !idem_channel_same_form(first, channel))
			return NULL;
		first = first != NULL ? first : channel;
	}
	return first;
}

/*
 * The number that all attempts of a key will carry, NULL if it has none yet:
 * for a key that is being reserved.
 */
text *
idem_send_key_serial(IdemCall *call)
{
	const IdemScope *scope = call->key.scope;
	const IdemChannel *channel;

	if (scope->nchannels == 0)
		return NULL;
	channel = serial_channel(scope);
	return channel == NULL ? NULL :
		idem_channel_serial(channel, &call->key, 1, GetCurrentTimestamp());
}

static bool
scope_names(const IdemScope *scope, const char *name)
{
	int			i;

	for (i = 0; i < scope->nchannels; i++)
	{
		if (strcmp(scope->channels[i], name) == 0)
			return true;
	}
	return false;
}

/*
 * The channel that a dispatch names: 22023 for one that is not the scope's, and
 * 22004 for none where there are several.  NULL: the scope has none.
 */
const IdemChannel *
idem_send_channel(const IdemCall *call, const char *name)
{
	const IdemScope *scope = call->key.scope;

	if (scope->nchannels == 0 && name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scope \"%s\" has no channels", scope->name),
				 errhint("Leave \"channel\" out.")));
	if (name != NULL && !scope_names(scope, name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scope \"%s\" does not go by channel \"%s\"",
						scope->name, name)));
	if (name == NULL && scope->nchannels > 1)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("scope \"%s\" has several channels", scope->name),
				 errhint("Name the one by which it goes: channel => '%s'.",
						 scope->channels[0])));
	if (scope->nchannels == 0)
		return NULL;
	return idem_channel_get(name != NULL ? name : scope->channels[0]);
}

static bool
went_by(const IdemAttempt *attempt, const IdemChannel *channel)
{
	return attempt->channel != NULL &&
		strcmp(text_to_cstring(attempt->channel), channel->name) == 0;
}

/* The number that an attempt before this one had at the channel, or NULL. */
static text *
former_serial(IdemCall *call, const IdemChannel *channel)
{
	int32		number;

	for (number = call->row.attempt - 1; number > 0; number--)
	{
		const IdemAttempt *attempt = idem_send_attempt(call, number);

		if (went_by(attempt, channel) && attempt->serial != NULL)
			return attempt->serial;
	}
	return NULL;
}

/* The number of the attempt that is to be dispatched. */
static text *
attempt_serial(IdemCall *call, const IdemChannel *channel)
{
	text	   *serial = NULL;

	if (channel->serial == NULL)
		return NULL;
	if (channel->serial_per_key)
	{
		serial = former_serial(call, channel);
		if (serial == NULL && call->row.serial != NULL &&
			!idem_channel_counts(channel) &&
			idem_channel_serial_fits(channel, call->row.serial))
			serial = call->row.serial;
	}
	return serial != NULL ? serial :
		idem_channel_serial(channel, &call->key, call->row.attempt, call->now);
}

/*
 * When the provider was first told of a number that an attempt would carry
 * again; 0: it never was.
 */
static TimestampTz
first_told(IdemCall *call, const IdemChannel *channel, text *serial)
{
	TimestampTz first = 0;
	int32		number;

	for (number = call->row.attempt - 1; number > 0; number--)
	{
		const IdemAttempt *attempt = idem_send_attempt(call, number);

		if (went_by(attempt, channel) && attempt->serial != NULL &&
			idem_channel_same_serial(attempt->serial, serial))
			first = attempt->dispatched_at;
	}
	return first;
}

/*
 * Has a person said with a reason, after a time, that nothing arrived?  For a
 * key that is reserved again the answer to that is in_progress.
 */
static bool
was_overruled(const IdemCall *call, TimestampTz after)
{
	Oid			types[4] = {INT4OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[4];
	Relation	rel = table_open(idem_extension_relation("evidence"),
								 AccessShareLock);
	bool		found;

	values[0] = Int32GetDatum(call->key.scope->id);
	values[1] = PointerGetDatum(call->key.text);
	values[2] = TimestampTzGetDatum(call->key.scope->created_at);
	values[3] = TimestampTzGetDatum(after);
	SPI_connect();
	found = idem_run_as_owner(rel, "SELECT FROM idem.evidence WHERE scope = $1"
							  " AND key = $2 AND scope_created_at = $3"
							  " AND action = 'resolve'"
							  " AND outcome IN ('released', 'in_progress')"
							  " AND reason IS NOT NULL AND at > $4 LIMIT 1",
							  4, types, values, NULL) > 0;
	SPI_finish();
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * Has the provider forgotten that it has had the number?  Then an attempt that
 * was sent under it, and is thought lost, would be paid a second time; unless
 * somebody has vouched for it since.
 */
static bool
is_stale(IdemCall *call, const IdemChannel *channel, text *serial)
{
	TimestampTz first;

	if (channel->window == 0 || serial == NULL || call->row.attempt < 2)
		return false;
	first = first_told(call, channel, serial);
	return first != 0 && first + channel->window < call->now &&
		!was_overruled(call, first + channel->window);
}

/*
 * Is it impossible to send for a scope now: is this the wrong place to send
 * from, or the scope paused, or every channel of it closed or paused?
 */
bool
idem_send_nothing_goes(const IdemScope *scope, TimestampTz now)
{
	int			i;

	if (idem_site_away() != NULL ||
		idem_paused("scope", scope->name, "", InvalidOid) != NULL)
		return true;
	for (i = 0; i < scope->nchannels; i++)
	{
		const IdemChannel *channel = idem_channel_get(scope->channels[i]);

		if (idem_channel_paused(channel) == NULL &&
			idem_channel_closed_until(channel, now) == 0)
			return false;
	}
	return scope->nchannels > 0;
}

/* The request, or NULL. */
static Jsonb *
request_of(const IdemCall *call)
{
	const IdemFound *found = &call->row.found;

	return found->nulls[Anum_reservation_request - 1] ? NULL :
		DatumGetJsonbP(found->values[Anum_reservation_request - 1]);
}

/* Not now: the key stays reserved. */
static void
answer_not_now(IdemCall *call, const char *outcome, const char *detail,
			   TimestampTz retry_at, IdemAnswer *answer)
{
	idem_send_describe(call, answer);
	answer->outcome = outcome;
	answer->detail = detail;
	answer->retry_at = retry_at;
	answer->token = call->row.token;
}

/* The key is put before a person, at once. */
static void
ask_operator(IdemCall *call)
{
	IdemReservation *row = &call->row;

	if (row->concern != IDEM_CONCERN_NONE)
		return;
	row->concern = IDEM_CONCERN_STALE;
	row->step = 0;
	row->due_at = call->now;
	idem_send_write(call);
}

/*
 * May the reserved attempt go by a channel now?  If so, fills in how it goes;
 * if not, the answer to the caller, and the key stays reserved.  22023 for a
 * request to which no answer could ever belong.
 */
bool
idem_send_may_go(IdemCall *call, const IdemChannel *channel,
				 IdemAttempt *attempt, IdemAnswer *answer)
{
	char	   *paused = idem_channel_paused(channel);
	TimestampTz until;
	IdemSent	days = {0};

	idem_channel_check_request(channel, request_of(call));
	if (paused != NULL)
	{
		answer_not_now(call, "paused", paused, 0, answer);
		return false;
	}
	until = idem_channel_closed_until(channel, call->now);
	if (until != 0)
	{
		answer_not_now(call, "closed", "the channel is closed now", until,
					   answer);
		return false;
	}
	attempt->channel = cstring_to_text(channel->name);
	attempt->serial = attempt_serial(call, channel);
	if (is_stale(call, channel, attempt->serial))
	{
		ask_operator(call);
		answer_not_now(call, "stale_attempt",
					   "the provider may not know the serial again, and would pay twice: ask it, and resolve to released with force",
					   0, answer);
		return false;
	}
	idem_channel_dates(channel, call->now, &days);
	attempt->has_date = days.has_date;
	attempt->business_date = days.business_date;
	attempt->has_other_date = days.has_other_date;
	attempt->other_date = days.other_date;
	return true;
}
