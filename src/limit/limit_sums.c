/*
 * limit_sums.c
 *		What the children of a limit add up to, as SQL.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/settings.h"
#include "limit/limit_declare.h"
#include "total/total_sql.h"

/* Which children are facts, of the child c. */
static char *
fact_sql(const IdemTotalSource *source)
{
	if (idem_total_is_everything(source->facts))
		return "true";
	return psprintf("%s IS TRUE",
					idem_total_state_sql(source->key.child, "c",
										 source->state, source->facts));
}

/* c.amount::numeric AS amount, <is a fact> AS fact, true AS own */
static char *
row_sql(const IdemTotalSource *source, bool first)
{
	return psprintf("c.%s::pg_catalog.numeric AS amount, %s AS fact, %s AS own",
					quote_identifier(source->amount), fact_sql(source),
					first ? "true" : "false");
}

/*
 * The sums of all children, of those that are requests, and the number of
 * those of the first source: (k1, ..., total, asked, number).
 */
char *
idem_limit_sums_sql(List *sources)
{
	return idem_total_sums_sql(sources,
							   "pg_catalog.sum(x.amount) AS total, pg_catalog.sum(x.amount) FILTER (WHERE NOT x.fact) AS asked, pg_catalog.count(*) FILTER (WHERE x.own) AS number",
							   row_sql);
}

/*
 * Of a parent p and the sums t of its children: does its state ask for exactly
 * what it declares, and has it something else?  NULL: no state asks for it.
 */
char *
idem_limit_inexact_sql(const IdemTotalSource *source)
{
	List	   *settings = source->settings;
	List	   *exact = idem_setting_list(settings, "exact");
	const char *declared = idem_setting(settings, "exact_count");
	StringInfoData sql;

	if (exact == NIL)
		return NULL;
	initStringInfo(&sql);
	appendStringInfo(&sql, "%s IS TRUE AND (COALESCE(t.total, 0) OPERATOR(pg_catalog.<>) %s::pg_catalog.numeric",
					 idem_total_state_sql(source->key.parent, "p",
										  idem_setting(settings, "parent_state"),
										  exact),
					 idem_total_column_sql("p", idem_setting(settings, "cap")));
	if (declared != NULL)
		appendStringInfo(&sql, " OR (COALESCE(t.number, 0) OPERATOR(pg_catalog.=) %s) IS NOT TRUE",
						 idem_total_column_sql("p", declared));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}
