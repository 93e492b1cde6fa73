/*
 * total_argument.c
 *		The arguments of a declaration.
 *
 * Reads the arguments that all guards with a total have, and refuses
 * contradictions, before any table is read: 22004 for a NULL where a value has
 * to be, 22023 for a value that is none of the known ones, or for an argument
 * without the one that it needs.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"

#include "base/argument.h"
#include "total/total_declare.h"

/* NULL for a NULL. */
char *
idem_text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/* NIL for a NULL, and for an empty array. */
List *
idem_list_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	return PG_ARGISNULL(n) ? NIL :
		idem_array_list(name, PG_GETARG_ARRAYTYPE_P(n));
}

/* 22023 for {*,a}: an asterisk stands alone, for every state. */
void
idem_total_check_states(const char *name, List *states)
{
	ListCell   *lc;

	foreach(lc, states)
	{
		if (strcmp(lfirst(lc), "*") == 0 && list_length(states) > 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"%s\" names \"*\" beside other states",
							name),
					 errhint("Write {*} for every state.")));
	}
}

/* Some states, or {*}; NIL for a NULL, and for an empty array. */
List *
idem_states_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	List	   *states = idem_list_argument(fcinfo, n, name);

	idem_total_check_states(name, states);
	return states;
}

/* One column name, or several as the text of an array: {a,b}. */
List *
idem_columns_argument(char *columns)
{
	if (columns[0] != '{')
		return list_make1(columns);
	return idem_array_list("fk",
						   DatumGetArrayTypeP(OidInputFunctionCall(F_ARRAY_IN,
																   columns,
																   TEXTOID,
																   -1)));
}

static void
refuse_same(IdemTotalDeclaration *d)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"same\" of idem.guard_%s must be an object of column names",
					d->how->kind),
			 errhint("Write it as {\"child column\": \"parent column\", ...}.")));
}

/* {"child column": "parent column", ...} */
static void
read_same(Jsonb *same, IdemTotalDeclaration *d)
{
	JsonbIterator *it = JsonbIteratorInit(&same->root);
	JsonbValue	value;
	JsonbIteratorToken token = JsonbIteratorNext(&it, &value, true);

	if (token != WJB_BEGIN_OBJECT)
		refuse_same(d);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_END_OBJECT)
	{
		if (value.type != jbvString)
			refuse_same(d);
		if (token == WJB_KEY)
			d->same = lappend(d->same, pnstrdup(value.val.string.val,
												value.val.string.len));
		else
			d->same_parent = lappend(d->same_parent,
									 pnstrdup(value.val.string.val,
											  value.val.string.len));
	}
}

/* An argument is no use without another. */
void
idem_total_refuse_pairing(IdemTotalDeclaration *d, const char *one,
						  const char *other)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" of idem.guard_%s needs argument \"%s\"",
					one, d->how->kind, other)));
}

/* Left out by mistake, every failed child would count for good. */
void
idem_total_refuse_unsaid(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not be null", "released"),
			 errhint("Name the states in which a child certainly failed and no longer counts, '{}' if there is none.")));
}

static bool
is_editable(IdemTotalDeclaration *d, char *children)
{
	if (strcmp(children, "kept") != 0 && strcmp(children, "editable") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized value for argument \"children\" of idem.guard_%s: \"%s\"",
						d->how->kind, children),
				 errhint("Children are kept or editable.")));
	return strcmp(children, "editable") == 0;
}

/* No state is in two lists: what certainly failed did not happen. */
void
idem_total_refuse_overlap(const char *name, List *states,
						  const char *other_name, List *other_states)
{
	ListCell   *a;
	ListCell   *b;

	foreach(a, states)
	{
		foreach(b, other_states)
		{
			if (strcmp(lfirst(a), lfirst(b)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("state \"%s\" is in both \"%s\" and \"%s\"",
								(char *) lfirst(a), name, other_name)));
		}
	}
}

/*
 * The arguments child, fk and amount, which come first, and "same" and
 * "children" by their places; many: fk is an array.
 */
void
idem_total_read_arguments(FunctionCallInfo fcinfo, bool many, int same,
						  int children, IdemTotalDeclaration *d)
{
	idem_require_argument(fcinfo, 0, "child");
	d->of.fk = many ? idem_list_argument(fcinfo, 1, "fk") :
		idem_columns_argument(idem_required_text(fcinfo, 1, "fk"));
	d->of.amount = idem_required_text(fcinfo, 2, "amount");
	if (!PG_ARGISNULL(same))
		read_same(PG_GETARG_JSONB_P(same), d);
	d->editable = is_editable(d, idem_required_text(fcinfo, children,
													"children"));
}
