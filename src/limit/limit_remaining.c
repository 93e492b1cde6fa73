/*
 * limit_remaining.c
 *		remaining(): what could still be taken from a parent.
 *
 * A reading function for screens and reports: it runs as the caller, with the
 * caller's rights and row security, under the snapshot of the query.  What it
 * returns may be gone a moment later; only the guard decides.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/keytext.h"
#include "base/moved.h"
#include "limit/limit.h"

/* The one limit trigger of the table: 42704 if none, 42P08 if several. */
static Trigger *
find_limit(Relation child)
{
	TriggerDesc *triggers = CopyTriggerDesc(child->trigdesc);
	Trigger    *found = NULL;
	int			i;

	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (!idem_total_is_readable(trigger, "keep_limit"))
			continue;
		if (found != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
					 errmsg("table \"%s\" has more than one limit",
							RelationGetRelationName(child)),
					 errhint("Read cap and running total from the parent.")));
		found = trigger;
	}
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" has no limit",
						RelationGetRelationName(child))));
	return found;
}

/*
 * SELECT (p.cap OPERATOR(pg_catalog.-) p.used
 *			OPERATOR(pg_catalog.-) p.excess)::pg_catalog.numeric	-- if any
 *	FROM schema.parent p WHERE p.key = CAST($1 AS type) AND ...
 */
static char *
remaining_sql(Relation parent, const IdemTotalKey *key, Trigger *limit)
{
	const char *used = idem_trigger_setting(limit, "used");
	const char *excess = idem_total_excess_column(parent, used);
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT (p.%s OPERATOR(pg_catalog.-) p.%s%s)::pg_catalog.numeric FROM %s p WHERE ",
					 quote_identifier(idem_trigger_setting(limit, "cap")),
					 quote_identifier(used), excess == NULL ? "" :
					 psprintf(" OPERATOR(pg_catalog.-) p.%s",
							  quote_identifier(excess)),
					 idem_qualified_name(parent));
	for (i = 0; i < key->n; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(parent),
											  key->parent_column[i] - 1);

		if (i > 0)
			appendStringInfoString(&sql, " AND ");
		generate_operator_clause(&sql,
								 psprintf("p.%s", quote_identifier(NameStr(att->attname))),
								 att->atttypid, key->equal_parent[i],
								 psprintf("CAST($%d AS %s)", i + 1,
										  idem_total_type_name(att->atttypid)),
								 att->atttypid);
	}
	return sql.data;
}

/* The texts of the key, one for each column of the foreign key. */
static Datum *
key_values(Relation parent, const IdemTotalKey *key, char *str)
{
	Datum	   *values = palloc(sizeof(Datum) * key->n);
	const char **names = palloc(sizeof(char *) * key->n);
	char	  **texts;
	int			i;

	for (i = 0; i < key->n; i++)
		names[i] = NameStr(TupleDescAttr(RelationGetDescr(parent),
										 key->parent_column[i] - 1)->attname);
	texts = idem_row_key_texts(parent, names, key->n, str);
	for (i = 0; i < key->n; i++)
		values[i] = CStringGetTextDatum(texts[i]);
	return values;
}

/*
 * remaining(child regclass, key text | anyelement) -> numeric
 *
 * NULL if the caller sees no such parent.
 */
PG_FUNCTION_INFO_V1(idem_remaining);
Datum
idem_remaining(PG_FUNCTION_ARGS)
{
	Relation	child = idem_open_named(PG_GETARG_OID(0));
	Trigger    *limit = find_limit(child);
	Relation	parent;
	IdemTotalKey key;
	Oid			types[INDEX_MAX_KEYS];
	Datum	   *values;
	Datum		result = (Datum) 0;
	bool		isnull = true;
	int			i;

	idem_total_find_key(idem_root_relid(child),
						idem_trigger_setting_list(limit, "fk"),
						ERRCODE_INVALID_OBJECT_DEFINITION, &key);
	for (i = 0; i < key.n; i++)
		types[i] = TEXTOID;
	parent = table_open(key.parent, AccessShareLock);
	values = key_values(parent, &key, idem_row_key_argument(fcinfo, 1, "key"));

	SPI_connect();
	if (SPI_execute_with_args(remaining_sql(parent, &key, limit), key.n, types,
							  values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read what remains of a limit");
	if (SPI_processed > 0)
		result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							   &isnull);
	if (!isnull)
		result = SPI_datumTransfer(result, false, -1);
	SPI_finish();
	table_close(parent, AccessShareLock);
	relation_close(child, AccessShareLock);

	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}
