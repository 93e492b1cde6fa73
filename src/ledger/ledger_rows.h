/*
 * ledger_rows.h
 *		What the room ledger tells of its guards.
 */
#ifndef IDEM_LEDGER_ROWS_H
#define IDEM_LEDGER_ROWS_H

extern void idem_ledger_rows_init(void);

#endif							/* IDEM_LEDGER_ROWS_H */
