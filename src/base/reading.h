/*
 * reading.h
 *		What the readers of texts that people write share: state machines and
 *		tables of return codes.
 *
 * Needs no server header: with IDEM_STANDALONE defined reading.c and the
 * readers compile with a C99 compiler alone, so that they can be fuzzed.
 */
#ifndef IDEM_READING_H
#define IDEM_READING_H

#ifdef IDEM_STANDALONE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#define idem_alloc0(size) calloc(1, (size))
#else
#include "postgres.h"
#define idem_alloc0(size) palloc0(size)
#endif

#define IDEM_REASON_BYTES		640
#define IDEM_TEXT_BYTES_MAX		(1024 * 1024)

/* One thing wrong with a text that could be read */
typedef struct IdemFault
{
	int			line;			/* 0: the text as a whole */
	int			column;			/* 0: the line as a whole */
	const char *kind;			/* a fixed word a program can branch on */
	char		reason[IDEM_REASON_BYTES];
} IdemFault;

/* All of them; those beyond max are counted and not kept. */
typedef struct IdemFaults
{
	IdemFault  *kept;
	int			count;
	int			max;
} IdemFaults;

/* Names by content: open addressing, never more than half full */
typedef struct IdemNames
{
	const char **names;			/* by index, in order of appearance */
	int			count;
	int			max;			/* room in names */
	int		   *slots;			/* index + 1, 0 is free */
	uint32_t	mask;			/* number of slots - 1 */
} IdemNames;

/* What is left of a line, or of a part of it */
typedef struct IdemCursor
{
	const char *at;
	const char *end;
} IdemCursor;

extern void idem_names_init(IdemNames *names, size_t max);
extern int	idem_names_find(const IdemNames *names, const char *name,
							size_t length);
extern int	idem_names_add(IdemNames *names, const char *name);

extern void idem_fault_found(IdemFaults *faults, int line, int column,
							 const char *kind, const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 5, 6)))
#endif
		   ;

extern size_t idem_count_lines(const char *str, size_t length);
extern bool idem_next_line(const char **str, const char *end,
						   IdemCursor *line);
extern const char *idem_find_control(const IdemCursor *line);
extern bool idem_unseen(const char *at, size_t length);
extern int	idem_column_of(const char *line, const char *at);
extern int	idem_clip(const char *at, size_t length, size_t max);

#endif							/* IDEM_READING_H */
