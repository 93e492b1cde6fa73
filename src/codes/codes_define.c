/*
 * codes_define.c
 *		Defining a table of return codes, or its next version, and showing it.
 *
 * The rules for all definitions are in base/definition.c.  A table of codes
 * guards no rows, so a new version cannot strand any: a change that loosens
 * needs a reason, and nothing else is asked.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "base/reason.h"
#include "codes/codes.h"
#include "codes/codes_inner.h"

/* ---------- reading and checking ---------- */

/*
 * All faults of a table, in the order of its lines; *faults is allocated.  A
 * table that cannot be read has one.
 */
static int
find_faults(IdemCodeTable *table, text *source, IdemFault **faults)
{
	int			count;

	if (!idem_code_table_read(table, VARDATA_ANY(source),
							  VARSIZE_ANY_EXHDR(source)))
	{
		*faults = palloc0(sizeof(IdemFault));
		(*faults)->line = table->error_line;
		(*faults)->column = table->error_column;
		(*faults)->kind = "syntax";
		strlcpy((*faults)->reason, table->reason, IDEM_REASON_BYTES);
		return 1;
	}
	count = idem_code_table_check(table, NULL, 0);
	*faults = palloc0(sizeof(IdemFault) * Max(count, 1));
	idem_code_table_check(table, *faults, count);
	idem_faults_sort(*faults, count);
	return count;
}

/*
 * check_return_codes(codes) -> (line, column_number, problem, message)
 */
PG_FUNCTION_INFO_V1(idem_check_return_codes);
Datum
idem_check_return_codes(PG_FUNCTION_ARGS)
{
	IdemCodeTable table;
	IdemFault  *faults;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	count = find_faults(&table, PG_GETARG_TEXT_PP(0), &faults);
	idem_faults_put((ReturnSetInfo *) fcinfo->resultinfo, faults, count);
	return (Datum) 0;
}

/* ---------- defining ---------- */

/*
 * A name says whose answers are meant, and on which interface: as a code, of
 * layers parted by slashes, without blanks.
 */
static void
check_name(const char *name)
{
	size_t		length = strlen(name);

	if (length < NAMEDATALEN && idem_cell_path_fits(name, length) &&
		strpbrk(name, " *|`\"'\\") == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("name \"%s\" does not fit a return code table", name),
			 errhint("It has 1 to %d bytes without blanks, such as bankA/pay.",
					 NAMEDATALEN - 1)));
}

static List *
compare_tables(IdemDefining *defining, const IdemDefinition *last)
{
	IdemCodeTable *before = palloc(sizeof(IdemCodeTable));

	idem_codes_parse(before, defining->name, last);
	defining->before = before;
	return idem_codes_diff(before, defining->parsed);
}

static char *
count_codes(const IdemDefining *defining)
{
	const IdemCodeTable *table = defining->parsed;

	return psprintf("defined with %d %s", table->count,
					table->count == 1 ? "code" : "codes");
}

/*
 * define_return_codes(name, codes, loosen, tighten) ->
 *		(version, effect, change)
 */
PG_FUNCTION_INFO_V1(idem_define_return_codes);
Datum
idem_define_return_codes(PG_FUNCTION_ARGS)
{
	char	   *name = idem_definition_name(&idem_codes_kind, fcinfo, 0);
	IdemDefining defining = {.kind = &idem_codes_kind,.name = name};
	IdemCodeTable table;
	IdemFault  *faults;
	int			count;

	defining.loosen = idem_reason(fcinfo, 2, "loosen");
	defining.tighten = idem_reason(fcinfo, 3, "tighten");
	PreventCommandIfReadOnly("idem.define_return_codes()");
	InitMaterializedSRF(fcinfo, 0);
	check_name(name);
	defining.source = idem_definition_source(&idem_codes_kind, name,
											 fcinfo, 1);
	count = find_faults(&table, defining.source, &faults);
	if (count > 0)
		idem_faults_refuse(&idem_codes_kind, name, faults, count);
	defining.parsed = &table;
	defining.summary = count_codes;
	defining.compare = compare_tables;
	idem_definition_make(&defining, (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}

/* ---------- showing ---------- */

/*
 * return_codes(name, version) -> text
 */
PG_FUNCTION_INFO_V1(idem_return_codes);
Datum
idem_return_codes(PG_FUNCTION_ARGS)
{
	return idem_definition_show(&idem_codes_kind, fcinfo);
}

static void
put_row(ReturnSetInfo *rsinfo, const IdemCodeRow *row)
{
	Datum		values[4] = {0};
	bool		nulls[4] = {false};

	values[0] = Int32GetDatum(row->line);
	values[1] = CStringGetTextDatum(row->path);
	values[2] = CStringGetTextDatum(idem_meaning_word(row->meaning));
	nulls[3] = row->why == NULL;
	if (row->why != NULL)
		values[3] = CStringGetTextDatum(row->why);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * listed_codes(name, version) -> (line, code, meaning, reason)
 */
PG_FUNCTION_INFO_V1(idem_listed_codes);
Datum
idem_listed_codes(PG_FUNCTION_ARGS)
{
	char	   *name = idem_definition_name(&idem_codes_kind, fcinfo, 0);
	int			version = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	IdemDefinition row;
	IdemCodeTable table;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	if (!idem_definition_fetch(&idem_codes_kind, name, version, &row))
		idem_definition_missing(&idem_codes_kind, name, version);
	idem_codes_parse(&table, name, &row);
	for (i = 0; i < table.count; i++)
		put_row((ReturnSetInfo *) fcinfo->resultinfo, &table.rows[i]);
	return (Datum) 0;
}

/* The layers in an array, none of a table: a NULL in it stays one. */
static const char **
array_layers(ArrayType *array, int *count)
{
	const char **layers;
	Datum	   *items;
	bool	   *nulls;
	int			i;

	*count = 0;
	if (ARR_NDIM(array) > 1)
		return NULL;
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &items, &nulls,
					  count);
	layers = palloc0(sizeof(char *) * (*count + 1));
	for (i = 0; i < *count; i++)
		layers[i] = nulls[i] ? NULL : TextDatumGetCString(items[i]);
	return layers;
}

/*
 * meaning_of(interface, code) -> (meaning, listed)
 */
PG_FUNCTION_INFO_V1(idem_meaning_of);
Datum
idem_meaning_of(PG_FUNCTION_ARGS)
{
	char	   *name = idem_definition_name(&idem_codes_kind, fcinfo, 0);
	const char **layers = NULL;
	Datum		values[2];
	bool		nulls[2] = {false};
	TupleDesc	desc;
	IdemMeaning meaning;
	int			count = 0;
	bool		listed;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (!PG_ARGISNULL(1))
		layers = array_layers(PG_GETARG_ARRAYTYPE_P(1), &count);
	meaning = idem_code_meaning(name, layers, count, &listed);
	values[0] = CStringGetTextDatum(idem_meaning_word(meaning));
	values[1] = BoolGetDatum(listed);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}
