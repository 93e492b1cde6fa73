/*
 * key_log.c
 *		Logs of a key, to which rows are only added: evidence and late results,
 *		and functions for other logs of keys.
 *
 * idem.evidence and idem.late_result number the rows of a key from 1 on, n
 * being one more than the last.  There is no sequence: it would hand out
 * numbers again after a crash, and change what lastval() tells the caller. Not
 * every writer holds the lock of a row of the key, since a key that is retired
 * has none; so each takes a lock on the key in the log, which it keeps until
 * its transaction ends.  So a session that reads the last number sees every
 * number that was given, because the other transactions have ended.  Rows are
 * never changed, so the look needs no snapshot (SnapshotSelf), and is the same
 * at every isolation level: an old snapshot would give a number again.
 *
 * Rows go in without a plan, by the executor's insertion of one row, as the
 * owner of the table: so an index that an administrator has added gets its
 * entries.
 *
 * These rows keep statements of callers, so the commit is flushed; but a
 * confirmation is as durable as the claim that it is about.
 *
 * Locks: ROW EXCLUSIVE on the log; the key in it, for evidence and late
 * results, until the transaction ends.  Two calls for one key take turns.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/durable.h"
#include "base/identity.h"
#include "base/named.h"
#include "key/key_log.h"

/* columns of the primary key of a log */
#define LOG_KEYS					3

/* What idem.evidence and idem.late_result have in common. */
#define Anum_log_scope_created_at	4
#define Anum_log_at					5
#define Anum_log_role				6

/* The others of idem.late_result. */
#define Anum_late_token				7
#define Anum_late_attempt			8
#define Anum_late_outcome			9
#define Anum_late_response			10
#define Anum_late_evidence			11
#define Anum_late_asked_at			12
#define Anum_late_via				13
#define Anum_late_codes				14
#define Anum_late_mismatch			15
#define Anum_late_state				16
#define Anum_late_newest			17
#define Natts_late					17

/* The others of idem.evidence. */
#define Anum_evidence_action		7
#define Anum_evidence_outcome		8
#define Anum_evidence_attempt		9
#define Anum_evidence_evidence		10
#define Anum_evidence_response		11
#define Anum_evidence_reason		12
#define Anum_evidence_asked_at		13
#define Anum_evidence_via			14
#define Anum_evidence_codes			15
#define Anum_evidence_settled		16
#define Natts_evidence				16

/* Open a log; 55000 if it has other columns than we gave it. */
Relation
idem_key_log_open(const char *name, int natts, LOCKMODE lockmode)
{
	Relation	log = table_open(idem_extension_relation(name), lockmode);

	if (RelationGetNumberOfAttributes(log) < natts)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" lacks columns, and cannot be written",
						RelationGetRelationName(log)),
				 errhint("Restore the table as the extension made it.")));
	return log;
}

/* Begin a row of a log: all columns are NULL but scope and key. */
void
idem_key_log_begin(IdemKeyLogRow *row, const char *name, int natts,
				   const IdemKey *key)
{
	int			all;

	row->log = idem_key_log_open(name, natts, RowExclusiveLock);
	all = RelationGetNumberOfAttributes(row->log);
	row->values = palloc0(sizeof(Datum) * all);
	row->nulls = palloc(sizeof(bool) * all);
	memset(row->nulls, true, sizeof(bool) * all);
	row->values[Anum_key_log_scope - 1] = Int32GetDatum(key->scope->id);
	row->nulls[Anum_key_log_scope - 1] = false;
	row->values[Anum_key_log_key - 1] = PointerGetDatum(key->text);
	row->nulls[Anum_key_log_key - 1] = false;
}

/* Put the value, a text or NULL, into the column of that number. */
void
idem_key_log_put(IdemKeyLogRow *row, int attnum, Datum value)
{
	row->values[attnum - 1] = value;
	row->nulls[attnum - 1] = false;
}

/* NULL puts nothing. */
void
idem_key_log_put_pointer(IdemKeyLogRow *row, int attnum, const void *value)
{
	if (value != NULL)
		idem_key_log_put(row, attnum, PointerGetDatum(value));
}

static void
put_string(IdemKeyLogRow *row, int attnum, const char *value)
{
	if (value != NULL)
		idem_key_log_put(row, attnum, CStringGetTextDatum(value));
}

/* 0 puts nothing. */
static void
put_time(IdemKeyLogRow *row, int attnum, TimestampTz value)
{
	if (value != 0)
		idem_key_log_put(row, attnum, TimestampTzGetDatum(value));
}

static void
put_number(IdemKeyLogRow *row, int attnum, int32 value)
{
	if (value != 0)
		idem_key_log_put(row, attnum, Int32GetDatum(value));
}

/*
 * Insert the row as the executor would, as the owner of the log.  It need not
 * be flushed: it is about something that commits with it.
 */
void
idem_key_log_add(IdemKeyLogRow *row)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *info = makeNode(ResultRelInfo);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(row->log),
													&TTSOpsHeapTuple);
	IdemIdentity saved;

	idem_become_declarer(row->log, &saved);
	InitResultRelInfo(info, row->log, 0, NULL, 0);
	ExecOpenIndices(info, false);
	AfterTriggerBeginQuery();
	ExecStoreHeapTuple(heap_form_tuple(RelationGetDescr(row->log),
									   row->values, row->nulls), slot, true);
	ExecSimpleRelationInsert(info, estate, slot);
	AfterTriggerEndQuery(estate);
	ExecCloseIndices(info);
	idem_restore_identity(&saved);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	table_close(row->log, NoLock);
}

/* The same, and the commit is flushed. */
void
idem_key_log_insert(IdemKeyLogRow *row)
{
	idem_key_log_add(row);
	idem_flush();
}

/* The primary key of a log, open; 55000 if it has none. */
static Relation
open_index(Relation log)
{
	list_free(RelationGetIndexList(log));	/* so that rd_pkindex is known */
	if (!OidIsValid(log->rd_pkindex))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no primary key",
						RelationGetRelationName(log)),
				 errhint("Restore the table as the extension made it.")));
	return index_open(log->rd_pkindex, AccessShareLock);
}

/* The rows of a key, those with this number if so many are used. */
static void
init_scan_keys(ScanKeyData *keys, const IdemKey *key, int32 number)
{
	ScanKeyInit(&keys[0], Anum_key_log_scope, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(key->scope->id));
	ScanKeyEntryInitialize(&keys[1], 0, Anum_key_log_key,
						   BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID,
						   F_TEXTEQ, PointerGetDatum(key->text));
	ScanKeyInit(&keys[2], Anum_key_log_number, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(number));
}

/*
 * The row of a key with this number, or with the last one for number 0; a
 * copy, or NULL.
 */
HeapTuple
idem_key_log_find(Relation log, const IdemKey *key, int32 number)
{
	Relation	index = open_index(log);
	ScanKeyData keys[LOG_KEYS];
	SysScanDesc scan;
	HeapTuple	tuple;

	init_scan_keys(keys, key, number);
	scan = systable_beginscan_ordered(log, index, SnapshotSelf,
									  number == 0 ? LOG_KEYS - 1 : LOG_KEYS,
									  keys);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	return tuple;
}

/* The word of a row of idem.evidence that a key is no duplicate */
#define CONFIRMED "confirm"

/* The evidence of a confirmation: of which members it is said. */
static char *
members_text(const pg_uuid_t *members)
{
	return psprintf("{\"members\": \"%s\"}",
					DatumGetCString(DirectFunctionCall1(uuid_out,
														UUIDPGetDatum(members))));
}

static bool
is_confirmation(Relation log, HeapTuple tuple, const IdemKey *key,
				const pg_uuid_t *members)
{
	TupleDesc	desc = RelationGetDescr(log);
	bool		isnull;
	Datum		evidence;
	Datum		made = heap_getattr(tuple, Anum_log_scope_created_at, desc,
									&isnull);
	Datum		action = heap_getattr(tuple, Anum_evidence_action, desc,
									  &isnull);

	if (DatumGetTimestampTz(made) != key->scope->created_at ||
		strcmp(TextDatumGetCString(action), CONFIRMED) != 0)
		return false;
	evidence = heap_getattr(tuple, Anum_evidence_evidence, desc, &isnull);
	return !isnull &&
		strcmp(DatumGetCString(DirectFunctionCall1(jsonb_out, evidence)),
			   members_text(members)) == 0;
}

/*
 * Has somebody said that the key, with these members, is no duplicate of
 * another one?  In this transaction, or in one that is committed now; and when
 * was it said last?
 */
bool
idem_key_was_confirmed(const IdemKey *key, const pg_uuid_t *members,
					   TimestampTz *at)
{
	Relation	log = idem_key_log_open("evidence", Natts_evidence,
										AccessShareLock);
	Relation	index = open_index(log);
	ScanKeyData keys[LOG_KEYS];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		confirmed = false;

	init_scan_keys(keys, key, 0);
	scan = systable_beginscan_ordered(log, index, SnapshotSelf, LOG_KEYS - 1,
									  keys);
	while (!confirmed && HeapTupleIsValid(tuple =
										  systable_getnext_ordered(scan, BackwardScanDirection)))
	{
		bool		isnull;

		confirmed = is_confirmation(log, tuple, key, members);
		if (confirmed && at != NULL)
			*at = DatumGetTimestampTz(heap_getattr(tuple, Anum_log_at,
												   RelationGetDescr(log),
												   &isnull));
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(log, AccessShareLock);
	return confirmed;
}

/*
 * Take turns with other writers of the key in this log, until the end of the
 * transaction.
 */
static void
lock_key(Relation log, const IdemKey *key)
{
	uint32		hash = hash_bytes_uint32((uint32) key->scope->id) ^
		hash_bytes((const unsigned char *) VARDATA_ANY(key->text),
				   VARSIZE_ANY_EXHDR(key->text));

	LockDatabaseObject(RelationGetRelid(log), hash, 0, ExclusiveLock);
}

/* The number after the last one of the key; it is locked. */
static int32
next_number(Relation log, const IdemKey *key)
{
	HeapTuple	last = idem_key_log_find(log, key, 0);
	bool		isnull;

	if (last == NULL)
		return 1;
	return DatumGetInt32(heap_getattr(last, Anum_key_log_number,
									  RelationGetDescr(log), &isnull)) + 1;
}

/* Begin a row of idem.evidence or idem.late_result: which, when, by whom. */
static void
begin_numbered_row(IdemKeyLogRow *row, const char *name, int natts,
				   const IdemKey *key)
{
	NameData   *role = palloc0(sizeof(NameData));

	namestrcpy(role, GetUserNameFromId(GetSessionUserId(), false));
	idem_key_log_begin(row, name, natts, key);
	lock_key(row->log, key);
	idem_key_log_put(row, Anum_key_log_number,
					 Int32GetDatum(next_number(row->log, key)));
	idem_key_log_put(row, Anum_log_scope_created_at,
					 TimestampTzGetDatum(key->scope->created_at));
	idem_key_log_put(row, Anum_log_at,
					 TimestampTzGetDatum(GetCurrentTimestamp()));
	idem_key_log_put(row, Anum_log_role, NameGetDatum(role));
}

/*
 * Keep in idem.evidence that a person says a key, with these members, is no
 * duplicate, and why.  It need not be flushed if the claim that it is about
 * commits with it.
 */
void
idem_key_keep_confirmation(const IdemKey *key, const pg_uuid_t *members,
						   const char *reason)
{
	IdemKeyLogRow row;

	begin_numbered_row(&row, "evidence", Natts_evidence, key);
	put_string(&row, Anum_evidence_action, CONFIRMED);
	put_string(&row, Anum_evidence_outcome, "confirmed");
	idem_key_log_put(&row, Anum_evidence_evidence,
					 DirectFunctionCall1(jsonb_in,
										 CStringGetDatum(members_text(members))));
	put_string(&row, Anum_evidence_reason, reason);
	idem_key_log_add(&row);
}

/* Keep a statement about a key in idem.evidence: who made it, and why. */
void
idem_key_keep_evidence(const IdemKey *key, const IdemEvidence *evidence)
{
	IdemKeyLogRow row;

	begin_numbered_row(&row, "evidence", Natts_evidence, key);
	put_string(&row, Anum_evidence_action, evidence->action);
	put_string(&row, Anum_evidence_outcome, evidence->outcome);
	put_number(&row, Anum_evidence_attempt, evidence->attempt);
	idem_key_log_put_pointer(&row, Anum_evidence_evidence, evidence->evidence);
	idem_key_log_put_pointer(&row, Anum_evidence_response, evidence->response);
	put_string(&row, Anum_evidence_reason, evidence->reason);
	put_time(&row, Anum_evidence_asked_at, evidence->asked_at);
	put_string(&row, Anum_evidence_via, evidence->via);
	idem_key_log_put_pointer(&row, Anum_evidence_codes, evidence->codes);
	if (evidence->has_settled_amount)
		idem_key_log_put(&row, Anum_evidence_settled,
						 evidence->settled_amount);
	idem_key_log_insert(&row);
}

/* Keep a result that changes nothing in idem.late_result. */
void
idem_key_keep_late_result(const IdemKey *key, const IdemLateResult *late)
{
	IdemKeyLogRow row;

	begin_numbered_row(&row, "late_result", Natts_late, key);
	if (late->token != 0)
		idem_key_log_put(&row, Anum_late_token, Int64GetDatum(late->token));
	put_number(&row, Anum_late_attempt, late->attempt);
	put_string(&row, Anum_late_outcome, late->outcome);
	idem_key_log_put_pointer(&row, Anum_late_response, late->response);
	idem_key_log_put_pointer(&row, Anum_late_evidence, late->evidence);
	put_time(&row, Anum_late_asked_at, late->asked_at);
	put_string(&row, Anum_late_via, late->via);
	idem_key_log_put_pointer(&row, Anum_late_codes, late->codes);
	idem_key_log_put_pointer(&row, Anum_late_mismatch, late->mismatch);
	put_string(&row, Anum_late_state, late->state);
	idem_key_log_put(&row, Anum_late_newest, Int64GetDatum(late->newest));
	idem_key_log_insert(&row);
}
