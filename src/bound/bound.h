/*
 * bound.h
 *		What the files of the room share.
 *
 *		bound.c			the trigger: no row without its claim
 *		bound_key.c		the key that a row names
 *		bound_paid.c	which claims have paid for a row
 *		bound_declare.c	guard_claimed()
 *		bound_rows.c	the kind, and questions about rows
 */
#ifndef IDEM_BOUND_H
#define IDEM_BOUND_H

#include "access/attnum.h"
#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

#include "base/settings.h"
#include "key/key.h"

/* How the value of a column is written in a key. */
typedef enum BoundForm
{
	BOUND_TEXT,
	BOUND_UUID,
	BOUND_INT2,
	BOUND_INT4,
	BOUND_INT8
} BoundForm;

typedef struct BoundColumn
{
	AttrNumber	attnum;
	BoundForm	form;
} BoundColumn;

/* The columns that make the key of a row, in their order. */
typedef struct BoundKey
{
	int			ncolumns;
	BoundColumn *column;
} BoundKey;

/* bound_key.c */
extern bool idem_bound_form(Oid type, BoundForm *form);
extern void idem_bound_key_compile(Relation rel, List *columns, BoundKey *key);
extern text *idem_bound_key_make(const BoundKey *key, const Datum *values);
extern text *idem_bound_key_of(const BoundKey *key, Relation rel,
							   TupleTableSlot *slot);

/* bound_paid.c */
extern bool idem_bound_pay(const pg_uuid_t *digest, Oid table);

#endif							/* IDEM_BOUND_H */
