/*
 * pause.h
 *		What is paused, as every call has to know it.
 */
#ifndef IDEM_PAUSE_H
#define IDEM_PAUSE_H

#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/timestamp.h"

/* One thing that is paused. */
typedef struct IdemPause
{
	const char *kind;			/* scope, channel, machine or limit */
	const char *name;			/* of a limit, the trigger of its guard */
	const char *state;			/* of a machine; else "" */
	Oid			relid;			/* of a limit, the table that bears it */
	TimestampTz at;
	const char *role;
	const char *reason;
} IdemPause;

/* What a session knows of pauses. */
typedef enum IdemPauses
{
	IDEM_PAUSES_UNKNOWN,		/* not read, or changed since */
	IDEM_PAUSES_NONE,
	IDEM_PAUSES_SOME
} IdemPauses;

extern IdemPauses idem_pauses;

extern const IdemPause *idem_find_pause(const char *kind, const char *name,
										const char *state, Oid relid);

/* May anything be paused?  All that a call pays for while nothing is. */
static inline bool
idem_any_paused(void)
{
	return unlikely(idem_pauses != IDEM_PAUSES_NONE);
}

/*
 * The pause of a thing, or NULL.  Of now, if the caller has called
 * idem_accept_news (latest.h).
 */
static inline const IdemPause *
idem_paused(const char *kind, const char *name, const char *state, Oid relid)
{
	return idem_any_paused() ? idem_find_pause(kind, name, state, relid) :
		NULL;
}

extern char *idem_pause_text(const IdemPause *pause);

/*
 * What idem.pause and idem.resume are about, as the room finds it that knows
 * the kind: 42704 if there is none, 22023 for arguments that do not fit it.
 */
typedef struct IdemPauseTarget
{
	const char *name;			/* under which the pause is kept */
	const char *state;			/* "" for none */
	Oid			relid;			/* of a guard, its table; else InvalidOid */
	const char *logged;			/* name in idem.change_log */
} IdemPauseTarget;

typedef void (*IdemPauseFind) (const char *name, const char *state,
							   ArrayType *fk, IdemPauseTarget *target);

extern void idem_pause_register(const char *kind, IdemPauseFind find);
extern IdemPauseFind idem_pause_kind(const char *kind);
extern void idem_pause_refuse_argument(const char *kind, const char *argument,
									   bool given);

#endif							/* IDEM_PAUSE_H */
