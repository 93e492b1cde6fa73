/*
 * total_keep.c
 *		The running total in the parent belongs to the guard.
 *
 * The guard of the child announces, in backend memory, which total it is
 * about to change: table, column, key of the row, totals before and after.
 * The counterpart on the parent fires inside that UPDATE and lets changed
 * totals pass only if it is the announced change to the letter, once.  Any
 * other write of a different value is 23I07, whether by an application, an
 * operator, or a BEFORE trigger of the parent that changes the guard's own
 * UPDATE.  Writing the present value passes, because object mappers write
 * every column.
 *
 * The counterpart is also the parent's consent.  It is bound to the child
 * (tgconstrrelid), which needs TRIGGER on both tables, and the trigger of a
 * child acts only on a parent that bears it: attached by hand to a table that
 * references somebody else's, it moves nothing (39P01).
 *
 * Several guards may share a total, of several child tables or of several
 * foreign keys of one.  Child table and foreign key say which guard it is, and
 * each has a counterpart of its own.  Those of the others compare the totals as
 * well, and leave it to the announcer's to take the announcement.
 *
 * Once something is used, the row stays, and with it its key, the cap and the
 * compared columns; with cap_grows=true the cap may grow.  The foreign key
 * alone does not ensure that: NO ACTION is satisfied if some row has the key
 * at the end of the statement, and a row that takes the place of another
 * starts at 0.  A new parent starts at 0.  Of an account, which is capped by
 * nothing and adds up to zero often, they stay in any case.
 *
 * An announcement lives on the C stack of the code that makes it, which
 * withdraws it on every way out, errors included, so that no aborted
 * (sub)transaction leaves one behind.
 *
 * In a logical apply worker the total arrives by itself: nothing is judged
 * here, the CHECK holds.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/arrive.h"
#include "base/column.h"
#include "base/idem_errors.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/moved.h"
#include "base/row.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "base/settings_trigger.h"
#include "base/settings_write.h"
#include "total/total.h"
#include "total/total_keep.h"

/* The description that a counterpart keeps, from its arguments. */
typedef struct TotalSettings
{
	Oid			root;			/* the table at the top */
	Oid			child;			/* the table whose rows are counted, ... */
	const char *fk;				/* ... by this foreign key */
	const char *kind;			/* of the guard */
	const char *name;			/* of the first column that is kept */
	AttrNumber	value[IDEM_TOTAL_VALUES];	/* or 0 */
	AttrNumber	count;			/* or 0 */
	AttrNumber	cap;			/* or 0: what bounds it may change */
	bool		cap_grows;
	int			nkeys;
	AttrNumber	key[INDEX_MAX_KEYS];
	List	   *fixed;			/* numbers of key and compared columns */
	IdemExact  *exact;			/* or NULL: no sum is asked for */
	IdemAmountType amount;
} TotalSettings;

/* the announcement of the innermost UPDATE under way */
static IdemTotalStep *announced = NULL;

/* the table whose totals are filled, and how deep in triggers */
static Oid	filling = InvalidOid;
static int	filling_depth = 0;

static int
trigger_depth(void)
{
	return DatumGetInt32(OidFunctionCall0(F_PG_TRIGGER_DEPTH));
}

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
 * The totals of this table are filled from the sums; InvalidOid: it is done.
 * The caller takes it back on every way out, errors included.
 */
void
idem_total_set_filling(Oid parent)
{
	filling = parent;
	filling_depth = trigger_depth();
}

/*
 * Are the totals of this table being filled?  Not by a statement of a trigger
 * that the filling fires.
 */
static bool
is_filled(const TotalSettings *s)
{
	return filling == s->root && trigger_depth() == filling_depth + 1;
}

/* ------------------------------------------------------------------------
 * Counterparts
 * ------------------------------------------------------------------------
 */

/*
 * The setting that names the nth amount that a counterpart of the kind keeps,
 * in the order in which they are in IdemTotals; NULL: there is none.
 */
static const IdemSetting *
kept_setting(const IdemGuardKind *kind, int n)
{
	const IdemSetting *setting;

	if (kind == NULL || kind->decides)
		return NULL;
	for (setting = kind->settings; setting->name != NULL; setting++)
	{
		if ((setting->flags & IDEM_SETTING_KEPT) == 0 ||
			strcmp(setting->name, "count_used") == 0)
			continue;
		if (n-- == 0)
			return setting;
	}
	return NULL;
}

/* The first column that the counterpart keeps; NULL: it is none. */
const char *
idem_total_kept_by(const IdemGuard *guard)
{
	const IdemSetting *setting = kept_setting(guard->kind, 0);

	if (setting == NULL ||
		idem_settings_problem(guard->settings, guard->kind->settings) != NULL)
		return NULL;
	return idem_setting(guard->settings, setting->name);
}

/* Is the guard a counterpart that keeps this column as its first? */
bool
idem_total_keeps(const IdemGuard *guard, const char *name)
{
	const char *kept = idem_total_kept_by(guard);

	return kept != NULL && strcmp(kept, name) == 0;
}

/* The same of a trigger of the parent. */
static bool
trigger_keeps(const Trigger *trigger, const char *name)
{
	return idem_total_keeps(idem_guard_of_trigger(InvalidOid, trigger), name);
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
 * Cap and totals are taken for one another: 42804 unless they have one type
 * that a total can be kept in, whatever the table was altered to.
 */
static void
check_total_types(Relation rel, TotalSettings *s)
{
	AttrNumber	columns[IDEM_TOTAL_VALUES + 1] = {s->cap};
	Oid			type = idem_column_base_type(rel, s->value[0], NULL);
	bool		one = idem_amount_type_supported(type);
	StringInfoData names;
	int			i;

	memcpy(columns + 1, s->value, sizeof(s->value));
	initStringInfo(&names);
	for (i = 0; i < lengthof(columns); i++)
	{
		if (columns[i] == 0)
			continue;
		one &= idem_column_base_type(rel, columns[i], NULL) == type;
		appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? " and " : "",
						 NameStr(TupleDescAttr(RelationGetDescr(rel),
											   columns[i] - 1)->attname));
	}
	one &= s->count == 0 ||
		idem_count_type_supported(idem_column_base_type(rel, s->count, NULL));
	if (!one)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("columns %s of table \"%s\" do not have one type in which a %s can be kept",
						names.data, RelationGetRelationName(rel), s->kind),
				 errtablecol(rel, s->value[0])));
}

/* The columns that are kept, also those that another guard brought. */
static void
compile_kept(Relation rel, Trigger *trigger, TotalSettings *s)
{
	IdemGuard  *guard = idem_guard_of_trigger(RelationGetRelid(rel), trigger);
	const IdemSetting *setting;
	int			i;

	s->kind = pstrdup(guard->kind->kind);
	s->name = pstrdup(idem_total_kept_by(guard));
	for (i = 0; (setting = kept_setting(guard->kind, i)) != NULL; i++)
	{
		const char *column = idem_total_column(rel, s->name, setting->name);

		Assert(i < IDEM_TOTAL_VALUES);
		s->value[i] = column == NULL ? 0 : idem_column_number(rel, column);
	}
	s->count = idem_total_named(rel, trigger, "count_used");
}

/* The columns besides the cap by which children were judged */
static void
compile_fixed(Relation rel, Trigger *trigger, TotalSettings *s)
{
	AttrNumber	normal = idem_total_named(rel, trigger, "normal_column");
	const char *batched = idem_trigger_setting(trigger, "batched");
	AttrNumber	unbounded;
	ListCell   *lc;
	int			i;

	for (i = 0; i < s->nkeys; i++)
		s->fixed = lappend_int(s->fixed, s->key[i]);
	foreach(lc, idem_trigger_setting_list(trigger, "same_parent"))
		s->fixed = lappend_int(s->fixed, idem_column_number(rel, lfirst(lc)));
	if (normal)
		s->fixed = lappend_int(s->fixed, normal);
	if (batched == NULL || strcmp(batched, "true") != 0)
		return;
	unbounded = idem_total_named(rel, trigger, "unbounded");
	if (unbounded)
		s->fixed = lappend_int(s->fixed, unbounded);
}

static void *
compile_total(Relation rel, Trigger *trigger, Oid *also)
{
	TotalSettings *s = palloc0(sizeof(TotalSettings));
	const char *grows = idem_trigger_setting(trigger, "cap_grows");

	s->root = idem_root_relid(rel);
	s->child = trigger->tgconstrrelid;
	s->fk = pstrdup(idem_trigger_setting(trigger, "fk"));
	compile_kept(rel, trigger, s);
	s->cap = idem_total_named(rel, trigger, "cap");
	s->cap_grows = grows != NULL && strcmp(grows, "true") == 0;
	check_total_types(rel, s);
	compile_total_key(rel, trigger, s);
	compile_fixed(rel, trigger, s);
	s->exact = idem_exact_compile(rel, trigger);
	idem_amount_type_init(&s->amount,
						  idem_column_base_type(rel, s->value[0], NULL));
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
	int			i;

	for (i = 0; i < IDEM_TOTAL_VALUES; i++)
		totals->value[i] = s->value[i] ? total_of(slot, s->value[i], zero) :
			zero;
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
	int			i;

	for (i = 0; i < IDEM_TOTAL_VALUES; i++)
	{
		if (s->value[i] != 0 &&
			idem_amount_compare(&s->amount, a->value[i], b->value[i]) != 0)
			return s->value[i];
	}
	return a->count != b->count ? s->count : 0;
}

/* Does the guard that announces it belong to this counterpart? */
static bool
is_ours(const TotalSettings *s, const IdemTotalStep *step)
{
	return step->total->key.bound == s->child &&
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
			strcmp(step->total->column[IDEM_TOTAL_KEPT], s->name) != 0 ||
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
			 errmsg("column \"%s\" of table \"%s\" is kept by a %s and cannot be written",
					NameStr(att->attname),
					get_rel_name(s->root), s->kind),
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
			 s->cap ?
			 errmsg("column \"%s\" of table \"%s\" cannot be changed while its limit is in use",
					NameStr(att->attname),
					get_rel_name(s->root)) :
			 errmsg("column \"%s\" of table \"%s\" cannot be changed: it is kept with the %s",
					NameStr(att->attname), get_rel_name(s->root), s->kind),
			 s->cap && column == s->cap && !s->cap_grows ?
			 errhint("Columns by which children were judged stay; declared with cap_grows => true, the cap may grow.") :
			 errhint(s->cap ? "What children were judged by stays." :
					 "What entries were judged by stays."),
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

	if (s->cap &&
		!idem_same_image(call->rel, s->cap, call->before, call->after))
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
	IdemTotals	none;
	IdemTotals	before;
	IdemTotals	after;
	AttrNumber	changed;
	int			i;

	for (i = 0; i < IDEM_TOTAL_VALUES; i++)
		none.value[i] = s->amount.zero;
	none.count = 0;
	before = after = none;
	if (!IDEM_CALL_IS_INSERT(call))
		totals_of(call, s, call->before, &before);
	if (!IDEM_CALL_IS_DELETE(call))
		totals_of(call, s, call->after, &after);
	changed = first_difference(s, &before, &after);

	/* one of which something is used cannot go; a new one starts at 0 */
	if (changed && IDEM_CALL_IS_DELETE(call))
		idem_refuse_delete(call);
	if (changed && IDEM_CALL_IS_UPDATE(call) && is_filled(s))
		return;
	if (changed && IDEM_CALL_IS_INSERT(call))
		refuse_write(call, s, changed);
	if (IDEM_CALL_IS_UPDATE(call) && (changed || announced != NULL) &&
		!take_announcement(call, s, &before, &after) && changed)
		refuse_write(call, s, changed);

	/* what has added up to zero has been judged, too, where nothing caps it */
	if (IDEM_CALL_IS_UPDATE(call) &&
		(changed || s->cap == 0 || first_difference(s, &before, &none)))
		check_fixed(call, s);
}

/* The counterpart of a guard on the parent, by whatever name it is called. */
static Datum
keep_total(FunctionCallInfo fcinfo, const char *function)
{
	IdemGuardCall call;
	TotalSettings *s;

	if (idem_in_apply_worker())
		return PointerGetDatum(NULL);
	if (!idem_guard_call(fcinfo, function, &call))
		return PointerGetDatum(NULL);
	s = idem_guard_settings(&call, compile_total);
	judge_total(&call, s);
	if (s->exact != NULL && !IDEM_CALL_IS_DELETE(&call))
		idem_exact_judge(&call, s->exact);
	return PointerGetDatum(NULL);
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
	return keep_total(fcinfo, "idem.keep_total");
}

/*
 * keep_account() -> trigger
 *
 * The same of keep_balance on the account.
 */
PG_FUNCTION_INFO_V1(idem_keep_account);
Datum
idem_keep_account(PG_FUNCTION_ARGS)
{
	return keep_total(fcinfo, "idem.keep_account");
}

static bool
same_setting(List *a, List *b, const char *name)
{
	const char *one = idem_setting(a, name);
	const char *other = idem_setting(b, name);

	if (one == NULL || other == NULL)
		return one == other;
	return strcmp(one, other) == 0;
}

/* Do both say the same where both have a word? */
static bool
guards_agree(const IdemGuard *total, const IdemGuard *guard)
{
	const IdemSetting *mine;
	const IdemSetting *other;

	for (mine = total->kind->settings; mine->name != NULL; mine++)
	{
		for (other = guard->kind->settings; other->name != NULL; other++)
		{
			if (strcmp(mine->name, other->name) == 0 &&
				!same_setting(total->settings, guard->settings, mine->name))
				return false;
		}
	}
	return true;
}

/* Does the trigger of the parent consent to the trigger of the child? */
static bool
is_counterpart(Trigger *trigger, const IdemGuard *guard,
			   const IdemTotalKey *key)
{
	IdemGuard  *total = idem_guard_of_trigger(InvalidOid, trigger);
	List	   *same;
	List	   *same_parent;

	if (trigger->tgconstrrelid != key->bound ||
		trigger->tgenabled != TRIGGER_FIRES_ALWAYS ||
		idem_total_kept_by(total) == NULL ||
		strcmp(total->kind->kind, guard->kind->kind) != 0 ||
		!guards_agree(total, guard))
		return false;
	idem_setting_map(guard->settings, "same", &same, &same_parent);
	return idem_same_strings(idem_trigger_setting_list(trigger, "same_parent"),
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
 * The column that a setting of counterparts names for a total, or NULL: one
 * child table with facts, or with holds, is enough for all that share it.
 */
const char *
idem_total_column(Relation parent, const char *total, const char *setting)
{
	TriggerDesc *triggers = CopyTriggerDesc(parent->trigdesc);
	int			i;

	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		if (trigger_keeps(&triggers->triggers[i], total) &&
			idem_trigger_setting(&triggers->triggers[i], setting) != NULL)
			return idem_trigger_setting(&triggers->triggers[i], setting);
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
	IdemGuard  *guard = idem_guard_of_trigger(RelationGetRelid(rel), trigger);
	int			i;

	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *total = &triggers->triggers[i];

		if (is_counterpart(total, guard, key) &&
			names_key(total, key))
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("table \"%s\" bears no counterpart of %s \"%s\" on table \"%s\"",
					RelationGetRelationName(parent), guard->kind->kind,
					trigger->tgname, get_rel_name(key->child)),
			 errhint("Put guards on a table with the idem.guard_... functions."),
			 errtableconstraint(rel, trigger->tgname)));
}
