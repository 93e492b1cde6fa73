/*
 * send.c
 *		An effect outside of the database is sent at most once.
 *
 * Two commits come before it: a reservation, by which the caller has the key
 * for a lease (send_reserve.c), and a dispatch, which is the only leave to
 * send and is given once (send_dispatch.c).  After that the key moves only
 * when somebody tells the outcome of the effect (send_settle.c).  An effect
 * that has not run can be kept from ever running (send_fence.c), and a key
 * that nobody has settled is handed out to be looked at (send_due.c).
 *
 * All of them work on one row of idem.reservation, which is read, described
 * and written here.  A row is changed only under its lock, and on the basis of
 * its newest version.  The end of a lease is computed, never written.  It is
 * compared with a clock that was read after all waiting; after the end another
 * caller may take the key over, which raises the token.
 *
 * While a key is not final, or a person has to look at it, due_at is set: no
 * reservation is forgotten.
 *
 * Locks: ROW EXCLUSIVE on idem.reservation and the row, until the end of the
 * transaction.
 *
 * Not promised: that an effect that was dispatched has arrived.
 *
 * Shown by sql/send.sql and test/isolation/specs/send_dispatch.spec.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/argument.h"
#include "base/durable.h"
#include "base/idem_errors.h"
#include "base/latest.h"
#include "send/send.h"

/* 55I02 with a message about the key. */
void
idem_send_refuse(const IdemCall *call, const char *message, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_CLAIM_NOT_OPEN),
			 errmsg("key \"%s\" in scope \"%s\" %s",
					text_to_cstring(call->key.text), call->key.scope->name,
					message),
			 errhint("%s", hint)));
}

/* Read scope and key of a call, and open the table of its keys. */
void
idem_send_begin(FunctionCallInfo fcinfo, LOCKMODE lockmode, IdemCall *call)
{
	const IdemScope *scope;

	memset(call, 0, sizeof(IdemCall));
	scope = idem_key_open(PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0),
						  lockmode, &call->table);

	idem_key_check_right(scope);
	idem_key_init(scope, PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1),
				  &call->key);
}

/* A call that writes, of an effect outside only: 25006 where it cannot. */
void
idem_send_begin_write(FunctionCallInfo fcinfo, const char *function,
					  IdemCall *call)
{
	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
	idem_send_begin(fcinfo, RowExclusiveLock, call);
	if (!call->key.scope->outside)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_CLAIM_NOT_OPEN),
				 errmsg("scope \"%s\" is for effects inside of the transaction",
						call->key.scope->name),
				 errhint("Use idem.claim, or a scope with effect 'outside'.")));
}

/*
 * The scope and the batch of a call that looks for keys of effects outside.
 */
void
idem_send_begin_batch(FunctionCallInfo fcinfo, IdemCall *call, int32 *batch)
{
	const IdemScope *scope;

	memset(call, 0, sizeof(IdemCall));
	scope = idem_key_open(PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0),
						  RowExclusiveLock, &call->table);
	call->key.scope = scope;
	idem_key_check_right(scope);
	if (!scope->outside)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_CLAIM_NOT_OPEN),
				 errmsg("scope \"%s\" is for effects inside of the transaction",
						scope->name),
				 errhint("Its keys are never due: a claim is final when it is committed.")));
	idem_require_argument(fcinfo, 1, "batch");
	*batch = PG_GETARG_INT32(1);
	if (*batch < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch has to be at least 1")));
}

/*
 * 55000 unless the server waits for as many standbys as the scope asks for, as
 * it is now: the lock of the row may have been waited for.
 * Before anything is written that leads to an effect outside: a manager of
 * standbys that empties synchronous_standby_names when one is lost makes it
 * stop, and not go on without.
 */
void
idem_send_check_standbys(const IdemScope *scope)
{
	int			standbys;

	idem_accept_news();
	standbys = idem_key_standbys(scope);
	if (standbys > idem_standbys())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("scope \"%s\" asks for %d synchronous standbys, and the server waits for %d",
						scope->name, standbys, idem_standbys()),
				 errhint("Set synchronous_standby_names, for example to 'ANY %d (*)'.",
						 standbys)));
}

/* The answer for a key whose row is locked, and that is not given out. */
static void
describe_refused(IdemCall *call, const IdemAnswer *refused, IdemAnswer *answer)
{
	idem_send_describe(call, answer);
	answer->outcome = refused->outcome;
	answer->retry_at = refused->retry_at;
	answer->detail = refused->detail;
}

/*
 * Is the scope of a key whose row is locked paused?  Then that is the answer.
 * As of now: the lock may have been waited for.
 */
bool
idem_send_paused(IdemCall *call, IdemAnswer *answer)
{
	IdemAnswer	paused = {0};

	idem_accept_news();
	if (likely(!idem_key_paused(call->key.scope, &paused)))
		return false;
	describe_refused(call, &paused, answer);
	return true;
}

/*
 * Is a key that is free, and whose row is locked, suspected to be a duplicate
 * of another one, or its scope paused?  Then that is the answer.
 */
bool
idem_send_suspected(IdemCall *call, Jsonb *request, const char *confirmed,
					IdemAnswer *answer)
{
	IdemAnswer	refused = {0};

	idem_accept_news();
	if (!idem_key_refused(&call->table, &call->key, request, NULL, confirmed,
						  &refused))
		return false;
	describe_refused(call, &refused, answer);
	return true;
}

/*
 * Lock the row, and read it and the clock.  False as idem_key_lock says;
 * the row is what is known then.
 */
bool
idem_send_lock(IdemCall *call, bool wait)
{
	bool		locked = idem_key_lock(&call->table, &call->key, wait,
									   &call->row.found);

	if (call->row.found.held != IDEM_HELD_NOT)
		idem_send_decode(&call->row);
	call->attempt.number = 0;	/* what was read before waiting is old */
	call->now = GetCurrentTimestamp();
	return locked;
}

/*
 * Is there a row that counts, one that is committed or written by this
 * transaction?
 */
bool
idem_send_has_row(const IdemCall *call)
{
	return call->row.found.held == IDEM_HELD_OWN ||
		call->row.found.held == IDEM_HELD_COMMITTED;
}

/*
 * The token of a call, for a row that is locked: 55I01 if it was never given
 * out, which tells an invented token from an overtaken one.  NULL, the token
 * of a caller who was given none, becomes 0, which holds nothing.  Without a
 * row that is committed, or ours, no token is known: 55I02, unless there may
 * have been one that is retired.
 */
int64
idem_send_token(FunctionCallInfo fcinfo, IdemCall *call, const char *verb)
{
	int64		token = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT64(2);

	if (call->row.found.held == IDEM_HELD_NOT && !idem_key_judge(&call->key))
		idem_send_refuse(call, psprintf("cannot be %s: it was never reserved", verb),
						 "Call idem.reserve first, and commit it.");
	if (!idem_send_has_row(call))
		return token;
	if (PG_ARGISNULL(2))
		return 0;
	/* one that was given out in what is lost is one that was overtaken */
	if (token > call->row.token && call->row.concern == IDEM_CONCERN_MOVED)
		return token;
	if (token < 1 || token > call->row.token)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_STALE_TOKEN),
				 errmsg("token " INT64_FORMAT " of key \"%s\" in scope \"%s\" was never given out",
						token, text_to_cstring(call->key.text),
						call->key.scope->name),
				 errhint("Use the token that idem.reserve answered.")));
	return token;
}

static TimestampTz
time_at(const IdemFound *found, int attnum)
{
	return found->nulls[attnum - 1] ? 0 :
		DatumGetTimestampTz(found->values[attnum - 1]);
}

/* Read the columns of the row that was found. */
void
idem_send_decode(IdemReservation *row)
{
	const IdemFound *found = &row->found;
	const Datum *values = found->values;
	const bool *nulls = found->nulls;

	row->state = DatumGetChar(values[Anum_anchor_state - 1]);
	row->token = DatumGetInt64(values[Anum_reservation_token - 1]);
	row->attempt = DatumGetInt32(values[Anum_reservation_attempt - 1]);
	row->step = DatumGetInt32(values[Anum_reservation_step - 1]);
	row->lease_until = time_at(found, Anum_reservation_lease_until);
	row->dispatched_at = time_at(found, Anum_reservation_dispatched_at);
	row->finished_at = time_at(found, Anum_reservation_finished_at);
	row->due_at = time_at(found, Anum_reservation_due_at);
	row->fenced_at = time_at(found, Anum_reservation_fenced_at);
	row->concern = nulls[Anum_reservation_concern - 1] ? IDEM_CONCERN_NONE :
		DatumGetChar(values[Anum_reservation_concern - 1]);
	row->dropped = DatumGetBool(values[Anum_reservation_dropped - 1]);
	row->presumed_at = time_at(found, Anum_reservation_presumed_at);
	row->corrected_at = time_at(found, Anum_reservation_corrected_at);
	row->returned = !nulls[Anum_reservation_returned_on - 1];
	row->returned_on =
		DatumGetDateADT(values[Anum_reservation_returned_on - 1]);
	row->returned_amount = values[Anum_reservation_returned_amount - 1];
	row->has_returned_amount = !nulls[Anum_reservation_returned_amount - 1];
	row->settled_amount = values[Anum_reservation_settled_amount - 1];
	row->has_settled_amount = !nulls[Anum_reservation_settled_amount - 1];
	row->serial = nulls[Anum_reservation_serial - 1] ||
		found->held == IDEM_HELD_RIVAL ? NULL :
		DatumGetTextPP(values[Anum_reservation_serial - 1]);
	row->nonce = nulls[Anum_reservation_nonce - 1] ? NULL :
		DatumGetTextPP(values[Anum_reservation_nonce - 1]);
	/* of a row not committed, only what is stored in line is read */
	row->response = nulls[Anum_anchor_response - 1] ||
		found->held == IDEM_HELD_RIVAL ? NULL :
		DatumGetJsonbP(values[Anum_anchor_response - 1]);
}

static void
set_time(Datum *values, bool *nulls, int attnum, TimestampTz value)
{
	values[attnum - 1] = TimestampTzGetDatum(value);
	nulls[attnum - 1] = value == 0;
}

static void
set_pointer(Datum *values, bool *nulls, int attnum, const void *value)
{
	values[attnum - 1] = PointerGetDatum(value);
	nulls[attnum - 1] = value == NULL;
}

static void
set_value(Datum *values, bool *nulls, int attnum, Datum value, bool given)
{
	values[attnum - 1] = value;
	nulls[attnum - 1] = !given;
}

/* Put back what decode reads. */
static void
encode(const IdemReservation *row, Datum *values, bool *nulls)
{
	values[Anum_anchor_state - 1] = CharGetDatum(row->state);
	values[Anum_reservation_token - 1] = Int64GetDatum(row->token);
	values[Anum_reservation_attempt - 1] = Int32GetDatum(row->attempt);
	values[Anum_reservation_step - 1] = Int32GetDatum(row->step);
	set_time(values, nulls, Anum_reservation_lease_until, row->lease_until);
	set_time(values, nulls, Anum_reservation_dispatched_at, row->dispatched_at);
	set_time(values, nulls, Anum_reservation_finished_at, row->finished_at);
	set_time(values, nulls, Anum_reservation_due_at, row->due_at);
	set_time(values, nulls, Anum_reservation_fenced_at, row->fenced_at);
	values[Anum_reservation_concern - 1] = CharGetDatum(row->concern);
	nulls[Anum_reservation_concern - 1] = row->concern == IDEM_CONCERN_NONE;
	values[Anum_reservation_dropped - 1] = BoolGetDatum(row->dropped);
	set_time(values, nulls, Anum_reservation_presumed_at, row->presumed_at);
	set_time(values, nulls, Anum_reservation_corrected_at, row->corrected_at);
	set_value(values, nulls, Anum_reservation_returned_on,
			  DateADTGetDatum(row->returned_on), row->returned);
	set_value(values, nulls, Anum_reservation_returned_amount,
			  row->returned_amount, row->has_returned_amount);
	set_value(values, nulls, Anum_reservation_settled_amount,
			  row->settled_amount, row->has_settled_amount);
	set_pointer(values, nulls, Anum_reservation_serial, row->serial);
	set_pointer(values, nulls, Anum_reservation_nonce, row->nonce);
	set_pointer(values, nulls, Anum_anchor_response, row->response);
}

/*
 * Write call->row as the first row of its key; false if somebody was faster.
 * The fingerprint is empty for a key that is fenced unseen.
 */
bool
idem_send_insert(IdemCall *call, bytea *fingerprint, Jsonb *request)
{
	Datum		values[Natts_reservation];
	bool		nulls[Natts_reservation] = {false};

	values[Anum_anchor_digest - 1] = UUIDPGetDatum(&call->key.digest);
	values[Anum_anchor_first_seen - 1] = TimestampTzGetDatum(call->now);
	values[Anum_anchor_scope - 1] = Int32GetDatum(call->key.scope->id);
	values[Anum_anchor_key - 1] = PointerGetDatum(call->key.text);
	values[Anum_anchor_fingerprint - 1] = PointerGetDatum(fingerprint);
	set_pointer(values, nulls, Anum_reservation_request, request);
	encode(&call->row, values, nulls);
	if (!idem_key_insert(&call->table, &call->key, values, nulls))
		return false;
	call->row.found.commit.kind = IDEM_COMMIT_OURS;
	idem_flush();
	return true;
}

/* Write call->row over the row that is locked; it need not be flushed. */
void
idem_send_update(IdemCall *call)
{
	IdemReservation *row = &call->row;
	Datum		values[Natts_reservation];
	bool		nulls[Natts_reservation];

	Assert(row->due_at != 0 || idem_send_is_final(row));
	memcpy(values, row->found.values, sizeof(values));
	memcpy(nulls, row->found.nulls, sizeof(nulls));
	encode(row, values, nulls);
	idem_key_update(&call->table, &row->found, values, nulls);
	row->found.commit.kind = IDEM_COMMIT_OURS;
}

/*
 * Write call->row over the row that is locked, and have it flushed, since
 * others will act on it.
 */
void
idem_send_write(IdemCall *call)
{
	idem_send_update(call);
	idem_flush();
}

/*
 * Somebody has to look at the key one rung of the ladder after this time, if
 * nothing happens before.  A key that a person has to look at keeps its time,
 * unless there is an attempt to inquire about first.
 */
void
idem_send_watch(IdemCall *call, TimestampTz from)
{
	if (call->row.concern != IDEM_CONCERN_NONE &&
		call->row.state != IDEM_STATE_DISPATCHED &&
		call->row.state != IDEM_STATE_UNKNOWN)
		return;
	call->row.step = 0;
	call->row.due_at = from + call->key.scope->ladder[0];
}

/* Is the key in a final state, which no ordinary call changes? */
bool
idem_send_is_final(const IdemReservation *row)
{
	return row->state == IDEM_STATE_SUCCEEDED ||
		row->state == IDEM_STATE_FAILED || row->state == IDEM_STATE_FENCED ||
		row->state == IDEM_STATE_ADOPTED;
}

/*
 * Is a key that is not final one that may have been sent?  A late result of
 * an earlier attempt makes it one.
 */
bool
idem_send_may_have_run(const IdemReservation *row)
{
	return row->state == IDEM_STATE_DISPATCHED ||
		row->state == IDEM_STATE_UNKNOWN ||
		row->concern == IDEM_CONCERN_RAN;
}

/* The state in the word that users read */
const char *
idem_send_state_name(const IdemReservation *row)
{
	switch (row->state)
	{
		case IDEM_STATE_RESERVED:
			return "reserved";
		case IDEM_STATE_DISPATCHED:
			return "dispatched";
		case IDEM_STATE_UNKNOWN:
			return "unknown";
		case IDEM_STATE_RELEASED:
			return "released";
		case IDEM_STATE_SUCCEEDED:
			return "succeeded";
		case IDEM_STATE_FAILED:
			return "failed";
		case IDEM_STATE_FENCED:
			return "fenced";
		case IDEM_STATE_ADOPTED:
			return "adopted";
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("reservation has an unknown state")));
	}
	return NULL;
}

/* The outcome for a key that is not final, and when to ask again. */
static void
describe_open(const IdemCall *call, IdemAnswer *answer)
{
	const IdemReservation *row = &call->row;
	bool		held = row->lease_until > call->now;

	answer->lease_until = row->lease_until;
	if (idem_send_may_have_run(row) &&
		!(row->state == IDEM_STATE_DISPATCHED && held))
	{
		answer->outcome = "unknown";
		answer->retry_at = row->due_at;
		if (row->concern == IDEM_CONCERN_RAN)
			answer->detail = "a late result waits for a person";
	}
	else if (row->state == IDEM_STATE_RELEASED)
		answer->outcome = "released";
	else
	{
		answer->outcome = "in_progress";
		answer->retry_at = row->lease_until;
		if (!held)
			answer->detail = "the lease is over, and nothing was sent: the key can be reserved again";
	}
}

/* The marks beside the state, or NULL. */
static ArrayType *
marks(const IdemReservation *row)
{
	Datum		words[3];
	int			n = 0;

	if (row->presumed_at != 0)
		words[n++] = CStringGetTextDatum("presumed");
	if (row->corrected_at != 0)
		words[n++] = CStringGetTextDatum("corrected");
	if (row->returned)
		words[n++] = CStringGetTextDatum("returned");
	return n == 0 ? NULL :
		construct_array(words, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/* How the present attempt was sent, if it was. */
static void
describe_attempt(IdemCall *call, IdemAnswer *answer)
{
	const IdemAttempt *attempt;

	answer->serial = call->row.serial;
	answer->dispatched_at = call->row.dispatched_at;
	if (call->row.dispatched_at == 0)
		return;
	attempt = idem_send_attempt(call, call->row.attempt);
	if (attempt->serial != NULL)
		answer->serial = attempt->serial;
	answer->channel = attempt->channel;
	answer->business_date = attempt->business_date;
	answer->has_date = attempt->has_date;
	answer->other_date = attempt->other_date;
	answer->has_other_date = attempt->has_other_date;
}

/*
 * The facts about a key that is held, or retired, without its token, which
 * only the holder may know.
 */
void
idem_send_describe(IdemCall *call, IdemAnswer *answer)
{
	const IdemReservation *row = &call->row;

	if (row->found.held == IDEM_HELD_NOT)
	{
		idem_key_answer_expired(&call->key, answer);
		return;
	}
	answer->commit = row->found.commit;
	answer->first_seen =
		DatumGetTimestampTz(row->found.values[Anum_anchor_first_seen - 1]);
	answer->state = idem_send_state_name(row);
	answer->attempt = row->attempt;
	if (row->found.held == IDEM_HELD_RIVAL)
	{
		answer->outcome = "in_progress";
		answer->detail = idem_key_rival_detail(row->found.rival);
		return;
	}
	describe_attempt(call, answer);
	answer->finished_at = row->finished_at;
	answer->settled_amount = row->settled_amount;
	answer->has_settled_amount = row->has_settled_amount;
	answer->marks = marks(row);
	answer->response_dropped = row->dropped;
	answer->response = PointerGetDatum(row->response);
	answer->has_response = row->response != NULL;
	if (!idem_send_is_final(row))
		describe_open(call, answer);
	else
	{
		answer->outcome = row->state == IDEM_STATE_FENCED ? "fenced" : "replayed";
		answer->settled = true;
	}
}
