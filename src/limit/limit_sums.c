/*
 * limit_sums.c
 *		What the children of a running total add up to, as SQL.
 *
 * Used where all rows are looked at: when a limit is declared, and by the
 * doctor.  The guard itself never adds up.
 *
 * These statements run as the owner of the parent, for whom no code of a
 * child's owner may run: states are compared by the equality of the default
 * operator class, which no cast of somebody's making can stand in for.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "base/declare.h"
#include "limit/limit.h"

/*
 * left = right with the equality the guard itself compares by, which is the
 * one of the type's default operator class: no code of a type's or a table's
 * owner, and no collation that calls two texts equal.
 */
char *
idem_limit_equal_sql(const char *left, Oid left_type,
					 const char *right, Oid right_type)
{
	StringInfoData sql;
	Oid			type = getBaseType(left_type);
	const char *collate = type_is_collatable(type) ?
		" COLLATE pg_catalog.\"C\"" : "";

	if (type == VARCHAROID)
		type = TEXTOID;
	initStringInfo(&sql);
	generate_operator_clause(&sql, psprintf("(%s%s)", left, collate), left_type,
							 lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr,
							 right, right_type);
	return sql.data;
}

/* (c.state = 'failed' OR ...), of the child c; "false" for no labels */
static char *
state_in_sql(Oid child, const char *state, List *labels)
{
	StringInfoData sql;
	Oid			type;
	ListCell   *lc;

	if (labels == NIL || state == NULL)
		return "false";
	type = get_atttype(child, get_attnum(child, state));
	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						state, get_rel_name(child))));
	initStringInfo(&sql);
	foreach(lc, labels)
		appendStringInfo(&sql, "%s%s", sql.len > 0 ? " OR " : "(",
						 idem_limit_equal_sql(psprintf("c.%s", quote_identifier(state)),
											  type,
											  psprintf("%s::%s",
													   quote_literal_cstr(lfirst(lc)),
													   idem_limit_type_name(getBaseType(type))),
											  getBaseType(type)));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* Which children count, of the child table c. */
char *
idem_limit_counted_sql(const IdemLimitChild *child)
{
	if (child->released == NIL)
		return "true";
	return psprintf("%s IS NOT TRUE", state_in_sql(child->key.child,
												   child->state,
												   child->released));
}

/* Which of them are facts. */
static char *
fact_sql(const IdemLimitChild *child)
{
	if (list_length(child->facts) == 1 &&
		strcmp(linitial(child->facts), "*") == 0)
		return "true";
	return psprintf("%s IS TRUE", state_in_sql(child->key.child, child->state,
											   child->facts));
}

/* c.fk AS k1, ... in the order of another key on the same parent columns */
static void
append_keys(StringInfo sql, const IdemLimitKey *order, const IdemLimitKey *key)
{
	int			i;
	int			j;

	for (i = 0; i < order->n; i++)
	{
		for (j = 0; key->parent_column[j] != order->parent_column[i]; j++)
			Assert(j < key->n - 1);
		appendStringInfo(sql, "c.%s AS k%d, ",
						 quote_identifier(get_attname(key->child,
													  key->child_column[j],
													  false)), i + 1);
	}
}

/*
 * SELECT k1, ..., sum(x.amount) AS total,
 *		sum(x.amount) FILTER (WHERE NOT x.fact) AS asked,
 *		count(*) FILTER (WHERE x.own) AS number
 * FROM (SELECT c.fk AS k1, ..., c.amount::numeric AS amount, <is a fact> AS fact,
 *			true AS own FROM child c WHERE <counts>
 *		 UNION ALL ...) x GROUP BY 1, ...
 *
 * The first of the children is the one whose key gives the order and whose
 * rows are counted.  Sums are numeric: used and excess may each be near the
 * end of the type of the amounts.
 */
char *
idem_limit_sums_sql(List *children)
{
	IdemLimitChild *first = linitial(children);
	StringInfoData sql;
	StringInfoData keys;
	ListCell   *lc;
	int			i;

	initStringInfo(&keys);
	for (i = 0; i < first->key.n; i++)
		appendStringInfo(&keys, "k%d, ", i + 1);
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %spg_catalog.sum(x.amount) AS total, pg_catalog.sum(x.amount) FILTER (WHERE NOT x.fact) AS asked, pg_catalog.count(*) FILTER (WHERE x.own) AS number FROM (",
					 keys.data);
	foreach(lc, children)
	{
		IdemLimitChild *child = lfirst(lc);

		appendStringInfo(&sql, "%sSELECT ",
						 child == first ? "" : " UNION ALL ");
		append_keys(&sql, &first->key, &child->key);
		appendStringInfo(&sql, "c.%s::pg_catalog.numeric AS amount, %s AS fact, %s AS own FROM %s c WHERE %s",
						 quote_identifier(child->amount), fact_sql(child),
						 child == first ? "true" : "false",
						 idem_qualified_name_of(child->key.child),
						 idem_limit_counted_sql(child));
	}
	appendStringInfoString(&sql, ") x GROUP BY ");
	for (i = 0; i < first->key.n; i++)
		appendStringInfo(&sql, "%s%d", i > 0 ? ", " : "", i + 1);
	return sql.data;
}

/* p.key = t.k1 AND ..., where p is the parent and the other has the sums */
char *
idem_limit_join_sql(const IdemLimitKey *key, const char *other)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < key->n; i++)
	{
		if (i > 0)
			appendStringInfoString(&sql, " AND ");
		generate_operator_clause(&sql,
								 psprintf("p.%s",
										  quote_identifier(get_attname(key->parent,
																	   key->parent_column[i],
																	   false))),
								 get_atttype(key->parent, key->parent_column[i]),
								 key->equal_child[i],
								 psprintf("%s.k%d", other, i + 1),
								 get_atttype(key->child, key->child_column[i]));
	}
	return sql.data;
}

/* ------------------------------------------------------------------------
 * The limits of a running total
 * ------------------------------------------------------------------------
 */

/* What the deciding trigger on a child says. */
static IdemLimitChild *
read_child(Relation rel, Trigger *trigger)
{
	IdemLimitChild *child = palloc0(sizeof(IdemLimitChild));
	const char *state = idem_trigger_setting(trigger, "state");

	idem_limit_find_key(RelationGetRelid(rel),
						idem_trigger_setting_list(trigger, "fk"),
						ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, &child->key);
	child->amount = pstrdup(idem_trigger_setting(trigger, "amount"));
	child->state = state ? pstrdup(state) : NULL;
	child->released = idem_trigger_setting_list(trigger, "released");
	child->facts = idem_trigger_setting_list(trigger, "facts");
	return child;
}

/*
 * The limit of a child table that a counterpart of the parent belongs to;
 * NULL if its trigger is gone.
 */
IdemLimitChild *
idem_limit_child(Trigger *total)
{
	Relation	rel = relation_open(total->tgconstrrelid, AccessShareLock);
	TriggerDesc *triggers = CopyTriggerDesc(rel->trigdesc);
	IdemLimitChild *child = NULL;
	int			i;

	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (idem_limit_is_readable(trigger, "keep_limit") &&
			idem_limit_same_setting(trigger, total, "fk") &&
			idem_limit_same_setting(trigger, total, "used"))
			child = read_child(rel, trigger);
	}
	relation_close(rel, NoLock);
	return child;
}

/* The limits that share a running total of the parent, as IdemLimitChild. */
List *
idem_limit_children(Relation parent, const char *used)
{
	TriggerDesc *triggers = CopyTriggerDesc(parent->trigdesc);
	List	   *children = NIL;
	int			i;

	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *total = &triggers->triggers[i];
		IdemLimitChild *child;

		if (!idem_limit_is_readable(total, "keep_total") ||
			!OidIsValid(total->tgconstrrelid) ||
			strcmp(idem_trigger_setting(total, "used"), used) != 0)
			continue;
		child = idem_limit_child(total);
		if (child != NULL)
			children = lappend(children, child);
	}
	return children;
}
