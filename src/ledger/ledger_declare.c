/*
 * ledger_declare.c
 *		guard_balance(): keep the balances of accounts.
 *
 * What a balance is: the arguments of its triggers, and the CHECKs that the
 * server keeps whatever else goes wrong.  total_declare.c says how a guard with
 * a total is put on its tables, and what is locked.
 */
#include "postgres.h"

#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/settings.h"
#include "base/settings_write.h"
#include "ledger/ledger.h"
#include "ledger/ledger_declare.h"
#include "total/total_keep.h"

/* What both triggers say, behind what they differ in. */
static List *
add_account(List *settings, IdemBalanceDeclaration *d)
{
	settings = idem_settings_add(settings, "balance", d->total.of.total);
	settings = idem_settings_add(settings, "held", d->held);
	settings = idem_settings_add(settings, "shortfall", d->shortfall);
	settings = idem_settings_add(settings, "floor", d->floor);
	settings = idem_settings_add(settings, "ceiling", d->ceiling);
	settings = idem_settings_add(settings, "unbounded", d->unbounded);
	settings = idem_settings_add(settings, "normal", d->normal);
	settings = idem_settings_add(settings, "normal_column", d->normal_column);
	settings = idem_settings_add(settings, "debit", d->debit);
	settings = idem_settings_add(settings, "credit", d->credit);
	return idem_settings_add(settings, "batched", d->batched ? "true" : NULL);
}

static List *
balance_settings(IdemTotalDeclaration *total)
{
	IdemBalanceDeclaration *d = IDEM_BALANCE_DECLARATION(total);
	const IdemTotalSource *of = &total->of;
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add_list(settings, "fk", of->fk);
	settings = idem_settings_add(settings, "amount", of->amount);
	settings = idem_settings_add(settings, "direction", d->direction);
	settings = idem_settings_add(settings, "side", d->side);
	settings = add_account(settings, d);
	settings = idem_settings_add_map(settings, "same", total->same,
									 total->same_parent);
	settings = idem_settings_add(settings, "state", of->state);
	settings = idem_settings_add_list(settings, "pending", d->pending);
	settings = idem_settings_add_list(settings, "released", of->released);
	settings = idem_settings_add_list(settings, "facts", of->facts);
	settings = idem_settings_add(settings, "posts", d->posts);
	if (d->posts != NULL)
		settings = idem_settings_add(settings, "over",
									 d->over ? "true" : "false");
	settings = idem_settings_add(settings, "expires_at", d->expires_at);
	return idem_settings_add(settings, "children",
							 total->editable ? "editable" : "kept");
}

static List *
account_settings(IdemTotalDeclaration *total)
{
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add_list(settings, "fk", total->of.fk);
	settings = idem_settings_add(settings, "amount", total->of.amount);
	settings = idem_settings_add_list(settings, "key",
									  idem_total_parent_columns(&total->of.key));
	settings = add_account(settings, IDEM_BALANCE_DECLARATION(total));
	return idem_settings_add_list(settings, "same_parent",
								  idem_total_same_parent(total));
}

/* A column that is kept for the total, by this guard or another; or NULL. */
static const char *
kept_column(IdemTotalDeclaration *d, const char *mine, const char *setting)
{
	return mine != NULL ? mine :
		idem_total_column(d->parent, d->of.total, setting);
}

/* Does an entry of any guard count whatever the bounds are? */
static bool
any_is_given(IdemTotalDeclaration *d)
{
	ListCell   *lc;

	foreach(lc, d->sources)
	{
		IdemTotalSource *source = lfirst(lc);

		if (source->facts != NIL ||
			idem_setting(source->settings, "pending") != NULL)
			return true;
	}
	return false;
}

/* balance - held + shortfall >= floor; NULL: no floor */
static char *
floor_sql(IdemTotalDeclaration *total)
{
	IdemBalanceDeclaration *d = IDEM_BALANCE_DECLARATION(total);
	const char *held = kept_column(total, d->held, "held");
	const char *shortfall = kept_column(total, d->shortfall, "shortfall");
	StringInfoData sql;

	if (d->floor == NULL)
		return NULL;
	initStringInfo(&sql);
	appendStringInfoString(&sql, quote_identifier(total->of.total));
	if (held != NULL)
		appendStringInfo(&sql, " - %s", quote_identifier(held));
	if (shortfall != NULL)
		appendStringInfo(&sql, " + %s", quote_identifier(shortfall));
	appendStringInfo(&sql, " >= %s", quote_identifier(d->floor));
	return sql.data;
}

/* balance <= ceiling; NULL: none that the server could keep */
static char *
ceiling_sql(IdemTotalDeclaration *total)
{
	IdemBalanceDeclaration *d = IDEM_BALANCE_DECLARATION(total);

	if (d->ceiling == NULL || any_is_given(total))
		return NULL;
	return psprintf("%s <= %s", quote_identifier(total->of.total),
					quote_identifier(d->ceiling));
}

/*
 * (<floor> AND <ceiling> OR unbounded); numeric has a NaN above everything.
 */
static char *
bounds_sql(IdemTotalDeclaration *total)
{
	IdemBalanceDeclaration *d = IDEM_BALANCE_DECLARATION(total);
	const char *balance = quote_identifier(total->of.total);
	char	   *sql = floor_sql(total);
	char	   *ceiling = ceiling_sql(total);

	if (sql == NULL || ceiling == NULL)
		sql = sql != NULL ? sql : ceiling;
	else
		sql = psprintf("%s AND %s", sql, ceiling);
	if (sql == NULL)
		sql = psprintf("%s IS NOT NULL", balance);
	else if (d->unbounded != NULL)
		sql = psprintf("(%s OR %s)", sql, quote_identifier(d->unbounded));
	return total->type != NUMERICOID ? sql :
		psprintf("%s AND %s < 'Infinity' AND %s > '-Infinity'", sql, balance,
				 balance);
}

static void
add_sign_check(IdemTotalDeclaration *d, const char *column)
{
	const char *name;

	if (column == NULL)
		return;
	name = quote_identifier(column);
	idem_total_add_check(d, column,
						 d->type != NUMERICOID ? psprintf("%s >= '0'", name) :
						 psprintf("%s >= '0' AND %s < 'Infinity'", name, name));
}

/*
 * What the server itself keeps.  A guard that brings holds or facts to a
 * balance that another one keeps brings it another CHECK, too.
 */
static void
add_checks(IdemTotalDeclaration *total)
{
	IdemBalanceDeclaration *d = IDEM_BALANCE_DECLARATION(total);
	const char *name = idem_check_name("balance", total->of.total);

	if (d->replaces &&
		OidIsValid(get_relation_constraint_oid(total->of.key.parent, name,
											   true)))
		idem_total_replace_check(total, total->of.total, bounds_sql(total));
	else
		idem_total_add_check(total, total->of.total, bounds_sql(total));
	add_sign_check(total, d->held);
	add_sign_check(total, d->shortfall);
}

static const char *const agreed[] = {"floor", "ceiling", "unbounded",
"normal", "normal_column", "batched", NULL};

static const IdemTotalDeclarer balance_declarer = {
	.kind = "balance",
	.function = IDEM_BALANCE_FUNCTION,
	.counterpart = IDEM_ACCOUNT_FUNCTION,
	.agreed = agreed,
	.settings = balance_settings,
	.parent_settings = account_settings,
	.require = idem_balance_require,
	.check_rows = idem_balance_check_rows,
	.fill = idem_balance_fill,
	.add_checks = add_checks
};

static char *
setting_of(const IdemGuard *guard, const char *name)
{
	return unconstify(char *, idem_setting(guard->settings, name));
}

/* The entries were truncated: the balances are those of no entries. */
void
idem_balance_recount(const IdemGuard *guard)
{
	IdemBalanceDeclaration d = {.total = {.how = &balance_declarer}};

	d.floor = setting_of(guard, "floor");
	d.unbounded = setting_of(guard, "unbounded");
	d.held = setting_of(guard, "held");
	d.shortfall = setting_of(guard, "shortfall");
	idem_total_recount(&d.total, guard);
}

static void
declare_balance(FunctionCallInfo fcinfo, bool many)
{
	IdemBalanceDeclaration d = {.total = {.how = &balance_declarer}};

	idem_balance_read_arguments(fcinfo, many, &d);
	idem_total_declare(PG_GETARG_OID(0), &d.total);
}

/*
 * guard_balance(child regclass, fk text, ...) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_balance);
Datum
idem_guard_balance(PG_FUNCTION_ARGS)
{
	declare_balance(fcinfo, false);
	PG_RETURN_VOID();
}

/*
 * guard_balance(child regclass, fk text[], ...) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_balance_columns);
Datum
idem_guard_balance_columns(PG_FUNCTION_ARGS)
{
	declare_balance(fcinfo, true);
	PG_RETURN_VOID();
}
