/*
 * claim_many.c
 *		Many keys in one call, each answered as if it were claimed alone.
 *
 * Keys are taken in the order of their digests, whatever order they are given
 * in: neighbours of the index come after one another, and two calls with the
 * same keys meet in the same order.  Among equal keys the first position
 * claims; the others get their answer from the result of the first, and name
 * it.
 *
 * An error in one key or request ends the call, so nothing is claimed then.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/idem_compat.h"
#include "claim/claim.h"

typedef struct Wanted
{
	IdemKey		key;
	Datum		request;
	bool		no_request;
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
read_wanted(FunctionCallInfo fcinfo, const IdemScope *scope, int *count)
{
	Datum	   *keys;
	bool	   *key_nulls;
	Datum	   *requests;
	bool	   *request_nulls;
	Wanted	   *wanted;
	int			i;

	*count = elements(fcinfo, 1, "keys", TEXTOID, &keys, &key_nulls);
	read_requests(fcinfo, *count, &requests, &request_nulls);
	wanted = palloc(sizeof(Wanted) * Max(*count, 1));
	for (i = 0; i < *count; i++)
	{
		wanted[i].position = i;
		idem_key_init(scope, key_nulls[i] ? NULL :
					  DatumGetTextPP(keys[i]), &wanted[i].key);
		wanted[i].no_request = requests == NULL || request_nulls[i];
		wanted[i].request = wanted[i].no_request ? (Datum) 0 : requests[i];
	}
	return wanted;
}

typedef Wanted *WantedRef;

/* By digest, then by position. */
static inline int
wanted_cmp(const WantedRef *a, const WantedRef *b)
{
	int			cmp = memcmp((*a)->key.digest.data, (*b)->key.digest.data,
							 UUID_LEN);

	if (cmp != 0)
		return cmp;
	return (*a)->position < (*b)->position ? -1 : 1;
}

#define ST_SORT sort_wanted
#define ST_ELEMENT_TYPE WantedRef
#define ST_COMPARE(a, b) wanted_cmp(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/*
 * Claim one key of many; first is the one of the same key, if there is any.
 * The answer is made in the memory context result.
 */
static MinimalTuple
claim_wanted(IdemAnchor *anchor, TupleDesc desc, Wanted *wanted,
			 const Wanted *first, const char *confirmed, MemoryContext result)
{
	Datum		values[CLAIM_RESULT_COLUMNS];
	bool		nulls[CLAIM_RESULT_COLUMNS];
	IdemAnswer	answer;

	idem_claim_one(anchor, &wanted->key, wanted->no_request ? NULL :
				   DatumGetJsonbP(wanted->request), confirmed, &answer);
	if (first != NULL && strcmp(answer.outcome, "duplicate") == 0)
		answer.detail = psprintf("same key as number %d of this call",
								 first->position + 1);
	idem_key_claim_values(&wanted->key, &answer, values, nulls);
	MemoryContextSwitchTo(result);
	return heap_form_minimal_tuple(desc, values, nulls, 0);
}

/* Pointers to all, sorted. */
static Wanted **
in_order(Wanted *wanted, int count)
{
	Wanted	  **sorted = palloc(sizeof(Wanted *) * Max(count, 1));
	int			i;

	for (i = 0; i < count; i++)
		sorted[i] = &wanted[i];
	sort_wanted(sorted, count);
	return sorted;
}

static bool
same_key(const Wanted *a, const Wanted *b)
{
	return memcmp(a->key.digest.data, b->key.digest.data, UUID_LEN) == 0;
}

/* Claim all of them; the answers are in the order of positions. */
static MinimalTuple *
claim_all(IdemAnchor *anchor, TupleDesc desc, Wanted *wanted, int count,
		  const char *confirmed)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext,
											   "idem claim_many",
											   ALLOCSET_DEFAULT_SIZES);
	MinimalTuple *answers = palloc(sizeof(MinimalTuple) * Max(count, 1));
	Wanted	  **sorted = in_order(wanted, count);
	const Wanted *first = NULL;
	int			i;

	for (i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i == 0 || !same_key(sorted[i], sorted[i - 1]))
			first = NULL;
		else if (first == NULL)
			first = sorted[i - 1];
		MemoryContextSwitchTo(each);
		answers[sorted[i]->position] = claim_wanted(anchor, desc, sorted[i],
													first, confirmed,
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
 * claim_many(scope, keys, requests, confirmed) -> setof claim_result
 */
PG_FUNCTION_INFO_V1(idem_claim_many);
Datum
idem_claim_many(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const IdemScope *scope;
	IdemAnchor	anchor;
	MinimalTuple *answers;
	Wanted	   *wanted;
	int			count;

	PreventCommandIfReadOnly("idem.claim_many()");
	PreventCommandIfParallelMode("idem.claim_many()");
	InitMaterializedSRF(fcinfo, 0);
	if (rsinfo->setDesc->natts != CLAIM_RESULT_COLUMNS)
		elog(ERROR, "type idem.claim_result has %d columns",
			 rsinfo->setDesc->natts);
	scope = idem_key_open(PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0),
						  RowExclusiveLock, &anchor);
	idem_key_check_right(scope);
	idem_claim_check_scope(scope);
	idem_key_check_here(scope);
	wanted = read_wanted(fcinfo, scope, &count);
	answers = claim_all(&anchor, rsinfo->setDesc, wanted, count,
						idem_key_confirmed(fcinfo, 3, scope));
	idem_key_close(&anchor);
	return_answers(rsinfo, answers, count);
	PG_RETURN_NULL();
}
