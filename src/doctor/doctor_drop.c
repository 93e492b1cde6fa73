/*
 * doctor_drop.c
 *		Taking a guard off a table, with a reason that is kept.
 *
 * DROP TRIGGER by the owner would do the same and leave no trace.  Here
 * idem.change_log keeps what was dropped, with which settings, by whom and
 * why, and the doctor does not miss the guard.
 *
 * Dropping a limit also drops its counterpart on the parent and the CHECK of
 * the running total.  The column stays: its values are records, and it is for
 * its owner to say what they mean from then on.
 *
 * A guard whose trigger is already gone is written off: there is only the log
 * to write.  So is a guard of a former table of the same name.
 *
 * A guard that others name stays until they are off, and one that was declared
 * with another guard goes with it (base/kind.h).
 *
 * Locks ACCESS EXCLUSIVE, as DROP TRIGGER does, until the end of the
 * transaction; of a limit child first, then parent, as the declaration does.
 */
#include "postgres.h"

#include "catalog/pg_constraint.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/approval.h"
#include "base/argument.h"
#include "base/ask.h"
#include "base/change.h"
#include "base/declare.h"
#include "base/identity.h"
#include "base/kind.h"
#include "base/qualified.h"
#include "base/reason.h"
#include "base/settings_trigger.h"

/* A guard as it stands on its table. */
typedef struct FoundGuard
{
	Oid			relid;
	const char *kind;
	char	   *name;			/* of its trigger */
	ArrayType  *array;			/* its settings, each name=value */
	List	   *settings;		/* the same as strings */
	bool		missing;		/* declared, but its trigger is gone */
} FoundGuard;

/* 22023 for a kind of guard that there is not. */
static void
check_kind(const char *kind)
{
	StringInfoData known;
	ListCell   *lc;

	if (idem_kind_named(kind) != NULL)
		return;
	initStringInfo(&known);
	foreach(lc, idem_all_kinds())
	{
		const IdemGuardKind *other = lfirst(lc);

		if (other->decides)
			appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "",
							 other->kind);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized kind of guard \"%s\"", kind),
			 errhint("Kinds are %s.", known.data)));
}

/* The guards of one kind on a table; with a name, only that one. */
static uint64
select_guards(Oid relid, const char *kind, const char *name)
{
	return idem_ask(NULL, "SELECT g.name, g.settings, g.gone FROM"
					" (SELECT relation, kind, name, settings, false AS gone FROM idem.guards"
					" UNION ALL"
					" SELECT relation, kind, name, settings, true FROM idem.guards_missing"
					" UNION ALL"
					" SELECT relation, kind, name, settings, true FROM idem.guards_lost) g"
					" WHERE g.relation = $1 AND g.kind = $2"
					" AND ($3 IS NULL OR g.name = $3) ORDER BY 3, 1",
					"rtt", relid, kind, name);
}

static void
refuse_missing(Oid relid, const char *kind, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 name ?
			 errmsg("table \"%s\" has no guard \"%s\" of kind \"%s\"",
					get_rel_name(relid), name, kind) :
			 errmsg("table \"%s\" has no guard of kind \"%s\"",
					get_rel_name(relid), kind),
			 get_rel_relispartition(relid) ?
			 errhint("The guards of a partition stand on the partitioned table at the top.") :
			 errhint("idem.guards lists them.")));
}

/* The one guard that is meant: 42704 if there is none, 42725 if several. */
static FoundGuard
find_guard(Oid relid, const char *kind, const char *name)
{
	FoundGuard	guard = {relid, kind, NULL, NULL, NIL, false};
	uint64		n = select_guards(relid, kind, name);

	if (n == 0)
		refuse_missing(relid, kind, name);
	if (n > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_FUNCTION),
				 errmsg("table \"%s\" has several guards of kind \"%s\"",
						get_rel_name(relid), kind),
				 errhint("Say which: name => '%s'.", idem_found_text(0, 1))));
	guard.missing = DatumGetBool(idem_found(0, 3));
	guard.name = idem_found_text(0, 1);
	guard.array = DatumGetArrayTypePCopy(idem_found(0, 2));
	guard.settings = idem_settings_of_array(guard.array);
	return guard;
}

/*
 * The CHECKs that go with a counterpart: of the columns that no other guard
 * of the parent keeps.  The parent is locked.
 */
static List *
checks_to_drop(Oid parent, const char *trigger)
{
	(void) idem_ask(NULL, "SELECT idem.made_name('idem', t.kind, c.\"column\")"
					" FROM idem.guard_triggers t,"
					" LATERAL idem.setting_columns(t.function, t.settings) c"
					" WHERE t.relation = $1 AND t.name = $2 AND c.is_kept"
					" AND NOT EXISTS (SELECT FROM idem.guard_triggers o,"
					" LATERAL idem.setting_columns(o.function, o.settings) k"
					" WHERE o.relation = $1 AND o.name <> $2"
					" AND o.kind = t.kind AND k.is_kept"
					" AND k.\"column\" = c.\"column\")",
					"rt", parent, trigger);
	return idem_found_texts();
}

/*
 * A total that another guard keeps, too, still has what the rows of this one
 * added: nobody but its owner can say whether that is to stay.  The doctor and
 * validate_guard() of the other guard tell it from then on.
 */
static void
warn_of_sharing(Oid parent, const char *trigger)
{
	if (idem_ask(NULL, "SELECT c.\"column\", t.other::regclass, t.name,"
				 " o.other::regclass, o.name"
				 " FROM idem.guard_triggers t,"
				 " LATERAL idem.setting_columns(t.function, t.settings) c,"
				 " idem.guard_triggers o,"
				 " LATERAL idem.setting_columns(o.function, o.settings) k"
				 " WHERE t.relation = $1 AND t.name = $2 AND c.is_kept"
				 " AND o.relation = $1 AND o.name <> $2 AND o.kind = t.kind"
				 " AND k.is_kept AND k.\"column\" = c.\"column\""
				 " ORDER BY c.\"column\" COLLATE \"C\", o.name LIMIT 1",
				 "rt", parent, trigger) == 0)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("column \"%s\" of table \"%s\" still holds what the rows of %s under guard \"%s\" added to it",
					idem_found_text(0, 1), get_rel_name(parent),
					idem_found_text(0, 2), idem_found_text(0, 3)),
			 errdetail("Guard \"%s\" of %s keeps the column from now on.",
					   idem_found_text(0, 5), idem_found_text(0, 4)),
			 errhint("To fill the column from the rows of the other guard alone, take that guard off, too, and declare it again.")));
}

/*
 * Drop the counterpart of a limit and the CHECKs of columns that nobody keeps
 * any longer, as the owner of the parent, which the caller must be, too.  Who
 * keeps them is asked under the lock: a limit of another child may have been
 * declared while we waited for it.
 */
static void
drop_total(Oid parent, const char *trigger)
{
	List	   *checks;
	ListCell   *lc;
	IdemIdentity saved;

	idem_check_owned(parent);
	LockRelationOid(parent, AccessExclusiveLock);
	idem_check_owned(parent);
	checks = checks_to_drop(parent, trigger);
	warn_of_sharing(parent, trigger);
	idem_become_declarer_of(parent, &saved);
	idem_execute_unwatched("DROP TRIGGER %s ON %s", quote_identifier(trigger),
						   idem_qualified_name_of(parent));
	foreach(lc, checks)
	{
		char	   *check = lfirst(lc);

		if (OidIsValid(get_relation_constraint_oid(parent, check, true)))
			idem_execute_unwatched("ALTER TABLE %s DROP CONSTRAINT %s",
								   idem_qualified_name_of(parent),
								   quote_identifier(check));
	}
	idem_restore_identity(&saved);
}

/* The counterpart of a guard on its parent, if it is (still) there. */
static void
drop_counterpart(const FoundGuard *guard)
{
	if (idem_ask(NULL, "SELECT t.relation, t.name"
				 " FROM idem.guard_triggers t"
				 " JOIN idem.guard_kinds() k ON k.kind = t.kind AND k.part = 'row'"
				 " WHERE t.part = 'total' AND NOT t.is_clone"
				 " AND t.other = $1 AND t.kind = $2"
				 " AND t.identity = idem.guard_identity(k.function, $3)",
				 "rta", guard->relid, guard->kind, guard->array) > 0)
		drop_total(idem_found_oid(0, 1), idem_found_text(0, 2));
}

/* Take a guard off its table, which is locked, and write it down. */
static void
take_off(const FoundGuard *guard, const char *reason)
{
	idem_take_guard_off(guard->relid, guard->name);
	drop_counterpart(guard);
	idem_log_change("dropped", guard->kind, guard->relid, guard->name,
					guard->settings, reason);
}

/* 2BP01 while declared guards of other tables name the table of this one. */
static void
refuse_named(const FoundGuard *guard, const char *setting)
{
	if (idem_ask(NULL, "SELECT relation, kind, name FROM idem.guard_parts"
				 " WHERE part = 'row' AND declared"
				 " AND idem.setting(settings, $1) = $2"
				 " ORDER BY relation::text COLLATE \"C\" LIMIT 1",
				 "tt", setting, idem_qualified_name_of(guard->relid)) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("guard \"%s\" of table \"%s\" is needed by %s guard \"%s\" of table %s",
					guard->name, get_rel_name(guard->relid),
					idem_found_text(0, 2), idem_found_text(0, 3),
					idem_found_text(0, 1)),
			 errhint("Take that one off first, with idem.drop_guard.")));
}

/* The guard that was declared with it, if it is still there */
static void
drop_together(Oid relid, const char *kind, const char *reason)
{
	FoundGuard	guard;

	if (select_guards(relid, kind, NULL) == 0)
		return;
	guard = find_guard(relid, kind, NULL);
	take_off(&guard, reason);
}

/* 42501 where it needs a second person: of this very guard. */
static void
need_approval(const FoundGuard *guard, const char *reason)
{
	char	   *number = idem_log_number(guard->relid, guard->kind,
										 guard->name);

	idem_need_approval("drop_guard",
					   psprintf("%s guard \"%s\" on %s", guard->kind,
								guard->name,
								idem_qualified_name_of(guard->relid)),
					   list_concat(list_make2(pstrdup(reason),
											  number ? number : ""),
								   list_copy(guard->settings)));
}

/*
 * drop_guard(relation regclass, kind text, name text, reason text) -> void
 */
PG_FUNCTION_INFO_V1(idem_drop_guard);
Datum
idem_drop_guard(PG_FUNCTION_ARGS)
{
	Oid			relid;
	char	   *kind;
	char	   *name;
	char	   *reason;
	const IdemGuardKind *known;
	FoundGuard	guard;

	idem_require_argument(fcinfo, 0, "relation");
	relid = PG_GETARG_OID(0);
	kind = idem_required_text(fcinfo, 1, "kind");
	name = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	reason = idem_required_reason(fcinfo, 3, "reason");
	check_kind(kind);
	known = idem_kind_named(kind);

	idem_check_owned(relid);
	LockRelationOid(relid, AccessExclusiveLock);
	idem_check_owned(relid);
	SPI_connect();
	guard = find_guard(relid, kind, name);
	if (known->named_by != NULL && !guard.missing)
		refuse_named(&guard, known->named_by);
	need_approval(&guard, reason);
	take_off(&guard, reason);
	if (known->together != NULL)
		drop_together(relid, known->together, reason);
	SPI_finish();
	PG_RETURN_VOID();
}
