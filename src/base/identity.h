/*
 * identity.h
 *		Acting as the owner of a table for the length of one check.
 */
#ifndef IDEM_IDENTITY_H
#define IDEM_IDENTITY_H

#include "utils/relcache.h"

typedef struct IdemIdentity
{
	Oid			userid;			/* who we were */
	int			sec_context;	/* and under which restrictions */
	int			guc_level;		/* settings to undo, or 0 */
} IdemIdentity;

extern void idem_become_owner(Relation rel, IdemIdentity *saved);
extern void idem_become_declarer(Relation rel, IdemIdentity *saved);
extern void idem_become_role(Oid role, IdemIdentity *saved);
extern void idem_become_declarer_of(Oid relid, IdemIdentity *saved);
extern void idem_see_every_row(void);
extern void idem_restore_identity(const IdemIdentity *saved);
extern void idem_rethrow(MemoryContext context, bool may_read);

#endif							/* IDEM_IDENTITY_H */
