/*
 * key_taken.h
 *		Which keys this transaction has taken.
 */
#ifndef IDEM_KEY_TAKEN_H
#define IDEM_KEY_TAKEN_H

#include "utils/uuid.h"

/* key_taken.c */
extern void idem_key_note_taken(const pg_uuid_t *digest);
extern void idem_key_note_granted(const pg_uuid_t *digest);
extern bool idem_key_granted(const pg_uuid_t *digest);

#endif							/* IDEM_KEY_TAKEN_H */
