/*
 * total_sums.c
 *		The sums of the children of a running total, as SQL.
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
#include "commands/trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/qualified.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "total/total_keep.h"
#include "total/total_source.h"
#include "total/total_type.h"

/*
 * left = right with the equality the guard itself compares by, which is the
 * one of the type's default operator class: no code of a type's or a table's
 * owner, and no collation that calls two texts equal.
 */
char *
idem_total_equal_sql(const char *left, Oid left_type,
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

/*
 * (c.state = 'failed' OR ...), of a table that the statement calls c, or
 * otherwise; "false" for no labels
 */
char *
idem_total_state_sql(Oid relid, const char *table, const char *state,
					 List *labels)
{
	StringInfoData sql;
	Oid			type;
	ListCell   *lc;

	if (labels == NIL || state == NULL)
		return "false";
	type = get_atttype(relid, get_attnum(relid, state));
	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						state, get_rel_name(relid))));
	initStringInfo(&sql);
	foreach(lc, labels)
		appendStringInfo(&sql, "%s%s", sql.len > 0 ? " OR " : "(",
						 idem_total_equal_sql(psprintf("%s.%s", table, quote_identifier(state)),
											  type,
											  psprintf("%s::%s",
													   quote_literal_cstr(lfirst(lc)),
													   idem_total_type_name(getBaseType(type))),
											  getBaseType(type)));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* Which children count, of the child table c. */
char *
idem_total_counted_sql(const IdemTotalSource *source)
{
	if (source->released == NIL)
		return "true";
	return psprintf("%s IS NOT TRUE",
					idem_total_state_sql(source->key.child, "c",
										 source->state, source->released));
}

/* c.fk AS k1, ... in the order of another key on the same parent columns */
static void
append_keys(StringInfo sql, const IdemTotalKey *order, const IdemTotalKey *key)
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
 * SELECT k1, ..., <aggregates of x.amount and others>
 * FROM (SELECT c.fk AS k1, ..., <values of a row> FROM child c WHERE <counts>
 *		 UNION ALL ...) x GROUP BY 1, ...
 *
 * The first of the sources is the one whose key gives the order.  Sums are to
 * be numeric: totals may each be near the end of the type of the amounts.
 */
char *
idem_total_sums_sql(List *sources, const char *aggregates, IdemTotalRowSql row)
{
	IdemTotalSource *first = linitial(sources);
	StringInfoData sql;
	ListCell   *lc;
	int			i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (i = 0; i < first->key.n; i++)
		appendStringInfo(&sql, "k%d, ", i + 1);
	appendStringInfo(&sql, "%s FROM (", aggregates);
	foreach(lc, sources)
	{
		IdemTotalSource *source = lfirst(lc);

		appendStringInfo(&sql, "%sSELECT ",
						 source == first ? "" : " UNION ALL ");
		append_keys(&sql, &first->key, &source->key);
		appendStringInfo(&sql, "%s FROM %s c WHERE %s",
						 row(source, source == first),
						 idem_qualified_name_of(source->key.child),
						 idem_total_counted_sql(source));
		if (source->only != NULL)
			appendStringInfo(&sql, " AND %s", source->only);
	}
	appendStringInfoString(&sql, ") x GROUP BY ");
	for (i = 0; i < first->key.n; i++)
		appendStringInfo(&sql, "%s%d", i > 0 ? ", " : "", i + 1);
	return sql.data;
}

/* ------------------------------------------------------------------------
 * What fills a total
 * ------------------------------------------------------------------------
 */

/*
 * What the settings of a guard on a child say, the only reader of them; its
 * foreign key has to be there still: 39P01.
 */
IdemTotalSource *
idem_total_read_source(List *settings, Oid child)
{
	IdemTotalSource *source = palloc0(sizeof(IdemTotalSource));

	source->settings = settings;
	source->fk = idem_setting_list(settings, "fk");
	idem_total_find_key(child, source->fk,
						ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
						&source->key);
	source->amount = idem_setting_copy(settings, "amount");
	source->state = idem_setting_copy(settings, "state");
	source->released = idem_setting_list(settings, "released");
	source->facts = idem_setting_list(settings, "facts");
	source->total = idem_setting_copy(settings, "used");
	if (source->total == NULL)
		source->total = idem_setting_copy(settings, "balance");
	return source;
}

/*
 * The source that a counterpart of the parent belongs to; NULL if its trigger
 * is gone.
 */
IdemTotalSource *
idem_total_source_of(Trigger *total)
{
	IdemGuard  *guard = idem_guard_of_trigger(InvalidOid, total);
	Relation	rel = relation_open(total->tgconstrrelid, AccessShareLock);
	List	   *triggers = idem_guard_triggers(rel);
	ListCell   *lc;

	relation_close(rel, NoLock);
	foreach(lc, triggers)
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		IdemTotalSource *source;

		if (!trigger->kind->decides ||
			!idem_same_guard(trigger->guard, guard) ||
			idem_settings_problem(trigger->guard->settings,
								  trigger->kind->settings) != NULL)
			continue;
		source = idem_total_read_source(trigger->guard->settings,
										total->tgconstrrelid);
		if (idem_total_keeps(guard, source->total))
			return source;
	}
	return NULL;
}

/* The sources that fill a total of the parent, a list of IdemTotalSource. */
List *
idem_total_sources(Relation parent, const char *name)
{
	TriggerDesc *triggers = CopyTriggerDesc(parent->trigdesc);
	List	   *sources = NIL;
	int			i;

	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *total = &triggers->triggers[i];
		IdemTotalSource *source;

		if (!OidIsValid(total->tgconstrrelid) ||
			!idem_total_keeps(idem_guard_of_trigger(InvalidOid, total), name))
			continue;
		source = idem_total_source_of(total);
		if (source != NULL)
			sources = lappend(sources, source);
	}
	return sources;
}
