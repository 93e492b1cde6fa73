/*
 * machine_text.h
 *		A state machine as it is drawn: what machine_text.c makes of a diagram
 *		and what machine_check.c finds wrong with it.
 *
 * Needs no server header: with IDEM_STANDALONE defined both files compile
 * with a C99 compiler alone, so that they can be fuzzed.
 */
#ifndef IDEM_MACHINE_TEXT_H
#define IDEM_MACHINE_TEXT_H

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

/* What a diagram may hold.  A name fits an enum label and a role name. */
#define IDEM_DIAGRAM_BYTES_MAX	(1024 * 1024)
#define IDEM_STATES_MAX			1000
#define IDEM_EDGES_MAX			20000
#define IDEM_NAME_BYTES_MAX		63
#define IDEM_REASON_BYTES		320

typedef enum IdemStateClass
{
	IDEM_CLASS_NONE,
	IDEM_CLASS_SENT,			/* something has left the house */
	IDEM_CLASS_UNKNOWN			/* and nobody knows what became of it */
} IdemStateClass;

typedef struct IdemState
{
	const char *name;			/* the value a guarded column holds */
	int			line;			/* where it was first named */
	int			entry_line;		/* where it was made an entry, 0 if none */
	int			final_line;		/* where it was made final, 0 if not */
	IdemStateClass class;
} IdemState;

typedef struct IdemEdge
{
	int			source;			/* index into states */
	int			target;
	int			event;			/* index into events, -1 if it has none */
	int			line;
	bool		late;			/* may leave a final state */
	const char *role;			/* only its members may take it, or NULL */
} IdemEdge;

/* Names by content: open addressing, never more than half full */
typedef struct IdemNames
{
	const char **names;			/* by index, in order of appearance */
	int			count;
	int			max;			/* room in names */
	int		   *slots;			/* index + 1, 0 is free */
	uint32_t	mask;			/* number of slots - 1 */
} IdemNames;

typedef struct IdemDiagram
{
	IdemNames	state_names;	/* states[i] is state_names.names[i] */
	IdemState  *states;
	IdemNames	events;
	IdemEdge   *edges;
	int			edge_count;
	int			edge_max;		/* room in edges */

	int			error_line;		/* 0 if the diagram could be read */
	char		reason[IDEM_REASON_BYTES];
} IdemDiagram;

#define idem_state_count(d) ((d)->state_names.count)

/* One thing wrong with a diagram that could be read */
typedef struct IdemFault
{
	int			line;			/* 0: the diagram as a whole */
	const char *kind;			/* a fixed word a program can branch on */
	char		reason[IDEM_REASON_BYTES];
} IdemFault;

/* machine_text.c */
extern bool idem_diagram_read(IdemDiagram *diagram, const char *str,
							  size_t length);
extern bool idem_state_name_fits(const char *name, size_t length);
extern int	idem_names_find(const IdemNames *names, const char *name,
							size_t length);

/* machine_mermaid.c */
extern bool idem_mermaid_unseen(const char *at, size_t length);
extern const char *idem_mermaid_name_problem(const char *at, size_t length);
extern bool idem_mermaid_direction(const char *at, const char *end, bool *open);
extern bool idem_mermaid_end_note(const char **at, const char *end,
								  bool *unclear);

/* machine_check.c */
extern int	idem_diagram_check(const IdemDiagram *diagram, IdemFault *faults,
							   int max);

#endif							/* IDEM_MACHINE_TEXT_H */
