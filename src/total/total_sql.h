/*
 * total_sql.h
 *		Statements over all rows of a table.
 */
#ifndef IDEM_TOTAL_SQL_H
#define IDEM_TOTAL_SQL_H

#include "nodes/pg_list.h"

/* total_fill.c */
extern char *idem_total_offenders(const char *sql);
extern void idem_total_run_latest(const char *sql, int expected);
extern void idem_total_write_latest(const char *sql);
extern const char *idem_total_column_sql(const char *table, const char *name);

/* total_rows.c */
extern char *idem_total_concat_sql(const char *table, List *names);

#endif							/* IDEM_TOTAL_SQL_H */
