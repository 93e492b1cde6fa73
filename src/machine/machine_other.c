/*
 * machine_other.c
 *		An edge for everybody but the login that made the row.
 *
 * One person proposes by inserting a row, and another one approves it:
 *
 *		proposed --> approved : approve [role approver] [other]
 *
 * The history of a row says who made it: the session user of its first entry.
 * Nobody can say whether the caller made a row without history, so it is
 * refused, and such a machine cannot be guarded with history => false.
 *
 * Cost: the history of the row is read when such an edge is taken.
 *
 * Not promised: anything against a superuser, who may be any session user, or
 * against a person that has two logins.
 *
 * Shown by sql/machine_other.sql.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/rel.h"

#include "base/guard.h"
#include "base/row.h"
#include "machine/machine.h"

/* Did another login make the row, as it was before? */
bool
idem_machine_is_other(const IdemGuardCall *call, const IdemStatesGuard *guard)
{
	char	   *maker = idem_log_maker(guard->root, guard->column_name,
									   idem_machine_key_of_row(guard->row_key,
															   call->before));

	return maker != NULL &&
		strcmp(maker, GetUserNameFromId(GetSessionUserId(), false)) != 0;
}

/* 42501 */
void
idem_machine_refuse_maker(const IdemGuardCall *call,
						  const IdemStatesGuard *guard, const char *state)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("row%s of table \"%s\" is changed to state \"%s\" only by another login than the one that made it",
					idem_readable_key(call->rel, call->before),
					RelationGetRelationName(call->rel), state),
			 errhint("The first entry of idem.history says which one that was."),
			 errtablecol(call->rel, guard->column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* 42P17 for a guard that could not tell who made a row. */
void
idem_machine_check_history(const IdemMachine *machine, bool history)
{
	int			i;

	for (i = 0; i < machine->diagram.edge_count && !history; i++)
	{
		if (machine->diagram.edges[i].other)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("state machine \"%s\" needs the history of its rows",
							machine->name),
					 errdetail("Its edge in line %d is for another login than the one that made the row.",
							   machine->diagram.edges[i].line),
					 errhint("Leave out history => false.")));
	}
}
