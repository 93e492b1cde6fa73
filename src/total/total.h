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
#include "access/skey.h"
#include "access/tableam.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/kind.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

/* The foreign key a total rides on; columns in the order of the key. */
typedef struct IdemTotalKey
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
} IdemTotalKey;

/*
 * What fills a total: which rows of which table, what of them, and the column
 * of the parent, as a declaration and the arguments of a trigger say it.  What
 * is not there is NULL or NIL; what only one room knows stands in the settings.
 */
typedef struct IdemTotalSource
{
	IdemTotalKey key;
	List	   *settings;		/* of the guard on the child, or NIL for now */
	List	   *fk;				/* child columns */
	char	   *amount;
	char	   *state;
	List	   *released;		/* states that do not count; NIL: all count */
	List	   *facts;			/* states that count in any case */
	char	   *total;			/* the first column that is kept */
	char	   *only;			/* condition on the child c, or NULL: all */
} IdemTotalSource;

/* The values of a row c of a source, for its sums: "c.amount AS amount, ..." */
typedef char *(*IdemTotalRowSql) (const IdemTotalSource *source, bool first);

/* How the row of a key is found by its unique index. */
typedef struct IdemTotalSearch
{
	ScanKeyData scankey[INDEX_MAX_KEYS];	/* without arguments */
	int			source[INDEX_MAX_KEYS]; /* column of the foreign key of each */
	AttrNumber	heap[INDEX_MAX_KEYS];	/* parent column of each */
} IdemTotalSearch;

/* The arithmetic of the one type that amounts and totals have. */
typedef struct IdemAmountType
{
	Oid			type;			/* never a domain */
	FmgrInfo	compare;
	FmgrInfo	plus;
	FmgrInfo	minus;
	FmgrInfo	output;
	Datum		zero;
	int16		len;
	bool		byval;
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

/* the trigger at the end of a statement, in schema idem */
#define IDEM_TOTAL_STATEMENT_FUNCTION "apply_totals"

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
pg_noreturn extern void idem_total_report_not_kept(IdemTotalChange *c);

struct IdemTotalDeclaration;

/* How a room declares its guard. */
typedef struct IdemTotalDeclarer
{
	const char *kind;			/* limit, balance */
	const char *function;		/* of the trigger of the child */
	const char *counterpart;	/* of that of the parent */
	const char *const *agreed;	/* settings of the counterpart that all who
								 * share a total have alike; NULL ends them */
	/* the arguments of the two triggers, and what is logged, or NULL: those */
	List	   *(*settings) (struct IdemTotalDeclaration *d);
	List	   *(*parent_settings) (struct IdemTotalDeclaration *d);
	List	   *(*logged) (struct IdemTotalDeclaration *d);
	/* raises unless both tables, which are open, are fit for it */
	void		(*require) (struct IdemTotalDeclaration *d);
	/* raises if rows already break it; fills the totals */
	void		(*check_rows) (struct IdemTotalDeclaration *d);
	void		(*fill) (struct IdemTotalDeclaration *d);
	/* idem_total_add_check, for each column that is kept */
	void		(*add_checks) (struct IdemTotalDeclaration *d);
} IdemTotalDeclarer;

/*
 * What a declaration was called with, and what the catalog adds to it.  The
 * first member of the room's own.
 */
typedef struct IdemTotalDeclaration
{
	const IdemTotalDeclarer *how;
	Relation	child;
	Relation	parent;
	IdemTotalSource of;			/* what fills the total */
	List	   *same;			/* child columns */
	List	   *same_parent;	/* the parent column of each */
	bool		editable;
	Oid			type;			/* of the amounts */
	int32		typmod;
	List	   *sources;		/* that share the total, this one first */
	List	   *missing;		/* columns to add: text of ADD COLUMN */
	List	   *finish;			/* what ALTER TABLE does in the end */
	char	   *name;			/* of the guard; of the parent's trigger */
	char	   *parent_name;
} IdemTotalDeclaration;

/* total_declare.c */
extern void idem_total_declare(Oid child, IdemTotalDeclaration *d);
extern void idem_total_add_check(IdemTotalDeclaration *d, const char *column,
								 const char *condition);
extern void idem_total_replace_check(IdemTotalDeclaration *d,
									 const char *column,
									 const char *condition);
extern List *idem_total_same_parent(IdemTotalDeclaration *d);
extern void idem_total_recount(IdemTotalDeclaration *d,
							   const IdemGuard *guard);

/* total_argument.c */
extern char *idem_text_argument(FunctionCallInfo fcinfo, int n);
extern List *idem_list_argument(FunctionCallInfo fcinfo, int n,
								const char *name);
extern void idem_total_check_states(const char *name, List *states);
extern List *idem_states_argument(FunctionCallInfo fcinfo, int n,
								  const char *name);
extern List *idem_columns_argument(char *columns);
extern void idem_total_read_arguments(FunctionCallInfo fcinfo, bool many,
									  int same, int children,
									  IdemTotalDeclaration *d);
pg_noreturn extern void idem_total_refuse_pairing(IdemTotalDeclaration *d,
												  const char *one,
												  const char *other);
pg_noreturn extern void idem_total_refuse_unsaid(void);
extern void idem_total_refuse_overlap(const char *name, List *states,
									  const char *other_name,
									  List *other_states);

/* total_require.c */
pg_noreturn extern void idem_total_refuse_type(IdemTotalDeclaration *d,
											   Relation rel,
											   AttrNumber column,
											   const char *reason);
pg_noreturn extern void idem_total_refuse_column(IdemTotalDeclaration *d,
												 const char *name);
extern void idem_total_require_amount(IdemTotalDeclaration *d,
									  const char *setting, const char *name,
									  int32 allowed);
extern void idem_total_require_sum(IdemTotalDeclaration *d,
								   const char *setting, const char *name);
extern void idem_total_require_count(IdemTotalDeclaration *d,
									 const char *setting, const char *name);
extern void idem_total_require_compared(IdemTotalDeclaration *d);
extern void idem_total_find_sources(IdemTotalDeclaration *d);
extern void idem_total_refuse_deferrable_key(Relation rel);

/* total_fill.c */
extern char *idem_total_offenders(const char *sql);
extern void idem_total_run_latest(const char *sql, int expected);
extern void idem_total_write_latest(const char *sql);
extern const char *idem_total_column_sql(const char *table, const char *name);
extern char *idem_total_parent_sql(IdemTotalDeclaration *d);
extern bool idem_total_may_suppress(Oid parent);
pg_noreturn extern void idem_total_refuse_filled(Relation parent,
												 const char *column,
												 const char *finding);
extern void idem_total_check_amounts(IdemTotalDeclaration *d, bool is_signed);
extern void idem_total_check_same(IdemTotalDeclaration *d);
extern void idem_total_fill(IdemTotalDeclaration *d, List *columns,
							const char *values, const char *sums);

/* total_child.c */
extern void idem_total_check_amount(const IdemGuardCall *call,
									IdemTotal *total, bool is_signed);
extern bool idem_total_same_amount(const IdemGuardCall *call,
								   IdemTotal *total);
extern bool idem_total_same_values(const IdemGuardCall *call,
								   IdemTotal *total, int from, int to,
								   AttrNumber *changed);
pg_noreturn extern void idem_total_refuse_change(const IdemGuardCall *call,
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
pg_noreturn extern void idem_total_report_mismatch(IdemTotalChange *c,
												   const IdemTotalNote *note,
												   int pair);

/* total_key.c */
extern char *idem_total_key_problem(const IdemGuard *guard,
									Snapshot snapshot);
extern void idem_total_find_key(Oid child, List *columns, int sqlstate,
								IdemTotalKey *key);
extern void idem_total_find_own_key(Oid child, const char *column,
									int sqlstate, IdemTotalKey *key);
extern char *idem_total_own_key_problem(Oid relid, const char *column,
										Snapshot snapshot);
extern List *idem_total_parent_columns(const IdemTotalKey *key);
extern List *idem_total_child_columns(const IdemTotalKey *key);
extern bool idem_total_same_key(const IdemTotalKey *a, const IdemTotalKey *b);
extern void idem_total_check_key_types(Relation child,
									   const IdemTotalKey *key);
extern char *idem_total_join_sql(const IdemTotalKey *key, const char *other);

/* total_exact.c */
typedef struct IdemExact IdemExact; /* what a parent declares of its children */

extern IdemExact *idem_exact_compile(Relation parent, Trigger *trigger);
extern void idem_exact_judge(const IdemGuardCall *call, IdemExact *exact);
extern char *idem_exact_detail(const char *column, const char *state,
							   const char *limit, const char *used,
							   const char *declared, int64 counted);

/* total_search.c */
extern bool idem_total_search_init(const IdemTotalKey *key,
								   IdemTotalSearch *search);
extern bool idem_total_search(const IdemTotalKey *key,
							  const IdemTotalSearch *search,
							  Relation parent, Snapshot snapshot,
							  const NullableDatum *values,
							  TupleTableSlot *found);
extern void idem_total_refuse_concurrent(TM_Result result);
extern bool idem_total_lock(Relation parent, Snapshot snapshot,
							CommandId command, LockTupleMode mode,
							TupleTableSlot *slot, bool *is_newer);

/* total_compile.c */
extern Relation idem_total_open_parent(Relation rel, Trigger *trigger,
									   Oid *also, IdemTotal *total);
extern void idem_total_compile(Relation rel, Trigger *trigger,
							   Relation parent, const char **columns,
							   int ncolumns, List *compared,
							   IdemTotal *total);

/* total_type.c */
extern AttrNumber idem_total_named(Relation rel, Trigger *trigger,
								   const char *setting);
extern bool idem_amount_type_supported(Oid type);
extern void idem_amount_type_init(IdemAmountType *amount, Oid type);
extern int	idem_amount_compare(IdemAmountType *amount, Datum a, Datum b);
extern Datum idem_amount_plus(IdemAmountType *amount, Datum a, Datum b);
extern Datum idem_amount_minus(IdemAmountType *amount, Datum a, Datum b);
extern bool idem_amount_is_finite(IdemAmountType *amount, Datum value);
extern char *idem_amount_text(IdemAmountType *amount, Datum value);
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
extern char *idem_total_type_name(Oid type);

/* total_keep.c */
extern void idem_total_announce(IdemTotalStep *step);
extern void idem_total_withdraw(IdemTotalStep *step);
extern void idem_total_require(Relation rel, Trigger *trigger,
							   Relation parent, const IdemTotalKey *key);
extern const char *idem_total_kept_by(const IdemGuard *guard);
extern bool idem_total_keeps(const IdemGuard *guard, const char *name);
extern const char *idem_total_column(Relation parent, const char *total,
									 const char *setting);
extern bool idem_total_is_readable(Trigger *trigger, const char *function);
extern void idem_total_set_filling(Oid parent);

/* total_sums.c */
extern char *idem_total_equal_sql(const char *left, Oid left_type,
								  const char *right, Oid right_type);
extern char *idem_total_counted_sql(const IdemTotalSource *source);
extern char *idem_total_state_sql(Oid relid, const char *table,
								  const char *state, List *labels);
extern char *idem_total_sums_sql(List *sources, const char *aggregates,
								 IdemTotalRowSql row);
extern IdemTotalSource *idem_total_read_source(List *settings, Oid child);
extern IdemTotalSource *idem_total_source_of(Trigger *total);
extern List *idem_total_sources(Relation parent, const char *name);

/* How the doctor compares what parents p have with the sums t of children. */
typedef struct IdemTotalComparison
{
	const char *sums;			/* SELECT k1, ... */
	const char *columns;		/* of p and t: "p.used AS used, ..." */
	const char *differs;		/* condition on these, of x */
	const char *example;		/* text of one that differs, from x */
	const char *what;			/* "of which ... is not the sum" */
} IdemTotalComparison;

/* total_rows.c */
extern char *idem_total_declaration(const IdemGuard *guard);
extern List *idem_total_sharing(IdemTotalSource *source, Relation parent);
extern char *idem_total_check_losses(const IdemGuard *guard,
									 const char *setting, const char *example,
									 const char *what);
extern char *idem_total_concat_sql(const char *table, List *names);
extern char *idem_total_key_sql(const IdemTotalKey *key);
extern char *idem_row_key_sql(Relation rel, const char *table);
extern char *idem_total_compare(const IdemTotalSource *source,
								Relation parent, const char *among,
								const IdemTotalComparison *how);
extern char *idem_total_stored_in_sql(Oid rows);
extern char *idem_total_attached_sql(const IdemTotalSource *source,
									 const IdemGuard *guard, Oid rows);
extern char *idem_total_check_detached(const IdemGuard *guard, Oid rows);
extern char *idem_total_check_attached_parents(const IdemGuard *guard,
											   Oid rows);

/* total_ask.c */

/* What is asked of a parent p, as SQL: "p.cap - p.used" */
typedef char *(*IdemTotalExpression) (Relation parent,
									  const IdemTotalSource *source);

extern Datum idem_total_ask(FunctionCallInfo fcinfo, const char *function,
							IdemTotalExpression expression);

/* total_list.c */

/*
 * The query of what is listed of a guard behind others, and the table, opened,
 * that it shows.
 */
typedef char *(*IdemTotalListSql) (const IdemGuard *guard, List *before,
								   Relation *shown);

extern Datum idem_total_list(FunctionCallInfo fcinfo, const char *kind,
							 const char *setting, IdemTotalListSql sql);
extern Datum idem_total_counts(FunctionCallInfo fcinfo, const char *kind,
							   const char *setting, IdemTotalListSql sql);

/* total_direct.c */
extern IdemDirect *idem_direct_compile(Relation parent, IdemTotal *total);
extern IdemTotalResult idem_direct_change(IdemTotalChange *c);

/* total_statement.c */
extern IdemTotalResult idem_statement_look(IdemTotalChange *c);
extern void idem_statement_change(IdemTotalChange *c, const IdemTotals *next);
extern void idem_statement_free(IdemTotal *total);

/* {*}: every child, whatever its state */
static inline bool
idem_total_is_everything(List *states)
{
	return list_length(states) == 1 && strcmp(linitial(states), "*") == 0;
}

#endif							/* IDEM_TOTAL_H */
