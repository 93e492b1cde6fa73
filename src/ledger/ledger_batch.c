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

#include "base/column.h"
#include "base/declare.h"
#include "base/idem_errors.h"
#include "base/identity.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/qualified.h"
#include "base/settings.h"
#include "ledger/ledger_declare.h"
#include "total/total_keep.h"
#include "total/total_sql.h"
#include "total/total_type.h"

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

/* A number of the row that was returned. */
static uint64
returned(int column)
{
	bool		isnull;

	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, column,
									   &isnull));
}

/* 23I07: a trigger of the accounts has written something else. */
static void
refuse_change(Relation accounts, const char *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_FIXED_COLUMN),
			 errmsg("column \"%s\" of table \"%s\" is kept by a balance and cannot be written",
					column, RelationGetRelationName(accounts)),
			 errhint("A trigger of the table changed it."),
			 errtablecol(accounts, idem_column_number(accounts, column))));
}

/*
 * Run a statement that writes a kept column, and returns how many rows are to
 * have another value, how many were written, and how many of them have
 * something else again; how many changed.
 */
static uint64
write_column(Relation accounts, const char *column, const char *sql)
{
	uint64		wanted;
	uint64		changed;

	idem_total_write_latest(sql);
	wanted = returned(1);
	changed = returned(2);
	if (returned(3) > 0)
		refuse_change(accounts, column);
	if (changed < wanted)
		idem_total_refuse_filled(accounts, column,
								 psprintf(UINT64_FORMAT " of " UINT64_FORMAT " rows were written",
										  changed, wanted));
	SPI_freetuptable(SPI_tuptable);
	return changed;
}

/*
 * Write one kept column of these accounts; how many changed.  The rows are
 * locked, so they are found again by their place.
 *
 * WITH w AS MATERIALIZED (SELECT p.tableoid, p.ctid, <value> AS value
 *		FROM account p LEFT JOIN (sums) t ON ... WHERE <p has another>),
 *	d AS (UPDATE account p SET column = w.value FROM w WHERE <the same row>
 *		RETURNING p.column IS DISTINCT FROM w.value AS other)
 * SELECT (SELECT count(*) FROM w), count(*), count(*) FILTER (WHERE other)
 *	FROM d
 */
static uint64
apply_column(Relation accounts, const IdemTotalSource *first,
			 const char *column, const char *value, const char *sums)
{
	const char *table = idem_qualified_name(accounts);
	const char *name = idem_total_column_sql("p", column);
	Oid			type = idem_column_base_type(accounts,
											 idem_column_number(accounts, column),
											 NULL);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "WITH w AS MATERIALIZED (SELECT p.tableoid, p.ctid, (%s) AS value FROM %s p LEFT JOIN (%s) t ON %s WHERE %s AND %s::pg_catalog.numeric <> (%s))",
					 value, table, sums,
					 idem_total_join_sql(&first->key, "t.k%d"),
					 idem_total_column_sql("p", idem_setting(first->settings,
															 "unbounded")),
					 name, value);
	appendStringInfo(&sql, ", d AS (UPDATE %s p SET %s = w.value::%s FROM w WHERE p.ctid = w.ctid AND p.tableoid = w.tableoid RETURNING %s::pg_catalog.numeric IS DISTINCT FROM w.value AS other)",
					 table, quote_identifier(column),
					 idem_total_type_name(type), name);
	appendStringInfoString(&sql, " SELECT (SELECT count(*) FROM w), count(*), count(*) FILTER (WHERE other) FROM d");
	return write_column(accounts, column, sql.data);
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
	idem_total_set_filling(relid);
	PG_TRY();
	{
		ListCell   *lc;

		foreach(lc, balances)
			changed += apply_balance(accounts, lfirst(lc));
	}
	PG_FINALLY();
	{
		idem_total_set_filling(InvalidOid);
	}
	PG_END_TRY();
	idem_restore_identity(&saved);
	SPI_finish();
	table_close(accounts, NoLock);
	PG_RETURN_INT64((int64) changed);
}
