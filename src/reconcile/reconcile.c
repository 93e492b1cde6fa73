/*
 * reconcile.c
 *		Two records of the same money, and an end for every difference.
 *
 * A run compares one day of one rule (reconcile_compare.c) and keeps what it
 * found, as the owner of the extension, in the same transaction: differences
 * that are new, that are still there, and that healed; counts and sums.  So a
 * run that is killed leaves nothing, and one that is repeated finds the same.
 *
 * Two runs of one rule: the row of the rule is locked first, before anything
 * is read, so the second waits and then sees what the first one kept.  People
 * who settle differences meanwhile lock the row of the difference; a run that
 * meets it waits, and leaves alone what was closed.
 *
 * Everything is decided in SQL: the comparison by idem.reconciliation_query(),
 * the rest by the statements below.  No row is looped over.
 *
 * Shown by sql/reconcile.sql, sql/reconcile_life.sql, sql/reconcile_file.sql
 * and test/isolation/specs/reconcile_race.spec.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/sinval.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/tuplestore.h"

#include "base/argument.h"
#include "base/latest.h"
#include "base/named.h"
#include "reconcile/reconcile.h"

/* The rule $1 and the day $2 */
typedef struct Run
{
	Relation	rel;			/* idem.reconciliation */
	Datum		values[2];
} Run;

/* 0001-01-01 and 9999-12-31 */
#define FIRST_DAY			(1721426 - POSTGRES_EPOCH_JDATE)
#define LAST_DAY			(5373484 - POSTGRES_EPOCH_JDATE)

/* One run of a rule at a time. */
static const char lock_sql[] =
"SELECT FROM idem.reconciliation WHERE name = $1 AND $2 IS NOT NULL FOR NO KEY UPDATE";

static const char flaw_sql[] =
"SELECT flaw, hint FROM idem.reconciliation_flaw($1) WHERE flaw IS NOT NULL AND $2 IS NOT NULL";

static const char rule_sql[] =
"SELECT idem.reconciliation_query(name, $2), owner::text, grace IS NOT NULL FROM idem.reconciliation WHERE name = $1";

/* The same, to find amounts that are no numbers, and whether there are any. */
static const char strict_sql[] =
"SELECT idem.reconciliation_query(name, $2, true), owner::text, grace IS NOT NULL FROM idem.reconciliation WHERE name = $1"
" AND EXISTS (SELECT FROM found WHERE d IS NULL AND (ours = 'NaN' OR abs(ours) = 'Infinity'))";

/*
 * Why the day cannot be judged: the file that is declared complete is not
 * there as it says.  By currency, if it says that.
 */
static const char problem_sql[] =
"WITH file AS ("
" SELECT currency, d->>'version' AS version, keys AS n, theirs AS total FROM found WHERE d->>'kind' = 'file'),"
" line AS ("
" SELECT CASE WHEN (SELECT bool_or(currency IS NOT NULL) FROM file) THEN coalesce(d->>'theirs_currency', currency) END AS currency,"
" sum(theirs_lines) AS n, coalesce(sum(theirs), 0) AS total"
" FROM found WHERE d->>'kind' IS DISTINCT FROM 'file' AND theirs_lines > 0 GROUP BY 1)"
" SELECT CASE WHEN NOT EXISTS (SELECT FROM file) THEN 'no file is declared for the day'"
" ELSE (SELECT string_agg(format('%s, there are %s lines and %s',"
" CASE WHEN f.version IS NULL THEN format('the file declares nothing in %s', coalesce(l.currency, 'no currency'))"
" ELSE format('version %s declares %s lines and %s%s', f.version, f.n, f.total, ' ' || f.currency) END,"
" coalesce(l.n, 0), coalesce(l.total, 0)), '; ' ORDER BY coalesce(f.currency, l.currency) COLLATE \"C\")"
" FROM file f FULL JOIN line l ON coalesce(l.currency, '') = coalesce(f.currency, '')"
" WHERE coalesce(f.n, 0) <> coalesce(l.n, 0) OR coalesce(f.total, 0) <> coalesce(l.total, 0)) END"
" FROM idem.reconciliation WHERE name = $1 AND complete IS NOT NULL AND $2 IS NOT NULL";

/*
 * What was found, as differences: a row a key, of unidentified a row a line.
 * A pair on neighbouring days is none before grace is over, and belongs to the
 * day of ours.
 */
#define CURRENT_DIFFERENCES \
"WITH t AS MATERIALIZED (SELECT clock_timestamp() AS now)," \
" current AS (" \
" SELECT f.d->'key' AS key, CASE k.kind WHEN 'unidentified' THEN row_number() OVER (PARTITION BY f.d->'key' ORDER BY f.d) ELSE 0 END AS line," \
" k.kind, f.currency," \
" CASE k.kind WHEN 'unidentified' THEN trim_scale(f.ours / l.lines) ELSE f.ours END AS ours," \
" CASE k.kind WHEN 'unidentified' THEN trim_scale(f.theirs / l.lines) ELSE coalesce((f.d->>'theirs_amount')::numeric, f.theirs) END AS theirs," \
" CASE k.kind WHEN 'unidentified' THEN least(f.ours_lines, 1) ELSE f.ours_lines END AS ours_lines," \
" CASE k.kind WHEN 'unidentified' THEN least(f.theirs_lines, 1) ELSE f.theirs_lines END AS theirs_lines," \
" ARRAY(SELECT jsonb_array_elements_text(f.d->'fields') COLLATE \"C\") AS fields," \
" nullif(f.d->'ours', 'null') AS ours_values, nullif(f.d->'theirs', 'null') AS theirs_values," \
" (f.d->>'other_day')::date AS other_day" \
" FROM (SELECT currency, d, sum(ours) AS ours, sum(theirs) AS theirs, sum(ours_lines)::bigint AS ours_lines, sum(theirs_lines)::bigint AS theirs_lines" \
" FROM found WHERE d IS NOT NULL GROUP BY currency, d) f" \
" JOIN idem.reconciliation r ON r.name = $1" \
" JOIN t ON true" \
" CROSS JOIN LATERAL (SELECT f.d->>'kind' COLLATE \"C\") k (kind)" \
" CROSS JOIN LATERAL (SELECT f.ours_lines + f.theirs_lines) l (lines)" \
" LEFT JOIN LATERAL generate_series(1, l.lines::integer) g (line) ON k.kind = 'unidentified'" \
" WHERE k.kind NOT IN ('tolerated', 'file') AND NOT f.d ? 'counted'" \
" AND NOT (k.kind = 'other_day' AND t.now < idem.end_of_day(r.calendar, greatest($2, (f.d->>'other_day')::date)) + r.grace))"

/*
 * What becomes of the differences of the day.  One that is not closed is found
 * again, changes its kind, or has healed; one that a person has closed while
 * the records differ stands as long as it is found as it was; all others are
 * new, and name the one of their key before them.
 */
static const char keep_sql[] =
CURRENT_DIFFERENCES ","
" stands AS ("
" SELECT * FROM idem.difference WHERE rule = $1 AND day = $2"
" AND (closed_at IS NULL OR state IN ('explained', 'written_off') AND gone_at IS NULL)),"
" met AS MATERIALIZED ("
" SELECT c.*, s.id, s.kind AS was, s.closed_at IS NULL AS is_open,"
" (s.kind, s.currency, s.ours, s.theirs, s.ours_lines, s.theirs_lines, s.fields, s.ours_values, s.theirs_values, s.other_day)"
" IS NOT DISTINCT FROM"
" (c.kind, c.currency, c.ours, c.theirs, c.ours_lines, c.theirs_lines, c.fields, c.ours_values, c.theirs_values, c.other_day) AS as_it_was"
" FROM current c LEFT JOIN stands s ON s.key = c.key AND s.line = c.line),"
" newest AS ("
" SELECT DISTINCT ON (key, line) key, line, id, n FROM idem.difference WHERE rule = $1 AND day = $2 ORDER BY key, line, n DESC),"
" again AS ("
" UPDATE idem.difference d SET last_seen = greatest(t.now, d.first_seen), kind = m.kind, currency = m.currency, ours = m.ours, theirs = m.theirs,"
" ours_lines = m.ours_lines, theirs_lines = m.theirs_lines, fields = m.fields,"
" ours_values = m.ours_values, theirs_values = m.theirs_values, other_day = m.other_day"
" FROM met m, t WHERE d.rule = $1 AND d.day = $2 AND d.id = m.id AND (d.closed_at IS NULL OR m.as_it_was)"
" RETURNING d.id, d.state, d.kind, m.was),"
" gone AS ("
" UPDATE idem.difference d SET gone_at = t.now FROM stands s, t"
" WHERE d.rule = $1 AND d.day = $2 AND d.id = s.id AND s.closed_at IS NOT NULL AND NOT EXISTS (SELECT FROM met m WHERE m.id = s.id AND m.as_it_was)),"
" healed AS ("
" UPDATE idem.difference d SET state = 'healed', closed_at = t.now FROM stands s, t"
" WHERE d.rule = $1 AND d.day = $2 AND d.id = s.id AND d.closed_at IS NULL AND NOT EXISTS (SELECT FROM met m WHERE m.id = s.id)"
" RETURNING d.id, d.state, d.kind),"
" found_new AS ("
" INSERT INTO idem.difference (id, rule, day, key, line, n, kind, currency, ours, theirs, ours_lines, theirs_lines,"
" fields, ours_values, theirs_values, other_day, state, first_seen, last_seen, previous)"
" SELECT encode(substr(sha256(convert_to(jsonb_build_array($1, $2, m.key, m.line, coalesce(b.n, 0) + 1)::text, 'UTF8')), 1, 16), 'hex')::uuid,"
" $1, $2, m.key, m.line, coalesce(b.n, 0) + 1, m.kind, m.currency, m.ours, m.theirs, m.ours_lines, m.theirs_lines,"
" m.fields, m.ours_values, m.theirs_values, m.other_day, 'open', t.now, t.now, b.id"
" FROM met m CROSS JOIN t LEFT JOIN newest b ON b.key = m.key AND b.line = m.line"
" WHERE m.id IS NULL OR NOT m.is_open AND NOT m.as_it_was)"
" INSERT INTO idem.difference_log (difference, n, at, role, state, kind)"
" SELECT c.id, 1 + coalesce((SELECT max(l.n) FROM idem.difference_log l WHERE l.difference = c.id), 0), t.now, session_user, c.state, c.kind"
" FROM (SELECT id, state, kind FROM healed UNION ALL SELECT id, state, kind FROM again WHERE kind <> was) c, t";

static const char forget_sums_sql[] =
"DELETE FROM idem.reconciled_sum WHERE rule = $1 AND day = $2";

/* Each side is summed under its own currency. */
static const char sums_sql[] =
"INSERT INTO idem.reconciled_sum (rule, day, kind, currency, keys, ours_lines, theirs_lines, ours, theirs, fee)"
" SELECT $1, $2, kind, coalesce(currency, ''), sum(keys), sum(ours_lines), sum(theirs_lines),"
" coalesce(sum(ours), 0), coalesce(sum(theirs), 0), coalesce(sum(fee), 0)"
" FROM (SELECT coalesce(d->>'kind', 'matched') AS kind, p.currency, p.keys, p.ours_lines, p.theirs_lines, p.ours, p.theirs, p.fee"
" FROM found f"
" CROSS JOIN LATERAL (SELECT f.ours_lines > 0 AND f.theirs_lines > 0 AND coalesce(f.d->>'theirs_currency' <> f.currency, false)) o (other)"
" CROSS JOIN LATERAL (VALUES"
" (f.currency, CASE f.d->>'kind' WHEN 'unidentified' THEN f.ours_lines + f.theirs_lines ELSE f.keys END, f.ours_lines,"
" CASE WHEN o.other THEN 0 ELSE f.theirs_lines END, f.ours, CASE WHEN NOT o.other THEN f.theirs END, CASE WHEN NOT o.other THEN f.fee END),"
" (CASE WHEN o.other THEN f.d->>'theirs_currency' END, 0, 0, f.theirs_lines, NULL, f.theirs, f.fee)"
" ) p (currency, keys, ours_lines, theirs_lines, ours, theirs, fee)"
" WHERE f.d->>'kind' IS DISTINCT FROM 'file' AND (p.keys > 0 OR o.other)) s"
" GROUP BY kind, coalesce(currency, '')";

static const char judged_sql[] =
"INSERT INTO idem.reconciled AS d (rule, day, problem, version, waiting, again_at, runs, at, role)"
" SELECT $1, $2, NULL, (SELECT max((f.d->>'version')::numeric) FROM found f WHERE f.d->>'kind' = 'file'),"
" count(*), max(e.over), 1, clock_timestamp(), session_user"
" FROM found f JOIN idem.reconciliation r ON r.name = $1"
" CROSS JOIN LATERAL (SELECT idem.end_of_day(r.calendar, greatest($2, (f.d->>'other_day')::date)) + r.grace) e (over)"
" WHERE f.d->>'kind' = 'other_day' AND NOT f.d ? 'counted' AND clock_timestamp() < e.over"
" ON CONFLICT ON CONSTRAINT reconciled_pkey DO UPDATE SET problem = NULL, version = excluded.version,"
" waiting = excluded.waiting, again_at = excluded.again_at, runs = d.runs + 1, at = excluded.at, role = excluded.role";

static const char not_judged_sql[] =
"INSERT INTO idem.reconciled AS d (rule, day, problem, waiting, runs, at, role)"
" VALUES ($1, $2, $3, 0, 1, clock_timestamp(), session_user)"
" ON CONFLICT ON CONSTRAINT reconciled_pkey DO UPDATE SET problem = excluded.problem,"
" runs = d.runs + 1, at = excluded.at, role = excluded.role";

static const char answer_sql[] =
"SELECT s.kind, nullif(s.currency, ''), s.keys, s.ours, s.theirs, s.ours - s.theirs,"
" (SELECT count(*) FROM idem.difference d WHERE d.rule = $1 AND d.day = $2 AND d.closed_at IS NULL"
" AND d.kind = s.kind AND coalesce(d.currency, '') = s.currency), NULL::text"
" FROM idem.reconciled_sum s WHERE s.rule = $1 AND s.day = $2"
" ORDER BY s.kind = 'matched' DESC, s.kind, s.currency";

#define ANSWER_COLUMNS		8
#define ANSWER_KIND			0
#define ANSWER_DETAIL		7

/* Run a statement about the run, as the owner of the extension. */
static uint64
run(Run *run, const char *sql)
{
	Oid			types[2] = {TEXTOID, DATEOID};

	return idem_run_as_owner(run->rel, sql, 2, types, run->values, NULL);
}

static char *
result(int column)
{
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column);
}

/* Lock the rule; 42704 if there is none. */
static void
lock_rule(Run *r)
{
	if (run(r, lock_sql) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("reconciliation \"%s\" does not exist",
						TextDatumGetCString(r->values[0]))));
}

/* 42P17 if the tables and views of the rule are no longer what it needs. */
static void
check_rule(Run *r)
{
	char	   *hint;

	if (run(r, flaw_sql) == 0)
		return;
	hint = result(2);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("reconciliation \"%s\": %s",
					TextDatumGetCString(r->values[0]), result(1)),
			 hint ? errhint("%s", hint) : 0));
}

/* Put what the last statement returned into the result of the function. */
static void
put_answer(ReturnSetInfo *rsinfo)
{
	uint64		i;

	for (i = 0; i < SPI_processed; i++)
	{
		Datum		values[ANSWER_COLUMNS];
		bool		nulls[ANSWER_COLUMNS];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values,
						  nulls);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
							 nulls);
	}
}

/* Keep that the day could not be judged, and say why. */
static void
put_incomplete(Run *r, const char *problem, ReturnSetInfo *rsinfo)
{
	Oid			types[3] = {TEXTOID, DATEOID, TEXTOID};
	Datum		values[ANSWER_COLUMNS] = {0};
	bool		nulls[ANSWER_COLUMNS];
	Datum		args[3];

	args[0] = r->values[0];
	args[1] = r->values[1];
	args[2] = CStringGetTextDatum(problem);
	(void) idem_run_as_owner(r->rel, not_judged_sql, 3, types, args, NULL);
	memset(nulls, true, sizeof(nulls));
	values[ANSWER_KIND] = CStringGetTextDatum("incomplete");
	nulls[ANSWER_KIND] = false;
	values[ANSWER_DETAIL] = args[2];
	nulls[ANSWER_DETAIL] = false;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * There may be as many differences as rows, of which the planner knows
 * nothing: a loop in a loop over them would not come to an end.
 */
static void
keep_differences(Run *r)
{
	int			level = NewGUCNestLevel();

	idem_reconcile_hash();
	(void) run(r, keep_sql);
	AtEOXact_GUC(true, level);
}

/* Keep what was found. */
static void
put_judged(Run *r, ReturnSetInfo *rsinfo)
{
	keep_differences(r);
	(void) run(r, forget_sums_sql);
	(void) run(r, sums_sql);
	(void) run(r, judged_sql);
	(void) run(r, answer_sql);
	put_answer(rsinfo);
}

/*
 * A plan of the comparison.  The statement depends on the columns and unique
 * indexes that both sides have, and planning it may wait for who changes them:
 * so, unless nobody changed anything meanwhile, it is written again now that
 * both are locked, until it is the one that was planned.
 */
static SPIPlanPtr
plan_comparison(Run *r, char **owner)
{
	SPIPlanPtr	plan = NULL;
	char	   *sql = NULL;
	uint64		changes;

	do
	{
		char	   *before = sql;

		AcceptInvalidationMessages();
		changes = SharedInvalidMessageCounter;
		(void) run(r, rule_sql);
		sql = result(1);
		*owner = result(2);
		if (before != NULL && strcmp(sql, before) == 0)
			break;
		if (plan != NULL)
			SPI_freeplan(plan);
		plan = idem_reconcile_plan(sql, *owner, *result(3) == 't');
	} while (changes != SharedInvalidMessageCounter);
	return plan;
}

/*
 * Compare both sides.  An infinite amount agrees with itself; that it is there
 * is seen by the sum, and both sides are then compared once more.
 */
static void
compare(Run *r)
{
	char	   *owner;
	SPIPlanPtr	plan = plan_comparison(r, &owner);

	idem_reconcile_compare(plan, owner);
	if (run(r, strict_sql) > 0)
	{
		plan = idem_reconcile_plan(result(1), owner, *result(3) == 't');
		idem_reconcile_forget();
		idem_reconcile_compare(plan, owner);
	}
}

/*
 * Days that have neighbours and an end: what was judged is read by everybody,
 * and an end that is no time would be an error there.
 */
static void
check_day(DateADT day)
{
	if (day < FIRST_DAY || day > LAST_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"day\" must be a day of the years 1 to 9999")));
}

static void
begin_run(FunctionCallInfo fcinfo, Run *r)
{
	r->values[0] = CStringGetTextDatum(idem_required_text(fcinfo, 0, "rule"));
	idem_require_argument(fcinfo, 1, "day");
	r->values[1] = PG_GETARG_DATUM(1);
	check_day(DatumGetDateADT(r->values[1]));
	PreventCommandIfReadOnly("idem.reconcile()");
	r->rel = table_open(idem_extension_relation("reconciliation"),
						RowShareLock);
}

/*
 * reconcile(rule text, day date) -> SETOF record
 */
PG_FUNCTION_INFO_V1(idem_reconcile);
Datum
idem_reconcile(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *problem = NULL;
	Run			r;

	InitMaterializedSRF(fcinfo, 0);
	begin_run(fcinfo, &r);
	SPI_connect();
	lock_rule(&r);
	check_rule(&r);
	compare(&r);
	if (run(&r, problem_sql) > 0)
		problem = result(1);
	if (problem != NULL)
		put_incomplete(&r, problem, rsinfo);
	else
		put_judged(&r, rsinfo);
	SPI_finish();
	table_close(r.rel, NoLock);
	return (Datum) 0;
}
