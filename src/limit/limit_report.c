/*
 * limit_report.c
 *		What is said when a child is refused.
 *
 * The message alone is enough.  Values of the parent are told only to someone
 * who may read it.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/identity.h"
#include "limit/limit.h"

/* A column of the parent row as it was judged (IdemParentColumn). */
Datum
idem_parent_value(IdemLimitCall *c, int column, bool *isnull)
{
	if (c->seen != NULL)
		return slot_getattr(c->seen, c->s->number[column], isnull);
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
						 column + 1, isnull);
}

/* A value in quotes, or null. */
static const char *
quoted(Oid type, Datum value, bool isnull)
{
	Oid			output;
	bool		varlena;

	if (isnull)
		return "null";
	getTypeOutputInfo(type, &output, &varlena);
	return psprintf("\"%s\"", OidOutputFunctionCall(output, value));
}

static const char *
parent_text(IdemLimitCall *c, int column)
{
	Oid			type = TupleDescAttr(RelationGetDescr(c->parent),
									 c->s->number[column] - 1)->atttypid;
	bool		isnull;
	Datum		value = idem_parent_value(c, column, &isnull);

	return quoted(type, value, isnull);
}

/* The key of the parent as the child has it: 4711, or (7, 4711). */
static char *
key_text(IdemLimitCall *c)
{
	StringInfoData buf;
	bool		several = c->s->key.n > 1;
	int			i;

	initStringInfo(&buf);
	for (i = 0; i < c->s->key.n; i++)
	{
		Oid			output;
		bool		varlena;

		getTypeOutputInfo(c->s->fk_type[i], &output, &varlena);
		appendStringInfoString(&buf, i > 0 ? ", " : several ? "(" : "");
		appendStringInfoString(&buf, OidOutputFunctionCall(output, c->key[i]));
	}
	if (several)
		appendStringInfoChar(&buf, ')');
	return buf.data;
}

static const char *
child_name(IdemLimitCall *c)
{
	return get_rel_name(c->s->key.child);
}

static const char *
parent_name(IdemLimitCall *c)
{
	return RelationGetRelationName(c->parent);
}

/* The fields of an error on a column of the child: table, column, guard. */
static int
fields(IdemLimitCall *c, AttrNumber column)
{
	errtablecol(c->call->rel, column);
	return err_generic_string(PG_DIAG_CONSTRAINT_NAME,
							  c->call->trigger->tgname);
}

/* Limit 100.00, used 80.00, remaining 20.00. */
static int
detail_totals(IdemLimitCall *c)
{
	IdemAmountType *amount = &c->s->amount;
	bool		isnull;
	Datum		cap = idem_parent_value(c, IDEM_PARENT_CAP, &isnull);
	Datum		used = idem_parent_value(c, IDEM_PARENT_USED, &isnull);
	Datum		rest = FunctionCall2(&amount->minus, cap, used);
	Datum		excess;
	const char *beyond = "";

	if (!idem_may_read(c->parent))
		return 0;
	if (c->s->number[IDEM_PARENT_EXCESS])
	{
		excess = idem_parent_value(c, IDEM_PARENT_EXCESS, &isnull);
		rest = FunctionCall2(&amount->minus, rest, excess);
		beyond = psprintf(", in excess %s", idem_amount_text(amount, excess));
	}
	return errdetail("Limit %s, used %s%s, remaining %s.",
					 idem_amount_text(amount, cap),
					 idem_amount_text(amount, used), beyond,
					 idem_amount_text(amount, rest));
}

/* 23I05: as many children as there may be. */
static void
report_too_many(IdemLimitCall *c)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
			 errmsg("%s %s already has as many rows of %s as its limit allows",
					parent_name(c), key_text(c), child_name(c)),
			 errdetail("At most " INT64_FORMAT " count.", c->s->count_cap),
			 errtableconstraint(c->call->rel, c->call->trigger->tgname)));
}

void
idem_report_exceeded(IdemLimitCall *c)
{
	IdemTotals	totals;

	idem_limit_totals(c, &totals);
	if (c->s->count_cap > 0 && totals.count >= c->s->count_cap)
		report_too_many(c);
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
			 errmsg("%s of %s exceeds the limit of %s %s",
					child_name(c), idem_amount_text(&c->s->amount, c->amount),
					parent_name(c), key_text(c)),
			 detail_totals(c),
			 fields(c, c->s->amount_column)));
}

/* The limit fires before the foreign key, and speaks as it does. */
void
idem_report_no_parent(IdemLimitCall *c)
{
	const char *constraint = NameStr(c->s->key.name);

	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("insert or update on table \"%s\" violates foreign key constraint \"%s\"",
					RelationGetRelationName(c->call->rel), constraint),
			 errdetail("There is no %s %s.", parent_name(c), key_text(c)),
			 errtableconstraint(c->call->rel, constraint)));
}

void
idem_report_mismatch(IdemLimitCall *c, int pair)
{
	AttrNumber	column = c->s->pairs[pair].child;
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(c->call->rel),
										  column - 1);
	int			other = IDEM_PARENT_SAME + pair;
	bool		isnull;
	Datum		mine = slot_getattr(c->row, column, &isnull);

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_REVERSE_MISMATCH),
			 errmsg("\"%s\" of %s is not the \"%s\" of %s %s",
					NameStr(att->attname), child_name(c),
					c->s->column[other], parent_name(c), key_text(c)),
			 idem_may_read(c->parent) ?
			 errdetail("%s has %s, %s has %s.",
					   child_name(c), quoted(att->atttypid, mine, isnull),
					   parent_name(c), parent_text(c, other)) : 0,
			 fields(c, column)));
}

void
idem_report_not_open(IdemLimitCall *c)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_PARENT_NOT_OPEN),
			 errmsg("%s %s is not open for a new %s",
					parent_name(c), key_text(c), child_name(c)),
			 idem_may_read(c->parent) ?
			 errdetail("Its \"%s\" is %s.", c->s->column[IDEM_PARENT_STATE],
					   parent_text(c, IDEM_PARENT_STATE)) : 0,
			 errtableconstraint(c->call->rel, c->call->trigger->tgname)));
}

void
idem_report_too_old(IdemLimitCall *c)
{
	char	   *age = OidOutputFunctionCall(F_INTERVAL_OUT,
											IntervalPGetDatum(c->s->max_age));

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_PARENT_NOT_OPEN),
			 errmsg("%s %s is too old for a new %s",
					parent_name(c), key_text(c), child_name(c)),
			 idem_may_read(c->parent) ?
			 errdetail("Its \"%s\" is %s, and it takes children for %s.",
					   c->s->column[IDEM_PARENT_SINCE],
					   parent_text(c, IDEM_PARENT_SINCE), age) : 0,
			 errtableconstraint(c->call->rel, c->call->trigger->tgname)));
}

/* 39P01: the parent did not let its totals be changed. */
void
idem_report_not_kept(IdemLimitCall *c)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("the running total of table \"%s\" could not be kept",
					parent_name(c)),
			 errdetail("A rule or a BEFORE trigger of the table changed or suppressed the UPDATE of column \"%s\", or the counterpart of the limit did not fire.",
					   c->s->column[IDEM_PARENT_USED]),
			 errtableconstraint(c->call->rel, c->call->trigger->tgname)));
}
