/*
 * codes_pipe.c
 *		One line of a Markdown pipe table, as GitHub draws it.
 *
 * A pipe separates two cells unless a backslash precedes it, also within a code
 * span.  The pipes at the edges of a line are optional, and so are the blanks
 * around a cell.
 *
 * GitHub could read a line without a leading pipe as something else: a list, a
 * heading, a quotation, a fence, HTML.  Such a line is refused, and so is a
 * pipe after two backslashes, which Markdown readers treat differently.
 */
#include "codes/codes_text.h"

#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The bytes from here to there, without blanks at the edges */
static IdemCell
cell_between(const char *at, const char *end)
{
	IdemCell	cell;

	while (at < end && is_blank(*at))
		at++;
	while (end > at && is_blank(end[-1]))
		end--;
	cell.at = at;
	cell.length = end - at;
	return cell;
}

/* The next pipe that parts two cells, or the end. */
static const char *
find_pipe(const char *at, const char *end, const char **problem,
		  const char **place)
{
	const char *c;

	for (c = at; c < end && *c != '|'; c++)
	{
		if (*c != '\\' || c + 1 == end)
			continue;
		if (c[1] == '\\' && c + 2 < end && c[2] == '|')
		{
			*problem = "a pipe has two backslashes in front of it";
			*place = c;
			return end;
		}
		if (c[1] == '|')
			c++;
	}
	return c;
}

/*
 * The cells of a line; returns how many there are, also beyond max, or -1
 * with what is wrong and where.
 */
int
idem_pipe_cells(const IdemCursor *line, IdemCell *cells, int max,
				const char **problem, const char **place)
{
	IdemCell	all = cell_between(line->at, line->end);
	const char *at = all.at;
	const char *end = all.at + all.length;
	int			count = 0;

	*problem = NULL;
	if (at < end && *at == '|')
		at++;
	while (at < end)
	{
		const char *pipe = find_pipe(at, end, problem, place);

		if (*problem != NULL)
			return -1;
		if (count < max)
			cells[count] = cell_between(at, pipe);
		count++;
		at = pipe + 1;
	}
	return count;
}

/* Are these cells the row below the headings: hyphens, colons at the edges? */
bool
idem_pipe_is_delimiter(const IdemCell *cells, int count)
{
	int			i;

	for (i = 0; i < count; i++)
	{
		const char *at = cells[i].at;
		const char *end = at + cells[i].length;

		if (at < end && *at == ':')
			at++;
		if (at < end && end[-1] == ':')
			end--;
		if (at == end)
			return false;
		for (; at < end; at++)
			if (*at != '-')
				return false;
	}
	return count > 0;
}

/* Is it a number with a dot or a bracket, as of a list? */
static bool
is_list_number(const IdemCell *line)
{
	size_t		i = 0;

	while (i < line->length && line->at[i] >= '0' && line->at[i] <= '9')
		i++;
	return i > 0 && i < line->length &&
		(line->at[i] == '.' || line->at[i] == ')') &&
		(i + 1 == line->length || is_blank(line->at[i + 1]));
}

/* Could GitHub take the line for something else than a row of a table? */
bool
idem_pipe_is_other_block(const IdemCursor *line)
{
	IdemCell	cell = cell_between(line->at, line->end);
	unsigned char first = cell.length > 0 ? (unsigned char) *cell.at : '|';
	char		second = cell.length > 1 ? cell.at[1] : '\0';

	if (first == '|' || first == ':' || first >= 0x80 ||
		(first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z'))
		return false;
	if (first >= '0' && first <= '9')
		return is_list_number(&cell);
	return !(first == '-' && second == '-') &&
		!(first == '`' && second != '`');
}
