/*
 * machine.h
 *		State machines as guards use them.
 */
#ifndef IDEM_MACHINE_H
#define IDEM_MACHINE_H

#include "base/definition.h"
#include "machine/machine_text.h"
#include "nodes/execnodes.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"

struct IdemGuardCall;

/* A machine made ready: whether an edge exists is the test of one bit. */
typedef struct IdemMachine
{
	const char *name;
	int			version;
	char	   *owner;			/* role, by name */
	Oid			table;			/* idem.machine, and the hash of the name: */
	uint32		hash;			/* what the lock is on */
	IdemDiagram diagram;
	int			words;			/* of a line of the matrices */
	uint64	   *open;			/* from x to: an edge that anybody may take */
	uint64	   *restricted;		/* from x to: an edge that asks for a role */
	IdemEdge  **edges;			/* grouped by source: those of s are */
	int		   *edges_of;		/* edges_of[s] .. edges_of[s + 1] - 1 */
} IdemMachine;

#define IDEM_MACHINE_BIT(machine, matrix, from, to) \
	(((machine)->matrix[(from) * (machine)->words + (to) / 64] >> \
	  ((to) % 64)) & 1)

/* The columns that say which row it is */
typedef struct IdemRowKeyColumn
{
	AttrNumber	number;
	Oid			type;
	int32		typmod;
	char	   *name;
	FmgrInfo	output;
} IdemRowKeyColumn;

typedef struct IdemRowKey
{
	int			count;
	IdemRowKeyColumn *columns;	/* by name */
	bool		plain;			/* no setting changes their text */
	bool		exact;			/* equal values have one text */
} IdemRowKey;

typedef enum IdemRepeatPolicy
{
	IDEM_REPEAT_REFUSE,			/* naming the column and leaving it */
	IDEM_REPEAT_STRICT,			/* also in a statement that saves the row */
	IDEM_REPEAT_IGNORE
} IdemRepeatPolicy;

typedef enum IdemDeletePolicy
{
	IDEM_DELETE_NEVER,
	IDEM_DELETE_FINAL,			/* rows in a final state */
	IDEM_DELETE_ANY
} IdemDeletePolicy;

/* The state an enum value stands for; value is 0 in a free slot */
typedef struct IdemEnumState
{
	Oid			value;
	int			state;
} IdemEnumState;

/* The state found last, by its name: bulk statements repeat themselves */
typedef struct IdemLastState
{
	const char *name;			/* NULL: none yet */
	size_t		length;
	int			state;
} IdemLastState;

/* Settings of one trigger of guard_states, compiled */
typedef struct IdemStatesGuard
{
	IdemMachine *machine;
	uint64		locked;			/* epoch in which the machine was locked */
	bool		counts;			/* for the machine: it is to be locked */
	bool		carried;		/* the trigger has the diagram: nothing to
								 * lock */
	AttrNumber	column;
	char	   *column_name;
	Bitmapset  *key;			/* idem_row_key_columns less the column */
	IdemRowKey *row_key;		/* the same for history */
	char	   *where;			/* of a statement for one row, or NULL */
	AttrNumber	last_column;	/* of state and key, the one furthest right */
	IdemLastState last_before;
	IdemLastState last_after;
	Oid			root;			/* the partitioned table at the top */
	Bitmapset  *saved;			/* what a save names, as tg_updatedcols; NULL:
								 * nothing is a save */
	IdemRepeatPolicy repeat;
	IdemDeletePolicy delete;
	bool		history;
	char	   *actor;			/* setting that says who acts, or NULL */
	bool		is_enum;
	uint64		enum_epoch;		/* when enum_states was last emptied */
	IdemEnumState *enum_states; /* open addressing, at most half full */
	uint32		enum_mask;
} IdemStatesGuard;

/*
 * A transition that idem.transition is about to write: the guard takes the
 * edge with this event for the row with this key, once.
 */
typedef struct IdemAnnouncement
{
	Oid			root;
	const char *column;
	const char *key;
	const char *from;
	const char *to;
	const char *event;			/* NULL: it is the only edge */
	bool		taken;			/* the guard has seen it */
} IdemAnnouncement;

/* A column that a machine guards */
typedef struct IdemGuarded
{
	Oid			relid;
	char	   *column;
	char	   *trigger;		/* that guards it */
	List	   *settings;		/* the arguments of that, each name=value */
} IdemGuarded;

/* machine_cache.c */
extern const IdemDefinitionKind idem_machine_kind;
extern void idem_machine_hold(const IdemMachine *machine);
extern uint64 idem_machine_lock_epoch(void);
extern void idem_machine_parse(IdemDiagram *diagram, const char *name,
							   const IdemDefinition *row);
extern IdemMachine *idem_machine_carried(const char *name,
										 const char *diagram);
extern IdemMachine *idem_machine_load(const char *name, int version);
extern const IdemEdge *idem_machine_edge(const IdemMachine *machine, int from,
										 int to, int event, int *count);

/* machine_consent.c */
extern bool idem_machine_counts(const char *machine, const char *owner,
								Oid relid, const char *column);

/* machine_diff.c */
extern List *idem_machine_diff(const IdemDiagram *before,
							   const IdemDiagram *after);

/* machine_declare.c */
extern Oid	idem_machine_guard_function(void);
extern List *idem_machine_guarded(const char *name);
extern ArrayType *idem_machine_state_names(const IdemDiagram *diagram);

/* machine_key.c */
extern IdemRowKey *idem_machine_key_of(Relation rel, AttrNumber state);
extern char *idem_machine_key_text(const IdemRowKey *key, const Datum *values);
extern char *idem_machine_key_of_row(const IdemRowKey *key,
									 TupleTableSlot *slot);
extern Datum *idem_machine_key_read(Relation rel, const IdemRowKey *key,
									char *str);

/* machine_other.c */
extern bool idem_machine_is_other(const struct IdemGuardCall *call,
								  const IdemStatesGuard *guard);
extern void idem_machine_refuse_maker(const struct IdemGuardCall *call,
									  const IdemStatesGuard *guard,
									  const char *state);
extern void idem_machine_check_history(const IdemMachine *machine,
									   bool history);

/* machine_pause.c */
extern void idem_machine_check_pause(const struct IdemGuardCall *call,
									 const IdemStatesGuard *guard, int state);

/* machine_plan.c */
extern int	idem_machine_run_plan(const char *sql, int nargs, Oid *types,
								  Datum *values, const char *nulls,
								  bool read_only);

/* machine_save.c */
extern List *idem_saved_names(Relation rel, AttrNumber state);
extern Bitmapset *idem_saved_columns(Relation rel, AttrNumber state,
									 List *names);

/* machine_within.c */
extern List *idem_within_argument(Jsonb *within, List **times);
extern int64 idem_within_usecs(const char *str);
extern void idem_within_check(const IdemMachine *machine, List *states,
							  bool history);

/* machine_log.c */
extern void idem_log_transition(Oid relid, const char *column,
								const char *key, CommandId command,
								const char *from, const char *to,
								const char *event, const char *actor);
extern bool idem_log_has_entered(Oid relid, const char *column,
								 const char *key, const char *state);
extern void idem_log_hold(void);
extern bool idem_log_since(Oid relid, const char *column, const char *key,
						   const char *state, Snapshot snapshot,
						   TimestampTz *since);
extern char *idem_log_maker(Oid relid, const char *column, const char *key);
extern void idem_log_put_history(ReturnSetInfo *rsinfo, Oid relid,
								 const char *column, const char *key);

/* machine.c */
extern IdemStatesGuard *idem_states_guard(Relation rel, Trigger *trigger,
										  bool lock);
extern IdemAnnouncement *idem_announce(IdemAnnouncement *announcement);

/* machine_refuse.c */
extern bool idem_state_is_final(const IdemStatesGuard *guard, int state);
extern bool idem_state_is_entry(const IdemStatesGuard *guard, int state);
extern bool idem_can_follow(const IdemMachine *machine, int from, int to);
extern ArrayType *idem_next_states(const IdemMachine *machine, int from);
extern void idem_states_refuse_entry(const struct IdemGuardCall *call,
									 const IdemStatesGuard *guard);
extern void idem_states_refuse_transition(const struct IdemGuardCall *call,
										  const IdemStatesGuard *guard,
										  int from);
extern void idem_states_refuse_role(const struct IdemGuardCall *call,
									const IdemStatesGuard *guard,
									const char *role);
extern void idem_states_refuse_repeat(const struct IdemGuardCall *call,
									  const IdemStatesGuard *guard);

#endif							/* IDEM_MACHINE_H */
