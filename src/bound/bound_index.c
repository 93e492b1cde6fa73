/*
 * bound_index.c
 *		The unique index that decides who has a key of a table of the user's.
 *
 * It is on exactly the columns of the key, in any order, holds at every moment
 * (not deferrable), for every row (no predicate) and for values as they are
 * (no expression, no collation in which different texts are equal).  Of a
 * partitioned table it is the one at the top: the server lets that one be
 * unique only if the partition key is part of it, while an index of each
 * partition alone would let a key in once for each of them.
 *
 * The catalog is read as it is now, or with a snapshot as it was before a
 * command; no table or index is opened.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_index.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "bound/bound.h"

/* Are texts that differ in any byte different to each column of the index? */
static bool
tells_apart(HeapTuple tuple, TupleDesc desc, int n)
{
	bool		isnull;
	oidvector  *collations;
	int			i;

	collations = (oidvector *)
		DatumGetPointer(heap_getattr(tuple, Anum_pg_index_indcollation, desc,
									 &isnull));
	for (i = 0; i < n; i++)
	{
		Oid			collation = collations->values[i];

		if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
			return false;
	}
	return true;
}

/* Is the column of that number one of the first n of the index? */
static bool
has_column(Form_pg_index index, AttrNumber column)
{
	int			i;

	for (i = 0; i < index->indnkeyatts; i++)
	{
		if (index->indkey.values[i] == column)
			return true;
	}
	return false;
}

static bool
is_arbiter(HeapTuple tuple, TupleDesc desc, int n, const AttrNumber *columns)
{
	Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);
	int			i;

	if (!index->indisunique || !index->indimmediate || !index->indisvalid ||
		index->indisexclusion || index->indnkeyatts != n ||
		!heap_attisnull(tuple, Anum_pg_index_indexprs, desc) ||
		!heap_attisnull(tuple, Anum_pg_index_indpred, desc))
		return false;
	for (i = 0; i < n; i++)
	{
		if (!has_column(index, columns[i]))
			return false;
	}
	return tells_apart(tuple, desc, n);
}

/*
 * The index of a table by the numbers of the key's columns, n of them; or
 * InvalidOid.  snapshot: NULL, the latest.
 */
Oid
idem_bound_arbiter(Oid relid, int n, const AttrNumber *columns,
				   Snapshot snapshot)
{
	Relation	catalog = table_open(IndexRelationId, AccessShareLock);
	Oid			arbiter = InvalidOid;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	scan = systable_beginscan(catalog, IndexIndrelidIndexId, true, snapshot,
							  1, &key);
	while (!OidIsValid(arbiter) &&
		   HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (is_arbiter(tuple, RelationGetDescr(catalog), n, columns))
			arbiter = ((Form_pg_index) GETSTRUCT(tuple))->indexrelid;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return arbiter;
}

/* The same by the names of the columns. */
Oid
idem_bound_arbiter_named(Oid relid, List *names, Snapshot snapshot)
{
	AttrNumber *columns = palloc(sizeof(AttrNumber) * list_length(names));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, names)
		columns[n++] = get_attnum(relid, lfirst(lc));
	return idem_bound_arbiter(relid, n, columns, snapshot);
}
