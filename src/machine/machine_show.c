/*
 * machine_show.c
 *		A machine as a table and as a graph for Graphviz.
 *
 * The table has a row for every state and every event, so that a missing case
 * shows: its next_state is null.  An edge without an event has a row without
 * one.
 *
 * Cost: O(states * events), what is shown.
 */
#include "postgres.h"

#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "machine/machine.h"

/* ---------- table ---------- */

/* One row of machine_table; edge is NULL in an empty cell */
static void
put_cell(ReturnSetInfo *rsinfo, const IdemDiagram *diagram, int state,
		 int event, const IdemEdge *edge)
{
	Datum		values[6] = {0};
	bool		nulls[6] = {false};

	values[0] = CStringGetTextDatum(diagram->states[state].name);
	nulls[1] = event < 0;
	if (event >= 0)
		values[1] = CStringGetTextDatum(diagram->events.names[event]);
	nulls[2] = edge == NULL;
	nulls[3] = edge == NULL;
	nulls[4] = edge == NULL || edge->role == NULL;
	nulls[5] = edge == NULL;
	if (edge != NULL)
	{
		values[2] = CStringGetTextDatum(diagram->states[edge->target].name);
		values[3] = BoolGetDatum(edge->late);
		values[5] = BoolGetDatum(edge->other);
	}
	if (!nulls[4])
		values[4] = CStringGetTextDatum(edge->role);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* All cells of one state: by_event is room for an edge an event. */
static void
put_state(ReturnSetInfo *rsinfo, const IdemMachine *machine, int state,
		  const IdemEdge **by_event)
{
	const IdemDiagram *diagram = &machine->diagram;
	int			i;

	memset(by_event, 0, sizeof(IdemEdge *) * diagram->events.count);
	for (i = machine->edges_of[state]; i < machine->edges_of[state + 1]; i++)
	{
		const IdemEdge *edge = machine->edges[i];

		if (edge->event < 0)
			put_cell(rsinfo, diagram, state, -1, edge);
		else
			by_event[edge->event] = edge;
	}
	for (i = 0; i < diagram->events.count; i++)
		put_cell(rsinfo, diagram, state, i, by_event[i]);
}

/* The machine that the arguments name, of its newest or of one version */
static IdemMachine *
machine_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("name of a state machine must not be null or empty")));
	return idem_machine_load(text_to_cstring(PG_GETARG_TEXT_PP(0)),
							 PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1));
}

/*
 * machine_table(name, version) -> (state, event, next_state, late, role)
 */
PG_FUNCTION_INFO_V1(idem_machine_table_rows);
Datum
idem_machine_table_rows(PG_FUNCTION_ARGS)
{
	IdemMachine *machine = machine_argument(fcinfo);
	const IdemEdge **by_event;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	by_event = palloc(sizeof(IdemEdge *) * (machine->diagram.events.count + 1));
	for (i = 0; i < idem_state_count(&machine->diagram); i++)
		put_state((ReturnSetInfo *) fcinfo->resultinfo, machine, i, by_event);
	return (Datum) 0;
}

/* ---------- Graphviz ---------- */

/* A final state has a double border, an entry an arrow out of nothing. */
static void
dot_states(StringInfo dot, const IdemDiagram *diagram)
{
	int			i;

	for (i = 0; i < idem_state_count(diagram); i++)
	{
		const IdemState *state = &diagram->states[i];

		appendStringInfo(dot, "    \"%s\"%s;\n", state->name,
						 state->final_line > 0 ? " [peripheries=2]" : "");
		if (state->entry_line > 0)
			appendStringInfo(dot, "    \"[*]\" -> \"%s\";\n", state->name);
	}
}

/* No name holds a quote; a role may. */
static void
dot_label(StringInfo dot, const IdemDiagram *diagram, const IdemEdge *edge)
{
	const char *at;

	if (edge->event >= 0)
		appendStringInfoString(dot, diagram->events.names[edge->event]);
	if (edge->late)
		appendStringInfoString(dot, " [late]");
	if (edge->other)
		appendStringInfoString(dot, " [other]");
	if (edge->role == NULL)
		return;
	appendStringInfoString(dot, " [role ");
	for (at = edge->role; *at; at++)
	{
		if (*at == '"' || *at == '\\')
			appendStringInfoChar(dot, '\\');
		appendStringInfoChar(dot, *at);
	}
	appendStringInfoChar(dot, ']');
}

/*
 * machine_dot(name, version) -> text
 */
PG_FUNCTION_INFO_V1(idem_machine_dot);
Datum
idem_machine_dot(PG_FUNCTION_ARGS)
{
	IdemMachine *machine = machine_argument(fcinfo);
	const IdemDiagram *diagram = &machine->diagram;
	StringInfoData dot;
	int			i;

	initStringInfo(&dot);
	appendStringInfo(&dot, "digraph \"%s\" {\n    \"[*]\" [shape=point];\n",
					 machine->name);
	dot_states(&dot, diagram);
	for (i = 0; i < diagram->edge_count; i++)
	{
		const IdemEdge *edge = &diagram->edges[i];

		appendStringInfo(&dot, "    \"%s\" -> \"%s\" [label=\"",
						 diagram->states[edge->source].name,
						 diagram->states[edge->target].name);
		dot_label(&dot, diagram, edge);
		appendStringInfo(&dot, "\"%s];\n", edge->late ? ", style=dashed" : "");
	}
	appendStringInfoString(&dot, "}\n");
	PG_RETURN_TEXT_P(cstring_to_text_with_len(dot.data, dot.len));
}
