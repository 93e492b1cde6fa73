/*
 * durable.h
 *		A commit that a caller acts on is on disk, and with the standbys.
 */
#ifndef IDEM_DURABLE_H
#define IDEM_DURABLE_H

#include "executor/tuptable.h"

#include "base/commit.h"

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
