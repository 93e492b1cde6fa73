/*
 * bound_rows.h
 *		What the room tells the others of itself.
 */
#ifndef IDEM_BOUND_ROWS_H
#define IDEM_BOUND_ROWS_H

/* bound_rows.c */
extern void idem_bound_rows_init(void);

/* bound_keys_rows.c */
extern void idem_bound_keys_rows_init(void);

#endif							/* IDEM_BOUND_ROWS_H */
