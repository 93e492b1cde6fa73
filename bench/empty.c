/*
 * empty.c
 *		The least that a trigger in C can cost.
 *
 * A module of the benchmarks, no part of idem: the server calls its function
 * for every row, and nothing is done.
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bench_empty);
Datum
bench_empty(PG_FUNCTION_ARGS)
{
	return PointerGetDatum(NULL);
}
