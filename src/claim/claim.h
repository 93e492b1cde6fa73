/*
 * claim.h
 *		What the files of the room share.
 *
 *		claim.c				claim and complete: which answer a call gets
 *		claim_many.c		many keys in one call
 *		claim_required.c	no commit with a claim that was not completed
 */
#ifndef IDEM_CLAIM_H
#define IDEM_CLAIM_H

#include "key/key_answer.h"
#include "key/key_table.h"

/* claim.c */
extern void idem_claim_check_scope(const IdemScope *scope);
extern void idem_claim_one(IdemAnchor *anchor, IdemKey *key, Jsonb *request,
						   const char *confirmed, IdemAnswer *answer);

/* claim_required.c */
extern void idem_claim_require_completion(const IdemKey *key);

#endif							/* IDEM_CLAIM_H */
