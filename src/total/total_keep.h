/*
 * total_keep.h
 *		Columns of a parent that only children change.
 */
#ifndef IDEM_TOTAL_KEEP_H
#define IDEM_TOTAL_KEEP_H

#include "utils/relcache.h"
#include "utils/reltrigger.h"

struct IdemGuard;
struct IdemTotalKey;

/* the trigger at the end of a statement, in schema idem */
#define IDEM_TOTAL_STATEMENT_FUNCTION "apply_totals"

/* total_keep.c */
extern void idem_total_require(Relation rel, Trigger *trigger,
							   Relation parent, const struct IdemTotalKey *key);
extern const char *idem_total_kept_by(const struct IdemGuard *guard);
extern bool idem_total_keeps(const struct IdemGuard *guard, const char *name);
extern const char *idem_total_column(Relation parent, const char *total,
									 const char *setting);
extern void idem_total_set_filling(Oid parent);

#endif							/* IDEM_TOTAL_KEEP_H */
