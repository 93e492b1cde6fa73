/*
 * doctor_refuse.c
 *		Refusing a DDL command that would weaken a guard: 2BP01, with the guard
 *		and the way to do it properly.
 *
 * idem.drop_reason is the way to drop a guarded table with its rows, for
 * whoever owns it.
 *
 * idem.allow_unguarded is the way around for whoever may set it (a superuser,
 * or a role with GRANT SET ON PARAMETER): a restore with --disable-triggers
 * or --clean has to do what nobody else may.  What it lets pass is kept in
 * idem.change_log with its text as the reason, and the doctor reports it
 * until idem.rearm().
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/idem_compat.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/moved.h"
#include "base/qualified.h"
#include "base/reason.h"
#include "doctor/doctor.h"

char	   *idem_allow_unguarded = NULL;
char	   *idem_drop_reason = NULL;

/*
 * idem.allow_unguarded: a reason, in words.  Empty, the default, means that
 * guards are only taken off by idem.drop_guard.
 */
void
idem_doctor_refuse_init(void)
{
	DefineCustomStringVariable("idem.allow_unguarded",
							   "Why DDL may weaken guards; empty: it may not.",
							   "For restores that switch triggers off. What it lets pass is kept in idem.change_log with this text; idem.rearm() puts the triggers right again.",
							   &idem_allow_unguarded,
							   "",
							   PGC_SUSET,
							   GUC_NOT_IN_SAMPLE,
							   idem_check_reason, NULL, NULL);

	/*
	 * idem.drop_reason: why a table whose rows are guarded may be dropped
	 * with them.  Any role may set it; it counts for the tables that its
	 * owner drops, as idem.drop_guard does, and stays in the change log.  A
	 * database for tests says it once, with ALTER DATABASE; the doctor names
	 * whatever role or database has one (doctor_settings.sql).
	 */
	DefineCustomStringVariable("idem.drop_reason",
							   "Why a guarded table may be dropped with its rows; empty: it may not.",
							   "Counts for tables of one's own. Kept in idem.change_log.",
							   &idem_drop_reason,
							   "",
							   PGC_USERSET,
							   GUC_NOT_IN_SAMPLE,
							   idem_check_reason, NULL, NULL);
}

/* Has somebody who may do so said why a guard may be weakened? */
bool
idem_reason_given(void)
{
	return idem_allow_unguarded != NULL && idem_allow_unguarded[0] != '\0';
}

/*
 * May what weakens the guard pass?  Then it is noted for the change log.  The
 * extension itself counts as a guard of kind "extension".
 */
bool
idem_lets_pass(Oid relid, const char *kind, const char *name, const char *what)
{
	if (!idem_reason_given())
		return false;
	idem_note_passed(relid, kind, name, what);
	return true;
}

/* Why rows of a guarded table may go with it, or NULL */
const char *
idem_reason_to_drop(Oid relid)
{
	if (idem_reason_given())
		return idem_allow_unguarded;
	if (idem_drop_reason != NULL && idem_drop_reason[0] != '\0' &&
		object_ownercheck(RelationRelationId, relid, GetUserId()))
		return idem_drop_reason;
	return NULL;
}

/* How it is done properly */
static int
hint_drop_guard(Oid relid, const char *kind, const char *name)
{
	return errhint("Take the guard off first: SELECT idem.drop_guard(%s, '%s', name => %s, reason => '...'). Declare it anew afterwards.",
				   quote_literal_cstr(idem_qualified_name_of(relid)), kind,
				   quote_literal_cstr(name));
}

/*
 * 2BP01: what ("rewrite column ...") would weaken the guard of that kind and
 * name on relid, a table at the top; why says more, or is NULL.  Returns if
 * it may pass.
 */
void
idem_refuse_change(Oid relid, const char *kind, const char *name,
				   const char *what, const char *why)
{
	if (idem_lets_pass(relid, kind, name, what))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot %s: it would weaken %s guard \"%s\" of table \"%s\"",
					what, kind, name, get_rel_name(relid)),
			 why ? errdetail("%s", why) : 0,
			 hint_drop_guard(relid, kind, name)));
}

/*
 * The same of what a command left: problem, a sentence without full stop, is
 * wrong with the guard and was not before.
 */
void
idem_refuse_state(Oid relid, const char *kind, const char *name,
				  const char *command, const char *problem)
{
	if (idem_lets_pass(relid, kind, name,
					   psprintf("%s: %s", command, problem)))
		return;
	if (strcmp(kind, "extension") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot run %s: table \"%s\" belongs to extension idem: %s",
						command, get_rel_name(relid), problem)));
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot run %s: it would weaken %s guard \"%s\" of table \"%s\": %s",
					command, kind, name, get_rel_name(relid), problem),
			 hint_drop_guard(relid, kind, name)));
}

/* The name of the guard on a table that has this counterpart, or NULL */
static char *
guard_of_counterpart(Oid relid, const IdemGuard *counterpart)
{
	ListCell   *lc;

	foreach(lc, idem_guard_triggers_of(relid))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (trigger->kind->decides &&
			idem_same_guard(counterpart, trigger->guard))
			return trigger->guard->name;
	}
	return NULL;
}

/*
 * The same for a trigger of a guard, whatever part it plays: bound is the
 * child of a limit's counterpart.
 */
void
idem_refuse_trigger(Oid relid, const IdemGuardKind *kind,
					const IdemGuard *guard, Oid bound, const char *what)
{
	Oid			top = kind->decides ? idem_root_of(relid) : bound;
	char	   *name = guard->name;

	if (!kind->decides)
		name = OidIsValid(bound) ? guard_of_counterpart(bound, guard) : NULL;
	if (name != NULL)
		idem_refuse_change(top, kind->kind, name, what, NULL);
}
