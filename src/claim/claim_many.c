/*
 * claim_many.c
 *		Many keys in one call, each answered as if it were claimed alone.
 *
 * Keys are taken in the order of their digests, whatever order they are given
 * in: neighbours of the index come after one another, and two calls with the
 * same keys meet in the same order.  Of equal keys the first position is the
 * first; the others are answered by what it left, and name it.
 *
 * Everything that could be an error (a key that is none, a request that lacks
 * a field) is one before the first key is touched.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/idem_compat.h"
#include "claim/claim.h"

typedef struct Wanted
{
	IdemKey		key;
	bytea	   *fingerprint;
	int			position;		/* in the call, from 0 */
} Wanted;

/* The elements of a one-dimensional array; 22004 or 2202E for others. */
static int
elements(FunctionCallInfo fcinfo, int n, const char *argument, Oid type,
		 Datum **values, bool **nulls)
{
	ArrayType  *array;
	int			count;

	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", argument)));
	array = PG_GETARG_ARRAYTYPE_P(n);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument \"%s\" must be one-dimensional", argument)));
	deconstruct_array(array, type, -1, false, TYPALIGN_INT, values, nulls,
					  &count);
	return count;
}

/* The requests, one a key, or NULL if none are given. */
static void
read_requests(FunctionCallInfo fcinfo, int count, Datum **values, bool **nulls)
{
	*values = NULL;
	if (PG_ARGISNULL(2))
		return;
	if (elements(fcinfo, 2, "requests", JSONBOID, values, nulls) != count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("arguments \"%s\" and \"%s\" are not of the same length",
						"keys", "requests")));
}

/* Read all keys and requests of the call. */
static Wanted *
read_items(FunctionCallInfo fcinfo, const IdemScope *scope, int *count)
{
	Datum	   *keys;
	bool	   *key_nulls;
	Datum	   *requests;
	bool	   *request_nulls;
	Wanted	   *items;
	int			i;

	*count = elements(fcinfo, 1, "keys", TEXTOID, &keys, &key_nulls);
	read_requests(fcinfo, *count, &requests, &request_nulls);
	items = palloc(sizeof(Wanted) * Max(*count, 1));
	for (i = 0; i < *count; i++)
	{
		bool		given = requests != NULL && !request_nulls[i];

		items[i].position = i;
		idem_claim_key_read(scope, key_nulls[i] ? NULL :
							DatumGetTextPP(keys[i]), &items[i].key);
		items[i].fingerprint = idem_fingerprint(scope, given ?
												DatumGetJsonbP(requests[i]) : NULL);
	}
	return items;
}

/* By digest, then by position. */
static int
item_cmp(const void *a, const void *b)
{
	const Wanted *m = a;
	const Wanted *n = b;
	int			cmp = memcmp(m->key.digest.data, n->key.digest.data, UUID_LEN);

	if (cmp != 0)
		return cmp;
	return m->position < n->position ? -1 : 1;
}

/*
 * Claim one key of many; first is the item of the same key, if there is one.
 * The answer is made in the memory context result.
 */
static MinimalTuple
claim_item(IdemAnchor *anchor, TupleDesc desc, const Wanted *item,
		   const Wanted *first, MemoryContext result)
{
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS];
	IdemAnswer	answer;

	idem_claim_one(anchor, &item->key, item->fingerprint, &answer);
	if (first != NULL && strcmp(answer.outcome, "duplicate") == 0)
		answer.detail = psprintf("same key as number %d of this call",
								 first->position + 1);
	idem_answer_values(&item->key, &answer, values, nulls);
	MemoryContextSwitchTo(result);
	return heap_form_minimal_tuple(desc, values, nulls);
}

/* Claim all of them; the answers are in the order of positions. */
static MinimalTuple *
claim_items(IdemAnchor *anchor, TupleDesc desc, Wanted *items, int count)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext,
											   "idem claim_many",
											   ALLOCSET_DEFAULT_SIZES);
	MinimalTuple *answers = palloc(sizeof(MinimalTuple) * Max(count, 1));
	const Wanted *first = NULL;
	int			i;

	qsort(items, count, sizeof(Wanted), item_cmp);
	for (i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i == 0 || memcmp(items[i].key.digest.data,
							 items[i - 1].key.digest.data, UUID_LEN) != 0)
			first = NULL;
		else if (first == NULL)
			first = &items[i - 1];
		MemoryContextSwitchTo(each);
		answers[items[i].position] = claim_item(anchor, desc, &items[i], first,
												result);
		MemoryContextReset(each);
	}
	MemoryContextDelete(each);
	return answers;
}

/* A row a position. */
static void
return_answers(ReturnSetInfo *rsinfo, MinimalTuple *answers, int count)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(rsinfo->setDesc,
													&TTSOpsMinimalTuple);
	int			i;

	for (i = 0; i < count; i++)
	{
		ExecStoreMinimalTuple(answers[i], slot, false);
		tuplestore_puttupleslot(rsinfo->setResult, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * claim_many(scope, keys, requests) -> setof claim_result
 */
PG_FUNCTION_INFO_V1(idem_claim_many);
Datum
idem_claim_many(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const IdemScope *scope;
	IdemAnchor	anchor;
	MinimalTuple *answers;
	Wanted	   *items;
	int			count;

	PreventCommandIfReadOnly("idem.claim_many()");
	PreventCommandIfParallelMode("idem.claim_many()");
	InitMaterializedSRF(fcinfo, 0);
	if (rsinfo->setDesc->natts != RESULT_COLUMNS)
		elog(ERROR, "type idem.claim_result has %d columns",
			 rsinfo->setDesc->natts);
	idem_anchor_open(&anchor, RowExclusiveLock);
	scope = idem_scope_get(PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0));
	idem_scope_check_inside(scope);
	items = read_items(fcinfo, scope, &count);
	answers = claim_items(&anchor, rsinfo->setDesc, items, count);
	idem_anchor_close(&anchor);
	return_answers(rsinfo, answers, count);
	PG_RETURN_NULL();
}
