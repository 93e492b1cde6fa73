/*
 * machine_rows.h
 *		What the room machine tells of its guards.
 */
#ifndef IDEM_MACHINE_ROWS_H
#define IDEM_MACHINE_ROWS_H

extern void idem_machine_rows_init(void);
extern void idem_machine_pause_init(void);

#endif							/* IDEM_MACHINE_ROWS_H */
