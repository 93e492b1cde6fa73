/*
 * ledger_journal_sums.c
 *		Journals that do not balance, as SQL.
 */
#include "postgres.h"

#include "utils/lsyscache.h"

#include "base/qualified.h"
#include "base/settings.h"
#include "ledger/ledger_declare.h"
#include "ledger/ledger_journal.h"
#include "total/total_sql.h"

/* c.a, c.b */
static char *
key_sql(const IdemTotalSource *source)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < source->key.n; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "",
						 idem_total_column_sql("c",
											   get_attname(source->key.child,
														   source->key.child_column[i],
														   false)));
	return sql.data;
}

/*
 * SELECT concat_ws(', ', c.journal_id) AS key, currency, phase, sum(net) AS sum
 *	FROM schema.entry c WHERE <counts> GROUP BY ... HAVING sum(net) <> 0
 */
char *
idem_journal_sums_sql(const IdemTotalSource *source)
{
	const char *currency = idem_setting(source->settings, "currency");
	List	   *pending = idem_setting_list(source->settings, "pending");
	char	   *key = key_sql(source);
	char	   *net = idem_ledger_net_sql(source);

	return psprintf("SELECT pg_catalog.concat_ws(', ', %s) AS key, %s AS currency, %s AS pending, pg_catalog.sum(%s) AS sum"
					" FROM %s c WHERE %s GROUP BY %s, 2, 3 HAVING pg_catalog.sum(%s) IS DISTINCT FROM 0",
					key, currency == NULL ? "NULL::text" :
					psprintf("%s::text", idem_total_column_sql("c", currency)),
					pending == NIL ? "false" :
					psprintf("%s IS TRUE",
							 idem_total_state_sql(source->key.child, "c",
												  source->state, pending)),
					net, idem_qualified_name_of(source->key.child),
					idem_total_counted_sql(source), key, net);
}
