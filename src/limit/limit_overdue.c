/*
 * limit_overdue.c
 *		Parents of which something remains longer than it may.
 *
 * A suspense item has to be written off, an authorisation captured or voided:
 * a limit that is declared with clear_within lists the parents of which, so
 * long after age_from, something is left (total_list.c says who sees what).
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
#include "utils/rel.h"

#include "base/declare.h"
#include "base/settings.h"
#include "limit/limit.h"

/* IdemTotalListSql: (key, since, remaining) */
static char *
overdue_sql(const IdemGuard *guard, Relation *shown)
{
	IdemTotalSource *source =
		idem_total_read_source(guard->settings, guard->relid);
	const char *cap = idem_total_column_sql("p",
											idem_setting(guard->settings,
														 "cap"));
	const char *used = idem_total_column_sql("p", source->total);
	const char *since = idem_total_column_sql("p",
											  idem_setting(guard->settings,
														   "age_from"));

	*shown = relation_open(source->key.parent, AccessShareLock);
	return psprintf("SELECT %s, %s, (%s OPERATOR(pg_catalog.-) %s)::pg_catalog.numeric FROM %s p"
					" WHERE %s < %s AND %s OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.-) %s::pg_catalog.interval)"
					" ORDER BY 2",
					idem_total_key_sql(&source->key), since, cap, used,
					idem_qualified_name(*shown), used, cap, since,
					quote_literal_cstr(idem_setting(guard->settings,
													"clear_within")));
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
