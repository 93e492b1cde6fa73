/*
 * control_pause.c
 *		Stop what is new, and let it go on.
 *
 * idem.pause writes one row of idem.pause; what every call makes of it is told
 * in base/pause.c, and what can be paused the rooms say that know it.  The
 * commit is what stops: in force for the next statement of every session when
 * it returns.
 *
 * Neither waits for anybody, but for another pause or resume of the same
 * thing that has not ended: a stop that stands in line behind what it is to
 * stop is none.  So what is counted is what was committed when the pause was
 * written; idem.pauses counts again.
 *
 * Both are on disk when their commit returns, whatever synchronous_commit
 * says: ForceSyncCommit.  For standbys they wait as it says and no longer, so
 * that "local" stops the flow also where a standby hangs.
 *
 * Locks: ROW EXCLUSIVE on idem.pause and idem.change.
 *
 * Shown by sql/control_pause.sql, test/isolation/specs/control_pause.spec and
 * test/tap/600_control_pause.pl.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/approval.h"
#include "base/argument.h"
#include "base/change.h"
#include "base/latest.h"
#include "base/named.h"
#include "base/pause.h"
#include "base/reason.h"

/* What a call of pause or resume names. */
typedef struct Wanted
{
	const char *kind;
	const char *name;
	const char *state;			/* NULL: none */
	ArrayType  *fk;				/* NULL: none */
	const char *reason;
	IdemPauseTarget target;
} Wanted;

static void
read_arguments(FunctionCallInfo fcinfo, const char *function, Wanted *w)
{
	PreventCommandIfReadOnly(function);
	memset(w, 0, sizeof(*w));
	w->kind = idem_required_text(fcinfo, 0, "kind");
	w->name = idem_required_text(fcinfo, 1, "name");
	w->state = PG_ARGISNULL(2) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(2));
	w->fk = PG_ARGISNULL(3) ? NULL : PG_GETARG_ARRAYTYPE_P(3);
	w->reason = idem_required_reason(fcinfo, 4, "reason");
	/* until the room that knows it has said what it is */
	w->target.name = w->name;
	w->target.state = w->state != NULL ? w->state : "";
	w->target.logged = w->name;
}

/* Have the thing found by the room that knows its kind. */
static void
find_target(IdemPauseFind find, Wanted *w)
{
	w->target.state = "";
	find(w->name, w->state, w->fk, &w->target);
}

/*
 * Run a statement on idem.pause with kind, name and state as $1 to $3 and the
 * reason as $4; returns how many rows there were.
 */
static uint64
run(Relation rel, const char *sql, int nargs, const Wanted *w)
{
	Oid			types[4] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[4];

	values[0] = CStringGetTextDatum(w->kind);
	values[1] = CStringGetTextDatum(w->target.name);
	values[2] = CStringGetTextDatum(w->target.state);
	values[3] = CStringGetTextDatum(w->reason);
	return idem_run_as_owner(rel, sql, nargs, types, values, NULL);
}

/* What is named, for a message. */
static char *
named(const Wanted *w)
{
	if (w->state != NULL)
		return psprintf("state \"%s\" of %s \"%s\"", w->state, w->kind,
						w->name);
	return psprintf("%s \"%s\"", w->kind, w->name);
}

/* Keep what was done in idem.change_log. */
static void
log_it(const char *action, const Wanted *w)
{
	List	   *arguments = NIL;

	if (w->state != NULL)
		arguments = lappend(arguments, psprintf("state=%s", w->state));
	idem_log_change(action, w->kind, w->target.relid, w->target.logged,
					arguments, w->reason);
}

/* The counts of what is paused: NULL where nothing is sent. */
static void
count_keys(Relation rel, const Wanted *w, Datum *values, bool *nulls)
{
	int			i;

	nulls[0] = nulls[1] = true;
	if (strcmp(w->kind, "scope") != 0 && strcmp(w->kind, "channel") != 0)
		return;
	if (run(rel, "SELECT dispatched, reserved FROM idem.pauses"
			" WHERE kind = $1 AND name = $2", 2, w) != 1)
		elog(ERROR, "could not read idem.pauses");
	for (i = 0; i < 2; i++)
		values[i] = SPI_getbinval(SPI_tuptable->vals[0],
								  SPI_tuptable->tupdesc, i + 1, &nulls[i]);
}

/*
 * pause(kind, name, state, fk, reason) -> (dispatched, reserved)
 */
PG_FUNCTION_INFO_V1(idem_pause);
Datum
idem_pause(PG_FUNCTION_ARGS)
{
	static const char *const sql =
		"INSERT INTO idem.pause (kind, name, state, at, role, reason)"
		" VALUES ($1, $2, $3, clock_timestamp(), SESSION_USER, $4)"
		" ON CONFLICT ON CONSTRAINT pause_pkey DO NOTHING";
	Wanted		w;
	Relation	rel;
	TupleDesc	desc;
	Datum		values[2] = {0};
	bool		nulls[2];

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "idem.pause has other columns");
	read_arguments(fcinfo, "idem.pause()", &w);
	SPI_connect();
	find_target(idem_pause_kind(w.kind), &w);
	rel = table_open(idem_extension_relation("pause"), RowExclusiveLock);
	if (run(rel, sql, 4, &w) == 1)
	{
		log_it("paused", &w);
		ForceSyncCommit();
	}
	else
		ereport(NOTICE,
				(errmsg("%s is paused already", named(&w)),
				 errdetail("The first pause stays as it was.")));
	count_keys(rel, &w, values, nulls);
	SPI_finish();
	table_close(rel, NoLock);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc),
													  values, nulls)));
}

/*
 * Since when something is paused, as text; NULL: it is not.  It is locked, so
 * that what a person approved is what is taken away.
 */
static char *
paused_since(Relation rel, const Wanted *w)
{
	if (run(rel, "SELECT extract(epoch FROM at)::text FROM idem.pause"
			" WHERE kind = $1 AND name = $2 AND state = $3 FOR UPDATE",
			3, w) != 1)
		return NULL;
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/*
 * Take the row of what is named away: as it is named, since it may be gone
 * meanwhile, else as the room finds it.  False: there is none.
 */
static bool
take_away(Relation rel, Wanted *w)
{
	IdemPauseFind find = idem_pause_kind(w->kind);
	char	   *since = paused_since(rel, w);

	if (since == NULL)
	{
		find_target(find, w);
		since = paused_since(rel, w);
	}
	if (since == NULL)
		return false;
	idem_need_approval("resume", named(w),
					   list_make3(pstrdup(w->target.name), since,
								  pstrdup(w->reason)));
	return run(rel, "DELETE FROM idem.pause"
			   " WHERE kind = $1 AND name = $2 AND state = $3", 3, w) == 1;
}

/*
 * resume(kind, name, state, fk, reason) -> void
 */
PG_FUNCTION_INFO_V1(idem_resume);
Datum
idem_resume(PG_FUNCTION_ARGS)
{
	Wanted		w;
	Relation	rel;

	read_arguments(fcinfo, "idem.resume()", &w);
	SPI_connect();
	rel = table_open(idem_extension_relation("pause"), RowExclusiveLock);
	if (!take_away(rel, &w))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s is not paused", named(&w)),
				 errhint("idem.pauses lists what is.")));
	log_it("resumed", &w);
	ForceSyncCommit();
	SPI_finish();
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}
