/*
 * doctor_judge.c
 *		What a command did to the guards of the tables that it touched.
 *
 * Two looks at the catalog, by the one definition (doctor_intact.c): as it is
 * now, and as it was before the command, which a snapshot of this transaction
 * with an older command shows.  What was not there before is refused: a new
 * problem; a guard's trigger that is gone, renamed or replaced; a column that
 * is gone, replaced or of another type.  What was wrong before does not stop
 * a command that makes it no worse.
 *
 * A guard whose parent table was dropped is taken off: it has no limit left.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/change.h"
#include "base/declare.h"
#include "base/kind.h"
#include "base/settings_write.h"
#include "doctor/doctor.h"
#include "doctor/doctor_look.h"

/* A command that is judged */
typedef struct Judgement
{
	IdemLook   *before;
	IdemLook   *after;
	List	   *found;			/* IdemProblem *, that the command made */
	List	   *orphans;		/* IdemGuard *, whose parent it dropped */
} Judgement;

/* ---------- which tables ---------- */

static int
compare_oids(const void *a, const void *b)
{
	Oid			left = *(const Oid *) a;
	Oid			right = *(const Oid *) b;

	return left < right ? -1 : left > right;
}

/* Is a table above it among the sorted ones? */
static bool
is_below_one(IdemLook *look, Oid relid, const Oid *relids, int n)
{
	ListCell   *lc;

	foreach(lc, idem_look_parents(look, relid))
	{
		Oid			parent = lfirst_oid(lc);

		if (bsearch(&parent, relids, n, sizeof(Oid), compare_oids) != NULL ||
			is_below_one(look, parent, relids, n))
			return true;
	}
	return false;
}

/* Does a guard stand on the table itself, and not only on one above? */
static bool
bears_guard(IdemLook *look, Oid relid)
{
	ListCell   *lc;

	foreach(lc, idem_look_triggers(look, relid))
	{
		IdemSeenTrigger *trigger = lfirst(lc);

		if (trigger->guard.kind != NULL && !trigger->is_clone)
			return true;
	}
	return false;
}

/* A look at the catalog as it was before command cid of this transaction */
static IdemLook *
look_before(CommandId cid)
{
	PushActiveSnapshot(GetLatestSnapshot());
	/* the one that was pushed is a copy of our own */
	GetActiveSnapshot()->curcid = cid;
	return idem_look_begin(GetActiveSnapshot(), false);
}

static void
look_at_tables(IdemLook *look, List *tables)
{
	ListCell   *lc;

	foreach(lc, tables)
		idem_look_at(look, lfirst_oid(lc));
}

static bool
one_bears_guard(IdemLook *look, List *tables)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		if (bears_guard(look, lfirst_oid(lc)))
			return true;
	}
	return false;
}

/*
 * The tables to look at, of those whose triggers or (relied) whose columns and
 * constraints were changed, and which are there: each once, and none below
 * another one, which is looked at with that, unless a guard stands on it.
 *
 * Of columns and constraints only a guard that stands on the table itself is
 * affected.  One that the command took off the table changed its triggers,
 * too.
 */
static List *
tables_to_look_at(IdemLook *look, List *touched, List *relied)
{
	int			n = 0;
	Oid		   *relids = palloc(sizeof(Oid) * (list_length(touched) +
											   list_length(relied) + 1));
	List	   *tables = NIL;
	ListCell   *lc;
	int			i;

	foreach(lc, touched)
	{
		if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(lfirst_oid(lc))))
			relids[n++] = lfirst_oid(lc);
	}
	foreach(lc, relied)
	{
		if (bears_guard(look, lfirst_oid(lc)))
			relids[n++] = lfirst_oid(lc);
	}
	qsort(relids, n, sizeof(Oid), compare_oids);
	for (i = 0; i < n; i++)
	{
		if ((i == 0 || relids[i] != relids[i - 1]) &&
			(n == 1 || bears_guard(look, relids[i]) ||
			 !is_below_one(look, relids[i], relids, n)))
			tables = lappend_oid(tables, relids[i]);
	}
	return tables;
}

/* ---------- what the command made ---------- */

static bool
is_orphan(const Judgement *j, Oid relid, const char *kind, const char *name)
{
	ListCell   *lc;

	foreach(lc, j->orphans)
	{
		IdemGuard  *guard = lfirst(lc);

		if (guard->relid == relid && strcmp(guard->kind->kind, kind) == 0 &&
			strcmp(guard->name, name) == 0)
			return true;
	}
	return false;
}

static void
add_found(Judgement *j, const IdemSeenTrigger *trigger, char *problem)
{
	const IdemSeenTrigger *deciding = idem_look_deciding(j->before, trigger);
	IdemProblem *found;

	if (deciding == NULL ||
		is_orphan(j, deciding->guard.relid, deciding->guard.kind->kind,
				  deciding->guard.name))
		return;
	found = palloc0(sizeof(IdemProblem));
	found->relid = deciding->guard.relid;
	found->kind = deciding->guard.kind->kind;
	found->name = deciding->guard.name;
	found->member = trigger->guard.relid;
	found->problem = problem;
	j->found = lappend(j->found, found);
}

/* The trigger of the same table and name */
static const IdemSeenTrigger *
same_name(const IdemLook *look, const IdemSeenTrigger *trigger)
{
	ListCell   *lc;

	foreach(lc, look->triggers)
	{
		IdemSeenTrigger *other = lfirst(lc);

		if (other->guard.relid == trigger->guard.relid &&
			strcmp(other->guard.name, trigger->guard.name) == 0)
			return other;
	}
	return NULL;
}

/* A trigger of a guard that is gone or is another one */
static void
compare_triggers(Judgement *j)
{
	ListCell   *lc;

	foreach(lc, j->before->triggers)
	{
		const IdemSeenTrigger *was = lfirst(lc);
		const IdemSeenTrigger *is = same_name(j->after, was);
		const char *verb = is == NULL ? "gone" : "another one";

		/*
		 * If one that refuses TRUNCATE is gone, the definition says so.  If
		 * the child of a running total was dropped, so was its guard.
		 */
		if (was->is_clone || was->guard.kind == NULL ||
			(OidIsValid(was->other) &&
			 !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(was->other))))
			continue;
		if (is == NULL || is->guard.kind != was->guard.kind ||
			is->other != was->other ||
			!idem_same_strings(is->guard.settings, was->guard.settings))
			add_found(j, was,
					  psprintf("trigger %s on %s is %s",
							   quote_identifier(was->guard.name),
							   idem_table_name(was->guard.relid), verb));
	}
}

/* Do values keep their meaning where the stored bytes stay as they are? */
static bool
same_kind_of_type(Oid before, Oid after)
{
	if (!SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(before)))
		return false;
	before = getBaseType(before);
	after = getBaseType(after);
	return before == after ||
		((before == TEXTOID || before == VARCHAROID) &&
		 (after == TEXTOID || after == VARCHAROID));
}

/* The column of that name that the same trigger names, or NULL */
static const IdemSeenColumn *
same_column(const IdemLook *look, const IdemSeenColumn *column)
{
	ListCell   *lc;

	foreach(lc, look->columns)
	{
		IdemSeenColumn *other = lfirst(lc);

		if (other->trigger->oid == column->trigger->oid &&
			strcmp(other->name, column->name) == 0)
			return other;
	}
	return NULL;
}

/* A column that is another one, of another type, or gone from a kept table */
static void
compare_columns(Judgement *j)
{
	ListCell   *lc;

	foreach(lc, j->before->columns)
	{
		const IdemSeenColumn *was = lfirst(lc);
		const IdemSeenTrigger *trigger = was->trigger;
		const IdemSeenColumn *is = same_column(j->after, was);
		const char *verb = NULL;

		if (is == NULL)
			verb = trigger->guard.kind->keeps_all ? "is gone" : NULL;
		else if (is->attnum != was->attnum)
			verb = "is another one";
		else if (!same_kind_of_type(was->type, is->type))
			verb = "has another type";
		if (verb != NULL && same_name(j->after, trigger) != NULL)
			add_found(j, trigger,
					  psprintf("column %s of %s %s",
							   quote_identifier(was->name),
							   idem_table_name(trigger->guard.relid), verb));
	}
}

/* Had the same guard this problem before, on that table? */
static bool
was_there(const IdemLook *before, const IdemProblem *problem, Oid member,
		  const char *str)
{
	ListCell   *lc;

	foreach(lc, before->problems)
	{
		IdemProblem *was = lfirst(lc);

		if (was->member == member && was->relid == problem->relid &&
			strcmp(was->problem, str) == 0 &&
			strcmp(was->name, problem->name) == 0 &&
			strcmp(was->kind, problem->kind) == 0)
			return true;
	}
	return false;
}

/* The table above which a table, or one above it, was put; or none */
static Oid
new_parent(const Judgement *j, Oid relid)
{
	List	   *parents;

	while ((parents = idem_look_parents(j->after, relid)) != NIL)
	{
		Oid			parent = linitial_oid(parents);

		if (!list_member_oid(idem_look_parents(j->before, relid), parent))
			return parent;
		relid = parent;
	}
	return InvalidOid;
}

/*
 * Where a table was put under another one, look at what that was like before.
 */
static void
look_at_new_parents(Judgement *j, List *tables)
{
	ListCell   *lc;

	if (j->after->problems == NIL)
		return;
	j->before->alone = true;
	foreach(lc, tables)
	{
		Oid			parent = new_parent(j, lfirst_oid(lc));

		if (OidIsValid(parent))
			idem_look_at(j->before, parent);
	}
}

/*
 * Has a new partition the problem that the table above it had?  Then the
 * server has copied it down, and it was there before.
 */
static bool
came_down(const Judgement *j, const IdemProblem *problem)
{
	Oid			parent = OidIsValid(problem->member) ?
		new_parent(j, problem->member) : InvalidOid;
	char	   *name;
	char	   *at;

	if (!OidIsValid(parent))
		return false;
	name = idem_table_name(problem->member);
	at = strstr(problem->problem, name);
	return at != NULL &&
		was_there(j->before, problem, parent,
				  psprintf("%.*s%s%s", (int) (at - problem->problem),
						   problem->problem, idem_table_name(parent),
						   at + strlen(name)));
}

static void
compare_problems(Judgement *j)
{
	ListCell   *lc;

	foreach(lc, j->after->problems)
	{
		IdemProblem *problem = lfirst(lc);

		if (!is_orphan(j, problem->relid, problem->kind, problem->name) &&
			!was_there(j->before, problem, problem->member, problem->problem) &&
			!came_down(j, problem))
			j->found = lappend(j->found, problem);
	}
}

/* ---------- a guard that lost its parent ---------- */

static void
find_orphans(Judgement *j)
{
	ListCell   *lc;

	foreach(lc, j->after->triggers)
	{
		const IdemSeenTrigger *trigger = lfirst(lc);
		const IdemSeenTrigger *counterpart;

		if (trigger->is_clone || trigger->guard.kind == NULL ||
			!trigger->guard.kind->decides)
			continue;
		counterpart = idem_look_counterpart(j->before, &trigger->guard);
		if (counterpart != NULL &&
			!SearchSysCacheExists1(RELOID,
								   ObjectIdGetDatum(counterpart->guard.relid)))
			j->orphans = lappend(j->orphans,
								 unconstify(IdemGuard *, &trigger->guard));
	}
}

static void
drop_orphan(const IdemGuard *guard)
{
	idem_take_guard_off(guard->relid, guard->name);
	idem_log_change("dropped", guard->kind->kind, guard->relid, guard->name,
					guard->settings, "the parent table was dropped");
}

/* ---------- all of it ---------- */

/*
 * Refuse what was found, or, if there is a reason to let it pass, note each
 * guard once, with the first thing that was done to it.
 */
static void
refuse_found(const Judgement *j, const char *command)
{
	ListCell   *lc;
	const IdemProblem *last = NULL;

	foreach(lc, j->found)
	{
		const IdemProblem *found = lfirst(lc);

		if (last == NULL || last->relid != found->relid ||
			strcmp(last->kind, found->kind) != 0 ||
			strcmp(last->name, found->name) != 0)
			idem_refuse_state(found->relid, found->kind, found->name, command,
							  found->problem);
		last = found;
	}
}

static int
compare_found(const ListCell *a, const ListCell *b)
{
	const IdemProblem *left = lfirst(a);
	const IdemProblem *right = lfirst(b);
	int			result = strcmp(left->kind, right->kind);

	if (left->relid != right->relid)
		return left->relid < right->relid ? -1 : 1;
	if (result == 0)
		result = strcmp(left->name, right->name);
	return result != 0 ? result : strcmp(left->problem, right->problem);
}

/* What of it was not there before: j->found and j->orphans. */
static void
compare(Judgement *j, List *tables)
{
	look_at_tables(j->before, tables);
	find_orphans(j);
	compare_triggers(j);
	compare_columns(j);
	look_at_new_parents(j, tables);
	compare_problems(j);
}

/*
 * A command that touched these tables, and began with command cid of the
 * transaction, is complete.  Connected to SPI.
 *
 * Where nothing is wrong now and no guard stood on the tables themselves, there
 * is nothing to compare with: so a command on one of many partitions mostly
 * needs no second look.
 */
void
idem_judge(List *touched, List *relied, CommandId cid, const char *command)
{
	Judgement	j = {NULL};
	List	   *tables;
	ListCell   *lc;

	j.after = idem_look_begin(NULL, false);
	tables = tables_to_look_at(j.after, touched, relied);
	if (tables == NIL)
		return;
	look_at_tables(j.after, tables);
	j.before = look_before(cid);
	if (j.after->problems != NIL || one_bears_guard(j.before, tables))
		compare(&j, tables);
	PopActiveSnapshot();
	list_sort(j.found, compare_found);
	refuse_found(&j, command);
	foreach(lc, j.orphans)
		drop_orphan(lfirst(lc));
}
