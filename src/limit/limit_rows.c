/*
 * limit_rows.c
 *		Do the running totals agree with the sums of the children?
 *
 * The guard counts what is written while it stands.  These look at rows that
 * came in otherwise: all of them, for the doctor; those of a table that is to
 * become a partition, which must have been counted before; those of a
 * partition that is to leave, which would stay counted.
 *
 * Child and parent are read once, restricted, under one snapshot, as the
 * owner of the parent, as whom no code of the child's owner may run: a
 * state is read by the output function of its type, for which a cast of
 * somebody's making cannot stand in, and amounts have one of the types that a
 * limit is kept in.  Rows that only have to be counted are read as the owner
 * of the table that has them.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/kind.h"
#include "limit/limit.h"
#include "limit/limit_rows.h"

static const char *
column_of(const char *table, Oid relid, AttrNumber column)
{
	return psprintf("%s.%s", table,
					quote_identifier(get_attname(relid, column, false)));
}

/* c.fk AS k1, ... */
static char *
child_keys_sql(const IdemTotalKey *key)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < key->n; i++)
		appendStringInfo(&sql, "%s%s AS k%d", i > 0 ? ", " : "",
						 column_of("c", key->child, key->child_column[i]),
						 i + 1);
	return sql.data;
}

/* This limit, and after it the others that share its total. */
static List *
sources_of(IdemTotalSource *source, Relation parent)
{
	List	   *sources = list_make1(source);
	ListCell   *lc;

	foreach(lc, idem_total_sources(parent, source->used))
	{
		IdemTotalSource *other = lfirst(lc);

		if (!idem_total_same_key(&other->key, &source->key))
			sources = lappend(sources, other);
	}
	return sources;
}

/* p.a, p.b */
static char *
parent_key_sql(const IdemTotalKey *key)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < key->n; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "",
						 column_of("p", key->parent, key->parent_column[i]));
	return sql.data;
}

/*
 * The type of a column that holds amounts, which decides what code "sum" and
 * "=" run: 42804 if it is none that a limit is kept in.
 */
static Oid
amount_type(Oid relid, const char *column)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	Oid			type = idem_column_base_type(rel,
											 idem_column_number(rel, column),
											 NULL);

	if (!idem_amount_type_supported(type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" has type %s, in which no limit is kept",
						column, RelationGetRelationName(rel),
						format_type_be(type))));
	relation_close(rel, NoLock);
	return type;
}

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
	const char *count = source->count_used;

	return count == NULL ? pstrdup("0 AS count, 0 AS number") :
		psprintf("p.%s AS count, COALESCE(t.number, 0) AS number",
				 quote_identifier(count));
}

/*
 * SELECT count(*), min(format('%s: %s where its children add up to %s',
 *							   p.key, p.used, total))
 *	FROM (SELECT ROW(p.key...), p.used, COALESCE(t.total, 0), p.count, ...
 *		  FROM parent p LEFT JOIN (sums) t ON p.key = t.k1 ...)
 *	WHERE used IS DISTINCT FROM total OR count IS DISTINCT FROM number
 *
 * among is a join that leaves some of the parents, or empty.
 */
static char *
compare_totals(IdemTotalSource *source, const char *among)
{
	const IdemTotalKey *key = &source->key;
	const char *used = source->used;
	Relation	parent;
	char	   *sql;
	char	   *finding;

	(void) amount_type(key->child, source->amount);
	(void) amount_type(key->parent, used);
	parent = relation_open(key->parent, AccessShareLock);
	sql = psprintf("SELECT count(*), min((CASE WHEN x.used IS DISTINCT FROM x.total"
				   " THEN format('%%s: %%s where its children add up to %%s', x.key, x.used, x.total)"
				   " ELSE format('%%s: %%s counted where it has %%s', x.key, x.count, x.number) END) COLLATE \"C\")"
				   " FROM (SELECT concat_ws(', ', %s) AS key, %s AS used, COALESCE(t.total, 0) AS total, %s"
				   " FROM %s p %s LEFT JOIN (%s) t ON %s) x"
				   " WHERE x.used IS DISTINCT FROM x.total OR x.count IS DISTINCT FROM x.number",
				   parent_key_sql(key),
				   total_sql(used, idem_total_excess_column(parent, used)),
				   count_sql(source),
				   idem_qualified_name(parent), among,
				   idem_total_sums_sql(sources_of(source, parent)),
				   idem_total_join_sql(key, "t.k%d"));
	finding = idem_count_offenders(parent, sql, (Datum) 0,
								   psprintf("of table \"%s\" whose running total \"%s\" is not the sum of the children",
											RelationGetRelationName(parent),
											used));
	relation_close(parent, AccessShareLock);
	return finding;
}

/* What fills the total; 39P01 if the foreign key cannot carry it any longer. */
static IdemTotalSource *
source_of(const IdemGuard *guard)
{
	return idem_total_read_source(guard->settings, guard->relid);
}

/* Parents of which facts took more than there was: lawful, and a loss. */
static char *
check_excess(const IdemGuard *guard, Oid rows)
{
	const char *excess = idem_setting(guard->settings, "excess");
	IdemTotalSource *source;
	Relation	parent;
	char	   *finding;

	if (excess == NULL)
		return NULL;
	source = source_of(guard);
	parent = relation_open(source->key.parent, AccessShareLock);
	finding = idem_count_offenders(parent,
								   psprintf("SELECT count(*), min(format('%%s: %%s beyond the cap', concat_ws(', ', %s), p.%s) COLLATE \"C\") FROM %s p WHERE p.%s > '0'",
											parent_key_sql(&source->key),
											quote_identifier(excess),
											idem_qualified_name(parent),
											quote_identifier(excess)),
								   (Datum) 0,
								   psprintf("of table \"%s\" of which more went back than came in, as facts said",
											RelationGetRelationName(parent)));
	relation_close(parent, AccessShareLock);
	return finding;
}

static char *
check_totals(const IdemGuard *guard, Oid rows)
{
	return compare_totals(source_of(guard), "");
}

/* How many rows of a table, its own, are there, or count? */
static char *
count_children(const IdemGuard *guard, Oid rows, const char *condition)
{
	Relation	child = relation_open(rows, AccessShareLock);
	char	   *finding;

	finding = idem_count_offenders(child,
								   psprintf("SELECT count(*), NULL::text FROM %s c WHERE %s",
											idem_qualified_name(child),
											condition),
								   (Datum) 0, "counting against a limit");
	relation_close(child, AccessShareLock);
	return finding;
}

/* c.tableoid = ANY ('{...}'): the rows of a table and of its partitions */
static char *
stored_in_sql(Oid rows)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, find_all_inheritors(rows, AccessShareLock, NULL))
		appendStringInfo(&sql, "%s%u",
						 sql.len > 0 ? "," : "c.tableoid = ANY ('{",
						 lfirst_oid(lc));
	appendStringInfoString(&sql, "}'::pg_catalog.oid[])");
	return sql.data;
}

/*
 * The parents of attached children must have counted them before.  The sums
 * are read as the owner of the parent, who may read the child table and not
 * necessarily the new partition by its own name.
 */
static char *
check_attached_children(const IdemGuard *guard, Oid rows)
{
	IdemTotalSource *source;

	if (count_children(guard, rows, "true") == NULL)
		return NULL;
	source = source_of(guard);
	return compare_totals(source,
						  psprintf("JOIN (SELECT DISTINCT %s FROM %s c WHERE %s) r ON %s",
								   child_keys_sql(&source->key),
								   idem_qualified_name_of(guard->relid),
								   stored_in_sql(rows),
								   idem_total_join_sql(&source->key, "r.k%d")));
}

/* Children that leave the table would stay counted. */
static char *
check_detached_children(const IdemGuard *guard, Oid rows)
{
	return count_children(guard, rows,
						  idem_total_counted_sql(source_of(guard)));
}

/* What an attached parent has used it cannot have by children of this table. */
static char *
check_attached_parents(const IdemGuard *guard, Oid rows)
{
	const char *used = idem_setting(guard->settings, "used");
	Relation	parent = relation_open(rows, AccessShareLock);
	char	   *type = format_type_be_qualified(amount_type(rows, used));
	char	   *finding;

	finding = idem_count_offenders(parent,
								   psprintf("SELECT count(*), NULL::text FROM %s p WHERE p.%s IS DISTINCT FROM '0'::%s",
											idem_qualified_name(parent),
											quote_identifier(used), type),
								   (Datum) 0,
								   psprintf("whose running total \"%s\" is not zero, without a child",
											used));
	relation_close(parent, AccessShareLock);
	return finding;
}

/* Amounts and counts have types that they can be kept in. */
static bool
takes_type(const char *setting, Oid type)
{
	if (strcmp(setting, "count_used") == 0)
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
	{"cap_grows", IDEM_CHOICE, IDEM_SETTING_REQUIRED, "true|false"},
	{NULL, IDEM_WORD, 0, NULL}
};

static const int16 limit_types[] = {
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
	TRIGGER_TYPE_DELETE, 0
};

static const IdemGuardKind limit_kind = {
	.kind = "limit",
	.function = "keep_limit",
	.decides = true,
	.keeps_rows = true,
	.statement = IDEM_TOTAL_STATEMENT_FUNCTION,
	.settings = limit_settings,
	.types = limit_types,
	.check_rows = check_totals,
	.remedy = "find out who wrote past the guard; then take it off with idem.drop_guard and declare it anew, which fills the total",
	.check_open = check_excess,
	.open_remedy = "collect what is in excess from whoever has it, or write it off; it goes down as children are released or the cap grows, and no request fits until then",
	.check_attached = check_attached_children,
	.check_detached = check_detached_children,
	.check_shape = idem_total_key_problem,
	.takes_type = takes_type
};

static const IdemGuardKind total_kind = {
	.kind = "limit",
	.function = IDEM_TOTAL_FUNCTION,
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
