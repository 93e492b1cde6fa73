/*
 * total_lock.h
 *		Locking the row of a parent.
 */
#ifndef IDEM_TOTAL_LOCK_H
#define IDEM_TOTAL_LOCK_H

#include "access/tableam.h"

/* total_search.c */
extern void idem_total_refuse_concurrent(TM_Result result);
extern bool idem_total_lock(Relation parent, Snapshot snapshot,
							CommandId command, LockTupleMode mode,
							TupleTableSlot *slot, bool *is_newer);

#endif							/* IDEM_TOTAL_LOCK_H */
