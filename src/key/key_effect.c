/*
 * key_effect.c
 *		Questions that a guard on a table of effects asks about claims.
 *
 * Such a guard names a scope and knows nothing else of claims.  It runs as the
 * role that writes the row and learns no more than it needs: the tables of
 * keys are read here directly, without regard to rights.
 *
 * The state of an effect outside is read as a limit reads its parent: the
 * version that this transaction wrote, else the one that is committed now.  It
 * is locked, so that it cannot change before the row commits; a final one,
 * too, because it can be corrected.  The lock is the one that dispatch,
 * complete and correct take; they wait for each other.  40001 where the
 * transaction's snapshot is older than that version.
 *
 * Locks: ACCESS SHARE on the table of keys for a look, ROW EXCLUSIVE for a
 * judgement, and the row of the key until the transaction ends.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "key/key_effect.h"
#include "key/key_inner.h"
#include "key/key_request.h"

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

/* The end of what idem_key_effects_open() began; locks stay. */
void
idem_key_effects_close(IdemEffects *effects)
{
	idem_key_close(&effects->table);
	MemoryContextDelete(effects->each);
	pfree(effects);
}

/* May the effect of a key that was found be there? */
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

/* The states of an effect outside; a letter of 0: there is no row. */
static const struct
{
	char		letter;
	const char *word;
}			effect_states[] =

{
	{'\0', "unseen"},
	{'r', "reserved"},
	{'d', "dispatched"},
	{'u', "unknown"},
	{'l', "released"},
	{'s', "succeeded"},
	{'f', "failed"},
	{'n', "fenced"},
	{'a', "adopted"}
};

/* May the caller know how the claims of a scope are? */
bool
idem_key_effect_shown(const char *scope)
{
	return idem_key_may_look(idem_key_scope_get(cstring_to_text(scope)));
}

/* Is it the name of a state of an effect outside? */
bool
idem_key_is_effect_state(const char *word)
{
	int			i;

	for (i = 0; i < (int) lengthof(effect_states); i++)
	{
		if (strcmp(effect_states[i].word, word) == 0)
			return true;
	}
	return false;
}

/* Which of the states is a key in, of which at most a rival's row is there? */
static int
state_of(const IdemFound *found)
{
	char		letter = '\0';
	int			i;

	if (found->held == IDEM_HELD_OWN || found->held == IDEM_HELD_COMMITTED)
		letter = DatumGetChar(found->values[Anum_anchor_state - 1]);
	for (i = 0; i < (int) lengthof(effect_states); i++)
	{
		if (effect_states[i].letter == letter)
			return i;
	}
	elog(ERROR, "reservation has an unknown state");
	return 0;					/* keep the compiler quiet */
}

/* The same for a table that is open to be written, as a judgement needs it. */
static const char *
judged_state(IdemAnchor *table, const IdemKey *key)
{
	IdemFound	found;

	idem_key_find(table, key, &found);
	if (found.held == IDEM_HELD_NOT)
	{
		/* that there was nothing is something SERIALIZABLE has to know */
		if (IsolationIsSerializable())
			(void) idem_key_read(table, key, &found);
	}
	else
		(void) idem_key_lock(table, key, true, &found);
	return effect_states[state_of(&found)].word;
}

static bool
can_be_key(const text *key)
{
	return VARSIZE_ANY_EXHDR(key) > 0 &&
		VARSIZE_ANY_EXHDR(key) <= IDEM_KEY_BYTES_MAX;
}

/*
 * The state of an effect outside, for a row that this transaction has
 * written: see above.  42704 if the scope is not declared, 55000 if its effect
 * is inside.
 */
const char *
idem_key_effect_state(const char *name, text *str)
{
	const IdemScope *scope;
	const char *state = effect_states[0].word;
	IdemAnchor	table;
	IdemKey		key;

	scope = idem_key_open(cstring_to_text(name), RowExclusiveLock, &table);
	if (!scope->outside)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("scope \"%s\" is for effects inside of the transaction",
						name),
				 errhint("idem.doctor() names the guards that need another one.")));
	if (can_be_key(str))
	{
		idem_key_init(scope, str, &key);
		state = judged_state(&table, &key);
	}
	idem_key_close(&table);
	return state;
}

/*
 * The state of an effect outside as it is committed now, or written by this
 * transaction, and not locked; NULL if the scope may have forgotten the key.
 */
const char *
idem_key_effects_state(IdemEffects *effects, text *str)
{
	MemoryContext old = MemoryContextSwitchTo(effects->each);
	IdemFound	found;
	IdemKey		key;
	const char *state = effect_states[0].word;

	CHECK_FOR_INTERRUPTS();
	if (can_be_key(str))
	{
		idem_key_init(effects->scope, str, &key);
		idem_key_find(&effects->table, &key, &found);
		state = effect_states[state_of(&found)].word;
		if (found.held == IDEM_HELD_NOT && idem_key_forgotten(&key))
			state = NULL;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(effects->each);
	return state;
}

/*
 * Open the keys of a scope to adopt some: 42704 if it is not declared, 22023
 * if its effect is outside and it is not known of which rows that is done.
 */
IdemEffects *
idem_key_effects_open_to_adopt(const char *scope, bool done)
{
	IdemEffects *effects = palloc0(sizeof(IdemEffects));

	PreventCommandIfReadOnly("idem.adopt_keys()");
	effects->scope = idem_key_open(cstring_to_text(scope), RowExclusiveLock,
								   &effects->table);
	if (effects->scope->outside && !done)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keys of scope \"%s\" cannot be adopted without \"state\" and \"done\"",
						scope),
				 errdetail("Its effect is outside of the transaction: a row is there before the effect is done."),
				 errhint("Name the column of a row's state, and in \"done\" the states in which the effect will never be tried again.")));
	idem_key_check_here(effects->scope);
	effects->each = AllocSetContextCreate(CurrentMemoryContext, "idem effects",
										  ALLOCSET_DEFAULT_SIZES);
	return effects;
}

/* The row of an effect outside that was done before idem knew of it. */
static bool
insert_adopted_reservation(IdemAnchor *table, const IdemKey *key,
						   bytea *fingerprint, TimestampTz at)
{
	Datum		values[Natts_reservation] = {0};
	bool		nulls[Natts_reservation];

	memset(nulls, true, sizeof(nulls));
	memset(nulls, false, Anum_anchor_fingerprint);
	values[Anum_anchor_digest - 1] = UUIDPGetDatum(&key->digest);
	values[Anum_anchor_first_seen - 1] = TimestampTzGetDatum(at);
	values[Anum_anchor_scope - 1] = Int32GetDatum(key->scope->id);
	values[Anum_anchor_state - 1] = CharGetDatum(IDEM_STATE_ADOPTED);
	values[Anum_anchor_key - 1] = PointerGetDatum(key->text);
	values[Anum_anchor_fingerprint - 1] = PointerGetDatum(fingerprint);
	nulls[Anum_reservation_token - 1] = false;
	nulls[Anum_reservation_attempt - 1] = false;
	nulls[Anum_reservation_step - 1] = false;
	nulls[Anum_reservation_dropped - 1] = false;
	nulls[Anum_reservation_finished_at - 1] = false;
	values[Anum_reservation_finished_at - 1] = TimestampTzGetDatum(at);
	return idem_key_insert(table, key, values, nulls);
}

/* Nobody has the key: false if somebody was faster. */
static bool
insert_adopted(IdemEffects *effects, const IdemKey *key, Jsonb *request,
			   TimestampTz at)
{
	bytea	   *fingerprint = idem_key_fingerprint(effects->scope, request,
												   NULL);
	bool		inserted = effects->scope->outside ?
		insert_adopted_reservation(&effects->table, key, fingerprint, at) :
		idem_key_insert_anchor(&effects->table, key, fingerprint, at,
							   IDEM_STATE_ADOPTED);

	if (inserted && effects->scope->compared != NULL)
		idem_key_sighting_adopt(&effects->table, key, request, at);
	return inserted;
}

/*
 * Adopt a key whose effect is there although nobody claimed it: an anchor with
 * a state of its own, and the fingerprint of the request.  A key that is known
 * already, or that the scope may have forgotten, stays as it is.  22I01 for a
 * key that could not be claimed, 22023 for a request that lacks a field.
 */
IdemAdopted
idem_key_adopt(IdemEffects *effects, text *key_text, Jsonb *request,
			   TimestampTz first_seen)
{
	MemoryContext old = MemoryContextSwitchTo(effects->each);
	IdemAdopted result = IDEM_ADOPTED_KNOWN;
	IdemFound	found;
	IdemKey		key;

	CHECK_FOR_INTERRUPTS();
	idem_key_init(effects->scope, key_text, &key);
	idem_key_find(&effects->table, &key, &found);
	if (found.held == IDEM_HELD_RIVAL)
		result = IDEM_ADOPTED_BUSY;
	else if (found.held == IDEM_HELD_NOT && !idem_key_judge(&key))
		result = insert_adopted(effects, &key, request, first_seen) ?
			IDEM_ADOPTED_NOW : IDEM_ADOPTED_BUSY;
	MemoryContextSwitchTo(old);
	MemoryContextReset(effects->each);
	return result;
}
