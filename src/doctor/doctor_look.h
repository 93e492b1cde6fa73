/*
 * doctor_look.h
 *		The guards of some tables as the catalog has them, and what is wrong.
 */
#ifndef IDEM_DOCTOR_LOOK_H
#define IDEM_DOCTOR_LOOK_H

#include "catalog/pg_class.h"
#include "nodes/pg_list.h"
#include "utils/hsearch.h"
#include "utils/snapshot.h"

#include "base/catalog.h"
#include "base/kind_guard.h"

/* A trigger function of ours */
typedef struct IdemSeenFunction
{
	Oid			oid;
	bool		is_guard;		/* one of a guard, or what refuses TRUNCATE */
	const struct IdemGuardKind *kind;	/* NULL: it refuses TRUNCATE */
	char	   *name;
	bool		is_ours;		/* still the one in the library of idem */
} IdemSeenFunction;

/* A trigger that calls one */
typedef struct IdemSeenTrigger
{
	IdemGuard	guard;			/* table, name, kind and settings; a clone's
								 * settings are not read */
	Oid			oid;
	const IdemSeenFunction *function;	/* that it calls */
	Oid			other;			/* tgconstrrelid: of a total, the child */
	bool		is_clone;		/* of the trigger of a table above */
	char		enabled;		/* pg_trigger.tgenabled */
	bool		as_declared;	/* time, events and conditions are idem's */
	bool		is_ours;		/* so is its function */
	char	   *problem;		/* of its arguments, or NULL */
} IdemSeenTrigger;

/* A column that a guard relies on */
typedef struct IdemSeenColumn
{
	const IdemSeenTrigger *trigger; /* that names it */
	char	   *name;
	AttrNumber	attnum;
	Oid			type;
} IdemSeenColumn;

/* What keeps a guard from guarding */
typedef struct IdemProblem
{
	Oid			relid;			/* the guarded table */
	const char *kind;			/* of the guard, or "extension" */
	char	   *name;			/* of its trigger */
	Oid			member;			/* the table that has the problem; or none */
	char	   *problem;		/* a sentence without full stop */
	char	   *remedy;			/* what puts it right */
} IdemProblem;

/* One look, at some tables or at all of them */
typedef struct IdemLook
{
	Snapshot	snapshot;		/* of the catalog; NULL: the latest */
	bool		all;			/* at all tables: their triggers are read */
	bool		alone;			/* not at what is below a table */
	HTAB	   *tables;			/* what is known of each table, by its OID */
	List	   *functions;		/* IdemSeenFunction * */
	List	   *triggers;		/* IdemSeenTrigger *, of the tables looked at */
	List	   *columns;		/* IdemSeenColumn *, of the same */
	List	   *problems;		/* IdemProblem * */
} IdemLook;

/* doctor_look.c */
extern IdemLook *idem_look_begin(Snapshot snapshot, bool all);
extern List *idem_look_triggers(IdemLook *look, Oid relid);
extern List *idem_look_tables(IdemLook *look);
extern const IdemSeenTrigger *idem_look_deciding(IdemLook *look,
												 const IdemSeenTrigger *seen);
extern List *idem_look_rows(const IdemLook *look, Oid catalog, Oid index,
							AttrNumber column, Oid oid);
extern Form_pg_class idem_look_class(IdemLook *look, Oid relid);
extern List *idem_look_parents(IdemLook *look, Oid relid);
extern List *idem_look_children(const IdemLook *look, Oid relid);

/* doctor_intact.c */
extern char *idem_table_name(Oid relid);
extern const IdemSeenTrigger *idem_look_counterpart(IdemLook *look,
													const IdemGuard *guard);
extern void idem_look_at(IdemLook *look, Oid relid);
extern void idem_look_at_all(IdemLook *look);

#endif							/* IDEM_DOCTOR_LOOK_H */
