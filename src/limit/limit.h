/*
 * limit.h
 *		What the files of the room limit share.
 */
#ifndef IDEM_LIMIT_H
#define IDEM_LIMIT_H

#include "access/attnum.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/kind.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

/* The foreign key a limit rides on; columns in the order of the key. */
typedef struct IdemLimitKey
{
	Oid			child;			/* table at the top */
	Oid			parent;			/* table at the top */
	Oid			index;			/* unique index of the parent's columns */
	NameData	name;			/* of the constraint */
	int			n;				/* number of columns */
	AttrNumber	child_column[INDEX_MAX_KEYS];	/* of the table at the top */
	AttrNumber	parent_column[INDEX_MAX_KEYS];	/* of the table at the top */
	Oid			equal_child[INDEX_MAX_KEYS];	/* operator parent = child */
	Oid			equal_parent[INDEX_MAX_KEYS];	/* operator parent = parent */
} IdemLimitKey;

/* A child table of a running total, for who looks at all rows. */
typedef struct IdemLimitChild
{
	IdemLimitKey key;
	char	   *amount;
	char	   *state;			/* or NULL */
	List	   *released;
	List	   *facts;
} IdemLimitChild;

/* The arithmetic of the one type that amount, cap and used have. */
typedef struct IdemAmountType
{
	Oid			type;			/* never a domain */
	FmgrInfo	compare;
	FmgrInfo	plus;
	FmgrInfo	minus;
	FmgrInfo	output;
	Datum		zero;
} IdemAmountType;

/* An equality that a nondeterministic collation cannot soften. */
typedef struct IdemEquality
{
	FmgrInfo	function;
	Oid			collation;
} IdemEquality;

/* Some values of a state column. */
typedef struct IdemStates
{
	AttrNumber	column;			/* 0: there is no such column */
	bool		all;			/* {*}: every row, whatever its state */
	int			n;
	Datum	   *values;
	IdemEquality equal;
} IdemStates;

/* What a child does to the totals of its parent. */
typedef enum IdemLimitStep
{
	IDEM_LIMIT_REQUEST,			/* counts, if it fits */
	IDEM_LIMIT_FACT,			/* counts, whatever the limit is */
	IDEM_LIMIT_RELEASE			/* no longer counts */
} IdemLimitStep;

/* What a parent row has; columns that it lacks stay 0. */
typedef struct IdemTotals
{
	Datum		used;			/* never above the cap */
	Datum		excess;			/* what facts took beyond it */
	int64		count;			/* children that count */
} IdemTotals;

/*
 * One change of the totals as the guard announces it in backend memory;
 * lives on the C stack of the announcer.
 */
typedef struct IdemLimitChange
{
	Oid			parent;			/* table at the top */
	Oid			child;			/* table at the top */
	const char *fk;				/* which with the child says who announces */
	const char *used;			/* column of the running total */
	int			nkeys;			/* key of the row */
	const Datum *key;
	const Oid  *key_type;		/* of the parent's columns */
	FmgrInfo   *equal;			/* parent = child, a column each */
	IdemLimitStep step;
	Datum		amount;
	bool		accepted;		/* the counterpart has seen it */
	struct IdemLimitChange *outer;	/* announced before, still under way */
} IdemLimitChange;

/*
 * Columns of the parent row that a guard looks at, by their place in what its
 * statements return; the compared columns follow.
 */
typedef enum IdemParentColumn
{
	IDEM_PARENT_CAP,
	IDEM_PARENT_USED,
	IDEM_PARENT_EXCESS,
	IDEM_PARENT_COUNT,
	IDEM_PARENT_STATE,
	IDEM_PARENT_SINCE,
	IDEM_PARENT_SAME
} IdemParentColumn;

/* The statements on the parent. */
typedef enum IdemLimitStatement
{
	IDEM_STATEMENT_REQUEST = IDEM_LIMIT_REQUEST,
	IDEM_STATEMENT_FACT = IDEM_LIMIT_FACT,
	IDEM_STATEMENT_RELEASE = IDEM_LIMIT_RELEASE,
	IDEM_STATEMENT_LOOK
} IdemLimitStatement;

#define IDEM_LIMIT_STATEMENTS 4

/* A child column and the parent column that must have the same value. */
typedef struct IdemLimitPair
{
	AttrNumber	child;
	IdemEquality equal;
} IdemLimitPair;

typedef struct IdemDirect IdemDirect;	/* limit_direct.c */

/* What the trigger of a child keeps, from its arguments. */
typedef struct IdemLimitSettings
{
	IdemLimitKey key;
	char	   *fk_text;		/* as the trigger names the foreign key */
	Bitmapset  *row_key;		/* primary key without the state itself */
	AttrNumber	fk[INDEX_MAX_KEYS]; /* of the table that fired */
	Oid			fk_type[INDEX_MAX_KEYS];
	Oid			key_type[INDEX_MAX_KEYS];	/* of the parent's columns */
	FmgrInfo	fk_equal[INDEX_MAX_KEYS];	/* parent = child */
	AttrNumber	amount_column;
	IdemAmountType amount;
	int32		amount_typmod;
	IdemStates	released;		/* child states that do not count */
	IdemStates	facts;			/* child states that count in any case */
	IdemStates	open;			/* parent states that take children */
	int64		count_cap;		/* how many children; 0: any number */
	Interval   *max_age;		/* of a parent that takes children, or NULL */
	int			npairs;
	IdemLimitPair *pairs;
	int			ncolumns;		/* IDEM_PARENT_SAME + npairs */
	const char **column;		/* names of parent columns, or NULL */
	AttrNumber *number;			/* their numbers, or 0 */
	bool		judged;			/* is there more to judge than the room? */
	bool		editable;
	int			busy;			/* executions of plans under way */
	SPIPlanPtr	plans[IDEM_LIMIT_STATEMENTS];	/* kept, NULL until needed */
	IdemDirect *direct;			/* NULL: the executor has to do it */
} IdemLimitSettings;

/* One change of a parent's totals for one child row. */
typedef struct IdemLimitCall
{
	const IdemGuardCall *call;
	IdemLimitSettings *s;
	TupleTableSlot *row;		/* the image of the child that counts */
	IdemLimitStep step;
	Relation	parent;
	Datum		amount;
	Datum		key[INDEX_MAX_KEYS];
	TupleTableSlot *seen;		/* parent row; NULL: it is in SPI_tuptable */
} IdemLimitCall;

/* How a change of the totals ended. */
typedef enum IdemLimitResult
{
	IDEM_LIMIT_DONE,			/* the parent row is changed */
	IDEM_LIMIT_NO_ROOM,			/* it does not fit; the row is locked */
	IDEM_LIMIT_NO_ROW,
	IDEM_LIMIT_NOT_PLAIN		/* nothing is done: by the executor, please */
} IdemLimitResult;

/* limit.c */
extern void idem_limit_totals(IdemLimitCall *c, IdemTotals *totals);
extern bool idem_limit_next(IdemLimitCall *c, IdemTotals *next);

/* limit_settings.c */
extern void *idem_limit_compile(Relation rel, Trigger *trigger, Oid *also);

/* limit_key.c */
extern void idem_limit_find_key(Oid child, List *columns, int sqlstate,
								IdemLimitKey *key);
extern char *idem_limit_key_problem(const IdemGuard *guard,
									Snapshot snapshot);
extern List *idem_limit_parent_columns(const IdemLimitKey *key);
extern List *idem_limit_child_columns(const IdemLimitKey *key);
extern bool idem_limit_same_key(const IdemLimitKey *a, const IdemLimitKey *b);
extern void idem_limit_check_key_types(Relation child,
									   const IdemLimitKey *key);

/* limit_type.c */
extern bool idem_amount_type_supported(Oid type);
extern void idem_amount_type_init(IdemAmountType *amount, Oid type);
extern int	idem_amount_compare(IdemAmountType *amount, Datum a, Datum b);
extern bool idem_amount_is_finite(IdemAmountType *amount, Datum value);
extern char *idem_amount_text(IdemAmountType *amount, Datum value);
extern bool idem_totals_step(IdemAmountType *amount, IdemLimitStep step,
							 Datum cap, Datum value, IdemTotals *totals);
extern bool idem_count_type_supported(Oid type);
extern int64 idem_count_value(Oid type, Datum value);
extern Datum idem_count_datum(Oid type, int64 value);
extern void idem_equality_init(IdemEquality *equal, Oid left, Oid right);
extern bool idem_equal(IdemEquality *equal, Datum a, Datum b);
extern void idem_states_init(IdemStates *states, Relation rel,
							 const char *column, List *labels);
extern bool idem_states_contain(IdemStates *states, Datum state, bool isnull);
extern Oid	idem_column_base_type(Relation rel, AttrNumber column,
								  int32 *typmod);
extern char *idem_limit_type_name(Oid type);

/* limit_total.c */
extern void idem_limit_announce(IdemLimitChange *change);
extern void idem_limit_withdraw(IdemLimitChange *change);
extern void idem_limit_require_total(Relation rel, Trigger *trigger,
									 Relation parent,
									 const IdemLimitKey *key);
extern const char *idem_limit_excess_column(Relation parent, const char *used);
extern bool idem_limit_is_trigger(Trigger *trigger, const char *function);
extern bool idem_limit_is_readable(Trigger *trigger, const char *function);
extern bool idem_limit_same_setting(Trigger *a, Trigger *b, const char *name);
extern void idem_limit_set_filling(Oid parent);

/* limit_sums.c */
extern char *idem_limit_equal_sql(const char *left, Oid left_type,
								  const char *right, Oid right_type);
extern char *idem_limit_counted_sql(const IdemLimitChild *child);
extern char *idem_limit_sums_sql(List *children);
extern char *idem_limit_join_sql(const IdemLimitKey *key, const char *other);
extern IdemLimitChild *idem_limit_child(Trigger *total);
extern List *idem_limit_children(Relation parent, const char *used);

/* limit_direct.c */
extern IdemDirect *idem_direct_compile(Relation parent,
									   IdemLimitSettings *s);
extern IdemLimitResult idem_direct_change(IdemLimitCall *c);

/* limit_statement.c */
extern IdemLimitResult idem_statement_change(IdemLimitCall *c);
extern void idem_statement_free(IdemLimitSettings *s);

/* limit_report.c */
extern Datum idem_parent_value(IdemLimitCall *c, int column, bool *isnull);
pg_noreturn extern void idem_report_exceeded(IdemLimitCall *c);
pg_noreturn extern void idem_report_no_parent(IdemLimitCall *c);
pg_noreturn extern void idem_report_mismatch(IdemLimitCall *c, int pair);
pg_noreturn extern void idem_report_not_open(IdemLimitCall *c);
pg_noreturn extern void idem_report_too_old(IdemLimitCall *c);
pg_noreturn extern void idem_report_not_kept(IdemLimitCall *c);

#endif							/* IDEM_LIMIT_H */
