/*
 * bound_paid.c
 *		Which claims of this transaction have paid for a row, in which table.
 *
 * One claim pays for one row of each table whose guard says rows => 'one'.
 * A payment is kept with the (sub)transaction that made it.  One that was
 * rolled back to a savepoint is no longer among those that are current, and
 * the claim can pay again: the row that it paid for went with it.
 *
 * Costs an entry of 28 bytes for every row, until the transaction ends.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "bound/bound.h"

typedef struct PaymentKey
{
	pg_uuid_t	digest;			/* of the key that was claimed */
	Oid			table;			/* the partitioned one at the top */
} PaymentKey;

typedef struct Payment
{
	PaymentKey	key;
	TransactionId xid;			/* of the subtransaction that paid */
	char		status;			/* the table's */
} Payment;

/* Any four bytes of a digest are as good as random, but for the first four. */
static inline uint32
payment_hash(PaymentKey key)
{
	uint32		hash;

	memcpy(&hash, key.digest.data + sizeof(uint32), sizeof(hash));
	return hash ^ (uint32) key.table;
}

static inline bool
same_payment(PaymentKey a, PaymentKey b)
{
	return a.table == b.table &&
		memcmp(a.digest.data, b.digest.data, UUID_LEN) == 0;
}

#define SH_PREFIX payments
#define SH_ELEMENT_TYPE Payment
#define SH_KEY_TYPE PaymentKey
#define SH_KEY key
#define SH_HASH_KEY(tb, key) payment_hash(key)
#define SH_EQUAL(tb, a, b) same_payment(a, b)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/*
 * Most transactions have one payment: that is first, if its xid is valid.  From
 * the second one on all of them are in payments, in TopTransactionContext.
 */
static Payment first;
static payments_hash * payments = NULL;

static void
payments_at_xact_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT ||
		event == XACT_EVENT_PREPARE)
	{
		payments = NULL;
		first.xid = InvalidTransactionId;
	}
}

/* The payment of this key, a new one if there is none. */
static Payment *
payment_of(PaymentKey key, bool *found)
{
	Payment    *payment;

	*found = payments == NULL && TransactionIdIsValid(first.xid) &&
		same_payment(first.key, key);
	if (*found)
		return &first;
	if (payments == NULL && !TransactionIdIsValid(first.xid))
	{
		first.key = key;
		return &first;
	}
	if (payments == NULL)
	{
		payments = payments_create(TopTransactionContext, 8, NULL);
		payment = payments_insert(payments, first.key, found);
		payment->xid = first.xid;
	}
	return payments_insert(payments, key, found);
}

/*
 * Let a claim pay for a row that the current (sub)transaction has written.
 * False if it has paid for another one of the table, which is not rolled back.
 */
bool
idem_bound_pay(const pg_uuid_t *digest, Oid table)
{
	static bool registered = false;
	PaymentKey	key = {*digest, table};
	Payment    *payment;
	bool		found;

	if (!registered)
		RegisterXactCallback(payments_at_xact_event, NULL);
	registered = true;
	payment = payment_of(key, &found);
	if (found && TransactionIdIsCurrentTransactionId(payment->xid))
		return false;
	payment->xid = GetCurrentTransactionId();
	return true;
}
