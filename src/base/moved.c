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
 * INSERT that belongs to it.  The primary key cannot say which that is: it
 * contains the partition key, so a move always changes it.  The order of
 * events does: the executor inserts right after it has deleted, before it
 * looks at another row, and triggers fire in the order in which they were
 * queued.  So for one trigger (clones share its name), one partitioned table
 * and one command the DELETE of a move is followed by its INSERT and by
 * nothing else.  The command matters, because triggers that fire between the
 * two may run commands of their own, which move and insert other rows; each
 * command has its own id, and both versions of the row carry it (cmax of the
 * old one, cmin of the new one).
 *
 * An image that is never taken back belongs to a row that did not arrive,
 * because a BEFORE INSERT trigger of the new partition returned NULL: then
 * the next move of the command is refused, or at the latest the commit.  What
 * a subtransaction parked is forgotten with it.
 *
 * For this a guard has to fire for INSERT, UPDATE and DELETE.  The guard
 * decides whether the row may move; where it keeps the primary key
 * (idem_refuse_key_change), a row moves only because of the state that the
 * guard judges.
 *
 * Not promised: partitions that are foreign tables; no guard is declared on
 * a table that has one.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupconvert.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/idem_errors.h"
#include "base/moved.h"

typedef struct ParkedRow
{
	Oid			root;			/* the partitioned table at the top */
	NameData	trigger;		/* name shared by all clones */
	CommandId	command;		/* the UPDATE that moves the row */
	SubTransactionId subid;		/* who parked it */
	NameData	schema;			/* of the old partition, for messages */
	NameData	table;			/* the old partition */
	TupleDesc	desc;			/* its row type */
	HeapTuple	before;			/* the image before the move */
	MemoryContext context;		/* where all of this lives */
} ParkedRow;

/*
 * Rows on their way, the latest last: one for each trigger of a command, so
 * the list is short.  In TopTransactionContext, as the rows are, so that the
 * end of the transaction frees it.
 */
static List *parked_rows = NIL;

/*
 * The partitioned table at the top of a table, or the table itself.  Not
 * get_partition_ancestors, which knows none for a partition that is just being
 * detached.
 */
Oid
idem_root_of(Oid relid)
{
	while (get_rel_relispartition(relid))
		relid = get_partition_parent(relid, true);
	return relid;
}

/* The same of an open one */
Oid
idem_root_relid(Relation rel)
{
	return idem_root_of(RelationGetRelid(rel));
}

/* The row that this trigger waits for in this command, or NULL. */
static ParkedRow *
find_parked(Relation rel, Trigger *trigger, CommandId command)
{
	Oid			root = InvalidOid;
	ListCell   *lc;

	foreach(lc, parked_rows)
	{
		ParkedRow  *row = lfirst(lc);

		if (row->command != command ||
			strcmp(NameStr(row->trigger), trigger->tgname) != 0)
			continue;
		if (!OidIsValid(root))
			root = idem_root_relid(rel);
		if (row->root == root)
			return row;
	}
	return NULL;
}

static void
refuse_lost_row(const ParkedRow *row)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_KEPT_ROW),
			 errmsg("guarded row left partition \"%s\" and did not arrive in another one",
					NameStr(row->table)),
			 errhint("A BEFORE INSERT trigger of the new partition may have skipped it."),
			 err_generic_string(PG_DIAG_SCHEMA_NAME, NameStr(row->schema)),
			 err_generic_string(PG_DIAG_TABLE_NAME, NameStr(row->table)),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								NameStr(row->trigger))));
}

/*
 * A copy of the row that has every column: one that was added after the row
 * was written gets the value that the table's descriptor holds for it, which
 * a copy of that descriptor does not.
 */
static HeapTuple
whole_tuple(TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	return heap_form_tuple(slot->tts_tupleDescriptor, slot->tts_values,
						   slot->tts_isnull);
}

/* Keep the image of a row that left this partition. */
void
idem_moved_park(const TriggerData *trigdata)
{
	Relation	rel = trigdata->tg_relation;
	CommandId	command =
		HeapTupleHeaderGetCmax(trigdata->tg_trigtuple->t_data);
	ParkedRow  *row = find_parked(rel, trigdata->tg_trigger, command);
	MemoryContext context;
	MemoryContext old;

	if (row != NULL)
		refuse_lost_row(row);
	context = AllocSetContextCreate(TopTransactionContext, "idem moved row",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);
	row = palloc0(sizeof(ParkedRow));
	row->root = idem_root_relid(rel);
	namestrcpy(&row->trigger, trigdata->tg_trigger->tgname);
	row->command = command;
	row->subid = GetCurrentSubTransactionId();
	namestrcpy(&row->schema, get_namespace_name(RelationGetNamespace(rel)));
	namestrcpy(&row->table, RelationGetRelationName(rel));
	row->desc = CreateTupleDescCopy(RelationGetDescr(rel));
	row->before = whole_tuple(trigdata->tg_trigslot);
	row->context = context;
	MemoryContextSwitchTo(TopTransactionContext);
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

/*
 * The image before the move, if the row that arrived here left another
 * partition; else NULL.  The slot lives in the current memory context.
 */
TupleTableSlot *
idem_moved_take(const TriggerData *trigdata)
{
	Relation	rel = trigdata->tg_relation;
	HeapTupleHeader after = trigdata->tg_trigtuple->t_data;
	ParkedRow  *row;
	TupleTableSlot *before;

	/*
	 * A row that does not say that we wrote it has no command to look at:
	 * COPY FREEZE, which moves no rows, or a foreign table.
	 */
	if (parked_rows == NIL || !rel->rd_rel->relispartition ||
		!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(after)))
		return NULL;
	row = find_parked(rel, trigdata->tg_trigger, HeapTupleHeaderGetCmin(after));
	if (row == NULL)
		return NULL;
	before = image_for(rel, row);
	parked_rows = list_delete_ptr(parked_rows, row);
	MemoryContextDelete(row->context);
	return before;
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
				refuse_lost_row(linitial(parked_rows));
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
		{
			parked_rows = foreach_delete_current(parked_rows, lc);
			MemoryContextDelete(row->context);
		}
	}
}

/* Called once, when the library is loaded */
void
idem_moved_init(void)
{
	RegisterXactCallback(moved_at_transaction, NULL);
	RegisterSubXactCallback(moved_at_subtransaction, NULL);
}
