/*
 * settings.h
 *		The arguments of a guard's trigger: one grammar, one reader.
 */
#ifndef IDEM_SETTINGS_H
#define IDEM_SETTINGS_H

#include "commands/trigger.h"
#include "nodes/pg_list.h"
#include "utils/array.h"

/* The first argument of every trigger of a guard: the grammar it is in. */
#define IDEM_SETTINGS_GRAMMAR	"idem=1"

/* How a value is written. */
typedef enum IdemSettingForm
{
	IDEM_WORD,					/* any text */
	IDEM_CHOICE,				/* one of the words in choices */
	IDEM_NUMBER,				/* decimal digits, no more than 18 */
	IDEM_LIST,					/* {a,"b c"}: a text[] without nulls */
	IDEM_MAP					/* {key,value,key,value,...}: a list of pairs */
} IdemSettingForm;

/* What a setting says; the keys of a map, where it is one. */
#define IDEM_SETTING_REQUIRED	0x01	/* it cannot be left out */
#define IDEM_SETTING_COLUMN		0x02	/* columns of the table that bears it */
#define IDEM_SETTING_NOT_NULL	0x04	/* which must stay NOT NULL */
#define IDEM_SETTING_KEPT		0x08	/* which idem writes, under a CHECK */
#define IDEM_SETTING_IDENTITY	0x10	/* tells guards of a kind apart */
#define IDEM_SETTING_FOUND		0x20	/* found at the declaration, not asked
										 * for by it */
#define IDEM_SETTING_ORDERED	0x40	/* a list in another order is another */
#define IDEM_SETTING_STAYS		0x80	/* columns that the guard does not
										 * look at, and that have to stay */

/* A setting that a trigger function knows. */
typedef struct IdemSetting
{
	const char *name;			/* NULL ends an array of them */
	IdemSettingForm form;
	int			flags;
	const char *choices;		/* "kept|editable" */
} IdemSetting;

/* reading; a list of settings holds strings, each name=value */
extern List *idem_settings_of_trigger(const Trigger *trigger);
extern List *idem_settings_of_args(bytea *args);
extern List *idem_settings_of_array(ArrayType *array);
extern const char *idem_setting(List *settings, const char *name);
extern char *idem_setting_copy(List *settings, const char *name);
extern bool idem_setting_is(List *settings, const char *name,
							const char *value);
extern List *idem_setting_list(List *settings, const char *name);
extern void idem_setting_map(List *settings, const char *name,
							 List **keys, List **values);
extern List *idem_setting_columns(List *settings, const IdemSetting *known);
extern char *idem_settings_problem(List *settings, const IdemSetting *known);
extern List *idem_settings_identity(List *settings, const IdemSetting *known);

/* the same of a trigger that has been checked */
extern const char *idem_trigger_setting(const Trigger *trigger,
										const char *name);
extern List *idem_trigger_setting_list(const Trigger *trigger,
									   const char *name);

/* writing */
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

/* names of what a guard makes */
extern char *idem_made_name(const char *prefix, List *parts);

#endif							/* IDEM_SETTINGS_H */
