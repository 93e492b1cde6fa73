/*
 * machine_watch.c
 *		Looking at the rows that stand in some states.
 *
 * What is asked of the rows of every guarded table, by people and programs
 * that may read none of them: which ones stand in these states, how many do.
 * Of a guard that was made by hand by somebody without a say in the machine
 * (machine_consent.c) nothing is asked: whoever may create a table could make
 * others read it.
 *
 * As everywhere (base/rows.c) a table is read as its owner, restricted, with
 * row security off and a search path of nobody's, under the latest snapshot,
 * taken when the table and the history are locked ACCESS SHARE.  What an
 * owner can have run by that (an index expression, the output of a type) runs
 * as the owner, never as the caller or as the owner of the extension.  No
 * error shows values.
 *
 * The query names its states as constants, each of the column's own type:
 *
 *		SELECT t.status, t.id FROM shop.payment t
 *			WHERE t.status IN ('paying', 'sending')
 *
 * so that an index on the column serves it, or a partial one that holds only
 * rows which are under way:
 *
 *		CREATE INDEX ON payment (status) WHERE status IN ('paying', 'sending');
 *
 * Cost: one descent of the history for a row that is looked at; finished rows
 * cost nothing where there is such an index, and a scan where there is none.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/column.h"
#include "base/identity.h"
#include "base/latest.h"
#include "base/moved.h"
#include "base/qualified.h"
#include "base/right.h"
#include "base/rows.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "machine/machine_watch.h"

/*
 * How long to wait for the lock of another session; after one that did not
 * come in time no other is waited for.  Programs look often.
 */
#define LOCK_WAIT_MS	2000
#define NO_LOCK_WAIT_MS	1

#define BATCH	1000

/* ---------- guards ---------- */

/* Is anything asked of this guard, because it counts for its machine? */
bool
idem_watch_asks(const IdemGuarded *guarded)
{
	const char *machine = idem_setting(guarded->settings, "machine");
	IdemDefinition row;

	return idem_settings_problem(guarded->settings,
								 idem_known_settings("keep_states")) == NULL &&
		idem_definition_fetch(&idem_machine_kind, machine, 0, &row) &&
		idem_machine_counts(machine, row.owner, guarded->relid,
							guarded->column);
}

/*
 * Have look() called for every guard that counts, each in a subtransaction;
 * unread() where that failed.  Connected to SPI.
 */
void
idem_watch_at_guards(ReturnSetInfo *rsinfo, IdemRowsCheck look,
					 IdemWatchUnread unread)
{
	int			wait_ms = LOCK_WAIT_MS;
	ListCell   *lc;

	foreach(lc, idem_machine_guarded(NULL))
	{
		IdemGuarded *guarded = lfirst(lc);
		IdemWatch	at = {0};
		char	   *why;

		if (!idem_watch_asks(guarded))
			continue;
		at.guard.relid = guarded->relid;
		at.guard.name = guarded->trigger;
		at.guard.kind = idem_kind_named("states");
		at.guard.settings = guarded->settings;
		at.column = guarded->column;
		at.rsinfo = rsinfo;
		why = idem_ask_rows(look, &at.guard, guarded->relid, wait_ms);
		/* a table that was dropped meanwhile has no rows */
		if (why == NULL ||
			!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(guarded->relid)))
			continue;
		unread(&at, why);
		if (idem_rows_locked(why))
			wait_ms = NO_LOCK_WAIT_MS;
	}
}

/* How long a row may stand in each state. */
static int64 *
read_within(const IdemWatch *watch)
{
	const IdemDiagram *diagram = &watch->machine->diagram;
	int			n = idem_state_count(diagram);
	int64	   *within = palloc0(sizeof(int64) * (n + 1));
	List	   *states;
	List	   *times;
	ListCell   *s;
	ListCell   *t;

	idem_setting_map(watch->guard.settings, "within", &states, &times);
	forboth(s, states, t, times)
	{
		const char *name = lfirst(s);
		int			state = idem_names_find(&diagram->state_names, name,
											strlen(name));

		/* a later version may have dropped it */
		if (state >= 0)
			within[state] = idem_within_usecs(lfirst(t));
	}
	return within;
}

/* Fill in what is known of the guard from its table, which is open. */
void
idem_watch_begin(IdemWatch *watch, Relation rel)
{
	watch->machine =
		idem_machine_load(idem_setting(watch->guard.settings, "machine"), 0);
	watch->root = idem_root_relid(rel);
	watch->number = idem_column_number(rel, watch->column);
	watch->within = read_within(watch);
	watch->may_read = idem_may_read(rel);
	watch->now = GetCurrentTimestamp();
}

/*
 * The states with a time, or those without, in which rows are under way: a
 * later version may have made one final.
 */
List *
idem_watch_timed(const IdemWatch *watch, bool timed)
{
	const IdemDiagram *diagram = &watch->machine->diagram;
	List	   *states = NIL;
	int			i;

	for (i = 0; i < idem_state_count(diagram); i++)
	{
		if (diagram->states[i].final_line == 0 &&
			(watch->within[i] > 0) == timed)
			states = lappend_int(states, i);
	}
	return states;
}

/* ---------- queries ---------- */

/*
 * t.status IN ('paying', 'sending'): as many of the states as a value of the
 * column can be, or NULL if it can be none.  A label that an enum has not got
 * could not even be asked for; and a domain over an enum has no operator that
 * would be found.
 */
static char *
in_states(Relation rel, const IdemMachine *machine, AttrNumber number,
		  List *states)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), number - 1);
	Oid			type = getBaseType(att->atttypid);
	bool		is_enum = type_is_enum(type);
	StringInfoData sql;
	ListCell   *lc;
	int			n = 0;

	initStringInfo(&sql);
	appendStringInfo(&sql, "t.%s", quote_identifier(NameStr(att->attname)));
	if (is_enum && type != att->atttypid)
		appendStringInfo(&sql, "::%s", format_type_be_qualified(type));
	foreach(lc, states)
	{
		const char *name = machine->diagram.states[lfirst_int(lc)].name;

		if (is_enum &&
			!SearchSysCacheExists2(ENUMTYPOIDNAME, ObjectIdGetDatum(type),
								   CStringGetDatum(name)))
			continue;
		appendStringInfo(&sql, "%s%s", n++ > 0 ? ", " : " IN (",
						 quote_literal_cstr(name));
	}
	appendStringInfoChar(&sql, ')');
	return n > 0 ? sql.data : NULL;
}

/*
 * A cursor on a query of the current user, and the latest snapshot, which the
 * caller pops.  Parsing and planning lock the table and what is below it,
 * before the snapshot is taken: to an older one a table that was written anew
 * meanwhile looks empty.
 */
static Portal
open_cursor(const char *sql)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(sql, 0, NULL,
										  CURSOR_OPT_GENERIC_PLAN |
										  CURSOR_OPT_PARALLEL_OK);
	CachedPlan *cached = plan ? SPI_plan_get_cached_plan(plan) : NULL;

	if (cached == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	ReleaseCachedPlan(cached, NULL);
	idem_log_hold();
	PushActiveSnapshot(GetLatestSnapshot());
	return SPI_cursor_open(NULL, plan, NULL, NULL, true);
}

/* SELECT t.status, t.id FROM shop.payment t WHERE t.status IN ('paying') */
static char *
rows_sql(Relation rel, const char *column, const IdemRowKey *key,
		 const char *condition)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT t.%s", quote_identifier(column));
	for (i = 0; i < key->count; i++)
		appendStringInfo(&sql, ", t.%s",
						 quote_identifier(key->columns[i].name));
	appendStringInfo(&sql, " FROM %s t WHERE %s", idem_qualified_name(rel),
					 condition);
	return sql.data;
}

/* Hand one row of the query over. */
static void
hand_row(IdemWatch *watch, const IdemRowKey *key, IdemWatchRow row,
		 SPITupleTable *table, uint64 i)
{
	char	   *name = SPI_getvalue(table->vals[i], table->tupdesc, 1);
	int			state = idem_names_find(&watch->machine->diagram.state_names,
										name, strlen(name));
	Datum	   *values = palloc(sizeof(Datum) * Max(key->count, 1));
	bool		isnull;
	int			k;

	if (state < 0)
		return;					/* equal by a collation only */
	for (k = 0; k < key->count; k++)
		values[k] = SPI_getbinval(table->vals[i], table->tupdesc, k + 2,
								  &isnull);
	row(watch, state, idem_machine_key_text(key, values));
}

static void
hand_rows(IdemWatch *watch, const IdemRowKey *key, IdemWatchRow row,
		  const char *sql)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "idem rows",
												  ALLOCSET_SMALL_SIZES);
	Portal		portal = open_cursor(sql);
	uint64		n;

	do
	{
		SPITupleTable *table;
		uint64		i;

		SPI_cursor_fetch(portal, true, BATCH);
		n = SPI_processed;
		table = SPI_tuptable;
		for (i = 0; i < n; i++)
		{
			MemoryContext before = MemoryContextSwitchTo(context);

			hand_row(watch, key, row, table, i);
			MemoryContextSwitchTo(before);
			MemoryContextReset(context);
		}
		SPI_freetuptable(table);
	} while (n == BATCH);
	SPI_cursor_close(portal);
	PopActiveSnapshot();
	MemoryContextDelete(context);
}

/* Hand over every row that stands in one of these states. */
void
idem_watch_rows(IdemWatch *watch, Relation rel, List *states, IdemWatchRow row)
{
	MemoryContext context = CurrentMemoryContext;
	IdemRowKey *key = idem_machine_key_of(rel, watch->number);
	char	   *condition = in_states(rel, watch->machine, watch->number,
									  states);
	IdemIdentity saved;

	if (condition == NULL)
		return;
	idem_become_declarer(rel, &saved);
	idem_see_every_row();
	PG_TRY();
	{
		hand_rows(watch, key, row,
				  rows_sql(rel, watch->column, key, condition));
	}
	PG_CATCH();
	{
		idem_rethrow_without_values(context);
	}
	PG_END_TRY();
	idem_restore_identity(&saved);
}

/* How many rows stand in each state, of what a query has counted. */
static void
read_counts(const IdemMachine *machine, const char *sql, int64 *counts)
{
	Portal		portal = open_cursor(sql);
	uint64		i;

	SPI_cursor_fetch(portal, true, FETCH_ALL);
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		char	   *name = SPI_getvalue(row, desc, 1);
		int			state = name == NULL ? -1 :
			idem_names_find(&machine->diagram.state_names, name, strlen(name));
		bool		isnull;

		if (state >= 0)
			counts[state] +=
				DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
	}
	SPI_cursor_close(portal);
	PopActiveSnapshot();
}

/*
 * Add to counts how many rows stand in each of these states.
 *
 * SELECT t.status, count(*) FROM shop.payment t
 *	WHERE t.status IN ('created', 'paying') GROUP BY t.status
 */
void
idem_watch_counts(Relation rel, const IdemMachine *machine, AttrNumber number,
				  List *states, int64 *counts)
{
	MemoryContext context = CurrentMemoryContext;
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), number - 1);
	const char *column = quote_identifier(NameStr(att->attname));
	char	   *condition = in_states(rel, machine, number, states);
	IdemIdentity saved;

	if (condition == NULL)
		return;
	idem_become_declarer(rel, &saved);
	idem_see_every_row();
	PG_TRY();
	{
		read_counts(machine,
					psprintf("SELECT t.%s, count(*) FROM %s t WHERE %s GROUP BY t.%s",
							 column, idem_qualified_name(rel), condition,
							 column),
					counts);
	}
	PG_CATCH();
	{
		idem_rethrow_without_values(context);
	}
	PG_END_TRY();
	idem_restore_identity(&saved);
}

/* ---------- since when ---------- */

/*
 * When the guard was declared: a row without history stands where it stands
 * at least since then.
 */
static void
ask_declared(IdemWatch *watch)
{
	Oid			types[2] = {OIDOID, TEXTOID};
	Datum		values[2];
	bool		isnull;
	Datum		at;

	values[0] = ObjectIdGetDatum(watch->guard.relid);
	values[1] = CStringGetTextDatum(watch->guard.name);
	idem_run_as_extension("SELECT pg_catalog.min(l.at) FROM idem.change_log l"
						  " WHERE l.relation = $1 AND l.kind = 'states' AND l.name = $2"
						  " AND l.action = 'declared'",
						  2, types, values, NULL);
	at = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
					   &isnull);
	watch->declared = isnull ? 0 : DatumGetTimestampTz(at);
	watch->asked = true;
}

/*
 * Since when a row stands in its state, by the snapshot it was read with;
 * false: nobody knows.
 */
bool
idem_watch_since(IdemWatch *watch, int state, const char *key,
				 TimestampTz *since)
{
	if (idem_log_since(watch->root, watch->column, key,
					   watch->machine->diagram.states[state].name,
					   GetActiveSnapshot(), since))
		return true;
	if (!watch->asked)
		ask_declared(watch);
	*since = watch->declared;
	return watch->declared != 0;
}
