/*
 * declare.h
 *		What the declaration of every guard needs.
 */
#ifndef IDEM_DECLARE_H
#define IDEM_DECLARE_H

#include "access/attnum.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/array.h"
#include "utils/relcache.h"

extern void idem_check_owned(Oid relid);
extern Relation idem_open_for_guard(Oid relid, LOCKMODE lockmode);
extern AttrNumber idem_stored_column(Relation rel, const char *name);
extern void idem_execute(const char *format,...) pg_attribute_printf(1, 2);
extern void idem_execute_unwatched(const char *format,...)
			pg_attribute_printf(1, 2);
extern bool idem_executing(void);
extern char *idem_qualified_name(Relation rel);
extern char *idem_qualified_name_of(Oid relid);

extern char *idem_free_trigger_name(Oid relid, const char *prefix,
									List *parts);
extern void idem_create_row_trigger(Oid relid, const char *trigger,
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

/* argument.c */
extern ArrayType *idem_list_array(List *strings);
extern void idem_require_argument(FunctionCallInfo fcinfo, int n,
								  const char *argument);
extern char *idem_required_text(FunctionCallInfo fcinfo, int n,
								const char *argument);
extern List *idem_array_list(const char *argument, ArrayType *array);

/* again.c */

/* Does a table have the guard that is declared?  As idem_guard_stands says. */
typedef bool (*IdemGuardStands) (Relation rel, void *declaration);

struct IdemGuard;

extern struct IdemGuard *idem_find_counterpart(Relation other,
											   const struct IdemGuard *guard);
extern bool idem_guard_stands(Relation rel, const char *kind, List *settings,
							  Relation other, List *other_settings);
extern Relation idem_open_to_declare(Oid relid, IdemGuardStands stands,
									 void *declaration);

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

#endif							/* IDEM_DECLARE_H */
