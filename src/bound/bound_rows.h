/*
 * bound_rows.h
 *		What the room tells the others of itself.
 */
#ifndef IDEM_BOUND_ROWS_H
#define IDEM_BOUND_ROWS_H

extern void idem_bound_rows_init(void);

#endif							/* IDEM_BOUND_ROWS_H */
