/*
 * key_scope.c
 *		What a session remembers of declared scopes.
 *
 * Scopes live in idem.scope.  A session reads one at its first use and keeps
 * it; the callback of a relcache invalidation (the table's statement trigger
 * sends it) only marks, the next look-up starts afresh.  A scope is looked up
 * with the newest snapshot, never the transaction's: one that was declared
 * after an old REPEATABLE READ snapshot is as good as any.
 *
 * That a name is unknown is not remembered.
 *
 * A call opens its scope and the table of its keys together, here: the scope
 * that is returned is the one whose table is open.  What keeps it so is the
 * lock on the table.  A scope is dropped under SHARE ROW EXCLUSIVE on both
 * tables of keys, and its effect is never altered; so once ROW EXCLUSIVE on
 * one of them is ours, and news has been read since, a scope that belongs to
 * that table stays until our transaction ends.  Under ACCESS SHARE it may be
 * dropped meanwhile, and the answer is one of the time when it was opened.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/citus.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/latest.h"
#include "key/key.h"

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
#define Anum_scope_created_at	14
#define Anum_scope_flush		16
#define Anum_scope_standbys		17

/*
 * OIDs of the room's tables and of the types of answers; InvalidOid: to be
 * looked up.
 */
static Oid	anchor_relid = InvalidOid;
static Oid	reservation_relid = InvalidOid;
static Oid	scope_relid = InvalidOid;
static Oid	scope_index = InvalidOid;	/* checked before each use */
static Oid	citus_nodes = InvalidOid;	/* InvalidOid: no Citus */
static Oid	claim_result_type = InvalidOid;
static Oid	send_result_type = InvalidOid;

static HTAB *scopes = NULL;
static MemoryContext scopes_context = NULL;
static bool scopes_valid = false;
static const IdemScope *latest = NULL;	/* the one asked for last */

static void
scope_invalidate(Datum arg, Oid relid)
{
	if (OidIsValid(relid) && relid != scope_relid && relid != anchor_relid &&
		relid != reservation_relid && relid != citus_nodes)
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
	reservation_relid = idem_extension_relation("reservation");
	citus_nodes = idem_citus_nodes_relid();
	claim_result_type = get_rel_type_id(idem_extension_relation("claim_result"));
	send_result_type = get_rel_type_id(idem_extension_relation("send_result"));
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
idem_claim_result_type(void)
{
	find_relations();
	return claim_result_type;
}

/* idem.send_result */
Oid
idem_send_result_type(void)
{
	find_relations();
	return send_result_type;
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
	latest = NULL;
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
	scope.created_at = DatumGetTimestampTz(heap_getattr(tuple, Anum_scope_created_at,
														RelationGetDescr(rel),
														&isnull));
	scope.outside = column_is(tuple, Anum_scope_effect, rel, "outside");
	scope.required = column_is(tuple, Anum_scope_completion, rel, "required");
	scope.any_charset = column_is(tuple, Anum_scope_charset, rel, "any");
	scope.spread = idem_citus_has_nodes();
	scope.flush = DatumGetBool(heap_getattr(tuple, Anum_scope_flush,
											RelationGetDescr(rel), &isnull));
	scope.standbys = DatumGetInt32(heap_getattr(tuple, Anum_scope_standbys,
												RelationGetDescr(rel), &isnull));
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

/* Is it the unique index on the name, or its copy during REINDEX? */
static bool
is_name_index(Oid relid)
{
	Relation	index = index_open(relid, AccessShareLock);
	bool		is = index->rd_rel->relam == BTREE_AM_OID &&
		index->rd_index->indisunique && index->rd_index->indisvalid &&
		index->rd_index->indnatts == 1 &&
		index->rd_index->indkey.values[0] == Anum_scope_name &&
		heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL);

	index_close(index, AccessShareLock);
	return is;
}

/*
 * The index on the name, or InvalidOid: then the table is read without.  Its
 * OID may change under REINDEX CONCURRENTLY, but not while the table is open.
 */
static Oid
find_name_index(Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	if (list_member_oid(indexes, scope_index))
		return scope_index;
	scope_index = InvalidOid;
	foreach(lc, indexes)
	{
		if (is_name_index(lfirst_oid(lc)))
			scope_index = lfirst_oid(lc);
	}
	list_free(indexes);
	return scope_index;
}

/* Begin to read the row of a scope, with the latest snapshot. */
static SysScanDesc
begin_scope_scan(Relation rel, text *name)
{
	Oid			index = find_name_index(rel);
	ScanKeyData key;

	ScanKeyInit(&key, Anum_scope_name, BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(name));
	return systable_beginscan(rel, index, OidIsValid(index), NULL, 1, &key);
}

/* Read a scope from the table, or NULL. */
static IdemScope *
load_scope(text *name)
{
	Relation	rel = table_open(scope_relid, AccessShareLock);
	SysScanDesc scan = begin_scope_scan(rel, name);
	HeapTuple	tuple = systable_getnext(scan);
	IdemScope  *scope = NULL;

	/* opening the table may have brought news */
	if (!scopes_valid)
		reset_scopes();
	if (HeapTupleIsValid(tuple))
		scope = read_scope(rel, tuple, text_to_cstring(name));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return scope;
}

/* The name of the scope with this id, or NULL; the table is locked. */
char *
idem_scope_named(int32 id)
{
	Relation	rel = table_open(idem_scope_relid(), AccessShareLock);
	char	   *name = NULL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&key, Anum_scope_id, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(id));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		name = TextDatumGetCString(heap_getattr(tuple, Anum_scope_name,
												RelationGetDescr(rel),
												&isnull));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return name;
}

/* Is there a scope of this name? */
bool
idem_scope_exists(const char *name)
{
	find_relations();
	return load_scope(cstring_to_text(name)) != NULL;
}

static void
refuse_unknown(const char *name, int len)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("scope \"%.*s\" does not exist",
					pg_mbcliplen(name, len, NAMEDATALEN), name),
			 errhint("Declare it with idem.create_scope.")));
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
	if (latest != NULL && strncmp(latest->name, VARDATA_ANY(name), len) == 0 &&
		latest->name[len] == '\0')
		return latest;
	if (len <= IDEM_SCOPE_NAME_BYTES_MAX)
	{
		memcpy(buf, VARDATA_ANY(name), len);
		buf[len] = '\0';
		scope = hash_search(scopes, buf, HASH_FIND, NULL);
		if (scope == NULL)
			scope = load_scope(name);
	}
	if (scope == NULL)
		refuse_unknown(VARDATA_ANY(name), len);
	latest = scope;
	return scope;
}

static void
open_keys(IdemAnchor *keys, bool outside, LOCKMODE lockmode)
{
	if (outside)
		idem_reservation_open(keys, lockmode);
	else
		idem_anchor_open(keys, lockmode);
}

/*
 * The scope of this name, and the table of its keys, open and locked: errors
 * as idem_scope_get.  What was the table of a scope that was dropped, and made
 * anew for the other effect, while we waited is unlocked again, so that two
 * calls cannot wait for each other.
 */
const IdemScope *
idem_scope_open(text *name, LOCKMODE lockmode, IdemAnchor *keys)
{
	for (;;)
	{
		const IdemScope *scope = idem_scope_get(name);
		bool		outside = scope->outside;

		open_keys(keys, outside, lockmode);
		/* a lock that was held before has brought none */
		idem_accept_news();
		if (!scopes_valid)
			scope = idem_scope_get(name);
		if (likely(scope->outside == outside))
			return scope;
		idem_anchor_unlock(keys, lockmode);
	}
}

/*
 * 0A000 where a key taken here would be free on the other nodes: for calls
 * that take keys.
 */
void
idem_scope_check_here(const IdemScope *scope)
{
	if (unlikely(scope->spread))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("keys of scope \"%s\" cannot be claimed on a Citus cluster of several nodes",
						scope->name),
				 errdetail("Each node would grant the same key once."),
				 errhint("Use a unique key in a distributed table of your own: INSERT ... ON CONFLICT DO NOTHING RETURNING.")));
}

/*
 * 55000 unless the server waits for as many standbys as the scope asks for.
 * Before anything is written that leads to an effect outside: a manager of
 * standbys that empties synchronous_standby_names when one is lost makes it
 * stop, and not go on without.
 */
void
idem_scope_check_standbys(const IdemScope *scope)
{
	if (scope->standbys > idem_standbys())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("scope \"%s\" asks for %d synchronous standbys, and the server waits for %d",
						scope->name, scope->standbys, idem_standbys()),
				 errhint("Set synchronous_standby_names, for example to 'ANY %d (*)'.",
						 scope->standbys)));
}

/*
 * The horizon of the scope as it is committed now, or changed in this
 * transaction; before all times if it has never moved.  Not from what the
 * session remembers, and leaves that alone.  If commit is not NULL it gets the
 * commit that said so.  42704 if the scope is gone.
 */
TimestampTz
idem_scope_horizon(const IdemScope *scope, IdemCommit *commit)
{
	Relation	rel = table_open(scope_relid, AccessShareLock);
	SysScanDesc scan = begin_scope_scan(rel, cstring_to_text(scope->name));
	HeapTuple	tuple = systable_getnext(scan);
	TimestampTz horizon = DT_NOBEGIN;
	Datum		value;
	bool		isnull;

	if (!HeapTupleIsValid(tuple))
		refuse_unknown(scope->name, strlen(scope->name));
	value = heap_getattr(tuple, Anum_scope_horizon, RelationGetDescr(rel),
						 &isnull);
	if (!isnull)
		horizon = DatumGetTimestampTz(value);
	if (commit != NULL)
		idem_commit_of(scan->slot, commit);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return horizon;
}
