/*
 * doctor_rows.c
 *		Do the rows still follow their rule?
 *
 * A guard judges what is written while it stands.  Rows that came in while it
 * was off, or before, are found only by looking at all of them: running
 * totals that differ from the sums of their children, and rows in states that
 * their machine does not declare.
 *
 * Each table is read once, restricted, under the snapshot of the calling
 * query, so that child and parent fit together while others write.  No lock
 * but ACCESS SHARE.  A states guard is asked as the owner of its table, a limit
 * as the owner of the parent; for him no code of the child's owner may run, so
 * a state is read by the output function of its type, for which a cast of
 * somebody's making cannot stand in, and amounts have one of the types that a
 * limit is kept in.
 *
 * What cannot be asked, because a setting, a right or a foreign key is gone,
 * is a finding of its own and hides no other; a query that was cancelled, a
 * deadlock or a lack of memory ends the doctor.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "limit/limit.h"
#include "machine/machine.h"

/* A guard whose rows are looked at. */
typedef struct RowGuard
{
	Oid			relid;
	bool		is_limit;
	char	   *name;			/* of its trigger */
	ArrayType  *settings;		/* each name=value */
} RowGuard;

/* The value of a setting: 39P01 if the trigger, made by hand, lacks it. */
static char *
setting(const RowGuard *guard, const char *name, bool required)
{
	size_t		len = strlen(name);
	Datum	   *items;
	int			n;
	int			i;

	deconstruct_array(guard->settings, TEXTOID, -1, false, TYPALIGN_INT,
					  &items, NULL, &n);
	for (i = 0; i < n; i++)
	{
		char	   *item = TextDatumGetCString(items[i]);

		if (strncmp(item, name, len) == 0 && item[len] == '=')
			return item + len + 1;
	}
	if (required)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" lacks its argument \"%s\"",
						guard->name, name)));
	return NULL;
}

/* A setting that is a list of column names. */
static List *
list_setting(const RowGuard *guard, const char *name)
{
	Datum		array = OidInputFunctionCall(F_ARRAY_IN,
											 setting(guard, name, true),
											 TEXTOID, -1);

	return idem_array_list(name, DatumGetArrayTypeP(array));
}

/*
 * Run a query that counts offenders and shows one: NULL if there are none,
 * else "3 rows <what>", with the example for someone who may read the table.
 */
static char *
count_offenders(Relation shown, const char *sql, Datum states,
				const char *what)
{
	Oid			types[1] = {TEXTARRAYOID};
	int			nargs = states == (Datum) 0 ? 0 : 1;
	bool		may_read = idem_may_read(shown);
	IdemIdentity saved;
	char	   *rows;
	char	   *example;
	char	   *finding;

	idem_become_declarer(shown, &saved);
	/* fail rather than overlook rows that row security would hide */
	(void) set_config_option("row_security", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (SPI_execute_with_args(sql, nargs, types, &states, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the rows of table \"%s\"",
			 RelationGetRelationName(shown));
	idem_restore_identity(&saved);

	rows = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	example = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	if (strcmp(rows, "0") == 0)
		return NULL;
	finding = psprintf("%s %s %s", rows, strcmp(rows, "1") == 0 ? "row" : "rows",
					   what);
	if (may_read && example != NULL)
		finding = psprintf("%s, for example %s", finding, example);
	return finding;
}

/* ---------- states ---------- */

static Datum
declared_states(const char *machine)
{
	IdemMachine *loaded = idem_machine_load(machine, 0);

	return PointerGetDatum(idem_machine_state_names(&loaded->diagram));
}

/*
 * SELECT count(*), min(format('%L', t.status)) FROM schema.table t
 *	WHERE t.status IS NULL OR format('%s', t.status) COLLATE "C" <> ALL ($1)
 */
static char *
check_states(const RowGuard *guard)
{
	Relation	rel = relation_open(guard->relid, AccessShareLock);
	const char *column = quote_identifier(setting(guard, "column", true));
	const char *machine = setting(guard, "machine", true);
	char	   *sql;
	char	   *finding;

	sql = psprintf("SELECT count(*), min(format('%%L', t.%s) COLLATE \"C\")"
				   " FROM %s t WHERE t.%s IS NULL"
				   " OR format('%%s', t.%s) COLLATE \"C\" <> ALL ($1)",
				   column, idem_qualified_name(rel), column, column);
	finding = count_offenders(rel, sql, declared_states(machine),
							  psprintf("in a state that state machine \"%s\" does not declare",
									   machine));
	relation_close(rel, AccessShareLock);
	return finding;
}

/* ---------- limits ---------- */

static const char *
column_of(const char *table, Oid relid, AttrNumber column)
{
	return psprintf("%s.%s", table,
					quote_identifier(get_attname(relid, column, false)));
}

/* SELECT c.fk AS k1, ..., sum(c.amount) AS total FROM child c ... GROUP BY */
static char *
sums_sql(const RowGuard *guard, const IdemLimitKey *key)
{
	const char *state = setting(guard, "state", false);
	const char *released = setting(guard, "released", false);
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (i = 0; i < key->n; i++)
		appendStringInfo(&sql, "%s AS k%d, ",
						 column_of("c", key->child, key->child_column[i]),
						 i + 1);
	appendStringInfo(&sql, "sum(c.%s) AS total FROM %s c",
					 quote_identifier(setting(guard, "amount", true)),
					 idem_qualified_name_of(key->child));
	if (state != NULL && released != NULL)
		appendStringInfo(&sql, " WHERE c.%s IS NULL OR format('%%s', c.%s) COLLATE \"C\" <> ALL (%s::text[])",
						 quote_identifier(state), quote_identifier(state),
						 quote_literal_cstr(released));
	for (i = 0; i < key->n; i++)
		appendStringInfo(&sql, "%s%d", i > 0 ? ", " : " GROUP BY ", i + 1);
	return sql.data;
}

/* p.key = t.k1 AND ..., by the operators of the foreign key */
static char *
join_sql(const IdemLimitKey *key)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < key->n; i++)
	{
		if (i > 0)
			appendStringInfoString(&sql, " AND ");
		generate_operator_clause(&sql,
								 column_of("p", key->parent, key->parent_column[i]),
								 get_atttype(key->parent, key->parent_column[i]),
								 key->equal_child[i],
								 psprintf("t.k%d", i + 1),
								 get_atttype(key->child, key->child_column[i]));
	}
	return sql.data;
}

/* p.a, p.b */
static char *
parent_key_sql(const IdemLimitKey *key)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < key->n; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "",
						 column_of("p", key->parent, key->parent_column[i]));
	return sql.data;
}

/*
 * The type of a column that holds amounts, which decides what code "sum" and
 * "=" run: 42804 if it is none that a limit is kept in.
 */
static Oid
amount_type(Oid relid, const char *column)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	Oid			type = idem_column_base_type(rel,
											 idem_column_number(rel, column),
											 NULL);

	if (!idem_amount_type_supported(type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" has type %s, in which no limit is kept",
						column, RelationGetRelationName(rel),
						format_type_be(type))));
	relation_close(rel, NoLock);
	return type;
}

/*
 * SELECT count(*), min(format('%s: %s where its children add up to %s',
 *							   p.key, p.used, total))
 *	FROM (SELECT ROW(p.key...), p.used, COALESCE(t.total, 0) ...
 *		  FROM parent p LEFT JOIN (sums) t ON p.key = t.k1 ...)
 *	WHERE used IS DISTINCT FROM total
 */
static char *
check_totals(const RowGuard *guard)
{
	IdemLimitKey key;
	Relation	parent;
	char	   *used = setting(guard, "used", true);
	char	   *type;
	char	   *sql;
	char	   *finding;

	idem_limit_find_key(guard->relid, list_setting(guard, "fk"),
						ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, &key);
	(void) amount_type(guard->relid, setting(guard, "amount", true));
	type = format_type_be_qualified(amount_type(key.parent, used));
	parent = relation_open(key.parent, AccessShareLock);
	sql = psprintf("SELECT count(*), min(format('%%s: %%s where its children add up to %%s', x.key, x.used, x.total) COLLATE \"C\")"
				   " FROM (SELECT concat_ws(', ', %s) AS key, p.%s AS used, COALESCE(t.total::%s, '0'::%s) AS total"
				   " FROM %s p LEFT JOIN (%s) t ON %s) x"
				   " WHERE x.used IS DISTINCT FROM x.total",
				   parent_key_sql(&key), quote_identifier(used), type, type,
				   idem_qualified_name(parent), sums_sql(guard, &key),
				   join_sql(&key));
	finding = count_offenders(parent, sql, (Datum) 0,
							  psprintf("of table \"%s\" whose running total \"%s\" is not the sum of the children",
									   RelationGetRelationName(parent), used));
	relation_close(parent, AccessShareLock);
	return finding;
}

/* ---------- all of them ---------- */

/* Does the error say something about this guard, and nothing more? */
static bool
is_finding(int sqlstate)
{
	int			class = ERRCODE_TO_CATEGORY(sqlstate);

	return class == ERRCODE_DATA_EXCEPTION ||
		class == ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED);
}

/*
 * What is wrong with the rows of one guard, in memory of the caller; NULL:
 * nothing.  In a subtransaction, so that an error leaves the others to be
 * looked at.
 */
static char *
check_guard(const RowGuard *guard)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	char	   *finding = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		finding = guard->is_limit ? check_totals(guard) : check_states(guard);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (!is_finding(error->sqlerrcode))
			ReThrowError(error);
		finding = psprintf("rows could not be looked at: %s", error->message);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return finding;
}

static void
put_finding(ReturnSetInfo *rsinfo, const RowGuard *guard, const char *finding)
{
	const char *kind = guard->is_limit ? "limit" : "states";
	const char *table = idem_qualified_name_of(guard->relid);
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = CStringGetTextDatum("error");
	values[1] = CStringGetTextDatum(psprintf("%s guard %s on %s", kind,
											 quote_identifier(guard->name),
											 table));
	values[2] = CStringGetTextDatum(finding);
	values[3] = CStringGetTextDatum(guard->is_limit ?
									"find out who wrote past the guard; then take it off with idem.drop_guard and declare it anew, which fills the total" :
									"find out who wrote past the guard; then declare the state, or bring the rows into a declared one while the guard is off");
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static RowGuard *
read_guard(SPITupleTable *table, uint64 i)
{
	RowGuard   *guard = palloc(sizeof(RowGuard));
	HeapTuple	row = table->vals[i];
	bool		isnull;

	guard->relid = DatumGetObjectId(SPI_getbinval(row, table->tupdesc, 1,
												  &isnull));
	guard->is_limit = DatumGetBool(SPI_getbinval(row, table->tupdesc, 2,
												 &isnull));
	guard->name = SPI_getvalue(row, table->tupdesc, 3);
	guard->settings = DatumGetArrayTypePCopy(SPI_getbinval(row, table->tupdesc,
														   4, &isnull));
	return guard;
}

/*
 * check_rows() -> TABLE (severity, object, finding, remedy)
 *
 * Called by idem.doctor() as the owner of the extension.
 */
PG_FUNCTION_INFO_V1(idem_check_rows);
Datum
idem_check_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	SPITupleTable *guards;
	uint64		n;
	uint64		i;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	if (SPI_execute("SELECT relation, kind OPERATOR(pg_catalog.=) 'limit', name, settings"
					" FROM idem.guards"
					" WHERE kind OPERATOR(pg_catalog.=) ANY ('{limit,states}')",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read idem.guards");
	guards = SPI_tuptable;
	n = SPI_processed;
	for (i = 0; i < n; i++)
	{
		RowGuard   *guard = read_guard(guards, i);
		char	   *finding = check_guard(guard);

		if (finding != NULL)
			put_finding(rsinfo, guard, finding);
	}
	SPI_finish();
	return (Datum) 0;
}
