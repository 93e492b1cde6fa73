/*
 * pair_rows.h
 *		The kind of guard of the room pair, for idem.c.
 */
#ifndef IDEM_PAIR_ROWS_H
#define IDEM_PAIR_ROWS_H

extern void idem_pair_rows_init(void);

#endif							/* IDEM_PAIR_ROWS_H */
