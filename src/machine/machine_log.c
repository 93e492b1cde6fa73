/*
 * machine_log.c
 *		One row a transition, kept for good.
 *
 * The row is written by the guard itself, in the statement it judged: there
 * is no transition without its history and no history without the transition.
 * It goes into heap and indexes directly: no privileges, no row security and
 * no planner are between, and a bulk UPDATE pays for the storage only.
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
#define Anum_log_state_column	3
#define Anum_log_key			4
#define Anum_log_from_state		5
#define Anum_log_to_state		6
#define Anum_log_event			7
#define Anum_log_at				8
#define Anum_log_transaction	9
#define Anum_log_session_role	10
#define Anum_log_role			11
#define Anum_log_actor			12
#define Anum_log_application	13
#define Natts_log				13

/* columns of its index transition_log_row */
#define LOG_ROW_KEYS			3

static void
put_text(Datum *values, bool *nulls, int number, const char *text)
{
	nulls[number - 1] = text == NULL;
	if (text != NULL)
		values[number - 1] = CStringGetTextDatum(text);
}

static void
put_name(Datum *values, int number, const char *text)
{
	values[number - 1] = DirectFunctionCall1(namein, CStringGetDatum(text));
}

/* The value of the setting that says who acts; NULL if it is not set */
static const char *
actor_of(const char *setting)
{
	const char *value = setting == NULL ? NULL :
		GetConfigOption(setting, true, true);

	return value != NULL && *value != '\0' ? value : NULL;
}

/* Keep one transition.  from, to, event and actor may be NULL. */
void
idem_log_transition(Oid relid, const char *column, const char *key,
					const char *from, const char *to, const char *event,
					const char *actor)
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
	put_name(values, Anum_log_state_column, column);
	put_text(values, nulls, Anum_log_key, key);
	put_text(values, nulls, Anum_log_from_state, from);
	put_text(values, nulls, Anum_log_to_state, to);
	put_text(values, nulls, Anum_log_event, event);
	values[Anum_log_at - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[Anum_log_transaction - 1] =
		FullTransactionIdGetDatum(GetTopFullTransactionId());
	put_name(values, Anum_log_session_role,
			 GetUserNameFromId(GetSessionUserId(), false));
	put_name(values, Anum_log_role, GetUserNameFromId(GetUserId(), false));
	put_text(values, nulls, Anum_log_actor, actor_of(actor));
	put_text(values, nulls, Anum_log_application, application_name);

	tuple = heap_form_tuple(RelationGetDescr(log), values, nulls);
	CatalogTupleInsert(log, tuple);
	heap_freetuple(tuple);
	table_close(log, NoLock);
}

/* ---------- reading ---------- */

/* Scan the history of one row in order; snapshot NULL is the latest. */
static SysScanDesc
begin_scan(Relation log, Relation index, Oid relid, const char *column,
		   const char *key, Snapshot snapshot)
{
	ScanKeyData keys[LOG_ROW_KEYS];

	ScanKeyInit(&keys[0], Anum_log_relation, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	ScanKeyEntryInitialize(&keys[1], 0, Anum_log_key, BTEqualStrategyNumber,
						   InvalidOid, C_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(key));
	ScanKeyEntryInitialize(&keys[2], 0, Anum_log_state_column,
						   BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID,
						   F_NAMEEQ, DirectFunctionCall1(namein, CStringGetDatum(column)));
	return systable_beginscan_ordered(log, index, snapshot, LOG_ROW_KEYS, keys);
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
	Relation	index = index_open(idem_extension_relation("transition_log_row"),
								   AccessShareLock);
	SysScanDesc scan = begin_scan(log, index, relid, column, key, NULL);
	bool		entered = false;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, Anum_log_to_state,
										 RelationGetDescr(log), &isnull);

		if (isnull)
			entered = false;
		else if (!entered)
			entered = strcmp(TextDatumGetCString(value), state) == 0;
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
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
	Relation	index = index_open(idem_extension_relation("transition_log_row"),
								   AccessShareLock);
	SysScanDesc scan = begin_scan(log, index, relid, column, key,
								  GetActiveSnapshot());
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		Datum		values[lengthof(history_columns)];
		bool		nulls[lengthof(history_columns)];
		int			i;

		for (i = 0; i < lengthof(history_columns); i++)
			values[i] = heap_getattr(tuple, history_columns[i],
									 RelationGetDescr(log), &nulls[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(log, AccessShareLock);
}
