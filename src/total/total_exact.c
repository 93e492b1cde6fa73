/*
 * total_exact.c
 *		A parent that declares the sum and the number of its children.
 *
 * In some of its states a parent has exactly the children that it declares:
 * their sum is its cap, and their number is a column of it.  A write to the
 * parent is judged here, by the trigger of the parent, on the row as it is
 * stored; a write to a child by the room of the guard, on the version of the
 * parent that the child's statement changes.  Both write the row of the
 * parent, so that of two sessions the second one waits, and judges what the
 * first one left, or gets 40001.
 *
 * Judged is every row that stands in such a state when it is written, not only
 * one that comes into it: a declared number that changes afterwards is refused.
 *
 * Not promised: one statement that stores children and accepts their parent,
 * by a writable CTE.  The children are counted at its end, behind the parent.
 *
 * Shown by sql/limit_exact.sql and test/isolation/specs/limit_exact.spec.
 */
#include "postgres.h"

#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/column.h"
#include "base/idem_errors.h"
#include "base/moved.h"
#include "base/right.h"
#include "base/row.h"
#include "base/settings_trigger.h"
#include "total/total.h"

/* The description that the trigger of a parent keeps, from its arguments. */
struct IdemExact
{
	IdemStates	states;			/* in which it is asked for */
	IdemAmountType amount;
	AttrNumber	cap;
	AttrNumber	used;
	AttrNumber	count;			/* children that count, or 0 */
	AttrNumber	declared;		/* how many there are to be, or 0 */
	List	   *key;			/* numbers of the columns of the key */
};

/* What the trigger of a parent says of it; NULL: nothing. */
IdemExact *
idem_exact_compile(Relation parent, Trigger *trigger)
{
	List	   *states = idem_trigger_setting_list(trigger, "exact");
	IdemExact  *exact;
	ListCell   *lc;

	if (states == NIL)
		return NULL;
	exact = palloc0(sizeof(IdemExact));
	idem_states_init(&exact->states, parent,
					 idem_trigger_setting(trigger, "exact_state"), states);
	exact->cap = idem_total_named(parent, trigger, "cap");
	exact->used = idem_total_named(parent, trigger, "used");
	exact->count = idem_total_named(parent, trigger, "count_used");
	exact->declared = idem_total_named(parent, trigger, "exact_count");
	idem_amount_type_init(&exact->amount,
						  idem_column_base_type(parent, exact->used, NULL));
	foreach(lc, idem_trigger_setting_list(trigger, "key"))
		exact->key = lappend_int(exact->key,
								 idem_column_number(parent, lfirst(lc)));
	return exact;
}

static Oid
type_of(const IdemGuardCall *call, AttrNumber column)
{
	return TupleDescAttr(RelationGetDescr(call->rel), column - 1)->atttypid;
}

static const char *
name_of(const IdemGuardCall *call, AttrNumber column)
{
	return NameStr(TupleDescAttr(RelationGetDescr(call->rel),
								 column - 1)->attname);
}

/* A value of the row as it is stored now. */
static char *
value_text(const IdemGuardCall *call, AttrNumber column)
{
	char	   *str = idem_column_text(call->rel, column, call->after);

	return str == NULL ? "null" : str;
}

/* batch 4711, or batch (7, 4711), or what anybody may know */
static char *
row_text(const IdemGuardCall *call, IdemExact *exact)
{
	const char *table = get_rel_name(idem_root_relid(call->rel));
	List	   *texts = NIL;
	ListCell   *lc;

	if (!idem_may_read(call->rel))
		return psprintf("row of table \"%s\"", table);
	foreach(lc, exact->key)
		texts = lappend(texts, value_text(call, lfirst_int(lc)));
	return psprintf("%s %s", table, idem_key_text(texts));
}

/* How many children count; 0 where they are not counted. */
static int64
counted(const IdemGuardCall *call, IdemExact *exact)
{
	bool		isnull = true;
	Datum		count = (Datum) 0;

	if (exact->count)
		count = slot_getattr(call->after, exact->count, &isnull);
	return isnull ? 0 : idem_count_value(type_of(call, exact->count), count);
}

/* Are there as many of them as the row declares? */
static bool
has_number(const IdemGuardCall *call, IdemExact *exact)
{
	bool		isnull;
	Datum		declared;

	if (exact->declared == 0)
		return true;
	declared = slot_getattr(call->after, exact->declared, &isnull);
	return !isnull && counted(call, exact) ==
		idem_count_value(type_of(call, exact->declared), declared);
}

static bool
has_sum(const IdemGuardCall *call, IdemExact *exact)
{
	bool		isnull_cap;
	bool		isnull_used;
	Datum		cap = slot_getattr(call->after, exact->cap, &isnull_cap);
	Datum		used = slot_getattr(call->after, exact->used, &isnull_used);

	return !isnull_cap && !isnull_used &&
		idem_amount_compare(&exact->amount, cap, used) == 0;
}

/*
 * What is told to someone who may read the parent, in which declared is NULL
 * where it declares no number.
 */
char *
idem_exact_detail(const char *column, const char *state, const char *limit,
				  const char *used, const char *declared, int64 counted)
{
	char	   *sums = psprintf("Its \"%s\" is \"%s\". Limit %s, used %s",
								column, state, limit, used);

	return declared == NULL ? psprintf("%s.", sums) :
		psprintf("%s; rows declared %s, counted " INT64_FORMAT ".", sums,
				 declared, counted);
}

static char *
detail_text(const IdemGuardCall *call, IdemExact *exact)
{
	return idem_exact_detail(name_of(call, exact->states.column),
							 value_text(call, exact->states.column),
							 value_text(call, exact->cap),
							 value_text(call, exact->used),
							 exact->declared == 0 ? NULL :
							 value_text(call, exact->declared),
							 counted(call, exact));
}

/*
 * 23I05 if the row of the parent, as it is stored now, stands in a state in
 * which it needs other children than it has.
 */
void
idem_exact_judge(const IdemGuardCall *call, IdemExact *exact)
{
	bool		isnull;
	Datum		state = slot_getattr(call->after, exact->states.column,
									 &isnull);

	if (!idem_states_contain(&exact->states, state, isnull) ||
		(has_sum(call, exact) && has_number(call, exact)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
			 errmsg("%s is not complete: its rows of %s are not exactly what it declares",
					row_text(call, exact),
					get_rel_name(call->trigger->tgconstrrelid)),
			 idem_may_read(call->rel) ?
			 errdetail("%s", detail_text(call, exact)) : 0,
			 errtablecol(call->rel, exact->states.column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}
