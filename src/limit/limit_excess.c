/*
 * limit_excess.c
 *		How many parents took more than there was, and how much, as facts said.
 *
 * One query a limit,
 *
 *		SELECT 'excess', p.currency, count(*), sum(p.excess) FROM parent p
 *			WHERE p.excess > '0' GROUP BY 2
 *
 * which reads few rows if the parent has an index WHERE excess > '0', and
 * all of them if it has none.  The currency is known where the limit holds
 * children to that of their parent.
 *
 * Shown by sql/watch.sql.
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

/* The column of the parent that has the currency, by its own name; or NULL */
static const char *
currency_column(const IdemGuard *guard)
{
	List	   *children;
	List	   *parents;
	ListCell   *lc;

	idem_setting_map(guard->settings, "same", &children, &parents);
	foreach(lc, parents)
	{
		if (strcmp(lfirst(lc), "currency") == 0)
			return lfirst(lc);
	}
	return NULL;
}

/* IdemTotalListSql: (excess_column, currency, rows, amount) */
static char *
excess_sql(const IdemGuard *guard, List *before, Relation *shown)
{
	IdemTotalSource *source =
		idem_total_read_source(guard->settings, guard->relid);
	const char *excess = idem_total_column_sql("p",
											   idem_setting(guard->settings,
															"excess"));
	const char *currency = currency_column(guard);

	*shown = relation_open(source->key.parent, AccessShareLock);
	return psprintf("SELECT %s::pg_catalog.name, pg_catalog.format('%%s', %s), pg_catalog.count(*), pg_catalog.sum(%s)::pg_catalog.numeric"
					" FROM %s p WHERE %s > '0' GROUP BY 2",
					quote_literal_cstr(idem_setting(guard->settings, "excess")),
					currency == NULL ? "NULL" :
					idem_total_column_sql("p", currency),
					excess, idem_qualified_name(*shown), excess);
}

/*
 * limit_excess() -> TABLE (relation, excess_column, currency, rows, amount)
 *
 * The same rows twice, where two limits share a column.
 */
PG_FUNCTION_INFO_V1(idem_limit_excess);
Datum
idem_limit_excess(PG_FUNCTION_ARGS)
{
	return idem_total_counts(fcinfo, "limit", "excess", excess_sql);
}
