/*
 * machine_cache.c
 *		From a row of idem.machine to a machine that judges with one bit.
 *
 * Who sees which version is decided by a lock on the machine's name: a guard
 * that counts (machine_consent.c) holds it SHARE until the end of the
 * transaction, define_machine takes it EXCLUSIVE before it looks at rows.
 * Whoever gets the lock has absorbed the invalidation of every earlier
 * definition, and none can follow while it is held.  So the newest version is
 * read with a snapshot of its own, not the transaction's: a transaction that
 * began before a redefinition is judged by it all the same, at every isolation
 * level.
 *
 * The lock is on a hash of the name.  A name whose hash is that of another
 * machine is refused when it is first defined, or whoever computes such a name
 * could lock the other machine by defining its own.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/skey.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/idem_compat.h"
#include "machine/machine.h"

/* columns of idem.machine, in the order of its CREATE TABLE */
#define Anum_machine_name		1
#define Anum_machine_version	2
#define Anum_machine_diagram	3
#define Anum_machine_owner		4

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

/* The OID of idem.machine */
Oid
idem_machine_table(void)
{
	return idem_extension_relation("machine");
}

static uint32
name_hash(const char *name)
{
	return hash_bytes((const unsigned char *) name, strlen(name));
}

/*
 * Lock a machine's name until the end of the transaction.  Invalidations sent
 * by whoever held it before are absorbed.
 */
void
idem_machine_lock(const char *name, LOCKMODE mode)
{
	LockDatabaseObject(idem_machine_table(), name_hash(name), 0, mode);
}

/* The same, SHARE, by what was looked up when the machine was loaded */
void
idem_machine_hold(const IdemMachine *machine)
{
	LockDatabaseObject(machine->table, machine->hash, 0, ShareLock);
}

static Datum
machine_attribute(HeapTuple tuple, int number, TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, number, desc, &isnull);

	if (isnull)
		elog(ERROR, "column %d of idem.machine is null", number);
	return value;
}

/*
 * 42710 if the name would share the lock of another machine.  Not seen is one
 * whose first definition has not committed.
 */
void
idem_machine_check_lock(const char *name)
{
	Relation	table = table_open(idem_machine_table(), AccessShareLock);
	SysScanDesc scan = systable_beginscan(table, InvalidOid, false, NULL, 0,
										  NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		char	   *other =
			TextDatumGetCString(machine_attribute(tuple, Anum_machine_name,
												  RelationGetDescr(table)));

		if (name_hash(other) == name_hash(name) && strcmp(other, name) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("state machine \"%s\" cannot be locked apart from state machine \"%s\"",
							name, other),
					 errdetail("The hashes of the two names are equal."),
					 errhint("Choose another name.")));
		pfree(other);
	}
	systable_endscan(scan);
	table_close(table, AccessShareLock);
}

static void
read_machine_row(HeapTuple tuple, TupleDesc desc, IdemMachineRow *row)
{
	row->version =
		DatumGetInt32(machine_attribute(tuple, Anum_machine_version, desc));
	row->diagram =
		TextDatumGetCString(machine_attribute(tuple, Anum_machine_diagram,
											  desc));
	row->owner =
		pstrdup(NameStr(*DatumGetName(machine_attribute(tuple,
														Anum_machine_owner,
														desc))));
}

/*
 * One version of a machine, or with version 0 the newest, as committed now or
 * written by this transaction.  False if there is none.
 */
bool
idem_machine_fetch(const char *name, int version, IdemMachineRow *row)
{
	Relation	table = table_open(idem_machine_table(), AccessShareLock);
	Relation	index = index_open(idem_extension_relation("machine_pkey"),
								   AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyEntryInitialize(&keys[0], 0, Anum_machine_name,
						   BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID,
						   F_TEXTEQ, CStringGetTextDatum(name));
	ScanKeyInit(&keys[1], Anum_machine_version, BTEqualStrategyNumber,
				F_INT4EQ, Int32GetDatum(version));
	scan = systable_beginscan_ordered(table, index, NULL,
									  version == 0 ? 1 : 2, keys);
	tuple = systable_getnext_ordered(scan, BackwardScanDirection);
	if (HeapTupleIsValid(tuple))
		read_machine_row(tuple, RelationGetDescr(table), row);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(table, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/* 42704; version 0 is the machine as a whole. */
void
idem_machine_missing(const char *name, int version)
{
	if (version != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d of state machine \"%s\" does not exist",
						version, name)));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("state machine \"%s\" does not exist", name),
			 errhint("Define it with idem.define_machine.")));
}

/* 42501 unless the caller is a member of the role that owns the machine. */
void
idem_machine_check_owner(const char *name, const IdemMachineRow *row)
{
	Oid			owner = get_role_oid(row->owner, true);

	if (OidIsValid(owner) ? !has_privs_of_role(GetUserId(), owner) :
		!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of state machine \"%s\"", name)));
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
		uint64	   *matrix = edge->role ? machine->restricted : machine->open;

		matrix[edge->source * machine->words + edge->target / 64] |=
			UINT64CONST(1) << (edge->target % 64);
	}
}

/*
 * A version of a machine, or with version 0 the newest, made ready in the
 * current memory context; 42704 if there is none.
 */
IdemMachine *
idem_machine_load(const char *name, int version)
{
	IdemMachine *machine = palloc0(sizeof(IdemMachine));
	IdemMachineRow row;

	if (!idem_machine_fetch(name, version, &row))
		idem_machine_missing(name, version);
	machine->name = pstrdup(name);
	machine->table = idem_machine_table();
	machine->hash = name_hash(name);
	machine->version = row.version;
	machine->owner = row.owner;
	if (!idem_diagram_read(&machine->diagram, row.diagram, strlen(row.diagram)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("version %d of state machine \"%s\" cannot be read: line %d: %s",
						row.version, name, machine->diagram.error_line,
						machine->diagram.reason)));
	fill_matrices(machine);
	group_edges(machine);
	return machine;
}
