/*
 * offer.c
 *		What rooms show under one name.
 *
 * What several rooms have a part of, each shows by a view of schema idem whose
 * name ends as those of the others do: <what>_declarations, <what>_stuck.
 * Whoever shows all of it puts them together here, and knows none of them.
 *
 * Only views of the extension in schema idem count, so that nobody else adds a
 * part: they are read as the owner of the extension's objects, and the owner of
 * the extension, who need not be a superuser, can make a view of another schema
 * a member of it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "base/latest.h"
#include "base/offer.h"

/*
 * The query of all views whose names end with an underscore and this word: of
 * each what its name begins with, as column "what", and these columns.  The
 * caller is connected to SPI.
 */
char *
idem_offered_sql(const char *word, const char *columns)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1];
	StringInfoData sql;
	uint64		i;

	values[0] = CStringGetTextDatum(word);
	if (idem_execute_latest("SELECT pg_catalog.quote_literal(pg_catalog.left(c.relname, -1 - pg_catalog.length($1))),"
							" c.oid::pg_catalog.regclass::pg_catalog.text"
							" FROM pg_catalog.pg_class c"
							" JOIN pg_catalog.pg_depend d ON d.objid = c.oid AND d.deptype = 'e'"
							" AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
							" AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass"
							" JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND e.extname = 'idem'"
							" WHERE c.relkind = 'v' AND c.relnamespace = 'idem'::pg_catalog.regnamespace"
							" AND c.relname ~ ('_' || $1 || '$')"
							" ORDER BY c.relname",
							1, types, values, NULL, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_class");
	initStringInfo(&sql);
	for (i = 0; i < SPI_processed; i++)
		appendStringInfo(&sql, "%sSELECT %s::pg_catalog.text AS what, %s FROM %s",
						 i > 0 ? " UNION ALL " : "",
						 SPI_getvalue(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc, 1),
						 columns,
						 SPI_getvalue(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc, 2));
	return sql.data;
}
