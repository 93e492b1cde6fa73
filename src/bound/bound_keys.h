/*
 * bound_keys.h
 *		A table of keys, as the files that read its rows see it.
 */
#ifndef IDEM_BOUND_KEYS_H
#define IDEM_BOUND_KEYS_H

#include "utils/jsonb.h"

#include "bound/bound.h"
#include "key/key.h"

/* The settings of the triggers of a table of keys, names as numbers. */
typedef struct BoundTable
{
	Oid			relid;			/* the partitioned one at the top, and of a
								 * shard the distributed one */
	IdemScope	form;			/* of keys and requests; its name the table's */
	BoundKey	key;
	AttrNumber	request;		/* of type jsonb; 0: none */
	AttrNumber	response;		/* 0: none */
	bool		required;		/* no commit without the response */
} BoundTable;

/* bound_keys.c */
extern BoundTable *idem_bound_table_read(Relation rel, List *settings);
extern Jsonb *idem_bound_request_of(const BoundTable *table,
									TupleTableSlot *slot);

#endif							/* IDEM_BOUND_KEYS_H */
