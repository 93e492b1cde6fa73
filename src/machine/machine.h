/*
 * machine.h
 *		State machines as guards use them.
 */
#ifndef IDEM_MACHINE_H
#define IDEM_MACHINE_H

#include "machine/machine_text.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"

/* One row of idem.machine */
typedef struct IdemMachineRow
{
	int			version;
	char	   *owner;
	char	   *diagram;
} IdemMachineRow;

/* A machine made ready: whether an edge exists is the test of one bit. */
typedef struct IdemMachine
{
	const char *name;
	int			version;
	IdemDiagram diagram;
	int			words;			/* of a line of the matrices */
	uint64	   *open;			/* from x to: an edge that anybody may take */
	uint64	   *restricted;		/* from x to: an edge that asks for a role */
} IdemMachine;

#define IDEM_MACHINE_BIT(machine, matrix, from, to) \
	(((machine)->matrix[(from) * (machine)->words + (to) / 64] >> \
	  ((to) % 64)) & 1)

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
	const char *left;			/* state whose rows lose a way, or NULL */
	const char *removed;		/* state that is no longer there, or NULL */
} IdemChange;

/* A column that a machine guards */
typedef struct IdemGuarded
{
	Oid			relid;
	char	   *column;
} IdemGuarded;

/* machine_cache.c */
extern Oid	idem_machine_table(void);
extern void idem_machine_lock(const char *name, LOCKMODE mode);
extern uint64 idem_machine_lock_epoch(void);
extern bool idem_machine_fetch(const char *name, int version,
							   IdemMachineRow *row);
extern IdemMachine *idem_machine_load(const char *name);
extern void idem_machine_missing(const char *name);
extern void idem_machine_check_owner(const char *name,
									 const IdemMachineRow *row);

/* machine_diff.c */
extern List *idem_machine_diff(const IdemDiagram *before,
							   const IdemDiagram *after);

/* machine_declare.c */
extern List *idem_machine_guarded(const char *name);

#endif							/* IDEM_MACHINE_H */
