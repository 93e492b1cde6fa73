/*
 * ledger_journal_rows.c
 *		Does every journal balance?
 *
 * The guard judges what is written while it stands; this adds up all entries,
 * for a declaration and for the doctor, as the owner of their table.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_trigger.h"

#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/rows.h"
#include "base/settings_known.h"
#include "ledger/ledger_journal.h"
#include "total/total_source.h"

static char *
count_journals(const IdemTotalSource *source, Oid shown)
{
	Relation	rel = relation_open(shown, AccessShareLock);
	char	   *finding;

	finding = idem_count_offenders(rel,
								   psprintf("SELECT count(*), min(format('%%s: %%s', concat_ws(' ', x.key, x.currency, CASE WHEN x.pending THEN 'pending' END), x.sum) COLLATE \"C\") FROM (%s) x",
											idem_journal_sums_sql(source)),
								   (Datum) 0,
								   "of journals, currencies and phases that do not add up to zero");
	relation_close(rel, AccessShareLock);
	return finding;
}

static char *
check_journals(const IdemGuard *guard, Oid rows)
{
	return count_journals(idem_total_read_source(guard->settings,
												 guard->relid),
						  guard->relid);
}

/* Entries that are attached, or leave, balance among themselves, or not. */
static char *
check_moved(const IdemGuard *guard, Oid rows)
{
	IdemTotalSource *source = idem_total_read_source(guard->settings,
													 guard->relid);

	source->key.child = rows;
	return count_journals(source, rows);
}

/* The entries were truncated: none of this transaction is left to balance. */
static void
empty_book(const IdemGuard *guard)
{
	idem_book_empty(guard->relid);
}

static bool
takes_type(const char *setting, Oid type)
{
	return strcmp(setting, "amount") != 0 || idem_amount_type_supported(type);
}

#define NAMES_COLUMNS	(IDEM_SETTING_REQUIRED | IDEM_SETTING_COLUMN)

static const IdemSetting journal_settings[] = {
	{"fk", IDEM_LIST, NAMES_COLUMNS | IDEM_SETTING_NOT_NULL |
	IDEM_SETTING_IDENTITY, NULL},
	{"amount", IDEM_WORD, NAMES_COLUMNS, NULL},
	{"direction", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"debit", IDEM_WORD, 0, NULL},
	{"credit", IDEM_WORD, 0, NULL},
	{"currency", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"state", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"pending", IDEM_LIST, 0, NULL},
	{"released", IDEM_LIST, 0, NULL},
	{"closed", IDEM_CHOICE, IDEM_SETTING_REQUIRED, "true|false"},
	{NULL, IDEM_WORD, 0, NULL}
};

static const int16 row_types[] = {
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
	TRIGGER_TYPE_DELETE, 0
};

static const IdemGuardKind journal_kind = {
	.kind = "journal",
	.function = IDEM_JOURNAL_FUNCTION,
	.declares = "guard_journal",
	.decides = true,
	.keeps_rows = true,
	.settings = journal_settings,
	.types = row_types,
	.check_rows = check_journals,
	.recount = empty_book,
	.validates = true,
	.remedy = "find out who wrote past the guard, and correct it by a journal of its own",
	.check_attached = check_moved,
	.check_detached = check_moved,
	.check_shape = idem_total_key_problem,
	.takes_type = takes_type
};

/* Called once, by the room, when the library is loaded */
void
idem_journal_rows_init(void)
{
	idem_register_kind(&journal_kind);
	idem_book_init();
}
