/*
 * key_log.c
 *		What is only ever added for a key: its attempts, evidence and late
 *		results.
 *
 * idem.attempt has one row for every attempt that was dispatched.  It is
 * numbered by the reservation, whose lock the dispatch holds.  An attempt that
 * has a row is never dispatched again (23505), not even if its reservation was
 * brought back from an older time.
 *
 * idem.evidence and idem.late_result number the rows of a key from 1 on, n
 * being one more than the last.  There is no sequence: it would hand out
 * numbers again after a crash, and change what lastval() tells the caller.
 * Not every writer holds the lock of a row of the key, since a key that is
 * retired has none; so each takes a lock on the key in the log, which it keeps
 * until its transaction ends.  Whoever reads the last number therefore sees
 * every number that was given: the others' transactions have ended.  Rows are
 * never changed, so the look needs no snapshot (SnapshotSelf), and is the same
 * at every isolation level: an old snapshot would give a number again.
 *
 * Rows go in without a plan, by the executor's insertion of one row, as the
 * owner of the table: what a database administrator has added to the table,
 * such as an index, is served.
 *
 * What is kept here is what somebody was told, so the commit is flushed.
 *
 * Locks: ROW EXCLUSIVE on the log; the key in it, for evidence and late
 * results, until the transaction ends.  Two calls for one key take turns.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/identity.h"
#include "send/send.h"

/* The columns with which the primary key of each of the logs begins. */
#define Anum_log_scope				1
#define Anum_log_key				2
#define Anum_log_number				3	/* n, or attempt */
#define LOG_KEYS					3

/* Columns of idem.attempt. */
#define Anum_attempt_token			4
#define Anum_attempt_dispatched_at	5
#define Anum_attempt_channel		6
#define Anum_attempt_serial			7
#define Anum_attempt_business_date	8
#define Anum_attempt_other_date		9
#define Natts_attempt				9

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

/* A row of one of the logs, about to be written. */
typedef struct LogRow
{
	Relation	log;
	Datum	   *values;			/* as many as the log has columns */
	bool	   *nulls;
} LogRow;

/* Open a log; 55000 if it has other columns than we gave it. */
static Relation
open_log(const char *name, int natts, LOCKMODE lockmode)
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

/* Begin a row of a log: all columns NULL but scope and key. */
static void
begin_row(LogRow *row, const char *name, int natts, const IdemKey *key)
{
	int			all;

	row->log = open_log(name, natts, RowExclusiveLock);
	all = RelationGetNumberOfAttributes(row->log);
	row->values = palloc0(sizeof(Datum) * all);
	row->nulls = palloc(sizeof(bool) * all);
	memset(row->nulls, true, sizeof(bool) * all);
	row->values[Anum_log_scope - 1] = Int32GetDatum(key->scope->id);
	row->nulls[Anum_log_scope - 1] = false;
	row->values[Anum_log_key - 1] = PointerGetDatum(key->text);
	row->nulls[Anum_log_key - 1] = false;
}

static void
put(LogRow *row, int attnum, Datum value)
{
	row->values[attnum - 1] = value;
	row->nulls[attnum - 1] = false;
}

/* NULL puts nothing. */
static void
put_pointer(LogRow *row, int attnum, const void *value)
{
	if (value != NULL)
		put(row, attnum, PointerGetDatum(value));
}

static void
put_string(LogRow *row, int attnum, const char *value)
{
	if (value != NULL)
		put(row, attnum, CStringGetTextDatum(value));
}

/* 0 puts nothing. */
static void
put_time(LogRow *row, int attnum, TimestampTz value)
{
	if (value != 0)
		put(row, attnum, TimestampTzGetDatum(value));
}

static void
put_number(LogRow *row, int attnum, int32 value)
{
	if (value != 0)
		put(row, attnum, Int32GetDatum(value));
}

/* Insert the row as the executor would, as the owner of the log. */
static void
insert_row(LogRow *row)
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
	idem_flush();
}

/*
 * Scan the primary key of a log for rows of a key, newest number first; of one
 * number, if it is not 0.
 */
static SysScanDesc
begin_scan(Relation log, Relation *index, const IdemKey *key, int32 number)
{
	ScanKeyData keys[LOG_KEYS];

	list_free(RelationGetIndexList(log));	/* so that rd_pkindex is known */
	if (!OidIsValid(log->rd_pkindex))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no primary key",
						RelationGetRelationName(log)),
				 errhint("Restore the table as the extension made it.")));
	*index = index_open(log->rd_pkindex, AccessShareLock);
	ScanKeyInit(&keys[0], Anum_log_scope, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(key->scope->id));
	ScanKeyEntryInitialize(&keys[1], 0, Anum_log_key, BTEqualStrategyNumber,
						   InvalidOid, C_COLLATION_OID, F_TEXTEQ,
						   PointerGetDatum(key->text));
	ScanKeyInit(&keys[2], Anum_log_number, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(number));
	return systable_beginscan_ordered(log, *index, SnapshotSelf,
									  number == 0 ? 2 : 3, keys);
}

static void
end_scan(SysScanDesc scan, Relation index)
{
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
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
	Relation	index;
	SysScanDesc scan = begin_scan(log, &index, key, 0);
	HeapTuple	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	int32		last = 0;
	bool		isnull;

	if (HeapTupleIsValid(tuple))
		last = DatumGetInt32(heap_getattr(tuple, Anum_log_number,
										  RelationGetDescr(log), &isnull));
	end_scan(scan, index);
	return last + 1;
}

/* Begin a row of idem.evidence or idem.late_result: which, when, by whom. */
static void
begin_numbered_row(LogRow *row, const char *name, int natts,
				   const IdemKey *key)
{
	NameData   *role = palloc0(sizeof(NameData));

	namestrcpy(role, GetUserNameFromId(GetSessionUserId(), false));
	begin_row(row, name, natts, key);
	lock_key(row->log, key);
	put(row, Anum_log_number, Int32GetDatum(next_number(row->log, key)));
	put(row, Anum_log_scope_created_at,
		TimestampTzGetDatum(key->scope->created_at));
	put(row, Anum_log_at, TimestampTzGetDatum(GetCurrentTimestamp()));
	put(row, Anum_log_role, NameGetDatum(role));
}

/* Keep who said what of a key, and why, in idem.evidence. */
void
idem_keep_evidence(const IdemKey *key, const IdemEvidence *evidence)
{
	LogRow		row;

	begin_numbered_row(&row, "evidence", Natts_evidence, key);
	put_string(&row, Anum_evidence_action, evidence->action);
	put_string(&row, Anum_evidence_outcome, evidence->outcome);
	put_number(&row, Anum_evidence_attempt, evidence->attempt);
	put_pointer(&row, Anum_evidence_evidence, evidence->evidence);
	put_pointer(&row, Anum_evidence_response, evidence->response);
	put_string(&row, Anum_evidence_reason, evidence->reason);
	put_time(&row, Anum_evidence_asked_at, evidence->asked_at);
	insert_row(&row);
}

/* Keep a result that changes nothing in idem.late_result. */
void
idem_keep_late_result(const IdemKey *key, const IdemLateResult *late)
{
	LogRow		row;

	begin_numbered_row(&row, "late_result", Natts_late, key);
	if (late->token != 0)
		put(&row, Anum_late_token, Int64GetDatum(late->token));
	put_number(&row, Anum_late_attempt, late->attempt);
	put_string(&row, Anum_late_outcome, late->outcome);
	put_pointer(&row, Anum_late_response, late->response);
	put_pointer(&row, Anum_late_evidence, late->evidence);
	put_time(&row, Anum_late_asked_at, late->asked_at);
	put_string(&row, Anum_late_state, late->state);
	put(&row, Anum_late_newest, Int64GetDatum(late->newest));
	insert_row(&row);
}

/*
 * Keep that the attempt of a locked reservation was dispatched, in the
 * transaction that changes the state.
 */
void
idem_keep_attempt(const IdemCall *call, const IdemAttempt *attempt)
{
	const IdemReservation *reservation = &call->row;
	LogRow		row;

	begin_row(&row, "attempt", Natts_attempt, &call->key);
	put(&row, Anum_log_number, Int32GetDatum(reservation->attempt));
	put(&row, Anum_attempt_token, Int64GetDatum(reservation->token));
	put(&row, Anum_attempt_dispatched_at,
		TimestampTzGetDatum(reservation->dispatched_at));
	put_pointer(&row, Anum_attempt_channel, attempt->channel);
	put_pointer(&row, Anum_attempt_serial, attempt->serial);
	if (attempt->has_date)
		put(&row, Anum_attempt_business_date,
			DateADTGetDatum(attempt->business_date));
	if (attempt->has_other_date)
		put(&row, Anum_attempt_other_date,
			DateADTGetDatum(attempt->other_date));
	insert_row(&row);
}

/* The text of a column, copied; NULL if it is null. */
static text *
text_of(HeapTuple tuple, TupleDesc desc, int attnum)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attnum, desc, &isnull);

	return isnull ? NULL : DatumGetTextPCopy(value);
}

/* The date of a column; false if it is null. */
static bool
date_of(HeapTuple tuple, TupleDesc desc, int attnum, DateADT *date)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attnum, desc, &isnull);

	if (!isnull)
		*date = DatumGetDateADT(value);
	return !isnull;
}

/*
 * What is known of an attempt that was dispatched, of a reservation that is
 * locked or committed.  Nothing, if the row is not there: it is older than the
 * table, or was taken away by hand.
 */
void
idem_read_attempt(const IdemKey *key, int32 number, IdemAttempt *attempt)
{
	Relation	log = open_log("attempt", Natts_attempt, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(log);
	Relation	index;
	SysScanDesc scan = begin_scan(log, &index, key, number);
	HeapTuple	tuple = systable_getnext_ordered(scan, ForwardScanDirection);

	memset(attempt, 0, sizeof(*attempt));
	if (HeapTupleIsValid(tuple))
	{
		attempt->channel = text_of(tuple, desc, Anum_attempt_channel);
		attempt->serial = text_of(tuple, desc, Anum_attempt_serial);
		attempt->has_date = date_of(tuple, desc, Anum_attempt_business_date,
									&attempt->business_date);
		attempt->has_other_date = date_of(tuple, desc,
										  Anum_attempt_other_date,
										  &attempt->other_date);
	}
	end_scan(scan, index);
	table_close(log, NoLock);
}
