/*
 * total_statement.c
 *		Changing a parent's totals through the executor.
 *
 * Two statements on the parent row, with kept plans:
 *
 *		SELECT cap, used, ... FROM parent WHERE key = fk FOR NO KEY UPDATE
 *		UPDATE parent SET used = ..., excess = ..., count = ... WHERE key = fk
 *
 * Between them the row stays as it was looked at, and the new totals are
 * computed in memory, as total_direct.c computes them.  Under READ COMMITTED a
 * second writer waits for the lock and looks at the version the first left.
 * Under REPEATABLE READ and SERIALIZABLE both statements see the latest
 * version, and the UPDATE of one that the transaction's own snapshot cannot
 * see is 40001 (the crosscheck of ri_PerformCheck).
 *
 * This way fires whatever the parent has: triggers of its user, generated
 * columns, partitions.  total_direct.c is the short way for parents that have
 * nothing of the kind; both keep the same promise.  Runs as the owner of the
 * parent, row security off.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "base/ask.h"
#include "base/identity.h"
#include "base/qualified.h"
#include "base/right.h"
#include "total/total.h"

/* the amounts, and the count */
#define TOTALS_MAX (IDEM_TOTAL_VALUES + 1)

/* SELECT <columns> FROM schema.parent p WHERE <key> FOR NO KEY UPDATE */
static char *
look_text(IdemTotal *total, Relation parent)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (i = 0; i < total->ncolumns; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "",
						 total->column[i] == NULL ? "NULL" :
						 psprintf("p.%s", quote_identifier(total->column[i])));
	appendStringInfo(&sql, " FROM %s p WHERE %s FOR NO KEY UPDATE",
					 idem_qualified_name(parent),
					 idem_total_join_sql(&total->key, "$%d"));
	return sql.data;
}

/* UPDATE schema.parent p SET used = $n+1, ... WHERE <key> */
static char *
change_text(IdemTotal *total, Relation parent)
{
	StringInfoData sql;
	int			argument = total->key.n;
	int			place;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s p SET ", idem_qualified_name(parent));
	for (place = 0; place <= IDEM_TOTAL_COUNT; place++)
	{
		if (!IDEM_TOTAL_IS_KEPT(place))
			continue;
		if (total->column[place] != NULL)
			appendStringInfo(&sql, "%s%s = $%d",
							 argument > total->key.n ? ", " : "",
							 quote_identifier(total->column[place]),
							 argument + 1);
		argument += total->column[place] != NULL;
	}
	appendStringInfo(&sql, " WHERE %s",
					 idem_total_join_sql(&total->key, "$%d"));
	return sql.data;
}

/* The types of the arguments of both: key, then totals; returns how many. */
static int
argument_types(IdemTotal *total, Oid *types)
{
	int			n = total->key.n;
	int			place;

	memcpy(types, total->fk_type, sizeof(Oid) * n);
	for (place = 0; place <= IDEM_TOTAL_COUNT; place++)
	{
		if (IDEM_TOTAL_IS_KEPT(place) && total->column[place] != NULL)
			types[n++] = place == IDEM_TOTAL_COUNT ? INT8OID :
				total->amount.type;
	}
	return n;
}

/*
 * The kept plan of a statement, prepared on first use and, when it has become
 * invalid (a schema was renamed), anew from its text.
 */
static SPIPlanPtr
plan_of(IdemTotal *total, Relation parent, SPIPlanPtr *kept)
{
	Oid			types[INDEX_MAX_KEYS + TOTALS_MAX];
	int			n = argument_types(total, types);
	bool		looks = kept == &total->look;

	if (*kept != NULL && (total->busy > 1 || SPI_plan_is_valid(*kept)))
		return *kept;
	return idem_keep_plan(kept,
						  SPI_prepare_cursor(looks ? look_text(total, parent) :
											 change_text(total, parent),
											 looks ? total->key.n : n, types,
											 CURSOR_OPT_GENERIC_PLAN));
}

/* Forget the plans that were kept for a total. */
void
idem_statement_free(IdemTotal *total)
{
	if (total->look != NULL)
		SPI_freeplan(total->look);
	if (total->change != NULL)
		SPI_freeplan(total->change);
	total->look = total->change = NULL;
}

/* Run a statement on the parent as its owner; did it find the row? */
static bool
run_statement(IdemTotalChange *c, SPIPlanPtr *kept, Datum *values, int expected)
{
	MemoryContext context = CurrentMemoryContext;
	bool		may_read = idem_may_read(c->parent);
	Snapshot	snapshot = InvalidSnapshot;
	Snapshot	crosscheck = InvalidSnapshot;
	volatile int code = 0;
	IdemIdentity saved;

	if (IsolationUsesXactSnapshot())
	{
		CommandCounterIncrement();	/* see all of our own work */
		snapshot = GetLatestSnapshot();
		if (expected == SPI_OK_UPDATE)
			crosscheck = GetTransactionSnapshot();
	}
	idem_become_owner(c->parent, &saved);
	c->total->busy++;
	PG_TRY();
	{
		code = SPI_execute_snapshot(plan_of(c->total, c->parent, kept), values,
									NULL, snapshot, crosscheck, false, true, 0);
	}
	PG_CATCH();
	{
		c->total->busy--;
		idem_rethrow(context, may_read);
	}
	PG_END_TRY();
	c->total->busy--;
	idem_restore_identity(&saved);
	if (code < 0)
		elog(ERROR, "SPI_execute_snapshot returned %s",
			 SPI_result_code_string(code));
	if (code != expected)		/* a rule has rewritten it */
		idem_total_report_not_kept(c);
	return SPI_processed > 0;
}

/* The key of the row, as the children have it. */
static int
key_values(IdemTotalChange *c, Datum *values)
{
	int			i;

	for (i = 0; i < c->total->key.n; i++)
		values[i] = c->notes[0]->values[i].value;
	return i;
}

/*
 * Lock the row of the parent and look at it: it is then in c->looked.  The
 * caller is connected to SPI.
 */
IdemTotalResult
idem_statement_look(IdemTotalChange *c)
{
	Datum		values[INDEX_MAX_KEYS];

	(void) key_values(c, values);
	c->seen = NULL;
	if (!run_statement(c, &c->total->look, values, SPI_OK_SELECT))
		return IDEM_TOTAL_NO_ROW;
	c->looked = SPI_tuptable;
	return IDEM_TOTAL_DONE;
}

/* Write the totals of the row that was looked at, and see it accepted. */
void
idem_statement_change(IdemTotalChange *c, const IdemTotals *next)
{
	IdemTotal  *total = c->total;
	Datum		values[INDEX_MAX_KEYS + TOTALS_MAX];
	int			n = key_values(c, values);
	IdemTotalStep step = {.total = total,.note = c->notes[0],.after = *next};
	volatile bool found = false;
	int			i;

	idem_total_read(c, &step.before);
	for (i = 0; i < IDEM_TOTAL_VALUES; i++)
	{
		if (total->column[IDEM_TOTAL_KEPT + i] != NULL)
			values[n++] = next->value[i];
	}
	if (total->column[IDEM_TOTAL_COUNT] != NULL)
		values[n++] = Int64GetDatum(next->count);
	idem_total_announce(&step);
	PG_TRY();
	{
		found = run_statement(c, &total->change, values, SPI_OK_UPDATE);
	}
	PG_FINALLY();
	{
		idem_total_withdraw(&step);
	}
	PG_END_TRY();
	if (!found || !step.accepted)
		idem_total_report_not_kept(c);
}
