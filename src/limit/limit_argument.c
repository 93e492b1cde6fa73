/*
 * limit_argument.c
 *		What guard_limit() is asked for.
 *
 * Reads the arguments and refuses what contradicts itself, before any table
 * is looked at: 22004 for a NULL where a value has to be, 22023 for a value
 * that is none of the known ones, or for an argument without the one that it
 * needs.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "base/declare.h"
#include "limit/limit_declare.h"

static char *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static List *
list_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	return PG_ARGISNULL(n) ? NIL :
		idem_array_list(name, PG_GETARG_ARRAYTYPE_P(n));
}

/* One column name, or several as the text of an array: {a,b}. */
static List *
columns_argument(char *columns)
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
refuse_same(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"same\" of idem.guard_limit must be an object of column names"),
			 errhint("Write it as {\"child column\": \"parent column\", ...}.")));
}

/* {"child column": "parent column", ...} */
static void
read_same(Jsonb *same, IdemLimitDeclaration *d)
{
	JsonbIterator *it = JsonbIteratorInit(&same->root);
	JsonbValue	value;
	JsonbIteratorToken token = JsonbIteratorNext(&it, &value, true);

	if (token != WJB_BEGIN_OBJECT)
		refuse_same();
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_END_OBJECT)
	{
		if (value.type != jbvString)
			refuse_same();
		if (token == WJB_KEY)
			d->same = lappend(d->same, pnstrdup(value.val.string.val,
												value.val.string.len));
		else
			d->same_parent = lappend(d->same_parent,
									 pnstrdup(value.val.string.val,
											  value.val.string.len));
	}
}

static void
refuse_pairing(const char *one, const char *other)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" of idem.guard_limit needs argument \"%s\"",
					one, other)));
}

/* Left out by mistake, every failed child would count for good. */
static void
refuse_unsaid(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not be null", "released"),
			 errhint("Name the states in which a child certainly failed and no longer counts, '{}' if there is none.")));
}

static bool
is_editable(char *children)
{
	if (strcmp(children, "kept") != 0 && strcmp(children, "editable") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized value for argument \"children\" of idem.guard_limit: \"%s\"",
						children),
				 errhint("Children are kept or editable.")));
	return strcmp(children, "editable") == 0;
}

/* What certainly failed did not happen. */
static void
refuse_overlap(IdemLimitDeclaration *d)
{
	ListCell   *a;
	ListCell   *b;

	foreach(a, d->of.facts)
	{
		foreach(b, d->of.released)
		{
			if (strcmp(lfirst(a), lfirst(b)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("state \"%s\" is in both \"facts\" and \"released\"",
								(char *) lfirst(a))));
		}
	}
}

static void
read_count(FunctionCallInfo fcinfo, IdemLimitDeclaration *d)
{
	d->of.count_used = text_argument(fcinfo, 15);
	if (PG_ARGISNULL(14))
	{
		if (d->of.count_used != NULL)
			refuse_pairing("count_used", "count_cap");
		return;
	}
	d->count_cap = PG_GETARG_INT32(14);
	if (d->of.count_used == NULL)
		refuse_pairing("count_cap", "count_used");
	if (d->count_cap <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" of idem.guard_limit must be positive",
						"count_cap")));
}

static void
read_age(FunctionCallInfo fcinfo, IdemLimitDeclaration *d)
{
	Interval	zero = {0, 0, 0};

	d->age_from = text_argument(fcinfo, 17);
	if (PG_ARGISNULL(16))
	{
		if (d->age_from != NULL)
			refuse_pairing("age_from", "max_age");
		return;
	}
	d->max_age = PG_GETARG_INTERVAL_P(16);
	if (d->age_from == NULL)
		refuse_pairing("max_age", "age_from");
	if (!DatumGetBool(DirectFunctionCall2(interval_gt,
										  IntervalPGetDatum(d->max_age),
										  IntervalPGetDatum(&zero))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" of idem.guard_limit must be positive",
						"max_age")));
}

/*
 * The arguments of both forms, of which one takes several columns as fk; the
 * order stands in limit.sql.
 */
void
idem_limit_read_arguments(FunctionCallInfo fcinfo, bool many,
						  IdemLimitDeclaration *d)
{
	idem_require_argument(fcinfo, 0, "child");
	d->of.fk = many ? list_argument(fcinfo, 1, "fk") :
		columns_argument(idem_required_text(fcinfo, 1, "fk"));
	d->of.amount = idem_required_text(fcinfo, 2, "amount");
	d->of.cap = idem_required_text(fcinfo, 3, "cap");
	d->of.used = idem_required_text(fcinfo, 4, "used");
	d->of.state = text_argument(fcinfo, 6);
	if (d->of.state != NULL && PG_ARGISNULL(5))
		refuse_unsaid();
	d->of.released = list_argument(fcinfo, 5, "released");
	if (!PG_ARGISNULL(7))
		read_same(PG_GETARG_JSONB_P(7), d);
	d->parent_state = text_argument(fcinfo, 8);
	d->open = list_argument(fcinfo, 9, "open");
	(void) idem_required_text(fcinfo, 11, "children");
	idem_require_argument(fcinfo, 10, "cap_grows");
	d->cap_grows = PG_GETARG_BOOL(10);
	d->editable = is_editable(text_argument(fcinfo, 11));

	d->of.facts = list_argument(fcinfo, 12, "facts");
	if (d->of.facts != NIL)
		d->of.excess = idem_required_text(fcinfo, 13, "excess");
	read_count(fcinfo, d);
	read_age(fcinfo, d);

	if (d->of.released != NIL && d->of.state == NULL)
		refuse_pairing("released", "state");
	if (d->of.facts != NIL && !idem_total_is_everything(d->of.facts) &&
		d->of.state == NULL)
		refuse_pairing("facts", "state");
	refuse_overlap(d);
	if (d->open != NIL && d->parent_state == NULL)
		refuse_pairing("open", "parent_state");
	if (d->parent_state != NULL && d->open == NIL)
		refuse_pairing("parent_state", "open");
}
