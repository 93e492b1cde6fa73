/*
 * bound_repeat.c
 *		A repeat asks for what was asked for first: tables of keys.
 *
 * INSERT ... ON CONFLICT DO NOTHING skips a row whose key is there, and
 * nothing would say that it asked for another amount.  So before a row is
 * inserted its key is looked for, by the unique index of the table and with
 * the latest snapshot; if a row has it, the declared fields of both requests
 * are compared as claims compare them.
 *
 * This look decides no race: the unique index does, and a row that comes in
 * between look and insert is met by that.  Where a rival that has not ended is
 * waited for, the row is then skipped without a word of its request; the
 * client that reads the row sees it.
 *
 * Runs with nobody's rights, as a unique index does; what is found is shown to
 * those who may read the table.  A BEFORE trigger: what others that fire later
 * make of the row is not seen.  Rows of the same statement are not looked at.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "commands/trigger.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/arrive.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/latest.h"
#include "base/right.h"
#include "base/settings_trigger.h"
#include "bound/bound_keys.h"
#include "key/key_request.h"

/* How to look for a key: a table of keys and its index. */
typedef struct BoundLook
{
	BoundTable *table;
	Oid			index;			/* of the table or partition itself */
	ScanKeyData scankey[INDEX_MAX_KEYS];	/* without arguments */
	int			source[INDEX_MAX_KEYS]; /* which column of the key each is */
} BoundLook;

/* Which column of the key has that number? */
static int
place_of(const BoundKey *key, AttrNumber attnum)
{
	int			i;

	for (i = 0; i < key->ncolumns; i++)
	{
		if (key->column[i].attnum == attnum)
			return i;
	}
	elog(ERROR, "column %d is not part of the key", attnum);
}

/* What the index compares in its column i, with what operator. */
static void
compile_column(Relation index, int i, BoundLook *look)
{
	Oid			family = index->rd_opfamily[i];
	Oid			type = index->rd_opcintype[i];
	Oid			equal = get_opfamily_member(family, type, type,
											BTEqualStrategyNumber);

	if (!OidIsValid(equal))
		elog(ERROR, "missing operator %d(%u,%u) in opfamily %u",
			 BTEqualStrategyNumber, type, type, family);
	ScanKeyEntryInitialize(&look->scankey[i], 0, i + 1, BTEqualStrategyNumber,
						   type, index->rd_indcollation[i],
						   get_opcode(equal), (Datum) 0);
	look->source[i] = place_of(&look->table->key,
							   index->rd_index->indkey.values[i]);
}

pg_noreturn static void
refuse_table(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("table \"%s\" has no unique constraint on exactly the columns of its keys",
					RelationGetRelationName(rel)),
			 errhint("Without it a key is granted more than once."),
			 errtable(rel)));
}

/* The settings of the trigger, and how to look (IdemGuardCompile). */
static void *
compile_look(Relation rel, Trigger *trigger, Oid *also)
{
	BoundLook  *look = palloc0(sizeof(BoundLook));
	AttrNumber	columns[INDEX_MAX_KEYS];
	Relation	index;
	int			i;

	look->table = idem_bound_table_read(rel, idem_settings_of_trigger(trigger));
	for (i = 0; i < Min(look->table->key.ncolumns, INDEX_MAX_KEYS); i++)
		columns[i] = look->table->key.column[i].attnum;
	look->index = idem_bound_arbiter(RelationGetRelid(rel),
									 look->table->key.ncolumns, columns,
									 NULL);
	if (!OidIsValid(look->index))
		refuse_table(rel);
	index = index_open(look->index, AccessShareLock);
	if (index->rd_rel->relam != BTREE_AM_OID)
		elog(ERROR, "index %u is not a btree", look->index);
	for (i = 0; i < look->table->key.ncolumns; i++)
		compile_column(index, i, look);
	index_close(index, AccessShareLock);
	return look;
}

/* The key of the row that is to be inserted; false if a part of it is null. */
static bool
read_values(const BoundTable *table, TupleTableSlot *slot, Datum *values)
{
	int			i;

	for (i = 0; i < table->key.ncolumns; i++)
	{
		bool		isnull;

		values[i] = slot_getattr(slot, table->key.column[i].attnum, &isnull);
		if (isnull)
			return false;
	}
	return true;
}

/* The row that has the key now into the slot; false if there is none. */
static bool
find_row(const BoundLook *look, Relation rel, const Datum *values,
		 TupleTableSlot *slot)
{
	int			n = look->table->key.ncolumns;
	Relation	index = index_open(look->index, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData scankey[INDEX_MAX_KEYS];
	IndexScanDesc scan;
	bool		found;
	int			i;

	memcpy(scankey, look->scankey, sizeof(ScanKeyData) * n);
	for (i = 0; i < n; i++)
		scankey[i].sk_argument = values[look->source[i]];
	scan = index_beginscan(rel, index, snapshot, NULL, n, 0, SO_NONE);
	index_rescan(scan, scankey, n, NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, slot);
	if (found)
		ExecMaterializeSlot(slot);
	index_endscan(scan);
	UnregisterSnapshot(snapshot);
	index_close(index, AccessShareLock);
	return found;
}

/* amount, payer */
static char *
member_list(ArrayType *members)
{
	StringInfoData buf;
	Datum	   *items;
	int			n;
	int			i;

	initStringInfo(&buf);
	deconstruct_array(members, TEXTOID, -1, false, TYPALIGN_INT,
					  &items, NULL, &n);
	for (i = 0; i < n; i++)
		appendStringInfo(&buf, "%s\"%s\"", i > 0 ? ", " : "",
						 TextDatumGetCString(items[i]));
	return buf.data;
}

pg_noreturn static void
refuse_mismatch(const IdemGuardCall *call, const BoundTable *table,
				const text *key, ArrayType *members)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_REQUEST_MISMATCH),
			 errmsg("request differs%s from the one recorded for %s in table \"%s\"",
					idem_may_read(call->rel) ?
					psprintf(" in %s", member_list(members)) : "",
					idem_bound_shown_key(call->rel, key),
					RelationGetRelationName(call->rel)),
			 errhint("The key was granted for the recorded request; another request needs a key of its own."),
			 errtablecol(call->rel, table->request),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* 23I0D if a row has the key and was recorded for another request. */
static void
compare_requests(const IdemGuardCall *call, const BoundLook *look)
{
	const BoundTable *table = look->table;
	Datum		values[INDEX_MAX_KEYS];
	TupleTableSlot *slot;
	Jsonb	   *first = NULL;
	ArrayType  *members = NULL;

	if (!read_values(table, call->after, values))
		return;
	slot = table_slot_create(call->rel, NULL);
	if (find_row(look, call->rel, values, slot))
		first = idem_bound_request_of(table, slot);
	if (first != NULL)
		members = idem_key_request_diff(&table->form,
										idem_bound_request_of(table,
															  call->after),
										idem_key_fingerprint_stored(&table->form,
																	first));
	if (members != NULL)
		refuse_mismatch(call, table, idem_bound_key_make(&table->key, values),
						members);
	ExecDropSingleTupleTableSlot(slot);
}

static void
check_protocol(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager",
						"idem.keep_repeats")));
	if (!TRIGGER_FIRED_BEFORE(trigdata->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired BEFORE INSERT FOR EACH ROW",
						"idem.keep_repeats"),
				 errhint("Put guards on a table with the idem.guard_... functions.")));
}

/*
 * keep_repeats() -> trigger
 *
 * BEFORE INSERT FOR EACH ROW; the row stays as it is.  23I0D.
 */
PG_FUNCTION_INFO_V1(idem_keep_repeats);
Datum
idem_keep_repeats(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	IdemGuardCall call = {0};

	check_protocol(fcinfo);
	if (!idem_in_apply_worker())
	{
		idem_accept_news();
		call.trigdata = trigdata;
		call.trigger = trigdata->tg_trigger;
		call.rel = trigdata->tg_relation;
		call.after = trigdata->tg_trigslot;
		compare_requests(&call, idem_guard_settings(&call, compile_look));
	}
	return PointerGetDatum(trigdata->tg_trigtuple);
}
