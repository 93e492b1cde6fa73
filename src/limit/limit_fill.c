/*
 * limit_fill.c
 *		The rows there are when a limit is declared.
 *
 * Rows that already break it are refused; the totals are filled from the
 * children that count (total_fill.c).
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/idem_errors.h"
#include "base/qualified.h"
#include "limit/limit_declare.h"
#include "total/total_keep.h"
#include "total/total_sql.h"
#include "total/total_type.h"

/* Parents of which a condition on their sums t holds, shown as format says. */
static char *
parents_sql(IdemTotalDeclaration *d, const char *format, const char *shown,
			const char *condition)
{
	return psprintf("SELECT pg_catalog.format('%%s %%s: %s', %s, %s) FROM (%s) t JOIN %s p ON %s WHERE %s ORDER BY 1",
					format, idem_total_parent_sql(d), shown,
					idem_limit_sums_sql(d->sources),
					idem_qualified_name(d->parent),
					idem_total_join_sql(&d->of.key, "t.k%d"), condition);
}

/* 23I05 if requests already exceed their parent; facts may. */
static void
check_sums(IdemTotalDeclaration *d)
{
	const char *cap = idem_total_column_sql("p",
											IDEM_LIMIT_DECLARATION(d)->cap);
	char	   *found;

	found = idem_total_offenders(parents_sql(d, "limit %s, used %s",
											 psprintf("%s, t.asked", cap),
											 psprintf("t.asked OPERATOR(pg_catalog.>) %s::pg_catalog.numeric",
													  cap)));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
				 errmsg("rows of table \"%s\" already exceed the limit of their row of table \"%s\"",
						RelationGetRelationName(d->child),
						RelationGetRelationName(d->parent)),
				 errdetail("%s", found),
				 errtable(d->child)));
}

/* The same if there are more of them than may be. */
static void
check_counts(IdemTotalDeclaration *d, int64 count_cap)
{
	char	   *found;

	if (count_cap == 0 || d->of.facts != NIL)
		return;
	found = idem_total_offenders(parents_sql(d, "%s", "t.number",
											 psprintf("t.number OPERATOR(pg_catalog.>) " INT64_FORMAT,
													  count_cap)));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
				 errmsg("rows of table \"%s\" already have more rows of table \"%s\" than the limit allows",
						RelationGetRelationName(d->parent),
						RelationGetRelationName(d->child)),
				 errdetail("%s", found),
				 errtable(d->child)));
}

/* The same if a parent does not have what its state asks for. */
static void
check_exact(IdemTotalDeclaration *d)
{
	const char *cap = idem_total_column_sql("p",
											IDEM_LIMIT_DECLARATION(d)->cap);
	char	   *inexact = idem_limit_inexact_sql(&d->of);
	char	   *found;

	if (inexact == NULL)
		return;
	found = idem_total_offenders(psprintf("SELECT pg_catalog.format('%%s %%s: limit %%s, used %%s', %s, %s, COALESCE(t.total, 0)) FROM %s p LEFT JOIN (%s) t ON %s WHERE %s ORDER BY 1",
										  idem_total_parent_sql(d), cap,
										  idem_qualified_name(d->parent),
										  idem_limit_sums_sql(d->sources),
										  idem_total_join_sql(&d->of.key, "t.k%d"),
										  inexact));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
				 errmsg("rows of table \"%s\" do not have exactly the rows of table \"%s\" that they declare",
						RelationGetRelationName(d->parent),
						RelationGetRelationName(d->child)),
				 errdetail("%s", found),
				 errtable(d->parent)));
}

/* Refuse rows that already break the limit. */
void
idem_limit_check_rows(IdemTotalDeclaration *d)
{
	idem_total_check_amounts(d, false);
	idem_total_check_same(d);
	check_sums(d);
	check_counts(d, IDEM_LIMIT_DECLARATION(d)->count_cap);
	check_exact(d);
}

/* used = LEAST(p.cap, t.total)::type, excess = ..., count = t.number */
void
idem_limit_fill(IdemTotalDeclaration *d)
{
	IdemLimitDeclaration *limit = IDEM_LIMIT_DECLARATION(d);
	const char *type = idem_total_type_name(d->type);
	const char *cap = idem_total_column_sql("p", limit->cap);
	const char *excess = limit->excess;
	List	   *columns = list_make1(d->of.total);
	StringInfoData sql;

	if (excess == NULL)
		excess = idem_total_column(d->parent, d->of.total, "excess");
	initStringInfo(&sql);
	appendStringInfo(&sql, "%s = LEAST(%s::pg_catalog.numeric, t.total)::%s",
					 quote_identifier(d->of.total), cap, type);
	if (excess != NULL)
	{
		columns = lappend(columns, unconstify(char *, excess));
		appendStringInfo(&sql, ", %s = GREATEST(t.total OPERATOR(pg_catalog.-) %s::pg_catalog.numeric, '0')::%s",
						 quote_identifier(excess), cap, type);
	}
	if (limit->count_used != NULL)
	{
		columns = lappend(columns, limit->count_used);
		appendStringInfo(&sql, ", %s = t.number",
						 quote_identifier(limit->count_used));
	}
	idem_total_fill(d, columns, sql.data, idem_limit_sums_sql(d->sources));
}
