/*
 * change.h
 *		The change log.
 */
#ifndef IDEM_CHANGE_H
#define IDEM_CHANGE_H

#include "nodes/pg_list.h"

/* change.c */
extern void idem_log_change(const char *action, const char *kind,
							Oid relid, const char *name,
							List *arguments, const char *reason);
extern void idem_log_change_of(const char *action, const char *kind,
							   const char *schema, const char *table,
							   const char *name, List *arguments,
							   const char *reason);
extern void idem_log_renamed(Oid relid, Oid schema_before,
							 const char *name_before);
extern void idem_log_schema_renamed(Oid schema, const char *name_before);
extern void idem_log_table_dropped(Oid schema, const char *schema_name,
								   const char *table, const char *reason);
extern bool idem_log_knows(const char *schema, const char *table);
extern char *idem_log_number(Oid relid, const char *kind, const char *name);
extern bool idem_log_place(Datum number, Oid *relid, const char **name);

#endif							/* IDEM_CHANGE_H */
