/*
 * doctor_rearm.c
 *		Putting the triggers of guards right after a restore.
 *
 * pg_restore --disable-triggers ends with ENABLE TRIGGER, which silently makes
 * an ENABLE ALWAYS trigger an ordinary one.  This makes all of them fire always
 * again and creates missing TRUNCATE triggers.  The statements to run come from
 * the doctor's own view (idem.guard_problems), so that exactly what is found is
 * repaired.
 *
 * Each statement runs as the owner of its table, whom the caller must be able
 * to act as.
 *
 * A call for one table fails as a whole.  A call for all of them goes on: any
 * owner of a table can put a trigger on it that looks like a guard, and can
 * hold a lock on it for ever.  So undeclared guards count only on tables of the
 * caller's own; no lock is waited for in the queue, tables that stay locked for
 * a while are skipped, and what could not be repaired is reported.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "base/ask.h"
#include "base/change.h"
#include "base/declare.h"
#include "base/idem_compat.h"
#include "base/identity.h"
#include "base/right.h"
#include "base/settings_trigger.h"

/* How long all locks together may keep a call for all tables waiting. */
#define LOCK_WAIT_MS	2000

/* One row of select_remedies. */
typedef struct Remedy
{
	Oid			relid;			/* the guarded table; none: the extension */
	char	   *kind;
	char	   *name;			/* of the guard's trigger */
	Oid			member;			/* the table to mend */
	char	   *statement;		/* what to run, or NULL */
	List	   *settings;		/* of a guard to write down as declared */
	bool		undeclared;		/* nobody declared it here */
} Remedy;

/* What to run for one guard, as the extension's owner, who sees all. */
static uint64
select_remedies(Oid relid)
{
	return idem_ask(NULL, "SELECT relation, kind, name, member, remedy, NULL::text[], NOT declared FROM idem.guard_problems"
					" WHERE (remedy LIKE 'ALTER TABLE % ENABLE ALWAYS TRIGGER %'"
					" OR remedy LIKE 'CREATE TRIGGER %')"
					" AND ($1 IS NULL OR relation = $1)"
					" UNION "
					"SELECT relation, kind, name, NULL, NULL, NULL, false FROM idem.guards_weakened"
					" WHERE $1 IS NULL OR relation = $1"
					" UNION "
					"SELECT relation, kind, name, NULL, NULL, settings, true FROM idem.guards_undeclared"
					" WHERE $1 IS NULL OR relation = $1"
					" ORDER BY 1, 2, 3, 4, 5",
					"r", relid);
}

/*
 * May the caller mend this table?  Its owner may.  For an undeclared guard,
 * in a call that names no table, being a superuser is not enough: that would
 * let everybody's triggers count.
 */
static bool
may_mend(Oid relid, bool undeclared)
{
	Oid			owner = idem_owner_of(relid);

	if (!OidIsValid(owner))
		return false;
	return undeclared ? is_member_of_role_nosuper(GetUserId(), owner) :
		object_ownercheck(RelationRelationId, relid, GetUserId());
}

static void
mend(Oid member, const char *remedy)
{
	IdemIdentity saved;

	idem_become_declarer_of(member, &saved);
	idem_execute("%s", remedy);
	idem_restore_identity(&saved);
}

static void
put_statement(ReturnSetInfo *rsinfo, const char *statement)
{
	Datum		values[1];
	bool		nulls[1] = {false};

	values[0] = CStringGetTextDatum(statement);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static Remedy *
read_remedy(uint64 row)
{
	Remedy	   *remedy = palloc0(sizeof(Remedy));
	Datum		settings = idem_found(row, 6);

	remedy->relid = idem_found_oid(row, 1);
	remedy->kind = idem_found_text(row, 2);
	remedy->name = idem_found_text(row, 3);
	remedy->member = idem_found_oid(row, 4);
	remedy->statement = idem_found_text(row, 5);
	if (settings != (Datum) 0)
		remedy->settings = idem_settings_of_array(DatumGetArrayTypeP(settings));
	remedy->undeclared = DatumGetBool(idem_found(row, 7));
	return remedy;
}

/*
 * Run a remedy and log it.  A guard that was let pass and lacks nothing is
 * logged as looked at, one that was not declared in this database as
 * declared.
 */
static void
apply(const Remedy *remedy)
{
	if (remedy->statement != NULL)
		mend(remedy->member, remedy->statement);
	if (remedy->undeclared && remedy->statement == NULL)
		idem_log_change("declared", remedy->kind, remedy->relid, remedy->name,
						remedy->settings, "found by idem.rearm()");
	else
		idem_log_change("rearmed", remedy->kind, remedy->relid, remedy->name,
						remedy->statement ? list_make1(remedy->statement) : NIL,
						NULL);
}

static const char not_owned[] = "the table has another owner";

/* Lock a table without queueing for it; false if it is not free in time. */
static bool
lock_until(Oid relid, TimestampTz deadline)
{
	while (!ConditionalLockRelationOid(relid, ShareRowExclusiveLock))
	{
		CHECK_FOR_INTERRUPTS();
		if (GetCurrentTimestamp() >= deadline)
			return false;
		pg_usleep(10 * 1000L);
	}
	return true;
}

/*
 * Lock what a remedy will: ENABLE TRIGGER goes down to the partitions.  The
 * cause if that was not to be.
 */
static const char *
lock_for(const Remedy *remedy, TimestampTz deadline)
{
	ListCell   *lc;

	if (remedy->statement == NULL)
		return NULL;
	foreach(lc, find_all_inheritors(remedy->member, NoLock, NULL))
	{
		if (!lock_until(lfirst_oid(lc), deadline))
			return "another session holds a lock";
	}
	/* once it is locked its owner stays */
	return may_mend(remedy->member, remedy->undeclared) ? NULL : not_owned;
}

/*
 * Errors that end the whole call: it was cancelled, or the server is in
 * trouble.
 */
static bool
ends_call(int sqlstate)
{
	int			class = ERRCODE_TO_CATEGORY(sqlstate);

	return class == ERRCODE_TO_CATEGORY(ERRCODE_QUERY_CANCELED) ||
		class == ERRCODE_INSUFFICIENT_RESOURCES ||
		class == ERRCODE_TO_CATEGORY(ERRCODE_T_R_SERIALIZATION_FAILURE) ||
		class == ERRCODE_INTERNAL_ERROR;
}

/*
 * The same for one of many: the cause if it could not be done, in memory of
 * the caller, and then nothing of it was done; else NULL.
 */
static const char *
try_apply(const Remedy *remedy, TimestampTz deadline)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	const char *volatile cause = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		cause = lock_for(remedy, deadline);
		if (cause == NULL)
		{
			apply(remedy);
			ReleaseCurrentSubTransaction();
		}
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (ends_call(error->sqlerrcode))
			ReThrowError(error);
		cause = error->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return cause;
}

/*
 * Say as a comment what was not done: of one line, whatever names are in it,
 * for somebody may run what rearm() returns.
 */
static void
put_not_done(ReturnSetInfo *rsinfo, const Remedy *remedy, const char *cause)
{
	char	   *line = psprintf("-- not done, %s: %s", cause,
								remedy->statement ? remedy->statement :
								remedy->name);
	char	   *c;

	for (c = line; *c != '\0'; c++)
	{
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	}
	put_statement(rsinfo, line);
}

/* One of the remedies for all tables. */
static void
rearm_one_of_all(ReturnSetInfo *rsinfo, const Remedy *remedy,
				 TimestampTz deadline)
{
	const char *cause;

	if (OidIsValid(remedy->relid) ?
		!may_mend(remedy->relid, remedy->undeclared) : !superuser())
		return;
	if (remedy->statement != NULL &&
		!may_mend(remedy->member, remedy->undeclared))
		cause = not_owned;
	else
		cause = try_apply(remedy, deadline);
	if (cause != NULL)
		put_not_done(rsinfo, remedy, cause);
	else if (remedy->statement != NULL)
		put_statement(rsinfo, remedy->statement);
}

/* One of the remedies for a table that was named; the caller owns it. */
static void
rearm_named(ReturnSetInfo *rsinfo, const Remedy *remedy)
{
	if (OidIsValid(remedy->member))
		idem_check_owned(remedy->member);
	apply(remedy);
	if (remedy->statement != NULL)
		put_statement(rsinfo, remedy->statement);
}

/*
 * rearm(relation regclass) -> SETOF text
 */
PG_FUNCTION_INFO_V1(idem_rearm);
Datum
idem_rearm(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			relid = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
	TimestampTz deadline;
	List	   *remedies = NIL;
	ListCell   *lc;
	uint64		n;
	uint64		i;

	PreventCommandIfReadOnly("idem.rearm()");
	if (OidIsValid(relid))
		idem_check_owned(relid);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	n = select_remedies(relid);
	for (i = 0; i < n; i++)
		remedies = lappend(remedies, read_remedy(i));
	deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOCK_WAIT_MS);
	foreach(lc, remedies)
	{
		Remedy	   *remedy = lfirst(lc);

		if (OidIsValid(relid))
			rearm_named(rsinfo, remedy);
		else
			rearm_one_of_all(rsinfo, remedy, deadline);
	}
	SPI_finish();
	return (Datum) 0;
}
