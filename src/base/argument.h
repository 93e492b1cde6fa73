/*
 * argument.h
 *		Arguments that a call must give.
 */
#ifndef IDEM_ARGUMENT_H
#define IDEM_ARGUMENT_H

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/array.h"

/* argument.c */
extern ArrayType *idem_list_array(List *strings);
extern void idem_require_argument(FunctionCallInfo fcinfo, int n,
								  const char *argument);
extern char *idem_required_text(FunctionCallInfo fcinfo, int n,
								const char *argument);
extern List *idem_array_list(const char *argument, ArrayType *array);

#endif							/* IDEM_ARGUMENT_H */
