/*
 * bound_keys_declare.c
 *		Guarding a table of the user's that holds idempotency keys.
 *
 * Locks SHARE ROW EXCLUSIVE until the end of the transaction: writers wait,
 * readers do not.  Rows that exist are not looked at: the guard holds for new
 * ones at once, and idem.validate_guard() reads the old ones later.
 *
 * What compares a repeat with the recorded request is a guard of its own, of
 * kind repeats, because it has to fire before the insert; it is declared and
 * taken off with the one of kind keys.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/again.h"
#include "base/argument.h"
#include "base/change.h"
#include "base/column.h"
#include "base/declare.h"
#include "base/identity.h"
#include "base/settings_write.h"
#include "bound/bound.h"
#include "key/key.h"

/* What guard_keys was asked for */
typedef struct KeysArguments
{
	List	   *key;
	char	   *request;		/* column; NULL: requests are not kept */
	List	   *fields;			/* of a request that count */
	char	   *response;		/* column, or NULL */
	char	   *completion;		/* required, or NULL */
	char	   *charset;		/* any, or NULL */
	bool		keys_stands;
	bool		repeats_stands;
} KeysArguments;

static void
refuse_argument(const char *message, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message),
			 errhint("%s", hint)));
}

/* NULL for the word that is the usual one, 22023 for an unknown one. */
static char *
read_choice(FunctionCallInfo fcinfo, int n, const char *argument,
			const char *usual, const char *other)
{
	char	   *word = idem_required_text(fcinfo, n, argument);

	if (strcmp(word, usual) == 0)
		return NULL;
	if (strcmp(word, other) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized value for argument \"%s\" of idem.guard_keys: \"%s\"",
						argument, word),
				 errhint("It is '%s' or '%s'.", usual, other)));
	return word;
}

static char *
optional_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static void
read_arguments(FunctionCallInfo fcinfo, KeysArguments *args)
{
	memset(args, 0, sizeof(*args));
	idem_require_argument(fcinfo, 0, "relation");
	idem_require_argument(fcinfo, 1, "key");
	args->key = idem_array_list("key", PG_GETARG_ARRAYTYPE_P(1));
	args->request = optional_text(fcinfo, 2);
	if (!PG_ARGISNULL(3))
		args->fields = idem_array_list("fields", PG_GETARG_ARRAYTYPE_P(3));
	args->response = optional_text(fcinfo, 4);
	args->completion = read_choice(fcinfo, 5, "completion", "optional",
								   "required");
	args->charset = read_choice(fcinfo, 6, "charset", "ascii", "any");
	if (args->key == NIL)
		refuse_argument("no column is named",
						"Name the columns that make the idempotency key in \"key\".");
	if ((args->request != NULL) != (args->fields != NIL))
		refuse_argument(args->request ?
						"argument \"request\" of idem.guard_keys needs argument \"fields\"" :
						"argument \"fields\" of idem.guard_keys needs argument \"request\"",
						"Name the members of the request in which a repeat must not differ; '{*}' stands for all.");
	if (args->completion != NULL && args->response == NULL)
		refuse_argument("argument \"completion\" of idem.guard_keys needs argument \"response\"",
						"A key is complete when its response is there.");
	idem_key_check_fields(args->fields);
}

/* 42P17 unless the column is jsonb. */
static void
check_request(Relation rel, const char *column)
{
	AttrNumber	attnum = idem_stored_column(rel, column);

	if (getBaseType(TupleDescAttr(RelationGetDescr(rel),
								  attnum - 1)->atttypid) != JSONBOID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" cannot hold a request",
						column, RelationGetRelationName(rel)),
				 errhint("It is of type jsonb."),
				 errtablecol(rel, attnum)));
}

static void
check_columns(Relation rel, const KeysArguments *args)
{
	BoundKey	key;
	ListCell   *lc;

	foreach(lc, args->key)
		idem_bound_check_not_null(rel, idem_stored_column(rel, lfirst(lc)),
								  "A row without a key records nothing.");
	idem_bound_key_compile(rel, args->key, &key);
	if (args->request != NULL)
		check_request(rel, args->request);
	if (args->response != NULL)
		(void) idem_stored_column(rel, args->response);
	if (!OidIsValid(idem_bound_arbiter_named(RelationGetRelid(rel), args->key,
											 NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("table \"%s\" has no unique constraint on exactly %s",
						RelationGetRelationName(rel),
						idem_list_text(args->key)),
				 errdetail("It decides who is granted a key; it has to be valid and not deferrable, without predicate or expression, and in a deterministic collation."),
				 errhint("Make these columns the primary key."),
				 errtable(rel)));
}

static List *
keys_settings(const KeysArguments *args)
{
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add_list(settings, "key", args->key);
	settings = idem_settings_add(settings, "request", args->request);
	if (args->fields != NIL)
		settings = idem_settings_add_list(settings, "fields", args->fields);
	settings = idem_settings_add(settings, "response", args->response);
	settings = idem_settings_add(settings, "completion", args->completion);
	return idem_settings_add(settings, "charset", args->charset);
}

static List *
repeats_settings(const KeysArguments *args)
{
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add_list(settings, "key", args->key);
	settings = idem_settings_add(settings, "request", args->request);
	return idem_settings_add_list(settings, "fields", args->fields);
}

/* Does the table have what is declared, both guards of it? */
static bool
keys_stand(Relation rel, void *declaration)
{
	KeysArguments *args = declaration;

	args->keys_stands = idem_guard_stands(rel, "keys", keys_settings(args),
										  NULL, NIL);
	args->repeats_stands = args->request == NULL ||
		idem_guard_stands(rel, "repeats", repeats_settings(args), NULL, NIL);
	return args->keys_stands && args->repeats_stands;
}

/* One of the two, as the owner of the table and connected to SPI */
static void
declare_keys(Oid relid, const KeysArguments *args)
{
	List	   *settings = keys_settings(args);
	const char *trigger = idem_free_trigger_name(relid, "idem_keys",
												 args->key);

	idem_create_row_trigger(relid, trigger, "INSERT OR UPDATE OR DELETE",
							"keep_keys", settings);
	idem_create_statement_triggers(relid, trigger);
	idem_log_change("declared", "keys", relid, trigger, settings, NULL);
}

static void
declare_repeats(Oid relid, const KeysArguments *args)
{
	List	   *settings = repeats_settings(args);
	const char *trigger = idem_free_trigger_name(relid, "idem_repeats",
												 args->key);

	idem_create_early_trigger(relid, trigger, "INSERT", "keep_repeats",
							  settings);
	idem_log_change("declared", "repeats", relid, trigger, settings, NULL);
}

/*
 * guard_keys(relation regclass, key text[], request text, fields text[],
 *			  response text, completion text, charset text) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_keys);
Datum
idem_guard_keys(PG_FUNCTION_ARGS)
{
	KeysArguments args;
	Oid			relid;
	Relation	rel;
	IdemIdentity saved;

	read_arguments(fcinfo, &args);
	relid = PG_GETARG_OID(0);
	rel = idem_open_to_declare(relid, keys_stand, &args);
	if (rel == NULL)
		PG_RETURN_VOID();
	check_columns(rel, &args);

	idem_become_declarer(rel, &saved);
	relation_close(rel, NoLock);
	SPI_connect();
	if (!args.keys_stands)
		declare_keys(relid, &args);
	if (!args.repeats_stands)
		declare_repeats(relid, &args);
	SPI_finish();
	idem_restore_identity(&saved);
	PG_RETURN_VOID();
}
