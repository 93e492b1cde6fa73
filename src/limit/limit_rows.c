/*
 * limit_rows.c
 *		Do the running totals agree with the sums of the children?
 *
 * total_rows.c says how they are compared.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_trigger.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/qualified.h"
#include "base/rows.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "limit/limit.h"
#include "limit/limit_declare.h"
#include "limit/limit_rows.h"
#include "total/total_keep.h"
#include "total/total_rows.h"
#include "total/total_sql.h"

/*
 * p.used, or p.used + p.excess: all that went back.  In numeric, since both
 * may be near the end of their type.
 */
static char *
total_sql(const char *used, const char *excess)
{
	if (excess == NULL)
		return psprintf("p.%s::numeric", quote_identifier(used));
	return psprintf("(p.%s::numeric + p.%s::numeric)", quote_identifier(used),
					quote_identifier(excess));
}

/* p.count, t.number, where children are counted; else nothing differs */
static char *
count_sql(const IdemTotalSource *source)
{
	const char *count = idem_setting(source->settings, "count_used");

	return count == NULL ? pstrdup("0 AS count, 0 AS number") :
		psprintf("p.%s AS count, COALESCE(t.number, 0) AS number",
				 quote_identifier(count));
}

/* among is a join that leaves some of the parents, or empty. */
static char *
compare_totals(IdemTotalSource *source, const char *among)
{
	const char *used = source->total;
	Relation	parent = relation_open(source->key.parent, AccessShareLock);
	IdemTotalComparison how = {
		.differs = "x.used IS DISTINCT FROM x.total OR x.count IS DISTINCT FROM x.number",
		.example = "CASE WHEN x.used IS DISTINCT FROM x.total"
		" THEN format('%s: %s where its children add up to %s', x.key, x.used, x.total)"
		" ELSE format('%s: %s counted where it has %s', x.key, x.count, x.number) END"
	};
	char	   *finding;

	how.sums = idem_limit_sums_sql(idem_total_sharing(source, parent));
	how.columns = psprintf("%s AS used, COALESCE(t.total, 0) AS total, %s",
						   total_sql(used, idem_total_column(parent, used,
															 "excess")),
						   count_sql(source));
	how.what = psprintf("running total \"%s\" is not the sum of the children",
						used);
	finding = idem_total_compare(source, parent, among, &how);
	relation_close(parent, AccessShareLock);
	return finding;
}

/* What fills the total; 39P01 if the foreign key cannot carry it any longer. */
static IdemTotalSource *
source_of(const IdemGuard *guard)
{
	return idem_total_read_source(guard->settings, guard->relid);
}

/* c.used > '0' OR ...: of the limits whose parents are rows c; or NULL */
static char *
used_sql(Relation rel)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuardTrigger *trigger = lfirst(lc);
		const char *used = idem_setting(trigger->guard->settings, "used");

		if (strcmp(trigger->kind->function, IDEM_LIMIT_COUNTERPART) == 0 &&
			used != NULL)
			appendStringInfo(&sql, "%sc.%s > '0'", sql.len > 0 ? " OR " : "",
							 quote_identifier(used));
	}
	return sql.len > 0 ? sql.data : NULL;
}

/*
 * Children that were released and are parents of others that count, as a
 * capture that was voided after a refund of it: what the refund took was never
 * there.
 */
static char *
check_released(const IdemGuard *guard)
{
	IdemTotalSource *source = source_of(guard);
	Relation	child = relation_open(guard->relid, AccessShareLock);
	char	   *used = source->released == NIL ? NULL : used_sql(child);
	char	   *finding = NULL;

	if (used != NULL)
		finding = idem_count_offenders(child,
									   psprintf("SELECT count(*), min(%s COLLATE \"C\") FROM %s c WHERE NOT (%s) AND (%s)",
												idem_row_key_sql(child, "c"),
												idem_qualified_name(child),
												idem_total_counted_sql(source),
												used),
									   (Datum) 0,
									   psprintf("of table \"%s\" that are released and have children that count",
												RelationGetRelationName(child)));
	relation_close(child, AccessShareLock);
	return finding;
}

/* One of two findings, or both. */
static char *
both(char *one, char *other)
{
	if (one == NULL || other == NULL)
		return one != NULL ? one : other;
	return psprintf("%s; %s", one, other);
}

/* Both of them lawful when they were written. */
static char *
check_losses(const IdemGuard *guard, Oid rows)
{
	char	   *excess =
		idem_total_check_losses(guard, "excess", "beyond the cap",
								"more went back than came in, as facts said");

	return both(excess, check_released(guard));
}

/* Parents that need exactly what they declare, and have something else. */
static char *
compare_exact(IdemTotalSource *source)
{
	char	   *inexact = idem_limit_inexact_sql(source);
	IdemTotalComparison how = {
		.differs = "x.inexact",
		.example = "format('%s: %s of %s', x.key, x.total, x.cap)",
		.what = "children are not exactly what the row declares, in a state that asks for it"
	};
	Relation	parent;
	char	   *finding;

	if (inexact == NULL)
		return NULL;
	parent = relation_open(source->key.parent, AccessShareLock);
	how.sums = idem_limit_sums_sql(idem_total_sharing(source, parent));
	how.columns = psprintf("COALESCE(t.total, 0) AS total, p.%s AS cap, (%s) AS inexact",
						   quote_identifier(idem_setting(source->settings,
														 "cap")), inexact);
	finding = idem_total_compare(source, parent, "", &how);
	relation_close(parent, AccessShareLock);
	return finding;
}

static char *
check_totals(const IdemGuard *guard, Oid rows)
{
	IdemTotalSource *source = source_of(guard);
	char	   *totals = compare_totals(source, "");

	return both(totals, compare_exact(source));
}

/* The parents of attached children must have counted them before. */
static char *
check_attached_children(const IdemGuard *guard, Oid rows)
{
	IdemTotalSource *source = source_of(guard);
	char	   *among = idem_total_attached_sql(source, guard, rows);

	return among == NULL ? NULL : compare_totals(source, among);
}

/*
 * What an attached parent has it cannot have by children of this table, and so
 * it cannot stand in a state that asks for any.
 */
static char *
check_attached_parents(const IdemGuard *guard, Oid rows)
{
	List	   *exact = idem_setting_list(guard->settings, "exact");
	const char *declared = idem_setting(guard->settings, "exact_count");
	char	   *counted = idem_total_check_attached_parents(guard, rows);
	Relation	parent;
	char	   *finding;

	if (exact == NIL)
		return counted;
	parent = relation_open(rows, AccessShareLock);
	finding = idem_count_offenders(parent,
								   psprintf("SELECT count(*), NULL::text FROM %s p WHERE %s IS TRUE AND (%s::numeric <> 0 OR %s IS DISTINCT FROM 0)",
											idem_qualified_name(parent),
											idem_total_state_sql(rows, "p",
																 idem_setting(guard->settings,
																			  "exact_state"),
																 exact),
											idem_total_column_sql("p",
																  idem_setting(guard->settings,
																			   "cap")),
											declared == NULL ? "0" :
											idem_total_column_sql("p", declared)),
								   (Datum) 0,
								   "in a state that asks for children, without a child");
	relation_close(parent, AccessShareLock);
	return both(counted, finding);
}

/* Amounts and counts have types that they can be kept in. */
static bool
takes_type(const char *setting, Oid type)
{
	if (strcmp(setting, "count_used") == 0 ||
		strcmp(setting, "exact_count") == 0)
		return idem_count_type_supported(type);
	if (strcmp(setting, "amount") == 0 || strcmp(setting, "cap") == 0 ||
		strcmp(setting, "used") == 0 || strcmp(setting, "excess") == 0)
		return idem_amount_type_supported(type);
	return true;
}

#define NAMES_COLUMNS	(IDEM_SETTING_REQUIRED | IDEM_SETTING_COLUMN)

static const IdemSetting limit_settings[] = {
	{"fk", IDEM_LIST, NAMES_COLUMNS | IDEM_SETTING_NOT_NULL |
	IDEM_SETTING_IDENTITY, NULL},
	{"amount", IDEM_WORD, NAMES_COLUMNS, NULL},
	{"cap", IDEM_WORD, IDEM_SETTING_REQUIRED, NULL},
	{"used", IDEM_WORD, IDEM_SETTING_REQUIRED, NULL},
	{"state", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"released", IDEM_LIST, 0, NULL},
	{"same", IDEM_MAP, IDEM_SETTING_COLUMN, NULL},
	{"parent_state", IDEM_WORD, 0, NULL},
	{"open", IDEM_LIST, 0, NULL},
	{"facts", IDEM_LIST, 0, NULL},
	{"excess", IDEM_WORD, 0, NULL},
	{"count_cap", IDEM_NUMBER, 0, NULL},
	{"count_used", IDEM_WORD, 0, NULL},
	{"max_age", IDEM_WORD, 0, NULL},
	{"age_from", IDEM_WORD, 0, NULL},
	{"clear_within", IDEM_WORD, 0, NULL},
	{"exact", IDEM_LIST, 0, NULL},
	{"exact_count", IDEM_WORD, 0, NULL},
	{"children", IDEM_CHOICE, IDEM_SETTING_REQUIRED, "kept|editable"},
	{NULL, IDEM_WORD, 0, NULL}
};

#define KEPT_COLUMN		(IDEM_SETTING_COLUMN | IDEM_SETTING_NOT_NULL | \
						 IDEM_SETTING_KEPT)

/* fk and amount are the child's, by which the parent agrees to it */
static const IdemSetting total_settings[] = {
	{"fk", IDEM_LIST, IDEM_SETTING_REQUIRED | IDEM_SETTING_IDENTITY, NULL},
	{"amount", IDEM_WORD, IDEM_SETTING_REQUIRED, NULL},
	{"key", IDEM_LIST, NAMES_COLUMNS, NULL},
	{"cap", IDEM_WORD, NAMES_COLUMNS | IDEM_SETTING_NOT_NULL, NULL},
	{"used", IDEM_WORD, IDEM_SETTING_REQUIRED | KEPT_COLUMN, NULL},
	{"excess", IDEM_WORD, KEPT_COLUMN, NULL},
	{"count_used", IDEM_WORD, KEPT_COLUMN, NULL},
	{"same_parent", IDEM_LIST, IDEM_SETTING_COLUMN, NULL},
	{"parent_state", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"age_from", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"exact", IDEM_LIST, 0, NULL},
	{"exact_state", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"exact_count", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"cap_grows", IDEM_CHOICE, IDEM_SETTING_REQUIRED, "true|false"},
	{NULL, IDEM_WORD, 0, NULL}
};

static const int16 limit_types[] = {
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
	TRIGGER_TYPE_DELETE, 0
};

static const IdemGuardKind limit_kind = {
	.kind = "limit",
	.function = IDEM_LIMIT_FUNCTION,
	.on_shards = true,
	.decides = true,
	.declares = "guard_limit",
	.declaration = idem_total_declaration,
	.keeps_rows = true,
	.statement = IDEM_TOTAL_STATEMENT_FUNCTION,
	.settings = limit_settings,
	.types = limit_types,
	.check_rows = check_totals,
	.remedy = "find out who wrote past the guard; then take it off with idem.drop_guard and declare it anew, which fills the total",
	.check_open = check_losses,
	.open_remedy = "collect what is in excess from whoever has it, or write it off; it goes down as children are released or the cap grows, and no request fits until then; of what is released, release the children that never happened, and collect the others",
	.check_attached = check_attached_children,
	.check_detached = idem_total_check_detached,
	.check_shape = idem_total_key_problem,
	.takes_type = takes_type,
	.recount = idem_limit_recount
};

static const IdemGuardKind total_kind = {
	.kind = "limit",
	.function = IDEM_LIMIT_COUNTERPART,
	.on_shards = true,
	.decides = false,
	.settings = total_settings,
	.types = limit_types,
	.check_attached = check_attached_parents,
	.takes_type = takes_type
};

/* Called once, when the library is loaded */
void
idem_limit_rows_init(void)
{
	idem_register_kind(&limit_kind);
	idem_register_kind(&total_kind);
}
