/*
 * machine_refuse.c
 *		What the guard says when it refuses a state.
 *
 * The message alone is enough.  Values of the row are shown only to a role
 * that may read it; the value that the statement itself writes is no secret.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/durable.h"
#include "base/guard.h"
#include "base/idem_errors.h"
#include "base/right.h"
#include "base/row.h"
#include "machine/machine.h"

/* So many states fit a DETAIL */
#define STATES_SHOWN		10

/* Is it a final state?  state may be none of the machine. */
bool
idem_state_is_final(const IdemStatesGuard *guard, int state)
{
	return state >= 0 && guard->machine->diagram.states[state].final_line > 0;
}

/* The same: may a row begin in it? */
bool
idem_state_is_entry(const IdemStatesGuard *guard, int state)
{
	return state >= 0 && guard->machine->diagram.states[state].entry_line > 0;
}

/* The value of the column for a message: a state "paid", or null */
static char *
value_text(const IdemGuardCall *call, const IdemStatesGuard *guard,
		   TupleTableSlot *slot)
{
	char	   *str = idem_column_text(call->rel, guard->column, slot);

	return str == NULL ? pstrdup("null") : psprintf("\"%s\"", str);
}

/* Can a plain UPDATE lead from one state to another? */
bool
idem_can_follow(const IdemMachine *machine, int from, int to)
{
	return from != to &&
		(IDEM_MACHINE_BIT(machine, open, from, to) ||
		 IDEM_MACHINE_BIT(machine, restricted, from, to));
}

/* The names of the states after one, which may be none of the machine. */
ArrayType *
idem_next_states(const IdemMachine *machine, int from)
{
	const IdemDiagram *diagram = &machine->diagram;
	Datum	   *names = palloc(sizeof(Datum) * (idem_state_count(diagram) + 1));
	int			n = 0;
	int			i;

	for (i = 0; from >= 0 && i < idem_state_count(diagram); i++)
	{
		if (idem_can_follow(machine, from, i))
			names[n++] = CStringGetTextDatum(diagram->states[i].name);
	}
	return construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/* The states after one (or the entries, from -1): "a", "b" and 3 more */
static char *
following_states(const IdemStatesGuard *guard, int from, int *count)
{
	const IdemDiagram *diagram = &guard->machine->diagram;
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	*count = 0;
	for (i = 0; i < idem_state_count(diagram); i++)
	{
		if (from >= 0 ? !idem_can_follow(guard->machine, from, i) :
			!idem_state_is_entry(guard, i))
			continue;
		if ((*count)++ < STATES_SHOWN)
			appendStringInfo(&buf, "%s\"%s\"", *count > 1 ? ", " : "",
							 diagram->states[i].name);
	}
	if (*count > STATES_SHOWN)
		appendStringInfo(&buf, " and %d more", *count - STATES_SHOWN);
	return buf.data;
}

/* DETAIL of a refused change, from a state that may be undeclared */
static char *
following_text(const IdemStatesGuard *guard, int from)
{
	const char *machine = guard->machine->name;
	const char *state;
	char	   *list;
	int			count;

	if (from < 0)
		return psprintf("State machine \"%s\" does not declare the state the row is in.",
						machine);
	state = guard->machine->diagram.states[from].name;
	list = following_states(guard, from, &count);
	if (count == 0)
		return psprintf("By state machine \"%s\" nothing follows state \"%s\".",
						machine, state);
	return psprintf("By state machine \"%s\" only %s can follow state \"%s\".",
					machine, list, state);
}

/* 23I02: the row of an INSERT does not begin in an entry state. */
void
idem_states_refuse_entry(const IdemGuardCall *call,
						 const IdemStatesGuard *guard)
{
	int			count;
	char	   *list = following_states(guard, -1, &count);

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_ILLEGAL_INITIAL_STATE),
			 errmsg("new row %s of table \"%s\" cannot begin in state %s",
					idem_row_key(call->rel, call->after),
					RelationGetRelationName(call->rel),
					value_text(call, guard, call->after)),
			 errdetail("By state machine \"%s\" a row begins in state %s.",
					   guard->machine->name, list),
			 errtablecol(call->rel, guard->column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* 23I03 out of a final state, else 23I01 */
void
idem_states_refuse_transition(const IdemGuardCall *call,
							  const IdemStatesGuard *guard,
							  int from)
{
	bool		readable = idem_may_read(call->rel);
	bool		final = idem_state_is_final(guard, from);
	const char *table = RelationGetRelationName(call->rel);
	char	   *to = value_text(call, guard, call->after);

	ereport(ERROR,
			(errcode(final ? ERRCODE_IDEM_FINAL_STATE :
					 ERRCODE_IDEM_ILLEGAL_STATE_TRANSITION),
			 !readable ?
			 errmsg("row of table \"%s\" cannot change to state %s", table, to) :
			 errmsg("row%s of table \"%s\" cannot change from %sstate %s to state %s",
					idem_readable_key(call->rel, call->before), table,
					final ? "final " : "",
					value_text(call, guard, call->before), to),
			 readable ? errdetail_internal("%s", following_text(guard, from)) : 0,
			 errtablecol(call->rel, guard->column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* 42501: the edge is for another role. */
void
idem_states_refuse_role(const IdemGuardCall *call,
						const IdemStatesGuard *guard,
						const char *role)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("only a member of role \"%s\" may change row%s of table \"%s\" to state %s",
					role,
					idem_readable_key(call->rel, call->before),
					RelationGetRelationName(call->rel),
					value_text(call, guard, call->after)),
			 errtablecol(call->rel, guard->column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/*
 * The caller will conclude that the transition was made, and acknowledge it,
 * so the commit that made it has to be on disk first.  The value shown is the
 * one that the statement itself wrote.
 */
void
idem_states_refuse_repeat(const IdemGuardCall *call,
						  const IdemStatesGuard *guard)
{
	idem_wait_durable(call->trigdata->tg_trigslot);
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_REPEATED_TRANSITION),
			 errmsg("row%s of table \"%s\" is already in state %s",
					idem_readable_key(call->rel, call->before),
					RelationGetRelationName(call->rel),
					value_text(call, guard, call->after)),
			 errdetail("The statement writes column \"%s\" and leaves it as it was.",
					   NameStr(TupleDescAttr(RelationGetDescr(call->rel),
											 guard->column - 1)->attname)),
			 errhint("This transition was made before: do not repeat the work that follows it."),
			 errtablecol(call->rel, guard->column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}
