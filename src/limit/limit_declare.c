/*
 * limit_declare.c
 *		guard_limit(): put a limit on a table.
 *
 * What a limit is: the arguments of its triggers, and the CHECKs that the
 * server keeps whatever else goes wrong. total_declare.c says how a guard
 * with a total is put on its tables, and what is locked.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/kind_guard.h"
#include "base/settings.h"
#include "base/settings_write.h"
#include "limit/limit.h"
#include "limit/limit_declare.h"

static List *
add_count(List *settings, IdemLimitDeclaration *d)
{
	if (d->count_cap > 0)
		settings = idem_settings_add(settings, "count_cap",
									 psprintf(INT64_FORMAT, d->count_cap));
	return idem_settings_add(settings, "count_used", d->count_used);
}

/* An age is written so that every intervalstyle reads it alike. */
static List *
add_age(List *settings, const char *name, Interval *interval)
{
	int			level;
	char	   *age;

	if (interval == NULL)
		return settings;
	level = NewGUCNestLevel();
	(void) set_config_option("intervalstyle", "iso_8601", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	age = OidOutputFunctionCall(F_INTERVAL_OUT,
								IntervalPGetDatum(interval));
	AtEOXact_GUC(true, level);
	return idem_settings_add(settings, name, age);
}

static List *
limit_settings(IdemTotalDeclaration *total)
{
	IdemLimitDeclaration *d = IDEM_LIMIT_DECLARATION(total);
	const IdemTotalSource *of = &total->of;
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add_list(settings, "fk", of->fk);
	settings = idem_settings_add(settings, "amount", of->amount);
	settings = idem_settings_add(settings, "cap", d->cap);
	settings = idem_settings_add(settings, "used", of->total);
	settings = idem_settings_add(settings, "state", of->state);
	settings = idem_settings_add_list(settings, "released", of->released);
	settings = idem_settings_add_map(settings, "same", total->same,
									 total->same_parent);
	settings = idem_settings_add(settings, "parent_state", d->parent_state);
	settings = idem_settings_add_list(settings, "open", d->open);
	settings = idem_settings_add_list(settings, "facts", of->facts);
	settings = idem_settings_add(settings, "excess", d->excess);
	settings = add_count(settings, d);
	settings = add_age(settings, "max_age", d->max_age);
	settings = add_age(settings, "clear_within", d->clear_within);
	settings = idem_settings_add(settings, "age_from", d->age_from);
	settings = idem_settings_add_list(settings, "exact", d->exact);
	settings = idem_settings_add(settings, "exact_count", d->exact_count);
	return idem_settings_add(settings, "children",
							 total->editable ? "editable" : "kept");
}

static const char *
cap_grows(IdemTotalDeclaration *total)
{
	return IDEM_LIMIT_DECLARATION(total)->cap_grows ? "true" : "false";
}

static List *
total_settings(IdemTotalDeclaration *total)
{
	IdemLimitDeclaration *d = IDEM_LIMIT_DECLARATION(total);
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add_list(settings, "fk", total->of.fk);
	settings = idem_settings_add(settings, "amount", total->of.amount);
	settings = idem_settings_add_list(settings, "key",
									  idem_total_parent_columns(&total->of.key));
	settings = idem_settings_add(settings, "cap", d->cap);
	settings = idem_settings_add(settings, "used", total->of.total);
	settings = idem_settings_add(settings, "excess", d->excess);
	settings = idem_settings_add(settings, "count_used", d->count_used);
	settings = idem_settings_add_list(settings, "same_parent",
									  idem_total_same_parent(total));
	settings = idem_settings_add(settings, "parent_state", d->parent_state);
	settings = idem_settings_add(settings, "age_from", d->age_from);
	settings = idem_settings_add_list(settings, "exact", d->exact);
	settings = idem_settings_add(settings, "exact_state",
								 d->exact == NIL ? NULL : d->parent_state);
	settings = idem_settings_add(settings, "exact_count", d->exact_count);
	return idem_settings_add(settings, "cap_grows", cap_grows(total));
}

static List *
logged_settings(IdemTotalDeclaration *total)
{
	return idem_settings_add(limit_settings(total), "cap_grows",
							 cap_grows(total));
}

/*
 * The CHECKs the server itself keeps; numeric has a NaN above every cap.
 * Facts are stored however many children there are.
 */
static void
add_checks(IdemTotalDeclaration *total)
{
	IdemLimitDeclaration *d = IDEM_LIMIT_DECLARATION(total);
	const char *used = quote_identifier(total->of.total);
	const char *cap = quote_identifier(d->cap);
	const char *finite = total->type != NUMERICOID ? "" : " AND %s < 'Infinity'";

	idem_total_add_check(total, total->of.total,
						 psprintf("%s BETWEEN '0' AND %s%s", used, cap,
								  psprintf(finite, cap)));
	if (d->excess != NULL)
		idem_total_add_check(total, d->excess,
							 psprintf("%s >= '0'%s", quote_identifier(d->excess),
									  psprintf(finite,
											   quote_identifier(d->excess))));
	if (d->count_used != NULL && total->of.facts == NIL && d->count_cap > 0)
		idem_total_add_check(total, d->count_used,
							 psprintf("%s BETWEEN 0 AND " INT64_FORMAT,
									  quote_identifier(d->count_used),
									  d->count_cap));
	else if (d->count_used != NULL)
		idem_total_add_check(total, d->count_used,
							 psprintf("%s >= 0",
									  quote_identifier(d->count_used)));
}

static const char *const agreed[] = {
	"cap", "cap_grows", "exact", "exact_state", NULL
};

static const IdemTotalDeclarer limit_declarer = {
	.kind = "limit",
	.function = IDEM_LIMIT_FUNCTION,
	.counterpart = IDEM_LIMIT_COUNTERPART,
	.agreed = agreed,
	.settings = limit_settings,
	.parent_settings = total_settings,
	.logged = logged_settings,
	.require = idem_limit_require,
	.check_rows = idem_limit_check_rows,
	.fill = idem_limit_fill,
	.add_checks = add_checks
};

/* The children were truncated: the totals are those of no children. */
void
idem_limit_recount(const IdemGuard *guard)
{
	IdemLimitDeclaration d = {.total = {.how = &limit_declarer}};

	d.cap = unconstify(char *, idem_setting(guard->settings, "cap"));
	d.excess = unconstify(char *, idem_setting(guard->settings, "excess"));
	d.count_used = unconstify(char *, idem_setting(guard->settings,
												   "count_used"));
	idem_total_recount(&d.total, guard);
}

static void
declare_limit(FunctionCallInfo fcinfo, bool many)
{
	IdemLimitDeclaration d = {.total = {.how = &limit_declarer}};

	idem_limit_read_arguments(fcinfo, many, &d);
	idem_total_declare(PG_GETARG_OID(0), &d.total);
}

/*
 * guard_limit(child regclass, fk text, ...) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_limit);
Datum
idem_guard_limit(PG_FUNCTION_ARGS)
{
	declare_limit(fcinfo, false);
	PG_RETURN_VOID();
}

/*
 * guard_limit(child regclass, fk text[], ...) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_limit_columns);
Datum
idem_guard_limit_columns(PG_FUNCTION_ARGS)
{
	declare_limit(fcinfo, true);
	PG_RETURN_VOID();
}
