/*
 * settings_trigger.h
 *		Where settings are: in a trigger, in its catalog row, in an array.
 */
#ifndef IDEM_SETTINGS_TRIGGER_H
#define IDEM_SETTINGS_TRIGGER_H

#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/reltrigger.h"

extern List *idem_settings_of_trigger(const Trigger *trigger);
extern List *idem_settings_of_args(bytea *args);
extern List *idem_settings_of_array(ArrayType *array);

/* of a trigger that has been checked */
extern const char *idem_trigger_setting(const Trigger *trigger,
										const char *name);
extern List *idem_trigger_setting_list(const Trigger *trigger,
									   const char *name);

#endif							/* IDEM_SETTINGS_TRIGGER_H */
