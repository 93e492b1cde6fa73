/*
 * claim_scope.c
 *		What a session remembers of declared scopes.
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
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/guard.h"
#include "base/idem_compat.h"
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
#define Anum_scope_keep			10
#define Anum_scope_key_time		11
#define Anum_scope_parts		12
#define Anum_scope_horizon		13

/*
 * OIDs of the room's tables and of the type of answers; InvalidOid: to be
 * looked up.
 */
static Oid	anchor_relid = InvalidOid;
static Oid	reservation_relid = InvalidOid;
static Oid	scope_relid = InvalidOid;
static Oid	scope_index = InvalidOid;
static Oid	result_type = InvalidOid;

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
	result_type = get_rel_type_id(idem_extension_relation("claim_result"));
	anchor_relid = idem_extension_relation("anchor");
}

Oid
idem_scope_relid(void)
{
	find_relations();
	return scope_relid;
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

/* idem.claim_result */
Oid
idem_result_type(void)
{
	find_relations();
	return result_type;
}

/*
 * Forget every scope, and make room for new ones.  What was remembered stays
 * readable until the end of the transaction, as settings of guards do: a call
 * under way, or one around it, may still use it.
 */
static void
reset_scopes(void)
{
	HASHCTL		ctl;

	if (scopes_context)
		MemoryContextSetParent(scopes_context, TopTransactionContext);
	scopes_context = NULL;
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

/* What the scope asks of a key. */
static void
read_key_form(IdemScope *scope, Relation rel, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	Datum		value;

	value = heap_getattr(tuple, Anum_scope_key_time, desc, &isnull);
	if (!isnull)
		scope->key_time = idem_key_time_named(TextDatumGetCString(value));
	value = heap_getattr(tuple, Anum_scope_parts, desc, &isnull);
	if (!isnull)
		scope->parts = DatumGetInt32(value);
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
	read_key_form(&scope, rel, tuple);
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

/* Is there a scope of this name? */
bool
idem_scope_exists(const char *name)
{
	find_relations();
	return load_scope(cstring_to_text(name)) != NULL;
}

/*
 * The scope of this name: 22004 for NULL, 42704 if it is not declared.  Stays
 * readable until the end of the transaction, whatever is altered meanwhile.
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

/*
 * The horizon of the scope as it is committed now, or changed in this
 * transaction; before all times if it has never moved.  Not from what the
 * session remembers, and leaves that alone.
 */
TimestampTz
idem_scope_horizon(const IdemScope *scope)
{
	Relation	rel = table_open(scope_relid, AccessShareLock);
	TimestampTz horizon = DT_NOBEGIN;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_scope_name, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(scope->name));
	scan = systable_beginscan(rel, scope_index, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, Anum_scope_horizon,
										 RelationGetDescr(rel), &isnull);

		if (!isnull)
			horizon = DatumGetTimestampTz(value);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return horizon;
}
