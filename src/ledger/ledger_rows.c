/*
 * ledger_rows.c
 *		Do balances agree with the sums of their entries?
 *
 * How they are compared, and which rows that came in otherwise, says
 * total_rows.c.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_trigger.h"

#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "ledger/ledger.h"
#include "ledger/ledger_declare.h"
#include "ledger/ledger_journal.h"
#include "ledger/ledger_rows.h"
#include "total/total_keep.h"
#include "total/total_rows.h"
#include "total/total_sql.h"

/* p.column::numeric of one that is kept, or 0 */
static const char *
kept_sql(Relation account, const char *balance, const char *setting)
{
	const char *column = idem_total_column(account, balance, setting);

	return column == NULL ? "0" :
		psprintf("%s::numeric", idem_total_column_sql("p", column));
}

/* Is p an account whose balance is added up later? */
static const char *
batched_sql(const IdemTotalSource *source)
{
	return !idem_setting_is(source->settings, "batched", "true") ? "false" :
		idem_total_column_sql("p", idem_setting(source->settings, "unbounded"));
}

/* among is a join that leaves some of the accounts, or empty. */
static char *
compare_balances(IdemTotalSource *source, const char *among)
{
	Relation	account = relation_open(source->key.parent, AccessShareLock);
	const char *balance = psprintf("%s::numeric",
								   idem_total_column_sql("p", source->total));
	const char *held = kept_sql(account, source->total, "held");
	IdemTotalComparison how = {
		.differs = "NOT x.batched AND (x.balance IS DISTINCT FROM x.sum OR x.held IS DISTINCT FROM x.pending OR x.shortfall < x.missing)",
		.example = "CASE WHEN x.balance IS DISTINCT FROM x.sum"
		" THEN format('%s: %s where its entries add up to %s', x.key, x.balance, COALESCE(x.sum::text, 'nothing'))"
		" WHEN x.held IS DISTINCT FROM x.pending"
		" THEN format('%s: %s held where %s is pending', x.key, x.held, x.pending)"
		" ELSE format('%s: shortfall %s where %s is missing', x.key, x.shortfall, x.missing) END"
	};
	char	   *finding;

	how.sums = idem_ledger_sums_sql(idem_total_sharing(source, account));
	how.columns = psprintf("%s AS batched, %s AS balance, %s AS sum, %s AS held, %s AS pending, %s AS shortfall, %s AS missing",
						   batched_sql(source), balance, idem_ledger_balance_sql(source), held,
						   idem_total_column(account, source->total,
											 "held") == NULL ? "0" :
						   idem_ledger_held_sql(source),
						   kept_sql(account, source->total, "shortfall"),
						   kept_sql(account, source->total,
									"shortfall")[0] == '0' ? "0" :
						   idem_ledger_missing_sql(idem_setting(source->settings,
																"floor"),
												   idem_setting(source->settings,
																"unbounded"),
												   balance, held));
	how.what = psprintf("balance \"%s\" is not the sum of the entries",
						source->total);
	finding = idem_total_compare(source, account, among, &how);
	relation_close(account, AccessShareLock);
	return finding;
}

/* What fills it; 39P01 if the foreign key cannot carry it any longer. */
static IdemTotalSource *
source_of(const IdemGuard *guard)
{
	return idem_total_read_source(guard->settings, guard->relid);
}

static char *
check_balances(const IdemGuard *guard, Oid rows)
{
	return compare_balances(source_of(guard), "");
}

/* The accounts of attached entries must have counted them before. */
static char *
check_attached_entries(const IdemGuard *guard, Oid rows)
{
	IdemTotalSource *source = source_of(guard);
	char	   *among = idem_total_attached_sql(source, guard, rows);

	return among == NULL ? NULL : compare_balances(source, among);
}

static char *
check_shortfall(const IdemGuard *guard, Oid rows)
{
	return idem_total_check_losses(guard, "shortfall", "missing",
								   "facts took more than there was");
}

/* The foreign key, and the column that names holds. */
static char *
check_shape(const IdemGuard *guard, Snapshot snapshot)
{
	const char *posts = idem_setting(guard->settings, "posts");
	char	   *problem = idem_total_key_problem(guard, snapshot);

	if (problem != NULL || posts == NULL)
		return problem;
	return idem_posts_problem(guard->relid, posts, snapshot);
}

/* Amounts, bounds and balances have types that they can be kept in. */
static bool
takes_type(const char *setting, Oid type)
{
	static const char *const amounts[] = {"amount", "balance", "held",
	"shortfall", "floor", "ceiling"};
	int			i;

	for (i = 0; i < lengthof(amounts); i++)
	{
		if (strcmp(setting, amounts[i]) == 0)
			return idem_amount_type_supported(type);
	}
	return true;
}

#define NAMES_COLUMNS	(IDEM_SETTING_REQUIRED | IDEM_SETTING_COLUMN)

static const IdemSetting balance_settings[] = {
	{"fk", IDEM_LIST, NAMES_COLUMNS | IDEM_SETTING_NOT_NULL |
	IDEM_SETTING_IDENTITY, NULL},
	{"amount", IDEM_WORD, NAMES_COLUMNS, NULL},
	{"direction", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"side", IDEM_CHOICE, 0, "debit|credit"},
	{"balance", IDEM_WORD, IDEM_SETTING_REQUIRED, NULL},
	{"held", IDEM_WORD, 0, NULL},
	{"shortfall", IDEM_WORD, 0, NULL},
	{"floor", IDEM_WORD, 0, NULL},
	{"ceiling", IDEM_WORD, 0, NULL},
	{"unbounded", IDEM_WORD, 0, NULL},
	{"normal", IDEM_CHOICE, 0, "debit|credit"},
	{"normal_column", IDEM_WORD, 0, NULL},
	{"debit", IDEM_WORD, 0, NULL},
	{"credit", IDEM_WORD, 0, NULL},
	{"batched", IDEM_CHOICE, 0, "true|false"},
	{"same", IDEM_MAP, IDEM_SETTING_COLUMN, NULL},
	{"state", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"pending", IDEM_LIST, 0, NULL},
	{"released", IDEM_LIST, 0, NULL},
	{"facts", IDEM_LIST, 0, NULL},
	{"posts", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"over", IDEM_CHOICE, 0, "true|false"},
	{"expires_at", IDEM_WORD, IDEM_SETTING_COLUMN, NULL},
	{"children", IDEM_CHOICE, IDEM_SETTING_REQUIRED, "kept|editable"},
	{NULL, IDEM_WORD, 0, NULL}
};

#define BOUND_COLUMN	(IDEM_SETTING_COLUMN | IDEM_SETTING_NOT_NULL)
#define KEPT_COLUMN		(BOUND_COLUMN | IDEM_SETTING_KEPT)

/* fk, amount and words are the entries', by which the account agrees to them */
static const IdemSetting account_settings[] = {
	{"fk", IDEM_LIST, IDEM_SETTING_REQUIRED | IDEM_SETTING_IDENTITY, NULL},
	{"amount", IDEM_WORD, IDEM_SETTING_REQUIRED, NULL},
	{"key", IDEM_LIST, NAMES_COLUMNS, NULL},
	{"balance", IDEM_WORD, IDEM_SETTING_REQUIRED | KEPT_COLUMN, NULL},
	{"held", IDEM_WORD, KEPT_COLUMN, NULL},
	{"shortfall", IDEM_WORD, KEPT_COLUMN, NULL},
	{"floor", IDEM_WORD, BOUND_COLUMN, NULL},
	{"ceiling", IDEM_WORD, BOUND_COLUMN, NULL},
	{"unbounded", IDEM_WORD, BOUND_COLUMN, NULL},
	{"normal", IDEM_CHOICE, 0, "debit|credit"},
	{"normal_column", IDEM_WORD, BOUND_COLUMN, NULL},
	{"debit", IDEM_WORD, 0, NULL},
	{"credit", IDEM_WORD, 0, NULL},
	{"batched", IDEM_CHOICE, 0, "true|false"},
	{"same_parent", IDEM_LIST, IDEM_SETTING_COLUMN, NULL},
	{NULL, IDEM_WORD, 0, NULL}
};

static const int16 row_types[] = {
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
	TRIGGER_TYPE_DELETE, 0
};

static const IdemGuardKind balance_kind = {
	.kind = "balance",
	.function = IDEM_BALANCE_FUNCTION,
	.decides = true,
	.declares = "guard_balance",
	.declaration = idem_total_declaration,
	.recount = idem_balance_recount,
	.keeps_rows = true,
	.statement = IDEM_TOTAL_STATEMENT_FUNCTION,
	.settings = balance_settings,
	.types = row_types,
	.check_rows = check_balances,
	.remedy = "find out who wrote past the guard; then take it off with idem.drop_guard and declare it anew, which fills the balances",
	.check_open = check_shortfall,
	.open_remedy = "collect what is missing from whoever owes it, or write it off with an entry; credits fill it first, and no debit fits until it is gone",
	.check_attached = check_attached_entries,
	.check_detached = idem_total_check_detached,
	.check_shape = check_shape,
	.takes_type = takes_type
};

static const IdemGuardKind account_kind = {
	.kind = "balance",
	.function = IDEM_ACCOUNT_FUNCTION,
	.decides = false,
	.settings = account_settings,
	.types = row_types,
	.check_attached = idem_total_check_attached_parents,
	.takes_type = takes_type
};

/* Called once, when the library is loaded */
void
idem_ledger_rows_init(void)
{
	idem_register_kind(&balance_kind);
	idem_register_kind(&account_kind);
	idem_journal_rows_init();
}
