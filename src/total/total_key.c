/*
 * total_key.c
 *		The foreign key a total rides on.
 *
 * The parent is found by the foreign key, never by name, so that renamed
 * tables keep their limit.  The key must be one that holds at every moment
 * and never moves a child by itself: not deferrable, validated, NO ACTION or
 * RESTRICT, and no part of it may be NULL.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/citus.h"
#include "base/column.h"
#include "base/idem_compat.h"
#include "base/kind_guard.h"
#include "base/settings.h"
#include "base/settings_write.h"
#include "total/total_key.h"

/* Does the foreign key in tuple have exactly these columns, in any order? */
static bool
has_columns(HeapTuple tuple, List *columns, IdemTotalKey *key)
{
	Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tuple);
	Oid			equal_child[INDEX_MAX_KEYS];
	int			i;

	DeconstructFkConstraintRow(tuple, &key->n, key->child_column,
							   key->parent_column, key->equal_child,
							   key->equal_parent, equal_child, NULL, NULL);
	if (key->n != list_length(columns))
		return false;
	for (i = 0; i < key->n; i++)
	{
		char	   *name = get_attname(con->conrelid, key->child_column[i],
									   false);
		bool		found = false;
		ListCell   *lc;

		foreach(lc, columns)
			found |= strcmp(lfirst(lc), name) == 0;
		if (!found)
			return false;
	}
	return true;
}

static const char own_table[] = "references its own table";

/*
 * The reason why this foreign key does not fit a guard, as the end of a
 * sentence; NULL: it does.  Citus leaves copies unvalidated of some that are
 * valid.
 */
static const char *
unfit(Form_pg_constraint con)
{
	if (con->condeferrable)
		return "is deferrable";
	if (!con->convalidated && !idem_citus_made(con->conrelid))
		return "is not validated";
	if (con->confdeltype != FKCONSTR_ACTION_NOACTION &&
		con->confdeltype != FKCONSTR_ACTION_RESTRICT)
		return "has an ON DELETE action that changes children; only NO ACTION and RESTRICT do not";
	if (con->confupdtype != FKCONSTR_ACTION_NOACTION &&
		con->confupdtype != FKCONSTR_ACTION_RESTRICT)
		return "has an ON UPDATE action that changes children; only NO ACTION and RESTRICT do not";
	if (idem_constraint_has_period(con))
		return "compares a PERIOD";
	if (con->confrelid == con->conrelid)
		return own_table;
	return NULL;
}

/* A child without a parent would be a child without a limit. */
static void
check_not_null(const IdemTotalKey *key, int sqlstate)
{
	int			i;

	for (i = 0; i < key->n; i++)
	{
		HeapTuple	tuple = SearchSysCache2(ATTNUM,
											ObjectIdGetDatum(key->child),
											Int16GetDatum(key->child_column[i]));
		Form_pg_attribute att;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for attribute %d of relation %u",
				 key->child_column[i], key->child);
		att = (Form_pg_attribute) GETSTRUCT(tuple);
		if (!att->attnotnull ||
			!idem_not_null_validated(key->child, key->child_column[i]))
			ereport(ERROR,
					(errcode(sqlstate),
					 errmsg("foreign key column \"%s\" of table \"%s\" can be null",
							NameStr(att->attname), get_rel_name(key->child)),
					 errhint("Declare it NOT NULL.")));
		ReleaseSysCache(tuple);
	}
}

/* The foreign keys of a table on exactly these columns, at a snapshot */
typedef struct FoundKeys
{
	int			n;				/* how many there are */
	IdemTotalKey key;			/* the last of them */
	const char *flaw;			/* of one that cannot carry a guard, or NULL */
	NameData	flawed;			/* its name */
} FoundKeys;

static void
find_keys(Oid child, List *columns, Snapshot snapshot, FoundKeys *found)
{
	Relation	pg_constraint;
	ScanKeyData scankey;
	SysScanDesc scan;
	HeapTuple	tuple;

	memset(found, 0, sizeof(FoundKeys));
	pg_constraint = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyInit(&scankey, Anum_pg_constraint_conrelid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(child));
	scan = systable_beginscan(pg_constraint, ConstraintRelidTypidNameIndexId,
							  true, snapshot, 1, &scankey);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tuple);
		IdemTotalKey candidate;

		/* a key of one partition, or the part of one, is not the key */
		if (con->contype != CONSTRAINT_FOREIGN ||
			OidIsValid(con->conparentid) ||
			!has_columns(tuple, columns, &candidate))
			continue;
		if (unfit(con) != NULL)
		{
			found->flaw = unfit(con);
			found->flawed = con->conname;
		}
		found->key = candidate;
		found->key.child = child;
		found->key.bound = child;
		found->key.parent = con->confrelid;
		found->key.index = con->conindid;
		found->key.name = con->conname;
		found->n++;
	}
	systable_endscan(scan);
	table_close(pg_constraint, AccessShareLock);
}

/*
 * Find the foreign key of the table on exactly these columns; sqlstate says
 * how to refuse: 42P17 for a declaration, 39P01 for a trigger that fired.
 */
void
idem_total_find_key(Oid child, List *columns, int sqlstate, IdemTotalKey *key)
{
	FoundKeys	found;

	find_keys(child, columns, NULL, &found);
	if (found.flaw != NULL)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("foreign key \"%s\" of table \"%s\" cannot carry a guard",
						NameStr(found.flawed), get_rel_name(child)),
				 errdetail("It %s.", found.flaw)));
	if (found.n != 1)
		ereport(ERROR,
				(errcode(sqlstate),
				 found.n == 0 ?
				 errmsg("table \"%s\" has no foreign key on exactly %s",
						get_rel_name(child), idem_list_text(columns)) :
				 errmsg("table \"%s\" has several foreign keys on %s",
						get_rel_name(child), idem_list_text(columns)),
				 errdetail("The parent is found by the foreign key.")));
	*key = found.key;
	key->bound = idem_citus_shell(child);
	check_not_null(key, sqlstate);
}

/*
 * The foreign key by which a row of the table names another one of it, in one
 * column that may be NULL; the same refusals.
 */
void
idem_total_find_own_key(Oid child, const char *column, int sqlstate,
						IdemTotalKey *key)
{
	FoundKeys	found;

	find_keys(child, list_make1(unconstify(char *, column)), NULL, &found);
	if (found.n != 1 || found.key.parent != child)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("table \"%s\" has no foreign key on \"%s\" that references the table itself",
						get_rel_name(child), column)));
	if (found.flaw != own_table)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("foreign key \"%s\" of table \"%s\" cannot name another row",
						NameStr(found.flawed), get_rel_name(child)),
				 errdetail("It %s.", found.flaw)));
	*key = found.key;
}

/* What is wrong with such a key, or NULL. */
char *
idem_total_own_key_problem(Oid relid, const char *column, Snapshot snapshot)
{
	FoundKeys	found;

	find_keys(relid, list_make1(unconstify(char *, column)), snapshot, &found);
	if (found.n != 1 || found.key.parent != relid)
		return psprintf("column %s has no foreign key of its own that references the table itself",
						quote_identifier(column));
	if (found.flaw != own_table)
		return psprintf("foreign key %s cannot name another row: it %s",
						quote_identifier(NameStr(found.flawed)), found.flaw);
	return NULL;
}

/*
 * What is wrong with the foreign key that carries a guard, or NULL; NOT NULL
 * is looked at elsewhere (doctor_intact.c).
 */
char *
idem_total_key_problem(const IdemGuard *guard, Snapshot snapshot)
{
	List	   *columns = idem_setting_list(guard->settings, "fk");
	FoundKeys	found;

	find_keys(guard->relid, columns, snapshot, &found);
	if (found.flaw != NULL)
		return psprintf("foreign key %s cannot carry the guard: it %s",
						quote_identifier(NameStr(found.flawed)), found.flaw);
	if (found.n == 1)
		return NULL;
	return psprintf(found.n == 0 ? "there is no foreign key on exactly %s" :
					"there are several foreign keys on %s",
					idem_list_text(columns));
}

/* The names of the parent's key columns, in the order of the key. */
List *
idem_total_parent_columns(const IdemTotalKey *key)
{
	List	   *names = NIL;
	int			i;

	for (i = 0; i < key->n; i++)
		names = lappend(names, get_attname(key->parent,
										   key->parent_column[i], false));
	return names;
}

/* Those of the child, in the same order: fk= of both triggers. */
List *
idem_total_child_columns(const IdemTotalKey *key)
{
	List	   *names = NIL;
	int			i;

	for (i = 0; i < key->n; i++)
		names = lappend(names, get_attname(key->child, key->child_column[i],
										   false));
	return names;
}

/* A child table may have several foreign keys to one parent. */
bool
idem_total_same_key(const IdemTotalKey *a, const IdemTotalKey *b)
{
	return a->child == b->child &&
		strcmp(NameStr(a->name), NameStr(b->name)) == 0;
}

/*
 * 42804 unless the values of child can be compared with those of the parent
 * as they are, for the counterpart does so in memory.
 */
void
idem_total_check_key_types(Relation child, const IdemTotalKey *key)
{
	int			i;

	for (i = 0; i < key->n; i++)
	{
		const char *name = get_attname(key->child, key->child_column[i], false);
		AttrNumber	column = idem_column_number(child, name);
		Oid			left;
		Oid			right;

		op_input_types(key->equal_child[i], &left, &right);
		if (!IsBinaryCoercible(TupleDescAttr(RelationGetDescr(child),
											 column - 1)->atttypid, right))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("foreign key column \"%s\" of table \"%s\" has another type than the column it references",
							name, RelationGetRelationName(child)),
					 errhint("Give both columns the same type."),
					 errtablecol(child, column)));
	}
}

/*
 * p.key = <other> AND ... with the operators of the foreign key, where p is
 * the parent.  other names what is compared by its place in the key, as
 * "t.k%d" or "$%d"; NULL: the columns of the child c.
 */
char *
idem_total_join_sql(const IdemTotalKey *key, const char *other)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < key->n; i++)
	{
		char	   *parent = get_attname(key->parent, key->parent_column[i],
										 false);
		char	   *child = get_attname(key->child, key->child_column[i],
										false);

		if (i > 0)
			appendStringInfoString(&sql, " AND ");
		generate_operator_clause(&sql,
								 psprintf("p.%s", quote_identifier(parent)),
								 get_atttype(key->parent,
											 key->parent_column[i]),
								 key->equal_child[i],
								 other != NULL ? psprintf(other, i + 1) :
								 psprintf("c.%s", quote_identifier(child)),
								 get_atttype(key->child, key->child_column[i]));
	}
	return sql.data;
}
