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
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "base/ask.h"
#include "base/citus.h"
#include "base/right.h"
#include "base/identity.h"

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

/*
 * The list of nodes: Citus invalidates it when it changes.  InvalidOid: Citus
 * is not in this database.
 */
Oid
idem_citus_nodes_relid(void)
{
	return get_relname_relid("pg_dist_node", PG_CATALOG_NAMESPACE);
}

/* The group of this node: 0 is that of the coordinator. */
static int32
local_group(void)
{
	return Max(other_group("pg_dist_local_group", -1), 0);
}

/* Has the cluster more nodes than this one? */
bool
idem_citus_has_nodes(void)
{
	return OidIsValid(idem_citus_nodes_relid()) &&
		other_group("pg_dist_node", local_group()) >= 0;
}

/* Is this one of the nodes that take their definitions from another one? */
bool
idem_citus_is_worker(void)
{
	return OidIsValid(idem_citus_nodes_relid()) && local_group() != 0;
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

/* The row of a table of Citus that has a value in a column, copied, or NULL */
static HeapTuple
row_with(const char *table, const char *column, const char *index,
		 RegProcedure equal, Datum value, TupleDesc *desc)
{
	Oid			relid = get_relname_relid(table, PG_CATALOG_NAMESPACE);
	Oid			indexid = get_relname_relid(index, PG_CATALOG_NAMESPACE);
	Relation	rel;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(relid))
		return NULL;
	rel = table_open(relid, AccessShareLock);
	ScanKeyInit(&key, get_attnum(relid, column), BTEqualStrategyNumber,
				equal, value);
	scan = systable_beginscan(rel, indexid, OidIsValid(indexid), NULL, 1,
							  &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	*desc = CreateTupleDescCopy(RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tuple;
}

/* A column of such a row; 0 if it is null, or not there */
static Datum
value_of(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), column) == 0)
			return heap_getattr(tuple, i + 1, desc, &isnull);
	}
	return (Datum) 0;
}

/* The table that a row of pg_dist_shard says the shard belongs to, or none */
static Oid
shell_of(int64 number)
{
	TupleDesc	desc;
	HeapTuple	tuple = row_with("pg_dist_shard", "shardid",
								 "pg_dist_shard_shardid_index", F_INT8EQ,
								 Int64GetDatum(number), &desc);

	return HeapTupleIsValid(tuple) ?
		DatumGetObjectId(value_of(tuple, desc, "logicalrelid")) : InvalidOid;
}

/* Can a table of this name be the shard whose number it ends with? */
static bool
names_shard(const char *name, const char *end, const char *shell)
{
	return strlen(name) == NAMEDATALEN - 1 ||
		(strlen(shell) == end - name && strncmp(name, shell, end - name) == 0);
}

/*
 * The distributed table that this one is a shard of, or the table itself.  Of
 * a shard whose name had to be cut only the number and the schema tell.  A
 * table of somebody else that is called like a shard is none.
 */
Oid
idem_citus_shell(Oid relid)
{
	const char *name = get_rel_name(relid);
	const char *end = NULL;
	int64		number;
	Oid			shell;

	number = name == NULL ? 0 : shard_number(name, &end);
	shell = number == 0 ? InvalidOid : shell_of(number);
	if (get_rel_name(shell) == NULL ||
		get_rel_namespace(shell) != get_rel_namespace(relid) ||
		idem_owner_of(shell) != idem_owner_of(relid) ||
		!names_shard(name, end, get_rel_name(shell)))
		return relid;
	return shell;
}

/* How Citus holds the rows of a table.  A shard is an ordinary table. */
IdemCitusTable
idem_citus_table(Oid relid)
{
	TupleDesc	desc;
	HeapTuple	tuple = row_with("pg_dist_partition", "logicalrelid",
								 "pg_dist_partition_logical_relid_index",
								 F_OIDEQ, ObjectIdGetDatum(relid), &desc);

	if (!HeapTupleIsValid(tuple))
		return IDEM_CITUS_NONE;
	return DatumGetChar(value_of(tuple, desc, "repmodel")) == 't' ?
		IDEM_CITUS_COPIES : IDEM_CITUS_SHARDS;
}

/*
 * Did Citus make the table after one of the coordinator: is it a shard, or on
 * a worker a distributed table?
 */
bool
idem_citus_made(Oid relid)
{
	return idem_citus_shell(relid) != relid ||
		(idem_citus_is_worker() && idem_citus_table(relid) != IDEM_CITUS_NONE);
}

/* 0A000 for a pause of what guards this table, where it is distributed. */
void
idem_citus_refuse_pause(Oid relid)
{
	if (idem_citus_table(relid) == IDEM_CITUS_NONE)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("guards of distributed table \"%s\" cannot be paused",
					get_rel_name(relid)),
			 errdetail("The nodes that have its rows do not hear of a pause."),
			 errhint("Revoke the right to write instead.")));
}

/*
 * Is this a session in which Citus runs what was given to another node, and
 * was judged there?  Citus itself knows its sessions by this name, too.
 */
bool
idem_citus_carries(void)
{
	static const char *const names[] = {
		"citus_internal gpid=", "citus_rebalancer gpid=", "citus_shard_"
	};
	int			i;

	for (i = 0; i < lengthof(names); i++)
	{
		if (application_name != NULL &&
			strncmp(application_name, names[i], strlen(names[i])) == 0)
			return OidIsValid(idem_citus_nodes_relid());
	}
	return false;
}

/*
 * Let Citus take a statement of ours that is about triggers of a distributed
 * table, which it calls unsafe, because it does not know what they do.
 * Returns what idem_citus_done wants when the statement has run.
 */
int
idem_citus_begin(void)
{
	int			nest = NewGUCNestLevel();

	if (OidIsValid(idem_citus_nodes_relid()))
		(void) set_config_option("citus.enable_unsafe_triggers", "on",
								 PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return nest;
}

/* The statement that idem_citus_begin was called for has run. */
void
idem_citus_done(int nest)
{
	AtEOXact_GUC(true, nest);
}

/*
 * citus_part(relid oid) -> text
 *
 * shard: of a distributed table; carried: a distributed table on a node that
 * takes its definitions from the coordinator; NULL: neither.
 */
PG_FUNCTION_INFO_V1(idem_citus_part);
Datum
idem_citus_part(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);

	if (!OidIsValid(idem_citus_nodes_relid()))
		PG_RETURN_NULL();
	if (idem_citus_shell(relid) != relid)
		PG_RETURN_TEXT_P(cstring_to_text("shard"));
	if (idem_citus_is_worker() && idem_citus_table(relid) != IDEM_CITUS_NONE)
		PG_RETURN_TEXT_P(cstring_to_text("carried"));
	PG_RETURN_NULL();
}

/* ---------- what the nodes say ---------- */

/* A finding for each shard that does not bear the triggers of its table */
static const char shards_sql[] =
"SELECT 'error', pg_catalog.format('shard %s of table %s on node %s:%s', p.shardid, t.relation, p.nodename, p.nodeport),"
" CASE WHEN p.success THEN 'its triggers are not those of the table: rows there are judged otherwise, or not at all'"
" ELSE 'could not be asked: ' || p.result END,"
" CASE WHEN p.success THEN 'take the guards off the table with idem.drop_guard and declare them anew'"
" ELSE 'see to the node, and ask again' END"
" FROM (SELECT DISTINCT g.relation FROM idem.guard_triggers g"
" JOIN pg_catalog.pg_dist_partition d ON d.logicalrelid = g.relation) t,"
" LATERAL pg_catalog.run_command_on_placements(t.relation, 'SELECT idem.trigger_print(%L::regclass)') p"
" WHERE NOT p.success OR p.result IS DISTINCT FROM idem.trigger_print(t.relation)"
" ORDER BY t.relation::text COLLATE \"C\", p.shardid";

/* One for each node that has another version of idem, or none */
static const char versions_sql[] =
"SELECT 'error', pg_catalog.format('node %s:%s', n.nodename, n.nodeport),"
" CASE WHEN r.success THEN 'has version ' || r.result || ' of idem, this one has ' || e.extversion"
" ELSE 'could not be asked: ' || r.result END,"
" CASE WHEN r.success THEN 'install the same version on each node, and ALTER EXTENSION idem UPDATE'"
" ELSE 'see to the node, and ask again' END"
" FROM pg_catalog.pg_extension e,"
" LATERAL pg_catalog.run_command_on_all_nodes("
"'SELECT coalesce((SELECT extversion FROM pg_catalog.pg_extension WHERE extname = ''idem''), ''none'')') r"
" JOIN pg_catalog.pg_dist_node n ON n.nodeid = r.nodeid"
" WHERE e.extname = 'idem' AND (NOT r.success OR r.result <> e.extversion)"
" ORDER BY n.nodename, n.nodeport";

/* One for each guard from before its table was distributed */
static const char carried_sql[] =
"SELECT 'error', pg_catalog.format('table %s', g.relation),"
" pg_catalog.format('%s guard %I was declared before the table was distributed: its shards let no row be written', g.kind, g.name),"
" 'take it off with idem.drop_guard and declare it anew'"
" FROM idem.guard_triggers g"
" JOIN pg_catalog.pg_dist_partition d ON d.logicalrelid = g.relation"
" WHERE g.part = 'row' AND idem.setting(g.settings, 'machine') IS NOT NULL"
" AND idem.setting(g.settings, 'diagram') IS NULL"
" ORDER BY g.relation::text COLLATE \"C\", g.name";

/* Put the rows of such a query. */
static void
put_findings(ReturnSetInfo *rsinfo, const char *sql)
{
	uint64		n = idem_ask(NULL, sql, "");
	uint64		row;
	int			i;

	for (row = 0; row < n; row++)
	{
		Datum		values[4];
		bool		nulls[4] = {false};

		for (i = 0; i < lengthof(values); i++)
			values[i] = CStringGetTextDatum(idem_found_text(row, i + 1));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
}

/*
 * citus_findings() -> TABLE (severity, object, finding, remedy)
 *
 * Asked on the coordinator; elsewhere there are none.
 */
PG_FUNCTION_INFO_V1(idem_citus_findings);
Datum
idem_citus_findings(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	if (!idem_citus_has_nodes() || idem_citus_is_worker())
		return (Datum) 0;
	SPI_connect();
	put_findings(rsinfo, versions_sql);
	put_findings(rsinfo, carried_sql);
	put_findings(rsinfo, shards_sql);
	SPI_finish();
	return (Datum) 0;
}
