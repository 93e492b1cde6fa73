/*
 * empty.c
 *		TRUNCATE of tables whose rows are kept, for tests.
 *
 * Rows of a guarded table do not go all at once, nor do the claims, attempts
 * and histories that idem keeps: 23I08.  A test suite has to start anew,
 * though.  So a superuser or the owner of the database may give a reason,
 * idem.truncate_reason.  Each TRUNCATE that passes is in idem.change_log with
 * that reason, and the doctor reports it until idem.rearm().
 *
 * The change log also says when a superuser deleted or overwrote rows in a log
 * of idem, because nothing else would show that.
 *
 * Not promised: a trace of what is done to the tables of idem while their
 * triggers are disabled; that is itself a finding of the doctor.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "base/change.h"
#include "base/citus.h"
#include "base/empty.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/moved.h"
#include "base/reason.h"
#include "base/settings_trigger.h"
#include "base/site.h"

static char *truncate_reason = NULL;

/* What of the statement under way is in the log already */
typedef struct Logged
{
	TimestampTz statement;
	TransactionId xid;			/* one statement can hold several of them */
	SubTransactionId subid;
	List	   *tables;			/* the tables at the top */
	List	   *names;			/* and for each the name of a guard */
} Logged;

static Logged logged;

/*
 * idem.truncate_reason: why tables whose rows are kept may be truncated.  Any
 * role may set it; it counts for superusers and for the owner of the database.
 */
void
idem_empty_init(void)
{
	DefineCustomStringVariable("idem.truncate_reason",
							   "Why tables whose rows are kept may be truncated; empty: they may not.",
							   "Counts for superusers and for the owner of the database. Kept in idem.change_log.",
							   &truncate_reason,
							   "",
							   PGC_USERSET,
							   GUC_NOT_IN_SAMPLE,
							   idem_check_reason, NULL, NULL);
}

/*
 * The reason for which the rows of a table may go at once, or NULL.  own: it
 * is one of idem's, without which payments that were made would be made again.
 * A database that has a place of its own is none for tests: real money moves
 * there.
 */
static const char *
reason_to_empty(bool own)
{
	bool		real;

	if (truncate_reason == NULL || truncate_reason[0] == '\0')
		return NULL;
	real = idem_has_site();
	if (own && real)
		return NULL;
	if (superuser() ||
		(!real && object_ownercheck(DatabaseRelationId, MyDatabaseId,
									GetUserId())))
		return truncate_reason;
	return NULL;
}

static void
refuse_truncation(const TriggerData *trigdata, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_KEPT_ROW),
			 errmsg("table \"%s\" cannot be truncated",
					RelationGetRelationName(trigdata->tg_relation)),
			 errhint("%s", hint),
			 errtableconstraint(trigdata->tg_relation,
								trigdata->tg_trigger->tgname)));
}

/*
 * Is this the first time that the statement comes to this guard?  A TRUNCATE
 * of a partitioned table fires the triggers of all its partitions.
 */
static bool
is_news(Oid table, const char *name)
{
	TimestampTz statement = GetCurrentStatementStartTimestamp();
	TransactionId xid = GetTopTransactionId();
	SubTransactionId subid = GetCurrentSubTransactionId();
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	bool		known = false;
	ListCell   *t;
	ListCell   *n;

	if (logged.statement != statement || logged.xid != xid ||
		logged.subid != subid)
	{
		list_free(logged.tables);
		list_free_deep(logged.names);
		logged = (Logged)
		{
			statement, xid, subid, NIL, NIL
		};
	}
	forboth(t, logged.tables, n, logged.names)
		known |= lfirst_oid(t) == table && strcmp(lfirst(n), name) == 0;
	if (!known)
	{
		logged.tables = lappend_oid(logged.tables, table);
		logged.names = lappend(logged.names, pstrdup(name));
	}
	MemoryContextSwitchTo(old);
	return !known;
}

/* The guard on this table that has this name, or NULL */
static IdemGuard *
find_guard(Relation rel, const char *name)
{
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (trigger->kind->decides && strcmp(trigger->guard->name, name) == 0)
			return trigger->guard;
	}
	return NULL;
}

static void
log_emptied(const char *kind, Oid table, const char *name, char *what,
			const char *reason)
{
	SPI_connect();
	idem_log_change("emptied", kind, table, name, list_make1(what), reason);
	SPI_finish();
}

/* Does the guard keep totals of its rows elsewhere? */
static bool
keeps_totals(const IdemGuard *guard)
{
	return guard->kind->statement != NULL;
}

/*
 * 23I08: the rows of a guarded table do not go all at once.  Returns where
 * there is a reason, which is in the log then, and what the guard keeps of its
 * rows is that of no rows.
 */
void
idem_judge_truncation(const TriggerData *trigdata)
{
	const char *name = idem_trigger_setting(trigdata->tg_trigger, "guard");
	const char *reason = reason_to_empty(false);
	Oid			relid = RelationGetRelid(trigdata->tg_relation);
	IdemGuard  *guard;

	/* Citus empties no shard but those of a table that was judged */
	if (idem_citus_shell(relid) != relid)
		return;
	guard = name == NULL ? NULL : find_guard(trigdata->tg_relation, name);
	if (reason == NULL ||
		(guard != NULL && keeps_totals(guard) &&
		 (guard->kind->recount == NULL ||
		  idem_citus_table(relid) != IDEM_CITUS_NONE)))
		refuse_truncation(trigdata,
						  "Its rows are guarded; idem.drop_guard takes the guard off.");
	if (guard == NULL)
		return;
	guard->relid = idem_root_relid(trigdata->tg_relation);
	if (is_news(guard->relid, name))
		log_emptied(guard->kind->kind, guard->relid, name, "TRUNCATE", reason);
	if (guard->kind->recount != NULL)
		guard->kind->recount(guard);
}

/*
 * refuse_truncate() -> trigger
 *
 * BEFORE TRUNCATE FOR EACH STATEMENT, for a guard that has nothing else to do
 * at a statement: 23I08, unless there is a reason.
 */
PG_FUNCTION_INFO_V1(idem_refuse_truncate);
Datum
idem_refuse_truncate(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired by TRUNCATE",
						"idem.refuse_truncate")));
	idem_judge_truncation(trigdata);
	return PointerGetDatum(NULL);
}

/* ------------------------------------------------------------------------
 * Tables of idem
 * ------------------------------------------------------------------------
 */

/* TRUNCATE of a table of idem; for_good=true: for no reason at all. */
static void
judge_own_truncation(const TriggerData *trigdata)
{
	const char *for_good = idem_trigger_setting(trigdata->tg_trigger,
												"for_good");
	const char *reason = reason_to_empty(true);

	if (for_good != NULL)
		refuse_truncation(trigdata, "What it says is for good.");
	if (reason == NULL)
		refuse_truncation(trigdata,
						  "It says what happened already. In a database for tests, its owner or a superuser may SET idem.truncate_reason.");
	log_emptied("extension", InvalidOid,
				RelationGetRelationName(trigdata->tg_relation), "TRUNCATE",
				reason);
}

/* Rows of a log that were deleted, or written over */
static void
note_rewritten(const TriggerData *trigdata)
{
	int64		rows = trigdata->tg_oldtable == NULL ? 0 :
		tuplestore_tuple_count(trigdata->tg_oldtable);

	if (rows > 0)
		log_emptied("extension", InvalidOid,
					RelationGetRelationName(trigdata->tg_relation),
					psprintf("%s of " INT64_FORMAT " %s",
							 TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ?
							 "DELETE" : "UPDATE", rows,
							 rows == 1 ? "row" : "rows"), NULL);
}

/*
 * keep_own_rows() -> trigger
 *
 * Of a table of idem: BEFORE TRUNCATE refuses (23I08) or keeps the reason;
 * AFTER UPDATE or DELETE, with the rows as they were, keeps that it was done.
 */
PG_FUNCTION_INFO_V1(idem_keep_own_rows);
Datum
idem_keep_own_rows(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired FOR EACH STATEMENT",
						"idem.keep_own_rows")));
	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		judge_own_truncation(trigdata);
	else
		note_rewritten(trigdata);
	return PointerGetDatum(NULL);
}
