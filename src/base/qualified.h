/*
 * qualified.h
 *		Names of tables as SQL and messages have them.
 */
#ifndef IDEM_QUALIFIED_H
#define IDEM_QUALIFIED_H

#include "utils/relcache.h"

extern char *idem_qualified_name(Relation rel);
extern char *idem_qualified_name_of(Oid relid);

#endif							/* IDEM_QUALIFIED_H */
