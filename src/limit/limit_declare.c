/*
 * limit_declare.c
 *		guard_limit(): put a limit on a table.
 *
 * Checks everything the guard relies on, adds the running total to the parent
 * if it is not there, fills it from the children that count, and only then
 * arms both tables.  What already breaks the limit is refused with the
 * offenders in DETAIL.
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

#include "access/relation.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "rewrite/rewriteHandler.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/declare.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "limit/limit.h"

/* how many offenders a refusal lists */
#define OFFENDERS_MAX 5

/* A declaration, as the caller wrote it and as the catalog completes it. */
typedef struct Declaration
{
	Relation	child;
	Relation	parent;
	IdemLimitKey key;
	List	   *fk;				/* child columns, as given */
	char	   *amount;
	char	   *cap;
	char	   *used;
	char	   *state;			/* or NULL */
	List	   *released;
	List	   *same;			/* child columns */
	List	   *same_parent;	/* the parent column of each */
	char	   *parent_state;	/* or NULL */
	List	   *open;
	bool		cap_grows;
	bool		editable;
	List	   *facts;
	char	   *excess;			/* column of the parent, or NULL */
	int64		count_cap;		/* or 0 */
	char	   *count_used;		/* column of the parent, or NULL */
	Interval   *max_age;		/* or NULL */
	char	   *age_from;		/* column of the parent, or NULL */
	Oid			type;			/* of amount, cap and used */
	int32		typmod;
	List	   *children;		/* that share the total, this one first */
	const char *all_excess;		/* of any of them, or NULL */
	List	   *missing;		/* columns to add: text of ADD COLUMN */
	List	   *finish;			/* what ALTER TABLE does in the end */
	char	   *limit_name;		/* names of what is made */
	char	   *total_name;
} Declaration;

/* ------------------------------------------------------------------------
 * Arguments
 * ------------------------------------------------------------------------
 */

static char *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static List *
list_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	return PG_ARGISNULL(n) ? NIL :
		idem_array_list(name, PG_GETARG_ARRAYTYPE_P(n));
}

/* One column name, or several as the text of an array: {a,b}. */
static List *
columns_argument(char *columns)
{
	if (columns[0] != '{')
		return list_make1(columns);
	return idem_array_list("fk",
						   DatumGetArrayTypeP(OidInputFunctionCall(F_ARRAY_IN,
																   columns,
																   TEXTOID,
																   -1)));
}

static void
refuse_same(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"same\" of idem.guard_limit must be an object of column names"),
			 errhint("Write it as {\"child column\": \"parent column\", ...}.")));
}

/* {"child column": "parent column", ...} */
static void
read_same(Jsonb *same, Declaration *d)
{
	JsonbIterator *it = JsonbIteratorInit(&same->root);
	JsonbValue	value;
	JsonbIteratorToken token = JsonbIteratorNext(&it, &value, true);

	if (token != WJB_BEGIN_OBJECT)
		refuse_same();
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_END_OBJECT)
	{
		if (value.type != jbvString)
			refuse_same();
		if (token == WJB_KEY)
			d->same = lappend(d->same, pnstrdup(value.val.string.val,
												value.val.string.len));
		else
			d->same_parent = lappend(d->same_parent,
									 pnstrdup(value.val.string.val,
											  value.val.string.len));
	}
}

static void
refuse_pairing(const char *one, const char *other)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" of idem.guard_limit needs argument \"%s\"",
					one, other)));
}

static bool
is_editable(char *children)
{
	if (strcmp(children, "kept") != 0 && strcmp(children, "editable") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized value for argument \"children\" of idem.guard_limit: \"%s\"",
						children),
				 errhint("Children are kept or editable.")));
	return strcmp(children, "editable") == 0;
}

/* {*}: every child, whatever its state */
static bool
is_everything(List *states)
{
	return list_length(states) == 1 && strcmp(linitial(states), "*") == 0;
}

/* What certainly failed did not happen. */
static void
refuse_overlap(Declaration *d)
{
	ListCell   *a;
	ListCell   *b;

	foreach(a, d->facts)
	{
		foreach(b, d->released)
		{
			if (strcmp(lfirst(a), lfirst(b)) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("state \"%s\" is in both \"facts\" and \"released\"",
								(char *) lfirst(a))));
		}
	}
}

static void
read_count(FunctionCallInfo fcinfo, Declaration *d)
{
	d->count_used = text_argument(fcinfo, 15);
	if (PG_ARGISNULL(14))
	{
		if (d->count_used != NULL)
			refuse_pairing("count_used", "count_cap");
		return;
	}
	d->count_cap = PG_GETARG_INT32(14);
	if (d->count_used == NULL)
		refuse_pairing("count_cap", "count_used");
	if (d->count_cap <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" of idem.guard_limit must be positive",
						"count_cap")));
}

static void
read_age(FunctionCallInfo fcinfo, Declaration *d)
{
	Interval	zero = {0, 0, 0};

	d->age_from = text_argument(fcinfo, 17);
	if (PG_ARGISNULL(16))
	{
		if (d->age_from != NULL)
			refuse_pairing("age_from", "max_age");
		return;
	}
	d->max_age = PG_GETARG_INTERVAL_P(16);
	if (d->age_from == NULL)
		refuse_pairing("max_age", "age_from");
	if (!DatumGetBool(DirectFunctionCall2(interval_gt,
										  IntervalPGetDatum(d->max_age),
										  IntervalPGetDatum(&zero))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" of idem.guard_limit must be positive",
						"max_age")));
}

/* Arguments 2 ... of both forms; the order stands in limit.sql. */
static void
read_arguments(FunctionCallInfo fcinfo, Declaration *d)
{
	d->amount = idem_required_text(fcinfo, 2, "amount");
	d->cap = idem_required_text(fcinfo, 3, "cap");
	d->used = idem_required_text(fcinfo, 4, "used");
	d->released = list_argument(fcinfo, 5, "released");
	d->state = text_argument(fcinfo, 6);
	if (!PG_ARGISNULL(7))
		read_same(PG_GETARG_JSONB_P(7), d);
	d->parent_state = text_argument(fcinfo, 8);
	d->open = list_argument(fcinfo, 9, "open");
	(void) idem_required_text(fcinfo, 11, "children");
	idem_require_argument(fcinfo, 10, "cap_grows");
	d->cap_grows = PG_GETARG_BOOL(10);
	d->editable = is_editable(text_argument(fcinfo, 11));

	d->facts = list_argument(fcinfo, 12, "facts");
	if (d->facts != NIL)
		d->excess = idem_required_text(fcinfo, 13, "excess");
	read_count(fcinfo, d);
	read_age(fcinfo, d);

	if (d->released != NIL && d->state == NULL)
		refuse_pairing("released", "state");
	if (d->facts != NIL && !is_everything(d->facts) && d->state == NULL)
		refuse_pairing("facts", "state");
	refuse_overlap(d);
	if (d->open != NIL && d->parent_state == NULL)
		refuse_pairing("open", "parent_state");
	if (d->parent_state != NULL && d->open == NIL)
		refuse_pairing("parent_state", "open");
}

/* ------------------------------------------------------------------------
 * What the guard relies on
 * ------------------------------------------------------------------------
 */

static Form_pg_attribute
attribute(Relation rel, AttrNumber column)
{
	return TupleDescAttr(RelationGetDescr(rel), column - 1);
}

static void
refuse_type(Relation rel, AttrNumber column, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of table \"%s\" has type %s, in which a limit cannot be kept",
					NameStr(attribute(rel, column)->attname),
					RelationGetRelationName(rel),
					format_type_with_typemod(attribute(rel, column)->atttypid,
											 attribute(rel, column)->atttypmod)),
			 errdetail("%s", reason),
			 errtablecol(rel, column)));
}

/* Amount and cap have one type, and it is one that does not round. */
static void
check_amount_types(Declaration *d)
{
	AttrNumber	amount = idem_stored_column(d->child, d->amount);
	AttrNumber	cap = idem_stored_column(d->parent, d->cap);
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
						d->cap, RelationGetRelationName(d->parent)),
				 errdetail("A limit of NULL would be no limit."),
				 errhint("Declare it NOT NULL."),
				 errtablecol(d->parent, cap)));
}

static void
refuse_total_column(Declaration *d, const char *name)
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
check_total_column(Declaration *d, const char *name)
{
	AttrNumber	column = get_attnum(RelationGetRelid(d->parent), name);

	if (column == InvalidAttrNumber)
		return false;
	if (column < 0 || strcmp(name, d->cap) == 0 ||
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
finish_column(Declaration *d, const char *name)
{
	AttrNumber	column = get_attnum(RelationGetRelid(d->parent), name);

	if (!starts_at_zero(d->parent, column))
		d->finish = add_text(d->finish, "ALTER COLUMN %s SET DEFAULT '0'", name);
	if (!attribute(d->parent, column)->attnotnull)
		d->finish = add_text(d->finish, "ALTER COLUMN %s SET NOT NULL", name);
}

static void
add_column(Declaration *d, const char *name, Oid type, int32 typmod)
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
check_amount_column(Declaration *d, const char *name, int32 allowed)
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
check_count_column(Declaration *d)
{
	AttrNumber	column;

	if (!check_total_column(d, d->count_used))
	{
		add_column(d, d->count_used, INT4OID, -1);
		return;
	}
	column = get_attnum(RelationGetRelid(d->parent), d->count_used);
	if (!idem_count_type_supported(idem_column_base_type(d->parent, column,
														 NULL)))
		refuse_type(d->parent, column,
					"Children are counted in integer or bigint.");
	finish_column(d, d->count_used);
}

/* All columns of totals, each for one purpose. */
static void
check_total_columns(Declaration *d)
{
	check_amount_column(d, d->used, d->typmod);
	if (d->excess != NULL)
	{
		if (strcmp(d->excess, d->used) == 0)
			refuse_total_column(d, d->excess);
		check_amount_column(d, d->excess, -1);
	}
	if (d->count_used != NULL)
	{
		if (strcmp(d->count_used, d->used) == 0 ||
			(d->excess != NULL && strcmp(d->count_used, d->excess) == 0))
			refuse_total_column(d, d->count_used);
		check_count_column(d);
	}
}

/* The time a parent's age counts from. */
static void
check_age_column(Declaration *d)
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
refuse_sharing(Declaration *d, Trigger *total, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("running total \"%s\" of table \"%s\" is kept for table \"%s\" with another \"%s\"",
					d->used, RelationGetRelationName(d->parent),
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
check_other_total(Declaration *d, Trigger *total)
{
	bool		shares = is_setting(total, "used", d->used);

	if (d->count_used != NULL &&
		(is_setting(total, "count_used", d->count_used) ||
		 is_setting(total, "used", d->count_used) ||
		 is_setting(total, "excess", d->count_used)))
		refuse_total_column(d, d->count_used);
	if (!shares)
	{
		if (is_setting(total, "excess", d->used) ||
			is_setting(total, "count_used", d->used))
			refuse_total_column(d, d->used);
		if (d->excess != NULL && (is_setting(total, "used", d->excess) ||
								  is_setting(total, "excess", d->excess)))
			refuse_total_column(d, d->excess);
		return;
	}
	if (total->tgconstrrelid == d->key.child)
		idem_refuse_second_guard(d->parent, total->tgname);
	if (!is_setting(total, "cap", d->cap))
		refuse_sharing(d, total, "cap");
	if (!is_setting(total, "cap_grows", d->cap_grows ? "true" : "false"))
		refuse_sharing(d, total, "cap_grows");
	if (d->excess != NULL && d->all_excess != NULL &&
		strcmp(d->all_excess, d->excess) != 0)
		refuse_sharing(d, total, "excess");
	if (!same_names(idem_trigger_setting_list(d->parent, total, "key"),
					idem_limit_parent_columns(&d->key)))
		refuse_sharing(d, total, "foreign key");
}

/* Who else keeps columns of the parent, and with whom the total is shared. */
static void
find_children(Declaration *d)
{
	IdemLimitChild *child = palloc0(sizeof(IdemLimitChild));
	TriggerDesc *triggers = CopyTriggerDesc(d->parent->trigdesc);
	int			i;

	d->all_excess = idem_limit_excess_column(d->parent, d->used);
	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		if (idem_limit_is_trigger(&triggers->triggers[i], "keep_total"))
			check_other_total(d, &triggers->triggers[i]);
	}
	if (d->all_excess == NULL)
		d->all_excess = d->excess;
	child->key = d->key;
	child->amount = d->amount;
	child->state = d->state;
	child->released = d->released;
	child->facts = d->facts;
	d->children = lcons(child, idem_limit_children(d->parent, d->used,
												   InvalidOid));
}

/* Compared columns exist and compare; state labels are known to the type. */
static void
check_compared(Declaration *d)
{
	IdemStates	states;
	IdemEquality equal;
	ListCell   *a;
	ListCell   *b;

	if (d->state != NULL)
		(void) idem_stored_column(d->child, d->state);
	if (d->parent_state != NULL)
		(void) idem_stored_column(d->parent, d->parent_state);
	idem_states_init(&states, d->child, d->state, d->released);
	if (!is_everything(d->facts))
		idem_states_init(&states, d->child, d->state, d->facts);
	idem_states_init(&states, d->parent, d->parent_state, d->open);
	forboth(a, d->same, b, d->same_parent)
		idem_equality_init(&equal,
						   idem_column_base_type(d->parent,
												 idem_stored_column(d->parent, lfirst(b)),
												 NULL),
						   idem_column_base_type(d->child,
												 idem_stored_column(d->child, lfirst(a)),
												 NULL));
}

static char *
made_name(const char *prefix, const char *name)
{
	char	   *made = psprintf("%s%s", prefix, name);

	if (strlen(made) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name \"%s\" of the guard would be too long", made),
				 errhint("Choose shorter column names.")));
	return made;
}

/*
 * The trigger on the child is named after the foreign key, in upper case so
 * that it fires before RI_ConstraintTrigger: who takes the foreign key's KEY
 * SHARE first and changes the parent afterwards shares the row with everybody
 * who waits for it, in a multixact that each of them has to expand ...
 */
static void
name_limit(Declaration *d)
{
	StringInfoData fk;
	ListCell   *lc;

	initStringInfo(&fk);
	foreach(lc, d->fk)
		appendStringInfo(&fk, "%s%s", fk.len > 0 ? "_" : "",
						 (char *) lfirst(lc));
	d->limit_name = made_name("IDEM_limit_", fk.data);
	idem_refuse_second_guard(d->child, d->limit_name);
}

/* ... the one on the parent after the total, and who else shares it. */
static void
name_total(Declaration *d)
{
	d->total_name = made_name("idem_limit_total_", d->used);
	if (list_length(d->children) > 1)
		d->total_name = makeObjectName(d->total_name,
									   RelationGetRelationName(d->child),
									   NULL);
	idem_refuse_second_guard(d->parent, d->total_name);
}

/* Open both tables, child first, and check all there is to check. */
static void
open_tables(Oid child, Declaration *d)
{
	d->child = idem_open_for_guard(child, ShareRowExclusiveLock);
	idem_limit_find_key(child, d->fk, ERRCODE_INVALID_OBJECT_DEFINITION,
						&d->key);
	d->parent = idem_open_for_guard(d->key.parent, ShareRowExclusiveLock);
	refuse_deferrable_key(d->child);
	check_amount_types(d);
	check_total_columns(d);
	check_age_column(d);
	name_limit(d);
	find_children(d);
	name_total(d);
	idem_limit_check_key_types(d->child, &d->key);
	check_compared(d);
}

/* ------------------------------------------------------------------------
 * Statements over the rows there are
 *
 * c is the child, p the parent, t the sums: (k1, k2, ..., total).
 * ------------------------------------------------------------------------
 */

/* Run a statement under the latest snapshot; result in SPI_tuptable. */
static void
run_latest(const char *sql, int expected)
{
	SPIPlanPtr	plan = SPI_prepare(sql, 0, NULL);
	int			code;

	if (plan == NULL)
		elog(ERROR, "SPI_prepare returned %s: %s",
			 SPI_result_code_string(SPI_result), sql);
	CommandCounterIncrement();
	code = SPI_execute_snapshot(plan, NULL, NULL, GetLatestSnapshot(),
								InvalidSnapshot, false, true, 0);
	if (code != expected)
		elog(ERROR, "SPI_execute_snapshot returned %s: %s",
			 SPI_result_code_string(code), sql);
}

/*
 * The rows of a query of one text column, as a sentence; NULL if there are
 * none.
 */
static char *
offenders(const char *sql)
{
	StringInfoData buf;
	uint64		i;

	run_latest(psprintf("%s LIMIT %d", sql, OFFENDERS_MAX + 1), SPI_OK_SELECT);
	if (SPI_processed == 0)
		return NULL;
	initStringInfo(&buf);
	for (i = 0; i < Min(SPI_processed, OFFENDERS_MAX); i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? "; " : "",
						 SPI_getvalue(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc, 1));
	appendStringInfoString(&buf, SPI_processed > OFFENDERS_MAX ? "; and more." : ".");
	return buf.data;
}

static const char *
column(const char *table, const char *name)
{
	return psprintf("%s.%s", table, quote_identifier(name));
}

/* The key of a row as text: 4711, or (7, 4711). */
static char *
key_text_sql(Relation rel, const char *table, const AttrNumber *columns, int n)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "pg_catalog.format('");
	for (i = 0; i < n; i++)
		appendStringInfoString(&sql, i > 0 ? ", %s" : n > 1 ? "(%s" : "%s");
	appendStringInfoString(&sql, n > 1 ? ")'" : "'");
	for (i = 0; i < n; i++)
		appendStringInfo(&sql, ", %s",
						 column(table, NameStr(attribute(rel, columns[i])->attname)));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

static char *
parent_key_sql(Declaration *d)
{
	return key_text_sql(d->parent, "p", d->key.parent_column, d->key.n);
}

static char *
child_key_sql(Declaration *d)
{
	return key_text_sql(d->child, "c", d->key.child_column, d->key.n);
}

/* Which children count. */
static char *
counted_sql(Declaration *d)
{
	return idem_limit_counted_sql(linitial(d->children));
}

/* p.key = c.key */
static char *
join_sql(Declaration *d)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < d->key.n; i++)
	{
		Form_pg_attribute pk = attribute(d->parent, d->key.parent_column[i]);
		Form_pg_attribute fk = attribute(d->child, d->key.child_column[i]);

		if (i > 0)
			appendStringInfoString(&sql, " AND ");
		generate_operator_clause(&sql, column("p", NameStr(pk->attname)),
								 pk->atttypid, d->key.equal_child[i],
								 column("c", NameStr(fk->attname)),
								 fk->atttypid);
	}
	return sql.data;
}

/* 23514 if a child has an amount that is not a positive number. */
static void
check_amounts(Declaration *d)
{
	const char *amount = column("c", d->amount);
	char	   *found;

	found = offenders(psprintf("SELECT pg_catalog.format('of %s %%s: %%s', %s, COALESCE(%s::pg_catalog.text, 'null')) FROM %s c WHERE (%s OPERATOR(pg_catalog.>) '0'%s) IS NOT TRUE ORDER BY 1",
							   RelationGetRelationName(d->parent),
							   child_key_sql(d), amount,
							   idem_qualified_name(d->child), amount,
							   d->type != NUMERICOID ? "" :
							   psprintf(" AND %s OPERATOR(pg_catalog.<) 'Infinity'", amount)));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("table \"%s\" has amounts that are not positive numbers",
						RelationGetRelationName(d->child)),
				 errdetail("%s", found),
				 errtablecol(d->child, idem_column_number(d->child, d->amount))));
}

/* 23I06 if a counted child differs from its parent in a compared column. */
static void
check_same(Declaration *d)
{
	ListCell   *a;
	ListCell   *b;

	forboth(a, d->same, b, d->same_parent)
	{
		AttrNumber	mine = idem_column_number(d->child, lfirst(a));
		AttrNumber	other = idem_column_number(d->parent, lfirst(b));
		const char *mine_sql = column("c", lfirst(a));
		const char *other_sql = column("p", lfirst(b));
		char	   *found;

		found = offenders(psprintf("SELECT pg_catalog.format('%s %%s: %%L, of %s %%L', %s, %s, %s) FROM %s c JOIN %s p ON %s WHERE (%s) AND (%s) IS NOT TRUE ORDER BY 1",
								   RelationGetRelationName(d->parent),
								   RelationGetRelationName(d->child),
								   parent_key_sql(d), other_sql, mine_sql,
								   idem_qualified_name(d->child),
								   idem_qualified_name(d->parent),
								   join_sql(d), counted_sql(d),
								   idem_limit_equal_sql(other_sql,
											 attribute(d->parent, other)->atttypid,
											 mine_sql,
											 attribute(d->child, mine)->atttypid)));
		if (found)
			ereport(ERROR,
					(errcode(ERRCODE_IDEM_REVERSE_MISMATCH),
					 errmsg("rows of table \"%s\" differ in \"%s\" from their row of table \"%s\"",
							RelationGetRelationName(d->child),
							(char *) lfirst(a),
							RelationGetRelationName(d->parent)),
					 errdetail("%s", found),
					 errtablecol(d->child, mine)));
	}
}

/* 23I05 if requests already exceed their parent; facts may. */
static void
check_sums(Declaration *d)
{
	const char *cap = column("p", d->cap);
	char	   *found;

	found = offenders(psprintf("SELECT pg_catalog.format('%s %%s: limit %%s, used %%s', %s, %s, t.asked) FROM (%s) t JOIN %s p ON %s WHERE t.asked OPERATOR(pg_catalog.>) %s ORDER BY 1",
							   RelationGetRelationName(d->parent),
							   parent_key_sql(d), cap,
							   idem_limit_sums_sql(d->children),
							   idem_qualified_name(d->parent),
							   idem_limit_join_sql(&d->key, "t"), cap));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
				 errmsg("rows of table \"%s\" already exceed the limit of their row of table \"%s\"",
						RelationGetRelationName(d->child),
						RelationGetRelationName(d->parent)),
				 errdetail("%s", found),
				 errtable(d->child)));
	if (d->count_cap == 0 || d->facts != NIL)
		return;
	found = offenders(psprintf("SELECT pg_catalog.format('%s %%s: %%s', %s, t.number) FROM (%s) t JOIN %s p ON %s WHERE t.number OPERATOR(pg_catalog.>) " INT64_FORMAT " ORDER BY 1",
							   RelationGetRelationName(d->parent),
							   parent_key_sql(d),
							   idem_limit_sums_sql(d->children),
							   idem_qualified_name(d->parent),
							   idem_limit_join_sql(&d->key, "t"),
							   d->count_cap));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
				 errmsg("rows of table \"%s\" already have more rows of table \"%s\" than the limit allows",
						RelationGetRelationName(d->parent),
						RelationGetRelationName(d->child)),
				 errdetail("%s", found),
				 errtable(d->child)));
}

/* ------------------------------------------------------------------------
 * Making it
 * ------------------------------------------------------------------------
 */

/*
 * Run one ALTER TABLE on the parent, which refuses a table that is open; the
 * lock stays.
 */
static void
alter_parent(Declaration *d, const char *change)
{
	char	   *table = idem_qualified_name(d->parent);

	table_close(d->parent, NoLock);
	idem_execute("ALTER TABLE %s %s", table, change);
	d->parent = table_open(d->key.parent, NoLock);
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

/* used = LEAST(p.cap, t.total)::type, excess = ..., count = t.number */
static char *
fill_sql(Declaration *d)
{
	const char *type = idem_limit_type_name(d->type);
	const char *cap = column("p", d->cap);
	List	   *parts;

	parts = list_make1(psprintf("%s = LEAST(%s, t.total)::%s",
								quote_identifier(d->used), cap, type));
	if (d->all_excess != NULL)
		parts = lappend(parts, psprintf("%s = GREATEST(t.total OPERATOR(pg_catalog.-) %s, '0')::%s",
										quote_identifier(d->all_excess), cap,
										type));
	if (d->count_used != NULL)
		parts = add_text(parts, "%s = t.number", d->count_used);
	return list_sql(parts);
}

/* used = '0', excess = '0', count = '0'; or whether one of them is not */
static char *
zero_sql(Declaration *d, bool wrong)
{
	const char *columns[3] = {d->used, d->all_excess, d->count_used};
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	for (i = 0; i < 3; i++)
	{
		if (columns[i] == NULL)
			continue;
		if (wrong)
			appendStringInfo(&sql, "%s(%s OPERATOR(pg_catalog.=) '0') IS NOT TRUE",
							 sql.len > 0 ? " OR " : "", column("p", columns[i]));
		else
			appendStringInfo(&sql, "%s%s = '0'", sql.len > 0 ? ", " : "",
							 quote_identifier(columns[i]));
	}
	return sql.data;
}

/*
 * The totals of all rows: of those that have children the sums, of the others
 * 0.  Counterparts that are there already let it pass.
 */
static void
fill_totals(Declaration *d)
{
	const char *parent = idem_qualified_name(d->parent);
	const char *sums = idem_limit_sums_sql(d->children);
	const char *join = idem_limit_join_sql(&d->key, "t");

	idem_limit_set_filling(d->key.parent);
	PG_TRY();
	{
		run_latest(psprintf("UPDATE %s p SET %s WHERE (%s) AND NOT EXISTS (SELECT FROM (%s) t WHERE %s)",
							parent, zero_sql(d, false), zero_sql(d, true),
							sums, join),
				   SPI_OK_UPDATE);
		run_latest(psprintf("UPDATE %s p SET %s FROM (%s) t WHERE %s",
							parent, fill_sql(d), sums, join),
				   SPI_OK_UPDATE);
	}
	PG_FINALLY();
	{
		idem_limit_set_filling(InvalidOid);
	}
	PG_END_TRY();
}

static List *
add_setting(List *settings, const char *name, const char *value)
{
	return value == NULL ? settings :
		lappend(settings, psprintf("%s=%s", name, value));
}

static List *
add_list(List *settings, const char *name, List *values)
{
	return values == NIL ? settings :
		add_setting(settings, name, idem_list_text(values));
}

static List *
add_count(List *settings, Declaration *d)
{
	if (d->count_cap == 0)
		return settings;
	settings = add_setting(settings, "count_cap",
						   psprintf(INT64_FORMAT, d->count_cap));
	return add_setting(settings, "count_used", d->count_used);
}

/* The age is written so that every intervalstyle reads it alike. */
static List *
add_age(List *settings, Declaration *d)
{
	int			level;
	char	   *age;

	if (d->max_age == NULL)
		return settings;
	level = NewGUCNestLevel();
	(void) set_config_option("intervalstyle", "iso_8601", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	age = OidOutputFunctionCall(F_INTERVAL_OUT,
								IntervalPGetDatum(d->max_age));
	AtEOXact_GUC(true, level);
	settings = add_setting(settings, "max_age", age);
	return add_setting(settings, "age_from", d->age_from);
}

static List *
limit_settings(Declaration *d)
{
	List	   *settings = NIL;

	settings = add_list(settings, "fk", d->fk);
	settings = add_setting(settings, "amount", d->amount);
	settings = add_setting(settings, "cap", d->cap);
	settings = add_setting(settings, "used", d->used);
	settings = add_setting(settings, "state", d->state);
	settings = add_list(settings, "released", d->released);
	settings = add_list(settings, "same", d->same);
	settings = add_list(settings, "same_parent", d->same_parent);
	settings = add_setting(settings, "parent_state", d->parent_state);
	settings = add_list(settings, "open", d->open);
	settings = add_list(settings, "facts", d->facts);
	settings = add_setting(settings, "excess", d->excess);
	settings = add_count(settings, d);
	settings = add_age(settings, d);
	return add_setting(settings, "children",
					   d->editable ? "editable" : "kept");
}

static List *
total_settings(Declaration *d)
{
	List	   *settings = NIL;

	settings = add_list(settings, "fk", d->fk);
	settings = add_setting(settings, "amount", d->amount);
	settings = add_list(settings, "key", idem_limit_parent_columns(&d->key));
	settings = add_setting(settings, "cap", d->cap);
	settings = add_setting(settings, "used", d->used);
	settings = add_setting(settings, "excess", d->excess);
	settings = add_setting(settings, "count_used", d->count_used);
	settings = add_list(settings, "same_parent", d->same_parent);
	return add_setting(settings, "cap_grows",
					   d->cap_grows ? "true" : "false");
}

/* Has the parent no rows that a CHECK would have to read? */
static bool
has_no_rows(Declaration *d)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(d->key.parent, NoLock, NULL))
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

/* One CHECK, unless another limit that shares the column brought it. */
static void
add_check(Declaration *d, const char *column_name, const char *condition)
{
	char	   *name = made_name("idem_limit_", column_name);

	if (OidIsValid(get_relation_constraint_oid(d->key.parent, name, true)))
		return;
	d->finish = lappend(d->finish,
						psprintf("ADD CONSTRAINT %s CHECK ((%s) IS TRUE)%s",
								 quote_identifier(name), condition,
								 has_no_rows(d) ? "" : " NOT VALID"));
}

/*
 * The CHECKs the server itself keeps, the last step; numeric has a NaN above
 * every cap.  Facts are stored however many children there are.
 */
static void
make_checks(Declaration *d)
{
	const char *used = quote_identifier(d->used);
	const char *cap = quote_identifier(d->cap);
	const char *finite = d->type != NUMERICOID ? "" : " AND %s < 'Infinity'";

	add_check(d, d->used, psprintf("%s BETWEEN '0' AND %s%s", used, cap,
								   psprintf(finite, cap)));
	if (d->excess != NULL)
		add_check(d, d->excess, psprintf("%s >= '0'%s",
										 quote_identifier(d->excess),
										 psprintf(finite,
												  quote_identifier(d->excess))));
	if (d->count_used != NULL && d->facts == NIL)
		add_check(d, d->count_used,
				  psprintf("%s BETWEEN 0 AND " INT64_FORMAT,
						   quote_identifier(d->count_used), d->count_cap));
	else if (d->count_used != NULL)
		add_check(d, d->count_used,
				  psprintf("%s >= 0", quote_identifier(d->count_used)));
	if (d->finish != NIL)
		alter_parent(d, list_sql(d->finish));
}

/* Fail, rather than overlook rows, where row security would hide some. */
static void
see_every_row(void)
{
	(void) set_config_option("row_security", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Columns, totals and counterpart, as the owner of the parent. */
static void
make_parent(Declaration *d)
{
	IdemIdentity saved;

	idem_become_declarer(d->parent, &saved);
	see_every_row();
	check_amounts(d);
	check_same(d);
	check_sums(d);
	if (d->missing != NIL)
		alter_parent(d, list_sql(d->missing));
	fill_totals(d);
	table_close(d->parent, NoLock);
	idem_create_bound_trigger(d->key.parent, d->key.child, d->total_name,
							  "INSERT OR UPDATE OR DELETE", "keep_total",
							  total_settings(d));
	d->parent = table_open(d->key.parent, NoLock);
	idem_restore_identity(&saved);
}

static void
make_child(Declaration *d)
{
	IdemIdentity saved;

	idem_become_declarer(d->child, &saved);
	table_close(d->child, NoLock);
	idem_create_row_trigger(d->key.child, d->limit_name,
							"INSERT OR UPDATE OR DELETE", "keep_limit",
							limit_settings(d));
	idem_create_truncate_triggers(d->key.child, d->limit_name);
	idem_restore_identity(&saved);
}

/* What takes ACCESS EXCLUSIVE comes last. */
static void
finish_parent(Declaration *d)
{
	IdemIdentity saved;

	idem_become_declarer(d->parent, &saved);
	make_checks(d);
	table_close(d->parent, NoLock);
	idem_restore_identity(&saved);
}

static void
declare_limit(FunctionCallInfo fcinfo, Declaration *d)
{
	read_arguments(fcinfo, d);
	SPI_connect();
	open_tables(PG_GETARG_OID(0), d);
	make_parent(d);
	make_child(d);
	finish_parent(d);
	idem_log_change("declared", "limit", d->key.child, d->limit_name,
					add_setting(limit_settings(d), "cap_grows",
								d->cap_grows ? "true" : "false"), NULL);
	SPI_finish();
}

static void
check_child_argument(FunctionCallInfo fcinfo)
{
	idem_require_argument(fcinfo, 0, "child");
}

/*
 * guard_limit(child regclass, fk text, ...) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_limit);
Datum
idem_guard_limit(PG_FUNCTION_ARGS)
{
	Declaration d = {0};

	check_child_argument(fcinfo);
	d.fk = columns_argument(idem_required_text(fcinfo, 1, "fk"));
	declare_limit(fcinfo, &d);
	PG_RETURN_VOID();
}

/*
 * guard_limit(child regclass, fk text[], ...) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_limit_columns);
Datum
idem_guard_limit_columns(PG_FUNCTION_ARGS)
{
	Declaration d = {0};

	check_child_argument(fcinfo);
	d.fk = list_argument(fcinfo, 1, "fk");
	declare_limit(fcinfo, &d);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * Validating it later
 * ------------------------------------------------------------------------
 */

/* Validate the CHECK of one column, if there is one. */
static void
validate_check(Oid parent, const char *column_name)
{
	char	   *name;

	if (column_name == NULL)
		return;
	name = psprintf("idem_limit_%s", column_name);
	if (OidIsValid(get_relation_constraint_oid(parent, name, true)))
		idem_execute("ALTER TABLE %s VALIDATE CONSTRAINT %s",
					 idem_qualified_name_of(parent), quote_identifier(name));
}

static void
validate_limit(Relation child, Trigger *trigger)
{
	IdemLimitKey key;
	Relation	parent;
	IdemIdentity saved;

	idem_limit_find_key(RelationGetRelid(child),
						idem_trigger_setting_list(child, trigger, "fk"),
						ERRCODE_INVALID_OBJECT_DEFINITION, &key);
	idem_check_owned(key.parent);
	parent = table_open(key.parent, ShareUpdateExclusiveLock);
	idem_check_owned(key.parent);
	idem_become_declarer(parent, &saved);
	table_close(parent, NoLock);
	validate_check(key.parent, idem_trigger_setting(trigger, "used"));
	validate_check(key.parent, idem_trigger_setting(trigger, "excess"));
	validate_check(key.parent, idem_trigger_setting(trigger, "count_used"));
	idem_restore_identity(&saved);
}

/*
 * validate_guard(relation regclass, name text) -> void
 */
PG_FUNCTION_INFO_V1(idem_validate_guard);
Datum
idem_validate_guard(PG_FUNCTION_ARGS)
{
	Relation	child;
	TriggerDesc *triggers;
	char	   *name = text_argument(fcinfo, 1);
	int			found = 0;
	int			i;

	idem_require_argument(fcinfo, 0, "relation");
	child = idem_open_named(PG_GETARG_OID(0));
	triggers = CopyTriggerDesc(child->trigdesc);
	SPI_connect();
	for (i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (!idem_limit_is_trigger(trigger, "keep_limit") ||
			(name != NULL && strcmp(name, trigger->tgname) != 0))
			continue;
		validate_limit(child, trigger);
		found++;
	}
	SPI_finish();
	if (found == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" has no limit",
						RelationGetRelationName(child))));
	relation_close(child, NoLock);
	PG_RETURN_VOID();
}
