/*
 * machine_define.c
 *		Defining a machine, or its next version.
 *
 * A definition is refused as a whole or stands as a whole, for good: a new
 * version is a new row.  Before it looks at rows it takes the machine's lock
 * EXCLUSIVE, which waits for every transaction that was judged by the old
 * version; what such a transaction left is then counted with a snapshot of
 * now.  While it waits, writers wait behind it: so a stranger is refused, and
 * a text that is in force already answered, before the lock is asked for.  Rows
 * never lose the state they stand in, and lose a way out of it only for a
 * reason that is kept.
 *
 * A new name needs an admin (grant_admin), so that nobody takes it who has
 * nothing to do with it.  Whoever defined version 1 owns the machine.  The
 * next needs a member of that role who also owns every table the machine
 * guards, because it decides what may happen to their rows.
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/latest.h"
#include "base/reason.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "machine/machine.h"

/* So many faults or changes fit a DETAIL; check_machine shows all. */
#define FAULTS_SHOWN	20

/* ---------- reading and checking ---------- */

static const char *const effect_names[] = {"neutral", "tightens", "loosens"};

/* By line; two faults of one line by kind and words, so that tests agree. */
static int
fault_order(const void *a, const void *b)
{
	const IdemFault *fa = a;
	const IdemFault *fb = b;
	int			order = (fa->line > fb->line) - (fa->line < fb->line);

	if (order == 0)
		order = strcmp(fa->kind, fb->kind);
	return order != 0 ? order : strcmp(fa->reason, fb->reason);
}

/*
 * All faults of a diagram, in the order of its lines; *faults is allocated.
 * A diagram that cannot be read has one.
 */
static int
find_faults(IdemDiagram *diagram, text *source, IdemFault **faults)
{
	int			count;

	if (!idem_diagram_read(diagram, VARDATA_ANY(source),
						   VARSIZE_ANY_EXHDR(source)))
	{
		*faults = palloc0(sizeof(IdemFault));
		(*faults)->line = diagram->error_line;
		(*faults)->kind = "syntax";
		strlcpy((*faults)->reason, diagram->reason, IDEM_REASON_BYTES);
		return 1;
	}
	count = idem_diagram_check(diagram, NULL, 0);
	*faults = palloc0(sizeof(IdemFault) * Max(count, 1));
	idem_diagram_check(diagram, *faults, count);
	qsort(*faults, count, sizeof(IdemFault), fault_order);
	return count;
}

static const char *
fault_text(const IdemFault *fault)
{
	if (fault->line == 0)
		return fault->reason;
	return psprintf("line %d: %s", fault->line, fault->reason);
}

/* 42P17 with the first fault in the message and all of them in DETAIL. */
static void
refuse_faults(const char *name, const IdemFault *faults, int count)
{
	StringInfoData detail;
	int			i;

	initStringInfo(&detail);
	for (i = 1; i < count && i < FAULTS_SHOWN; i++)
		appendStringInfo(&detail, "%s%s", i > 1 ? "\n" : "",
						 fault_text(&faults[i]));
	if (count > FAULTS_SHOWN)
		appendStringInfo(&detail, "\nand %d more", count - FAULTS_SHOWN);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("state machine \"%s\" cannot be defined: %s",
					name, fault_text(&faults[0])),
			 count > 1 ? errdetail_internal("%s", detail.data) : 0,
			 errhint("idem.check_machine shows what is wrong with a diagram.")));
}

/* A role that does not exist has no members: nobody could take the edge. */
static void
check_roles(const char *name, const IdemDiagram *diagram)
{
	int			i;

	for (i = 0; i < diagram->edge_count; i++)
	{
		const char *role = diagram->edges[i].role;

		if (role != NULL && !OidIsValid(get_role_oid(role, true)))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("role \"%s\" of state machine \"%s\", line %d, does not exist",
							role, name, diagram->edges[i].line)));
	}
}

/*
 * check_machine(diagram text) -> (line, problem, message)
 */
PG_FUNCTION_INFO_V1(idem_check_machine);
Datum
idem_check_machine(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	IdemDiagram diagram;
	IdemFault  *faults;
	int			count;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	count = find_faults(&diagram, PG_GETARG_TEXT_PP(0), &faults);
	for (i = 0; i < count; i++)
	{
		Datum		values[3] = {0};
		bool		nulls[3] = {false};

		nulls[0] = faults[i].line == 0;
		values[0] = Int32GetDatum(faults[i].line);
		values[1] = CStringGetTextDatum(faults[i].kind);
		values[2] = CStringGetTextDatum(faults[i].reason);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---------- the next version ---------- */

/* All texts of one effect, a line each */
static char *
changes_text(List *changes, IdemEffect effect)
{
	StringInfoData buf;
	ListCell   *lc;
	int			n = 0;

	initStringInfo(&buf);
	foreach(lc, changes)
	{
		IdemChange *change = lfirst(lc);

		if (change->effect != effect)
			continue;
		if (n++ < FAULTS_SHOWN)
			appendStringInfo(&buf, "%s%s", n > 1 ? "\n" : "", change->message);
	}
	if (n > FAULTS_SHOWN)
		appendStringInfo(&buf, "\nand %d more", n - FAULTS_SHOWN);
	return buf.data;
}

static void
check_loosening(const char *name, List *changes, const char *reason)
{
	char	   *detail = changes_text(changes, IDEM_LOOSENS);

	if (detail[0] != '\0' && reason == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("the new version of state machine \"%s\" loosens it",
						name),
				 errdetail_internal("%s", detail),
				 errhint("If that is meant, give loosen => 'reason'.")));
}

/* The states whose rows have to be counted: 1 they lose a way, 2 all. */
static char *
concerned_states(const IdemDiagram *diagram, List *changes)
{
	char	   *concerned = palloc0(idem_state_count(diagram) + 1);
	ListCell   *lc;

	foreach(lc, changes)
	{
		IdemChange *change = lfirst(lc);
		const char *state = change->removed ? change->removed : change->left;
		int			index;

		if (state == NULL)
			continue;
		index = idem_names_find(&diagram->state_names, state, strlen(state));
		concerned[index] = Max(concerned[index], change->removed ? 2 : 1);
	}
	return concerned;
}

static ArrayType *
concerned_names(const IdemDiagram *diagram, const char *concerned)
{
	Datum	   *names = palloc(sizeof(Datum) * (idem_state_count(diagram) + 1));
	int			n = 0;
	int			i;

	for (i = 0; i < idem_state_count(diagram); i++)
		if (concerned[i] > 0)
			names[n++] = CStringGetTextDatum(diagram->states[i].name);
	return construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT);
}

static void
refuse_live_rows(const char *name, Relation rel, const char *state,
				 int64 rows, bool removed)
{
	if (removed)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("the new version of state machine \"%s\" lacks state \"%s\" of " INT64_FORMAT " %s of table \"%s\"",
						name, state, rows, rows == 1 ? "row" : "rows",
						RelationGetRelationName(rel)),
				 errhint("Bring the rows into a state that stays, then remove this one."),
				 errtable(rel)));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("the new version of state machine \"%s\" takes a way from " INT64_FORMAT " %s of table \"%s\" in state \"%s\"",
					name, rows, rows == 1 ? "row" : "rows",
					RelationGetRelationName(rel), state),
			 errhint("If that is meant, give tighten => 'reason'."),
			 errtable(rel)));
}

/*
 * Count the rows of one table that stand in a concerned state, as its owner
 * and with a snapshot taken now: that of a REPEATABLE READ transaction could
 * be older than rows which are there.  Connected to SPI.
 */
static void
check_live_rows(const char *name, const IdemDiagram *diagram,
				const char *concerned, IdemGuarded *guarded, bool may_strand)
{
	Relation	rel = table_open(guarded->relid, AccessShareLock);
	const char *column = quote_identifier(guarded->column);
	Oid			types[1] = {TEXTARRAYOID};
	Datum		values[1];
	char	   *sql;
	uint64		count;
	uint64		i;

	values[0] = PointerGetDatum(concerned_names(diagram, concerned));
	sql = psprintf("SELECT t.%s::pg_catalog.text, pg_catalog.count(*) FROM %s t"
				   " WHERE t.%s::pg_catalog.text COLLATE pg_catalog.\"C\""
				   " OPERATOR(pg_catalog.=) ANY ($1)"
				   " GROUP BY 1 ORDER BY 2 DESC, 1",
				   column, idem_qualified_name(rel), column);
	count = idem_run_as_owner(rel, sql, 1, types, values, NULL);
	for (i = 0; i < count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		char	   *state = SPI_getvalue(row, desc, 1);
		bool		isnull;
		int64		rows = DatumGetInt64(SPI_getbinval(row, desc, 2, &isnull));
		int			index = idem_names_find(&diagram->state_names, state,
											strlen(state));

		if (index >= 0 && (concerned[index] == 2 || !may_strand))
			refuse_live_rows(name, rel, state, rows, concerned[index] == 2);
	}
	table_close(rel, NoLock);
}

/* Every table that the machine guards has to agree. */
static void
check_guarded(const char *name, const char *owner, const IdemDiagram *before,
			  List *changes, bool may_strand)
{
	char	   *concerned = concerned_states(before, changes);
	bool		any = memchr(concerned, 1, idem_state_count(before)) != NULL ||
		memchr(concerned, 2, idem_state_count(before)) != NULL;
	ListCell   *lc;

	foreach(lc, idem_machine_guarded(name))
	{
		IdemGuarded *guarded = lfirst(lc);

		if (!object_ownercheck(RelationRelationId, guarded->relid, GetUserId()))
		{
			if (!idem_machine_counts(name, owner, guarded->relid,
									 guarded->column))
				continue;
			aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE,
						   get_rel_name(guarded->relid));
		}
		if (any)
			check_live_rows(name, before, concerned, guarded, may_strand);
	}
}

/*
 * Write the row, as the owner of idem.machine; false if the version is there
 * already, written by somebody who was faster.  Connected to SPI.
 */
static bool
insert_version(const char *name, int version, text *diagram,
			   const char *owner, const char *loosen, const char *tighten)
{
	Oid			types[] = {TEXTOID, INT4OID, TEXTOID, NAMEOID,
	TEXTOID, TEXTOID};
	Datum		values[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};
	Relation	table = table_open(idem_machine_table(), RowExclusiveLock);
	IdemIdentity saved;
	bool		inserted;

	values[0] = CStringGetTextDatum(name);
	values[1] = Int32GetDatum(version);
	values[2] = PointerGetDatum(diagram);
	values[3] = DirectFunctionCall1(namein, CStringGetDatum(owner));
	values[4] = loosen ? CStringGetTextDatum(loosen) : (Datum) 0;
	nulls[4] = loosen ? ' ' : 'n';
	values[5] = tighten ? CStringGetTextDatum(tighten) : (Datum) 0;
	nulls[5] = tighten ? ' ' : 'n';
	idem_become_declarer(table, &saved);
	if (SPI_execute_with_args("INSERT INTO idem.machine"
							  " (name, version, diagram, owner, loosen, tighten)"
							  " VALUES ($1, $2, $3, $4, $5, $6)"
							  " ON CONFLICT DO NOTHING",
							  6, types, values, nulls, false,
							  0) != SPI_OK_INSERT)
		elog(ERROR, "could not write idem.machine");
	inserted = SPI_processed == 1;
	idem_restore_identity(&saved);
	table_close(table, NoLock);
	if (!inserted)
		return false;
	idem_log_change("declared", "machine", InvalidOid, name,
					list_make1(psprintf("version=%d", version)),
					loosen && tighten ? psprintf("%s; %s", loosen, tighten) :
					loosen ? loosen : tighten);
	return true;
}

static IdemChange *
make_change(IdemEffect effect, char *str)
{
	IdemChange *change = palloc0(sizeof(IdemChange));

	change->effect = effect;
	change->message = str;

	return change;
}

/*
 * Names are shared by all: only an admin gives one, or anybody could take
 * "payment" before those who need it.
 */
static void
check_may_name(const char *name)
{
	if (!idem_may_call("create_scope"))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to define a new state machine \"%s\"",
						name),
				 errhint("idem.grant_admin lets a role define new machines; the owner of a machine defines its next versions without it.")));
}

/*
 * The first version of a name: its definer is its owner.  NIL if somebody else
 * was faster, for whose commit this waits.  The primary key decides; there is
 * nothing to lock, since no guard can have been judged by the name before.
 */
static List *
define_first(const char *name, text *source, const IdemDiagram *diagram)
{
	check_may_name(name);
	idem_machine_check_lock(name);
	if (!insert_version(name, 1, source,
						GetUserNameFromId(GetUserId(), false), NULL, NULL))
		return NIL;
	return list_make1(make_change(IDEM_NEUTRAL,
								  psprintf("defined with %d states and %d edges",
										   idem_state_count(diagram),
										   diagram->edge_count)));
}

/* The next one: what it changes has to be allowed by rows and reasons. */
static List *
define_next(const char *name, text *source, const IdemDiagram *diagram,
			const IdemMachineRow *row, const char *loosen, const char *tighten)
{
	IdemDiagram before;
	List	   *changes;

	if (!idem_diagram_read(&before, row->diagram, strlen(row->diagram)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("version %d of state machine \"%s\" cannot be read: line %d: %s",
						row->version, name, before.error_line, before.reason)));
	changes = idem_machine_diff(&before, diagram);
	check_loosening(name, changes, loosen);
	check_guarded(name, row->owner, &before, changes, tighten != NULL);
	if (!insert_version(name, row->version + 1, source, row->owner, loosen,
						tighten))
		elog(ERROR, "version %d of state machine \"%s\" is there already",
			 row->version + 1, name);
	return changes;
}

/* Is this the text of the version? */
static bool
is_text_of(const IdemMachineRow *row, text *source)
{
	return strlen(row->diagram) == VARSIZE_ANY_EXHDR(source) &&
		memcmp(row->diagram, VARDATA_ANY(source), strlen(row->diagram)) == 0;
}

/*
 * Define the first version or the next one, whose number *version becomes.
 * Whoever waits for the lock stops every writer behind it, so only an owner
 * who has something to change takes it.  The owner of a machine stays the
 * same from version to version.  Connected to SPI.
 */
static List *
define(const char *name, text *source, const IdemDiagram *diagram,
	   const char *loosen, const char *tighten, int *version)
{
	IdemMachineRow row;

	*version = 1;
	while (!idem_machine_fetch(name, 0, &row))
	{
		List	   *changes = define_first(name, source, diagram);

		if (changes != NIL)
			return changes;
	}
	if (!is_text_of(&row, source))
	{
		idem_machine_check_owner(name, &row);
		idem_machine_lock(name, ExclusiveLock);
		if (!idem_machine_fetch(name, 0, &row))
			idem_machine_missing(name, 0);
	}
	*version = row.version;
	if (is_text_of(&row, source))
		return list_make1(make_change(IDEM_NEUTRAL, "unchanged"));
	(*version)++;
	return define_next(name, source, diagram, &row, loosen, tighten);
}

static char *
machine_name(FunctionCallInfo fcinfo, int n)
{
	char	   *name = PG_ARGISNULL(n) ? "" :
		text_to_cstring(PG_GETARG_TEXT_PP(n));

	if (strspn(name, " \t\r\n") == strlen(name))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("name of a state machine must not be null or empty")));
	return name;
}

static void
put_changes(ReturnSetInfo *rsinfo, int version, List *changes)
{
	ListCell   *lc;

	foreach(lc, changes)
	{
		IdemChange *change = lfirst(lc);
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = Int32GetDatum(version);
		values[1] = CStringGetTextDatum(effect_names[change->effect]);
		values[2] = CStringGetTextDatum(change->message);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/*
 * define_machine(name, diagram, loosen, tighten) -> (version, effect, change)
 */
PG_FUNCTION_INFO_V1(idem_define_machine);
Datum
idem_define_machine(PG_FUNCTION_ARGS)
{
	char	   *name = machine_name(fcinfo, 0);
	char	   *loosen = idem_reason(fcinfo, 2, "loosen");
	char	   *tighten = idem_reason(fcinfo, 3, "tighten");
	MemoryContext context = CurrentMemoryContext;
	MemoryContext old;
	IdemDiagram diagram;
	IdemFault  *faults;
	List	   *changes;
	text	   *source;
	int			count;
	int			version;

	PreventCommandIfReadOnly("idem.define_machine()");
	InitMaterializedSRF(fcinfo, 0);
	if (!idem_state_name_fits(name, strlen(name)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("name \"%s\" does not fit a state machine", name),
				 errhint("It has 1 to %d letters, digits and underscores.",
						 IDEM_NAME_BYTES_MAX)));
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("diagram of state machine \"%s\" must not be null", name)));
	source = PG_GETARG_TEXT_PP(1);
	count = find_faults(&diagram, source, &faults);
	if (count > 0)
		refuse_faults(name, faults, count);
	check_roles(name, &diagram);

	SPI_connect();
	old = MemoryContextSwitchTo(context);
	changes = define(name, source, &diagram, loosen, tighten, &version);
	MemoryContextSwitchTo(old);

	/* in front of SPI_finish: statements of SPI leave us in its memory */
	put_changes((ReturnSetInfo *) fcinfo->resultinfo, version, changes);
	SPI_finish();
	return (Datum) 0;
}

/*
 * machine_diagram(name, version) -> text
 */
PG_FUNCTION_INFO_V1(idem_machine_diagram);
Datum
idem_machine_diagram(PG_FUNCTION_ARGS)
{
	char	   *name = machine_name(fcinfo, 0);
	int			version = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	IdemMachineRow row;

	if (!idem_machine_fetch(name, version, &row))
		idem_machine_missing(name, version);
	PG_RETURN_TEXT_P(cstring_to_text(row.diagram));
}
