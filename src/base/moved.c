/*
 * moved.c
 *		A row that an UPDATE moved between partitions is one update.
 *
 * The server runs such an UPDATE as a DELETE in the one partition and an
 * INSERT in the other, and fires AFTER DELETE and AFTER INSERT row triggers,
 * but no AFTER UPDATE.  A guard would take the first for a deletion and the
 * second for a new row.  The deleted version tells the difference: its header
 * says that it moved (HeapTupleHeaderIndicatesMovedPartitions).
 *
 * So the guard parks the old image at the DELETE and takes it back at the
 * INSERT of the same row: same partitioned table, same trigger name (clones
 * of a trigger share it), same primary key.  Both events stand one after the
 * other in the queue of the same statement.
 *
 * An image that nobody takes back was a row that changed its key on the way
 * or did not arrive: the transaction cannot commit.  What a subtransaction
 * parked is forgotten with it.
 *
 * Not promised: partitions that are foreign tables; no guard is declared on
 * a table that has one.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupconvert.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/moved.h"

typedef struct ParkedRow
{
	Oid			root;			/* the partitioned table at the top */
	NameData	trigger;		/* name shared by all clones */
	SubTransactionId subid;		/* who parked it */
	TupleDesc	desc;			/* row type of the old partition */
	HeapTuple	before;			/* the image before the move */
} ParkedRow;

/* all in TopTransactionContext, so that the end of the transaction frees it */
static List *parked_rows = NIL;

/* The partitioned table at the top of rel. */
static Oid
root_of(Relation rel)
{
	List	   *ancestors;

	if (!rel->rd_rel->relispartition)
		return RelationGetRelid(rel);
	ancestors = get_partition_ancestors(RelationGetRelid(rel));
	return llast_oid(ancestors);
}

/* Keep the image of a row that left this partition. */
void
idem_moved_park(Relation rel, Trigger *trigger, TupleTableSlot *before)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	ParkedRow  *row = palloc0(sizeof(ParkedRow));

	row->root = root_of(rel);
	namestrcpy(&row->trigger, trigger->tgname);
	row->subid = GetCurrentSubTransactionId();
	row->desc = CreateTupleDescCopy(RelationGetDescr(rel));
	row->before = ExecCopySlotHeapTuple(before);
	parked_rows = lappend(parked_rows, row);
	MemoryContextSwitchTo(old);
}

/* The parked image in the row type of rel, in the current memory context. */
static TupleTableSlot *
image_for(Relation rel, ParkedRow *row)
{
	TupleDesc	desc = CreateTupleDescCopy(RelationGetDescr(rel));
	TupleConversionMap *map = convert_tuples_by_name(row->desc, desc);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);
	HeapTuple	tuple = map ? execute_attr_map_tuple(row->before, map) :
		heap_copytuple(row->before);

	ExecStoreHeapTuple(tuple, slot, false);
	return slot;
}

/* Do both images have the same primary key? */
static bool
same_key(Relation rel, TupleTableSlot *a, TupleTableSlot *b)
{
	Bitmapset  *key = idem_key_columns(rel);
	int			i = -1;

	while ((i = bms_next_member(key, i)) >= 0)
	{
		if (!idem_same_image(rel, i, a, b))
			return false;
	}
	return true;
}

/*
 * The image before the move, if the row that arrived here left another
 * partition; else NULL.  The slot lives in the current memory context.
 */
TupleTableSlot *
idem_moved_take(Relation rel, Trigger *trigger, TupleTableSlot *after)
{
	ListCell   *lc;
	Oid			root;

	if (parked_rows == NIL || !rel->rd_rel->relispartition)
		return NULL;
	root = root_of(rel);
	foreach(lc, parked_rows)
	{
		ParkedRow  *row = lfirst(lc);
		TupleTableSlot *before;

		if (row->root != root ||
			strcmp(NameStr(row->trigger), trigger->tgname) != 0)
			continue;
		before = image_for(rel, row);
		if (!same_key(rel, before, after))
			continue;
		parked_rows = foreach_delete_current(parked_rows, lc);
		return before;
	}
	return NULL;
}

/* Nothing may be left over when the transaction commits. */
static void
moved_at_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (parked_rows != NIL)
				ereport(ERROR,
						(errcode(ERRCODE_IDEM_KEPT_ROW),
						 errmsg("a guarded row left its partition and did not arrive in another with the same primary key"),
						 errhint("A guarded row keeps its primary key for good.")));
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			parked_rows = NIL;
			break;
		default:
			break;
	}
}

/* What a subtransaction parked goes with it, or belongs to its parent. */
static void
moved_at_subtransaction(SubXactEvent event, SubTransactionId mySubid,
						SubTransactionId parentSubid, void *arg)
{
	ListCell   *lc;

	if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
		return;
	foreach(lc, parked_rows)
	{
		ParkedRow  *row = lfirst(lc);

		if (row->subid != mySubid)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			row->subid = parentSubid;
		else
			parked_rows = foreach_delete_current(parked_rows, lc);
	}
}

void
idem_moved_init(void)
{
	RegisterXactCallback(moved_at_transaction, NULL);
	RegisterSubXactCallback(moved_at_subtransaction, NULL);
}
