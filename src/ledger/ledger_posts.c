/*
 * ledger_posts.c
 *		What the column that names a hold relies on.
 *
 * A foreign key by which an entry references another one of its table, and a
 * unique index of that column alone, so that a hold is posted once.  Asked for
 * when a balance is declared, and whenever the table is altered.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_index.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "ledger/ledger_declare.h"

/* Does a partial index have every row in which the column is not null? */
static bool
has_every_value(Relation pg_index, HeapTuple tuple, AttrNumber column)
{
	bool		isnull;
	Datum		stored = heap_getattr(tuple, Anum_pg_index_indpred,
									  RelationGetDescr(pg_index), &isnull);
	Node	   *predicate;

	if (isnull)
		return true;
	predicate = stringToNode(TextDatumGetCString(stored));
	return IsA(predicate, NullTest) &&
		((NullTest *) predicate)->nulltesttype == IS_NOT_NULL &&
		IsA(((NullTest *) predicate)->arg, Var) &&
		((Var *) ((NullTest *) predicate)->arg)->varattno == column;
}

static bool
is_unique_on(Relation pg_index, HeapTuple tuple, AttrNumber column)
{
	Form_pg_index index = (Form_pg_index) GETSTRUCT(tuple);

	return index->indisunique && index->indimmediate && index->indisvalid &&
		index->indnkeyatts == 1 && index->indkey.values[0] == column &&
		has_every_value(pg_index, tuple, column);
}

/* Has the table such an index, at a snapshot? */
static bool
has_unique_index(Oid relid, AttrNumber column, Snapshot snapshot)
{
	Relation	pg_index = table_open(IndexRelationId, AccessShareLock);
	bool		found = false;
	ScanKeyData scankey;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&scankey, Anum_pg_index_indrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(pg_index, IndexIndrelidIndexId, true, snapshot,
							  1, &scankey);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
		found = is_unique_on(pg_index, tuple, column);
	systable_endscan(scan);
	table_close(pg_index, AccessShareLock);
	return found;
}

/*
 * What is wrong with the column, as the catalog has it at a snapshot, NULL the
 * latest: a sentence without full stop, or NULL.
 */
char *
idem_posts_problem(Oid relid, const char *posts, Snapshot snapshot)
{
	char	   *problem = idem_total_own_key_problem(relid, posts, snapshot);

	if (problem != NULL ||
		has_unique_index(relid, get_attnum(relid, posts), snapshot))
		return problem;
	return psprintf("column %s has no unique index of its own, so a hold could be posted twice",
					quote_identifier(posts));
}
