/*
 * claim_anchor.c
 *		The table of anchors: one row a key, for ever.
 *
 * What decides is the unique index on the digest.  A probe of that index with
 * a dirty snapshot answers early, and sees rivals that have not committed, so
 * nobody waits for them; where it finds nothing the row is inserted
 * speculatively, and if the index then reports another one the row is taken
 * back and the probe runs again.  A probe alone could miss a row that is being
 * updated; the index cannot.
 *
 * Locks: ROW EXCLUSIVE on the table until the end of the transaction, ACCESS
 * SHARE where it is only read.  The only wait is for a rival in the middle of its own insert, between its row
 * and its index entry.
 *
 * Straight on the table and index access methods: no plan, no executor.  So
 * nothing may hang on the table that only an executor would see to (a
 * trigger, another index): such a table is refused.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/idem_compat.h"
#include "claim/claim.h"

/* A plain unique btree on the digest: ours, or its copy during REINDEX? */
static bool
is_digest_index(Relation index)
{
	return index->rd_rel->relam == BTREE_AM_OID &&
		index->rd_index->indisunique && index->rd_index->indimmediate &&
		index->rd_index->indnatts == 1 &&
		index->rd_index->indkey.values[0] == Anum_anchor_digest &&
		heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);
}

static void
refuse_table(Relation table, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" has %s, and cannot take claims",
					RelationGetRelationName(table), what),
			 errhint("Restore the table as the extension made it.")));
}

/*
 * Open table and index, to write or only to read; 55000 if they are not as we
 * made them.
 */
void
idem_anchor_open(IdemAnchor *anchor, LOCKMODE lockmode)
{
	List	   *oids;
	ListCell   *lc;

	anchor->table = table_open(idem_anchor_relid(), lockmode);
	anchor->arbiter = NULL;
	anchor->indexes = NIL;
	if (RelationGetNumberOfAttributes(anchor->table) != Natts_anchor)
		refuse_table(anchor->table, "other columns");
	if (anchor->table->trigdesc != NULL)
		refuse_table(anchor->table, "a trigger");

	oids = RelationGetIndexList(anchor->table);
	foreach(lc, oids)
	{
		Relation	index = index_open(lfirst_oid(lc), lockmode);

		if (!is_digest_index(index))
			refuse_table(anchor->table, "another index");
		if (index->rd_index->indisvalid && anchor->arbiter == NULL)
			anchor->arbiter = index;
		anchor->indexes = lappend(anchor->indexes, index);
	}
	list_free(oids);
	if (anchor->arbiter == NULL)
		refuse_table(anchor->table, "no valid unique index");
}

/* Locks stay until the end of the transaction. */
void
idem_anchor_close(IdemAnchor *anchor)
{
	ListCell   *lc;

	foreach(lc, anchor->indexes)
		index_close((Relation) lfirst(lc), NoLock);
	list_free(anchor->indexes);
	table_close(anchor->table, NoLock);
}

static IndexScanDesc
begin_scan(IdemAnchor *anchor, const IdemKey *key, Snapshot snapshot)
{
	IndexScanDesc scan = index_beginscan(anchor->table, anchor->arbiter,
										 snapshot, NULL, 1, 0, SO_NONE);
	ScanKeyData scankey;

	ScanKeyInit(&scankey, 1, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(&key->digest));
	index_rescan(scan, &scankey, 1, NULL, 0);
	return scan;
}

/*
 * Keep the row in the slot.  The key itself is compared too: two keys of one
 * digest must end as an error, never as the answer of the other.
 */
static void
keep_row(IdemAnchor *anchor, const IdemKey *key, TupleTableSlot *slot,
		 IdemHeld held, IdemFound *found)
{
	text	   *stored;

	found->held = held;
	found->tuple = ExecCopySlotHeapTuple(slot);
	heap_deform_tuple(found->tuple, RelationGetDescr(anchor->table),
					  found->values, found->nulls);
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
 * Who holds a row that a dirty snapshot sees?  An update that has not
 * committed leaves the row as it is whatever becomes of it; a delete may
 * free the key.
 */
static IdemHeld
who_holds(TupleTableSlot *slot, Snapshot dirty, TransactionId *rival)
{
	HeapTupleHeader row = ((HeapTupleTableSlot *) slot)->tuple->t_data;

	*rival = dirty->xmin;
	if (TransactionIdIsValid(dirty->xmin))
		return IDEM_HELD_RIVAL;
	if (TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row)))
		return IDEM_HELD_OWN;
	*rival = dirty->xmax;
	if (TransactionIdIsValid(dirty->xmax) &&
		(row->t_infomask2 & HEAP_KEYS_UPDATED) != 0)
		return IDEM_HELD_RIVAL;
	return IDEM_HELD_COMMITTED;
}

/*
 * One look.  All rows of the key are looked at: a committed one counts, also
 * while a rival is updating it.  True if the answer stands; false if a rival
 * was found in the middle of its insert, and dirty says which.
 */
static bool
probe_once(IdemAnchor *anchor, const IdemKey *key, TupleTableSlot *slot,
		   SnapshotData *dirty, IdemFound *found)
{
	IndexScanDesc scan = begin_scan(anchor, key, dirty);
	bool		stands = true;

	found->held = IDEM_HELD_NOT;
	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		IdemHeld	held;
		TransactionId rival;

		if (dirty->speculativeToken != 0)
		{
			stands = false;
			break;
		}
		held = who_holds(slot, dirty, &rival);
		found->rival = rival;
		keep_row(anchor, key, slot, held, found);
		if (held != IDEM_HELD_RIVAL)
			break;
	}
	index_endscan(scan);
	return stands;
}

/* Who has the key at this moment, committed or not. */
void
idem_anchor_probe(IdemAnchor *anchor, const IdemKey *key, IdemFound *found)
{
	TupleTableSlot *slot = table_slot_create(anchor->table, NULL);
	SnapshotData dirty;

	InitDirtySnapshot(dirty);
	while (!probe_once(anchor, key, slot, &dirty, found))
	{
		SpeculativeInsertionWait(dirty.xmin, dirty.speculativeToken);
		CHECK_FOR_INTERRUPTS();
	}
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * The row as the transaction's snapshot sees it; false if it does not.  An
 * ordinary read, so that SERIALIZABLE knows of it, also of finding nothing.
 */
bool
idem_anchor_read(IdemAnchor *anchor, const IdemKey *key, IdemFound *found)
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

/* Add the row in slot to the indexes; false if one of them has the key. */
static bool
insert_index_entries(IdemAnchor *anchor, TupleTableSlot *slot, Datum digest,
					 IndexUniqueCheck check, bool unchanged)
{
	bool		unique = true;
	ListCell   *lc;

	foreach(lc, anchor->indexes)
	{
		Relation	index = lfirst(lc);
		bool		isnull = false;

		/* a copy that REINDEX has only begun to make */
		if (!index->rd_index->indisready)
			continue;
		if (!index_insert(index, &digest, &isnull, &slot->tts_tid,
						  anchor->table, check, unchanged,
						  BuildIndexInfo(index)))
			unique = check != UNIQUE_CHECK_PARTIAL;
	}
	return unique;
}

/*
 * Write the anchor of a key that a probe did not find.  False if somebody was
 * faster: then nothing is left of ours, and the caller probes again.
 */
bool
idem_anchor_insert(IdemAnchor *anchor, const IdemKey *key,
				   bytea *fingerprint, TimestampTz first_seen)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(anchor->table),
													&TTSOpsHeapTuple);
	TransactionId xid = GetCurrentTransactionId();
	Datum		values[Natts_anchor];
	bool		nulls[Natts_anchor] = {false};
	uint32		token;
	bool		unique;

	values[Anum_anchor_digest - 1] = UUIDPGetDatum(&key->digest);
	values[Anum_anchor_first_seen - 1] = TimestampTzGetDatum(first_seen);
	values[Anum_anchor_scope - 1] = Int32GetDatum(key->scope->id);
	values[Anum_anchor_state - 1] = CharGetDatum(IDEM_STATE_CLAIMED);
	values[Anum_anchor_key - 1] = PointerGetDatum(key->text);
	values[Anum_anchor_fingerprint - 1] = PointerGetDatum(fingerprint);
	values[Anum_anchor_response - 1] = (Datum) 0;
	nulls[Anum_anchor_response - 1] = true;
	ExecStoreHeapTuple(heap_form_tuple(RelationGetDescr(anchor->table),
									   values, nulls), slot, true);

	token = SpeculativeInsertionLockAcquire(xid);
	table_tuple_insert_speculative(anchor->table, slot,
								   GetCurrentCommandId(true), 0, NULL, token);
	unique = insert_index_entries(anchor, slot, values[Anum_anchor_digest - 1],
								  UNIQUE_CHECK_PARTIAL, false);
	table_tuple_complete_speculative(anchor->table, slot, token, unique);
	SpeculativeInsertionLockRelease(xid);
	ExecDropSingleTupleTableSlot(slot);
	return unique;
}

/*
 * Complete the anchor that this transaction wrote: nobody else can see it, so
 * there is nothing to wait for.
 */
void
idem_anchor_complete(IdemAnchor *anchor, const IdemFound *found,
					 Datum response, bool no_response)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(anchor->table),
													&TTSOpsHeapTuple);
	Datum		values[Natts_anchor];
	bool		nulls[Natts_anchor];
	TM_FailureData failure;
	LockTupleMode lockmode;
	TU_UpdateIndexes update_indexes;
	TM_Result	result;

	memcpy(values, found->values, sizeof(values));
	memcpy(nulls, found->nulls, sizeof(nulls));
	values[Anum_anchor_state - 1] = CharGetDatum(IDEM_STATE_SUCCEEDED);
	values[Anum_anchor_response - 1] = response;
	nulls[Anum_anchor_response - 1] = no_response;
	ExecStoreHeapTuple(heap_form_tuple(RelationGetDescr(anchor->table),
									   values, nulls), slot, true);

	/* the claim may be of the same command, and has to be older */
	CommandCounterIncrement();
	result = table_tuple_update(anchor->table, &found->tuple->t_self, slot,
								GetCurrentCommandId(true), 0, InvalidSnapshot,
								InvalidSnapshot, true, &failure, &lockmode,
								&update_indexes);
	if (result != TM_Ok)
		elog(ERROR, "could not complete a claim: result %d", (int) result);
	if (update_indexes != TU_None)
		(void) insert_index_entries(anchor, slot,
									values[Anum_anchor_digest - 1],
									UNIQUE_CHECK_YES, true);
	ExecDropSingleTupleTableSlot(slot);
}
