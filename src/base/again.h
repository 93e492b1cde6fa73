/*
 * again.h
 *		A declaration of what stands already.
 */
#ifndef IDEM_AGAIN_H
#define IDEM_AGAIN_H

#include "nodes/pg_list.h"
#include "utils/relcache.h"

/* again.c */

/* Does a table have the guard that is declared?  As idem_guard_stands says. */
typedef bool (*IdemGuardStands) (Relation rel, void *declaration);

struct IdemGuard;

extern struct IdemGuard *idem_find_counterpart(Relation other,
											   const struct IdemGuard *guard);
extern bool idem_guard_stands(Relation rel, const char *kind, List *settings,
							  Relation other, List *other_settings);
extern Relation idem_open_to_declare(Oid relid, IdemGuardStands stands,
									 void *declaration);

#endif							/* IDEM_AGAIN_H */
