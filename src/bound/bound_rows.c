/*
 * bound_rows.c
 *		Rows whose key nobody has claimed.
 *
 * The guard judges a row when it is inserted.  Rows from before its
 * declaration, and what came in by other ways (a table that is attached, a
 * trigger that was taken off and put back), are held here against the keys of
 * the scope, as they are committed now.  Rows are read as the owner of their
 * table, keys as nobody.
 *
 * A key that lies before the horizon of its scope counts as claimed: whether
 * it was can no longer be known.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/identity.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/qualified.h"
#include "base/right.h"
#include "base/rows.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "bound/bound.h"
#include "bound/bound_rows.h"
#include "key/key_effect.h"

/* rows that are read at a time */
#define ROWS_AT_A_TIME	1000

/* What is known of the rows read so far */
typedef struct Tally
{
	BoundKey	key;
	const BoundStates *states;	/* NULL: of an effect inside */
	struct IdemEffects *effects;
	uint64		unclaimed;
	char	   *example;		/* the smallest key, or NULL */
} Tally;

/* Does the claim of a key allow the row, whose state is the next column? */
static bool
is_allowed(Tally *tally, text *key, HeapTuple row, TupleDesc desc)
{
	const char *claim;

	if (tally->states == NULL)
		return idem_key_effects_know(tally->effects, key);
	claim = idem_key_effects_state(tally->effects, key);
	return claim == NULL ||
		idem_bound_agree(tally->states,
						 SPI_getvalue(row, desc, tally->key.ncolumns + 1),
						 claim);
}

/* Hold one row against the claims (IdemBoundRow). */
static void
judge_row(void *arg, HeapTuple row, TupleDesc desc, MemoryContext result)
{
	Tally	   *tally = arg;
	Datum	   *values = palloc(sizeof(Datum) * tally->key.ncolumns);
	bool		isnull = false;
	text	   *key;
	char	   *shown;
	int			i;

	for (i = 0; i < tally->key.ncolumns && !isnull; i++)
		values[i] = SPI_getbinval(row, desc, i + 1, &isnull);
	key = isnull ? NULL : idem_bound_key_make(&tally->key, values);
	if (key != NULL && is_allowed(tally, key, row, desc))
		return;
	tally->unclaimed++;
	shown = key ? text_to_cstring(key) : pstrdup("null");
	if (tally->example == NULL || strcmp(shown, tally->example) < 0)
		tally->example = MemoryContextStrdup(result, shown);
}

/* Judge all rows that a query answers. */
static void
judge_rows(const char *sql, IdemBoundRow judge, void *arg)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext,
											   "idem rows",
											   ALLOCSET_DEFAULT_SIZES);
	SPIPlanPtr	plan = SPI_prepare(sql, 0, NULL);
	Portal		portal;
	uint64		i;

	if (plan == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	PushActiveSnapshot(GetLatestSnapshot());
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, ROWS_AT_A_TIME);
		if (SPI_processed == 0)
			break;
		MemoryContextSwitchTo(each);
		for (i = 0; i < SPI_processed; i++)
			judge(arg, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, result);
		MemoryContextSwitchTo(result);
		MemoryContextReset(each);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	PopActiveSnapshot();
	SPI_freeplan(plan);
	MemoryContextDelete(each);
}

/*
 * Judge all rows of a table as its owner, row security or not: SELECT message,
 * status FROM debit.  What has to last is kept in the context that judge is
 * given.  Connected to SPI.
 */
void
idem_bound_each_row(Relation rel, List *columns, IdemBoundRow judge, void *arg)
{
	char	   *sql = psprintf("SELECT %s FROM %s",
							   idem_bound_columns_sql(columns),
							   idem_qualified_name(rel));
	IdemIdentity saved;

	idem_become_declarer(rel, &saved);
	idem_see_every_row();
	judge_rows(sql, judge, arg);
	idem_restore_identity(&saved);
}

/* message, "serial no" */
char *
idem_bound_columns_sql(List *columns)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, columns)
		appendStringInfo(&sql, "%s%s", sql.len > 0 ? ", " : "",
						 quote_identifier(lfirst(lc)));
	return sql.data;
}

/*
 * Rows of keys of which the table has more than one, of those keys that a part
 * of it has: "2 rows of a key that has more than one row, for example msg-1",
 * or NULL.  Connected to SPI.
 */
char *
idem_bound_repeated(Relation rel, List *key, Oid part)
{
	char	   *columns = idem_bound_columns_sql(key);
	char	   *among = part == RelationGetRelid(rel) ? "" :
		psprintf(" WHERE (%s) IN (SELECT %s FROM %s)", columns, columns,
				 idem_qualified_name_of(part));

	return idem_count_offenders(rel,
								psprintf("SELECT coalesce(sum(n), 0), min(k COLLATE \"C\")"
										 " FROM (SELECT count(*) AS n, concat_ws(', ', %s) AS k"
										 " FROM %s%s GROUP BY %s HAVING count(*) > 1) r",
										 columns, idem_qualified_name(rel),
										 among, columns),
								(Datum) 0,
								"of a key that has more than one row");
}

/* The same for a guard by which a claim pays for one row. */
static char *
find_repeated(const IdemGuard *guard, Oid part)
{
	const char *rows = idem_setting(guard->settings, "rows");
	Relation	rel;
	char	   *finding;

	if (rows == NULL || strcmp(rows, "one") != 0)
		return NULL;
	rel = relation_open(guard->relid, AccessShareLock);
	finding = idem_bound_repeated(rel,
								  idem_setting_list(guard->settings, "key"),
								  part);
	relation_close(rel, AccessShareLock);
	return finding;
}

/*
 * Rows of a table, and of its partitions, without a claim: "3 rows without a
 * claim in scope ..., for example of key ...", or NULL.
 */
static char *
find_unclaimed(const IdemGuard *guard, Oid rows)
{
	Relation	rel = relation_open(rows, AccessShareLock);
	List	   *columns = idem_setting_list(guard->settings, "key");
	const char *scope = idem_setting(guard->settings, "scope");
	const char *state = idem_setting(guard->settings, "state");
	bool		may_read = idem_may_read(rel);
	Tally		tally = {0};
	BoundStates states;
	char	   *finding;

	idem_bound_key_compile(rel, columns, &tally.key);
	if (state != NULL)
	{
		List	   *words;
		List	   *claimed;

		idem_setting_map(guard->settings, "claimed", &words, &claimed);
		idem_bound_states_compile(rel, state, words, claimed, &states);
		tally.states = &states;
		columns = lappend(columns, unconstify(char *, state));
	}
	tally.effects = idem_key_effects_open(scope);
	idem_bound_each_row(rel, columns, judge_row, &tally);
	idem_key_effects_close(tally.effects);
	relation_close(rel, AccessShareLock);
	if (tally.unclaimed == 0)
		return NULL;
	finding = psprintf(UINT64_FORMAT " %s %s in scope \"%s\"",
					   tally.unclaimed, tally.unclaimed == 1 ? "row" : "rows",
					   state ? "in a state that does not go with that of the claim" :
					   "without a claim", scope);
	return may_read ? psprintf("%s, for example of key \"%s\"", finding,
							   tally.example) : finding;
}

/* Have two columns one type and collation, so that they compare as they are? */
static bool
compare_plainly(Oid keys, const char *key, Oid rows, const char *column)
{
	Oid			type[2];
	int32		typmod;
	Oid			collation[2];

	get_atttypetypmodcoll(keys, get_attnum(keys, key), &type[0], &typmod,
						  &collation[0]);
	get_atttypetypmodcoll(rows, get_attnum(rows, column), &type[1], &typmod,
						  &collation[1]);
	return type[0] == type[1] && collation[0] == collation[1];
}

/*
 * k.tenant = e.tenant AND ...: the keys of a table of keys and of a table of
 * effects, both in the order of their declarations, compared as their texts;
 * where that is the same, as they are: so Citus knows that the rows of both
 * are on one node.
 */
static char *
same_key_sql(Oid relid, List *keys, Oid rows, List *columns)
{
	StringInfoData sql;
	ListCell   *k;
	ListCell   *c;

	initStringInfo(&sql);
	forboth(k, keys, c, columns)
	{
		bool		plainly = compare_plainly(relid, lfirst(k), rows,
											  lfirst(c));

		appendStringInfo(&sql, "%sk.%s%s OPERATOR(pg_catalog.=) e.%s%s",
						 sql.len > 0 ? " AND " : "",
						 quote_identifier(lfirst(k)),
						 plainly ? "" : "::pg_catalog.text COLLATE \"C\"",
						 quote_identifier(lfirst(c)),
						 plainly ? "" : "::pg_catalog.text");
	}
	return sql.data;
}

/* The columns of the key of a table of keys; NIL: it bears no such guard. */
static List *
columns_of_keys(Oid keys)
{
	Relation	rel = relation_open(keys, AccessShareLock);
	List	   *triggers = idem_guard_triggers(rel);
	List	   *columns = NIL;
	ListCell   *lc;

	relation_close(rel, NoLock);
	foreach(lc, triggers)
	{
		IdemGuard  *guard = ((IdemGuardTrigger *) lfirst(lc))->guard;

		if (strcmp(guard->kind->kind, "keys") == 0)
			columns = idem_setting_list(guard->settings, "key");
	}
	return columns;
}

/*
 * The same where the keys are those of a table, which the owner of this one
 * must be able to read: 42501.  SELECT count(*), min(...) FROM debit e WHERE
 * NOT EXISTS (SELECT FROM app.request_key k WHERE ...)
 */
static char *
find_without_key(const IdemGuard *guard, Oid rows, const char *keys)
{
	List	   *columns = idem_setting_list(guard->settings, "key");
	Oid			relid = idem_bound_keys_relid(keys);
	List	   *named;
	Relation	rel;
	char	   *finding;

	if (!OidIsValid(relid))
		return psprintf("rows whose keys cannot be known: table %s does not exist",
						keys);
	if (idem_bound_keys_foreign(relid, guard->relid))
		return psprintf("rows whose keys cannot be known: table %s belongs to somebody else",
						keys);
	named = columns_of_keys(relid);
	if (list_length(named) != list_length(columns))
		return psprintf("rows whose keys cannot be known: table %s has no guard of kind keys for them",
						keys);
	rel = relation_open(rows, AccessShareLock);
	finding = idem_count_offenders(rel,
								   psprintf("SELECT count(*), min(concat_ws(', ', %s) COLLATE \"C\") FROM %s e"
											" WHERE NOT EXISTS (SELECT FROM %s k WHERE %s)",
											idem_bound_columns_sql(columns),
											idem_qualified_name(rel),
											idem_qualified_name_of(relid),
											same_key_sql(relid, named, rows,
														 columns)),
								   (Datum) 0,
								   psprintf("without a key in table %s", keys));
	relation_close(rel, AccessShareLock);
	return finding;
}

/* What is wrong with rows of a part of the table, or NULL. */
static char *
check_part(const IdemGuard *guard, Oid rows)
{
	const char *keys = idem_setting(guard->settings, "keys");
	char	   *finding = keys != NULL ? find_without_key(guard, rows, keys) :
		find_unclaimed(guard, rows);

	return finding != NULL ? finding : find_repeated(guard, rows);
}

/* Is the table of keys there? */
static char *
check_source(const IdemGuard *guard, Snapshot snapshot)
{
	const char *keys = idem_setting(guard->settings, "keys");

	if (keys == NULL || OidIsValid(idem_bound_keys_relid(keys)))
		return NULL;
	return psprintf("table %s, which keeps its keys, does not exist", keys);
}

static char *
check_claimed(const IdemGuard *guard, Oid rows)
{
	return check_part(guard, guard->relid);
}

static const IdemSetting claimed_settings[] = {
	/* one of these two */
	{"scope", IDEM_WORD, IDEM_SETTING_IDENTITY, NULL},
	{"keys", IDEM_WORD, IDEM_SETTING_IDENTITY, NULL},
	{"key", IDEM_LIST, IDEM_SETTING_REQUIRED | IDEM_SETTING_COLUMN |
	IDEM_SETTING_NOT_NULL | IDEM_SETTING_ORDERED, NULL},
	{"rows", IDEM_CHOICE, 0, "one|many"},
	{"state", IDEM_WORD, IDEM_SETTING_COLUMN | IDEM_SETTING_NOT_NULL, NULL},
	{"claimed", IDEM_MAP, 0, NULL},
	{NULL, IDEM_WORD, 0, NULL}
};

static const int16 claimed_types[] = {
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
	TRIGGER_TYPE_DELETE, 0
};

static const IdemGuardKind claimed_kind = {
	.kind = "claimed",
	.function = "keep_claimed",
	.on_shards = true,
	.decides = true,
	.declares = "guard_claimed",
	.settings = claimed_settings,
	.types = claimed_types,
	.check_rows = check_claimed,
	.validates = true,
	.remedy = "find out what these rows are; if they are the effects of their keys, CALL idem.adopt_keys",
	.check_attached = check_part,
	.check_shape = check_source
};

/* Called once, when the library is loaded */
void
idem_bound_rows_init(void)
{
	idem_register_kind(&claimed_kind);
}
