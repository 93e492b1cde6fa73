/*
 * site.c
 *		Is this server the place from which effects may leave?
 *
 * The table idem.site says to which site a database belongs, and dumps and
 * backups carry it along.  The setting idem.site says which site a server is,
 * in a configuration file that no copy of the data carries along.  Where the
 * two differ, nothing is sent: a copy of production is not production.
 *
 * Beside the name there is a stamp: the identifier of the cluster, its
 * timeline, and the numbers of the database and of the table idem.site in it.
 * A dump that is restored has another identifier or another number, also in the
 * database from which it came, since the table is made anew; a backup that was
 * recovered, and a standby that was promoted, are on a new timeline; and a base
 * backup that was simply started still has its label file, which names the
 * current timeline.  Any of them may be older than what was sent, so nothing
 * goes on until an operator has said so (send_site.c), but for one case,
 * on_move => 'follow': the timeline follows the stamped one without a recovery
 * target, this server has received it as a standby since it was started, and
 * every scope for effects outside asks for standbys, so that whatever was
 * dispatched is where it was confirmed.
 *
 * The setting is read from pg_settings, as the owner of the extension, since
 * its file counts as much as its value.  It can only come from a file; what is
 * set by a connection, a role or a database before the library is loaded in
 * the session hides it, and the server refuses that when the library is
 * loaded: then it is empty, and nothing goes.
 *
 * Costs the test of a flag where no site is set, or where this server is the
 * site.  The flag is cleared when the row changes or the configuration is
 * reloaded.  The timeline cannot change as long as there is a session that may
 * write.
 *
 * Not promised: anything against a copy that has the same configuration and
 * the same timeline, as of a whole machine; that the standby which was promoted
 * is one that was waited for.
 *
 * Shown by sql/site.sql and test/tap/620_site.pl.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "replication/walreceiver.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "base/change.h"
#include "base/forget.h"
#include "base/latest.h"
#include "base/named.h"
#include "base/site.h"

#define Anum_site_name				2
#define Anum_site_on_move			3
#define Anum_site_system_identifier	6
#define Anum_site_timeline			7
#define Anum_site_database			8
#define Anum_site_relation			9
#define Anum_site_backup			10
#define Anum_site_held_until		12

bool		idem_site_here = false;
TimestampTz idem_site_held = 0;

static char *site_setting = NULL;
static Oid	site_relid = InvalidOid;
static uint64 news = 0;			/* how often something was said to change */

/* ---------- the setting ---------- */

/* The configuration was read again: what is remembered may be of another. */
static void
assign_site(const char *newval, void *extra)
{
	idem_site_here = false;
	news++;
}

/*
 * idem.site: which place this server is.  Set in a file of the configuration
 * that lies outside of the data directory, so that no copy of the data takes
 * the name along; ALTER SYSTEM, whose file lies inside, is refused.
 */
void
idem_site_init(void)
{
	DefineCustomStringVariable("idem.site",
							   "Which place this server is; effects leave only where the database belongs to it.",
							   "Counts from a configuration file outside of the data directory.",
							   &site_setting,
							   "",
							   PGC_SIGHUP,
							   GUC_DISALLOW_IN_AUTO_FILE | GUC_NOT_IN_SAMPLE,
							   NULL, assign_site, NULL);
}

/* Does a file lie inside of a folder, whatever links lead there? */
static bool
is_inside(const char *file, const char *folder)
{
	char	   *real_file = realpath(file, NULL);
	char	   *real_folder = realpath(folder, NULL);
	bool		inside = true;	/* if it cannot be told */

	if (real_file != NULL && real_folder != NULL)
	{
		size_t		len = strlen(real_folder);

		inside = strncmp(real_file, real_folder, len) == 0 &&
			(real_file[len] == '/' || strcmp(real_folder, "/") == 0);
	}
	free(real_file);
	free(real_folder);
	return inside;
}

/* The value of a column of the row that SPI has read; NULL for null. */
static char *
setting_column(int n)
{
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, n);
}

/* Why a setting from this source and file does not count, or NULL. */
static const char *
source_flaw(const char *value, const char *source, const char *file)
{
	if (value[0] == '\0')
		return "the configuration of the server does not set idem.site, or the connection, its role or its database hid it";
	if (strcmp(source, "configuration file") != 0)
		return psprintf("idem.site does not come from a configuration file, but from: %s",
						source);
	if (file == NULL)
		return "the file that sets idem.site cannot be told";
	if (is_inside(file, DataDir))
		return psprintf("the file that sets idem.site, \"%s\", lies inside the data directory, and goes with every copy of it",
						file);
	return NULL;
}

/*
 * Why the configuration does not say that this server is the place of this
 * name, or NULL.
 */
const char *
idem_site_setting_flaw(const char *name)
{
	MemoryContext caller = CurrentMemoryContext;
	const char *flaw;
	char	   *value;

	SPI_connect();
	if (idem_run_as_extension("SELECT setting, source, sourcefile"
							  " FROM pg_catalog.pg_settings"
							  " WHERE name = 'idem.site'",
							  0, NULL, NULL, NULL) != 1)
		elog(ERROR, "setting idem.site is unknown");
	value = setting_column(1);
	flaw = source_flaw(value, setting_column(2), setting_column(3));
	if (flaw == NULL && strcmp(value, name) != 0)
		flaw = psprintf("the site of the database is \"%s\", and this server is \"%s\"",
						name, value);
	if (flaw != NULL)
		flaw = MemoryContextStrdup(caller, flaw);
	SPI_finish();
	return flaw;
}

/* ---------- the row ---------- */

static void
forget_site(Datum arg, Oid relid)
{
	if (OidIsValid(relid) && relid != site_relid)
		return;
	idem_site_here = false;
	news++;
}

static Datum
column(Relation rel, HeapTuple tuple, int number, bool *isnull)
{
	return heap_getattr(tuple, number, RelationGetDescr(rel), isnull);
}

static void
decode(Relation rel, HeapTuple tuple, IdemSite *site)
{
	bool		isnull;
	Datum		value;

	site->set = true;
	value = column(rel, tuple, Anum_site_name, &isnull);
	site->name = TextDatumGetCString(value);
	value = column(rel, tuple, Anum_site_on_move, &isnull);
	site->on_move = isnull ? NULL : TextDatumGetCString(value);
	value = column(rel, tuple, Anum_site_system_identifier, &isnull);
	site->stamp.system = DatumGetInt64(value);
	value = column(rel, tuple, Anum_site_timeline, &isnull);
	site->stamp.timeline = DatumGetInt64(value);
	value = column(rel, tuple, Anum_site_database, &isnull);
	site->stamp.database = DatumGetObjectId(value);
	value = column(rel, tuple, Anum_site_relation, &isnull);
	site->stamp.relation = DatumGetObjectId(value);
	value = column(rel, tuple, Anum_site_backup, &isnull);
	site->stamp.backup = isnull ? NULL : TextDatumGetCString(value);
	value = column(rel, tuple, Anum_site_held_until, &isnull);
	site->held_until = isnull ? 0 : DatumGetTimestampTz(value);
}

/* Read idem.site as it is committed now, in current memory. */
void
idem_site_read(IdemSite *site)
{
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;

	idem_forget_with(forget_site);
	memset(site, 0, sizeof(IdemSite));
	site_relid = idem_extension_relation("site");
	rel = table_open(site_relid, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		decode(rel, tuple, site);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* Is there a place that this database belongs to? */
bool
idem_has_site(void)
{
	IdemSite	site;

	idem_site_read(&site);
	return site.set;
}

/* ---------- the stamp ---------- */

/*
 * Where the base backup began that this server was started from, if it is
 * still on the timeline of that backup: recovering it, or promoting a standby
 * made of it, would have begun another one.  NULL: it is none.
 */
static char *
backup_started(TimeLineID timeline)
{
	char		line[MAXPGPATH];
	unsigned int hi;
	unsigned int lo;
	unsigned int tli;
	char	   *began = NULL;
	bool		same = false;
	FILE	   *file = AllocateFile(BACKUP_LABEL_OLD, "r");

	if (file == NULL)
		return NULL;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		if (sscanf(line, "START WAL LOCATION: %X/%X", &hi, &lo) == 2)
			began = psprintf("%X/%X", hi, lo);
		if (sscanf(line, "START TIMELINE: %u", &tli) == 1)
			same = tli == timeline;
	}
	FreeFile(file);
	return same ? began : NULL;
}

/* The stamp of here and now, of a server that is not in recovery. */
void
idem_site_stamp(IdemStamp *stamp)
{
	TimeLineID	timeline = GetWALInsertionTimeLine();

	stamp->system = (int64) GetSystemIdentifier();
	stamp->timeline = timeline;
	stamp->database = MyDatabaseId;
	stamp->relation = idem_extension_relation("site");
	stamp->backup = backup_started(timeline);
}

/*
 * Does the history of a timeline say that it was left off from the other one,
 * at its end and not at a recovery target?
 */
static bool
continues(TimeLineID timeline, int64 from)
{
	char		path[MAXPGPATH];
	char		line[MAXPGPATH];
	unsigned int parent = 0;
	bool		at_end = false;
	FILE	   *file;

	TLHistoryFilePath(path, timeline);
	file = AllocateFile(path, "r");
	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		if (!isdigit((unsigned char) line[0]))
			continue;
		parent = (unsigned int) strtoul(line, NULL, 10);
		at_end = strstr(line, "no recovery target specified") != NULL;
	}
	FreeFile(file);
	return at_end && parent == from;
}

/*
 * Was this server, since it was started, a standby on the stamped timeline,
 * and promoted?  A backup that was recovered from an archive was not; after a
 * restart nobody can tell.
 */
static bool
was_promoted(const IdemStamp *stamp)
{
	TimeLineID	received;

	if (GetWalRcvFlushRecPtr(NULL, &received) == InvalidXLogRecPtr)
		return false;
	return received == stamp->timeline &&
		continues(GetWALInsertionTimeLine(), stamp->timeline);
}

/* Does every scope for effects outside ask for standbys? */
bool
idem_site_may_follow(void)
{
	bool		may;

	SPI_connect();
	may = idem_run_as_extension("SELECT FROM idem.scope"
								" WHERE effect = 'outside' AND standbys = 0"
								" LIMIT 1", 0, NULL, NULL, NULL) == 0;
	SPI_finish();
	return may;
}

/* Is the site one that goes on by itself on the timeline of now? */
static bool
follows(const IdemSite *site)
{
	if (site->on_move != NULL && strcmp(site->on_move, "halt") == 0)
		return false;
	return was_promoted(&site->stamp) && idem_site_may_follow();
}

/* Why the stamp of the site is not that of here, or NULL; follow: it may. */
static const char *
stamp_flaw(const IdemSite *site, bool *follow)
{
	IdemStamp	now;

	*follow = false;
	idem_site_stamp(&now);
	if (site->stamp.system != now.system ||
		site->stamp.database != now.database ||
		site->stamp.relation != now.relation)
		return "the database is a copy: an operator has to call idem.adopt_site";
	if (now.backup != NULL && (site->stamp.backup == NULL ||
							   strcmp(site->stamp.backup, now.backup) != 0))
		return "the server was started from a base backup: an operator has to call idem.adopt_site";
	if (site->stamp.timeline == now.timeline)
		return NULL;
	*follow = follows(site);
	if (*follow)
		return NULL;
	return psprintf("the server is on timeline " INT64_FORMAT " and the site on timeline " INT64_FORMAT ": an operator has to call idem.adopt_site",
					now.timeline, site->stamp.timeline);
}

/* ---------- the answer ---------- */

/*
 * Why no effect may leave here, or NULL.  Known is what was found only if no
 * word of a change came meanwhile, and only if it stays so: a site that follows
 * is looked at again until its stamp is written.
 */
const char *
idem_site_look(void)
{
	IdemSite	site;
	const char *flaw = NULL;
	bool		follow = false;
	uint64		before = news;

	idem_site_read(&site);
	idem_site_held = site.held_until;
	if (site.set)
		flaw = RecoveryInProgress() ? "the server is a standby" :
			idem_site_setting_flaw(site.name);
	if (site.set && flaw == NULL)
		flaw = stamp_flaw(&site, &follow);
	idem_site_here = flaw == NULL && !follow && news == before;
	return flaw;
}

/*
 * Write the stamp of a site that follows, in the transaction of a dispatch: it
 * is short, and flushed.  Where another session is about to, that will do.
 */
void
idem_site_follow(void)
{
	static const char *const sql =
		"UPDATE idem.site SET timeline = $1, stamped_at = clock_timestamp()"
		" WHERE one = (SELECT one FROM idem.site WHERE timeline = $2"
		" FOR UPDATE SKIP LOCKED)";
	Oid			types[2] = {INT8OID, INT8OID};
	Datum		values[2];
	IdemSite	site;
	IdemStamp	now;
	bool		follow = false;

	if (likely(idem_site_here))
		return;
	idem_site_read(&site);
	if (!site.set || stamp_flaw(&site, &follow) != NULL || !follow)
		return;
	idem_site_stamp(&now);
	values[0] = Int64GetDatum(now.timeline);
	values[1] = Int64GetDatum(site.stamp.timeline);
	SPI_connect();
	if (idem_run_as_extension(sql, 2, types, values, NULL) == 1)
		idem_log_change("followed", "site", InvalidOid, site.name,
						list_make1(psprintf("timeline=" INT64_FORMAT,
											now.timeline)), NULL);
	SPI_finish();
}

/*
 * misplaced() -> text
 */
PG_FUNCTION_INFO_V1(idem_misplaced);
Datum
idem_misplaced(PG_FUNCTION_ARGS)
{
	const char *flaw;

	idem_accept_news();
	flaw = idem_site_away();
	if (flaw == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(flaw));
}
