/*
 * latest.c
 *		Reading what is committed now, even if the transaction's snapshot is
 *		older.
 *
 * A declaration takes its lock and then looks.  Under REPEATABLE READ and
 * SERIALIZABLE the transaction's snapshot may be older than the lock, and
 * would not show what was committed in between, such as a claim that was
 * dispatched or a guard that was declared.  So every administrative statement
 * runs with a snapshot that is taken after the lock.
 *
 * Invalidation messages correct what a session remembers of definitions.  They
 * are read when a lock is taken, but not when the transaction holds that lock
 * already.  A call that is judged by remembered definitions reads them first,
 * or a transaction that stays open would never hear of a change.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/relation.h"
#include "executor/spi.h"
#include "nodes/makefuncs.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/identity.h"
#include "base/latest.h"

/*
 * Learn of every definition whose change is committed.  Anything that points
 * into the relation or catalog caches and is not pinned may be gone
 * afterwards.  Costs a look at shared memory while there is no news.
 */
void
idem_accept_news(void)
{
	AcceptInvalidationMessages();
}

/*
 * SPI_execute_with_args with the latest snapshot; returns its code, and leaves
 * its result.  Rows that this transaction wrote before are seen.  The caller
 * is connected to SPI and holds the lock that keeps what it looks at in place;
 * a row that is changed by somebody else even so is 40001 under REPEATABLE
 * READ and SERIALIZABLE.
 */
int
idem_execute_latest(const char *sql, int nargs, Oid *types, Datum *values,
					const char *nulls, long count)
{
	SPIPlanPtr	plan = SPI_prepare(sql, nargs, types);

	if (plan == NULL)
		return SPI_result;
	CommandCounterIncrement();
	return SPI_execute_snapshot(plan, values, nulls, GetLatestSnapshot(),
								InvalidSnapshot, false, true, count);
}

/*
 * The same as the owner of rel, as a declaration runs: returns how many rows
 * there were, and leaves them.  A statement that cannot be run is an error.
 */
uint64
idem_run_as_owner(Relation rel, const char *sql, int nargs, Oid *types,
				  Datum *values, const char *nulls)
{
	IdemIdentity saved;
	int			code;

	idem_become_declarer(rel, &saved);
	code = idem_execute_latest(sql, nargs, types, values, nulls, 0);
	if (code < 0)
		elog(ERROR, "could not run a statement on \"%s\": %s",
			 RelationGetRelationName(rel), SPI_result_code_string(code));
	idem_restore_identity(&saved);
	return SPI_processed;
}

/*
 * The same as the owner of the extension, who alone may read all of its views
 * and tables.
 */
uint64
idem_run_as_extension(const char *sql, int nargs, Oid *types, Datum *values,
					  const char *nulls)
{
	Relation	view = relation_openrv(makeRangeVar("idem", "guards", -1),
									   AccessShareLock);
	uint64		rows = idem_run_as_owner(view, sql, nargs, types, values,
										 nulls);

	relation_close(view, AccessShareLock);
	return rows;
}
