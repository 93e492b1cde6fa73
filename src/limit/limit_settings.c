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
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/row.h"
#include "base/settings.h"
#include "base/settings_trigger.h"
#include "limit/limit.h"
#include "total/total_keep.h"
#include "total/total_source.h"

static const IdemTotalRoom limit_room = {
	.next = idem_limit_next,
	.judge = idem_limit_judge,
	.report_exceeded = idem_limit_report_exceeded,
	.report_no_parent = idem_total_report_no_parent
};

/* The columns of the parent that the guard looks at, and what is compared. */
static void
compile_columns(Relation rel, Trigger *trigger, Relation parent,
				IdemLimitSettings *s)
{
	const char *used = idem_trigger_setting(trigger, "used");
	const char **columns;
	List	   *child;
	List	   *other;
	int			place = IDEM_TOTAL_SAME;
	ListCell   *lc;

	idem_setting_map(idem_settings_of_trigger(trigger), "same", &child, &other);
	columns = palloc0(sizeof(char *) * (IDEM_TOTAL_SAME + list_length(child)));
	columns[IDEM_LIMIT_CAP] = idem_trigger_setting(trigger, "cap");
	columns[IDEM_LIMIT_USED] = used;
	columns[IDEM_LIMIT_EXCESS] = idem_total_column(parent, used, "excess");
	columns[IDEM_TOTAL_COUNT] = idem_trigger_setting(trigger, "count_used");
	columns[IDEM_LIMIT_STATE] = idem_trigger_setting(trigger, "parent_state");
	columns[IDEM_LIMIT_SINCE] = idem_trigger_setting(trigger, "age_from");
	columns[IDEM_LIMIT_DECLARED] = idem_trigger_setting(trigger, "exact_count");
	foreach(lc, other)
		columns[place++] = lfirst(lc);
	idem_total_compile(rel, trigger, parent, columns, place, child, &s->total);
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
	if (idem_total_is_everything(facts))
		s->facts.all = true;
	else
		idem_states_init(&s->facts, rel, state, facts);
	idem_states_init(&s->open, parent, s->total.column[IDEM_LIMIT_STATE],
					 idem_trigger_setting_list(trigger, "open"));
	idem_states_init(&s->exact, parent, s->total.column[IDEM_LIMIT_STATE],
					 idem_trigger_setting_list(trigger, "exact"));
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
															unconstify(char *,
																	   max_age),
															InvalidOid, -1));
}

/* The age of a parent counts from a moment. */
static void
check_age_type(Relation parent, IdemLimitSettings *s)
{
	AttrNumber	since = s->total.number[IDEM_LIMIT_SINCE];

	if (since && idem_column_base_type(parent, since, NULL) != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" is not a timestamp with time zone",
						s->total.column[IDEM_LIMIT_SINCE],
						RelationGetRelationName(parent)),
				 errtablecol(parent, since)));
}

/* IdemGuardCompile */
void *
idem_limit_compile(Relation rel, Trigger *trigger, Oid *also)
{
	IdemLimitSettings *s = palloc0(sizeof(IdemLimitSettings));
	Relation	parent = idem_total_open_parent(rel, trigger, also, &s->total);

	compile_columns(rel, trigger, parent, s);
	check_age_type(parent, s);
	compile_states(rel, trigger, parent, s);
	compile_options(trigger, s);
	s->total.room = &limit_room;
	s->row_key = bms_del_member(idem_row_key_columns(rel), s->released.column);
	table_close(parent, AccessShareLock);
	return s;
}
