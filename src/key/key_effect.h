/*
 * key_effect.h
 *		The keys of a scope, for a guard that asks.
 */
#ifndef IDEM_KEY_EFFECT_H
#define IDEM_KEY_EFFECT_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* The keys of a scope, open for a guard that asks; see key_effect.c */
struct IdemEffects;

/* The outcome of adopting a key */
typedef enum IdemAdopted
{
	IDEM_ADOPTED_NOW,
	IDEM_ADOPTED_KNOWN,			/* it was known, or may be forgotten */
	IDEM_ADOPTED_BUSY			/* a transaction that has not ended has it */
} IdemAdopted;

/* key_effect.c */
extern bool idem_key_effect_scope(const char *name, bool *outside);
extern struct IdemEffects *idem_key_effects_open(const char *scope);
extern void idem_key_effects_close(struct IdemEffects *effects);
extern bool idem_key_effect_shown(const char *scope);
extern bool idem_key_is_effect_state(const char *word);
extern const char *idem_key_effect_state(const char *scope, text *key);
extern const char *idem_key_effects_state(struct IdemEffects *effects,
										  text *key);
extern struct IdemEffects *idem_key_effects_open_to_adopt(const char *scope,
														  bool done);
extern IdemAdopted idem_key_adopt(struct IdemEffects *effects, text *key,
								  Jsonb *request, TimestampTz first_seen);
extern bool idem_key_effects_know(struct IdemEffects *effects, text *key);

#endif							/* IDEM_KEY_EFFECT_H */
