/*
 * doctor.c
 *		What the views and findings of the doctor need from C.
 *
 * The guards as a whole are asked of the catalog, in SQL (doctor.sql): the
 * triggers decide what is a guard, idem.change_log knows what should be one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/idem_compat.h"

/*
 * trigger_settings(tgargs bytea) -> text[]
 *
 * pg_trigger.tgargs holds the arguments one after the other, each ended by a
 * zero byte, which no function of SQL can take apart.  What the catalog
 * holds is text of this database; what a caller makes up may not be.
 */
PG_FUNCTION_INFO_V1(idem_trigger_settings);
Datum
idem_trigger_settings(PG_FUNCTION_ARGS)
{
	bytea	   *tgargs = PG_GETARG_BYTEA_PP(0);
	const char *at = VARDATA_ANY(tgargs);
	const char *end = at + VARSIZE_ANY_EXHDR(tgargs);
	ArrayBuildState *settings = initArrayResult(TEXTOID, CurrentMemoryContext,
												false);

	while (at < end)
	{
		const char *zero = memchr(at, '\0', end - at);
		int			len = (zero ? zero : end) - at;

		pg_verifymbstr(at, len, false);
		settings = accumArrayResult(settings,
									PointerGetDatum(cstring_to_text_with_len(at, len)),
									false, TEXTOID, CurrentMemoryContext);
		at += len + 1;
	}
	PG_RETURN_DATUM(makeArrayResult(settings, CurrentMemoryContext));
}
