/*
 * rows.h
 *		Questions about the rows that a guard keeps.
 */
#ifndef IDEM_ROWS_H
#define IDEM_ROWS_H

#include "utils/relcache.h"

struct IdemGuard;

/* rows.c */
extern char *idem_count_offenders(Relation shown, const char *sql,
								  Datum strings, const char *what);
extern void idem_rethrow_without_values(MemoryContext context);
extern char *idem_ask_rows(char *(*check) (const struct IdemGuard *, Oid),
						   const struct IdemGuard *guard, Oid rows,
						   int wait_ms);
extern bool idem_rows_unseen(const char *finding);
extern bool idem_rows_locked(const char *finding);
extern char *idem_guard_naming(Relation shown, const char *setting,
							   const char *value);
extern char *idem_check_kept_rows(const struct IdemGuard *guard, Oid rows);

#endif							/* IDEM_ROWS_H */
