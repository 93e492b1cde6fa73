/*
 * machine_declare.c
 *		Putting a column under a machine, and finding what is under one.
 *
 * The guard is one AFTER ROW trigger on the table, its settings in the
 * trigger's arguments, and a BEFORE TRUNCATE trigger on the table and each of
 * its partitions.  Rows that exist are checked once, here, with the table
 * locked against writers and a snapshot taken after the lock; from then on the
 * trigger checks.
 *
 * Locks: the table SHARE ROW EXCLUSIVE, then the machine SHARE, both until
 * the end of the transaction.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/snapmgr.h"

#include "base/again.h"
#include "base/argument.h"
#include "base/citus.h"
#include "base/column.h"
#include "base/declare.h"
#include "base/identity.h"
#include "base/qualified.h"
#include "base/row.h"
#include "base/settings.h"
#include "base/settings_trigger.h"
#include "base/settings_write.h"
#include "machine/machine.h"

/* What guard_states was asked for */
typedef struct StatesArguments
{
	char	   *column;
	char	   *machine;
	char	   *repeat;
	char	   *delete;
	bool		history;
	char	   *actor;			/* a setting, or NULL */
	List	   *within;			/* states, and how long a row may stand in */
	List	   *times;			/* each of them */
} StatesArguments;

/* The OID of the trigger function of guard_states */
Oid
idem_machine_guard_function(void)
{
	return LookupFuncName(list_make2(makeString("idem"),
									 makeString("keep_states")),
						  0, NULL, false);
}

/* ---------- which tables a machine guards ---------- */

/* The arguments in a row of pg_trigger */
static List *
settings_of(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;			/* never null, as the catalog says */
	Datum		value =
		heap_getattr(tuple, Anum_pg_trigger_tgargs, desc, &isnull);

	return idem_settings_of_args(DatumGetByteaPP(value));
}

/*
 * The columns that a machine guards, or with NULL those that any machine
 * guards, as the triggers say; for partitions the table at the top, and for
 * shards the distributed table.
 */
List *
idem_machine_guarded(const char *name)
{
	Relation	table = table_open(TriggerRelationId, AccessShareLock);
	List	   *list = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_trigger_tgfoid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(idem_machine_guard_function()));
	scan = systable_beginscan(table, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
		List	   *settings = settings_of(tuple, RelationGetDescr(table));
		const char *machine = idem_setting(settings, "machine");
		const char *column = idem_setting(settings, "column");
		IdemGuarded *guarded;

		if (OidIsValid(trigger->tgparentid) || machine == NULL ||
			column == NULL || (name != NULL && strcmp(machine, name) != 0) ||
			idem_citus_shell(trigger->tgrelid) != trigger->tgrelid)
			continue;
		guarded = palloc0(sizeof(IdemGuarded));
		guarded->relid = trigger->tgrelid;
		guarded->column = unconstify(char *, column);
		guarded->trigger = pstrdup(NameStr(trigger->tgname));
		guarded->settings = settings;
		list = lappend(list, guarded);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
	return list;
}

/* ---------- checks of a declaration ---------- */

static void
check_choice(const char *argument, const char *value,
			 const char *const *choices)
{
	int			i;

	for (i = 0; i < 3; i++)
		if (strcmp(value, choices[i]) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized value \"%s\" of argument \"%s\"",
					value, argument),
			 errhint("It is \"%s\", \"%s\" or \"%s\".",
					 choices[0], choices[1], choices[2])));
}

/* The actor stands in a setting of the application, not of the server. */
static void
check_actor(const char *actor)
{
	if (actor != NULL && strchr(actor, '.') == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("actor \"%s\" is not a setting of an application", actor),
				 errhint("Name one with a dot, such as app.user.")));
}

/* Text, varchar, an enum or a domain over one, stored as it is written */
static void
check_column(Relation rel, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	Oid			type = getBaseType(att->atttypid);

	if (type != TEXTOID && type != VARCHAROID && !type_is_enum(type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" has type %s",
						NameStr(att->attname), RelationGetRelationName(rel),
						format_type_be(att->atttypid)),
				 errhint("A state is a text, a varchar, an enum or a domain over one of these."),
				 errtablecol(rel, attnum)));
	if (att->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" is generated",
						NameStr(att->attname), RelationGetRelationName(rel)),
				 errhint("Guard the column it is generated from."),
				 errtablecol(rel, attnum)));
}

/* Is the column one by which the table is partitioned, itself? */
static bool
is_partition_column(Relation rel, const char *column)
{
	PartitionKey key = RelationGetPartitionKey(rel);
	AttrNumber	number = idem_column_number(rel, column);
	int			i;

	for (i = 0; key != NULL && i < key->partnatts; i++)
		if (key->partattrs[i] == number)
			return true;
	return false;
}

/* The same of the table and all its partitions. */
static bool
is_partitioned_by(Relation rel, const char *column)
{
	bool		found = false;
	ListCell   *lc;

	foreach(lc, find_all_inheritors(RelationGetRelid(rel), NoLock, NULL))
	{
		Relation	member = table_open(lfirst_oid(lc), NoLock);

		found = found || is_partition_column(member, column);
		table_close(member, NoLock);
	}
	return found;
}

/*
 * Without a key beside the state nobody could say which row is in it.  With
 * the state inside the key one payment could have several rows, each with a
 * lawful life of its own.  Where the table is partitioned by the state, the
 * server demands that the key has it.
 */
static void
check_key(Relation rel, const char *column)
{
	AttrNumber	number = idem_column_number(rel, column);
	Bitmapset  *key = idem_row_key_columns(rel);

	if (bms_is_empty(bms_del_member(bms_copy(key), number)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("table \"%s\" has no primary key beside its state",
						RelationGetRelationName(rel)),
				 errtable(rel)));
	if (bms_is_member(number, key) && !is_partitioned_by(rel, column))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("primary key of table \"%s\" contains its state \"%s\"",
						RelationGetRelationName(rel), column),
				 errdetail("Rows of one key could stand in several states at once."),
				 errhint("Take the state out of the primary key."),
				 errtablecol(rel, number)));
}

/*
 * A guard keeps the primary key as it is, except for its own column.  So with
 * a second guard on the table, a state in the primary key could never change.
 */
static void
check_beside(Relation rel, const char *column, const char *guarded)
{
	Bitmapset  *key = idem_row_key_columns(rel);
	bool		in_key = bms_is_member(idem_column_number(rel, column), key);

	if (!in_key && !bms_is_member(idem_column_number(rel, guarded), key))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("columns \"%s\" and \"%s\" of table \"%s\" cannot both be guarded by state machines",
					guarded, column, RelationGetRelationName(rel)),
			 errdetail("\"%s\" is part of the primary key, which the guard of the other column keeps.",
					   in_key ? column : guarded),
			 errhint("Take the state out of the primary key."),
			 errtable(rel)));
}

/*
 * One column must not express two kinds of status.  This reads a copy, because
 * any look-up may free what the relcache has of the triggers.
 */
static void
check_only_machine(Relation rel, const char *column, const char *machine)
{
	Oid			function = idem_machine_guard_function();
	TriggerDesc *triggers = CopyTriggerDesc(rel->trigdesc);
	int			i;

	for (i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];
		const char *guarded = trigger->tgfoid != function ? NULL :
			idem_trigger_setting(trigger, "column");
		const char *has = idem_trigger_setting(trigger, "machine");

		if (guarded != NULL && strcmp(guarded, column) != 0)
			check_beside(rel, column, guarded);
		else if (guarded != NULL && has != NULL && strcmp(has, machine) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("column \"%s\" of table \"%s\" is already guarded by state machine \"%s\"",
							column, RelationGetRelationName(rel), has),
					 errhint("A column has one machine; keep a second kind of status in a column of its own."),
					 errtable(rel)));
	}
}

/* The names of all states as a text[]. */
ArrayType *
idem_machine_state_names(const IdemDiagram *diagram)
{
	int			states = idem_state_count(diagram);
	Datum	   *names = palloc(sizeof(Datum) * (states + 1));
	int			i;

	for (i = 0; i < states; i++)
		names[i] = CStringGetTextDatum(diagram->states[i].name);
	return construct_array(names, states, TEXTOID, -1, false, TYPALIGN_INT);
}

/*
 * Rows in a state that the machine does not declare: 23514 with their number
 * and one of the states.  Runs as the owner of the table.  Connected to SPI.
 */
static void
check_rows(Relation rel, const char *column, const IdemMachine *machine)
{
	const char *name = quote_identifier(column);
	Oid			types[1] = {TEXTARRAYOID};
	Datum		values[1];
	SPIPlanPtr	plan;
	char	   *sample;
	bool		isnull;
	int64		rows;

	values[0] = PointerGetDatum(idem_machine_state_names(&machine->diagram));
	plan = SPI_prepare(psprintf("SELECT pg_catalog.count(*), pg_catalog.min(t.%s::pg_catalog.text COLLATE pg_catalog.\"C\")"
								" FROM %s t WHERE (t.%s::pg_catalog.text COLLATE pg_catalog.\"C\""
								" OPERATOR(pg_catalog.=) ANY ($1)) IS NOT TRUE",
								name, idem_qualified_name(rel), name),
					   1, types);
	if (plan == NULL ||
		SPI_execute_snapshot(plan, values, NULL, GetLatestSnapshot(),
							 InvalidSnapshot, true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not check the rows of table \"%s\"",
			 RelationGetRelationName(rel));
	rows = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
	if (rows == 0)
		return;
	sample = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("table \"%s\" has " INT64_FORMAT " %s in a state that state machine \"%s\" does not declare",
					RelationGetRelationName(rel), rows,
					rows == 1 ? "row" : "rows", machine->name),
			 sample != NULL ?
			 errdetail("For example in state \"%s\" of column \"%s\".", sample, column) :
			 errdetail("Column \"%s\" is null.", column),
			 errhint("Declare the state, or bring the rows into a declared one."),
			 errtablecol(rel, idem_column_number(rel, column))));
}

/* ---------- the declaration ---------- */

static void
read_arguments(FunctionCallInfo fcinfo, StatesArguments *args)
{
	static const char *const repeats[] = {"refuse", "strict", "ignore"};
	static const char *const deletes[] = {"never", "final", "any"};

	idem_require_argument(fcinfo, 0, "relation");
	idem_require_argument(fcinfo, 1, "state_column");
	args->column = pstrdup(NameStr(*PG_GETARG_NAME(1)));
	args->machine = idem_required_text(fcinfo, 2, "machine");
	args->repeat = idem_required_text(fcinfo, 3, "repeat");
	args->delete = idem_required_text(fcinfo, 4, "delete");
	idem_require_argument(fcinfo, 5, "history");
	args->history = PG_GETARG_BOOL(5);
	args->actor = PG_ARGISNULL(6) ? NULL : idem_required_text(fcinfo, 6, "actor");
	args->within = args->times = NIL;
	if (!PG_ARGISNULL(7))
		args->within = idem_within_argument(PG_GETARG_JSONB_P(7), &args->times);
	check_actor(args->actor);
	check_choice("repeat", args->repeat, repeats);
	check_choice("delete", args->delete, deletes);
}

static List *
settings_list(Relation rel, const StatesArguments *args)
{
	List	   *list = idem_settings_begin();

	list = idem_settings_add(list, "column", args->column);
	list = idem_settings_add(list, "machine", args->machine);
	list = idem_settings_add(list, "repeat", args->repeat);
	list = idem_settings_add(list, "delete", args->delete);
	list = idem_settings_add(list, "history", args->history ? "true" : "false");
	list = idem_settings_add(list, "actor", args->actor);
	list = idem_settings_add_map(list, "within", args->within, args->times);
	return idem_settings_add_list(list, "saved",
								  idem_saved_names(rel,
												   idem_column_number(rel,
																	  args->column)));
}

/* Is the column under this machine in this way?  42710 in another. */
static bool
states_stand(Relation rel, void *declaration)
{
	const StatesArguments *args = declaration;

	check_only_machine(rel, args->column, args->machine);
	return idem_guard_stands(rel, "states", settings_list(rel, args), NULL, NIL);
}

/*
 * The caller must own the machine, which is locked from here on.  A caller who
 * does not own it never gets as far as the lock.
 */
static IdemMachine *
open_machine(const char *name)
{
	IdemDefinition row;

	if (!idem_definition_fetch(&idem_machine_kind, name, 0, &row))
		idem_definition_missing(&idem_machine_kind, name, 0);
	idem_definition_check_owner(&idem_machine_kind, name, &row);
	idem_definition_lock(&idem_machine_kind, name, ShareLock);
	return idem_machine_load(name, 0);
}

/*
 * The settings of a guard on a table that is spread over nodes: only the
 * coordinator has idem.machine, so the trigger carries the diagram, and there
 * is no history that would stay with the row.
 */
static List *
settings_to_carry(Relation rel, const StatesArguments *args, List *settings)
{
	IdemDefinition row;

	if (idem_citus_table(RelationGetRelid(rel)) == IDEM_CITUS_NONE)
		return settings;
	if (args->history)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("history of distributed table \"%s\" cannot be kept",
						RelationGetRelationName(rel)),
				 errdetail("Each node would have its own part of it, which does not move with the rows."),
				 errhint("Give history => false; keep what happened in a table of your own that is distributed with this one."),
				 errtable(rel)));
	if (!idem_definition_fetch(&idem_machine_kind, args->machine, 0, &row))
		idem_definition_missing(&idem_machine_kind, args->machine, 0);
	return idem_settings_add(settings, "diagram", row.text);
}

/*
 * Check the rows and create the triggers as the owner of the table, which is
 * closed here and stays locked.  Connected to SPI.
 */
static void
create_guard(Relation rel, const StatesArguments *args,
			 const IdemMachine *machine)
{
	Oid			relid = RelationGetRelid(rel);
	List	   *settings = settings_to_carry(rel, args,
											 settings_list(rel, args));
	char	   *trigger;
	IdemIdentity saved;

	trigger = idem_free_trigger_name(relid, "idem_states",
									 list_make1(args->column));
	idem_become_declarer(rel, &saved);
	check_rows(rel, args->column, machine);
	idem_restore_identity(&saved);
	idem_put_guard(rel, "states", trigger, "INSERT OR UPDATE OR DELETE",
				   settings);
}

/*
 * guard_states(relation, state_column, machine, repeat, delete, history,
 *				actor, within)
 */
PG_FUNCTION_INFO_V1(idem_guard_states);
Datum
idem_guard_states(PG_FUNCTION_ARGS)
{
	StatesArguments args;
	IdemMachine *machine;
	Relation	rel;

	PreventCommandIfReadOnly("idem.guard_states()");
	read_arguments(fcinfo, &args);
	rel = idem_open_to_declare(PG_GETARG_OID(0), states_stand, &args);
	if (rel == NULL)
		PG_RETURN_VOID();
	check_column(rel, idem_column_number(rel, args.column));
	check_key(rel, args.column);
	machine = open_machine(args.machine);
	idem_machine_check_history(machine, args.history);
	idem_within_check(machine, args.within, args.history);
	SPI_connect();
	create_guard(rel, &args, machine);
	SPI_finish();
	PG_RETURN_VOID();
}
