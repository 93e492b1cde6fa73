/*
 * definition.h
 *		Definitions that are texts and have versions.
 */
#ifndef IDEM_DEFINITION_H
#define IDEM_DEFINITION_H

#include "fmgr.h"
#include "nodes/execnodes.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"

#include "base/reading.h"

struct IdemDefining;

/* One version, as its row has it */
typedef struct IdemDefinition
{
	int			version;
	char	   *owner;			/* role, by name */
	char	   *text;
} IdemDefinition;

/* What differs between two versions */
typedef enum IdemEffect
{
	IDEM_NEUTRAL,
	IDEM_TIGHTENS,
	IDEM_LOOSENS
} IdemEffect;

typedef struct IdemChange
{
	IdemEffect	effect;
	char	   *text;
	const char *left;			/* what rows could stand in and lose a way out
								 * of, or NULL */
	const char *removed;		/* what rows could stand in and is no longer
								 * there, or NULL */
} IdemChange;

/*
 * A kind of definitions.  Its table has the columns name, version, a text,
 * owner, defined_at, defined_by, loosen and tighten, in this order.
 */
typedef struct IdemDefinitionKind
{
	const char *noun;			/* "state machine", in messages */
	const char *word;			/* "machine", where that is enough */
	const char *log_kind;		/* in idem.change_log */
	const char *table;			/* of schema idem */
	const char *index;			/* its primary key */
	const char *column;			/* its text, and the argument with it */
	const char *article;		/* "a diagram" */
	const char *define;			/* function of schema idem */
	const char *check;			/* the one that says what is wrong */
} IdemDefinitionKind;

/*
 * A definition that is being made, and what its room knows of the text.  The
 * three functions are called in this order, the first for a first version, the
 * others for the next one.
 */
typedef struct IdemDefining
{
	const IdemDefinitionKind *kind;
	const char *name;
	text	   *source;
	char	   *loosen;			/* reasons, or NULL */
	char	   *tighten;
	const void *parsed;			/* what was read of source */
	const void *before;			/* of the last version, set by compare() */

	/* what was defined, in a few words */
	char	   *(*summary) (const struct IdemDefining *defining);
	/* the changes since the last version, NIL: only words */
	List	   *(*compare) (struct IdemDefining *defining,
							const IdemDefinition *last);
	/* refuses what reasons alone do not allow; or NULL */
	void		(*admit) (const struct IdemDefining *defining,
						  const IdemDefinition *last, List *changes);
} IdemDefining;

/* rows of definitions */
extern Oid	idem_definition_table(const IdemDefinitionKind *kind);
extern uint32 idem_definition_hash(const char *name);
extern void idem_definition_lock(const IdemDefinitionKind *kind,
								 const char *name, LOCKMODE mode);
extern bool idem_definition_fetch(const IdemDefinitionKind *kind,
								  const char *name, int version,
								  IdemDefinition *row);
extern void idem_definition_missing(const IdemDefinitionKind *kind,
									const char *name, int version);
extern void idem_definition_unreadable(const IdemDefinitionKind *kind,
									   const char *name, int version,
									   const IdemFault *fault);
extern void idem_definition_check_owner(const IdemDefinitionKind *kind,
										const char *name,
										const IdemDefinition *row);

/* calls */
extern char *idem_definition_name(const IdemDefinitionKind *kind,
								  FunctionCallInfo fcinfo, int n);
extern text *idem_definition_source(const IdemDefinitionKind *kind,
									const char *name,
									FunctionCallInfo fcinfo, int n);
extern Datum idem_definition_show(const IdemDefinitionKind *kind,
								  FunctionCallInfo fcinfo);
extern void idem_definition_make(IdemDefining *defining,
								 ReturnSetInfo *rsinfo);

/* changes and faults */
extern List *idem_change_note(List *changes, IdemEffect effect,
							  const char *left, const char *format,...)
			pg_attribute_printf(4, 5);
extern void idem_faults_sort(IdemFault *faults, int count);
extern void idem_faults_put(ReturnSetInfo *rsinfo, const IdemFault *faults,
							int count);
extern void idem_faults_refuse(const IdemDefinitionKind *kind,
							   const char *name, const IdemFault *faults,
							   int count);

#endif							/* IDEM_DEFINITION_H */
