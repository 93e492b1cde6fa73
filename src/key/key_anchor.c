/*
 * key_anchor.c
 *		Rows of keys: one a key, for ever.
 *
 * The unique index on the digest decides.  A probe of that index with a dirty
 * snapshot answers early, and sees rivals that have not committed, so nobody
 * waits for them.  If it finds nothing, the row is inserted speculatively; if
 * the index then reports another row, ours is taken back and the probe runs
 * again.  A probe alone could miss a row that is being updated; the index
 * cannot.
 *
 * Locks: ROW EXCLUSIVE on the table until the end of the transaction, ACCESS
 * SHARE where it is only read.  The only wait is for a rival in the middle of
 * its own insert, between its row and its index entry.
 *
 * Rows are read and written by the table and index access methods directly,
 * without plan or executor.  key_table.c, which opens the tables, checks that
 * this is right for them.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/durable.h"
#include "base/idem_compat.h"
#include "key/key_inner.h"
#include "key/key_taken.h"

/* Let a scan begin at the key. */
static void
scan_key(IndexScanDesc scan, const IdemKey *key)
{
	ScanKeyData scankey;

	ScanKeyInit(&scankey, 1, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(&key->digest));
	index_rescan(scan, &scankey, 1, NULL, 0);
}

static IndexScanDesc
begin_scan(IdemAnchor *anchor, const IdemKey *key, Snapshot snapshot)
{
	IndexScanDesc scan = index_beginscan(anchor->table, anchor->arbiter,
										 snapshot, NULL, 1, 0, SO_NONE);

	scan_key(scan, key);
	return scan;
}

/* Make the state of a probe, which lasts as long as the table is open. */
static void
begin_probe(IdemAnchor *anchor)
{
	IdemProbe  *probe = &anchor->probe;
	MemoryContext old = MemoryContextSwitchTo(probe->context);

	InitDirtySnapshot(probe->dirty);
	probe->slot = table_slot_create(anchor->table, NULL);
	probe->scan = index_beginscan(anchor->table, anchor->arbiter,
								  &probe->dirty, NULL, 1, 0, SO_NONE);
	MemoryContextSwitchTo(old);
}

/* Hold no page any more: before a wait. */
static void
release_probe(IdemAnchor *anchor)
{
	ExecClearTuple(anchor->probe.slot);
	index_rescan(anchor->probe.scan, NULL, 1, NULL, 0);
}

/* ---------- rows with columns that somebody else added ---------- */

/* Our columns of a row. */
static void
deform_row(IdemAnchor *anchor, HeapTuple tuple, Datum *values, bool *nulls)
{
	TupleDesc	desc = RelationGetDescr(anchor->table);
	Datum	   *all_values;
	bool	   *all_nulls;

	if (desc->natts == anchor->natts)
	{
		heap_deform_tuple(tuple, desc, values, nulls);
		return;
	}
	all_values = palloc(sizeof(Datum) * desc->natts);
	all_nulls = palloc(sizeof(bool) * desc->natts);
	heap_deform_tuple(tuple, desc, all_values, all_nulls);
	memcpy(values, all_values, sizeof(Datum) * anchor->natts);
	memcpy(nulls, all_nulls, sizeof(bool) * anchor->natts);
	pfree(all_values);
	pfree(all_nulls);
}

/*
 * A row with our columns as given; the others as in before, or null where
 * there is none.
 */
HeapTuple
idem_key_form_row(IdemAnchor *anchor, HeapTuple before,
				  Datum *values, bool *nulls)
{
	TupleDesc	desc = RelationGetDescr(anchor->table);
	Datum	   *all_values;
	bool	   *all_nulls;

	if (desc->natts == anchor->natts)
		return heap_form_tuple(desc, values, nulls);
	all_values = palloc0(sizeof(Datum) * desc->natts);
	all_nulls = palloc(sizeof(bool) * desc->natts);
	memset(all_nulls, true, sizeof(bool) * desc->natts);
	if (before != NULL)
		heap_deform_tuple(before, desc, all_values, all_nulls);
	memcpy(all_values, values, sizeof(Datum) * anchor->natts);
	memcpy(all_nulls, nulls, sizeof(bool) * anchor->natts);
	return heap_form_tuple(desc, all_values, all_nulls);
}

/* ---------- looking ---------- */

/*
 * Keep the row in the slot.  The key itself is compared, too: two keys of one
 * digest must end as an error; one must never get the answer for the other.
 */
static void
keep_row(IdemAnchor *anchor, const IdemKey *key, TupleTableSlot *slot,
		 IdemHeld held, IdemFound *found)
{
	text	   *stored;

	found->held = held;
	memset(&found->commit, 0, sizeof(IdemCommit));
	if (held == IDEM_HELD_COMMITTED)
		idem_commit_of(slot, &found->commit);
	else if (held == IDEM_HELD_OWN)
		found->commit.kind = IDEM_COMMIT_OURS;
	found->tuple = ExecCopySlotHeapTuple(slot);
	deform_row(anchor, found->tuple, found->values, found->nulls);
	stored = DatumGetTextPP(found->values[Anum_anchor_key - 1]);
	if (DatumGetInt32(found->values[Anum_anchor_scope - 1]) != key->scope->id ||
		VARSIZE_ANY_EXHDR(stored) != VARSIZE_ANY_EXHDR(key->text) ||
		memcmp(VARDATA_ANY(stored), VARDATA_ANY(key->text),
			   VARSIZE_ANY_EXHDR(stored)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("anchor of idempotency key \"%s\" holds another key",
						text_to_cstring(key->text)),
				 errdetail("The row is damaged, or two keys have one digest.")));
}

/*
 * Which transaction holds a row that a dirty snapshot sees?  After an update
 * that has not committed the key stays held, however that ends; a delete may
 * free it.  A row that we wrote need not be of a key that we took: we may have
 * dropped its response, or handed it out as due.
 */
static IdemHeld
who_holds(TupleTableSlot *slot, Snapshot dirty, const IdemKey *key,
		  IdemFound *found)
{
	HeapTupleHeader row = ((HeapTupleTableSlot *) slot)->tuple->t_data;

	found->written = false;
	found->rival = dirty->xmin;
	if (TransactionIdIsValid(dirty->xmin))
		return IDEM_HELD_RIVAL;
	if (TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row)))
	{
		found->written = true;
		return idem_key_taken_here(&key->digest) ? IDEM_HELD_OWN :
			IDEM_HELD_COMMITTED;
	}
	found->rival = dirty->xmax;
	if (TransactionIdIsValid(dirty->xmax) &&
		(row->t_infomask2 & HEAP_KEYS_UPDATED) != 0)
		return IDEM_HELD_RIVAL;
	return IDEM_HELD_COMMITTED;
}

/*
 * The next row of a probe into its slot.  The index keeps notes on dead rows
 * from one scan to the next, which must outlive the memory of the caller.
 */
bool
idem_key_next_row(IdemProbe *probe)
{
	MemoryContext old = MemoryContextSwitchTo(probe->context);
	bool		more = index_getnext_slot(probe->scan, ForwardScanDirection,
										  probe->slot);

	MemoryContextSwitchTo(old);
	return more;
}

/*
 * One look.  All rows of the key are looked at: a committed one counts, also
 * while a rival is updating it.  True if the answer stands; false if a rival
 * was found in the middle of its insert, and the snapshot says which.
 */
static bool
probe_once(IdemAnchor *anchor, const IdemKey *key, IdemFound *found)
{
	IdemProbe  *probe = &anchor->probe;

	scan_key(probe->scan, key);
	found->held = IDEM_HELD_NOT;
	while (idem_key_next_row(probe))
	{
		IdemHeld	held;

		if (probe->dirty.speculativeToken != 0)
			return false;
		held = who_holds(probe->slot, &probe->dirty, key, found);
		keep_row(anchor, key, probe->slot, held, found);
		if (held != IDEM_HELD_RIVAL)
			break;
	}
	return true;
}

/* Who has the key at this moment, committed or not. */
void
idem_key_probe(IdemAnchor *anchor, const IdemKey *key, IdemFound *found)
{
	IdemProbe  *probe = &anchor->probe;

	if (probe->scan == NULL)
		begin_probe(anchor);
	while (!probe_once(anchor, key, found))
	{
		release_probe(anchor);
		SpeculativeInsertionWait(probe->dirty.xmin,
								 probe->dirty.speculativeToken);
		CHECK_FOR_INTERRUPTS();
	}
	ExecClearTuple(probe->slot);
}

/*
 * The row as the transaction's snapshot sees it; false if it does not.  An
 * ordinary read, so that SERIALIZABLE knows of it, also of finding nothing.
 */
bool
idem_key_read(IdemAnchor *anchor, const IdemKey *key, IdemFound *found)
{
	TupleTableSlot *slot = table_slot_create(anchor->table, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	IndexScanDesc scan = begin_scan(anchor, key, snapshot);
	bool		seen = index_getnext_slot(scan, ForwardScanDirection, slot);

	if (seen)
		keep_row(anchor, key, slot, found->held, found);
	index_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	return seen;
}

/* Is there a committed row now, whatever the transaction's snapshot says? */
static bool
is_committed(IdemAnchor *anchor, const IdemKey *key)
{
	TupleTableSlot *slot = table_slot_create(anchor->table, NULL);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	IndexScanDesc scan = begin_scan(anchor, key, snapshot);
	bool		seen = index_getnext_slot(scan, ForwardScanDirection, slot);

	index_endscan(scan);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	return seen;
}

/*
 * Probe for a caller that will not insert, so that no unique index would catch
 * a row that the probe missed because it was updated meanwhile.
 */
void
idem_key_find(IdemAnchor *anchor, const IdemKey *key, IdemFound *found)
{
	for (;;)
	{
		idem_key_probe(anchor, key, found);
		if (found->held != IDEM_HELD_NOT || !is_committed(anchor, key))
			return;
		CHECK_FOR_INTERRUPTS();
	}
}

/*
 * Compare a committed anchor with the transaction's snapshot, where the
 * isolation level demands one answer throughout: a key that the snapshot
 * cannot see must neither be shown nor be called new.
 */
void
idem_key_check_visible(IdemAnchor *anchor, const IdemKey *key,
					   IdemFound *found)
{
	if (!IsolationUsesXactSnapshot() || found->held != IDEM_HELD_COMMITTED ||
		found->written)
		return;
	if (!idem_key_read(anchor, key, found))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to a concurrent claim of key \"%s\" in scope \"%s\"",
						text_to_cstring(key->text), key->scope->name),
				 errhint("The transaction might succeed if retried.")));
}

/*
 * 40001 unless the transaction's snapshot sees the very version that was
 * found, which is locked or never changes.
 */
void
idem_key_check_version(IdemAnchor *anchor, const IdemKey *key,
					   IdemFound *found)
{
	ItemPointerData locked = found->tuple->t_self;

	idem_key_check_visible(anchor, key, found);
	if (!ItemPointerEquals(&locked, &found->tuple->t_self))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to a concurrent change of key \"%s\" in scope \"%s\"",
						text_to_cstring(key->text), key->scope->name),
				 errhint("The transaction might succeed if retried.")));
}

/*
 * Lock the newest version of a row, to change it.  True: it is locked and in
 * found.  False: there is none, or only one that has not committed; or
 * somebody else has it locked and we are not to wait, found being what is
 * committed then.
 */
bool
idem_key_lock(IdemAnchor *anchor, const IdemKey *key, bool wait,
			  IdemFound *found)
{
	TupleTableSlot *slot = table_slot_create(anchor->table, NULL);
	TM_Result	result = TM_Invisible;
	TM_FailureData failure;

	/* what this command did to the row has to be older */
	CommandCounterIncrement();
	for (;;)
	{
		ItemPointerData tid;

		idem_key_find(anchor, key, found);
		if (found->held != IDEM_HELD_OWN && found->held != IDEM_HELD_COMMITTED)
			break;
		tid = found->tuple->t_self;
		release_probe(anchor);
		result = table_tuple_lock(anchor->table, &tid, SnapshotAny, slot,
								  GetCurrentCommandId(true),
								  LockTupleNoKeyExclusive,
								  wait ? LockWaitBlock : LockWaitSkip,
								  TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
		if (result != TM_Deleted)
			break;
		CHECK_FOR_INTERRUPTS();
	}
	if (result == TM_Ok)
	{
		keep_row(anchor, key, slot, found->held, found);
		idem_key_check_version(anchor, key, found);
	}
	else if (result != TM_Invisible && result != TM_WouldBlock)
		elog(ERROR, "could not lock an anchor: result %d", (int) result);
	ExecDropSingleTupleTableSlot(slot);
	return result == TM_Ok;
}

/*
 * Add the row in slot to the indexes; false if the unique one has the key.
 * An index that REINDEX has only begun to make gets nothing, nor does the
 * index of what is due get what is not.
 */
static bool
insert_index_entries(IdemAnchor *anchor, TupleTableSlot *slot,
					 const Datum *values, const bool *nulls,
					 IndexUniqueCheck check, bool unchanged)
{
	IndexInfo  *info = makeNode(IndexInfo); /* of which a btree reads nothing */
	bool		unique = true;
	ListCell   *lc;

	idem_key_open_indexes(anchor);
	foreach(lc, anchor->indexes)
	{
		Relation	index = lfirst(lc);
		Datum		columns[2];
		bool		isnull[2] = {false, false};
		bool		due = index->rd_index->indnatts == 2;

		if (!index->rd_index->indisready)
			continue;
		if (due && nulls[Anum_reservation_due_at - 1])
			continue;
		columns[0] = values[(due ? Anum_anchor_scope : Anum_anchor_digest) - 1];
		columns[1] = due ? values[Anum_reservation_due_at - 1] : (Datum) 0;
		if (!index_insert(index, columns, isnull, &slot->tts_tid,
						  anchor->table, due ? UNIQUE_CHECK_NO : check,
						  unchanged && !due, info) && !due)
			unique = check != UNIQUE_CHECK_PARTIAL;
	}
	return unique;
}

/*
 * Add the row in slot to the indexes of others: of any access method, of
 * expressions, or of some of the rows only; never unique.
 */
void
idem_key_insert_other_entries(IdemAnchor *anchor, TupleTableSlot *slot,
							  bool only_summarizing)
{
	EState	   *estate;
	ListCell   *lc;

	idem_key_open_indexes(anchor);
	if (anchor->others == NIL)
		return;
	estate = CreateExecutorState();
	GetPerTupleExprContext(estate)->ecxt_scantuple = slot;
	foreach(lc, anchor->others)
	{
		Relation	index = lfirst(lc);
		IndexInfo  *info = BuildIndexInfo(index);
		Datum		values[INDEX_MAX_KEYS];
		bool		isnull[INDEX_MAX_KEYS];

		if (!index->rd_index->indisready ||
			(only_summarizing && !idem_is_summarizing(index)))
			continue;
		if (info->ii_Predicate != NIL &&
			!ExecQual(ExecPrepareQual(info->ii_Predicate, estate),
					  GetPerTupleExprContext(estate)))
			continue;
		FormIndexDatum(info, slot, estate, values, isnull);
		(void) index_insert(index, values, isnull, &slot->tts_tid,
							anchor->table, UNIQUE_CHECK_NO, false, info);
		index_insert_cleanup(index, info);
	}
	FreeExecutorState(estate);
}

/*
 * Write the row of a key that a probe did not find.  False if a rival was
 * faster, or the key has just become too old: then nothing of ours is left,
 * and the caller probes again.
 */
bool
idem_key_insert(IdemAnchor *anchor, const IdemKey *key,
				Datum *values, bool *nulls)
{
	TupleTableSlot *slot =
		MakeSingleTupleTableSlot(RelationGetDescr(anchor->table),
								 &TTSOpsHeapTuple);
	TransactionId xid = GetCurrentTransactionId();
	uint32		token;
	bool		unique;

	idem_key_open_indexes(anchor);
	ExecStoreHeapTuple(idem_key_form_row(anchor, NULL, values, nulls), slot,
					   true);
	token = SpeculativeInsertionLockAcquire(xid);
	table_tuple_insert_speculative(anchor->table, slot,
								   GetCurrentCommandId(true), 0, NULL, token);
	unique = insert_index_entries(anchor, slot, values, nulls,
								  UNIQUE_CHECK_PARTIAL, false);
	/* from here on nobody else can take it: was it forgotten till now? */
	if (unique)
		unique = !idem_key_expired(key);
	if (unique)
	{
		idem_key_insert_other_entries(anchor, slot, false);
		idem_key_note_taken(&key->digest);
	}
	table_tuple_complete_speculative(anchor->table, slot, token, unique);
	SpeculativeInsertionLockRelease(xid);
	ExecDropSingleTupleTableSlot(slot);
	return unique;
}

/* The anchor of a claim whose effect is inside, as idem_key_insert. */
bool
idem_key_insert_anchor(IdemAnchor *anchor, const IdemKey *key,
					   bytea *fingerprint, TimestampTz first_seen, char state)
{
	Datum		values[Natts_anchor];
	bool		nulls[Natts_anchor] = {false};

	values[Anum_anchor_digest - 1] = UUIDPGetDatum(&key->digest);
	values[Anum_anchor_first_seen - 1] = TimestampTzGetDatum(first_seen);
	values[Anum_anchor_scope - 1] = Int32GetDatum(key->scope->id);
	values[Anum_anchor_state - 1] = CharGetDatum(state);
	values[Anum_anchor_key - 1] = PointerGetDatum(key->text);
	values[Anum_anchor_fingerprint - 1] = PointerGetDatum(fingerprint);
	values[Anum_anchor_response - 1] = (Datum) 0;
	nulls[Anum_anchor_response - 1] = true;
	return idem_key_insert(anchor, key, values, nulls);
}

/*
 * Write a new version of a row that is ours to change: locked by
 * idem_key_lock, or written by this transaction, so that there is nothing
 * to wait for.  Digest, scope and key stay.
 */
void
idem_key_update(IdemAnchor *anchor, const IdemFound *found,
				Datum *values, bool *nulls)
{
	TupleTableSlot *slot =
		MakeSingleTupleTableSlot(RelationGetDescr(anchor->table),
								 &TTSOpsHeapTuple);
	TM_FailureData failure;
	LockTupleMode lockmode;
	TU_UpdateIndexes update_indexes;
	TM_Result	result;

	ExecStoreHeapTuple(idem_key_form_row(anchor, found->tuple, values, nulls),
					   slot, true);
	/* the row may have been written by the same command, and has to be older */
	CommandCounterIncrement();
	result = table_tuple_update(anchor->table, &found->tuple->t_self, slot,
								GetCurrentCommandId(true), 0, InvalidSnapshot,
								InvalidSnapshot, true, &failure, &lockmode,
								&update_indexes);
	if (result != TM_Ok)
		elog(ERROR, "could not change an anchor: result %d", (int) result);
	/* after an update within the page only indexes that sum up pages */
	if (idem_updates_all_indexes(update_indexes))
		(void) insert_index_entries(anchor, slot, values, nulls,
									UNIQUE_CHECK_YES, true);
	if (update_indexes != TU_None)
		idem_key_insert_other_entries(anchor, slot,
									  !idem_updates_all_indexes(update_indexes));
	ExecDropSingleTupleTableSlot(slot);
}
