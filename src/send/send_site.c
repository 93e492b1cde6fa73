/*
 * send_site.c
 *		Effects leave from one place only.
 *
 * base/site.c says what a site is, and how a session knows that it is there.
 * This file has what reserve and dispatch answer at any other place, and the
 * functions that set a site and adopt a database that has moved.
 *
 * A database that was restored, or a standby that was promoted, may lack the
 * last attempts.  An operator says how much time that is (idem.adopt_site).
 * Every key that could have been sent in that time, by an attempt that is not
 * known here, becomes unknown and has to be inquired about.  An inquiry with a
 * final answer settles the key; only an operator may say that nothing arrived,
 * since more than one attempt may have been lost.  Keys that are seen for the
 * first time may have been seen in what was lost: none is reserved for a while,
 * in which what the providers have paid can be adopted.  The numbers of
 * channels go on behind those that were given out meanwhile: twice as many as
 * in the busiest time of that length, and 1,000, are left out.
 *
 * Results go on everywhere: complete, resolve, fence, inquiries.
 *
 * Locks of idem.adopt_site: SHARE ROW EXCLUSIVE on idem.reservation and
 * idem.site, so that nothing is reserved or dispatched meanwhile.
 *
 * Not promised: more than base/site.c says; that no more was lost than the
 * operator says.
 *
 * Shown by sql/site.sql and test/tap/620_site.pl.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/approval.h"
#include "base/argument.h"
#include "base/change.h"
#include "base/durable.h"
#include "base/latest.h"
#include "base/named.h"
#include "base/reason.h"
#include "base/right.h"
#include "base/site.h"
#include "send/send.h"

#define SITE_NAME_BYTES_MAX		63
#define NUMBERS_LEFT_OUT_MIN	1000

/* ---------- what a call is answered ---------- */

/*
 * If this is the wrong place to send from, that is the answer, together with
 * the facts about the key.
 */
static bool
is_away(IdemAnswer *answer)
{
	const char *why = idem_site_away();

	if (likely(why == NULL))
		return false;
	answer->outcome = "misplaced";
	answer->retry_at = 0;
	answer->detail = why;
	return true;
}

/* The same for a key that nobody has seen here, which may also be held. */
bool
idem_send_misplaced_new(IdemAnswer *answer)
{
	TimestampTz until;

	if (is_away(answer))
		return true;
	until = idem_site_held_until();
	if (likely(until == 0) || until <= GetCurrentTimestamp())
		return false;
	answer->outcome = "misplaced";
	answer->retry_at = until;
	answer->detail = "the database was moved, and the key may have been sent before: keys that are seen for the first time are held for a while";
	return true;
}

/* The same for a key whose row is locked, which may have been waited for. */
bool
idem_send_misplaced(IdemCall *call, IdemAnswer *answer)
{
	IdemAnswer	away = {0};

	idem_accept_news();
	if (likely(!is_away(&away)))
		return false;
	idem_send_describe(call, answer);
	answer->outcome = away.outcome;
	answer->retry_at = away.retry_at;
	answer->detail = away.detail;
	return true;
}

/*
 * A fence of a key that nobody had seen here keeps it from running here, and
 * is not settled as long as it may have run in what is missing.
 */
void
idem_send_doubt_fence(const IdemCall *call, IdemAnswer *answer)
{
	IdemAnswer	away = {0};

	if (call->row.state != IDEM_STATE_FENCED || call->row.attempt != 0 ||
		!idem_send_misplaced_new(&away))
		return;
	answer->settled = false;
	answer->retry_at = away.retry_at;
	answer->detail = "it will not run here; it may have run before the database was moved";
}

/* ---------- setting the place ---------- */

/* What a call of set_site says. */
typedef struct Wanted
{
	const char *name;
	const char *on_move;		/* NULL: not said */
	const char *reason;			/* NULL: none */
} Wanted;

static void
read_wanted(FunctionCallInfo fcinfo, Wanted *w)
{
	w->name = idem_required_text(fcinfo, 0, "name");
	w->on_move = PG_ARGISNULL(1) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(1));
	w->reason = idem_reason(fcinfo, 2, "reason");
	if (w->name[0] == '\0' || strlen(w->name) > SITE_NAME_BYTES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the name of a site has to be 1 to %d bytes long",
						SITE_NAME_BYTES_MAX)));
	if (w->on_move != NULL && strcmp(w->on_move, "halt") != 0 &&
		strcmp(w->on_move, "follow") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid on_move \"%s\" of a site", w->on_move),
				 errhint("It is 'halt' or 'follow'.")));
}

/* 55000 unless the configuration says that this server is the place. */
static void
check_setting(const char *name)
{
	const char *flaw = idem_site_setting_flaw(name);

	if (flaw != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this server is not known to be site \"%s\"", name),
				 errdetail_internal("%s.", flaw),
				 errhint("Write idem.site = %s into a file of the server's configuration that lies outside of the data directory, and reload it.",
						 quote_literal_cstr(name))));
}

static void
check_may_follow(const Wanted *w)
{
	if (w->on_move != NULL && strcmp(w->on_move, "follow") == 0 &&
		!idem_site_may_follow())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("site \"%s\" cannot follow to a new timeline", w->name),
				 errdetail("A promoted standby may lack attempts of a scope that asks for no standbys."),
				 errhint("idem.alter_scope(..., standbys => 1) for every scope with effect 'outside'.")));
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/*
 * Changing a place that is set needs a reason, and a second person where
 * approvals are required, because it lets through what the place was set to
 * stop.
 */
static void
check_change(const IdemSite *site, const Wanted *w)
{
	if (w->reason == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("the database has site \"%s\" already", site->name),
				 errhint("Give reason => '...', which is kept, to change it.")));
	idem_need_approval("set_site", "this database",
					   list_make5(pstrdup(site->name),
								  pstrdup(site->on_move ? site->on_move : ""),
								  pstrdup(w->name),
								  pstrdup(w->on_move ? w->on_move : ""),
								  pstrdup(w->reason)));
}

/* Keep the change of a place in idem.change_log. */
static void
log_set(const char *action, const Wanted *w, const IdemSite *before)
{
	List	   *arguments = NIL;

	if (before->set)
		arguments = lappend(arguments, psprintf("before=%s", before->name));
	if (w->on_move != NULL)
		arguments = lappend(arguments, psprintf("on_move=%s", w->on_move));
	idem_log_change(action, "site", InvalidOid, w->name, arguments, w->reason);
}

static void
put_backup(const IdemStamp *stamp, Datum *value, char *null)
{
	*value = stamp->backup ? CStringGetTextDatum(stamp->backup) : (Datum) 0;
	*null = stamp->backup ? ' ' : 'n';
}

/* Write the row: a new one with the stamp of here, or what changes of it. */
static void
write_site(Relation rel, const IdemSite *before, const Wanted *w)
{
	Oid			types[7] = {TEXTOID, TEXTOID, INT8OID, INT8OID, OIDOID, OIDOID,
	TEXTOID};
	Datum		values[7];
	char		nulls[7] = {' ', ' ', ' ', ' ', ' ', ' ', ' '};
	IdemStamp	now;

	idem_site_stamp(&now);
	values[0] = CStringGetTextDatum(w->name);
	nulls[1] = w->on_move == NULL ? 'n' : ' ';
	values[1] = w->on_move == NULL ? (Datum) 0 :
		CStringGetTextDatum(w->on_move);
	values[2] = Int64GetDatum(now.system);
	values[3] = Int64GetDatum(now.timeline);
	values[4] = ObjectIdGetDatum(now.database);
	values[5] = ObjectIdGetDatum(now.relation);
	put_backup(&now, &values[6], &nulls[6]);
	(void) idem_run_as_owner(rel, before->set ?
							 "UPDATE idem.site SET name = $1, on_move = $2,"
							 " set_at = clock_timestamp(), role = SESSION_USER" :
							 "INSERT INTO idem.site (one, name, on_move, set_at, role,"
							 " system_identifier, timeline, database, relation, backup, stamped_at)"
							 " VALUES (true, $1, $2, clock_timestamp(), SESSION_USER,"
							 " $3, $4, $5, $6, $7, clock_timestamp())",
							 before->set ? 2 : 7, types, values, nulls);
	log_set(before->set ? "altered" : "declared", w, before);
	idem_flush();
}

/*
 * set_site(name, on_move, reason) -> void
 */
PG_FUNCTION_INFO_V1(idem_set_site);
Datum
idem_set_site(PG_FUNCTION_ARGS)
{
	Wanted		w;
	IdemSite	before;
	Relation	rel;

	PreventCommandIfReadOnly("idem.set_site()");
	read_wanted(fcinfo, &w);
	SPI_connect();
	rel = table_open(idem_extension_relation("site"), ShareRowExclusiveLock);
	idem_site_read(&before);
	if (before.set && strcmp(before.name, w.name) == 0 &&
		same_text(before.on_move, w.on_move))
		ereport(NOTICE,
				(errmsg("the database has site \"%s\" already", w.name)));
	else
	{
		check_setting(w.name);
		check_may_follow(&w);
		if (before.set)
			check_change(&before, &w);
		write_site(rel, &before, &w);
	}
	SPI_finish();
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* ---------- adopting what was moved ---------- */

/* What a call of adopt_site says. */
typedef struct Adoption
{
	const char *reason;
	int64		lost;			/* microseconds; 0: nothing was */
	int64		hold;			/* microseconds; 0: no key is held */
	TimestampTz now;
	TimestampTz held_until;		/* 0: none is held */
	uint64		unknown;		/* keys that became so */
} Adoption;

static void
read_adoption(FunctionCallInfo fcinfo, Adoption *a)
{
	memset(a, 0, sizeof(*a));
	a->reason = idem_required_reason(fcinfo, 0, "reason");
	idem_require_argument(fcinfo, 1, "lost");
	a->lost = idem_key_duration("lost", PG_GETARG_INTERVAL_P(1), true);
	if (!PG_ARGISNULL(2))
		a->hold = idem_key_duration("hold", PG_GETARG_INTERVAL_P(2), true);
}

/* A stamp as text. */
static char *
stamp_text(const IdemStamp *stamp)
{
	return psprintf(INT64_FORMAT "/" INT64_FORMAT "/%u/%u%s%s", stamp->system,
					stamp->timeline, stamp->database, stamp->relation,
					stamp->backup ? "/" : "",
					stamp->backup ? stamp->backup : "");
}

static void
need_approval(const IdemSite *site, const IdemStamp *now, const Adoption *a)
{
	idem_need_approval("adopt_site", "this database",
					   list_make5(stamp_text(&site->stamp), stamp_text(now),
								  pstrdup(a->reason),
								  psprintf(INT64_FORMAT, a->lost),
								  psprintf(INT64_FORMAT, a->hold)));
}

/*
 * Keys of which an attempt may be lost.  One that is reserved may have been
 * dispatched, one that was released reserved again and dispatched: the attempt
 * is written as one of which nothing more is known, so that it is never
 * dispatched again.  Of one that is out already the next one may be lost.  A
 * late result that no answer settles as yet comes before all.
 */
static void
suspect_keys(Relation rel, Adoption *a)
{
	static const char *const attempts =
		"INSERT INTO idem.attempt (scope, key, attempt, token, dispatched_at, channel, serial)"
		" SELECT r.scope, r.key, r.attempt + CASE r.state WHEN 'l' THEN 1 ELSE 0 END, r.token, $1,"
		" CASE WHEN cardinality(s.channels) = 1 THEN s.channels[1] END, r.serial"
		" FROM idem.reservation r JOIN idem.scope s ON s.id = r.scope"
		" WHERE r.due_at IS NOT NULL AND r.state IN ('r', 'l')"
		" ON CONFLICT ON CONSTRAINT attempt_pkey DO NOTHING";
	static const char *const unsent =
		"UPDATE idem.reservation r SET state = 'u', dispatched_at = $1, lease_until = NULL, step = 0,"
		" attempt = r.attempt + CASE r.state WHEN 'l' THEN 1 ELSE 0 END, due_at = $1 + s.ladder[1],"
		" concern = CASE WHEN r.concern IN ('l', 's') THEN 's' ELSE 'm' END::\"char\""
		" FROM idem.scope s WHERE s.id = r.scope AND r.due_at IS NOT NULL AND r.state IN ('r', 'l')";
	static const char *const out =
		"UPDATE idem.reservation SET concern = CASE concern WHEN 'l' THEN 's' ELSE 'm' END::\"char\""
		" WHERE due_at IS NOT NULL AND state IN ('d', 'u') AND coalesce(concern, 'a') IN ('a', 'l')";
	Oid			types[1] = {TIMESTAMPTZOID};
	Datum		values[1] = {TimestampTzGetDatum(a->now)};

	/* first those that are out: the others become like them */
	(void) idem_run_as_owner(rel, out, 0, NULL, NULL, NULL);
	(void) idem_run_as_owner(rel, attempts, 1, types, values, NULL);
	a->unknown = idem_run_as_owner(rel, unsent, 1, types, values, NULL);
}

/*
 * Nothing is missing: what was to be fenced meanwhile, and has not been sent,
 * is fenced.
 */
static void
end_fences(Relation rel, const Adoption *a)
{
	static const char *const sql =
		"UPDATE idem.reservation SET state = 'n', finished_at = $1, token = token + 1, lease_until = NULL, nonce = NULL,"
		" due_at = CASE WHEN concern IS NULL OR concern = 'a' THEN NULL ELSE due_at END, concern = nullif(concern, 'a')"
		" WHERE due_at IS NOT NULL AND state IN ('r', 'l') AND fenced_at IS NOT NULL";
	Oid			types[1] = {TIMESTAMPTZOID};
	Datum		values[1] = {TimestampTzGetDatum(a->now)};

	(void) idem_run_as_owner(rel, sql, 1, types, values, NULL);
}

/* Leave out the numbers of channels that may have been given out. */
static void
leave_out_numbers(Relation rel, const Adoption *a)
{
	static const char *const sql =
		"SELECT c.name, 2 * coalesce(max(b.n), 0) FROM idem.channel c"
		" LEFT JOIN (SELECT channel, count(*) AS n FROM idem.attempt"
		" GROUP BY channel, floor(extract(epoch FROM dispatched_at)::float8 / $1)) b ON b.channel = c.name"
		" WHERE strpos(c.serial, '{seq:') > 0 GROUP BY c.name";
	Oid			types[1] = {FLOAT8OID};
	Datum		values[1] = {Float8GetDatum((double) a->lost / USECS_PER_SEC)};
	SPITupleTable *channels;
	uint64		i;

	(void) idem_run_as_owner(rel, sql, 1, types, values, NULL);
	channels = SPI_tuptable;
	for (i = 0; i < channels->numvals; i++)
	{
		bool		isnull;
		int64		busiest = DatumGetInt64(SPI_getbinval(channels->vals[i],
														  channels->tupdesc, 2,
														  &isnull));

		idem_channel_leave_out(idem_channel_get(SPI_getvalue(channels->vals[i],
															 channels->tupdesc, 1)),
							   NUMBERS_LEFT_OUT_MIN + busiest, a->now);
	}
}

/* Write the stamp of here, and until when new keys are held. */
static void
write_stamp(Relation rel, const IdemStamp *now, const Adoption *a)
{
	static const char *const sql =
		"UPDATE idem.site SET system_identifier = $1, timeline = $2,"
		" database = $3, stamped_at = $4, held_until = $5, backup = $6,"
		" relation = $7";
	Oid			types[7] = {INT8OID, INT8OID, OIDOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, TEXTOID, OIDOID};
	Datum		values[7];
	char		nulls[7] = {' ', ' ', ' ', ' ', ' ', ' ', ' '};

	values[0] = Int64GetDatum(now->system);
	values[1] = Int64GetDatum(now->timeline);
	values[2] = ObjectIdGetDatum(now->database);
	values[3] = TimestampTzGetDatum(a->now);
	values[4] = TimestampTzGetDatum(a->held_until);
	nulls[4] = a->held_until == 0 ? 'n' : ' ';
	put_backup(now, &values[5], &nulls[5]);
	values[6] = ObjectIdGetDatum(now->relation);
	(void) idem_run_as_owner(rel, sql, 7, types, values, nulls);
}

static void
log_adoption(const IdemSite *site, const IdemStamp *now, const Adoption *a)
{
	List	   *arguments =
		list_make4(psprintf("lost=" INT64_FORMAT " s", a->lost / USECS_PER_SEC),
				   psprintf("hold=" INT64_FORMAT " s", a->hold / USECS_PER_SEC),
				   psprintf("unknown=" UINT64_FORMAT, a->unknown),
				   psprintf("from=%s", stamp_text(&site->stamp)));

	arguments = lappend(arguments, psprintf("to=%s", stamp_text(now)));
	idem_log_change("adopted", "site", InvalidOid, site->name, arguments,
					a->reason);
}

/* The database is at its place again, with the tables locked. */
static void
adopt(Relation keys, Relation rel, Adoption *a)
{
	IdemSite	site;
	IdemStamp	now;

	idem_site_read(&site);
	if (!site.set)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("the database has no site"),
				 errhint("idem.set_site sets one.")));
	check_setting(site.name);
	idem_site_stamp(&now);
	need_approval(&site, &now, a);
	a->now = GetCurrentTimestamp();
	if (a->lost == 0)
		end_fences(keys, a);
	else
	{
		a->held_until = a->hold > 0 ? a->now + a->hold : 0;
		suspect_keys(keys, a);
		leave_out_numbers(keys, a);
	}
	write_stamp(rel, &now, a);
	log_adoption(&site, &now, a);
	idem_flush();
}

/*
 * adopt_site(reason, lost, hold) -> (unknown, held_until)
 */
PG_FUNCTION_INFO_V1(idem_adopt_site);
Datum
idem_adopt_site(PG_FUNCTION_ARGS)
{
	Adoption	a;
	Relation	keys;
	Relation	rel;
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "idem.adopt_site has other columns");
	PreventCommandIfReadOnly("idem.adopt_site()");
	idem_require_operator("adopt_site");
	read_adoption(fcinfo, &a);
	SPI_connect();
	keys = table_open(idem_extension_relation("reservation"),
					  ShareRowExclusiveLock);
	rel = table_open(idem_extension_relation("site"), ShareRowExclusiveLock);
	adopt(keys, rel, &a);
	SPI_finish();
	table_close(rel, NoLock);
	table_close(keys, NoLock);
	values[0] = Int64GetDatum(a.unknown);
	values[1] = TimestampTzGetDatum(a.held_until);
	nulls[1] = a.held_until == 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
