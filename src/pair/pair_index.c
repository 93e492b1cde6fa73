/*
 * pair_index.c
 *		How a parent finds its children: by an index that the columns of the
 *		foreign key lead.
 *
 * Without one every change of a parent's state would read all children.  It is
 * valid, has no predicate and is a btree, or a hash of one column; of a
 * partitioned table the one at the top.  The catalog is read as it is now, or
 * with a snapshot as it was before a command; nothing is opened.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/kind_guard.h"
#include "base/settings.h"
#include "pair/pair.h"

/* Is the column one of the first n of the index? */
static bool
is_among(Form_pg_index index, int n, AttrNumber column)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (index->indkey.values[i] == column)
			return true;
	}
	return false;
}

/* Can the index be searched for equal values? */
static bool
is_searchable(Oid index, Snapshot snapshot)
{
	HeapTuple	tuple = idem_catalog_row(RelationRelationId, ClassOidIndexId,
										 Anum_pg_class_oid, index, snapshot,
										 NULL);
	Oid			am = HeapTupleIsValid(tuple) ?
		((Form_pg_class) GETSTRUCT(tuple))->relam : InvalidOid;

	return am == BTREE_AM_OID || am == HASH_AM_OID;
}

static bool
leads(HeapTuple tuple, TupleDesc desc, const IdemTotalKey *key,
	  Snapshot snapshot)
{
	Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);
	int			i;

	if (!index->indisvalid || index->indnkeyatts < key->n ||
		!heap_attisnull(tuple, Anum_pg_index_indpred, desc) ||
		!is_searchable(index->indexrelid, snapshot))
		return false;
	for (i = 0; i < key->n; i++)
	{
		if (!is_among(index, key->n, key->child_column[i]))
			return false;
	}
	return true;
}

/* Such an index, or none.  snapshot: NULL, the latest. */
Oid
idem_pair_index(const IdemTotalKey *key, Snapshot snapshot)
{
	Relation	catalog = table_open(IndexRelationId, AccessShareLock);
	Oid			found = InvalidOid;
	ScanKeyData scankey;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&scankey, Anum_pg_index_indrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(key->child));
	scan = systable_beginscan(catalog, IndexIndrelidIndexId, true, snapshot,
							  1, &scankey);
	while (!OidIsValid(found) &&
		   HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (leads(tuple, RelationGetDescr(catalog), key, snapshot))
			found = ((Form_pg_index) GETSTRUCT(tuple))->indexrelid;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* The numbers of the columns that the settings name, if all are there */
static bool
find_columns(const IdemGuard *guard, IdemTotalKey *key)
{
	ListCell   *lc;

	key->child = guard->relid;
	key->n = 0;
	foreach(lc, idem_setting_list(guard->settings, "fk"))
	{
		AttrNumber	column = get_attnum(guard->relid, lfirst(lc));

		if (column == InvalidAttrNumber || key->n >= INDEX_MAX_KEYS)
			return false;
		key->child_column[key->n++] = column;
	}
	return true;
}

/* What is wrong with the foreign key, or with its index (IdemShapeCheck). */
char *
idem_pair_shape_problem(const IdemGuard *guard, Snapshot snapshot)
{
	char	   *problem = idem_total_key_problem(guard, snapshot);
	IdemTotalKey key;

	if (problem != NULL || !find_columns(guard, &key) ||
		OidIsValid(idem_pair_index(&key, snapshot)))
		return problem;
	return psprintf("there is no index that begins with %s, by which a parent finds its children",
					idem_setting(guard->settings, "fk"));
}
