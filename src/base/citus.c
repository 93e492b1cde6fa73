/*
 * citus.c
 *		Is this one node of several, under Citus, and what is a shard of what?
 *
 * Citus sends a statement to the nodes that hold the rows it names.  Each node
 * has its own copy of a table of an extension, so what a row in it promises is
 * promised on that node only.  All that idem knows of the catalogs of Citus
 * stands here.
 *
 * pg_dist_node lists the nodes, with the group of each; a node and its
 * replicas are one group.  pg_dist_local_group says which group this node is
 * in; a coordinator that is not listed is in group 0.  So there is more than
 * one node if any group is listed that is not this one's.  A node to which
 * Citus has not synchronised its metadata has an empty list, and is not
 * recognised.
 *
 * pg_dist_shard lists the shards of each distributed table.  A shard is an
 * ordinary table in the schema of its table, with the same triggers, called
 * like it with an underscore and the number of the shard behind, cut where that
 * would be too long.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_namespace.h"
#include "commands/extension.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/citus.h"

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

/* The number behind the last underscore of a name, at *end; 0: there is none */
static int64
shard_number(const char *name, const char **end)
{
	char	   *rest;
	int64		number;

	*end = strrchr(name, '_');
	if (*end == NULL || !isdigit((unsigned char) (*end)[1]))
		return 0;
	number = strtoi64(*end + 1, &rest, 10);
	return *rest == '\0' ? number : 0;
}

/* The table that a row of pg_dist_shard says the shard belongs to, or none */
static Oid
shell_of(int64 number)
{
	Oid			relid = get_relname_relid("pg_dist_shard",
										  PG_CATALOG_NAMESPACE);
	Oid			shell = InvalidOid;
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(relid))
		return InvalidOid;
	rel = table_open(relid, AccessShareLock);
	ScanKeyInit(&key, get_attnum(relid, "shardid"), BTEqualStrategyNumber,
				F_INT8EQ, Int64GetDatum(number));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple,
										 get_attnum(relid, "logicalrelid"),
										 RelationGetDescr(rel), &isnull);

		shell = isnull ? InvalidOid : DatumGetObjectId(value);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return shell;
}

/*
 * The distributed table that this one is a shard of, or the table itself.  Of
 * a shard whose name had to be cut only the number and the schema tell.
 */
Oid
idem_citus_shell(Oid relid)
{
	const char *name = get_rel_name(relid);
	const char *end;
	const char *shell_name;
	int64		number;
	Oid			shell;

	if (name == NULL || !OidIsValid(get_extension_oid("citus", true)))
		return relid;
	number = shard_number(name, &end);
	shell = number == 0 ? InvalidOid : shell_of(number);
	shell_name = OidIsValid(shell) ? get_rel_name(shell) : NULL;
	if (shell_name == NULL ||
		get_rel_namespace(shell) != get_rel_namespace(relid))
		return relid;
	if (strlen(name) < NAMEDATALEN - 1 &&
		(strlen(shell_name) != end - name ||
		 strncmp(name, shell_name, end - name) != 0))
		return relid;
	return shell;
}
