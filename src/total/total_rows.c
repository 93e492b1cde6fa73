/*
 * total_rows.c
 *		Do the totals agree with the sums of the children?
 *
 * The guard counts rows that are written while it stands.  The checks here
 * read rows that may have come in another way: all of them, for the doctor;
 * those of a table that becomes a partition, which must have been counted
 * before; those of a partition that is detached, which would stay counted.
 *
 * Child and parent are read once, restricted, under one snapshot, as the
 * owner of the parent, as whom no code of the child's owner may run: a
 * state is read by the output function of its type, for which a cast of
 * somebody's making cannot stand in, and amounts have one of the types that a
 * total is kept in.  Rows that only have to be counted are read as the owner
 * of the table that has them.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_inherits.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/again.h"
#include "base/column.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/qualified.h"
#include "base/row.h"
#include "base/rows.h"
#include "base/settings.h"
#include "base/settings_write.h"
#include "total/total_keep.h"
#include "total/total_rows.h"
#include "total/total_source.h"
#include "total/total_sql.h"
#include "total/total_type.h"

/* c.fk AS k1, ... */
static char *
child_keys_sql(const IdemTotalKey *key)
{
	StringInfoData sql;
	List	   *names = idem_total_child_columns(key);
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < key->n; i++)
		appendStringInfo(&sql, "%s%s AS k%d", i > 0 ? ", " : "",
						 idem_total_column_sql("c", list_nth(names, i)),
						 i + 1);
	return sql.data;
}

/* This guard, and after it the others that share its total. */
List *
idem_total_sharing(IdemTotalSource *source, Relation parent)
{
	List	   *sources = list_make1(source);
	ListCell   *lc;

	foreach(lc, idem_total_sources(parent, source->total))
	{
		IdemTotalSource *other = lfirst(lc);

		if (!idem_total_same_key(&other->key, &source->key))
			sources = lappend(sources, other);
	}
	return sources;
}

/* concat_ws(', ', p.a, p.b) */
char *
idem_total_concat_sql(const char *table, List *names)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "pg_catalog.concat_ws(', '");
	foreach(lc, names)
		appendStringInfo(&sql, ", %s",
						 idem_total_column_sql(table, lfirst(lc)));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* The same of the key that children reference. */
char *
idem_total_key_sql(const IdemTotalKey *key)
{
	return idem_total_concat_sql("p", idem_total_parent_columns(key));
}

/* The same of the primary key of a table. */
char *
idem_row_key_sql(Relation rel, const char *table)
{
	Bitmapset  *key = idem_row_key_columns(rel);
	List	   *names = NIL;
	int			i = -1;

	while ((i = bms_next_member(key, i)) >= 0)
		names = lappend(names, NameStr(TupleDescAttr(RelationGetDescr(rel),
													 i - 1)->attname));
	return idem_total_concat_sql(table, names);
}

/*
 * The type of a column that holds amounts, which decides what code "sum" and
 * "=" run: 42804 if it is none that a total is kept in.
 */
static Oid
amount_type(Oid relid, const char *column)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	Oid			type = idem_column_base_type(rel,
											 idem_column_number(rel, column),
											 NULL);

	if (!idem_amount_type_supported(type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" has type %s, in which no total is kept",
						column, RelationGetRelationName(rel),
						format_type_be(type))));
	relation_close(rel, NoLock);
	return type;
}

/*
 * SELECT count(*), min(<example of x>)
 *	FROM (SELECT key AS key, <columns of p and t>
 *		  FROM parent p <among> LEFT JOIN (sums) t ON p.key = t.k1 ...) x
 *	WHERE <x differs>
 *
 * among is a join that leaves some of the parents, or empty.  NULL if none
 * differs, else how many do and what it is that does.
 */
char *
idem_total_compare(const IdemTotalSource *source, Relation parent,
				   const char *among, const IdemTotalComparison *how)
{
	(void) amount_type(source->key.child, source->amount);
	(void) amount_type(source->key.parent, source->total);
	return idem_count_offenders(parent,
								psprintf("SELECT count(*), min((%s) COLLATE \"C\") FROM (SELECT %s AS key, %s FROM %s p %s LEFT JOIN (%s) t ON %s) x WHERE %s",
										 how->example,
										 idem_total_key_sql(&source->key),
										 how->columns,
										 idem_qualified_name(parent), among,
										 how->sums,
										 idem_total_join_sql(&source->key, "t.k%d"),
										 how->differs),
								(Datum) 0,
								psprintf("of table \"%s\" whose %s",
										 RelationGetRelationName(parent),
										 how->what));
}

/*
 * Parents of which facts took more than there was, as a column says that a
 * setting of the guard names: lawful, and a loss.  example and what are the
 * words for it.
 */
char *
idem_total_check_losses(const IdemGuard *guard, const char *setting,
						const char *example, const char *what)
{
	const char *name = idem_setting(guard->settings, setting);
	IdemTotalSource *source;
	Relation	parent;
	const char *column;
	char	   *finding;

	if (name == NULL)
		return NULL;
	source = idem_total_read_source(guard->settings, guard->relid);
	parent = relation_open(source->key.parent, AccessShareLock);
	column = idem_total_column_sql("p", name);
	finding = idem_count_offenders(parent,
								   psprintf("SELECT count(*), min(format('%%s: %%s %s', %s, %s) COLLATE \"C\") FROM %s p WHERE %s > '0'",
											example,
											idem_total_key_sql(&source->key),
											column,
											idem_qualified_name(parent),
											column),
								   (Datum) 0,
								   psprintf("of table \"%s\" of which %s",
											RelationGetRelationName(parent),
											what));
	relation_close(parent, AccessShareLock);
	return finding;
}

/* How many rows of a table, its own, are there, or count? */
static char *
count_children(const IdemGuard *guard, Oid rows, const char *condition)
{
	Relation	child = relation_open(rows, AccessShareLock);
	char	   *finding;

	finding = idem_count_offenders(child,
								   psprintf("SELECT count(*), NULL::text FROM %s c WHERE %s",
											idem_qualified_name(child),
											condition),
								   (Datum) 0, psprintf("counting against a %s",
													   guard->kind->kind));
	relation_close(child, AccessShareLock);
	return finding;
}

/* c.tableoid = ANY ('{...}'): the rows of a table and of its partitions */
char *
idem_total_stored_in_sql(Oid rows)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, find_all_inheritors(rows, AccessShareLock, NULL))
		appendStringInfo(&sql, "%s%u",
						 sql.len > 0 ? "," : "c.tableoid = ANY ('{",
						 lfirst_oid(lc));
	appendStringInfoString(&sql, "}'::pg_catalog.oid[])");
	return sql.data;
}

/*
 * A join that leaves the parents of children that become a partition, which
 * must have counted them before; NULL: there are no such children.  The sums
 * are read as the owner of the parent, who may read the child table and not
 * necessarily the new partition by its own name.
 */
char *
idem_total_attached_sql(const IdemTotalSource *source, const IdemGuard *guard,
						Oid rows)
{
	if (count_children(guard, rows, "true") == NULL)
		return NULL;
	return psprintf("JOIN (SELECT DISTINCT %s FROM %s c WHERE %s) r ON %s",
					child_keys_sql(&source->key),
					idem_qualified_name_of(guard->relid),
					idem_total_stored_in_sql(rows),
					idem_total_join_sql(&source->key, "r.k%d"));
}

/* Children that leave the table would stay counted. */
char *
idem_total_check_detached(const IdemGuard *guard, Oid rows)
{
	IdemTotalSource *source = idem_total_read_source(guard->settings,
													 guard->relid);

	return count_children(guard, rows, idem_total_counted_sql(source));
}

/* What an attached parent has it cannot have by children of this table. */
char *
idem_total_check_attached_parents(const IdemGuard *guard, Oid rows)
{
	const char *kept = idem_total_kept_by(guard);
	Relation	parent = relation_open(rows, AccessShareLock);
	char	   *type = format_type_be_qualified(amount_type(rows, kept));
	char	   *finding;

	finding = idem_count_offenders(parent,
								   psprintf("SELECT count(*), NULL::text FROM %s p WHERE p.%s IS DISTINCT FROM '0'::%s",
											idem_qualified_name(parent),
											quote_identifier(kept), type),
								   (Datum) 0,
								   psprintf("whose running total \"%s\" is not zero, without a child",
											kept));
	relation_close(parent, AccessShareLock);
	return finding;
}

/*
 * The declaration of a guard with a counterpart, which alone says whether the
 * cap may grow.
 */
char *
idem_total_declaration(const IdemGuard *guard)
{
	IdemTotalSource *source =
		idem_total_read_source(guard->settings, guard->relid);
	Relation	parent = relation_open(source->key.parent, AccessShareLock);
	IdemGuard  *counterpart = idem_find_counterpart(parent, guard);
	const char *grows = counterpart == NULL ? NULL :
		idem_setting(counterpart->settings, "cap_grows");
	List	   *settings = list_copy(guard->settings);

	relation_close(parent, NoLock);
	if (grows != NULL)
		settings = idem_settings_add(settings, "cap_grows", grows);
	return idem_guard_declaration(guard, settings);
}
