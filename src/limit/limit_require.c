/*
 * limit_require.c
 *		What a limit relies on, before it is put on a table.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/column.h"
#include "limit/limit_declare.h"
#include "total/total_type.h"

/* Amount and cap have one type, and it is one that does not round. */
static void
check_amount_types(IdemTotalDeclaration *d)
{
	const char *cap_name = IDEM_LIMIT_DECLARATION(d)->cap;
	AttrNumber	amount = idem_stored_column(d->child, d->of.amount);
	AttrNumber	cap = idem_stored_column(d->parent, cap_name);
	int32		amount_typmod;

	d->type = idem_column_base_type(d->parent, cap, &d->typmod);
	if (!idem_amount_type_supported(d->type))
		idem_total_refuse_type(d, d->parent, cap,
							   "A limit is kept in money_micro, bigint, integer or numeric.");
	if (idem_column_base_type(d->child, amount, &amount_typmod) != d->type)
		idem_total_refuse_type(d, d->child, amount,
							   "Amount, cap and running total have one type.");
	if (amount_typmod != d->typmod)
		d->typmod = -1;
	if (!TupleDescAttr(RelationGetDescr(d->parent), cap - 1)->attnotnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("cap column \"%s\" of table \"%s\" can be null",
						cap_name, RelationGetRelationName(d->parent)),
				 errdetail("A limit of NULL would be no limit."),
				 errhint("Declare it NOT NULL."),
				 errtablecol(d->parent, cap)));
}

/* All columns of totals, each for one purpose. */
static void
check_total_columns(IdemTotalDeclaration *d)
{
	IdemLimitDeclaration *limit = IDEM_LIMIT_DECLARATION(d);

	idem_total_require_amount(d, "used", d->of.total, d->typmod);
	if (limit->excess != NULL)
		idem_total_require_amount(d, "excess", limit->excess, -1);
	if (limit->count_used != NULL)
		idem_total_require_count(d, "count_used", limit->count_used);
}

/* The time a parent's age counts from. */
static void
check_age_column(Relation parent, const char *name)
{
	AttrNumber	column;

	if (name == NULL)
		return;
	column = idem_stored_column(parent, name);
	if (idem_column_base_type(parent, column, NULL) != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" has type %s, which is no moment",
						name, RelationGetRelationName(parent),
						format_type_be(TupleDescAttr(RelationGetDescr(parent),
													 column - 1)->atttypid)),
				 errhint("The age of a parent counts from a timestamp with time zone."),
				 errtablecol(parent, column)));
}

/* State labels are known to the type of their column. */
static void
check_states(IdemTotalDeclaration *d)
{
	IdemLimitDeclaration *limit = IDEM_LIMIT_DECLARATION(d);
	IdemStates	states;

	if (d->of.state != NULL)
		(void) idem_stored_column(d->child, d->of.state);
	if (limit->parent_state != NULL)
		(void) idem_stored_column(d->parent, limit->parent_state);
	idem_states_init(&states, d->child, d->of.state, d->of.released);
	if (!idem_total_is_everything(d->of.facts))
		idem_states_init(&states, d->child, d->of.state, d->of.facts);
	idem_states_init(&states, d->parent, limit->parent_state, limit->open);
	idem_states_init(&states, d->parent, limit->parent_state, limit->exact);
}

/* A column of the parent that says how many children there are to be. */
static void
check_declared(IdemTotalDeclaration *d, const char *name)
{
	AttrNumber	column;

	if (name == NULL)
		return;
	column = idem_stored_column(d->parent, name);
	if (!idem_count_type_supported(idem_column_base_type(d->parent, column,
														 NULL)))
		idem_total_refuse_type(d, d->parent, column,
							   "Children are counted in integer or bigint.");
}

/* Check all there is to check of a child and a parent that are open. */
void
idem_limit_require(IdemTotalDeclaration *d)
{
	check_amount_types(d);
	check_total_columns(d);
	check_age_column(d->parent, IDEM_LIMIT_DECLARATION(d)->age_from);
	check_declared(d, IDEM_LIMIT_DECLARATION(d)->exact_count);
	idem_total_find_sources(d);
	check_states(d);
	idem_total_require_compared(d);
}
