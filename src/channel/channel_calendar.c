/*
 * channel_calendar.c
 *		The days and hours of a provider, as idem.calendar has them.
 *
 * Read by SQL once for each dispatch: a calendar is a handful of rows.  They
 * are read with the latest snapshot, not with that of the transaction.
 *
 * Locks: ACCESS SHARE on idem.channel and what SQL reads.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#include "base/latest.h"
#include "base/named.h"
#include "channel/channel.h"

/*
 * Ask a query about the calendar $1 and the time $2 for one row; connected to
 * SPI.  False: there is none.
 */
static bool
ask(const char *sql, const IdemChannel *channel, TimestampTz at)
{
	Oid			types[2] = {TEXTOID, TIMESTAMPTZOID};
	Datum		values[2];
	Relation	rel = table_open(idem_extension_relation("channel"),
								 AccessShareLock);
	uint64		rows;

	values[0] = CStringGetTextDatum(channel->calendar);
	values[1] = TimestampTzGetDatum(at);
	rows = idem_run_as_owner(rel, sql, 2, types, values, NULL);
	table_close(rel, AccessShareLock);
	return rows == 1;
}

static bool
column(int n, Datum *value)
{
	bool		isnull;

	*value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, n,
						   &isnull);
	return !isnull;
}

/* When a channel that is closed now opens; 0: it is open. */
TimestampTz
idem_channel_closed_until(const IdemChannel *channel, TimestampTz now)
{
	TimestampTz until = 0;
	Datum		value;

	if (channel->calendar == NULL)
		return 0;
	SPI_connect();
	if (ask("SELECT idem.opens_at($1, $2)", channel, now) &&
		column(1, &value) && DatumGetTimestampTz(value) > now)
		until = DatumGetTimestampTz(value);
	SPI_finish();
	return until;
}

/* The provider's days of an attempt that is dispatched now. */
void
idem_channel_dates(const IdemChannel *channel, TimestampTz now, IdemSent *sent)
{
	Datum		value;

	if (channel->calendar == NULL)
		return;
	SPI_connect();
	if (ask("SELECT d.business_date, d.other_date FROM idem.business_dates($1, $2) d",
			channel, now))
	{
		sent->has_date = column(1, &value);
		if (sent->has_date)
			sent->business_date = DatumGetDateADT(value);
		sent->has_other_date = column(2, &value);
		if (sent->has_other_date)
			sent->other_date = DatumGetDateADT(value);
	}
	SPI_finish();
}
