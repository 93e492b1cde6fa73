/*
 * limit_pause.c
 *		A limit that is paused takes no new request.
 *
 * Facts and releases go on, and so does the later edit of a request that has
 * counted.  The parent is neither locked nor looked at.
 *
 * Shown by sql/control_pause.sql.
 */
#include "postgres.h"

#include "access/relation.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/argument.h"
#include "base/change.h"
#include "base/citus.h"
#include "base/idem_errors.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/moved.h"
#include "base/named.h"
#include "base/pause.h"
#include "base/qualified.h"
#include "base/settings.h"
#include "base/settings_write.h"
#include "limit/limit.h"
#include "limit/limit_rows.h"

/* 55I03 if the limit of this trigger is paused. */
void
idem_limit_check_pause(const IdemGuardCall *call)
{
	const IdemPause *pause = idem_paused("limit", call->trigger->tgname, "",
										 idem_root_relid(call->rel));

	if (pause != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_PAUSED),
				 errmsg("table \"%s\" takes no new row: its limit is paused",
						RelationGetRelationName(call->rel)),
				 errdetail("Limit \"%s\" is %s.", call->trigger->tgname,
						   idem_pause_text(pause)),
				 errhint("Try again when it is resumed; idem.pauses shows what is paused."),
				 errtableconstraint(call->rel, call->trigger->tgname)));
}

/* The limits of a table, those on this foreign key where it is not NULL. */
static List *
limits_of(Oid relid, ArrayType *fk)
{
	List	   *columns = fk == NULL ? NIL : idem_array_list("fk", fk);
	Relation	rel = idem_open_named(relid);
	List	   *limits = NIL;
	ListCell   *lc;

	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (trigger->kind == NULL || !trigger->kind->decides ||
			strcmp(trigger->kind->kind, "limit") != 0)
			continue;
		if (fk == NULL ||
			idem_same_strings(columns,
							  idem_setting_list(trigger->guard->settings,
												"fk")))
			limits = lappend(limits, trigger->guard->name);
	}
	relation_close(rel, AccessShareLock);
	return limits;
}

/* The name of the one limit that is meant: 42704, 42725. */
static char *
only_limit(Oid relid, ArrayType *fk)
{
	List	   *limits = limits_of(relid, fk);

	if (limits == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" has no such limit", get_rel_name(relid)),
				 errhint("idem.guards lists them.")));
	if (list_length(limits) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_FUNCTION),
				 errmsg("table \"%s\" has several limits",
						get_rel_name(relid)),
				 errhint("Say which, by its foreign key: fk => '{...}'.")));
	return linitial(limits);
}

/*
 * The limit that a pause names, by its child table: IdemPauseFind.  What is
 * named is looked for as the caller looks for it.
 */
static void
find_limit(const char *name, const char *state, ArrayType *fk,
		   IdemPauseTarget *target)
{
	Relation	rel;

	idem_pause_refuse_argument("limit", "state", state != NULL);
	rel = idem_open_named(DatumGetObjectId(DirectFunctionCall1(regclassin,
															   CStringGetDatum(name))));
	target->relid = idem_root_relid(rel);
	relation_close(rel, AccessShareLock);
	idem_citus_refuse_pause(target->relid);
	target->logged = only_limit(target->relid, fk);
	target->name = idem_log_number(target->relid, "limit", target->logged);
	if (target->name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("limit \"%s\" of table \"%s\" was not declared in this database",
						target->logged, get_rel_name(target->relid)),
				 errhint("SELECT idem.rearm('%s') declares the guard of its triggers.",
						 idem_qualified_name_of(target->relid))));
}

/* Called when the library is loaded. */
void
idem_limit_pause_init(void)
{
	idem_pause_register("limit", find_limit);
}
