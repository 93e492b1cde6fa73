/*
 * latest.h
 *		Reading what is committed now, even if the transaction's snapshot is
 *		older.
 */
#ifndef IDEM_LATEST_H
#define IDEM_LATEST_H

#include "utils/relcache.h"

extern void idem_accept_news(void);
extern int	idem_execute_latest(const char *sql, int nargs, Oid *types,
								Datum *values, const char *nulls, long count);
extern uint64 idem_run_as_owner(Relation rel, const char *sql, int nargs,
								Oid *types, Datum *values, const char *nulls);
extern uint64 idem_run_as_extension(const char *sql, int nargs, Oid *types,
									Datum *values, const char *nulls);

#endif							/* IDEM_LATEST_H */
