/*
 * codes_cell.c
 *		What the two cells say that are read: a code, and its meaning.
 *
 * A code is a path of layers separated by slashes.  The last layer may be a
 * star, which stands for any one code there.  A code is read as Markdown shows
 * it:
 *
 *		0000	10000/TRADE_SUCCESS		letters, digits, characters beyond
 *										ASCII, . - + = , : / single blanks,
 *										and _ between letters and digits
 *		`$x_`							in backticks, any character but a
 *										backtick
 *
 * A pipe is written \| in both.  Text that Markdown would show differently is
 * refused: leading, trailing or repeated blanks, and invisible characters.
 * Upper and lower case differ, and so do 0 and 00.
 *
 * A meaning is one word, with a reason in brackets where one is asked for:
 *
 *		succeeded [also: the code of the file]
 *		failed [all: the scheme rejects finally]
 *
 * The functions return what is wrong, with its place, or NULL.
 */
#include "codes/codes_text.h"

#include <string.h>

static const char *const meanings[IDEM_MEANINGS] = {
	"unknown", "succeeded", "failed", "absent", "returned"
};

/* The word for a meaning, as a table has it */
const char *
idem_meaning_word(IdemMeaning meaning)
{
	return meanings[meaning];
}

static bool
is_word_byte(char c)
{
	unsigned char u = (unsigned char) c;

	return u >= 0x80 || (u >= '0' && u <= '9') ||
		(u >= 'A' && u <= 'Z') || (u >= 'a' && u <= 'z');
}

/* ---------- code ---------- */

/* Is the byte drawn as it is, wherever it stands in a cell? */
static bool
is_plain_byte(char c)
{
	return is_word_byte(c) || (c != '\0' && strchr(".-+=,/ ", c) != NULL);
}

/*
 * A byte of a code without backticks, between the two beside it: 0 at the
 * edges.
 */
static bool
is_drawn(char before, char c, char after)
{
	if (c == '_')
		return is_word_byte(before) && is_word_byte(after);
	if (c == '*')
		return before == '/' && after == '\0';
	return is_plain_byte(c);
}

/* Copy the bytes, \| as a pipe; returns how many were written. */
static size_t
unescape(char *to, const char *at, const char *end)
{
	char	   *start = to;

	while (at < end)
	{
		if (*at == '\\' && at + 1 < end && at[1] == '|')
			at++;
		*to++ = *at++;
	}
	*to = '\0';
	return to - start;
}

/* A code that stands by itself: is every byte drawn as it is? */
static const char *
check_bare(const char *at, const char *end, const char **place)
{
	bool		colon = false;
	char		before = '\0';
	const char *c;

	for (c = at; c < end; before = *c++)
	{
		*place = c;
		if (*c == '\\' && c + 1 < end && c[1] == '|')
			c++;
		else if (*c == ':' && !colon)
			colon = true;
		else if (!is_drawn(before, *c, c + 1 < end ? c[1] : '\0'))
			return "a code with such a character stands in backticks";
	}
	return NULL;
}

/* What is wrong with the layers of a path, or NULL */
static const char *
path_problem(const char *path, size_t length)
{
	size_t		i;

	for (i = 0; i < length; i++)
	{
		bool		first = i == 0 || path[i - 1] == '/';
		bool		last = i + 1 == length || path[i + 1] == '/';

		if (path[i] == '/' && (first || last))
			return "a layer of the code is empty";
		if (path[i] == ' ' && (first || last || path[i + 1] == ' '))
			return "the code has a blank at an edge, or two in a row";
		if (path[i] == '\t')
			return "the code holds a tab";
		if ((unsigned char) path[i] < ' ' || path[i] == 0x7F)
			return "the code holds a control character";
		if (path[i] == '*' && !(i > 0 && first && i + 1 == length))
			return "a star stands only for the whole last layer, behind another one";
	}
	return NULL;
}

/* Can these bytes be the path of a row? */
bool
idem_cell_path_fits(const char *path, size_t length)
{
	return length >= 1 && length <= IDEM_CODE_BYTES_MAX &&
		path_problem(path, length) == NULL &&
		!idem_unseen(path, length);
}

/*
 * The code of a cell, with a NUL behind it; path has room for the bytes of the
 * cell and one more.
 */
const char *
idem_cell_code(const IdemCell *cell, char *path, const char **place)
{
	const char *at = cell->at;
	const char *end = at + cell->length;
	const char *problem = NULL;
	bool		ticked = at < end && *at == '`';
	size_t		length;

	*place = at;
	if (at == end)
		return "the code is empty";
	if (ticked && (end - at < 3 || end[-1] != '`' ||
				   memchr(at + 1, '`', end - at - 2) != NULL))
		return "backticks around a code are one at each end";
	if (ticked)
		at++, end--;
	else
		problem = check_bare(at, end, place);
	if (problem != NULL)
		return problem;
	*place = cell->at;
	length = unescape(path, at, end);
	if (length > IDEM_CODE_BYTES_MAX)
		return "the code is longer than 255 bytes";
	if (idem_unseen(path, length))
		return "the code holds a blank beyond ASCII or a character that is not seen";
	return path_problem(path, length);
}

/* ---------- meaning ---------- */

/* Does the text go on with this?  Steps over it and over blanks then. */
static bool
take(const char **at, const char *end, const char *fixed)
{
	size_t		length = strlen(fixed);

	if ((size_t) (end - *at) < length || memcmp(*at, fixed, length) != 0)
		return false;
	*at += length;
	while (*at < end && (**at == ' ' || **at == '\t'))
		(*at)++;
	return true;
}

static void
find_meaning(IdemCodeRow *row)
{
	int			i;

	for (i = 0; i < IDEM_MEANINGS; i++)
	{
		if (strcmp(row->word, meanings[i]) != 0)
			continue;
		row->known = true;
		row->meaning = (IdemMeaning) i;
	}
}

/* "also: reason]" or "all: reason]": the bracket is open. */
static const char *
read_why(const char *at, const char *end, IdemCodeRow *row, char *words)
{
	if (take(&at, end, "also:"))
		row->also = true;
	else if (take(&at, end, "all:"))
		row->all = true;
	else
		return "brackets hold \"also: reason\" or \"all: reason\"";
	if (at == end || end[-1] != ']')
		return "expected \"]\" at the end of the meaning";
	end--;
	while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (memchr(at, '[', end - at) != NULL || memchr(at, ']', end - at) != NULL)
		return "a reason holds no brackets";
	if (at == end)
		return "the reason is empty";
	if (idem_unseen(at, end - at))
		return "the reason holds a blank beyond ASCII or a character that is not seen";
	unescape(words, at, end);
	row->why = words;
	return NULL;
}

/*
 * The meaning of a cell, into the row.  words has room for the bytes of the
 * cell and two more; a word that is no meaning is left for the check.
 */
const char *
idem_cell_meaning(const IdemCell *cell, IdemCodeRow *row, char *words,
				  const char **place)
{
	const char *at = cell->at;
	const char *end = at + cell->length;

	*place = at;
	while (at < end && is_word_byte(*at))
		at++;
	if (at == cell->at)
		return "the meaning is empty or begins with no letter";
	if (idem_unseen(cell->at, at - cell->at))
		return "the meaning holds a blank beyond ASCII or a character that is not seen";
	words += unescape(words, cell->at, at) + 1;
	row->word = words - (at - cell->at) - 1;
	find_meaning(row);
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	*place = at;
	if (at == end)
		return NULL;
	if (!take(&at, end, "["))
		return "unexpected text behind the meaning";
	return read_why(at, end, row, words);
}
