/*
 * machine_pause.c
 *		No row enters a state that is paused.
 *
 * Rows leave it, and rows in it are written, as ever.  A final state cannot be
 * paused, because the outcome of something has to be stored whatever happens.
 * In an apply worker a row was judged at its origin.
 *
 * Shown by sql/control_pause.sql.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "base/arrive.h"
#include "base/citus.h"
#include "base/guard.h"
#include "base/idem_errors.h"
#include "base/pause.h"
#include "base/row.h"
#include "machine/machine.h"
#include "machine/machine_rows.h"

/* 55I03: the row would enter a state that is paused. */
static void
refuse_entry(const IdemGuardCall *call, const IdemStatesGuard *guard,
			 const char *state, const IdemPause *pause)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_PAUSED),
			 errmsg("row%s of table \"%s\" cannot enter state \"%s\": it is paused",
					idem_readable_key(call->rel, call->after),
					RelationGetRelationName(call->rel), state),
			 errdetail("State \"%s\" of state machine \"%s\" is %s.", state,
					   guard->machine->name, idem_pause_text(pause)),
			 errhint("Try again when it is resumed; idem.pauses shows what is paused."),
			 errtablecol(call->rel, guard->column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* 55I03 if the state, which the row enters, is paused. */
void
idem_machine_check_pause(const IdemGuardCall *call,
						 const IdemStatesGuard *guard, int state)
{
	const char *name = guard->machine->diagram.states[state].name;
	const IdemPause *pause = idem_paused("machine", guard->machine->name,
										 name, InvalidOid);

	if (unlikely(pause != NULL) && !idem_in_apply_worker())
		refuse_entry(call, guard, name, pause);
}

/* The state that a pause names, as the newest version has it: IdemPauseFind. */
static void
find_state(const char *name, const char *state, ArrayType *fk,
		   IdemPauseTarget *target)
{
	IdemMachine *machine;
	ListCell   *lc;
	int			n;

	idem_pause_refuse_argument("machine", "fk", fk != NULL);
	foreach(lc, idem_machine_guarded(name))
		idem_citus_refuse_pause(((IdemGuarded *) lfirst(lc))->relid);
	machine = idem_machine_load(name, 0);
	if (state == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", "state"),
				 errhint("It is the state that no row enters.")));
	n = idem_names_find(&machine->diagram.state_names, state, strlen(state));
	if (n < 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("state machine \"%s\" has no state \"%s\"", name,
						state)));
	if (machine->diagram.states[n].final_line > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("final state \"%s\" of state machine \"%s\" cannot be paused",
						state, name),
				 errdetail("Outcomes have to be stored, even while something is paused."),
				 errhint("Pause the state in which it begins.")));
	target->name = name;
	target->state = state;
	target->logged = name;
}

/* Called when the library is loaded. */
void
idem_machine_pause_init(void)
{
	idem_pause_register("machine", find_state);
}
