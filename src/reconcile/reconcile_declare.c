/*
 * reconcile_declare.c
 *		Declaring, altering and dropping reconciliations.
 *
 * A rule is a row, judged by idem.reconciliation_flaw() and by its own
 * comparison, which is run on no day, as the caller: what the comparison
 * cannot do is refused here and not in the night.  The caller becomes the owner
 * of the rule, whose rights a run has; whoever alters it answers for it, too.
 *
 * Key, amount, day and how rows are added up stay as they were declared:
 * another comparison is another rule.
 *
 * Locks: SHARE ROW EXCLUSIVE on idem.reconciliation, one declaration at a time;
 * runs go on, but one of the rule that is altered or dropped.
 *
 * Shown by sql/reconcile_declare.sql.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/approval.h"
#include "base/change.h"
#include "base/declared.h"
#include "base/qualified.h"
#include "base/reason.h"
#include "reconcile/reconcile.h"

static const IdemDeclaredSetting settings[] = {
	{"ours", REGCLASSOID, true},
	{"theirs", REGCLASSOID, true},
	{"key", TEXTARRAYOID, true},
	{"amount", TEXTOID, true},
	{"agree", TEXTARRAYOID, true},
	{"day", TEXTOID, true},
	{"currency", TEXTOID, false},
	{"complete", REGCLASSOID, false},
	{"calendar", TEXTOID, false},
	{"grace", INTERVALOID, false},
	{"tolerance", NUMERICOID, true},
	{"group_by", TEXTOID, false},
	{"signed", BOOLOID, true},
	{"gross", TEXTOID, false},
	{"fee", TEXTOID, false},
	{"net", TEXTOID, false}
};

static const char newest_sql[] =
"SELECT * FROM idem.reconciliation WHERE name = $1";

static const IdemDeclaredKind declared_kind = {
	.name = "reconciliation",
	.settings = settings,
	.nsettings = lengthof(settings),
	.newest = newest_sql
};

static const IdemDeclaredSetting altered_settings[] = {
	{"ours", REGCLASSOID, false},
	{"theirs", REGCLASSOID, false},
	{"agree", TEXTARRAYOID, false},
	{"complete", REGCLASSOID, false},
	{"calendar", TEXTOID, false},
	{"grace", INTERVALOID, false},
	{"tolerance", NUMERICOID, false}
};

static const IdemDeclaredKind altered_kind = {
	.name = "reconciliation",
	.settings = altered_settings,
	.nsettings = lengthof(altered_settings),
	.newest = newest_sql
};

static const IdemDeclaredKind dropped_kind = {
	.name = "reconciliation",
	.newest = newest_sql
};

/* What an alteration changes, in the order of its settings; %s: the caller */
static const char changes_sql[] =
"SELECT v.name || '=' || v.now"
" FROM idem.reconciliation r, LATERAL (VALUES"
" (1, 'ours', r.ours, $2), (2, 'theirs', r.theirs, $3), (3, 'agree', r.agree::text, $4::text),"
" (4, 'complete', r.complete, $5), (5, 'calendar', r.calendar, $6),"
" (6, 'grace', r.grace::text, $7::text), (7, 'tolerance', trim_scale(r.tolerance)::text, trim_scale($8)::text),"
" (8, 'owner', r.owner::text, %s)"
") v (n, name, was, now)"
" WHERE r.name = $1 AND v.now IS NOT NULL AND v.was IS DISTINCT FROM v.now COLLATE \"C\""
" ORDER BY v.n";

/* Relations are kept by their names, so that a view can be made anew. */
static void
name_relations(IdemDeclared *call)
{
	int			i;

	for (i = 1; i <= call->kind->nsettings; i++)
	{
		Oid			relid = DatumGetObjectId(call->values[i]);

		if (call->types[i] != REGCLASSOID)
			continue;
		call->types[i] = TEXTOID;
		if (call->nulls[i] == ' ')
			call->values[i] =
				CStringGetTextDatum(idem_qualified_name_of(relid));
	}
}

/*
 * What the comparison cannot do is an error now: it runs on no day, as who
 * declares it, who is its owner from now on.
 */
static void
try_comparison(IdemDeclared *call)
{
	char	   *owner = GetUserNameFromId(GetUserId(), false);

	(void) idem_declared_run(call,
							 psprintf("UPDATE idem.reconciliation SET owner = %s WHERE name = $1",
									  quote_literal_cstr(owner)), false);
	(void) idem_declared_run(call, "SELECT idem.reconciliation_query($1, NULL)",
							 false);
	idem_reconcile_try(idem_declared_text(0, 1), owner);
}

/*
 * create_reconciliation(name, settings...) -> void
 */
PG_FUNCTION_INFO_V1(idem_create_reconciliation);
Datum
idem_create_reconciliation(PG_FUNCTION_ARGS)
{
	IdemDeclared call;

	idem_declared_begin(fcinfo, &declared_kind, &call);
	name_relations(&call);
	if (!idem_declared_stands(&call))
	{
		idem_declared_insert(&call, "", "");
		try_comparison(&call);
	}
	idem_declared_end(&call);
	PG_RETURN_VOID();
}

static List *
changes_of(IdemDeclared *call)
{
	char	   *owner = GetUserNameFromId(GetUserId(), false);
	char	   *sql = psprintf(changes_sql, quote_literal_cstr(owner));
	uint64		n = idem_declared_run(call, sql, true);
	List	   *changes = NIL;
	uint64		i;

	for (i = 0; i < n; i++)
		changes = lappend(changes, idem_declared_text(i, 1));
	return changes;
}

/* 42501 where that needs a second person: of this very rule as it is now. */
static void
need_approval(IdemDeclared *call, List *changes, const char *reason)
{
	List	   *facts;

	(void) idem_declared_run(call,
							 "SELECT r::text FROM idem.reconciliation r WHERE name = $1",
							 false);
	facts = list_make2(pstrdup(reason), idem_declared_text(0, 1));
	idem_need_approval("alter_reconciliation",
					   psprintf("reconciliation \"%s\"", call->name),
					   list_concat(facts, changes));
}

/*
 * alter_reconciliation(name, reason, settings...) -> void
 *
 * The reason stands between name and settings.
 */
PG_FUNCTION_INFO_V1(idem_alter_reconciliation);
Datum
idem_alter_reconciliation(PG_FUNCTION_ARGS)
{
	char	   *reason = idem_required_reason(fcinfo, 1, "reason");
	List	   *changes;
	IdemDeclared call;

	idem_declared_begin(fcinfo, &altered_kind, &call);
	name_relations(&call);
	idem_declared_require(&call);
	changes = changes_of(&call);
	if (changes != NIL)
	{
		need_approval(&call, list_copy(changes), reason);
		idem_declared_update(&call);
		try_comparison(&call);
		idem_log_change("altered", "reconciliation", InvalidOid, call.name,
						changes, reason);
	}
	idem_declared_end(&call);
	PG_RETURN_VOID();
}

/*
 * drop_reconciliation(name, reason) -> void
 */
PG_FUNCTION_INFO_V1(idem_drop_reconciliation);
Datum
idem_drop_reconciliation(PG_FUNCTION_ARGS)
{
	char	   *reason = idem_required_reason(fcinfo, 1, "reason");
	IdemDeclared call;

	idem_declared_begin(fcinfo, &dropped_kind, &call);
	idem_declared_require(&call);
	/* first, so that a run of it has ended */
	(void) idem_declared_run(&call,
							 "DELETE FROM idem.reconciliation WHERE name = $1",
							 false);
	idem_declared_refuse_needed(&call,
								"SELECT format('differences that are not closed: %s', count(*))"
								" FROM idem.difference WHERE rule = $1 AND closed_at IS NULL"
								" HAVING count(*) > 0");
	idem_log_change("dropped", "reconciliation", InvalidOid, call.name, NIL,
					reason);
	idem_declared_end(&call);
	PG_RETURN_VOID();
}
