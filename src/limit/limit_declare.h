/*
 * limit_declare.h
 *		What the files that declare a limit share.
 */
#ifndef IDEM_LIMIT_DECLARE_H
#define IDEM_LIMIT_DECLARE_H

#include "datatype/timestamp.h"
#include "total/total_declare.h"

struct IdemGuard;

/* What guard_limit() was called with. */
typedef struct IdemLimitDeclaration
{
	IdemTotalDeclaration total; /* must be first */
	char	   *cap;			/* columns of the parent */
	char	   *excess;			/* or NULL */
	char	   *count_used;		/* or NULL */
	char	   *parent_state;	/* or NULL */
	List	   *open;
	List	   *exact;			/* or NIL */
	char	   *exact_count;	/* or NULL */
	bool		cap_grows;
	int64		count_cap;		/* or 0 */
	Interval   *max_age;		/* or NULL */
	Interval   *clear_within;	/* or NULL */
	char	   *age_from;		/* or NULL */
} IdemLimitDeclaration;

#define IDEM_LIMIT_DECLARATION(d)	((IdemLimitDeclaration *) (d))

/* limit_argument.c */
extern void idem_limit_read_arguments(FunctionCallInfo fcinfo, bool many,
									  IdemLimitDeclaration *d);

/* limit_declare.c */
extern void idem_limit_recount(const struct IdemGuard *guard);

/* limit_require.c */
extern void idem_limit_require(IdemTotalDeclaration *d);

/* limit_fill.c */
extern void idem_limit_check_rows(IdemTotalDeclaration *d);
extern void idem_limit_fill(IdemTotalDeclaration *d);

/* limit_sums.c */
extern char *idem_limit_sums_sql(List *sources);
extern char *idem_limit_inexact_sql(const IdemTotalSource *source);

#endif							/* IDEM_LIMIT_DECLARE_H */
