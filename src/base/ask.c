/*
 * ask.c
 *		A statement of ours about tables of the extension, and what it found.
 *
 * For statements that are run now and then, such as those of declarations and
 * of DDL: each is planned whenever it is run.  Needs SPI_connect.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/ask.h"
#include "base/latest.h"

#define ARGUMENTS_MAX 9

/*
 * The next argument, of the type that its letter says; 0: null, of all but
 * bigint.
 */
static Datum
next_argument(char letter, va_list * args, Oid *type)
{
	const char *str;

	switch (letter)
	{
		case 't':
			*type = TEXTOID;
			str = va_arg(*args, const char *);
			return str ? CStringGetTextDatum(str) : (Datum) 0;
		case 'n':
			*type = NAMEOID;
			str = va_arg(*args, const char *);
			return str ? DirectFunctionCall1(namein, CStringGetDatum(str)) :
				(Datum) 0;
		case 'r':
			*type = REGCLASSOID;
			return ObjectIdGetDatum(va_arg(*args, Oid));
		case 'a':
			*type = TEXTARRAYOID;
			return PointerGetDatum(va_arg(*args, ArrayType *));
		case 'i':
			*type = INT8OID;
			return Int64GetDatum(va_arg(*args, int64));
		case 'u':
			*type = UUIDOID;
			return va_arg(*args, Datum);
		default:
			elog(ERROR, "unrecognized letter of an argument: %c", letter);
	}
}

/*
 * Run a statement with the latest snapshot, as the owner of rel, or of the
 * extension if that is NULL; returns how many rows there were, and leaves them
 * for the functions below.  A letter an argument says its type: t text and n
 * name from a const char *, r regclass from an Oid, a text[] from an
 * ArrayType *, i bigint from an int64, u uuid from a Datum.  A NULL pointer, an
 * invalid Oid and a uuid of zero are null.
 */
uint64
idem_ask(Relation rel, const char *sql, const char *letters,...)
{
	Oid			types[ARGUMENTS_MAX];
	Datum		values[ARGUMENTS_MAX];
	char		nulls[ARGUMENTS_MAX];
	va_list		args;
	int			n;

	Assert(strlen(letters) <= ARGUMENTS_MAX);
	va_start(args, letters);
	for (n = 0; letters[n] != '\0'; n++)
	{
		values[n] = next_argument(letters[n], &args, &types[n]);
		nulls[n] = values[n] == (Datum) 0 && letters[n] != 'i' ? 'n' : ' ';
	}
	va_end(args);
	return rel != NULL ?
		idem_run_as_owner(rel, sql, n, types, values, nulls) :
		idem_run_as_extension(sql, n, types, values, nulls);
}

/* A value of what was found, or 0 if it is null; columns count from 1 */
Datum
idem_found(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? (Datum) 0 : value;
}

/* The same of a relation; none if it is null */
Oid
idem_found_oid(uint64 row, int column)
{
	return DatumGetObjectId(idem_found(row, column));
}

/* The same as text, or NULL */
char *
idem_found_text(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						column);
}

/* The first column of every row, as texts */
List *
idem_found_texts(void)
{
	List	   *texts = NIL;
	uint64		i;

	for (i = 0; i < SPI_processed; i++)
		texts = lappend(texts, idem_found_text(i, 1));
	return texts;
}

/* Keep a plan that was prepared just now in place of the one kept before. */
SPIPlanPtr
idem_keep_plan(SPIPlanPtr *kept, SPIPlanPtr plan)
{
	if (plan == NULL)
		elog(ERROR, "SPI_prepare_cursor returned %s",
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	if (*kept != NULL)
		SPI_freeplan(*kept);
	*kept = plan;
	return plan;
}
