/*
 * limit_overdue.c
 *		Parents of which something remains longer than it may.
 *
 * A suspense item has to be written off, an authorisation captured or voided:
 * a limit that is declared with clear_within lists the parents of which, so
 * long after age_from, something is left (total_list.c says who sees what).
 * Limits that share a running total have one remainder, and a parent that two
 * of them find is shown once.
 *
 * Cost: that of one query a limit,
 *
 *		SELECT ... FROM parent p WHERE p.used < p.cap
 *		 AND p.since < now() - clear_within
 *
 * which is an index scan of what is overdue, whatever has been cleared, if the
 * parent has an index on (since) WHERE used < cap.
 *
 * Shown by sql/limit_overdue.sql.
 */
#include "postgres.h"

#include "access/relation.h"
#include "utils/builtins.h"

#include "base/kind_guard.h"
#include "base/qualified.h"
#include "base/settings.h"
#include "total/total_rows.h"
#include "total/total_source.h"
#include "total/total_sql.h"

static const char *
column_sql(const IdemGuard *guard, const char *setting)
{
	return idem_total_column_sql("p", idem_setting(guard->settings, setting));
}

/* Should nothing remain of parent p any longer? */
static char *
late_sql(const IdemGuard *guard)
{
	return psprintf("%s OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.-) %s::pg_catalog.interval)",
					column_sql(guard, "age_from"),
					quote_literal_cstr(idem_setting(guard->settings,
													"clear_within")));
}

/* Has one of the limits that were asked before shown parent p? */
static char *
shown_before_sql(const IdemTotalSource *source, List *before)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "false");
	foreach(lc, before)
	{
		const IdemGuard *guard = lfirst(lc);
		IdemTotalSource *other = idem_total_read_source(guard->settings,
														guard->relid);

		if (other->key.parent == source->key.parent &&
			strcmp(other->total, source->total) == 0)
			appendStringInfo(&sql, " OR %s", late_sql(guard));
	}
	return sql.data;
}

/* IdemTotalListSql: (key, since, remaining) */
static char *
overdue_sql(const IdemGuard *guard, List *before, Relation *shown)
{
	IdemTotalSource *source =
		idem_total_read_source(guard->settings, guard->relid);
	const char *cap = column_sql(guard, "cap");
	const char *used = column_sql(guard, "used");

	*shown = relation_open(source->key.parent, AccessShareLock);
	return psprintf("SELECT %s, %s, (%s OPERATOR(pg_catalog.-) %s)::pg_catalog.numeric FROM %s p"
					" WHERE %s < %s AND %s AND (%s) IS NOT TRUE ORDER BY 2",
					idem_total_key_sql(&source->key),
					column_sql(guard, "age_from"), cap, used,
					idem_qualified_name(*shown), used, cap, late_sql(guard),
					shown_before_sql(source, before));
}

/*
 * overdue_limits() -> TABLE (relation, key, since, remaining)
 */
PG_FUNCTION_INFO_V1(idem_overdue_limits);
Datum
idem_overdue_limits(PG_FUNCTION_ARGS)
{
	return idem_total_list(fcinfo, "limit", "clear_within", overdue_sql);
}
