/*
 * reason.h
 *		Why somebody overrules a rule.
 */
#ifndef IDEM_REASON_H
#define IDEM_REASON_H

#include "fmgr.h"

extern const char *idem_reason_flaw(const char *reason);
extern char *idem_reason(FunctionCallInfo fcinfo, int n, const char *argument);
extern char *idem_required_reason(FunctionCallInfo fcinfo, int n,
								  const char *argument);

#endif							/* IDEM_REASON_H */
