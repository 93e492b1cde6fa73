/*
 * rows.c
 *		Questions about the rows of a guard.
 *
 * The kind of the guard knows what to ask (kind.h); this file knows how: as
 * the owner of the table, under the latest snapshot, which is taken when
 * every table that is read is locked.  An error that says something about the
 * guard is an answer, too.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "base/citus.h"
#include "base/identity.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/named.h"
#include "base/qualified.h"
#include "base/right.h"
#include "base/rows.h"

/*
 * Run a query of one row as the current user; the result is in SPI_tuptable.
 *
 * All tables are locked before the snapshot is taken, partitions, too: to an
 * older snapshot a table that another session has rewritten meanwhile looks
 * empty.  Parsing locks the tables that are named, planning those below them.
 * The snapshot is the latest one at each isolation level.
 *
 * Citus takes a parameter only together with its value.  Rows on other nodes
 * are seen by snapshots that are taken there.
 */
static void
run_query(Relation rel, const char *sql, Datum strings)
{
	Oid			types[1] = {TEXTARRAYOID};
	bool		with_values = idem_citus_table(RelationGetRelid(rel)) !=
		IDEM_CITUS_NONE;
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, strings == (Datum) 0 ? 0 : 1,
										  types,
										  (with_values ?
										   CURSOR_OPT_CUSTOM_PLAN :
										   CURSOR_OPT_GENERIC_PLAN) |
										  CURSOR_OPT_PARALLEL_OK);
	CachedPlan *cached = plan && !with_values ?
		SPI_plan_get_cached_plan(plan) : NULL;

	if (plan == NULL || (cached == NULL && !with_values))
		elog(ERROR, "could not prepare: %s", sql);
	if (cached != NULL)
		ReleaseCachedPlan(cached, NULL);
	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_execute_plan(plan, &strings, NULL, true, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not run: %s", sql);
	PopActiveSnapshot();
	SPI_freeplan(plan);
}

/*
 * In PG_CATCH: throw the current error again.  What the server says of a
 * value that could not be computed can show the value, and a query of ours
 * reads rows that its caller may not: such a message stays in the log.
 */
void
idem_rethrow_without_values(MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
		PG_RE_THROW();
	FlushErrorState();
	ereport(LOG_SERVER_ONLY,
			(errcode(error->sqlerrcode),
			 errmsg("could not look at rows: %s", error->message)));
	ereport(ERROR,
			(errcode(error->sqlerrcode),
			 errmsg("data exception, SQLSTATE %s; the server's log has more",
					unpack_sql_state(error->sqlerrcode))));
}

/*
 * Run a query that counts offenders and shows one: NULL if there are none,
 * else "3 rows <what>", with the example for someone who may read the table.
 * Runs as the owner of that table; strings, a text[] or 0, is $1.
 */
char *
idem_count_offenders(Relation shown, const char *sql, Datum strings,
					 const char *what)
{
	MemoryContext context = CurrentMemoryContext;
	bool		may_read = idem_may_read(shown);
	IdemIdentity saved;
	char	   *rows;
	char	   *example;
	char	   *finding;

	idem_become_declarer(shown, &saved);
	idem_see_every_row();
	PG_TRY();
	{
		run_query(shown, sql, strings);
	}
	PG_CATCH();
	{
		idem_rethrow_without_values(context);
	}
	PG_END_TRY();
	idem_restore_identity(&saved);

	rows = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	example = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	if (strcmp(rows, "0") == 0)
		return NULL;
	finding = psprintf("%s %s %s", rows, strcmp(rows, "1") == 0 ? "row" : "rows",
					   what);
	if (may_read && example != NULL)
		finding = psprintf("%s, for example %s", finding, example);
	return finding;
}

/*
 * Rows of a table that are not to leave it, of a guard that keeps them all
 * (IdemRowsCheck).  SELECT count(*), NULL FROM schema.table
 */
char *
idem_check_kept_rows(const IdemGuard *guard, Oid rows)
{
	Relation	rel = relation_open(rows, AccessShareLock);
	char	   *finding;

	finding = idem_count_offenders(rel,
								   psprintf("SELECT count(*), NULL::text FROM %s",
											idem_qualified_name(rel)),
								   (Datum) 0, "that are kept");
	relation_close(rel, AccessShareLock);
	return finding;
}

/* Does the error say something about this guard, and nothing more? */
static bool
is_finding(int sqlstate)
{
	int			class = ERRCODE_TO_CATEGORY(sqlstate);

	return class == ERRCODE_DATA_EXCEPTION ||
		class == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED);
}

static const char unseen[] = "rows could not be looked at: ";
static const char locked[] = "rows could not be looked at: another session holds a lock on them";

/* Does a finding of idem_ask_rows say that there is none? */
bool
idem_rows_unseen(const char *finding)
{
	return strncmp(finding, unseen, sizeof(unseen) - 1) == 0;
}

/* Does it say so because the lock did not come in time? */
bool
idem_rows_locked(const char *finding)
{
	return strcmp(finding, locked) == 0;
}

/* Wait for each lock only so long, until the (sub)transaction ends. */
static void
limit_lock_waits(int wait_ms)
{
	char		value[32];

	if (LockTimeout > 0 && LockTimeout < wait_ms)
		return;
	snprintf(value, sizeof(value), "%d", wait_ms);
	(void) set_config_option("lock_timeout", value, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* The table of the guard is there and locked, and what a check says of it. */
static char *
run_check(IdemRowsCheck check, const IdemGuard *guard, Oid rows, int wait_ms)
{
	int			level = NewGUCNestLevel();
	char	   *finding;

	if (wait_ms > 0)
		limit_lock_waits(wait_ms);
	relation_close(idem_open_named(guard->relid), NoLock);
	idem_guard_require(guard);
	finding = check(guard, rows);
	AtEOXact_GUC(false, level);
	return finding;
}

/* What an error says, as a finding; or the error again. */
static char *
finding_of_error(ErrorData *error, int wait_ms)
{
	if (wait_ms > 0 && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		return pstrdup(locked);
	if (!is_finding(error->sqlerrcode))
		ReThrowError(error);
	return psprintf("%s%s", unseen, error->message);
}

/*
 * What a check finds, in memory of the caller; NULL: nothing.  In a
 * subtransaction, so that what cannot be asked is a finding and no error; a
 * query that was cancelled, a deadlock or a lack of memory stays an error.
 *
 * wait_ms: how long to wait for a lock (55P03), which is a finding then; 0: as
 * long as the session does, and it is an error.
 */
char *
idem_ask_rows(IdemRowsCheck check, const IdemGuard *guard, Oid rows,
			  int wait_ms)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *finding = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		finding = run_check(check, guard, rows, wait_ms);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		finding = finding_of_error(error, wait_ms);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return finding;
}
