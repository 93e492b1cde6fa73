/*
 * key_scope.c
 *		The declared scopes that a session remembers.
 *
 * Scopes live in idem.scope.  A session reads one at its first use and keeps
 * it; the callback of a relcache invalidation (the table's statement trigger
 * sends it) only marks, the next look-up starts afresh.  A scope is looked up
 * with the newest snapshot, never the transaction's: a scope that was declared
 * after an old REPEATABLE READ snapshot counts.
 *
 * An unknown name is not remembered.
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
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/argument.h"
#include "base/citus.h"
#include "base/durable.h"
#include "base/forget.h"
#include "key/key_inner.h"

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
#define Anum_scope_channels		18
#define Anum_scope_keep_answers	19
#define Anum_scope_repeat_within	20
#define Anum_scope_duplicate_fields	21
#define Anum_scope_duplicate_window	22
#define Anum_scope_on_duplicate		23
#define Anum_scope_confirm_by		24

/* InvalidOid: nothing is remembered. */
static Oid	scope_relid = InvalidOid;
static Oid	roles_relid = InvalidOid;
static Oid	scope_index = InvalidOid;	/* checked before each use */
static Oid	citus_nodes = InvalidOid;	/* InvalidOid: no Citus */

static HTAB *scopes = NULL;
static MemoryContext scopes_context = NULL;
static bool scopes_valid = false;
static const IdemScope *latest = NULL;	/* the one asked for last */

static void
forget_scopes(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == scope_relid || relid == roles_relid ||
		relid == citus_nodes)
		scopes_valid = false;
}

/* Forget every scope, and make room for new ones. */
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

/*
 * Forget the scopes if this session has heard of a change.  They stay readable
 * until the end of the transaction, as settings of guards do, because a call
 * under way, or one around it, may still use them.
 */
static void
renew_scopes(void)
{
	if (likely(scopes_valid))
		return;
	idem_forget_with(forget_scopes);
	scope_relid = idem_key_scope_relid();
	roles_relid = idem_key_runtime_role_relid();
	citus_nodes = idem_citus_nodes_relid();
	reset_scopes();
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
		  idem_key_member_cmp);
}

/*
 * What is asked of the keys and requests of a table of the user's, as of those
 * of a scope that does not exist: form gets no id and no settings of one.  In
 * current memory.
 */
void
idem_key_form_of_table(const char *table, bool any_charset, List *fields,
					   IdemScope *form)
{
	memset(form, 0, sizeof(IdemScope));
	strlcpy(form->name, table, NAMEDATALEN);
	form->is_table = true;
	form->any_charset = any_charset;
	read_fields(form, idem_list_array(fields));
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

	scope->lease = idem_key_duration("lease", DatumGetIntervalP(heap_getattr(tuple, Anum_scope_lease, desc, &isnull)),
									 false);
	scope->quiet = idem_key_duration("quiet", DatumGetIntervalP(heap_getattr(tuple, Anum_scope_quiet, desc, &isnull)),
									 true);
	scope->ladder =
		idem_key_ladder(DatumGetArrayTypePCopy(heap_getattr(tuple,
															Anum_scope_ladder,
															desc, &isnull)),
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

/* The channels, and what is kept of answers and for how long keys repeat. */
static void
read_answers(IdemScope *scope, Relation rel, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	Datum		value;
	Datum	   *items;
	int			i;

	value = heap_getattr(tuple, Anum_scope_channels, desc, &isnull);
	deconstruct_array(DatumGetArrayTypePCopy(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &items, NULL, &scope->nchannels);
	scope->channels = palloc(sizeof(char *) * Max(scope->nchannels, 1));
	for (i = 0; i < scope->nchannels; i++)
		scope->channels[i] = TextDatumGetCString(items[i]);
	scope->keeps_fields = column_is(tuple, Anum_scope_keep_answers, rel,
									"fields");
	value = heap_getattr(tuple, Anum_scope_repeat_within, desc, &isnull);
	if (!isnull)
		scope->repeat_within = idem_key_duration("repeat_within",
												 DatumGetIntervalP(value),
												 false);
}

/* Are two lists of members the same? */
static bool
same_members(const IdemScope *a, const IdemScope *b)
{
	int			i;

	if (a->all_members != b->all_members || a->nmembers != b->nmembers)
		return false;
	for (i = 0; i < a->nmembers; i++)
	{
		if (idem_key_member_cmp(&a->members[i], &b->members[i]) != 0)
			return false;
	}
	return true;
}

/* In what requests of other keys are compared, if they are. */
static void
read_duplicates(IdemScope *scope, Relation rel, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(rel);
	ArrayType  *fields;
	bool		isnull;

	fields = DatumGetArrayTypePCopy(heap_getattr(tuple,
												 Anum_scope_duplicate_fields,
												 desc, &isnull));
	if (ARR_NDIM(fields) == 0)
		return;
	scope->compared = palloc0(sizeof(IdemScope));
	strlcpy(scope->compared->name, scope->name, NAMEDATALEN);
	read_fields(scope->compared, fields);
	scope->compares_fields = same_members(scope, scope->compared);
	scope->duplicate_window =
		idem_key_duration("duplicate_window",
						  DatumGetIntervalP(heap_getattr(tuple,
														 Anum_scope_duplicate_window,
														 desc, &isnull)),
						  false);
	scope->holds = column_is(tuple, Anum_scope_on_duplicate, rel, "hold");
	scope->caller_confirms = column_is(tuple, Anum_scope_confirm_by, rel,
									   "caller");
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
	scope.created_at =
		DatumGetTimestampTz(heap_getattr(tuple, Anum_scope_created_at,
										 RelationGetDescr(rel),
										 &isnull));
	scope.outside = column_is(tuple, Anum_scope_effect, rel, "outside");
	scope.required = column_is(tuple, Anum_scope_completion, rel, "required");
	scope.any_charset = column_is(tuple, Anum_scope_charset, rel, "any");
	scope.spread = idem_citus_has_nodes();
	scope.flush = DatumGetBool(heap_getattr(tuple, Anum_scope_flush,
											RelationGetDescr(rel), &isnull));
	scope.standbys = DatumGetInt32(heap_getattr(tuple, Anum_scope_standbys,
												RelationGetDescr(rel),
												&isnull));
	fields = heap_getattr(tuple, Anum_scope_fields, RelationGetDescr(rel),
						  &isnull);
	read_fields(&scope, DatumGetArrayTypePCopy(fields));
	read_key_form(&scope, rel, tuple);
	read_durations(&scope, rel, tuple);
	idem_key_read_roles(&scope);
	read_answers(&scope, rel, tuple);
	read_duplicates(&scope, rel, tuple);
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
	renew_scopes();
	if (HeapTupleIsValid(tuple))
		scope = read_scope(rel, tuple, text_to_cstring(name));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return scope;
}

/* The name of the scope with this id, or NULL; the table is locked. */
char *
idem_key_scope_named(int32 id)
{
	Relation	rel = table_open(idem_key_scope_relid(), AccessShareLock);
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
idem_key_scope_exists(const char *name)
{
	renew_scopes();
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
idem_key_scope_get(text *name)
{
	char		buf[NAMEDATALEN];
	int			len = name ? (int) VARSIZE_ANY_EXHDR(name) : 0;
	IdemScope  *scope = NULL;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("scope is null")));
	renew_scopes();
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

/* How many standbys the scope asks for now, if it is there. */
int
idem_key_standbys(const IdemScope *scope)
{
	return idem_key_scope_get(cstring_to_text(scope->name))->standbys;
}

/*
 * 0A000 where a key taken here would be free on the other nodes: for calls
 * that take keys.
 */
void
idem_key_check_here(const IdemScope *scope)
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
 * The horizon of the scope as it is committed now, or changed in this
 * transaction; before all times if it has never moved.  Not from what the
 * session remembers, and leaves that alone.  If commit is not NULL it gets the
 * commit that said so.  42704 if the scope is gone.
 */
TimestampTz
idem_key_scope_horizon(const IdemScope *scope, IdemCommit *commit)
{
	Relation	rel = table_open(idem_key_scope_relid(), AccessShareLock);
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
