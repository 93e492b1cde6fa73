/*
 * doctor_grant.c
 *		Letting a role call the functions that are for it.
 *
 * idem.rights says which function is for whom.  Both functions are SECURITY
 * DEFINER with a pinned search path, because only the owner of a function can
 * grant it; what they run holds the name of a role and names out of the
 * catalog, nothing else of the caller's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/latest.h"

/* The role an argument names: 22004 for null, 42704 for "-", which is none. */
static char *
role_argument(FunctionCallInfo fcinfo)
{
	idem_require_argument(fcinfo, 0, "role");
	if (GetUserNameFromId(PG_GETARG_OID(0), true) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role with OID %u does not exist", PG_GETARG_OID(0))));
	return GetUserNameFromId(PG_GETARG_OID(0), false);
}

/*
 * The functions of the extension that are for an audience, as GRANT wants
 * them, overloads included.
 */
static List *
functions_for(const char *audience)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1];
	List	   *functions = NIL;
	uint64		i;

	values[0] = CStringGetTextDatum(audience);
	if (idem_execute_latest("SELECT DISTINCT p.oid::pg_catalog.regprocedure::pg_catalog.text"
							" FROM pg_catalog.pg_proc p"
							" JOIN pg_catalog.pg_depend d ON d.objid = p.oid"
							" AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass"
							" AND d.deptype = 'e'"
							" JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"
							" AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass"
							" AND e.extname = 'idem'"
							" JOIN idem.rights r ON r.function = p.proname"
							" WHERE p.pronamespace = 'idem'::pg_catalog.regnamespace"
							" AND r.audience = $1 ORDER BY 1",
							1, types, values, NULL, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read idem.rights");
	for (i = 0; i < SPI_processed; i++)
		functions = lappend(functions,
							SPI_getvalue(SPI_tuptable->vals[i],
										 SPI_tuptable->tupdesc, 1));
	return functions;
}

/* Grant and keep what was granted.  The caller is connected to SPI. */
static void
grant_functions(const char *audience, const char *role)
{
	List	   *functions = functions_for(audience);
	ListCell   *lc;

	foreach(lc, functions)
		idem_execute("GRANT EXECUTE ON ROUTINE %s TO %s",
					 (char *) lfirst(lc), quote_identifier(role));
	idem_log_change("granted", audience, InvalidOid, role, functions, NULL);
}

/* grant_runtime(role regrole) -> void */
PG_FUNCTION_INFO_V1(idem_grant_runtime);
Datum
idem_grant_runtime(PG_FUNCTION_ARGS)
{
	char	   *role = role_argument(fcinfo);

	SPI_connect();
	grant_functions("runtime", role);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * Let a role read what pg_dump of the database reads: every table whose rows
 * go into a dump.
 */
static void
grant_dumped(const char *role)
{
	if (SPI_execute("SELECT pg_catalog.string_agg(c::pg_catalog.regclass::pg_catalog.text, ', ')"
					" FROM pg_catalog.pg_extension e, pg_catalog.unnest(e.extconfig) c"
					" WHERE e.extname = 'idem'", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_extension");
	idem_execute("GRANT SELECT ON %s TO %s",
				 SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1),
				 quote_identifier(role));
}

/* grant_admin(role regrole) -> void */
PG_FUNCTION_INFO_V1(idem_grant_admin);
Datum
idem_grant_admin(PG_FUNCTION_ARGS)
{
	char	   *role = role_argument(fcinfo);

	SPI_connect();
	grant_functions("admin", role);
	idem_execute("GRANT SELECT ON idem.change_log, idem.open_claims TO %s",
				 quote_identifier(role));
	grant_dumped(role);
	SPI_finish();
	PG_RETURN_VOID();
}
