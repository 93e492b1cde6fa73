/*
 * money_unitless.c
 *		A number of an integer or float type is not an amount, except for zero.
 *
 * 1999 does not say whether it counts yuan or fen.  The casts from integers
 * and floats exist to refuse it, with a hint that names the ways to say the
 * unit: without a cast, PL/pgSQL would convert by way of the text and take
 * 1999 for 1999.00.  For the same reason there are + and - for an amount and
 * an integer, which would otherwise become a numeric of whole units.
 *
 * Zero is the same in every unit, so DEFAULT 0 and SET amount = 0 are allowed.
 * The value decides, not how it is written: a cast cannot tell a constant from
 * a parameter, which becomes a constant in a custom plan.
 *
 * A column default that needs such a cast is refused when it is declared, not
 * when a row leaves the column out.  The default of a domain or of an argument
 * of a function raises the error where it is used.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/namespace.h"
#include "catalog/pg_attrdef.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/idem_compat.h"
#include "money/money.h"

/* The casts share it; \dC shows it. */
#define FUNCTION_OF_CASTS	"zero_only"

#define HINT_UNIT \
	"Name its unit with idem.from_major or idem.from_minor, or write the amount in quotes; a client sends it as text or numeric."
#define HINT_FLOAT \
	"Write the amount in quotes, or round it with idem.round(value::numeric, scale, mode); a client sends it as text or numeric."


/* ---------- refusing ---------- */

pg_noreturn static void
refuse(Datum number, Oid type)
{
	bool		is_float = (type == FLOAT4OID || type == FLOAT8OID);
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(type, &output, &is_varlena);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("value %s of type %s has no unit of money",
					OidOutputFunctionCall(output, number),
					format_type_be(type)),
			 is_float ? errhint(HINT_FLOAT) : errhint(HINT_UNIT)));
}


/* ---------- casts, and + and - with integers ---------- */

#define NUMBER_TO_MONEY(name, type, getarg) \
PG_FUNCTION_INFO_V1(idem_money_from_##name); \
Datum \
idem_money_from_##name(PG_FUNCTION_ARGS) \
{ \
	if (unlikely(getarg(0) != 0)) \
		refuse(PG_GETARG_DATUM(0), type); \
	PG_RETURN_MONEY_MICRO(0); \
} \
extern Datum idem_money_from_##name(PG_FUNCTION_ARGS)

/* An amount plus or minus nothing is itself. */
#define MONEY_WITH_INTEGER(name, type, getarg) \
PG_FUNCTION_INFO_V1(idem_money_with_##name); \
Datum \
idem_money_with_##name(PG_FUNCTION_ARGS) \
{ \
	if (unlikely(getarg(1) != 0)) \
		refuse(PG_GETARG_DATUM(1), type); \
	PG_RETURN_DATUM(PG_GETARG_DATUM(0)); \
} \
extern Datum idem_money_with_##name(PG_FUNCTION_ARGS)

#define INTEGER_PLUS_MONEY(name, type, getarg) \
PG_FUNCTION_INFO_V1(idem_##name##_plus_money); \
Datum \
idem_##name##_plus_money(PG_FUNCTION_ARGS) \
{ \
	if (unlikely(getarg(0) != 0)) \
		refuse(PG_GETARG_DATUM(0), type); \
	PG_RETURN_DATUM(PG_GETARG_DATUM(1)); \
} \
extern Datum idem_##name##_plus_money(PG_FUNCTION_ARGS)

#define INTEGER_MINUS_MONEY(name, type, getarg) \
PG_FUNCTION_INFO_V1(idem_##name##_minus_money); \
Datum \
idem_##name##_minus_money(PG_FUNCTION_ARGS) \
{ \
	if (unlikely(getarg(0) != 0)) \
		refuse(PG_GETARG_DATUM(0), type); \
	PG_RETURN_MONEY_MICRO(-PG_GETARG_MONEY_MICRO(1)); \
} \
extern Datum idem_##name##_minus_money(PG_FUNCTION_ARGS)

NUMBER_TO_MONEY(int2, INT2OID, PG_GETARG_INT16);
NUMBER_TO_MONEY(int4, INT4OID, PG_GETARG_INT32);
NUMBER_TO_MONEY(int8, INT8OID, PG_GETARG_INT64);
NUMBER_TO_MONEY(float4, FLOAT4OID, PG_GETARG_FLOAT4);
NUMBER_TO_MONEY(float8, FLOAT8OID, PG_GETARG_FLOAT8);

MONEY_WITH_INTEGER(int2, INT2OID, PG_GETARG_INT16);
MONEY_WITH_INTEGER(int4, INT4OID, PG_GETARG_INT32);
MONEY_WITH_INTEGER(int8, INT8OID, PG_GETARG_INT64);

INTEGER_PLUS_MONEY(int2, INT2OID, PG_GETARG_INT16);
INTEGER_PLUS_MONEY(int4, INT4OID, PG_GETARG_INT32);
INTEGER_PLUS_MONEY(int8, INT8OID, PG_GETARG_INT64);

INTEGER_MINUS_MONEY(int2, INT2OID, PG_GETARG_INT16);
INTEGER_MINUS_MONEY(int4, INT4OID, PG_GETARG_INT32);
INTEGER_MINUS_MONEY(int8, INT8OID, PG_GETARG_INT64);


/* ---------- column defaults ---------- */

/* Is it one of the casts above? */
static bool
is_cast(Oid function)
{
	char	   *name;

	if (get_func_namespace(function) != get_namespace_oid("idem", true))
		return false;
	name = get_func_name(function);
	return name != NULL && strcmp(name, FUNCTION_OF_CASTS) == 0;
}

static bool
contains_cast(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, FuncExpr) && is_cast(((FuncExpr *) node)->funcid))
		return true;
	return expression_tree_walker(node, contains_cast, context);
}

static bool
is_foreign(Oid function, void *context)
{
	return function >= FirstNormalObjectId && !is_cast(function);
}

/* Is a function called that is neither the server's nor a cast of ours? */
static bool
calls_foreign(Node *node, void *context)
{
	if (node == NULL)
		return false;
	return check_functions_in_node(node, is_foreign, context) ||
		expression_tree_walker(node, calls_foreign, context);
}

/*
 * Is there a cast of a number that need not be zero?  One of a constant is
 * computed here, and refused by the cast itself.  Functions of users are not
 * called: a superuser may be running the command on somebody else's table.
 */
static bool
casts_any_number(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if ((IsA(node, FuncExpr) && is_cast(((FuncExpr *) node)->funcid)) ||
		(IsA(node, ArrayCoerceExpr) &&
		 contains_cast((Node *) ((ArrayCoerceExpr *) node)->elemexpr, NULL)))
		return calls_foreign(node, NULL) ||
			contains_cast(eval_const_expressions(NULL, node), NULL);
	return expression_tree_walker(node, casts_any_number, context);
}

/* The default of a column as the command in progress leaves it, or NULL. */
static Node *
new_default(Oid relid, AttrNumber attnum)
{
	Relation	catalog = table_open(AttrDefaultRelationId, AccessShareLock);
	Node	   *expression = NULL;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_attrdef_adrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&key[1], Anum_pg_attrdef_adnum, BTEqualStrategyNumber,
				F_INT2EQ, Int16GetDatum(attnum));
	scan = systable_beginscan(catalog, AttrDefaultIndexId, true, SnapshotSelf,
							  2, key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		stored = heap_getattr(tuple, Anum_pg_attrdef_adbin,
										  RelationGetDescr(catalog), &isnull);

		if (!isnull)
			expression = stringToNode(TextDatumGetCString(stored));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return expression;
}

/*
 * 22023 if the default or the expression of a column turns numbers without a
 * unit into amounts.
 */
void
idem_money_check_default(Oid relid, AttrNumber attnum)
{
	if (casts_any_number(new_default(relid, attnum), NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" of table \"%s\" would be filled with numbers without a unit of money",
						get_attname(relid, attnum, false),
						get_rel_name(relid)),
				 errhint(HINT_UNIT)));
}
