/*
 * limit_rows.h
 *		What the room limit tells of its guards.
 */
#ifndef IDEM_LIMIT_ROWS_H
#define IDEM_LIMIT_ROWS_H

extern void idem_limit_rows_init(void);

/* limit_check.c */
extern void idem_limit_check_init(void);
extern void idem_limit_pause_init(void);

#endif							/* IDEM_LIMIT_ROWS_H */
