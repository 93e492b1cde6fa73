/*
 * column.h
 *		Columns by their names.
 */
#ifndef IDEM_COLUMN_H
#define IDEM_COLUMN_H

#include "access/attnum.h"
#include "utils/relcache.h"

/* guard.c */
extern AttrNumber idem_column_number(Relation rel, const char *name);

/* declare.c */
extern AttrNumber idem_stored_column(Relation rel, const char *name);

#endif							/* IDEM_COLUMN_H */
