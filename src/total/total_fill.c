/*
 * total_fill.c
 *		The rows there are when a guard with a total is declared.
 *
 * Rows that already break it are refused with some of them in DETAIL; the
 * totals are filled from the children that count.  All statements run under
 * the latest snapshot, which may be younger than the transaction's: both
 * tables are locked against writers by now.  In them c is the child, p the
 * parent, t the sums: (k1, k2, ..., and what the room adds up).
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/column.h"
#include "base/idem_errors.h"
#include "base/qualified.h"
#include "total/total_declare.h"
#include "total/total_keep.h"
#include "total/total_sql.h"

/* how many offenders a refusal lists */
#define OFFENDERS_MAX 5

/*
 * Run a statement under the latest snapshot; result in SPI_tuptable.  A row is
 * not written upon a version that the transaction's own snapshot cannot see,
 * or the transaction would have two versions of one row: 40001.
 */
static void
run_latest(const char *sql, int expected, bool writes)
{
	SPIPlanPtr	plan = SPI_prepare(sql, 0, NULL);
	bool		crosscheck = writes && IsolationUsesXactSnapshot();
	int			code;

	if (plan == NULL)
		elog(ERROR, "SPI_prepare returned %s: %s",
			 SPI_result_code_string(SPI_result), sql);
	CommandCounterIncrement();
	code = SPI_execute_snapshot(plan, NULL, NULL, GetLatestSnapshot(),
								crosscheck ? GetTransactionSnapshot() :
								InvalidSnapshot, false, true, 0);
	if (code != expected)
		elog(ERROR, "SPI_execute_snapshot returned %s: %s",
			 SPI_result_code_string(code), sql);
}

/* The same of a query, or an UPDATE, as the code says that SPI is to return. */
void
idem_total_run_latest(const char *sql, int expected)
{
	run_latest(sql, expected, expected != SPI_OK_SELECT);
}

/* The same of a query that writes: WITH ... AS (UPDATE ...) SELECT ... */
void
idem_total_write_latest(const char *sql)
{
	run_latest(sql, SPI_OK_SELECT, true);
}

/*
 * The rows of a query of one text column, as a sentence; NULL if there are
 * none.
 */
char *
idem_total_offenders(const char *sql)
{
	StringInfoData buf;
	uint64		i;

	idem_total_run_latest(psprintf("%s LIMIT %d", sql, OFFENDERS_MAX + 1), SPI_OK_SELECT);
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

/* p.column */
const char *
idem_total_column_sql(const char *table, const char *name)
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
						 idem_total_column_sql(table,
											   NameStr(TupleDescAttr(RelationGetDescr(rel),
																	 columns[i] - 1)->attname)));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* 'payment', key of p: two values for format() */
char *
idem_total_parent_sql(IdemTotalDeclaration *d)
{
	return psprintf("%s, %s", name_sql(d->parent),
					key_text_sql(d->parent, "p", d->of.key.parent_column,
								 d->of.key.n));
}

/* Which amounts of c are fit; numeric has NaN and Infinity. */
static char *
fit_sql(IdemTotalDeclaration *d, const char *amount, bool is_signed)
{
	char	   *sql = psprintf("%s OPERATOR(pg_catalog.%s) '0'", amount,
							   is_signed ? "<>" : ">");

	if (d->type != NUMERICOID)
		return sql;
	return psprintf("%s AND %s OPERATOR(pg_catalog.<) 'Infinity' AND %s OPERATOR(pg_catalog.>) '-Infinity'",
					sql, amount, amount);
}

/*
 * 23514 if a child has an amount that is not a positive number; is_signed: or
 * a negative one.
 */
void
idem_total_check_amounts(IdemTotalDeclaration *d, bool is_signed)
{
	const char *amount = idem_total_column_sql("c", d->of.amount);
	char	   *found;

	found = idem_total_offenders(psprintf("SELECT pg_catalog.format('of %%s %%s: %%s', %s, %s, COALESCE(%s::pg_catalog.text, 'null')) FROM %s c WHERE (%s) IS NOT TRUE ORDER BY 1",
										  name_sql(d->parent),
										  key_text_sql(d->child, "c",
													   d->of.key.child_column,
													   d->of.key.n),
										  amount, idem_qualified_name(d->child),
										  fit_sql(d, amount, is_signed)));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 is_signed ?
				 errmsg("table \"%s\" has amounts that are zero or no numbers",
						RelationGetRelationName(d->child)) :
				 errmsg("table \"%s\" has amounts that are not positive numbers",
						RelationGetRelationName(d->child)),
				 errdetail("%s", found),
				 errtablecol(d->child,
							 idem_column_number(d->child, d->of.amount))));
}

/* The same of one column. */
static void
check_pair(IdemTotalDeclaration *d, const char *mine, const char *other)
{
	AttrNumber	column = idem_column_number(d->child, mine);
	const char *mine_sql = idem_total_column_sql("c", mine);
	const char *other_sql = idem_total_column_sql("p", other);
	TupleDesc	desc = RelationGetDescr(d->parent);
	char	   *found;

	found = idem_total_offenders(psprintf("SELECT pg_catalog.format('%%s %%s: %%L, of %%s %%L', %s, %s, %s, %s) FROM %s c JOIN %s p ON %s WHERE (%s) AND (%s) IS NOT TRUE ORDER BY 1",
										  idem_total_parent_sql(d), other_sql,
										  name_sql(d->child), mine_sql,
										  idem_qualified_name(d->child),
										  idem_qualified_name(d->parent),
										  idem_total_join_sql(&d->of.key, NULL),
										  idem_total_counted_sql(&d->of),
										  idem_total_equal_sql(other_sql,
															   TupleDescAttr(desc, idem_column_number(d->parent, other) - 1)->atttypid,
															   mine_sql,
															   TupleDescAttr(RelationGetDescr(d->child), column - 1)->atttypid)));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_REVERSE_MISMATCH),
				 errmsg("rows of table \"%s\" differ in \"%s\" from their row of table \"%s\"",
						RelationGetRelationName(d->child), mine,
						RelationGetRelationName(d->parent)),
				 errdetail("%s", found),
				 errtablecol(d->child, column)));
}

/* 23I06 if a counted child differs from its parent in a compared column. */
void
idem_total_check_same(IdemTotalDeclaration *d)
{
	ListCell   *a;
	ListCell   *b;

	forboth(a, d->same, b, d->same_parent)
		check_pair(d, lfirst(a), lfirst(b));
}

/* Could a trigger of the parent change, or suppress, an UPDATE of totals? */
bool
idem_total_may_suppress(Oid parent)
{
	bool		may = false;
	ListCell   *lc;

	foreach(lc, find_all_inheritors(parent, AccessShareLock, NULL))
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);

		may |= rel->trigdesc != NULL && rel->trigdesc->trig_update_before_row;
		table_close(rel, NoLock);
	}
	return may;
}

/* 39P01: the row that was filled is not there. */
void
idem_total_refuse_filled(Relation parent, const char *column,
						 const char *finding)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("the running total of table \"%s\" could not be kept",
					RelationGetRelationName(parent)),
			 errdetail("A BEFORE trigger of the table changed or suppressed the UPDATE of column \"%s\": %s.",
					   column, finding),
			 errtablecol(parent, idem_column_number(parent, column))));
}

/* used = '0', excess = '0', count = '0'; or whether one of them is not */
static char *
zero_sql(List *columns, bool wrong)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, columns)
	{
		if (wrong)
			appendStringInfo(&sql, "%s(%s OPERATOR(pg_catalog.=) '0') IS NOT TRUE",
							 sql.len > 0 ? " OR " : "",
							 idem_total_column_sql("p", lfirst(lc)));
		else
			appendStringInfo(&sql, "%s%s = '0'", sql.len > 0 ? ", " : "",
							 quote_identifier(lfirst(lc)));
	}
	return sql.data;
}

/*
 * The totals of all rows: of those that have children what values says of
 * their sums t, of the others 0.  Counterparts that are there already let it
 * pass.
 */
void
idem_total_fill(IdemTotalDeclaration *d, List *columns, const char *values,
				const char *sums)
{
	const char *parent = idem_qualified_name(d->parent);
	const char *join = idem_total_join_sql(&d->of.key, "t.k%d");

	idem_total_set_filling(d->of.key.parent);
	PG_TRY();
	{
		idem_total_run_latest(psprintf("UPDATE %s p SET %s WHERE (%s) AND NOT EXISTS (SELECT FROM (%s) t WHERE %s)",
									   parent, zero_sql(columns, false),
									   zero_sql(columns, true), sums, join),
							  SPI_OK_UPDATE);
		idem_total_run_latest(psprintf("UPDATE %s p SET %s FROM (%s) t WHERE %s",
									   parent, values, sums, join),
							  SPI_OK_UPDATE);
	}
	PG_FINALLY();
	{
		idem_total_set_filling(InvalidOid);
	}
	PG_END_TRY();
}
