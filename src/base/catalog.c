/*
 * catalog.c
 *		Rows of the catalog, copied, as of a snapshot.
 *
 * For what the caches of the server do not show: the catalog as it was before a
 * command of this transaction, or as a command that is not complete leaves it.
 * Only the catalog itself is locked, and no longer than it is read.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

#include "base/catalog.h"

/*
 * The rows of a catalog that have this OID in a column, HeapTuple.  index: one
 * that begins with the column, or none; column 0: all rows.  snapshot NULL: the
 * latest.  *desc, unless desc is NULL, is their row type.
 */
List *
idem_catalog_rows(Oid catalog, Oid index, AttrNumber column, Oid oid,
				  Snapshot snapshot, TupleDesc *desc)
{
	Relation	rel = table_open(catalog, AccessShareLock);
	List	   *rows = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (column != 0)
		ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(oid));
	scan = systable_beginscan(rel, index, OidIsValid(index), snapshot,
							  column != 0 ? 1 : 0, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		rows = lappend(rows, heap_copytuple(tuple));
	if (desc != NULL)
		*desc = CreateTupleDescCopy(RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return rows;
}

/* The one such row, or NULL */
HeapTuple
idem_catalog_row(Oid catalog, Oid index, AttrNumber column, Oid oid,
				 Snapshot snapshot, TupleDesc *desc)
{
	List	   *rows = idem_catalog_rows(catalog, index, column, oid, snapshot,
										 desc);

	return rows == NIL ? NULL : linitial(rows);
}
