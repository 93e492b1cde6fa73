/*
 * limit_statement.c
 *		Changing a parent's totals through the executor.
 *
 * One conditional UPDATE of the parent row, with kept plans:
 *
 *		UPDATE parent SET used = used + amount
 *			WHERE key = fk AND amount <= cap - used
 *			RETURNING cap, used, <state>, <compared columns>	-- if any
 *
 * Under READ COMMITTED a second writer waits and judges the version the first
 * left; under REPEATABLE READ and SERIALIZABLE the UPDATE sees the latest
 * version, and one that the transaction's own snapshot cannot see is 40001
 * (the crosscheck of ri_PerformCheck).  If no row fits, the row is looked at
 * under FOR NO KEY UPDATE, and room that appeared meanwhile is tried once
 * more, now under that lock.
 *
 * This way fires whatever the parent has: triggers of its user, generated
 * columns, partitions.  limit_direct.c is the short way for parents that have
 * nothing of the kind; both keep the same promise.  Runs as the owner of the
 * parent, row security off.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/identity.h"
#include "limit/limit.h"

/* p.column, quoted where needed */
static const char *
column(IdemLimitSettings *s, int place)
{
	return psprintf("p.%s", quote_identifier(s->column[place]));
}

/* p.key = $2 AND ... with the operators of the foreign key */
static void
append_key(StringInfo sql, IdemLimitSettings *s)
{
	int			i;

	for (i = 0; i < s->key.n; i++)
	{
		char	   *name = get_attname(s->key.parent, s->key.parent_column[i],
									   false);

		if (i > 0)
			appendStringInfoString(sql, " AND ");
		generate_operator_clause(sql, psprintf("p.%s", quote_identifier(name)),
								 get_atttype(s->key.parent,
											 s->key.parent_column[i]),
								 s->key.equal_child[i],
								 psprintf("$%d", i + 2), s->fk_type[i]);
	}
}

/* What has to be judged, in the order of IdemParentColumn. */
static void
append_results(StringInfo sql, IdemLimitSettings *s)
{
	int			i;

	for (i = 0; i < s->ncolumns; i++)
		appendStringInfo(sql, "%s%s", i > 0 ? ", " : "",
						 s->column[i] ? column(s, i) : "NULL");
}

/* What a statement returns if no rule has rewritten it. */
static int
expected_result(IdemLimitSettings *s, IdemLimitStatement which)
{
	if (which == IDEM_STATEMENT_LOOK)
		return SPI_OK_SELECT;
	return which != IDEM_STATEMENT_RELEASE && s->judged ?
		SPI_OK_UPDATE_RETURNING : SPI_OK_UPDATE;
}

/* (left <sign> right) in the type of the amounts */
static char *
apply(const char *left, const char *sign, const char *right)
{
	return psprintf("(%s OPERATOR(pg_catalog.%s) %s)", left, sign, right);
}

/*
 * Step by step as idem_totals_step does it, so that nothing on the way is
 * greater than the totals in the end: with
 *
 *		filled = LEAST(cap - used, excess)	-- room that the excess takes first
 *
 *		take:	part = LEAST($1, cap - used - filled)
 *				used = used + filled + part
 *				excess = excess - filled + ($1 - part)
 *		give:	part = LEAST($1, excess - filled)
 *				used = used + filled - ($1 - part)
 *				excess = excess - filled - part
 */
static void
append_used_and_excess(StringInfo sql, IdemLimitSettings *s, bool give)
{
	const char *used = column(s, IDEM_PARENT_USED);
	const char *excess = column(s, IDEM_PARENT_EXCESS);
	char	   *room = apply(column(s, IDEM_PARENT_CAP), "-", used);
	char	   *filled = psprintf("LEAST(%s, %s)", room, excess);
	char	   *left = apply(excess, "-", filled);
	char	   *part = psprintf("LEAST($1, %s)",
								give ? left : apply(room, "-", filled));
	char	   *rest = apply("$1", "-", part);
	const char *sign = give ? "-" : "+";

	appendStringInfo(sql, "%s, %s = %s",
					 apply(apply(used, "+", filled), sign, give ? rest : part),
					 quote_identifier(s->column[IDEM_PARENT_EXCESS]),
					 apply(left, sign, give ? part : rest));
}

/*
 * Without an excess:	SET used = p.used + $1
 * With one:			SET used = ..., excess = ...	-- see above
 * With a count:		..., count = p.count + 1
 * To give back:		- for +
 *
 * It is what idem_totals_step does; the counterpart compares.
 */
static void
append_assignments(StringInfo sql, IdemLimitSettings *s,
				   IdemLimitStatement which)
{
	bool		give = which == IDEM_STATEMENT_RELEASE;
	const char *sign = give ? "-" : "+";

	appendStringInfo(sql, "%s = ",
					 quote_identifier(s->column[IDEM_PARENT_USED]));
	if (s->column[IDEM_PARENT_EXCESS] != NULL)
		append_used_and_excess(sql, s, give);
	else
		appendStringInfoString(sql, apply(column(s, IDEM_PARENT_USED), sign,
										  "$1"));
	if (s->column[IDEM_PARENT_COUNT] != NULL)
		appendStringInfo(sql, ", %s = %s OPERATOR(pg_catalog.%s) 1",
						 quote_identifier(s->column[IDEM_PARENT_COUNT]),
						 column(s, IDEM_PARENT_COUNT), sign);
}

/*
 *		AND $1 <= p.cap - p.used - p.excess AND p.count < 50
 *
 * cap - used cannot overflow: the CHECK has 0 <= used <= cap.
 */
static void
append_condition(StringInfo sql, IdemLimitSettings *s)
{
	appendStringInfo(sql, " AND $1 OPERATOR(pg_catalog.<=) ((%s OPERATOR(pg_catalog.-) %s)",
					 column(s, IDEM_PARENT_CAP), column(s, IDEM_PARENT_USED));
	if (s->column[IDEM_PARENT_EXCESS] != NULL)
		appendStringInfo(sql, " OPERATOR(pg_catalog.-) %s",
						 column(s, IDEM_PARENT_EXCESS));
	appendStringInfoChar(sql, ')');
	if (s->column[IDEM_PARENT_COUNT] != NULL && s->count_cap > 0)
		appendStringInfo(sql, " AND %s OPERATOR(pg_catalog.<) " INT64_FORMAT,
						 column(s, IDEM_PARENT_COUNT), s->count_cap);
}

/*
 * UPDATE schema.parent p SET <assignments> WHERE p.key = $2
 *		<condition>				-- of a request only
 *		RETURNING <results>		-- if there is something to judge
 *
 * SELECT <results> FROM schema.parent p WHERE p.key = $2 FOR NO KEY UPDATE
 */
static char *
statement_text(IdemLimitSettings *s, Relation parent, IdemLimitStatement which)
{
	StringInfoData sql;
	const char *table = idem_qualified_name(parent);

	initStringInfo(&sql);
	if (which == IDEM_STATEMENT_LOOK)
	{
		appendStringInfoString(&sql, "SELECT ");
		append_results(&sql, s);
		appendStringInfo(&sql, " FROM %s p WHERE ", table);
		append_key(&sql, s);
		appendStringInfoString(&sql, " FOR NO KEY UPDATE");
		return sql.data;
	}
	appendStringInfo(&sql, "UPDATE %s p SET ", table);
	append_assignments(&sql, s, which);
	appendStringInfoString(&sql, " WHERE ");
	append_key(&sql, s);
	if (which == IDEM_STATEMENT_REQUEST)
		append_condition(&sql, s);
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
plan_of(IdemLimitSettings *s, Relation parent, IdemLimitStatement which)
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

void
idem_statement_free(IdemLimitSettings *s)
{
	int			i;

	for (i = 0; i < IDEM_LIMIT_STATEMENTS; i++)
	{
		if (s->plans[i] != NULL)
			SPI_freeplan(s->plans[i]);
		s->plans[i] = NULL;
	}
}

/*
 * Run a statement on the parent; did it find the row?  The result stays in
 * SPI_tuptable.
 */
static bool
run_statement(IdemLimitCall *c, IdemLimitStatement which)
{
	SPIPlanPtr	plan = plan_of(c->s, c->parent, which);
	Datum		values[INDEX_MAX_KEYS + 1];
	Snapshot	snapshot = InvalidSnapshot;
	Snapshot	crosscheck = InvalidSnapshot;
	int			code;

	if (IsolationUsesXactSnapshot())
	{
		CommandCounterIncrement();	/* see all of our own work */
		snapshot = GetLatestSnapshot();
		if (which != IDEM_STATEMENT_LOOK)
			crosscheck = GetTransactionSnapshot();
	}
	values[0] = c->amount;
	memcpy(values + 1, c->key, sizeof(Datum) * c->s->key.n);
	code = SPI_execute_snapshot(plan, values, NULL, snapshot, crosscheck,
								false, true, 0);
	if (code < 0)
		elog(ERROR, "SPI_execute_snapshot returned %s",
			 SPI_result_code_string(code));
	if (code != expected_result(c->s, which))
		idem_report_not_kept(c);
	return SPI_processed > 0;
}

/* Announce a change of the totals, make it, withdraw; was the row found? */
static bool
change_totals(IdemLimitCall *c)
{
	IdemLimitSettings *s = c->s;
	IdemLimitChange change;
	volatile bool found = false;

	change.parent = s->key.parent;
	change.child = s->key.child;
	change.fk = s->fk_text;
	change.used = s->column[IDEM_PARENT_USED];
	change.nkeys = s->key.n;
	change.key = c->key;
	change.key_type = s->key_type;
	change.equal = s->fk_equal;
	change.step = c->step;
	change.amount = c->amount;

	idem_limit_announce(&change);
	s->busy++;
	PG_TRY();
	{
		found = run_statement(c, (IdemLimitStatement) c->step);
	}
	PG_FINALLY();
	{
		s->busy--;
		idem_limit_withdraw(&change);
	}
	PG_END_TRY();
	if (found && !change.accepted)
		idem_report_not_kept(c);
	return found;
}

/*
 * A request that found no row with room: is there one at all, and what does
 * it say under lock?
 */
static IdemLimitResult
look_again(IdemLimitCall *c)
{
	IdemTotals	next;

	if (!run_statement(c, IDEM_STATEMENT_LOOK))
		return IDEM_LIMIT_NO_ROW;
	if (!idem_limit_next(c, &next))
		return IDEM_LIMIT_NO_ROOM;
	if (!change_totals(c))
		idem_report_not_kept(c);
	return IDEM_LIMIT_DONE;
}

/*
 * Change the totals of the parent.  The row that was judged stays in
 * SPI_tuptable; the caller is connected to SPI.
 */
IdemLimitResult
idem_statement_change(IdemLimitCall *c)
{
	MemoryContext context = CurrentMemoryContext;
	volatile IdemLimitResult result = IDEM_LIMIT_DONE;
	bool		may_read = idem_may_read(c->parent);
	IdemIdentity saved;

	c->seen = NULL;
	idem_become_owner(c->parent, &saved);
	PG_TRY();
	{
		if (!change_totals(c))
			result = c->step == IDEM_LIMIT_REQUEST ? look_again(c) :
				IDEM_LIMIT_NO_ROW;
	}
	PG_CATCH();
	{
		idem_rethrow(context, may_read);
	}
	PG_END_TRY();
	idem_restore_identity(&saved);
	return result;
}
