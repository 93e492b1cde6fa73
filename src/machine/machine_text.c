/*
 * machine_text.c
 *		Reads a state machine from the text that draws it.
 *
 * The text is a subset of Mermaid's stateDiagram-v2, one statement a line:
 *
 *		stateDiagram-v2						first line of all
 *		[*] --> s							s is an entry
 *		s --> [*]							s is final
 *		s --> t : event [late] [role NAME] [other]
 *											an edge; each part may be missing
 *		s:::sent   s:::unknown				a class, also within an edge
 *		state s   state "words" as s		s exists; the words are for the eye
 *		note left of s : words				and "note ... of s" to "end note"
 *		direction LR						and TB, BT, RL
 *		%% words							a comment, also behind a statement
 *											that has no label
 *
 * The name of a state is the value that the guarded column holds, byte for
 * byte: 1 to 63 bytes, ASCII letters, digits, underscore and any character
 * that is not ASCII.  A value with a blank, a hyphen or another sign cannot
 * be a state: Mermaid does not read it as a name either, and the words of
 * 'state "words" as s' are only drawn, never stored.  An event may also hold
 * hyphens and dots.
 *
 * Anything else is an error that names its line, and so is a line that Mermaid
 * would read in another way (machine_mermaid.c): a diagram is read as a whole
 * or not at all.  The text may be hostile: its length is checked first, every
 * byte is read against the end of the cursor, nothing recurses, and all memory
 * is taken in a few pieces whose sizes follow from the length of the text.
 *
 * Cost: O(length of the text).
 */
#include "machine_text.h"

#include "machine/machine_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct Reader
{
	IdemDiagram *diagram;
	int			line;			/* number of the line being read, from 1 */
	char	   *pool;			/* next free byte for a copied name */
	char	   *pool_end;
	bool		headed;			/* the header has been seen */
	int			note_line;		/* where an open note block began, or 0 */
	bool		direction_open; /* the line before ended with "direction" */
} Reader;

/* A word of the text, not yet copied */
typedef struct Word
{
	const char *at;
	size_t		length;
} Word;

/* One side of an arrow */
typedef struct End
{
	bool		star;			/* [*] */
	int			state;
} End;

static bool fail(Reader *reader, const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 2, 3)))
#endif
		   ;

/* Remembers why the diagram cannot be read; always false. */
static bool
fail(Reader *reader, const char *format,...)
{
	IdemDiagram *diagram = reader->diagram;
	va_list		args;

	diagram->error_line = reader->line;
	va_start(args, format);
	vsnprintf(diagram->reason, sizeof(diagram->reason), format, args);
	va_end(args);
	return false;
}

/* ---------- letters ---------- */

static bool
is_name_byte(char c)
{
	unsigned char u = (unsigned char) c;

	return u >= 0x80 || u == '_' ||
		(u >= '0' && u <= '9') || (u >= 'A' && u <= 'Z') ||
		(u >= 'a' && u <= 'z');
}

static bool
is_event_byte(char c)
{
	return is_name_byte(c) || c == '-' || c == '.';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* ---------- cursor ---------- */

static void
skip_blanks(IdemCursor *cursor)
{
	while (cursor->at < cursor->end && is_blank(*cursor->at))
		cursor->at++;
}

static bool
at_end(IdemCursor *cursor)
{
	skip_blanks(cursor);
	return cursor->at == cursor->end;
}

/* Steps over a fixed text, if it comes next. */
static bool
take(IdemCursor *cursor, const char *fixed)
{
	size_t		length = strlen(fixed);

	if ((size_t) (cursor->end - cursor->at) < length ||
		memcmp(cursor->at, fixed, length) != 0)
		return false;
	cursor->at += length;
	return true;
}

/* Steps over a whole word, so that "notes" does not count as "note". */
static bool
take_word(IdemCursor *cursor, const char *word)
{
	IdemCursor	ahead = *cursor;

	if (!take(&ahead, word) ||
		(ahead.at < ahead.end && is_name_byte(*ahead.at)))
		return false;
	skip_blanks(&ahead);
	*cursor = ahead;
	return true;
}

static Word
take_while(IdemCursor *cursor, bool (*belongs) (char))
{
	Word		word;

	word.at = cursor->at;
	while (cursor->at < cursor->end && belongs(*cursor->at))
		cursor->at++;
	word.length = cursor->at - word.at;
	return word;
}

/* The next stretch without blanks, cut to fit a message */
static Word
peek(const IdemCursor *cursor)
{
	const char *at = cursor->at;
	Word		word;

	while (at < cursor->end && !is_blank(*at))
		at++;
	word.at = cursor->at;
	word.length = idem_clip(word.at, at - word.at, 40);
	return word;
}

/* The complaint with the next word, or that the line is over; always false. */
static bool
fail_near(Reader *reader, const IdemCursor *cursor, const char *what)
{
	Word		word = peek(cursor);

	if (cursor->at == cursor->end)
		return fail(reader, "%s at the end of the line", what);
	if (word.length == 0)
		return fail(reader, "%s", what);
	return fail(reader, "%s near \"%.*s\"", what, (int) word.length, word.at);
}

/* ---------- names ---------- */

/* True if these bytes can be the name of a state. */
bool
idem_state_name_fits(const char *name, size_t length)
{
	size_t		i;

	for (i = 0; i < length; i++)
		if (!is_name_byte(name[i]))
			return false;
	return length >= 1 && length <= IDEM_NAME_BYTES_MAX;
}

/*
 * A copy with a NUL of its own.  The pool cannot run out: a word of n bytes
 * takes n + 1, and two words of a line never touch.
 */
static const char *
keep(Reader *reader, Word word)
{
	char	   *copy = reader->pool;

	if ((size_t) (reader->pool_end - reader->pool) < word.length + 1)
		return NULL;
	memcpy(copy, word.at, word.length);
	copy[word.length] = '\0';
	reader->pool += word.length + 1;
	return copy;
}

/* The index of a name, entered if it is new; -1 after fail(). */
static int
enter(Reader *reader, IdemNames *names, Word word, const char *what)
{
	const char *copy;
	int			index;

	if (word.length > IDEM_NAME_BYTES_MAX)
	{
		fail(reader, "name of %s is longer than %d bytes",
			 what, IDEM_NAME_BYTES_MAX);
		return -1;
	}
	index = idem_names_find(names, word.at, word.length);
	if (index >= 0)
		return index;
	if (names->count == names->max ||
		(copy = keep(reader, word)) == NULL)
	{
		fail(reader, "more than %d names of %ss", names->max, what);
		return -1;
	}
	return idem_names_add(names, copy);
}

/* ---------- statements ---------- */

/* The rest of the line has to be empty, or a comment. */
static bool
expect_end(Reader *reader, IdemCursor *cursor)
{
	if (at_end(cursor) || take(cursor, "%%"))
		return true;
	return fail_near(reader, cursor, "unexpected text");
}

/* ":::sent" or ":::unknown" behind a state */
static bool
read_class(Reader *reader, IdemCursor *cursor, IdemState *state)
{
	IdemStateClass class;

	if (!take(cursor, ":::"))
		return true;
	if (take_word(cursor, "sent"))
		class = IDEM_CLASS_SENT;
	else if (take_word(cursor, "unknown"))
		class = IDEM_CLASS_UNKNOWN;
	else
		return fail_near(reader, cursor, "class is neither \"sent\" nor \"unknown\"");
	if (state->class != IDEM_CLASS_NONE && state->class != class)
		return fail(reader, "state \"%s\" has two classes", state->name);
	state->class = class;
	return true;
}

/* The name of a state; its index, or -1 after fail(). */
static int
read_state_name(Reader *reader, IdemCursor *cursor)
{
	IdemDiagram *diagram = reader->diagram;
	Word		word = take_while(cursor, is_name_byte);
	const char *problem = idem_mermaid_name_problem(word.at, word.length);
	IdemState  *state;
	int			index;

	if (word.length == 0)
	{
		fail_near(reader, cursor, "expected the name of a state");
		return -1;
	}
	if (word.length <= IDEM_NAME_BYTES_MAX && problem != NULL)
	{
		fail(reader, "the name of state \"%.*s\" %s", (int) word.length, word.at,
			 problem);
		return -1;
	}
	index = enter(reader, &diagram->state_names, word, "state");
	if (index < 0)
		return -1;
	state = &diagram->states[index];
	if (state->line == 0)
	{
		state->name = diagram->state_names.names[index];
		state->line = reader->line;
	}
	return index;
}

/* The same, with its class if one follows */
static int
read_state(Reader *reader, IdemCursor *cursor)
{
	int			index = read_state_name(reader, cursor);

	if (index < 0 ||
		!read_class(reader, cursor, &reader->diagram->states[index]))
		return -1;
	return index;
}

static bool
read_end(Reader *reader, IdemCursor *cursor, End *end)
{
	end->star = false;
	end->state = -1;
	skip_blanks(cursor);
	if (take(cursor, "[*]"))
		end->star = true;
	else
		end->state = read_state(reader, cursor);
	skip_blanks(cursor);
	return end->star || end->state >= 0;
}

static bool
has_double_colon(Word word)
{
	size_t		i;

	for (i = 1; i < word.length; i++)
		if (word.at[i - 1] == ':' && word.at[i] == ':')
			return true;
	return false;
}

/* "role NAME]": the bracket is open, "role" is read. */
static bool
read_role(Reader *reader, IdemCursor *cursor, IdemEdge *edge)
{
	Word		word;

	word.at = cursor->at;
	while (cursor->at < cursor->end && *cursor->at != ']' &&
		   *cursor->at != '[')
		cursor->at++;
	word.length = cursor->at - word.at;
	while (word.length > 0 && is_blank(word.at[word.length - 1]))
		word.length--;
	if (word.length == 0 || word.length > IDEM_NAME_BYTES_MAX)
		return fail(reader, "a role has 1 to %d bytes", IDEM_NAME_BYTES_MAX);
	if (!take(cursor, "]"))
		return fail_near(reader, cursor, "expected \"]\"");
	if (memchr(word.at, ';', word.length) != NULL || has_double_colon(word))
		return fail(reader, "a role whose name holds \";\" or \"::\" cannot be drawn");
	if (edge->role != NULL)
		return fail(reader, "an edge has at most one role");
	edge->role = keep(reader, word);
	return edge->role != NULL || fail(reader, "diagram is too large");
}

/* The words in brackets behind the event */
static bool
read_guards(Reader *reader, IdemCursor *cursor, IdemEdge *edge)
{
	while (!at_end(cursor))
	{
		if (!take(cursor, "["))
			return fail_near(reader, cursor, "unexpected text after the event");
		skip_blanks(cursor);
		if (take_word(cursor, "role"))
		{
			if (!read_role(reader, cursor, edge))
				return false;
		}
		else if (take_word(cursor, "late") && take(cursor, "]"))
			edge->late = true;
		else if (take_word(cursor, "other") && take(cursor, "]"))
			edge->other = true;
		else
			return fail_near(reader, cursor,
							 "expected \"late]\", \"other]\" or \"role NAME]\"");
	}
	return true;
}

/* "event [late] [role NAME] [other]" behind the colon */
static bool
read_label(Reader *reader, IdemCursor *cursor, IdemEdge *edge)
{
	Word		word;

	if (at_end(cursor))
		return fail(reader, "label is empty");
	word = take_while(cursor, is_event_byte);
	if (idem_unseen(word.at, word.length))
		return fail(reader, "an event holds a blank or a character that is not seen");
	if (word.length > 0)
	{
		edge->event = enter(reader, &reader->diagram->events, word, "event");
		if (edge->event < 0)
			return false;
	}
	return read_guards(reader, cursor, edge);
}

static bool
add_edge(Reader *reader, IdemCursor *cursor, int source, int target)
{
	IdemDiagram *diagram = reader->diagram;
	IdemEdge   *edge;

	if (diagram->edge_count == diagram->edge_max)
		return fail(reader, "more than %d edges", diagram->edge_max);
	edge = &diagram->edges[diagram->edge_count++];
	edge->source = source;
	edge->target = target;
	edge->event = -1;
	edge->line = reader->line;
	if (take(cursor, ":"))
		return read_label(reader, cursor, edge);
	return expect_end(reader, cursor);
}

/* "[*] --> s", "s --> [*]", "s --> t : label": the first end is read. */
static bool
read_arrow(Reader *reader, IdemCursor *cursor, End source)
{
	IdemState  *states = reader->diagram->states;
	End			target;

	if (!read_end(reader, cursor, &target))
		return false;
	if (!source.star && !target.star)
		return add_edge(reader, cursor, source.state, target.state);
	if (source.star && target.star)
		return fail(reader, "an arrow cannot lead from [*] to [*]");
	if (take(cursor, ":"))
		return fail(reader, "an arrow from or to [*] carries no label");
	if (source.star && states[target.state].entry_line == 0)
		states[target.state].entry_line = reader->line;
	if (target.star && states[source.state].final_line == 0)
		states[source.state].final_line = reader->line;
	return expect_end(reader, cursor);
}

/* "s --> ...", or "s:::class" on its own */
static bool
read_state_line(Reader *reader, IdemCursor *cursor)
{
	const char *start = cursor->at;
	End			source;

	if (!read_end(reader, cursor, &source))
		return false;
	if (take(cursor, "-->"))
		return read_arrow(reader, cursor, source);
	if (take(cursor, ":"))
		return fail(reader, "a state is described with: state \"words\" as s");
	if (!source.star && memchr(start, ':', cursor->at - start) != NULL)
		return expect_end(reader, cursor);
	return fail_near(reader, cursor, "expected \"-->\"");
}

/* Does the rest of the line hold this text? */
static bool
holds(const IdemCursor *cursor, const char *str)
{
	IdemCursor	ahead = *cursor;

	for (; ahead.at < ahead.end; ahead.at++)
	{
		IdemCursor	here = ahead;

		if (take(&here, str))
			return true;
	}
	return false;
}

/* "state s", "state "words" as s" */
static bool
read_state_statement(Reader *reader, IdemCursor *cursor)
{
	if (holds(cursor, "<<") || holds(cursor, "[["))
		return fail(reader, "forks, joins and choices are not supported");
	if (holds(cursor, "{"))
		return fail(reader, "composite states are not supported");
	if (take(cursor, "\"\""))
		return fail(reader, "words of a state are empty");
	if (take(cursor, "\""))
	{
		while (cursor->at < cursor->end && *cursor->at != '"')
			cursor->at++;
		if (!take(cursor, "\""))
			return fail(reader, "words are not closed with \"");
		skip_blanks(cursor);
		if (!take_word(cursor, "as"))
			return fail_near(reader, cursor, "expected \"as\"");
	}
	if (read_state(reader, cursor) < 0)
		return false;
	return expect_end(reader, cursor);
}

/* "note left of s : words"; without a colon the note goes on to "end note" */
static bool
read_note(Reader *reader, IdemCursor *cursor)
{
	if (!take_word(cursor, "left of") && !take_word(cursor, "right of"))
		return fail_near(reader, cursor, "expected \"left of\" or \"right of\"");
	if (read_state_name(reader, cursor) < 0)
		return false;
	if (at_end(cursor))
	{
		reader->note_line = reader->line;
		return true;
	}
	if (!take(cursor, ":"))
		return fail_near(reader, cursor, "unexpected text");
	if (at_end(cursor))
		return fail(reader, "note is empty");
	if (holds(cursor, ":") || holds(cursor, ";"))
		return fail(reader, "a note in one line holds no \":\" and no \";\"");
	return true;
}

/* A line of a note: is it the last one? */
static bool
read_note_line(Reader *reader, IdemCursor *cursor)
{
	bool		unclear;

	if (!idem_mermaid_end_note(&cursor->at, cursor->end, &unclear))
		return true;
	if (unclear)
		return fail(reader, "unexpected text in front of \"end note\"");
	reader->note_line = 0;
	return expect_end(reader, cursor);
}

static bool
read_direction(Reader *reader, IdemCursor *cursor)
{
	if (!take_word(cursor, "LR") && !take_word(cursor, "RL") &&
		!take_word(cursor, "TB") && !take_word(cursor, "BT"))
		return fail_near(reader, cursor, "direction is not LR, RL, TB or BT");
	return expect_end(reader, cursor);
}

/*
 * True if a keyword opens a statement.  A keyword that an arrow or a class
 * follows is the name of a state, which is refused elsewhere.
 */
static bool
take_keyword(IdemCursor *cursor, const char *word)
{
	IdemCursor	ahead = *cursor;

	if (!take_word(&ahead, word))
		return false;
	if (ahead.end - ahead.at >= 2 &&
		(memcmp(ahead.at, "--", 2) == 0 || memcmp(ahead.at, "::", 2) == 0))
		return false;
	*cursor = ahead;
	return true;
}

static bool
read_statement(Reader *reader, IdemCursor *cursor)
{
	static const char *const refused[] = {
		"class", "classDef", "style", "hide", "scale", "accTitle", "accDescr",
		"click", NULL
	};
	int			i;

	if (take_keyword(cursor, "state"))
		return read_state_statement(reader, cursor);
	if (take_keyword(cursor, "note"))
		return read_note(reader, cursor);
	if (take_keyword(cursor, "direction"))
		return fail_near(reader, cursor, "direction is not LR, RL, TB or BT");
	for (i = 0; refused[i] != NULL; i++)
		if (take_keyword(cursor, refused[i]))
			return fail(reader, "\"%s\" is not supported", refused[i]);
	if (take(cursor, "--"))
		return fail(reader, "concurrent regions are not supported");
	if (take(cursor, "}") || take(cursor, "{"))
		return fail(reader, "composite states are not supported");
	return read_state_line(reader, cursor);
}

static bool
read_header(Reader *reader, IdemCursor *cursor)
{
	if (!take(cursor, "stateDiagram-v2"))
		return fail(reader, "diagram does not begin with \"stateDiagram-v2\"");
	reader->headed = true;
	return expect_end(reader, cursor);
}

/* A control character would make two names look alike. */
static bool
check_controls(Reader *reader, const IdemCursor *cursor)
{
	const char *at = idem_find_control(cursor);

	return at == NULL ||
		fail(reader, "control character 0x%02X", (unsigned char) *at);
}

static bool
read_line(Reader *reader, IdemCursor *cursor)
{
	bool		was_open = reader->direction_open;

	if (!check_controls(reader, cursor))
		return false;
	if (holds(cursor, "%%{"))
		return fail(reader, "directives are not supported");
	if (at_end(cursor) || (reader->note_line == 0 && take(cursor, "%%")))
		return true;
	reader->direction_open = false;
	if (reader->note_line > 0 && !was_open)
		return read_note_line(reader, cursor);
	reader->direction_open = was_open;
	if (idem_mermaid_direction(cursor->at, cursor->end,
							   &reader->direction_open))
	{
		if (was_open || !take_word(cursor, "direction"))
			return fail(reader, "Mermaid takes the line for one that gives the direction");
		return read_direction(reader, cursor);
	}
	if (reader->note_line > 0)
		return read_note_line(reader, cursor);
	if (!reader->headed)
		return read_header(reader, cursor);
	return read_statement(reader, cursor);
}

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* A line names at most two states, one event and one edge. */
static void
make_room(Reader *reader, size_t length, size_t lines)
{
	IdemDiagram *diagram = reader->diagram;

	idem_names_init(&diagram->state_names, smaller(2 * lines, IDEM_STATES_MAX));
	idem_names_init(&diagram->events, smaller(lines, IDEM_EDGES_MAX));
	diagram->edge_max = (int) smaller(lines, IDEM_EDGES_MAX);
	diagram->states =
		idem_alloc0((diagram->state_names.max + 1) * sizeof(IdemState));
	diagram->edges = idem_alloc0((diagram->edge_max + 1) * sizeof(IdemEdge));
	reader->pool = idem_alloc0(length + 2);
	reader->pool_end = reader->pool + length + 2;
}

/*
 * Reads a diagram; false if it cannot, with error_line and reason set.  The
 * diagram's memory is never given back piece by piece.
 */
bool
idem_diagram_read(IdemDiagram *diagram, const char *str, size_t length)
{
	Reader		reader = {0};
	const char *end = str + length;
	IdemCursor	cursor;
	bool		more;

	memset(diagram, 0, sizeof(IdemDiagram));
	reader.diagram = diagram;
	reader.line = 1;
	if (length > IDEM_TEXT_BYTES_MAX)
		return fail(&reader, "diagram is longer than %d bytes",
					IDEM_TEXT_BYTES_MAX);
	make_room(&reader, length, idem_count_lines(str, length));
	if (length >= 3 && memcmp(str, "\xEF\xBB\xBF", 3) == 0)
		str += 3;				/* a byte order mark */

	do
	{
		more = idem_next_line(&str, end, &cursor);
		if (!read_line(&reader, &cursor))
			return false;
		reader.line += more;
	} while (more);
	if (!reader.headed)
		return fail(&reader, "diagram does not begin with \"stateDiagram-v2\"");
	if (reader.note_line > 0)
		return fail(&reader, "note of line %d has no \"end note\"",
					reader.note_line);
	return true;
}
