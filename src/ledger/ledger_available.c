/*
 * ledger_available.c
 *		available(): what an account could still give (total_ask.c).
 */
#include "postgres.h"

#include "base/settings.h"
#include "ledger/ledger.h"
#include "total/total_keep.h"
#include "total/total_rows.h"
#include "total/total_source.h"
#include "total/total_sql.h"

/* p.balance - p.held - p.floor; of an account without a floor Infinity */
static char *
available_sql(Relation account, const IdemTotalSource *source)
{
	const char *floor = idem_setting(source->settings, "floor");
	const char *unbounded = idem_setting(source->settings, "unbounded");
	const char *held = idem_total_column(account, source->total, "held");
	char	   *sql;

	if (floor == NULL)
		return "'Infinity'";
	sql = psprintf("%s::pg_catalog.numeric OPERATOR(pg_catalog.-) %s::pg_catalog.numeric%s",
				   idem_total_column_sql("p", source->total),
				   idem_total_column_sql("p", floor),
				   held == NULL ? "" :
				   psprintf(" OPERATOR(pg_catalog.-) %s::pg_catalog.numeric",
							idem_total_column_sql("p", held)));
	return unbounded == NULL ? sql :
		psprintf("CASE WHEN %s THEN 'Infinity' ELSE %s END",
				 idem_total_column_sql("p", unbounded), sql);
}

/*
 * available(child regclass, key text | anyelement) -> numeric
 *
 * NULL if the caller sees no such account.
 */
PG_FUNCTION_INFO_V1(idem_available);
Datum
idem_available(PG_FUNCTION_ARGS)
{
	return idem_total_ask(fcinfo, IDEM_BALANCE_FUNCTION, available_sql);
}
