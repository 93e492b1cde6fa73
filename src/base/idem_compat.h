/*
 * idem_compat.h
 *		What differs between server versions, written as the newest server
 *		has it and made available on the older ones.
 */
#ifndef IDEM_COMPAT_H
#define IDEM_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "idem needs PostgreSQL 15 or later"
#endif

#include "access/genam.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#else
/* which indexes an update needs, more than yes or no since 16 */
typedef bool TU_UpdateIndexes;
#define TU_None false

/* one function for every kind of object since 16; here only for tables */
#define object_ownercheck(classid, objectid, roleid) \
	(AssertMacro((classid) == RelationRelationId), \
	 pg_class_ownercheck(objectid, roleid))
#endif

/*
 * Soft errors (16): a caller that wants to know instead of to fail.
 */
#if PG_VERSION_NUM < 160000
#define ereturn(context, dummy_value, ...) \
	do { \
		(void) (context); \
		ereport(ERROR, __VA_ARGS__); \
		return dummy_value; \
	} while (0)
#else
#include "nodes/miscnodes.h"
#endif

/* Index scans can be counted for EXPLAIN since 18. */
#if PG_VERSION_NUM < 180000
#define index_beginscan(heap, index, snapshot, instrument, nkeys, norderbys) \
	index_beginscan(heap, index, snapshot, nkeys, norderbys)
#endif

/* A function that does not come back is marked in front since 18. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

#endif							/* IDEM_COMPAT_H */
