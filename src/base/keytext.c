/*
 * keytext.c
 *		The key of a row as a caller gives it.
 *
 * transition, history, remaining and others take the key in one form: a text,
 * which for a key of several columns is a JSON object of their names; or, so
 * that a client need not cast what it has, a value of another type that has one
 * obvious text.  There are two forms of each function, key text and key
 * anyelement: a literal or a parameter without a type is taken for text, and a
 * number of any width for itself.  (Overloads for bigint and numeric would
 * leave 4711, an integer, ambiguous.)
 *
 * Types whose text depends on settings of the session, such as date and time,
 * are refused, and so is JSON, whose text for a key of one column would have
 * quotes around it: 42804.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "base/argument.h"
#include "base/keytext.h"
#include "base/row.h"

/* Is there one text that stands for a value of this type? */
static bool
has_one_text(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case NUMERICOID:
		case UUIDOID:
		case BOOLOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
			return true;
		default:
			return type_is_enum(type);
	}
}

/*
 * The argument n, a key in either form, as text; 22004 for null, 42804 for a
 * value of another type.  A numeric loses its trailing zeros: 4711.0, as some
 * clients bind a number, is 4711 to a column of integers, too.
 */
char *
idem_row_key_argument(FunctionCallInfo fcinfo, int n, const char *argument)
{
	Oid			given = get_fn_expr_argtype(fcinfo->flinfo, n);
	Oid			type = OidIsValid(given) ? getBaseType(given) : TEXTOID;
	Datum		value;

	idem_require_argument(fcinfo, n, argument);
	value = PG_GETARG_DATUM(n);
	if (!has_one_text(type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("argument \"%s\" has type %s", argument,
						format_type_be(given)),
				 errhint("A key is a text, a number or a uuid, and of several columns a JSON object of their names as text.")));
	if (type == TEXTOID || type == VARCHAROID)
		return text_to_cstring(DatumGetTextPP(value));
	if (type == NUMERICOID)
		value = DirectFunctionCall1(numeric_trim_scale, value);
	return idem_value_text(type, value);
}

static void
refuse_key(Relation rel, const char *const *names, int n)
{
	StringInfoData list;
	int			i;

	initStringInfo(&list);
	for (i = 0; i < n; i++)
		appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "", names[i]);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("key of table \"%s\" is not a JSON object of %s",
					RelationGetRelationName(rel), list.data)));
}

/* A scalar of the object as text, NULL if it is something else */
static char *
scalar_text(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

static int
find_name(const char *const *names, int n, const char *name)
{
	int			i;

	for (i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

/*
 * The texts of the columns of a key, in the order of their names: of one the
 * text itself, of several what a JSON object has that holds each of them and
 * nothing else (22023, 22P02).  rel is the table whose key it is.
 */
char	  **
idem_row_key_texts(Relation rel, const char *const *names, int n, char *str)
{
	char	  **texts = palloc0(sizeof(char *) * Max(n, 1));
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	Jsonb	   *object;
	int			column = -1;

	if (n == 1)
	{
		texts[0] = str;
		return texts;
	}
	object = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
												CStringGetDatum(str)));
	if (!JB_ROOT_IS_OBJECT(object) || JB_ROOT_COUNT(object) != n)
		refuse_key(rel, names, n);
	it = JsonbIteratorInit(&object->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			column = find_name(names, n, scalar_text(&value));
		else if (token == WJB_VALUE &&
				 (column < 0 || (texts[column] = scalar_text(&value)) == NULL))
			refuse_key(rel, names, n);
	}
	return texts;
}
