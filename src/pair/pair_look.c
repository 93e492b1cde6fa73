/*
 * pair_look.c
 *		The parent row, as a child is judged by it.
 *
 * The row is found by the unique index of the foreign key, with the latest
 * snapshot, and locked as the guard needs it: what is returned is the last
 * version, and while a lock is held no other comes.  Under READ COMMITTED a
 * row that somebody else changes is waited for and its last version taken;
 * under REPEATABLE READ and SERIALIZABLE that is 40001, and of a version that
 * was committed before it is said that the transaction's own snapshot does not
 * see it.
 *
 * An ordinary table with a btree is searched below the executor; any other
 * parent, as a partitioned one, by a statement with a kept plan:
 *
 *		SELECT p.status, p.ctid, p.tableoid FROM parent p
 *			WHERE key = fk [FOR SHARE | FOR NO KEY UPDATE]
 *
 * as the owner of the parent, row security off.  Plans are prepared on first
 * use, and anew when they have become invalid (a schema was renamed).
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/snapmgr.h"

#include "base/ask.h"
#include "base/identity.h"
#include "base/qualified.h"
#include "pair/pair.h"
#include "total/total_lock.h"

/* ------------------------------------------------------------------------
 * By the index
 * ------------------------------------------------------------------------
 */

/* Lock the last version of the row in slot; false: look for it again. */
static bool
lock_row(Relation parent, Snapshot snapshot, IdemPairLock lock,
		 TupleTableSlot *slot)
{
	bool		is_newer;		/* a later version may have another key */

	return idem_total_lock(parent, snapshot, GetCurrentCommandId(false),
						   lock == IDEM_PAIR_SHARE ? LockTupleShare :
						   LockTupleNoKeyExclusive, slot, &is_newer) &&
		!is_newer;
}

/* One look; false: the row was changed meanwhile. */
static bool
look_once(IdemPair *pair, Relation parent, const NullableDatum *values,
		  IdemPairLock lock, TupleTableSlot *slot, bool *found)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool		done = true;

	*found = idem_total_search(&pair->key, &pair->search, parent, snapshot,
							   values, slot);
	if (*found && lock != IDEM_PAIR_NO_LOCK)
		done = lock_row(parent, snapshot, lock, slot);
	UnregisterSnapshot(snapshot);
	return done;
}

static void
look_directly(IdemPair *pair, Relation parent, const NullableDatum *values,
			  IdemPairLock lock, IdemPairSeen *seen)
{
	TupleTableSlot *slot = table_slot_create(parent, NULL);
	Datum		state;

	CommandCounterIncrement();	/* see all of our own work */
	while (!look_once(pair, parent, values, lock, slot, &seen->found))
		CHECK_FOR_INTERRUPTS();
	if (seen->found)
	{
		state = slot_getattr(slot, pair->parent_state, &seen->isnull);
		seen->state = seen->isnull ? (Datum) 0 :
			datumCopy(state, pair->byval, pair->len);
		seen->is_newer = IsolationUsesXactSnapshot() &&
			!table_tuple_satisfies_snapshot(parent, slot,
											GetTransactionSnapshot());
	}
	ExecDropSingleTupleTableSlot(slot);
}

/* ------------------------------------------------------------------------
 * By a statement
 * ------------------------------------------------------------------------
 */

static SPIPlanPtr
plan_of(IdemPair *pair, IdemPairPlan which, IdemPairText text, int n,
		Oid *types)
{
	SPIPlanPtr	plan = pair->plan[which];

	if (plan != NULL && SPI_plan_is_valid(plan))
		return plan;
	return idem_keep_plan(&pair->plan[which],
						  SPI_prepare_cursor(text (pair, which), n, types,
											 CURSOR_OPT_GENERIC_PLAN));
}

/*
 * Run a statement that a trigger keeps, as the owner of rel, which it reads:
 * the result is in SPI_tuptable.  latest: with the latest snapshot, else with
 * that of the transaction.  Connected to SPI.
 */
void
idem_pair_query(IdemPair *pair, IdemPairPlan which, IdemPairText text,
				Relation rel, int n, Oid *types, Datum *values, bool latest)
{
	Snapshot	snapshot = InvalidSnapshot;
	IdemIdentity saved;
	int			code;

	if (IsolationUsesXactSnapshot())
	{
		CommandCounterIncrement();	/* see all of our own work */
		snapshot = latest ? GetLatestSnapshot() : GetTransactionSnapshot();
	}
	idem_become_owner(rel, &saved);
	code = SPI_execute_snapshot(plan_of(pair, which, text, n, types), values,
								NULL, snapshot, InvalidSnapshot, false, false,
								1);
	idem_restore_identity(&saved);
	if (code != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_snapshot returned %s",
			 SPI_result_code_string(code));
}

/* SELECT p.status, p.ctid, p.tableoid FROM schema.parent p WHERE <key> ... */
static char *
look_text(IdemPair *pair, IdemPairPlan which)
{
	return psprintf("SELECT p.%s, p.ctid, p.tableoid FROM %s p WHERE %s%s",
					quote_identifier(pair->parent_name),
					idem_qualified_name_of(pair->key.parent),
					idem_total_join_sql(&pair->key, "$%d"),
					which == IDEM_PAIR_LOOK ? "" :
					which == IDEM_PAIR_LOOK_SHARE ? " FOR SHARE" :
					" FOR NO KEY UPDATE");
}

/* SELECT FROM schema.parent p WHERE <key> and it is the version at $n */
static char *
same_text(IdemPair *pair, IdemPairPlan which)
{
	return psprintf("SELECT FROM %s p WHERE %s AND p.ctid OPERATOR(pg_catalog.=) $%d AND p.tableoid OPERATOR(pg_catalog.=) $%d",
					idem_qualified_name_of(pair->key.parent),
					idem_total_join_sql(&pair->key, "$%d"),
					pair->key.n + 1, pair->key.n + 2);
}

static void
look_by_statement(IdemPair *pair, Relation parent, Oid *types, Datum *args,
				  IdemPairLock lock, IdemPairSeen *seen)
{
	static const IdemPairPlan plans[] = {IDEM_PAIR_LOOK, IDEM_PAIR_LOOK_SHARE,
	IDEM_PAIR_LOOK_UPDATE};
	MemoryContext context = CurrentMemoryContext;
	MemoryContext old;
	int			n = pair->key.n;
	bool		isnull;
	HeapTuple	row;

	SPI_connect();
	idem_pair_query(pair, plans[lock], look_text, parent, n, types, args,
					true);
	seen->found = SPI_processed > 0;
	if (seen->found)
	{
		row = SPI_tuptable->vals[0];
		seen->state = SPI_getbinval(row, SPI_tuptable->tupdesc, 1,
									&seen->isnull);
		old = MemoryContextSwitchTo(context);
		if (!seen->isnull)
			seen->state = datumCopy(seen->state, pair->byval, pair->len);
		MemoryContextSwitchTo(old);
		args[n] = SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull);
		args[n + 1] = SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull);
	}
	if (seen->found && IsolationUsesXactSnapshot())
	{
		types[n] = TIDOID;
		types[n + 1] = OIDOID;
		idem_pair_query(pair, IDEM_PAIR_SAME, same_text, parent, n + 2, types,
						args, false);
		seen->is_newer = SPI_processed == 0;
	}
	SPI_finish();
}

/*
 * Look at the parent row of a key, values of the child's columns, with this
 * lock, which is held until the end of the transaction.  The parent is locked
 * (idem_pair_open).
 */
void
idem_pair_look(IdemPair *pair, const NullableDatum *values, IdemPairLock lock,
			   IdemPairSeen *seen)
{
	Relation	parent = table_open(pair->key.parent, NoLock);
	Oid			types[INDEX_MAX_KEYS + 2];
	Datum		args[INDEX_MAX_KEYS + 2];
	int			i;

	memset(seen, 0, sizeof(IdemPairSeen));
	for (i = 0; i < pair->key.n; i++)
	{
		types[i] = pair->type[i];
		args[i] = values[i].value;
	}
	if (pair->is_plain)
		look_directly(pair, parent, values, lock, seen);
	else
		look_by_statement(pair, parent, types, args, lock, seen);
	table_close(parent, NoLock);
}
