/*
 * key_declare.c
 *		Declaring scopes of keys, altering and dropping them.
 *
 * A declaration is a row of idem.scope.  What is altered is checked as a whole,
 * as if it were declared anew, and then held against what was: only what makes
 * the scope stricter, or is neither (leases and ladders), goes without a
 * reason.  Effect and key_time say which keys there are, and stay.
 *
 * Altered fields: known keys keep the fingerprint of the fields they were
 * claimed under, and a repeat has to agree in the fields of both times.  So
 * fields become {*} never: nobody could tell whether a member that an old
 * fingerprint lacks was missing or not declared.
 *
 * The id of a scope is made of its name.  Two names may share one, and one
 * name in two thousand million has none: both are refused, another name will
 * do.
 *
 * Dropping a scope forgets its keys: the next scope of that name begins with
 * none, and another created_at.  So it is refused while a claim is not final, and
 * asks for a reason if there is any key.
 *
 * Locks: SHARE ROW EXCLUSIVE on idem.scope, one declaration at a time; claims
 * go on.  Dropping also takes it on the tables of keys: it waits for open
 * claims of other scopes, and claims wait for it.  What is decided on is read
 * after the lock and as it is then, whatever the transaction's snapshot says.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/identity.h"
#include "base/latest.h"
#include "base/reason.h"
#include "key/key_inner.h"

/* What a scope is declared with: arguments of create_scope, after the name. */
enum
{
	EFFECT,
	FIELDS,
	COMPLETION,
	LEASE,
	QUIET,
	LADDER,
	KEEP,
	KEY_TIME,
	CHARSET,
	PARTS,
	FLUSH,
	STANDBYS,
	SETTINGS
};

#define SETTING_NAMES \
	"effect, fields, completion, lease, quiet, ladder, keep, key_time, charset, parts, flush, standbys"

static const struct
{
	const char *name;
	Oid			type;
	bool		optional;		/* may be NULL */
	const char *only;			/* effects it says something of; NULL: all */
	int			arg;			/* of alter_scope; 0: cannot be altered */
}			settings[SETTINGS] =
{
	[EFFECT] = {"effect", TEXTOID, false, NULL, 0},
	[FIELDS] = {"fields", TEXTARRAYOID, false, NULL, 1},
	[COMPLETION] = {"completion", TEXTOID, false, NULL, 2},
	[LEASE] = {"lease", INTERVALOID, false, "outside", 3},
	[QUIET] = {"quiet", INTERVALOID, false, "outside", 4},
	[LADDER] = {"ladder", INTERVALARRAYOID, false, "outside", 5},
	[KEEP] = {"keep", INTERVALOID, true, NULL, 6},
	[KEY_TIME] = {"key_time", TEXTOID, true, NULL, 0},
	[CHARSET] = {"charset", TEXTOID, false, NULL, 7},
	[PARTS] = {"parts", INT4OID, true, NULL, 8},
	[FLUSH] = {"flush", BOOLOID, false, "inside", 9},
	[STANDBYS] = {"standbys", INT4OID, false, "outside", 10}
};

#define ALTER_ARG_FORCE		11

typedef struct Declaration
{
	Datum		values[SETTINGS];
	bool		nulls[SETTINGS];
} Declaration;

/* A setting as text, NULL as "null". */
static char *
setting_text(const Declaration *decl, int n)
{
	Oid			output;
	bool		varlena;

	if (decl->nulls[n])
		return pstrdup("null");
	getTypeOutputInfo(settings[n].type, &output, &varlena);
	return OidOutputFunctionCall(output, decl->values[n]);
}

static bool
setting_is(const Declaration *decl, int n, const char *word)
{
	return strcmp(setting_text(decl, n), word) == 0;
}

/* ----------
 * Checks: 22023 for what cannot be kept
 * ----------
 */

static void
check_word(const Declaration *decl, int n,
		   const char *this_one, const char *that_one)
{
	if (!setting_is(decl, n, this_one) && !setting_is(decl, n, that_one))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s \"%s\" of a scope", settings[n].name,
						setting_text(decl, n)),
				 errhint("It is '%s' or '%s'.", this_one, that_one)));
}

static void
check_name(const char *name)
{
	if (!idem_key_is_clean_name(name, strlen(name)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid name of a scope"),
				 errhint("A name is 1 to %d bytes of text without control characters and without a blank at either end.",
						 IDEM_SCOPE_NAME_BYTES_MAX)));
	if (idem_key_scope_exists(name))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("scope \"%s\" already exists", name)));
}

/* The id for a scope of this name; 42710 if it cannot have one of its own. */
static int32
new_scope_id(const char *name)
{
	int32		id = idem_key_scope_id(name);
	char	   *other = id == 0 ? NULL : idem_key_scope_named(id);

	if (other != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("scope \"%s\" cannot be declared beside scope \"%s\"",
						name, other),
				 errdetail("The id of a scope is made of its name, and theirs are the same: %d.",
						   id),
				 errhint("Choose another name.")));
	if (id == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("scope \"%s\" cannot be declared", name),
				 errdetail("The id of a scope is made of its name, and that of this one would be 0, which is none."),
				 errhint("Choose another name.")));
	return id;
}

/* Fields of which a fingerprint can be made. */
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

static void
check_keep(const Interval *keep)
{
	if (keep->time < 0 || keep->day < 0 || keep->month < 0 ||
		(keep->time == 0 && keep->day == 0 && keep->month == 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("keep must be longer than zero")));
}

static void
check_parts(int parts)
{
	if (parts < 1 || parts > IDEM_KEY_PARTS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parts must be 1 to %d", IDEM_KEY_PARTS_MAX)));
}

/* What is only for effects of the other kind must be as it is without a word. */
static void
check_durability(const Declaration *decl)
{
	bool		outside = setting_is(decl, EFFECT, "outside");
	int			standbys = DatumGetInt32(decl->values[STANDBYS]);

	if (outside && !DatumGetBool(decl->values[FLUSH]))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("flush false is for scopes with effect 'inside'"),
				 errdetail("What leads to an effect outside is always flushed.")));
	if (standbys < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("standbys must not be negative")));
	if (!outside && standbys > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("standbys are for scopes with effect 'outside'"),
				 errdetail("A claim inside is as far as the effect that it commits with.")));
}

/* 22004 for a setting that must be there. */
static void
check_nulls(const Declaration *decl)
{
	int			i;

	for (i = 0; i < SETTINGS; i++)
	{
		if (decl->nulls[i] && !settings[i].optional)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null",
							settings[i].name),
					 i == FIELDS ?
					 errhint("'{}' declares none, '{*}' all members of the request.") : 0));
	}
}

/* Can a scope be so?  Whether it is declared or altered. */
static void
check_declaration(const Declaration *decl)
{
	int			rungs;

	check_nulls(decl);
	check_word(decl, EFFECT, "inside", "outside");
	check_fields(idem_array_list("fields",
								 DatumGetArrayTypeP(decl->values[FIELDS])));
	check_word(decl, COMPLETION, "optional", "required");
	if (setting_is(decl, EFFECT, "outside") &&
		setting_is(decl, COMPLETION, "required"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("completion 'required' is for scopes with effect 'inside'"),
				 errdetail("An effect outside is completed in a later transaction; idem.due keeps what was not.")));
	(void) idem_key_duration("lease", DatumGetIntervalP(decl->values[LEASE]),
							 false);
	(void) idem_key_duration("quiet", DatumGetIntervalP(decl->values[QUIET]),
							 true);
	(void) idem_key_ladder(DatumGetArrayTypeP(decl->values[LADDER]), &rungs);
	if (!decl->nulls[KEEP])
		check_keep(DatumGetIntervalP(decl->values[KEEP]));
	if (!decl->nulls[KEY_TIME])
		(void) idem_key_time_named(setting_text(decl, KEY_TIME));
	check_word(decl, CHARSET, "ascii", "any");
	if (!decl->nulls[PARTS])
		check_parts(DatumGetInt32(decl->values[PARTS]));
	check_durability(decl);
}

/* ----------
 * What an alteration does to the promise
 * ----------
 */

typedef enum Change
{
	SAME,
	STRICTER,					/* or neither */
	LOOSER
} Change;

static bool
array_has_all(const Declaration *decl, const Declaration *of)
{
	ListCell   *lc;
	List	   *mine = idem_array_list("fields", DatumGetArrayTypeP(decl->values[FIELDS]));

	foreach(lc, idem_array_list("fields", DatumGetArrayTypeP(of->values[FIELDS])))
	{
		ListCell   *other;
		bool		has = false;

		foreach(other, mine)
			has = has || strcmp(lfirst(lc), lfirst(other)) == 0;
		if (!has)
			return false;
	}
	return true;
}

static Change
fields_change(const Declaration *was, const Declaration *is)
{
	if (setting_is(is, FIELDS, "{*}"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("fields of a scope cannot become {*}"),
				 errdetail("What is known of earlier requests are the fields declared then."),
				 errhint("Name the fields, or declare a scope of another name.")));
	return array_has_all(is, was) ? STRICTER : LOOSER;
}

static int
compare_intervals(Datum a, Datum b)
{
	return DatumGetInt32(DirectFunctionCall2(interval_cmp, a, b));
}

/* Longer is stricter, and NULL, which nothing becomes, is longest. */
static Change
length_change(const Declaration *was, const Declaration *is, int n)
{
	return was->nulls[n] || compare_intervals(is->values[n], was->values[n]) < 0 ?
		LOOSER : STRICTER;
}

/* What altering one setting does. */
static Change
setting_change(const Declaration *was, const Declaration *is, int n)
{
	if (strcmp(setting_text(was, n), setting_text(is, n)) == 0)
		return SAME;
	switch (n)
	{
		case FIELDS:
			return fields_change(was, is);
		case COMPLETION:
			return setting_is(is, n, "required") ? STRICTER : LOOSER;
		case QUIET:
		case KEEP:
			return length_change(was, is, n);
		case CHARSET:
			return setting_is(is, n, "ascii") ? STRICTER : LOOSER;
		case PARTS:
			return was->nulls[n] ? STRICTER : LOOSER;
		case FLUSH:
			return DatumGetBool(is->values[n]) ? STRICTER : LOOSER;
		case STANDBYS:
			return DatumGetInt32(is->values[n]) >
				DatumGetInt32(was->values[n]) ? STRICTER : LOOSER;
		default:				/* leases and ladders are neither */
			return STRICTER;
	}
}

/* ----------
 * Reading and writing the row; connected to SPI
 * ----------
 */

/* Run a statement that changes one row, as the owner of the table. */
static void
write_row(Relation rel, const char *sql, int n, Oid *types, Datum *values,
		  const bool *nulls)
{
	char	   *marks = palloc(n);
	IdemIdentity saved;
	int			i;

	for (i = 0; i < n; i++)
		marks[i] = nulls[i] ? 'n' : ' ';
	idem_become_declarer(rel, &saved);
	if (idem_execute_latest(sql, n, types, values, marks, 0) < 0 ||
		SPI_processed != 1)
		elog(ERROR, "could not write idem.scope");
	idem_restore_identity(&saved);
}

/* Write the settings, and one value more as $13: its name or its id. */
static void
write_settings(Relation rel, const char *sql, const Declaration *decl,
			   Oid type, Datum value)
{
	Oid			types[SETTINGS + 1];
	Datum		values[SETTINGS + 1];
	bool		nulls[SETTINGS + 1];
	int			i;

	for (i = 0; i < SETTINGS; i++)
		types[i] = settings[i].type;
	memcpy(values, decl->values, sizeof(decl->values));
	memcpy(nulls, decl->nulls, sizeof(decl->nulls));
	types[SETTINGS] = type;
	values[SETTINGS] = value;
	nulls[SETTINGS] = false;
	write_row(rel, sql, SETTINGS + 1, types, values, nulls);
}

/* The settings of a scope that is there, in the context of SPI. */
static void
read_settings(Relation rel, int32 scope, Declaration *decl)
{
	static const char *const sql =
	"SELECT " SETTING_NAMES " FROM idem.scope WHERE id = $1";
	Oid			type = INT4OID;
	Datum		id = Int32GetDatum(scope);
	IdemIdentity saved;
	int			i;

	idem_become_declarer(rel, &saved);
	if (idem_execute_latest(sql, 1, &type, &id, NULL, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not read idem.scope");
	idem_restore_identity(&saved);
	for (i = 0; i < SETTINGS; i++)
		decl->values[i] = SPI_getbinval(SPI_tuptable->vals[0],
										SPI_tuptable->tupdesc, i + 1,
										&decl->nulls[i]);
}

/* What idem.change_log keeps of a declaration. */
static List *
logged_settings(const Declaration *decl)
{
	List	   *list = NIL;
	int			i;

	for (i = 0; i < SETTINGS; i++)
	{
		if (!decl->nulls[i] && (settings[i].only == NULL ||
								setting_is(decl, EFFECT, settings[i].only)))
			list = lappend(list, psprintf("%s=%s", settings[i].name,
										  setting_text(decl, i)));
	}
	return list;
}

/* ----------
 * The functions
 * ----------
 */

/*
 * create_scope(name, effect, fields, completion, lease, quiet, ladder, keep,
 * key_time, charset, parts, flush, standbys) -> void
 */
PG_FUNCTION_INFO_V1(idem_create_scope);
Datum
idem_create_scope(PG_FUNCTION_ARGS)
{
	static const char *const sql =
	"INSERT INTO idem.scope (" SETTING_NAMES ", name, id, created_by)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, %d, %s)";
	char	   *name = idem_required_text(fcinfo, 0, "name");
	Declaration decl;
	Relation	rel;
	int			i;

	PreventCommandIfReadOnly("idem.create_scope()");
	for (i = 0; i < SETTINGS; i++)
	{
		decl.values[i] = PG_GETARG_DATUM(1 + i);
		decl.nulls[i] = PG_ARGISNULL(1 + i);
	}
	check_declaration(&decl);
	/* one declaration at a time, so that the second one of a name finds it */
	rel = table_open(idem_key_scope_relid(), ShareRowExclusiveLock);
	check_name(name);
	SPI_connect();
	write_settings(rel, psprintf(sql, new_scope_id(name),
								 quote_literal_cstr(GetUserNameFromId(GetUserId(), false))),
				   &decl, TEXTOID, CStringGetTextDatum(name));
	idem_log_change("declared", "scope", InvalidOid, name,
					logged_settings(&decl), NULL);
	SPI_finish();
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/*
 * Put what the call alters into decl.  Returns the changes, as the log has
 * them; 42P17 if one makes the scope looser and there is no reason for it.
 */
static List *
merge_changes(FunctionCallInfo fcinfo, const char *name, const char *force,
			  Declaration *decl)
{
	Declaration was = *decl;
	List	   *changes = NIL;
	List	   *looser = NIL;
	int			i;

	for (i = 0; i < SETTINGS; i++)
	{
		if (settings[i].arg == 0 || PG_ARGISNULL(settings[i].arg))
			continue;
		decl->values[i] = PG_GETARG_DATUM(settings[i].arg);
		decl->nulls[i] = false;
	}
	check_declaration(decl);
	for (i = 0; i < SETTINGS; i++)
	{
		Change		change = setting_change(&was, decl, i);

		if (change != SAME)
			changes = lappend(changes, psprintf("%s=%s", settings[i].name,
												setting_text(decl, i)));
		if (change == LOOSER)
			looser = lappend(looser, psprintf("%s %s, was %s",
											  settings[i].name,
											  setting_text(decl, i),
											  setting_text(&was, i)));
	}
	if (looser != NIL && force == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("scope \"%s\" would become looser: %s", name,
						(char *) linitial(looser)),
				 errhint("If that is meant, give force => 'reason'.")));
	return changes;
}

/*
 * alter_scope(name, fields, completion, lease, quiet, ladder, keep, charset,
 * parts, flush, standbys, force) -> void
 */
PG_FUNCTION_INFO_V1(idem_alter_scope);
Datum
idem_alter_scope(PG_FUNCTION_ARGS)
{
	static const char *const sql =
	"UPDATE idem.scope SET (" SETTING_NAMES ")"
	" = ROW ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
	" WHERE id = $13";
	char	   *name = idem_required_text(fcinfo, 0, "name");
	char	   *force = idem_reason(fcinfo, ALTER_ARG_FORCE, "force");
	Relation	rel;
	int32		id;
	Declaration decl;
	List	   *changes;

	PreventCommandIfReadOnly("idem.alter_scope()");
	rel = table_open(idem_key_scope_relid(), ShareRowExclusiveLock);
	id = idem_key_scope_get(cstring_to_text(name))->id;
	SPI_connect();
	read_settings(rel, id, &decl);
	changes = merge_changes(fcinfo, name, force, &decl);
	if (changes != NIL)
	{
		write_settings(rel, sql, &decl, INT4OID, Int32GetDatum(id));
		idem_log_change("altered", "scope", InvalidOid, name, changes, force);
	}
	SPI_finish();
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

/* ----------
 * Dropping
 * ----------
 */

/* Does a transaction that has not ended, ours too, hold the key of a row? */
static bool
is_open_claim(Relation table, HeapTuple tuple, TransactionId rival)
{
	bool		isnull;

	if (TransactionIdIsValid(rival))
		return true;
	if (!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data)))
		return false;
	return idem_key_taken_here(DatumGetUUIDP(heap_getattr(tuple, Anum_anchor_digest,
														  RelationGetDescr(table),
														  &isnull)));
}

/* 55I02 if a transaction that has not ended, ours too, claimed a key. */
static void
refuse_open_claim(Relation table, const char *name, int32 scope)
{
	SnapshotData dirty;
	TableScanDesc scan;
	HeapTuple	tuple;

	InitDirtySnapshot(dirty);
	scan = table_beginscan(table, &dirty, 0, NULL, SO_NONE);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		bool		isnull;

		if (!is_open_claim(table, tuple, dirty.xmin))
			continue;
		if (DatumGetInt32(heap_getattr(tuple, Anum_anchor_scope,
									   RelationGetDescr(table),
									   &isnull)) == scope)
			ereport(ERROR,
					(errcode(ERRCODE_IDEM_CLAIM_NOT_OPEN),
					 errmsg("scope \"%s\" has a claim that is not final", name),
					 errdetail("A transaction that has not ended holds key \"%s\".",
							   TextDatumGetCString(heap_getattr(tuple, Anum_anchor_key,
																RelationGetDescr(table), &isnull)))));
	}
	table_endscan(scan);
}

/* One number, by a query with the id of the scope as $1; as the owner. */
static int64
count_keys(Relation rel, const char *sql, int32 scope)
{
	Oid			type = INT4OID;
	Datum		id = Int32GetDatum(scope);
	IdemIdentity saved;
	bool		isnull;

	idem_become_declarer(rel, &saved);
	if (idem_execute_latest(sql, 1, &type, &id, NULL, 0) < 0)
		elog(ERROR, "could not read keys of a scope");
	idem_restore_identity(&saved);
	if (SPI_tuptable == NULL)
		return SPI_processed;
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
}

/* 55I02 if something of the scope has no known end. */
static void
refuse_unfinished(Relation table, const char *name, int32 scope)
{
	int64		unfinished = count_keys(table,
										"SELECT count(*) FROM idem.reservation WHERE scope = $1"
										" AND (state NOT IN ('s', 'f', 'a', 'n') OR due_at IS NOT NULL)",
										scope);

	if (unfinished > 0)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_CLAIM_NOT_OPEN),
				 errmsg("scope \"%s\" has claims that are not final", name),
				 errdetail("They are " INT64_FORMAT ", see idem.open_claims.",
						   unfinished)));
}

/* Open a table of keys; 55I02 for an open claim of the scope. */
static Relation
lock_keys(Oid relid, const char *name, int32 scope)
{
	Relation	table = table_open(relid, AccessShareLock);

	/* an own claim is refused, an open one of a rival not waited for */
	refuse_open_claim(table, name, scope);
	LockRelationOid(relid, ShareRowExclusiveLock);
	/* nor one that came while we waited for those of other scopes */
	refuse_open_claim(table, name, scope);
	return table;
}

static int64
delete_keys(Relation anchor, Relation reservation, const char *name,
			int32 scope, const char *force)
{
	int64		keys;

	keys = count_keys(anchor, "DELETE FROM idem.anchor WHERE scope = $1",
					  scope);
	keys += count_keys(reservation,
					   "DELETE FROM idem.reservation WHERE scope = $1", scope);
	(void) count_keys(reservation,
					  "DELETE FROM idem.attempt WHERE scope = $1", scope);
	if (keys > 0 && force == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("scope \"%s\" has " INT64_FORMAT " keys that would be forgotten",
						name, keys),
				 errdetail("A request that comes again in another scope, also one of the same name, runs again."),
				 errhint("If that is meant, give force => 'reason'.")));
	return keys;
}

/*
 * drop_scope(name, force) -> void
 */
PG_FUNCTION_INFO_V1(idem_drop_scope);
Datum
idem_drop_scope(PG_FUNCTION_ARGS)
{
	char	   *name = idem_required_text(fcinfo, 0, "name");
	char	   *force = idem_reason(fcinfo, 1, "force");
	Relation	rel;
	Relation	anchor;
	Relation	reservation;
	int32		id;
	Declaration decl;
	List	   *log;
	int64		keys;

	PreventCommandIfReadOnly("idem.drop_scope()");
	rel = table_open(idem_key_scope_relid(), ShareRowExclusiveLock);
	id = idem_key_scope_get(cstring_to_text(name))->id;
	anchor = lock_keys(idem_key_anchor_relid(), name, id);
	reservation = lock_keys(idem_key_reservation_relid(), name, id);
	SPI_connect();
	refuse_unfinished(reservation, name, id);
	read_settings(rel, id, &decl);
	log = logged_settings(&decl);
	keys = delete_keys(anchor, reservation, name, id, force);
	(void) count_keys(rel, "DELETE FROM idem.scope WHERE id = $1", id);
	idem_log_change("dropped", "scope", InvalidOid, name,
					lappend(log, psprintf("keys=" INT64_FORMAT, keys)), force);
	SPI_finish();
	table_close(reservation, NoLock);
	table_close(anchor, NoLock);
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}
