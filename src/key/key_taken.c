/*
 * key_taken.c
 *		The keys that this transaction has taken.
 *
 * A row that this transaction wrote need not be of a key that it took: it may
 * have dropped the response of an old claim, or handed out a reservation as
 * due.  So the keys that are ours are remembered one by one until the
 * transaction ends.
 *
 * Each key is kept with the (sub)transaction that took it.  One that was
 * rolled back to a savepoint is no longer among those that are current, and
 * its keys are not ours any more: nothing is kept in step with savepoints.
 *
 * A key is taken by a claim, by a reservation or by a fence.  Only a claim
 * with the answer granted lets an effect inside happen.  So that is
 * remembered, too, for the guard on the table of the effect (key_effect.c).
 *
 * Costs an entry of 24 bytes for every key taken, and a look-up for every key
 * that is met again in the same transaction.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "key/key_inner.h"
#include "key/key_taken.h"

typedef struct TakenKey
{
	pg_uuid_t	digest;
	TransactionId xid;			/* of the subtransaction that took it */
	char		status;			/* the table's */
	bool		granted;		/* by a claim whose effect is inside */
} TakenKey;

/* Any four bytes of a digest are as good as random, but for the first four. */
static inline uint32
digest_hash(pg_uuid_t digest)
{
	uint32		hash;

	memcpy(&hash, digest.data + sizeof(uint32), sizeof(hash));
	return hash;
}

#define SH_PREFIX taken
#define SH_ELEMENT_TYPE TakenKey
#define SH_KEY_TYPE pg_uuid_t
#define SH_KEY digest
#define SH_HASH_KEY(tb, key) digest_hash(key)
#define SH_EQUAL(tb, a, b) (memcmp((a).data, (b).data, UUID_LEN) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* In TopTransactionContext; NULL: nothing was taken yet. */
static taken_hash * taken = NULL;

static void
taken_at_xact_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		taken = NULL;
}

/* The current (sub)transaction, which has an id, took the key. */
void
idem_key_note_taken(const pg_uuid_t *digest)
{
	static bool registered = false;
	TakenKey   *entry;
	bool		found;

	if (!registered)
		RegisterXactCallback(taken_at_xact_event, NULL);
	registered = true;
	if (taken == NULL)
		taken = taken_create(TopTransactionContext, 8, NULL);
	entry = taken_insert(taken, *digest, &found);
	entry->xid = GetCurrentTransactionId();
	entry->granted = false;
}

/* The key that was just taken was granted to a claim. */
void
idem_key_note_granted(const pg_uuid_t *digest)
{
	TakenKey   *entry = taken_lookup(taken, *digest);

	Assert(entry != NULL);
	entry->granted = true;
}

/* Has this transaction taken the key, and not rolled that back? */
bool
idem_key_taken_here(const pg_uuid_t *digest)
{
	TakenKey   *entry = taken ? taken_lookup(taken, *digest) : NULL;

	return entry != NULL && TransactionIdIsCurrentTransactionId(entry->xid);
}

/* Was this transaction granted the key, and has not rolled that back? */
bool
idem_key_granted(const pg_uuid_t *digest)
{
	TakenKey   *entry = taken ? taken_lookup(taken, *digest) : NULL;

	return entry != NULL && entry->granted &&
		TransactionIdIsCurrentTransactionId(entry->xid);
}
