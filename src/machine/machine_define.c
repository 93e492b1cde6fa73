/*
 * machine_define.c
 *		Defining a machine, or its next version.
 *
 * The rules of every definition stand in base/definition.c.  A machine adds
 * this: before it looks at rows it takes the lock of the machine EXCLUSIVE,
 * which waits for every transaction that was judged by the old version, and
 * counts the rows with a snapshot taken after that.  Rows never lose the state
 * they stand in, and lose a way out of it only for a reason that is kept.
 *
 * A next version needs a member of the owner of the machine who also owns
 * every table the machine guards, because it decides what may happen to their
 * rows.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/ask.h"
#include "base/citus.h"
#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/identity.h"
#include "base/qualified.h"
#include "base/reason.h"
#include "base/settings.h"
#include "base/settings_write.h"
#include "machine/machine.h"

/* ---------- reading and checking ---------- */

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
	idem_faults_sort(*faults, count);
	return count;
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
	IdemDiagram diagram;
	IdemFault  *faults;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	count = find_faults(&diagram, PG_GETARG_TEXT_PP(0), &faults);
	idem_faults_put((ReturnSetInfo *) fcinfo->resultinfo, faults, count);
	return (Datum) 0;
}

/* ---------- the next version ---------- */

/*
 * The states whose rows have to be counted: 1 they lose a way out, 2 the state
 * is gone
 */
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
	char	   *sql;
	uint64		count;
	uint64		i;

	sql = psprintf("SELECT t.%s::pg_catalog.text, pg_catalog.count(*) FROM %s t"
				   " WHERE t.%s::pg_catalog.text COLLATE pg_catalog.\"C\""
				   " OPERATOR(pg_catalog.=) ANY ($1)"
				   " GROUP BY 1 ORDER BY 2 DESC, 1",
				   column, idem_qualified_name(rel), column);
	count = idem_ask(rel, sql, "a", concerned_names(diagram, concerned));
	for (i = 0; i < count; i++)
	{
		char	   *state = idem_found_text(i, 1);
		int64		rows = DatumGetInt64(idem_found(i, 2));
		int			index = idem_names_find(&diagram->state_names, state,
											strlen(state));

		if (index >= 0 && (concerned[index] == 2 || !may_strand))
			refuse_live_rows(name, rel, state, rows, concerned[index] == 2);
	}
	table_close(rel, NoLock);
}

/*
 * A trigger that carries the diagram gets the new one, wherever the rows are:
 * CREATE TRIGGER is carried to every node, or fails as a whole.  It takes the
 * table from writers until the end of the transaction, so that nobody is
 * judged by the former diagram once rows are counted.
 */
static void
carry_diagram(const IdemDefining *defining, const IdemGuarded *guarded)
{
	List	   *settings = NIL;
	IdemIdentity saved;
	ListCell   *lc;

	if (idem_setting(guarded->settings, "diagram") == NULL)
		return;
	foreach(lc, guarded->settings)
	{
		if (strncmp(lfirst(lc), "diagram=", strlen("diagram=")) != 0)
			settings = lappend(settings, lfirst(lc));
	}
	settings = idem_settings_add(settings, "diagram",
								 text_to_cstring(defining->source));
	idem_become_declarer_of(guarded->relid, &saved);
	idem_replace_row_trigger(guarded->relid, guarded->trigger,
							 "INSERT OR UPDATE OR DELETE", "keep_states",
							 settings);
	idem_restore_identity(&saved);
}

/* Every table that the machine guards has to agree. */
static void
check_guarded(const IdemDefining *defining, const IdemDefinition *last,
			  List *changes)
{
	const IdemDiagram *before = defining->before;
	char	   *concerned = concerned_states(before, changes);
	bool		any = memchr(concerned, 1, idem_state_count(before)) != NULL ||
		memchr(concerned, 2, idem_state_count(before)) != NULL;
	ListCell   *lc;

	foreach(lc, idem_machine_guarded(defining->name))
	{
		IdemGuarded *guarded = lfirst(lc);

		if (!object_ownercheck(RelationRelationId, guarded->relid, GetUserId()))
		{
			if (!idem_machine_counts(defining->name, last->owner,
									 guarded->relid, guarded->column))
				continue;
			aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE,
						   get_rel_name(guarded->relid));
		}
		carry_diagram(defining, guarded);
		if (any)
			check_live_rows(defining->name, before, concerned, guarded,
							defining->tighten != NULL);
	}
}

static List *
compare_diagrams(IdemDefining *defining, const IdemDefinition *last)
{
	IdemDiagram *before = palloc(sizeof(IdemDiagram));

	idem_machine_parse(before, defining->name, last);
	defining->before = before;
	return idem_machine_diff(before, defining->parsed);
}

static char *
count_parts(const IdemDefining *defining)
{
	const IdemDiagram *diagram = defining->parsed;

	return psprintf("defined with %d states and %d edges",
					idem_state_count(diagram), diagram->edge_count);
}

/* 42602 */
static void
refuse_name(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_NAME),
			 errmsg("name \"%s\" does not fit a state machine", name),
			 errhint("It has 1 to %d letters, digits and underscores.",
					 IDEM_NAME_BYTES_MAX)));
}

/*
 * 0A000: what is defined here would hold on this node alone, and triggers on
 * the shards carry the machines of the coordinator.
 */
static void
refuse_worker(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("state machine \"%s\" cannot be defined on a worker of a Citus cluster",
					name),
			 errhint("Define it on the coordinator.")));
}

/*
 * define_machine(name, diagram, loosen, tighten) -> (version, effect, change)
 */
PG_FUNCTION_INFO_V1(idem_define_machine);
Datum
idem_define_machine(PG_FUNCTION_ARGS)
{
	char	   *name = idem_definition_name(&idem_machine_kind, fcinfo, 0);
	IdemDefining defining = {.kind = &idem_machine_kind,.name = name};
	IdemDiagram diagram;
	IdemFault  *faults;
	int			count;

	defining.loosen = idem_reason(fcinfo, 2, "loosen");
	defining.tighten = idem_reason(fcinfo, 3, "tighten");
	PreventCommandIfReadOnly("idem.define_machine()");
	if (idem_citus_is_worker())
		refuse_worker(name);
	InitMaterializedSRF(fcinfo, 0);
	if (!idem_state_name_fits(name, strlen(name)))
		refuse_name(name);
	defining.source = idem_definition_source(&idem_machine_kind, name,
											 fcinfo, 1);
	count = find_faults(&diagram, defining.source, &faults);
	if (count > 0)
		idem_faults_refuse(&idem_machine_kind, name, faults, count);
	check_roles(name, &diagram);
	defining.parsed = &diagram;
	defining.summary = count_parts;
	defining.compare = compare_diagrams;
	defining.admit = check_guarded;
	idem_definition_make(&defining, (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}
