/*
 * reconcile_settle.c
 *		What a person says of a difference.
 *
 * A difference is open, then investigating, then in one of three closed states,
 * which are final.  The row decides: it is changed only while it is not closed,
 * so of two people who close it one is told that it was closed already.  CHECKs
 * of idem.difference hold the rest.
 *
 * Locks: the row of the difference.
 *
 * Shown by sql/reconcile_life.sql and
 * test/isolation/specs/reconcile_race.spec.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/argument.h"
#include "base/latest.h"
#include "base/named.h"
#include "base/reason.h"

static const char settle_sql[] =
"UPDATE idem.difference SET state = $2, role = session_user, reason = $3,"
" closed_at = CASE WHEN $2 <> 'investigating' THEN clock_timestamp() END"
" WHERE id = $1 AND closed_at IS NULL";

static const char log_sql[] =
"INSERT INTO idem.difference_log (difference, n, at, role, state, kind, reason)"
" SELECT d.id, 1 + coalesce((SELECT max(l.n) FROM idem.difference_log l WHERE l.difference = d.id), 0),"
" clock_timestamp(), session_user, $2, d.kind, $3"
" FROM idem.difference d WHERE d.id = $1";

static const char state_sql[] =
"SELECT state FROM idem.difference WHERE id = $1 AND $2 <> $3";

/* 42704 for a difference that does not exist, 55000 for one that is closed */
static void
refuse(Relation rel, Oid *types, Datum *values)
{
	char	   *id = DatumGetCString(DirectFunctionCall1(uuid_out, values[0]));
	char	   *state;

	if (idem_run_as_owner(rel, state_sql, 3, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("difference %s does not exist", id)));
	state = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("difference %s is closed: %s", id, state),
			 errdetail("One that comes back is a new difference, which names it.")));
}

static void
check_state(const char *state)
{
	if (strcmp(state, "investigating") != 0 && strcmp(state, "explained") != 0 &&
		strcmp(state, "adjusted") != 0 && strcmp(state, "written_off") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a difference cannot be settled as \"%s\"", state),
				 errhint("It is \"investigating\", \"explained\", \"adjusted\" or \"written_off\".")));
}

/*
 * settle_difference(id uuid, state text, reason text) -> void
 */
PG_FUNCTION_INFO_V1(idem_settle_difference);
Datum
idem_settle_difference(PG_FUNCTION_ARGS)
{
	Oid			types[3] = {UUIDOID, TEXTOID, TEXTOID};
	char	   *state = idem_required_text(fcinfo, 1, "state");
	char	   *reason = idem_required_reason(fcinfo, 2, "reason");
	Datum		values[3];
	Relation	rel;

	idem_require_argument(fcinfo, 0, "id");
	check_state(state);
	PreventCommandIfReadOnly("idem.settle_difference()");
	values[0] = PG_GETARG_DATUM(0);
	values[1] = CStringGetTextDatum(state);
	values[2] = CStringGetTextDatum(reason);
	rel = table_open(idem_extension_relation("difference"), RowExclusiveLock);
	SPI_connect();
	if (idem_run_as_owner(rel, settle_sql, 3, types, values, NULL) == 0)
		refuse(rel, types, values);
	(void) idem_run_as_owner(rel, log_sql, 3, types, values, NULL);
	SPI_finish();
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}
