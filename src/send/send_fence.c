/*
 * send_fence.c
 *		An effect that has not run will never run.
 *
 * A reversal or a cancellation may overtake its original.  Then it is the
 * reversal that writes the anchor of the key, fenced, on the same unique
 * index: the original meets it whenever it comes, and however often.  A fence
 * is never taken away.
 *
 * An effect that may have been sent cannot be blocked: the answer says so, and
 * the fence is remembered.  If it turns out that nothing arrived, the key ends
 * as fenced; if something did, a reversal is needed, and the key is put before
 * a person.
 *
 * Where the database is not at its site (send_site.c), what is not known to
 * have been sent may have been sent elsewhere: a key that is reserved or
 * released is fenced when that is over, and of one that nobody has seen it is
 * not said to be settled, nor as long as new keys are held.
 *
 * A rival who is about to change the key is reported and not waited for, so
 * fences and claims in any order cannot deadlock: the caller asks again.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "base/reason.h"
#include "base/site.h"
#include "key/key_log.h"
#include "send/send.h"

/*
 * Keep the reason for which a key was fenced; this also has the commit
 * flushed.
 */
static void
keep_reason(const IdemKey *key, const char *reason, const IdemAnswer *answer)
{
	IdemEvidence evidence = {0};

	evidence.action = "fence";
	evidence.outcome = answer->outcome;
	evidence.reason = reason;
	idem_key_keep_evidence(key, &evidence);
}

static bytea *
no_fingerprint(void)
{
	bytea	   *empty = palloc(VARHDRSZ);

	SET_VARSIZE(empty, VARHDRSZ);
	return empty;
}

/* Fence a key of an effect outside that nobody has seen. */
static bool
fence_unseen(IdemCall *call)
{
	for (;;)
	{
		idem_key_probe(&call->table, &call->key, &call->row.found);
		if (call->row.found.held != IDEM_HELD_NOT ||
			idem_key_judge(&call->key))
			return false;
		call->now = GetCurrentTimestamp();
		memset(&call->row, 0, sizeof(IdemReservation));
		call->row.state = IDEM_STATE_FENCED;
		call->row.finished_at = call->now;
		call->row.fenced_at = call->now;
		if (idem_send_insert(call, no_fingerprint(), NULL))
			return true;
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Fence a key that is locked, and reserved or released: its holder is
 * overtaken.
 */
void
idem_send_end_fenced(IdemCall *call)
{
	IdemReservation *row = &call->row;

	row->state = IDEM_STATE_FENCED;
	row->token++;
	row->finished_at = call->now;
	row->lease_until = 0;
	row->nonce = NULL;
	if (row->concern == IDEM_CONCERN_STALE ||
		row->concern == IDEM_CONCERN_MOVED)
		row->concern = IDEM_CONCERN_NONE;
	if (row->concern == IDEM_CONCERN_NONE)
		row->due_at = 0;
	idem_send_write(call);
}

/*
 * Fence a key that is locked, if possible.  False: it is final, so there is
 * nothing to fence.
 */
static bool
fence_known(IdemCall *call, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;
	bool		open = !idem_send_is_final(row);
	bool		away = idem_site_away() != NULL;

	if (open && !away && !idem_send_may_have_run(row))
	{
		row->fenced_at = call->now;
		idem_send_end_fenced(call);
	}
	else if (open && row->fenced_at == 0)
	{
		row->fenced_at = call->now;
		idem_send_write(call);
	}
	idem_send_describe(call, answer);
	idem_send_doubt_fence(call, answer);
	if (open && !answer->settled)
		answer->detail = "it may have been sent, and cannot be blocked; the fence is remembered";
	return open;
}

/* fence, of an effect outside */
static void
fence_outside(IdemCall *call, const char *reason, IdemAnswer *answer)
{
	if (fence_unseen(call))
	{
		answer->outcome = "fenced";
		answer->state = "fenced";
		answer->settled = true;
		answer->commit.kind = IDEM_COMMIT_OURS;
		answer->first_seen = call->now;
		answer->finished_at = call->now;
		idem_send_doubt_fence(call, answer);
	}
	else if (call->row.found.held == IDEM_HELD_NOT)
	{
		/* too old to be known: it may have run, and never will again */
		idem_key_answer_expired(&call->key, answer);
		return;
	}
	else if (!idem_send_lock(call, false))
	{
		idem_send_describe(call, answer);
		answer->outcome = "in_progress";
		answer->settled = false;
		answer->has_response = false;
		if (call->row.found.held != IDEM_HELD_RIVAL)
			answer->detail = "another session is changing it";
		return;
	}
	else if (!fence_known(call, answer))
		return;
	keep_reason(&call->key, reason, answer);
}

/* fence, of an effect inside: committed means succeeded, or fenced before */
static void
fence_inside(IdemAnchor *anchor, IdemKey *key, const char *reason,
			 IdemAnswer *answer)
{
	IdemFound	found;

	for (;;)
	{
		idem_key_probe(anchor, key, &found);
		if (found.held != IDEM_HELD_NOT)
		{
			idem_key_check_visible(anchor, key, &found);
			idem_key_describe(&found, answer);
			return;
		}
		if (idem_key_judge(key))
		{
			idem_key_answer_expired(key, answer);
			return;
		}
		answer->first_seen = GetCurrentTimestamp();
		if (idem_key_insert_anchor(anchor, key, no_fingerprint(),
								   answer->first_seen, IDEM_STATE_FENCED))
			break;
		CHECK_FOR_INTERRUPTS();
	}
	answer->outcome = "fenced";
	answer->state = "fenced";
	answer->settled = true;
	answer->commit.kind = IDEM_COMMIT_OURS;
	keep_reason(key, reason, answer);
}

/*
 * fence(scope, key, reason) -> send_result
 */
PG_FUNCTION_INFO_V1(idem_fence);
Datum
idem_fence(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer = {0};
	IdemCall	call;
	const char *reason = idem_required_reason(fcinfo, 2, "reason");

	PreventCommandIfReadOnly("idem.fence()");
	PreventCommandIfParallelMode("idem.fence()");
	idem_send_begin(fcinfo, RowExclusiveLock, &call);
	if (call.key.scope->outside)
		fence_outside(&call, reason, &answer);
	else
		fence_inside(&call.table, &call.key, reason, &answer);
	idem_key_close(&call.table);
	PG_RETURN_DATUM(idem_key_send_row(&call.key, &answer));
}
