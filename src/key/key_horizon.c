/*
 * key_horizon.c
 *		How a scope may forget keys without ever running one again.
 *
 * Only a key that carries its own time can be forgotten (key_time.c).  A scope
 * has a horizon; idem.retire moves it forward and removes older keys in one
 * transaction, and from then on every key older than the horizon that is not
 * known is answered expired.
 *
 * The horizon is read from the table, with a snapshot taken after the unique
 * index has accepted our row and before the row counts.  If an anchor of the
 * key was there and is gone, its removal is committed, and the horizon that
 * was committed with it is seen.  A remembered horizon would not do: the
 * message about a commit comes after its effects.
 *
 * Costs two reads of one row for a new key, in scopes with a key_time only.
 */
#include "postgres.h"

#include "key/key_inner.h"

/*
 * Judge a key that is not there: 22I01 unless it has the form that the scope
 * asks of new keys.  Reads its time; true if it is expired.
 */
bool
idem_key_judge(IdemKey *key)
{
	idem_key_check(key->scope, key->text);
	key->time = idem_key_time_of(key->scope, key->text);
	return idem_key_expired(key);
}

/*
 * Does a key that was judged lie before the horizon, as it is committed now?
 * Then whether it was used can no longer be known.
 */
bool
idem_key_expired(const IdemKey *key)
{
	return key->scope->key_time != IDEM_TIME_NONE &&
		key->time < idem_key_scope_horizon(key->scope, NULL);
}

/* May the scope have forgotten the key?  Any key, also one of another form. */
bool
idem_key_forgotten(IdemKey *key)
{
	return key->scope->key_time != IDEM_TIME_NONE &&
		idem_key_has_form(key->scope, key->text) &&
		idem_key_read_time(key->scope, key->text, &key->time) &&
		idem_key_expired(key);
}
