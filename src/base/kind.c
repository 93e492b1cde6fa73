/*
 * kind.c
 *		The kinds of guards there are, and questions about their rows.
 *
 * The registry is filled once, by _PG_init, and never changes.  A trigger
 * function is known by its name in schema idem: the OIDs differ from database
 * to database, and a backend sees one database only.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/identity.h"
#include "base/kind.h"

/* const IdemGuardKind *, in TopMemoryContext */
static List *kinds = NIL;

/* The arguments of a trigger that refuses TRUNCATE. */
static const IdemSetting truncate_settings[] = {
	{"guard", IDEM_WORD, IDEM_SETTING_REQUIRED | IDEM_SETTING_IDENTITY, NULL},
	{NULL, IDEM_WORD, 0, NULL}
};

/* Called by each room from _PG_init; the struct lives for ever. */
void
idem_register_kind(const IdemGuardKind *kind)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	kinds = lappend(kinds, unconstify(IdemGuardKind *, kind));
	MemoryContextSwitchTo(old);
}

/* const IdemGuardKind *, in the order of the rooms */
List *
idem_all_kinds(void)
{
	return kinds;
}

/*
 * Is it the function of the triggers of a guard that fire once a statement?
 * Of those that refuse TRUNCATE, at least.
 */
bool
idem_is_statement_function(const char *function)
{
	ListCell   *lc;

	foreach(lc, kinds)
	{
		const IdemGuardKind *kind = lfirst(lc);

		if (kind->statement != NULL && strcmp(kind->statement, function) == 0)
			return true;
	}
	return strcmp(function, IDEM_TRUNCATE_FUNCTION) == 0;
}

/* The one that the triggers of a guard of this kind have to call. */
const char *
idem_statement_function(const IdemGuardKind *kind)
{
	return kind->statement != NULL ? kind->statement : IDEM_TRUNCATE_FUNCTION;
}

/* pg_trigger.tgtype of such a trigger */
int16
idem_statement_type(const char *function)
{
	if (strcmp(function, IDEM_TRUNCATE_FUNCTION) == 0)
		return TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE;
	return TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE |
		TRIGGER_TYPE_TRUNCATE;
}

/* The same for CREATE TRIGGER ... FOR EACH STATEMENT. */
const char *
idem_statement_events(const char *function)
{
	if (strcmp(function, IDEM_TRUNCATE_FUNCTION) == 0)
		return "BEFORE TRUNCATE";
	return "AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE";
}

/* What its name has behind that of the guard. */
const char *
idem_statement_word(const char *function)
{
	return strcmp(function, IDEM_TRUNCATE_FUNCTION) == 0 ?
		"truncate" : "statement";
}

/* What a trigger function of that name knows; NULL: it is none of a guard. */
const IdemSetting *
idem_known_settings(const char *function)
{
	ListCell   *lc;

	foreach(lc, kinds)
	{
		const IdemGuardKind *kind = lfirst(lc);

		if (strcmp(kind->function, function) == 0)
			return kind->settings;
	}
	return idem_is_statement_function(function) ? truncate_settings : NULL;
}

/* Does the function, if it still exists, live in schema idem? */
bool
idem_is_our_function(Oid function)
{
	Oid			schema = get_namespace_oid("idem", true);

	return OidIsValid(schema) && get_func_namespace(function) == schema;
}

/* The kind whose triggers call the function, or NULL. */
const IdemGuardKind *
idem_kind_of_function(Oid function)
{
	char	   *name;
	ListCell   *lc;

	if (!idem_is_our_function(function))
		return NULL;
	name = get_func_name(function);
	foreach(lc, kinds)
	{
		const IdemGuardKind *kind = lfirst(lc);

		if (strcmp(kind->function, name) == 0)
			return kind;
	}
	return NULL;
}

/* The deciding part of a kind of guard, or NULL. */
const IdemGuardKind *
idem_kind_named(const char *name)
{
	ListCell   *lc;

	foreach(lc, kinds)
	{
		const IdemGuardKind *kind = lfirst(lc);

		if (kind->decides && strcmp(kind->kind, name) == 0)
			return kind;
	}
	return NULL;
}

/* ---------- a guard and its settings ---------- */

/*
 * The kinds of guards that a table bears triggers of.
 *
 * Any look-up, and every lock that is waited for, can process an invalidation
 * and build the entry of an open relation anew: then rel->trigdesc, with its
 * arrays, names and arguments, is freed.  So the functions are copied out of
 * it first and looked up then, each of them once.
 */
static List *
kinds_borne(Relation rel, List **functions)
{
	List	   *borne = NIL;
	ListCell   *lc;
	int			i;

	*functions = NIL;
	for (i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
		*functions = list_append_unique_oid(*functions,
											rel->trigdesc->triggers[i].tgfoid);
	foreach(lc, *functions)
	{
		const IdemGuardKind *kind = idem_kind_of_function(lfirst_oid(lc));

		borne = lappend(borne, unconstify(IdemGuardKind *, kind));
	}
	return borne;
}

/* Does an open table bear a trigger of a guard? */
bool
idem_bears_guard(Relation rel)
{
	List	   *functions;
	ListCell   *lc;

	foreach(lc, kinds_borne(rel, &functions))
	{
		if (lfirst(lc) != NULL)
			return true;
	}
	return false;
}

/* The guard of a trigger, with its settings, in the current memory context. */
static IdemGuard *
copy_guard(Oid relid, const Trigger *trigger, const IdemGuardKind *kind)
{
	IdemGuard  *guard = palloc0(sizeof(IdemGuard));

	guard->relid = relid;
	guard->name = pstrdup(trigger->tgname);
	guard->settings = idem_settings_of_trigger(trigger);
	guard->kind = kind;
	return guard;
}

/*
 * The triggers of guards that an open table bears, IdemGuardTrigger *, in the
 * order in which they fire; a copy in the current memory context.
 */
List *
idem_guard_triggers(Relation rel)
{
	List	   *functions;
	List	   *borne = kinds_borne(rel, &functions);
	List	   *triggers = NIL;
	int			i;

	/* from here on nothing is looked up: see kinds_borne */
	for (i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];
		IdemGuardTrigger *found;
		ListCell   *f;
		ListCell   *k;

		forboth(f, functions, k, borne)
		{
			if (lfirst_oid(f) != trigger->tgfoid || lfirst(k) == NULL)
				continue;
			found = palloc0(sizeof(IdemGuardTrigger));
			found->kind = lfirst(k);
			found->guard = copy_guard(RelationGetRelid(rel), trigger,
									  found->kind);
			found->oid = trigger->tgoid;
			found->bound = trigger->tgconstrrelid;
			found->is_clone = trigger->tgisclone;
			triggers = lappend(triggers, found);
		}
	}
	return triggers;
}

/* The same of one trigger, a copy of what the relcache has. */
IdemGuard *
idem_guard_of_trigger(Oid relid, const Trigger *trigger)
{
	return copy_guard(relid, trigger, idem_kind_of_function(trigger->tgfoid));
}

/* 39P01 unless the arguments of the trigger are ones of a guard. */
void
idem_guard_require(const IdemGuard *guard)
{
	char	   *problem = guard->kind == NULL ? NULL :
		idem_settings_problem(guard->settings, guard->kind->settings);
	char	   *table = get_rel_name(guard->relid);

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" on table \"%s\" %s", guard->name,
						table ? table : "", problem),
				 errhint("Put guards on a table with the idem.guard_... functions.")));
}

static List *
identity_of(const IdemGuard *guard)
{
	return idem_settings_identity(guard->settings, guard->kind->settings);
}

/* Are they one guard by its identity, or the two sides of one? */
bool
idem_same_guard(const IdemGuard *a, const IdemGuard *b)
{
	return a->kind != NULL && b->kind != NULL &&
		strcmp(a->kind->kind, b->kind->kind) == 0 &&
		idem_same_strings(identity_of(a), identity_of(b));
}

/* Does a setting of the guard that is marked so name the column? */
bool
idem_guard_names_column(const IdemGuard *guard, int flag, const char *column)
{
	const IdemSetting *setting = guard->kind ? guard->kind->settings : NULL;

	for (; setting != NULL && setting->name != NULL; setting++)
	{
		ListCell   *lc;

		if ((setting->flags & flag) == 0)
			continue;
		foreach(lc, idem_setting_columns(guard->settings, setting))
		{
			if (strcmp(lfirst(lc), column) == 0)
				return true;
		}
	}
	return false;
}

/* The CHECK under which a guard of this kind keeps a column. */
char *
idem_check_name(const char *kind, const char *column)
{
	return idem_made_name("idem", list_make2(unconstify(char *, kind),
											 unconstify(char *, column)));
}

/* ---------- questions about rows ---------- */

/*
 * Run a query of one row as the current user; the result is in SPI_tuptable.
 *
 * All tables are locked before the snapshot is taken, partitions, too: to an
 * older snapshot a table that another session has rewritten meanwhile looks
 * empty.  Parsing locks the tables that are named, planning those below them.
 * The snapshot is the latest one at each isolation level.
 */
static void
run_query(const char *sql, Datum strings)
{
	Oid			types[1] = {TEXTARRAYOID};
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, strings == (Datum) 0 ? 0 : 1,
										  types,
										  CURSOR_OPT_GENERIC_PLAN |
										  CURSOR_OPT_PARALLEL_OK);
	CachedPlan *cached = plan ? SPI_plan_get_cached_plan(plan) : NULL;

	if (cached == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	ReleaseCachedPlan(cached, NULL);
	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_execute_plan(plan, &strings, NULL, true, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not run: %s", sql);
	PopActiveSnapshot();
	SPI_freeplan(plan);
}

/*
 * In PG_CATCH: throw the current error again.  What the server says of a
 * value that could not be computed can show the value, and a query of ours
 * reads rows that its caller may not: such a message stays in the log.
 */
static void
rethrow_without_values(MemoryContext context)
{
	ErrorData  *error;

	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
		PG_RE_THROW();
	FlushErrorState();
	ereport(LOG_SERVER_ONLY,
			(errcode(error->sqlerrcode),
			 errmsg("could not look at rows: %s", error->message)));
	ereport(ERROR,
			(errcode(error->sqlerrcode),
			 errmsg("data exception, SQLSTATE %s; the server's log has more",
					unpack_sql_state(error->sqlerrcode))));
}

/*
 * Run a query that counts offenders and shows one: NULL if there are none,
 * else "3 rows <what>", with the example for someone who may read the table.
 * Runs as the owner of that table; strings, a text[] or 0, is $1.
 */
char *
idem_count_offenders(Relation shown, const char *sql, Datum strings,
					 const char *what)
{
	MemoryContext context = CurrentMemoryContext;
	bool		may_read = idem_may_read(shown);
	IdemIdentity saved;
	char	   *rows;
	char	   *example;
	char	   *finding;

	idem_become_declarer(shown, &saved);
	/* fail rather than overlook rows that row security would hide */
	(void) set_config_option("row_security", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	PG_TRY();
	{
		run_query(sql, strings);
	}
	PG_CATCH();
	{
		rethrow_without_values(context);
	}
	PG_END_TRY();
	idem_restore_identity(&saved);

	rows = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	example = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	if (strcmp(rows, "0") == 0)
		return NULL;
	finding = psprintf("%s %s %s", rows, strcmp(rows, "1") == 0 ? "row" : "rows",
					   what);
	if (may_read && example != NULL)
		finding = psprintf("%s, for example %s", finding, example);
	return finding;
}

/*
 * Rows of a table that are not to leave it, of a guard that keeps them all
 * (IdemRowsCheck).  SELECT count(*), NULL FROM schema.table
 */
char *
idem_check_kept_rows(const IdemGuard *guard, Oid rows)
{
	Relation	rel = relation_open(rows, AccessShareLock);
	char	   *finding;

	finding = idem_count_offenders(rel,
								   psprintf("SELECT count(*), NULL::text FROM %s",
											idem_qualified_name(rel)),
								   (Datum) 0, "that are kept");
	relation_close(rel, AccessShareLock);
	return finding;
}

/* Does the error say something about this guard, and nothing more? */
static bool
is_finding(int sqlstate)
{
	int			class = ERRCODE_TO_CATEGORY(sqlstate);

	return class == ERRCODE_DATA_EXCEPTION ||
		class == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED);
}

static const char unseen[] = "rows could not be looked at: ";
static const char locked[] = "rows could not be looked at: another session holds a lock on them";

/* Does a finding of idem_ask_rows say that there is none? */
bool
idem_rows_unseen(const char *finding)
{
	return strncmp(finding, unseen, sizeof(unseen) - 1) == 0;
}

/* Does it say so because the lock did not come in time? */
bool
idem_rows_locked(const char *finding)
{
	return strcmp(finding, locked) == 0;
}

/* Wait for each lock only so long, until the (sub)transaction ends. */
static void
limit_lock_waits(int wait_ms)
{
	char		value[32];

	if (LockTimeout > 0 && LockTimeout < wait_ms)
		return;
	snprintf(value, sizeof(value), "%d", wait_ms);
	(void) set_config_option("lock_timeout", value, PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* The table of the guard is there and locked, and what a check says of it. */
static char *
run_check(IdemRowsCheck check, const IdemGuard *guard, Oid rows, int wait_ms)
{
	int			level = NewGUCNestLevel();
	char	   *finding;

	if (wait_ms > 0)
		limit_lock_waits(wait_ms);
	relation_close(idem_open_named(guard->relid), NoLock);
	idem_guard_require(guard);
	finding = check(guard, rows);
	AtEOXact_GUC(false, level);
	return finding;
}

/* What an error says, as a finding; or the error again. */
static char *
finding_of_error(ErrorData *error, int wait_ms)
{
	if (wait_ms > 0 && error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		return pstrdup(locked);
	if (!is_finding(error->sqlerrcode))
		ReThrowError(error);
	return psprintf("%s%s", unseen, error->message);
}

/*
 * What a check finds, in memory of the caller; NULL: nothing.  In a
 * subtransaction, so that what cannot be asked is a finding and no error; a
 * query that was cancelled, a deadlock or a lack of memory stays an error.
 *
 * wait_ms: how long to wait for a lock (55P03), which is a finding then; 0: as
 * long as the session does, and it is an error.
 */
char *
idem_ask_rows(IdemRowsCheck check, const IdemGuard *guard, Oid rows,
			  int wait_ms)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *finding = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		finding = run_check(check, guard, rows, wait_ms);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		finding = finding_of_error(error, wait_ms);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return finding;
}
