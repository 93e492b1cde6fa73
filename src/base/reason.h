/*
 * reason.h
 *		Why somebody overrules a rule.
 */
#ifndef IDEM_REASON_H
#define IDEM_REASON_H

#include "fmgr.h"
#include "utils/guc.h"

extern const char *idem_reason_flaw(const char *reason);
extern bool idem_check_reason(char **newval, void **extra, GucSource source);
extern char *idem_reason(FunctionCallInfo fcinfo, int n, const char *argument);
extern char *idem_required_reason(FunctionCallInfo fcinfo, int n,
								  const char *argument);

#endif							/* IDEM_REASON_H */
