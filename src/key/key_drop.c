/*
 * key_drop.c
 *		Dropping a scope of keys.
 *
 * Dropping a scope forgets its keys: the next scope of that name begins with
 * none, and another created_at.  So it is refused while a claim is not final,
 * and asks for a reason if there is any key.
 *
 * Locks: SHARE ROW EXCLUSIVE on idem.scope, as a declaration does, and on the
 * tables of keys: it waits for open claims of other scopes, and claims wait for
 * it.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/argument.h"
#include "base/change.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/reason.h"
#include "base/rows.h"
#include "key/key_inner.h"

/* Does a transaction that has not ended, ours too, hold the key of a row? */
static bool
is_open_claim(Relation table, HeapTuple tuple, TransactionId rival)
{
	TransactionId maker = HeapTupleHeaderGetXmin(tuple->t_data);
	Datum		digest;
	bool		isnull;

	if (TransactionIdIsValid(rival))
		return true;
	if (!TransactionIdIsCurrentTransactionId(maker))
		return false;
	digest = heap_getattr(tuple, Anum_anchor_digest, RelationGetDescr(table),
						  &isnull);
	return idem_key_taken_here(DatumGetUUIDP(digest));
}

/* 55I02 if a transaction that has not ended, ours too, claimed a key. */
static void
refuse_open_claim(Relation table, const char *name, int32 scope)
{
	SnapshotData dirty;
	TableScanDesc scan;
	HeapTuple	tuple;

	InitDirtySnapshot(dirty);
	scan = table_beginscan(table, &dirty, 0, NULL, SO_NONE);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		bool		isnull;

		if (!is_open_claim(table, tuple, dirty.xmin))
			continue;
		if (DatumGetInt32(heap_getattr(tuple, Anum_anchor_scope,
									   RelationGetDescr(table),
									   &isnull)) == scope)
			ereport(ERROR,
					(errcode(ERRCODE_IDEM_CLAIM_NOT_OPEN),
					 errmsg("scope \"%s\" has a claim that is not final", name),
					 errdetail("A transaction that has not ended holds key \"%s\".",
							   TextDatumGetCString(heap_getattr(tuple,
																Anum_anchor_key,
																RelationGetDescr(table), &isnull)))));
	}
	table_endscan(scan);
}

/* 55I02 if something of the scope has no known end. */
static void
refuse_unfinished(Relation table, const char *name, int32 scope)
{
	static const char *const sql =
		"SELECT FROM idem.reservation WHERE scope = $1"
		" AND (state NOT IN ('s', 'f', 'a', 'n') OR due_at IS NOT NULL)";
	uint64		unfinished = idem_key_run_with_scope(table, sql, scope);

	if (unfinished > 0)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_CLAIM_NOT_OPEN),
				 errmsg("scope \"%s\" has claims that are not final", name),
				 errdetail("They are " UINT64_FORMAT ", see idem.open_claims.",
						   unfinished)));
}

/* Open a table of keys; 55I02 for an open claim of the scope. */
static Relation
lock_keys(Oid relid, const char *name, int32 scope)
{
	Relation	table = table_open(relid, AccessShareLock);

	/* an own claim is refused, an open one of a rival not waited for */
	refuse_open_claim(table, name, scope);
	LockRelationOid(relid, ShareRowExclusiveLock);
	/* nor one that came while we waited for those of other scopes */
	refuse_open_claim(table, name, scope);
	return table;
}

/* Forget the keys of a scope; 42P17 if there are any, and no reason. */
static uint64
delete_keys(Relation anchor, Relation reservation, const char *name,
			int32 scope, const char *force)
{
	uint64		keys;

	keys = idem_key_run_with_scope(anchor, "DELETE FROM idem.anchor WHERE scope = $1",
								   scope);
	keys += idem_key_run_with_scope(reservation,
									"DELETE FROM idem.reservation WHERE scope = $1",
									scope);
	(void) idem_key_run_with_scope(reservation,
								   "DELETE FROM idem.attempt WHERE scope = $1", scope);
	(void) idem_key_run_with_scope(anchor,
								   "DELETE FROM idem.sighting WHERE scope = $1", scope);
	(void) idem_key_run_with_scope(anchor,
								   "DELETE FROM idem.suspect WHERE scope = $1", scope);
	if (keys > 0 && force == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("scope \"%s\" has " UINT64_FORMAT " keys that would be forgotten",
						name, keys),
				 errdetail("A request that comes again in another scope, also one of the same name, runs again."),
				 errhint("If that is meant, give force => 'reason'.")));
	return keys;
}

/* 2BP01 while a guard names the scope, and there is no reason. */
static void
refuse_named(Relation rel, const char *name, const char *force)
{
	char	   *guard = force != NULL ? NULL :
		idem_guard_naming(rel, "scope", name);

	if (guard != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("scope \"%s\" is needed by a guard", name),
				 errdetail("It is %s, which then lets no row in.", guard),
				 errhint("Take the guard off first, with idem.drop_guard; if it is meant to stay, give force => 'reason'.")));
}

/*
 * drop_scope(name, force) -> void
 */
PG_FUNCTION_INFO_V1(idem_drop_scope);
Datum
idem_drop_scope(PG_FUNCTION_ARGS)
{
	char	   *name = idem_required_text(fcinfo, 0, "name");
	char	   *force = idem_reason(fcinfo, 1, "force");
	Relation	rel;
	Relation	anchor;
	Relation	reservation;
	int32		id;
	List	   *log;
	uint64		keys;

	PreventCommandIfReadOnly("idem.drop_scope()");
	rel = table_open(idem_key_scope_relid(), ShareRowExclusiveLock);
	id = idem_key_scope_get(cstring_to_text(name))->id;
	anchor = lock_keys(idem_key_anchor_relid(), name, id);
	reservation = lock_keys(idem_key_reservation_relid(), name, id);
	SPI_connect();
	refuse_named(rel, name, force);
	refuse_unfinished(reservation, name, id);
	log = idem_key_logged_settings(rel, id);
	if (force != NULL)
		idem_key_need_approval(rel, "drop_scope", id, name, NIL, force);
	keys = delete_keys(anchor, reservation, name, id, force);
	(void) idem_key_run_with_scope(rel, "DELETE FROM idem.scope WHERE id = $1", id);
	idem_log_change("dropped", "scope", InvalidOid, name,
					lappend(log, psprintf("keys=" UINT64_FORMAT, keys)), force);
	SPI_finish();
	table_close(reservation, NoLock);
	table_close(anchor, NoLock);
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}
