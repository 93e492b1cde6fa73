/*
 * doctor.h
 *		What the files of the room doctor share.
 */
#ifndef IDEM_DOCTOR_H
#define IDEM_DOCTOR_H

#include "nodes/pg_list.h"
#include "utils/relcache.h"

struct IdemGuard;
struct IdemGuardKind;

/* What a DDL command did that can be judged only when it is complete. */
typedef enum IdemNoteType
{
	IDEM_NOTE_TOUCHED,			/* triggers, rules: of any guard of the table */
	IDEM_NOTE_RELIED,			/* columns, constraints: of a guard that
								 * stands on the table itself, no partition's */
	IDEM_NOTE_TRIGGER,			/* a trigger that decides was dropped */
	IDEM_NOTE_INHERITS,			/* a table became a child, or stopped to be */
	IDEM_NOTE_TABLE_RENAMED,
	IDEM_NOTE_TABLE_DROPPED,
	IDEM_NOTE_SCHEMA_RENAMED,
	IDEM_NOTE_OWN_TABLE,		/* a table of idem itself was changed */
	IDEM_NOTE_PASSED			/* allowed by idem.allow_unguarded */
} IdemNoteType;

typedef struct IdemNote
{
	IdemNoteType type;
	SubTransactionId subid;		/* who noted it */
	CommandId	cid;			/* when: it is not visible to this command */
	Oid			relid;			/* table or schema it happened to */
	char	   *schema;			/* as it was called before */
	char	   *table;
	Oid			other;			/* parent trigger; parent; schema before */
	const struct IdemGuardKind *kind;	/* of a dropped trigger */
	char	   *name;			/* of the guard */
	List	   *settings;		/* of a dropped trigger */
	char	   *what;			/* was done, and let pass; why rows went */
	char	   *guard_kind;		/* of what was passed */
	List	   *before;			/* what was wrong with our tables before */
} IdemNote;

/* doctor_note.c */
extern void idem_doctor_note_init(void);
extern bool idem_has_triggers(Oid relid);
extern IdemNote *idem_note(IdemNoteType type, Oid relid);
extern void idem_note_change(IdemNoteType type, Oid relid);
extern void idem_note_passed(Oid relid, const char *kind, const char *name,
							 const char *what);
extern void idem_note_own_table(Oid relid, List *before);
extern void idem_begin_notes(void);
extern List *idem_noted(void);
extern List *idem_take_notes(CommandId *cid);

/* doctor_watch.c */
extern void idem_doctor_watch_init(void);

/* doctor_type.c */
extern void idem_check_type(Oid type, bool kept, const char *what);

/* doctor_tables.c */
extern bool idem_is_own(Oid catalog, Oid object);
extern bool idem_is_own_table(Oid relid);
extern bool idem_in_own_script(void);
extern void idem_tables_at_start(Node *parsetree);
extern void idem_check_unlogged(Relation rel);
extern void idem_settle_own_table(const List *before);

/* doctor_refuse.c */
extern char *idem_allow_unguarded;
extern char *idem_drop_reason;
extern void idem_doctor_refuse_init(void);
extern bool idem_reason_given(void);
extern bool idem_lets_pass(Oid relid, const char *kind, const char *name,
						   const char *what);
extern const char *idem_reason_to_drop(Oid relid);
extern void idem_refuse_change(Oid relid, const char *kind, const char *name,
							   const char *what, const char *why);
extern void idem_refuse_state(Oid relid, const char *kind, const char *name,
							  const char *command, const char *problem);
extern void idem_refuse_trigger(Oid relid, const struct IdemGuardKind *kind,
								const struct IdemGuard *guard, Oid bound,
								const char *what);

/* doctor_settle.c */
extern void idem_settle_notes(const char *command);
extern void idem_judge_detached(Oid top, const struct IdemGuardKind *kind,
								struct IdemGuard *guard, Oid partition);

/* doctor_judge.c */
extern void idem_judge(List *touched, List *relied, CommandId cid,
					   const char *command);

#endif							/* IDEM_DOCTOR_H */
