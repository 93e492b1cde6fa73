/*
 * settings_write.h
 *		Settings, lists of strings and names, as they are written.
 */
#ifndef IDEM_SETTINGS_WRITE_H
#define IDEM_SETTINGS_WRITE_H

#include "nodes/pg_list.h"

/* The first argument of every trigger of a guard: the grammar it is in. */
#define IDEM_SETTINGS_GRAMMAR	"idem=1"

extern List *idem_settings_begin(void);
extern List *idem_settings_add(List *settings, const char *name,
							   const char *value);
extern List *idem_settings_add_list(List *settings, const char *name,
									List *values);
extern List *idem_settings_add_map(List *settings, const char *name,
								   List *keys, List *values);
extern char *idem_list_text(List *strings);
extern List *idem_text_list(const char *str);
extern bool idem_same_strings(List *a, List *b);
extern int	idem_compare_strings(const ListCell *a, const ListCell *b);
extern char *idem_made_name(const char *prefix, List *parts);

#endif							/* IDEM_SETTINGS_WRITE_H */
