/*
 * claim_scope.c
 *		Declared scopes, and what a session remembers of them.
 *
 * Scopes live in idem.scope.  A session reads one at its first use and keeps
 * it; the callback of a relcache invalidation (the table's statement trigger
 * sends it) only marks, the next look-up starts afresh.  A scope is looked up
 * with the newest snapshot, never the transaction's: one that was declared
 * after an old REPEATABLE READ snapshot is as good as any.
 *
 * That a name is unknown is not remembered.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/identity.h"
#include "claim/claim.h"

#define Anum_scope_id			1
#define Anum_scope_name			2
#define Anum_scope_effect		3
#define Anum_scope_fields		4
#define Anum_scope_completion	5
#define Anum_scope_charset		6
#define Anum_scope_lease		7
#define Anum_scope_quiet		8
#define Anum_scope_ladder		9

/* Arguments of create_scope. */
enum
{
	ARG_NAME,
	ARG_EFFECT,
	ARG_FIELDS,
	ARG_COMPLETION,
	ARG_LEASE,
	ARG_QUIET,
	ARG_LADDER,
	ARG_KEEP,
	ARG_KEY_TIME,
	ARG_CHARSET,
	ARG_PARTS
};

/* Columns that create_scope writes. */
#define INSERTED				9

/* OIDs of the room's tables; InvalidOid: to be looked up. */
static Oid	anchor_relid = InvalidOid;
static Oid	reservation_relid = InvalidOid;
static Oid	scope_relid = InvalidOid;
static Oid	scope_index = InvalidOid;

static HTAB *scopes = NULL;
static MemoryContext scopes_context = NULL;
static bool scopes_valid = false;

static void
scope_invalidate(Datum arg, Oid relid)
{
	if (OidIsValid(relid) && relid != scope_relid && relid != anchor_relid &&
		relid != reservation_relid)
		return;
	scopes_valid = false;
	anchor_relid = InvalidOid;
}

/* Look up the OIDs, once until one of the tables changes. */
static void
find_relations(void)
{
	static bool registered = false;

	if (OidIsValid(anchor_relid))
		return;
	if (!registered)
		CacheRegisterRelcacheCallback(scope_invalidate, (Datum) 0);
	registered = true;
	scope_relid = idem_extension_relation("scope");
	scope_index = idem_extension_relation("scope_name_key");
	reservation_relid = idem_extension_relation("reservation");
	anchor_relid = idem_extension_relation("anchor");
}

Oid
idem_anchor_relid(void)
{
	find_relations();
	return anchor_relid;
}

Oid
idem_reservation_relid(void)
{
	find_relations();
	return reservation_relid;
}

/* Forget every scope, and make room for new ones. */
static void
reset_scopes(void)
{
	HASHCTL		ctl;

	if (scopes_context)
		MemoryContextDelete(scopes_context);
	scopes = NULL;
	scopes_context = AllocSetContextCreate(CacheMemoryContext, "idem scopes",
										   ALLOCSET_SMALL_SIZES);
	ctl.keysize = NAMEDATALEN;
	ctl.entrysize = sizeof(IdemScope);
	ctl.hcxt = scopes_context;
	scopes = hash_create("idem scopes", 16, &ctl,
						 HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	scopes_valid = true;
}

/* The declared fields, sorted as a fingerprint is. */
static void
read_fields(IdemScope *scope, ArrayType *fields)
{
	Datum	   *items;
	int			i;

	deconstruct_array(fields, TEXTOID, -1, false, TYPALIGN_INT,
					  &items, NULL, &scope->nmembers);
	scope->members = palloc(sizeof(IdemMember) * Max(scope->nmembers, 1));
	for (i = 0; i < scope->nmembers; i++)
	{
		scope->members[i].name = TextDatumGetCString(items[i]);
		scope->members[i].len = strlen(scope->members[i].name);
	}
	scope->all_members = scope->nmembers == 1 &&
		strcmp(scope->members[0].name, "*") == 0;
	if (scope->all_members)
		scope->nmembers = 0;
	qsort(scope->members, scope->nmembers, sizeof(IdemMember),
		  idem_member_cmp);
}

static bool
column_is(HeapTuple tuple, int attnum, Relation rel, const char *word)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attnum, RelationGetDescr(rel),
									 &isnull);

	return !isnull && strcmp(TextDatumGetCString(value), word) == 0;
}

/* What a declaration of an effect outside adds. */
static void
read_durations(IdemScope *scope, Relation rel, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;

	scope->lease = idem_duration("lease", DatumGetIntervalP(heap_getattr(tuple, Anum_scope_lease, desc, &isnull)),
								 false);
	scope->quiet = idem_duration("quiet", DatumGetIntervalP(heap_getattr(tuple, Anum_scope_quiet, desc, &isnull)),
								 true);
	scope->ladder = idem_ladder(DatumGetArrayTypePCopy(heap_getattr(tuple, Anum_scope_ladder, desc, &isnull)),
								&scope->nrungs);
}

/* A row of idem.scope as the session keeps it, in scopes_context. */
static IdemScope *
read_scope(Relation rel, HeapTuple tuple, const char *name)
{
	MemoryContext old = MemoryContextSwitchTo(scopes_context);
	IdemScope	scope;
	IdemScope  *entry;
	bool		isnull;
	Datum		fields;

	memset(&scope, 0, sizeof(scope));
	strlcpy(scope.name, name, NAMEDATALEN);
	scope.id = DatumGetInt32(heap_getattr(tuple, Anum_scope_id,
										  RelationGetDescr(rel), &isnull));
	scope.outside = column_is(tuple, Anum_scope_effect, rel, "outside");
	scope.required = column_is(tuple, Anum_scope_completion, rel, "required");
	scope.any_charset = column_is(tuple, Anum_scope_charset, rel, "any");
	fields = heap_getattr(tuple, Anum_scope_fields, RelationGetDescr(rel),
						  &isnull);
	read_fields(&scope, DatumGetArrayTypePCopy(fields));
	read_durations(&scope, rel, tuple);
	MemoryContextSwitchTo(old);

	entry = hash_search(scopes, name, HASH_ENTER, NULL);
	*entry = scope;
	return entry;
}

/* Read a scope from the table, or NULL. */
static IdemScope *
load_scope(text *name)
{
	Relation	rel = table_open(scope_relid, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	IdemScope  *scope = NULL;

	/* opening the table may have brought news */
	if (!scopes_valid)
		reset_scopes();
	ScanKeyInit(&key, Anum_scope_name, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(name));
	scan = systable_beginscan(rel, scope_index, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		scope = read_scope(rel, tuple, text_to_cstring(name));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return scope;
}

/*
 * The scope of this name: 22004 for NULL, 42704 if it is not declared.  Valid
 * until the next call.
 */
const IdemScope *
idem_scope_get(text *name)
{
	char		buf[NAMEDATALEN];
	int			len = name ? (int) VARSIZE_ANY_EXHDR(name) : 0;
	IdemScope  *scope = NULL;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("scope is null")));
	find_relations();
	if (!scopes_valid)
		reset_scopes();
	if (len <= IDEM_SCOPE_NAME_BYTES_MAX)
	{
		memcpy(buf, VARDATA_ANY(name), len);
		buf[len] = '\0';
		scope = hash_search(scopes, buf, HASH_FIND, NULL);
		if (scope == NULL)
			scope = load_scope(name);
	}
	if (scope == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("scope \"%.*s\" does not exist",
						pg_mbcliplen(VARDATA_ANY(name), len, NAMEDATALEN),
						VARDATA_ANY(name)),
				 errhint("Declare it with idem.create_scope.")));
	return scope;
}

static void
check_word(const char *argument, const char *word,
		   const char *this_one, const char *that_one)
{
	if (strcmp(word, this_one) != 0 && strcmp(word, that_one) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s \"%s\" of a scope", argument, word),
				 errhint("It is '%s' or '%s'.", this_one, that_one)));
}

/* 22023 for a name that could be mistaken, 42710 for one that is taken. */
static void
check_scope_name(const char *name)
{
	if (!idem_name_is_clean(name, strlen(name)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid name of a scope"),
				 errhint("A name is 1 to %d bytes of text without control characters and without a blank at either end.",
						 IDEM_SCOPE_NAME_BYTES_MAX)));
	if (load_scope(cstring_to_text(name)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("scope \"%s\" already exists", name)));
}

/* 22023 for fields of which no fingerprint can be made. */
static void
check_fields(List *fields)
{
	int			size = 0;
	ListCell   *lc;

	foreach(lc, fields)
	{
		const char *field = lfirst(lc);
		int			len = strlen(field);

		if (len == 0 || len > IDEM_MEMBER_BYTES_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("name of a field has to be 1 to %d bytes long",
							IDEM_MEMBER_BYTES_MAX)));
		if (strcmp(field, "*") == 0 && list_length(fields) > 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("field \"*\" stands for all and must be the only one")));
		size += 1 + len + IDEM_DIGEST_BYTES;
	}
	if (size > IDEM_FINGERPRINT_BYTES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("fingerprint of the fields would be longer than %d bytes",
						IDEM_FINGERPRINT_BYTES_MAX),
				 errhint("Declare fewer fields: those in which a repeat must not differ.")));
}

/* 22023 for an effect that is none, or does not go with the completion. */
static void
check_effect(const char *effect, const char *completion)
{
	check_word("effect", effect, "inside", "outside");
	check_word("completion", completion, "optional", "required");
	if (strcmp(effect, "outside") == 0 && strcmp(completion, "required") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("completion 'required' is for scopes with effect 'inside'"),
				 errdetail("An effect outside is completed in a later transaction; idem.due keeps what was not.")));
}

/* 0A000 for what the design has and this version does not. */
static void
refuse_for_now(FunctionCallInfo fcinfo, int n, const char *argument)
{
	if (!PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("argument \"%s\" of a scope is not supported yet",
						argument)));
}

/* Check the lengths of time, and put them into the row. */
static void
read_duration_arguments(FunctionCallInfo fcinfo, Datum *lease, Datum *quiet,
						Datum *ladder)
{
	int			count;

	idem_require_argument(fcinfo, ARG_LEASE, "lease");
	idem_require_argument(fcinfo, ARG_QUIET, "quiet");
	idem_require_argument(fcinfo, ARG_LADDER, "ladder");
	*lease = PG_GETARG_DATUM(ARG_LEASE);
	*quiet = PG_GETARG_DATUM(ARG_QUIET);
	*ladder = PG_GETARG_DATUM(ARG_LADDER);
	(void) idem_duration("lease", DatumGetIntervalP(*lease), false);
	(void) idem_duration("quiet", DatumGetIntervalP(*quiet), true);
	(void) idem_ladder(DatumGetArrayTypeP(*ladder), &count);
}

/* Write the row, as the owner of the table; connected to SPI. */
static void
insert_scope(Relation rel, const Datum *values)
{
	static const char *const sql =
	"INSERT INTO idem.scope (name, effect, fields, completion, charset, lease, quiet, ladder, created_by)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
	static const Oid types[INSERTED] = {TEXTOID, TEXTOID, TEXTARRAYOID,
		TEXTOID, TEXTOID, INTERVALOID, INTERVALOID, INTERVALARRAYOID, NAMEOID};
	IdemIdentity saved;

	idem_become_declarer(rel, &saved);
	if (SPI_execute_with_args(sql, INSERTED, (Oid *) types, (Datum *) values,
							  NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write idem.scope");
	idem_restore_identity(&saved);
}

static char *
setting(const char *name, const char *value)
{
	return psprintf("%s=%s", name, value);
}

static char *
setting_of(const char *name, Oid output, Datum value)
{
	return setting(name, OidOutputFunctionCall(output, value));
}

/* What idem.change_log keeps of a declaration. */
static List *
scope_settings(const char *effect, List *fields, const char *completion,
			   const char *charset, const Datum *durations)
{
	List	   *settings = list_make4(setting("effect", effect),
									  setting("fields", idem_list_text(fields)),
									  setting("completion", completion),
									  setting("charset", charset));

	if (strcmp(effect, "outside") == 0)
	{
		settings = lappend(settings, setting_of("lease", F_INTERVAL_OUT,
												durations[0]));
		settings = lappend(settings, setting_of("quiet", F_INTERVAL_OUT,
												durations[1]));
		settings = lappend(settings, setting_of("ladder", F_ARRAY_OUT,
												durations[2]));
	}
	return settings;
}

/*
 * create_scope(name, effect, fields, completion, lease, quiet, ladder, keep,
 * key_time, charset, parts) -> void
 */
PG_FUNCTION_INFO_V1(idem_create_scope);
Datum
idem_create_scope(PG_FUNCTION_ARGS)
{
	char	   *name = idem_required_text(fcinfo, ARG_NAME, "name");
	char	   *effect = idem_required_text(fcinfo, ARG_EFFECT, "effect");
	char	   *completion;
	char	   *charset;
	List	   *fields;
	Datum		values[INSERTED];
	Relation	rel;

	if (PG_ARGISNULL(ARG_FIELDS))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", "fields"),
				 errhint("'{}' declares none, '{*}' all members of the request.")));
	completion = idem_required_text(fcinfo, ARG_COMPLETION, "completion");
	charset = idem_required_text(fcinfo, ARG_CHARSET, "charset");
	fields = idem_array_list("fields", PG_GETARG_ARRAYTYPE_P(ARG_FIELDS));
	check_effect(effect, completion);
	check_fields(fields);
	check_word("charset", charset, "ascii", "any");
	refuse_for_now(fcinfo, ARG_KEEP, "keep");
	refuse_for_now(fcinfo, ARG_KEY_TIME, "key_time");
	refuse_for_now(fcinfo, ARG_PARTS, "parts");
	values[0] = CStringGetTextDatum(name);
	values[1] = CStringGetTextDatum(effect);
	values[2] = PG_GETARG_DATUM(ARG_FIELDS);
	values[3] = CStringGetTextDatum(completion);
	values[4] = CStringGetTextDatum(charset);
	read_duration_arguments(fcinfo, &values[5], &values[6], &values[7]);
	values[8] = DirectFunctionCall1(namein,
									CStringGetDatum(GetUserNameFromId(GetUserId(),
																	  false)));

	/* one declaration at a time, so that the second one of a name finds it */
	find_relations();
	rel = table_open(scope_relid, ShareRowExclusiveLock);
	check_scope_name(name);
	SPI_connect();
	insert_scope(rel, values);
	idem_log_change("declared", "scope", InvalidOid, name,
					scope_settings(effect, fields, completion, charset,
								   values + 5), NULL);
	SPI_finish();
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}
