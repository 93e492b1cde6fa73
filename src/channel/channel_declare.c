/*
 * channel_declare.c
 *		Declaring, altering and dropping channels and calendars.
 *
 * A declaration is a row, which a query checks as a whole (idem.channel_flaw,
 * idem.calendar_flaw).  Repeating a declaration does nothing but raise a
 * NOTICE; a different one of the same name is 42710.  A change that makes a
 * channel looser needs a reason.
 *
 * The form of serials, and whether they are made per key or per attempt, cannot
 * be altered: a provider with other numbers is another channel.
 *
 * Locks: SHARE ROW EXCLUSIVE on idem.channel, one declaration at a time; calls
 * go on.  Dropping a channel takes the same lock on idem.reservation, as
 * dropping a scope does: a dispatch that is under way ends first and is seen,
 * and a later one waits and learns that the channel is gone.  Everything that
 * decides is read after the lock, with the latest snapshot.
 *
 * Shown by sql/channel_declare.sql, sql/channel_serial.sql and
 * test/isolation/specs/channel_declare_race.spec.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/approval.h"
#include "base/argument.h"
#include "base/change.h"
#include "base/declared.h"
#include "base/named.h"
#include "base/reason.h"
#include "channel/channel_inner.h"
#include "codes/codes.h"

static const IdemDeclaredSetting channel_settings[] = {
	{"send", TEXTOID, false},
	{"inquire", TEXTOID, false},
	{"notice", TEXTOID, false},
	{"statement", TEXTOID, false},
	{"serial", TEXTOID, false},
	{"serial_per", TEXTOID, false},
	{"serial_max", INT4OID, false},
	{"serial_charset", TEXTOID, false},
	{"first_serial", INT8OID, false},
	{"echo", TEXTARRAYOID, true},
	{"amount", TEXTOID, true},
	{"absence", TEXTOID, true},
	{"quiet", INTERVALOID, true},
	{"partial", TEXTOID, true},
	{"presume_days", INT4OID, false},
	{"idempotency_window", INTERVALOID, false},
	{"calendar", TEXTOID, false}
};

static const IdemDeclaredSetting calendar_settings[] = {
	{"time_zone", TEXTOID, true},
	{"cut", TIMEOID, true},
	{"closed", TEXTARRAYOID, true},
	{"around_cut", INTERVALOID, true},
	{"weekend", INT4ARRAYOID, true}
};

static const IdemDeclaredKind channel_object = {
	.name = "channel",
	.locked = "channel",
	.first = 1,
	.settings = channel_settings,
	.nsettings = lengthof(channel_settings),
	.newest = "SELECT * FROM idem.channel WHERE name = $1"
};

static const IdemDeclaredKind calendar_object = {
	.name = "calendar",
	.locked = "channel",
	.first = 1,
	.settings = calendar_settings,
	.nsettings = lengthof(calendar_settings),
	.newest = "SELECT * FROM idem.calendar_at($1, 'infinity')"
};

/* ----------
 * Channels
 * ----------
 */

/*
 * The interfaces have return codes, one of them a code of success unless no
 * news is one; and what is sent to is not asked whether it knows.
 */
static void
check_interfaces(const IdemChannel *channel)
{
	bool		succeeds = channel->presume_days > 0;
	int			i;

	for (i = 0; i < IDEM_INTERFACES; i++)
	{
		const char *name = channel->interfaces[i];

		if (name == NULL)
			continue;
		if (!idem_code_table_exists(name))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("return codes of interface \"%s\" are not defined",
							name),
					 errhint("Define them with idem.define_return_codes.")));
		succeeds |= idem_code_table_lists(name, IDEM_MEANING_SUCCEEDED);
	}
	if (!succeeds)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("channel \"%s\": no interface has a code that means succeeded",
						channel->name),
				 errhint("List one, or declare presume_days where no news is good news.")));
	if (channel->interfaces[IDEM_INTERFACE_SEND] != NULL &&
		idem_code_table_lists(channel->interfaces[IDEM_INTERFACE_SEND],
							  IDEM_MEANING_ABSENT))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("channel \"%s\": send interface \"%s\" lists a code that means absent",
						channel->name,
						channel->interfaces[IDEM_INTERFACE_SEND]),
				 errdetail("Only an inquiry or a statement tells that there is no such transaction.")));
}

/*
 * Is the sequence there?  42710 where something else has its name, as
 * idem.serial_day of channel "day".
 */
static bool
sequence_exists(const IdemDeclared *call, const char *name)
{
	Oid			relid = get_relname_relid(name,
										  RelationGetNamespace(call->rel));

	if (OidIsValid(relid) && get_rel_relkind(relid) != RELKIND_SEQUENCE)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("channel \"%s\" cannot count: \"idem.%s\" is no sequence",
						call->name, name),
				 errhint("Choose another name.")));
	return OidIsValid(relid);
}

/*
 * 22023 where an earlier channel of the name has counted in another way, by
 * which a number of today could be given again.
 */
static void
check_same_count(IdemDeclared *call, const char *sequence)
{
	if (idem_declared_run(call, psprintf("SELECT FROM %s s, idem.channel c WHERE s.is_called AND c.name = $1"
										 " AND (c.serial LIKE '%% per day}%%') <>"
										 " EXISTS (SELECT FROM idem.serial_day d WHERE d.channel = c.name)",
										 sequence), false) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("channel \"%s\" cannot go on counting where an earlier one of this name ended",
						call->name),
				 errdetail("One of them counts from 1 on every day, and the other does not: a number could be given twice."),
				 errhint("Choose another name.")));
}

/*
 * The sequence of an earlier channel of the name goes on, from first if that
 * is ahead of it; 0: where it is.  22023 for a number that it has passed.
 */
static void
take_up_sequence(IdemDeclared *call, const char *sequence, int64 first)
{
	bool		isnull;
	int64		next;

	check_same_count(call, sequence);
	(void) idem_declared_run(call, psprintf("SELECT last_value + is_called::integer FROM %s",
											sequence), false);
	next = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
	if (first != 0 && first < next)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("channel \"%s\" cannot begin with serial " INT64_FORMAT,
						call->name, first),
				 errdetail("An earlier channel of this name has counted up to there; the next number is " INT64_FORMAT ".",
						   next),
				 errhint("Leave first_serial out, or give that number or a larger one. A number is never given twice.")));
	if (first > next)
		(void) idem_declared_run(call, psprintf("ALTER SEQUENCE %s RESTART WITH " INT64_FORMAT,
												sequence, first), false);
	else if (first == 0)
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("channel \"%s\" goes on counting where an earlier one of this name ended: its sequence gives " INT64_FORMAT " next",
						call->name, next)));
}

/* The sequence of a channel that counts, from argument first on. */
static void
make_sequence(IdemDeclared *call, int first)
{
	char	   *name = idem_channel_sequence(call->name);
	char	   *sequence = psprintf("idem.%s", quote_identifier(name));
	int64		begin = call->nulls[first] == 'n' ? 0 :
		DatumGetInt64(call->values[first]);

	if (sequence_exists(call, name))
		take_up_sequence(call, sequence, begin);
	else
		(void) idem_declared_run(call, psprintf("CREATE SEQUENCE %s AS bigint START " INT64_FORMAT " NO CYCLE CACHE 1",
												sequence, Max(begin, 1)), false);
}

/*
 * create_channel(name, settings...) -> void
 */
PG_FUNCTION_INFO_V1(idem_create_channel);
Datum
idem_create_channel(PG_FUNCTION_ARGS)
{
	const int	first = 9;		/* first_serial */
	const IdemChannel *channel;
	IdemDeclared call;

	idem_declared_begin(fcinfo, &channel_object, &call);
	if (!idem_declared_stands(&call))
	{
		idem_declared_insert(&call, "", "");
		channel = idem_channel_get(call.name);	/* its serial can be read */
		if (channel->serial != NULL &&
			idem_channel_serial_counts(channel->serial))
			make_sequence(&call, first);
		check_interfaces(channel);
	}
	idem_declared_end(&call);
	PG_RETURN_VOID();
}

/*
 * What the settings change in a channel $1, in their order; and, where that
 * makes it looser, how.
 */
static const char changes_sql[] =
"SELECT v.name || '=' || coalesce(v.now, 'null'), CASE WHEN v.looser"
" THEN format('%s %s, was %s', v.name, v.now, coalesce(v.was, 'null')) END"
" FROM idem.channel c, LATERAL (VALUES"
" (1, 'send', c.send, coalesce($2, c.send), c.send IS NOT NULL),"
" (2, 'inquire', c.inquire, coalesce($3, c.inquire), c.inquire IS NOT NULL),"
" (3, 'notice', c.notice, coalesce($4, c.notice), c.notice IS NOT NULL),"
" (4, 'statement', c.statement, coalesce($5, c.statement), c.statement IS NOT NULL),"
" (5, 'echo', c.echo::text, coalesce($6, c.echo)::text, NOT $6 @> c.echo COLLATE \"C\"),"
" (6, 'absence', c.absence, coalesce($7, c.absence), $7 = 'inquiry' OR c.absence = 'operator'),"
" (7, 'quiet', c.quiet::text, coalesce($8, c.quiet)::text, $8 < c.quiet),"
" (8, 'partial', c.partial, coalesce($9, c.partial), $9 = 'record'),"
" (9, 'presume_days', c.presume_days::text, coalesce($10, c.presume_days)::text, c.presume_days IS NULL OR $10 < c.presume_days),"
" (10, 'idempotency_window', c.idempotency_window::text, coalesce($11, c.idempotency_window)::text, $11 > c.idempotency_window),"
" (11, 'calendar', c.calendar, coalesce($12, c.calendar), c.calendar IS NOT NULL)"
") v (n, name, was, now, looser)"
" WHERE c.name = $1 AND v.was IS DISTINCT FROM v.now COLLATE \"C\""
" ORDER BY v.n";

static const IdemDeclaredSetting altered_settings[] = {
	{"send", TEXTOID, false},
	{"inquire", TEXTOID, false},
	{"notice", TEXTOID, false},
	{"statement", TEXTOID, false},
	{"echo", TEXTARRAYOID, false},
	{"absence", TEXTOID, false},
	{"quiet", INTERVALOID, false},
	{"partial", TEXTOID, false},
	{"presume_days", INT4OID, false},
	{"idempotency_window", INTERVALOID, false},
	{"calendar", TEXTOID, false}
};

static const IdemDeclaredKind altered_channel = {
	.name = "channel",
	.locked = "channel",
	.first = 1,
	.settings = altered_settings,
	.nsettings = lengthof(altered_settings),
	.newest = "SELECT * FROM idem.channel WHERE name = $1"
};

/* 42501 where that needs a second person: of this very channel as it is now. */
static void
need_approval(IdemDeclared *call, List *changes, const char *force)
{
	List	   *facts;

	(void) idem_declared_run(call, "SELECT c::text FROM idem.channel c WHERE name = $1",
							 false);
	facts = list_make2(pstrdup(force), idem_declared_text(0, 1));
	idem_need_approval("alter_channel",
					   psprintf("channel \"%s\"", call->name),
					   list_concat(facts, changes));
}

/* What the call changes; 42P17 if something is looser without a reason. */
static List *
changes_of(IdemDeclared *call, const char *force)
{
	uint64		n = idem_declared_run(call, changes_sql, true);
	List	   *changes = NIL;
	bool		loosened = false;
	uint64		i;

	for (i = 0; i < n; i++)
	{
		char	   *looser = idem_declared_text(i, 2);

		if (looser != NULL && force == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("channel \"%s\" would become looser: %s",
							call->name, looser),
					 errhint("If that is meant, give force => 'reason'.")));
		changes = lappend(changes, idem_declared_text(i, 1));
		loosened = loosened || looser != NULL;
	}
	if (loosened)
		need_approval(call, changes, force);
	return changes;
}

/*
 * alter_channel(name, settings..., force) -> void
 */
PG_FUNCTION_INFO_V1(idem_alter_channel);
Datum
idem_alter_channel(PG_FUNCTION_ARGS)
{
	char	   *force = idem_reason(fcinfo, lengthof(altered_settings) + 1,
									"force");
	List	   *changes;
	IdemDeclared call;

	idem_declared_begin(fcinfo, &altered_channel, &call);
	idem_declared_require(&call);
	changes = changes_of(&call, force);
	if (changes != NIL)
	{
		idem_declared_update(&call);
		check_interfaces(idem_channel_get(call.name));
		idem_log_change("altered", "channel", InvalidOid, call.name, changes,
						force);
	}
	idem_declared_end(&call);
	PG_RETURN_VOID();
}

/*
 * Drop what is declared under a name, unless a query finds a need of it.  The
 * second one looks again, where calls that go on could make it find one, when
 * those that write to a table have ended and no other can begin.
 */
static void
drop(FunctionCallInfo fcinfo, IdemDeclaredKind object, const char *needed,
	 const char *needed_too, const char *written)
{
	IdemDeclared call;

	object.nsettings = 0;
	idem_declared_begin(fcinfo, &object, &call);
	idem_declared_require(&call);
	/* first, so that a declaration that names it has ended or waits */
	(void) idem_declared_run(&call, psprintf("DELETE FROM idem.%s WHERE name = $1",
											 object.name), false);
	idem_declared_refuse_needed(&call, needed);
	idem_declared_refuse_needed(&call, needed_too);
	if (written != NULL)
	{
		LockRelationOid(idem_extension_relation(written),
						ShareRowExclusiveLock);
		idem_declared_refuse_needed(&call, needed_too);
	}
	idem_log_change("dropped", object.name, InvalidOid, call.name, NIL, NULL);
	idem_declared_end(&call);
}

/*
 * drop_channel(name) -> void
 *
 * Its sequence stays: a channel of the same name goes on with it, so that no
 * number is given twice.
 */
PG_FUNCTION_INFO_V1(idem_drop_channel);
Datum
idem_drop_channel(PG_FUNCTION_ARGS)
{
	drop(fcinfo, channel_object,
		 "SELECT format('scope \"%s\" names it', name) FROM idem.scope"
		 " WHERE $1 = ANY (channels) LIMIT 1",
		 "SELECT format('key \"%s\" went by it, and is not settled', r.key)"
		 " FROM idem.reservation r JOIN idem.attempt a USING (scope, key)"
		 " WHERE r.due_at IS NOT NULL AND a.channel = $1 LIMIT 1",
		 "reservation");
	PG_RETURN_VOID();
}

/* ----------
 * Calendars
 * ----------
 */

/*
 * create_calendar(name, settings...) -> void
 */
PG_FUNCTION_INFO_V1(idem_create_calendar);
Datum
idem_create_calendar(PG_FUNCTION_ARGS)
{
	IdemDeclared call;

	idem_declared_begin(fcinfo, &calendar_object, &call);
	if (!idem_declared_stands(&call))
		idem_declared_insert(&call, ", valid_from", ", '-infinity'");
	idem_declared_end(&call);
	PG_RETURN_VOID();
}

/*
 * alter_calendar(name, settings...) -> void
 *
 * From now on: what was a day before stays one.
 */
PG_FUNCTION_INFO_V1(idem_alter_calendar);
Datum
idem_alter_calendar(PG_FUNCTION_ARGS)
{
	IdemDeclared call;

	idem_declared_begin(fcinfo, &calendar_object, &call);
	idem_declared_require(&call);
	(void) idem_declared_run(&call, psprintf("INSERT INTO idem.calendar (name, valid_from, created_by, %s)"
											 " SELECT $1, clock_timestamp(), session_user, %s FROM (%s) t",
											 idem_declared_each(call.kind, "@"),
											 idem_declared_each(call.kind, "coalesce($#, t.@)"),
											 call.kind->newest), true);
	idem_declared_check(&call);
	idem_log_change("altered", "calendar", InvalidOid, call.name,
					idem_declared_given(&call), NULL);
	idem_declared_end(&call);
	PG_RETURN_VOID();
}

/*
 * drop_calendar(name) -> void
 */
PG_FUNCTION_INFO_V1(idem_drop_calendar);
Datum
idem_drop_calendar(PG_FUNCTION_ARGS)
{
	drop(fcinfo, calendar_object,
		 "SELECT format('channel \"%s\" has it', name) FROM idem.channel"
		 " WHERE calendar = $1 LIMIT 1",
		 "SELECT format('closures that are still to come: %s', count(*))"
		 " FROM idem.closure WHERE calendar = $1 AND upper(during) > clock_timestamp()"
		 " HAVING count(*) > 0", NULL);
	PG_RETURN_VOID();
}

static const IdemDeclaredSetting closure_settings[] = {
	{"during", TSTZRANGEOID, false},
	{"reason", TEXTOID, false}
};

/* A closure is named by its calendar, and there may be many. */
static const IdemDeclaredKind closure_object = {
	.name = "closure",
	.locked = "channel",
	.first = 1,
	.settings = closure_settings,
	.nsettings = lengthof(closure_settings),
	.newest = "SELECT * FROM idem.calendar_at($1, 'infinity')"
};

static void
begin_closure(FunctionCallInfo fcinfo, IdemDeclared *call)
{
	idem_require_argument(fcinfo, 1, "during");
	(void) idem_required_reason(fcinfo, 2, "reason");
	idem_declared_begin(fcinfo, &closure_object, call);
	if (!idem_declared_exists(call))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("calendar \"%s\" does not exist", call->name)));
}

static void
log_closure(IdemDeclared *call, const char *action)
{
	idem_log_change(action, "closure", InvalidOid, call->name,
					list_make1(linitial(idem_declared_given(call))),
					TextDatumGetCString(call->values[2]));
}

/* 22023 unless a closure begins and ends, in times to come. */
static void
check_closure(IdemDeclared *call)
{
	if (idem_declared_run(call, "SELECT WHERE lower($2) > clock_timestamp() AND lower($2) < 'infinity' AND upper($2) < 'infinity' AND $3 IS NOT NULL",
						  true) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a closure begins and ends, in times to come"),
				 errdetail("A past business day stays one.")));
}

/*
 * add_closure(calendar, during, reason) -> void
 */
PG_FUNCTION_INFO_V1(idem_add_closure);
Datum
idem_add_closure(PG_FUNCTION_ARGS)
{
	IdemDeclared call;

	begin_closure(fcinfo, &call);
	check_closure(&call);
	if (idem_declared_run(&call, "INSERT INTO idem.closure (calendar, during, reason, added_by)"
						  " VALUES ($1, $2, $3, session_user)"
						  " ON CONFLICT ON CONSTRAINT closure_pkey DO NOTHING", true) > 0)
		log_closure(&call, "declared");
	else
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("calendar \"%s\" is closed then already",
						call.name)));
	idem_declared_end(&call);
	PG_RETURN_VOID();
}

/*
 * drop_closure(calendar, during, reason) -> void
 */
PG_FUNCTION_INFO_V1(idem_drop_closure);
Datum
idem_drop_closure(PG_FUNCTION_ARGS)
{
	IdemDeclared call;

	begin_closure(fcinfo, &call);
	/* one that is under way ends now */
	if (idem_declared_run(&call, "UPDATE idem.closure SET during = tstzrange(lower(during), clock_timestamp())"
						  " WHERE calendar = $1 AND during = $2 AND $3 IS NOT NULL"
						  " AND during @> clock_timestamp()", true) == 0 &&
		idem_declared_run(&call, "DELETE FROM idem.closure WHERE calendar = $1 AND during = $2"
						  " AND lower(during) > clock_timestamp() AND $3 IS NOT NULL",
						  true) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("calendar \"%s\" has no such closure, or it is over",
						call.name)));
	log_closure(&call, "dropped");
	idem_declared_end(&call);
	PG_RETURN_VOID();
}
