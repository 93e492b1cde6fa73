/*
 * total_declare.c
 *		Putting a guard that keeps a total on a table.
 *
 * Checks everything the guard relies on, adds the totals to the parent if they
 * are not there, fills them from the children that count, and only then arms
 * both tables.  Rows that already break the guard are refused and named in
 * DETAIL.  The room that declares the guard provides its settings, columns,
 * sums and CHECKs.
 *
 * Locked until the end of the transaction: child, then parent, SHARE ROW
 * EXCLUSIVE (writers wait, readers do not) while the rows are read and the
 * totals filled.  ACCESS EXCLUSIVE on the parent from ADD COLUMN on, where a
 * column is added, which comes first; where its columns are there already,
 * with DEFAULT 0 and NOT NULL, only from ADD CHECK on, which is the last step
 * and reads nothing: NOT VALID on a parent that has rows.  validate_guard()
 * reads them later under SHARE UPDATE EXCLUSIVE, while others write.  Other
 * child tables that share the total are not locked: what they count is behind
 * the lock of the parent.
 *
 * Rows are read under the latest snapshot, because that of a REPEATABLE READ
 * transaction may be older than the locks.
 *
 * Everything on the parent runs as its owner, everything on the child as
 * its own.  Where the owners differ the parent's needs SELECT and TRIGGER on
 * the child, and is told so by the server.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/again.h"
#include "base/change.h"
#include "base/column.h"
#include "base/declare.h"
#include "base/identity.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/qualified.h"
#include "base/settings.h"
#include "total/total_declare.h"
#include "total/total_rows.h"
#include "total/total_type.h"

/*
 * Run one ALTER TABLE on the parent, which refuses a table that is open; the
 * lock stays.
 */
static void
alter_parent(IdemTotalDeclaration *d, const char *change)
{
	char	   *table = idem_qualified_name(d->parent);

	table_close(d->parent, NoLock);
	idem_execute("ALTER TABLE %s %s", table, change);
	d->parent = table_open(d->of.key.parent, NoLock);
}

/* a, b */
static char *
list_sql(List *parts)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, parts)
		appendStringInfo(&sql, "%s%s", sql.len > 0 ? ", " : "",
						 (char *) lfirst(lc));
	return sql.data;
}

/* Has the parent no rows that a CHECK would have to read? */
static bool
has_no_rows(IdemTotalDeclaration *d)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(d->of.key.parent, NoLock, NULL))
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);
		bool		empty = !RELKIND_HAS_STORAGE(rel->rd_rel->relkind) ||
			RelationGetNumberOfBlocks(rel) == 0;

		table_close(rel, NoLock);
		if (!empty)
			return false;
	}
	return true;
}

/*
 * A CHECK for a column that is kept, unless another guard that shares the
 * column brought it.
 */
void
idem_total_add_check(IdemTotalDeclaration *d, const char *column,
					 const char *condition)
{
	char	   *name = idem_check_name(d->how->kind, column);

	if (OidIsValid(get_relation_constraint_oid(d->of.key.parent, name, true)))
		return;
	d->finish = lappend(d->finish,
						psprintf("ADD CONSTRAINT %s CHECK ((%s) IS TRUE)%s",
								 quote_identifier(name), condition,
								 has_no_rows(d) ? "" : " NOT VALID"));
}

/* The same in the place of the one that is there. */
void
idem_total_replace_check(IdemTotalDeclaration *d, const char *column,
						 const char *condition)
{
	const char *name = quote_identifier(idem_check_name(d->how->kind, column));

	d->finish = lappend(d->finish, psprintf("DROP CONSTRAINT %s", name));
	d->finish = lappend(d->finish,
						psprintf("ADD CONSTRAINT %s CHECK ((%s) IS TRUE)%s",
								 name, condition,
								 has_no_rows(d) ? "" : " NOT VALID"));
}

/* Columns, totals and counterpart, as the owner of the parent. */
static void
make_parent(IdemTotalDeclaration *d)
{
	IdemIdentity saved;

	idem_become_declarer(d->parent, &saved);
	idem_see_every_row();
	d->how->check_rows(d);
	if (d->missing != NIL)
		alter_parent(d, list_sql(d->missing));
	d->how->fill(d);
	table_close(d->parent, NoLock);
	idem_create_bound_trigger(d->of.key.parent, d->of.key.child,
							  d->parent_name, "INSERT OR UPDATE OR DELETE",
							  d->how->counterpart, d->how->parent_settings(d));
	d->parent = table_open(d->of.key.parent, NoLock);
	idem_restore_identity(&saved);
}

static void
make_child(IdemTotalDeclaration *d)
{
	IdemIdentity saved;

	idem_become_declarer(d->child, &saved);
	table_close(d->child, NoLock);
	idem_create_row_trigger(d->of.key.child, d->name,
							"INSERT OR UPDATE OR DELETE", d->how->function,
							d->how->settings(d));
	idem_create_statement_triggers(d->of.key.child, d->name);
	idem_restore_identity(&saved);
}

/*
 * 39P01 unless the totals are what they were filled with, where a trigger of
 * the parent could have seen to something else.
 */
static void
require_filled(IdemTotalDeclaration *d)
{
	const IdemGuardKind *kind = idem_kind_named(d->how->kind);
	IdemGuard	guard = {d->of.key.child, d->name, kind, d->of.settings};
	char	   *finding;

	if (!idem_total_may_suppress(d->of.key.parent))
		return;
	finding = kind->check_rows(&guard, guard.relid);
	if (finding != NULL)
		idem_total_refuse_filled(d->parent, d->of.total,
								 psprintf("it has %s", finding));
}

/* Steps that take ACCESS EXCLUSIVE come last. */
static void
finish_parent(IdemTotalDeclaration *d)
{
	IdemIdentity saved;

	idem_become_declarer(d->parent, &saved);
	d->how->add_checks(d);
	if (d->finish != NIL)
		alter_parent(d, list_sql(d->finish));
	table_close(d->parent, NoLock);
	idem_restore_identity(&saved);
}

/*
 * The trigger on the child is named after the foreign key, in upper case so
 * that it fires before RI_ConstraintTrigger: who takes the foreign key's KEY
 * SHARE first and changes the parent afterwards shares the row with everybody
 * who waits for it, in a multixact that each of them has to expand.  The one on
 * the parent is named after the child table and its foreign key.
 */
static void
name_triggers(IdemTotalDeclaration *d)
{
	d->name = idem_free_trigger_name(d->of.key.child,
									 psprintf("IDEM_%s", d->how->kind),
									 d->of.fk);
	d->parent_name =
		idem_free_trigger_name(d->of.key.parent,
							   psprintf("idem_%s_total", d->how->kind),
							   list_concat(list_make1(RelationGetRelationName(d->child)),
										   d->of.fk));
}

static void
find_key(Relation child, IdemTotalDeclaration *d)
{
	idem_total_find_key(RelationGetRelid(child), d->of.fk,
						ERRCODE_INVALID_OBJECT_DEFINITION, &d->of.key);
	d->of.fk = idem_total_child_columns(&d->of.key);
}

/* Does the child have this guard, and the parent its side of it? */
static bool
guard_stands(Relation child, void *declaration)
{
	IdemTotalDeclaration *d = declaration;
	Relation	parent;
	bool		stands;

	find_key(child, d);
	idem_check_owned(d->of.key.parent);
	parent = table_open(d->of.key.parent, AccessShareLock);
	stands = idem_guard_stands(child, d->how->kind, d->how->settings(d),
							   parent, d->how->parent_settings(d));
	table_close(parent, NoLock);
	return stands;
}

/* The parent columns of "same", in the order in which the settings have them. */
List *
idem_total_same_parent(IdemTotalDeclaration *d)
{
	List	   *child;
	List	   *parent;

	idem_setting_map(d->how->settings(d), "same", &child, &parent);
	return parent;
}

/* Declare a guard, whose arguments the room has read; of.fk are its columns. */
void
idem_total_declare(Oid child, IdemTotalDeclaration *d)
{
	SPI_connect();
	d->child = idem_open_to_declare(child, guard_stands, d);
	if (d->child == NULL)
	{
		SPI_finish();
		return;
	}
	find_key(d->child, d);
	d->parent = idem_open_for_guard(d->of.key.parent, ShareRowExclusiveLock);
	idem_total_refuse_deferrable_key(d->child);
	d->how->require(d);
	name_triggers(d);
	idem_total_check_key_types(d->child, &d->of.key);
	d->of.settings = d->how->settings(d);
	make_parent(d);
	make_child(d);
	require_filled(d);
	finish_parent(d);
	idem_log_change("declared", d->how->kind, d->of.key.child, d->name,
					d->how->logged != NULL ? d->how->logged(d) :
					d->how->settings(d), NULL);
	SPI_finish();
}

/*
 * The children of a guard were truncated: fill the totals anew, with what the
 * other guards that share them have counted.  Locks the parent as a
 * declaration does, or one of those could count meanwhile.  The room has set
 * how, and what fill() needs of its own.
 */
void
idem_total_recount(IdemTotalDeclaration *d, const IdemGuard *guard)
{
	IdemTotalSource *source =
		idem_total_read_source(guard->settings, guard->relid);
	IdemIdentity saved;

	d->of = *source;
	d->parent = table_open(source->key.parent, ShareRowExclusiveLock);
	d->sources = idem_total_sharing(source, d->parent);
	d->type = idem_column_base_type(d->parent,
									idem_column_number(d->parent,
													   source->total), NULL);
	SPI_connect();
	idem_become_declarer(d->parent, &saved);
	idem_see_every_row();
	d->how->fill(d);
	idem_restore_identity(&saved);
	SPI_finish();
	table_close(d->parent, NoLock);
}
