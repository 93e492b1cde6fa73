/*
 * limit_report.c
 *		What is said when a child is refused.
 *
 * The message alone is enough.  Values of the parent are told only to someone
 * who may read it.
 */
#include "postgres.h"

#include "access/table.h"
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
parent_text(IdemTotalChange *c, int column)
{
	Oid			type = TupleDescAttr(RelationGetDescr(c->parent),
									 c->total->number[column] - 1)->atttypid;
	bool		isnull;
	Datum		value = idem_total_value(c, column, &isnull);

	return quoted(type, value, isnull);
}

/* The key of the parent as the child has it: 4711, or (7, 4711). */
static char *
key_text(IdemTotalChange *c)
{
	StringInfoData buf;
	bool		several = c->total->key.n > 1;
	int			i;

	initStringInfo(&buf);
	for (i = 0; i < c->total->key.n; i++)
	{
		Oid			output;
		bool		varlena;

		getTypeOutputInfo(c->total->fk_type[i], &output, &varlena);
		appendStringInfoString(&buf, i > 0 ? ", " : several ? "(" : "");
		appendStringInfoString(&buf,
							   OidOutputFunctionCall(output,
													 c->notes[0]->values[i].value));
	}
	if (several)
		appendStringInfoChar(&buf, ')');
	return buf.data;
}

static const char *
child_name(IdemTotalChange *c)
{
	return get_rel_name(c->total->key.child);
}

static const char *
parent_name(IdemTotalChange *c)
{
	return RelationGetRelationName(c->parent);
}

/* The table that has the child, which its statement has locked. */
static Relation
child_of(const IdemTotal *total)
{
	return table_open(total->relid, AccessShareLock);
}

/* The fields of an error on a column of the child: table, column, guard. */
static int
fields(const IdemTotal *total, AttrNumber column)
{
	errtablecol(child_of(total), column);
	return err_generic_string(PG_DIAG_CONSTRAINT_NAME, total->trigger);
}

static int
guard_fields(const IdemTotal *total)
{
	return errtableconstraint(child_of(total), total->trigger);
}

/* Limit 100.00, used 80.00, remaining 20.00. */
static int
detail_totals(IdemTotalChange *c, const IdemTotals *totals)
{
	IdemAmountType *amount = &c->total->amount;
	Datum		cap = idem_total_amount(c, IDEM_LIMIT_CAP);
	Datum		rest = idem_amount_minus(amount, cap, IDEM_USED(totals));
	const char *beyond = "";

	if (!idem_may_read(c->parent))
		return 0;
	if (c->total->number[IDEM_LIMIT_EXCESS])
	{
		rest = idem_amount_minus(amount, rest, IDEM_EXCESS(totals));
		beyond = psprintf(", in excess %s",
						  idem_amount_text(amount, IDEM_EXCESS(totals)));
	}
	return errdetail("Limit %s, used %s%s, remaining %s.",
					 idem_amount_text(amount, cap),
					 idem_amount_text(amount, IDEM_USED(totals)), beyond,
					 idem_amount_text(amount, rest));
}

/* 23I05: as many children as there may be. */
static void
report_too_many(IdemTotalChange *c, int64 cap)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
			 errmsg("%s %s already has as many rows of %s as its limit allows",
					parent_name(c), key_text(c), child_name(c)),
			 errdetail("At most " INT64_FORMAT " count.", cap),
			 guard_fields(c->refused->total)));
}

/* 23I05, with the totals as they were when the child was counted. */
void
idem_limit_report_exceeded(IdemTotalChange *c)
{
	int64		count_cap = IDEM_LIMIT_SETTINGS(c)->count_cap;
	IdemTotals	totals;

	(void) idem_limit_next(c, &totals);
	if (count_cap > 0 && totals.count >= count_cap)
		report_too_many(c, count_cap);
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
			 errmsg("%s of %s exceeds the limit of %s %s", child_name(c),
					idem_amount_text(&c->total->amount, c->refused->amount),
					parent_name(c), key_text(c)),
			 detail_totals(c, &totals),
			 fields(c->refused->total, c->refused->total->amount_column)));
}

/* A limit may look before the foreign key does, and speaks like it. */
void
idem_limit_report_no_parent(IdemTotalChange *c)
{
	const char *constraint = NameStr(c->total->key.name);
	Relation	child = child_of(c->total);

	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("insert or update on table \"%s\" violates foreign key constraint \"%s\"",
					RelationGetRelationName(child), constraint),
			 errdetail("There is no %s %s.", parent_name(c), key_text(c)),
			 errtableconstraint(child, constraint)));
}

/* 23I06: the pair of that number differs between child and parent. */
void
idem_limit_report_mismatch(IdemTotalChange *c, const IdemTotalNote *note,
						   int pair)
{
	int			place = c->total->key.n + pair;
	AttrNumber	column = note->total->source[place];
	Form_pg_attribute att =
		TupleDescAttr(RelationGetDescr(child_of(note->total)),
					  column - 1);
	int			other = IDEM_TOTAL_SAME + pair;

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_REVERSE_MISMATCH),
			 errmsg("\"%s\" of %s is not the \"%s\" of %s %s",
					NameStr(att->attname), child_name(c),
					c->total->column[other], parent_name(c), key_text(c)),
			 idem_may_read(c->parent) ?
			 errdetail("%s has %s, %s has %s.", child_name(c),
					   quoted(att->atttypid, note->values[place].value,
							  note->values[place].isnull),
					   parent_name(c), parent_text(c, other)) : 0,
			 fields(note->total, column)));
}

/* 23I09: the state of the parent allows no new child. */
void
idem_limit_report_not_open(IdemTotalChange *c)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_PARENT_NOT_OPEN),
			 errmsg("%s %s is not open for a new %s",
					parent_name(c), key_text(c), child_name(c)),
			 idem_may_read(c->parent) ?
			 errdetail("Its \"%s\" is %s.", c->total->column[IDEM_LIMIT_STATE],
					   parent_text(c, IDEM_LIMIT_STATE)) : 0,
			 guard_fields(c->total)));
}

/* 23I09: the parent is older than max_age. */
void
idem_limit_report_too_old(IdemTotalChange *c)
{
	char	   *age = OidOutputFunctionCall(F_INTERVAL_OUT,
											IntervalPGetDatum(IDEM_LIMIT_SETTINGS(c)->max_age));

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_PARENT_NOT_OPEN),
			 errmsg("%s %s is too old for a new %s",
					parent_name(c), key_text(c), child_name(c)),
			 idem_may_read(c->parent) ?
			 errdetail("Its \"%s\" is %s, and it takes children for %s.",
					   c->total->column[IDEM_LIMIT_SINCE],
					   parent_text(c, IDEM_LIMIT_SINCE), age) : 0,
			 guard_fields(c->total)));
}
