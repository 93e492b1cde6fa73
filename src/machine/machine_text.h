/*
 * machine_text.h
 *		A state machine as read from its diagram (machine_text.c), and the
 *		faults that are found in it (machine_check.c).
 *
 * Needs no server header, see base/reading.h.
 */
#ifndef IDEM_MACHINE_TEXT_H
#define IDEM_MACHINE_TEXT_H

#include "base/reading.h"

/* What a diagram may hold.  A name fits an enum label and a role name. */
#define IDEM_STATES_MAX			1000
#define IDEM_EDGES_MAX			20000
#define IDEM_NAME_BYTES_MAX		63

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
	bool		other;			/* not for the login that made the row */
	const char *role;			/* only its members may take it, or NULL */
} IdemEdge;

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

/* machine_text.c */
extern bool idem_diagram_read(IdemDiagram *diagram, const char *str,
							  size_t length);
extern bool idem_state_name_fits(const char *name, size_t length);

/* machine_mermaid.c */
extern const char *idem_mermaid_name_problem(const char *at, size_t length);
extern bool idem_mermaid_direction(const char *at, const char *end, bool *open);
extern bool idem_mermaid_end_note(const char **at, const char *end,
								  bool *unclear);

/* machine_check.c */
extern int	idem_diagram_check(const IdemDiagram *diagram, IdemFault *faults,
							   int max);

#endif							/* IDEM_MACHINE_TEXT_H */
