/*
 * ledger_fill.c
 *		The entries there are when a balance is declared.
 *
 * Rows that already break it are refused; the balances are filled from the
 * entries that count (total_fill.c).
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/column.h"
#include "base/idem_errors.h"
#include "base/qualified.h"
#include "ledger/ledger_declare.h"
#include "total/total_keep.h"
#include "total/total_sql.h"
#include "total/total_type.h"

/* 23514 if rows of a table have a word that is none of the two. */
static void
check_words(IdemTotalDeclaration *d, Relation rel, const char *table,
			const char *column)
{
	char	   *found;

	if (column == NULL)
		return;
	found = idem_total_offenders(psprintf("SELECT DISTINCT COALESCE(%s::pg_catalog.text, 'null') FROM %s %s WHERE (%s) IS NULL ORDER BY 1",
										  idem_total_column_sql(table, column),
										  idem_qualified_name(rel), table,
										  idem_ledger_side_sql(&d->of,
															   RelationGetRelid(rel),
															   table, column,
															   "1", "0")));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("column \"%s\" of table \"%s\" has words that are neither the one for a debit nor the one for a credit",
						column, RelationGetRelationName(rel)),
				 errdetail("%s", found),
				 errtablecol(rel, idem_column_number(rel, column))));
}

/* Accounts of which a condition holds, with their sums t, as format says. */
static char *
accounts_sql(IdemTotalDeclaration *d, const char *format, const char *shown,
			 const char *condition)
{
	const char *unbounded = IDEM_BALANCE_DECLARATION(d)->unbounded;

	return psprintf("SELECT pg_catalog.format('%%s %%s: %s', %s, %s) FROM %s p LEFT JOIN (%s) t ON %s WHERE %s%s ORDER BY 1",
					format, idem_total_parent_sql(d), shown,
					idem_qualified_name(d->parent),
					idem_ledger_sums_sql(d->sources),
					idem_total_join_sql(&d->of.key, "t.k%d"), condition,
					unbounded == NULL ? "" :
					psprintf(" AND NOT %s",
							 idem_total_column_sql("p", unbounded)));
}

static void
refuse_bound(IdemTotalDeclaration *d, const char *word, char *found)
{
	if (found == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
			 errmsg("rows of table \"%s\" are already beyond the %s of their row of table \"%s\"",
					RelationGetRelationName(d->child), word,
					RelationGetRelationName(d->parent)),
			 errdetail("%s", found),
			 errtable(d->child)));
}

/* 23I05 if accounts are already beyond a bound; facts may take them there. */
static void
check_bounds(IdemTotalDeclaration *d)
{
	IdemBalanceDeclaration *declared = IDEM_BALANCE_DECLARATION(d);
	const char *balance = idem_ledger_balance_sql(&d->of);
	const char *held = idem_ledger_held_sql(&d->of);
	const char *bound;

	if (declared->floor != NULL && declared->shortfall == NULL &&
		idem_total_column(d->parent, d->of.total, "shortfall") == NULL)
	{
		bound = idem_total_column_sql("p", declared->floor);
		refuse_bound(d, "floor",
					 idem_total_offenders(accounts_sql(d, "balance %s, held %s, floor %s",
													   psprintf("%s, %s, %s", balance,
																held, bound),
													   psprintf("%s - %s < %s::pg_catalog.numeric",
																balance, held,
																bound))));
	}
	if (declared->ceiling != NULL && d->of.facts == NIL &&
		declared->pending == NIL)
	{
		bound = idem_total_column_sql("p", declared->ceiling);
		refuse_bound(d, "ceiling",
					 idem_total_offenders(accounts_sql(d, "balance %s, ceiling %s",
													   psprintf("%s, %s", balance,
																bound),
													   psprintf("%s > %s::pg_catalog.numeric",
																balance, bound))));
	}
}

/* Refuse rows that already break the guard. */
void
idem_balance_check_rows(IdemTotalDeclaration *d)
{
	IdemBalanceDeclaration *declared = IDEM_BALANCE_DECLARATION(d);

	idem_total_check_amounts(d, declared->direction == NULL &&
							 declared->side == NULL);
	check_words(d, d->child, "c", declared->direction);
	check_words(d, d->parent, "p", declared->normal_column);
	idem_total_check_same(d);
	check_bounds(d);
}

static void
add_value(StringInfo sql, List **columns, const char *column,
		  const char *value, Oid type)
{
	if (column == NULL)
		return;
	*columns = lappend(*columns, unconstify(char *, column));
	appendStringInfo(sql, "%s%s = (%s)::%s", sql->len > 0 ? ", " : "",
					 quote_identifier(column), value,
					 idem_total_type_name(type));
}

/* balance = (...)::type, held = ..., shortfall = ... */
void
idem_balance_fill(IdemTotalDeclaration *d)
{
	IdemBalanceDeclaration *declared = IDEM_BALANCE_DECLARATION(d);
	const char *held = declared->held;
	const char *shortfall = declared->shortfall;
	char	   *missing;
	List	   *columns = NIL;
	StringInfoData sql;

	if (held == NULL)
		held = idem_total_column(d->parent, d->of.total, "held");
	if (shortfall == NULL)
		shortfall = idem_total_column(d->parent, d->of.total, "shortfall");
	missing = idem_ledger_missing_sql(declared->floor, declared->unbounded,
									  idem_ledger_balance_sql(&d->of),
									  idem_ledger_held_sql(&d->of));
	initStringInfo(&sql);
	add_value(&sql, &columns, d->of.total, idem_ledger_balance_sql(&d->of),
			  d->type);
	add_value(&sql, &columns, held, idem_ledger_held_sql(&d->of), d->type);
	add_value(&sql, &columns, shortfall, missing, d->type);
	idem_total_fill(d, columns, sql.data, idem_ledger_sums_sql(d->sources));
}
