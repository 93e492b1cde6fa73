/*
 * bound_adopt.c
 *		Claims for rows from before idem: adopt_keys().
 *
 * A message that took effect before its table was guarded can come again
 * afterwards.  So the keys of existing rows get anchors, in a state of their
 * own and with fingerprints made from the rows: the message is answered
 * "replayed", and one with another amount "mismatch".
 *
 * Rows are read once, in one order, under the snapshot of the call; keys are
 * committed a batch at a time.  A call that was interrupted can be repeated and
 * continues where it stopped: keys that are known are skipped.  Rows written
 * meanwhile are left to the next call, so: adopt, let the new release claim,
 * adopt again, guard.
 *
 * Where the effect is outside, a row is there before its effect: only rows in
 * the states that the caller calls done are adopted, and whatever is under way
 * or still to come is for a person to look at.
 *
 * A key with several rows is the very accident that keys prevent, and is
 * refused before anything is written.
 *
 * Runs as the caller, who must own the table and be allowed to call it.
 * Locks: ACCESS SHARE on the table and ROW EXCLUSIVE on idem.anchor, for the
 * length of a batch.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/argument.h"
#include "base/column.h"
#include "base/declare.h"
#include "base/qualified.h"
#include "base/settings_write.h"
#include "bound/bound.h"
#include "key/key_effect.h"

/* What adopt_keys was asked for, and what it has done */
typedef struct Adoption
{
	char	   *scope;
	Oid			relid;
	List	   *columns;		/* of the key */
	char	   *request;		/* SQL of a jsonb of a row */
	char	   *since;			/* SQL of a timestamptz of a row */
	char	   *which;			/* SQL of a condition on rows, or empty */
	int			batch;
	BoundKey	key;
	int64		adopted;
	int64		known;
	int64		busy;
} Adoption;

/* 25001 where it could not commit. */
static void
prevent_in_transaction(FunctionCallInfo fcinfo)
{
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		((CallContext *) fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block or a function",
						"idem.adopt_keys"),
				 errdetail("It commits after each batch.")));
}

/* {"user": "user_id"} as jsonb_build_object('user', user_id) */
static char *
request_sql(Relation rel, Jsonb *request)
{
	JsonbIterator *it = JsonbIteratorInit(&request->root);
	JsonbValue	value;
	JsonbIteratorToken token = JsonbIteratorNext(&it, &value, true);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "pg_catalog.jsonb_build_object(");
	while (token == WJB_BEGIN_OBJECT || token == WJB_KEY || token == WJB_VALUE)
	{
		char	   *word;

		if (token != WJB_BEGIN_OBJECT)
		{
			if (value.type != jbvString)
				break;
			word = pnstrdup(value.val.string.val, value.val.string.len);
			if (token == WJB_VALUE)
				(void) idem_column_number(rel, word);
			appendStringInfo(&sql, "%s%s", token == WJB_VALUE ? ", " :
							 sql.data[sql.len - 1] == '(' ? "" : ", ",
							 token == WJB_VALUE ? quote_identifier(word) :
							 quote_literal_cstr(word));
		}
		token = JsonbIteratorNext(&it, &value, true);
	}
	if (token != WJB_END_OBJECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"request\" of idem.adopt_keys must be an object of column names"),
				 errhint("Write it as {\"member of the request\": \"column\", ...}.")));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/*
 * WHERE status::text = ANY ('{succeeded,failed}'): rows whose effect is done;
 * empty: all.  state and done come together.
 */
static char *
which_sql(FunctionCallInfo fcinfo, Relation rel)
{
	char	   *state;
	List	   *done;

	if (PG_ARGISNULL(6) != PG_ARGISNULL(7))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" of idem.adopt_keys needs argument \"%s\"",
						PG_ARGISNULL(6) ? "done" : "state",
						PG_ARGISNULL(6) ? "state" : "done")));
	if (PG_ARGISNULL(6))
		return pstrdup("");
	state = text_to_cstring(PG_GETARG_TEXT_PP(6));
	(void) idem_column_number(rel, state);
	done = idem_array_list("done", PG_GETARG_ARRAYTYPE_P(7));
	return psprintf(" WHERE %s::pg_catalog.text OPERATOR(pg_catalog.=)"
					" ANY (%s::pg_catalog.text[])",
					quote_identifier(state),
					quote_literal_cstr(idem_list_text(done)));
}

static void
read_arguments(FunctionCallInfo fcinfo, Adoption *a)
{
	Relation	rel;

	memset(a, 0, sizeof(*a));
	a->scope = idem_required_text(fcinfo, 0, "scope");
	idem_require_argument(fcinfo, 1, "relation");
	idem_require_argument(fcinfo, 2, "key");
	idem_require_argument(fcinfo, 5, "batch");
	a->relid = PG_GETARG_OID(1);
	a->columns = idem_array_list("key", PG_GETARG_ARRAYTYPE_P(2));
	a->batch = PG_GETARG_INT32(5);
	if (a->columns == NIL || a->batch <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 a->columns == NIL ? errmsg("no column is named") :
				 errmsg("batch must be positive")));
	rel = idem_open_for_guard(a->relid, AccessShareLock);
	idem_bound_key_compile(rel, a->columns, &a->key);
	a->request = PG_ARGISNULL(3) ? pstrdup("NULL::pg_catalog.jsonb") :
		request_sql(rel, PG_GETARG_JSONB_P(3));
	a->since = pstrdup("pg_catalog.now()");
	if (!PG_ARGISNULL(4))
	{
		char	   *since = text_to_cstring(PG_GETARG_TEXT_PP(4));

		(void) idem_column_number(rel, since);
		a->since = psprintf("%s::pg_catalog.timestamptz",
							quote_identifier(since));
	}
	a->which = which_sql(fcinfo, rel);
	relation_close(rel, NoLock);
}

/* 23505 with a sample, if a key has several rows. */
static void
refuse_repeated(const Adoption *a)
{
	Relation	rel = relation_open(a->relid, AccessShareLock);
	char	   *finding = idem_bound_repeated(rel, a->columns, a->relid);

	if (finding != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("keys of table \"%s\" cannot be adopted",
						RelationGetRelationName(rel)),
				 errdetail("It has %s.", finding),
				 errhint("Find out which of these rows took effect, and correct the others first."),
				 errtable(rel)));
	relation_close(rel, AccessShareLock);
}

/* SELECT message, jsonb_build_object(...), since FROM debit ORDER BY since */
static Portal
open_rows(const Adoption *a)
{
	char	   *sql = psprintf("SELECT %s, %s, %s FROM %s%s ORDER BY %d",
							   idem_bound_columns_sql(a->columns), a->request,
							   a->since, idem_qualified_name_of(a->relid),
							   a->which, a->key.ncolumns + 2);
	SPIPlanPtr	plan = SPI_prepare(sql, 0, NULL);
	Portal		portal;

	if (plan == NULL)
		elog(ERROR, "could not prepare: %s", sql);
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	/* so that it outlives the commits */
	PinPortal(portal);
	return portal;
}

static void
adopt_row(Adoption *a, struct IdemEffects *effects, HeapTuple row,
		  TupleDesc desc)
{
	int			n = a->key.ncolumns;
	Datum	   *values = palloc(sizeof(Datum) * n);
	bool		isnull;
	Datum		request;
	Datum		since;
	bool		no_request;
	int			i;

	for (i = 0; i < n; i++)
	{
		values[i] = SPI_getbinval(row, desc, i + 1, &isnull);
		if (isnull)
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("row of table \"%s\" has no key: column \"%s\" is null",
							idem_qualified_name_of(a->relid),
							SPI_fname(desc, i + 1))));
	}
	request = SPI_getbinval(row, desc, n + 1, &no_request);
	since = SPI_getbinval(row, desc, n + 2, &isnull);
	switch (idem_key_adopt(effects, idem_bound_key_make(&a->key, values),
						   no_request ? NULL : DatumGetJsonbP(request),
						   isnull ? GetCurrentTimestamp() :
						   DatumGetTimestampTz(since)))
	{
		case IDEM_ADOPTED_NOW:
			a->adopted++;
			break;
		case IDEM_ADOPTED_KNOWN:
			a->known++;
			break;
		case IDEM_ADOPTED_BUSY:
			a->busy++;
			break;
	}
}

/* One batch in a transaction of its own; false: there were no more rows. */
static bool
adopt_batch(Adoption *a, Portal portal)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext each = AllocSetContextCreate(old, "idem adopted row",
											   ALLOCSET_DEFAULT_SIZES);
	struct IdemEffects *effects;
	uint64		rows;
	uint64		i;

	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_cursor_fetch(portal, true, a->batch);
	rows = SPI_processed;
	effects = idem_key_effects_open_to_adopt(a->scope, *a->which != '\0');
	for (i = 0; i < rows; i++)
	{
		MemoryContextSwitchTo(each);
		adopt_row(a, effects, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		MemoryContextSwitchTo(old);
		MemoryContextReset(each);
	}
	idem_key_effects_close(effects);
	SPI_freetuptable(SPI_tuptable);
	MemoryContextDelete(each);
	PopActiveSnapshot();
	SPI_commit();
	return rows > 0;
}

/*
 * adopt_keys(scope, relation, key, request, since, batch, state, done,
 *			  INOUT adopted, INOUT known, INOUT busy)
 */
PG_FUNCTION_INFO_V1(idem_adopt_keys);
Datum
idem_adopt_keys(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	Adoption	adoption;
	TupleDesc	desc;
	Portal		portal;
	Datum		values[3];
	bool		nulls[3] = {false};

	prevent_in_transaction(fcinfo);
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "the answer of idem.adopt_keys is not a row");
	desc = BlessTupleDesc(CreateTupleDescCopy(desc));
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	read_arguments(fcinfo, &adoption);
	PushActiveSnapshot(GetTransactionSnapshot());
	refuse_repeated(&adoption);
	portal = open_rows(&adoption);
	PopActiveSnapshot();
	while (adopt_batch(&adoption, portal))
		;
	UnpinPortal(portal);
	SPI_cursor_close(portal);
	SPI_finish();
	MemoryContextSwitchTo(context);
	values[0] = Int64GetDatum(adoption.adopted);
	values[1] = Int64GetDatum(adoption.known);
	values[2] = Int64GetDatum(adoption.busy);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
