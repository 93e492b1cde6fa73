/*
 * total_require.c
 *		The requirements of a total, checked before it is put on a table.
 *
 * Looks at what the catalog says of a child and a parent that are open:
 * columns that can be totals, types that do not round, other guards that keep
 * the same columns.  Things that the parent lacks and can get are noted in the
 * declaration: columns to add, defaults and NOT NULL to set.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/column.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "total/total_declare.h"
#include "total/total_keep.h"
#include "total/total_type.h"

static Form_pg_attribute
attribute(Relation rel, AttrNumber column)
{
	return TupleDescAttr(RelationGetDescr(rel), column - 1);
}

/* 42804, with a reason: a sentence. */
void
idem_total_refuse_type(IdemTotalDeclaration *d, Relation rel,
					   AttrNumber column, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of table \"%s\" has type %s, in which a %s cannot be kept",
					NameStr(attribute(rel, column)->attname),
					RelationGetRelationName(rel),
					format_type_with_typemod(attribute(rel, column)->atttypid,
											 attribute(rel, column)->atttypmod),
					d->how->kind),
			 errdetail("%s", reason),
			 errtablecol(rel, column)));
}

/* ---------- columns that are kept ---------- */

/* 42P17: it is something else. */
void
idem_total_refuse_column(IdemTotalDeclaration *d, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("column \"%s\" of table \"%s\" cannot be a running total",
					name, RelationGetRelationName(d->parent)),
			 errhint("Name a column of its own, or one that does not exist yet."),
			 errtable(d->parent)));
}

/* Does the counterpart keep the column as the one that the setting names? */
static bool
keeps_as(IdemTotalDeclaration *d, const IdemGuard *other,
		 const IdemSetting *as, const char *setting)
{
	return strcmp(other->kind->function, d->how->counterpart) == 0 &&
		strcmp(as->name, setting) == 0 &&
		strcmp(setting, "count_used") != 0 &&
		idem_total_keeps(other, d->of.total);
}

/* Nobody else may keep the column, but those who share the total. */
static void
check_not_kept(IdemTotalDeclaration *d, const char *setting, const char *name)
{
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(d->parent))
	{
		const IdemGuard *other = ((IdemGuardTrigger *) lfirst(lc))->guard;
		const IdemSetting *as = other->kind->settings;

		if (idem_total_kept_by(other) == NULL)
			continue;
		for (; as->name != NULL; as++)
		{
			const char *kept = idem_setting(other->settings, as->name);

			if ((as->flags & IDEM_SETTING_KEPT) && kept != NULL &&
				strcmp(kept, name) == 0 && !keeps_as(d, other, as, setting))
				idem_total_refuse_column(d, name);
		}
	}
}

/* Is it named for something else, or twice? */
static bool
is_named_otherwise(IdemTotalDeclaration *d, const char *setting,
				   const char *name)
{
	const IdemSetting *other = idem_known_settings(d->how->counterpart);
	List	   *settings = d->how->parent_settings(d);

	for (; other->name != NULL; other++)
	{
		ListCell   *lc;

		if (strcmp(other->name, setting) == 0)
			continue;
		foreach(lc, idem_setting_columns(settings, other))
		{
			if (strcmp(lfirst(lc), name) == 0)
				return true;
		}
	}
	return false;
}

/*
 * A column that the guard will keep: 42P17 unless it can be one.  False: the
 * parent has not got it yet.
 */
static bool
check_column(IdemTotalDeclaration *d, const char *setting, const char *name)
{
	AttrNumber	column = get_attnum(RelationGetRelid(d->parent), name);

	check_not_kept(d, setting, name);
	if (is_named_otherwise(d, setting, name))
		idem_total_refuse_column(d, name);
	if (column == InvalidAttrNumber)
		return false;
	if (column < 0 || attribute(d->parent, column)->attgenerated)
		idem_total_refuse_column(d, name);
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

/* NOT NULL and DEFAULT 0, where the column lacks them. */
static void
finish_column(IdemTotalDeclaration *d, const char *name)
{
	AttrNumber	column = get_attnum(RelationGetRelid(d->parent), name);

	if (!starts_at_zero(d->parent, column))
		d->finish = add_text(d->finish, "ALTER COLUMN %s SET DEFAULT '0'", name);
	if (!attribute(d->parent, column)->attnotnull)
		d->finish = add_text(d->finish, "ALTER COLUMN %s SET NOT NULL", name);
}

static void
add_column(IdemTotalDeclaration *d, const char *name, Oid type, int32 typmod)
{
	d->missing = lappend(d->missing,
						 psprintf("ADD COLUMN %s %s NOT NULL DEFAULT '0'",
								  quote_identifier(name),
								  format_type_extended(type, typmod,
													   FORMAT_TYPE_TYPEMOD_GIVEN |
													   FORMAT_TYPE_FORCE_QUALIFY)));
}

/*
 * Would a sum of amounts be rounded, or be refused within its bounds?  Not in
 * a column without a length, or with as many decimals and as many digits.
 */
static bool
rounds(int32 typmod, int32 allowed)
{
	if (typmod == -1 || typmod == allowed)
		return false;
	return allowed == -1 ||
		((typmod - VARHDRSZ) & 0xffff) != ((allowed - VARHDRSZ) & 0xffff) ||
		typmod < allowed;
}

/*
 * A column of an amount: added with a length, unless it is there, and then has
 * at least the one that is allowed.
 */
static void
require_column(IdemTotalDeclaration *d, const char *setting, const char *name,
			   int32 added, int32 allowed)
{
	AttrNumber	column;
	int32		typmod;

	if (!check_column(d, setting, name))
	{
		add_column(d, name, d->type, added);
		return;
	}
	column = get_attnum(RelationGetRelid(d->parent), name);
	if (idem_column_base_type(d->parent, column, &typmod) != d->type)
		idem_total_refuse_type(d, d->parent, column,
							   "Amount, cap and running total have one type.");
	if (rounds(typmod, allowed))
		idem_total_refuse_type(d, d->parent, column,
							   "Its precision could round a sum of amounts.");
	finish_column(d, name);
}

/*
 * The column of an amount that is kept below a cap, named by a setting of the
 * counterpart: it may have the length of the cap, which is allowed.
 */
void
idem_total_require_amount(IdemTotalDeclaration *d, const char *setting,
						  const char *name, int32 allowed)
{
	require_column(d, setting, name, allowed, allowed);
}

/*
 * The column of a sum of amounts: it may have more digits than they have, not
 * other decimals.
 */
void
idem_total_require_sum(IdemTotalDeclaration *d, const char *setting,
					   const char *name)
{
	require_column(d, setting, name, -1, d->typmod);
}

/* The column of the number of children. */
void
idem_total_require_count(IdemTotalDeclaration *d, const char *setting,
						 const char *name)
{
	AttrNumber	column;

	if (!check_column(d, setting, name))
	{
		add_column(d, name, INT4OID, -1);
		return;
	}
	column = get_attnum(RelationGetRelid(d->parent), name);
	if (!idem_count_type_supported(idem_column_base_type(d->parent, column,
														 NULL)))
		idem_total_refuse_type(d, d->parent, column,
							   "Children are counted in integer or bigint.");
	finish_column(d, name);
}

/* ---------- other child tables that share the total ---------- */

static void
refuse_sharing(IdemTotalDeclaration *d, Oid other, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("running total \"%s\" of table \"%s\" is kept for table \"%s\" with another \"%s\"",
					d->of.total, RelationGetRelationName(d->parent),
					get_rel_name(other), what),
			 errhint("Child tables that share a running total have one %s.",
					 d->how->kind),
			 errtable(d->parent)));
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

/* Do both say the same?  required: one that says nothing differs, too. */
static bool
agree(List *a, List *b, const char *setting, bool required)
{
	const char *one = idem_setting(a, setting);
	const char *other = idem_setting(b, setting);

	if (one == NULL || other == NULL)
		return one == other || !required;
	return strcmp(one, other) == 0;
}

/* A guard that keeps our total already has to be the same as we are. */
static void
check_sharing(IdemTotalDeclaration *d, const IdemGuard *other, Oid child)
{
	List	   *mine = d->how->parent_settings(d);
	const IdemSetting *kept = other->kind->settings;
	const char *const *name;

	for (name = d->how->agreed; *name != NULL; name++)
	{
		if (!agree(mine, other->settings, *name, true))
			refuse_sharing(d, child, *name);
	}
	for (; kept->name != NULL; kept++)
	{
		if ((kept->flags & IDEM_SETTING_KEPT) &&
			strcmp(kept->name, "count_used") != 0 &&
			!agree(mine, other->settings, kept->name, false))
			refuse_sharing(d, child, kept->name);
	}
	if (!same_names(idem_setting_list(other->settings, "key"),
					idem_total_parent_columns(&d->of.key)))
		refuse_sharing(d, child, "foreign key");
}

static void
refuse_lost(IdemTotalDeclaration *d, Oid child)
{
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("running total \"%s\" of table \"%s\" is still kept for table \"%s\", which has lost its %s",
					d->of.total, RelationGetRelationName(d->parent),
					get_rel_name(child), d->how->kind),
			 errhint("Write that %s off with idem.drop_guard before you declare another.",
					 d->how->kind),
			 errtable(d->parent)));
}

/* With whom the total is shared. */
void
idem_total_find_sources(IdemTotalDeclaration *d)
{
	TriggerDesc *triggers = CopyTriggerDesc(d->parent->trigdesc);
	int			i;

	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];
		IdemGuard  *other = idem_guard_of_trigger(RelationGetRelid(d->parent),
												  trigger);

		if (!idem_total_keeps(other, d->of.total) ||
			strcmp(other->kind->function, d->how->counterpart) != 0)
			continue;
		if (OidIsValid(trigger->tgconstrrelid) &&
			idem_total_source_of(trigger) == NULL)
			refuse_lost(d, trigger->tgconstrrelid);
		check_sharing(d, other, trigger->tgconstrrelid);
	}
	d->sources = lcons(&d->of, idem_total_sources(d->parent, d->of.total));
}

/* ---------- the rest ---------- */

/* Columns of "same" exist and compare. */
void
idem_total_require_compared(IdemTotalDeclaration *d)
{
	IdemEquality equal;
	ListCell   *a;
	ListCell   *b;

	forboth(a, d->same, b, d->same_parent)
		idem_equality_init(&equal,
						   idem_column_base_type(d->parent,
												 idem_stored_column(d->parent, lfirst(b)),
												 NULL),
						   idem_column_base_type(d->child,
												 idem_stored_column(d->child, lfirst(a)),
												 NULL));
}

/*
 * On 15 a deferrable primary key is none to a trigger, and a key that can be
 * there twice in a transaction names no row: 42P17.
 */
void
idem_total_refuse_deferrable_key(Relation rel)
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
