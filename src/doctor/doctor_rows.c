/*
 * doctor_rows.c
 *		Do the rows still follow their rule?
 *
 * A guard judges what is written while it stands.  Rows that came in while it
 * was off, or before, are found only by looking at all of them.  What there is
 * to look at the room of the guard knows (base/kind.h); here every guard of
 * the database is asked.
 *
 * Everything is read under the snapshot of the calling query, so that tables
 * fit together while others write.  No lock but ACCESS SHARE.
 *
 * What cannot be asked, because a setting, a right or a foreign key is gone,
 * is a finding of its own and hides no other; a query that was cancelled, a
 * deadlock or a lack of memory ends the doctor.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/kind.h"
#include "doctor/doctor.h"

static void
put_finding(ReturnSetInfo *rsinfo, const IdemGuardKind *kind,
			const IdemGuard *guard, const char *finding)
{
	const char *table = idem_qualified_name_of(guard->relid);
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = CStringGetTextDatum("error");
	values[1] = CStringGetTextDatum(psprintf("%s guard %s on %s", kind->kind,
											 quote_identifier(guard->name),
											 table));
	values[2] = CStringGetTextDatum(finding);
	values[3] = CStringGetTextDatum(idem_rows_unseen(finding) ?
									"put right what it names; until then the guard refuses what it cannot judge" :
									kind->remedy);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Not idem_array_list: a trigger made by hand may say anything, even twice. */
List *
idem_array_strings(ArrayType *array)
{
	List	   *strings = NIL;
	Datum	   *items;
	int			n;
	int			i;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &items, NULL, &n);
	for (i = 0; i < n; i++)
		strings = lappend(strings, TextDatumGetCString(items[i]));
	return strings;
}

static IdemGuard *
read_guard(SPITupleTable *table, uint64 i)
{
	IdemGuard  *guard = palloc(sizeof(IdemGuard));
	HeapTuple	row = table->vals[i];
	bool		isnull;

	guard->relid = DatumGetObjectId(SPI_getbinval(row, table->tupdesc, 1,
												  &isnull));
	guard->name = SPI_getvalue(row, table->tupdesc, 3);
	guard->settings = idem_array_strings(DatumGetArrayTypeP(SPI_getbinval(row, table->tupdesc,
																	 4, &isnull)));
	return guard;
}

/*
 * check_rows() -> TABLE (severity, object, finding, remedy)
 *
 * Called by idem.doctor() as the owner of the extension.
 */
PG_FUNCTION_INFO_V1(idem_check_rows);
Datum
idem_check_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	SPITupleTable *guards;
	uint64		n;
	uint64		i;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	if (SPI_execute("SELECT relation, kind, name, settings FROM idem.guards",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read idem.guards");
	guards = SPI_tuptable;
	n = SPI_processed;
	for (i = 0; i < n; i++)
	{
		IdemGuard  *guard = read_guard(guards, i);
		const IdemGuardKind *kind =
			idem_kind_named(SPI_getvalue(guards->vals[i], guards->tupdesc, 2));
		char	   *finding;

		if (kind == NULL || kind->check_rows == NULL)
			continue;
		finding = idem_ask_rows(kind->check_rows, guard, guard->relid);
		if (finding != NULL)
			put_finding(rsinfo, kind, guard, finding);
	}
	SPI_finish();
	return (Datum) 0;
}
