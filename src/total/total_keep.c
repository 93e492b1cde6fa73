/*
 * total_keep.c
 *		The running total in the parent belongs to the guard.
 *
 * The guard of the child announces, in backend memory, which total it is
 * about to change: table, column, key of the row, totals before and after.  The
 * counterpart on the parent fires inside that UPDATE and lets changed totals
 * pass only if it is the announced change to the letter, once.  Whoever else
 * writes another value gets 23I07: an application, an operator, and a BEFORE
 * trigger of the parent that would ride along with the guard's own UPDATE.
 * Writing the present value passes, because object mappers write every
 * column.
 *
 * The counterpart is also the parent's consent.  It is bound to the child
 * (tgconstrrelid), which needs TRIGGER on both tables, and a limit trigger
 * acts only on a parent that bears it: attached by hand to a table that
 * references somebody else's, it moves nothing (39P01).
 *
 * Several limits may share a total, of several child tables or of several
 * foreign keys of one.  Child table and foreign key say which limit it is, and
 * each has a counterpart of its own.  Those of the others compare the totals as
 * well, and leave it to the announcer's to take the announcement.
 *
 * Once something is used, the row stays, and with it its key, the cap and the
 * compared columns; with cap_grows=true the cap may grow.  The foreign key
 * alone does not see to that: NO ACTION is content if at the end of the
 * statement some row has the key, and a row that took the place of another
 * starts at 0.  A new parent starts at 0.
 *
 * An announcement lives on the C stack of the announcer, who withdraws it on
 * every way out, errors included, so that no aborted (sub)transaction leaves
 * one behind.
 *
 * In a logical apply worker the total arrives by itself: nothing is judged
 * here, the CHECK holds.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/kind.h"
#include "base/moved.h"
#include "total/total.h"

/* What a counterpart keeps, from its arguments. */
typedef struct TotalSettings
{
	Oid			root;			/* the table at the top */
	Oid			child;			/* the table whose rows are counted, ... */
	const char *fk;				/* ... by this foreign key */
	const char *used_name;
	AttrNumber	used;
	AttrNumber	excess;			/* or 0 */
	AttrNumber	count;			/* or 0 */
	AttrNumber	cap;
	bool		cap_grows;
	int			nkeys;
	AttrNumber	key[INDEX_MAX_KEYS];
	List	   *fixed;			/* numbers of key and compared columns */
	IdemAmountType amount;
} TotalSettings;

/* the announcement of the innermost UPDATE under way */
static IdemTotalStep *announced = NULL;

/* the table whose totals a declaration is filling */
static Oid	filling = InvalidOid;

/*
 * The UPDATE that comes next makes this step; the guard of the parent lets it
 * pass.
 */
void
idem_total_announce(IdemTotalStep *step)
{
	step->accepted = false;
	step->outer = announced;
	announced = step;
}

/* That UPDATE is over; the announcement around it is in force again. */
void
idem_total_withdraw(IdemTotalStep *step)
{
	announced = step->outer;
}

/*
 * A declaration fills the totals of this table from the sums; InvalidOid: it
 * is done.  The declaration takes it back on every way out, errors included.
 */
void
idem_total_set_filling(Oid parent)
{
	filling = parent;
}

/* The columns of the key, as the foreign key references them. */
static void
compile_total_key(Relation rel, Trigger *trigger, TotalSettings *s)
{
	List	   *names = idem_trigger_setting_list(trigger, "key");
	ListCell   *lc;

	if (list_length(names) > INDEX_MAX_KEYS)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" names too many key columns",
						trigger->tgname, RelationGetRelationName(rel)),
				 errtableconstraint(rel, trigger->tgname)));
	foreach(lc, names)
		s->key[s->nkeys++] = idem_column_number(rel, lfirst(lc));
}

/*
 * Cap and running total are taken for one another: 42804 unless they have one
 * type that a limit can be kept in, whatever the table was altered to.
 */
static void
check_total_types(Relation rel, TotalSettings *s)
{
	Oid			type = idem_column_base_type(rel, s->used, NULL);

	if (!idem_amount_type_supported(type) ||
		idem_column_base_type(rel, s->cap, NULL) != type ||
		(s->excess &&
		 idem_column_base_type(rel, s->excess, NULL) != type) ||
		(s->count &&
		 !idem_count_type_supported(idem_column_base_type(rel, s->count,
														  NULL))))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("columns \"%s\" and \"%s\" of table \"%s\" do not have one type in which a limit can be kept",
						NameStr(TupleDescAttr(RelationGetDescr(rel),
											  s->cap - 1)->attname),
						s->used_name, RelationGetRelationName(rel)),
				 errtablecol(rel, s->used)));
}

static void *
compile_total(Relation rel, Trigger *trigger, Oid *also)
{
	TotalSettings *s = palloc0(sizeof(TotalSettings));
	const char *grows = idem_trigger_setting(trigger, "cap_grows");
	const char *count = idem_trigger_setting(trigger, "count_used");
	const char *excess;
	ListCell   *lc;
	int			i;

	s->root = idem_root_relid(rel);
	s->child = trigger->tgconstrrelid;
	s->used_name = pstrdup(idem_trigger_setting(trigger, "used"));
	s->used = idem_column_number(rel, s->used_name);
	s->cap = idem_column_number(rel, idem_trigger_setting(trigger, "cap"));
	s->fk = pstrdup(idem_trigger_setting(trigger, "fk"));
	excess = idem_total_excess_column(rel, s->used_name);
	s->excess = excess ? idem_column_number(rel, excess) : 0;
	s->count = count ? idem_column_number(rel, count) : 0;
	s->cap_grows = grows != NULL && strcmp(grows, "true") == 0;
	check_total_types(rel, s);
	compile_total_key(rel, trigger, s);
	for (i = 0; i < s->nkeys; i++)
		s->fixed = lappend_int(s->fixed, s->key[i]);
	foreach(lc, idem_trigger_setting_list(trigger, "same_parent"))
		s->fixed = lappend_int(s->fixed, idem_column_number(rel, lfirst(lc)));
	idem_amount_type_init(&s->amount,
						  idem_column_base_type(rel, s->used, NULL));
	return s;
}

/* Is this row the one that was announced? */
static bool
has_key(const IdemGuardCall *call, TotalSettings *s, const IdemTotalStep *step)
{
	const IdemTotal *total = step->total;
	int			i;

	if (total->key.n != s->nkeys)
		return false;
	for (i = 0; i < s->nkeys; i++)
	{
		bool		isnull;
		Datum		value = slot_getattr(call->after, s->key[i], &isnull);
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(call->rel),
											  s->key[i] - 1);

		if (isnull || att->atttypid != total->key_type[i] ||
			!DatumGetBool(FunctionCall2Coll(unconstify(FmgrInfo *,
													   &total->fk_equal[i]),
											att->attcollation, value,
											step->note->values[i].value)))
			return false;
	}
	return true;
}

/* The value of a column; NULL, which the CHECK refuses, is no total. */
static Datum
total_of(TupleTableSlot *slot, AttrNumber column, Datum zero)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return isnull ? zero : value;
}

static void
totals_of(const IdemGuardCall *call, TotalSettings *s, TupleTableSlot *slot,
		  IdemTotals *totals)
{
	Datum		zero = s->amount.zero;

	totals->used = total_of(slot, s->used, zero);
	totals->excess = s->excess ? total_of(slot, s->excess, zero) : zero;
	totals->count = 0;
	if (s->count)
		totals->count =
			idem_count_value(TupleDescAttr(RelationGetDescr(call->rel),
										   s->count - 1)->atttypid,
							 total_of(slot, s->count, (Datum) 0));
}

/* The first total in which they differ; 0: they are the same. */
static AttrNumber
first_difference(TotalSettings *s, const IdemTotals *a, const IdemTotals *b)
{
	if (idem_amount_compare(&s->amount, a->used, b->used) != 0)
		return s->used;
	if (idem_amount_compare(&s->amount, a->excess, b->excess) != 0)
		return s->excess;
	return a->count != b->count ? s->count : 0;
}

/* Does the guard that announces it belong to this counterpart? */
static bool
is_ours(const TotalSettings *s, const IdemTotalStep *step)
{
	return step->total->key.child == s->child &&
		strcmp(step->total->fk_text, s->fk) == 0;
}

/*
 * Is the step from one row to the other the announced one?  The count is a
 * column of the announcer's own.
 */
static bool
is_step(TotalSettings *s, const IdemTotalStep *step,
		const IdemTotals *before, const IdemTotals *after)
{
	IdemTotals	from = step->before;
	IdemTotals	to = step->after;

	if (s->count == 0 || !is_ours(s, step))
		from.count = to.count = before->count;
	return first_difference(s, &from, before) == 0 &&
		first_difference(s, &to, after) == 0;
}

/* Take the announcement of this very change, if there is one. */
static bool
take_announcement(const IdemGuardCall *call, TotalSettings *s,
				  const IdemTotals *before, const IdemTotals *after)
{
	IdemTotalStep *step;

	for (step = announced; step != NULL; step = step->outer)
	{
		bool		ours = is_ours(s, step);

		if (step->total->key.parent != s->root ||
			strcmp(step->total->column[IDEM_TOTAL_USED], s->used_name) != 0 ||
			!OidIsValid(s->child) ||
			(ours && (step->accepted || !has_key(call, s, step))) ||
			!is_step(s, step, before, after))
			continue;
		if (ours)
			step->accepted = true;
		return true;
	}
	return false;
}

static void
refuse_write(const IdemGuardCall *call, TotalSettings *s, AttrNumber column)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(call->rel),
										  column - 1);

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_FIXED_COLUMN),
			 errmsg("column \"%s\" of table \"%s\" is kept by a limit and cannot be written",
					NameStr(att->attname),
					get_rel_name(s->root)),
			 IDEM_CALL_IS_INSERT(call) ?
			 errhint("A new row starts at 0: leave the column out.") :
			 errhint("Map the column as not updatable."),
			 errtablecol(call->rel, column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

static void
refuse_change(const IdemGuardCall *call, TotalSettings *s, AttrNumber column)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(call->rel),
										  column - 1);

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_FIXED_COLUMN),
			 errmsg("column \"%s\" of table \"%s\" cannot be changed while its limit is in use",
					NameStr(att->attname),
					get_rel_name(s->root)),
			 column == s->cap && !s->cap_grows ?
			 errhint("What children were judged by stays; declared with cap_grows => true, the cap may grow.") :
			 errhint("What children were judged by stays."),
			 errtablecol(call->rel, column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* The key, the cap and the compared columns stay as they were judged. */
static void
check_fixed(const IdemGuardCall *call, TotalSettings *s)
{
	ListCell   *lc;
	bool		grown = false;

	if (!idem_same_image(call->rel, s->cap, call->before, call->after))
	{
		bool		null_before;
		bool		null_after;
		Datum		before = slot_getattr(call->before, s->cap, &null_before);
		Datum		after = slot_getattr(call->after, s->cap, &null_after);
		int			order = null_before || null_after ? -1 :
			idem_amount_compare(&s->amount, after, before);

		grown = order > 0 && s->cap_grows;
		if (order != 0 && !grown)
			refuse_change(call, s, s->cap);
	}
	foreach(lc, s->fixed)
	{
		if (!idem_same_image(call->rel, lfirst_int(lc),
							 call->before, call->after))
			refuse_change(call, s, lfirst_int(lc));
	}
}

/* Judge one row of the parent as it is stored now, or as it was. */
static void
judge_total(const IdemGuardCall *call, TotalSettings *s)
{
	IdemTotals	none = {s->amount.zero, s->amount.zero, 0};
	IdemTotals	before = none;
	IdemTotals	after = none;
	AttrNumber	changed;

	if (!IDEM_CALL_IS_INSERT(call))
		totals_of(call, s, call->before, &before);
	if (!IDEM_CALL_IS_DELETE(call))
		totals_of(call, s, call->after, &after);
	changed = first_difference(s, &before, &after);

	/* one of which something is used cannot go; a new one starts at 0 */
	if (changed && IDEM_CALL_IS_DELETE(call))
		idem_refuse_delete(call);
	if (changed && IDEM_CALL_IS_UPDATE(call) && filling == s->root)
		return;
	if (changed && IDEM_CALL_IS_INSERT(call))
		refuse_write(call, s, changed);
	if (IDEM_CALL_IS_UPDATE(call) && (changed || announced != NULL) &&
		!take_announcement(call, s, &before, &after) && changed)
		refuse_write(call, s, changed);
	if (IDEM_CALL_IS_UPDATE(call) &&
		(changed || first_difference(s, &before, &none)))
		check_fixed(call, s);
}

/*
 * keep_total() -> trigger
 *
 * The counterpart of keep_limit on the parent: AFTER INSERT OR UPDATE OR
 * DELETE FOR EACH ROW.
 */
PG_FUNCTION_INFO_V1(idem_keep_total);
Datum
idem_keep_total(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	TotalSettings *s;

	if (idem_in_apply_worker())
		return PointerGetDatum(NULL);
	if (!idem_guard_call(fcinfo, "idem.keep_total", &call))
		return PointerGetDatum(NULL);
	s = idem_guard_settings(&call, compile_total);
	judge_total(&call, s);
	return PointerGetDatum(NULL);
}

/* The setting of a trigger as this room compares it: absent is empty. */
static const char *
setting(Trigger *trigger, const char *name)
{
	const char *value = idem_trigger_setting(trigger, name);

	return value ? value : "";
}

/* Does it call this function of ours, with arguments that it can read? */
bool
idem_total_is_readable(Trigger *trigger, const char *function)
{
	IdemGuard  *guard = idem_guard_of_trigger(InvalidOid, trigger);

	return guard->kind != NULL &&
		strcmp(guard->kind->function, function) == 0 &&
		idem_settings_problem(guard->settings, guard->kind->settings) == NULL;
}

/* Does the trigger of the parent consent to the trigger of the child? */
static bool
is_counterpart(Trigger *total, Trigger *limit, const IdemTotalKey *key)
{
	static const char *const agreed[] = {"fk", "amount", "cap", "used",
	"excess", "count_used"};
	List	   *same;
	List	   *same_parent;
	int			i;

	if (!idem_total_is_readable(total, IDEM_TOTAL_FUNCTION) ||
		total->tgconstrrelid != key->child ||
		total->tgenabled != TRIGGER_FIRES_ALWAYS)
		return false;
	for (i = 0; i < lengthof(agreed); i++)
	{
		if (strcmp(setting(total, agreed[i]), setting(limit, agreed[i])) != 0)
			return false;
	}
	idem_setting_map(idem_settings_of_trigger(limit), "same",
					 &same, &same_parent);
	return idem_same_strings(idem_trigger_setting_list(total, "same_parent"),
							 same_parent);
}

/* Does the counterpart name the key as the foreign key has it? */
static bool
names_key(Trigger *total, const IdemTotalKey *key)
{
	return idem_same_strings(idem_trigger_setting_list(total, "key"),
							 idem_total_parent_columns(key));
}

/*
 * The column of the excess that goes with a running total, or NULL: one child
 * table with facts is enough for all that share the total.
 */
const char *
idem_total_excess_column(Relation parent, const char *used)
{
	TriggerDesc *triggers = CopyTriggerDesc(parent->trigdesc);
	int			i;

	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *total = &triggers->triggers[i];

		if (idem_total_is_readable(total, IDEM_TOTAL_FUNCTION) &&
			strcmp(setting(total, "used"), used) == 0 &&
			idem_trigger_setting(total, "excess") != NULL)
			return idem_trigger_setting(total, "excess");
	}
	return NULL;
}

/*
 * 39P01 unless the parent bears the counterpart of this trigger.  Looked for in
 * a copy: a look-up in a catalog may absorb an invalidation, with which the
 * relcache throws its triggers away.
 */
void
idem_total_require(Relation rel, Trigger *trigger, Relation parent,
				   const IdemTotalKey *key)
{
	TriggerDesc *triggers = CopyTriggerDesc(parent->trigdesc);
	int			i;

	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *total = &triggers->triggers[i];

		if (is_counterpart(total, trigger, key) &&
			names_key(total, key))
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("table \"%s\" bears no counterpart of limit \"%s\" on table \"%s\"",
					RelationGetRelationName(parent), trigger->tgname,
					get_rel_name(key->child)),
			 errhint("Put guards on a table with the idem.guard_... functions."),
			 errtableconstraint(rel, trigger->tgname)));
}
