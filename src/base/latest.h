/*
 * latest.h
 *		What is committed now, whatever the transaction's snapshot says.
 */
#ifndef IDEM_LATEST_H
#define IDEM_LATEST_H

extern void idem_accept_news(void);
extern int	idem_execute_latest(const char *sql, int nargs, Oid *types,
								Datum *values, const char *nulls, long count);

#endif							/* IDEM_LATEST_H */
