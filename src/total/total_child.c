/*
 * total_child.c
 *		The rules for every child that counts towards a total.
 *
 * Amounts are numbers of one sign or the other, never zero; the columns by
 * which a kept child was judged stay; and it agrees with its parent in the
 * compared columns.
 */
#include "postgres.h"

#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/idem_errors.h"
#include "base/row.h"
#include "total/total.h"

static const char *
column_name(Relation rel, AttrNumber column)
{
	return NameStr(TupleDescAttr(RelationGetDescr(rel), column - 1)->attname);
}

static void
refuse_null_amount(const IdemGuardCall *call, IdemTotal *total)
{
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("\"%s\" of %s is null",
					column_name(call->rel, total->amount_column),
					get_rel_name(total->key.child)),
			 errhint("An amount under a %s is a positive number.",
					 total->kind),
			 errtablecol(call->rel, total->amount_column)));
}

/*
 * 23502 or 23514 unless the amount of a stored child is a positive number;
 * is_signed: or a negative one.
 */
void
idem_total_check_amount(const IdemGuardCall *call, IdemTotal *total,
						bool is_signed)
{
	IdemAmountType *type = &total->amount;
	bool		isnull;
	Datum		amount =
		slot_getattr(call->after, total->amount_column, &isnull);
	int			order;

	if (isnull)
		refuse_null_amount(call, total);
	order = idem_amount_compare(type, amount, type->zero);
	if (idem_amount_is_finite(type, amount) &&
		(order > 0 || (is_signed && order < 0)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg(is_signed ? "\"%s\" of %s is %s, not an amount" :
					"\"%s\" of %s is %s, not a positive number",
					column_name(call->rel, total->amount_column),
					get_rel_name(total->key.child),
					idem_amount_text(type, amount)),
			 errtablecol(call->rel, total->amount_column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* Has an update left the amount as it was? */
bool
idem_total_same_amount(const IdemGuardCall *call, IdemTotal *total)
{
	bool		null_before;
	bool		null_after;
	Datum		before;
	Datum		after;

	if (idem_same_image(call->rel, total->amount_column,
						call->before, call->after))
		return true;
	before = slot_getattr(call->before, total->amount_column, &null_before);
	after = slot_getattr(call->after, total->amount_column, &null_after);
	return !null_before && !null_after &&
		idem_amount_compare(&total->amount, before, after) == 0;
}

/*
 * Has it left these columns as they were, of those that a note has?  changed
 * is one that it has not.
 */
bool
idem_total_same_values(const IdemGuardCall *call, IdemTotal *total,
					   int from, int to, AttrNumber *changed)
{
	int			i;

	for (i = from; i < to; i++)
	{
		*changed = total->source[i];
		if (!idem_same_image(call->rel, *changed, call->before, call->after))
			return false;
	}
	return true;
}

/* 23I07: the column was judged when the child was stored. */
void
idem_total_refuse_change(const IdemGuardCall *call, IdemTotal *total,
						 AttrNumber column)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_FIXED_COLUMN),
			 errmsg("column \"%s\" of table \"%s\" cannot be changed",
					column_name(call->rel, column),
					get_rel_name(total->key.child)),
			 errhint("A row that counts against a %s stays as it was recorded; release it by its state and insert another.",
					 total->kind),
			 errtablecol(call->rel, column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* 23I07, 23I08 if an update changes what a kept child was judged by. */
void
idem_total_check_kept(const IdemGuardCall *call, IdemTotal *total,
					  Bitmapset *row_key)
{
	AttrNumber	changed = total->amount_column;

	idem_refuse_key_change(call, row_key);
	if (!idem_total_same_amount(call, total) ||
		!idem_total_same_values(call, total, 0, total->nvalues, &changed))
		idem_total_refuse_change(call, total, changed);
}

/* 23I06 unless the parent row has the values of the child that are compared. */
void
idem_total_judge_same(IdemTotalChange *c, const IdemTotalNote *note)
{
	IdemTotal  *total = note->total;
	int			i;

	for (i = 0; i < total->npairs; i++)
	{
		const NullableDatum *mine = &note->values[total->key.n + i];
		bool		isnull;
		Datum		other = idem_total_value(c, IDEM_TOTAL_SAME + i, &isnull);

		if (isnull || mine->isnull ||
			!idem_equal(&total->equal[i], other, mine->value))
			idem_total_report_mismatch(c, note, i);
	}
}
