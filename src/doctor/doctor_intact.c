/*
 * doctor_intact.c
 *		What "intact" means: the one definition.
 *
 * idem.guards and the doctor ask it of all tables, the event triggers of those
 * that a command touched (doctor_judge.c).  A guard is intact if every table
 * that holds its rows bears its trigger as it was declared, and what the guard
 * relies on is there: its columns, their types and NOT NULL, the primary key,
 * the foreign key, the CHECKs, the counterpart.
 *
 * For a table that is named, the guards on it and on the tables above it are
 * judged, as far as they concern this table and those below it; what a guard
 * relies on is looked at only if its own table, or its parent, is named.  So
 * a command on one of many partitions costs as much as one partition does,
 * and a command on the table at the top as much as all of them.
 *
 * Nothing is opened or locked, and no row is read (that is doctor_rows.c).
 * Not seen: an attribute that a composite type lost.  The catalog does not say
 * whether that was before the guard was declared; the command that drops one
 * is refused, or kept in the change log (doctor_type.c).
 *
 * Shown by sql/doctor_intact.sql and
 * test/isolation/specs/doctor_ddl_locks.spec.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#include "base/declare.h"
#include "base/kind.h"
#include "base/kind_trigger.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "base/settings_write.h"
#include "doctor/doctor_look.h"

/* A trigger of a guard while it is judged */
typedef struct Part
{
	const IdemSeenTrigger *trigger;
	const IdemGuard *guard;		/* of the trigger that decides */
	bool		keeps_rows;		/* TRUNCATE has to be refused, too */
} Part;

/* A table as SQL wants its name. */
char *
idem_table_name(Oid relid)
{
	return DatumGetCString(DirectFunctionCall1(regclassout,
											   ObjectIdGetDatum(relid)));
}

/* ---------- problems ---------- */

static void
report(IdemLook *look, const IdemGuard *guard, Oid member, char *problem,
	   char *remedy)
{
	IdemProblem *found = palloc(sizeof(IdemProblem));

	found->relid = guard->relid;
	found->kind = guard->kind->kind;
	found->name = guard->name;
	found->member = member;
	found->problem = problem;
	found->remedy = remedy;
	look->problems = lappend(look->problems, found);
}

/*
 * The remedy where no single statement is one: "take the guard off ... and
 * declare it ..."
 */
static char *
declare_anew(const IdemGuard *guard, const char *where)
{
	return psprintf("take the guard off with idem.drop_guard(%s, %s, name => %s, reason => ...) and declare it %s",
					quote_literal_cstr(idem_table_name(guard->relid)),
					quote_literal_cstr(guard->kind->kind),
					quote_literal_cstr(guard->name), where);
}

/* Report what is wrong with a part of a guard, where no statement mends it */
static void
report_part(IdemLook *look, const Part *part, char *problem)
{
	report(look, part->guard, part->trigger->guard.relid, problem,
		   declare_anew(part->guard, "anew"));
}

/* ---------- the trigger, on each table that holds rows ---------- */

/* A table that holds rows of a guard, and its trigger there, or NULL */
typedef struct Member
{
	Oid			relid;
	Form_pg_class class;
	const IdemSeenTrigger *trigger;
} Member;

static char *
enable_always(Oid relid, const char *trigger)
{
	return psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s",
					idem_table_name(relid), quote_identifier(trigger));
}

/* What is wrong with a table that holds rows, or NULL */
static char *
table_problem(const Part *part, const Member *member, char **remedy)
{
	bool		is_foreign = member->class->relkind == RELKIND_FOREIGN_TABLE;
	Oid			bearer = part->trigger->guard.relid;
	char	   *table;

	if (!is_foreign && member->trigger != NULL)
		return NULL;
	table = idem_table_name(member->relid);
	if (is_foreign)
	{
		*remedy = psprintf("ALTER TABLE %s DETACH PARTITION %s",
						   idem_table_name(bearer), table);
		return psprintf("partition %s is a foreign table: what is written at its server is not judged",
						table);
	}
	if (!member->class->relispartition)
	{
		*remedy = psprintf("ALTER TABLE %s NO INHERIT %s", table,
						   idem_table_name(bearer));
		return psprintf("table %s inherits without the trigger", table);
	}
	*remedy = declare_anew(part->guard, "anew");
	return psprintf("trigger is missing on %s", table);
}

/* Does a trigger do all that it was made for? */
static bool
works(const IdemSeenTrigger *trigger)
{
	return trigger->enabled == TRIGGER_FIRES_ALWAYS && trigger->as_declared &&
		trigger->is_ours;
}

/* What is wrong with the trigger there, or NULL */
static char *
trigger_problem(const Part *part, const Member *member, char **remedy)
{
	const IdemSeenTrigger *trigger = member->trigger;
	bool		is_kept =
		member->class->relpersistence == RELPERSISTENCE_PERMANENT;
	char	   *table;

	if (works(trigger) && is_kept)
		return NULL;
	table = idem_table_name(member->relid);
	*remedy = enable_always(member->relid, trigger->guard.name);
	if (trigger->enabled == TRIGGER_DISABLED)
		return psprintf("trigger is disabled on %s", table);
	if (trigger->enabled != TRIGGER_FIRES_ALWAYS)
		return psprintf("trigger does not fire always on %s", table);
	*remedy = declare_anew(part->guard, "anew");
	if (!trigger->as_declared)
		return psprintf("trigger on %s does not fire as it was declared",
						table);
	if (!trigger->is_ours)
	{
		*remedy = pstrdup("DROP EXTENSION idem CASCADE, create it and declare every guard anew");
		return pstrdup("the trigger's function was replaced");
	}
	*remedy = psprintf("ALTER TABLE %s SET LOGGED", table);
	return psprintf("table %s is unlogged: a crash empties it", table);
}

/* The trigger of a table that fires once a statement for a guard, or NULL */
static const IdemSeenTrigger *
statement_trigger(IdemLook *look, Oid relid, const IdemGuard *guard)
{
	ListCell   *lc;

	foreach(lc, idem_look_triggers(look, relid))
	{
		const IdemSeenTrigger *trigger = lfirst(lc);
		const char *of = trigger->guard.kind ? NULL :
			idem_setting(trigger->guard.settings, "guard");

		if (of != NULL && strcmp(of, guard->name) == 0 &&
			strcmp(trigger->function->name,
				   idem_statement_function(guard->kind)) == 0)
			return trigger;
	}
	return NULL;
}

static char *
create_statement_trigger(Oid relid, const IdemGuard *guard)
{
	const char *function = idem_statement_function(guard->kind);
	char	   *word = pstrdup(idem_statement_word(function));
	char	   *table = idem_table_name(relid);
	const char *name;

	name = quote_identifier(idem_free_trigger_name(relid, guard->name,
												   list_make1(word)));
	return psprintf("CREATE TRIGGER %s %s ON %s FOR EACH STATEMENT EXECUTE FUNCTION idem.%s(%s, %s); ALTER TABLE %s ENABLE ALWAYS TRIGGER %s",
					name, idem_statement_events(function), table, function,
					quote_literal_cstr(IDEM_SETTINGS_GRAMMAR),
					quote_literal_cstr(psprintf("guard=%s", guard->name)),
					table, name);
}

/*
 * TRUNCATE is refused on each table, and totals are applied there at the end
 * of statements: the server makes no clones of such a trigger.
 */
static void
judge_statement(IdemLook *look, const Part *part, const Member *member)
{
	const IdemGuard *guard = part->guard;
	const IdemSeenTrigger *trigger = statement_trigger(look, member->relid,
													   guard);

	if (trigger != NULL && works(trigger) && trigger->problem == NULL)
		return;
	report(look, guard, member->relid,
		   psprintf(guard->kind->statement == NULL ? "%s can be truncated" :
					"%s can be truncated, and statements of several rows end with 39P01",
					idem_table_name(member->relid)),
		   trigger != NULL ? enable_always(member->relid, trigger->guard.name) :
		   create_statement_trigger(member->relid, guard));
}

/* A rule that takes statements away from the triggers */
static void
judge_rules(IdemLook *look, const Part *part, const Member *member)
{
	ListCell   *lc;

	if (!member->class->relhasrules)
		return;
	foreach(lc, idem_look_rows(look, RewriteRelationId,
							   RewriteRelRulenameIndexId,
							   Anum_pg_rewrite_ev_class, member->relid))
	{
		Form_pg_rewrite rule = IDEM_CATALOG_ROW(Form_pg_rewrite, lc);
		const char *name = quote_identifier(NameStr(rule->rulename));
		char	   *table = idem_table_name(member->relid);

		if (rule->ev_type != '1')
			report(look, part->guard, member->relid,
				   psprintf("rule %s of %s can take statements away from the trigger",
							name, table),
				   psprintf("DROP RULE %s ON %s", name, table));
	}
}

static void
judge_member(IdemLook *look, const Part *part, const Member *member)
{
	char	   *remedy = NULL;
	char	   *problem = table_problem(part, member, &remedy);

	if (problem == NULL)
		problem = trigger_problem(part, member, &remedy);
	if (problem != NULL)
		report(look, part->guard, member->relid, problem, remedy);
	if (member->class->relispartition &&
		member->relid == part->trigger->guard.relid)
		report(look, part->guard, member->relid,
			   psprintf("table %s has become a partition: rows that move to another one are not judged",
						idem_table_name(member->relid)),
			   declare_anew(part->guard, "on the partitioned table at the top"));
	judge_rules(look, part, member);
	if (part->keeps_rows && member->class->relkind != RELKIND_FOREIGN_TABLE &&
		(member->class->relispartition ||
		 member->relid == part->guard->relid))
		judge_statement(look, part, member);
}

/* The part of a guard that stands on a table, by its kind and name, or NULL */
static const IdemSeenTrigger *
trigger_on(IdemLook *look, Oid relid, const IdemGuard *guard)
{
	ListCell   *lc;

	foreach(lc, idem_look_triggers(look, relid))
	{
		const IdemSeenTrigger *trigger = lfirst(lc);

		if (trigger->guard.kind == guard->kind &&
			strcmp(trigger->guard.name, guard->name) == 0)
			return trigger;
	}
	return NULL;
}

/* The table, and those below it */
static void
judge_members(IdemLook *look, const Part *part, Oid relid)
{
	Member		member = {relid, idem_look_class(look, relid), NULL};
	ListCell   *lc;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (member.class == NULL)
		return;
	member.trigger = trigger_on(look, relid, &part->trigger->guard);
	judge_member(look, part, &member);
	if (look->alone || !member.class->relhassubclass)
		return;
	foreach(lc, idem_look_children(look, relid))
		judge_members(look, part, lfirst_oid(lc));
}

/* ---------- what a guard relies on ---------- */

static Form_pg_attribute
find_column(List *attributes, const char *name)
{
	ListCell   *lc;
	NameData	wanted;

	namestrcpy(&wanted, name);
	foreach(lc, attributes)
	{
		Form_pg_attribute att = IDEM_CATALOG_ROW(Form_pg_attribute, lc);

		if (!att->attisdropped && att->attnum > 0 &&
			strcmp(NameStr(att->attname), NameStr(wanted)) == 0)
			return att;
	}
	return NULL;
}

/* For the comparison of what was before a command with what is after it */
static void
note_column(IdemLook *look, const Part *part, Form_pg_attribute att)
{
	IdemSeenColumn *column = palloc(sizeof(IdemSeenColumn));

	column->trigger = part->trigger;
	column->name = pstrdup(NameStr(att->attname));
	column->attnum = att->attnum;
	column->type = att->atttypid;
	look->columns = lappend(look->columns, column);
}

/* The CHECK of a column that idem writes */
static void
judge_check(IdemLook *look, const Part *part, const char *column)
{
	char	   *name = idem_check_name(part->guard->kind->kind, column);
	ListCell   *lc;

	foreach(lc, idem_look_rows(look, ConstraintRelationId,
							   ConstraintRelidTypidNameIndexId,
							   Anum_pg_constraint_conrelid,
							   part->trigger->guard.relid))
	{
		Form_pg_constraint con = IDEM_CATALOG_ROW(Form_pg_constraint, lc);

		if (con->contype == CONSTRAINT_CHECK &&
			strcmp(NameStr(con->conname), name) == 0)
			return;
	}
	report_part(look, part,
				psprintf("the parent %s has no CHECK %s",
						 idem_table_name(part->trigger->guard.relid),
						 quote_identifier(name)));
}

/* Not the type of a column as it was before DROP TYPE */
static bool
type_exists(Oid type)
{
	return SearchSysCacheExists1(TYPEOID, ObjectIdGetDatum(type));
}

/* A column that a setting names */
static void
judge_column(IdemLook *look, const Part *part, const IdemSetting *setting,
			 const char *name, List *attributes)
{
	const IdemGuardKind *kind = part->trigger->guard.kind;
	char	   *table = idem_table_name(part->trigger->guard.relid);
	const char *quoted = quote_identifier(name);
	Form_pg_attribute att = find_column(attributes, name);

	if (att == NULL)
	{
		report_part(look, part,
					psprintf("column %s of %s is gone", quoted, table));
		return;
	}
	if (!kind->keeps_all)
		note_column(look, part, att);
	if (kind->takes_type != NULL && type_exists(att->atttypid) &&
		!kind->takes_type(setting->name, getBaseType(att->atttypid)))
		report_part(look, part,
					psprintf("column %s of %s has type %s, which the guard cannot read",
							 quoted, table,
							 format_type_with_typemod(att->atttypid,
													  att->atttypmod)));
	if (setting->flags & IDEM_SETTING_NOT_NULL && !att->attnotnull)
		report(look, part->guard, part->trigger->guard.relid,
			   psprintf("column %s of %s can be null", quoted, table),
			   psprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", table,
						quoted));
}

static void
judge_columns(IdemLook *look, const Part *part)
{
	const IdemGuard *guard = &part->trigger->guard;
	List	   *attributes = idem_look_rows(look, AttributeRelationId,
											AttributeRelidNumIndexId,
											Anum_pg_attribute_attrelid,
											guard->relid);
	const IdemSetting *setting;
	ListCell   *lc;

	for (setting = guard->kind->settings; setting->name != NULL; setting++)
	{
		foreach(lc, setting->flags & IDEM_SETTING_STAYS ?
				idem_setting_list(guard->settings, setting->name) :
				idem_setting_columns(guard->settings, setting))
		{
			judge_column(look, part, setting, lfirst(lc), attributes);
			if (setting->flags & IDEM_SETTING_KEPT)
				judge_check(look, part, lfirst(lc));
		}
	}
	if (!guard->kind->keeps_all)
		return;
	foreach(lc, attributes)
	{
		Form_pg_attribute att = IDEM_CATALOG_ROW(Form_pg_attribute, lc);

		if (att->attnum > 0 && !att->attisdropped)
			note_column(look, part, att);
	}
}

/*
 * The key that names the rows: a deferrable one is none
 * (idem_row_key_columns).
 */
static void
judge_primary_key(IdemLook *look, const Part *part)
{
	Oid			relid = part->trigger->guard.relid;
	ListCell   *lc;

	foreach(lc, idem_look_rows(look, IndexRelationId, IndexIndrelidIndexId,
							   Anum_pg_index_indrelid, relid))
	{
		Form_pg_index index = IDEM_CATALOG_ROW(Form_pg_index, lc);

		if (index->indisprimary && index->indimmediate)
			return;
	}
	report(look, part->guard, relid,
		   psprintf("table %s has no primary key", idem_table_name(relid)),
		   psprintf("ALTER TABLE %s ADD PRIMARY KEY (...)", idem_table_name(relid)));
}

/* Has the kind a counterpart on another table? */
static bool
has_counterpart(const IdemGuardKind *kind)
{
	ListCell   *lc;

	foreach(lc, idem_all_kinds())
	{
		const IdemGuardKind *other = lfirst(lc);

		if (!other->decides && strcmp(other->kind, kind->kind) == 0)
			return true;
	}
	return false;
}

/*
 * The counterpart of a guard, on one of the tables that the guarded one
 * references, or NULL
 */
const IdemSeenTrigger *
idem_look_counterpart(IdemLook *look, const IdemGuard *guard)
{
	ListCell   *lc;
	ListCell   *t;

	foreach(lc, idem_look_rows(look, ConstraintRelationId,
							   ConstraintRelidTypidNameIndexId,
							   Anum_pg_constraint_conrelid, guard->relid))
	{
		Form_pg_constraint con = IDEM_CATALOG_ROW(Form_pg_constraint, lc);

		if (con->contype != CONSTRAINT_FOREIGN)
			continue;
		foreach(t, idem_look_triggers(look, con->confrelid))
		{
			const IdemSeenTrigger *trigger = lfirst(t);

			if (trigger->guard.kind != NULL && !trigger->guard.kind->decides &&
				trigger->other == guard->relid && !trigger->is_clone &&
				idem_same_guard(&trigger->guard, guard))
				return trigger;
		}
	}
	return NULL;
}

/* A query of a table above would show rows that are not judged beside ours. */
static void
judge_parents(IdemLook *look, const Part *part)
{
	Oid			relid = part->trigger->guard.relid;
	Form_pg_class class = idem_look_class(look, relid);
	ListCell   *lc;

	if (class == NULL || class->relispartition)
		return;
	foreach(lc, idem_look_parents(look, relid))
	{
		char	   *table = idem_table_name(relid);
		char	   *parent = idem_table_name(lfirst_oid(lc));

		report(look, part->guard, relid,
			   psprintf("table %s inherits from %s, which shows its rows beside others that are not judged",
						table, parent),
			   psprintf("ALTER TABLE %s NO INHERIT %s", table, parent));
	}
}

/* What a part of a guard relies on, on the table that bears it */
static void
judge_part(IdemLook *look, const Part *part)
{
	const IdemSeenTrigger *trigger = part->trigger;
	const IdemGuard *guard = &trigger->guard;
	const IdemGuardKind *kind = guard->kind;
	char	   *problem;

	if (trigger->problem != NULL)
		report_part(look, part, psprintf("trigger on %s %s",
										 idem_table_name(guard->relid),
										 trigger->problem));
	judge_parents(look, part);
	if (kind->needs_key)
		judge_primary_key(look, part);
	if (trigger->problem != NULL)
		return;
	judge_columns(look, part);
	problem = kind->check_shape ? kind->check_shape(guard, look->snapshot) :
		NULL;
	if (problem == NULL && kind->decides && has_counterpart(kind) &&
		idem_look_counterpart(look, guard) == NULL)
		problem = psprintf("the parent bears no trigger of this %s",
						   kind->kind);
	if (problem != NULL)
		report_part(look, part, problem);
}

/* ---------- a table ---------- */

/* A trigger of a table of the extension: all of them fire always. */
static void
judge_own_triggers(IdemLook *look, Oid relid)
{
	static const IdemGuardKind extension = {.kind = "extension",.decides = true};
	ListCell   *lc;

	foreach(lc, idem_look_rows(look, TriggerRelationId,
							   TriggerRelidNameIndexId,
							   Anum_pg_trigger_tgrelid, relid))
	{
		Form_pg_trigger trigger = IDEM_CATALOG_ROW(Form_pg_trigger, lc);
		IdemSeenTrigger *seen;

		if (trigger->tgisinternal)
			continue;
		seen = palloc0(sizeof(IdemSeenTrigger));
		seen->guard.relid = relid;
		seen->guard.name = pstrdup(NameStr(trigger->tgname));
		seen->guard.kind = &extension;
		look->triggers = lappend(look->triggers, seen);
		if (trigger->tgenabled != TRIGGER_FIRES_ALWAYS)
			report(look, &seen->guard, relid,
				   psprintf("trigger does not fire always on %s",
							idem_table_name(relid)),
				   enable_always(relid, seen->guard.name));
	}
}

/*
 * A temporary table counts as having no guard, since nobody else could mend
 * it; nor is one judged that was dropped with the command.
 */
static bool
may_be_guarded(Oid relid)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)) &&
		get_rel_persistence(relid) != RELPERSISTENCE_TEMP;
}

/* Where a trigger stands on a table above, or on the table itself */
static void
judge_trigger(IdemLook *look, const IdemSeenTrigger *trigger, Oid relid)
{
	const IdemSeenTrigger *deciding = idem_look_deciding(look, trigger);
	Part		part = {trigger, NULL, idem_guard_keeps_rows(&trigger->guard)};

	if (deciding == NULL || !may_be_guarded(deciding->guard.relid))
		return;
	part.guard = &deciding->guard;
	judge_members(look, &part, relid);
	if (trigger->guard.relid == relid)
		judge_part(look, &part);
}

/* The guards that stand on a table, for itself and what is below a member */
static void
judge_from(IdemLook *look, Oid relid, Oid member)
{
	ListCell   *lc;

	check_stack_depth();
	foreach(lc, idem_look_triggers(look, relid))
	{
		IdemSeenTrigger *trigger = lfirst(lc);

		if (relid == member)
			look->triggers = lappend(look->triggers, trigger);
		if (trigger->guard.kind != NULL && !trigger->is_clone)
			judge_trigger(look, trigger, member);
	}
	if (look->all)
		return;
	foreach(lc, idem_look_parents(look, relid))
		judge_from(look, lfirst_oid(lc), member);
}

/* Judge the guards of a table that a command touched. */
void
idem_look_at(IdemLook *look, Oid relid)
{
	judge_from(look, relid, relid);
	if (get_rel_namespace(relid) == get_namespace_oid("idem", true))
		judge_own_triggers(look, relid);
}

/* Judge all there are. */
void
idem_look_at_all(IdemLook *look)
{
	ListCell   *lc;

	foreach(lc, idem_look_tables(look))
		judge_from(look, lfirst_oid(lc), lfirst_oid(lc));
	foreach(lc, idem_look_rows(look, RelationRelationId, InvalidOid,
							   Anum_pg_class_relnamespace,
							   get_namespace_oid("idem", false)))
	{
		Form_pg_class class = IDEM_CATALOG_ROW(Form_pg_class, lc);

		if (class->relhastriggers)
			judge_own_triggers(look, class->oid);
	}
}

/* ---------- as SQL sees it ---------- */

static void
put_problem(ReturnSetInfo *rsinfo, const IdemProblem *problem)
{
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = ObjectIdGetDatum(problem->relid);
	values[1] = CStringGetTextDatum(problem->kind);
	values[2] = CStringGetTextDatum(problem->name);
	values[3] = CStringGetTextDatum(problem->problem);
	values[4] = CStringGetTextDatum(problem->remedy);
	values[5] = ObjectIdGetDatum(problem->member);
	nulls[5] = !OidIsValid(problem->member);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * problems_of(relations regclass[])
 *		-> TABLE (relation, kind, name, problem, remedy, member)
 */
PG_FUNCTION_INFO_V1(idem_problems_of);
Datum
idem_problems_of(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	bool		all = PG_ARGISNULL(0);
	IdemLook   *look;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	look = idem_look_begin(NULL, all);
	if (all)
		idem_look_at_all(look);
	else
	{
		Datum	   *relids;
		bool	   *nulls;
		int			n;
		int			i;

		deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), REGCLASSOID, sizeof(Oid),
						  true, TYPALIGN_INT, &relids, &nulls, &n);
		for (i = 0; i < n; i++)
		{
			if (!nulls[i])
				idem_look_at(look, DatumGetObjectId(relids[i]));
		}
	}
	foreach(lc, look->problems)
		put_problem(rsinfo, lfirst(lc));
	return (Datum) 0;
}
