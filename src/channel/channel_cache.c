/*
 * channel_cache.c
 *		What a session remembers of declared channels.
 *
 * Channels are cached as scopes are (key/key_scope.c): read from idem.channel
 * at first use and kept.  The callback of a relcache invalidation only sets a
 * mark, and the next look-up reads them again.  What was read before stays
 * valid until the end of the transaction.
 *
 * A look-up first accepts invalidations, as a look-up of return codes does, so
 * that a call that has waited for its key judges by the channel and the codes
 * of one moment.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/forget.h"
#include "base/latest.h"
#include "base/named.h"
#include "channel/channel_inner.h"
#include "key/key.h"

/* Columns of idem.channel. */
#define Anum_channel_name			1
#define Anum_channel_send			2	/* and the other interfaces */
#define Anum_channel_serial			6
#define Anum_channel_serial_per		7
#define Anum_channel_serial_max		8
#define Anum_channel_serial_charset	9
#define Anum_channel_first_serial	10
#define Anum_channel_echo			11
#define Anum_channel_amount			12
#define Anum_channel_absence		13
#define Anum_channel_quiet			14
#define Anum_channel_partial		15
#define Anum_channel_presume_days	16
#define Anum_channel_window			17
#define Anum_channel_calendar		18

static Oid	channel_relid = InvalidOid;
static HTAB *channels = NULL;
static MemoryContext channels_context = NULL;
static bool channels_valid = false;

static void
forget_channels(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == channel_relid)
		channels_valid = false;
}

/* See that what is remembered is of now, as far as this session has heard. */
static void
renew_channels(void)
{
	HASHCTL		ctl;

	if (likely(channels_valid))
		return;
	idem_forget_with(forget_channels);
	channel_relid = idem_extension_relation("channel");
	if (channels_context)
		MemoryContextSetParent(channels_context, TopTransactionContext);
	channels_context = AllocSetContextCreate(CacheMemoryContext,
											 "idem channels",
											 ALLOCSET_SMALL_SIZES);
	ctl.keysize = NAMEDATALEN;
	ctl.entrysize = sizeof(IdemChannel);
	ctl.hcxt = channels_context;
	channels = hash_create("idem channels", 16, &ctl,
						   HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	channels_valid = true;
}

/* A row of idem.channel, taken apart. */
typedef struct Row
{
	HeapTuple	tuple;
	TupleDesc	desc;
} Row;

static bool
column(const Row *row, int attnum, Datum *value)
{
	bool		isnull;

	*value = heap_getattr(row->tuple, attnum, row->desc, &isnull);
	return !isnull;
}

static char *
text_column(const Row *row, int attnum)
{
	Datum		value;

	return column(row, attnum, &value) ? TextDatumGetCString(value) : NULL;
}

static int64
interval_column(const Row *row, int attnum, const char *name)
{
	Datum		value;

	if (!column(row, attnum, &value))
		return 0;
	return idem_key_duration(name, DatumGetIntervalP(value), true);
}

static bool
column_is(const Row *row, int attnum, const char *word)
{
	const char *text = text_column(row, attnum);

	return text !=NULL && strcmp(text, word) == 0;
}

static void
read_echo(const Row *row, IdemChannel *channel)
{
	Datum		value;
	Datum	   *items;
	int			i;

	(void) column(row, Anum_channel_echo, &value);
	deconstruct_array(DatumGetArrayTypePCopy(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &items, NULL, &channel->necho);
	channel->echo = palloc(sizeof(IdemMember) * Max(channel->necho, 1));
	for (i = 0; i < channel->necho; i++)
	{
		channel->echo[i].name = TextDatumGetCString(items[i]);
		channel->echo[i].len = strlen(channel->echo[i].name);
		if (strcmp(channel->echo[i].name, "serial") == 0)
			channel->echoes_serial = true;
	}
}

static void
read_serial(const Row *row, IdemChannel *channel)
{
	IdemSerial	serial = {0};
	Datum		value;

	serial.form = text_column(row, Anum_channel_serial);
	if (serial.form == NULL)
		return;
	serial.per = text_column(row, Anum_channel_serial_per);
	serial.charset = text_column(row, Anum_channel_serial_charset);
	serial.calendar = channel->calendar;
	if (column(row, Anum_channel_serial_max, &value))
		serial.max = DatumGetInt32(value);
	if (column(row, Anum_channel_first_serial, &value))
		serial.first = DatumGetInt64(value);
	channel->serial_per_key = strcmp(serial.per, "key") == 0;
	channel->serial = idem_channel_read_serial(&serial);
}

static void
read_channel(const Row *row, IdemChannel *channel)
{
	Datum		days;
	int			i;

	for (i = 0; i < IDEM_INTERFACES; i++)
		channel->interfaces[i] = text_column(row, Anum_channel_send + i);
	channel->calendar = text_column(row, Anum_channel_calendar);
	read_serial(row, channel);
	read_echo(row, channel);
	channel->amount.name = text_column(row, Anum_channel_amount);
	channel->amount.len = strlen(channel->amount.name);
	channel->absence = column_is(row, Anum_channel_absence, "inquiry") ?
		IDEM_ABSENCE_INQUIRY :
		column_is(row, Anum_channel_absence, "statement") ?
		IDEM_ABSENCE_STATEMENT : IDEM_ABSENCE_OPERATOR;
	channel->quiet = interval_column(row, Anum_channel_quiet, "quiet");
	channel->records_partial = column_is(row, Anum_channel_partial, "record");
	channel->presume_days = column(row, Anum_channel_presume_days, &days) ?
		DatumGetInt32(days) : 0;
	channel->window = interval_column(row, Anum_channel_window,
									  "idempotency_window");
}

/* Keep what a row of idem.channel says, in channels_context. */
static IdemChannel *
keep_channel(const Row *row, const char *name)
{
	MemoryContext old = MemoryContextSwitchTo(channels_context);
	IdemChannel channel;
	IdemChannel *entry;

	memset(&channel, 0, sizeof(channel));
	strlcpy(channel.name, name, NAMEDATALEN);
	read_channel(row, &channel);
	MemoryContextSwitchTo(old);
	entry = hash_search(channels, name, HASH_ENTER, NULL);
	*entry = channel;
	return entry;
}

/* Read a channel from the table, with the latest snapshot; or NULL. */
static IdemChannel *
load_channel(const char *name)
{
	Relation	rel = table_open(channel_relid, AccessShareLock);
	IdemChannel *channel = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	Row			row;

	ScanKeyInit(&key, Anum_channel_name, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(name));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	row.tuple = systable_getnext(scan);
	row.desc = RelationGetDescr(rel);
	/* opening the table may have brought news */
	renew_channels();
	if (HeapTupleIsValid(row.tuple))
		channel = keep_channel(&row, name);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return channel;
}

/* The channel of this name, or NULL; readable until the transaction ends. */
const IdemChannel *
idem_channel_find(const char *name)
{
	IdemChannel *channel;

	if (strlen(name) >= NAMEDATALEN)
		return NULL;
	idem_accept_news();
	renew_channels();
	channel = hash_search(channels, name, HASH_FIND, NULL);
	return channel != NULL ? channel : load_channel(name);
}

/* The same: 42704 if there is none. */
const IdemChannel *
idem_channel_get(const char *name)
{
	const IdemChannel *channel = idem_channel_find(name);

	if (channel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("channel \"%s\" does not exist", name),
				 errhint("Declare it with idem.create_channel.")));
	return channel;
}

/* Is an interface one of the channel's, and which? */
bool
idem_channel_interface(const IdemChannel *channel, const char *name,
					   IdemInterface *which)
{
	int			i;

	for (i = 0; i < IDEM_INTERFACES; i++)
	{
		if (channel->interfaces[i] == NULL ||
			strcmp(channel->interfaces[i], name) != 0)
			continue;
		*which = (IdemInterface) i;
		return true;
	}
	return false;
}
