/*
 * commit.h
 *		Which commit an answer rests on.
 */
#ifndef IDEM_COMMIT_H
#define IDEM_COMMIT_H

#include "access/xlogdefs.h"

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

#endif							/* IDEM_COMMIT_H */
