/*
 * limit.h
 *		Declarations that the files of the room limit share.
 */
#ifndef IDEM_LIMIT_H
#define IDEM_LIMIT_H

#include "datatype/timestamp.h"
#include "total/total.h"

/* the triggers of child and parent, in schema idem */
#define IDEM_LIMIT_FUNCTION "keep_limit"
#define IDEM_LIMIT_COUNTERPART "keep_total"

/* What a child does to the totals of its parent: step of a note. */
typedef enum IdemLimitStep
{
	IDEM_LIMIT_REQUEST,			/* counts, if it fits */
	IDEM_LIMIT_FACT,			/* counts, whatever the limit is */
	IDEM_LIMIT_RELEASE			/* no longer counts */
} IdemLimitStep;

/* What the trigger of a child keeps, from its arguments. */
typedef struct IdemLimitSettings
{
	IdemTotal	total;			/* must be first */
	Bitmapset  *row_key;		/* primary key without the state itself */
	IdemStates	released;		/* child states that do not count */
	IdemStates	facts;			/* child states that count in any case */
	IdemStates	open;			/* parent states that take children */
	IdemStates	exact;			/* parent states that need all they declare */
	int64		count_cap;		/* how many children; 0: any number */
	Interval   *max_age;		/* of a parent that takes children, or NULL */
	bool		editable;
} IdemLimitSettings;

/* Columns of the parent, by their place in what is looked at. */
typedef enum IdemLimitColumn
{
	IDEM_LIMIT_USED = IDEM_TOTAL_KEPT,
	IDEM_LIMIT_EXCESS,
	IDEM_LIMIT_CAP = IDEM_TOTAL_BOUND,
	IDEM_LIMIT_STATE = IDEM_TOTAL_JUDGED,
	IDEM_LIMIT_SINCE,
	IDEM_LIMIT_DECLARED
} IdemLimitColumn;

/* The totals of a limit */
#define IDEM_USED(totals)	((totals)->value[IDEM_LIMIT_USED])
#define IDEM_EXCESS(totals)	((totals)->value[IDEM_LIMIT_EXCESS])

#define IDEM_LIMIT_SETTINGS(c)	((IdemLimitSettings *) (c)->total)

/* limit_count.c */
extern bool idem_limit_next(IdemTotalChange *c, IdemTotals *next);
extern bool idem_limit_count(IdemTotalChange *c, IdemTotals *next);

/* limit_judge.c */
extern void idem_limit_judge(IdemTotalChange *c, const IdemTotalNote *note);

/* limit_pause.c */
extern void idem_limit_check_pause(const IdemGuardCall *call);

/* limit_settings.c */
extern void *idem_limit_compile(Relation rel, Trigger *trigger, Oid *also);

/* limit_report.c */
extern void idem_limit_report_exceeded(IdemTotalChange *c);
_Noreturn extern void idem_limit_report_not_open(IdemTotalChange *c);
_Noreturn extern void idem_limit_report_too_old(IdemTotalChange *c);

#endif							/* IDEM_LIMIT_H */
