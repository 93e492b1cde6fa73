/*
 * ledger_declare.h
 *		What the files that declare a balance share.
 */
#ifndef IDEM_LEDGER_DECLARE_H
#define IDEM_LEDGER_DECLARE_H

#include "total/total_declare.h"

struct IdemGuard;

/* What guard_balance() was called with; what is left out is NULL or NIL. */
typedef struct IdemBalanceDeclaration
{
	IdemTotalDeclaration total; /* must be first */
	char	   *direction;		/* column of the entries */
	char	   *debit;			/* its words */
	char	   *credit;
	char	   *side;			/* of all entries */
	char	   *normal;			/* of all accounts */
	char	   *normal_column;	/* of each, a column of the accounts */
	char	   *floor;			/* columns of the accounts */
	char	   *ceiling;
	char	   *unbounded;
	char	   *held;
	char	   *shortfall;
	List	   *pending;		/* states of the entries */
	char	   *posts;			/* column of the entries */
	bool		over;
	char	   *expires_at;		/* column of the entries */
	bool		batched;		/* accounts without bounds are added up later */
	bool		replaces;		/* the CHECK of the balance has to change */
} IdemBalanceDeclaration;

#define IDEM_BALANCE_DECLARATION(d)	((IdemBalanceDeclaration *) (d))

/* ledger_declare.c */
extern void idem_balance_recount(const struct IdemGuard *guard);

/* ledger_argument.c */
extern void idem_balance_read_arguments(FunctionCallInfo fcinfo, bool many,
										IdemBalanceDeclaration *d);

/* ledger_require.c */
extern void idem_balance_require(IdemTotalDeclaration *d);

/* ledger_posts.c */
extern char *idem_posts_problem(Oid relid, const char *posts,
								Snapshot snapshot);

/* ledger_fill.c */
extern void idem_balance_check_rows(IdemTotalDeclaration *d);
extern void idem_balance_fill(IdemTotalDeclaration *d);

/* ledger_sums.c */
extern char *idem_ledger_net_sql(const IdemTotalSource *source);
extern char *idem_ledger_sums_sql(List *sources);
extern char *idem_ledger_balance_sql(const IdemTotalSource *source);
extern char *idem_ledger_held_sql(const IdemTotalSource *source);
extern char *idem_ledger_missing_sql(const char *floor, const char *unbounded,
									 const char *balance, const char *held);
extern char *idem_ledger_posted_sql(const IdemTotalSource *source);
extern char *idem_ledger_side_sql(const IdemTotalSource *source, Oid relid,
								  const char *table, const char *column,
								  const char *credit, const char *debit);

#endif							/* IDEM_LEDGER_DECLARE_H */
