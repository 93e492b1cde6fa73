/*
 * total.h
 *		Totals in a parent's row, and the changes that children make to them.
 *
 * A limit, or a balance, is a row of a parent in which a guard keeps what the
 * rows that reference it add up to.  This room finds that row, changes it, and
 * keeps others from changing it.  The room that has the guard says how a child
 * changes it, and words the refusals.
 */
#ifndef IDEM_TOTAL_H
#define IDEM_TOTAL_H

#include "access/attnum.h"
#include "executor/spi.h"
#include "nodes/bitmapset.h"
#include "utils/relcache.h"

#include "base/guard.h"
#include "total/total_key.h"
#include "total/total_type.h"

/* How many amounts a guard may keep in a parent row. */
#define IDEM_TOTAL_VALUES	3

/* The values of a parent row; amounts that it lacks are 0. */
typedef struct IdemTotals
{
	/* in the order of the counterpart's settings: used, excess */
	Datum		value[IDEM_TOTAL_VALUES];
	int64		count;			/* children that count */
} IdemTotals;

/*
 * Columns of the parent row that a guard looks at, by their place in what its
 * statements return; the compared columns follow.  Those before the count have
 * the type of the amounts.  The rooms have names of their own for them.
 */
typedef enum IdemTotalColumn
{
	IDEM_TOTAL_KEPT,			/* the amounts that are kept, ... */
	IDEM_TOTAL_BOUND = IDEM_TOTAL_VALUES,	/* ... and what bounds them */
	IDEM_TOTAL_BOUND_TOO,
	IDEM_TOTAL_COUNT,			/* kept, too */
	IDEM_TOTAL_JUDGED,			/* what else children are judged by */
	IDEM_TOTAL_JUDGED_TOO,
	IDEM_TOTAL_DECLARED,		/* how many children it declares */
	IDEM_TOTAL_SAME
} IdemTotalColumn;

#define IDEM_TOTAL_IS_KEPT(place) \
	((place) < IDEM_TOTAL_VALUES || (place) == IDEM_TOTAL_COUNT)

struct IdemTotalChange;
struct IdemTotalNote;
typedef struct IdemDirect IdemDirect;	/* total_direct.c */

/* The functions of the room of a guard for a parent row. */
typedef struct IdemTotalRoom
{
	/* the totals after all notes; false: a note, now c->refused, has no room */
	bool		(*next) (struct IdemTotalChange *c, IdemTotals *next);
	/* raises unless the row, as it is locked, is one for this child */
	void		(*judge) (struct IdemTotalChange *c,
						  const struct IdemTotalNote *note);
	/* raise: c->refused does not fit; there is no row of the key */
	void		(*report_exceeded) (struct IdemTotalChange *c);
	void		(*report_no_parent) (struct IdemTotalChange *c);
	/* what guards that share a total do to a row is one change of it */
	bool		merges;
	/* is the row one whose totals are kept in another way?  NULL: none is */
	bool		(*passes) (struct IdemTotalChange *c);
} IdemTotalRoom;

/*
 * A total as the trigger of one table of children keeps it: columns by number
 * and functions, from its arguments and the catalog.  The first member of the
 * settings that the room of the guard compiles.
 */
typedef struct IdemTotal
{
	const IdemTotalRoom *room;
	IdemTotalKey key;
	const char *kind;			/* of the guard */
	Oid			relid;			/* the table that fired; has the trigger ... */
	char	   *trigger;		/* ... of this name */
	char	   *fk_text;		/* as the trigger names the foreign key */
	bool		is_last;		/* no other total's trigger fires behind it */
	bool		at_once;		/* each row by itself: of a shard, which has
								 * no trigger at the end of a statement */
	Oid			fk_type[INDEX_MAX_KEYS];
	Oid			key_type[INDEX_MAX_KEYS];	/* of the parent's columns */
	FmgrInfo	fk_equal[INDEX_MAX_KEYS];	/* parent = child */
	FmgrInfo	fk_order[INDEX_MAX_KEYS];	/* of two children */
	Oid			collation[INDEX_MAX_KEYS];
	AttrNumber	amount_column;
	IdemAmountType amount;
	int32		amount_typmod;
	int			npairs;			/* compared columns */
	IdemEquality *equal;		/* parent = child, of each of them */
	int			nvalues;		/* of a note: key columns, then compared ones */
	AttrNumber *source;			/* of the table that fired, each of them */
	int16	   *len;
	bool	   *byval;
	int			ncolumns;		/* of the parent that are looked at */
	const char **column;		/* their names (IdemTotalColumn), or NULL */
	AttrNumber *number;			/* their numbers, or 0 */
	int			busy;			/* executions of plans under way */
	SPIPlanPtr	look;			/* kept plans, NULL until needed */
	SPIPlanPtr	change;
	IdemDirect *direct;			/* NULL: the executor has to do it */
} IdemTotal;

/*
 * The effect of one stored child on its parent's totals, as its trigger saw
 * it.  Only the room reads step and begins.
 */
typedef struct IdemTotalNote
{
	IdemTotal  *total;
	struct IdemTotalNote *next;
	uint64		n;				/* in the order of the rows */
	int			step;
	bool		begins;
	bool		inserted;		/* what its writer has written is no secret */
	Datum		amount;
	Datum		other;			/* a second amount, or 0 */
	NullableDatum values[FLEXIBLE_ARRAY_MEMBER];	/* key, compared columns */
} IdemTotalNote;

#define SizeOfIdemTotalNote(total) \
	(offsetof(IdemTotalNote, values) + (total)->nvalues * sizeof(NullableDatum))

/* One change of one parent row, for some children of one guard. */
typedef struct IdemTotalChange
{
	IdemTotal  *total;
	Relation	parent;
	IdemTotalNote **notes;		/* in the order of the rows */
	int			n;
	const IdemTotalNote *refused;	/* by room->next */
	TupleTableSlot *seen;		/* the parent row ... */
	SPITupleTable *looked;		/* ... or where it is, if that is NULL */
} IdemTotalChange;

/* How a change of the totals ended. */
typedef enum IdemTotalResult
{
	IDEM_TOTAL_DONE,			/* the parent row is changed */
	IDEM_TOTAL_NO_ROOM,			/* c->refused does not fit; the row is locked */
	IDEM_TOTAL_NO_ROW,
	IDEM_TOTAL_NOT_PLAIN		/* nothing is done: by the executor, please */
} IdemTotalResult;

/*
 * One change of the totals as the guard announces it in backend memory;
 * lives on the C stack of the announcer.
 */
typedef struct IdemTotalStep
{
	const IdemTotal *total;
	const IdemTotalNote *note;	/* has the key of the row */
	IdemTotals	before;
	IdemTotals	after;
	bool		accepted;		/* the counterpart has seen it */
	struct IdemTotalStep *outer;	/* announced before, still under way */
} IdemTotalStep;

/* total.c */
extern void idem_total_init(void);
extern IdemTotal *idem_total_open(const IdemGuardCall *call,
								  IdemGuardCompile compile);
extern IdemTotalNote *idem_total_note(const IdemGuardCall *call,
									  IdemTotal *total, TupleTableSlot *row,
									  int step);
extern void idem_total_noted(const IdemGuardCall *call, IdemTotal *total,
							 IdemTotalNote **notes, int n);

/* total_change.c */
extern void idem_total_apply(IdemTotalNote **notes, int n);

/* total_row.c */
extern Datum idem_total_value(IdemTotalChange *c, int column, bool *isnull);
extern void idem_total_read(IdemTotalChange *c, IdemTotals *totals);
extern Datum idem_total_amount(IdemTotalChange *c, int column);
_Noreturn extern void idem_total_report_not_kept(IdemTotalChange *c);

/* total_child.c */
extern void idem_total_check_amount(const IdemGuardCall *call,
									IdemTotal *total, bool is_signed);
extern bool idem_total_same_amount(const IdemGuardCall *call,
								   IdemTotal *total);
extern bool idem_total_same_values(const IdemGuardCall *call,
								   IdemTotal *total, int from, int to,
								   AttrNumber *changed);
_Noreturn extern void idem_total_refuse_change(const IdemGuardCall *call,
											   IdemTotal *total,
											   AttrNumber column);
extern void idem_total_check_kept(const IdemGuardCall *call,
								  IdemTotal *total, Bitmapset *row_key);
extern void idem_total_judge_same(IdemTotalChange *c,
								  const IdemTotalNote *note);

/* total_report.c */
extern const char *idem_total_parent_text(IdemTotalChange *c, int column);
extern char *idem_total_key_text(IdemTotalChange *c);
extern char *idem_total_amount_text(const IdemTotalNote *note, Datum amount);
extern int	idem_total_fields(const IdemTotal *total, AttrNumber column);
extern int	idem_total_guard_fields(const IdemTotal *total);
extern void idem_total_report_no_parent(IdemTotalChange *c);
_Noreturn extern void idem_total_report_mismatch(IdemTotalChange *c,
												 const IdemTotalNote *note,
												 int pair);

/* total_exact.c */

typedef struct IdemExact IdemExact; /* what a parent declares of its children */

extern IdemExact *idem_exact_compile(Relation parent, Trigger *trigger);
extern void idem_exact_judge(const IdemGuardCall *call, IdemExact *exact);
extern char *idem_exact_detail(const char *column, const char *state,
							   const char *limit, const char *used,
							   const char *declared, int64 counted);

/* total_compile.c */
extern Relation idem_total_open_parent(Relation rel, Trigger *trigger,
									   Oid *also, IdemTotal *total);
extern void idem_total_compile(Relation rel, Trigger *trigger,
							   Relation parent, const char **columns,
							   int ncolumns, List *compared,
							   IdemTotal *total);

/* total_keep.c */
extern void idem_total_announce(IdemTotalStep *step);
extern void idem_total_withdraw(IdemTotalStep *step);

/* total_direct.c */
extern IdemDirect *idem_direct_compile(Relation parent, IdemTotal *total);
extern IdemTotalResult idem_direct_change(IdemTotalChange *c);

/* total_statement.c */
extern IdemTotalResult idem_statement_look(IdemTotalChange *c);
extern void idem_statement_change(IdemTotalChange *c, const IdemTotals *next);
extern void idem_statement_free(IdemTotal *total);

#endif							/* IDEM_TOTAL_H */
