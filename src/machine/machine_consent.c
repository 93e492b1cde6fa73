/*
 * machine_consent.c
 *		Which guards count for a machine.
 *
 * Any role can create a trigger that names a machine, on a table of its own,
 * by hand: keep_states() has to be executable by PUBLIC, or an ordinary owner
 * could not restore a dump.  Such a trigger judges its table like any other.
 * But it gives its owner no say in the machine, and it takes no lock on it:
 * with such a lock the owner could keep the machine from being defined anew,
 * and stop every writer that waits behind the definition.
 *
 * A guard counts if its table belongs to a member of the role that owns the
 * machine, or if guard_states put it there, as idem.change_log says: that asks
 * for ownership of the machine.  A declared guard counts until it is dropped,
 * even if the table has another owner by now or the role that declared it is
 * gone.
 *
 * Not promised: a trigger made by hand begins to count when its table is given
 * to a member, or its owner becomes one; transactions that are under way then
 * do not hold the machine yet.
 */
#include "postgres.h"

#include "access/table.h"
#include "executor/spi.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"

#include "base/ask.h"
#include "base/right.h"
#include "machine/machine.h"

/* Does the table belong to a member of the role? */
static bool
is_table_of_member(Oid relid, Oid role)
{
	Oid			owner = idem_owner_of(relid);

	return OidIsValid(owner) && OidIsValid(role) &&
		is_member_of_role(owner, role);
}

/*
 * Is there a declaration of this guard?
 *
 * SELECT FROM idem.change_log, by table, column and machine
 */
static bool
is_declared(Oid relid, const char *column, const char *machine)
{
	Relation	log = table_openrv(makeRangeVar("idem", "change_log", -1),
								   AccessShareLock);
	uint64		count;

	SPI_connect();
	count = idem_ask(log, "SELECT FROM idem.change_log l"
					 " WHERE l.relation = $1 AND l.kind = 'states' AND l.action = 'declared'"
					 " AND l.arguments @> ARRAY[$2, $3] LIMIT 1",
					 "rtt", relid, psprintf("column=%s", column),
					 psprintf("machine=%s", machine));
	SPI_finish();
	table_close(log, AccessShareLock);
	return count > 0;
}

/*
 * Does the guard of a column count for its machine?  owner is the name of the
 * role that owns the machine, which may be gone.  Locks nothing for longer
 * than the look.
 */
bool
idem_machine_counts(const char *machine, const char *owner, Oid relid,
					const char *column)
{
	Oid			role = get_role_oid(owner, true);

	return is_table_of_member(relid, role) ||
		is_declared(relid, column, machine);
}
