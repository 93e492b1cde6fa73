/*
 * machine_mermaid.c
 *		What Mermaid would read in another way than we do.
 *
 * A diagram is the rule in the database and the picture in the documents; one
 * that Mermaid refuses, or draws as something else, is refused here, too, with
 * its line.  This is what the reader (machine_text.c) asks for beyond its own
 * grammar; each case was found with Mermaid itself, whose verdicts are kept in
 * test/mermaid:
 *
 *		keywords		are no names, in any case: default, State, CLASS
 *		root_start, root_end	are what it calls [*]
 *		direction TB	anywhere in a line makes the line a direction, also
 *						where the two words stand in two lines
 *		blanks beyond ASCII, and characters that are not seen, which part a
 *						name or make two look alike
 *		%%{				opens a directive, which may swallow lines
 *
 * Names are looked at as UTF-8, as base/reading.c says.
 */
#include "machine_text.h"

#include "machine/machine_text.h"

#include <string.h>

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* What JavaScript calls a word: ASCII only */
static bool
is_word_byte(char c)
{
	return c == '_' || (c >= '0' && c <= '9') ||
		(lower(c) >= 'a' && lower(c) <= 'z');
}

/* Do the bytes begin with the word, in any case? */
static bool
begins_with(const char *at, const char *end, const char *word)
{
	for (; *word != '\0'; word++, at++)
	{
		if (at == end || lower(*at) != *word)
			return false;
	}
	return true;
}

/* The same as a whole word */
static bool
is_word(const char *at, const char *end, const char *word)
{
	return begins_with(at, end, word) &&
		(at + strlen(word) == end || !is_word_byte(at[strlen(word)]));
}

static bool
is_keyword(const char *at, const char *end)
{
	static const char *const keywords[] = {
		"accdescr", "acctitle", "as", "class", "classdef", "click",
		"default", "href", "note", "scale", "state", "statediagram", "style",
		NULL
	};
	int			i;

	/* a letter beyond ASCII ends a word, too: default and what follows it */
	for (i = 0; keywords[i] != NULL; i++)
		if (is_word(at, end, keywords[i]))
			return true;
	return false;
}

/*
 * Why Mermaid would not draw a state of this name, as the end of a sentence
 * about it; NULL: it would.
 */
const char *
idem_mermaid_name_problem(const char *at, size_t length)
{
	const char *end = at + length;

	if (is_keyword(at, end))
		return "is a keyword of Mermaid";
	if (length == strlen("root_end") && memcmp(at, "root_end", length) == 0)
		return "is what Mermaid calls [*]";
	if (length == strlen("root_start") && memcmp(at, "root_start", length) == 0)
		return "is what Mermaid calls [*]";
	if (idem_unseen(at, length))
		return "holds a blank or a character that is not seen";
	return NULL;
}

static bool
is_direction(const char *at, const char *end)
{
	return begins_with(at, end, "tb") || begins_with(at, end, "bt") ||
		begins_with(at, end, "lr") || begins_with(at, end, "rl");
}

static const char *
skip(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/*
 * Would Mermaid take the line for one that gives the direction?  *open: the
 * line before ended with the word; becomes whether this one does.
 */
bool
idem_mermaid_direction(const char *at, const char *end, bool *open)
{
	bool		is_one = *open && is_direction(skip(at, end), end);

	*open = false;
	for (; at < end; at++)
	{
		const char *behind;

		if (!begins_with(at, end, "direction"))
			continue;
		behind = skip(at + strlen("direction"), end);
		if (behind == end)
			*open = true;
		else if (behind > at + strlen("direction") && is_direction(behind, end))
			is_one = true;
	}
	return is_one;
}

/*
 * Does Mermaid see the end of a note in the line?  Moves *at behind it: what
 * follows is read as a statement.  *unclear: it stands behind something that
 * may be a blank to Mermaid.
 */
bool
idem_mermaid_end_note(const char **at, const char *end, bool *unclear)
{
	const char *c = skip(*at, end);

	*unclear = false;
	for (; c < end && (*c & 0x80) != 0; c = skip(c + 1, end))
		*unclear = true;
	if (!is_word(c, end, "end note"))
		return false;
	*at = c + strlen("end note");
	return true;
}
