/*
 * total_rows.h
 *		Questions about the rows that a total is made of.
 */
#ifndef IDEM_TOTAL_ROWS_H
#define IDEM_TOTAL_ROWS_H

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

struct IdemGuard;
struct IdemTotalSource;

/* total_sums.c */

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
extern char *idem_total_declaration(const struct IdemGuard *guard);
extern List *idem_total_sharing(struct IdemTotalSource *source,
								Relation parent);
extern char *idem_row_key_sql(Relation rel, const char *table);
extern char *idem_total_compare(const struct IdemTotalSource *source,
								Relation parent, const char *among,
								const IdemTotalComparison *how);
extern char *idem_total_stored_in_sql(Oid rows);
extern char *idem_total_attached_sql(const struct IdemTotalSource *source,
									 const struct IdemGuard *guard, Oid rows);
extern char *idem_total_check_detached(const struct IdemGuard *guard, Oid rows);
extern char *idem_total_check_losses(const struct IdemGuard *guard,
									 const char *setting, const char *example,
									 const char *what);
extern char *idem_total_check_attached_parents(const struct IdemGuard *guard,
											   Oid rows);

/* total_ask.c */

/* What is asked of a parent p, as SQL: "p.cap - p.used" */
typedef char *(*IdemTotalExpression) (Relation parent,
									  const struct IdemTotalSource *source);

extern Datum idem_total_ask(FunctionCallInfo fcinfo, const char *function,
							IdemTotalExpression expression);

/* total_list.c */

/*
 * The query of what is listed of a guard behind others, and the table, opened,
 * that it shows.
 */
typedef char *(*IdemTotalListSql) (const struct IdemGuard *guard, List *before,
								   Relation *shown);

extern Datum idem_total_list(FunctionCallInfo fcinfo, const char *kind,
							 const char *setting, IdemTotalListSql sql);
extern Datum idem_total_counts(FunctionCallInfo fcinfo, const char *kind,
							   const char *setting, IdemTotalListSql sql);

#endif							/* IDEM_TOTAL_ROWS_H */
