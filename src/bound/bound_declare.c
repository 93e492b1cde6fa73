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
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/again.h"
#include "base/argument.h"
#include "base/citus.h"
#include "base/column.h"
#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/named.h"
#include "base/qualified.h"
#include "base/settings.h"
#include "base/settings_write.h"
#include "bound/bound.h"
#include "key/key_effect.h"

/* What guard_claimed was asked for */
typedef struct BoundArguments
{
	List	   *key;
	char	   *scope;			/* NULL: a table of keys */
	Oid			keys;			/* that table, or InvalidOid */
	char	   *rows;			/* one or many; NULL: effect outside */
	char	   *state;			/* column; NULL: effect inside */
	List	   *states;			/* of rows, and for each the text of a list */
	List	   *claimed;		/* of those of claims */
} BoundArguments;

static void
refuse_claimed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"claimed\" of idem.guard_claimed must be an object of lists of states"),
			 errhint("Write it as {\"state of the row\": \"{reserved,dispatched}\", ...}.")));
}

/* {reserved,dispatched}, of which each is a state of a claim */
static char *
claim_states(char *value)
{
	Datum		array = OidInputFunctionCall(F_ARRAY_IN, value, TEXTOID, -1);
	List	   *list = idem_array_list("claimed", DatumGetArrayTypeP(array));
	ListCell   *lc;

	foreach(lc, list)
	{
		if (!idem_key_is_effect_state(lfirst(lc)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("unrecognized state of a claim: \"%s\"",
							(char *) lfirst(lc)),
					 errhint("A claim is unseen, reserved, dispatched, unknown, released, succeeded, failed, fenced or adopted.")));
	}
	return idem_list_text(list);
}

/* {"state of the row": "{states of the claim}", ...} */
static void
read_claimed(Jsonb *claimed, BoundArguments *args)
{
	JsonbIterator *it = JsonbIteratorInit(&claimed->root);
	JsonbValue	value;
	JsonbIteratorToken token = JsonbIteratorNext(&it, &value, true);

	if (token != WJB_BEGIN_OBJECT)
		refuse_claimed();
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_END_OBJECT)
	{
		char	   *word;

		if (value.type != jbvString)
			refuse_claimed();
		word = pnstrdup(value.val.string.val, value.val.string.len);
		if (token == WJB_KEY)
			args->states = lappend(args->states, word);
		else
			args->claimed = lappend(args->claimed, claim_states(word));
	}
	if (args->states == NIL)
		refuse_claimed();
}

/* state and claimed come together, and make the effect one outside. */
static void
read_states(FunctionCallInfo fcinfo, BoundArguments *args)
{
	args->state = PG_ARGISNULL(4) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(4));
	args->states = args->claimed = NIL;
	if (PG_ARGISNULL(5) != (args->state == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" of idem.guard_claimed needs argument \"%s\"",
						args->state ? "state" : "claimed",
						args->state ? "claimed" : "state")));
	if (args->state == NULL)
		return;
	read_claimed(PG_GETARG_JSONB_P(5), args);
	if (strcmp(args->rows, "many") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"rows\" of idem.guard_claimed is for effects inside")));
	args->rows = NULL;
}

static void
read_arguments(FunctionCallInfo fcinfo, BoundArguments *args)
{
	idem_require_argument(fcinfo, 0, "relation");
	idem_require_argument(fcinfo, 1, "key");
	args->key = idem_array_list("key", PG_GETARG_ARRAYTYPE_P(1));
	args->scope = PG_ARGISNULL(2) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(2));
	args->rows = idem_required_text(fcinfo, 3, "rows");
	args->keys = PG_ARGISNULL(6) ? InvalidOid : PG_GETARG_OID(6);
	if ((args->scope == NULL) != OidIsValid(args->keys))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("idem.guard_claimed needs one of \"scope\" and \"keys\""),
				 errhint("A key is claimed in a scope, or inserted into a table of keys.")));
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
	read_states(fcinfo, args);
	if (args->state != NULL && OidIsValid(args->keys))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"state\" of idem.guard_claimed needs argument \"scope\""),
				 errdetail("A key in a table of keys has no state.")));
}

/*
 * 42704 unless the scope is declared, 42P17 if its effect is the other one,
 * 0A000 for rows that are spread over nodes.
 */
static void
check_scope(Relation rel, const BoundArguments *args)
{
	bool		outside;

	if (idem_citus_table(RelationGetRelid(rel)) != IDEM_CITUS_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("rows of distributed table \"%s\" cannot be bound to claims",
						RelationGetRelationName(rel)),
				 errdetail("Each node has claims of its own."),
				 errhint("Insert keys into a table that is distributed with this one, and name it: keys => ..."),
				 errtable(rel)));
	if (!idem_key_effect_scope(args->scope, &outside))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("scope \"%s\" does not exist", args->scope),
				 errhint("Declare it with idem.create_scope.")));
	if (outside == (args->state != NULL))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("scope \"%s\" is for effects %s of the transaction",
					args->scope, outside ? "outside" : "inside"),
			 outside ?
			 errhint("The state of a row tells of such an effect: name the column in \"state\", and what it needs of the claim in \"claimed\".") :
			 errhint("A row is the effect itself there: leave out \"state\" and \"claimed\".")));
}

/* The guard of a table of keys, or NULL. */
static IdemGuard *
guard_of_keys(Oid keys)
{
	Relation	rel = idem_open_named(keys);
	List	   *triggers = idem_guard_triggers(rel);
	ListCell   *lc;

	relation_close(rel, NoLock);
	foreach(lc, triggers)
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (strcmp(trigger->kind->kind, "keys") == 0 && !trigger->is_clone)
			return trigger->guard;
	}
	return NULL;
}

/*
 * 42501 unless the caller owns the table of keys, 42P17 unless that has a
 * guard for keys of as many columns.
 */
static void
check_keys(const BoundArguments *args)
{
	IdemGuard  *guard;

	idem_check_owned(args->keys);
	guard = guard_of_keys(args->keys);
	if (guard == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("table \"%s\" is no table of idempotency keys",
						get_rel_name(args->keys)),
				 errhint("Declare it one with idem.guard_keys.")));
	if (list_length(idem_setting_list(guard->settings, "key")) !=
		list_length(args->key))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("a key of table \"%s\" is made of %s",
						get_rel_name(args->keys),
						idem_setting(guard->settings, "key")),
				 errhint("Name as many columns in \"key\", in the same order.")));
}

/* 42P17 unless the column is NOT NULL, and was when each row was written. */
void
idem_bound_check_not_null(Relation rel, AttrNumber attnum, const char *why)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);

	if (!att->attnotnull ||
		!idem_not_null_validated(RelationGetRelid(rel), attnum))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" can be null",
						NameStr(att->attname), RelationGetRelationName(rel)),
				 errdetail_internal("%s", why),
				 errhint("Declare it NOT NULL."),
				 errtablecol(rel, attnum)));
}

static void
check_columns(Relation rel, const BoundArguments *args)
{
	BoundStates states;
	BoundKey	key;
	ListCell   *lc;

	foreach(lc, args->key)
		idem_bound_check_not_null(rel, idem_stored_column(rel, lfirst(lc)),
								  "A row without a key has no claim.");
	idem_bound_key_compile(rel, args->key, &key);
	if (args->state == NULL)
		return;
	idem_bound_check_not_null(rel, idem_stored_column(rel, args->state),
							  "A row without a state tells of nothing.");
	idem_bound_states_compile(rel, args->state, args->states, args->claimed,
							  &states);
}

static List *
claimed_settings(const BoundArguments *args)
{
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add(settings, "scope", args->scope);
	if (OidIsValid(args->keys))
		settings = idem_settings_add(settings, "keys",
									 idem_qualified_name_of(args->keys));
	settings = idem_settings_add_list(settings, "key", args->key);
	settings = idem_settings_add(settings, "rows", args->rows);
	settings = idem_settings_add(settings, "state", args->state);
	return idem_settings_add_map(settings, "claimed", args->states,
								 args->claimed);
}

static bool
claimed_stands(Relation rel, void *declaration)
{
	return idem_guard_stands(rel, "claimed", claimed_settings(declaration),
							 NULL, NIL);
}

/*
 * guard_claimed(relation regclass, key text[], scope text, rows text,
 *				 state text, claimed jsonb, keys regclass) -> void
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

	read_arguments(fcinfo, &args);
	relid = PG_GETARG_OID(0);
	rel = idem_open_to_declare(relid, claimed_stands, &args);
	if (rel == NULL)
		PG_RETURN_VOID();
	if (OidIsValid(args.keys))
		check_keys(&args);
	else
		check_scope(rel, &args);
	check_columns(rel, &args);
	settings = claimed_settings(&args);
	trigger = idem_free_trigger_name(relid, "idem_claimed", args.key);
	idem_put_guard(rel, "claimed", trigger, "INSERT OR UPDATE OR DELETE",
				   settings);
	PG_RETURN_VOID();
}
