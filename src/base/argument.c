/*
 * argument.c
 *		Arguments of functions that are not STRICT, and arrays of text.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/argument.h"

/* A list of strings as a text[]. */
ArrayType *
idem_list_array(List *strings)
{
	Datum	   *items = palloc(sizeof(Datum) * Max(list_length(strings), 1));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, strings)
		items[n++] = CStringGetTextDatum(lfirst(lc));
	return construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/* 22004 if an argument is null, of a function that is not STRICT. */
void
idem_require_argument(FunctionCallInfo fcinfo, int n, const char *argument)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", argument)));
}

/* A text argument as a string: 22004 for null. */
char *
idem_required_text(FunctionCallInfo fcinfo, int n, const char *argument)
{
	idem_require_argument(fcinfo, n, argument);
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/*
 * The elements of a text[] argument as a list of strings: 22004 for a null
 * among them, 42701 for one that is there twice, 2202E for rows of rows.
 */
List *
idem_array_list(const char *argument, ArrayType *array)
{
	List	   *list = NIL;
	Datum	   *items;
	bool	   *nulls;
	int			n;
	int			i;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument \"%s\" must be one-dimensional", argument)));
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
					  &items, &nulls, &n);
	for (i = 0; i < n; i++)
	{
		char	   *item;
		ListCell   *lc;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" contains a null", argument)));
		item = TextDatumGetCString(items[i]);
		foreach(lc, list)
		{
			if (strcmp(lfirst(lc), item) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("argument \"%s\" names \"%s\" more than once",
								argument, item)));
		}
		list = lappend(list, item);
	}
	return list;
}
