/*
 * send_reserve.c
 *		Reserving a key for the time of a lease; nothing has been sent yet.
 *
 * The first of two committed points before an effect outside.  The caller of
 * reserve gets a token; sending needs idem.dispatch with the newest one.  So
 * an expired reservation can be taken over safely: the former holder's token
 * is lower then, and nothing was sent under it.  A dispatched key is never
 * taken over, whatever its lease.
 *
 * The unique index decides among first callers; the row's lock decides among
 * those who take over.  Neither is waited for: a rival is reported at once.
 *
 * A call with the nonce of the holder comes from the holder, which has not
 * received the answer: it gets the same token again.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "key/key_request.h"
#include "key/key_taken.h"
#include "send/send.h"

#define NONCE_BYTES_MAX			255

/* The nonce of a call, or NULL: 22023 if it is none that can be kept. */
static text *
nonce_argument(FunctionCallInfo fcinfo, int n)
{
	text	   *nonce = PG_ARGISNULL(n) ? NULL : PG_GETARG_TEXT_PP(n);

	if (nonce != NULL && (VARSIZE_ANY_EXHDR(nonce) == 0 ||
						  VARSIZE_ANY_EXHDR(nonce) > NONCE_BYTES_MAX))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("nonce has to be 1 to %d bytes long", NONCE_BYTES_MAX)));
	return nonce;
}

static bool
is_nonce(const IdemReservation *row, const text *nonce)
{
	return nonce != NULL && row->nonce != NULL &&
		VARSIZE_ANY_EXHDR(row->nonce) == VARSIZE_ANY_EXHDR(nonce) &&
		memcmp(VARDATA_ANY(row->nonce), VARDATA_ANY(nonce),
			   VARSIZE_ANY_EXHDR(nonce)) == 0;
}

/* The answer to the one who holds the reservation. */
static void
answer_reserved(IdemCall *call, bool reentrant, IdemAnswer *answer)
{
	idem_send_describe(call, answer);
	answer->outcome = "reserved";
	answer->token = call->row.token;
	answer->reentrant = reentrant;
	answer->retry_at = 0;
	answer->detail = NULL;
}

/* Give the key to the caller, on call->row; the other columns stay. */
static void
take(IdemCall *call, text *nonce, int64 lease)
{
	IdemReservation *row = &call->row;

	if (row->state == IDEM_STATE_RELEASED)
	{
		row->attempt++;
		row->dispatched_at = 0;
	}
	row->state = IDEM_STATE_RESERVED;
	row->token++;
	row->nonce = nonce;
	row->lease_until = call->now + lease;
	idem_send_watch(call, row->lease_until);
}

/*
 * Reserve a key that nobody has seen, or find the row that has it.  True: the
 * call is answered.
 */
static bool
reserve_new(IdemCall *call, Jsonb *request, text *nonce, int64 lease,
			const char *confirmed, IdemAnswer *answer)
{
	bytea	   *fingerprint = NULL;
	text	   *serial = NULL;

	for (;;)
	{
		idem_key_probe(&call->table, &call->key, &call->row.found);
		if (call->row.found.held != IDEM_HELD_NOT ||
			idem_key_judge(&call->key))
			return false;
		idem_send_check_standbys(call->key.scope);
		if (fingerprint == NULL)
		{
			fingerprint = idem_key_fingerprint(call->key.scope, request, NULL);
			serial = idem_send_key_serial(call);
		}
		if (idem_send_misplaced_new(answer) ||
			idem_key_refused(&call->table, &call->key, request, fingerprint,
							 confirmed, answer))
			return true;
		call->now = GetCurrentTimestamp();
		memset(&call->row, 0, sizeof(IdemReservation));
		call->row.attempt = 1;
		call->row.serial = serial;
		take(call, nonce, lease);
		if (idem_send_insert(call, fingerprint, request))
			break;
		CHECK_FOR_INTERRUPTS();
	}
	answer->first_seen = call->now;
	answer->outcome = "reserved";
	answer->state = "reserved";
	answer->token = call->row.token;
	answer->attempt = call->row.attempt;
	answer->serial = call->row.serial;
	answer->lease_until = call->row.lease_until;
	return true;
}

/* May the caller have the key, as the row is?  If so it has to be written. */
static bool
is_free(const IdemCall *call, const text *nonce)
{
	const IdemReservation *row = &call->row;

	if (row->concern == IDEM_CONCERN_RAN)
		return false;
	if (row->state == IDEM_STATE_RELEASED)
		return true;
	return row->state == IDEM_STATE_RESERVED && row->lease_until <= call->now &&
		(row->found.held != IDEM_HELD_OWN || is_nonce(row, nonce));
}

/* The first request of the key, or NULL: it may have been dropped. */
static Jsonb *
first_request(const IdemFound *found)
{
	return found->nulls[Anum_reservation_request - 1] ? NULL :
		DatumGetJsonbP(found->values[Anum_reservation_request - 1]);
}

/*
 * May a free key not be given out now?  One that was released did not count
 * against others meanwhile, so it is compared with them as a new one is; by
 * its first request, and not if that lacks what is compared.
 */
static bool
is_refused(IdemCall *call, const char *confirmed, IdemAnswer *answer)
{
	const IdemScope *compared = call->key.scope->compared;
	Jsonb	   *first = compared == NULL ? NULL :
		first_request(&call->row.found);

	if (call->row.state == IDEM_STATE_RELEASED && first != NULL &&
		idem_key_has_fields(compared, first))
		return idem_send_suspected(call, first, confirmed, answer);
	return idem_send_paused(call, answer);
}

/* Take a key that is free, unless somebody else has just done so. */
static bool
reserve_again(IdemCall *call, text *nonce, int64 lease, const char *confirmed,
			  IdemAnswer *answer)
{
	bool		mine;

	if (!idem_send_lock(call, false))
	{
		idem_send_describe(call, answer);
		answer->outcome = "in_progress";
		answer->detail = "another session is changing it";
		return true;
	}
	if (!is_free(call, nonce))
		return false;
	idem_send_check_standbys(call->key.scope);
	if (idem_send_misplaced(call, answer))
		return true;
	if (call->row.fenced_at != 0)
	{
		idem_send_end_fenced(call);
		idem_send_describe(call, answer);
		return true;
	}
	if (is_refused(call, confirmed, answer))
		return true;
	mine =
		call->row.state == IDEM_STATE_RESERVED && is_nonce(&call->row, nonce);
	take(call, nonce, lease);
	if (mine)
		call->row.token--;
	idem_send_write(call);
	idem_key_note_taken(&call->key.digest);
	answer_reserved(call, mine, answer);
	return true;
}

/* The answer for a key that is held and not free. */
static void
answer_held(IdemCall *call, const text *nonce, IdemAnswer *answer)
{
	const IdemReservation *row = &call->row;
	bool		mine =
		row->found.held != IDEM_HELD_RIVAL && is_nonce(row, nonce);

	idem_send_describe(call, answer);
	if (row->state == IDEM_STATE_RESERVED && mine &&
		row->concern != IDEM_CONCERN_RAN)
		answer_reserved(call, true, answer);
	else if (row->state == IDEM_STATE_RESERVED &&
			 row->found.held == IDEM_HELD_OWN)
	{
		answer->outcome = "duplicate";
		answer->detail = "reserved before in this transaction";
	}
	else if (mine && !idem_send_is_final(row))
	{
		/* sent or not, it is the holder who has to go on */
		answer->reentrant = true;
		answer->token = row->token;
	}
}

/* The members in which the request differs from the first one; NULL: none. */
static ArrayType *
mismatch(const IdemScope *scope, const IdemReservation *row, Jsonb *request)
{
	bytea	   *first =
		DatumGetByteaPP(row->found.values[Anum_anchor_fingerprint - 1]);

	/* fenced before it was ever seen: there is no first request */
	if (row->attempt == 0 && row->state != IDEM_STATE_ADOPTED)
		return NULL;
	return idem_key_request_diff(scope, request, first);
}

/*
 * The answer for a key that somebody, maybe the caller, has already, or that
 * is too old to be known.
 */
static void
reserve_known(IdemCall *call, Jsonb *request, text *nonce, int64 lease,
			  const char *confirmed, IdemAnswer *answer)
{
	Datum		first_seen;

	if (call->row.found.held == IDEM_HELD_NOT)
	{
		idem_key_answer_expired(&call->key, answer);
		return;
	}
	idem_key_check_visible(&call->table, &call->key, &call->row.found);
	idem_send_decode(&call->row);
	call->now = GetCurrentTimestamp();
	answer->mismatch = mismatch(call->key.scope, &call->row, request);
	if (answer->mismatch != NULL)
	{
		answer->outcome = "mismatch";
		answer->state = idem_send_state_name(&call->row);
		answer->attempt = call->row.attempt;
		first_seen = call->row.found.values[Anum_anchor_first_seen - 1];
		answer->first_seen = DatumGetTimestampTz(first_seen);
		return;
	}
	if (call->row.found.held != IDEM_HELD_RIVAL && is_free(call, nonce) &&
		reserve_again(call, nonce, lease, confirmed, answer))
		return;
	answer_held(call, nonce, answer);
	idem_key_answer_reused(&call->key, answer);
}

/*
 * reserve(scope, key, request, nonce, lease, confirmed) -> send_result
 */
PG_FUNCTION_INFO_V1(idem_reserve);
Datum
idem_reserve(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer = {0};
	IdemCall	call;
	Jsonb	   *request = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	text	   *nonce = nonce_argument(fcinfo, 3);
	const char *confirmed;
	int64		lease;

	idem_send_begin_write(fcinfo, "idem.reserve()", &call);
	idem_key_check_here(call.key.scope);
	lease = PG_ARGISNULL(4) ? call.key.scope->lease :
		idem_key_duration("lease", PG_GETARG_INTERVAL_P(4), false);
	confirmed = idem_key_confirmed(fcinfo, 5, call.key.scope);
	if (!reserve_new(&call, request, nonce, lease, confirmed, &answer))
		reserve_known(&call, request, nonce, lease, confirmed, &answer);
	idem_key_close(&call.table);
	PG_RETURN_DATUM(idem_key_send_row(&call.key, &answer));
}
