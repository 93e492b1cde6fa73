/*
 * pair_entry.c
 *		Children that come in, and a parent that closes.
 *
 * judge => 'entry' is for parents with very many children at a time, as the
 * one row of a business day: a lock of that row by each of them would let them
 * in one after the other.  So a child takes no lock of the row but, SHARE, one
 * that is named by the guard and the key of the parent, and looks at the
 * parent under it; whoever takes a parent out of a state that let children in
 * takes the same lock, EXCLUSIVE, once the row is written.  Both are held until
 * the end of the transaction.  So a parent that closes waits for the children
 * that found it open, and a child that comes later waits for the parent, and
 * looks at what was committed.
 *
 * The lock table is finite.  A transaction that has taken half of its share in
 * such locks (max_locks_per_transaction) locks the rows of further parents
 * instead, FOR SHARE, which their UPDATE waits for.  One that closes as many
 * parents locks the table of the children, SHARE ROW EXCLUSIVE, once, which
 * everybody who writes to it waits for.
 *
 * The name is a hash of the key, so two parents can share a lock, and wait
 * where they need not.  Where the types of both columns do not hash alike,
 * rows are locked from the beginning.  So are they, FOR NO KEY UPDATE, where
 * another guard of the child writes the parent row: it does that at the end of
 * a statement, and would wait there for a parent that closes, and holds the
 * row while it waits for the lock that was taken at the beginning.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "base/kind.h"
#include "base/kind_trigger.h"
#include "pair/pair.h"

/* how many locks this transaction has of each kind */
static int	entered = 0;
static int	closed = 0;

static void
entry_at_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
		entered = closed = 0;
}

/* Called once, when the library is loaded */
void
idem_pair_entry_init(void)
{
	RegisterXactCallback(entry_at_transaction, NULL);
}

/* Does another guard of the child write the row of its parent? */
static bool
shares_parent(const IdemPair *pair)
{
	ListCell   *lc;

	foreach(lc, idem_guard_triggers_of(pair->key.parent))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (trigger->bound == pair->key.child &&
			idem_kind_named(trigger->kind->kind)->statement != NULL)
			return true;
	}
	return false;
}

/* How an entry locks, on both sides alike; how the key is hashed, if it is. */
void
idem_pair_entry_compile(IdemPair *pair)
{
	int			flags = TYPECACHE_HASH_EXTENDED_PROC | TYPECACHE_HASH_OPFAMILY;
	int			i;

	pair->locks_rows = shares_parent(pair);
	pair->row_lock = pair->locks_rows ? IDEM_PAIR_NO_KEY_UPDATE :
		IDEM_PAIR_SHARE;
	for (i = 0; i < pair->key.n; i++)
	{
		Oid			type;
		int32		typmod;
		TypeCacheEntry *child;
		TypeCacheEntry *own;
		TypeCacheEntry *parent;

		get_atttypetypmodcoll(pair->key.parent, pair->key.parent_column[i],
							  &type, &typmod, &pair->collation[i]);
		parent = lookup_type_cache(type, flags);
		child = lookup_type_cache(get_atttype(pair->key.child,
											  pair->key.child_column[i]),
								  flags);
		own = lookup_type_cache(pair->type[i], flags);
		pair->locks_rows |= !OidIsValid(own->hash_extended_proc) ||
			child->hash_opf != parent->hash_opf;
		if (OidIsValid(own->hash_extended_proc))
			fmgr_info_cxt(own->hash_extended_proc, &pair->hash[i],
						  CurrentMemoryContext);
	}
}

/* The lock of a guard and a key; its class is a table, not a catalog. */
static void
make_tag(IdemPair *pair, const NullableDatum *values, LOCKTAG *tag)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) pair->fk,
										   strlen(pair->fk), 0);
	int			i;

	for (i = 0; i < pair->key.n; i++)
		hash = hash_combine64(hash,
							  DatumGetUInt64(FunctionCall2Coll(&pair->hash[i],
															   pair->collation[i],
															   values[i].value,
															   Int64GetDatum(0))));
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, pair->key.child, (uint32) hash,
					   (uint16) (hash >> 32));
}

static int
locks_max(void)
{
	return max_locks_per_xact / 2;
}

/*
 * A child comes in: take the lock that keeps its parent from closing, and say
 * how its row is to be locked.
 */
IdemPairLock
idem_pair_enter(IdemPair *pair, const NullableDatum *values)
{
	LOCKTAG		tag;

	if (pair->locks_rows || entered >= locks_max())
		return pair->row_lock;
	make_tag(pair, values, &tag);
	if (LockAcquire(&tag, ShareLock, false, false) == LOCKACQUIRE_OK)
		entered++;
	return IDEM_PAIR_NO_LOCK;
}

/* A parent closes, its row is written: wait for the children that are in. */
void
idem_pair_close(IdemPair *pair, const NullableDatum *values)
{
	LOCKTAG		tag;

	if (pair->locks_rows)
		return;
	if (closed >= locks_max())
	{
		LockRelationOid(pair->key.child, ShareRowExclusiveLock);
		return;
	}
	make_tag(pair, values, &tag);
	if (LockAcquire(&tag, ExclusiveLock, false, false) == LOCKACQUIRE_OK)
		closed++;
}
