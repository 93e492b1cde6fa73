/*
 * machine_log.c
 *		One row a transition, kept for good.
 *
 * The row is written by the guard itself, in the statement it judged: there is
 * no transition without its history and no history without the transition. It
 * goes into heap and index directly, without privileges, row security or the
 * planner, so a bulk UPDATE pays for the storage only.
 *
 * The transitions of one row are numbered from 1, without a gap: the next one
 * gets the last number plus one, which is found by one descent of the primary
 * key.  No sequence is moved, because lastval() belongs to the application,
 * and no lock is taken: the transaction has written the guarded row, so every
 * earlier transition of it is committed or our own, and nobody can add one
 * until we end.  So the primary key is read with SnapshotSelf, which shows
 * what was committed after the snapshot of the statement and what this command
 * itself has written.
 *
 * Where a primary key contains the state (a table partitioned by it), two rows
 * may differ in nothing else and share one history.  Two transactions that
 * change one of them each compute the same number; the later one gets 40001.
 *
 * The numbers are the order in which the guard judged.  The versions of the
 * row were made in that order, too, but for one case: another AFTER trigger of
 * the table, fired before the guard's, changes the row again; the guard then
 * judges the second change first.  Therefore each row of the log keeps the
 * command that made the version, and within a transaction the rows are in the
 * order of the commands.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "rewrite/rewriteHandler.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

#include "base/arrive.h"
#include "base/idem_compat.h"
#include "base/named.h"
#include "machine/machine.h"

/* columns of idem.transition_log, in the order of its CREATE TABLE */
#define Anum_log_relation		1
#define Anum_log_n				2
#define Anum_log_command		3
#define Anum_log_state_column	4
#define Anum_log_key			5
#define Anum_log_from_state		6
#define Anum_log_to_state		7
#define Anum_log_event			8
#define Anum_log_at				9
#define Anum_log_transaction	10
#define Anum_log_session_role	11
#define Anum_log_role			12
#define Anum_log_actor			13
#define Anum_log_application	14
#define Natts_log				14

/* columns of its primary key; all but the last say which row it is about */
static const AttrNumber key_columns[] = {
	Anum_log_relation, Anum_log_key, Anum_log_state_column, Anum_log_n
};
#define LOG_KEYS		lengthof(key_columns)
#define LOG_ROW_KEYS	(LOG_KEYS - 1)

/* The log and its primary key, open */
typedef struct TransitionLog
{
	Relation	table;
	Relation	index;
	bool		as_made;		/* nobody added a column or an index */
} TransitionLog;

/* ---------- opening ---------- */

static bool
is_row_index(Relation index)
{
	int			i;

	if (index->rd_index->indnkeyatts != LOG_KEYS)
		return false;
	for (i = 0; i < LOG_KEYS; i++)
		if (index->rd_index->indkey.values[i] != key_columns[i])
			return false;
	return true;
}

/*
 * Open the log.  Its primary key is taken from its list of indexes once it is
 * locked: REINDEX CONCURRENTLY gives the name to another index.
 */
static void
open_log(TransitionLog *log, LOCKMODE lockmode)
{
	List	   *indexes;

	log->table = table_open(idem_extension_relation("transition_log"), lockmode);
	indexes = RelationGetIndexList(log->table);
	log->as_made = list_length(indexes) == 1 &&
		RelationGetNumberOfAttributes(log->table) == Natts_log;
	list_free(indexes);
	log->index = NULL;
	if (OidIsValid(log->table->rd_pkindex))
		log->index = index_open(log->table->rd_pkindex, lockmode);
	if (log->index == NULL || !is_row_index(log->index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" lacks its primary key, and cannot keep history",
						RelationGetRelationName(log->table)),
				 errhint("Restore the table as the extension made it.")));
}

static void
close_log(TransitionLog *log, LOCKMODE lockmode)
{
	index_close(log->index, lockmode);
	table_close(log->table, lockmode);
}

/* Scan keys that find the history of one row */
static void
row_keys(ScanKey keys, Oid relid, const char *column, const char *key)
{
	ScanKeyInit(&keys[0], Anum_log_relation, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	ScanKeyEntryInitialize(&keys[1], 0, Anum_log_key, BTEqualStrategyNumber,
						   InvalidOid, C_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(key));
	ScanKeyEntryInitialize(&keys[2], 0, Anum_log_state_column,
						   BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID,
						   F_TEXTEQ, CStringGetTextDatum(column));
}

/* ---------- writing ---------- */

/*
 * The number of the transition that follows the last one of a row.  The caller
 * has written the row in this transaction.
 */
static int32
next_number(TransitionLog *log, Oid relid, const char *column, const char *key)
{
	ScanKeyData keys[LOG_ROW_KEYS];
	SysScanDesc scan;
	HeapTuple	last;
	int32		n = 0;

	row_keys(keys, relid, column, key);
	scan = systable_beginscan_ordered(log->table, log->index, SnapshotSelf,
									  LOG_ROW_KEYS, keys);
	last = systable_getnext_ordered(scan, BackwardScanDirection);
	if (HeapTupleIsValid(last))
	{
		bool		isnull;

		n = DatumGetInt32(heap_getattr(last, Anum_log_n,
									   RelationGetDescr(log->table), &isnull));
	}
	systable_endscan_ordered(scan);
	if (n == PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a row cannot have more than %d transitions",
						PG_INT32_MAX)));
	return n + 1;
}

static void
put_text(Datum *values, bool *nulls, int number, const char *str)
{
	nulls[number - 1] = str == NULL;
	if (str != NULL)
		values[number - 1] = CStringGetTextDatum(str);
}

/* The value of the setting that says who acts; NULL if it is not set */
static const char *
actor_of(const char *setting)
{
	const char *value = setting == NULL ? NULL :
		GetConfigOption(setting, true, true);

	return value != NULL && *value != '\0' ? value : NULL;
}

/* Two rows of one history: the other one got the number. */
static void
refuse_number(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize the history of two rows"),
			 errdetail("Their primary keys differ in the state only, and another transaction changes the other row."),
			 errhint("The transaction might succeed if retried.")));
}

/* The entry in the primary key, where that is the only index. */
static void
insert_entry(TransitionLog *log, HeapTuple tuple, const Datum *values)
{
	IndexInfo  *info = makeNode(IndexInfo); /* a btree reads nothing of it */
	Datum		columns[LOG_KEYS];
	bool		nulls[LOG_KEYS] = {false};
	int			i;

	for (i = 0; i < LOG_KEYS; i++)
		columns[i] = values[key_columns[i] - 1];
	if (!index_insert(log->index, columns, nulls, &tuple->t_self, log->table,
					  UNIQUE_CHECK_PARTIAL, false, info))
		refuse_number();
	pfree(info);
}

/* The entries in all indexes, where an administrator has added some. */
static void
insert_entries(TransitionLog *log, HeapTuple tuple)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *info = makeNode(ResultRelInfo);
	TupleTableSlot *slot =
		MakeSingleTupleTableSlot(RelationGetDescr(log->table),
								 &TTSOpsHeapTuple);

	ExecStoreHeapTuple(tuple, slot, false);
	info->ri_RelationDesc = log->table;
	ExecOpenIndices(info, false);
	idem_insert_new_index_tuples(info, slot, estate);
	ExecCloseIndices(info);
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
}

/*
 * Columns that an administrator has added get their defaults.  What the
 * expression allocates goes with the memory of the call.
 */
static void
put_defaults(TransitionLog *log, Datum *values, bool *nulls)
{
	EState	   *estate = CreateExecutorState();
	int			i;

	for (i = Natts_log; i < RelationGetNumberOfAttributes(log->table); i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(log->table), i);
		Expr	   *expr = NULL;

		if (!att->attisdropped && att->attgenerated == '\0')
			expr = (Expr *) build_column_default(log->table, i + 1);
		nulls[i] = true;
		if (expr != NULL)
			values[i] = ExecEvalExpr(ExecPrepareExpr(expr, estate),
									 GetPerTupleExprContext(estate), &nulls[i]);
	}
}

static void
insert_row(TransitionLog *log, Datum *values, bool *nulls)
{
	HeapTuple	tuple;

	if (unlikely(!log->as_made))
		put_defaults(log, values, nulls);
	tuple = heap_form_tuple(RelationGetDescr(log->table), values, nulls);
	simple_heap_insert(log->table, tuple);
	if (likely(log->as_made))
		insert_entry(log, tuple, values);
	else
		insert_entries(log, tuple);
	heap_freetuple(tuple);
}

/*
 * Keep one transition of a row that this transaction has written, made by one
 * of its commands.  from, to, event and actor may be NULL.  Writes nothing
 * where the history of the origin arrives by logical replication.
 */
void
idem_log_transition(Oid relid, const char *column, const char *key,
					CommandId command, const char *from, const char *to,
					const char *event, const char *actor)
{
	TransitionLog log;
	Datum	   *values;
	bool	   *nulls;

	if (unlikely(idem_in_apply_worker()) &&
		idem_rows_arrive(idem_extension_relation("transition_log")))
		return;
	open_log(&log, RowExclusiveLock);
	values = palloc0(sizeof(Datum) * RelationGetNumberOfAttributes(log.table));
	nulls = palloc0(sizeof(bool) * RelationGetNumberOfAttributes(log.table));
	values[Anum_log_relation - 1] = ObjectIdGetDatum(relid);
	values[Anum_log_n - 1] =
		Int32GetDatum(next_number(&log, relid, column, key));
	values[Anum_log_command - 1] = CommandIdGetDatum(command);
	put_text(values, nulls, Anum_log_state_column, column);
	put_text(values, nulls, Anum_log_key, key);
	put_text(values, nulls, Anum_log_from_state, from);
	put_text(values, nulls, Anum_log_to_state, to);
	put_text(values, nulls, Anum_log_event, event);
	values[Anum_log_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_log_transaction - 1] =
		FullTransactionIdGetDatum(GetTopFullTransactionId());
	put_text(values, nulls, Anum_log_session_role,
			 GetUserNameFromId(GetSessionUserId(), false));
	put_text(values, nulls, Anum_log_role,
			 GetUserNameFromId(GetUserId(), false));
	put_text(values, nulls, Anum_log_actor, actor_of(actor));
	put_text(values, nulls, Anum_log_application, application_name);
	insert_row(&log, values, nulls);
	close_log(&log, NoLock);
}

/* ---------- reading ---------- */

static Datum
log_attribute(Relation log, HeapTuple tuple, int number)
{
	bool		isnull;

	return heap_getattr(tuple, number, RelationGetDescr(log), &isnull);
}

/* Was a made after b, in one transaction? */
static bool
is_later(Relation log, HeapTuple a, HeapTuple b)
{
	return DatumGetUInt64(log_attribute(log, a, Anum_log_transaction)) ==
		DatumGetUInt64(log_attribute(log, b, Anum_log_transaction)) &&
		DatumGetCommandId(log_attribute(log, a, Anum_log_command)) >
		DatumGetCommandId(log_attribute(log, b, Anum_log_command));
}

/* Put a row where its command belongs: at the end, but for odd triggers. */
static List *
put_in_order(Relation log, List *rows, HeapTuple tuple)
{
	int			at = list_length(rows);

	while (at > 0 && is_later(log, list_nth(rows, at - 1), tuple))
		at--;
	return list_insert_nth(rows, at, tuple);
}

/*
 * The history of one row in order, as copies in the current memory context;
 * snapshot NULL is the latest.
 */
static List *
read_rows(TransitionLog *log, Oid relid, const char *column, const char *key,
		  Snapshot snapshot)
{
	ScanKeyData keys[LOG_ROW_KEYS];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *rows = NIL;

	row_keys(keys, relid, column, key);
	scan = systable_beginscan_ordered(log->table, log->index, snapshot,
									  LOG_ROW_KEYS, keys);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan,
															 ForwardScanDirection)))
		rows = put_in_order(log->table, rows, heap_copytuple(tuple));
	systable_endscan_ordered(scan);
	return rows;
}

/*
 * Has the row ever entered this state, as far as is committed or ours?
 * Entries from before a deletion are those of another row, which had the key
 * then.
 */
bool
idem_log_has_entered(Oid relid, const char *column, const char *key,
					 const char *state)
{
	TransitionLog log;
	bool		entered = false;
	ListCell   *lc;

	open_log(&log, AccessShareLock);
	foreach(lc, read_rows(&log, relid, column, key, NULL))
	{
		bool		isnull;
		Datum		value = heap_getattr(lfirst(lc), Anum_log_to_state,
										 RelationGetDescr(log.table), &isnull);

		if (isnull)
			entered = false;
		else if (!entered)
			entered = strcmp(TextDatumGetCString(value), state) == 0;
	}
	close_log(&log, AccessShareLock);
	return entered;
}

/*
 * The session user that made the row: of its first entry, as far as is
 * committed or ours, since it was last deleted.  NULL: no history tells.
 */
char *
idem_log_maker(Oid relid, const char *column, const char *key)
{
	TransitionLog log;
	char	   *maker = NULL;
	ListCell   *lc;

	open_log(&log, AccessShareLock);
	foreach(lc, read_rows(&log, relid, column, key, NULL))
	{
		TupleDesc	desc = RelationGetDescr(log.table);
		bool		isnull;
		Datum		role = heap_getattr(lfirst(lc), Anum_log_session_role,
										desc, &isnull);

		(void) heap_getattr(lfirst(lc), Anum_log_to_state, desc, &isnull);
		if (isnull)
			maker = NULL;
		else if (maker == NULL)
			maker = TextDatumGetCString(role);
	}
	close_log(&log, AccessShareLock);
	return maker;
}

/* Nobody rewrites the table of the log until the transaction ends. */
void
idem_log_hold(void)
{
	LockRelationOid(idem_extension_relation("transition_log"),
					AccessShareLock);
}

/* Has the row of the log this state on that side? */
static bool
has_state(TransitionLog *log, HeapTuple tuple, int number, const char *state)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, number,
									 RelationGetDescr(log->table), &isnull);

	return !isnull && strcmp(TextDatumGetCString(value), state) == 0;
}

/*
 * When did the row enter the state that it stands in, by a snapshot?  False:
 * it has no history.  A loop from the state to itself does not begin it anew.
 * Where the last transition led elsewhere, the row was changed past the guard,
 * and has not been in its state for longer than since then.
 */
bool
idem_log_since(Oid relid, const char *column, const char *key,
			   const char *state, Snapshot snapshot, TimestampTz *since)
{
	TransitionLog log;
	ScanKeyData keys[LOG_ROW_KEYS];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	open_log(&log, AccessShareLock);
	row_keys(keys, relid, column, key);
	scan = systable_beginscan_ordered(log.table, log.index, snapshot,
									  LOG_ROW_KEYS, keys);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan,
															 BackwardScanDirection)))
	{
		*since = DatumGetTimestampTz(log_attribute(log.table, tuple,
												   Anum_log_at));
		found = true;
		if (!has_state(&log, tuple, Anum_log_to_state, state) ||
			!has_state(&log, tuple, Anum_log_from_state, state))
			break;
	}
	systable_endscan_ordered(scan);
	close_log(&log, AccessShareLock);
	return found;
}

/* What history() shows of a row of the log, in its order */
static const int history_columns[] = {
	Anum_log_at, Anum_log_from_state, Anum_log_to_state, Anum_log_event,
	Anum_log_transaction, Anum_log_session_role, Anum_log_role,
	Anum_log_actor, Anum_log_application
};

/*
 * Add what history() shows of one row to the result: the changes of the state
 * in the column, oldest first, of the row whose key is this text.
 */
void
idem_log_put_history(ReturnSetInfo *rsinfo, Oid relid, const char *column,
					 const char *key)
{
	TransitionLog log;
	ListCell   *lc;

	open_log(&log, AccessShareLock);
	foreach(lc, read_rows(&log, relid, column, key, GetActiveSnapshot()))
	{
		Datum		values[lengthof(history_columns)];
		bool		nulls[lengthof(history_columns)];
		int			i;

		for (i = 0; i < lengthof(history_columns); i++)
			values[i] = heap_getattr(lfirst(lc), history_columns[i],
									 RelationGetDescr(log.table), &nulls[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	close_log(&log, AccessShareLock);
}
