/*
 * reading.c
 *		What the readers of texts that people write share.
 *
 * Names by content, faults by place, lines, and the characters that would make
 * two texts look alike.  Nothing here knows what a text means.
 *
 * Characters are looked at as UTF-8.  In other encodings an acceptable
 * character beyond ASCII may be refused, and columns may be counted in bytes.
 */
#include "base/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---------- names ---------- */

/* FNV-1a: short, and good enough for some thousand names */
static uint32_t
hash_bytes_of(const char *at, size_t length)
{
	uint32_t	hash = 2166136261u;
	size_t		i;

	for (i = 0; i < length; i++)
		hash = (hash ^ (unsigned char) at[i]) * 16777619u;
	return hash;
}

/* Make room for so many names. */
void
idem_names_init(IdemNames *names, size_t max)
{
	uint32_t	slots = 16;

	names->max = (int) max;
	while (slots < 2 * (uint32_t) names->max + 2)
		slots *= 2;
	names->mask = slots - 1;
	names->count = 0;
	names->names = idem_alloc0((names->max + 1) * sizeof(char *));
	names->slots = idem_alloc0(slots * sizeof(int));
}

/* The slot where a name is, or where it would go. */
static uint32_t
names_slot(const IdemNames *names, const char *at, size_t length)
{
	uint32_t	slot = hash_bytes_of(at, length) & names->mask;

	while (names->slots[slot] != 0)
	{
		const char *name = names->names[names->slots[slot] - 1];

		if (strlen(name) == length && memcmp(name, at, length) == 0)
			break;
		slot = (slot + 1) & names->mask;
	}
	return slot;
}

/* The index of a name, -1 if it is not there. */
int
idem_names_find(const IdemNames *names, const char *name, size_t length)
{
	return names->slots[names_slot(names, name, length)] - 1;
}

/*
 * Enter a name that is not there, and for which there is room; the bytes stay
 * the caller's.  Returns its index.
 */
int
idem_names_add(IdemNames *names, const char *name)
{
	uint32_t	slot = names_slot(names, name, strlen(name));

	names->names[names->count] = name;
	names->slots[slot] = ++names->count;
	return names->count - 1;
}

/* ---------- faults ---------- */

/* Count a fault, and keep it while there is room. */
void
idem_fault_found(IdemFaults *faults, int line, int column, const char *kind,
				 const char *format,...)
{
	va_list		args;

	if (faults->count < faults->max)
	{
		IdemFault  *fault = &faults->kept[faults->count];

		fault->line = line;
		fault->column = column;
		fault->kind = kind;
		va_start(args, format);
		vsnprintf(fault->reason, sizeof(fault->reason), format, args);
		va_end(args);
	}
	faults->count++;
}

/* ---------- lines and characters ---------- */

/* How many lines has a text?  At least one. */
size_t
idem_count_lines(const char *str, size_t length)
{
	size_t		lines = 1;
	size_t		i;

	for (i = 0; i < length; i++)
		lines += str[i] == '\n';
	return lines;
}

/*
 * The next line, without its end; *str becomes the beginning of the one
 * after it.  False: that was the last one.
 */
bool
idem_next_line(const char **str, const char *end, IdemCursor *line)
{
	const char *newline = memchr(*str, '\n', end - *str);

	line->at = *str;
	line->end = newline != NULL ? newline : end;
	if (newline != NULL)
		*str = newline + 1;
	if (line->end > line->at && line->end[-1] == '\r')
		line->end--;
	return newline != NULL;
}

/* The first control character of a line that is no tab, or NULL. */
const char *
idem_find_control(const IdemCursor *line)
{
	const char *at;

	for (at = line->at; at < line->end; at++)
	{
		unsigned char u = (unsigned char) *at;

		if ((u < 0x20 && u != '\t') || u == 0x7F)
			return at;
	}
	return NULL;
}

/* Is the character of these bytes a blank, or one that is not seen? */
static bool
is_unseen(const unsigned char *c, size_t left)
{
	if (left >= 2 && c[0] == 0xC2)
		return c[1] <= 0xA0 || c[1] == 0xAD;	/* C1, NBSP, soft hyphen */
	if (left >= 2 && c[0] == 0xCD)
		return c[1] == 0x8F;	/* combining grapheme joiner */
	if (left < 3)
		return false;
	if (c[0] == 0xE1)
		return (c[1] == 0x9A && c[2] == 0x80) ||	/* ogham space */
			(c[1] == 0xA0 && c[2] == 0x8E) ||	/* mongolian separator */
			(c[1] == 0x85 &&	/* hangul fillers */
			 (c[2] == 0x9F || c[2] == 0xA0));
	if (c[0] == 0xE2 && c[1] == 0x80)
		return c[2] <= 0x8F || (c[2] >= 0xA8 && c[2] <= 0xAF);
	if (c[0] == 0xE2 && c[1] == 0x81)
		return c[2] >= 0x9F && c[2] <= 0xAF;
	if (c[0] == 0xE3)
		return (c[1] == 0x80 && c[2] == 0x80) ||	/* ideographic space */
			(c[1] == 0x85 && c[2] == 0xA4); /* hangul filler */
	if (c[0] == 0xEF)
		return (c[1] == 0xBB && c[2] == 0xBF) ||	/* byte order mark */
			(c[1] == 0xB8 && c[2] <= 0x8F); /* variation selectors */
	return false;
}

/* Does it hold a blank beyond ASCII, or a character that is not seen? */
bool
idem_unseen(const char *at, size_t length)
{
	size_t		i;

	for (i = 0; i < length; i++)
		if (is_unseen((const unsigned char *) at + i, length - i))
			return true;
	return false;
}

/* The column of a place in a line, from 1, counted in characters. */
int
idem_column_of(const char *line, const char *at)
{
	int			column = 1;

	for (; line < at; line++)
		column += ((unsigned char) *line & 0xC0) != 0x80;
	return column;
}

/*
 * So many bytes of a text fit a message that takes max of them.  In every
 * encoding of a server the bytes of a long character have the high bit, so a
 * run of them is kept whole or left out.
 */
int
idem_clip(const char *at, size_t length, size_t max)
{
	if (length <= max)
		return (int) length;
	while (max > 0 && ((unsigned char) at[max - 1] & 0x80) != 0)
		max--;
	return (int) max;
}
