/*
 * machine_transition.c
 *		Lock, check and change a row, for a consumer of messages.
 *
 * A message may come twice, late, or before the one that it should follow.
 * None of this is an error: transition() tells the outcome of the message and
 * leaves the row as the machine demands.
 *
 *		applied		the edge was taken by this call
 *		already		the row is in that state, and "set" agrees with it
 *		conflict	the row is in that state, but "set" says otherwise
 *		passed		history shows that the row was there and moved on
 *		refused		it never was there, and no edge leads there from here
 *		missing		no row with this key that the caller may see
 *
 * The row lock decides the race: FOR NO KEY UPDATE, so that foreign keys are
 * not disturbed.  A session that waited reads what the first one left (READ
 * COMMITTED) or gets 40001.
 *
 * Everything runs as the caller, with the caller's rights and row security.
 * The guard judges the UPDATE like any other; the event, which a plain UPDATE
 * cannot express, is announced to it for this one row.
 *
 * A caller acknowledges the message on "already" and "passed".  So the commit
 * that brought the row there is on disk, and with the required standbys,
 * before they are returned.
 *
 * A row of a distributed table is judged on the node that has it, to which no
 * event gets: only edges are taken that a plain UPDATE takes, too.
 *
 * Not promised: "passed" for a guard without history; of a row on another node
 * that its commit is on disk there.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/typcache.h"

#include "base/argument.h"
#include "base/column.h"
#include "base/durable.h"
#include "base/keytext.h"
#include "base/named.h"
#include "base/qualified.h"
#include "base/right.h"
#include "base/settings_trigger.h"
#include "machine/machine.h"

/* One call */
typedef struct Transition
{
	Relation	rel;
	IdemStatesGuard *guard;
	const char *table;			/* schema.table */
	Datum	   *key;			/* values of guard->row_key */
	char	   *key_text;
	int			to;
	int			event;			/* -1: not given */
	ArrayType  *from_states;	/* or NULL */
	Jsonb	   *set;			/* or NULL */
	List	   *set_columns;	/* attribute numbers it names */
	List	   *set_values;		/* what it gives each, as SQL; of a row that
								 * may be on another node */

	int			from;			/* where the row is; below 0 undeclared */
	char	   *state;			/* the same as text, NULL if null */
	bool		agrees;			/* the row already holds what set says */
} Transition;

/* ---------- arguments ---------- */

/*
 * The trigger that guards the column, or, if none is named, the only guarded
 * column of the table.  It is a copy, because what the relcache has is freed
 * when any session changes the table, even by ANALYZE.
 */
static Trigger *
find_guard(Relation rel, const char *column)
{
	Oid			function = idem_machine_guard_function();
	TriggerDesc *triggers = CopyTriggerDesc(rel->trigdesc);
	Trigger    *found = NULL;
	int			i;

	for (i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];
		const char *guarded = trigger->tgfoid != function ? NULL :
			idem_trigger_setting(trigger, "column");

		if (guarded == NULL || (column != NULL && strcmp(guarded, column) != 0))
			continue;
		if (found != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("table \"%s\" has several guarded state columns",
							RelationGetRelationName(rel)),
					 errhint("Name one with state_column => 'name'.")));
		found = trigger;
	}
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 column == NULL ?
				 errmsg("table \"%s\" has no guarded state column",
						RelationGetRelationName(rel)) :
				 errmsg("column \"%s\" of table \"%s\" is not guarded by a state machine",
						column, RelationGetRelationName(rel)),
				 errhint("Guard it with idem.guard_states.")));
	return found;
}

static int
declared(const IdemStatesGuard *guard, const IdemNames *names,
		 const char *name, const char *kind)
{
	int			index = idem_names_find(names, name, strlen(name));

	if (index < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("state machine \"%s\" does not declare %s \"%s\"",
						guard->machine->name, kind, name)));
	return index;
}

/* Is the present state among from_states?  All of them must be declared. */
static bool
may_come_from(const Transition *t)
{
	List	   *names;
	ListCell   *lc;
	bool		found = false;

	if (t->from_states == NULL)
		return true;
	names = idem_array_list("from_states", t->from_states);
	foreach(lc, names)
	{
		int			state = declared(t->guard,
									 &t->guard->machine->diagram.state_names,
									 lfirst(lc), "state");

		found = found || state == t->from;
	}
	return found;
}

/* One column that "set" names: neither the state nor the key */
static AttrNumber
set_column(const Transition *t, const char *name)
{
	AttrNumber	number = idem_column_number(t->rel, name);

	if (number == t->guard->column || bms_is_member(number, t->guard->key))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"set\" cannot set column \"%s\" of table \"%s\"",
						name, RelationGetRelationName(t->rel)),
				 errdetail("It is the state or part of the key.")));
	return number;
}

static List *
set_columns(const Transition *t)
{
	List	   *columns = NIL;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (t->set == NULL)
		return NIL;
	if (!JB_ROOT_IS_OBJECT(t->set))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"set\" is not a JSON object")));
	it = JsonbIteratorInit(&t->set->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			columns = lappend_int(columns,
								  set_column(t, pnstrdup(value.val.string.val,
														 value.val.string.len)));
	}
	return columns;
}

static void
read_arguments(FunctionCallInfo fcinfo, Transition *t)
{
	const IdemDiagram *diagram = &t->guard->machine->diagram;
	char	   *key = idem_row_key_argument(fcinfo, 1, "key");
	char	   *to = idem_required_text(fcinfo, 2, "to_state");

	t->table = idem_qualified_name(t->rel);
	t->key = idem_machine_key_read(t->rel, t->guard->row_key, key);
	t->key_text = idem_machine_key_text(t->guard->row_key, t->key);
	t->to = declared(t->guard, &diagram->state_names, to, "state");
	t->event = PG_ARGISNULL(3) ? -1 :
		declared(t->guard, &diagram->events,
				 text_to_cstring(PG_GETARG_TEXT_PP(3)), "event");
	t->from_states = PG_ARGISNULL(4) ? NULL : PG_GETARG_ARRAYTYPE_P(4);
	t->set = PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5);
	t->set_columns = set_columns(t);
}

/* ---------- statements ---------- */

/*
 * Parameters of every statement: the key, then set, then the new state.
 */
static void
parameters(const Transition *t, Oid **types, Datum **values, char **nulls)
{
	const IdemRowKey *key = t->guard->row_key;
	int			i;

	*types = palloc(sizeof(Oid) * (key->count + 2));
	*values = palloc(sizeof(Datum) * (key->count + 2));
	*nulls = palloc(key->count + 2);
	memset(*nulls, ' ', key->count + 2);
	for (i = 0; i < key->count; i++)
	{
		(*types)[i] = getBaseType(key->columns[i].type);
		(*values)[i] = t->key[i];
	}
	(*types)[i] = JSONBOID;
	(*values)[i] = PointerGetDatum(t->set);
	(*nulls)[i] = t->set == NULL ? 'n' : ' ';
	(*types)[i + 1] = TEXTOID;
	(*values)[i + 1] =
		CStringGetTextDatum(t->guard->machine->diagram.states[t->to].name);
}

/* WHERE t.id = $1 ..., with the equality operator written in full */
static char *
where_clause(const IdemRowKey *key)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < key->count; i++)
	{
		const IdemRowKeyColumn *column = &key->columns[i];
		TypeCacheEntry *type = lookup_type_cache(getBaseType(column->type),
												 TYPECACHE_EQ_OPR);

		appendStringInfoString(&sql, i == 0 ? " WHERE " : " AND ");
		generate_operator_clause(&sql,
								 psprintf("t.%s", quote_identifier(column->name)),
								 column->type, type->eq_opr,
								 psprintf("$%d", i + 1),
								 getBaseType(column->type));
	}
	return sql.data;
}

/*
 * The same, written once for a key whose operators are the server's own; other
 * operators can be renamed without a message to us.
 */
static void
append_where(StringInfo sql, const Transition *t)
{
	IdemStatesGuard *guard = t->guard;
	const char *where = guard->where;

	if (where == NULL)
		where = where_clause(guard->row_key);
	if (guard->where == NULL && guard->row_key->plain)
		guard->where = MemoryContextStrdup(GetMemoryChunkContext(guard), where);
	appendStringInfoString(sql, where);
}

static const char *
column_name(const Transition *t, int number)
{
	return quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(t->rel),
												  number - 1)->attname));
}

/* The value that "set" gives a column, converted to the column's type */
static const char *
set_value(const Transition *t, int number)
{
	return psprintf("(pg_catalog.jsonb_populate_record(t, $%d)).%s",
					t->guard->row_key->count + 1, column_name(t, number));
}

/*
 * SELECT t.status::text, t.id, ..., t.a, <a of set>, ... FROM payment t
 *	WHERE t.id = $1 FOR NO KEY UPDATE OF t
 */
static char *
lock_statement(const Transition *t)
{
	StringInfoData sql;
	ListCell   *lc;
	int			i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT t.%s::pg_catalog.text",
					 column_name(t, t->guard->column));
	for (i = 0; i < t->guard->row_key->count; i++)
		appendStringInfo(&sql, ", t.%s",
						 quote_identifier(t->guard->row_key->columns[i].name));
	foreach(lc, t->set_columns)
		appendStringInfo(&sql, ", t.%s, %s", column_name(t, lfirst_int(lc)),
						 set_value(t, lfirst_int(lc)));
	appendStringInfo(&sql, " FROM %s t", t->table);
	append_where(&sql, t);
	appendStringInfoString(&sql, " FOR NO KEY UPDATE OF t");
	return sql.data;
}

/*
 * UPDATE payment t SET status = $3::status_type, a = <a of set>, ...
 *	WHERE t.id = $1
 */
static char *
update_statement(const Transition *t)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(t->rel),
										  t->guard->column - 1);
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s t SET %s = $%d::%s", t->table,
					 column_name(t, t->guard->column),
					 t->guard->row_key->count + 2,
					 format_type_be_qualified(att->atttypid));
	foreach(lc, t->set_columns)
		appendStringInfo(&sql, ", %s = %s", column_name(t, lfirst_int(lc)),
						 t->set_values == NIL ? set_value(t, lfirst_int(lc)) :
						 (char *) list_nth(t->set_values,
										   foreach_current_index(lc)));
	append_where(&sql, t);
	return sql.data;
}

/*
 * SELECT t.id, ... FROM payment t WHERE t.id = $1
 */
static char *
find_statement(const Transition *t)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < t->guard->row_key->count; i++)
		appendStringInfo(&sql, "%s t.%s", i == 0 ? "SELECT" : ",",
						 quote_identifier(t->guard->row_key->columns[i].name));
	appendStringInfo(&sql, " FROM %s t", t->table);
	append_where(&sql, t);
	return sql.data;
}

/* Run one of the statements; read_only: with the snapshot of the caller's. */
static void
run(const Transition *t, const char *sql, bool read_only, int expected)
{
	Oid		   *types;
	Datum	   *values;
	char	   *nulls;
	int			code;

	parameters(t, &types, &values, &nulls);
	code = idem_machine_run_plan(sql, t->guard->row_key->count + 2, types,
								 values, nulls, read_only);
	if (code == SPI_OK_REWRITTEN)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("row %s of table \"%s\" cannot be written",
						t->key_text, RelationGetRelationName(t->rel)),
				 errdetail("A rule of the table does something instead.")));
	if (code != expected)
		elog(ERROR, "SPI_execute_plan returned %s: %s",
			 SPI_result_code_string(code), sql);
}

/* ---------- deciding ---------- */

/* Are two values of a column equal by the equality of its type? */
static bool
same_value(const Transition *t, int number, int field)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(t->rel), number - 1);
	TypeCacheEntry *type = lookup_type_cache(att->atttypid,
											 TYPECACHE_EQ_OPR_FINFO);
	HeapTuple	row = SPI_tuptable->vals[0];
	bool		a_null;
	bool		b_null;
	Datum		a = SPI_getbinval(row, SPI_tuptable->tupdesc, field, &a_null);
	Datum		b =
		SPI_getbinval(row, SPI_tuptable->tupdesc, field + 1, &b_null);

	if (a_null || b_null)
		return a_null && b_null;
	if (!OidIsValid(type->eq_opr))
		return datum_image_eq(a, b, att->attbyval, att->attlen);
	return DatumGetBool(FunctionCall2Coll(&type->eq_opr_finfo,
										  att->attcollation, a, b));
}

/*
 * The key as the row has it, from the given field on; the guard and the
 * history use this one.  The key that was asked for may be equal and yet have
 * another text (1.0 and 1).
 */
static char *
stored_key_text(const Transition *t, int field)
{
	int			n = t->guard->row_key->count;
	Datum	   *values = palloc(sizeof(Datum) * Max(n, 1));
	bool		isnull;
	int			i;

	for (i = 0; i < n; i++)
		values[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
								  field + i, &isnull);
	return idem_machine_key_text(t->guard->row_key, values);
}

/*
 * A value that was found, as a literal of its column's type: Citus computes
 * nothing of the row in an UPDATE.
 */
static char *
found_literal(const Transition *t, int number, int field)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(t->rel), number - 1);
	char	   *value = SPI_getvalue(SPI_tuptable->vals[0],
									 SPI_tuptable->tupdesc, field);

	return psprintf("%s::%s", value ? quote_literal_cstr(value) : "NULL",
					format_type_extended(att->atttypid, att->atttypmod,
										 FORMAT_TYPE_TYPEMOD_GIVEN |
										 FORMAT_TYPE_FORCE_QUALIFY));
}

/* Lock the row and see where it is; false if there is none. */
static bool
lock_row(Transition *t)
{
	ListCell   *lc;
	int			field = t->guard->row_key->count + 2;

	run(t, lock_statement(t), false, SPI_OK_SELECT);
	if (SPI_processed == 0)
		return false;
	if (SPI_processed > 1)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("more than one row of table \"%s\" has key %s",
						RelationGetRelationName(t->rel), t->key_text),
				 errhint("Its partition key is part of its primary key, and several partitions hold it.")));
	t->key_text = stored_key_text(t, 2);
	t->state = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	t->from = t->state == NULL ? -1 :
		idem_names_find(&t->guard->machine->diagram.state_names, t->state,
						strlen(t->state));
	t->agrees = true;
	t->set_values = NIL;
	foreach(lc, t->set_columns)
	{
		t->agrees = t->agrees && same_value(t, lfirst_int(lc), field);
		if (t->guard->carried)
			t->set_values = lappend(t->set_values,
									found_literal(t, lfirst_int(lc),
												  field + 1));
		field += 2;
	}
	return true;
}

/*
 * 0A000 for an edge that a plain UPDATE does not take, on a table whose rows
 * are on other nodes, to which the event does not get.
 */
static void
check_carried(const Transition *t)
{
	int			count;

	(void) idem_machine_edge(t->guard->machine, t->from, t->to, -1, &count);
	if (count == 1 && t->from != t->to)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("event of an edge from state \"%s\" to state \"%s\" cannot be given on distributed table \"%s\"",
					t->state,
					t->guard->machine->diagram.states[t->to].name,
					RelationGetRelationName(t->rel)),
			 errhint("Let one edge lead from a state to another, and none to itself.")));
}

/*
 * The edge to take, or NULL.  A self-loop is only taken by its event.
 */
static const IdemEdge *
edge_to_take(const Transition *t)
{
	const IdemEdge *edge;
	int			count;

	if (t->from < 0 || (t->from == t->to && t->event < 0) || !may_come_from(t))
		return NULL;
	edge = idem_machine_edge(t->guard->machine, t->from, t->to, t->event,
							 &count);
	if (count > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d edges of state machine \"%s\" lead from state \"%s\" to state \"%s\"",
						count, t->guard->machine->name, t->state,
						t->guard->machine->diagram.states[t->to].name),
				 errhint("Say which with event => 'name'.")));
	if (edge != NULL && t->guard->carried)
		check_carried(t);
	return edge;
}

/*
 * Is the row stored as it was announced?  The trigger of a shard, which may be
 * on another node, hears of no announcement: the row itself tells.
 */
static bool
is_stored(Transition *t, const IdemAnnouncement *announcement)
{
	if (SPI_processed != 1 || !t->guard->carried)
		return SPI_processed == 1 && announcement->taken;
	return lock_row(t) && t->from == t->to && t->agrees;
}

/* The row that was stored has to be the announced one. */
static void
check_taken(Transition *t, const IdemAnnouncement *announcement)
{
	if (is_stored(t, announcement))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
			 errmsg("row %s of table \"%s\" was not stored in state \"%s\"",
					t->key_text, RelationGetRelationName(t->rel),
					announcement->to),
			 errhint("Another trigger of the table skipped or changed it.")));
}

/* Write the row while the guard knows which edge is meant. */
static void
take_edge(Transition *t, const IdemEdge *edge)
{
	const IdemDiagram *diagram = &t->guard->machine->diagram;
	IdemAnnouncement announcement = {0};
	IdemAnnouncement *outer;
	char	   *sql = update_statement(t);

	announcement.root = t->guard->root;
	announcement.column = t->guard->column_name;
	announcement.key = t->key_text;
	announcement.from = diagram->states[t->from].name;
	announcement.to = diagram->states[t->to].name;
	announcement.event = edge->event < 0 ? NULL :
		diagram->events.names[edge->event];
	outer = idem_announce(&announcement);
	PG_TRY();
	{
		run(t, sql, false, SPI_OK_UPDATE);
	}
	PG_FINALLY();
	{
		idem_announce(outer);
	}
	PG_END_TRY();
	check_taken(t, &announcement);
	t->from = t->to;
	t->state = pstrdup(announcement.to);
}

static bool
has_passed(const Transition *t)
{
	const char *to = t->guard->machine->diagram.states[t->to].name;

	return t->guard->history &&
		idem_log_has_entered(t->guard->root, t->guard->column_name,
							 t->key_text, to);
}

/*
 * An outcome that the caller acknowledges: the commit that it rests on has to
 * be durable.  The xmin of the row would tell which commit that is, but a
 * caller with rights on some columns may not read it, and our own lock of the
 * row has to be flushed soon anyway.
 */
static const char *
told(const char *outcome)
{
	idem_wait_durable(NULL);
	return outcome;
}

/* The outcome; the row is changed if it is "applied". */
static const char *
decide(Transition *t)
{
	const IdemEdge *edge;

	if (!lock_row(t))
		return "missing";
	edge = edge_to_take(t);
	if (edge != NULL)
	{
		take_edge(t, edge);
		return "applied";
	}
	if (t->from == t->to)
		return t->agrees ? told("already") : "conflict";
	return has_passed(t) ? told("passed") : "refused";
}

/* ---------- answering ---------- */

/* The row type of the answer, looked up once for a query that calls often. */
static TupleDesc
answer_type(FunctionCallInfo fcinfo)
{
	TupleDesc	desc = fcinfo->flinfo->fn_extra;
	MemoryContext old;

	if (desc != NULL)
		return desc;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	fcinfo->flinfo->fn_extra = BlessTupleDesc(desc);
	MemoryContextSwitchTo(old);
	return desc;
}

static HeapTuple
answer(FunctionCallInfo fcinfo, const Transition *t, const char *outcome)
{
	bool		missing = strcmp(outcome, "missing") == 0;
	Datum		values[3] = {0};
	bool		nulls[3] = {false};

	values[0] = CStringGetTextDatum(outcome);
	nulls[1] = missing || t->state == NULL;
	nulls[2] = missing;
	if (!nulls[1])
		values[1] = CStringGetTextDatum(t->state);
	if (!nulls[2])
		values[2] = PointerGetDatum(idem_next_states(t->guard->machine,
													 t->from));
	return heap_form_tuple(answer_type(fcinfo), values, nulls);
}

static char *
column_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : NameStr(*PG_GETARG_NAME(n));
}

/*
 * transition(relation, key, to_state, event, from_states, set, state_column)
 *	-> (outcome, state, next_states)
 */
PG_FUNCTION_INFO_V1(idem_transition);
Datum
idem_transition(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	Transition	t = {0};
	const char *outcome;
	HeapTuple	result;

	PreventCommandIfReadOnly("idem.transition()");
	idem_require_argument(fcinfo, 0, "relation");
	t.rel = idem_open_named(PG_GETARG_OID(0));
	t.guard =
		idem_states_guard(t.rel, find_guard(t.rel, column_argument(fcinfo, 6)),
						  true);
	read_arguments(fcinfo, &t);
	SPI_connect();
	outcome = decide(&t);

	/* the decision lies in memory of SPI, the answer must not */
	MemoryContextSwitchTo(context);
	result = answer(fcinfo, &t, outcome);
	SPI_finish();
	table_close(t.rel, NoLock);
	return HeapTupleGetDatum(result);
}

/*
 * The key of a row in its history, as text in the memory context of the
 * caller: as the row has it, or, if the row is gone, as it was asked for.
 */
static char *
history_key(Transition *t, char *asked)
{
	MemoryContext context = CurrentMemoryContext;

	t->key = idem_machine_key_read(t->rel, t->guard->row_key, asked);
	t->key_text = idem_machine_key_text(t->guard->row_key, t->key);
	if (t->guard->row_key->exact)
		return t->key_text;
	t->table = idem_qualified_name(t->rel);
	SPI_connect();
	run(t, find_statement(t), true, SPI_OK_SELECT);
	if (SPI_processed > 0)
		t->key_text = MemoryContextStrdup(context, stored_key_text(t, 1));
	SPI_finish();
	return t->key_text;
}

/*
 * history(relation, key, state_column) -> transitions, oldest first
 */
PG_FUNCTION_INFO_V1(idem_history);
Datum
idem_history(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Transition	t = {0};
	char	   *key = idem_row_key_argument(fcinfo, 1, "key");

	InitMaterializedSRF(fcinfo, 0);
	idem_require_argument(fcinfo, 0, "relation");
	t.rel = idem_open_named(PG_GETARG_OID(0));
	if (!idem_may_read(t.rel))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE,
					   RelationGetRelationName(t.rel));
	t.guard = idem_states_guard(t.rel,
								find_guard(t.rel, column_argument(fcinfo, 2)),
								false);
	idem_log_put_history(rsinfo, t.guard->root, t.guard->column_name,
						 history_key(&t, key));
	table_close(t.rel, NoLock);
	return (Datum) 0;
}
