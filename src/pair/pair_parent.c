/*
 * pair_parent.c
 *		A parent changes its state only to one that goes with its children.
 *
 * Its row is written by now, so every child that locked it to come into a
 * state is committed, and one that comes later waits.  The children are looked
 * at by the foreign key, whose columns lead an index, with the latest snapshot:
 *
 *		SELECT c.status, c.id FROM child c WHERE c.fk = key
 *			AND (c.status = 'sent' AND $2 OR ...) LIMIT 1
 *
 * as the owner of the child, row security off; $2 and so on say which rules
 * the new state does not go with.  Nothing is locked: a child that another
 * transaction is taking out of its state counts until that is committed.
 *
 * Another row can take the place of a parent, where one statement deletes it,
 * or changes its key, and inserts or changes the other one: the foreign key is
 * satisfied if some row has the key in the end.  So the children of a key that
 * a row gives up are judged by the row that has it now.  A row that only takes
 * a key takes one without children, or one that was given up so.
 *
 * With judge => 'entry' children are not looked at; a parent that closes waits
 * for those that come in (pair_entry.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/identity.h"
#include "pair/pair.h"

/* ------------------------------------------------------------------------
 * Its children
 * ------------------------------------------------------------------------
 */

/* c.key = $1 AND ..., with the operators of the foreign key */
static char *
key_sql(IdemPair *pair)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < pair->key.n; i++)
	{
		const char *column = get_attname(pair->key.child,
										 pair->key.child_column[i], false);

		appendStringInfoString(&sql, i > 0 ? " AND " : "");
		generate_operator_clause(&sql, psprintf("$%d", i + 1), pair->type[i],
								 pair->key.equal_child[i],
								 psprintf("c.%s", quote_identifier(column)),
								 get_atttype(pair->key.child,
											 pair->key.child_column[i]));
	}
	return sql.data;
}

static bool
is_fact(IdemPair *pair, const char *state)
{
	ListCell   *lc;

	foreach(lc, pair->fact_names)
	{
		if (strcmp(lfirst(lc), state) == 0)
			return true;
	}
	return false;
}

/* Which children a rule is for: those in its state, or in none of the others */
static char *
rule_sql(IdemPair *pair, IdemPairRule *rule)
{
	List	   *others = list_copy(pair->fact_names);
	int			i;

	if (rule->state != NULL && is_fact(pair, rule->state))
		return "false";
	if (rule->state != NULL)
		return idem_total_state_sql(pair->key.child, "c", pair->state_name,
									list_make1(rule->state));
	for (i = 0; i < pair->nrules - 1; i++)
		others = lappend(others, pair->rules[i].state);
	return psprintf("%s IS NOT TRUE",
					idem_total_state_sql(pair->key.child, "c", pair->state_name,
										 others));
}

/* c.a, c.b: the primary key of the child, for a message */
static void
append_row_key(StringInfo sql, Oid child)
{
	Relation	rel = table_open(child, NoLock);
	Bitmapset  *key = idem_row_key_columns(rel);
	int			i = -1;

	while ((i = bms_next_member(key, i)) >= 0)
		appendStringInfo(sql, ", c.%s",
						 quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(rel),
																i - 1)->attname)));
	table_close(rel, NoLock);
}

/* The statement of the head. */
static char *
children_text(IdemPair *pair, IdemPairPlan which)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s",
					 pair->state_name == NULL ? "NULL" :
					 psprintf("c.%s", quote_identifier(pair->state_name)));
	append_row_key(&sql, pair->key.child);
	appendStringInfo(&sql, " FROM %s c WHERE %s AND (",
					 idem_qualified_name_of(pair->key.child), key_sql(pair));
	for (i = 0; i < pair->nrules; i++)
		appendStringInfo(&sql, "%s%s AND $%d", i > 0 ? " OR " : "",
						 rule_sql(pair, &pair->rules[i]),
						 pair->key.n + i + 1);
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* " 7", or " (7, 4711)", of the row that was found; "" without a primary key */
static char *
found_key(void)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	bool		several = desc->natts > 2;
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	for (i = 2; i <= desc->natts; i++)
		appendStringInfo(&buf, "%s%s", i > 2 ? ", " : several ? " (" : " ",
						 SPI_getvalue(SPI_tuptable->vals[0], desc, i));
	if (several)
		appendStringInfoChar(&buf, ')');
	return buf.data;
}

/*
 * Is there a child of the key that one of the rules is for?  It is in
 * SPI_tuptable.
 */
static bool
find_child(IdemPair *pair, const NullableDatum *values, const bool *rules)
{
	Relation	child = table_open(pair->key.child, NoLock);
	int			n = pair->key.n + pair->nrules;
	Oid		   *types = palloc(sizeof(Oid) * n);
	Datum	   *args = palloc(sizeof(Datum) * n);
	int			i;

	for (i = 0; i < n; i++)
	{
		bool		is_key = i < pair->key.n;

		types[i] = is_key ? pair->type[i] : BOOLOID;
		args[i] = is_key ? values[i].value :
			BoolGetDatum(rules[i - pair->key.n]);
	}
	idem_pair_query(pair, IDEM_PAIR_CHILDREN, children_text, child, n, types,
					args, true);
	table_close(child, NoLock);
	return SPI_processed > 0;
}

/* Which rules does a state of the parent not go with?  False: none. */
static bool
broken_rules(IdemPair *pair, Datum state, bool isnull, bool *rules)
{
	bool		any = false;
	int			i;

	for (i = 0; i < pair->nrules; i++)
	{
		rules[i] = !idem_pair_agrees(&pair->rules[i], state, isnull);
		any |= rules[i];
	}
	return any;
}

/* ------------------------------------------------------------------------
 * Judging
 * ------------------------------------------------------------------------
 */

/* 23I0C if a child of the key does not go with the state of a parent's row. */
static void
judge_children(const IdemGuardCall *call, IdemPair *pair, TupleTableSlot *row,
			   const NullableDatum *values)
{
	bool	   *rules = palloc(sizeof(bool) * pair->nrules);
	bool		isnull;
	Datum		state = slot_getattr(row, pair->state, &isnull);

	if (!broken_rules(pair, state, isnull, rules))
		return;
	SPI_connect();
	if (find_child(pair, values, rules))
		idem_pair_report_parent(call, pair, row, found_key(),
								SPI_getvalue(SPI_tuptable->vals[0],
											 SPI_tuptable->tupdesc, 1));
	SPI_finish();
}

/* p.key = $1 AND ... of the parent */
static char *
own_key_sql(IdemPair *pair)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < pair->key.n; i++)
	{
		const char *column = get_attname(pair->key.parent,
										 pair->key.parent_column[i], false);

		appendStringInfoString(&sql, i > 0 ? " AND " : "");
		generate_operator_clause(&sql,
								 psprintf("p.%s", quote_identifier(column)),
								 pair->type[i], pair->key.equal_parent[i],
								 psprintf("$%d", i + 1), pair->type[i]);
	}
	return sql.data;
}

/*
 * The state of the row that has a key of the parents now; false: there is no
 * such row, which is for the foreign key to refuse.
 */
static bool
find_parent(IdemPair *pair, const NullableDatum *values, Datum *state,
			bool *isnull)
{
	Relation	parent = table_open(pair->key.parent, AccessShareLock);
	Datum		args[INDEX_MAX_KEYS];
	IdemIdentity saved;
	SPIPlanPtr	plan;
	int			i;

	for (i = 0; i < pair->key.n; i++)
		args[i] = values[i].value;
	idem_become_owner(parent, &saved);
	plan = SPI_prepare(psprintf("SELECT p.%s FROM %s p WHERE %s",
								quote_identifier(pair->parent_name),
								idem_qualified_name(parent),
								own_key_sql(pair)),
					   pair->key.n, pair->type);
	CommandCounterIncrement();
	if (plan == NULL ||
		SPI_execute_snapshot(plan, args, NULL, GetLatestSnapshot(),
							 InvalidSnapshot, false, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for a parent");
	idem_restore_identity(&saved);
	table_close(parent, NoLock);
	if (SPI_processed == 0)
		return false;
	*state = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						   isnull);
	return true;
}

/* The row has given up its key: judge its children by the one that has it. */
static void
judge_left(const IdemGuardCall *call, IdemPair *pair,
		   const NullableDatum *values)
{
	bool	   *rules = palloc(sizeof(bool) * pair->nrules);
	Datum		state;
	bool		isnull;
	int			i;

	for (i = 0; i < pair->nrules; i++)
		rules[i] = true;
	SPI_connect();
	if (find_child(pair, values, rules) &&
		find_parent(pair, values, &state, &isnull) &&
		broken_rules(pair, state, isnull, rules) &&
		find_child(pair, values, rules))
		idem_pair_report_parent(call, pair, NULL, found_key(),
								SPI_getvalue(SPI_tuptable->vals[0],
											 SPI_tuptable->tupdesc, 1));
	SPI_finish();
}

/* Did the state before let children in that the one after does not? */
static bool
closes(const IdemGuardCall *call, IdemPair *pair)
{
	bool		null_before;
	bool		null_after;
	Datum		before = slot_getattr(call->before, pair->state, &null_before);
	Datum		after = slot_getattr(call->after, pair->state, &null_after);
	int			i;

	for (i = 0; i < pair->nrules; i++)
	{
		if (idem_pair_agrees(&pair->rules[i], before, null_before) &&
			!idem_pair_agrees(&pair->rules[i], after, null_after))
			return true;
	}
	return false;
}

static void
judge_parent(const IdemGuardCall *call, IdemPair *pair)
{
	NullableDatum before[INDEX_MAX_KEYS];
	NullableDatum after[INDEX_MAX_KEYS];
	bool		stays = IDEM_CALL_IS_UPDATE(call) &&
		idem_pair_same_key(call, pair);
	bool		own = IDEM_CALL_IS_UPDATE(call) &&
		idem_pair_is_own(call, pair);
	bool		had_key = idem_pair_values(call, pair, call->before, before);

	if (pair->entry)
	{
		if (had_key && (!stays || own || closes(call, pair)))
			idem_pair_close(pair, before);
		return;
	}
	if (had_key && !stays)
		judge_left(call, pair, before);
	if (IDEM_CALL_IS_DELETE(call) ||
		!idem_pair_values(call, pair, call->after, after))
		return;
	if (own ||
		!idem_same_image(call->rel, pair->state, call->before, call->after))
		judge_children(call, pair, call->after, after);
}

/*
 * keep_pair_parent() -> trigger
 *
 * AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW of the parent.  A new one has
 * no children.
 */
PG_FUNCTION_INFO_V1(idem_keep_pair_parent);
Datum
idem_keep_pair_parent(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	IdemPair   *pair;

	if (idem_in_apply_worker())
		return PointerGetDatum(NULL);
	if (!idem_guard_call(fcinfo, "idem.keep_pair_parent", &call) ||
		IDEM_CALL_IS_INSERT(&call))
		return PointerGetDatum(NULL);
	pair = idem_pair_open_parent(&call);
	if (IDEM_CALL_IS_DELETE(&call) || idem_pair_is_last(&call, pair))
		judge_parent(&call, pair);
	return PointerGetDatum(NULL);
}
