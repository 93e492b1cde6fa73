/*
 * codes_text.h
 *		A table of return codes as it is written: what codes_text.c makes of
 *		it and what codes_check.c finds wrong with it.
 *
 * Needs no server header, see base/reading.h.
 */
#ifndef IDEM_CODES_TEXT_H
#define IDEM_CODES_TEXT_H

#include "base/reading.h"

/* What a table may hold */
#define IDEM_CODE_BYTES_MAX		255 /* all layers of a code, and slashes */
#define IDEM_CODE_COLUMNS_MAX	64
#define IDEM_CODE_ROWS_MAX		10000

/* What the provider's answer says of the effect */
typedef enum IdemMeaning
{
	IDEM_MEANING_UNKNOWN,		/* does not tell; so is what is not listed */
	IDEM_MEANING_SUCCEEDED,		/* it took effect */
	IDEM_MEANING_FAILED,		/* it certainly did not, and will not */
	IDEM_MEANING_ABSENT,		/* there is no such transaction */
	IDEM_MEANING_RETURNED		/* it took effect, and was given back later */
} IdemMeaning;

#define IDEM_MEANINGS			5

typedef struct IdemCodeRow
{
	const char *path;			/* the code, layers parted by slashes */
	const char *word;			/* the meaning as it is written */
	const char *why;			/* what brackets behind it say, or NULL */
	IdemMeaning meaning;
	bool		known;			/* word is one of the meanings */
	bool		also;			/* why is an [also: ...] */
	bool		all;			/* why is an [all: ...] */
	bool		wide;			/* the last layer is a star */
	int			line;
	int			code_column;	/* where the code is in the line */
	int			meaning_column;
	int			twin;			/* index of the first row of this path */
} IdemCodeRow;

typedef struct IdemCodeTable
{
	IdemCodeRow *rows;
	int			count;
	IdemNames	paths;			/* every path once */
	int		   *row_of;			/* by index of the path: its first row */

	int			error_line;		/* 0 if the table could be read */
	int			error_column;	/* 0: the line as a whole */
	char		reason[IDEM_REASON_BYTES];
} IdemCodeTable;

/* One cell of a line, without the blanks around it */
typedef struct IdemCell
{
	const char *at;
	size_t		length;
} IdemCell;

/* codes_pipe.c */
extern int	idem_pipe_cells(const IdemCursor *line, IdemCell *cells, int max,
							const char **problem, const char **place);
extern bool idem_pipe_is_delimiter(const IdemCell *cells, int count);
extern bool idem_pipe_is_other_block(const IdemCursor *line);

/* codes_cell.c */
extern const char *idem_cell_code(const IdemCell *cell, char *path,
								  const char **place);
extern bool idem_cell_path_fits(const char *path, size_t length);
extern const char *idem_cell_meaning(const IdemCell *cell, IdemCodeRow *row,
									 char *words, const char **place);
extern const char *idem_meaning_word(IdemMeaning meaning);

/* codes_text.c */
extern bool idem_code_table_read(IdemCodeTable *table, const char *str,
								 size_t length);
extern const IdemCodeRow *idem_code_table_find(const IdemCodeTable *table,
											   const char *path,
											   size_t length);
extern const IdemCodeRow *idem_code_table_judge(const IdemCodeTable *table,
												const char *path,
												size_t length);

/* codes_check.c */
extern int	idem_code_table_check(const IdemCodeTable *table,
								  IdemFault *faults, int max);

#endif							/* IDEM_CODES_TEXT_H */
