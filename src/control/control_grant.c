/*
 * control_grant.c
 *		Letting a role call the functions that are for it, and read what is.
 *
 * idem.rights says which function is for whom, idem.rights_to_read which table
 * or view.  These are SECURITY DEFINER with a pinned search path, because only
 * the owner can grant; what they run holds the name of a role and names out of
 * the catalog, nothing else of the caller's.
 *
 * Nothing is taken away here: REVOKE does that.
 *
 * Shown by sql/control_rights.sql and sql/control_scopes.sql.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/argument.h"
#include "base/change.h"
#include "base/declare.h"
#include "base/latest.h"
#include "base/settings_write.h"

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

/* The first column of a query about an audience, $1. */
static List *
names_for(const char *sql, const char *audience)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1];
	List	   *names = NIL;
	uint64		i;

	values[0] = CStringGetTextDatum(audience);
	if (idem_execute_latest(sql, 1, types, values, NULL, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the rights of idem");
	for (i = 0; i < SPI_processed; i++)
		names = lappend(names,
						SPI_getvalue(SPI_tuptable->vals[i],
									 SPI_tuptable->tupdesc, 1));
	return names;
}

/*
 * The functions of the extension that are for an audience, as GRANT wants
 * them, overloads included.
 */
static List *
functions_for(const char *audience)
{
	return names_for("SELECT DISTINCT p.oid::pg_catalog.regprocedure::pg_catalog.text"
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
					 audience);
}

/* The tables and views that an audience reads. */
static List *
relations_for(const char *audience)
{
	return names_for("SELECT pg_catalog.format('idem.%I', r.relation)"
					 " FROM idem.rights_to_read r"
					 " WHERE r.audience = $1 ORDER BY 1", audience);
}

/*
 * Grant what is for an audience, and keep what was granted.  The caller is
 * connected to SPI.
 */
static void
grant_audience(const char *audience, const char *role, const char *limit)
{
	List	   *functions = functions_for(audience);
	List	   *relations = relations_for(audience);
	ListCell   *lc;

	foreach(lc, functions)
		idem_execute("GRANT EXECUTE ON ROUTINE %s TO %s",
					 (char *) lfirst(lc), quote_identifier(role));
	foreach(lc, relations)
		idem_execute("GRANT SELECT ON %s TO %s",
					 (char *) lfirst(lc), quote_identifier(role));
	functions = list_concat(functions, relations);
	if (limit != NULL)
		functions = lappend(functions, psprintf("scopes=%s", limit));
	idem_log_change("granted", audience, InvalidOid, role, functions, NULL);
}

/* Grant an audience to the role that argument 0 names. */
static void
grant(FunctionCallInfo fcinfo, const char *audience)
{
	char	   *role = role_argument(fcinfo);

	SPI_connect();
	grant_audience(audience, role, NULL);
	SPI_finish();
}

/* 22023 for no scopes, 42704 for one that is not declared. */
static void
check_scopes(Datum scopes)
{
	Oid			type = TEXTARRAYOID;

	if (idem_execute_latest("SELECT n FROM pg_catalog.unnest($1) n"
							" LEFT JOIN idem.scope s ON s.name = n WHERE s.id IS NULL",
							1, &type, &scopes, NULL, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read idem.scope");
	if (SPI_processed > 0)
	{
		char	   *name = SPI_getvalue(SPI_tuptable->vals[0],
										SPI_tuptable->tupdesc, 1);

		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("scope \"%s\" does not exist",
						name == NULL ? "null" : name),
				 errhint("Declare it with idem.create_scope.")));
	}
	if (ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(scopes)),
					   ARR_DIMS(DatumGetArrayTypeP(scopes))) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" names no scope", "scopes"),
				 errhint("NULL is all scopes; REVOKE takes a right away.")));
}

/* Keep in which scopes the role uses keys: the last word counts. */
static void
keep_scopes(const char *role, Datum scopes, bool all)
{
	Oid			types[2] = {NAMEOID, TEXTARRAYOID};
	Datum		values[2];
	char		nulls[2] = {' ', ' '};

	values[0] = DirectFunctionCall1(namein, CStringGetDatum(role));
	values[1] = scopes;
	if (all)
		nulls[1] = 'n';
	if (idem_execute_latest("INSERT INTO idem.runtime_role (role, scopes)"
							" VALUES ($1, $2)"
							" ON CONFLICT ON CONSTRAINT runtime_role_pkey"
							" DO UPDATE SET scopes = excluded.scopes",
							2, types, values, nulls, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write idem.runtime_role");
}

/* grant_runtime(role regrole, scopes text[]) -> void */
PG_FUNCTION_INFO_V1(idem_grant_runtime);
Datum
idem_grant_runtime(PG_FUNCTION_ARGS)
{
	char	   *role = role_argument(fcinfo);
	bool		all = PG_ARGISNULL(1);
	Datum		scopes = all ? (Datum) 0 : PG_GETARG_DATUM(1);

	SPI_connect();
	if (!all)
		check_scopes(scopes);
	grant_audience("runtime", role, all ? NULL :
				   idem_list_text(idem_array_list("scopes",
												  DatumGetArrayTypeP(scopes))));
	keep_scopes(role, scopes, all);
	SPI_finish();
	PG_RETURN_VOID();
}

/* grant_operator(role regrole) -> void */
PG_FUNCTION_INFO_V1(idem_grant_operator);
Datum
idem_grant_operator(PG_FUNCTION_ARGS)
{
	grant(fcinfo, "operator");
	PG_RETURN_VOID();
}

/* grant_monitor(role regrole) -> void */
PG_FUNCTION_INFO_V1(idem_grant_monitor);
Datum
idem_grant_monitor(PG_FUNCTION_ARGS)
{
	grant(fcinfo, "monitor");
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

/* Is this the owner of the extension, who need not be a superuser? */
static bool
owns_extension(Oid role)
{
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(role);

	if (idem_execute_latest("SELECT FROM pg_catalog.pg_extension e"
							" WHERE e.extname = 'idem' AND e.extowner = $1",
							1, &type, &value, NULL, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_extension");
	return SPI_processed > 0;
}

/*
 * grant_admin(role regrole) -> void
 *
 * The objects of the extension belong to a superuser, the extension itself may
 * belong to the owner of the database, whose it is to name operators and
 * admins.
 */
PG_FUNCTION_INFO_V1(idem_grant_admin);
Datum
idem_grant_admin(PG_FUNCTION_ARGS)
{
	char	   *role = role_argument(fcinfo);

	SPI_connect();
	grant_audience("admin", role, NULL);
	grant_dumped(role);
	if (owns_extension(PG_GETARG_OID(0)))
		idem_execute("GRANT EXECUTE ON FUNCTION idem.grant_operator(regrole),"
					 " idem.grant_admin(regrole) TO %s",
					 quote_identifier(role));
	SPI_finish();
	PG_RETURN_VOID();
}
