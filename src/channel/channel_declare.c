/*
 * channel_declare.c
 *		Declaring, altering and dropping channels and calendars.
 *
 * A declaration is a row, judged as a whole by a query that says what is wrong
 * with it (idem.channel_flaw, idem.calendar_flaw).  The same again is a no-op
 * with a NOTICE; another one of the name is 42710.  What makes a channel
 * looser when it is altered wants a reason.
 *
 * The form of serials, and what they are made per, stay as they were
 * declared: a provider with other numbers is another channel.
 *
 * Locks: SHARE ROW EXCLUSIVE on idem.channel, one declaration at a time; calls
 * go on.  To drop a channel takes the same lock on idem.reservation, as to drop
 * a scope does: a dispatch that is under way ends first and is seen, and one
 * that begins waits and learns that the channel is gone.  What is decided on is
 * read after the lock and as it is then.
 *
 * Shown by sql/channel_declare.sql, sql/channel_serial.sql and
 * test/isolation/specs/channel_declare_race.spec.
 */
#include "postgres.h"

#include "access/table.h"
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
#include "base/declare.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/latest.h"
#include "base/reason.h"
#include "channel/channel_inner.h"
#include "codes/codes.h"

#define SETTINGS_MAX		18

/* A setting of a declaration, which is a column of its table. */
typedef struct Setting
{
	const char *name;
	Oid			type;
	bool		needed;			/* not null, in a declaration */
} Setting;

static const Setting channel_settings[] = {
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

static const Setting calendar_settings[] = {
	{"time_zone", TEXTOID, true},
	{"cut", TIMEOID, true},
	{"closed", TEXTARRAYOID, true},
	{"around_cut", INTERVALOID, true},
	{"weekend", INT4ARRAYOID, true}
};

/* What is declared: a channel or a calendar. */
typedef struct Object
{
	const char *name;			/* also of its table */
	const Setting *settings;
	int			nsettings;
	const char *newest;			/* rows of the name $1 that count */
} Object;

static const Object channel_object = {
	"channel", channel_settings, lengthof(channel_settings),
	"SELECT * FROM idem.channel WHERE name = $1"
};

static const Object calendar_object = {
	"calendar", calendar_settings, lengthof(calendar_settings),
	"SELECT * FROM idem.calendar_at($1, 'infinity')"
};

/* One call: the name and the settings it gives, as $1, $2, ... */
typedef struct Call
{
	const Object *object;
	Relation	rel;			/* idem.channel, locked */
	char	   *name;
	Oid			types[SETTINGS_MAX];
	Datum		values[SETTINGS_MAX];
	char		nulls[SETTINGS_MAX];
} Call;

static void
begin_call(FunctionCallInfo fcinfo, const Object *object, Call *call)
{
	int			i;

	call->object = object;
	call->name = idem_required_text(fcinfo, 0, "name");
	call->types[0] = TEXTOID;
	call->values[0] = CStringGetTextDatum(call->name);
	call->nulls[0] = ' ';
	for (i = 1; i <= object->nsettings; i++)
	{
		call->types[i] = object->settings[i - 1].type;
		call->values[i] = PG_GETARG_DATUM(i);
		call->nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	PreventCommandIfReadOnly("a declaration");
	call->rel = table_open(idem_extension_relation("channel"),
						   ShareRowExclusiveLock);
	SPI_connect();
}

static void
end_call(Call *call)
{
	SPI_finish();
	table_close(call->rel, NoLock);
}

/* Run a statement with the name as $1, and the settings from $2 on. */
static uint64
run(Call *call, const char *sql, bool settings)
{
	return idem_run_as_owner(call->rel, sql,
							 settings ? call->object->nsettings + 1 : 1,
							 call->types, call->values, call->nulls);
}

static char *
result_text(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* "a, b, c" of the settings, each written as a pattern says: %s, %d. */
static char *
each(const Object *object, const char *pattern)
{
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	for (i = 0; i < object->nsettings; i++)
	{
		const char *p;

		if (i > 0)
			appendStringInfoString(&buf, ", ");
		for (p = pattern; *p != '\0'; p++)
		{
			if (*p == '@')
				appendStringInfoString(&buf, object->settings[i].name);
			else if (*p == '#')
				appendStringInfo(&buf, "%d", i + 2);
			else
				appendStringInfoChar(&buf, *p);
		}
	}
	return buf.data;
}

/* What the change log keeps: the settings that are given. */
static List *
given_settings(const Call *call)
{
	List	   *list = NIL;
	int			i;

	for (i = 1; i <= call->object->nsettings; i++)
	{
		Oid			output;
		bool		varlena;

		if (call->nulls[i] == 'n')
			continue;
		getTypeOutputInfo(call->types[i], &output, &varlena);
		list = lappend(list, psprintf("%s=%s", call->object->settings[i - 1].name,
									  OidOutputFunctionCall(output, call->values[i])));
	}
	return list;
}

static bool
exists(Call *call)
{
	return run(call, call->object->newest, false) > 0;
}

/* 42704 unless there is one of the name. */
static void
require(Call *call)
{
	if (!exists(call))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s \"%s\" does not exist", call->object->name,
						call->name)));
}

/* 22023 if something is wrong with the row of the name as it is now. */
static void
check_row(Call *call)
{
	uint64		rows = run(call, psprintf("SELECT flaw, hint FROM idem.%s_flaw($1)"
										  " WHERE flaw IS NOT NULL",
										  call->object->name), false);

	if (rows > 0)
	{
		char	   *hint = result_text(0, 2);

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s \"%s\": %s", call->object->name, call->name,
						result_text(0, 1)),
				 hint ? errhint("%s", hint) : 0));
	}
}

/* Is what is declared there already, and the same?  42710 if it is another. */
static bool
stands(Call *call)
{
	if (!exists(call))
		return false;
	if (run(call, psprintf("SELECT FROM (%s) t WHERE (%s) IS DISTINCT FROM (%s)",
						   call->object->newest, each(call->object, "t.@"),
						   each(call->object, "$#")), true) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("%s \"%s\" is declared already, and otherwise",
						call->object->name, call->name),
				 errhint("Change it with idem.alter_%s.", call->object->name)));
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("%s \"%s\" is declared already, in the same way",
					call->object->name, call->name)));
	return true;
}

/* 22004 for a setting that a declaration cannot do without. */
static void
check_nulls(const Call *call)
{
	int			i;

	for (i = 1; i <= call->object->nsettings; i++)
	{
		if (call->nulls[i] == 'n' && call->object->settings[i - 1].needed)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null",
							call->object->settings[i - 1].name)));
	}
}

/* Write the first row of a name. */
static void
insert_row(Call *call, const char *columns, const char *values)
{
	check_nulls(call);
	(void) run(call, psprintf("INSERT INTO idem.%s (name, created_by%s, %s)"
							  " VALUES ($1, session_user%s, %s)",
							  call->object->name, columns,
							  each(call->object, "@"), values,
							  each(call->object, "$#")), true);
	check_row(call);
	idem_log_change("declared", call->object->name, InvalidOid, call->name,
					given_settings(call), NULL);
}

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
sequence_exists(const Call *call, const char *name)
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
check_same_count(Call *call, const char *sequence)
{
	if (run(call, psprintf("SELECT FROM %s s, idem.channel c WHERE s.is_called AND c.name = $1"
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
take_up_sequence(Call *call, const char *sequence, int64 first)
{
	bool		isnull;
	int64		next;

	check_same_count(call, sequence);
	(void) run(call, psprintf("SELECT last_value + is_called::integer FROM %s",
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
		(void) run(call, psprintf("ALTER SEQUENCE %s RESTART WITH " INT64_FORMAT,
								  sequence, first), false);
	else if (first == 0)
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("channel \"%s\" goes on counting where an earlier one of this name ended: its sequence gives " INT64_FORMAT " next",
						call->name, next)));
}

/* The sequence of a channel that counts, from argument first on. */
static void
make_sequence(Call *call, int first)
{
	char	   *name = idem_channel_sequence(call->name);
	char	   *sequence = psprintf("idem.%s", quote_identifier(name));
	int64		begin = call->nulls[first] == 'n' ? 0 :
		DatumGetInt64(call->values[first]);

	if (sequence_exists(call, name))
		take_up_sequence(call, sequence, begin);
	else
		(void) run(call, psprintf("CREATE SEQUENCE %s AS bigint START " INT64_FORMAT " NO CYCLE CACHE 1",
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
	Call		call;

	begin_call(fcinfo, &channel_object, &call);
	if (!stands(&call))
	{
		insert_row(&call, "", "");
		channel = idem_channel_get(call.name);	/* its serial can be read */
		if (channel->serial != NULL &&
			idem_channel_serial_counts(channel->serial))
			make_sequence(&call, first);
		check_interfaces(channel);
	}
	end_call(&call);
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

static const Setting altered_settings[] = {
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

static const Object altered_channel = {
	"channel", altered_settings, lengthof(altered_settings),
	"SELECT * FROM idem.channel WHERE name = $1"
};

/* 42501 where that needs a second person: of this very channel as it is now. */
static void
need_approval(Call *call, List *changes, const char *force)
{
	List	   *facts;

	(void) run(call, "SELECT c::text FROM idem.channel c WHERE name = $1",
			   false);
	facts = list_make2(pstrdup(force), result_text(0, 1));
	idem_need_approval("alter_channel",
					   psprintf("channel \"%s\"", call->name),
					   list_concat(facts, changes));
}

/* What the call changes; 42P17 if something is looser without a reason. */
static List *
changes_of(Call *call, const char *force)
{
	uint64		n = run(call, changes_sql, true);
	List	   *changes = NIL;
	bool		loosened = false;
	uint64		i;

	for (i = 0; i < n; i++)
	{
		char	   *looser = result_text(i, 2);

		if (looser != NULL && force == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("channel \"%s\" would become looser: %s",
							call->name, looser),
					 errhint("If that is meant, give force => 'reason'.")));
		changes = lappend(changes, result_text(i, 1));
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
	Call		call;

	begin_call(fcinfo, &altered_channel, &call);
	require(&call);
	changes = changes_of(&call, force);
	if (changes != NIL)
	{
		(void) run(&call, psprintf("UPDATE idem.channel SET (%s) = ROW (%s) WHERE name = $1",
								   each(call.object, "@"),
								   each(call.object, "coalesce($#, @)")), true);
		check_row(&call);
		check_interfaces(idem_channel_get(call.name));
		idem_log_change("altered", "channel", InvalidOid, call.name, changes,
						force);
	}
	end_call(&call);
	PG_RETURN_VOID();
}

/* 2BP01 if a query finds what needs the thing that is to be dropped. */
static void
refuse_needed(Call *call, const char *sql)
{
	if (run(call, sql, false) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("%s \"%s\" cannot be dropped: %s", call->object->name,
						call->name, result_text(0, 1))));
}

/*
 * Drop what is declared under a name, unless a query finds a need of it.  The
 * second one looks again, where calls that go on could make it find one, when
 * those that write to a table have ended and no other can begin.
 */
static void
drop(FunctionCallInfo fcinfo, Object object, const char *needed,
	 const char *needed_too, const char *written)
{
	Call		call;

	object.nsettings = 0;
	begin_call(fcinfo, &object, &call);
	require(&call);
	/* first, so that a declaration that names it has ended or waits */
	(void) run(&call, psprintf("DELETE FROM idem.%s WHERE name = $1",
							   object.name), false);
	refuse_needed(&call, needed);
	refuse_needed(&call, needed_too);
	if (written != NULL)
	{
		LockRelationOid(idem_extension_relation(written),
						ShareRowExclusiveLock);
		refuse_needed(&call, needed_too);
	}
	idem_log_change("dropped", object.name, InvalidOid, call.name, NIL, NULL);
	end_call(&call);
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
	Call		call;

	begin_call(fcinfo, &calendar_object, &call);
	if (!stands(&call))
		insert_row(&call, ", valid_from", ", '-infinity'");
	end_call(&call);
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
	Call		call;

	begin_call(fcinfo, &calendar_object, &call);
	require(&call);
	(void) run(&call, psprintf("INSERT INTO idem.calendar (name, valid_from, created_by, %s)"
							   " SELECT $1, clock_timestamp(), session_user, %s FROM (%s) t",
							   each(call.object, "@"),
							   each(call.object, "coalesce($#, t.@)"),
							   call.object->newest), true);
	check_row(&call);
	idem_log_change("altered", "calendar", InvalidOid, call.name,
					given_settings(&call), NULL);
	end_call(&call);
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

static const Setting closure_settings[] = {
	{"during", TSTZRANGEOID, false},
	{"reason", TEXTOID, false}
};

/* A closure is named by its calendar, and there may be many. */
static const Object closure_object = {
	"closure", closure_settings, lengthof(closure_settings),
	"SELECT * FROM idem.calendar_at($1, 'infinity')"
};

static void
begin_closure(FunctionCallInfo fcinfo, Call *call)
{
	idem_require_argument(fcinfo, 1, "during");
	(void) idem_required_reason(fcinfo, 2, "reason");
	begin_call(fcinfo, &closure_object, call);
	if (!exists(call))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("calendar \"%s\" does not exist", call->name)));
}

static void
log_closure(Call *call, const char *action)
{
	idem_log_change(action, "closure", InvalidOid, call->name,
					list_make1(linitial(given_settings(call))),
					TextDatumGetCString(call->values[2]));
}

/* 22023 unless a closure begins and ends, in times to come. */
static void
check_closure(Call *call)
{
	if (run(call, "SELECT WHERE lower($2) > clock_timestamp() AND lower($2) < 'infinity' AND upper($2) < 'infinity' AND $3 IS NOT NULL",
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
	Call		call;

	begin_closure(fcinfo, &call);
	check_closure(&call);
	if (run(&call, "INSERT INTO idem.closure (calendar, during, reason, added_by)"
			" VALUES ($1, $2, $3, session_user)"
			" ON CONFLICT ON CONSTRAINT closure_pkey DO NOTHING", true) > 0)
		log_closure(&call, "declared");
	else
		ereport(NOTICE,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("calendar \"%s\" is closed then already",
						call.name)));
	end_call(&call);
	PG_RETURN_VOID();
}

/*
 * drop_closure(calendar, during, reason) -> void
 */
PG_FUNCTION_INFO_V1(idem_drop_closure);
Datum
idem_drop_closure(PG_FUNCTION_ARGS)
{
	Call		call;

	begin_closure(fcinfo, &call);
	/* one that is under way ends now */
	if (run(&call, "UPDATE idem.closure SET during = tstzrange(lower(during), clock_timestamp())"
			" WHERE calendar = $1 AND during = $2 AND $3 IS NOT NULL"
			" AND during @> clock_timestamp()", true) == 0 &&
		run(&call, "DELETE FROM idem.closure WHERE calendar = $1 AND during = $2"
			" AND lower(during) > clock_timestamp() AND $3 IS NOT NULL",
			true) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("calendar \"%s\" has no such closure, or it is over",
						call.name)));
	log_closure(&call, "dropped");
	end_call(&call);
	PG_RETURN_VOID();
}
