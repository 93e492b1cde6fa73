/*
 * total_direct.c
 *		Changing a parent's totals below the executor.
 *
 * A counted child changes two or three columns of one row that its foreign
 * key names.  Starting the executor for that costs several times the change
 * itself, so a plain parent is changed with the executor's own building
 * blocks: find the row by the unique index of the foreign key, judge it,
 * table_tuple_update, index entries where the new version needs them.
 *
 * What decides a race is the same as in total_statement.c.  The row is looked
 * for with the latest snapshot.  If somebody else has changed it meanwhile,
 * READ COMMITTED locks the last version, compares the key again and judges
 * once more; REPEATABLE READ and SERIALIZABLE get 40001, also for a version
 * that is committed and that their own snapshot cannot see (crosscheck).  A
 * request is refused for want of room only on a version that is locked.
 *
 * What the executor would do for the user's own things must not be lost, so
 * a parent is plain only if nothing else would happen in such an UPDATE:
 *
 *	 - an ordinary table: no partitions, rules or children that inherit
 *	 - no trigger that would fire, but ours and those of foreign keys, which a
 *	   change of other columns does not concern
 *	 - no generated column, no domain, no length with other decimals
 *	 - CHECKs that name a changed column call the server's own immutable
 *	   functions, and are evaluated here; the result of the others cannot change
 *	 - no unique constraint is deferrable, no key contains a changed column
 *
 * and a row, if it satisfies its CHECKs and NOT NULLs and is not one that
 * this transaction has just inserted with foreign keys of its own, whose
 * check would pass over the version it was queued for.  Everything else is
 * left to total_statement.c.
 *
 * Logical decoding, HOT, TOAST and predicate locks are handled by
 * table_tuple_update.  The counterpart on the parent is not fired: only the
 * columns that it guards change, by the step that it would compare.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/idem_compat.h"
#include "base/identity.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/right.h"
#include "base/settings_known.h"
#include "total/total.h"
#include "total/total_keep.h"
#include "total/total_lock.h"

/* the amounts, and the count */
#define TOTALS_MAX (IDEM_TOTAL_VALUES + 1)

/* How to change a plain parent. */
struct IdemDirect
{
	IdemTotalSearch search;
	int			nchanged;
	int			changed[TOTALS_MAX];	/* IdemTotalColumn */
	int32		typmod[TOTALS_MAX]; /* to coerce the value to, or -1 */
	Oid			count_type;
	bool		has_foreign_keys;	/* the parent is itself a child */
	bool		index_code;		/* an index has expressions or a predicate */
	int			nchecks;
	ExprState **checks;			/* CHECKs that name a changed column */
	ExprContext *econtext;
};

/* One change under way. */
typedef struct DirectChange
{
	IdemTotalChange *c;
	IdemDirect *direct;
	Relation	rel;
	Snapshot	snapshot;
	CommandId	command;
	TupleTableSlot *next;		/* the new version */
	bool		locked;			/* the old one is the last, and ours */
} DirectChange;

/* ------------------------------------------------------------------------
 * Is the parent a plain one?
 * ------------------------------------------------------------------------
 */

/* Is the column one of those that the guard changes? */
static bool
is_changed(IdemDirect *d, IdemTotal *s, AttrNumber column)
{
	int			i;

	for (i = 0; i < d->nchanged; i++)
	{
		if (s->number[d->changed[i]] == column)
			return true;
	}
	return false;
}

/* The columns that change, as the catalog offsets them. */
static Bitmapset *
changed_columns(IdemDirect *d, IdemTotal *s)
{
	Bitmapset  *columns = NULL;
	int			i;

	for (i = 0; i < d->nchanged; i++)
		columns = bms_add_member(columns, s->number[d->changed[i]] -
								 FirstLowInvalidHeapAttributeNumber);
	return columns;
}

/*
 * Is a sum of such amounts stored as it is, unless it has too many digits?
 * That is the case where the column has no length, or as many decimals.
 */
static bool
same_scale(int32 column, int32 amount)
{
	if (column == -1)
		return true;
	return amount != -1 && ((column - VARHDRSZ) & 0x7ff) ==
		((amount - VARHDRSZ) & 0x7ff);
}

/*
 * Which columns change, and may a computed value be stored in them as it is?
 * Not if the type is a domain, or has a length that rounds.
 */
static bool
add_changed(Relation parent, IdemTotal *s, IdemDirect *d)
{
	TupleDesc	desc = RelationGetDescr(parent);
	int			place;

	for (place = 0; place <= IDEM_TOTAL_COUNT; place++)
	{
		Form_pg_attribute att;

		if (!IDEM_TOTAL_IS_KEPT(place) || s->number[place] == 0)
			continue;
		att = TupleDescAttr(desc, s->number[place] - 1);
		d->typmod[d->nchanged] = -1;
		d->changed[d->nchanged++] = place;
		if (place == IDEM_TOTAL_COUNT)
		{
			d->count_type = att->atttypid;
			if (!idem_count_type_supported(att->atttypid))
				return false;
		}
		else if (att->atttypid != s->amount.type ||
				 !same_scale(att->atttypmod, s->amount_typmod))
			return false;
		else
			d->typmod[d->nchanged - 1] = att->atttypmod;
	}
	return true;
}

static bool
is_ordinary_table(Relation parent)
{
	TupleConstr *constr = RelationGetDescr(parent)->constr;

	return parent->rd_rel->relkind == RELKIND_RELATION &&
		!parent->rd_rel->relispartition &&
		!parent->rd_rel->relhassubclass &&
		!parent->rd_rel->relhasrules &&
		(constr == NULL || !idem_has_generated(constr));
}

/*
 * Does the guard name a column that changes?  own: the columns that it keeps
 * itself are not meant.
 */
static bool
names_changed_column(Relation parent, const IdemGuard *guard, bool own,
					 IdemDirect *d, IdemTotal *s)
{
	const IdemSetting *setting;
	ListCell   *lc;

	for (setting = guard->kind->settings; setting->name != NULL; setting++)
	{
		if (own && (setting->flags & IDEM_SETTING_KEPT))
			continue;
		foreach(lc, idem_setting_columns(guard->settings, setting))
		{
			if (is_changed(d, s, get_attnum(RelationGetRelid(parent),
											lfirst(lc))))
				return true;
		}
	}
	return false;
}

/*
 * Would this trigger of ours have nothing to say?  Guards judge the columns
 * that they name.  The counterparts of this total compare the step of what
 * they keep, which is right here.
 */
static bool
our_trigger_sleeps(Relation parent, Trigger *trigger, IdemDirect *d,
				   IdemTotal *s)
{
	IdemGuard  *guard = idem_guard_of_trigger(RelationGetRelid(parent),
											  trigger);
	bool		own;

	if (guard->kind == NULL)	/* no row of the parent is noted by this */
		return strcmp(get_func_name(trigger->tgfoid),
					  IDEM_TOTAL_STATEMENT_FUNCTION) == 0;
	if (guard->kind->keeps_all ||
		idem_settings_problem(guard->settings, guard->kind->settings) != NULL)
		return false;
	own = idem_total_keeps(guard, s->column[IDEM_TOTAL_KEPT]);
	if (own && !OidIsValid(trigger->tgconstrrelid))
		return false;			/* it would refuse every change */
	return !names_changed_column(parent, guard, own, d, s);
}

/* Would an UPDATE of these columns alone not fire this trigger? */
static bool
trigger_sleeps(Relation parent, Trigger *trigger, IdemDirect *d,
			   IdemTotal *s)
{
	bool		named = trigger->tgnattr == 0;
	int			i;

	if (!TRIGGER_FOR_UPDATE(trigger->tgtype) ||
		trigger->tgenabled == TRIGGER_DISABLED ||
		RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_NONE)
		return true;
	for (i = 0; i < trigger->tgnattr; i++)
		named |= is_changed(d, s, trigger->tgattr[i]);
	if (!named)
		return true;
	return get_func_namespace(trigger->tgfoid) == get_namespace_oid("idem", true) &&
		our_trigger_sleeps(parent, trigger, d, s);
}

static bool
triggers_sleep(Relation parent, IdemDirect *d, IdemTotal *s)
{
	TriggerDesc *triggers = CopyTriggerDesc(parent->trigdesc);
	int			i;

	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		if (!trigger_sleeps(parent, &triggers->triggers[i], d, s))
			return false;
	}
	return true;
}

/* Foreign keys of the parent itself do not contain what changes. */
static bool
foreign_keys_sleep(Relation parent, IdemDirect *d, IdemTotal *s)
{
	ListCell   *lc;

	foreach(lc, RelationGetFKeyList(parent))
	{
		ForeignKeyCacheInfo *fk = lfirst(lc);
		int			i;

		d->has_foreign_keys = true;
		for (i = 0; i < fk->nkeys; i++)
		{
			if (is_changed(d, s, fk->conkey[i]))
				return false;
		}
	}
	return true;
}

/* No constraint of an index waits for the end of the transaction. */
static bool
indexes_are_plain(Relation parent, IdemDirect *d)
{
	List	   *indexes = RelationGetIndexList(parent);
	bool		plain = true;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID,
											ObjectIdGetDatum(lfirst_oid(lc)));

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(lc));
		plain &= ((Form_pg_index) GETSTRUCT(tuple))->indimmediate;
		d->index_code |= !heap_attisnull(tuple, Anum_pg_index_indexprs, NULL) ||
			!heap_attisnull(tuple, Anum_pg_index_indpred, NULL);
		ReleaseSysCache(tuple);
	}
	list_free(indexes);
	return plain;
}

/* check_function_callback: a function that is not the server's or ours */
static bool
is_foreign_function(Oid function, void *context)
{
	return get_func_namespace(function) != PG_CATALOG_NAMESPACE;
}

static bool
calls_foreign_functions(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (check_functions_in_node(node, is_foreign_function, context))
		return true;
	return expression_tree_walker(node, calls_foreign_functions, context);
}

/* Does the expression look at what changes? */
static bool
names_changed(Node *expression, IdemDirect *d, IdemTotal *s)
{
	Bitmapset  *named = NULL;

	pull_varattnos(expression, 1, &named);
	return bms_overlap(named, changed_columns(d, s)) ||
		bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber,
					  named);
}

/* Prepare the CHECKs that have to be looked at; false: they need more. */
static bool
compile_checks(Relation parent, IdemDirect *d, IdemTotal *s)
{
	TupleConstr *constr = RelationGetDescr(parent)->constr;
	int			n = constr ? constr->num_check : 0;
	int			i;

	d->checks = palloc0(sizeof(ExprState *) * Max(n, 1));
	for (i = 0; i < n; i++)
	{
		Node	   *expression;

		if (!idem_check_enforced(&constr->check[i]))
			continue;
		expression = stringToNode(constr->check[i].ccbin);
		if (contain_mutable_functions(expression))
			return false;
		if (constr->check[i].ccvalid && !names_changed(expression, d, s))
			continue;
		if (calls_foreign_functions(expression, NULL))
			return false;
		d->checks[d->nchecks++] =
			ExecInitExpr(expression_planner((Expr *) expression), NULL);
	}
	d->econtext = CreateStandaloneExprContext();
	return true;
}

/* The way to change this parent, or NULL if it is not a plain one. */
IdemDirect *
idem_direct_compile(Relation parent, IdemTotal *s)
{
	IdemDirect *d = palloc0(sizeof(IdemDirect));
	Bitmapset  *key = RelationGetIndexAttrBitmap(parent,
												 INDEX_ATTR_BITMAP_KEY);
	IdemIdentity saved;
	bool		plain;

	idem_become_owner(parent, &saved);
	plain = is_ordinary_table(parent) &&
		add_changed(parent, s, d) &&
		!bms_overlap(key, changed_columns(d, s)) &&
		triggers_sleep(parent, d, s) &&
		foreign_keys_sleep(parent, d, s) &&
		indexes_are_plain(parent, d) &&
		idem_total_search_init(&s->key, &d->search) &&
		compile_checks(parent, d, s);
	idem_restore_identity(&saved);
	return plain ? d : NULL;
}

/* ------------------------------------------------------------------------
 * The row
 * ------------------------------------------------------------------------
 */

/* Has the row in c->seen, another version than was found, the key still? */
static bool
has_key(DirectChange *x)
{
	IdemTotalChange *c = x->c;
	IdemTotalSearch *search = &x->direct->search;
	int			i;

	for (i = 0; i < c->total->key.n; i++)
	{
		ScanKey		key = &search->scankey[i];
		Datum		wanted = c->notes[0]->values[search->source[i]].value;
		bool		isnull;
		Datum		value = slot_getattr(c->seen, search->heap[i], &isnull);

		if (isnull ||
			!DatumGetBool(FunctionCall2Coll(&key->sk_func, key->sk_collation,
											value, wanted)))
			return false;
	}
	return true;
}

/*
 * Lock the last version of the row in c->seen, which takes its place there;
 * false if there is none any more.
 */
static bool
lock_row(DirectChange *x)
{
	bool		is_newer;

	x->locked = idem_total_lock(x->rel, x->snapshot, x->command,
								LockTupleNoKeyExclusive, x->c->seen, &is_newer);
	return x->locked && (!is_newer || has_key(x));
}

/* Build the next version from the one in c->seen. */
static void
fill_next(DirectChange *x, const IdemTotals *totals)
{
	TupleTableSlot *seen = x->c->seen;
	TupleTableSlot *next = x->next;
	int			natts = next->tts_tupleDescriptor->natts;
	int			i;

	ExecClearTuple(next);
	slot_getallattrs(seen);
	memcpy(next->tts_values, seen->tts_values, natts * sizeof(Datum));
	memcpy(next->tts_isnull, seen->tts_isnull, natts * sizeof(bool));
	for (i = 0; i < x->direct->nchanged; i++)
	{
		int			place = x->direct->changed[i];
		int			column = x->c->total->number[place] - 1;

		next->tts_isnull[column] = false;
		next->tts_values[column] = place == IDEM_TOTAL_COUNT ?
			idem_count_datum(x->direct->count_type, totals->count) :
			totals->value[place - IDEM_TOTAL_KEPT];
		if (x->direct->typmod[i] != -1)
			next->tts_values[column] =
				DirectFunctionCall2(numeric, next->tts_values[column],
									Int32GetDatum(x->direct->typmod[i]));
	}
	ExecStoreVirtualTuple(next);
	next->tts_tableOid = RelationGetRelid(x->rel);
}

static bool
not_nulls_hold(DirectChange *x)
{
	TupleDesc	desc = x->next->tts_tupleDescriptor;
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		if (x->next->tts_isnull[i] && TupleDescAttr(desc, i)->attnotnull)
			return false;
	}
	return true;
}

static bool
checks_hold(DirectChange *x)
{
	IdemDirect *d = x->direct;
	bool		hold = true;
	int			i;

	d->econtext->ecxt_scantuple = x->next;
	for (i = 0; hold && i < d->nchecks; i++)
		hold = ExecCheck(d->checks[i], d->econtext);
	d->econtext->ecxt_scantuple = NULL;
	ResetExprContext(d->econtext);
	return hold;
}

/*
 * Is the row one of a plain parent?  A foreign key of a row that this
 * transaction wrote may still wait for its check, which looks only at the
 * last version.
 */
static bool
row_is_plain(DirectChange *x)
{
	bool		isnull;
	Datum		xmin;

	if (!not_nulls_hold(x) || !checks_hold(x))
		return false;
	if (!x->direct->has_foreign_keys)
		return true;
	xmin = slot_getsysattr(x->c->seen, MinTransactionIdAttributeNumber,
						   &isnull);
	return !TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
}

/* Add the new version to the indexes. */
static void
insert_index_entries(DirectChange *x, TU_UpdateIndexes which)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *info = makeNode(ResultRelInfo);

	info->ri_RelationDesc = x->rel;
	ExecOpenIndices(info, false);
	idem_insert_index_tuples(info, x->next, estate, which);
	ExecCloseIndices(info);
	FreeExecutorState(estate);
}

/* The same as the owner, who has code in an index. */
static void
insert_index_entries_as_owner(DirectChange *x, TU_UpdateIndexes which)
{
	MemoryContext context = CurrentMemoryContext;
	bool		may_read = idem_may_read(x->rel);
	IdemIdentity saved;

	idem_become_owner(x->rel, &saved);
	PG_TRY();
	{
		insert_index_entries(x, which);
	}
	PG_CATCH();
	{
		idem_rethrow(context, may_read);
	}
	PG_END_TRY();
	idem_restore_identity(&saved);
}

/* Put the next version in the place of the one seen; false: judge again. */
static bool
update_row(DirectChange *x)
{
	TM_FailureData failure;
	LockTupleMode lockmode;
	TU_UpdateIndexes indexes;
	TM_Result	result;

	result = table_tuple_update(x->rel, &x->c->seen->tts_tid, x->next,
								x->command, 0, x->snapshot,
								IsolationUsesXactSnapshot() ?
								GetTransactionSnapshot() : InvalidSnapshot,
								true, &failure, &lockmode, &indexes);
	if (result != TM_Ok)
		idem_total_refuse_concurrent(result);
	else if (indexes != TU_None && x->direct->index_code)
		insert_index_entries_as_owner(x, indexes);
	else if (indexes != TU_None)
		insert_index_entries(x, indexes);
	return result == TM_Ok;
}

/*
 * Judge the row in c->seen and change it.  Every further round is made under
 * lock, so there are at most three.
 */
static IdemTotalResult
change_row(DirectChange *x)
{
	for (;;)
	{
		IdemTotals	next;

		if (x->c->total->room->next(x->c, &next))
		{
			fill_next(x, &next);
			if (!row_is_plain(x))
				return IDEM_TOTAL_NOT_PLAIN;
			if (update_row(x))
				return IDEM_TOTAL_DONE;
		}
		else if (x->locked)
			return IDEM_TOTAL_NO_ROOM;
		if (!lock_row(x))
			return IDEM_TOTAL_NO_ROW;
	}
}

/*
 * Change the totals of a plain parent.  The version that was judged stays in
 * c->seen, which the caller drops.
 */
IdemTotalResult
idem_direct_change(IdemTotalChange *c)
{
	DirectChange x = {0};
	IdemTotalResult result = IDEM_TOTAL_NO_ROW;

	CheckCmdReplicaIdentity(c->parent, CMD_UPDATE);
	CommandCounterIncrement();	/* see all of our own work */
	x.c = c;
	x.direct = c->total->direct;
	x.rel = c->parent;
	x.snapshot = RegisterSnapshot(GetLatestSnapshot());
	x.command = GetCurrentCommandId(true);
	x.next = MakeSingleTupleTableSlot(RelationGetDescr(c->parent),
									  &TTSOpsVirtual);
	c->seen = table_slot_create(c->parent, NULL);
	if (idem_total_search(&c->total->key, &c->total->direct->search, x.rel,
						  x.snapshot, c->notes[0]->values, c->seen))
		result = c->total->room->passes != NULL && c->total->room->passes(c) ?
			IDEM_TOTAL_DONE : change_row(&x);
	ExecDropSingleTupleTableSlot(x.next);
	UnregisterSnapshot(x.snapshot);
	CommandCounterIncrement();	/* let others see it */
	return result;
}
