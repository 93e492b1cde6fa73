/*
 * machine_text.c
 *		Fuzzes the reader and the checks of state machines
 *		(src/machine/machine_text.c, src/machine/machine_check.c).
 *
 * Whatever the bytes are, the reader says yes, or no with a line that the text
 * has.  What it read is written down again and read again: it is the same
 * machine.  What the checks find is compared with an oracle that works another
 * way: which state leads to which is a matrix closed by Warshall's algorithm,
 * and pairs of edges are looked at one by one.  The sanitizers watch the rest.
 *
 * run.sh builds and runs it.  An input is the text of a diagram.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "machine/machine_text.h"

#define FAULTS_MAX	4096
#define STATES_MAX	64			/* the oracle looks at no more */

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern void *fuzz_alloc0(size_t count, size_t size);

#define EXPECT(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* ---------- memory: all of it is given back after each input ---------- */

typedef struct Block
{
	struct Block *next;
	size_t		unused;			/* keeps what follows aligned */
} Block;

static Block *blocks = NULL;

void *
fuzz_alloc0(size_t count, size_t size)
{
	Block	   *block = calloc(1, sizeof(Block) + count * size);

	EXPECT(block != NULL);
	block->next = blocks;
	blocks = block;
	return block + 1;
}

static void
free_all(void)
{
	while (blocks != NULL)
	{
		Block	   *next = blocks->next;

		free(blocks);
		blocks = next;
	}
}

/* ---------- what was read ---------- */

static int
count_lines(const uint8_t *data, size_t size)
{
	int			lines = 1;
	size_t		i;

	for (i = 0; i < size; i++)
		lines += data[i] == '\n';
	return lines;
}

static void
expect_sound(const IdemDiagram *d, int lines)
{
	int			i;

	EXPECT(d->state_names.count <= d->state_names.max);
	for (i = 0; i < idem_state_count(d); i++)
	{
		const IdemState *state = &d->states[i];
		size_t		length = strlen(state->name);

		EXPECT(idem_state_name_fits(state->name, length));
		EXPECT(idem_names_find(&d->state_names, state->name, length) == i);
		EXPECT(state->line >= 1 && state->line <= lines);
		EXPECT(state->entry_line >= 0 && state->entry_line <= lines);
		EXPECT(state->final_line >= 0 && state->final_line <= lines);
	}
	for (i = 0; i < d->edge_count; i++)
	{
		const IdemEdge *edge = &d->edges[i];

		EXPECT(edge->source >= 0 && edge->source < idem_state_count(d));
		EXPECT(edge->target >= 0 && edge->target < idem_state_count(d));
		EXPECT(edge->event >= -1 && edge->event < d->events.count);
		EXPECT(edge->line >= 1 && edge->line <= lines);
		EXPECT(edge->role == NULL ||
			   (strlen(edge->role) >= 1 && strlen(edge->role) <= IDEM_NAME_BYTES_MAX));
	}
}

/* ---------- written down again ---------- */

typedef struct Text
{
	char	   *bytes;
	size_t		size;
	size_t		used;
} Text;

static void append(Text *text, const char *format,...)
			__attribute__((format(printf, 2, 3)));

static void
append(Text *text, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	text->used += vsnprintf(text->bytes + text->used, text->size - text->used,
							format, args);
	va_end(args);
	EXPECT(text->used < text->size);
}

static void
write_state(Text *text, const IdemState *state)
{
	append(text, "%s%s\n", state->name,
		   state->class == IDEM_CLASS_SENT ? ":::sent" :
		   state->class == IDEM_CLASS_UNKNOWN ? ":::unknown" : "");
}

static Text
write_diagram(const IdemDiagram *d)
{
	Text		text = {0};
	int			i;

	text.size = 64 + (size_t) idem_state_count(d) * 400 + (size_t) d->edge_count * 400;
	text.bytes = fuzz_alloc0(1, text.size);
	append(&text, "stateDiagram-v2\n");
	for (i = 0; i < idem_state_count(d); i++)
	{
		append(&text, "state ");
		write_state(&text, &d->states[i]);
		if (d->states[i].entry_line > 0)
			append(&text, "[*] --> %s\n", d->states[i].name);
		if (d->states[i].final_line > 0)
			append(&text, "%s --> [*]\n", d->states[i].name);
	}
	for (i = 0; i < d->edge_count; i++)
	{
		const IdemEdge *edge = &d->edges[i];
		bool		label = edge->event >= 0 || edge->late || edge->role ||
			edge->other;

		append(&text, "%s --> %s%s%s%s", d->states[edge->source].name,
			   d->states[edge->target].name, label ? " : " : "",
			   edge->event >= 0 ? d->events.names[edge->event] : "",
			   edge->late ? " [late]" : "");
		if (edge->role)
			append(&text, " [role %s]", edge->role);
		if (edge->other)
			append(&text, " [other]");
		append(&text, "\n");
	}
	return text;
}

static void
expect_same(const IdemDiagram *a, const IdemDiagram *b)
{
	int			i;

	EXPECT(idem_state_count(a) == idem_state_count(b));
	EXPECT(a->edge_count == b->edge_count);
	for (i = 0; i < idem_state_count(a); i++)
	{
		EXPECT(strcmp(a->states[i].name, b->states[i].name) == 0);
		EXPECT((a->states[i].entry_line > 0) == (b->states[i].entry_line > 0));
		EXPECT((a->states[i].final_line > 0) == (b->states[i].final_line > 0));
		EXPECT(a->states[i].class == b->states[i].class);
	}
	for (i = 0; i < a->edge_count; i++)
	{
		const IdemEdge *ea = &a->edges[i];
		const IdemEdge *eb = &b->edges[i];

		EXPECT(ea->source == eb->source && ea->target == eb->target);
		EXPECT(ea->late == eb->late && ea->other == eb->other);
		EXPECT((ea->event < 0) == (eb->event < 0));
		EXPECT(ea->event < 0 || strcmp(a->events.names[ea->event],
									   b->events.names[eb->event]) == 0);
		EXPECT((ea->role == NULL) == (eb->role == NULL));
		EXPECT(ea->role == NULL || strcmp(ea->role, eb->role) == 0);
	}
}

/* ---------- what is wrong with it ---------- */

/* How many faults have this kind and, unless it is 0, this line? */
static int
faults_of(const IdemFault *faults, int count, const char *kind, int line)
{
	int			found = 0;
	int			i;

	for (i = 0; i < count; i++)
		found += strcmp(faults[i].kind, kind) == 0 &&
			(line == 0 || faults[i].line == line);
	return found;
}

static void
close_matrix(const IdemDiagram *d, bool leads[STATES_MAX][STATES_MAX])
{
	int			n = idem_state_count(d);
	int			i;
	int			j;
	int			k;

	memset(leads, 0, sizeof(bool) * STATES_MAX * STATES_MAX);
	for (i = 0; i < n; i++)
		leads[i][i] = true;
	for (i = 0; i < d->edge_count; i++)
		leads[d->edges[i].source][d->edges[i].target] = true;
	for (k = 0; k < n; k++)
		for (i = 0; i < n; i++)
			for (j = 0; j < n; j++)
				leads[i][j] = leads[i][j] || (leads[i][k] && leads[k][j]);
}

static void
expect_ways(const IdemDiagram *d, const IdemFault *faults, int count)
{
	static bool leads[STATES_MAX][STATES_MAX];
	int			n = idem_state_count(d);
	int			entries = 0;
	int			finals = 0;
	int			unreachable = 0;
	int			traps = 0;
	int			i;
	int			j;

	close_matrix(d, leads);
	for (i = 0; i < n; i++)
	{
		bool		reached = false;
		bool		ends = false;

		for (j = 0; j < n; j++)
		{
			reached = reached || (d->states[j].entry_line > 0 && leads[j][i]);
			ends = ends || (d->states[j].final_line > 0 && leads[i][j]);
		}
		entries += d->states[i].entry_line > 0;
		finals += d->states[i].final_line > 0;
		unreachable += !reached;
		traps += !ends;
	}
	EXPECT(faults_of(faults, count, "no_entry", 0) == (entries == 0));
	EXPECT(faults_of(faults, count, "no_final", 0) == (finals == 0));
	EXPECT(faults_of(faults, count, "unreachable", 0) == (entries ? unreachable : 0));
	EXPECT(faults_of(faults, count, "trap", 0) == (finals ? traps : 0));
}

static void
expect_edges(const IdemDiagram *d, const IdemFault *faults, int count)
{
	int			exits = 0;
	int			resends = 0;
	int			loops = 0;
	bool		ambiguous = false;
	bool		twice = false;
	int			i;
	int			j;

	for (i = 0; i < d->edge_count; i++)
	{
		const IdemEdge *a = &d->edges[i];

		exits += a->source != a->target && !a->late &&
			d->states[a->source].final_line > 0;
		resends += d->states[a->source].class == IDEM_CLASS_UNKNOWN &&
			d->states[a->target].class == IDEM_CLASS_SENT;
		loops += a->source == a->target && a->event < 0;
		for (j = 0; j < i; j++)
		{
			const IdemEdge *b = &d->edges[j];

			if (a->source != b->source)
				continue;
			ambiguous = ambiguous || (a->event >= 0 && a->event == b->event &&
									  a->target != b->target);
			twice = twice || (a->target == b->target &&
							  (a->event == b->event || a->event < 0 || b->event < 0));
		}
	}
	EXPECT(faults_of(faults, count, "final_exit", 0) == exits);
	EXPECT(faults_of(faults, count, "resend", 0) == resends);
	EXPECT(faults_of(faults, count, "silent_loop", 0) == loops);
	EXPECT(faults_of(faults, count, "duplicate_edge", 0) == 0 || twice);
	/* two pairs of one edge may be told as one fault, but one is told */
	EXPECT(!(ambiguous || twice) ||
		   faults_of(faults, count, "ambiguous_event", 0) +
		   faults_of(faults, count, "duplicate_edge", 0) > 0);
	EXPECT(faults_of(faults, count, "ambiguous_event", 0) == 0 || ambiguous);
}

static void
expect_faults(const IdemDiagram *d, int lines)
{
	static IdemFault faults[FAULTS_MAX];
	int			count = idem_diagram_check(d, faults, FAULTS_MAX);
	int			i;

	EXPECT(idem_diagram_check(d, NULL, 0) == count);
	if (count > FAULTS_MAX)
		return;
	for (i = 0; i < count; i++)
	{
		EXPECT(faults[i].line >= 0 && faults[i].line <= lines);
		EXPECT(faults[i].reason[0] != '\0');
	}
	if (idem_state_count(d) > STATES_MAX)
		return;
	expect_ways(d, faults, count);
	expect_edges(d, faults, count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int			lines = count_lines(data, size);
	IdemDiagram diagram;
	IdemDiagram again;
	Text		text;

	if (!idem_diagram_read(&diagram, (const char *) data, size))
	{
		EXPECT(diagram.error_line >= 1 && diagram.error_line <= lines);
		EXPECT(diagram.reason[0] != '\0');
		EXPECT(strlen(diagram.reason) < IDEM_REASON_BYTES);
	}
	else
	{
		expect_sound(&diagram, lines);
		text = write_diagram(&diagram);
		EXPECT(idem_diagram_read(&again, text.bytes, text.used));
		expect_same(&diagram, &again);
		expect_faults(&diagram, lines);
	}
	free_all();
	return 0;
}
