/*
 * machine_key.c
 *		The key of a row as one text, for history and messages.
 *
 * A key of one column is its value as text: 4711.  A key of several is a JSON
 * object of their names, in the order of the names, every value a string:
 * {"day": "2026-11-22", "id": "7"}.  The text does not depend on the session:
 * dates are ISO, times UTC.
 *
 * The key has the columns that stay as they are when a row moves between
 * partitions (idem_row_key_columns), without the state itself.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/keytext.h"
#include "base/row.h"
#include "machine/machine.h"

/* Does the text of this type depend on no setting? */
static bool
is_plain(Oid type)
{
	switch (getBaseType(type))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
		case UUIDOID:
		case BOOLOID:
			return true;
		default:
			return type_is_enum(getBaseType(type));
	}
}

/* Do equal values of the column have the same text? */
static bool
is_exact(Form_pg_attribute att)
{
	switch (getBaseType(att->atttypid))
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case UUIDOID:
		case BOOLOID:
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return true;
		case NUMERICOID:
			return att->atttypmod >= 0; /* all of one scale */
		case TEXTOID:
		case VARCHAROID:
			return get_collation_isdeterministic(att->attcollation);
		default:
			return type_is_enum(getBaseType(att->atttypid));
	}
}

/* Add one column, keeping the names in order. */
static void
add_column(IdemRowKey *key, Form_pg_attribute att)
{
	int			i = key->count++;
	bool		varlena;
	Oid			output;

	for (; i > 0 &&
		 strcmp(key->columns[i - 1].name, NameStr(att->attname)) > 0; i--)
		key->columns[i] = key->columns[i - 1];
	key->columns[i].number = att->attnum;
	key->columns[i].type = att->atttypid;
	key->columns[i].typmod = att->atttypmod;
	key->columns[i].name = pstrdup(NameStr(att->attname));
	getTypeOutputInfo(att->atttypid, &output, &varlena);
	fmgr_info(output, &key->columns[i].output);
	key->plain = key->plain && is_plain(att->atttypid);
	key->exact = key->exact && is_exact(att);
}

/* The key of a table, in the current memory context */
IdemRowKey *
idem_machine_key_of(Relation rel, AttrNumber state)
{
	Bitmapset  *columns = bms_del_member(idem_row_key_columns(rel), state);
	IdemRowKey *key = palloc0(sizeof(IdemRowKey));
	int			i = -1;

	key->columns = palloc0(sizeof(IdemRowKeyColumn) *
						   Max(bms_num_members(columns), 1));
	key->plain = key->exact = true;
	while ((i = bms_next_member(columns, i)) >= 0)
		add_column(key, TupleDescAttr(RelationGetDescr(rel), i - 1));
	return key;
}

static void
set_for_now(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

static int
pin_settings(void)
{
	int			level = NewGUCNestLevel();

	set_for_now("DateStyle", "ISO, YMD");
	set_for_now("IntervalStyle", "postgres");
	set_for_now("TimeZone", "UTC");
	set_for_now("extra_float_digits", "1");
	set_for_now("bytea_output", "hex");
	return level;
}

static char *
join_values(const IdemRowKey *key, char **texts)
{
	StringInfoData buf;
	int			i;

	if (key->count == 1)
		return texts[0];
	initStringInfo(&buf);
	for (i = 0; i < key->count; i++)
	{
		appendStringInfoString(&buf, i > 0 ? ", " : "{");
		escape_json(&buf, key->columns[i].name);
		appendStringInfoString(&buf, ": ");
		escape_json(&buf, texts[i]);
	}
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

/* The key as text; a primary key holds no null. */
char *
idem_machine_key_text(const IdemRowKey *key, const Datum *values)
{
	int			level = key->plain ? 0 : pin_settings();
	char	  **texts = palloc(sizeof(char *) * Max(key->count, 1));
	int			i;

	for (i = 0; i < key->count; i++)
		texts[i] = OutputFunctionCall(&key->columns[i].output, values[i]);
	if (level > 0)
		AtEOXact_GUC(false, level);
	return join_values(key, texts);
}

/* The same of a row */
char *
idem_machine_key_of_row(const IdemRowKey *key, TupleTableSlot *slot)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(key->count, 1));
	bool		isnull;
	int			i;

	for (i = 0; i < key->count; i++)
		values[i] = slot_getattr(slot, key->columns[i].number, &isnull);
	return idem_machine_key_text(key, values);
}

/* ---------- reading ---------- */

/* The values of a key that a caller gave as text; 22P02 if it is not one. */
Datum *
idem_machine_key_read(Relation rel, const IdemRowKey *key, char *str)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(key->count, 1));
	const char **names = palloc(sizeof(char *) * Max(key->count, 1));
	char	  **texts;
	int			i;

	for (i = 0; i < key->count; i++)
		names[i] = key->columns[i].name;
	texts = idem_row_key_texts(rel, names, key->count, str);
	for (i = 0; i < key->count; i++)
	{
		Oid			input;
		Oid			ioparam;

		getTypeInputInfo(key->columns[i].type, &input, &ioparam);
		values[i] = OidInputFunctionCall(input, texts[i], ioparam,
										 key->columns[i].typmod);
	}
	return values;
}
