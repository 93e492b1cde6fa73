/*
 * machine_plan.c
 *		The plans of the statements that idem.transition() runs.
 *
 * A statement is prepared once a session and kept by its text; the server
 * plans it anew by itself when tables, roles or settings it depends on change.
 * The plans belong to the session, so nothing is locked.  There are at most
 * PLANS_MAX of them: then all are forgotten, unless one of them is running.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "machine/machine.h"

/* A statement by the hash of its text; text and types are compared, too */
typedef struct PlanEntry
{
	uint64		hash;			/* hash key, must be first */
	char	   *sql;
	SPIPlanPtr	plan;
} PlanEntry;

/* So many statements are kept; then all are forgotten. */
#define PLANS_MAX	256

static HTAB *plans = NULL;

/*
 * Executions under way.  A trigger of the table may call transition again, and
 * must not take away the plan that fired it.
 */
static int	plans_running = 0;

static void
forget_plans(void)
{
	HASH_SEQ_STATUS status;
	PlanEntry  *entry;

	hash_seq_init(&status, plans);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->plan != NULL)
			SPI_freeplan(entry->plan);
		if (entry->sql != NULL)
			pfree(entry->sql);
		hash_search(plans, &entry->hash, HASH_REMOVE, NULL);
	}
}

static PlanEntry *
plan_entry(const char *sql)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) sql,
										   strlen(sql), 0);
	PlanEntry  *entry;
	bool		found;

	if (plans == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(uint64);
		ctl.entrysize = sizeof(PlanEntry);
		plans = hash_create("idem transitions", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	if (hash_get_num_entries(plans) >= PLANS_MAX && plans_running == 0)
		forget_plans();
	entry = hash_search(plans, &hash, HASH_ENTER, &found);
	if (!found)
	{
		entry->sql = NULL;
		entry->plan = NULL;
	}
	return entry;
}

/*
 * Is the plan for parameters of these types?  A key that was altered from one
 * type to another leaves the text of the statement as it was.
 */
static bool
has_types(SPIPlanPtr plan, int nargs, const Oid *types)
{
	int			i;

	Assert(SPI_getargcount(plan) == nargs); /* the text shows them all */
	for (i = 0; i < nargs; i++)
		if (SPI_getargtypeid(plan, i) != types[i])
			return false;
	return true;
}

/*
 * The plan of a statement, prepared once a session: the server plans it anew
 * by itself when tables, roles or settings it depends on change.
 */
static SPIPlanPtr
plan_of(const char *sql, int nargs, Oid *types)
{
	PlanEntry  *entry = plan_entry(sql);
	SPIPlanPtr	plan;

	if (entry->plan != NULL && strcmp(entry->sql, sql) == 0 &&
		has_types(entry->plan, nargs, types))
		return entry->plan;
	plan = SPI_prepare(sql, nargs, types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare returned %s: %s",
			 SPI_result_code_string(SPI_result), sql);
	if (entry->plan != NULL && plans_running > 0)
		return plan;			/* for this call only */
	SPI_keepplan(plan);
	if (entry->plan != NULL)
	{
		SPI_freeplan(entry->plan);
		pfree(entry->sql);
	}
	entry->plan = plan;
	entry->sql = MemoryContextStrdup(TopMemoryContext, sql);
	return plan;
}

/* The caller has found the plan, so that no variable has to survive PG_TRY. */
static int
run(SPIPlanPtr plan, Datum *values, const char *nulls, bool read_only)
{
	volatile int code = 0;

	plans_running++;
	PG_TRY();
	{
		code = SPI_execute_plan(plan, values, nulls, read_only, 0);
	}
	PG_CATCH();
	{
		plans_running--;
		PG_RE_THROW();
	}
	PG_END_TRY();
	plans_running--;
	return code;
}

/*
 * Run a statement under its kept plan, as SPI_execute_plan, whose code is
 * returned.  The caller is connected to SPI.  read_only: with the snapshot of
 * the caller's.
 */
int
idem_machine_run_plan(const char *sql, int nargs, Oid *types, Datum *values,
					  const char *nulls, bool read_only)
{
	return run(plan_of(sql, nargs, types), values, nulls, read_only);
}
