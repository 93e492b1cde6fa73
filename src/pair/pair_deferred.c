/*
 * pair_deferred.c
 *		What is judged when the transaction commits, or is prepared.
 *
 * deferred => true makes the triggers of both tables deferred ones, which the
 * server keeps, subtransaction by subtransaction, and fires at the end.  What
 * counts then is the row that the transaction leaves: of the versions that it
 * wrote of one row only the last is judged, by its own event.  That version
 * may be an update that did not touch the state, of a row whose state the
 * transaction had changed before: so an update of a version that the
 * transaction itself has written is judged in any case, as the server's
 * foreign keys do it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "utils/snapmgr.h"

#include "base/guard.h"
#include "pair/pair.h"

/* Is the stored version the one to judge?  At once: every one is. */
bool
idem_pair_is_last(const IdemGuardCall *call, IdemPair *pair)
{
	return !pair->deferred ||
		table_tuple_satisfies_snapshot(call->rel, call->after, SnapshotSelf);
}

/*
 * Has this transaction written the version before, which then nobody has
 * judged?  As its header has it: COPY FREEZE hides who wrote a row.  Of a row
 * that changed its partition nothing tells.
 */
bool
idem_pair_is_own(const IdemGuardCall *call, IdemPair *pair)
{
	HeapTupleHeader before = call->trigdata->tg_trigtuple->t_data;
	TransactionId xmin = HeapTupleHeaderGetRawXmin(before);

	if (!pair->deferred || call->moved)
		return pair->deferred;
	return TransactionIdIsCurrentTransactionId(xmin);
}
