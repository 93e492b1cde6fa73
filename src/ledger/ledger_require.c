/*
 * ledger_require.c
 *		What a balance relies on, before it is put on a table.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/column.h"
#include "ledger/ledger_declare.h"
#include "total/total_keep.h"
#include "total/total_type.h"

static Form_pg_attribute
attribute(Relation rel, AttrNumber column)
{
	return TupleDescAttr(RelationGetDescr(rel), column - 1);
}

/* A column of the account that must say something: 42P17 if it can be NULL. */
static AttrNumber
require_not_null(IdemTotalDeclaration *d, const char *name)
{
	AttrNumber	column = idem_stored_column(d->parent, name);

	if (!attribute(d->parent, column)->attnotnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" can be null", name,
						RelationGetRelationName(d->parent)),
				 errdetail("A bound of NULL would be no bound."),
				 errhint("Declare it NOT NULL."),
				 errtablecol(d->parent, column)));
	return column;
}

/* The column of a bound has the type of the amounts. */
static void
check_bound(IdemTotalDeclaration *d, const char *name)
{
	AttrNumber	column;

	if (name == NULL)
		return;
	column = require_not_null(d, name);
	if (idem_column_base_type(d->parent, column, NULL) != d->type)
		idem_total_refuse_type(d, d->parent, column,
							   "Amount, bounds and balance have one type.");
}

/* Amounts have a type that does not round, and the bounds have the same. */
static void
check_types(IdemTotalDeclaration *d)
{
	IdemBalanceDeclaration *balance = IDEM_BALANCE_DECLARATION(d);
	AttrNumber	amount = idem_stored_column(d->child, d->of.amount);
	AttrNumber	column;

	d->type = idem_column_base_type(d->child, amount, &d->typmod);
	if (!idem_amount_type_supported(d->type))
		idem_total_refuse_type(d, d->child, amount,
							   "A balance is kept in money_micro, bigint, integer or numeric.");
	check_bound(d, balance->floor);
	check_bound(d, balance->ceiling);
	if (balance->unbounded == NULL)
		return;
	column = require_not_null(d, balance->unbounded);
	if (idem_column_base_type(d->parent, column, NULL) != BOOLOID)
		idem_total_refuse_type(d, d->parent, column,
							   "Whether an account has no bound is a boolean.");
}

/* The columns that are kept; those of sums have no length of their own. */
static void
check_kept(IdemTotalDeclaration *d)
{
	IdemBalanceDeclaration *balance = IDEM_BALANCE_DECLARATION(d);

	balance->replaces =
		(balance->held != NULL &&
		 idem_total_column(d->parent, d->of.total, "held") == NULL) ||
		(balance->shortfall != NULL &&
		 idem_total_column(d->parent, d->of.total, "shortfall") == NULL);
	idem_total_require_sum(d, "balance", d->of.total);
	if (balance->held != NULL)
		idem_total_require_sum(d, "held", balance->held);
	if (balance->shortfall != NULL)
		idem_total_require_sum(d, "shortfall", balance->shortfall);
}

/* Words and labels are known to the types of their columns. */
static void
check_words(IdemTotalDeclaration *d)
{
	IdemBalanceDeclaration *balance = IDEM_BALANCE_DECLARATION(d);
	List	   *words = list_make2(balance->debit ? balance->debit : "debit",
								   balance->credit ? balance->credit : "credit");
	IdemStates	states;

	if (balance->direction != NULL)
		(void) idem_stored_column(d->child, balance->direction);
	idem_states_init(&states, d->child, balance->direction, words);
	if (balance->normal_column != NULL)
		(void) require_not_null(d, balance->normal_column);
	idem_states_init(&states, d->parent, balance->normal_column, words);
	if (d->of.state != NULL)
		(void) idem_stored_column(d->child, d->of.state);
	idem_states_init(&states, d->child, d->of.state, d->of.released);
	idem_states_init(&states, d->child, d->of.state, balance->pending);
	if (!idem_total_is_everything(d->of.facts))
		idem_states_init(&states, d->child, d->of.state, d->of.facts);
}

/*
 * 42P17 for a partitioned table: its unique indexes contain the columns that it
 * is partitioned by, so of the key of a hold and of the column that names it
 * one has no index of its own.
 */
static void
refuse_partitioned(IdemTotalDeclaration *d, const char *posts)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("column \"%s\" of table \"%s\" cannot name a hold",
					posts, RelationGetRelationName(d->child)),
			 errdetail("The table is partitioned, and has no unique index on that column alone."),
			 errhint("Keep holds, and the entries that post them, in a table of their own that names the same balance."),
			 errtablecol(d->child,
						 idem_column_number(d->child, posts))));
}

/* A hold is named by a foreign key, and once. */
static void
check_posts(IdemTotalDeclaration *d, const char *posts)
{
	Oid			relid = RelationGetRelid(d->child);
	char	   *problem;

	if (posts == NULL)
		return;
	(void) idem_stored_column(d->child, posts);
	problem = idem_posts_problem(relid, posts, NULL);
	if (problem != NULL &&
		d->child->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		refuse_partitioned(d, posts);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" cannot name a hold",
						posts, RelationGetRelationName(d->child)),
				 errdetail_internal("%c%s.", pg_toupper(problem[0]),
									problem + 1),
				 errhint("Declare it UNIQUE, and let it reference the table itself."),
				 errtablecol(d->child, get_attnum(relid, posts))));
}

/* When a hold lapses is a moment. */
static void
check_expiry(IdemTotalDeclaration *d, const char *name)
{
	AttrNumber	column;

	if (name == NULL)
		return;
	column = idem_stored_column(d->child, name);
	if (idem_column_base_type(d->child, column, NULL) != TIMESTAMPTZOID)
		idem_total_refuse_type(d, d->child, column,
							   "A hold lapses at a timestamp with time zone.");
}

/* Check all there is to check of entries and accounts that are open. */
void
idem_balance_require(IdemTotalDeclaration *d)
{
	IdemBalanceDeclaration *balance = IDEM_BALANCE_DECLARATION(d);

	check_types(d);
	check_kept(d);
	idem_total_find_sources(d);
	check_words(d);
	check_posts(d, balance->posts);
	check_expiry(d, balance->expires_at);
	idem_total_require_compared(d);
}
