/*
 * ledger_settings.c
 *		What the trigger of the entries keeps between calls.
 *
 * Read from the trigger's arguments and from the catalog: the foreign key,
 * columns by number, the words of both sides, states as values.  Lives until
 * the table of the entries or that of the accounts is altered (guard.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/column.h"
#include "base/moved.h"
#include "base/row.h"
#include "base/settings.h"
#include "base/settings_trigger.h"
#include "ledger/ledger.h"
#include "ledger/ledger_declare.h"
#include "total/total_keep.h"

static const IdemTotalRoom ledger_room = {
	.next = idem_ledger_next,
	.judge = idem_ledger_judge,
	.report_exceeded = idem_ledger_report_exceeded,
	.report_no_parent = idem_total_report_no_parent,
	.merges = true,
	.passes = idem_ledger_passes
};

/* The columns of the account that the guard looks at, and what is compared. */
static void
compile_columns(Relation rel, Trigger *trigger, Relation account,
				IdemLedgerSettings *s)
{
	const char *balance = idem_trigger_setting(trigger, "balance");
	const char **columns;
	List	   *child;
	List	   *other;
	int			place = IDEM_TOTAL_SAME;
	ListCell   *lc;

	idem_setting_map(idem_settings_of_trigger(trigger), "same", &child, &other);
	columns = palloc0(sizeof(char *) * (IDEM_TOTAL_SAME + list_length(child)));
	columns[IDEM_LEDGER_BALANCE] = balance;
	columns[IDEM_LEDGER_HELD] = idem_total_column(account, balance, "held");
	columns[IDEM_LEDGER_SHORTFALL] =
		idem_total_column(account, balance, "shortfall");
	columns[IDEM_LEDGER_FLOOR] = idem_trigger_setting(trigger, "floor");
	columns[IDEM_LEDGER_CEILING] = idem_trigger_setting(trigger, "ceiling");
	columns[IDEM_LEDGER_UNBOUNDED] = idem_trigger_setting(trigger, "unbounded");
	columns[IDEM_LEDGER_NORMAL] =
		idem_trigger_setting(trigger, "normal_column");
	foreach(lc, other)
		columns[place++] = lfirst(lc);
	idem_total_compile(rel, trigger, account, columns, place, child, &s->total);
}

static IdemLedgerSide
side_named(const char *word, IdemLedgerSide otherwise)
{
	if (word == NULL)
		return otherwise;
	return strcmp(word, "credit") == 0 ? IDEM_SIDE_CREDIT : IDEM_SIDE_DEBIT;
}

/* One word as a value of a column. */
static void
compile_word(IdemStates *states, Relation rel, const char *column,
			 Trigger *trigger, const char *setting, const char *otherwise)
{
	const char *word = idem_trigger_setting(trigger, setting);

	if (column == NULL)
		return;
	idem_states_init(states, rel, column,
					 list_make1(pstrdup(word == NULL ? otherwise : word)));
}

/* Which side an entry is on, and which makes its account grow. */
static void
compile_sides(Relation rel, Trigger *trigger, Relation account,
			  IdemLedgerSettings *s)
{
	const char *direction = idem_trigger_setting(trigger, "direction");
	const char *normal = s->total.column[IDEM_LEDGER_NORMAL];

	s->side = side_named(idem_trigger_setting(trigger, "side"),
						 direction != NULL ? IDEM_SIDE_OF_ROW :
						 IDEM_SIDE_OF_SIGN);
	compile_word(&s->debit, rel, direction, trigger, "debit", "debit");
	compile_word(&s->credit, rel, direction, trigger, "credit", "credit");
	s->normal = s->side == IDEM_SIDE_OF_SIGN ? IDEM_SIDE_CREDIT :
		side_named(idem_trigger_setting(trigger, "normal"), IDEM_SIDE_OF_ROW);
	compile_word(&s->normal_debit, account, normal, trigger, "debit", "debit");
	compile_word(&s->normal_credit, account, normal, trigger, "credit",
				 "credit");
}

/* Which entries count, and how. */
static void
compile_states(Relation rel, Trigger *trigger, IdemLedgerSettings *s)
{
	const char *state = idem_trigger_setting(trigger, "state");
	List	   *facts = idem_trigger_setting_list(trigger, "facts");

	idem_states_init(&s->released, rel, state,
					 idem_trigger_setting_list(trigger, "released"));
	idem_states_init(&s->pending, rel, state,
					 idem_trigger_setting_list(trigger, "pending"));
	if (idem_total_is_everything(facts))
		s->facts.all = true;
	else
		idem_states_init(&s->facts, rel, state, facts);
}

/* How entries name the hold that they post. */
static void
compile_posts(Relation rel, Trigger *trigger, IdemLedgerPosts *posts)
{
	const char *column = idem_trigger_setting(trigger, "posts");
	const char *over = idem_trigger_setting(trigger, "over");
	Oid			root = idem_root_relid(rel);
	char	   *problem;

	if (column == NULL)
		return;
	/* an index can be dropped without anybody being asked */
	problem = idem_posts_problem(root, column, NULL);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" cannot tell who posts a hold: %s",
						trigger->tgname, RelationGetRelationName(rel),
						problem),
				 errtableconstraint(rel, trigger->tgname)));
	idem_total_find_own_key(root, column,
							ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
							&posts->key);
	posts->column = idem_column_number(rel, column);
	posts->target = idem_column_number(rel,
									   get_attname(root,
												   posts->key.parent_column[0],
												   false));
	posts->over = over != NULL && strcmp(over, "true") == 0;
}

/* The plans go when the settings go, which is when nobody runs them. */
static void
free_plans(void *arg)
{
	idem_hold_free(arg);
}

/* Who has no bound says so with a boolean: 42804. */
static void
check_unbounded_type(Relation account, IdemLedgerSettings *s)
{
	AttrNumber	unbounded = s->total.number[IDEM_LEDGER_UNBOUNDED];

	if (unbounded &&
		idem_column_base_type(account, unbounded, NULL) != BOOLOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" is not a boolean",
						s->total.column[IDEM_LEDGER_UNBOUNDED],
						RelationGetRelationName(account)),
				 errtablecol(account, unbounded)));
}

/* IdemGuardCompile */
void *
idem_ledger_compile(Relation rel, Trigger *trigger, Oid *also)
{
	IdemLedgerSettings *s = palloc0(sizeof(IdemLedgerSettings));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	Relation	account = idem_total_open_parent(rel, trigger, also, &s->total);
	const char *children = idem_trigger_setting(trigger, "children");
	const char *batched = idem_trigger_setting(trigger, "batched");

	s->total.room = &ledger_room;
	compile_columns(rel, trigger, account, s);
	check_unbounded_type(account, s);
	compile_sides(rel, trigger, account, s);
	compile_states(rel, trigger, s);
	compile_posts(rel, trigger, &s->posts);
	s->editable = children != NULL && strcmp(children, "editable") == 0;
	s->batched = batched != NULL && strcmp(batched, "true") == 0;
	s->row_key = bms_del_member(idem_row_key_columns(rel), s->released.column);
	table_close(account, AccessShareLock);

	callback->func = free_plans;
	callback->arg = &s->posts;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return s;
}
