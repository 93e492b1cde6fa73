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
 * EXCLUSIVE while the rows are read; ACCESS EXCLUSIVE on the parent from ADD
 * COLUMN on, or from ADD CHECK, the last step, which reads the parent once.
 * Rows are read under the latest snapshot, because that of a REPEATABLE READ
 * transaction may be older than the locks.
 *
 * Everything on the parent runs as its owner, everything on the child as
 * its own.  Where the owners differ the parent's needs SELECT and TRIGGER on
 * the child, and is told so by the server.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

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
	Oid			type;			/* of amount, cap and used */
	int32		typmod;
	bool		used_exists;
	char	   *limit_name;		/* names of what is made */
	char	   *total_name;
	char	   *check_name;
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

	if (d->released != NIL && d->state == NULL)
		refuse_pairing("released", "state");
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

/* The column of the running total, if the parent already has it. */
static void
check_used(Declaration *d)
{
	AttrNumber	used = get_attnum(RelationGetRelid(d->parent), d->used);
	int32		typmod;

	d->used_exists = used != InvalidAttrNumber;
	if (!d->used_exists)
		return;
	if (used < 0 || strcmp(d->used, d->cap) == 0 ||
		attribute(d->parent, used)->attgenerated)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" cannot be a running total",
						d->used, RelationGetRelationName(d->parent)),
				 errhint("Name a column of its own, or one that does not exist yet."),
				 errtable(d->parent)));
	if (bms_is_member(used - FirstLowInvalidHeapAttributeNumber,
					  RelationGetIndexAttrBitmap(d->parent,
												 INDEX_ATTR_BITMAP_KEY)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" stands in a unique index",
						d->used, RelationGetRelationName(d->parent)),
				 errdetail("Every change of it would lock out the foreign keys that reference the row."),
				 errtablecol(d->parent, used)));
	if (idem_column_base_type(d->parent, used, &typmod) != d->type)
		refuse_type(d->parent, used,
					"Amount, cap and running total have one type.");
	if (typmod != -1 && typmod != d->typmod)
		refuse_type(d->parent, used,
					"Its precision could round a sum of amounts.");
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

static void
name_objects(Declaration *d)
{
	StringInfoData fk;
	ListCell   *lc;

	initStringInfo(&fk);
	foreach(lc, d->fk)
		appendStringInfo(&fk, "%s%s", fk.len > 0 ? "_" : "",
						 (char *) lfirst(lc));
	d->limit_name = made_name("idem_limit_", fk.data);
	d->total_name = made_name("idem_limit_total_", d->used);
	d->check_name = made_name("idem_limit_", d->used);
	idem_refuse_second_guard(d->child, d->limit_name);
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
	check_amount_types(d);
	check_used(d);
	idem_limit_check_key_types(d->child, &d->key);
	check_compared(d);
	name_objects(d);
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

/*
 * left = right with the equality the guard itself compares by, which is the
 * one of the type's default operator class: no code of a type's or a table's
 * owner, and no collation that calls two texts equal.
 */
static char *
equal_sql(const char *left, Oid left_type, const char *right, Oid right_type)
{
	StringInfoData sql;
	Oid			type = getBaseType(left_type);
	const char *collate = type_is_collatable(type) ?
		" COLLATE pg_catalog.\"C\"" : "";

	if (type == VARCHAROID)
		type = TEXTOID;
	initStringInfo(&sql);
	generate_operator_clause(&sql, psprintf("(%s%s)", left, collate), left_type,
							 lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr,
							 right, right_type);
	return sql.data;
}

/* Which children count: (c.state = 'failed' OR ...) IS NOT TRUE. */
static char *
counted_sql(Declaration *d)
{
	StringInfoData sql;
	Oid			type;
	ListCell   *lc;

	if (d->released == NIL)
		return "true";
	type = attribute(d->child, idem_column_number(d->child, d->state))->atttypid;
	initStringInfo(&sql);
	foreach(lc, d->released)
		appendStringInfo(&sql, "%s%s", sql.len > 0 ? " OR " : "(",
						 equal_sql(column("c", d->state), type,
								   psprintf("%s::%s",
											quote_literal_cstr(lfirst(lc)),
											idem_limit_type_name(getBaseType(type))),
								   getBaseType(type)));
	appendStringInfoString(&sql, ") IS NOT TRUE");
	return sql.data;
}

/* p.key = other.key, where other has the child's values under these names. */
static char *
join_sql(Declaration *d, const char *other, bool numbered)
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
								 numbered ? psprintf("%s.k%d", other, i + 1) :
								 column(other, NameStr(fk->attname)),
								 fk->atttypid);
	}
	return sql.data;
}

/* SELECT fk AS k1, ..., sum(amount) AS total FROM child c ... GROUP BY ... */
static char *
sums_sql(Declaration *d)
{
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	for (i = 0; i < d->key.n; i++)
		appendStringInfo(&sql, "%s AS k%d, ",
						 column("c", NameStr(attribute(d->child,
													   d->key.child_column[i])->attname)),
						 i + 1);
	appendStringInfo(&sql, "pg_catalog.sum(%s) AS total FROM %s c WHERE %s GROUP BY ",
					 column("c", d->amount), idem_qualified_name(d->child),
					 counted_sql(d));
	for (i = 0; i < d->key.n; i++)
		appendStringInfo(&sql, "%s%d", i > 0 ? ", " : "", i + 1);
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
								   join_sql(d, "c", false), counted_sql(d),
								   equal_sql(other_sql,
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

/* 23I05 if children already exceed their parent. */
static void
check_sums(Declaration *d)
{
	const char *cap = column("p", d->cap);
	char	   *found;

	found = offenders(psprintf("SELECT pg_catalog.format('%s %%s: limit %%s, used %%s', %s, %s, t.total) FROM (%s) t JOIN %s p ON %s WHERE t.total OPERATOR(pg_catalog.>) %s ORDER BY 1",
							   RelationGetRelationName(d->parent),
							   parent_key_sql(d), cap, sums_sql(d),
							   idem_qualified_name(d->parent),
							   join_sql(d, "t", true), cap));
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
				 errmsg("rows of table \"%s\" already exceed the limit of their row of table \"%s\"",
						RelationGetRelationName(d->child),
						RelationGetRelationName(d->parent)),
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

/* The running total: there, filled, NOT NULL, 0 for new rows. */
static void
make_total(Declaration *d)
{
	const char *parent = idem_qualified_name(d->parent);
	const char *used = quote_identifier(d->used);

	if (!d->used_exists)
		alter_parent(d, psprintf("ADD COLUMN %s %s NOT NULL DEFAULT '0'", used,
								 format_type_extended(d->type, d->typmod,
													  FORMAT_TYPE_TYPEMOD_GIVEN |
													  FORMAT_TYPE_FORCE_QUALIFY)));
	else
		run_latest(psprintf("UPDATE %s p SET %s = '0' WHERE (%s OPERATOR(pg_catalog.=) '0') IS NOT TRUE",
							parent, used, column("p", d->used)),
				   SPI_OK_UPDATE);
	run_latest(psprintf("UPDATE %s p SET %s = t.total::%s FROM (%s) t WHERE %s",
						parent, used, idem_limit_type_name(d->type),
						sums_sql(d), join_sql(d, "t", true)),
			   SPI_OK_UPDATE);
	if (d->used_exists)
		alter_parent(d, psprintf("ALTER COLUMN %s SET DEFAULT '0', ALTER COLUMN %s SET NOT NULL",
								 used, used));
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
	settings = add_list(settings, "same_parent", d->same_parent);
	return add_setting(settings, "cap_grows",
					   d->cap_grows ? "true" : "false");
}

/* The CHECK the server itself keeps; numeric has a NaN above every cap. */
static void
make_check(Declaration *d)
{
	const char *cap = quote_identifier(d->cap);

	alter_parent(d, psprintf("ADD CONSTRAINT %s CHECK ((%s BETWEEN '0' AND %s%s) IS TRUE)",
							 quote_identifier(d->check_name),
							 quote_identifier(d->used), cap,
							 d->type != NUMERICOID ? "" :
							 psprintf(" AND %s < 'Infinity'", cap)));
}

/* Fail, rather than overlook rows, where row security would hide some. */
static void
see_every_row(void)
{
	(void) set_config_option("row_security", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

static void
make_parent(Declaration *d)
{
	IdemIdentity saved;

	idem_become_declarer(d->parent, &saved);
	see_every_row();
	check_amounts(d);
	check_same(d);
	check_sums(d);
	make_total(d);
	make_check(d);
	table_close(d->parent, NoLock);
	idem_create_bound_trigger(d->key.parent, d->key.child, d->total_name,
							  "INSERT OR UPDATE OR DELETE", "keep_total",
							  total_settings(d));
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

static void
declare_limit(FunctionCallInfo fcinfo, Declaration *d)
{
	read_arguments(fcinfo, d);
	SPI_connect();
	open_tables(PG_GETARG_OID(0), d);
	make_parent(d);
	make_child(d);
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
