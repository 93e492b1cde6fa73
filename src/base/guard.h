/*
 * guard.h
 *		Functions that the trigger function of every guard needs at run time.
 */
#ifndef IDEM_GUARD_H
#define IDEM_GUARD_H

#include "executor/tuptable.h"
#include "fmgr.h"
#include "nodes/bitmapset.h"
#include "utils/relcache.h"
#include "utils/reltrigger.h"

struct TriggerData;

/*
 * One row as a guard judges it.  A row that an UPDATE moved between
 * partitions arrives here once, as an update; before then has the row type
 * of the new partition, so that one attribute number fits both images.  For
 * that the trigger has to fire for INSERT, UPDATE and DELETE; one that does
 * not fire for INSERT sees a DELETE with moved set, where the row goes is
 * hidden from it, and should refuse.  One that fires for INSERT and not for
 * DELETE would take a moved row for a new one: never declare that.
 */
typedef struct IdemGuardCall
{
	struct TriggerData *trigdata;	/* as the server passed it */
	Trigger    *trigger;		/* the trigger that fired */
	Relation	rel;			/* its table; the partition that has the row */
	TupleTableSlot *before;		/* the row as stored before; NULL: INSERT */
	TupleTableSlot *after;		/* the row as stored now; NULL: DELETE */
	bool		moved;			/* update that changed the partition */
} IdemGuardCall;

#define IDEM_CALL_IS_INSERT(call)	((call)->before == NULL)
#define IDEM_CALL_IS_DELETE(call)	((call)->after == NULL)
#define IDEM_CALL_IS_UPDATE(call)	((call)->before && (call)->after)

/*
 * Reads the settings of a trigger, which have been checked (settings.h), into
 * a struct of the room, allocated in the current memory context, which lives as
 * long as the settings are valid.  If they also depend on definitions kept in
 * another table (a machine), the room puts that table's OID into *also before
 * it reads them, and reads them with the active snapshot (SPI: read_only),
 * which is the latest one.
 */
typedef void *(*IdemGuardCompile) (Relation rel, Trigger *trigger, Oid *also);

extern bool idem_guard_call(FunctionCallInfo fcinfo, const char *function,
							IdemGuardCall *call);
extern void *idem_guard_settings(const IdemGuardCall *call,
								 IdemGuardCompile compile);
extern bool idem_row_is_known(const IdemGuardCall *call);
extern void idem_refuse_key_change(const IdemGuardCall *call, Bitmapset *key);
extern void idem_refuse_delete(const IdemGuardCall *call);

#endif							/* IDEM_GUARD_H */
