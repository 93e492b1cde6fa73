/*
 * machine_rows.c
 *		Do the rows of a guarded column stand in declared states?
 *
 * The guard judges what is written while it stands.  The checks here read rows
 * that may have come in another way: all rows, for the doctor; those of a
 * table that becomes a partition; those of a partition that is detached.
 *
 * Each reads the table once, restricted, as the owner of the table that has
 * the rows, which the owner of the table above it may not be allowed to read.
 * A state is turned to text by the output function of its type, so that no
 * cast made by somebody can replace it.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/qualified.h"
#include "base/row.h"
#include "base/rows.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "machine/machine.h"
#include "machine/machine_rows.h"

/* The names of the states that a row may be in: all, or the final ones. */
static Datum
state_names(const IdemMachine *machine, bool only_final)
{
	int			n = idem_state_count(&machine->diagram);
	Datum	   *names = palloc(sizeof(Datum) * (n + 1));
	int			count = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		const IdemState *state = &machine->diagram.states[i];

		if (!only_final || state->final_line != 0)
			names[count++] = CStringGetTextDatum(state->name);
	}
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/*
 * SELECT count(*), min(format('%L', t.status)) FROM schema.table t
 *	WHERE t.status IS NULL OR format('%s', t.status) COLLATE "C" <> ALL ($1)
 */
static char *
rows_in_other_states(const IdemGuard *guard, Oid rows, bool only_final)
{
	Relation	rel = relation_open(rows, AccessShareLock);
	const char *column = quote_identifier(idem_setting(guard->settings, "column"));
	const char *name = idem_setting(guard->settings, "machine");
	const char *what = only_final ? "in no final state" :
		psprintf("in a state that state machine \"%s\" does not declare", name);
	char	   *sql;
	char	   *finding;

	sql = psprintf("SELECT count(*), min(format('%%L', t.%s) COLLATE \"C\")"
				   " FROM %s t WHERE t.%s IS NULL"
				   " OR format('%%s', t.%s) COLLATE \"C\" <> ALL ($1)",
				   column, idem_qualified_name(rel), column, column);
	finding = idem_count_offenders(rel, sql,
								   state_names(idem_machine_load(name, 0),
											   only_final),
								   what);
	relation_close(rel, AccessShareLock);
	return finding;
}

static char *
check_declared(const IdemGuard *guard, Oid rows)
{
	return rows_in_other_states(guard, rows, false);
}

/*
 * The machine must stay as it is until the rows have been attached, because a
 * redefinition counts only the rows that it can see.  For a guard that does
 * not count, it counts none.
 */
static char *
check_attached(const IdemGuard *guard, Oid rows)
{
	const char *name = idem_setting(guard->settings, "machine");
	IdemMachine *machine = idem_machine_load(name, 0);

	if (idem_machine_counts(name, machine->owner, guard->relid,
							idem_setting(guard->settings, "column")))
		idem_machine_hold(machine);
	return check_declared(guard, rows);
}

static char *
check_final(const IdemGuard *guard, Oid rows)
{
	return rows_in_other_states(guard, rows, true);
}

/* The columns of the key of a row, less its state: t.a, t.b; NULL: the same */
static char *
key_beside_state(Relation rel, const char *column)
{
	AttrNumber	state = get_attnum(RelationGetRelid(rel), column);
	Bitmapset  *key = idem_row_key_columns(rel);
	StringInfoData list;
	int			i = -1;

	if (state == InvalidAttrNumber || !bms_is_member(state, key))
		return NULL;
	initStringInfo(&list);
	key = bms_del_member(key, state);
	while ((i = bms_next_member(key, i)) >= 0)
		appendStringInfo(&list, "%st.%s", list.len > 0 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(rel),
																i - 1)->attname)));
	return list.data;
}

/*
 * Rows that share a key with others, where the state is part of the primary
 * key because the table is partitioned by it.
 *
 * SELECT coalesce(sum(n), 0)::bigint, min(k) FROM
 *	(SELECT count(*) AS n, format('%L', concat_ws(', ', t.id)) COLLATE "C" AS k
 *		FROM schema.table t GROUP BY t.id HAVING count(*) > 1) s
 */
static char *
check_one_row(const IdemGuard *guard, Oid rows)
{
	Relation	rel = relation_open(rows, AccessShareLock);
	char	   *key = key_beside_state(rel, idem_setting(guard->settings,
														 "column"));
	char	   *finding = NULL;

	if (key != NULL)
		finding = idem_count_offenders(rel,
									   psprintf("SELECT coalesce(sum(n), 0)::bigint, min(k) FROM"
												" (SELECT count(*) AS n, format('%%L', concat_ws(', ', %s)) COLLATE \"C\" AS k"
												" FROM %s t GROUP BY %s HAVING count(*) > 1) s",
												key, idem_qualified_name(rel),
												key),
									   (Datum) 0,
									   "with a key that other rows have, too: the primary key contains the state");
	relation_close(rel, AccessShareLock);
	return finding;
}

static const IdemSetting states_settings[] = {
	{"column", IDEM_WORD, IDEM_SETTING_REQUIRED | IDEM_SETTING_COLUMN |
	IDEM_SETTING_IDENTITY, NULL},
	{"machine", IDEM_WORD, IDEM_SETTING_REQUIRED, NULL},
	{"repeat", IDEM_CHOICE, IDEM_SETTING_REQUIRED, "refuse|strict|ignore"},
	{"delete", IDEM_CHOICE, IDEM_SETTING_REQUIRED, "never|final|any"},
	{"history", IDEM_CHOICE, IDEM_SETTING_REQUIRED, "true|false"},
	{"actor", IDEM_WORD, 0, NULL},
	{"within", IDEM_MAP, 0, NULL},
	{"saved", IDEM_LIST, IDEM_SETTING_FOUND, NULL},
	{"diagram", IDEM_WORD, IDEM_SETTING_FOUND, NULL},
	{NULL, IDEM_WORD, 0, NULL}
};

/* A state is kept as text or as an enum. */
static bool
takes_type(const char *setting, Oid type)
{
	return strcmp(setting, "column") != 0 || type == TEXTOID ||
		type == VARCHAROID || type_is_enum(type);
}

static const int16 states_types[] = {
	TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
	TRIGGER_TYPE_DELETE, 0
};

static const char *const states_renamed[] = {"column", "state_column", NULL};

static const IdemGuardKind states_kind = {
	.kind = "states",
	.function = "keep_states",
	.on_shards = true,
	.decides = true,
	.declares = "guard_states",
	.renamed = states_renamed,
	.needs_key = true,
	.keeps_rows = true,
	.unless = "delete=any",
	.settings = states_settings,
	.types = states_types,
	.check_rows = check_declared,
	.remedy = "find out who wrote past the guard; then declare the state, or bring the rows into a declared one while the guard is off",
	.check_open = check_one_row,
	.open_remedy = "find out which row is the payment; keep another from being made by inserting through a table of keys that is not partitioned",
	.check_attached = check_attached,
	.check_detached = check_final,
	.takes_type = takes_type
};

/* Called once, when the library is loaded */
void
idem_machine_rows_init(void)
{
	idem_register_kind(&states_kind);
}
