/*
 * pair_settings.c
 *		What the triggers of child and parent keep between calls.
 *
 * Read from their arguments and from the catalog: the foreign key, columns by
 * number, states as values.  Lives until child or parent is altered (guard.c).
 *
 * Either trigger acts only while the other table has its counterpart with the
 * same settings (39P01).  So a trigger created by hand on a table that
 * references somebody else's table reads and locks nothing there.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/again.h"
#include "base/column.h"
#include "base/guard.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/moved.h"
#include "base/row.h"
#include "base/settings.h"
#include "pair/pair.h"

/* The plans go when the settings go, which is when nobody runs them. */
static void
free_plans(void *arg)
{
	IdemPair   *pair = arg;
	int			i;

	for (i = 0; i < IDEM_PAIR_PLANS; i++)
	{
		if (pair->plan[i] != NULL)
			SPI_freeplan(pair->plan[i]);
	}
}

/* What both triggers read from their arguments. */
static IdemPair *
begin_pair(List *settings, Oid child)
{
	IdemPair   *pair = palloc0(sizeof(IdemPair));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	idem_total_find_key(child, idem_setting_list(settings, "fk"),
						ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, &pair->key);
	pair->fk = idem_setting_copy(settings, "fk");
	pair->state_name = idem_setting_copy(settings, "state");
	pair->parent_name = idem_setting_copy(settings, "parent_state");
	pair->entry = idem_setting_is(settings, "judge", "entry");
	pair->deferred = idem_setting_is(settings, "deferred", "true");
	callback->func = free_plans;
	callback->arg = pair;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	return pair;
}

/* A column of the key, of the table that fired. */
static void
compile_column(Relation rel, const char *name, int i, IdemPair *pair)
{
	pair->column[i] = idem_column_number(rel, name);
	pair->type[i] = TupleDescAttr(RelationGetDescr(rel),
								  pair->column[i] - 1)->atttypid;
}

/* Do the triggers of both tables say the same? */
static bool
agree(const IdemGuard *one, const IdemGuard *other)
{
	static const char *const said[] = {"fk", "state", "parent_state",
	"allowed", "facts", "judge", "deferred"};
	int			i;

	for (i = 0; i < lengthof(said); i++)
	{
		const char *a = idem_setting(one->settings, said[i]);
		const char *b = idem_setting(other->settings, said[i]);

		if (a == NULL || b == NULL ? a != b : strcmp(a, b) != 0)
			return false;
	}
	return true;
}

static void
refuse_alone(Relation rel, const char *trigger, Oid other)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("table \"%s\" bears no counterpart of pair \"%s\" on table \"%s\"",
					get_rel_name(other), trigger,
					RelationGetRelationName(rel)),
			 errhint("Put guards on a table with the idem.guard_... functions."),
			 errtableconstraint(rel, trigger)));
}

/* A trigger of a parent that is bound to no table */
static void
refuse_unbound(Relation rel, const char *trigger)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("trigger \"%s\" on table \"%s\" is bound to no table of children",
					trigger, RelationGetRelationName(rel)),
			 errhint("Put guards on a table with the idem.guard_... functions."),
			 errtableconstraint(rel, trigger)));
}

/* Does the table bear a trigger of the guard that decides and says the same? */
static bool
bears_deciding(Relation child, const IdemGuard *guard)
{
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(child))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (trigger->kind->decides && idem_same_guard(trigger->guard, guard) &&
			agree(trigger->guard, guard))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------------
 * The child
 * ------------------------------------------------------------------------
 */

static void
compile_parent_state(Relation parent, IdemPair *pair)
{
	pair->parent_state = idem_column_number(parent, pair->parent_name);
	get_typlenbyval(TupleDescAttr(RelationGetDescr(parent),
								  pair->parent_state - 1)->atttypid,
					&pair->len, &pair->byval);
	pair->is_plain = parent->rd_rel->relkind == RELKIND_RELATION &&
		!parent->rd_rel->relhassubclass &&
		idem_total_search_init(&pair->key, &pair->search);
}

/* IdemGuardCompile */
static void *
compile_child(Relation rel, Trigger *trigger, Oid *also)
{
	IdemGuard  *guard = idem_guard_of_trigger(idem_root_relid(rel), trigger);
	IdemPair   *pair = begin_pair(guard->settings, guard->relid);
	Relation	parent;
	IdemGuard  *counterpart;
	int			i;

	*also = pair->key.parent;
	parent = table_open(pair->key.parent, AccessShareLock);
	counterpart = idem_find_counterpart(parent, guard);
	if (counterpart == NULL || !agree(counterpart, guard))
		refuse_alone(rel, guard->name, pair->key.parent);
	idem_total_check_key_types(rel, &pair->key);
	for (i = 0; i < pair->key.n; i++)
		compile_column(rel, get_attname(pair->key.child,
										pair->key.child_column[i], false), i,
					   pair);
	if (pair->state_name != NULL)
		pair->state = idem_column_number(rel, pair->state_name);
	idem_pair_read_rules(guard->settings, rel, parent, pair);
	compile_parent_state(parent, pair);
	if (pair->entry)
		idem_pair_entry_compile(pair);
	table_close(parent, NoLock);
	return pair;
}

/*
 * The settings of the child's trigger that fired, with the parent locked: what
 * was read before the lock does not count.
 */
IdemPair *
idem_pair_open(const IdemGuardCall *call)
{
	IdemPair   *pair = idem_guard_settings(call, compile_child);

	LockRelationOid(pair->key.parent, RowShareLock);
	return idem_guard_settings(call, compile_child);
}

/* ------------------------------------------------------------------------
 * The parent
 * ------------------------------------------------------------------------
 */

/* IdemGuardCompile */
static void *
compile_parent(Relation rel, Trigger *trigger, Oid *also)
{
	IdemGuard  *guard = idem_guard_of_trigger(RelationGetRelid(rel), trigger);
	Oid			child_relid = trigger->tgconstrrelid;
	IdemPair   *pair;
	Relation	child;
	int			i;

	if (!OidIsValid(child_relid))
		refuse_unbound(rel, guard->name);
	*also = child_relid;
	child = table_open(child_relid, AccessShareLock);
	pair = begin_pair(guard->settings, child_relid);
	if (pair->key.parent != idem_root_relid(rel) ||
		!bears_deciding(child, guard))
		refuse_alone(rel, guard->name, child_relid);
	for (i = 0; i < pair->key.n; i++)
		compile_column(rel, get_attname(pair->key.parent,
										pair->key.parent_column[i], false), i,
					   pair);
	pair->state = idem_column_number(rel, pair->parent_name);
	if (pair->state_name != NULL)
		pair->child_state = idem_column_number(child, pair->state_name);
	idem_pair_read_rules(guard->settings, child, rel, pair);
	idem_pair_compile_children(pair, child);
	if (pair->entry)
		idem_pair_entry_compile(pair);
	table_close(child, NoLock);
	return pair;
}

/* The same for the trigger of the parent, with the child locked. */
IdemPair *
idem_pair_open_parent(const IdemGuardCall *call)
{
	IdemPair   *pair = idem_guard_settings(call, compile_parent);

	LockRelationOid(pair->key.child, AccessShareLock);
	return idem_guard_settings(call, compile_parent);
}

/* ------------------------------------------------------------------------
 * Keys
 * ------------------------------------------------------------------------
 */

/* The key of a row of the table that fired; false: a part of it is null. */
bool
idem_pair_values(const IdemGuardCall *call, IdemPair *pair,
				 TupleTableSlot *row, NullableDatum *values)
{
	bool		whole = true;
	int			i;

	for (i = 0; i < pair->key.n; i++)
	{
		values[i].value = slot_getattr(row, pair->column[i],
									   &values[i].isnull);
		whole &= !values[i].isnull;
	}
	return whole;
}

/* Has an update left the key as it was? */
bool
idem_pair_same_key(const IdemGuardCall *call, IdemPair *pair)
{
	int			i;

	for (i = 0; i < pair->key.n; i++)
	{
		if (!idem_same_image(call->rel, pair->column[i], call->before,
							 call->after))
			return false;
	}
	return true;
}
