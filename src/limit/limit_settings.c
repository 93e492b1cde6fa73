/*
 * limit_settings.c
 *		What the trigger of a child keeps between calls.
 *
 * Read from the trigger's arguments and from the catalog: the foreign key,
 * columns by number, the arithmetic of the amounts, states as values.  Lives
 * until child or parent is altered (guard.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/moved.h"
#include "limit/limit.h"

static void
compile_key(Relation rel, IdemLimitSettings *s)
{
	int			i;

	for (i = 0; i < s->key.n; i++)
	{
		char	   *name = get_attname(s->key.child, s->key.child_column[i],
									   false);

		s->fk[i] = idem_column_number(rel, name);
		s->fk_type[i] = TupleDescAttr(RelationGetDescr(rel),
									  s->fk[i] - 1)->atttypid;
		s->key_type[i] = get_atttype(s->key.parent, s->key.parent_column[i]);
		fmgr_info_cxt(get_opcode(s->key.equal_child[i]), &s->fk_equal[i],
					  CurrentMemoryContext);
	}
}

/* Remember a parent column by name and number; NULL: there is none. */
static void
set_column(Relation parent, IdemLimitSettings *s, int place, const char *name)
{
	if (name == NULL)
		return;
	s->column[place] = pstrdup(name);
	s->number[place] = idem_column_number(parent, name);
}

static void
compile_pairs(Relation rel, Relation parent, List *child, List *other,
			  IdemLimitSettings *s)
{
	ListCell   *a;
	ListCell   *b;
	int			i = 0;

	s->pairs = palloc(sizeof(IdemLimitPair) * Max(s->npairs, 1));
	forboth(a, child, b, other)
	{
		IdemLimitPair *pair = &s->pairs[i];
		int			place = IDEM_PARENT_SAME + i++;

		set_column(parent, s, place, lfirst(b));
		pair->child = idem_column_number(rel, lfirst(a));
		idem_equality_init(&pair->equal,
						   idem_column_base_type(parent, s->number[place],
												 NULL),
						   idem_column_base_type(rel, pair->child, NULL));
	}
}

/* The columns of the parent that the guard looks at. */
static void
compile_columns(Relation rel, Trigger *trigger, Relation parent,
				IdemLimitSettings *s)
{
	const char *used = idem_trigger_setting(trigger, "used");
	List	   *child;
	List	   *other;

	idem_setting_map(idem_settings_of_trigger(trigger), "same", &child, &other);
	s->npairs = list_length(child);
	s->ncolumns = IDEM_PARENT_SAME + s->npairs;
	s->column = palloc0(sizeof(char *) * s->ncolumns);
	s->number = palloc0(sizeof(AttrNumber) * s->ncolumns);
	set_column(parent, s, IDEM_PARENT_CAP,
			   idem_trigger_setting(trigger, "cap"));
	set_column(parent, s, IDEM_PARENT_USED, used);
	set_column(parent, s, IDEM_PARENT_EXCESS,
			   idem_limit_excess_column(parent, used));
	set_column(parent, s, IDEM_PARENT_COUNT,
			   idem_trigger_setting(trigger, "count_used"));
	set_column(parent, s, IDEM_PARENT_STATE,
			   idem_trigger_setting(trigger, "parent_state"));
	set_column(parent, s, IDEM_PARENT_SINCE,
			   idem_trigger_setting(trigger, "age_from"));
	compile_pairs(rel, parent, child, other, s);
}

/* Which children count, and how; which parents take them. */
static void
compile_states(Relation rel, Trigger *trigger, Relation parent,
			   IdemLimitSettings *s)
{
	const char *state = idem_trigger_setting(trigger, "state");
	List	   *facts = idem_trigger_setting_list(trigger, "facts");

	idem_states_init(&s->released, rel, state,
					 idem_trigger_setting_list(trigger, "released"));
	if (list_length(facts) == 1 && strcmp(linitial(facts), "*") == 0)
		s->facts.all = true;
	else
		idem_states_init(&s->facts, rel, state, facts);
	idem_states_init(&s->open, parent, s->column[IDEM_PARENT_STATE],
					 idem_trigger_setting_list(trigger, "open"));
}

static void
compile_options(Trigger *trigger, IdemLimitSettings *s)
{
	const char *children = idem_trigger_setting(trigger, "children");
	const char *count_cap = idem_trigger_setting(trigger, "count_cap");
	const char *max_age = idem_trigger_setting(trigger, "max_age");

	s->editable = children != NULL && strcmp(children, "editable") == 0;
	if (count_cap)
		s->count_cap = DatumGetInt64(DirectFunctionCall1(int8in,
														 CStringGetDatum(count_cap)));
	if (max_age)
		s->max_age = DatumGetIntervalP(OidInputFunctionCall(F_INTERVAL_IN,
															unconstify(char *, max_age),
															InvalidOid, -1));
	s->judged = s->npairs > 0 || s->number[IDEM_PARENT_STATE] ||
		s->number[IDEM_PARENT_SINCE];
}

static void
report_type(Relation rel, Relation parent, IdemLimitSettings *s)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("columns \"%s\" and \"%s\" of table \"%s\" do not have the type of the amounts of table \"%s\"",
					s->column[IDEM_PARENT_CAP], s->column[IDEM_PARENT_USED],
					RelationGetRelationName(parent),
					RelationGetRelationName(rel)),
			 errtablecol(rel, s->amount_column)));
}

/* Values of these columns are taken for one another: one type, always. */
static void
compile_amount(Relation rel, Trigger *trigger, Relation parent,
			   IdemLimitSettings *s)
{
	int			place;
	Oid			type;

	s->amount_column =
		idem_column_number(rel, idem_trigger_setting(trigger, "amount"));
	type = idem_column_base_type(rel, s->amount_column, &s->amount_typmod);
	if (!idem_amount_type_supported(type))
		report_type(rel, parent, s);
	for (place = IDEM_PARENT_CAP; place <= IDEM_PARENT_EXCESS; place++)
	{
		if (s->number[place] &&
			idem_column_base_type(parent, s->number[place], NULL) != type)
			report_type(rel, parent, s);
	}
	idem_amount_type_init(&s->amount, type);
}

/* The types of the columns by which children and years are counted. */
static void
check_other_types(Relation parent, IdemLimitSettings *s)
{
	AttrNumber	count = s->number[IDEM_PARENT_COUNT];
	AttrNumber	since = s->number[IDEM_PARENT_SINCE];

	if (count &&
		!idem_count_type_supported(idem_column_base_type(parent, count, NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" does not count children",
						s->column[IDEM_PARENT_COUNT],
						RelationGetRelationName(parent)),
				 errtablecol(parent, count)));
	if (since &&
		idem_column_base_type(parent, since, NULL) != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" is not a timestamp with time zone",
						s->column[IDEM_PARENT_SINCE],
						RelationGetRelationName(parent)),
				 errtablecol(parent, since)));
}

/* The plans go when the settings go, which is when nobody runs them. */
static void
free_plans(void *arg)
{
	idem_statement_free(arg);
}

/* IdemGuardCompile */
void *
idem_limit_compile(Relation rel, Trigger *trigger, Oid *also)
{
	IdemLimitSettings *s = palloc0(sizeof(IdemLimitSettings));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	Relation	parent;

	idem_limit_find_key(idem_root_relid(rel),
						idem_trigger_setting_list(trigger, "fk"),
						ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, &s->key);
	s->fk_text = pstrdup(idem_trigger_setting(trigger, "fk"));
	*also = s->key.parent;
	parent = table_open(s->key.parent, AccessShareLock);
	idem_limit_require_total(rel, trigger, parent, &s->key);
	idem_limit_check_key_types(rel, &s->key);
	compile_key(rel, s);
	compile_columns(rel, trigger, parent, s);
	compile_amount(rel, trigger, parent, s);
	check_other_types(parent, s);
	compile_states(rel, trigger, parent, s);
	compile_options(trigger, s);
	s->row_key = bms_del_member(idem_row_key_columns(rel), s->released.column);
	s->direct = idem_direct_compile(parent, s);
	table_close(parent, AccessShareLock);

	callback->func = free_plans;
	callback->arg = s;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return s;
}
