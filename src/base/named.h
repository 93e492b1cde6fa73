/*
 * named.h
 *		Tables by their names and OIDs.
 */
#ifndef IDEM_NAMED_H
#define IDEM_NAMED_H

#include "utils/relcache.h"

extern Oid	idem_extension_relation(const char *name);
extern Relation idem_open_named(Oid relid);

#endif							/* IDEM_NAMED_H */
