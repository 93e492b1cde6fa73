/*
 * machine_watch.h
 *		Looking at the rows that stand in some states.
 */
#ifndef IDEM_MACHINE_WATCH_H
#define IDEM_MACHINE_WATCH_H

#include "base/kind.h"
#include "base/kind_guard.h"
#include "machine/machine.h"

/* A guard whose rows are looked at */
typedef struct IdemWatch
{
	IdemGuard	guard;			/* must be first: what a check is handed */
	const char *column;
	ReturnSetInfo *rsinfo;		/* what is found goes there */
	IdemMachine *machine;		/* in force; set by idem_watch_begin */
	Oid			root;			/* as history knows the table */
	AttrNumber	number;			/* of the column */
	int64	   *within;			/* microseconds, of each state; 0: no such
								 * time */
	bool		may_read;		/* the caller may see which row it is */
	TimestampTz now;
	bool		asked;			/* declared has been looked up */
	TimestampTz declared;		/* when the guard was declared; 0: nobody
								 * knows */
	void	   *found;			/* of whoever looks */
} IdemWatch;

/* A row that stands in a state; the texts last as long as the call. */
typedef void (*IdemWatchRow) (IdemWatch *watch, int state, const char *key);

/* The rows of a guard could not be looked at: why */
typedef void (*IdemWatchUnread) (IdemWatch *watch, const char *why);

extern bool idem_watch_asks(const IdemGuarded *guarded);
extern void idem_watch_at_guards(ReturnSetInfo *rsinfo, IdemRowsCheck look,
								 IdemWatchUnread unread);
extern void idem_watch_begin(IdemWatch *watch, Relation rel);
extern List *idem_watch_timed(const IdemWatch *watch, bool timed);
extern void idem_watch_rows(IdemWatch *watch, Relation rel, List *states,
							IdemWatchRow row);
extern bool idem_watch_since(IdemWatch *watch, int state, const char *key,
							 TimestampTz *since);
extern void idem_watch_counts(Relation rel, const IdemMachine *machine,
							  AttrNumber number, List *states, int64 *counts);

#endif							/* IDEM_MACHINE_WATCH_H */
