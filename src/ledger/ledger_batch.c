/*
 * ledger_batch.c
 *		Balances that are added up in batches.
 *
 * An account of fees that every transfer posts to would be one row that all of
 * them wait for.  It has no bound that an entry could break, so nothing has to
 * be known of it when one is stored: with batched => true the guard leaves the
 * rows of accounts without bounds alone, and apply_balances() writes what their
 * entries add up to, from time to time.
 *
 * Two of them meet at the rows of the accounts, which are locked first, in the
 * order of their keys; the sums are read with a snapshot that is taken behind
 * the locks, so the later one never writes an older sum.  What is committed
 * after that snapshot is in the next batch.
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/spi.h"
#include "nodes/value.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/declare.h"
#include "base/idem_errors.h"
#include "base/kind.h"
#include "ledger/ledger_declare.h"

/* p.a, p.b */
static char *
key_columns_sql(const IdemTotalKey *key)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, idem_total_parent_columns(key))
		appendStringInfo(&sql, "%s%s", sql.len > 0 ? ", " : "",
						 idem_total_column_sql("p", lfirst(lc)));
	return sql.data;
}

/* Leave the entries of accounts without bounds. */
static void
restrict_sources(List *sources, Relation accounts, const char *unbounded)
{
	ListCell   *lc;

	foreach(lc, sources)
	{
		IdemTotalSource *source = lfirst(lc);

		source->only = psprintf("EXISTS (SELECT FROM %s p WHERE %s AND %s)",
								idem_qualified_name(accounts),
								idem_total_join_sql(&source->key, NULL),
								idem_total_column_sql("p", unbounded));
	}
}

/*
 * Run an UPDATE of a kept column that returns whether the row has something
 * else now, which a trigger of the accounts wrote: 23I07.  How many it changed.
 */
static uint64
write_column(Relation accounts, const char *column, const char *sql)
{
	uint64		changed;
	uint64		i;

	idem_total_run_latest(sql, SPI_OK_UPDATE_RETURNING);
	changed = SPI_processed;
	for (i = 0; i < changed; i++)
	{
		bool		isnull;

		if (DatumGetBool(SPI_getbinval(SPI_tuptable->vals[i],
									   SPI_tuptable->tupdesc, 1, &isnull)))
			ereport(ERROR,
					(errcode(ERRCODE_IDEM_FIXED_COLUMN),
					 errmsg("column \"%s\" of table \"%s\" is kept by a balance and cannot be written",
							column, RelationGetRelationName(accounts)),
					 errhint("A trigger of the table changed it."),
					 errtablecol(accounts,
								 idem_column_number(accounts, column))));
	}
	SPI_freetuptable(SPI_tuptable);
	return changed;
}

/* Write one kept column of these accounts; how many changed. */
static uint64
apply_column(Relation accounts, const IdemTotalSource *first,
			 const char *column, const char *value, const char *sums)
{
	const char *table = idem_qualified_name(accounts);
	const char *set = quote_identifier(column);
	const char *unbounded =
		idem_total_column_sql("p", idem_setting(first->settings, "unbounded"));
	const char *name = idem_total_column_sql("p", column);
	Oid			type = idem_column_base_type(accounts,
											 idem_column_number(accounts, column),
											 NULL);
	uint64		changed;

	changed = write_column(accounts, column,
						   psprintf("UPDATE %s p SET %s = (%s)::%s FROM (%s) t WHERE %s AND %s AND %s::pg_catalog.numeric <> (%s) RETURNING %s::pg_catalog.numeric IS DISTINCT FROM (%s)",
									table, set, value,
									idem_total_type_name(type), sums,
									idem_total_join_sql(&first->key, "t.k%d"),
									unbounded, name, value, name, value));
	return changed +
		write_column(accounts, column,
					 psprintf("UPDATE %s p SET %s = '0' WHERE %s AND %s <> '0' AND NOT EXISTS (SELECT FROM (%s) t WHERE %s) RETURNING %s <> '0'",
							  table, set, unbounded, name, sums,
							  idem_total_join_sql(&first->key, "t.k%d"),
							  name));
}

/* Lock these accounts, and write what their entries add up to. */
static uint64
apply_balance(Relation accounts, List *sources)
{
	const IdemTotalSource *first = linitial(sources);
	const char *unbounded = idem_setting(first->settings, "unbounded");
	const char *held = idem_total_column(accounts, first->total, "held");
	const char *sums;
	uint64		changed;

	restrict_sources(sources, accounts, unbounded);
	sums = idem_ledger_sums_sql(sources);
	idem_total_run_latest(psprintf("SELECT FROM %s p WHERE %s ORDER BY %s FOR NO KEY UPDATE",
								   idem_qualified_name(accounts),
								   idem_total_column_sql("p", unbounded),
								   key_columns_sql(&first->key)),
						  SPI_OK_SELECT);
	changed = apply_column(accounts, first, first->total,
						   idem_ledger_balance_sql(first), sums);
	if (held != NULL)
		changed += apply_column(accounts, first, held,
								idem_ledger_held_sql(first), sums);
	return changed;
}

/* The balances of a table that are batched, each by a list of its sources. */
static pg_noinline List *
batched_balances(Relation accounts)
{
	List	   *balances = NIL;
	List	   *found = NIL;
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(accounts))
	{
		const IdemGuard *guard = ((IdemGuardTrigger *) lfirst(lc))->guard;
		const char *batched = idem_setting(guard->settings, "batched");
		const char *name = idem_total_kept_by(guard);
		List	   *sources;

		if (name == NULL || batched == NULL || strcmp(batched, "true") != 0 ||
			list_member(found, makeString(pstrdup(name))))
			continue;
		found = lappend(found, makeString(pstrdup(name)));
		sources = idem_total_sources(accounts, name);
		if (sources != NIL)
			balances = lappend(balances, sources);
	}
	return balances;
}

/*
 * apply_balances(accounts regclass) -> bigint
 */
PG_FUNCTION_INFO_V1(idem_apply_balances);
Datum
idem_apply_balances(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Relation	accounts;
	List	   *balances;
	volatile uint64 changed = 0;
	IdemIdentity saved;

	idem_check_owned(relid);
	accounts = table_open(relid, RowExclusiveLock);
	balances = batched_balances(accounts);
	if (balances == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no balance of table \"%s\" is batched",
						RelationGetRelationName(accounts))));
	SPI_connect();
	idem_become_declarer(accounts, &saved);
	idem_see_every_row();
	idem_total_set_filling(relid, true);
	PG_TRY();
	{
		ListCell   *lc;

		foreach(lc, balances)
			changed += apply_balance(accounts, lfirst(lc));
	}
	PG_FINALLY();
	{
		idem_total_set_filling(InvalidOid, false);
	}
	PG_END_TRY();
	idem_restore_identity(&saved);
	SPI_finish();
	table_close(accounts, NoLock);
	PG_RETURN_INT64((int64) changed);
}
