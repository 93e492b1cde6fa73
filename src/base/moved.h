/*
 * moved.h
 *		A row that an UPDATE moved between partitions.
 */
#ifndef IDEM_MOVED_H
#define IDEM_MOVED_H

#include "executor/tuptable.h"
#include "utils/relcache.h"

struct TriggerData;

extern void idem_moved_init(void);
extern Oid	idem_root_of(Oid relid);
extern Oid	idem_root_relid(Relation rel);
extern void idem_moved_park(const struct TriggerData *trigdata);
extern TupleTableSlot *idem_moved_take(const struct TriggerData *trigdata);

#endif							/* IDEM_MOVED_H */
