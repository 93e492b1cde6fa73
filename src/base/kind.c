/*
 * kind.c
 *		The kinds of guards there are.
 *
 * The registry is filled once, by _PG_init, and never changes.  A trigger
 * function is known by its name in schema idem: the OIDs differ from database
 * to database, and a backend sees one database only.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/settings_known.h"
#include "base/settings_trigger.h"
#include "base/settings_write.h"

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

/* The last part of its name, after that of the guard. */
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

/* Does a trigger that calls the function hold on shards? */
bool
idem_kind_holds_on_shards(const char *function)
{
	ListCell   *lc;

	foreach(lc, kinds)
	{
		const IdemGuardKind *kind = lfirst(lc);

		if (strcmp(kind->function, function) == 0)
			return kind->on_shards;
	}
	return false;
}

/* The kinds of guards that do: a, b, c */
char *
idem_kinds_on_shards(void)
{
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, kinds)
	{
		const IdemGuardKind *kind = lfirst(lc);

		if (kind->on_shards && kind->decides)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
							 kind->kind);
	}
	return names.data;
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

/* The same of a table that is not open; NIL if it is gone, else locked. */
List *
idem_guard_triggers_of(Oid relid)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	List	   *triggers;

	if (rel == NULL)
		return NIL;
	triggers = idem_guard_triggers(rel);
	relation_close(rel, NoLock);
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

/* Must no row of the guarded table go, so that TRUNCATE is refused, too? */
bool
idem_guard_keeps_rows(const IdemGuard *guard)
{
	const IdemGuardKind *kind = guard->kind;
	ListCell   *lc;

	foreach(lc, guard->settings)
	{
		if (kind->unless != NULL && strcmp(lfirst(lc), kind->unless) == 0)
			return false;
	}
	return kind->decides && kind->keeps_rows;
}

static List *
identity_of(const IdemGuard *guard)
{
	return idem_settings_identity(guard->settings, guard->kind->settings);
}

/* Have both the same identity: are they one guard, or its two sides? */
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
