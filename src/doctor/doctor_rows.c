/*
 * doctor_rows.c
 *		Do the rows still follow their rule?
 *
 * A guard judges what is written while it stands.  Rows that came in while it
 * was off, or before, are found only by looking at all of them.  The room of
 * a guard knows what to look at (base/kind.h); here the question is put for
 * every guard of the database.
 *
 * Each guard is asked with one query, under a snapshot that is taken when all
 * its tables are locked, so that they fit together while others write, and
 * while others rewrite them.  At each isolation level that is the latest one,
 * for rows and for the guards themselves.
 * No lock but ACCESS SHARE, until the end of the transaction; one that does
 * not come is a finding.
 *
 * If a question cannot be asked, because a setting, a right or a foreign key
 * is gone, that is a finding of its own and hides no other; cancellation, a
 * deadlock or a lack of memory end the doctor.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#include "base/ask.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/qualified.h"
#include "base/rows.h"
#include "base/settings_trigger.h"

/*
 * How long the doctor waits for a lock.  The owner of a table can hold a lock
 * on it for ever; after one that did not come in time the doctor waits for no
 * other.
 */
#define LOCK_WAIT_MS	5000
#define NO_LOCK_WAIT_MS	1

static void
put_finding(ReturnSetInfo *rsinfo, const IdemGuardKind *kind,
			const IdemGuard *guard, const char *severity, const char *finding,
			const char *remedy)
{
	const char *table = idem_qualified_name_of(guard->relid);
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = CStringGetTextDatum(severity);
	values[1] = CStringGetTextDatum(psprintf("%s guard %s on %s", kind->kind,
											 quote_identifier(guard->name),
											 table));
	values[2] = CStringGetTextDatum(finding);
	values[3] = CStringGetTextDatum(remedy);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * Ask one question about the rows of a guard; false if another session holds
 * a lock on a table that has to be read.  *said is what the question before
 * found: two that fail for one reason are one finding.
 */
static bool
ask(ReturnSetInfo *rsinfo, const IdemGuardKind *kind, const IdemGuard *guard,
	IdemRowsCheck check, const char *severity, const char *remedy, int wait_ms,
	char **said)
{
	char	   *finding = idem_ask_rows(check, guard, guard->relid, wait_ms);

	/* a table that was dropped meanwhile is nobody's finding */
	if (finding == NULL ||
		!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(guard->relid)) ||
		(*said != NULL && strcmp(*said, finding) == 0))
		return true;
	*said = finding;
	if (idem_rows_locked(finding))
	{
		put_finding(rsinfo, kind, guard, "warning", finding,
					"ask idem.doctor() again when that session has ended");
		return false;
	}
	if (idem_rows_unseen(finding))
		put_finding(rsinfo, kind, guard, "error", finding,
					"put right what it names; until then the guard refuses what it cannot judge");
	else
		put_finding(rsinfo, kind, guard, severity, finding, remedy);
	return true;
}

/* What there is to ask about one guard; the same answer. */
static bool
ask_guard(ReturnSetInfo *rsinfo, const IdemGuardKind *kind,
		  const IdemGuard *guard, int wait_ms)
{
	char	   *said = NULL;

	if (kind == NULL)
		return true;
	if (kind->check_rows != NULL &&
		!ask(rsinfo, kind, guard, kind->check_rows, "error", kind->remedy,
			 wait_ms, &said))
		return false;
	return kind->check_open == NULL ||
		ask(rsinfo, kind, guard, kind->check_open, "warning",
			kind->open_remedy, wait_ms, &said);
}

/* The guards that were declared, IdemGuard * */
static List *
declared_guards(void)
{
	uint64		n = idem_ask(NULL, "SELECT relation, kind, name, settings FROM idem.guard_parts"
							 " WHERE part = 'row' AND declared", "");
	List	   *guards = NIL;
	uint64		i;

	for (i = 0; i < n; i++)
	{
		IdemGuard  *guard = palloc(sizeof(IdemGuard));

		guard->relid = idem_found_oid(i, 1);
		guard->kind = idem_kind_named(idem_found_text(i, 2));
		guard->name = idem_found_text(i, 3);
		guard->settings =
			idem_settings_of_array(DatumGetArrayTypeP(idem_found(i, 4)));
		guards = lappend(guards, guard);
	}
	return guards;
}

/*
 * check_rows() -> TABLE (severity, object, finding, remedy)
 *
 * Called by idem.doctor() as the owner of the extension.
 */
PG_FUNCTION_INFO_V1(idem_check_rows);
Datum
idem_check_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			wait_ms = LOCK_WAIT_MS;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	foreach(lc, declared_guards())
	{
		IdemGuard  *guard = lfirst(lc);

		if (!ask_guard(rsinfo, guard->kind, guard, wait_ms))
			wait_ms = NO_LOCK_WAIT_MS;
	}
	SPI_finish();
	return (Datum) 0;
}
