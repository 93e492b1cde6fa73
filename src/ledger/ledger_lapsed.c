/*
 * ledger_lapsed.c
 *		Holds that are past their time.
 *
 * A hold that has lapsed still holds, until a statement of the user's releases
 * it: a balance that is declared with expires_at lists those that are pending,
 * are not posted and should have been by now (total_list.c says who sees what).
 *
 * Cost: that of one query a balance,
 *
 *		SELECT ... FROM entry c WHERE c.state = 'pending'
 *		 AND c.expires_at < now() AND NOT EXISTS (<a posting>)
 *
 * for which an index on (expires_at) WHERE state = 'pending' pays for itself.
 * Holds that were posted stay pending; each of them costs one probe of the
 * index that names holds, unless its expires_at is taken away when it is
 * posted.
 *
 * Shown by sql/ledger_lapsed.sql.
 */
#include "postgres.h"

#include "access/relation.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/kind_guard.h"
#include "base/qualified.h"
#include "base/settings.h"
#include "ledger/ledger_declare.h"
#include "total/total_rows.h"
#include "total/total_sql.h"
#include "total/total_type.h"

/*
 * c.state = 'pending' as a user's index says it, beside the comparison that no
 * collation softens; "true" for several states.
 */
static char *
indexed_sql(const IdemTotalSource *source, List *pending)
{
	Oid			type = get_atttype(source->key.child,
								   get_attnum(source->key.child, source->state));
	StringInfoData sql;

	if (list_length(pending) != 1)
		return "true";
	initStringInfo(&sql);
	generate_operator_clause(&sql, idem_total_column_sql("c", source->state),
							 type,
							 lookup_type_cache(getBaseType(type),
											   TYPECACHE_EQ_OPR)->eq_opr,
							 psprintf("%s::%s",
									  quote_literal_cstr(linitial(pending)),
									  idem_total_type_name(getBaseType(type))),
							 getBaseType(type));
	return sql.data;
}

/* IdemTotalListSql: (key, account, expires_at, amount) */
static char *
lapsed_sql(const IdemGuard *guard, List *before, Relation *shown)
{
	IdemTotalSource *source =
		idem_total_read_source(guard->settings, guard->relid);
	List	   *pending = idem_setting_list(guard->settings, "pending");
	const char *expires = idem_total_column_sql("c",
												idem_setting(guard->settings,
															 "expires_at"));

	*shown = relation_open(guard->relid, AccessShareLock);
	return psprintf("SELECT %s, %s, %s, %s::pg_catalog.numeric FROM %s c"
					" WHERE %s AND %s AND %s OPERATOR(pg_catalog.<) pg_catalog.now() AND NOT %s"
					" ORDER BY 3",
					idem_row_key_sql(*shown, "c"), idem_total_concat_sql("c", source->fk),
					expires, idem_total_column_sql("c", source->amount),
					idem_qualified_name(*shown),
					idem_total_state_sql(source->key.child, "c", source->state,
										 pending),
					indexed_sql(source, pending), expires,
					idem_ledger_posted_sql(source));
}

/*
 * lapsed_holds() -> TABLE (relation, key, account, expires_at, amount)
 */
PG_FUNCTION_INFO_V1(idem_lapsed_holds);
Datum
idem_lapsed_holds(PG_FUNCTION_ARGS)
{
	return idem_total_list(fcinfo, "balance", "expires_at", lapsed_sql);
}
