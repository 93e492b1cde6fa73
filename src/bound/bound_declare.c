/*
 * bound_declare.c
 *		Binding the rows of a table to claims.
 *
 * Locks SHARE ROW EXCLUSIVE until the end of the transaction: writers wait,
 * readers do not.  Rows that exist are not looked at: the guard holds for new
 * ones at once, and idem.validate_guard() reads the old ones later.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/kind.h"
#include "bound/bound.h"

/* What guard_claimed was asked for */
typedef struct BoundArguments
{
	List	   *key;
	char	   *scope;
	char	   *rows;			/* one or many */
} BoundArguments;

static void
read_arguments(FunctionCallInfo fcinfo, BoundArguments *args)
{
	idem_require_argument(fcinfo, 0, "relation");
	idem_require_argument(fcinfo, 1, "key");
	args->key = idem_array_list("key", PG_GETARG_ARRAYTYPE_P(1));
	args->scope = idem_required_text(fcinfo, 2, "scope");
	args->rows = idem_required_text(fcinfo, 3, "rows");
	if (args->key == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no column is named"),
				 errhint("Name the columns that make the idempotency key in \"key\".")));
	if (strcmp(args->rows, "one") != 0 && strcmp(args->rows, "many") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized value for argument \"rows\" of idem.guard_claimed: \"%s\"",
						args->rows),
				 errhint("One claim pays for one row, or for many.")));
}

/* 42704 unless the scope is declared, 42P17 if its effect is not inside. */
static void
check_scope(const BoundArguments *args)
{
	bool		outside;

	if (!idem_key_effect_scope(args->scope, &outside))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("scope \"%s\" does not exist", args->scope),
				 errhint("Declare it with idem.create_scope.")));
	if (outside)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("scope \"%s\" is for effects outside of the transaction",
						args->scope),
				 errhint("A row that is the effect of a claim needs a scope with effect 'inside'.")));
}

/* 42P17 unless the column is NOT NULL, and was when each row was written. */
static void
check_not_null(Relation rel, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);

	if (!att->attnotnull ||
		!idem_not_null_validated(RelationGetRelid(rel), attnum))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" can be null",
						NameStr(att->attname), RelationGetRelationName(rel)),
				 errdetail("A row without a key has no claim."),
				 errhint("Declare it NOT NULL."),
				 errtablecol(rel, attnum)));
}

static void
check_columns(Relation rel, List *columns)
{
	BoundKey	key;
	ListCell   *lc;

	foreach(lc, columns)
		check_not_null(rel, idem_stored_column(rel, lfirst(lc)));
	idem_bound_key_compile(rel, columns, &key);
}

static List *
claimed_settings(const BoundArguments *args)
{
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add(settings, "scope", args->scope);
	settings = idem_settings_add_list(settings, "key", args->key);
	return idem_settings_add(settings, "rows", args->rows);
}

static bool
claimed_stands(Relation rel, void *declaration)
{
	return idem_guard_stands(rel, "claimed", claimed_settings(declaration),
							 NULL, NIL);
}

/*
 * guard_claimed(relation regclass, key text[], scope text, rows text) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_claimed);
Datum
idem_guard_claimed(PG_FUNCTION_ARGS)
{
	BoundArguments args;
	Oid			relid;
	Relation	rel;
	List	   *settings;
	const char *trigger;
	IdemIdentity saved;

	read_arguments(fcinfo, &args);
	relid = PG_GETARG_OID(0);
	rel = idem_open_to_declare(relid, claimed_stands, &args);
	if (rel == NULL)
		PG_RETURN_VOID();
	check_scope(&args);
	check_columns(rel, args.key);
	settings = claimed_settings(&args);
	trigger = idem_free_trigger_name(relid, "idem_claimed", args.key);

	idem_become_declarer(rel, &saved);
	relation_close(rel, NoLock);
	SPI_connect();
	idem_create_row_trigger(relid, trigger, "INSERT OR UPDATE OR DELETE",
							"keep_claimed", settings);
	idem_log_change("declared", "claimed", relid, trigger, settings, NULL);
	SPI_finish();
	idem_restore_identity(&saved);
	PG_RETURN_VOID();
}
