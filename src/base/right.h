/*
 * right.h
 *		What a role may do.
 */
#ifndef IDEM_RIGHT_H
#define IDEM_RIGHT_H

#include "utils/relcache.h"

extern Oid	idem_owner_of(Oid relid);
extern bool idem_may_read(Relation rel);
extern bool idem_may_call(const char *function);
extern bool idem_is_operator(void);
extern void idem_require_operator(const char *action);

#endif							/* IDEM_RIGHT_H */
