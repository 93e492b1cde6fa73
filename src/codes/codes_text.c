/*
 * codes_text.c
 *		Reads a table of return codes from the text that shows it.
 *
 * The text is one Markdown pipe table, as GitHub draws it, with nothing but
 * empty lines around it:
 *
 *		| code           | meaning   | note                 |
 *		| -------------- | --------- | -------------------- |
 *		| 0000           | succeeded |                      |
 *		| 2001           | failed    | balance, certain     |
 *		| RJCT/AC04      | failed    | account closed       |
 *
 * The columns "code" and "meaning" are found by their headings, in any case of
 * letters; the others are kept but not read.  Every row has as many cells as
 * there are headings: GitHub would pad or cut any other row, and a cell could
 * end up under the wrong heading.  The lines may be indented, all by the same
 * amount.
 *
 * codes_cell.c says what codes and meanings may look like, codes_pipe.c what
 * separates cells.  Text that would be shown differently from how it is read is
 * an error, reported with its line and column.  A table is read as a whole or
 * not at all.  The text is treated as hostile: its length is limited first,
 * every byte is read through the cursor's end, nothing recurses, and all memory
 * is taken in a few pieces whose sizes follow from the length of the text.
 *
 * Cost: O(length of the text).
 */
#include "codes/codes_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef enum Part
{
	PART_HEADING,
	PART_DELIMITER,
	PART_ROWS,
	PART_END
} Part;

typedef struct Reader
{
	IdemCodeTable *table;
	int			line;			/* number of the line being read, from 1 */
	const char *start;			/* and its first byte */
	Part		part;			/* what comes next */
	int			columns;		/* so many headings there are */
	int			code;			/* index of the cell of the code */
	int			meaning;		/* and of the meaning */
	int			shallow;		/* indentation, the least and the most so far */
	int			deep;
	char	   *pool;			/* next free byte for a copied word */
	IdemCell	cells[IDEM_CODE_COLUMNS_MAX];
} Reader;

static bool fail(Reader *reader, const char *at, const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 3, 4)))
#endif
		   ;

/*
 * Remembers why the table cannot be read, and where; at NULL: the line as a
 * whole.  Always false.
 */
static bool
fail(Reader *reader, const char *at, const char *format,...)
{
	IdemCodeTable *table = reader->table;
	va_list		args;

	table->error_line = reader->line;
	table->error_column = at ? idem_column_of(reader->start, at) : 0;
	va_start(args, format);
	vsnprintf(table->reason, sizeof(table->reason), format, args);
	va_end(args);
	return false;
}

/* ---------- headings ---------- */

/* Is the heading this word, in any case of letters? */
static bool
is_heading(const IdemCell *cell, const char *word)
{
	size_t		i;

	if (cell->length != strlen(word))
		return false;
	for (i = 0; i < cell->length; i++)
		if ((cell->at[i] | 0x20) != word[i])
			return false;
	return true;
}

/* The one cell under which a column is found; -1 after fail(). */
static int
find_heading(Reader *reader, const char *word)
{
	int			found = -1;
	int			i;

	for (i = 0; i < reader->columns; i++)
	{
		if (!is_heading(&reader->cells[i], word))
			continue;
		if (found >= 0)
		{
			fail(reader, reader->cells[i].at, "two columns have the heading \"%s\"",
				 word);
			return -1;
		}
		found = i;
	}
	if (found < 0)
		fail(reader, NULL, "no column has the heading \"%s\"", word);
	return found;
}

static bool
read_headings(Reader *reader, int count)
{
	int			i;

	if (count > IDEM_CODE_COLUMNS_MAX)
		return fail(reader, NULL, "more than %d columns", IDEM_CODE_COLUMNS_MAX);
	reader->columns = count;
	for (i = 0; i < count; i++)
		if (idem_unseen(reader->cells[i].at, reader->cells[i].length))
			return fail(reader, reader->cells[i].at,
						"a heading holds a blank beyond ASCII or a character that is not seen");
	reader->code = find_heading(reader, "code");
	if (reader->code < 0)
		return false;
	reader->meaning = find_heading(reader, "meaning");
	reader->part = PART_DELIMITER;
	return reader->meaning >= 0;
}

static bool
read_delimiter(Reader *reader, int count)
{
	if (count != reader->columns ||
		!idem_pipe_is_delimiter(reader->cells, count))
		return fail(reader, NULL,
					"below %d headings stands a row of %d cells of hyphens, such as | --- |",
					reader->columns, reader->columns);
	reader->part = PART_ROWS;
	return true;
}

/* ---------- rows ---------- */

/* Enter the path of the newest row; its twin is the first row that has it. */
static void
enter_path(IdemCodeTable *table, IdemCodeRow *row)
{
	int			index = idem_names_find(&table->paths, row->path,
										strlen(row->path));

	if (index < 0)
	{
		index = idem_names_add(&table->paths, row->path);
		table->row_of[index] = (int) (row - table->rows);
	}
	row->twin = table->row_of[index];
}

/*
 * A copied word takes its bytes and a NUL.  The pool cannot run out: two cells
 * of a line never touch, and a reason is parted from its word.
 */
static bool
read_row(Reader *reader, int count)
{
	IdemCodeTable *table = reader->table;
	IdemCell   *code = &reader->cells[reader->code];
	IdemCell   *meaning = &reader->cells[reader->meaning];
	IdemCodeRow *row = &table->rows[table->count];
	const char *problem;
	const char *place;

	if (count != reader->columns)
		return fail(reader, NULL, "%d headings, but %d %s in the row",
					reader->columns, count, count == 1 ? "cell" : "cells");
	if (table->count == IDEM_CODE_ROWS_MAX)
		return fail(reader, NULL, "more than %d codes", IDEM_CODE_ROWS_MAX);
	row->line = reader->line;
	row->code_column = idem_column_of(reader->start, code->at);
	row->meaning_column = idem_column_of(reader->start, meaning->at);
	problem = idem_cell_code(code, reader->pool, &place);
	if (problem != NULL)
		return fail(reader, place, "%s", problem);
	row->path = reader->pool;
	row->wide = row->path[strlen(row->path) - 1] == '*';
	reader->pool += code->length + 1;
	problem = idem_cell_meaning(meaning, row, reader->pool, &place);
	if (problem != NULL)
		return fail(reader, place, "%s", problem);
	reader->pool += meaning->length + 2;
	enter_path(table, row);
	table->count++;
	return true;
}

/* ---------- lines ---------- */

/* Characters that turn the direction of what follows, in any cell */
static const char *
find_turn(const IdemCursor *line)
{
	const char *at;

	for (at = line->at; line->end - at >= 3; at++)
	{
		const unsigned char *c = (const unsigned char *) at;

		if (c[0] == 0xE2 &&
			((c[1] == 0x80 && c[2] >= 0xAA && c[2] <= 0xAE) ||
			 (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9)))
			return at;
	}
	return NULL;
}

static bool
check_characters(Reader *reader, const IdemCursor *line)
{
	const char *at = idem_find_control(line);

	if (at != NULL)
		return fail(reader, at, "control character 0x%02X", (unsigned char) *at);
	at = find_turn(line);
	if (at != NULL)
		return fail(reader, at, "a character turns the direction of the text");
	return true;
}

static bool
is_empty(const IdemCursor *line)
{
	const char *at;

	for (at = line->at; at < line->end; at++)
		if (*at != ' ' && *at != '\t')
			return false;
	return true;
}

/* How far a line is indented, in columns: a tab goes to the next fourth. */
static int
indentation(const IdemCursor *line)
{
	const char *at;
	int			columns = 0;

	for (at = line->at; at < line->end && (*at == ' ' || *at == '\t'); at++)
		columns = *at == ' ' ? columns + 1 : (columns / 4 + 1) * 4;
	return columns;
}

/*
 * The text may have been cut out of a deeper place, so all lines may be deep;
 * but beside others that are not, a line that is indented by four columns, or
 * by four more than they are, would be drawn as code.
 */
static bool
check_indentation(Reader *reader, const IdemCursor *line)
{
	int			columns = indentation(line);
	bool		first = reader->part == PART_HEADING;

	if (first || columns < reader->shallow)
		reader->shallow = columns;
	if (first || columns > reader->deep)
		reader->deep = columns;
	return (reader->deep - reader->shallow < 4 &&
			(reader->deep < 4 || reader->shallow >= 4)) ||
		fail(reader, NULL, "the lines are not indented alike: what is four columns deep is code");
}

/* A row of any part of the table: the line is not empty. */
static bool
read_cells(Reader *reader, const IdemCursor *line)
{
	const char *problem;
	const char *place;
	int			count;

	if (!check_indentation(reader, line))
		return false;
	if (idem_pipe_is_other_block(line))
		return fail(reader, NULL,
					"the line could be taken for something else than a row: begin it with a pipe");
	count = idem_pipe_cells(line, reader->cells, IDEM_CODE_COLUMNS_MAX,
							&problem, &place);
	if (count < 0)
		return fail(reader, place, "%s", problem);
	switch (reader->part)
	{
		case PART_HEADING:
			return read_headings(reader, count);
		case PART_DELIMITER:
			return read_delimiter(reader, count);
		case PART_ROWS:
			return read_row(reader, count);
		default:
			return fail(reader, NULL, "text behind the table");
	}
}

static bool
read_line(Reader *reader, const IdemCursor *line)
{
	reader->start = line->at;
	if (!check_characters(reader, line))
		return false;
	if (!is_empty(line))
		return read_cells(reader, line);
	if (reader->part == PART_ROWS)
		reader->part = PART_END;
	return reader->part != PART_DELIMITER ||
		fail(reader, NULL, "below the headings stands a row of hyphens, such as | --- |");
}

/*
 * Room for what the text can hold: a row a line, and in the pool its bytes
 * with up to three NULs a line.
 */
static void
make_room(Reader *reader, size_t length, size_t lines)
{
	IdemCodeTable *table = reader->table;
	size_t		rows = lines < IDEM_CODE_ROWS_MAX ? lines : IDEM_CODE_ROWS_MAX;

	table->rows = idem_alloc0((rows + 1) * sizeof(IdemCodeRow));
	table->row_of = idem_alloc0((rows + 1) * sizeof(int));
	idem_names_init(&table->paths, rows);
	reader->pool = idem_alloc0(length + 3 * lines);
}

/*
 * Reads a table; false if it cannot, with error_line, error_column and reason
 * set.  The table's memory is never given back piece by piece.
 */
bool
idem_code_table_read(IdemCodeTable *table, const char *str, size_t length)
{
	Reader		reader = {0};
	const char *end = str + length;
	IdemCursor	line;
	bool		more;

	memset(table, 0, sizeof(IdemCodeTable));
	reader.table = table;
	reader.line = 1;
	if (length > IDEM_TEXT_BYTES_MAX)
		return fail(&reader, NULL, "the table is longer than %d bytes",
					IDEM_TEXT_BYTES_MAX);
	make_room(&reader, length, idem_count_lines(str, length));
	if (length >= 3 && memcmp(str, "\xEF\xBB\xBF", 3) == 0)
		str += 3;				/* a byte order mark */
	do
	{
		more = idem_next_line(&str, end, &line);
		if (!read_line(&reader, &line))
			return false;
		reader.line += more;
	} while (more);
	if (reader.part == PART_HEADING)
		return fail(&reader, NULL, "no table: expected headings, such as | code | meaning |");
	if (reader.part == PART_DELIMITER)
		return fail(&reader, NULL, "below the headings stands a row of hyphens, such as | --- |");
	return true;
}

/* ---------- what a table says of a code ---------- */

/* The row of this very path, or NULL. */
const IdemCodeRow *
idem_code_table_find(const IdemCodeTable *table, const char *path,
					 size_t length)
{
	int			index = idem_names_find(&table->paths, path, length);

	return index < 0 ? NULL : &table->rows[table->row_of[index]];
}

/*
 * The row that judges a code: its own, or else the one with a star in place of
 * the last layer; NULL if it is not listed.  No layer of the path is a star.
 */
const IdemCodeRow *
idem_code_table_judge(const IdemCodeTable *table, const char *path,
					  size_t length)
{
	const IdemCodeRow *row = idem_code_table_find(table, path, length);
	char		wide[IDEM_CODE_BYTES_MAX + 2];
	size_t		stem = length;

	if (row != NULL || length > IDEM_CODE_BYTES_MAX)
		return row;
	while (stem > 0 && path[stem - 1] != '/')
		stem--;
	if (stem == 0)
		return NULL;
	memcpy(wide, path, stem);
	wide[stem] = '*';
	return idem_code_table_find(table, wide, stem + 1);
}
