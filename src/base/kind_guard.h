/*
 * kind_guard.h
 *		A guard as one of its triggers says it.
 */
#ifndef IDEM_KIND_GUARD_H
#define IDEM_KIND_GUARD_H

#include "nodes/pg_list.h"

struct IdemGuardKind;

/* A guard as one of its triggers says it; also one that is already gone. */
typedef struct IdemGuard
{
	Oid			relid;			/* the table that bears the trigger */
	char	   *name;			/* of the trigger */
	const struct IdemGuardKind *kind;	/* NULL: it refuses TRUNCATE */
	List	   *settings;		/* its arguments, each name=value */
} IdemGuard;

#endif							/* IDEM_KIND_GUARD_H */
