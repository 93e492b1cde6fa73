/*
 * pair_rows.c
 *		Do the states of the rows agree?
 *
 * The guard judges what is written while it stands.  These read all rows, for
 * a declaration, for idem.validate_guard() and for the doctor, or those of a
 * table that becomes a partition, under one snapshot, as the owner of the
 * parent, as whom no code of the child's owner may run: states are compared by
 * the equality of their type (total_sums.c).
 *
 * With judge => 'entry' there is nothing to look at: a child stays whatever
 * becomes of its parent.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_trigger.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/qualified.h"
#include "base/right.h"
#include "base/row.h"
#include "base/rows.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "base/settings_write.h"
#include "pair/pair.h"
#include "pair/pair_rows.h"
#include "total/total_rows.h"
#include "total/total_source.h"

/* ------------------------------------------------------------------------
 * As SQL
 * ------------------------------------------------------------------------
 */

/* One case more in which rows c and p disagree */
static void
add_case(StringInfo sql, const char *children, Relation parent,
		 const char *column, List *names)
{
	if (idem_total_is_everything(names))
		return;
	appendStringInfo(sql, "%s(%s AND %s IS NOT TRUE)",
					 sql->len > 0 ? " OR " : "", children,
					 idem_total_state_sql(RelationGetRelid(parent), "p", column,
										  names));
}

/* In which cases do child c and parent p disagree?  NULL: in none. */
static char *
broken_sql(List *settings, Relation child, Relation parent)
{
	const char *state = idem_setting(settings, "state");
	const char *column = idem_setting(settings, "parent_state");
	List	   *facts = idem_setting_list(settings, "facts");
	List	   *others = list_copy(facts);
	List	   *rest = NIL;
	List	   *states;
	List	   *names;
	StringInfoData sql;
	ListCell   *s;
	ListCell   *n;

	initStringInfo(&sql);
	idem_setting_map(settings, "allowed", &states, &names);
	forboth(s, states, n, names)
	{
		List	   *of = idem_text_list(lfirst(n));
		char	   *name = lfirst(s);
		char	   *children;

		if (strcmp(name, "*") == 0)
		{
			rest = of;
			continue;
		}
		others = lappend(others, name);
		children = idem_total_state_sql(RelationGetRelid(child), "c", state,
										list_make1(name));
		if (facts != NIL)
			children = psprintf("%s AND %s IS NOT TRUE", children,
								idem_total_state_sql(RelationGetRelid(child), "c",
													 state, facts));
		add_case(&sql, children, parent, column, of);
	}
	if (rest != NIL)
		add_case(&sql, psprintf("%s IS NOT TRUE",
								idem_total_state_sql(RelationGetRelid(child), "c",
													 state, others)),
				 parent, column, rest);
	return sql.len > 0 ? sql.data : NULL;
}

/* The same of facts. */
static char *
broken_facts_sql(List *settings, Relation child, Relation parent)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, idem_setting_list(settings, "facts"))
		add_case(&sql,
				 idem_total_state_sql(RelationGetRelid(child), "c",
									  idem_setting(settings, "state"),
									  list_make1(lfirst(lc))),
				 parent, idem_setting(settings, "parent_state"),
				 idem_pair_fact_parents(settings, lfirst(lc)));
	return sql.len > 0 ? sql.data : NULL;
}

/* FROM child c JOIN parent p ON ... WHERE ... */
static char *
from_sql(Relation child, Relation parent, const IdemTotalKey *key,
		 const char *condition)
{
	return psprintf("FROM %s c JOIN %s p ON %s WHERE (%s)",
					idem_qualified_name(child), idem_qualified_name(parent),
					idem_total_join_sql(key, NULL), condition);
}

/* "sent", or null */
static char *
shown_sql(const char *table, const char *column)
{
	const char *name = quote_identifier(column);

	return psprintf("CASE WHEN %s.%s IS NULL THEN 'null' ELSE pg_catalog.format('\"%%s\"', %s.%s) END",
					table, name, table, name);
}

/* 7 is "sent" while order 4711 is "shipped" */
static char *
example_sql(List *settings, Relation child, Relation parent,
			const IdemTotalKey *key)
{
	const char *state = idem_setting(settings, "state");
	const char *column = idem_setting(settings, "parent_state");

	return psprintf("pg_catalog.format('%%s is %%s while %%s %%s is %%s', %s, %s, %s, %s, %s)",
					idem_row_key_columns(child) == NULL ? "'a row'" :
					idem_row_key_sql(child, "c"),
					state == NULL ? "'there'" : shown_sql("c", state),
					quote_literal_cstr(RelationGetRelationName(parent)),
					idem_total_key_sql(key), shown_sql("p", column));
}

/* Examples of rows that disagree, one a row, in an order; NULL: none can. */
char *
idem_pair_offenders_sql(List *settings, Relation child, Relation parent,
						const IdemTotalKey *key)
{
	char	   *condition = broken_sql(settings, child, parent);

	return condition == NULL ? NULL :
		psprintf("SELECT %s %s ORDER BY 1",
				 example_sql(settings, child, parent, key),
				 from_sql(child, parent, key, condition));
}

/* ------------------------------------------------------------------------
 * Questions
 * ------------------------------------------------------------------------
 */

/* Rows that are counted, among those of a table that is part of the child */
static char *
count_rows(const IdemGuard *guard, Oid part, bool facts)
{
	Relation	child = relation_open(guard->relid, AccessShareLock);
	IdemTotalKey key;
	Relation	parent;
	char	   *condition;
	char	   *finding = NULL;

	idem_total_find_key(guard->relid,
						idem_setting_list(guard->settings, "fk"),
						ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, &key);
	parent = relation_open(key.parent, AccessShareLock);
	condition = facts ? broken_facts_sql(guard->settings, child, parent) :
		broken_sql(guard->settings, child, parent);
	if (condition != NULL && part != guard->relid)
		condition = psprintf("(%s) AND %s", condition,
							 idem_total_stored_in_sql(part));
	if (condition != NULL)
		finding = idem_count_offenders(parent,
									   psprintf("SELECT count(*), min(%s COLLATE \"C\") %s",
												idem_may_read(child) ?
												example_sql(guard->settings,
															child, parent,
															&key) :
												"NULL::text",
												from_sql(child, parent, &key,
														 condition)),
									   (Datum) 0,
									   psprintf("whose state does not go with that of table \"%s\"",
												RelationGetRelationName(parent)));
	relation_close(parent, AccessShareLock);
	relation_close(child, AccessShareLock);
	return finding;
}

static bool
is_entry(const IdemGuard *guard)
{
	return idem_setting_is(guard->settings, "judge", "entry");
}

static char *
check_pairs(const IdemGuard *guard, Oid rows)
{
	return is_entry(guard) ? NULL : count_rows(guard, guard->relid, false);
}

static char *
check_attached_pairs(const IdemGuard *guard, Oid rows)
{
	return is_entry(guard) ? NULL : count_rows(guard, rows, false);
}

static char *
check_facts(const IdemGuard *guard, Oid rows)
{
	return is_entry(guard) ? NULL : count_rows(guard, guard->relid, true);
}

static bool
takes_type(const char *setting, Oid type)
{
	return (strcmp(setting, "state") != 0 &&
			strcmp(setting, "parent_state") != 0) || idem_pair_takes(type);
}

/* ------------------------------------------------------------------------
 * The kind
 * ------------------------------------------------------------------------
 */

#define NAMES_COLUMNS	(IDEM_SETTING_REQUIRED | IDEM_SETTING_COLUMN)

static const IdemSetting pair_settings[] = {
	{"fk", IDEM_LIST, NAMES_COLUMNS | IDEM_SETTING_NOT_NULL |
	IDEM_SETTING_IDENTITY, NULL},
	{"state", IDEM_WORD, IDEM_SETTING_COLUMN | IDEM_SETTING_IDENTITY, NULL},
	{"parent_state", IDEM_WORD, IDEM_SETTING_REQUIRED | IDEM_SETTING_IDENTITY,
	NULL},
	{"allowed", IDEM_MAP, IDEM_SETTING_REQUIRED, NULL},
	{"facts", IDEM_LIST, 0, NULL},
	{"judge", IDEM_CHOICE, IDEM_SETTING_REQUIRED, "row|entry"},
	{"deferred", IDEM_CHOICE, 0, "true"},
	{NULL, IDEM_WORD, 0, NULL}
};

static const IdemSetting parent_settings[] = {
	{"fk", IDEM_LIST, IDEM_SETTING_REQUIRED | IDEM_SETTING_IDENTITY, NULL},
	{"key", IDEM_LIST, NAMES_COLUMNS, NULL},
	{"state", IDEM_WORD, IDEM_SETTING_IDENTITY, NULL},
	{"parent_state", IDEM_WORD, NAMES_COLUMNS | IDEM_SETTING_IDENTITY, NULL},
	{"allowed", IDEM_MAP, IDEM_SETTING_REQUIRED, NULL},
	{"facts", IDEM_LIST, 0, NULL},
	{"judge", IDEM_CHOICE, IDEM_SETTING_REQUIRED, "row|entry"},
	{"deferred", IDEM_CHOICE, 0, "true"},
	{NULL, IDEM_WORD, 0, NULL}
};

static const int16 pair_types[] = {
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
	TRIGGER_TYPE_DELETE, 0
};

static const IdemGuardKind pair_kind = {
	.kind = "pair",
	.function = IDEM_PAIR_FUNCTION,
	.decides = true,
	.declares = "guard_parent_state",
	.settings = pair_settings,
	.types = pair_types,
	.defers = true,
	.check_rows = check_pairs,
	.validates = true,
	.remedy = "find out who wrote past the guard, and bring one of the two rows into a state that goes with the other's",
	.check_open = check_facts,
	.open_remedy = "what these rows record has happened: bring the parent into a state that goes with it, and settle what that means",
	.check_attached = check_attached_pairs,
	.check_shape = idem_pair_shape_problem,
	.takes_type = takes_type
};

static const IdemGuardKind parent_kind = {
	.kind = "pair",
	.function = IDEM_PAIR_COUNTERPART,
	.decides = false,
	.settings = parent_settings,
	.types = pair_types,
	.defers = true,
	.takes_type = takes_type
};

/* Called once, when the library is loaded */
void
idem_pair_rows_init(void)
{
	idem_register_kind(&pair_kind);
	idem_register_kind(&parent_kind);
	idem_pair_entry_init();
}
