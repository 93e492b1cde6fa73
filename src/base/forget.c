/*
 * forget.c
 *		Who is told when a table, or its rows, may have changed.
 *
 * The server has ten places for such callbacks in a session, ends the session
 * when one more is asked for, and needs several of them itself; other
 * extensions want some, too (Citus five).  So all of idem takes one.
 */
#include "postgres.h"

#include "base/forget.h"

/* as many as there are callers of idem_forget_with, and some more */
static RelcacheCallbackFunction forgets[16];
static int	nforgets = 0;

/* Tell all of them; InvalidOid: everything may have changed. */
static void
forget_all(Datum arg, Oid relid)
{
	int			i;

	for (i = 0; i < nforgets; i++)
		forgets[i] (arg, relid);
}

/* Call the function from now on; once, however often it is asked for. */
void
idem_forget_with(RelcacheCallbackFunction forget)
{
	int			i;

	for (i = 0; i < nforgets; i++)
	{
		if (forgets[i] == forget)
			return;
	}
	if (nforgets == lengthof(forgets))
		elog(ERROR, "more than %d callbacks of the relcache", nforgets);
	if (nforgets == 0)
		CacheRegisterRelcacheCallback(forget_all, (Datum) 0);
	forgets[nforgets++] = forget;
}
