/*
 * send_lookup.c
 *		The facts about a key, in scopes of both kinds; nothing is changed.
 *
 * It is here because this room describes keys of effects outside, and may ask
 * room key about effects inside.
 *
 * Refused on a standby, whose answer could be old.  Under REPEATABLE READ and
 * SERIALIZABLE a key that was committed since the snapshot is 40001.
 *
 * Locks: ACCESS SHARE on the table of keys and on idem.attempt; for a key that
 * is not there, in a scope that holds duplicates, on idem.suspect and
 * idem.evidence.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "send/send.h"

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
	idem_send_begin(fcinfo, AccessShareLock, &call);
	idem_key_find(&call.table, &call.key, found);
	idem_key_check_visible(&call.table, &call.key, found);
	if (found->held == IDEM_HELD_NOT)
	{
		/* that there was nothing is something SERIALIZABLE has to know */
		if (IsolationIsSerializable())
			(void) idem_key_read(&call.table, &call.key, found);
		if (idem_key_judge(&call.key))
			idem_key_answer_expired(&call.key, &answer);
		else
			answer.outcome = idem_key_is_held(&call.key, &answer.first_seen) ?
				"suspect" : "unseen";
	}
	else if (call.key.scope->outside)
	{
		idem_send_decode(&call.row);
		call.now = GetCurrentTimestamp();
		idem_send_describe(&call, &answer);
	}
	else
		idem_key_describe(found, &answer);
	idem_key_close(&call.table);
	PG_RETURN_DATUM(idem_key_send_row(&call.key, &answer));
}
