/*
 * total_list.c
 *		Rows under the guards of one kind that wait for somebody.
 *
 * A view lists, over all declared guards of a kind, rows that a query of the
 * room finds: limits that have not been cleared in time, holds that are past
 * their time.  Each guard is asked with one query, as the owner of the table
 * whose rows are shown, under the snapshot of the statement that reads the
 * view.  A role that may not read that table sees that there are such rows and
 * since when, not which and how much.
 *
 * A guard that cannot be asked, because its foreign key is gone or another
 * session holds a lock on its tables, is a WARNING and hides no other.
 *
 * Locked: ACCESS SHARE on these tables, until the end of the transaction.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "base/identity.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/latest.h"
#include "base/moved.h"
#include "base/qualified.h"
#include "base/right.h"
#include "base/rows.h"
#include "base/settings_trigger.h"
#include "total/total_rows.h"

/* how long a guard's lock is waited for, and after one that did not come */
#define LOCK_WAIT_MS	5000
#define NO_LOCK_WAIT_MS	1

/* the list that is being made */
static IdemTotalListSql list_sql = NULL;
static ReturnSetInfo *list_result = NULL;
static List *list_before = NIL; /* guards that are on it already */
static bool list_counts = false;	/* of counts, which show no row */

/* Put the rows of SPI_tuptable into a list, behind the table they are of. */
static void
put_rows(ReturnSetInfo *result, Relation shown, bool may_read)
{
	TupleDesc	desc = result->setDesc;
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);
	uint64		row;
	int			i;

	Assert(SPI_tuptable->tupdesc->natts == desc->natts - 1);
	values[0] = ObjectIdGetDatum(idem_root_relid(shown));
	nulls[0] = false;
	for (row = 0; row < SPI_processed; row++)
	{
		for (i = 1; i < desc->natts; i++)
		{
			values[i] = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, i, &nulls[i]);
			nulls[i] |= !may_read &&
				TupleDescAttr(desc, i)->atttypid != TIMESTAMPTZOID;
		}
		tuplestore_putvalues(result->setResult, desc, values, nulls);
	}
}

/* IdemRowsCheck: nothing is wrong with what is listed. */
static char *
list_guard(const IdemGuard *guard, Oid rows)
{
	ReturnSetInfo *result = list_result;	/* a query may make another */
	Relation	shown = NULL;
	char	   *sql = list_sql(guard, list_before, &shown);
	bool		may_read = list_counts || idem_may_read(shown);
	IdemIdentity saved;

	idem_become_declarer(shown, &saved);
	idem_see_every_row();
	if (SPI_execute(sql, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", sql);
	idem_restore_identity(&saved);
	put_rows(result, shown, may_read);
	relation_close(shown, NoLock);
	return NULL;
}

/* The declared guards of a kind that have a setting, as strings of settings. */
static void
select_guards(const char *kind, const char *setting)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2];

	values[0] = CStringGetTextDatum(kind);
	values[1] = CStringGetTextDatum(setting);
	(void) idem_run_as_extension("SELECT relation, name, settings FROM idem.guard_parts"
								 " WHERE part = 'row' AND declared AND kind = $1"
								 " AND idem.setting(settings, $2) IS NOT NULL"
								 " ORDER BY relation::text COLLATE \"C\", name",
								 2, types, values, NULL);
}

static IdemGuard *
read_guard(HeapTuple row, TupleDesc desc, const char *kind)
{
	IdemGuard  *guard = palloc(sizeof(IdemGuard));
	bool		isnull;

	guard->relid = DatumGetObjectId(SPI_getbinval(row, desc, 1, &isnull));
	guard->name = SPI_getvalue(row, desc, 2);
	guard->kind = idem_kind_named(kind);
	guard->settings =
		idem_settings_of_array(DatumGetArrayTypeP(SPI_getbinval(row, desc, 3,
																&isnull)));
	return guard;
}

/* Why it is that a guard is not listed */
static void
warn_unlisted(const IdemGuard *guard, const char *finding)
{
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("guard \"%s\" of table %s is not listed", guard->name,
					idem_qualified_name_of(guard->relid)),
			 errdetail_internal("%c%s.", pg_toupper(finding[0]), finding + 1)));
}

static Datum
put_list(FunctionCallInfo fcinfo, const char *kind, const char *setting,
		 IdemTotalListSql sql, bool counts)
{
	int			wait_ms = LOCK_WAIT_MS;
	List	   *before = NIL;
	SPITupleTable *guards;
	uint64		n;
	uint64		i;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	select_guards(kind, setting);
	guards = SPI_tuptable;
	n = SPI_processed;
	for (i = 0; i < n; i++)
	{
		IdemGuard  *guard = read_guard(guards->vals[i], guards->tupdesc, kind);
		char	   *finding;

		list_sql = sql;
		list_result = (ReturnSetInfo *) fcinfo->resultinfo;
		list_before = before;
		list_counts = counts;
		finding = idem_ask_rows(list_guard, guard, guard->relid, wait_ms);
		if (finding == NULL)
		{
			before = lappend(before, guard);
			continue;
		}
		warn_unlisted(guard, finding);
		if (idem_rows_locked(finding))
			wait_ms = NO_LOCK_WAIT_MS;
	}
	SPI_finish();
	return (Datum) 0;
}

/*
 * The rows of a function RETURNS TABLE (relation regclass, ...) that sql finds
 * for the declared guards of a kind that have this setting.
 */
Datum
idem_total_list(FunctionCallInfo fcinfo, const char *kind,
				const char *setting, IdemTotalListSql sql)
{
	return put_list(fcinfo, kind, setting, sql, false);
}

/*
 * The same where sql counts rows and shows none: whoever may call the function
 * sees what it finds.
 */
Datum
idem_total_counts(FunctionCallInfo fcinfo, const char *kind,
				  const char *setting, IdemTotalListSql sql)
{
	return put_list(fcinfo, kind, setting, sql, true);
}
