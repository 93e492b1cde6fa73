/*
 * codes_text.c
 *		Fuzzes the reader and the checks of tables of return codes
 *		(src/codes/codes_pipe.c, codes_cell.c, codes_text.c, codes_check.c).
 *
 * Whatever the bytes are, the reader says yes, or no with a line that the text
 * has.  What it read is written down again and read again: it is the same
 * table.  Each row is also read another way: escaped pipes are replaced first,
 * then the line is cut at every pipe that is left.  What the checks find and
 * what a code is judged as is compared with loops over all rows.  The
 * sanitizers watch the rest.
 *
 * run.sh builds and runs it.  An input is the text of a table.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codes/codes_text.h"

#define FAULTS_MAX	4096
#define ROWS_MAX	300			/* the oracles look at no more */
#define CELLS_MAX	(IDEM_CODE_COLUMNS_MAX + 2)

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
expect_sound(const IdemCodeTable *t, int lines)
{
	int			last = 2;
	int			i;

	for (i = 0; i < t->count; i++)
	{
		const IdemCodeRow *row = &t->rows[i];
		size_t		length = strlen(row->path);

		EXPECT(idem_cell_path_fits(row->path, length));
		EXPECT(row->wide == (length > 1 && strcmp(row->path + length - 2, "/*") == 0));
		EXPECT(row->line > last && row->line <= lines);
		EXPECT(row->code_column >= 1 && row->meaning_column >= 1);
		EXPECT(row->code_column != row->meaning_column);
		EXPECT(row->word[0] != '\0');
		EXPECT(!row->known || strcmp(row->word, idem_meaning_word(row->meaning)) == 0);
		EXPECT((row->why != NULL) == (row->also || row->all));
		EXPECT(!(row->also && row->all));
		EXPECT(row->why == NULL || row->why[0] != '\0');
		EXPECT(row->twin >= 0 && row->twin <= i);
		EXPECT(strcmp(t->rows[row->twin].path, row->path) == 0);
		EXPECT(t->rows[row->twin].twin == row->twin);
		last = row->line;
	}
}

/* ---------- read another way ---------- */

/* The cells of a line of the input, cut out of a copy in which \| is \1 */
static int
cut(char *copy, char **cells)
{
	char	   *from = copy;
	char	   *to = copy;
	size_t		length;
	int			count = 0;

	for (; *from != '\0'; from++)
	{
		if (from[0] == '\\' && from[1] == '|')
		{
			*to++ = '\1';
			from++;
		}
		else
			*to++ = *from;
	}
	*to = '\0';
	copy += strspn(copy, " \t");
	length = strlen(copy);
	while (length > 0 && strchr(" \t\r", copy[length - 1]) != NULL)
		copy[--length] = '\0';
	if (copy[0] == '|')
		copy++;
	length = strlen(copy);
	if (length > 0 && copy[length - 1] == '|')
		copy[length - 1] = '\0';
	for (;;)
	{
		char	   *pipe = strchr(copy, '|');

		EXPECT(count < CELLS_MAX);
		cells[count++] = copy;
		if (pipe == NULL)
			return count;
		*pipe = '\0';
		copy = pipe + 1;
	}
}

/* A cell without blanks and backticks at its edges, \1 as a pipe */
static const char *
bare(char *cell)
{
	size_t		length;
	char	   *c;

	cell += strspn(cell, " \t");
	length = strlen(cell);
	while (length > 0 && strchr(" \t", cell[length - 1]) != NULL)
		cell[--length] = '\0';
	if (length > 1 && cell[0] == '`')
	{
		cell[length - 1] = '\0';
		cell++;
	}
	for (c = cell; *c != '\0'; c++)
		if (*c == '\1')
			*c = '|';
	return cell;
}

static char *
copy_line(const uint8_t *data, size_t size, int line)
{
	const char *at = (const char *) data;
	const char *end = at + size;
	const char *stop;
	char	   *copy;

	for (; line > 1; line--)
		at = (const char *) memchr(at, '\n', end - at) + 1;
	stop = memchr(at, '\n', end - at);
	if (stop == NULL)
		stop = end;
	copy = fuzz_alloc0(1, stop - at + 1);
	memcpy(copy, at, stop - at);
	return copy;
}

/* Which cell has the heading? */
static int
heading(char **cells, int count, const char *word)
{
	int			i;
	size_t		n;

	for (i = 0; i < count; i++)
	{
		const char *cell = bare(cells[i]);

		for (n = 0; cell[n] != '\0' && word[n] != '\0'; n++)
			if (cell[n] != word[n] && cell[n] != word[n] - 32)
				break;
		if (cell[n] == '\0' && word[n] == '\0')
			return i;
	}
	EXPECT(false);
	return -1;
}

static void
expect_cells(const IdemCodeTable *t, const uint8_t *data, size_t size)
{
	char	   *cells[CELLS_MAX];
	int			columns;
	int			code;
	int			meaning;
	int			i;
	int			first = 1;
	char	   *line;

	if (t->count == 0)
		return;
	if (size >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0)
	{
		data += 3;
		size -= 3;
	}
	while (line = copy_line(data, size, first), line[strspn(line, " \t\r")] == '\0')
		first++;
	columns = cut(line, cells);
	code = heading(cells, columns, "code");
	meaning = heading(cells, columns, "meaning");
	for (i = 0; i < t->count && i < ROWS_MAX; i++)
	{
		const IdemCodeRow *row = &t->rows[i];
		const char *word;

		EXPECT(cut(copy_line(data, size, row->line), cells) == columns);
		EXPECT(strcmp(bare(cells[code]), row->path) == 0);
		word = bare(cells[meaning]);
		EXPECT(strncmp(word, row->word, strlen(row->word)) == 0);
		EXPECT((strchr(word, '[') != NULL) == (row->why != NULL));
		EXPECT(row->why == NULL || strstr(word, row->why) != NULL);
	}
}

/* ---------- written down again ---------- */

typedef struct Text
{
	char	   *bytes;
	size_t		size;
	size_t		used;
} Text;

static void
append(Text *text, const char *bytes)
{
	size_t		length = strlen(bytes);

	EXPECT(text->used + length < text->size);
	memcpy(text->bytes + text->used, bytes, length);
	text->used += length;
}

static void
append_escaped(Text *text, const char *bytes)
{
	char		one[3] = {'\\', '|', '\0'};

	for (; *bytes != '\0'; bytes++)
	{
		one[0] = *bytes == '|' ? '\\' : *bytes;
		one[1] = *bytes == '|' ? '|' : '\0';
		append(text, one);
	}
}

static Text
write_table(const IdemCodeTable *t)
{
	Text		text = {0};
	int			i;

	text.size = 100;
	for (i = 0; i < t->count; i++)
		text.size += 40 + 2 * strlen(t->rows[i].path) + strlen(t->rows[i].word) +
			(t->rows[i].why ? 2 * strlen(t->rows[i].why) : 0);
	text.bytes = fuzz_alloc0(1, text.size);
	append(&text, "meaning|x|code\n--|:-:|--\n");
	for (i = 0; i < t->count; i++)
	{
		const IdemCodeRow *row = &t->rows[i];

		append(&text, "| ");
		append(&text, row->word);
		if (row->why)
		{
			append(&text, row->also ? " [also:" : " [all:");
			append_escaped(&text, row->why);
			append(&text, " ]");
		}
		append(&text, " | \\| |`");
		append_escaped(&text, row->path);
		append(&text, "`|\r\n");
	}
	return text;
}

static void
expect_same(const IdemCodeTable *a, const IdemCodeTable *b)
{
	int			i;

	EXPECT(a->count == b->count);
	for (i = 0; i < a->count; i++)
	{
		const IdemCodeRow *ra = &a->rows[i];
		const IdemCodeRow *rb = &b->rows[i];

		EXPECT(strcmp(ra->path, rb->path) == 0);
		EXPECT(strcmp(ra->word, rb->word) == 0);
		EXPECT(ra->known == rb->known && ra->meaning == rb->meaning);
		EXPECT(ra->also == rb->also && ra->all == rb->all);
		EXPECT(ra->wide == rb->wide && ra->twin == rb->twin);
		EXPECT((ra->why == NULL) == (rb->why == NULL));
		EXPECT(ra->why == NULL || strcmp(ra->why, rb->why) == 0);
	}
}

/* ---------- what is wrong with it, and what it says ---------- */

static int
faults_of(const IdemFault *faults, int count, const char *kind)
{
	int			found = 0;
	int			i;

	for (i = 0; i < count; i++)
		found += strcmp(faults[i].kind, kind) == 0;
	return found;
}

static void
expect_faults(const IdemCodeTable *t, int lines)
{
	static IdemFault faults[FAULTS_MAX];
	int			count = idem_code_table_check(t, faults, FAULTS_MAX);
	int			successes = 0;
	int			duplicates = 0;
	int			wide = 0;
	int			loose = 0;
	int			unknown = 0;
	int			misplaced = 0;
	int			i;
	int			j;

	EXPECT(idem_code_table_check(t, NULL, 0) == count);
	if (count > FAULTS_MAX || t->count > ROWS_MAX)
		return;
	for (i = 0; i < count; i++)
	{
		EXPECT(faults[i].line >= 0 && faults[i].line <= lines);
		EXPECT(faults[i].reason[0] != '\0');
		EXPECT(strlen(faults[i].reason) < IDEM_REASON_BYTES - 1);
	}
	for (i = 0; i < t->count; i++)
	{
		const IdemCodeRow *row = &t->rows[i];

		for (j = 0; j < i && strcmp(t->rows[j].path, row->path) != 0; j++)
			;
		duplicates += j < i;
		unknown += !row->known;
		if (!row->known)
			continue;
		successes += row->meaning == IDEM_MEANING_SUCCEEDED && !row->also;
		wide += row->wide && row->meaning != IDEM_MEANING_FAILED;
		loose += row->wide && !row->all;
		misplaced += (row->all && !row->wide) +
			(row->also && row->meaning != IDEM_MEANING_SUCCEEDED);
	}
	EXPECT(faults_of(faults, count, "no_code") == (t->count == 0));
	EXPECT(faults_of(faults, count, "duplicate_code") == duplicates);
	EXPECT(faults_of(faults, count, "unknown_meaning") == unknown);
	EXPECT(faults_of(faults, count, "wide_meaning") == wide);
	EXPECT(faults_of(faults, count, "wide_reason") == loose);
	EXPECT(faults_of(faults, count, "misplaced_reason") == misplaced);
	EXPECT(faults_of(faults, count, "second_success") ==
		   (successes > 1 ? successes - 1 : 0));
	EXPECT(count == (t->count == 0) + duplicates + unknown + wide + loose +
		   misplaced + (successes > 1 ? successes - 1 : 0));
}

/* The first row of the path, else the first with a star for its last layer */
static const IdemCodeRow *
judge(const IdemCodeTable *t, const char *path)
{
	const char *slash = strrchr(path, '/');
	int			i;

	for (i = 0; i < t->count; i++)
		if (strcmp(t->rows[i].path, path) == 0)
			return &t->rows[i];
	for (i = 0; i < t->count && slash != NULL; i++)
		if (t->rows[i].wide && strlen(t->rows[i].path) == (size_t) (slash - path) + 2 &&
			memcmp(t->rows[i].path, path, slash - path + 1) == 0)
			return &t->rows[i];
	return NULL;
}

static void
expect_judged(const IdemCodeTable *t, const char *path)
{
	EXPECT(idem_code_table_judge(t, path, strlen(path)) == judge(t, path));
}

/* Each path, with its last layer changed, and with one more */
static void
expect_judgements(const IdemCodeTable *t)
{
	char		path[IDEM_CODE_BYTES_MAX + 4];
	int			i;

	if (t->count > ROWS_MAX)
		return;
	for (i = 0; i < t->count; i++)
	{
		size_t		length = strlen(t->rows[i].path);

		memcpy(path, t->rows[i].path, length + 1);
		if (!t->rows[i].wide)
			expect_judged(t, path);
		path[length - 1] = 'x';
		expect_judged(t, path);
		if (length + 2 <= IDEM_CODE_BYTES_MAX)
		{
			strcpy(path + length, "/y");
			expect_judged(t, path);
		}
	}
	expect_judged(t, "x");
	expect_judged(t, "x/y");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int			lines = count_lines(data, size);
	IdemCodeTable table;
	IdemCodeTable again;
	Text		text;

	if (!idem_code_table_read(&table, (const char *) data, size))
	{
		EXPECT(table.error_line >= 1 && table.error_line <= lines);
		EXPECT(table.error_column >= 0 && table.error_column <= (int) size + 1);
		EXPECT(table.reason[0] != '\0');
		EXPECT(strlen(table.reason) < IDEM_REASON_BYTES);
	}
	else
	{
		expect_sound(&table, lines);
		expect_cells(&table, data, size);
		text = write_table(&table);
		EXPECT(idem_code_table_read(&again, text.bytes, text.used));
		expect_same(&table, &again);
		expect_faults(&table, lines);
		expect_judgements(&table);
	}
	free_all();
	return 0;
}
