/*
 * bound_key.c
 *		The key that a row names.
 *
 * A single column is the key as it is: text byte for byte, a uuid as the server
 * writes it, an integer in decimal digits.  Several columns make a key as
 * idem.key() does of their texts, in the order of the declaration.  So what a
 * client claims and what the row says are compared as bytes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "base/column.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/right.h"
#include "base/row.h"
#include "bound/bound.h"
#include "key/key.h"

/* bytes that the text of a value other than text takes */
#define VALUE_BYTES	(2 * UUID_LEN + 5)

/* How values of a type are written in a key; false: they cannot be in one. */
bool
idem_bound_form(Oid type, BoundForm *form)
{
	switch (getBaseType(type))
	{
		case TEXTOID:
		case VARCHAROID:
			*form = BOUND_TEXT;
			return true;
		case UUIDOID:
			*form = BOUND_UUID;
			return true;
		case INT2OID:
			*form = BOUND_INT2;
			return true;
		case INT4OID:
			*form = BOUND_INT4;
			return true;
		case INT8OID:
			*form = BOUND_INT8;
			return true;
		default:
			return false;
	}
}

/* The key of a table by the names of its columns, in current memory. */
void
idem_bound_key_compile(Relation rel, List *columns, BoundKey *key)
{
	ListCell   *lc;

	key->ncolumns = 0;
	key->column = palloc(sizeof(BoundColumn) * list_length(columns));
	foreach(lc, columns)
	{
		BoundColumn *column = &key->column[key->ncolumns++];

		column->attnum = idem_column_number(rel, lfirst(lc));
		if (!idem_bound_form(TupleDescAttr(RelationGetDescr(rel),
										   column->attnum - 1)->atttypid,
							 &column->form))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("column \"%s\" of table \"%s\" cannot be part of an idempotency key",
							(char *) lfirst(lc), RelationGetRelationName(rel)),
					 errhint("It is of type text, varchar, uuid, smallint, integer or bigint."),
					 errtablecol(rel, column->attnum)));
	}
}

static int
write_uuid(const pg_uuid_t *uuid, char *buf)
{
	static const char digits[] = "0123456789abcdef";
	char	   *p = buf;
	int			i;

	for (i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = digits[uuid->data[i] >> 4];
		*p++ = digits[uuid->data[i] & 15];
	}
	return p - buf;
}

/* The text of a value, and its length; buf has VALUE_BYTES. */
static const char *
value_text(BoundForm form, Datum value, char *buf, int *len)
{
	text	   *given;

	switch (form)
	{
		case BOUND_TEXT:
			given = DatumGetTextPP(value);
			*len = VARSIZE_ANY_EXHDR(given);
			return VARDATA_ANY(given);
		case BOUND_UUID:
			*len = write_uuid(DatumGetUUIDP(value), buf);
			break;
		case BOUND_INT2:
			*len = pg_itoa(DatumGetInt16(value), buf);
			break;
		case BOUND_INT4:
			*len = pg_ltoa(DatumGetInt32(value), buf);
			break;
		case BOUND_INT8:
			*len = pg_lltoa(DatumGetInt64(value), buf);
			break;
	}
	return buf;
}

/*
 * The key of a row by the values of the key's columns, none of them null, in
 * current memory.  22I01 for a part that idem.key() would refuse.
 */
text *
idem_bound_key_make(const BoundKey *key, const Datum *values)
{
	StringInfoData parts;
	char		buf[VALUE_BYTES];
	const char *part;
	int			len;
	int			i;

	if (key->ncolumns == 1)
	{
		if (key->column[0].form == BOUND_TEXT)
			return DatumGetTextPP(values[0]);
		part = value_text(key->column[0].form, values[0], buf, &len);
		return cstring_to_text_with_len(part, len);
	}
	initStringInfo(&parts);
	for (i = 0; i < key->ncolumns; i++)
	{
		part = value_text(key->column[i].form, values[i], buf, &len);
		idem_key_append(&parts, i + 1, part, len);
	}
	return cstring_to_text_with_len(parts.data, parts.len);
}

/* The key of a stored row: 23502 if a column of it is null. */
text *
idem_bound_key_of(const BoundKey *key, Relation rel, TupleTableSlot *slot)
{
	Datum		one;
	Datum	   *values = key->ncolumns == 1 ? &one :
		palloc(sizeof(Datum) * key->ncolumns);
	bool		isnull;
	int			i;

	for (i = 0; i < key->ncolumns; i++)
	{
		AttrNumber	attnum = key->column[i].attnum;

		values[i] = slot_getattr(slot, attnum, &isnull);
		if (isnull)
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("row of table \"%s\" has no key: column \"%s\" is null",
							RelationGetRelationName(rel),
							NameStr(TupleDescAttr(RelationGetDescr(rel),
												  attnum - 1)->attname)),
					 errhint("Declare the column NOT NULL."),
					 errtablecol(rel, attnum)));
	}
	return idem_bound_key_make(key, values);
}

/*
 * What is wrong with the key that these values make, as the end of a sentence,
 * or NULL: the same that idem_bound_key_make() and idem_key_check() refuse.
 */
const char *
idem_bound_key_flaw(const BoundKey *key, const IdemScope *form,
					const Datum *values)
{
	char		buf[VALUE_BYTES];
	int			i;

	for (i = 0; i < key->ncolumns && key->ncolumns > 1; i++)
	{
		int			len;
		const char *part = value_text(key->column[i].form, values[i], buf,
									  &len);
		const char *flaw = idem_key_part_flaw(part, len);

		if (flaw != NULL)
			return flaw;
	}
	return idem_key_flaw(form, idem_bound_key_make(key, values));
}

/* key "msg-1", for someone who may read the row */
const char *
idem_bound_shown_key(Relation rel, const text *key)
{
	int			len = VARSIZE_ANY_EXHDR(key);

	if (!idem_may_read(rel))
		return "its key";
	if (len <= IDEM_KEY_BYTES_MAX)
		return psprintf("key \"%.*s\"", len, VARDATA_ANY(key));
	return psprintf("key \"%.*s...\"",
					pg_mbcliplen(VARDATA_ANY(key), len, IDEM_KEY_BYTES_MAX),
					VARDATA_ANY(key));
}

/* 23I07 if a column changed that stays as it was written. */
void
idem_bound_refuse_changed(const IdemGuardCall *call, AttrNumber attnum,
						  const char *hint)
{
	if (!idem_same_image(call->rel, attnum, call->before, call->after))
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_FIXED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" is fixed and cannot be changed",
						NameStr(TupleDescAttr(RelationGetDescr(call->rel),
											  attnum - 1)->attname),
						RelationGetRelationName(call->rel)),
				 errhint("%s", hint),
				 errtablecol(call->rel, attnum),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
									call->trigger->tgname)));
}

/* The same for the columns of a key. */
void
idem_bound_refuse_other_key(const IdemGuardCall *call, const BoundKey *key,
							const char *hint)
{
	int			i;

	for (i = 0; i < key->ncolumns; i++)
		idem_bound_refuse_changed(call, key->column[i].attnum, hint);
}
