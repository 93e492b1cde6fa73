/*
 * doctor_finding.c
 *		What every room finds, put together for idem.doctor().
 *
 * A room reports what is wrong by a view of the extension in schema idem with
 * the columns severity, object, finding, remedy; there is no list of these
 * views.  A view of another schema does not count, although the owner of the
 * extension, who need not be a superuser, can make it a member: it would run
 * whatever it calls as the owner of these functions.  The plan of each view is
 * kept for the session, since planning takes several times as long as running
 * it; the server replans when something it depends on changes.  They take about
 * 9 MB of memory.
 *
 * All views are read with the snapshot of the caller's statement; rows of
 * guarded tables with a later one (doctor_rows.c).
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"


/* A statement whose plan is kept */
typedef struct KeptPlan
{
	char	   *sql;
	SPIPlanPtr	plan;
} KeptPlan;

static List *kept_plans = NIL;	/* KeptPlan *, in TopMemoryContext */

static SPIPlanPtr
plan_of(const char *sql)
{
	MemoryContext old;
	KeptPlan   *kept;
	SPIPlanPtr	plan;
	ListCell   *lc;

	foreach(lc, kept_plans)
	{
		kept = lfirst(lc);
		if (strcmp(kept->sql, sql) == 0)
			return kept->plan;
	}
	plan = SPI_prepare(sql, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare returned %s: %s",
			 SPI_result_code_string(SPI_result), sql);
	SPI_keepplan(plan);
	old = MemoryContextSwitchTo(TopMemoryContext);
	kept = palloc(sizeof(KeptPlan));
	kept->sql = pstrdup(sql);
	kept->plan = plan;
	kept_plans = lappend(kept_plans, kept);
	MemoryContextSwitchTo(old);
	return plan;
}

static SPITupleTable *
run(const char *sql)
{
	if (SPI_execute_plan(plan_of(sql), NULL, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", sql);
	return SPI_tuptable;
}

/*
 * findings() -> TABLE (severity, object, finding, remedy)
 *
 * Called by idem.doctor() as the owner of the extension.
 */
PG_FUNCTION_INFO_V1(idem_findings);
Datum
idem_findings(PG_FUNCTION_ARGS)
{
	static const char *const views_sql =
		"SELECT 'SELECT severity::pg_catalog.text, object::pg_catalog.text,"
		" finding::pg_catalog.text, remedy::pg_catalog.text FROM ' || c.oid::pg_catalog.regclass"
		" FROM pg_catalog.pg_class c"
		" JOIN pg_catalog.pg_depend d ON d.objid = c.oid AND d.deptype = 'e'"
		" AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
		" AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass"
		" JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'idem'"
		" WHERE c.relkind = 'v' AND c.relnamespace = 'idem'::pg_catalog.regnamespace"
		" AND (SELECT pg_catalog.string_agg(a.attname, ',' ORDER BY a.attnum)"
		" FROM pg_catalog.pg_attribute a"
		" WHERE a.attrelid = c.oid) = 'severity,object,finding,remedy'";
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	SPITupleTable *views;
	uint64		i;
	uint64		n;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	views = run(views_sql);
	for (i = 0; i < views->numvals; i++)
	{
		SPITupleTable *found = run(SPI_getvalue(views->vals[i],
												views->tupdesc, 1));

		for (n = 0; n < found->numvals; n++)
			tuplestore_puttuple(rsinfo->setResult, found->vals[n]);
		SPI_freetuptable(found);
	}
	SPI_finish();
	return (Datum) 0;
}
