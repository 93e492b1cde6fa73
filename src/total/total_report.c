/*
 * total_report.c
 *		The errors for a child that is refused, by whichever guard.
 *
 * The message alone is enough.  Values of the parent are shown only to a role
 * that may read it, those of the child only to one that may read it or has
 * inserted it.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/idem_errors.h"
#include "base/right.h"
#include "base/row.h"
#include "total/total.h"

/* A value in quotes, or null. */
static const char *
quoted(Oid type, Datum value, bool isnull)
{
	return isnull ? "null" :
		psprintf("\"%s\"", idem_value_text(type, value));
}

/* A column of the parent, in quotes. */
const char *
idem_total_parent_text(IdemTotalChange *c, int column)
{
	Oid			type = TupleDescAttr(RelationGetDescr(c->parent),
									 c->total->number[column] - 1)->atttypid;
	bool		isnull;
	Datum		value = idem_total_value(c, column, &isnull);

	return quoted(type, value, isnull);
}

/* The table that has the child, which its statement has locked. */
static Relation
child_of(const IdemTotal *total)
{
	return table_open(total->relid, AccessShareLock);
}

/* May the values of the child be shown? */
static bool
is_known(const IdemTotalNote *note)
{
	return note->inserted || idem_may_read(child_of(note->total));
}

/*
 * The key of the parent as the child has it, behind a blank: 4711, or
 * (7, 4711); nothing to someone who does not know the child.
 */
char *
idem_total_key_text(IdemTotalChange *c)
{
	List	   *texts = NIL;
	int			i;

	if (!is_known(c->notes[0]))
		return "";
	for (i = 0; i < c->total->key.n; i++)
		texts = lappend(texts, idem_value_text(c->total->fk_type[i],
											   c->notes[0]->values[i].value));
	return psprintf(" %s", idem_key_text(texts));
}

/* " of 60.00", an amount of the child; nothing in the same case. */
char *
idem_total_amount_text(const IdemTotalNote *note, Datum amount)
{
	return is_known(note) ?
		psprintf(" of %s", idem_amount_text(&note->total->amount, amount)) : "";
}

/* The fields of an error on a column of the child: table, column, guard. */
int
idem_total_fields(const IdemTotal *total, AttrNumber column)
{
	errtablecol(child_of(total), column);
	return err_generic_string(PG_DIAG_CONSTRAINT_NAME, total->trigger);
}

/* Those of an error on the child as a whole. */
int
idem_total_guard_fields(const IdemTotal *total)
{
	return errtableconstraint(child_of(total), total->trigger);
}

/*
 * A guard may look before the foreign key does, and then reports the same
 * error: 23503.
 */
void
idem_total_report_no_parent(IdemTotalChange *c)
{
	const char *constraint = NameStr(c->total->key.name);
	Relation	child = child_of(c->total);

	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("insert or update on table \"%s\" violates foreign key constraint \"%s\"",
					RelationGetRelationName(child), constraint),
			 is_known(c->notes[0]) ?
			 errdetail("There is no %s%s.",
					   RelationGetRelationName(c->parent),
					   idem_total_key_text(c)) : 0,
			 errtableconstraint(child, constraint)));
}

/* 23I06: the pair of that number differs between child and parent. */
void
idem_total_report_mismatch(IdemTotalChange *c, const IdemTotalNote *note,
						   int pair)
{
	int			place = c->total->key.n + pair;
	AttrNumber	column = note->total->source[place];
	Form_pg_attribute att =
		TupleDescAttr(RelationGetDescr(child_of(note->total)), column - 1);
	const char *child = get_rel_name(c->total->key.child);
	const char *parent = RelationGetRelationName(c->parent);
	int			other = IDEM_TOTAL_SAME + pair;

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_REVERSE_MISMATCH),
			 errmsg("\"%s\" of %s is not the \"%s\" of %s%s",
					NameStr(att->attname), child, c->total->column[other],
					parent, idem_total_key_text(c)),
			 is_known(note) && idem_may_read(c->parent) ?
			 errdetail("%s has %s, %s has %s.", child,
					   quoted(att->atttypid, note->values[place].value,
							  note->values[place].isnull),
					   parent, idem_total_parent_text(c, other)) : 0,
			 idem_total_fields(note->total, column)));
}
