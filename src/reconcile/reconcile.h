/*
 * reconcile.h
 *		What only the files of the room share.
 *
 *		reconcile_compare.c	both sides of a day, compared
 *		reconcile.c			what is kept of that
 *		reconcile_declare.c	declaring, altering and dropping
 *		reconcile_settle.c	what a person says of a difference
 *
 * A file uses what stands above it.
 */
#ifndef IDEM_RECONCILE_H
#define IDEM_RECONCILE_H

#include "postgres.h"

#include "executor/spi.h"

extern void idem_reconcile_try(const char *sql, const char *owner);
extern SPIPlanPtr idem_reconcile_plan(const char *sql, const char *owner,
									  bool looks_around);
extern void idem_reconcile_hash(void);
extern void idem_reconcile_compare(SPIPlanPtr plan, const char *owner);
extern void idem_reconcile_forget(void);

#endif							/* IDEM_RECONCILE_H */
