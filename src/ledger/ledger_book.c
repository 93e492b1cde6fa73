/*
 * ledger_book.c
 *		What the entries of a transaction add up to, in memory.
 *
 * Committed journals balance, so it is enough to add up what this transaction
 * changes: no row is read again.  Each subtransaction has a book of its own,
 * which goes with it or is added to that of its parent, so that a savepoint
 * undoes exactly what came after it.  A sum that is zero is dropped, so that a
 * load of many journals, each of which is complete before the next, needs
 * memory for one.
 *
 * Judged when the transaction wants to commit or to prepare, after deferred
 * triggers, and earlier where idem.check_journals() is called.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/idem_errors.h"
#include "ledger/ledger_journal.h"

/* The sums of one subtransaction. */
typedef struct Book
{
	SubTransactionId subid;
	MemoryContext context;		/* where all of this lives */
	HTAB	   *sums;			/* IdemJournalSum */
	struct Book *outer;
} Book;

/* in TopTransactionContext, the innermost first */
static Book *books = NULL;

/* a journal that this transaction has made, the last that was asked for */
static char *own = NULL;

/* ------------------------------------------------------------------------
 * Sums
 * ------------------------------------------------------------------------
 */

static uint32
hash_key(const void *key, Size size)
{
	const char *text = *(const char *const *) key;

	return DatumGetUInt32(hash_any((const unsigned char *) text,
								   strlen(text)));
}

static int
compare_keys(const void *a, const void *b, Size size)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static Book *
begin_book(MemoryContext parent, SubTransactionId subid)
{
	MemoryContext context = AllocSetContextCreate(parent, "idem journals",
												  ALLOCSET_DEFAULT_SIZES);
	Book	   *begun = MemoryContextAllocZero(context, sizeof(Book));
	HASHCTL		ctl = {0};

	begun->subid = subid;
	begun->context = context;
	ctl.keysize = sizeof(char *);
	ctl.entrysize = sizeof(IdemJournalSum);
	ctl.hash = hash_key;
	ctl.match = compare_keys;
	ctl.hcxt = context;
	begun->sums = hash_create("idem journals", 64, &ctl,
							  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE |
							  HASH_CONTEXT);
	return begun;
}

/* The book of this subtransaction, begun on first use. */
static Book *
current_book(void)
{
	SubTransactionId subid = GetCurrentSubTransactionId();

	if (books == NULL || books->subid != subid)
	{
		Book	   *begun = begin_book(TopTransactionContext, subid);

		begun->outer = books;
		books = begun;
	}
	return books;
}

static const char *
copy_text(MemoryContext context, const char *str)
{
	return str == NULL ? NULL : MemoryContextStrdup(context, str);
}

/* The sum of that key in a book, which is zero if it is new. */
static IdemJournalSum *
find_sum(Book *book, const IdemJournalSum *what)
{
	bool		found;
	IdemJournalSum *sum = hash_search(book->sums, &what->key, HASH_ENTER,
									  &found);

	if (found)
		return sum;
	sum->key = copy_text(book->context, what->key);
	sum->name = copy_text(book->context, what->name);
	sum->currency = copy_text(book->context, what->currency);
	sum->child = what->child;
	sum->phase = what->phase;
	sum->type = what->type;
	sum->sum = 0;
	sum->number = (Datum) 0;
	return sum;
}

static void
free_text(const char *str)
{
	if (str != NULL)
		pfree(unconstify(char *, str));
}

static void
drop_sum(Book *book, IdemJournalSum *sum)
{
	IdemJournalSum dropped = *sum;

	hash_search(book->sums, &dropped.key, HASH_REMOVE, NULL);
	free_text(dropped.key);
	free_text(dropped.name);
	free_text(dropped.currency);
	if (dropped.number != (Datum) 0)
		pfree(DatumGetPointer(dropped.number));
}

/* Add a numeric, which is negative for a debit. */
static void
add_number(Book *book, IdemJournalSum *sum, Datum number)
{
	MemoryContext old = MemoryContextSwitchTo(book->context);
	Datum		before = sum->number;

	sum->number = idem_amount_plus(sum->type, before == (Datum) 0 ?
								   sum->type->zero : before, number);
	if (before != (Datum) 0)
		pfree(DatumGetPointer(before));
	MemoryContextSwitchTo(old);
}

static bool
is_zero(const IdemJournalSum *sum)
{
	if (sum->type->type != NUMERICOID)
		return sum->sum == 0;
	return sum->number == (Datum) 0 ||
		idem_amount_compare(sum->type, sum->number, sum->type->zero) == 0;
}

static int64
whole_number(IdemAmountType *type, Datum amount)
{
	return type->len == sizeof(int32) ? DatumGetInt32(amount) :
		DatumGetInt64(amount);
}

/*
 * Add an amount of the type to the sum of a journal, currency and phase, whose
 * names are copied where they are new.
 */
void
idem_book_add(const IdemJournalSum *what, Datum amount, bool is_credit)
{
	Book	   *book = current_book();
	IdemJournalSum *sum = find_sum(book, what);
	IdemAmountType *type = what->type;

	if (type->type == NUMERICOID)
		add_number(book, sum, is_credit ? amount :
				   idem_amount_minus(type, type->zero, amount));
	else if (is_credit)
		sum->sum += whole_number(type, amount);
	else
		sum->sum -= whole_number(type, amount);
	if (is_zero(sum))
		drop_sum(book, sum);
}

/* Has this journal been found to be one of this transaction's making? */
bool
idem_book_is_own(const char *journal)
{
	return own != NULL && strcmp(own, journal) == 0;
}

/* Entries of one journal come together: remember the last. */
void
idem_book_note_own(const char *journal)
{
	if (own != NULL)
		pfree(own);
	own = MemoryContextStrdup(TopTransactionContext, journal);
}

/* ------------------------------------------------------------------------
 * Judging them
 * ------------------------------------------------------------------------
 */

/* How far the sides are apart, as an amount. */
static char *
difference_text(const IdemJournalSum *sum)
{
	IdemAmountType *type = sum->type;
	int128		size = sum->sum < 0 ? -sum->sum : sum->sum;

	if (type->type == NUMERICOID)
		return idem_amount_text(type,
								idem_amount_compare(type, sum->number,
													type->zero) < 0 ?
								idem_amount_minus(type, type->zero,
												  sum->number) :
								sum->number);
	if (size > PG_INT64_MAX)
		return "more than an amount can be";
	return type->len == sizeof(int32) ?
		psprintf(INT64_FORMAT, (int64) size) :
		idem_amount_text(type, Int64GetDatum((int64) size));
}

static bool
has_more_credits(const IdemJournalSum *sum)
{
	if (sum->type->type != NUMERICOID)
		return sum->sum > 0;
	return idem_amount_compare(sum->type, sum->number, sum->type->zero) > 0;
}

/* 23I0B: the first that is not balanced, in the order of the names. */
static void
refuse_sum(const IdemJournalSum *sum)
{
	bool		credits = has_more_credits(sum);
	const char *phase = sum->phase == NULL ? "" : psprintf("%s ", sum->phase);

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_UNBALANCED_JOURNAL),
			 errmsg("%s is not balanced", sum->name),
			 errdetail("Its %s%s exceed its %s%s by %s%s%s.",
					   phase, credits ? "credits" : "debits",
					   phase, credits ? "debits" : "credits",
					   difference_text(sum), sum->currency ? " " : "",
					   sum->currency ? sum->currency : "")));
}

/* Which is reported first: by what is shown, then by what it is. */
static bool
comes_before(const IdemJournalSum *a, const IdemJournalSum *b)
{
	int			order = strcmp(a->name, b->name);

	if (order == 0 && a->currency != NULL && b->currency != NULL)
		order = strcmp(a->currency, b->currency);
	if (order == 0)
		order = strcmp(a->key, b->key);
	return order < 0;
}

/* Every sum in a book is one that is not zero. */
static void
require_empty(Book *book)
{
	IdemJournalSum *first = NULL;
	IdemJournalSum *sum;
	HASH_SEQ_STATUS status;

	hash_seq_init(&status, book->sums);
	while ((sum = hash_seq_search(&status)) != NULL)
	{
		if (first == NULL || comes_before(sum, first))
			first = sum;
	}
	if (first != NULL)
		refuse_sum(first);
}

/* Take what an outer book has out of the current one. */
static void
take_out(Book *book, const IdemJournalSum *sum)
{
	IdemJournalSum *from = find_sum(book, sum);

	if (sum->type->type == NUMERICOID)
		add_number(book, from, idem_amount_minus(sum->type, sum->type->zero,
												 sum->number));
	else
		from->sum -= sum->sum;
	if (is_zero(from))
		drop_sum(book, from);
}

/*
 * The entries of this table go all at once, by TRUNCATE: of what the
 * transaction has added none is left, unless a savepoint brings them back.
 */
void
idem_book_empty(Oid child)
{
	Book	   *current = current_book();
	IdemJournalSum *sum;
	HASH_SEQ_STATUS status;
	Book	   *book;

	hash_seq_init(&status, current->sums);
	while ((sum = hash_seq_search(&status)) != NULL)
	{
		if (sum->child == child)
			drop_sum(current, sum);
	}
	for (book = current->outer; book != NULL; book = book->outer)
	{
		hash_seq_init(&status, book->sums);
		while ((sum = hash_seq_search(&status)) != NULL)
		{
			if (sum->child == child)
				take_out(current, sum);
		}
	}
}

/* Add what one book has to another. */
static void
add_book(Book *to, Book *from)
{
	IdemJournalSum *sum;
	HASH_SEQ_STATUS status;

	hash_seq_init(&status, from->sums);
	while ((sum = hash_seq_search(&status)) != NULL)
	{
		IdemJournalSum *into = find_sum(to, sum);

		if (sum->type->type == NUMERICOID)
			add_number(to, into, sum->number);
		else
			into->sum += sum->sum;
		if (is_zero(into))
			drop_sum(to, into);
	}
}

/* 23I0B unless all sums of the transaction so far are zero. */
static void
require_balance(void)
{
	Book	   *all;
	Book	   *book;

	if (books == NULL)
		return;
	all = begin_book(CurrentMemoryContext, InvalidSubTransactionId);
	for (book = books; book != NULL; book = book->outer)
		add_book(all, book);
	require_empty(all);
	MemoryContextDelete(all->context);
}

/*
 * check_journals() -> void
 */
PG_FUNCTION_INFO_V1(idem_check_journals);
Datum
idem_check_journals(PG_FUNCTION_ARGS)
{
	require_balance();
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * The end of a transaction
 * ------------------------------------------------------------------------
 */

static void
book_at_transaction(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			require_balance();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			books = NULL;
			own = NULL;
			break;
		default:
			break;
	}
}

/* What a subtransaction added goes with it, or belongs to its parent. */
static void
book_at_subtransaction(SubXactEvent event, SubTransactionId mySubid,
					   SubTransactionId parentSubid, void *arg)
{
	Book	   *ended = books;

	if (event == SUBXACT_EVENT_ABORT_SUB)
		own = NULL;				/* it may be gone with it */
	if (ended == NULL || ended->subid != mySubid ||
		(event != SUBXACT_EVENT_COMMIT_SUB && event != SUBXACT_EVENT_ABORT_SUB))
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB &&
		(ended->outer == NULL || ended->outer->subid != parentSubid))
	{
		ended->subid = parentSubid;
		return;
	}
	books = ended->outer;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		add_book(books, ended);
	MemoryContextDelete(ended->context);
}

/* Called once, when the library is loaded */
void
idem_book_init(void)
{
	RegisterXactCallback(book_at_transaction, NULL);
	RegisterSubXactCallback(book_at_subtransaction, NULL);
}
