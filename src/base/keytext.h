/*
 * keytext.h
 *		The key of a row as a caller gives it.
 */
#ifndef IDEM_KEYTEXT_H
#define IDEM_KEYTEXT_H

#include "fmgr.h"
#include "utils/relcache.h"

extern char *idem_row_key_argument(FunctionCallInfo fcinfo, int n,
								   const char *argument);
extern char **idem_row_key_texts(Relation rel, const char *const *names, int n,
								 char *str);

#endif							/* IDEM_KEYTEXT_H */
