/*
 * claim_flush.c
 *		No word is given before it is on disk.
 *
 * Whatever the outside world will act on (a reservation, a dispatch, a fence,
 * a result) must not be forgotten in a crash, or by a standby that is promoted
 * after it: so the commit is flushed whatever synchronous_commit says.
 * ForceSyncCommit flushes it here, whatever anybody does to the setting; for
 * the standbys the setting itself is raised, right before the commit, where no
 * SET LOCAL can undo it any more.
 *
 * A prepared transaction is committed by somebody else, at a time when none
 * of this is called: one that has a reservation in it is refused.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/guc.h"

#include "base/idem_compat.h"
#include "claim/claim_outside.h"

/* Of the current transaction; both survive the rollback of a savepoint. */
static bool must_flush = false;

/*
 * Nesting level of the outermost (sub)transaction that has a reservation
 * which may still be committed; 0: none has.
 */
static int	reserved_level = 0;

/* Raise the setting until the end of the transaction, if it is lower. */
static void
raise_synchronous_commit(void)
{
	if (synchronous_commit < SYNCHRONOUS_COMMIT_ON)
		(void) set_config_option("synchronous_commit", "on", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
								 false);
}

static void
flush_at_xact_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_PREPARE && reserved_level > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has reserved an idempotency key"),
				 errhint("Reserve in a transaction of its own, before the one that is prepared.")));
	if (event == XACT_EVENT_PRE_COMMIT && must_flush)
		raise_synchronous_commit();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE ||
		event == XACT_EVENT_ABORT)
	{
		must_flush = false;
		reserved_level = 0;
	}
}

/* What a savepoint reserved becomes its parent's, or nobody's. */
static void
flush_at_subxact_event(SubXactEvent event, SubTransactionId mySubid,
					   SubTransactionId parentSubid, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (reserved_level < level)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		reserved_level = level - 1;
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		reserved_level = 0;
}

/* This transaction tells the outside world something. */
void
idem_flush(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(flush_at_xact_event, NULL);
		RegisterSubXactCallback(flush_at_subxact_event, NULL);
		registered = true;
	}
	must_flush = true;
	ForceSyncCommit();
}

/* What was flushed is a reservation, or a take-over: not to be prepared. */
void
idem_flush_reservation(void)
{
	int			level = GetCurrentTransactionNestLevel();

	Assert(must_flush);
	if (reserved_level == 0 || level < reserved_level)
		reserved_level = level;
}
