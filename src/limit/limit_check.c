/*
 * limit_check.c
 *		The CHECK of a limit, in the words of a limit.
 *
 * The triggers of a guard judge what is stored.  Before that the server looks
 * at the CHECKs of the table: a cap that is lowered below what is used, or a
 * total that is written, meets CHECK idem_limit_<total> first.  What a client
 * would have heard of the guard, 23I07, it hears of the CHECK, too.
 *
 * A callback of the error that is under way says it otherwise; it looks at
 * nothing but that error.  A row that is inserted with such a cap is 23514, as
 * with any CHECK.  Cost: none that could be told, two assignments a
 * run of a statement that writes.
 *
 * Not promised: that a CHECK of the same name was made by a limit.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "utils/memutils.h"

#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "limit/limit_rows.h"

#define CHECK_PREFIX	"idem_limit_"

/* A statement that writes, while it runs */
typedef struct Run
{
	ErrorContextCallback callback;	/* must be first */
	bool		updates;		/* rows that are there */
} Run;

static ExecutorRun_hook_type next_executor_run = NULL;

static void say_limit(void *arg);

/* The error that is under way, where a copy may be; what it says is not ours */
static ErrorData *
error_under_way(void)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);
	ErrorData  *error = CopyErrorData();

	MemoryContextSwitchTo(old);
	return error;
}

/* Is this the statement that raised it, and not one around that? */
static bool
is_innermost(const Run *run)
{
	ErrorContextCallback *callback = error_context_stack;

	while (callback != NULL && callback->callback != say_limit)
		callback = callback->previous;
	return callback == &run->callback;
}

/* Is it the error of a CHECK that a limit has made? */
static bool
is_of_limit(const ErrorData *error)
{
	return error->elevel == ERROR && error->constraint_name != NULL &&
		error->table_name != NULL &&
		strncmp(error->constraint_name, CHECK_PREFIX,
				strlen(CHECK_PREFIX)) == 0;
}

static void
say_limit(void *arg)
{
	const Run  *run = arg;
	ErrorData  *error;

	if (geterrcode() != ERRCODE_CHECK_VIOLATION || !run->updates ||
		!is_innermost(run))
		return;
	error = error_under_way();
	if (is_of_limit(error))
	{
		errcode(ERRCODE_IDEM_FIXED_COLUMN);
		errmsg("row of table \"%s\" cannot have less than its running total \"%s\"",
			   error->table_name,
			   error->constraint_name + strlen(CHECK_PREFIX));
		errhint("Amounts that count against a limit stay counted: the cap cannot go below them, and only the guard writes the total.");
	}
	/* a transaction can catch any number of them */
	FreeErrorData(error);
}

/* Does the statement change rows that are there?  A new one used nothing. */
static bool
updates(const QueryDesc *query)
{
	Plan	   *plan = query->plannedstmt->planTree;

	if (query->operation == CMD_INSERT)
		return plan != NULL && IsA(plan, ModifyTable) &&
			((ModifyTable *) plan)->onConflictAction == ONCONFLICT_UPDATE;
	return true;
}

static void
limit_executor_run(IDEM_EXECUTOR_RUN_ARGS)
{
	Run			run = {{error_context_stack, say_limit, &run}, false};
	bool		writes = query->operation != CMD_SELECT ||
		query->plannedstmt->hasModifyingCTE;

	if (writes)
	{
		run.updates = updates(query);
		error_context_stack = &run.callback;
	}
	if (next_executor_run != NULL)
		next_executor_run(IDEM_EXECUTOR_RUN_VALUES);
	else
		standard_ExecutorRun(IDEM_EXECUTOR_RUN_VALUES);
	if (writes)
		error_context_stack = run.callback.previous;
}

/* Called once, when the library is loaded */
void
idem_limit_check_init(void)
{
	next_executor_run = ExecutorRun_hook;
	ExecutorRun_hook = limit_executor_run;
}
