/*
 * send_dispatch.c
 *		Calls of the holder of a token before the effect: dispatch, heartbeat,
 *		release.
 *
 * dispatch is the second committed point, and the only leave to send.  It is a
 * procedure that commits by itself and answers after its commit: inside a
 * transaction block it is refused, so that sending before the commit, the
 * commonest way to pay twice, cannot be written.  The first dispatch of the
 * newest token is granted; no later one is.
 *
 * The server gives up the wait for a standby with a warning when the statement
 * is cancelled or its time is over, and goes on.  So after the commit it is
 * asked what the standbys have confirmed: granted if they have this commit,
 * else 40003, and the key stays dispatched.
 *
 * These calls wait for the row: its lock is held for the length of one short
 * transaction.  They decide on the newest committed version.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "base/durable.h"
#include "base/idem_errors.h"
#include "base/site.h"
#include "send/send.h"

/* Columns of idem.send_result that the caller of dispatch passes in. */
static bool
is_argument(int column)
{
	return column == RESULT_KEY || column == RESULT_TOKEN;
}

#define DISPATCH_COLUMNS	(SEND_RESULT_COLUMNS - 2)
#define DISPATCH_ARGUMENTS	3	/* before them */

/* 25001 unless this call may commit. */
static void
check_may_commit(FunctionCallInfo fcinfo)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		((CallContext *) fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("idem.dispatch cannot run inside a transaction block"),
				 errdetail("It commits before it answers, so that nothing is sent that a rollback could forget."),
				 errhint("Commit the reservation, then CALL idem.dispatch by itself, with autocommit.")));
}

/* Begin a holder's call: its row is locked, its token was given out. */
static int64
begin_holder(FunctionCallInfo fcinfo, const char *function, const char *verb,
			 IdemCall *call)
{
	idem_send_begin_write(fcinfo, function, call);
	(void) idem_send_lock(call, true);
	return idem_send_token(fcinfo, call, verb);
}

/*
 * Does the caller hold a reservation, with no reason against dispatching it?
 */
static bool
is_holder(const IdemCall *call, int64 token)
{
	return idem_send_has_row(call) &&
		call->row.token == token && call->row.state == IDEM_STATE_RESERVED;
}

/* The answer to a holder whose call changes nothing. */
static void
answer_unchanged(IdemCall *call, int64 token, IdemAnswer *answer)
{
	idem_send_describe(call, answer);
	answer->token = token;
	if (idem_send_has_row(call) &&
		token < call->row.token && !answer->settled)
		answer->detail = token == 0 ? "the caller holds no token" :
			"the token was overtaken";
}

/* From here on the effect may have been sent. */
static void
dispatch(IdemCall *call, int64 token, const IdemChannel *channel,
		 IdemAnswer *answer)
{
	IdemReservation *row = &call->row;
	IdemAttempt attempt = {0};

	if (!is_holder(call, token) || row->concern == IDEM_CONCERN_RAN)
	{
		answer_unchanged(call, token, answer);
		return;
	}
	if (idem_send_misplaced(call, answer) || idem_send_paused(call, answer))
	{
		answer->token = token;
		return;
	}
	if (row->fenced_at != 0)
	{
		idem_send_end_fenced(call);
		answer_unchanged(call, token, answer);
		return;
	}
	idem_send_check_standbys(call->key.scope);
	if (channel == NULL)
		attempt.serial = row->serial;
	else if (!idem_send_may_go(call, channel, &attempt, answer))
		return;
	row->state = IDEM_STATE_DISPATCHED;
	row->dispatched_at = call->now;
	row->lease_until = Max(row->lease_until,
						   call->now + call->key.scope->lease);
	idem_send_watch(call, row->lease_until);
	idem_send_write(call);
	idem_send_keep_attempt(call, &attempt);
	idem_site_follow();
	idem_send_describe(call, answer);
	answer->granted = true;
	answer->outcome = "granted";
	answer->retry_at = 0;
}

/* The row that CALL shows. */
static Datum
dispatch_row(FunctionCallInfo fcinfo, const IdemKey *key,
			 IdemAnswer *answer)
{
	Datum		values[SEND_RESULT_COLUMNS];
	bool		nulls[SEND_RESULT_COLUMNS];
	TupleDesc	desc;
	int			column;
	int			n = 0;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != DISPATCH_COLUMNS)
		elog(ERROR, "idem.dispatch has other columns");
	idem_key_send_values(key, answer, values, nulls);
	for (column = 0; column < SEND_RESULT_COLUMNS; column++)
	{
		if (is_argument(column))
			continue;
		values[n] = values[column];
		nulls[n++] = nulls[column];
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values,
											 nulls));
}

/* The same as one column. */
static Datum
dispatch_answer_row(FunctionCallInfo fcinfo, const IdemKey *key,
					IdemAnswer *answer)
{
	Datum		value = idem_key_send_row(key, answer);
	bool		isnull = false;
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
		desc->natts != 1)
		elog(ERROR, "idem.dispatch has other columns");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), &value,
											 &isnull));
}

/* 40003 unless the standbys that are required have the commit. */
static void
check_confirmed(const char *scope, const char *key, int standbys)
{
	if (!idem_flush_confirmed(standbys))
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_DISPATCH_NOT_CONFIRMED),
				 errmsg("dispatch of key \"%s\" in scope \"%s\" is not confirmed by the standbys",
						key, scope),
				 errdetail("It is committed here, and may be unknown to a standby that is promoted."),
				 errhint("Do not send. The key stays dispatched: inquire, then call idem.resolve.")));
}

/*
 * Dispatch and commit.  The answer is formed, with nothing in it that points
 * into a table, before the commit, in the caller's memory, and given after it.
 */
static Datum
dispatch_and_commit(FunctionCallInfo fcinfo, const char *channel,
					Datum (*form) (FunctionCallInfo fcinfo, const IdemKey *key,
								   IdemAnswer *answer))
{
	MemoryContext caller = CurrentMemoryContext;
	IdemAnswer	answer = {0};
	IdemCall	call;
	int64		token;
	Datum		row;
	char	   *scope;
	char	   *key;
	int			standbys;

	check_may_commit(fcinfo);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	PushActiveSnapshot(GetTransactionSnapshot());
	token = begin_holder(fcinfo, "idem.dispatch()", "dispatched", &call);
	dispatch(&call, token, idem_send_channel(&call, channel), &answer);
	idem_key_close(&call.table);
	MemoryContextSwitchTo(caller);
	row = form(fcinfo, &call.key, &answer);
	scope = pstrdup(call.key.scope->name);
	standbys = call.key.scope->standbys;
	key = text_to_cstring(call.key.text);
	PopActiveSnapshot();
	SPI_commit();
	if (answer.granted)
		check_confirmed(scope, key, standbys);
	SPI_finish();
	return row;
}

/*
 * CALL dispatch(scope, key, token)
 */
PG_FUNCTION_INFO_V1(idem_dispatch);
Datum
idem_dispatch(PG_FUNCTION_ARGS)
{
	/* the channel comes after the key and before the token's place */
	int			channel = DISPATCH_ARGUMENTS + RESULT_CHANNEL - 2;

	PG_RETURN_DATUM(dispatch_and_commit(fcinfo, PG_ARGISNULL(channel) ? NULL :
										text_to_cstring(PG_GETARG_TEXT_PP(channel)),
										dispatch_row));
}

/* The channel that the variable of a call names, or NULL. */
static const char *
answer_channel(FunctionCallInfo fcinfo)
{
	bool		isnull;
	Datum		channel;

	if (PG_ARGISNULL(DISPATCH_ARGUMENTS))
		return NULL;
	channel = GetAttributeByName(PG_GETARG_HEAPTUPLEHEADER(DISPATCH_ARGUMENTS),
								 "channel", &isnull);
	return isnull ? NULL : TextDatumGetCString(channel);
}

/*
 * CALL dispatch(scope, key, token, answer)
 */
PG_FUNCTION_INFO_V1(idem_dispatch_answer);
Datum
idem_dispatch_answer(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(dispatch_and_commit(fcinfo, answer_channel(fcinfo),
										dispatch_answer_row));
}

/*
 * heartbeat(scope, key, token, lease) -> send_result
 *
 * Not flushed: a lease that a crash shortens opens no door to a second
 * sending.
 */
PG_FUNCTION_INFO_V1(idem_heartbeat);
Datum
idem_heartbeat(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer = {0};
	IdemCall	call;
	IdemReservation *row = &call.row;
	int64		token = begin_holder(fcinfo, "idem.heartbeat()", "held", &call);
	int64		lease = PG_ARGISNULL(3) ? call.key.scope->lease :
		idem_key_duration("lease", PG_GETARG_INTERVAL_P(3), false);

	if (idem_send_has_row(&call) && row->token == token &&
		(row->state == IDEM_STATE_RESERVED ||
		 row->state == IDEM_STATE_DISPATCHED))
	{
		row->lease_until = call.now + lease;
		if (row->step == 0)
			idem_send_watch(&call, row->lease_until);
		idem_send_update(&call);
		idem_send_describe(&call, &answer);
		answer.outcome = answer.state;
		answer.token = token;
		answer.retry_at = 0;
	}
	else
		answer_unchanged(&call, token, &answer);
	idem_key_close(&call.table);
	PG_RETURN_DATUM(idem_key_send_row(&call.key, &answer));
}

/*
 * release(scope, key, token) -> send_result
 */
PG_FUNCTION_INFO_V1(idem_release);
Datum
idem_release(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer = {0};
	IdemCall	call;
	IdemReservation *row = &call.row;
	int64		token = begin_holder(fcinfo, "idem.release()", "released", &call);

	if (is_holder(&call, token))
	{
		row->state = IDEM_STATE_RELEASED;
		row->lease_until = 0;
		row->nonce = NULL;
		idem_send_watch(&call, call.now + call.key.scope->lease);
		idem_send_write(&call);
		idem_send_describe(&call, &answer);
	}
	else if (idem_send_has_row(&call) && row->token == token &&
			 !idem_send_is_final(row) &&
			 row->state != IDEM_STATE_RELEASED)
		idem_send_refuse(&call, "cannot be released: it was dispatched, and may have been sent",
						 "Complete it, or resolve it with evidence.");
	else
		answer_unchanged(&call, token, &answer);
	idem_key_close(&call.table);
	PG_RETURN_DATUM(idem_key_send_row(&call.key, &answer));
}
