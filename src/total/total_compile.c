/*
 * total_compile.c
 *		The description of a total that the trigger of a child keeps between
 *		calls.
 *
 * Read from the trigger's arguments and from the catalog: the foreign key,
 * columns by number, the arithmetic of the amounts.  Lives until child or
 * parent is altered (guard.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "base/column.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/moved.h"
#include "base/settings_trigger.h"
#include "total/total.h"
#include "total/total_keep.h"

/* How two children are ordered by a column of their key. */
static void
compile_order(IdemTotal *total, int column, Oid collation)
{
	TypeCacheEntry *cache = lookup_type_cache(total->fk_type[column],
											  TYPECACHE_CMP_PROC);

	if (!OidIsValid(cache->cmp_proc))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("type %s has no order", format_type_be(total->fk_type[column]))));
	fmgr_info_cxt(cache->cmp_proc, &total->fk_order[column],
				  CurrentMemoryContext);
	total->collation[column] = collation;
}

/* Where a value of the notes comes from, and how it is copied. */
static AttrNumber
add_source(Relation rel, const char *column, IdemTotal *total)
{
	AttrNumber	number = idem_column_number(rel, column);
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), number - 1);

	total->source[total->nvalues] = number;
	total->len[total->nvalues] = att->attlen;
	total->byval[total->nvalues] = att->attbyval;
	total->nvalues++;
	return number;
}

static void
compile_sources(Relation rel, List *compared, IdemTotal *total)
{
	int			n = total->key.n + list_length(compared);
	ListCell   *lc;
	int			i;

	total->source = palloc(sizeof(AttrNumber) * n);
	total->len = palloc(sizeof(int16) * n);
	total->byval = palloc(sizeof(bool) * n);
	for (i = 0; i < total->key.n; i++)
	{
		AttrNumber	column = add_source(rel,
										get_attname(total->key.child,
													total->key.child_column[i],
													false), total);
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel),
											  column - 1);

		total->fk_type[i] = att->atttypid;
		total->key_type[i] = get_atttype(total->key.parent,
										 total->key.parent_column[i]);
		fmgr_info_cxt(get_opcode(total->key.equal_child[i]),
					  &total->fk_equal[i], CurrentMemoryContext);
		compile_order(total, i, att->attcollation);
	}
	foreach(lc, compared)
		add_source(rel, lfirst(lc), total);
}

static void
report_type(Relation rel, Relation parent, IdemTotal *total)
{
	StringInfoData names;
	int			i;

	initStringInfo(&names);
	for (i = 0; i < IDEM_TOTAL_COUNT; i++)
	{
		int			place = (i + IDEM_TOTAL_BOUND) % IDEM_TOTAL_COUNT;

		if (total->column[place] != NULL)
			appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? " and " : "",
							 total->column[place]);
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("columns %s of table \"%s\" do not have the type of the amounts of table \"%s\"",
					names.data, RelationGetRelationName(parent),
					RelationGetRelationName(rel)),
			 errtablecol(rel, total->amount_column)));
}

/* Values of these columns are taken for one another: one type, always. */
static void
compile_amount(Relation rel, Trigger *trigger, Relation parent,
			   IdemTotal *total)
{
	int			place;
	Oid			type;

	total->amount_column =
		idem_column_number(rel, idem_trigger_setting(trigger, "amount"));
	type = idem_column_base_type(rel, total->amount_column,
								 &total->amount_typmod);
	if (!idem_amount_type_supported(type))
		report_type(rel, parent, total);
	for (place = 0; place < IDEM_TOTAL_COUNT; place++)
	{
		if (total->number[place] &&
			idem_column_base_type(parent, total->number[place], NULL) != type)
			report_type(rel, parent, total);
	}
	idem_amount_type_init(&total->amount, type);
}

/* The type of the column by which children are counted. */
static void
check_count_type(Relation parent, IdemTotal *total)
{
	AttrNumber	count = total->number[IDEM_TOTAL_COUNT];

	if (count &&
		!idem_count_type_supported(idem_column_base_type(parent, count, NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" does not count children",
						total->column[IDEM_TOTAL_COUNT],
						RelationGetRelationName(parent)),
				 errtablecol(parent, count)));
}

/*
 * Open the parent of a trigger that fired, which has to consent: 39P01.  also
 * is what else the settings are read from (IdemGuardCompile).
 */
Relation
idem_total_open_parent(Relation rel, Trigger *trigger, Oid *also,
					   IdemTotal *total)
{
	Relation	parent;

	idem_total_find_key(idem_root_relid(rel),
						idem_trigger_setting_list(trigger, "fk"),
						ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, &total->key);
	*also = total->key.parent;
	parent = table_open(total->key.parent, AccessShareLock);
	idem_total_require(rel, trigger, parent, &total->key);
	idem_total_check_key_types(rel, &total->key);
	return parent;
}

/* How the compared columns are compared. */
static void
compile_pairs(Relation rel, Relation parent, int n, IdemTotal *total)
{
	int			i;

	total->npairs = n;
	total->equal = palloc(sizeof(IdemEquality) * Max(n, 1));
	for (i = 0; i < n; i++)
		idem_equality_init(&total->equal[i],
						   idem_column_base_type(parent,
												 total->number[IDEM_TOTAL_SAME + i],
												 NULL),
						   idem_column_base_type(rel,
												 total->source[total->key.n + i],
												 NULL));
}

/* The plans go when the settings go, which is when nobody runs them. */
static void
free_plans(void *arg)
{
	idem_statement_free(arg);
}

/* Is this the last trigger of a total that fires for a row of the child? */
static bool
is_last_trigger(Relation rel, const char *name)
{
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(rel))
	{
		const IdemGuardTrigger *other = lfirst(lc);

		if (other->kind->decides &&
			strcmp(idem_statement_function(other->kind),
				   IDEM_TOTAL_STATEMENT_FUNCTION) == 0 &&
			strcmp(other->guard->name, name) > 0)
			return false;
	}
	return true;
}

/*
 * Compile what is kept of a total.  columns are those of the parent that are
 * looked at (IdemTotalColumn), NULL where there is none; compared are those of
 * the child that a note takes along behind the key.
 */
void
idem_total_compile(Relation rel, Trigger *trigger, Relation parent,
				   const char **columns, int ncolumns, List *compared,
				   IdemTotal *total)
{
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	int			i;

	total->relid = RelationGetRelid(rel);
	total->kind =
		pstrdup(idem_kind_of_function(trigger->tgfoid)->kind);
	total->trigger = pstrdup(trigger->tgname);
	total->is_last = is_last_trigger(rel, total->trigger);
	total->at_once = total->key.bound != total->key.child;
	total->fk_text = pstrdup(idem_trigger_setting(trigger, "fk"));
	total->ncolumns = ncolumns;
	total->column = palloc0(sizeof(char *) * ncolumns);
	total->number = palloc0(sizeof(AttrNumber) * ncolumns);
	for (i = 0; i < ncolumns; i++)
	{
		if (columns[i] == NULL)
			continue;
		total->column[i] = pstrdup(columns[i]);
		total->number[i] = idem_column_number(parent, columns[i]);
	}
	compile_sources(rel, compared, total);
	compile_amount(rel, trigger, parent, total);
	check_count_type(parent, total);
	compile_pairs(rel, parent, list_length(compared), total);
	total->direct = idem_direct_compile(parent, total);
	callback->func = free_plans;
	callback->arg = total;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
}
