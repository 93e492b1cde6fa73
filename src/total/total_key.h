/*
 * total_key.h
 *		The foreign key by which children find their parent.
 */
#ifndef IDEM_TOTAL_KEY_H
#define IDEM_TOTAL_KEY_H

#include "access/attnum.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

struct IdemGuard;

/* The foreign key a total rides on; columns in the order of the key. */
typedef struct IdemTotalKey
{
	Oid			child;			/* table at the top */
	Oid			bound;			/* what the counterpart is bound to: the
								 * child, or the table that it is a shard of */
	Oid			parent;			/* table at the top */
	Oid			index;			/* unique index of the parent's columns */
	NameData	name;			/* of the constraint */
	int			n;				/* number of columns */
	AttrNumber	child_column[INDEX_MAX_KEYS];	/* of the table at the top */
	AttrNumber	parent_column[INDEX_MAX_KEYS];	/* of the table at the top */
	Oid			equal_child[INDEX_MAX_KEYS];	/* operator parent = child */
	Oid			equal_parent[INDEX_MAX_KEYS];	/* operator parent = parent */
} IdemTotalKey;

/* How the row of a key is found by its unique index. */
typedef struct IdemTotalSearch
{
	ScanKeyData scankey[INDEX_MAX_KEYS];	/* without arguments */
	int			source[INDEX_MAX_KEYS]; /* column of the foreign key of each */
	AttrNumber	heap[INDEX_MAX_KEYS];	/* parent column of each */
} IdemTotalSearch;

/* total_key.c */
extern char *idem_total_key_problem(const struct IdemGuard *guard,
									Snapshot snapshot);
extern void idem_total_find_key(Oid child, List *columns, int sqlstate,
								IdemTotalKey *key);
extern void idem_total_find_own_key(Oid child, const char *column,
									int sqlstate, IdemTotalKey *key);
extern char *idem_total_own_key_problem(Oid relid, const char *column,
										Snapshot snapshot);
extern List *idem_total_parent_columns(const IdemTotalKey *key);
extern List *idem_total_child_columns(const IdemTotalKey *key);
extern bool idem_total_same_key(const IdemTotalKey *a, const IdemTotalKey *b);
extern void idem_total_check_key_types(Relation child,
									   const IdemTotalKey *key);
extern char *idem_total_join_sql(const IdemTotalKey *key, const char *other);

/* total_search.c */
extern bool idem_total_search_init(const IdemTotalKey *key,
								   IdemTotalSearch *search);
extern bool idem_total_search(const IdemTotalKey *key,
							  const IdemTotalSearch *search,
							  Relation parent, Snapshot snapshot,
							  const NullableDatum *values,
							  TupleTableSlot *found);

/* total_rows.c */
extern char *idem_total_key_sql(const IdemTotalKey *key);

#endif							/* IDEM_TOTAL_KEY_H */
