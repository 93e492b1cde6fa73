/*
 * ask.h
 *		A statement of ours about tables of the extension, and what it found.
 */
#ifndef IDEM_ASK_H
#define IDEM_ASK_H

#include "executor/spi.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

extern uint64 idem_ask(Relation rel, const char *sql, const char *letters,...);
extern Datum idem_found(uint64 row, int column);
extern Oid	idem_found_oid(uint64 row, int column);
extern char *idem_found_text(uint64 row, int column);
extern List *idem_found_texts(void);
extern SPIPlanPtr idem_keep_plan(SPIPlanPtr *kept, SPIPlanPtr plan);

#endif							/* IDEM_ASK_H */
