/*
 * limit.c
 *		Children never add up to more than their parent.
 *
 * The parent row has a running total.  A child that begins to count, once it
 * is stored, adds its amount by one conditional UPDATE of that row:
 *
 *		UPDATE parent SET used = used + amount
 *			WHERE key = fk AND amount <= cap - used
 *			RETURNING cap, used, <state>, <compared columns>	-- if any
 *
 * Two writers meet at the row version of the parent, so the sum is right at
 * every isolation level: under READ COMMITTED the second waits and judges the
 * version the first left; under REPEATABLE READ and SERIALIZABLE the UPDATE
 * sees the latest version, and one that the transaction's own snapshot cannot
 * see is 40001 (the crosscheck of ri_PerformCheck): updating past it would
 * show the transaction two versions of one row.  State and compared columns
 * are judged on the version that was updated, for the same reason.
 *
 * If no row fits, the row is looked at under FOR NO KEY UPDATE: no room left
 * is 23I05, no row is 23503, and room that appeared meanwhile is tried once
 * more, now under that lock.  No word of the server (40001, 40P01, 55P03,
 * 57014) is caught.
 *
 * Whatever else goes wrong, CHECK ((used BETWEEN 0 AND cap) IS TRUE) of the
 * parent holds.
 *
 * Locked: the parent row, FOR NO KEY UPDATE, which goes along with the KEY
 * SHARE of foreign keys.  Cost: one UPDATE a counted change, however many
 * children there are.
 *
 * Not promised: order among waiters.  A trigger of the child that releases
 * the row inside the statement that stores it is judged before the row has
 * been counted, and may meet the CHECK.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/identity.h"
#include "base/moved.h"
#include "limit/limit.h"

/* The statements on the parent; statement_text has their words. */
typedef enum LimitStatement
{
	LIMIT_COUNT,
	LIMIT_RELEASE,
	LIMIT_LOOK
} LimitStatement;

#define LIMIT_STATEMENTS 3

/* where the results of all three have the cap and the total */
#define RESULT_CAP		1
#define RESULT_USED		2
#define RESULT_STATE	3

/* A child column and the parent column that must have the same value. */
typedef struct LimitPair
{
	AttrNumber	child;
	char	   *parent;			/* name, because it is part of the statements */
	IdemEquality equal;
} LimitPair;

/* What the trigger of a child keeps, from its arguments. */
typedef struct LimitSettings
{
	IdemLimitKey key;
	Bitmapset  *row_key;		/* primary key without the state itself */
	AttrNumber	fk[INDEX_MAX_KEYS]; /* of the table that fired */
	Oid			fk_type[INDEX_MAX_KEYS];
	Oid			key_type[INDEX_MAX_KEYS];	/* of the parent's columns */
	FmgrInfo	fk_equal[INDEX_MAX_KEYS];	/* parent = child */
	AttrNumber	amount_column;
	IdemAmountType amount;
	char	   *cap;			/* parent columns */
	char	   *used;
	char	   *parent_state;	/* or NULL */
	IdemStates	released;		/* child states that do not count */
	IdemStates	open;			/* parent states that take children */
	int			npairs;
	LimitPair  *pairs;
	bool		judged;			/* is there a state or a pair to judge? */
	bool		editable;
	int			busy;			/* executions of plans under way */
	SPIPlanPtr	plans[LIMIT_STATEMENTS];	/* kept, NULL until needed */
} LimitSettings;

/* One change of a parent's total for one child row. */
typedef struct LimitCall
{
	const IdemGuardCall *call;
	LimitSettings *s;
	TupleTableSlot *row;		/* the image of the child that counts */
	Relation	parent;
	Datum		values[INDEX_MAX_KEYS + 1]; /* amount, then the key */
} LimitCall;

/* ------------------------------------------------------------------------
 * Settings
 * ------------------------------------------------------------------------
 */

static void
compile_key(Relation rel, LimitSettings *s)
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

static void
compile_pairs(Relation rel, Trigger *trigger, Relation parent,
			  LimitSettings *s)
{
	List	   *child = idem_trigger_setting_list(rel, trigger, "same");
	List	   *other = idem_trigger_setting_list(rel, trigger, "same_parent");
	ListCell   *a;
	ListCell   *b;

	if (list_length(child) != list_length(other))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" pairs different numbers of columns",
						trigger->tgname, RelationGetRelationName(rel)),
				 errtableconstraint(rel, trigger->tgname)));
	s->pairs = palloc(sizeof(LimitPair) * Max(list_length(child), 1));
	forboth(a, child, b, other)
	{
		LimitPair  *pair = &s->pairs[s->npairs++];
		AttrNumber	column = idem_column_number(parent, lfirst(b));

		pair->child = idem_column_number(rel, lfirst(a));
		pair->parent = lfirst(b);
		idem_equality_init(&pair->equal,
						   idem_column_base_type(parent, column, NULL),
						   idem_column_base_type(rel, pair->child, NULL));
	}
}

/* Values of three columns are taken for one another: one type, always. */
static void
check_amount_types(Relation rel, Relation parent, LimitSettings *s)
{
	AttrNumber	cap = idem_column_number(parent, s->cap);
	AttrNumber	used = idem_column_number(parent, s->used);

	if (!idem_amount_type_supported(s->amount.type) ||
		idem_column_base_type(parent, cap, NULL) != s->amount.type ||
		idem_column_base_type(parent, used, NULL) != s->amount.type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("columns \"%s\" and \"%s\" of table \"%s\" do not have the type of the amounts of table \"%s\"",
						s->cap, s->used, RelationGetRelationName(parent),
						RelationGetRelationName(rel)),
				 errtablecol(rel, s->amount_column)));
}

/* The plans go when the settings go, which is when nobody runs them. */
static void
free_plans(void *arg)
{
	LimitSettings *s = arg;
	int			i;

	for (i = 0; i < LIMIT_STATEMENTS; i++)
	{
		if (s->plans[i] != NULL)
			SPI_freeplan(s->plans[i]);
		s->plans[i] = NULL;
	}
}

static void
compile_columns(Relation rel, Trigger *trigger, Relation parent,
				LimitSettings *s)
{
	const char *state = idem_trigger_setting(trigger, "parent_state");
	const char *children = idem_trigger_setting(trigger, "children");

	s->amount_column =
		idem_column_number(rel, idem_trigger_setting_required(rel, trigger,
															  "amount"));
	idem_amount_type_init(&s->amount,
						  idem_column_base_type(rel, s->amount_column, NULL));
	s->cap = pstrdup(idem_trigger_setting_required(rel, trigger, "cap"));
	s->used = pstrdup(idem_trigger_setting_required(rel, trigger, "used"));
	s->parent_state = state ? pstrdup(state) : NULL;
	s->editable = children != NULL && strcmp(children, "editable") == 0;
	idem_states_init(&s->released, rel, idem_trigger_setting(trigger, "state"),
					 idem_trigger_setting_list(rel, trigger, "released"));
	idem_states_init(&s->open, parent, s->parent_state,
					 idem_trigger_setting_list(rel, trigger, "open"));
}

static void *
compile_limit(Relation rel, Trigger *trigger, Oid *also)
{
	LimitSettings *s = palloc0(sizeof(LimitSettings));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	Relation	parent;

	idem_limit_find_key(idem_root_relid(rel),
						idem_trigger_setting_list(rel, trigger, "fk"),
						ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, &s->key);
	*also = s->key.parent;
	parent = table_open(s->key.parent, AccessShareLock);
	idem_limit_require_total(rel, trigger, parent, &s->key);
	idem_limit_check_key_types(rel, &s->key);
	compile_key(rel, s);
	compile_columns(rel, trigger, parent, s);
	s->row_key = bms_del_member(idem_key_columns(rel), s->released.column);
	check_amount_types(rel, parent, s);
	compile_pairs(rel, trigger, parent, s);
	s->judged = s->npairs > 0 || s->parent_state != NULL;
	table_close(parent, AccessShareLock);

	callback->func = free_plans;
	callback->arg = s;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return s;
}

/* ------------------------------------------------------------------------
 * Statements on the parent
 * ------------------------------------------------------------------------
 */

/* p.column, quoted where needed */
static const char *
column(const char *name)
{
	return psprintf("p.%s", quote_identifier(name));
}

/* p.key = $2 AND ... with the operators of the foreign key */
static void
append_key(StringInfo sql, LimitSettings *s)
{
	int			i;

	for (i = 0; i < s->key.n; i++)
	{
		char	   *name = get_attname(s->key.parent, s->key.parent_column[i],
									   false);

		if (i > 0)
			appendStringInfoString(sql, " AND ");
		generate_operator_clause(sql, column(name),
								 get_atttype(s->key.parent,
											 s->key.parent_column[i]),
								 s->key.equal_child[i],
								 psprintf("$%d", i + 2), s->fk_type[i]);
	}
}

/* cap, used, state, compared columns: what has to be judged */
static void
append_results(StringInfo sql, LimitSettings *s)
{
	int			i;

	appendStringInfo(sql, "%s, %s", column(s->cap), column(s->used));
	appendStringInfo(sql, ", %s",
					 s->parent_state ? column(s->parent_state) : "NULL");
	for (i = 0; i < s->npairs; i++)
		appendStringInfo(sql, ", %s", column(s->pairs[i].parent));
}

/* What a statement returns if no rule has rewritten it. */
static int
expected_result(LimitSettings *s, LimitStatement which)
{
	if (which == LIMIT_LOOK)
		return SPI_OK_SELECT;
	return which == LIMIT_COUNT && s->judged ? SPI_OK_UPDATE_RETURNING :
		SPI_OK_UPDATE;
}

/*
 * LIMIT_COUNT
 *		UPDATE schema.parent p SET used = p.used OPERATOR(pg_catalog.+) $1
 *			WHERE p.key = $2
 *			AND $1 OPERATOR(pg_catalog.<=) (p.cap OPERATOR(pg_catalog.-) p.used)
 *			RETURNING p.cap, p.used, p.state, p.compared ...
 *		(RETURNING only if there is something to judge;
 *		cap - used cannot overflow: the CHECK has 0 <= used <= cap)
 * LIMIT_RELEASE
 *		UPDATE schema.parent p SET used = p.used OPERATOR(pg_catalog.-) $1
 *			WHERE p.key = $2
 * LIMIT_LOOK
 *		SELECT p.cap, p.used, ... FROM schema.parent p WHERE p.key = $2
 *			FOR NO KEY UPDATE
 */
static char *
statement_text(LimitSettings *s, Relation parent, LimitStatement which)
{
	StringInfoData sql;
	const char *table = idem_qualified_name(parent);

	initStringInfo(&sql);
	if (which == LIMIT_LOOK)
	{
		appendStringInfoString(&sql, "SELECT ");
		append_results(&sql, s);
		appendStringInfo(&sql, " FROM %s p WHERE ", table);
		append_key(&sql, s);
		appendStringInfoString(&sql, " FOR NO KEY UPDATE");
		return sql.data;
	}
	appendStringInfo(&sql, "UPDATE %s p SET %s = %s OPERATOR(pg_catalog.%s) $1 WHERE ",
					 table, quote_identifier(s->used), column(s->used),
					 which == LIMIT_COUNT ? "+" : "-");
	append_key(&sql, s);
	if (which == LIMIT_COUNT)
		appendStringInfo(&sql, " AND $1 OPERATOR(pg_catalog.<=) (%s OPERATOR(pg_catalog.-) %s)",
						 column(s->cap), column(s->used));
	if (expected_result(s, which) == SPI_OK_UPDATE_RETURNING)
	{
		appendStringInfoString(&sql, " RETURNING ");
		append_results(&sql, s);
	}
	return sql.data;
}

/*
 * The kept plan of a statement, prepared on first use and, when it has become
 * invalid (a schema was renamed), anew from its text.
 */
static SPIPlanPtr
plan_of(LimitSettings *s, Relation parent, LimitStatement which)
{
	Oid			types[INDEX_MAX_KEYS + 1];
	SPIPlanPtr	plan = s->plans[which];

	if (plan != NULL && (s->busy > 1 || SPI_plan_is_valid(plan)))
		return plan;
	types[0] = s->amount.type;
	memcpy(types + 1, s->fk_type, sizeof(Oid) * s->key.n);
	plan = SPI_prepare_cursor(statement_text(s, parent, which), s->key.n + 1,
							  types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor returned %s",
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	if (s->plans[which] != NULL)
		SPI_freeplan(s->plans[which]);
	s->plans[which] = plan;
	return plan;
}

static void
report_rewritten(LimitCall *c)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("the running total of table \"%s\" could not be kept",
					RelationGetRelationName(c->parent)),
			 errdetail("A rule or a BEFORE trigger of the table changed or suppressed the UPDATE of column \"%s\", or the counterpart of the limit did not fire.",
					   c->s->used),
			 errtableconstraint(c->call->rel, c->call->trigger->tgname)));
}

/*
 * Run a statement on the parent; did it find the row?  The result stays in
 * SPI_tuptable.
 */
static bool
run_statement(LimitCall *c, LimitStatement which)
{
	SPIPlanPtr	plan = plan_of(c->s, c->parent, which);
	Snapshot	snapshot = InvalidSnapshot;
	Snapshot	crosscheck = InvalidSnapshot;
	int			code;

	if (IsolationUsesXactSnapshot())
	{
		CommandCounterIncrement();	/* see all of our own work */
		snapshot = GetLatestSnapshot();
		if (which != LIMIT_LOOK)
			crosscheck = GetTransactionSnapshot();
	}
	code = SPI_execute_snapshot(plan, c->values, NULL, snapshot, crosscheck,
								false, true, 0);
	if (code < 0)
		elog(ERROR, "SPI_execute_snapshot returned %s",
			 SPI_result_code_string(code));
	if (code != expected_result(c->s, which))
		report_rewritten(c);
	return SPI_processed > 0;
}

/* Announce a change of the total, make it, withdraw; was the row found? */
static bool
change_total(LimitCall *c, LimitStatement which)
{
	LimitSettings *s = c->s;
	IdemLimitChange change;
	volatile bool found = false;

	change.parent = s->key.parent;
	change.used = s->used;
	change.nkeys = s->key.n;
	change.key = c->values + 1;
	change.key_type = s->key_type;
	change.equal = s->fk_equal;
	change.plus = which == LIMIT_COUNT;
	change.amount = c->values[0];

	idem_limit_announce(&change);
	s->busy++;
	PG_TRY();
	{
		found = run_statement(c, which);
	}
	PG_FINALLY();
	{
		s->busy--;
		idem_limit_withdraw(&change);
	}
	PG_END_TRY();
	if (found && !change.accepted)
		report_rewritten(c);
	return found;
}

/* ------------------------------------------------------------------------
 * What is said when a child is refused
 * ------------------------------------------------------------------------
 */

/* The key of the parent as the child has it: 4711, or (7, 4711). */
static char *
key_text(LimitCall *c)
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
		appendStringInfoString(&buf,
							   OidOutputFunctionCall(output,
													 c->values[i + 1]));
	}
	if (several)
		appendStringInfoChar(&buf, ')');
	return buf.data;
}

static const char *
child_name(LimitCall *c)
{
	return get_rel_name(c->s->key.child);
}

/* A value of the parent's row, as the last statement saw it. */
static Datum
result(int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
						 number, isnull);
}

static Datum
result_amount(int number)
{
	bool		isnull;
	Datum		value = result(number, &isnull);

	if (isnull)
		elog(ERROR, "cap or running total of a limit is null");
	return value;
}

static void
report_exceeded(LimitCall *c)
{
	IdemAmountType *amount = &c->s->amount;
	Datum		cap = result_amount(RESULT_CAP);
	Datum		used = result_amount(RESULT_USED);

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
			 errmsg("%s of %s exceeds the limit of %s %s",
					child_name(c), idem_amount_text(amount, c->values[0]),
					RelationGetRelationName(c->parent), key_text(c)),
			 idem_may_read(c->parent) ?
			 errdetail("Limit %s, used %s, remaining %s.",
					   idem_amount_text(amount, cap),
					   idem_amount_text(amount, used),
					   idem_amount_text(amount,
										FunctionCall2(&amount->minus,
													  cap, used))) : 0,
			 errtablecol(c->call->rel, c->s->amount_column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								c->call->trigger->tgname)));
}

static void
report_no_parent(LimitCall *c)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("%s has no %s %s to be limited by",
					child_name(c), RelationGetRelationName(c->parent),
					key_text(c)),
			 errtableconstraint(c->call->rel, c->call->trigger->tgname)));
}

static void
report_mismatch(LimitCall *c, LimitPair *pair, int number)
{
	const char *name = NameStr(TupleDescAttr(RelationGetDescr(c->call->rel),
											 pair->child - 1)->attname);
	bool		isnull;
	Oid			output;
	bool		varlena;
	Datum		mine = slot_getattr(c->row, pair->child, &isnull);
	char	   *mine_text = pstrdup("null");
	char	   *other = SPI_getvalue(SPI_tuptable->vals[0],
									 SPI_tuptable->tupdesc, number);

	if (!isnull)
	{
		getTypeOutputInfo(TupleDescAttr(RelationGetDescr(c->call->rel),
										pair->child - 1)->atttypid,
						  &output, &varlena);
		mine_text = psprintf("\"%s\"", OidOutputFunctionCall(output, mine));
	}
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_REVERSE_MISMATCH),
			 errmsg("\"%s\" of %s is not the \"%s\" of %s %s",
					name, child_name(c), pair->parent,
					RelationGetRelationName(c->parent), key_text(c)),
			 idem_may_read(c->parent) ?
			 errdetail("%s has %s, %s has %s.", child_name(c), mine_text,
					   RelationGetRelationName(c->parent),
					   other ? psprintf("\"%s\"", other) : "null") : 0,
			 errtablecol(c->call->rel, pair->child),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								c->call->trigger->tgname)));
}

static void
report_not_open(LimitCall *c)
{
	char	   *state = SPI_getvalue(SPI_tuptable->vals[0],
									 SPI_tuptable->tupdesc, RESULT_STATE);

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_PARENT_NOT_OPEN),
			 errmsg("%s %s is not open for a new %s",
					RelationGetRelationName(c->parent), key_text(c),
					child_name(c)),
			 idem_may_read(c->parent) ?
			 errdetail("Its \"%s\" is %s.", c->s->parent_state,
					   state ? psprintf("\"%s\"", state) : "null") : 0,
			 errtableconstraint(c->call->rel, c->call->trigger->tgname)));
}

/* ------------------------------------------------------------------------
 * Counting
 * ------------------------------------------------------------------------
 */

/* Is the parent, as the last statement saw it, one for this child? */
static void
judge_parent(LimitCall *c, bool begins)
{
	LimitSettings *s = c->s;
	bool		parent_null;
	bool		child_null;
	int			i;

	if (begins && s->parent_state)
	{
		Datum		state = result(RESULT_STATE, &parent_null);

		if (!idem_states_contain(&s->open, state, parent_null))
			report_not_open(c);
	}
	for (i = 0; i < s->npairs; i++)
	{
		LimitPair  *pair = &s->pairs[i];
		Datum		other = result(RESULT_STATE + 1 + i, &parent_null);
		Datum		mine = slot_getattr(c->row, pair->child, &child_null);

		if (parent_null || child_null || !idem_equal(&pair->equal, other, mine))
			report_mismatch(c, pair, RESULT_STATE + 1 + i);
	}
}

/* Does the amount fit in what LIMIT_LOOK has just seen? */
static bool
has_room(LimitCall *c)
{
	IdemAmountType *amount = &c->s->amount;
	Datum		room = FunctionCall2(&amount->minus, result_amount(RESULT_CAP),
									 result_amount(RESULT_USED));

	return idem_amount_compare(amount, c->values[0], room) <= 0;
}

/*
 * Open the parent.  Only now it is locked, and whoever held it may have
 * changed it or its counterpart: settings older than the lock do not count,
 * those that are read behind it do.
 */
static void
open_parent(LimitCall *c)
{
	Oid			parent = InvalidOid;

	c->s = idem_guard_settings(c->call, compile_limit);
	while (c->s->key.parent != parent)
	{
		if (OidIsValid(parent))
			UnlockRelationOid(parent, RowExclusiveLock);
		parent = c->s->key.parent;
		LockRelationOid(parent, RowExclusiveLock);
		c->s = idem_guard_settings(c->call, compile_limit);
	}
	c->parent = table_open(parent, NoLock);
}

/* Take amount and key from the row; key columns are never null. */
static void
open_call(LimitCall *c, const IdemGuardCall *call, TupleTableSlot *row)
{
	bool		isnull;
	int			i;

	c->call = call;
	c->row = row;
	open_parent(c);
	c->values[0] = slot_getattr(row, c->s->amount_column, &isnull);
	for (i = 0; i < c->s->key.n; i++)
	{
		c->values[i + 1] = slot_getattr(row, c->s->fk[i], &isnull);
		if (isnull)
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("row of table \"%s\" has no parent to be limited by",
							child_name(c)),
					 errtablecol(call->rel, c->s->fk[i])));
	}
	SPI_connect();
}

static void
close_call(LimitCall *c)
{
	SPI_finish();
	table_close(c->parent, NoLock);
}

/*
 * The row counts from now on.  begins: as a request that the parent must be
 * open for, not as the later edit of one that has counted before.
 */
static void
count_row(const IdemGuardCall *call, TupleTableSlot *row, bool begins)
{
	LimitCall	c;
	IdemIdentity saved;
	bool		counted;
	bool		found;
	bool		room = false;

	open_call(&c, call, row);
	idem_become_owner(c.parent, &saved);
	found = counted = change_total(&c, LIMIT_COUNT);
	if (!counted)
	{
		found = run_statement(&c, LIMIT_LOOK);
		room = found && has_room(&c);
		if (room)
			counted = change_total(&c, LIMIT_COUNT);
	}
	idem_restore_identity(&saved);

	if (!found)
		report_no_parent(&c);
	if (room && !counted)
		report_rewritten(&c);
	if (c.s->judged)
		judge_parent(&c, begins);
	if (!counted)
		report_exceeded(&c);
	close_call(&c);
}

/* The row has counted and no longer does: give back exactly its amount. */
static void
release_row(const IdemGuardCall *call, TupleTableSlot *row)
{
	LimitCall	c;
	IdemIdentity saved;
	bool		found;

	open_call(&c, call, row);
	idem_become_owner(c.parent, &saved);
	found = change_total(&c, LIMIT_RELEASE);
	idem_restore_identity(&saved);
	if (!found)
		report_no_parent(&c);
	close_call(&c);
}

/* Every child counts, unless its state says that it certainly failed. */
static bool
counts(LimitSettings *s, TupleTableSlot *row)
{
	bool		isnull;
	Datum		state;

	if (s->released.n == 0)
		return true;
	state = slot_getattr(row, s->released.column, &isnull);
	return !idem_states_contain(&s->released, state, isnull);
}

/* 23502 or 23514 unless the amount of a stored child is a positive number. */
static void
check_amount(const IdemGuardCall *call, LimitSettings *s)
{
	bool		isnull;
	Datum		amount = slot_getattr(call->after, s->amount_column, &isnull);
	const char *name = NameStr(TupleDescAttr(RelationGetDescr(call->rel),
											 s->amount_column - 1)->attname);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("\"%s\" of %s is null", name,
						get_rel_name(s->key.child)),
				 errhint("An amount under a limit is a positive number."),
				 errtablecol(call->rel, s->amount_column)));
	if (!idem_amount_is_finite(&s->amount, amount) ||
		idem_amount_compare(&s->amount, amount, s->amount.zero) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("\"%s\" of %s is %s, not a positive number", name,
						get_rel_name(s->key.child),
						idem_amount_text(&s->amount, amount)),
				 errtablecol(call->rel, s->amount_column),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

static bool
same_amount(const IdemGuardCall *call, LimitSettings *s)
{
	bool		null_before;
	bool		null_after;
	Datum		before;
	Datum		after;

	if (idem_same_image(call->rel, s->amount_column,
						call->before, call->after))
		return true;
	before = slot_getattr(call->before, s->amount_column, &null_before);
	after = slot_getattr(call->after, s->amount_column, &null_after);
	return !null_before && !null_after &&
		idem_amount_compare(&s->amount, before, after) == 0;
}

static bool
same_parent(const IdemGuardCall *call, LimitSettings *s, AttrNumber *changed)
{
	int			i;

	for (i = 0; i < s->key.n; i++)
	{
		*changed = s->fk[i];
		if (!idem_same_image(call->rel, s->fk[i], call->before, call->after))
			return false;
	}
	return true;
}

static bool
same_pairs(const IdemGuardCall *call, LimitSettings *s, AttrNumber *changed)
{
	int			i;

	for (i = 0; i < s->npairs; i++)
	{
		*changed = s->pairs[i].child;
		if (!idem_same_image(call->rel, s->pairs[i].child,
							 call->before, call->after))
			return false;
	}
	return true;
}

/* 23I07 if an update changes what a child was judged by. */
static void
check_kept(const IdemGuardCall *call, LimitSettings *s)
{
	AttrNumber	changed = s->amount_column;

	idem_refuse_key_change(call, s->row_key);
	if (same_amount(call, s) && same_parent(call, s, &changed) &&
		same_pairs(call, s, &changed))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_FIXED_COLUMN),
			 errmsg("column \"%s\" of table \"%s\" cannot be changed",
					NameStr(TupleDescAttr(RelationGetDescr(call->rel),
										  changed - 1)->attname),
					get_rel_name(s->key.child)),
			 errhint("What counts against a limit stays as it was recorded; release the row by its state and insert another."),
			 errtablecol(call->rel, changed),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* Counted and still counted: an edit gives back the old and takes the new. */
static void
recount_row(const IdemGuardCall *call, LimitSettings *s)
{
	AttrNumber	changed;
	bool		moved = !same_parent(call, s, &changed);

	if (!moved && same_amount(call, s) && same_pairs(call, s, &changed))
		return;
	release_row(call, call->before);
	count_row(call, call->after, moved);
}

static void
judge_update(const IdemGuardCall *call, LimitSettings *s)
{
	bool		was = counts(s, call->before);
	bool		is = counts(s, call->after);

	if (!s->editable)
		check_kept(call, s);
	check_amount(call, s);
	if (was && is)
	{
		if (s->editable)
			recount_row(call, s);
	}
	else if (was)
		release_row(call, call->before);
	else if (is)
		count_row(call, call->after, true);
}

static void
judge_delete(const IdemGuardCall *call, LimitSettings *s)
{
	if (!s->editable)
		idem_refuse_delete(call);
	if (counts(s, call->before))
		release_row(call, call->before);
}

/*
 * keep_limit() -> trigger
 *
 * AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW of a child.  In a logical
 * apply worker the row was judged at its origin and the parent's total
 * arrives by itself: nothing is counted.
 */
PG_FUNCTION_INFO_V1(idem_keep_limit);
Datum
idem_keep_limit(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	LimitSettings *s;

	if (idem_in_apply_worker())
		return PointerGetDatum(NULL);
	if (!idem_guard_call(fcinfo, "idem.keep_limit", &call))
		return PointerGetDatum(NULL);
	s = idem_guard_settings(&call, compile_limit);
	if (IDEM_CALL_IS_DELETE(&call))
		judge_delete(&call, s);
	else if (IDEM_CALL_IS_INSERT(&call))
	{
		check_amount(&call, s);
		if (counts(s, call.after))
			count_row(&call, call.after, true);
	}
	else
		judge_update(&call, s);
	return PointerGetDatum(NULL);
}
