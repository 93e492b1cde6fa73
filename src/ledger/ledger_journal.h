/*
 * ledger_journal.h
 *		What the files of journals share.
 */
#ifndef IDEM_LEDGER_JOURNAL_H
#define IDEM_LEDGER_JOURNAL_H

#include "total/total_type.h"

struct IdemTotalSource;

/* the trigger function in schema idem */
#define IDEM_JOURNAL_FUNCTION "keep_journal"

/* What entries of a transaction add up to, by journal, currency and phase. */
typedef struct IdemJournalSum
{
	const char *key;			/* hash key, must be first: all of these */
	Oid			child;			/* the table of the entries */
	const char *name;			/* "journal 7" */
	const char *currency;		/* or NULL */
	const char *phase;			/* pending, posted, or NULL */
	IdemAmountType *type;
	int128		sum;			/* credits less debits, of whole numbers */
	Datum		number;			/* the same of numeric */
} IdemJournalSum;

/* ledger_book.c */
extern void idem_book_init(void);
extern void idem_book_add(const IdemJournalSum *what, Datum amount,
						  bool is_credit);
extern void idem_book_empty(Oid child);

extern bool idem_book_is_own(const char *journal);
extern void idem_book_note_own(const char *journal);

/* ledger_journal_sums.c */
extern char *idem_journal_sums_sql(const struct IdemTotalSource *source);

/* ledger_journal_rows.c */
extern void idem_journal_rows_init(void);

#endif							/* IDEM_LEDGER_JOURNAL_H */
