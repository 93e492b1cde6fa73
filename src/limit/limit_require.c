/*
 * limit_require.c
 *		What a limit relies on, before it is put on a table.
 *
 * Opens the parent of a child that is open, with SHARE ROW EXCLUSIVE, and looks
 * at all the catalog says: the foreign key, types that do not round, columns
 * that can be totals, other limits that keep the same ones.  What the parent
 * lacks and can get is noted in the declaration: columns to add, defaults and
 * NOT NULL to set.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/htup_details.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/declare.h"
#include "base/guard.h"
#include "limit/limit_declare.h"

static void
refuse_type(Relation rel, AttrNumber column, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of table \"%s\" has type %s, in which a limit cannot be kept",
					NameStr(attribute(rel, column)->attname),
					RelationGetRelationName(rel),
					format_type_with_typemod(attribute(rel, column)->atttypid,
											 attribute(rel,
													   column)->atttypmod)),
			 errdetail("%s", reason),
			 errtablecol(rel, column)));
}

/* Amount and cap have one type, and it is one that does not round. */
static void
check_amount_types(IdemLimitDeclaration *d)
{
	AttrNumber	amount = idem_stored_column(d->child, d->of.amount);
	AttrNumber	cap = idem_stored_column(d->parent, d->of.cap);
	int32		amount_typmod;

	d->type = idem_column_base_type(d->parent, cap, &d->typmod);
	if (!idem_amount_type_supported(d->type))
		refuse_type(d->parent, cap,
					"A limit is kept in money_micro, bigint, integer or numeric.");
	if (idem_column_base_type(d->child, amount, &amount_typmod) != d->type)
		refuse_type(d->child, amount,
					"Amount, cap and running total have one type.");
	if (amount_typmod != d->typmod)
		d->typmod = -1;
	if (!attribute(d->parent, cap)->attnotnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("cap column \"%s\" of table \"%s\" can be null",
						d->of.cap, RelationGetRelationName(d->parent)),
				 errdetail("A limit of NULL would be no limit."),
				 errhint("Declare it NOT NULL."),
				 errtablecol(d->parent, cap)));
}

static void
refuse_total_column(IdemLimitDeclaration *d, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("column \"%s\" of table \"%s\" cannot be a running total",
					name, RelationGetRelationName(d->parent)),
			 errhint("Name a column of its own, or one that does not exist yet."),
			 errtable(d->parent)));
}

/* Does the column start at 0 by its default? */
static bool
starts_at_zero(Relation rel, AttrNumber column)
{
	Node	   *expression = build_column_default(rel, column);
	Oid			type = attribute(rel, column)->atttypid;
	IdemAmountType amount;

	if (expression == NULL || !IsA(expression, Const) ||
		((Const *) expression)->constisnull || getBaseType(type) != type)
		return false;
	idem_amount_type_init(&amount, type);
	return idem_amount_compare(&amount, ((Const *) expression)->constvalue,
							   amount.zero) == 0;
}

static List *
add_text(List *list, const char *format, const char *column)
{
	return lappend(list, psprintf(format, quote_identifier(column)));
}

/*
 * A column that the guard will keep, if the parent already has it: 42P17
 * unless it can be one.  What it lacks is noted for the end, where the CHECKs
 * are.
 */
static bool
check_total_column(IdemLimitDeclaration *d, const char *name)
{
	AttrNumber	column = get_attnum(RelationGetRelid(d->parent), name);

	if (column == InvalidAttrNumber)
		return false;
	if (column < 0 || strcmp(name, d->of.cap) == 0 ||
		attribute(d->parent, column)->attgenerated)
		refuse_total_column(d, name);
	if (bms_is_member(column - FirstLowInvalidHeapAttributeNumber,
					  RelationGetIndexAttrBitmap(d->parent,
												 INDEX_ATTR_BITMAP_KEY)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" stands in a unique index",
						name, RelationGetRelationName(d->parent)),
				 errdetail("Every change of it would lock out the foreign keys that reference the row."),
				 errtablecol(d->parent, column)));
	return true;
}

/* NOT NULL and DEFAULT 0, where the column lacks them. */
static void
finish_column(IdemLimitDeclaration *d, const char *name)
{
	AttrNumber	column = get_attnum(RelationGetRelid(d->parent), name);

	if (!starts_at_zero(d->parent, column))
		d->finish = add_text(d->finish, "ALTER COLUMN %s SET DEFAULT '0'", name);
	if (!attribute(d->parent, column)->attnotnull)
		d->finish = add_text(d->finish, "ALTER COLUMN %s SET NOT NULL", name);
}

static void
add_column(IdemLimitDeclaration *d, const char *name, Oid type, int32 typmod)
{
	d->missing = lappend(d->missing,
						 psprintf("ADD COLUMN %s %s NOT NULL DEFAULT '0'",
								  quote_identifier(name),
								  format_type_extended(type, typmod,
													   FORMAT_TYPE_TYPEMOD_GIVEN |
													   FORMAT_TYPE_FORCE_QUALIFY)));
}

/* The column of the running total, or of the excess, which has no length. */
static void
check_amount_column(IdemLimitDeclaration *d, const char *name, int32 allowed)
{
	AttrNumber	column;
	int32		typmod;

	if (!check_total_column(d, name))
	{
		add_column(d, name, d->type, allowed);
		return;
	}
	column = get_attnum(RelationGetRelid(d->parent), name);
	if (idem_column_base_type(d->parent, column, &typmod) != d->type)
		refuse_type(d->parent, column,
					"Amount, cap and running total have one type.");
	if (typmod != -1 && typmod != allowed)
		refuse_type(d->parent, column,
					"Its precision could round a sum of amounts.");
	finish_column(d, name);
}

/* The column of the number of children. */
static void
check_count_column(IdemLimitDeclaration *d)
{
	AttrNumber	column;

	if (!check_total_column(d, d->of.count_used))
	{
		add_column(d, d->of.count_used, INT4OID, -1);
		return;
	}
	column = get_attnum(RelationGetRelid(d->parent), d->of.count_used);
	if (!idem_count_type_supported(idem_column_base_type(d->parent, column,
														 NULL)))
		refuse_type(d->parent, column,
					"Children are counted in integer or bigint.");
	finish_column(d, d->of.count_used);
}

/* All columns of totals, each for one purpose. */
static void
check_total_columns(IdemLimitDeclaration *d)
{
	check_amount_column(d, d->of.used, d->typmod);
	if (d->of.excess != NULL)
	{
		if (strcmp(d->of.excess, d->of.used) == 0)
			refuse_total_column(d, d->of.excess);
		check_amount_column(d, d->of.excess, -1);
	}
	if (d->of.count_used != NULL)
	{
		if (strcmp(d->of.count_used, d->of.used) == 0 ||
			(d->of.excess != NULL &&
			 strcmp(d->of.count_used, d->of.excess) == 0))
			refuse_total_column(d, d->of.count_used);
		check_count_column(d);
	}
}

/* The time a parent's age counts from. */
static void
check_age_column(IdemLimitDeclaration *d)
{
	AttrNumber	column;

	if (d->age_from == NULL)
		return;
	column = idem_stored_column(d->parent, d->age_from);
	if (idem_column_base_type(d->parent, column, NULL) != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" has type %s, which is no moment",
						d->age_from, RelationGetRelationName(d->parent),
						format_type_be(attribute(d->parent, column)->atttypid)),
				 errhint("The age of a parent counts from a timestamp with time zone."),
				 errtablecol(d->parent, column)));
}

/*
 * On 15 a deferrable primary key is none to a trigger, and a key that can be
 * there twice in a transaction names no row: 42P17.
 */
static void
refuse_deferrable_key(Relation rel)
{
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID,
											ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tuple))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(lc));
		index = (Form_pg_index) GETSTRUCT(tuple);
		if (index->indisprimary && !index->indimmediate)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("primary key of table \"%s\" is deferrable",
							RelationGetRelationName(rel)),
					 errdetail("A guarded row keeps its key at every moment."),
					 errtable(rel)));
		ReleaseSysCache(tuple);
	}
}

/* ---------- other child tables that share the total ---------- */

static void
refuse_sharing(IdemLimitDeclaration *d, Trigger *total, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("running total \"%s\" of table \"%s\" is kept for table \"%s\" with another \"%s\"",
					d->of.used, RelationGetRelationName(d->parent),
					get_rel_name(total->tgconstrrelid), what),
			 errhint("Child tables that share a running total have one limit."),
			 errtable(d->parent)));
}

static bool
is_setting(Trigger *total, const char *name, const char *value)
{
	const char *has = idem_trigger_setting(total, name);

	return has != NULL && strcmp(has, value) == 0;
}

static bool
same_names(List *a, List *b)
{
	ListCell   *lc;
	ListCell   *other;

	if (list_length(a) != list_length(b))
		return false;
	foreach(lc, a)
	{
		bool		found = false;

		foreach(other, b)
			found |= strcmp(lfirst(lc), lfirst(other)) == 0;
		if (!found)
			return false;
	}
	return true;
}

/* A limit that keeps one of our columns already has to be the same limit. */
static void
check_other_total(IdemLimitDeclaration *d, Trigger *total)
{
	bool		shares = is_setting(total, "used", d->of.used);

	if (d->of.count_used != NULL &&
		(is_setting(total, "count_used", d->of.count_used) ||
		 is_setting(total, "used", d->of.count_used) ||
		 is_setting(total, "excess", d->of.count_used)))
		refuse_total_column(d, d->of.count_used);
	if (d->of.excess != NULL && is_setting(total, "count_used", d->of.excess))
		refuse_total_column(d, d->of.excess);
	if (!shares)
	{
		if (is_setting(total, "excess", d->of.used) ||
			is_setting(total, "count_used", d->of.used))
			refuse_total_column(d, d->of.used);
		if (d->of.excess != NULL && (is_setting(total, "used", d->of.excess) ||
									 is_setting(total, "excess", d->of.excess)))
			refuse_total_column(d, d->of.excess);
		return;
	}
	if (OidIsValid(total->tgconstrrelid) && idem_total_source_of(total) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("running total \"%s\" of table \"%s\" is still kept for table \"%s\", which has lost its limit",
						d->of.used, RelationGetRelationName(d->parent),
						get_rel_name(total->tgconstrrelid)),
				 errhint("Write that limit off with idem.drop_guard before you declare another."),
				 errtable(d->parent)));
	if (!is_setting(total, "cap", d->of.cap))
		refuse_sharing(d, total, "cap");
	if (!is_setting(total, "cap_grows", d->cap_grows ? "true" : "false"))
		refuse_sharing(d, total, "cap_grows");
	if (d->of.excess != NULL && d->all_excess != NULL &&
		strcmp(d->all_excess, d->of.excess) != 0)
		refuse_sharing(d, total, "excess");
	if (!same_names(idem_trigger_setting_list(total, "key"),
					idem_total_parent_columns(&d->of.key)))
		refuse_sharing(d, total, "foreign key");
}

/* Who else keeps columns of the parent, and with whom the total is shared. */
static void
find_sources(IdemLimitDeclaration *d)
{
	TriggerDesc *triggers = CopyTriggerDesc(d->parent->trigdesc);
	int			i;

	d->all_excess = idem_total_excess_column(d->parent, d->of.used);
	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		if (idem_total_is_readable(&triggers->triggers[i], IDEM_TOTAL_FUNCTION))
			check_other_total(d, &triggers->triggers[i]);
	}
	if (d->all_excess == NULL)
		d->all_excess = d->of.excess;
	d->sources = lcons(&d->of, idem_total_sources(d->parent, d->of.used));
}

/* Compared columns exist and compare; state labels are known to the type. */
static void
check_compared(IdemLimitDeclaration *d)
{
	IdemStates	states;
	IdemEquality equal;
	ListCell   *a;
	ListCell   *b;

	if (d->of.state != NULL)
		(void) idem_stored_column(d->child, d->of.state);
	if (d->parent_state != NULL)
		(void) idem_stored_column(d->parent, d->parent_state);
	idem_states_init(&states, d->child, d->of.state, d->of.released);
	if (!idem_total_is_everything(d->of.facts))
		idem_states_init(&states, d->child, d->of.state, d->of.facts);
	idem_states_init(&states, d->parent, d->parent_state, d->open);
	forboth(a, d->same, b, d->same_parent)
		idem_equality_init(&equal,
						   idem_column_base_type(d->parent,
												 idem_stored_column(d->parent,
																	lfirst(b)),
												 NULL),
						   idem_column_base_type(d->child,
												 idem_stored_column(d->child,
																	lfirst(a)),
												 NULL));
}

/*
 * The trigger on the child is named after the foreign key, in upper case so
 * that it fires before RI_ConstraintTrigger: who takes the foreign key's KEY
 * SHARE first and changes the parent afterwards shares the row with everybody
 * who waits for it, in a multixact that each of them has to expand ...
 */
static void
name_limit(IdemLimitDeclaration *d)
{
	d->of.fk = idem_total_child_columns(&d->of.key);
	d->limit_name = idem_free_trigger_name(d->of.key.child, "IDEM_limit", d->of.fk);
}

/* ... the one on the parent after the child table and its foreign key. */
static void
name_total(IdemLimitDeclaration *d)
{
	d->total_name = idem_free_trigger_name(d->of.key.parent, "idem_limit_total",
										   list_concat(list_make1(RelationGetRelationName(d->child)),
													   d->of.fk));
}

/* Open the parent, behind the child, and check all there is to check. */
void
idem_limit_open_parent(IdemLimitDeclaration *d)
{
	idem_total_find_key(RelationGetRelid(d->child), d->of.fk,
						ERRCODE_INVALID_OBJECT_DEFINITION, &d->of.key);
	d->parent = idem_open_for_guard(d->of.key.parent, ShareRowExclusiveLock);
	refuse_deferrable_key(d->child);
	check_amount_types(d);
	check_total_columns(d);
	check_age_column(d);
	name_limit(d);
	find_sources(d);
	name_total(d);
	idem_total_check_key_types(d->child, &d->of.key);
	check_compared(d);
}
