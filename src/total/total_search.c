/*
 * total_search.c
 *		Finding a parent row by the unique index of its foreign key.
 *
 * Below the executor, of an ordinary table and a btree; nothing is locked but
 * the index, and the row where that is asked for.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/idem_compat.h"
#include "total/total_key.h"
#include "total/total_lock.h"

/*
 * The search for one column of the unique index.  Its columns are those of
 * the foreign key, whose operators the server took from its families.
 */
static void
compile_scankey(Relation index, int column, const IdemTotalKey *key,
				IdemTotalSearch *search)
{
	AttrNumber	heap = index->rd_index->indkey.values[column];
	int			i = 0;
	int			strategy;
	Oid			left;
	Oid			right;

	while (key->parent_column[i] != heap)
		i++;
	Assert(i < key->n);
	get_op_opfamily_properties(key->equal_child[i],
							   index->rd_opfamily[column], false,
							   &strategy, &left, &right);
	Assert(strategy == BTEqualStrategyNumber);
	search->source[column] = i;
	search->heap[column] = heap;
	ScanKeyEntryInitialize(&search->scankey[column], 0, column + 1, strategy,
						   right, index->rd_indcollation[column],
						   get_opcode(key->equal_child[i]), (Datum) 0);
}

/* Prepare the search; false: the index is none that can be searched so. */
bool
idem_total_search_init(const IdemTotalKey *key, IdemTotalSearch *search)
{
	Relation	index = index_open(key->index, AccessShareLock);
	bool		plain = index->rd_rel->relam == BTREE_AM_OID &&
		index->rd_rel->relkind == RELKIND_INDEX &&
		IndexRelationGetNumberOfKeyAttributes(index) == key->n;
	int			i;

	for (i = 0; plain && i < key->n; i++)
		compile_scankey(index, i, key, search);
	index_close(index, AccessShareLock);
	return plain;
}

/*
 * Find the row, in a slot of the table, that a snapshot sees, by the values of
 * the foreign key in the order of the key; false: there is none.
 */
bool
idem_total_search(const IdemTotalKey *key, const IdemTotalSearch *search,
				  Relation parent, Snapshot snapshot,
				  const NullableDatum *values, TupleTableSlot *found)
{
	Relation	index = index_open(key->index, AccessShareLock);
	IndexScanDesc scan = index_beginscan(parent, index, snapshot, NULL,
										 key->n, 0, SO_NONE);
	ScanKeyData keys[INDEX_MAX_KEYS];
	bool		is_found;
	int			i;

	for (i = 0; i < key->n; i++)
	{
		keys[i] = search->scankey[i];
		keys[i].sk_argument = values[search->source[i]].value;
	}
	index_rescan(scan, keys, key->n, NULL, 0);
	is_found = index_getnext_slot(scan, ForwardScanDirection, found);
	index_endscan(scan);
	index_close(index, NoLock);
	return is_found;
}

/*
 * Somebody else has changed or deleted the row: 40001 where the whole
 * transaction has one snapshot.
 */
void
idem_total_refuse_concurrent(TM_Result result)
{
	if (result != TM_Updated && result != TM_Deleted)
		elog(ERROR, "unexpected status of a row: %u", result);
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent %s",
						result == TM_Updated ? "update" : "delete")));
}

/*
 * Lock the last version of the row in the slot, which takes its place there;
 * false if there is none any more.  is_newer: it is another than was found.
 */
bool
idem_total_lock(Relation parent, Snapshot snapshot, CommandId command,
				LockTupleMode mode, TupleTableSlot *slot, bool *is_newer)
{
	ItemPointerData tid = slot->tts_tid;
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(parent, &tid, snapshot, slot, command, mode,
							  LockWaitBlock, IsolationUsesXactSnapshot() ? 0 :
							  TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
	*is_newer = failure.traversed;
	if (result != TM_Ok)
		idem_total_refuse_concurrent(result);
	return result == TM_Ok;
}
