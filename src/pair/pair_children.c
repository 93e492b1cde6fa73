/*
 * pair_children.c
 *		The children of a parent that do not go with a state of it.
 *
 * They are found by the foreign key, whose columns lead an index, with the
 * latest snapshot, which shows what is committed now and our own work.  Nothing
 * is locked.
 *
 * Of an ordinary table with a btree they are read below the executor, of any
 * other one by a statement with a kept plan:
 *
 *		SELECT c.status, c.id FROM child c WHERE c.fk = key
 *			AND (c.status = 'sent' AND $2 OR ...) LIMIT 1
 *
 * as the owner of the child, row security off; $2 and so on say which rules
 * are asked for.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/idem_compat.h"
#include "base/qualified.h"
#include "base/row.h"
#include "pair/pair.h"
#include "total/total_source.h"

/* ------------------------------------------------------------------------
 * By the index
 * ------------------------------------------------------------------------
 */

/*
 * The search for one column of the index; false: it does not know the values
 * of the parent, or in another order of texts.
 */
static bool
compile_scankey(Relation index, int column, IdemPair *pair)
{
	AttrNumber	heap = index->rd_index->indkey.values[column];
	int			i = 0;
	Oid			parent;
	Oid			child;
	Oid			operator;
	Oid			type;
	int32		typmod;
	Oid			collation;

	while (pair->key.child_column[i] != heap)
		i++;
	Assert(i < pair->key.n);
	op_input_types(pair->key.equal_child[i], &parent, &child);
	get_atttypetypmodcoll(pair->key.child, heap, &type, &typmod, &collation);
	operator = get_opfamily_member(index->rd_opfamily[column], child, parent,
								   BTEqualStrategyNumber);
	if (!OidIsValid(operator) ||
		index->rd_indcollation[column] != collation)
		return false;
	pair->child_source[column] = i;
	ScanKeyEntryInitialize(&pair->child_key[column], 0, column + 1,
						   BTEqualStrategyNumber, parent,
						   index->rd_indcollation[column],
						   get_opcode(operator), (Datum) 0);
	return true;
}

/* How children are found below the executor, if they can be. */
void
idem_pair_compile_children(IdemPair *pair, Relation child)
{
	Oid			found = idem_pair_index(&pair->key, NULL);
	Relation	index;
	bool		plain;
	int			i;

	pair->child_index = InvalidOid;
	if (!OidIsValid(found) || child->rd_rel->relkind != RELKIND_RELATION ||
		child->rd_rel->relhassubclass)
		return;
	index = index_open(found, AccessShareLock);
	plain = index->rd_rel->relam == BTREE_AM_OID &&
		!index->rd_index->indcheckxmin;
	for (i = 0; plain && i < pair->key.n; i++)
		plain = compile_scankey(index, i, pair);
	index_close(index, NoLock);
	if (plain)
		pair->child_index = found;
}

/* Is the row in the slot a child that one of the marked rules is for? */
static bool
is_marked(IdemPair *pair, TupleTableSlot *slot, const bool *rules)
{
	IdemPairRule *rule;
	bool		isnull = true;
	Datum		state = (Datum) 0;

	if (pair->child_state != 0)
		state = slot_getattr(slot, pair->child_state, &isnull);
	rule = idem_pair_rule_of(pair, state, isnull);
	return rule != NULL && rules[rule - pair->rules];
}

/* Key and state of the child in the slot, for a message */
static void
describe(IdemPair *pair, Relation child, TupleTableSlot *slot,
		 IdemPairChild *found)
{
	char	   *key = idem_row_key(child, slot);

	found->key = *key ? psprintf(" %s", key) : key;
	found->state = pair->child_state == 0 ? NULL :
		idem_column_text(child, pair->child_state, slot);
}

static bool
find_directly(IdemPair *pair, Relation child, const NullableDatum *values,
			  const bool *rules, IdemPairChild *found)
{
	TupleTableSlot *slot = table_slot_create(child, NULL);
	ScanKeyData keys[INDEX_MAX_KEYS];
	bool		is_found = false;
	Snapshot	snapshot;
	Relation	index;
	IndexScanDesc scan;
	int			i;

	for (i = 0; i < pair->key.n; i++)
	{
		keys[i] = pair->child_key[i];
		keys[i].sk_argument = values[pair->child_source[i]].value;
	}
	CommandCounterIncrement();	/* see all of our own work */
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	index = index_open(pair->child_index, AccessShareLock);
	scan = index_beginscan(child, index, snapshot, NULL, pair->key.n, 0,
						   SO_NONE);
	index_rescan(scan, keys, pair->key.n, NULL, 0);
	while (!is_found && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		is_found = is_marked(pair, slot, rules);
	}
	if (is_found)
		describe(pair, child, slot, found);
	index_endscan(scan);
	index_close(index, NoLock);
	UnregisterSnapshot(snapshot);
	ExecDropSingleTupleTableSlot(slot);
	return is_found;
}

/* ------------------------------------------------------------------------
 * By a statement
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
	List	   *texts = NIL;
	int			i;

	for (i = 2; i <= desc->natts; i++)
		texts = lappend(texts, SPI_getvalue(SPI_tuptable->vals[0], desc, i));
	return texts == NIL ? "" : psprintf(" %s", idem_key_text(texts));
}

static bool
find_by_statement(IdemPair *pair, Relation child, const NullableDatum *values,
				  const bool *rules, IdemPairChild *found)
{
	MemoryContext context = CurrentMemoryContext;
	int			n = pair->key.n + pair->nrules;
	Oid		   *types = palloc(sizeof(Oid) * n);
	Datum	   *args = palloc(sizeof(Datum) * n);
	bool		is_found;
	int			i;

	for (i = 0; i < n; i++)
	{
		bool		is_key = i < pair->key.n;

		types[i] = is_key ? pair->type[i] : BOOLOID;
		args[i] = is_key ? values[i].value :
			BoolGetDatum(rules[i - pair->key.n]);
	}
	SPI_connect();
	idem_pair_query(pair, IDEM_PAIR_CHILDREN, children_text, child, n, types,
					args, true);
	is_found = SPI_processed > 0;
	if (is_found)
	{
		char	   *state = SPI_getvalue(SPI_tuptable->vals[0],
										 SPI_tuptable->tupdesc, 1);

		found->key = MemoryContextStrdup(context, found_key());
		found->state = state == NULL ? NULL :
			MemoryContextStrdup(context, state);
	}
	SPI_finish();
	return is_found;
}

/*
 * Is there a child of a key, values of the parent's columns, that one of the
 * rules is for which are marked?  Its key and state, as text, in *found.  The
 * child's table is locked (idem_pair_open_parent).
 */
bool
idem_pair_find_child(IdemPair *pair, const NullableDatum *values,
					 const bool *rules, IdemPairChild *found)
{
	Relation	child = table_open(pair->key.child, NoLock);
	bool		is_found = OidIsValid(pair->child_index) ?
		find_directly(pair, child, values, rules, found) :
		find_by_statement(pair, child, values, rules, found);

	table_close(child, NoLock);
	return is_found;
}
