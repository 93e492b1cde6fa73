/*
 * bound_response.c
 *		No commit with a key whose response is not there: tables of keys.
 *
 * With completion => 'required', a key whose work was lost (an exception
 * swallowed around it, a code path that forgot) must not be used up.  The keys
 * that a transaction was granted are remembered with the (sub)transaction that
 * inserted the row, and with the one that gave the response.  What was rolled
 * back to a savepoint is no longer among those that are current: nothing is
 * kept in step with savepoints.  Before the transaction commits or is prepared
 * each key that it still has needs its response.
 *
 * Costs a copy of each key until the transaction ends, and nothing where
 * completion is not required.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/idem_errors.h"
#include "bound/bound.h"

typedef struct OpenKey
{
	pg_uuid_t	digest;
	TransactionId inserted;		/* by this subtransaction */
	TransactionId answered;		/* and the response is of this one; or 0 */
	char		status;			/* the table's */
	char	   *table;
	char	   *key;
} OpenKey;

static inline uint32
digest_hash(pg_uuid_t digest)
{
	uint32		hash;

	memcpy(&hash, digest.data + sizeof(uint32), sizeof(hash));
	return hash;
}

#define SH_PREFIX open_keys
#define SH_ELEMENT_TYPE OpenKey
#define SH_KEY_TYPE pg_uuid_t
#define SH_KEY digest
#define SH_HASH_KEY(tb, key) digest_hash(key)
#define SH_EQUAL(tb, a, b) (memcmp((a).data, (b).data, UUID_LEN) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* In TopTransactionContext; NULL: none was granted yet. */
static open_keys_hash * open_keys = NULL;

static bool
is_current(TransactionId xid)
{
	return TransactionIdIsValid(xid) &&
		TransactionIdIsCurrentTransactionId(xid);
}

/* 55I02 if a key that is ours has no response. */
static void
check_responses(void)
{
	open_keys_iterator each;
	OpenKey    *key;

	open_keys_start_iterate(open_keys, &each);
	while ((key = open_keys_iterate(open_keys, &each)) != NULL)
	{
		if (is_current(key->inserted) && !is_current(key->answered))
			ereport(ERROR,
					(errcode(ERRCODE_IDEM_CLAIM_NOT_OPEN),
					 errmsg("key \"%s\" of table \"%s\" has no response",
							key->key, key->table),
					 errdetail("The table requires one before the commit."),
					 errhint("Set the response after the work, or roll back to free the key.")));
	}
}

static void
responses_at_xact_event(XactEvent event, void *arg)
{
	if (open_keys == NULL)
		return;
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		check_responses();
	else
		open_keys = NULL;
}

/* This key was just granted: do not let it be committed half-way. */
void
idem_bound_require_response(const pg_uuid_t *digest, const char *table,
							const text *key)
{
	static bool registered = false;
	OpenKey    *entry;
	bool		found;

	if (!registered)
		RegisterXactCallback(responses_at_xact_event, NULL);
	registered = true;
	if (open_keys == NULL)
		open_keys = open_keys_create(TopTransactionContext, 8, NULL);
	entry = open_keys_insert(open_keys, *digest, &found);
	entry->inserted = GetCurrentTransactionId();
	entry->answered = InvalidTransactionId;
	if (found)
		return;
	entry->table = MemoryContextStrdup(TopTransactionContext, table);
	entry->key = MemoryContextStrdup(TopTransactionContext,
									 text_to_cstring(key));
}

/* Its response was just given; one of an earlier transaction is not known. */
void
idem_bound_note_response(const pg_uuid_t *digest)
{
	OpenKey    *entry = open_keys ? open_keys_lookup(open_keys, *digest) : NULL;

	if (entry != NULL)
		entry->answered = GetCurrentTransactionId();
}
