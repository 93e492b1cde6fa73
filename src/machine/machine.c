/*
 * machine.c
 *		Only declared transitions, final is final.
 *
 * The guard judges the row that is stored, AFTER ROW, against the row that it
 * replaces, whichever statement wrote it, through whichever partition, and
 * whatever other triggers changed on the way.  A row is born in an entry
 * state, changes along an edge, and stays.
 *
 * The race of two sessions is decided by the row itself: the second UPDATE
 * waits for the first and is then judged against what the first left (READ
 * COMMITTED) or fails with 40001.  So the same edge is never passed twice: it
 * leads away from the state that the row is in by then.
 *
 * The rules cannot change under a transaction: the first judgement locks the
 * machine SHARE until the end of the transaction (machine_cache.c).  A trigger
 * that somebody without a say in the machine made by hand locks nothing
 * (machine_consent.c); for its table the rules can change.
 *
 * Cost of a judgement: two look-ups of a name of a few bytes (of an OID for
 * an enum) and the test of one bit, however many edges there are.  An UPDATE
 * that leaves the column alone costs one comparison.
 *
 * Not promised: which of two edges that join the same two states a plain
 * UPDATE takes; a repeat is not seen in an UPDATE that also moves the row to
 * another partition, because the server does not tell which columns that
 * named.
 *
 * Shown by sql/machine_guard.sql and test/isolation/specs/machine_race.spec.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/arrive.h"
#include "base/citus.h"
#include "base/column.h"
#include "base/guard.h"
#include "base/moved.h"
#include "base/pause.h"
#include "base/row.h"
#include "base/settings_trigger.h"
#include "machine/machine.h"

/* A value that is no state of the machine */
#define STATE_NULL			(-1)
#define STATE_UNDECLARED	(-2)

/* What idem.transition is about to write, or NULL */
static IdemAnnouncement *announced = NULL;

/* ---------- settings ---------- */

/* Grows with every change of any enum: labels may have been renamed. */
static uint64 enum_epoch = 0;

static void
enum_invalidate(Datum arg, int cacheid, uint32 hashvalue)
{
	enum_epoch++;
}

static void
prepare_enum_states(IdemStatesGuard *guard)
{
	uint32		slots = 16;

	if (enum_epoch == 0)
	{
		CacheRegisterSyscacheCallback(ENUMOID, enum_invalidate, (Datum) 0);
		enum_epoch = 1;
	}
	while (slots < 2 * (uint32) idem_state_count(&guard->machine->diagram) + 2)
		slots *= 2;
	guard->enum_states = palloc0(sizeof(IdemEnumState) * slots);
	guard->enum_mask = slots - 1;
	guard->enum_epoch = enum_epoch;
}

static IdemRepeatPolicy
repeat_policy(const char *value)
{
	return strcmp(value, "ignore") == 0 ? IDEM_REPEAT_IGNORE :
		strcmp(value, "strict") == 0 ? IDEM_REPEAT_STRICT : IDEM_REPEAT_REFUSE;
}

static IdemDeletePolicy
delete_policy(const char *value)
{
	return strcmp(value, "any") == 0 ? IDEM_DELETE_ANY :
		strcmp(value, "final") == 0 ? IDEM_DELETE_FINAL : IDEM_DELETE_NEVER;
}

/*
 * The machine of a guard.  A table that is spread over nodes has it in the
 * arguments of its trigger, and so under the lock by which they change; a
 * shard whose trigger does not is refused.
 */
static IdemMachine *
machine_of(Relation rel, Trigger *trigger, Oid *also)
{
	const char *name = idem_trigger_setting(trigger, "machine");
	const char *diagram = idem_trigger_setting(trigger, "diagram");

	if (diagram != NULL)
		return idem_machine_carried(name, diagram);
	if (idem_citus_shell(idem_root_relid(rel)) != idem_root_relid(rel))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on shard \"%s\" does not carry its state machine",
						trigger->tgname, RelationGetRelationName(rel)),
				 errhint("Take the guard off the distributed table with idem.drop_guard and declare it anew."),
				 errtableconstraint(rel, trigger->tgname)));
	*also = idem_definition_table(&idem_machine_kind);
	return idem_machine_load(name, 0);
}

static void *
compile_settings(Relation rel, Trigger *trigger, Oid *also)
{
	IdemStatesGuard *guard = palloc0(sizeof(IdemStatesGuard));
	const char *column = idem_trigger_setting(trigger, "column");
	const char *actor;
	Oid			type;

	guard->machine = machine_of(rel, trigger, also);
	guard->carried = idem_trigger_setting(trigger, "diagram") != NULL;
	guard->column = idem_column_number(rel, column);
	guard->column_name = pstrdup(column);
	guard->key = bms_del_member(idem_row_key_columns(rel), guard->column);
	guard->last_column = Max(guard->column, bms_prev_member(guard->key, -1));
	guard->row_key = idem_machine_key_of(rel, guard->column);
	/* history belongs to the row, wherever it is stored */
	guard->root = idem_root_relid(rel);
	guard->history = strcmp(idem_trigger_setting(trigger, "history"),
							"false") != 0;
	actor = idem_trigger_setting(trigger, "actor");
	guard->actor = actor != NULL ? pstrdup(actor) : NULL;
	guard->saved = idem_saved_columns(rel, guard->column,
									  idem_trigger_setting_list(trigger, "saved"));
	guard->repeat = repeat_policy(idem_trigger_setting(trigger, "repeat"));
	guard->delete = delete_policy(idem_trigger_setting(trigger, "delete"));
	type =
		getBaseType(TupleDescAttr(RelationGetDescr(rel),
								  guard->column - 1)->atttypid);
	guard->is_enum = type_is_enum(type);
	if (guard->is_enum)
		prepare_enum_states(guard);
	else if (type != TEXTOID && type != VARCHAROID)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("column \"%s\" of table \"%s\" cannot hold a state",
						column, RelationGetRelationName(rel)),
				 errtableconstraint(rel, trigger->tgname)));
	return guard;
}

/*
 * Does the guard count for its machine?  The trigger of a partition was
 * declared, or made by hand, on the table at the top.  The answer no is not
 * remembered: a role can become a member of the owner without any message
 * about the table.
 */
static bool
counts(IdemStatesGuard *guard, const IdemGuardCall *call)
{
	if (!guard->counts)
		guard->counts = idem_machine_counts(guard->machine->name,
											guard->machine->owner,
											call->trigger->tgisclone ?
											guard->root :
											RelationGetRelid(call->rel),
											guard->column_name);
	return guard->counts;
}

/*
 * The settings, with the machine locked until the end of the transaction, if
 * the guard counts for it.  Waiting for the lock may bring news, even of
 * another machine, so the settings are looked up again once the lock is held.
 */
static IdemStatesGuard *
settings_of(const IdemGuardCall *call)
{
	IdemStatesGuard *guard = idem_guard_settings(call, compile_settings);

	while (unlikely(guard->locked != idem_machine_lock_epoch()))
	{
		const char *locked = guard->machine->name;

		if (!guard->carried && counts(guard, call))
			idem_machine_hold(guard->machine);
		guard = idem_guard_settings(call, compile_settings);
		if (strcmp(guard->machine->name, locked) == 0)
			guard->locked = idem_machine_lock_epoch();
	}
	return guard;
}

/*
 * The same for a table and its trigger outside of any trigger call.  Nothing
 * is locked for a call that only reads: a standby has no such locks.
 */
IdemStatesGuard *
idem_states_guard(Relation rel, Trigger *trigger, bool lock)
{
	IdemGuardCall call = {0};

	call.rel = rel;
	call.trigger = trigger;
	return lock ? settings_of(&call) :
		idem_guard_settings(&call, compile_settings);
}

/*
 * Announce a transition, or with NULL that it is over; returns what was
 * announced before.
 */
IdemAnnouncement *
idem_announce(IdemAnnouncement *announcement)
{
	IdemAnnouncement *before = announced;

	announced = announcement;
	return before;
}

/* ---------- which state a row is in ---------- */

static int
state_of_label(const IdemStatesGuard *guard, Oid value)
{
	HeapTuple	tuple = SearchSysCache1(ENUMOID, ObjectIdGetDatum(value));
	const char *label;
	int			state;

	if (!HeapTupleIsValid(tuple))
		return STATE_UNDECLARED;
	label = NameStr(((Form_pg_enum) GETSTRUCT(tuple))->enumlabel);
	state = idem_names_find(&guard->machine->diagram.state_names, label,
							strlen(label));
	ReleaseSysCache(tuple);
	return state < 0 ? STATE_UNDECLARED : state;
}

/*
 * The state of an enum value.  Only declared ones are remembered, so that
 * there is always a free slot.
 */
static int
state_of_enum(IdemStatesGuard *guard, Oid value)
{
	uint32		slot;
	int			state;

	if (unlikely(guard->enum_epoch != enum_epoch))
	{
		memset(guard->enum_states, 0,
			   sizeof(IdemEnumState) * (guard->enum_mask + 1));
		guard->enum_epoch = enum_epoch;
	}
	for (slot = value & guard->enum_mask; guard->enum_states[slot].value != 0;
		 slot = (slot + 1) & guard->enum_mask)
	{
		if (guard->enum_states[slot].value == value)
			return guard->enum_states[slot].state;
	}
	state = state_of_label(guard, value);
	if (state >= 0 && guard->enum_epoch == enum_epoch)
	{
		guard->enum_states[slot].value = value;
		guard->enum_states[slot].state = state;
	}
	return state;
}

static int
state_of_text(const IdemStatesGuard *guard, Datum value, IdemLastState *last)
{
	text	   *name = DatumGetTextPP(value);
	const char *bytes = VARDATA_ANY(name);
	size_t		length = VARSIZE_ANY_EXHDR(name);
	int			state;

	if (likely(last->name != NULL && last->length == length &&
			   memcmp(last->name, bytes, length) == 0))
		return last->state;
	state =
		idem_names_find(&guard->machine->diagram.state_names, bytes, length);
	if (state < 0)
		return STATE_UNDECLARED;
	last->name = guard->machine->diagram.states[state].name;
	last->length = length;
	last->state = state;
	return state;
}

static int
state_of(IdemStatesGuard *guard, TupleTableSlot *slot, IdemLastState *last)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, guard->column, &isnull);

	if (isnull)
		return STATE_NULL;
	if (guard->is_enum)
		return state_of_enum(guard, DatumGetObjectId(value));
	return state_of_text(guard, value, last);
}

static int
state_before(IdemStatesGuard *guard, const IdemGuardCall *call)
{
	return state_of(guard, call->before, &guard->last_before);
}

static int
state_after(IdemStatesGuard *guard, const IdemGuardCall *call)
{
	return state_of(guard, call->after, &guard->last_after);
}

/* ---------- judgement ---------- */

static bool
is_named(const IdemGuardCall *call, int attnum)
{
	return bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber,
						 call->trigdata->tg_updatedcols);
}

/* Does the statement save the whole row (machine_save.c)? */
static bool
saves_row(const IdemGuardCall *call, const IdemStatesGuard *guard)
{
	return guard->saved != NULL &&
		bms_is_subset(guard->saved, call->trigdata->tg_updatedcols);
}

/* The column is as it was: a repeat if the statement was meant to write it. */
static void
judge_unchanged(const IdemGuardCall *call, const IdemStatesGuard *guard)
{
	if (call->moved || !is_named(call, guard->column) ||
		guard->repeat == IDEM_REPEAT_IGNORE || idem_in_apply_worker())
		return;
	if (guard->repeat == IDEM_REPEAT_REFUSE && saves_row(call, guard))
		return;
	idem_states_refuse_repeat(call, guard);
}

/* Does this foreign key write its columns when the row it points to changes? */
static bool
writes_columns(Oid constraint)
{
	HeapTuple	tuple =
		SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint con;
	bool		writes;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	con = (Form_pg_constraint) GETSTRUCT(tuple);
	writes = con->confupdtype == FKCONSTR_ACTION_CASCADE ||
		con->confupdtype == FKCONSTR_ACTION_SETNULL ||
		con->confupdtype == FKCONSTR_ACTION_SETDEFAULT ||
		con->confdeltype == FKCONSTR_ACTION_SETNULL ||
		con->confdeltype == FKCONSTR_ACTION_SETDEFAULT;
	ReleaseSysCache(tuple);
	return writes;
}

static bool
is_written_by_foreign_key(Relation rel, AttrNumber column)
{
	/* a copy: what the relcache has may go with any look-up */
	List	   *keys = copyObject(RelationGetFKeyList(rel));
	ListCell   *lc;

	foreach(lc, keys)
	{
		ForeignKeyCacheInfo *key = lfirst(lc);
		int			i;

		for (i = 0; i < key->nkeys; i++)
			if (key->conkey[i] == column && writes_columns(key->conoid))
				return true;
	}
	return false;
}

/*
 * May the user take the edge?  The action of a foreign key runs as the owner
 * of the table, and since 18 so do the triggers that it fires: then
 * GetUserId() is not the role that caused it.  So where a foreign key can
 * write the column, the outer role must be a member, too.
 */
static bool
has_role(const IdemGuardCall *call, const IdemStatesGuard *guard,
		 const IdemEdge *edge)
{
	Oid			role;

	if (edge->role == NULL)
		return true;
	role = get_role_oid(edge->role, true);
	if (!OidIsValid(role) || !is_member_of_role(GetUserId(), role))
		return false;
	return is_member_of_role(GetOuterUserId(), role) ||
		!is_written_by_foreign_key(call->rel, guard->column);
}

/* May the user take the edge, also as the one that made the row? */
static bool
is_for_user(const IdemGuardCall *call, const IdemStatesGuard *guard,
			const IdemEdge *edge)
{
	return has_role(call, guard, edge) &&
		(!edge->other || idem_machine_is_other(call, guard));
}

/* 42501 for an edge that is not for the user. */
static void
refuse_user(const IdemGuardCall *call, const IdemStatesGuard *guard,
			const IdemEdge *edge)
{
	if (!has_role(call, guard, edge))
		idem_states_refuse_role(call, guard, edge->role);
	idem_machine_refuse_maker(call, guard,
							  guard->machine->diagram.states[edge->target].name);
}

/*
 * Every edge between the states asks for something: may the caller take one?
 */
static void
judge_user(const IdemGuardCall *call, const IdemStatesGuard *guard,
		   int from, int to)
{
	const IdemMachine *machine = guard->machine;
	const IdemEdge *asked = NULL;
	int			i;

	for (i = machine->edges_of[from]; i < machine->edges_of[from + 1]; i++)
	{
		if (machine->edges[i]->target != to)
			continue;
		if (is_for_user(call, guard, machine->edges[i]))
			return;
		/* of several, the one closed to the maker of the row */
		if (asked == NULL || !has_role(call, guard, asked))
			asked = machine->edges[i];
	}
	refuse_user(call, guard, asked);
}

static void
judge_changed(const IdemGuardCall *call, const IdemStatesGuard *guard,
			  int from, int to)
{
	const IdemMachine *machine = guard->machine;

	if (from < 0 || to < 0)
		idem_states_refuse_transition(call, guard, from);
	if (likely(IDEM_MACHINE_BIT(machine, open, from, to)))
		return;
	if (!IDEM_MACHINE_BIT(machine, restricted, from, to))
		idem_states_refuse_transition(call, guard, from);
	if (!idem_in_apply_worker())
		judge_user(call, guard, from, to);
}

/* Is this the row and the transition that idem.transition announced? */
static bool
is_announced(const IdemGuardCall *call, const IdemStatesGuard *guard,
			 int from, int to)
{
	const IdemState *states = guard->machine->diagram.states;

	return announced != NULL && !announced->taken && from >= 0 && to >= 0 &&
		announced->root == guard->root &&
		strcmp(announced->column, guard->column_name) == 0 &&
		strcmp(announced->from, states[from].name) == 0 &&
		strcmp(announced->to, states[to].name) == 0 &&
		strcmp(announced->key,
			   idem_machine_key_of_row(guard->row_key, call->before)) == 0;
}

/* The announced event decides which edge it is, and who may take it. */
static const char *
judge_announced(const IdemGuardCall *call, const IdemStatesGuard *guard,
				int from, int to)
{
	const IdemMachine *machine = guard->machine;
	const char *event = announced->event;
	const IdemEdge *edge;
	int			count;

	announced->taken = true;
	edge = idem_machine_edge(machine, from, to, event == NULL ? -1 :
							 idem_names_find(&machine->diagram.events, event,
											 strlen(event)),
							 &count);
	if (edge == NULL)
		idem_states_refuse_transition(call, guard, from);
	if (!is_for_user(call, guard, edge))
		refuse_user(call, guard, edge);
	return edge->event < 0 ? NULL : machine->diagram.events.names[edge->event];
}

static const char *
state_name(const IdemStatesGuard *guard, int state)
{
	return state < 0 ? NULL : guard->machine->diagram.states[state].name;
}

/* The event of a plain write: known if only one edge joins the two states. */
static const char *
plain_event(const IdemStatesGuard *guard, int from, int to)
{
	const IdemMachine *machine = guard->machine;
	const IdemEdge *edge;
	int			count;

	edge = idem_machine_edge(machine, from, to, -1, &count);
	if (count != 1 || edge->event < 0)
		return NULL;
	return machine->diagram.events.names[edge->event];
}

/*
 * Which command made this version of the row, or took it away.  A row that
 * does not say that we wrote it came with COPY FREEZE.
 */
static CommandId
command_of(const IdemGuardCall *call)
{
	TriggerData *trigdata = call->trigdata;
	HeapTupleHeader row = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newtuple->t_data : trigdata->tg_trigtuple->t_data;

	if (IDEM_CALL_IS_DELETE(call))
		return HeapTupleHeaderGetCmax(row);
	if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(row)))
		return GetCurrentCommandId(false);
	return HeapTupleHeaderGetCmin(row);
}

/* Write the history of a row: STATE_NULL stands for not being there. */
static void
record(const IdemGuardCall *call, const IdemStatesGuard *guard,
	   int from, int to, const char *event)
{
	if (!guard->history)
		return;
	idem_log_transition(guard->root, guard->column_name,
						idem_machine_key_of_row(guard->row_key,
												call->after ? call->after :
												call->before),
						command_of(call), state_name(guard, from),
						state_name(guard, to), event, guard->actor);
}

/*
 * Did the server store the new version beside the old one, without a word to
 * any index?  Then no column of an index has changed, the primary key is one.
 */
static bool
is_heap_only(const IdemGuardCall *call)
{
	return !call->moved &&
		HeapTupleHeaderIsHeapOnly(call->trigdata->tg_newtuple->t_data);
}

static void
judge_update(const IdemGuardCall *call, IdemStatesGuard *guard)
{
	bool		changed;
	const char *event = NULL;
	int			from;
	int			to;

	if (!is_heap_only(call))
	{
		/* all that is looked at, taken out of the rows at once */
		slot_getsomeattrs(call->before, guard->last_column);
		slot_getsomeattrs(call->after, guard->last_column);
		idem_refuse_key_change(call, guard->key);
	}
	changed = !idem_same_image(call->rel, guard->column, call->before,
							   call->after);
	if (!changed && likely(announced == NULL))
	{
		judge_unchanged(call, guard);
		return;
	}
	from = state_before(guard, call);
	to = state_after(guard, call);
	if (is_announced(call, guard, from, to))
		event = judge_announced(call, guard, from, to);
	else if (!changed)
	{
		judge_unchanged(call, guard);
		return;
	}
	else
	{
		judge_changed(call, guard, from, to);
		if (guard->history)
			event = plain_event(guard, from, to);
	}
	if (idem_any_paused() && from != to)
		idem_machine_check_pause(call, guard, to);
	record(call, guard, from, to, event);
}

/* In an apply worker a row may arrive in any state that is declared. */
static void
judge_insert(const IdemGuardCall *call, IdemStatesGuard *guard)
{
	int			state = state_after(guard, call);

	if (!idem_state_is_entry(guard, state) &&
		!(state >= 0 && idem_in_apply_worker()))
		idem_states_refuse_entry(call, guard);
	if (idem_any_paused())
		idem_machine_check_pause(call, guard, state);
	record(call, guard, STATE_NULL, state, NULL);
}

static void
judge_delete(const IdemGuardCall *call, IdemStatesGuard *guard)
{
	int			state = state_before(guard, call);

	if (guard->delete == IDEM_DELETE_NEVER ||
		(guard->delete == IDEM_DELETE_FINAL &&
		 !idem_state_is_final(guard, state)))
		idem_refuse_delete(call);
	record(call, guard, state, STATE_NULL, NULL);
}

/*
 * keep_states() -> trigger
 */
PG_FUNCTION_INFO_V1(idem_keep_states);
Datum
idem_keep_states(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	IdemStatesGuard *guard;

	if (!idem_guard_call(fcinfo, "idem.keep_states", &call))
		return PointerGetDatum(NULL);
	guard = settings_of(&call);
	if (IDEM_CALL_IS_INSERT(&call))
		judge_insert(&call, guard);
	else if (IDEM_CALL_IS_DELETE(&call))
		judge_delete(&call, guard);
	else
		judge_update(&call, guard);
	return PointerGetDatum(NULL);
}
