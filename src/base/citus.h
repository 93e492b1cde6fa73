/*
 * citus.h
 *		Is this one node of several, under Citus, and what is a shard of what?
 */
#ifndef IDEM_CITUS_H
#define IDEM_CITUS_H

extern Oid	idem_citus_nodes_relid(void);
extern bool idem_citus_has_nodes(void);
extern Oid	idem_citus_shell(Oid relid);

#endif							/* IDEM_CITUS_H */
