/*
 * kind_show.c
 *		The kinds of guards and their settings, as SQL sees them.
 *
 * The views of the doctor ask the same registry (kind.c) and the same reader
 * (settings.c) as the guards themselves; no SQL takes the arguments of a
 * trigger apart on its own.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "base/argument.h"
#include "base/kind.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "base/settings_trigger.h"
#include "base/settings_write.h"

/* The names of the settings that have this mark; 0: of all. */
static Datum
names_datum(const IdemSetting *setting, int flag)
{
	List	   *names = NIL;

	for (; setting->name != NULL; setting++)
	{
		if (flag == 0 || (setting->flags & flag))
			names = lappend(names, pstrdup(setting->name));
	}
	return PointerGetDatum(idem_list_array(names));
}

static Datum
types_datum(const int16 *types)
{
	Datum		items[8];
	int			n = 0;

	for (; types[n] != 0; n++)
	{
		Assert(n < lengthof(items));
		items[n] = Int16GetDatum(types[n]);
	}
	return PointerGetDatum(construct_array(items, n, INT2OID, sizeof(int16),
										   true, TYPALIGN_SHORT));
}

/* The trigger function of a kind of guard, for the rows of a table. */
static void
put_kind(ReturnSetInfo *rsinfo, const IdemGuardKind *kind)
{
	Datum		values[12] = {0};
	bool		nulls[12] = {0};

	values[0] = CStringGetTextDatum(kind->kind);
	values[1] = CStringGetTextDatum(kind->decides ? "row" : "total");
	values[2] = CStringGetTextDatum(kind->function);
	values[3] = types_datum(kind->types);
	values[4] = names_datum(kind->settings, 0);
	values[5] = names_datum(kind->settings, IDEM_SETTING_REQUIRED);
	values[6] = names_datum(kind->settings, IDEM_SETTING_IDENTITY);
	values[7] = names_datum(kind->settings, IDEM_SETTING_COLUMN);
	values[8] = BoolGetDatum(kind->keeps_rows);
	nulls[9] = kind->unless == NULL;
	if (!nulls[9])
		values[9] = CStringGetTextDatum(kind->unless);
	nulls[10] = !kind->keeps_rows;
	if (!nulls[10])
		values[10] = CStringGetTextDatum(idem_statement_function(kind));
	nulls[11] = kind->declares == NULL;
	if (!nulls[11])
		values[11] = CStringGetTextDatum(kind->declares);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* A function that fires once a statement, for any kind that names it. */
static void
put_statement(ReturnSetInfo *rsinfo, const char *function)
{
	int16		types[] = {idem_statement_type(function), 0};
	const IdemSetting *settings = idem_known_settings(function);
	Datum		values[12] = {0};
	bool		nulls[12] = {0};

	nulls[0] = nulls[9] = nulls[10] = nulls[11] = true;
	values[1] = CStringGetTextDatum("truncate");
	values[2] = CStringGetTextDatum(function);
	values[3] = types_datum(types);
	values[4] = names_datum(settings, 0);
	values[5] = names_datum(settings, IDEM_SETTING_REQUIRED);
	values[6] = names_datum(settings, IDEM_SETTING_IDENTITY);
	values[7] = names_datum(settings, IDEM_SETTING_COLUMN);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* The functions that the kinds name, each of them once. */
static void
put_statements(ReturnSetInfo *rsinfo)
{
	List	   *functions = list_make1(IDEM_TRUNCATE_FUNCTION);
	ListCell   *lc;
	ListCell   *known;

	foreach(lc, idem_all_kinds())
	{
		const IdemGuardKind *kind = lfirst(lc);
		bool		found = kind->statement == NULL;

		foreach(known, functions)
			found |= !found && strcmp(lfirst(known), kind->statement) == 0;
		if (!found)
			functions = lappend(functions, unconstify(char *, kind->statement));
	}
	foreach(lc, functions)
		put_statement(rsinfo, lfirst(lc));
}

/*
 * guard_kinds() -> TABLE (kind, part, function, trigger_types, settings,
 *						   required, identity, columns, keeps_rows, unless,
 *						   statement, declares)
 */
PG_FUNCTION_INFO_V1(idem_guard_kinds);
Datum
idem_guard_kinds(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, idem_all_kinds())
		put_kind(rsinfo, lfirst(lc));
	put_statements(rsinfo);
	return (Datum) 0;
}

static const IdemSetting *
settings_of_function(text *function)
{
	return idem_known_settings(text_to_cstring(function));
}

/*
 * trigger_settings(tgargs bytea) -> text[]
 *
 * What the catalog holds is text of this database; what a caller makes up may
 * not be.
 */
PG_FUNCTION_INFO_V1(idem_trigger_settings);
Datum
idem_trigger_settings(PG_FUNCTION_ARGS)
{
	List	   *settings = idem_settings_of_args(PG_GETARG_BYTEA_PP(0));
	ListCell   *lc;

	foreach(lc, settings)
		pg_verifymbstr(lfirst(lc), strlen(lfirst(lc)), false);
	PG_RETURN_DATUM(PointerGetDatum(idem_list_array(settings)));
}

/* setting(settings text[], name text) -> text */
PG_FUNCTION_INFO_V1(idem_setting_value);
Datum
idem_setting_value(PG_FUNCTION_ARGS)
{
	const char *value =
		idem_setting(idem_settings_of_array(PG_GETARG_ARRAYTYPE_P(0)),
					 text_to_cstring(PG_GETARG_TEXT_PP(1)));

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(value));
}

/* settings_problem(function text, settings text[]) -> text */
PG_FUNCTION_INFO_V1(idem_settings_problem_text);
Datum
idem_settings_problem_text(PG_FUNCTION_ARGS)
{
	const IdemSetting *known = settings_of_function(PG_GETARG_TEXT_PP(0));
	char	   *problem = known == NULL ? NULL :
		idem_settings_problem(idem_settings_of_array(PG_GETARG_ARRAYTYPE_P(1)),
							  known);

	if (problem == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(problem));
}

/* guard_identity(function text, settings text[]) -> text[] */
PG_FUNCTION_INFO_V1(idem_guard_identity);
Datum
idem_guard_identity(PG_FUNCTION_ARGS)
{
	const IdemSetting *known = settings_of_function(PG_GETARG_TEXT_PP(0));
	List	   *settings = idem_settings_of_array(PG_GETARG_ARRAYTYPE_P(1));

	if (known == NULL)
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(idem_list_array(idem_settings_identity(settings,
																 known)));
}

/*
 * setting_columns(function text, settings text[])
 *		-> TABLE (setting, column, is_kept)
 */
PG_FUNCTION_INFO_V1(idem_setting_columns_rows);
Datum
idem_setting_columns_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const IdemSetting *setting = settings_of_function(PG_GETARG_TEXT_PP(0));
	List	   *settings = idem_settings_of_array(PG_GETARG_ARRAYTYPE_P(1));

	InitMaterializedSRF(fcinfo, 0);
	for (; setting != NULL && setting->name != NULL; setting++)
	{
		ListCell   *lc;

		foreach(lc, idem_setting_columns(settings, setting))
		{
			Datum		values[3];
			bool		nulls[3] = {0};

			values[0] = CStringGetTextDatum(setting->name);
			values[1] = CStringGetTextDatum(lfirst(lc));
			values[2] = BoolGetDatum(setting->flags & IDEM_SETTING_KEPT);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values,
								 nulls);
		}
	}
	return (Datum) 0;
}

/* made_name(prefix text, VARIADIC parts text[]) -> text */
PG_FUNCTION_INFO_V1(idem_made_name_text);
Datum
idem_made_name_text(PG_FUNCTION_ARGS)
{
	char	   *prefix = text_to_cstring(PG_GETARG_TEXT_PP(0));
	List	   *parts = idem_settings_of_array(PG_GETARG_ARRAYTYPE_P(1));

	PG_RETURN_TEXT_P(cstring_to_text(idem_made_name(prefix, parts)));
}
