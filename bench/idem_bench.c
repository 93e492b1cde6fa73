/*
 * idem_bench.c
 *		What a benchmark needs beside SQL: the least that a trigger in C can
 *		cost, and a clock.
 *
 * A module of the benchmarks, no part of idem.
 */
#include "postgres.h"

#include <time.h>

#include "fmgr.h"

PG_MODULE_MAGIC;

/* The server calls it for every row, and nothing is done. */
PG_FUNCTION_INFO_V1(bench_empty);
Datum
bench_empty(PG_FUNCTION_ARGS)
{
	return PointerGetDatum(NULL);
}

/*
 * Milliseconds of processor time that this backend has had, to the nanosecond.
 * (What /proc tells of a process that runs is as old as the kernel's last tick,
 * 4 ms.)
 */
PG_FUNCTION_INFO_V1(bench_cpu_ms);
Datum
bench_cpu_ms(PG_FUNCTION_ARGS)
{
	struct timespec now;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0)
		elog(ERROR, "could not read the processor time: %m");
	PG_RETURN_FLOAT8((double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6);
}
