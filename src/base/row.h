/*
 * row.h
 *		What tells one row from another, and one image of it from the next.
 */
#ifndef IDEM_ROW_H
#define IDEM_ROW_H

#include "access/attnum.h"
#include "executor/tuptable.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

extern Bitmapset *idem_row_key_columns(Relation rel);
extern bool idem_same_image(Relation rel, AttrNumber attnum,
							TupleTableSlot *a, TupleTableSlot *b);
extern char *idem_value_text(Oid type, Datum value);
extern char *idem_column_text(Relation rel, AttrNumber attnum,
							  TupleTableSlot *slot);
extern char *idem_key_text(List *texts);
extern char *idem_row_key(Relation rel, TupleTableSlot *slot);
extern const char *idem_readable_key(Relation rel, TupleTableSlot *slot);

#endif							/* IDEM_ROW_H */
