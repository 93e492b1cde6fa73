/*
 * declare.h
 *		What the declaration of every guard needs.
 */
#ifndef IDEM_DECLARE_H
#define IDEM_DECLARE_H

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

extern void idem_check_owned(Oid relid);
extern Relation idem_open_for_guard(Oid relid, LOCKMODE lockmode);
extern void idem_execute(const char *format,...) pg_attribute_printf(1, 2);
extern void idem_execute_unwatched(const char *format,...)
			pg_attribute_printf(1, 2);
extern bool idem_executing(void);
extern char *idem_free_trigger_name(Oid relid, const char *prefix,
									List *parts);
extern void idem_create_row_trigger(Oid relid, const char *trigger,
									const char *events, const char *function,
									List *settings);
extern void idem_replace_row_trigger(Oid relid, const char *trigger,
									 const char *events, const char *function,
									 List *settings);
extern void idem_create_early_trigger(Oid relid, const char *trigger,
									  const char *events, const char *function,
									  List *settings);
extern void idem_create_constraint_trigger(Oid relid, Oid other,
										   bool deferred,
										   const char *trigger,
										   const char *events,
										   const char *function,
										   List *settings);
extern void idem_create_bound_trigger(Oid relid, Oid other,
									  const char *trigger, const char *events,
									  const char *function, List *settings);
extern void idem_put_guard(Relation rel, const char *kind, const char *trigger,
						   const char *events, List *settings);
extern void idem_take_guard_off(Oid relid, const char *trigger);
extern char *idem_statement_trigger(Oid relid, const char *guard);
extern void idem_create_statement_triggers(Oid relid, const char *guard);
extern void idem_drop_statement_triggers(Oid relid, const char *guard);

#endif							/* IDEM_DECLARE_H */
