/*
 * key_effect.h
 *		What a guard on a table of effects asks of claims.
 *
 * All that room bound needs of this room stands here.
 */
#ifndef IDEM_KEY_EFFECT_H
#define IDEM_KEY_EFFECT_H

#include "lib/stringinfo.h"
#include "utils/uuid.h"

#define IDEM_KEY_BYTES_MAX			255

struct IdemEffects;

/* key.c */
extern int32 idem_key_scope_id(const char *name);
extern void idem_key_digest(int32 scope, const text *key, pg_uuid_t *digest);
extern void idem_key_append(StringInfo buf, int number, const char *part,
							int len);

/* key_taken.c */
extern bool idem_key_granted(const pg_uuid_t *digest);

/* key_effect.c */
extern bool idem_key_effect_scope(const char *name, bool *outside);
extern struct IdemEffects *idem_key_effects_open(const char *scope);
extern void idem_key_effects_close(struct IdemEffects *effects);
extern bool idem_key_effects_know(struct IdemEffects *effects, text *key);

#endif							/* IDEM_KEY_EFFECT_H */
