/*
 * machine_cache.c
 *		From a row of idem.machine to a machine that judges with one bit.
 *
 * A lock on the machine's name decides which version a transaction sees: a
 * guard that counts (machine_consent.c) holds it SHARE until the end of the
 * transaction, and define_machine takes it EXCLUSIVE before it looks at rows
 * (base/definition.c).  A backend that gets the lock has absorbed the
 * invalidation of every earlier definition, and no new one can follow while it
 * holds the lock.
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/lmgr.h"

#include "machine/machine.h"

const IdemDefinitionKind idem_machine_kind = {
	.noun = "state machine",
	.word = "machine",
	.log_kind = "machine",
	.table = "machine",
	.index = "machine_pkey",
	.column = "diagram",
	.article = "a diagram",
	.define = "define_machine",
	.check = "check_machine"
};

/*
 * Grows whenever a lock of ours may have been given back.  A guard that
 * locked its machine in the present epoch still holds it.
 */
static uint64 lock_epoch = 0;

static void
epoch_at_transaction(XactEvent event, void *arg)
{
	lock_epoch++;
}

static void
epoch_at_subtransaction(SubXactEvent event, SubTransactionId mySubid,
						SubTransactionId parentSubid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		lock_epoch++;
}

/* Changes whenever a lock on a machine may have been lost */
uint64
idem_machine_lock_epoch(void)
{
	if (unlikely(lock_epoch == 0))
	{
		RegisterXactCallback(epoch_at_transaction, NULL);
		RegisterSubXactCallback(epoch_at_subtransaction, NULL);
		lock_epoch = 1;
	}
	return lock_epoch;
}

/* Hold the machine SHARE, by what was looked up when it was loaded. */
void
idem_machine_hold(const IdemMachine *machine)
{
	LockDatabaseObject(machine->table, machine->hash, 0, ShareLock);
}

/* Group the edges by their source (counting sort). */
static void
group_edges(IdemMachine *machine)
{
	int			states = idem_state_count(&machine->diagram);
	int			edges = machine->diagram.edge_count;
	int			i;

	machine->edges_of = palloc0(sizeof(int) * (states + 2));
	machine->edges = palloc0(sizeof(IdemEdge *) * (edges + 1));
	for (i = 0; i < edges; i++)
		machine->edges_of[machine->diagram.edges[i].source + 2]++;
	for (i = 2; i <= states; i++)
		machine->edges_of[i] += machine->edges_of[i - 1];
	for (i = 0; i < edges; i++)
	{
		IdemEdge   *edge = &machine->diagram.edges[i];

		machine->edges[machine->edges_of[edge->source + 1]++] = edge;
	}
}

/*
 * The edge between two states: with this event, or, with event -1, the first
 * one; NULL if there is none.  *count is how many fit.
 */
const IdemEdge *
idem_machine_edge(const IdemMachine *machine, int from, int to, int event,
				  int *count)
{
	const IdemEdge *found = NULL;
	int			i;

	*count = 0;
	for (i = machine->edges_of[from]; i < machine->edges_of[from + 1]; i++)
	{
		const IdemEdge *edge = machine->edges[i];

		if (edge->target != to || (event >= 0 && edge->event != event))
			continue;
		if ((*count)++ == 0)
			found = edge;
	}
	return found;
}

/* Set the bit of every edge in the matrix it belongs to. */
static void
fill_matrices(IdemMachine *machine)
{
	int			states = idem_state_count(&machine->diagram);
	int			i;

	machine->words = states / 64 + 1;
	machine->open = palloc0(sizeof(uint64) * machine->words * Max(states, 1));
	machine->restricted =
		palloc0(sizeof(uint64) * machine->words * Max(states, 1));
	for (i = 0; i < machine->diagram.edge_count; i++)
	{
		IdemEdge   *edge = &machine->diagram.edges[i];
		uint64	   *matrix = edge->role || edge->other ?
			machine->restricted : machine->open;

		matrix[edge->source * machine->words + edge->target / 64] |=
			UINT64CONST(1) << (edge->target % 64);
	}
}

/* Read the diagram of a version; 42P17 if that cannot be done. */
void
idem_machine_parse(IdemDiagram *diagram, const char *name,
				   const IdemDefinition *row)
{
	IdemFault	fault = {0};

	if (idem_diagram_read(diagram, row->text, strlen(row->text)))
		return;
	fault.line = diagram->error_line;
	strlcpy(fault.reason, diagram->reason, IDEM_REASON_BYTES);
	idem_definition_unreadable(&idem_machine_kind, name, row->version, &fault);
}

/*
 * The machine of a diagram that a trigger carries, because other nodes have no
 * idem.machine (machine_declare.c).
 */
IdemMachine *
idem_machine_carried(const char *name, const char *diagram)
{
	IdemMachine *machine = palloc0(sizeof(IdemMachine));
	IdemDefinition row = {0, NULL, pstrdup(diagram)};

	machine->name = pstrdup(name);
	idem_machine_parse(&machine->diagram, name, &row);
	fill_matrices(machine);
	group_edges(machine);
	return machine;
}

/*
 * A version of a machine, or with version 0 the newest, made ready in the
 * current memory context; 42704 if there is none.
 */
IdemMachine *
idem_machine_load(const char *name, int version)
{
	IdemMachine *machine = palloc0(sizeof(IdemMachine));
	IdemDefinition row;

	if (!idem_definition_fetch(&idem_machine_kind, name, version, &row))
		idem_definition_missing(&idem_machine_kind, name, version);
	machine->name = pstrdup(name);
	machine->table = idem_definition_table(&idem_machine_kind);
	machine->hash = idem_definition_hash(name);
	machine->version = row.version;
	machine->owner = row.owner;
	idem_machine_parse(&machine->diagram, name, &row);
	fill_matrices(machine);
	group_edges(machine);
	return machine;
}
