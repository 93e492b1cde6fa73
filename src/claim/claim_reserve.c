/*
 * claim_reserve.c
 *		Effects outside of the database.
 */
#include "postgres.h"

#include "fmgr.h"

#define STUB(name) \
PG_FUNCTION_INFO_V1(name); \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	ereport(ERROR, \
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED), \
			 errmsg("effects outside are not supported yet"))); \
	PG_RETURN_NULL(); \
}

STUB(idem_reserve)
STUB(idem_dispatch)
STUB(idem_heartbeat)
STUB(idem_release)
STUB(idem_complete_outside)
STUB(idem_resolve)
STUB(idem_fence)
STUB(idem_due)
