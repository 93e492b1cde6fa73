/*
 * fixed_rows.c
 *		The kinds of the room.
 *
 * A partition that is detached takes its rows out of the table and away from
 * the guard.  For an append-only table that is a deletion, so it is refused
 * while the partition has rows.
 */
#include "postgres.h"

#include "catalog/pg_trigger.h"

#include "base/kind.h"
#include "base/rows.h"
#include "base/settings_known.h"
#include "fixed/fixed_rows.h"

/* Which columns: "columns" keep their value, "once" may take one. */
static const IdemSetting fixed_settings[] = {
	{"columns", IDEM_LIST, IDEM_SETTING_COLUMN | IDEM_SETTING_IDENTITY, NULL},
	{"once", IDEM_LIST, IDEM_SETTING_COLUMN | IDEM_SETTING_IDENTITY, NULL},
	{NULL, IDEM_WORD, 0, NULL}
};

/* every column is kept; these are the ones there were at the declaration */
static const IdemSetting kept_settings[] = {
	{"columns", IDEM_LIST, IDEM_SETTING_STAYS | IDEM_SETTING_FOUND, NULL},
	{NULL, IDEM_WORD, 0, NULL}
};

/* which of the events, the table says: fixed_declare.c */
static const int16 fixed_types[] = {
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE,
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE,
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE |
	TRIGGER_TYPE_INSERT, 0
};

static const int16 kept_types[] = {
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE, 0
};

static const IdemGuardKind fixed_kind = {
	.kind = "fixed",
	.function = "keep_fixed",
	.on_shards = true,
	.decides = true,
	.declares = "guard_fixed",
	.settings = fixed_settings,
	.types = fixed_types
};

static const IdemGuardKind kept_kind = {
	.kind = "kept",
	.function = "keep_rows",
	.on_shards = true,
	.decides = true,
	.declares = "guard_kept",
	.keeps_all = true,
	.keeps_rows = true,
	.settings = kept_settings,
	.types = kept_types,
	.check_detached = idem_check_kept_rows
};

/* Called once, when the library is loaded */
void
idem_fixed_rows_init(void)
{
	idem_register_kind(&fixed_kind);
	idem_register_kind(&kept_kind);
}
