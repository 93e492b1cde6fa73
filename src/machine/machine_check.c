/*
 * machine_check.c
 *		Finds what is wrong with a state machine that could be read.
 *
 * Refused, because a payment would hang, run twice or have no rule:
 *
 *		no_entry, no_final		nothing can begin, nothing can end
 *		unreachable				no way from an entry leads to the state
 *		trap					no way from the state leads to a final one
 *		ambiguous_event			one event, two targets, from one state
 *		duplicate_edge			the same edge twice, or once with and once
 *								without an event
 *		silent_loop				a self-loop without an event: a row that stays
 *								where it is tells nobody that anything happened
 *		final_exit				an edge leaves a final state without [late]; a
 *								self-loop leaves nothing
 *		resend					an edge leads from class unknown to class sent
 *
 * A [late] edge counts as a way: a state behind it is reachable.
 *
 * Cost: O(states + edges), faults aside, at most one an edge or state and
 * kind.
 */
#include "machine_text.h"

#include "machine/machine_text.h"

#include <string.h>

/* Edges grouped by one of their ends: those of s are from[s] .. from[s+1] */
typedef struct Groups
{
	int		   *from;
	int		   *edges;
} Groups;

typedef struct Checker
{
	const IdemDiagram *diagram;
	IdemFaults	faults;
} Checker;

static int
end_of(const IdemEdge *edge, bool backward)
{
	return backward ? edge->target : edge->source;
}

/* Counting sort of the edges by source, or by target. */
static Groups
group_edges(const IdemDiagram *diagram, bool backward)
{
	int			states = idem_state_count(diagram);
	Groups		groups;
	int			i;

	groups.from = idem_alloc0((states + 2) * sizeof(int));
	groups.edges = idem_alloc0((diagram->edge_count + 1) * sizeof(int));
	for (i = 0; i < diagram->edge_count; i++)
		groups.from[end_of(&diagram->edges[i], backward) + 2]++;
	for (i = 2; i <= states; i++)
		groups.from[i] += groups.from[i - 1];
	/* from[s + 1] is the next free place of s, and ends as its end */
	for (i = 0; i < diagram->edge_count; i++)
		groups.edges[groups.from[end_of(&diagram->edges[i],
										backward) + 1]++] = i;
	return groups;
}

/*
 * Marks every state that can be walked to from the entries, or, backward,
 * that can walk to a final state.
 */
static bool *
walk(const IdemDiagram *diagram, bool backward)
{
	int			states = idem_state_count(diagram);
	Groups		groups = group_edges(diagram, backward);
	bool	   *marked = idem_alloc0((states + 1) * sizeof(bool));
	int		   *queue = idem_alloc0((states + 1) * sizeof(int));
	int			head = 0;
	int			tail = 0;
	int			i;

	for (i = 0; i < states; i++)
	{
		const IdemState *state = &diagram->states[i];

		if (backward ? state->final_line > 0 : state->entry_line > 0)
		{
			marked[i] = true;
			queue[tail++] = i;
		}
	}
	while (head < tail)
	{
		int			at = queue[head++];

		for (i = groups.from[at]; i < groups.from[at + 1]; i++)
		{
			int			next =
				end_of(&diagram->edges[groups.edges[i]], !backward);

			if (!marked[next])
			{
				marked[next] = true;
				queue[tail++] = next;
			}
		}
	}
	return marked;
}

/* Without any entry every state is unreachable: said once, not for each. */
static void
check_ways(Checker *checker)
{
	const IdemDiagram *diagram = checker->diagram;
	bool	   *reached = walk(diagram, false);
	bool	   *ending = walk(diagram, true);
	bool		entry = false;
	bool		final = false;
	int			i;

	for (i = 0; i < idem_state_count(diagram); i++)
	{
		entry |= diagram->states[i].entry_line > 0;
		final |= diagram->states[i].final_line > 0;
	}
	if (!entry)
		idem_fault_found(&checker->faults, 0, 0, "no_entry", "no state is an entry");
	if (!final)
		idem_fault_found(&checker->faults, 0, 0, "no_final", "no state is final");
	for (i = 0; i < idem_state_count(diagram); i++)
	{
		const IdemState *state = &diagram->states[i];

		if (entry && !reached[i])
			idem_fault_found(&checker->faults, state->line, 0, "unreachable",
							 "state \"%s\" cannot be reached from an entry", state->name);
		if (final && !ending[i])
			idem_fault_found(&checker->faults, state->line, 0, "trap",
							 "state \"%s\" cannot reach a final state", state->name);
	}
}

/* What one edge shows by itself */
static void
check_edge(Checker *checker, const IdemEdge *edge)
{
	const IdemState *source = &checker->diagram->states[edge->source];
	const IdemState *target = &checker->diagram->states[edge->target];

	if (edge->source == edge->target && edge->event < 0)
		idem_fault_found(&checker->faults, edge->line, 0, "silent_loop",
						 "the edge from state \"%s\" to itself has no event", source->name);
	if (edge->source != edge->target && source->final_line > 0 && !edge->late)
		idem_fault_found(&checker->faults, edge->line, 0, "final_exit",
						 "final state \"%s\" is left to \"%s\" without [late]",
						 source->name, target->name);
	if (source->class == IDEM_CLASS_UNKNOWN && target->class == IDEM_CLASS_SENT)
		idem_fault_found(&checker->faults, edge->line, 0, "resend",
						 "state \"%s\" of class unknown leads to state \"%s\" of class sent",
						 source->name, target->name);
}

/*
 * What two edges from one state show.  The last edge with each event and the
 * last one to each target are remembered, marked with the state they are of,
 * so that nothing has to be cleared between two states.
 */
static void
check_pairs(Checker *checker)
{
	const IdemDiagram *diagram = checker->diagram;
	int			states = idem_state_count(diagram);
	Groups		groups = group_edges(diagram, false);
	int		   *by_event =
		idem_alloc0((diagram->events.count + 1) * sizeof(int));
	int		   *by_target = idem_alloc0((states + 1) * sizeof(int));
	int			i;

	/* both hold the index of an edge + 1; an edge knows its source */
	for (i = 0; i < diagram->edge_count; i++)
	{
		int			n = groups.edges[i];
		const IdemEdge *edge = &diagram->edges[n];
		const char *state = diagram->states[edge->source].name;
		const char *event = edge->event < 0 ? NULL :
			diagram->events.names[edge->event];
		int			same_event = edge->event < 0 ? 0 : by_event[edge->event];
		int			same_target = by_target[edge->target];
		const IdemEdge *other;

		if (same_event > 0 &&
			(other = &diagram->edges[same_event - 1])->source == edge->source)
		{
			if (other->target != edge->target)
				idem_fault_found(&checker->faults, edge->line, 0, "ambiguous_event",
								 "event \"%s\" leads from state \"%s\" to two states (see line %d)",
								 event, state, other->line);
			else
				idem_fault_found(&checker->faults, edge->line, 0, "duplicate_edge",
								 "event \"%s\" of state \"%s\" is drawn twice (see line %d)",
								 event, state, other->line);
		}
		else if (same_target > 0 &&
				 (other =
				  &diagram->edges[same_target - 1])->source == edge->source &&
				 (other->event < 0 || edge->event < 0))
			idem_fault_found(&checker->faults, edge->line, 0, "duplicate_edge",
							 "of two edges from state \"%s\" to \"%s\" each needs an event (see line %d)",
							 state, diagram->states[edge->target].name, other->line);
		if (edge->event >= 0)
			by_event[edge->event] = n + 1;
		by_target[edge->target] = n + 1;
	}
}

/*
 * Writes up to max faults and returns how many there are, in the order: the
 * diagram and its states, its edges, its pairs of edges.
 */
int
idem_diagram_check(const IdemDiagram *diagram, IdemFault *faults, int max)
{
	Checker		checker;
	int			i;

	checker.diagram = diagram;
	checker.faults.kept = faults;
	checker.faults.count = 0;
	checker.faults.max = max;
	check_ways(&checker);
	for (i = 0; i < diagram->edge_count; i++)
		check_edge(&checker, &diagram->edges[i]);
	check_pairs(&checker);
	return checker.faults.count;
}
