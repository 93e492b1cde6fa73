/*
 * durable.h
 *		What a caller is told to act on is on disk, and with the standbys.
 */
#ifndef IDEM_DURABLE_H
#define IDEM_DURABLE_H

#include "access/xlogdefs.h"
#include "executor/tuptable.h"

/*
 * The commit that an answer rests on.  Zeroes are the safe beginning: an
 * answer of which nobody says what it rests on waits for everything.
 */
typedef enum IdemCommitKind
{
	IDEM_COMMIT_ANY = 0,		/* whichever there was until now */
	IDEM_COMMIT_ROW,			/* the one of a row that was read */
	IDEM_COMMIT_OURS			/* the one that this transaction will make */
} IdemCommitKind;

typedef struct IdemCommit
{
	IdemCommitKind kind;
	TransactionId xid;			/* of _ROW: it wrote the row; or frozen */
	XLogRecPtr	lsn;			/* of _ROW: it is on disk if this is */
} IdemCommit;

/* Wait until somebody interrupts. */
#define IDEM_WAIT_FOREVER	(-1)

extern void idem_flush(void);
extern void idem_flush_effect(void);
extern bool idem_flush_confirmed(int standbys);

extern void idem_commit_of(TupleTableSlot *slot, IdemCommit *commit);
extern bool idem_commit_is_durable(const IdemCommit *commit, int standbys,
								   long timeout_ms);
extern void idem_wait_durable(TupleTableSlot *slot);
extern int	idem_standbys(void);

#endif							/* IDEM_DURABLE_H */
