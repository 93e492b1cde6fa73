/*
 * total_declare.h
 *		How a guard that keeps a total is declared.
 */
#ifndef IDEM_TOTAL_DECLARE_H
#define IDEM_TOTAL_DECLARE_H

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

#include "total/total_source.h"

struct IdemGuard;

/* total_row.c */

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
							   const struct IdemGuard *guard);

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
_Noreturn extern void idem_total_refuse_pairing(IdemTotalDeclaration *d,
												const char *one,
												const char *other);
_Noreturn extern void idem_total_refuse_unsaid(void);
extern void idem_total_refuse_overlap(const char *name, List *states,
									  const char *other_name,
									  List *other_states);

/* total_require.c */
_Noreturn extern void idem_total_refuse_type(IdemTotalDeclaration *d,
											 Relation rel,
											 AttrNumber column,
											 const char *reason);
_Noreturn extern void idem_total_refuse_column(IdemTotalDeclaration *d,
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
extern char *idem_total_parent_sql(IdemTotalDeclaration *d);
extern bool idem_total_may_suppress(Oid parent);
_Noreturn extern void idem_total_refuse_filled(Relation parent,
											   const char *column,
											   const char *finding);
extern void idem_total_check_amounts(IdemTotalDeclaration *d, bool is_signed);
extern void idem_total_check_same(IdemTotalDeclaration *d);
extern void idem_total_fill(IdemTotalDeclaration *d, List *columns,
							const char *values, const char *sums);

#endif							/* IDEM_TOTAL_DECLARE_H */
