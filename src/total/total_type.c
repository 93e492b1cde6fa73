/*
 * total_type.c
 *		Amounts and states as a total has them.
 *
 * Amount, cap and running total have one type: money_micro, bigint, integer
 * or numeric.  Its functions are looked up once, in pg_catalog, so that no
 * look-alike in somebody's search_path is ever called.
 *
 * Values that must be the same (a currency, a payer) and labels of states
 * are compared byte by byte where they are text, whatever the collation.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "nodes/value.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "base/column.h"
#include "base/settings_trigger.h"
#include "total/total_type.h"

/* Can a limit be kept in this type?  Not in one that rounds. */
bool
idem_amount_type_supported(Oid type)
{
	if (type == INT4OID || type == INT8OID || type == NUMERICOID)
		return true;
	return type == GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
								   CStringGetDatum("money_micro"),
								   ObjectIdGetDatum(PG_CATALOG_NAMESPACE));
}

/* The function of pg_catalog's operator on two values of the type. */
static void
operator_function(const char *name, Oid type, FmgrInfo *function)
{
	List	   *names = list_make2(makeString("pg_catalog"),
								   makeString(pstrdup(name)));
	Oid			operator = OpernameGetOprid(names, type, type);

	if (!OidIsValid(operator))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("type %s has no operator %s",
						format_type_be(type), name)));
	fmgr_info_cxt(get_opcode(operator), function, CurrentMemoryContext);
}

/* Look up the arithmetic of a type; lives in the current memory context. */
void
idem_amount_type_init(IdemAmountType *amount, Oid type)
{
	TypeCacheEntry *cache = lookup_type_cache(type, TYPECACHE_CMP_PROC);
	Oid			input;
	Oid			ioparam;
	Oid			output;
	bool		varlena;

	amount->type = type;
	fmgr_info_cxt(cache->cmp_proc, &amount->compare, CurrentMemoryContext);
	operator_function("+", type, &amount->plus);
	operator_function("-", type, &amount->minus);
	getTypeOutputInfo(type, &output, &varlena);
	fmgr_info_cxt(output, &amount->output, CurrentMemoryContext);
	getTypeInputInfo(type, &input, &ioparam);
	amount->zero = OidInputFunctionCall(input, pstrdup("0"), ioparam, -1);
	get_typlenbyval(type, &amount->len, &amount->byval);
}

/* Less than, equal to or greater than zero, as a is to b */
int
idem_amount_compare(IdemAmountType *amount, Datum a, Datum b)
{
	return DatumGetInt32(FunctionCall2(&amount->compare, a, b));
}

/* numeric alone has NaN and Infinity; no sum with one of them is a limit */
bool
idem_amount_is_finite(IdemAmountType *amount, Datum value)
{
	if (amount->type != NUMERICOID)
		return true;
	return !numeric_is_nan(DatumGetNumeric(value)) &&
		!numeric_is_inf(DatumGetNumeric(value));
}

/* An amount as users read it, in the current memory context */
char *
idem_amount_text(IdemAmountType *amount, Datum value)
{
	return OutputFunctionCall(&amount->output, value);
}

/* a + b; the type's own error outside its range */
Datum
idem_amount_plus(IdemAmountType *amount, Datum a, Datum b)
{
	return FunctionCall2(&amount->plus, a, b);
}

/* a - b; the type's own error outside its range */
Datum
idem_amount_minus(IdemAmountType *amount, Datum a, Datum b)
{
	return FunctionCall2(&amount->minus, a, b);
}

/* Can children be counted in this type? */
bool
idem_count_type_supported(Oid type)
{
	return type == INT4OID || type == INT8OID;
}

/* A count that stands in a column of this type */
int64
idem_count_value(Oid type, Datum value)
{
	return type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);
}

/* 22003 for more children than an integer counts. */
Datum
idem_count_datum(Oid type, int64 value)
{
	if (type == INT8OID)
		return Int64GetDatum(value);
	if (value > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("integer out of range")));
	return Int32GetDatum((int32) value);
}

static bool
is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID;
}

/* How to compare two columns of these base types: 42804 if they differ. */
void
idem_equality_init(IdemEquality *equal, Oid left, Oid right)
{
	Oid			function = InvalidOid;

	if (is_text(left) && is_text(right))
		function = F_TEXTEQ;
	else if (left == right)
		function = get_opcode(lookup_type_cache(left,
												TYPECACHE_EQ_OPR)->eq_opr);
	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("columns of types %s and %s cannot be compared for a limit",
						format_type_be(left), format_type_be(right)),
				 errhint("Give both columns the same type.")));
	fmgr_info_cxt(function, &equal->function, CurrentMemoryContext);
	equal->collation = C_COLLATION_OID;
}

/* Are two values equal, neither being NULL? */
bool
idem_equal(IdemEquality *equal, Datum a, Datum b)
{
	return DatumGetBool(FunctionCall2Coll(&equal->function, equal->collation,
										  a, b));
}

/* The column that a setting of a trigger names; 0: none. */
AttrNumber
idem_total_named(Relation rel, Trigger *trigger, const char *setting)
{
	const char *name = idem_trigger_setting(trigger, setting);

	return name == NULL ? 0 : idem_column_number(rel, name);
}

/* The type of a column below all domains. */
Oid
idem_column_base_type(Relation rel, AttrNumber column, int32 *typmod)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), column - 1);
	int32		mod = att->atttypmod;
	Oid			type = getBaseTypeAndTypmod(att->atttypid, &mod);

	if (typmod)
		*typmod = mod;
	return type;
}

/*
 * Read labels as values of the column; without a column the set is empty.  A
 * label that the type does not know is an error (an enum's 22P02).
 */
void
idem_states_init(IdemStates *states, Relation rel, const char *column,
				 List *labels)
{
	int32		typmod;
	Oid			type;
	Oid			input;
	Oid			ioparam;
	ListCell   *lc;

	memset(states, 0, sizeof(IdemStates));
	if (column == NULL)
		return;
	states->column = idem_column_number(rel, column);
	type = idem_column_base_type(rel, states->column, &typmod);
	idem_equality_init(&states->equal, type, type);
	getTypeInputInfo(type, &input, &ioparam);
	states->values = palloc(sizeof(Datum) * Max(list_length(labels), 1));
	foreach(lc, labels)
		states->values[states->n++] =
		OidInputFunctionCall(input, lfirst(lc), ioparam, typmod);
}

/* Is the state one of them?  NULL is none. */
bool
idem_states_contain(IdemStates *states, Datum state, bool isnull)
{
	int			i;

	if (states->all)
		return true;
	if (isnull)
		return false;
	for (i = 0; i < states->n; i++)
	{
		if (idem_equal(&states->equal, states->values[i], state))
			return true;
	}
	return false;
}

/*
 * The name of a type, to cast to it without a length: character alone would
 * be character(1).
 */
char *
idem_total_type_name(Oid type)
{
	return format_type_extended(type, -1,
								FORMAT_TYPE_TYPEMOD_GIVEN |
								FORMAT_TYPE_FORCE_QUALIFY);
}
