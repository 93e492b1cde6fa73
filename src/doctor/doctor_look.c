/*
 * doctor_look.c
 *		The guards of some tables, or of all, read from the catalog.
 *
 * No table is opened or locked: whoever owns one could hold it for ever.  The
 * catalog is read as it is now, or with a snapshot, as it was before a
 * command of this transaction (doctor_judge.c).
 *
 * Of some tables their own rows of a catalog are read, each once; of all tables
 * the whole of pg_trigger.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/citus.h"
#include "base/kind.h"
#include "base/kind_trigger.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "base/settings_trigger.h"
#include "doctor/doctor_look.h"

/* What is known of one table; each part is read when it is asked for */
typedef struct SeenTable
{
	Oid			relid;			/* hash key, must be first */
	bool		knows_triggers;
	bool		knows_parents;
	bool		knows_class;
	List	   *triggers;		/* IdemSeenTrigger * */
	List	   *parents;		/* OIDs */
	Form_pg_class class;		/* its row of pg_class; NULL: it is gone */
} SeenTable;

/* ---------- rows of the catalog ---------- */

/* Rows of a catalog as the look sees it (idem_catalog_rows) */
List *
idem_look_rows(const IdemLook *look, Oid catalog, Oid index,
			   AttrNumber column, Oid oid)
{
	return idem_catalog_rows(catalog, index, column, oid, look->snapshot,
							 NULL);
}

static SeenTable *
enter_table(IdemLook *look, Oid relid)
{
	bool		found;
	SeenTable  *table = hash_search(look->tables, &relid, HASH_ENTER, &found);

	if (!found)
	{
		MemSet(table, 0, sizeof(SeenTable));
		table->relid = relid;
	}
	return table;
}

/* The row of a table in pg_class, or NULL */
Form_pg_class
idem_look_class(IdemLook *look, Oid relid)
{
	SeenTable  *table = enter_table(look, relid);
	HeapTuple	tuple;

	if (table->knows_class)
		return table->class;
	table->knows_class = true;
	tuple = idem_catalog_row(RelationRelationId, ClassOidIndexId,
							 Anum_pg_class_oid, relid, look->snapshot, NULL);
	if (tuple != NULL)
		table->class = (Form_pg_class) GETSTRUCT(tuple);
	return table->class;
}

/* What a table inherits from, or is a partition of */
List *
idem_look_parents(IdemLook *look, Oid relid)
{
	SeenTable  *table = enter_table(look, relid);
	ListCell   *lc;

	if (table->knows_parents)
		return table->parents;
	table->knows_parents = true;
	foreach(lc, idem_look_rows(look, InheritsRelationId,
							   InheritsRelidSeqnoIndexId,
							   Anum_pg_inherits_inhrelid, relid))
	{
		Form_pg_inherits row = IDEM_CATALOG_ROW(Form_pg_inherits, lc);

		if (!row->inhdetachpending)
			table->parents = lappend_oid(table->parents, row->inhparent);
	}
	return table->parents;
}

/* The other way round */
List *
idem_look_children(const IdemLook *look, Oid relid)
{
	List	   *children = NIL;
	ListCell   *lc;

	foreach(lc, idem_look_rows(look, InheritsRelationId,
							   InheritsParentIndexId,
							   Anum_pg_inherits_inhparent, relid))
	{
		Form_pg_inherits row = IDEM_CATALOG_ROW(Form_pg_inherits, lc);

		if (!row->inhdetachpending)
			children = lappend_oid(children, row->inhrelid);
	}
	return children;
}

/* ---------- functions ---------- */

/*
 * Is the function the one in the library of idem, called as the extension
 * declares it?
 */
static bool
is_ours(HeapTuple tuple)
{
	Form_pg_proc proc = (Form_pg_proc) GETSTRUCT(tuple);
	Datum		source;
	Datum		library;
	bool		no_source;
	bool		no_library;
	bool		no_config;

	source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &no_source);
	library = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_probin,
							  &no_library);
	(void) SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proconfig, &no_config);
	return proc->prolang == ClanguageId && !proc->prosecdef && no_config &&
		!no_source && !no_library &&
		strcmp(TextDatumGetCString(source),
			   psprintf("idem_%s", NameStr(proc->proname))) == 0 &&
		strcmp(TextDatumGetCString(library), "$libdir/idem") == 0;
}

static IdemSeenFunction *
read_function(Oid oid)
{
	IdemSeenFunction *function = palloc0(sizeof(IdemSeenFunction));
	HeapTuple	tuple;

	function->oid = oid;
	if (!idem_is_our_function(oid))
		return function;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	if (!HeapTupleIsValid(tuple))
		return function;
	function->kind = idem_kind_of_function(oid);
	function->name =
		pstrdup(NameStr(((Form_pg_proc) GETSTRUCT(tuple))->proname));
	function->is_guard = function->kind != NULL ||
		idem_is_statement_function(function->name);
	function->is_ours = is_ours(tuple);
	ReleaseSysCache(tuple);
	return function;
}

static const IdemSeenFunction *
function_of(IdemLook *look, Oid oid)
{
	ListCell   *lc;

	foreach(lc, look->functions)
	{
		if (((IdemSeenFunction *) lfirst(lc))->oid == oid)
			return lfirst(lc);
	}
	look->functions = lappend(look->functions, read_function(oid));
	return llast(look->functions);
}

/* ---------- triggers ---------- */

/*
 * Does it wait for the end of the transaction if its arguments say so, and only
 * then?  A trigger that SET CONSTRAINTS could put off would judge too late.
 */
static bool
fires_in_time(HeapTuple tuple, TupleDesc desc, const IdemSeenFunction *function)
{
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
	const char *deferred = NULL;
	bool		isnull;
	Datum		args;

	if (function->kind == NULL || !function->kind->defers)
		return !trigger->tgdeferrable;
	args = heap_getattr(tuple, Anum_pg_trigger_tgargs, desc, &isnull);
	if (!isnull)
		deferred = idem_setting(idem_settings_of_args(DatumGetByteaPP(args)),
								"deferred");
	return trigger->tgdeferrable == (deferred != NULL) &&
		trigger->tginitdeferred == (deferred != NULL);
}

/* Does it fire as idem declares it: time, events, no condition, no columns? */
static bool
as_declared(HeapTuple tuple, TupleDesc desc, const IdemSeenFunction *function)
{
	int16		once[] = {0, 0};	/* a statement */
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
	const int16 *type = function->kind ? function->kind->types : once;

	if (function->kind == NULL)
		once[0] = idem_statement_type(function->name);

	if (!fires_in_time(tuple, desc, function) || trigger->tgattr.dim1 > 0 ||
		!heap_attisnull(tuple, Anum_pg_trigger_tgqual, desc))
		return false;
	while (*type != 0 && *type != trigger->tgtype)
		type++;
	return *type != 0;
}

/* The arguments; those of a clone are those of the trigger above. */
static void
read_settings(IdemSeenTrigger *seen, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		args = heap_getattr(tuple, Anum_pg_trigger_tgargs, desc,
									&isnull);

	if (!isnull)
		seen->guard.settings = idem_settings_of_args(DatumGetByteaPP(args));
	seen->problem = idem_settings_problem(seen->guard.settings,
										  idem_known_settings(seen->function->name));
}

static void
add_trigger(IdemLook *look, SeenTable *table, HeapTuple tuple, TupleDesc desc)
{
	Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
	const IdemSeenFunction *function = function_of(look, trigger->tgfoid);
	IdemSeenTrigger *seen;

	if (!function->is_guard)
		return;
	seen = palloc0(sizeof(IdemSeenTrigger));
	seen->guard.relid = trigger->tgrelid;
	seen->guard.name = pstrdup(NameStr(trigger->tgname));
	seen->guard.kind = function->kind;
	seen->oid = trigger->oid;
	seen->function = function;
	seen->other = trigger->tgconstrrelid;
	seen->is_clone = OidIsValid(trigger->tgparentid);
	seen->enabled = trigger->tgenabled;
	seen->as_declared = as_declared(tuple, desc, function);
	seen->is_ours = function->is_ours;
	if (!seen->is_clone)
		read_settings(seen, tuple, desc);
	table->triggers = lappend(table->triggers, seen);
}

/* The triggers of ours on a table, IdemSeenTrigger * */
List *
idem_look_triggers(IdemLook *look, Oid relid)
{
	SeenTable  *table = enter_table(look, relid);
	TupleDesc	desc;
	ListCell   *lc;

	if (look->all || table->knows_triggers)
		return table->triggers;
	table->knows_triggers = true;
	foreach(lc, idem_catalog_rows(TriggerRelationId, TriggerRelidNameIndexId,
								  Anum_pg_trigger_tgrelid, relid,
								  look->snapshot, &desc))
		add_trigger(look, table, lfirst(lc), desc);
	return table->triggers;
}

/* Read all triggers of ours there are, but for those of shards. */
static void
read_all(IdemLook *look)
{
	Relation	rel = table_open(TriggerRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false,
										  look->snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

		if (function_of(look, trigger->tgfoid)->is_guard &&
			idem_citus_shell(trigger->tgrelid) == trigger->tgrelid)
			add_trigger(look, enter_table(look, trigger->tgrelid),
						tuple, RelationGetDescr(rel));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* The tables that bear one, of a look at all of them */
List *
idem_look_tables(IdemLook *look)
{
	List	   *tables = NIL;
	HASH_SEQ_STATUS status;
	SeenTable  *table;

	hash_seq_init(&status, look->tables);
	while ((table = hash_seq_search(&status)) != NULL)
		tables = lappend_oid(tables, table->relid);
	return tables;
}

/*
 * The trigger that decides, of the guard that a trigger is part of: itself,
 * the guarded table's of a running total, or the one that a trigger which
 * refuses TRUNCATE names.  NULL if there is none.
 */
const IdemSeenTrigger *
idem_look_deciding(IdemLook *look, const IdemSeenTrigger *trigger)
{
	const IdemGuardKind *kind = trigger->guard.kind;
	const char *of = kind ? NULL : idem_setting(trigger->guard.settings,
												"guard");
	ListCell   *lc;

	if (kind != NULL && kind->decides)
		return trigger;
	foreach(lc, idem_look_triggers(look, kind ? trigger->other :
								   trigger->guard.relid))
	{
		IdemSeenTrigger *deciding = lfirst(lc);
		IdemGuard  *guard = &deciding->guard;

		if (guard->kind != NULL && guard->kind->decides &&
			(kind ? !deciding->is_clone &&
			 idem_same_guard(guard, &trigger->guard) :
			 of != NULL && strcmp(guard->name, of) == 0))
			return deciding;
	}
	return NULL;
}

/* A new look, in the current memory context */
IdemLook *
idem_look_begin(Snapshot snapshot, bool all)
{
	IdemLook   *look = palloc0(sizeof(IdemLook));
	HASHCTL		control = {0};

	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(SeenTable);
	control.hcxt = CurrentMemoryContext;
	look->snapshot = snapshot;
	look->all = all;
	look->tables = hash_create("idem guards looked at", 64, &control,
							   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (all)
		read_all(look);
	return look;
}
