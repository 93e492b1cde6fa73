/*
 * citus.h
 *		Is this one node of several, under Citus?
 */
#ifndef IDEM_CITUS_H
#define IDEM_CITUS_H

extern Oid	idem_citus_nodes_relid(void);
extern bool idem_citus_has_nodes(void);

#endif							/* IDEM_CITUS_H */
