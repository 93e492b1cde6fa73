/*
 * citus.c
 *		Is this one node of several, under Citus?
 *
 * Citus sends a statement to the nodes that hold the rows it names.  A table
 * of an extension is in each node a table of its own, so whatever is promised
 * by a row in one of them is promised on one node only.  All that idem knows
 * of the catalogs of Citus stands here.
 *
 * pg_dist_node lists the nodes, with the group of each; a node and its
 * replicas are one group.  pg_dist_local_group says which group this node is
 * in; a coordinator that is not listed is in group 0.  So there is more than
 * one node if any group is listed that is not this one's.  A node to which
 * Citus has not synchronised its metadata has an empty list, and is not
 * recognised.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_namespace.h"
#include "commands/extension.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/citus.h"
#include "base/idem_compat.h"

/* The group in a row; -1 if it has none. */
static int32
group_of(HeapTuple tuple, Relation rel)
{
	AttrNumber	column = get_attnum(RelationGetRelid(rel), "groupid");
	bool		isnull = true;
	Datum		value = (Datum) 0;

	if (column != InvalidAttrNumber)
		value = heap_getattr(tuple, column, RelationGetDescr(rel), &isnull);
	return isnull ? -1 : DatumGetInt32(value);
}

/* A group in a table of Citus other than this one; -1 if there is none. */
static int32
other_group(const char *table, int32 group)
{
	Oid			relid = get_relname_relid(table, PG_CATALOG_NAMESPACE);
	int32		other = -1;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(relid))
		return other;
	rel = table_open(relid, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	while (other < 0 && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		int32		found = group_of(tuple, rel);

		if (found != group)
			other = found;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return other;
}

/* The list of nodes: Citus invalidates it when it changes.  Or InvalidOid. */
Oid
idem_citus_nodes_relid(void)
{
	if (!OidIsValid(get_extension_oid("citus", true)))
		return InvalidOid;
	return get_relname_relid("pg_dist_node", PG_CATALOG_NAMESPACE);
}

/* Has the cluster more nodes than this one? */
bool
idem_citus_has_nodes(void)
{
	int32		local;

	if (!OidIsValid(idem_citus_nodes_relid()))
		return false;
	local = Max(other_group("pg_dist_local_group", -1), 0);
	return other_group("pg_dist_node", local) >= 0;
}
