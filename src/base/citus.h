/*
 * citus.h
 *		Is this one node of several, under Citus, and what is a shard of what?
 */
#ifndef IDEM_CITUS_H
#define IDEM_CITUS_H

/* How Citus holds the rows of a table */
typedef enum IdemCitusTable
{
	IDEM_CITUS_NONE,			/* it does not */
	IDEM_CITUS_SHARDS,			/* each row on one node */
	IDEM_CITUS_COPIES			/* all rows on each node */
} IdemCitusTable;

extern Oid	idem_citus_nodes_relid(void);
extern bool idem_citus_has_nodes(void);
extern Oid	idem_citus_shell(Oid relid);
extern bool idem_citus_is_worker(void);
extern IdemCitusTable idem_citus_table(Oid relid);
extern bool idem_citus_made(Oid relid);
extern void idem_citus_refuse_pause(Oid relid);
extern bool idem_citus_carries(void);
extern int	idem_citus_begin(void);
extern void idem_citus_done(int nest);

#endif							/* IDEM_CITUS_H */
