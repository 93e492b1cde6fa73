/*
 * durable.c
 *		A commit that a caller acts on is on disk, and with the standbys.
 *
 * "Send now" and "this message may be acknowledged" must outlive a crash, and
 * the promotion of a standby that synchronous_standby_names requires.
 *
 * Of our own commit (idem_flush): it is flushed whatever synchronous_commit
 * says.  ForceSyncCommit flushes it here, and nobody can take that back; for
 * the standbys the setting itself is raised to "on" right before the commit,
 * where no SET LOCAL can undo it any more.  The server gives up the wait for
 * the standbys with a mere warning when the statement is cancelled, when its
 * time is over or when the backend is terminated, and when a reload drops the
 * standbys' names.  A function that answers after the commit asks what the
 * standbys have confirmed (idem_flush_confirmed); whoever speaks before it
 * cannot know.
 *
 * Of a commit of somebody else, to whose row an answer points
 * (idem_commit_is_durable, idem_wait_durable): the session that made it may
 * have asked for less, or its wait was given up.
 *
 * On disk: the hint that a row's transaction committed proves nothing.  It is
 * also set when the page was changed after the commit, since then the page
 * cannot reach the disk before the commit does.  So either the page's LSN is
 * on disk already, or what counts is the LSN that the commit log remembers
 * for a commit that did not flush.  A frozen row has no transaction any more:
 * its page was changed after the commit, so the page's LSN covers it.
 *
 * With the standbys: nothing remembers the LSN of a commit that did flush.
 * It is before the end of what is inserted now, so that is what is waited
 * for, once for all older transactions: each session remembers the
 * transaction before which all commits are confirmed.
 *
 * Locks: none that last.  SyncRepLock is shared for a moment; the wait looks
 * at it again and again, since the server's queue is for commits only.
 *
 * Costs, of a row that was committed long ago: a comparison where no standby
 * is required, and two where one is.
 *
 * Not promised: what standbys hold that are not required, or that become
 * required while the caller's statement is running.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "miscadmin.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/bufmgr.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/durable.h"

/* Milliseconds between two looks at what the standbys have confirmed. */
#define LOOK_EVERY_MIN	1
#define LOOK_EVERY_MAX	50

/* Of the current transaction; survives the rollback of a savepoint. */
static bool must_flush = false;

/*
 * Nesting level of the outermost (sub)transaction in which something was said
 * that a prepared transaction could not keep, and that may still be committed;
 * 0: none.
 */
static int	spoken_level = 0;

/* What the last commit that had to be flushed asked of the standbys. */
static bool asked_standbys = false;
static int	asked_mode = SYNC_REP_WAIT_FLUSH;

/* ---------- our own commit ---------- */

/* Does the server wait for standbys at all, as this session knows it? */
static bool
standbys_required(void)
{
	return max_wal_senders > 0 && SyncRepConfig != NULL;
}

/* How many synchronous standbys a commit waits for that asks for them. */
int
idem_standbys(void)
{
	return standbys_required() ? SyncRepConfig->num_sync : 0;
}

/* What a standby must have done, as the session asks for: flush, or apply. */
static int
wanted_mode(void)
{
	return synchronous_commit == SYNCHRONOUS_COMMIT_REMOTE_APPLY ?
		SYNC_REP_WAIT_APPLY : SYNC_REP_WAIT_FLUSH;
}

/* Raise the setting until the end of the transaction, if it is lower. */
static void
raise_synchronous_commit(void)
{
	if (synchronous_commit < SYNCHRONOUS_COMMIT_ON)
		(void) set_config_option("synchronous_commit", "on", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0,
								 false);
	asked_standbys = standbys_required();
	asked_mode = wanted_mode();
}

static void
flush_at_xact_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_PREPARE && spoken_level > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has reserved, fenced or settled an idempotency key"),
				 errdetail("The session that commits it may not wait for the standbys that must know of the key."),
				 errhint("Reserve, complete, resolve, release and fence in a transaction of its own, before or after the one that is prepared.")));
	if ((event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE) &&
		must_flush)
		raise_synchronous_commit();
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE ||
		event == XACT_EVENT_ABORT)
	{
		must_flush = false;
		spoken_level = 0;
	}
}

/* An answer given in a savepoint counts for its parent, or not at all. */
static void
flush_at_subxact_event(SubXactEvent event, SubTransactionId mySubid,
					   SubTransactionId parentSubid, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (spoken_level < level)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		spoken_level = level - 1;
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		spoken_level = 0;
}

/*
 * The commit of this transaction has to be flushed, with standbys waited for,
 * because what is done elsewhere follows from it.  A transaction that is
 * prepared waits for them when it is prepared: it cannot be lost from then on,
 * and somebody will end it.
 */
void
idem_flush_effect(void)
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

/*
 * The same for an answer that counts by itself, whatever else the transaction
 * does, so that it cannot be prepared (0A000): a reservation, a fence, a
 * result.
 */
void
idem_flush(void)
{
	int			level = GetCurrentTransactionNestLevel();

	idem_flush_effect();
	if (spoken_level == 0 || level < spoken_level)
		spoken_level = level;
}

/* ---------- what the standbys have ---------- */

/* Have the standbys confirmed everything up to this LSN? */
static bool
is_confirmed(int mode, XLogRecPtr lsn)
{
	static XLogRecPtr confirmed[NUM_SYNC_REP_WAIT_MODE];

	if (lsn > confirmed[mode])
	{
		LWLockAcquire(SyncRepLock, LW_SHARED);
		confirmed[mode] = WalSndCtl->lsn[mode];
		LWLockRelease(SyncRepLock);
	}
	return lsn <= confirmed[mode];
}

/*
 * After a commit that had to be flushed: do the standbys have it that were
 * required when it began, or as many as the caller asks for?
 */
bool
idem_flush_confirmed(int standbys)
{
	if (!asked_standbys && standbys == 0)
		return true;
	return is_confirmed(asked_mode, XactLastCommitEnd);
}

/*
 * Wait until the standbys have confirmed everything up to this LSN.  A
 * cancelled statement ends as always.  A statement that has waited in vain
 * only looks from then on: it may ask about a thousand rows.
 */
static bool
wait_confirmed(int mode, XLogRecPtr lsn, long timeout_ms)
{
	static TimestampTz in_vain = 0;
	TimestampTz statement = GetCurrentStatementStartTimestamp();
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												  timeout_ms);
	long		pause = LOOK_EVERY_MIN;

	while (!is_confirmed(mode, lsn))
	{
		if (timeout_ms != IDEM_WAIT_FOREVER &&
			(in_vain == statement || GetCurrentTimestamp() >= end))
		{
			in_vain = statement;
			return false;
		}
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 pause, WAIT_EVENT_SYNC_REP);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		pause = Min(pause * 2, LOOK_EVERY_MAX);
	}
	return true;
}

/* ---------- a commit of somebody else ---------- */

/*
 * The end of what is inserted.  The server says where the next record will
 * begin, which at the beginning of a page is behind a header that is not
 * written yet and cannot be flushed.
 */
static XLogRecPtr
inserted_end(void)
{
	XLogRecPtr	lsn = GetXLogInsertRecPtr();

	if (XLogSegmentOffset(lsn, wal_segment_size) == SizeOfXLogLongPHD)
		return lsn - SizeOfXLogLongPHD;
	if (lsn % XLOG_BLCKSZ == SizeOfXLogShortPHD)
		return lsn - SizeOfXLogShortPHD;
	return lsn;
}

/*
 * The LSN of a page.  The lock excludes a session that has changed a row and
 * has not set the LSN yet.
 */
static XLogRecPtr
page_lsn(Buffer buffer)
{
	XLogRecPtr	lsn;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	lsn = BufferGetLSNAtomic(buffer);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return lsn;
}

/*
 * Which commit made the row in the slot, as it was read from its table: a row
 * that is committed, or ours.  Of ours it is not known whether another session
 * wrote what the answer is about, and we only changed it since.
 */
void
idem_commit_of(TupleTableSlot *slot, IdemCommit *commit)
{
	Buffer		buffer = TTS_IS_BUFFERTUPLE(slot) ?
		((BufferHeapTupleTableSlot *) slot)->buffer : InvalidBuffer;
	HeapTupleHeader row;
	uint16		infomask;

	memset(commit, 0, sizeof(*commit));
	if (!BufferIsValid(buffer))
		return;					/* another kind of table */
	row = ((HeapTupleTableSlot *) slot)->tuple->t_data;
	infomask = row->t_infomask;
	pg_read_barrier();			/* the hint is older than the page's LSN */
	commit->kind = IDEM_COMMIT_ROW;
	if ((infomask & HEAP_XMIN_FROZEN) == HEAP_XMIN_FROZEN)
	{
		commit->xid = FrozenTransactionId;
		commit->lsn = page_lsn(buffer);
		return;
	}
	commit->xid = HeapTupleHeaderGetRawXmin(row);
	if (TransactionIdIsCurrentTransactionId(commit->xid))
		commit->kind = IDEM_COMMIT_ANY;
	else if ((infomask & HEAP_XMIN_COMMITTED) == 0 ||
			 XLogNeedsFlush(BufferGetLSNAtomic(buffer)))
		commit->lsn = TransactionIdGetCommitLSN(commit->xid);
}

/* A transaction number that does not come again. */
static FullTransactionId
full_xid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		age = XidFromFullTransactionId(next) - xid;

	return FullTransactionIdFromU64(U64FromFullTransactionId(next) - age);
}

/*
 * Do the standbys have the commit, which is on disk?  An old transaction that
 * stays open keeps those after it from being remembered as a whole; so the last
 * one is remembered by itself, since many keys may come from one.
 */
static bool
is_with_standbys(const IdemCommit *commit, long timeout_ms)
{
	/* by mode: all transactions before the first are over, and confirmed */
	static FullTransactionId before[NUM_SYNC_REP_WAIT_MODE];
	static FullTransactionId last[NUM_SYNC_REP_WAIT_MODE];
	int			mode = wanted_mode();
	bool		of_row = commit->kind == IDEM_COMMIT_ROW;
	FullTransactionId xid = InvalidFullTransactionId;
	FullTransactionId oldest;
	XLogRecPtr	lsn;

	if (of_row && commit->xid == FrozenTransactionId)
		return wait_confirmed(mode, commit->lsn, timeout_ms);
	if (of_row)
		xid = full_xid(commit->xid);
	if (of_row && (FullTransactionIdPrecedes(xid, before[mode]) ||
				   FullTransactionIdEquals(xid, last[mode])))
		return true;
	oldest = full_xid(GetLatestSnapshot()->xmin);
	lsn = inserted_end();
	XLogFlush(lsn);
	if (!wait_confirmed(mode, lsn, timeout_ms))
		return false;
	before[mode] = oldest;
	last[mode] = xid;
	return true;
}

/*
 * May a caller be told to act on this commit?  It is on disk when this
 * returns.  False: fewer standbys are required than the caller asks for, or
 * those that are required have not confirmed it within the time.  Our own
 * commit will be flushed; how it ends is not known yet.
 */
bool
idem_commit_is_durable(const IdemCommit *commit, int standbys,
					   long timeout_ms)
{
	if (commit->kind == IDEM_COMMIT_OURS)
		idem_flush();
	else if (commit->kind == IDEM_COMMIT_ANY)
		XLogFlush(inserted_end());
	else if (commit->lsn != InvalidXLogRecPtr)
		XLogFlush(commit->lsn);

	if (standbys > idem_standbys())
		return false;
	if (commit->kind == IDEM_COMMIT_OURS || !standbys_required())
		return true;
	return is_with_standbys(commit, timeout_ms);
}

/*
 * Wait until the commit that made the row in the slot is on disk and with the
 * standbys, or somebody interrupts: for a word that has no way to say that it
 * is not.  Without a slot, every commit until now.
 */
void
idem_wait_durable(TupleTableSlot *slot)
{
	IdemCommit	commit = {IDEM_COMMIT_ANY};

	if (slot != NULL)
		idem_commit_of(slot, &commit);
	(void) idem_commit_is_durable(&commit, 0, IDEM_WAIT_FOREVER);
}
