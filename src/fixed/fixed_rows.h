/*
 * fixed_rows.h
 *		What the room fixed tells of its guards.
 */
#ifndef IDEM_FIXED_ROWS_H
#define IDEM_FIXED_ROWS_H

extern void idem_fixed_rows_init(void);

#endif							/* IDEM_FIXED_ROWS_H */
