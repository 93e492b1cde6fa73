/*
 * pair_parent.c
 *		A parent changes its state only to one that goes with its children.
 *
 * Its row is written by now, so every child that locked it to come into a
 * state is committed, and one that comes later waits.  The children are looked
 * at as they are now (pair_children.c).  Nothing is locked: a child that
 * another transaction is taking out of its state counts until that is
 * committed.
 *
 * Another row can take the place of a parent, where one statement deletes it,
 * or changes its key, and inserts or changes the other one: the foreign key is
 * satisfied if some row has the key in the end.  So the children of a key that
 * a row gives up are judged by the row that has it now, with deferred => true
 * also where a later version, or none, of the row that gave it up is left.  A
 * row that is given a key either takes one without children, or one that
 * another row gave up in this way.
 *
 * With judge => 'entry' children are not looked at; a parent that closes waits
 * for those that come in (pair_entry.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/arrive.h"
#include "base/guard.h"
#include "base/identity.h"
#include "base/qualified.h"
#include "base/row.h"
#include "pair/pair.h"

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

/* 23I0C if a child of the key does not go with the state of a parent's row. */
static void
judge_children(const IdemGuardCall *call, IdemPair *pair, TupleTableSlot *row,
			   const NullableDatum *values)
{
	bool	   *rules = palloc(sizeof(bool) * pair->nrules);
	IdemPairChild child;
	bool		isnull;
	Datum		state = slot_getattr(row, pair->state, &isnull);

	if (broken_rules(pair, state, isnull, rules) &&
		idem_pair_find_child(pair, values, rules, &child))
		idem_pair_report_parent(call, pair, row, &child);
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

/* The state of the one row that a query has found, in memory that stays */
static void
copy_state(IdemPair *pair, MemoryContext context, Datum *state, bool *isnull)
{
	Oid			type = SPI_gettypeid(SPI_tuptable->tupdesc, 1);
	MemoryContext old = MemoryContextSwitchTo(context);
	int16		len;
	bool		byval;

	get_typlenbyval(type, &len, &byval);
	*state = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						   isnull);
	if (!*isnull)
		*state = datumCopy(*state, byval, len);
	MemoryContextSwitchTo(old);
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
	MemoryContext context = CurrentMemoryContext;
	IdemIdentity saved;
	SPIPlanPtr	plan;
	bool		found;
	int			i;

	for (i = 0; i < pair->key.n; i++)
		args[i] = values[i].value;
	SPI_connect();
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
	found = SPI_processed > 0;
	if (found)
		copy_state(pair, context, state, isnull);
	SPI_finish();
	return found;
}

/* The row has given up its key: judge its children by the one that has it. */
static void
judge_left(const IdemGuardCall *call, IdemPair *pair,
		   const NullableDatum *values)
{
	bool	   *rules = palloc(sizeof(bool) * pair->nrules);
	IdemPairChild child;
	Datum		state;
	bool		isnull;
	int			i;

	for (i = 0; i < pair->nrules; i++)
		rules[i] = true;
	if (idem_pair_find_child(pair, values, rules, &child) &&
		find_parent(pair, values, &state, &isnull) &&
		broken_rules(pair, state, isnull, rules) &&
		idem_pair_find_child(pair, values, rules, &child))
		idem_pair_report_parent(call, pair, NULL, &child);
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
	if (IDEM_CALL_IS_DELETE(call) || !idem_pair_is_last(call, pair) ||
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
	if (IDEM_CALL_IS_DELETE(&call) || !idem_pair_same_key(&call, pair) ||
		idem_pair_is_last(&call, pair))
		judge_parent(&call, pair);
	return PointerGetDatum(NULL);
}
