/*
 * limit_remaining.c
 *		remaining(): what could still be taken from a parent (total_ask.c).
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/settings.h"
#include "limit/limit.h"
#include "total/total_keep.h"
#include "total/total_rows.h"
#include "total/total_source.h"

/* p.cap - p.used - p.excess, if there is an excess */
static char *
remaining_sql(Relation parent, const IdemTotalSource *source)
{
	const char *cap = idem_setting(source->settings, "cap");
	const char *excess = idem_total_column(parent, source->total, "excess");
	char	   *sql;

	sql = psprintf("p.%s OPERATOR(pg_catalog.-) p.%s", quote_identifier(cap),
				   quote_identifier(source->total));
	return excess == NULL ? sql :
		psprintf("%s OPERATOR(pg_catalog.-) p.%s", sql,
				 quote_identifier(excess));
}

/*
 * remaining(child regclass, key text | anyelement) -> numeric
 *
 * NULL if the caller sees no such parent.
 */
PG_FUNCTION_INFO_V1(idem_remaining);
Datum
idem_remaining(PG_FUNCTION_ARGS)
{
	return idem_total_ask(fcinfo, IDEM_LIMIT_FUNCTION, remaining_sql);
}
