/*
 * audit_sequence.c
 *		How far the numbers of a column have come, for idem.sequence_problems.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "base/qualified.h"

/*
 * largest_value(relation regclass, name text) -> bigint
 *
 * The largest value of a column of integers, as the caller sees the rows; NULL
 * for none.  42501 without SELECT on the table.  Locks it ACCESS SHARE.
 */
PG_FUNCTION_INFO_V1(idem_largest_value);
Datum
idem_largest_value(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *sql;
	Datum		largest;
	bool		isnull;

	SPI_connect();
	sql = psprintf("SELECT pg_catalog.max(%s)::pg_catalog.int8 FROM %s",
				   quote_identifier(name), idem_qualified_name_of(relid));
	if (SPI_execute(sql, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", sql);
	largest = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							&isnull);
	SPI_finish();
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(largest);
}
