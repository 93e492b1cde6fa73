/*
 * kind.h
 *		The kinds of guards there are, as their rooms describe them.
 *
 * A room registers its trigger functions when the library is loaded.  Room
 * doctor, which looks at the guards as a whole, asks here and knows no other
 * room.
 */
#ifndef IDEM_KIND_H
#define IDEM_KIND_H

#include "nodes/pg_list.h"
#include "utils/snapshot.h"

struct IdemGuard;
struct IdemSetting;

/*
 * What is wrong with rows that are looked at: a sentence without full stop,
 * "3 rows in a state that ...", or NULL.  May raise.  Connected to SPI.
 */
typedef char *(*IdemRowsCheck) (const struct IdemGuard *guard, Oid rows);

/*
 * What is wrong with what a guard relies on, as the catalog has it at a
 * snapshot, NULL the latest: a sentence without full stop, or NULL.  Opens and
 * locks no table, reads no row.
 */
typedef char *(*IdemShapeCheck) (const struct IdemGuard *guard,
								 Snapshot snapshot);

/* Can a column that the setting names have this type, below domains? */
typedef bool (*IdemTypeCheck) (const char *setting, Oid type);

/*
 * Its rows were truncated: set the totals that it keeps elsewhere to what they
 * are without them.
 */
typedef void (*IdemRecount) (const struct IdemGuard *guard);

/* idem_guard_declaration, of a guard whose trigger does not say it all. */
typedef char *(*IdemDeclaration) (const struct IdemGuard *guard);

/* One trigger function, and the triggers that call it. */
typedef struct IdemGuardKind
{
	const char *kind;			/* states, limit, fixed, ... */
	const char *function;		/* its name in schema idem */
	bool		decides;		/* false: the counterpart on another table,
								 * bound to the guarded one (tgconstrrelid) */
	bool		needs_key;		/* the table must keep a primary key */
	bool		keeps_all;		/* no column may change */
	bool		on_shards;		/* it holds on the shards of a table that is
								 * spread over nodes, too */
	bool		keeps_rows;		/* TRUNCATE is refused, too, ... */
	const char *statement;		/* ... by the function of its trigger at the
								 * end of statements; NULL: by the one that
								 * does nothing else */
	const char *unless;			/* not if this is one of the settings */
	const struct IdemSetting *settings; /* that the function knows */
	const int16 *types;			/* pg_trigger.tgtype as idem declares it, one
								 * of these; 0 ends them */
	IdemRowsCheck check_rows;	/* all rows of the guard; or NULL */
	bool		validates;		/* idem.validate_guard() reads them so, too */
	bool		defers;			/* with deferred=true its triggers fire when
								 * the transaction commits */
	const char *remedy;			/* for what check_rows finds */
	IdemRowsCheck check_open;	/* rows that follow their rule and that need
								 * somebody to act; or NULL */
	const char *open_remedy;	/* for what check_open finds */
	IdemRowsCheck check_attached;	/* rows of a table that becomes a
									 * partition; or NULL */
	IdemRowsCheck check_detached;	/* rows of a partition that leaves; or
									 * NULL */
	IdemShapeCheck check_shape; /* what else the guard relies on is still
								 * there; or NULL */
	IdemTypeCheck takes_type;	/* or NULL: any type */
	const char *together;		/* the kind of a guard that is declared, and
								 * taken off, with it; or NULL */
	const char *named_by;		/* the setting by which guards of other tables
								 * name the table of this one; or NULL */
	IdemRecount recount;		/* or NULL: it keeps nothing of rows that
								 * TRUNCATE takes, or TRUNCATE is refused
								 * whatever the reason */
	const char *declares;		/* the function in schema idem that puts it on
								 * a table; NULL: it comes with another */
	const char *const *renamed; /* settings that are not named as the argument
								 * of that function, each followed by the
								 * argument; NULL ends them; or NULL: none */
	IdemDeclaration declaration;	/* or NULL: the settings say it all */
} IdemGuardKind;

/* of the trigger that refuses TRUNCATE for a guard, if it does nothing else */
#define IDEM_TRUNCATE_FUNCTION "refuse_truncate"

extern void idem_register_kind(const IdemGuardKind *kind);
extern List *idem_all_kinds(void);
extern const struct IdemSetting *idem_known_settings(const char *function);
extern const IdemGuardKind *idem_kind_of_function(Oid function);
extern const IdemGuardKind *idem_kind_named(const char *kind);
extern bool idem_kind_holds_on_shards(const char *function);
extern char *idem_kinds_on_shards(void);
extern const char *idem_statement_function(const IdemGuardKind *kind);
extern bool idem_is_statement_function(const char *function);
extern int16 idem_statement_type(const char *function);
extern const char *idem_statement_events(const char *function);
extern const char *idem_statement_word(const char *function);
extern bool idem_is_our_function(Oid function);

#endif							/* IDEM_KIND_H */
