/*
 * declaration.c
 *		The statements that declare again what was declared.
 *
 * pg_dump --schema-only carries the triggers of guards and not the machines
 * and scopes that they name, and other tools that keep a schema carry not even
 * those.  idem.declarations() is the script that they lack.
 *
 * The statement for a guard is made here, from the arguments of its trigger:
 * they have the names of the arguments of the function that declares the
 * guard, and a kind that differs says so itself (IdemGuardKind.declaration).
 * A room shows what else it lets declare by a view of schema idem named
 * <what>_declarations, with the columns rank, name and statement; declarations
 * that others need have the lower rank.  So neither this file nor the function
 * lists them.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/tuplestore.h"

#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/latest.h"
#include "base/offer.h"
#include "base/qualified.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "base/settings_write.h"

/* {"key": "value", ...}, of a map */
static char *
map_json(List *settings, const char *name)
{
	List	   *keys;
	List	   *values;
	ListCell   *k;
	ListCell   *v;
	StringInfoData json;

	idem_setting_map(settings, name, &keys, &values);
	initStringInfo(&json);
	forboth(k, keys, v, values)
	{
		appendStringInfoString(&json, json.len > 0 ? ", " : "{");
		escape_json(&json, lfirst(k));
		appendStringInfoString(&json, ": ");
		escape_json(&json, lfirst(v));
	}
	appendStringInfoString(&json, json.len > 0 ? "}" : "{}");
	return json.data;
}

/* The argument of the function that declares it, by the name of a setting */
static const char *
argument_of(const IdemGuardKind *kind, const char *setting)
{
	const char *const *name;

	for (name = kind->renamed; name != NULL && *name != NULL; name += 2)
	{
		if (strcmp(name[0], setting) == 0)
			return name[1];
	}
	return setting;
}

/* What is known of a setting of the guard; NULL: its counterpart has it */
static const IdemSetting *
known_setting(const IdemGuardKind *kind, const char *name)
{
	const IdemSetting *setting;

	for (setting = kind->settings; setting->name != NULL; setting++)
	{
		if (strcmp(setting->name, name) == 0)
			return setting;
	}
	return NULL;
}

/*
 * That no state releases a row is no setting, and has to be said where rows
 * have states.
 */
static List *
add_unsaid(const IdemGuardKind *kind, List *settings)
{
	if (known_setting(kind, "released") == NULL ||
		idem_setting(settings, "state") == NULL ||
		idem_setting(settings, "released") != NULL)
		return settings;
	return idem_settings_add(list_copy(settings), "released", "{}");
}

/*
 * SELECT idem.guard_...('schema.table', argument => 'value', ...);
 *
 * settings: those of the guard, and others that its declaration has.
 */
char *
idem_guard_declaration(const IdemGuard *guard, List *settings)
{
	StringInfoData sql;
	ListCell   *lc;

	settings = add_unsaid(guard->kind, settings);
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT idem.%s(%s", guard->kind->declares,
					 quote_literal_cstr(idem_qualified_name_of(guard->relid)));
	foreach(lc, settings)
	{
		const char *text = lfirst(lc);
		char	   *name = pnstrdup(text, strcspn(text, "="));
		const IdemSetting *known = known_setting(guard->kind, name);
		const char *value = idem_setting(settings, name);

		if (strcmp(text, IDEM_SETTINGS_GRAMMAR) == 0 ||
			(known != NULL && known->flags & IDEM_SETTING_FOUND))
			continue;
		if (known != NULL && known->form == IDEM_MAP)
			value = map_json(settings, name);
		appendStringInfo(&sql, ", %s => %s",
						 quote_identifier(argument_of(guard->kind, name)),
						 quote_literal_cstr(value));
	}
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* The trigger of this name on the table that decides for a guard, or NULL */
static IdemGuard *
find_guard(Oid relid, const char *name)
{
	ListCell   *lc;

	foreach(lc, idem_guard_triggers_of(relid))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (trigger->kind->decides &&
			strcmp(trigger->guard->name, name) == 0)
			return trigger->guard;
	}
	return NULL;
}

/*
 * guard_declaration(relation regclass, name text) -> text
 *
 * NULL if there is no such guard, or one that is declared with another.
 */
PG_FUNCTION_INFO_V1(idem_guard_declaration_text);
Datum
idem_guard_declaration_text(PG_FUNCTION_ARGS)
{
	IdemGuard  *guard = find_guard(PG_GETARG_OID(0),
								   text_to_cstring(PG_GETARG_TEXT_PP(1)));
	char	   *call;

	if (guard == NULL || guard->kind->declares == NULL ||
		idem_settings_problem(guard->settings, guard->kind->settings) != NULL)
		PG_RETURN_NULL();
	call = guard->kind->declaration != NULL ?
		guard->kind->declaration(guard) :
		idem_guard_declaration(guard, guard->settings);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s;", call)));
}

/* The views of the extension that show what was declared, as one query */
static char *
all_declarations_sql(void)
{
	return psprintf("SELECT statement FROM (%s) d"
					" ORDER BY rank, name COLLATE \"C\", statement COLLATE \"C\"",
					idem_offered_sql("declarations", "rank, name, statement"));
}

/*
 * declarations() -> SETOF text
 *
 * As one script, in an order in which each statement finds what it needs.
 */
PG_FUNCTION_INFO_V1(idem_declarations);
Datum
idem_declarations(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	uint64		i;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	if (idem_execute_latest(all_declarations_sql(), 0, NULL, NULL, NULL,
							0) != SPI_OK_SELECT)
		elog(ERROR, "could not read what was declared");
	for (i = 0; i < SPI_processed; i++)
	{
		Datum		values[1];
		bool		nulls[1];

		values[0] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc,
								  1, &nulls[0]);
		if (!nulls[0])
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
								 nulls);
	}
	SPI_finish();
	return (Datum) 0;
}
