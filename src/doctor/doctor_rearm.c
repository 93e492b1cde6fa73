/*
 * doctor_rearm.c
 *		Putting the triggers of guards right after a restore.
 *
 * pg_restore --disable-triggers ends with ENABLE TRIGGER, which makes an
 * ENABLE ALWAYS trigger an ordinary one without a word.  This makes all of
 * them fire always again and creates the TRUNCATE triggers that lack.  What
 * to run the doctor's own view says (idem.guard_problems), so that what it
 * finds and what is mended are one thing.
 *
 * Each statement runs as the owner of its table, whom the caller must be able
 * to act as.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/latest.h"
#include "catalog/namespace.h"
#include "doctor/doctor.h"

/* What to run for one guard, as the extension's owner, who sees all. */
static uint64
select_remedies(Oid relid)
{
	Relation	view = relation_openrv(makeRangeVar("idem", "guard_problems", -1),
									   AccessShareLock);
	Oid			types[1] = {REGCLASSOID};
	Datum		values[1];
	char		nulls[1] = {' '};
	IdemIdentity saved;

	values[0] = ObjectIdGetDatum(relid);
	nulls[0] = OidIsValid(relid) ? ' ' : 'n';
	idem_become_declarer(view, &saved);
	if (idem_execute_latest("SELECT relation, kind, name, member, remedy, NULL::text[] FROM idem.guard_problems"
							" WHERE (remedy LIKE 'ALTER TABLE % ENABLE ALWAYS TRIGGER %'"
							" OR remedy LIKE 'CREATE TRIGGER %')"
							" AND ($1 IS NULL OR relation = $1)"
							" UNION "
							"SELECT relation, kind, name, NULL, NULL, NULL FROM idem.guards_weakened"
							" WHERE $1 IS NULL OR relation = $1"
							" UNION "
							"SELECT relation, kind, name, NULL, NULL, settings FROM idem.guards_undeclared"
							" WHERE $1 IS NULL OR relation = $1"
							" ORDER BY 1, 2, 3, 4, 5",
							1, types, values, nulls, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read idem.guard_problems");
	idem_restore_identity(&saved);
	relation_close(view, AccessShareLock);
	return SPI_processed;
}

/* Of a table that was not named, what the caller does not own is skipped. */
static bool
may_mend(Oid relid, bool named)
{
	if (named)
		idem_check_owned(relid);
	return object_ownercheck(RelationRelationId, relid, GetUserId());
}

static void
mend(Oid member, const char *remedy)
{
	Relation	rel = relation_open(member, AccessShareLock);
	IdemIdentity saved;

	idem_become_declarer(rel, &saved);
	relation_close(rel, NoLock);
	idem_execute("%s", remedy);
	idem_restore_identity(&saved);
}

static void
put_statement(ReturnSetInfo *rsinfo, const char *statement)
{
	Datum		values[1];
	bool		nulls[1] = {false};

	values[0] = CStringGetTextDatum(statement);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * One row of select_remedies.  A guard that was let pass and lacks nothing is
 * written down as looked at, one that nobody declared here as declared.
 */
static void
rearm_row(ReturnSetInfo *rsinfo, SPITupleTable *table, uint64 i, bool named)
{
	HeapTuple	row = table->vals[i];
	bool		isnull;
	Oid			relid = DatumGetObjectId(SPI_getbinval(row, table->tupdesc, 1,
													   &isnull));
	char	   *kind = SPI_getvalue(row, table->tupdesc, 2);
	char	   *name = SPI_getvalue(row, table->tupdesc, 3);
	char	   *remedy = SPI_getvalue(row, table->tupdesc, 5);
	Datum		settings;

	if (isnull)
		relid = InvalidOid;
	if (OidIsValid(relid) ? !may_mend(relid, named) : !superuser())
		return;
	if (remedy != NULL)
	{
		Oid			member = DatumGetObjectId(SPI_getbinval(row, table->tupdesc,
															4, &isnull));

		if (!may_mend(member, named))
			return;
		mend(member, remedy);
		put_statement(rsinfo, remedy);
	}
	settings = SPI_getbinval(row, table->tupdesc, 6, &isnull);
	if (!isnull)
		idem_log_change("declared", kind, relid, name,
						idem_settings_of_array(DatumGetArrayTypeP(settings)),
						"found by idem.rearm()");
	else
		idem_log_change("rearmed", kind, relid, name,
						remedy ? list_make1(remedy) : NIL, NULL);
}

/*
 * rearm(relation regclass) -> SETOF text
 */
PG_FUNCTION_INFO_V1(idem_rearm);
Datum
idem_rearm(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			relid = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
	SPITupleTable *table;
	uint64		n;
	uint64		i;

	PreventCommandIfReadOnly("idem.rearm()");
	if (OidIsValid(relid))
		idem_check_owned(relid);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	n = select_remedies(relid);
	table = SPI_tuptable;
	for (i = 0; i < n; i++)
		rearm_row(rsinfo, table, i, OidIsValid(relid));
	SPI_finish();
	return (Datum) 0;
}
