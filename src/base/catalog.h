/*
 * catalog.h
 *		Rows of the catalog, copied, as of a snapshot.
 */
#ifndef IDEM_CATALOG_H
#define IDEM_CATALOG_H

#include "access/htup_details.h"
#include "nodes/pg_list.h"
#include "utils/snapshot.h"

/* The row in a cell of idem_catalog_rows */
#define IDEM_CATALOG_ROW(form, cell) \
	((form) GETSTRUCT((HeapTuple) lfirst(cell)))

extern List *idem_catalog_rows(Oid catalog, Oid index, AttrNumber column,
							   Oid oid, Snapshot snapshot, TupleDesc *desc);
extern HeapTuple idem_catalog_row(Oid catalog, Oid index, AttrNumber column,
								  Oid oid, Snapshot snapshot, TupleDesc *desc);

#endif							/* IDEM_CATALOG_H */
