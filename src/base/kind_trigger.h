/*
 * kind_trigger.h
 *		The triggers of the guards of a table.
 */
#ifndef IDEM_KIND_TRIGGER_H
#define IDEM_KIND_TRIGGER_H

#include "nodes/pg_list.h"
#include "utils/relcache.h"
#include "utils/reltrigger.h"

struct IdemGuard;
struct IdemGuardKind;

/*
 * A trigger of a guard as its table bears it: a copy, because what the
 * relcache holds of an open table goes with any look-up (idem_guard_triggers).
 */
typedef struct IdemGuardTrigger
{
	const struct IdemGuardKind *kind;
	struct IdemGuard *guard;
	Oid			oid;			/* of the trigger */
	Oid			bound;			/* tgconstrrelid: the other table, or none */
	bool		is_clone;		/* of the trigger of a table above */
} IdemGuardTrigger;

/* declaration.c */
extern char *idem_guard_declaration(const struct IdemGuard *guard,
									List *settings);

/* kind.c */
extern List *idem_guard_triggers(Relation rel);
extern List *idem_guard_triggers_of(Oid relid);
extern struct IdemGuard *idem_guard_of_trigger(Oid relid,
											   const Trigger *trigger);
extern void idem_guard_require(const struct IdemGuard *guard);
extern bool idem_guard_keeps_rows(const struct IdemGuard *guard);
extern bool idem_same_guard(const struct IdemGuard *a,
							const struct IdemGuard *b);
extern bool idem_guard_names_column(const struct IdemGuard *guard, int flag,
									const char *column);
extern char *idem_check_name(const char *kind, const char *column);

#endif							/* IDEM_KIND_TRIGGER_H */
