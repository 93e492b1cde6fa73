/*
 * machine_log.c
 *		One row a transition, kept for good.
 *
 * The row is written by the guard itself, in the statement it judged: there
 * is no transition without its history and no history without the transition.
 * It goes into heap and indexes directly: no privileges, no row security and
 * no planner are between, and a bulk UPDATE pays for the storage only.
 *
 * The order of one row's history is the order in which its versions were
 * made.  Rows are written in that order, but for one case: another AFTER
 * trigger of the table, fired before the guard's, changes the row again; the
 * guard then judges the second change first.  Therefore each row of the log
 * keeps the command that made the version, and within a transaction it is the
 * command that orders.  Two transactions take turns: the row lock sees to it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_collation.h"
#include "commands/sequence.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

#include "base/idem_compat.h"
#include "machine/machine.h"

/* columns of idem.transition_log, in the order of its CREATE TABLE */
#define Anum_log_id				1
#define Anum_log_relation		2
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

/* columns of its index transition_log_row */
#define LOG_ROW_KEYS			3

static void
put_text(Datum *values, bool *nulls, int number, const char *text)
{
	nulls[number - 1] = text == NULL;
	if (text != NULL)
		values[number - 1] = CStringGetTextDatum(text);
}

/* The value of the setting that says who acts; NULL if it is not set */
static const char *
actor_of(const char *setting)
{
	const char *value = setting == NULL ? NULL :
		GetConfigOption(setting, true, true);

	return value != NULL && *value != '\0' ? value : NULL;
}

/*
 * Keep one transition, made by a command of this transaction.  from, to, event
 * and actor may be NULL.
 */
void
idem_log_transition(Oid relid, const char *column, const char *key,
					CommandId command, const char *from, const char *to,
					const char *event, const char *actor)
{
	Relation	log = table_open(idem_extension_relation("transition_log"),
								 RowExclusiveLock);
	Datum		values[Natts_log] = {0};
	bool		nulls[Natts_log] = {false};
	HeapTuple	tuple;

	values[Anum_log_id - 1] =
		Int64GetDatum(nextval_internal(idem_extension_relation("transition_log_id_seq"),
									   false));
	values[Anum_log_relation - 1] = ObjectIdGetDatum(relid);
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

	tuple = heap_form_tuple(RelationGetDescr(log), values, nulls);
	CatalogTupleInsert(log, tuple);
	heap_freetuple(tuple);
	table_close(log, NoLock);
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
read_rows(Relation log, Oid relid, const char *column, const char *key,
		  Snapshot snapshot)
{
	Relation	index = index_open(idem_extension_relation("transition_log_row"),
								   AccessShareLock);
	ScanKeyData keys[LOG_ROW_KEYS];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *rows = NIL;

	ScanKeyInit(&keys[0], Anum_log_relation, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	ScanKeyEntryInitialize(&keys[1], 0, Anum_log_key, BTEqualStrategyNumber,
						   InvalidOid, C_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(key));
	ScanKeyEntryInitialize(&keys[2], 0, Anum_log_state_column,
						   BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID,
						   F_TEXTEQ, CStringGetTextDatum(column));
	scan = systable_beginscan_ordered(log, index, snapshot, LOG_ROW_KEYS, keys);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
		rows = put_in_order(log, rows, heap_copytuple(tuple));
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	return rows;
}

/*
 * Has the row ever entered this state, as far as is committed or ours?  What
 * was before a deletion was another row, which had the key before.
 */
bool
idem_log_has_entered(Oid relid, const char *column, const char *key,
					 const char *state)
{
	Relation	log = table_open(idem_extension_relation("transition_log"),
								 AccessShareLock);
	bool		entered = false;
	ListCell   *lc;

	foreach(lc, read_rows(log, relid, column, key, NULL))
	{
		bool		isnull;
		Datum		value = heap_getattr(lfirst(lc), Anum_log_to_state,
										 RelationGetDescr(log), &isnull);

		if (isnull)
			entered = false;
		else if (!entered)
			entered = strcmp(TextDatumGetCString(value), state) == 0;
	}
	table_close(log, AccessShareLock);
	return entered;
}

/* What history() shows of a row of the log, in its order */
static const int history_columns[] = {
	Anum_log_at, Anum_log_from_state, Anum_log_to_state, Anum_log_event,
	Anum_log_transaction, Anum_log_session_role, Anum_log_role,
	Anum_log_actor, Anum_log_application
};

void
idem_log_put_history(ReturnSetInfo *rsinfo, Oid relid, const char *column,
					 const char *key)
{
	Relation	log = table_open(idem_extension_relation("transition_log"),
								 AccessShareLock);
	ListCell   *lc;

	foreach(lc, read_rows(log, relid, column, key, GetActiveSnapshot()))
	{
		Datum		values[lengthof(history_columns)];
		bool		nulls[lengthof(history_columns)];
		int			i;

		for (i = 0; i < lengthof(history_columns); i++)
			values[i] = heap_getattr(lfirst(lc), history_columns[i],
									 RelationGetDescr(log), &nulls[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	table_close(log, AccessShareLock);
}
