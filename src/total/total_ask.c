/*
 * total_ask.c
 *		The amount that a parent has left, for screens and reports.
 *
 * Runs as the caller, with the caller's rights and row security, under the
 * snapshot of the query.  The answer may be out of date a moment later; only
 * the guard decides.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/keytext.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/moved.h"
#include "base/named.h"
#include "base/qualified.h"
#include "base/settings_known.h"
#include "total/total_rows.h"
#include "total/total_source.h"
#include "total/total_sql.h"
#include "total/total_type.h"

/*
 * The guard of the table whose trigger calls the function, and its foreign
 * key: 42704 if there is none, 42P08 if there are several, unless they share
 * one total.
 */
static IdemTotalSource *
find_guard(Relation child, const char *function)
{
	const char *kind = NULL;
	IdemTotalSource *found = NULL;
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(child))
	{
		const IdemGuardTrigger *trigger = lfirst(lc);
		List	   *settings = trigger->guard->settings;
		IdemTotalSource *source;

		if (strcmp(trigger->kind->function, function) != 0 ||
			idem_settings_problem(settings, trigger->kind->settings) != NULL)
			continue;
		source = idem_total_read_source(settings, idem_root_relid(child));
		if (found != NULL && (found->key.parent != source->key.parent ||
							  strcmp(found->total, source->total) != 0))
			ereport(ERROR,
					(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
					 errmsg("table \"%s\" has more than one %s",
							RelationGetRelationName(child),
							trigger->kind->kind),
					 errhint("Read the running total from the parent.")));
		found = source;
	}
	foreach(lc, idem_all_kinds())
	{
		if (strcmp(((IdemGuardKind *) lfirst(lc))->function, function) == 0)
			kind = ((IdemGuardKind *) lfirst(lc))->kind;
	}
	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" has no %s",
						RelationGetRelationName(child), kind)));
	return found;
}

/*
 * SELECT (<expression>)::pg_catalog.numeric
 *	FROM schema.parent p WHERE p.key = CAST($1 AS type) AND ...
 */
static char *
ask_sql(Relation parent, const IdemTotalKey *key, const char *expression)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT (%s)::pg_catalog.numeric FROM %s p WHERE ",
					 expression, idem_qualified_name(parent));
	for (i = 0; i < key->n; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(parent),
											  key->parent_column[i] - 1);

		if (i > 0)
			appendStringInfoString(&sql, " AND ");
		generate_operator_clause(&sql,
								 idem_total_column_sql("p",
													   NameStr(att->attname)),
								 att->atttypid, key->equal_parent[i],
								 psprintf("CAST($%d AS %s)", i + 1,
										  idem_total_type_name(att->atttypid)),
								 att->atttypid);
	}
	return sql.data;
}

/* The texts of the key, one for each column of the foreign key. */
static Datum *
key_values(Relation parent, const IdemTotalKey *key, char *text)
{
	Datum	   *values = palloc(sizeof(Datum) * key->n);
	const char **names = palloc(sizeof(char *) * key->n);
	char	  **texts;
	int			i;

	for (i = 0; i < key->n; i++)
		names[i] = NameStr(TupleDescAttr(RelationGetDescr(parent),
										 key->parent_column[i] - 1)->attname);
	texts = idem_row_key_texts(parent, names, key->n, text);
	for (i = 0; i < key->n; i++)
		values[i] = CStringGetTextDatum(texts[i]);
	return values;
}

/*
 * A number that an expression says of the parent p of a key, which is the
 * second argument, text or another type; the first is the child table, whose
 * guard is the one of that function.  NULL if the caller sees no such parent.
 */
Datum
idem_total_ask(FunctionCallInfo fcinfo, const char *function,
			   IdemTotalExpression expression)
{
	Relation	child = idem_open_named(PG_GETARG_OID(0));
	IdemTotalSource *source = find_guard(child, function);
	IdemTotalKey *key = &source->key;
	Relation	parent = table_open(key->parent, AccessShareLock);
	Datum	   *values = key_values(parent, key,
									idem_row_key_argument(fcinfo, 1, "key"));
	Oid			types[INDEX_MAX_KEYS];
	Datum		result = (Datum) 0;
	bool		isnull = true;
	int			i;

	for (i = 0; i < key->n; i++)
		types[i] = TEXTOID;
	SPI_connect();
	if (SPI_execute_with_args(ask_sql(parent, key, expression(parent, source)),
							  key->n, types, values, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read what remains");
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
