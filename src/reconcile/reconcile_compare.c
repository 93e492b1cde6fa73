/*
 * reconcile_compare.c
 *		Both sides of a day, compared as the owner of the rule.
 *
 * What is compared are tables and views of the user's, whose functions may be
 * anybody's.  So the statement runs as REFRESH MATERIALIZED VIEW runs a view:
 * as the owner of the rule, in a security-restricted operation, with a search
 * path that holds nobody's objects; and besides in a transaction that is read
 * only until it is done.  Rows that row security would hide from the owner are
 * an error, not a difference.
 *
 * One statement, one snapshot: the latest one, taken when every table that is
 * read is locked.
 *
 * The rows it finds are given to the statements that keep them as a relation
 * "found", which holds what differs and one row for all that agrees in a
 * currency.
 *
 * Shown by sql/reconcile_security.sql.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "base/idem_compat.h"
#include "base/identity.h"
#include "reconcile/reconcile.h"

/*
 * The statement joins two large sets by expressions about which nothing is
 * known: hashed, whatever the planner makes of them.  Until the identity is
 * back.
 */
static void
hash_joins(void)
{
	(void) set_config_option("enable_mergejoin", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Plan the statement, which locks every table it reads. */
static SPIPlanPtr
plan_statement(const char *sql)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, 0, NULL,
										  CURSOR_OPT_GENERIC_PLAN |
										  CURSOR_OPT_PARALLEL_OK);
	CachedPlan *cached = plan ? SPI_plan_get_cached_plan(plan) : NULL;

	if (cached == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	ReleaseCachedPlan(cached, NULL);
	return plan;
}

/* What the statement returns, in memory of the caller's SPI connection */
static TupleDesc
result_desc(SPIPlanPtr plan)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));

	return CreateTupleDescCopy(source->resultDesc);
}

/*
 * Run the statement into a store.  The transaction is read only meanwhile; on
 * ERROR the server puts that back when it aborts the (sub)transaction.
 */
static uint64
run_statement(SPIPlanPtr plan, Tuplestorestate *store, TupleDesc desc)
{
	bool		was_read_only = XactReadOnly;
	SPIExecuteOptions options = {0};

	options.read_only = true;
	options.dest = CreateDestReceiver(DestTuplestore);
	SetTuplestoreDestReceiverParams(options.dest, store, CurrentMemoryContext,
									true, desc, NULL);
	PushActiveSnapshot(GetLatestSnapshot());
	XactReadOnly = true;
	if (SPI_execute_plan_extended(plan, &options) < 0)
		elog(ERROR, "could not compare both sides");
	XactReadOnly = was_read_only;
	PopActiveSnapshot();
	return SPI_processed;
}

/* Make the rows of a store a relation that statements of SPI can read. */
static void
register_found(Tuplestorestate *store, TupleDesc desc, uint64 rows)
{
	EphemeralNamedRelation found = palloc0(sizeof(EphemeralNamedRelationData));

	found->md.name = pstrdup("found");
	found->md.reliddesc = InvalidOid;
	found->md.tupdesc = desc;
	found->md.enrtype = ENR_NAMED_TUPLESTORE;
	found->md.enrtuples = rows;
	found->reldata = store;
	if (SPI_register_relation(found) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register the rows that were found");
}

/*
 * Compare both sides: sql is what idem.reconciliation_query() says.  Connected
 * to SPI; until it is left, "found" can be read.  42704 if the owner is no
 * role any longer; what the sides raise.
 */
void
idem_reconcile_compare(const char *sql, const char *owner)
{
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);
	Oid			role = get_role_oid(owner, false);
	IdemIdentity saved;
	SPIPlanPtr	plan;
	TupleDesc	desc;
	uint64		rows;

	CommandCounterIncrement();
	idem_become_role(role, &saved);
	idem_see_every_row();
	hash_joins();
	plan = plan_statement(sql);
	desc = result_desc(plan);
	rows = run_statement(plan, store, desc);
	idem_restore_identity(&saved);
	SPI_freeplan(plan);
	register_found(store, desc, rows);
}

/* Forget what was found, before both sides are compared again. */
void
idem_reconcile_forget(void)
{
	(void) SPI_unregister_relation("found");
}

/*
 * Is the statement one that the owner may run?  Run on no day, it reads
 * nothing.  What it cannot do is an error; nothing can be read afterwards.
 */
void
idem_reconcile_try(const char *sql, const char *owner)
{
	idem_reconcile_compare(sql, owner);
	idem_reconcile_forget();
}
