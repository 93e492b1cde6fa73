/*
 * stuck.c
 *		What should have gone on by now, of all rooms.
 *
 * A room shows its part by a view named <what>_stuck (offer.c).  Each looks
 * with a snapshot of its own, which is the latest one.
 *
 * Cost: that of the views; the rows are handed over a few at a time.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "base/offer.h"

#define BATCH	1000

/* Every row of a query to the result, in the order of its columns. */
static void
put_all(ReturnSetInfo *rsinfo, const char *sql)
{
	Portal		portal = SPI_cursor_open_with_args(NULL, sql, 0, NULL, NULL,
												   NULL, true, 0);

	for (;;)
	{
		uint64		i;

		SPI_cursor_fetch(portal, true, BATCH);
		for (i = 0; i < SPI_processed; i++)
			tuplestore_puttuple(rsinfo->setResult, SPI_tuptable->vals[i]);
		if (SPI_processed < BATCH)
			break;
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
}

/*
 * stuck_rows() -> SETOF (what, relation, key, state, since, due, next_states,
 *						  unread)
 */
PG_FUNCTION_INFO_V1(idem_stuck_rows);
Datum
idem_stuck_rows(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	PushActiveSnapshot(GetLatestSnapshot());
	put_all((ReturnSetInfo *) fcinfo->resultinfo,
			psprintf("SELECT * FROM (%s) s"
					 " ORDER BY unread IS NULL, coalesce(due, since), what COLLATE \"C\","
					 " relation::text COLLATE \"C\", key COLLATE \"C\"",
					 idem_offered_sql("stuck", "relation, key, state, since,"
									  " due, next_states, unread")));
	PopActiveSnapshot();
	SPI_finish();
	return (Datum) 0;
}
