/*
 * machine_diff.c
 *		What a new version of a machine changes, and which rows that concerns.
 *
 * A change loosens the machine if it allows something new, and tightens it if
 * it forbids something.  A changed event name takes one way away and gives
 * another.  A way taken away names the state whose rows lose it, and a removed
 * state names itself: rows may stand there.
 *
 * Cost: O(states + edges).
 */
#include "postgres.h"

#include "utils/hsearch.h"

#include "machine/machine.h"

/* An edge by what it is, in the numbers of the new version */
typedef struct EdgeKey
{
	int			source;
	int			target;
	int			event;
} EdgeKey;

typedef struct EdgeEntry
{
	EdgeKey		key;			/* hash key, must be first */
	const IdemEdge *edge;
	bool		known;			/* the old version has it */
} EdgeEntry;

static int
find_state(const IdemDiagram *diagram, const char *name)
{
	return idem_names_find(&diagram->state_names, name, strlen(name));
}

/* edge "a --> b : event" as the diagram says it */
static const char *
edge_text(const IdemDiagram *diagram, const IdemEdge *edge)
{
	return psprintf("edge \"%s --> %s%s%s\"",
					diagram->states[edge->source].name,
					diagram->states[edge->target].name,
					edge->event < 0 ? "" : " : ",
					edge->event < 0 ? "" : diagram->events.names[edge->event]);
}

/* The state stands in both versions. */
static List *
diff_state(List *changes, const IdemState *before, const IdemState *after)
{
	const char *name = after->name;

	if (before->entry_line == 0 && after->entry_line > 0)
		changes = idem_change_note(changes, IDEM_LOOSENS, NULL,
								   "state \"%s\" becomes an entry", name);
	if (before->entry_line > 0 && after->entry_line == 0)
		changes = idem_change_note(changes, IDEM_TIGHTENS, NULL,
								   "state \"%s\" is no longer an entry", name);
	if (before->final_line == 0 && after->final_line > 0)
		changes = idem_change_note(changes, IDEM_TIGHTENS, NULL,
								   "state \"%s\" becomes final", name);
	if (before->final_line > 0 && after->final_line == 0)
		changes = idem_change_note(changes, IDEM_LOOSENS, NULL,
								   "state \"%s\" is no longer final", name);
	if (before->class != after->class)
		changes = idem_change_note(changes, before->class == IDEM_CLASS_NONE ?
								   IDEM_TIGHTENS : IDEM_LOOSENS, NULL,
								   "state \"%s\" changes its class", name);
	return changes;
}

static List *
diff_states(List *changes, const IdemDiagram *before, const IdemDiagram *after)
{
	int			i;

	for (i = 0; i < idem_state_count(after); i++)
	{
		const IdemState *state = &after->states[i];
		int			old = find_state(before, state->name);

		if (old >= 0)
			changes = diff_state(changes, &before->states[old], state);
		else
			changes = idem_change_note(changes, state->entry_line > 0 ?
									   IDEM_LOOSENS : IDEM_NEUTRAL, NULL,
									   "state \"%s\" is added", state->name);
	}
	for (i = 0; i < idem_state_count(before); i++)
	{
		const char *name = before->states[i].name;

		if (find_state(after, name) >= 0)
			continue;
		changes = idem_change_note(changes, IDEM_TIGHTENS, NULL,
								   "state \"%s\" is removed", name);
		((IdemChange *) llast(changes))->removed = name;
	}
	return changes;
}

/* The new edges by what they are */
static HTAB *
index_edges(const IdemDiagram *diagram)
{
	HASHCTL		ctl;
	HTAB	   *index;
	int			i;

	ctl.keysize = sizeof(EdgeKey);
	ctl.entrysize = sizeof(EdgeEntry);
	ctl.hcxt = CurrentMemoryContext;
	index = hash_create("idem edges", diagram->edge_count + 1, &ctl,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	for (i = 0; i < diagram->edge_count; i++)
	{
		const IdemEdge *edge = &diagram->edges[i];
		EdgeKey		key;
		EdgeEntry  *entry;

		key.source = edge->source;
		key.target = edge->target;
		key.event = edge->event;
		entry = hash_search(index, &key, HASH_ENTER, NULL);
		entry->edge = edge;
		entry->known = false;
	}
	return index;
}

/* The new edge that is this old one, or NULL */
static EdgeEntry *
find_edge(HTAB *index, const IdemDiagram *before, const IdemEdge *edge,
		  const IdemDiagram *after)
{
	EdgeKey		key;

	key.source = find_state(after, before->states[edge->source].name);
	key.target = find_state(after, before->states[edge->target].name);
	key.event = -1;
	if (edge->event >= 0)
	{
		const char *event = before->events.names[edge->event];

		key.event = idem_names_find(&after->events, event, strlen(event));
		if (key.event < 0)
			return NULL;
	}
	return hash_search(index, &key, HASH_FIND, NULL);
}

/* The edge stands in both versions, perhaps for other people. */
static List *
diff_role(List *changes, const char *source, const char *str,
		  const char *before, const char *after)
{
	if (before == NULL && after == NULL)
		return changes;
	if (before == NULL)
		return idem_change_note(changes, IDEM_TIGHTENS, source,
								"%s is only for role \"%s\"", str, after);
	if (after == NULL)
		return idem_change_note(changes, IDEM_LOOSENS, NULL,
								"%s is no longer only for role \"%s\"", str, before);
	if (strcmp(before, after) == 0)
		return changes;
	return idem_change_note(changes, IDEM_LOOSENS, source,
							"%s is for role \"%s\" instead of \"%s\"", str, after, before);
}

/* The same for the login that made the row. */
static List *
diff_other(List *changes, const char *source, const char *str,
		   bool before, bool after)
{
	if (before == after)
		return changes;
	if (after)
		return idem_change_note(changes, IDEM_TIGHTENS, source,
								"%s is not for the login that made the row",
								str);
	return idem_change_note(changes, IDEM_LOOSENS, NULL,
							"%s is for the login that made the row, too", str);
}

static List *
diff_edges(List *changes, const IdemDiagram *before, const IdemDiagram *after)
{
	HTAB	   *index = index_edges(after);
	EdgeEntry  *entry;
	int			i;

	for (i = 0; i < before->edge_count; i++)
	{
		const IdemEdge *edge = &before->edges[i];
		const char *source = before->states[edge->source].name;
		const char *str = edge_text(before, edge);

		entry = find_edge(index, before, edge, after);
		if (entry == NULL)
		{
			changes = idem_change_note(changes, IDEM_TIGHTENS, source, "%s is removed", str);
			continue;
		}
		entry->known = true;
		changes =
			diff_role(changes, source, str, edge->role, entry->edge->role);
		changes = diff_other(changes, source, str, edge->other,
							 entry->edge->other);
	}
	for (i = 0; i < after->edge_count; i++)
	{
		const IdemEdge *edge = &after->edges[i];

		entry = find_edge(index, after, edge, after);
		if (!entry->known)
			changes = idem_change_note(changes, IDEM_LOOSENS, NULL, "%s is added",
									   edge_text(after, edge));
	}
	hash_destroy(index);
	return changes;
}

/*
 * The differences as a list of IdemChange, states first; NIL: only words.
 * Names in it belong to the two diagrams.
 */
List *
idem_machine_diff(const IdemDiagram *before, const IdemDiagram *after)
{
	List	   *changes = diff_states(NIL, before, after);

	return diff_edges(changes, before, after);
}
