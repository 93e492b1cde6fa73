/*
 * limit_fill.c
 *		The rows there are when a limit is declared.
 *
 * Rows that already break it are refused with some of them in DETAIL; the
 * totals are filled from the children that count.  All statements run under
 * the latest snapshot, which may be younger than the transaction's: both
 * tables are locked against writers by now.  In them c is the child, p the
 * parent, t the sums: (k1, k2, ..., total).
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/idem_errors.h"
#include "limit/limit_declare.h"

/* how many offenders a refusal lists */
#define OFFENDERS_MAX 5

/* Run a statement under the latest snapshot; result in SPI_tuptable. */
static void
run_latest(const char *sql, int expected)
{
	SPIPlanPtr	plan = SPI_prepare(sql, 0, NULL);
	int			code;

	if (plan == NULL)
		elog(ERROR, "SPI_prepare returned %s: %s",
			 SPI_result_code_string(SPI_result), sql);
	CommandCounterIncrement();
	code = SPI_execute_snapshot(plan, NULL, NULL, GetLatestSnapshot(),
								InvalidSnapshot, false, true, 0);
	if (code != expected)
		elog(ERROR, "SPI_execute_snapshot returned %s: %s",
			 SPI_result_code_string(code), sql);
}

/*
 * The rows of a query of one text column, as a sentence; NULL if there are
 * none.
 */
static char *
offenders(const char *sql)
{
	StringInfoData buf;
	uint64		i;

	run_latest(psprintf("%s LIMIT %d", sql, OFFENDERS_MAX + 1), SPI_OK_SELECT);
	if (SPI_processed == 0)
		return NULL;
	initStringInfo(&buf);
	for (i = 0; i < Min(SPI_processed, OFFENDERS_MAX); i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? "; " : "",
						 SPI_getvalue(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc, 1));
	appendStringInfoString(&buf, SPI_processed > OFFENDERS_MAX ? "; and more." : ".");
	return buf.data;
}

static const char *
column(const char *table, const char *name)
{
	return psprintf("%s.%s", table, quote_identifier(name));
}

/* The name of a table as a value: it may hold quotes, and signs of format(). */
static char *
name_sql(Relation rel)
{
	return quote_literal_cstr(RelationGetRelationName(rel));
}

/* The key of a row as text: 4711, or (7, 4711). */
static char *
key_text_sql(Relation rel, const char *table, const AttrNumber *columns, int n)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "pg_catalog.format('");
	for (i = 0; i < n; i++)
		appendStringInfoString(&sql, i > 0 ? ", %s" : n > 1 ? "(%s" : "%s");
	appendStringInfoString(&sql, n > 1 ? ")'" : "'");
	for (i = 0; i < n; i++)
		appendStringInfo(&sql, ", %s",
						 column(table,
								NameStr(attribute(rel, columns[i])->attname)));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

static char *
parent_key_sql(IdemLimitDeclaration *d)
{
	return key_text_sql(d->parent, "p", d->of.key.parent_column, d->of.key.n);
}

static char *
child_key_sql(IdemLimitDeclaration *d)
{
	return key_text_sql(d->child, "c", d->of.key.child_column, d->of.key.n);
}

/* Which children count. */
static char *
counted_sql(IdemLimitDeclaration *d)
{
	return idem_total_counted_sql(linitial(d->sources));
}

/* 23514 if a child has an amount that is not a positive number. */
static void
check_amounts(IdemLimitDeclaration *d)
{
	const char *amount = column("c", d->of.amount);
	char	   *found;

	found = offenders(psprintf("SELECT pg_catalog.format('of %%s %%s: %%s', %s, %s, COALESCE(%s::pg_catalog.text, 'null')) FROM %s c WHERE (%s OPERATOR(pg_catalog.>) '0'%s) IS NOT TRUE ORDER BY 1",
							   name_sql(d->parent),
							   child_key_sql(d), amount,
							   idem_qualified_name(d->child), amount,
							   d->type != NUMERICOID ? "" :
							   psprintf(" AND %s OPERATOR(pg_catalog.<) 'Infinity'", amount)));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("table \"%s\" has amounts that are not positive numbers",
						RelationGetRelationName(d->child)),
				 errdetail("%s", found),
				 errtablecol(d->child,
							 idem_column_number(d->child, d->of.amount))));
}

/* 23I06 if a counted child differs from its parent in a compared column. */
static void
check_same(IdemLimitDeclaration *d)
{
	ListCell   *a;
	ListCell   *b;

	forboth(a, d->same, b, d->same_parent)
	{
		AttrNumber	mine = idem_column_number(d->child, lfirst(a));
		AttrNumber	other = idem_column_number(d->parent, lfirst(b));
		const char *mine_sql = column("c", lfirst(a));
		const char *other_sql = column("p", lfirst(b));
		char	   *found;

		found = offenders(psprintf("SELECT pg_catalog.format('%%s %%s: %%L, of %%s %%L', %s, %s, %s, %s, %s) FROM %s c JOIN %s p ON %s WHERE (%s) AND (%s) IS NOT TRUE ORDER BY 1",
								   name_sql(d->parent), parent_key_sql(d),
								   other_sql, name_sql(d->child), mine_sql,
								   idem_qualified_name(d->child),
								   idem_qualified_name(d->parent),
								   idem_total_join_sql(&d->of.key,
													   NULL), counted_sql(d),
								   idem_total_equal_sql(other_sql,
														attribute(d->parent,
																  other)->atttypid,
														mine_sql,
														attribute(d->child,
																  mine)->atttypid)));
		if (found)
			ereport(ERROR,
					(errcode(ERRCODE_IDEM_REVERSE_MISMATCH),
					 errmsg("rows of table \"%s\" differ in \"%s\" from their row of table \"%s\"",
							RelationGetRelationName(d->child),
							(char *) lfirst(a),
							RelationGetRelationName(d->parent)),
					 errdetail("%s", found),
					 errtablecol(d->child, mine)));
	}
}

/* 23I05 if requests already exceed their parent; facts may. */
static void
check_sums(IdemLimitDeclaration *d)
{
	const char *cap = column("p", d->of.cap);
	char	   *found;

	found = offenders(psprintf("SELECT pg_catalog.format('%%s %%s: limit %%s, used %%s', %s, %s, %s, t.asked) FROM (%s) t JOIN %s p ON %s WHERE t.asked OPERATOR(pg_catalog.>) %s::pg_catalog.numeric ORDER BY 1",
							   name_sql(d->parent), parent_key_sql(d), cap,
							   idem_total_sums_sql(d->sources),
							   idem_qualified_name(d->parent),
							   idem_total_join_sql(&d->of.key, "t.k%d"), cap));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
				 errmsg("rows of table \"%s\" already exceed the limit of their row of table \"%s\"",
						RelationGetRelationName(d->child),
						RelationGetRelationName(d->parent)),
				 errdetail("%s", found),
				 errtable(d->child)));
	if (d->count_cap == 0 || d->of.facts != NIL)
		return;
	found = offenders(psprintf("SELECT pg_catalog.format('%%s %%s: %%s', %s, %s, t.number) FROM (%s) t JOIN %s p ON %s WHERE t.number OPERATOR(pg_catalog.>) " INT64_FORMAT " ORDER BY 1",
							   name_sql(d->parent), parent_key_sql(d),
							   idem_total_sums_sql(d->sources),
							   idem_qualified_name(d->parent),
							   idem_total_join_sql(&d->of.key, "t.k%d"),
							   d->count_cap));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
				 errmsg("rows of table \"%s\" already have more rows of table \"%s\" than the limit allows",
						RelationGetRelationName(d->parent),
						RelationGetRelationName(d->child)),
				 errdetail("%s", found),
				 errtable(d->child)));
}

/* Refuse rows that already break the limit. */
void
idem_limit_check_rows(IdemLimitDeclaration *d)
{
	check_amounts(d);
	check_same(d);
	check_sums(d);
}

/* used = LEAST(p.cap, t.total)::type, excess = ..., count = t.number */
static char *
fill_sql(IdemLimitDeclaration *d)
{
	const char *type = idem_total_type_name(d->type);
	const char *cap = column("p", d->of.cap);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "%s = LEAST(%s::pg_catalog.numeric, t.total)::%s",
					 quote_identifier(d->of.used), cap, type);
	if (d->all_excess != NULL)
		appendStringInfo(&sql, ", %s = GREATEST(t.total OPERATOR(pg_catalog.-) %s::pg_catalog.numeric, '0')::%s",
						 quote_identifier(d->all_excess), cap, type);
	if (d->of.count_used != NULL)
		appendStringInfo(&sql, ", %s = t.number",
						 quote_identifier(d->of.count_used));
	return sql.data;
}

/* used = '0', excess = '0', count = '0'; or whether one of them is not */
static char *
zero_sql(IdemLimitDeclaration *d, bool wrong)
{
	const char *columns[3] = {d->of.used, d->all_excess, d->of.count_used};
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < 3; i++)
	{
		if (columns[i] == NULL)
			continue;
		if (wrong)
			appendStringInfo(&sql, "%s(%s OPERATOR(pg_catalog.=) '0') IS NOT TRUE",
							 sql.len > 0 ? " OR " : "", column("p", columns[i]));
		else
			appendStringInfo(&sql, "%s%s = '0'", sql.len > 0 ? ", " : "",
							 quote_identifier(columns[i]));
	}
	return sql.data;
}

/*
 * The totals of all rows: of those that have children the sums, of the others
 * 0.  Counterparts that are there already let it pass.
 */
void
idem_limit_fill_totals(IdemLimitDeclaration *d)
{
	const char *parent = idem_qualified_name(d->parent);
	const char *sums = idem_total_sums_sql(d->sources);
	const char *join = idem_total_join_sql(&d->of.key, "t.k%d");

	idem_total_set_filling(d->of.key.parent);
	PG_TRY();
	{
		run_latest(psprintf("UPDATE %s p SET %s WHERE (%s) AND NOT EXISTS (SELECT FROM (%s) t WHERE %s)",
							parent, zero_sql(d, false), zero_sql(d, true),
							sums, join),
				   SPI_OK_UPDATE);
		run_latest(psprintf("UPDATE %s p SET %s FROM (%s) t WHERE %s",
							parent, fill_sql(d), sums, join),
				   SPI_OK_UPDATE);
	}
	PG_FINALLY();
	{
		idem_total_set_filling(InvalidOid);
	}
	PG_END_TRY();
}
