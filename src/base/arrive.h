/*
 * arrive.h
 *		Rows that come from another server.
 */
#ifndef IDEM_ARRIVE_H
#define IDEM_ARRIVE_H

extern bool idem_in_apply_worker(void);
extern bool idem_rows_arrive(Oid relid);

#endif							/* IDEM_ARRIVE_H */
