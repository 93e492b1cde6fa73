/*
 * key_effect.c
 *		What a guard on a table of effects asks of claims.
 *
 * Such a guard names a scope and knows nothing else of claims.  It runs as
 * whoever writes the row and is told no more than it needs: the tables of keys
 * are read here straight, without anybody's rights.
 *
 * Locks: ACCESS SHARE on the table of keys for a look.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/idem_compat.h"
#include "key/key_inner.h"

/* The keys of one scope, open to be looked at. */
typedef struct IdemEffects
{
	const IdemScope *scope;
	IdemAnchor	table;
	MemoryContext each;			/* of one look */
} IdemEffects;

/* Is there a scope of this name, and is its effect outside? */
bool
idem_key_effect_scope(const char *name, bool *outside)
{
	if (!idem_key_scope_exists(name))
		return false;
	*outside = idem_key_scope_get(cstring_to_text(name))->outside;
	return true;
}

/* Open the keys of a scope: 42704 if it is not declared. */
IdemEffects *
idem_key_effects_open(const char *scope)
{
	IdemEffects *effects = palloc0(sizeof(IdemEffects));

	effects->scope = idem_key_open(cstring_to_text(scope), AccessShareLock,
								   &effects->table);
	effects->each = AllocSetContextCreate(CurrentMemoryContext, "idem effects",
										  ALLOCSET_DEFAULT_SIZES);
	return effects;
}

void
idem_key_effects_close(IdemEffects *effects)
{
	idem_key_close(&effects->table);
	MemoryContextDelete(effects->each);
	pfree(effects);
}

/* Is a key that was found one whose effect may be there? */
static bool
has_effect(const IdemFound *found)
{
	return (found->held == IDEM_HELD_OWN ||
			found->held == IDEM_HELD_COMMITTED) &&
		DatumGetChar(found->values[Anum_anchor_state - 1]) != IDEM_STATE_FENCED;
}

/*
 * Is the key claimed, in this transaction or in one that is committed now, or
 * so old that the scope may have forgotten it?
 */
bool
idem_key_effects_know(IdemEffects *effects, text *key_text)
{
	MemoryContext old = MemoryContextSwitchTo(effects->each);
	IdemFound	found;
	IdemKey		key;
	bool		known = false;

	CHECK_FOR_INTERRUPTS();
	if (VARSIZE_ANY_EXHDR(key_text) > 0 &&
		VARSIZE_ANY_EXHDR(key_text) <= IDEM_KEY_BYTES_MAX)
	{
		idem_key_init(effects->scope, key_text, &key);
		idem_key_find(&effects->table, &key, &found);
		known = has_effect(&found) ||
			(found.held == IDEM_HELD_NOT && idem_key_forgotten(&key));
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(effects->each);
	return known;
}
