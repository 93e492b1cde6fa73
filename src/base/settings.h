/*
 * settings.h
 *		The arguments of a guard's trigger: one grammar, one reader.
 *
 * A list of settings holds strings, each name=value.
 */
#ifndef IDEM_SETTINGS_H
#define IDEM_SETTINGS_H

#include "nodes/pg_list.h"

extern const char *idem_setting(List *settings, const char *name);
extern char *idem_setting_copy(List *settings, const char *name);
extern bool idem_setting_is(List *settings, const char *name,
							const char *value);
extern List *idem_setting_list(List *settings, const char *name);
extern void idem_setting_map(List *settings, const char *name,
							 List **keys, List **values);

#endif							/* IDEM_SETTINGS_H */
