/*
 * total_source.h
 *		What fills a total, and what it adds up to.
 */
#ifndef IDEM_TOTAL_SOURCE_H
#define IDEM_TOTAL_SOURCE_H

#include "nodes/pg_list.h"
#include "utils/relcache.h"
#include "utils/reltrigger.h"

#include "total/total_key.h"

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

/* total_statement.c */

/* {*}: every child, whatever its state */
static inline bool
idem_total_is_everything(List *states)
{
	return list_length(states) == 1 && strcmp(linitial(states), "*") == 0;
}

#endif							/* IDEM_TOTAL_SOURCE_H */
