/*
 * settings_known.h
 *		The settings that a trigger function knows, and what is checked by them.
 */
#ifndef IDEM_SETTINGS_KNOWN_H
#define IDEM_SETTINGS_KNOWN_H

#include "nodes/pg_list.h"

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

extern List *idem_setting_columns(List *settings, const IdemSetting *known);
extern char *idem_settings_problem(List *settings, const IdemSetting *known);
extern List *idem_settings_identity(List *settings, const IdemSetting *known);

#endif							/* IDEM_SETTINGS_KNOWN_H */
