/*
 * pair_declare.c
 *		guard_parent_state(): the states of two rows agree.
 *
 * Locked until the end of the transaction: child, then parent, SHARE ROW
 * EXCLUSIVE: writers wait, readers do not.  Rows that are there already are
 * read under the latest snapshot, and those that do not agree are refused with
 * some of them in DETAIL; with judge => 'entry' they are not looked at, since
 * a child stays whatever becomes of its parent.
 *
 * The trigger of each table is made as its owner.  The one of the parent is
 * bound to the child (FROM), so that it goes with that; its owner needs
 * SELECT and TRIGGER on the child, and is told so by the server.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

#include "base/again.h"
#include "base/argument.h"
#include "base/change.h"
#include "base/column.h"
#include "base/declare.h"
#include "base/idem_errors.h"
#include "base/identity.h"
#include "base/settings_write.h"
#include "pair/pair.h"
#include "total/total_declare.h"
#include "total/total_sql.h"

/* What guard_parent_state() was called with, and what the catalog adds. */
typedef struct PairDeclaration
{
	List	   *fk;
	char	   *state;
	char	   *parent_state;
	List	   *states;			/* of the child, and for each ... */
	List	   *names;			/* ... the text of a list of the parent's */
	List	   *facts;
	char	   *judge;
	bool		deferred;
	IdemTotalKey key;
	Relation	child;
	Relation	parent;
	char	   *name;			/* of the child's trigger; of the parent's */
	char	   *parent_name;
} PairDeclaration;

/* ------------------------------------------------------------------------
 * Arguments
 * ------------------------------------------------------------------------
 */

static void
refuse_allowed(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"allowed\" of idem.guard_parent_state must be an object of lists of states"),
			 errhint("Write it as {\"state of the child\": \"{states of the parent}\", ...}.")));
}

static void
refuse_stateless(const char *argument)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" of idem.guard_parent_state needs argument \"state\"",
					argument),
			 errhint("For children without a state \"allowed\" has one entry, \"*\".")));
}

/* {paid,refunding}, in the order of their bytes; at least one */
static char *
parent_states(char *value)
{
	Datum		array = OidInputFunctionCall(F_ARRAY_IN, value, TEXTOID, -1);
	List	   *list = idem_array_list("allowed", DatumGetArrayTypeP(array));

	if (list == NIL)
		refuse_allowed();
	idem_total_check_states("allowed", list);
	list_sort(list, idem_compare_strings);
	return idem_list_text(list);
}

/* {"state of the child": "{states of the parent}", ...} */
static void
read_allowed(Jsonb *allowed, PairDeclaration *d)
{
	JsonbIterator *it = JsonbIteratorInit(&allowed->root);
	JsonbValue	value;
	JsonbIteratorToken token = JsonbIteratorNext(&it, &value, true);

	if (token != WJB_BEGIN_OBJECT)
		refuse_allowed();
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_END_OBJECT)
	{
		char	   *word;

		if (value.type != jbvString)
			refuse_allowed();
		word = pnstrdup(value.val.string.val, value.val.string.len);
		if (token == WJB_KEY)
			d->states = lappend(d->states, word);
		else
			d->names = lappend(d->names, parent_states(word));
		if (token == WJB_KEY && d->state == NULL && strcmp(word, "*") != 0)
			refuse_stateless("allowed");
	}
	if (d->states == NIL)
		refuse_allowed();
}

static void
read_facts(FunctionCallInfo fcinfo, PairDeclaration *d)
{
	d->facts = idem_states_argument(fcinfo, 5, "facts");
	if (d->facts != NIL && d->state == NULL)
		refuse_stateless("facts");
	if (idem_total_is_everything(d->facts))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"facts\" of idem.guard_parent_state must name states"),
				 errdetail("Where every child is a fact, none is ever refused.")));
	list_sort(d->facts, idem_compare_strings);
}

static void
read_arguments(FunctionCallInfo fcinfo, PairDeclaration *d)
{
	idem_require_argument(fcinfo, 0, "child");
	d->fk = idem_columns_argument(idem_required_text(fcinfo, 1, "fk"));
	d->state = idem_text_argument(fcinfo, 2);
	d->parent_state = idem_required_text(fcinfo, 3, "parent_state");
	idem_require_argument(fcinfo, 4, "allowed");
	read_allowed(PG_GETARG_JSONB_P(4), d);
	read_facts(fcinfo, d);
	d->judge = idem_required_text(fcinfo, 6, "judge");
	if (strcmp(d->judge, "row") != 0 && strcmp(d->judge, "entry") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized value for argument \"judge\" of idem.guard_parent_state: \"%s\"",
						d->judge),
				 errhint("A child is judged as long as it is a row, or at its entry.")));
	idem_require_argument(fcinfo, 7, "deferred");
	d->deferred = PG_GETARG_BOOL(7);
}

/* ------------------------------------------------------------------------
 * Settings
 * ------------------------------------------------------------------------
 */

/* The arguments of the child's trigger, or of its counterpart's. */
static List *
pair_settings(PairDeclaration *d, bool parent)
{
	List	   *settings = idem_settings_begin();

	settings = idem_settings_add_list(settings, "fk", d->fk);
	if (parent)
		settings = idem_settings_add_list(settings, "key",
										  idem_total_parent_columns(&d->key));
	settings = idem_settings_add(settings, "state", d->state);
	settings = idem_settings_add(settings, "parent_state", d->parent_state);
	settings = idem_settings_add_map(settings, "allowed", d->states, d->names);
	settings = idem_settings_add_list(settings, "facts", d->facts);
	settings = idem_settings_add(settings, "judge", d->judge);
	return idem_settings_add(settings, "deferred",
							 d->deferred ? "true" : NULL);
}

static void
find_key(Relation child, PairDeclaration *d)
{
	idem_total_find_key(RelationGetRelid(child), d->fk,
						ERRCODE_INVALID_OBJECT_DEFINITION, &d->key);
	d->fk = idem_total_child_columns(&d->key);
}

/* Does the child have this guard, and the parent its side of it? */
static bool
pair_stands(Relation child, void *declaration)
{
	PairDeclaration *d = declaration;
	Relation	parent;
	bool		stands;

	find_key(child, d);
	idem_check_owned(d->key.parent);
	parent = table_open(d->key.parent, AccessShareLock);
	stands = idem_guard_stands(child, "pair", pair_settings(d, false), parent,
							   pair_settings(d, true));
	table_close(parent, NoLock);
	return stands;
}

/* ------------------------------------------------------------------------
 * What it relies on
 * ------------------------------------------------------------------------
 */

/* 42P17 for a column whose values are not words. */
static void
check_state(Relation rel, const char *name)
{
	AttrNumber	column = idem_stored_column(rel, name);

	if (!idem_pair_takes(idem_column_base_type(rel, column, NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" cannot hold a state",
						name, RelationGetRelationName(rel)),
				 errhint("It is of type text, varchar or an enum, or a domain of one of these."),
				 errtablecol(rel, column)));
}

static void
check_index(PairDeclaration *d)
{
	if (!OidIsValid(idem_pair_index(&d->key, NULL)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("table \"%s\" has no index that begins with %s",
						RelationGetRelationName(d->child),
						idem_list_text(d->fk)),
				 errdetail("A parent that changes its state looks at its children."),
				 errhint("Create an index on the columns of the foreign key."),
				 errtable(d->child)));
}

static void
check_shape(PairDeclaration *d)
{
	IdemPair	pair = {.state_name = d->state,.parent_name = d->parent_state};

	if (d->state != NULL)
		check_state(d->child, d->state);
	check_state(d->parent, d->parent_state);
	idem_pair_read_rules(pair_settings(d, false), d->child, d->parent, &pair);
	idem_total_check_key_types(d->child, &d->key);
	check_index(d);
}

/* 23I0C with some of the children that do not agree already. */
static void
check_rows(PairDeclaration *d)
{
	char	   *sql;
	char	   *found;

	if (strcmp(d->judge, "row") != 0)
		return;
	sql = idem_pair_offenders_sql(pair_settings(d, false), d->child,
								  d->parent, &d->key);
	found = sql == NULL ? NULL : idem_total_offenders(sql);
	if (found != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_STATES_DISAGREE),
				 errmsg("table \"%s\" has rows whose states do not go with those of table \"%s\"",
						RelationGetRelationName(d->child),
						RelationGetRelationName(d->parent)),
				 errdetail("%s", found),
				 errtable(d->child)));
}

/* ------------------------------------------------------------------------
 * The triggers
 * ------------------------------------------------------------------------
 */

#define PAIR_EVENTS "INSERT OR UPDATE OR DELETE"

/*
 * The child's in upper case, to fire behind a limit and before the foreign key
 * (pair.c).  Entries are waited for before a trigger of the parent adds them
 * up, so that its name is in upper case, too; else the triggers that take
 * children along come first.
 */
static void
name_triggers(PairDeclaration *d)
{
	const char *parent = strcmp(d->judge, "entry") == 0 ?
		"IDEM_pair_parent" : "idem_pair_parent";

	d->name = idem_free_trigger_name(d->key.child, "IDEM_pair", d->fk);
	d->parent_name =
		idem_free_trigger_name(d->key.parent, parent,
							   list_concat(list_make1(RelationGetRelationName(d->child)),
										   d->fk));
}

static void
make_parent(PairDeclaration *d)
{
	IdemIdentity saved;

	idem_become_declarer(d->parent, &saved);
	idem_see_every_row();
	check_rows(d);
	table_close(d->parent, NoLock);
	idem_create_constraint_trigger(d->key.parent, d->key.child, d->deferred,
								   d->parent_name, PAIR_EVENTS,
								   IDEM_PAIR_COUNTERPART,
								   pair_settings(d, true));
	idem_restore_identity(&saved);
}

static void
make_child(PairDeclaration *d)
{
	List	   *settings = pair_settings(d, false);
	IdemIdentity saved;

	idem_become_declarer(d->child, &saved);
	table_close(d->child, NoLock);
	if (d->deferred)
		idem_create_constraint_trigger(d->key.child, InvalidOid, true,
									   d->name, PAIR_EVENTS,
									   IDEM_PAIR_FUNCTION, settings);
	else
		idem_create_row_trigger(d->key.child, d->name, PAIR_EVENTS,
								IDEM_PAIR_FUNCTION, settings);
	idem_restore_identity(&saved);
	idem_log_change("declared", "pair", d->key.child, d->name, settings, NULL);
}

/*
 * guard_parent_state(child regclass, fk text, state text, parent_state text,
 *					  allowed jsonb, facts text[], judge text,
 *					  deferred boolean) -> void
 */
PG_FUNCTION_INFO_V1(idem_guard_parent_state);
Datum
idem_guard_parent_state(PG_FUNCTION_ARGS)
{
	PairDeclaration d = {0};

	read_arguments(fcinfo, &d);
	SPI_connect();
	d.child = idem_open_to_declare(PG_GETARG_OID(0), pair_stands, &d);
	if (d.child != NULL)
	{
		find_key(d.child, &d);
		d.parent = idem_open_for_guard(d.key.parent, ShareRowExclusiveLock);
		check_shape(&d);
		name_triggers(&d);
		make_parent(&d);
		make_child(&d);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
