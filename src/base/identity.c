/*
 * identity.c
 *		Acting as the owner of a table for the length of one check.
 *
 * A guard must see every row, whichever role writes: row security and missing
 * privileges must not hide rows from it, and it must not lend its own rights.
 * So its queries run as the owner of the table that they read, with row
 * security off, as the server's foreign keys do, and the identity is given
 * back right after.
 *
 * On ERROR nothing is to be done: the server restores user, context and
 * settings when it aborts the (sub)transaction.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/syscache.h"

#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/identity.h"
#include "base/right.h"

/* The search path of the following statements, until the identity is back. */
static void
set_search_path(const char *path, IdemIdentity *saved)
{
	saved->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Run the following statements as a guard does: as the owner of rel, row
 * security off.  The caller restores the identity in the same function.
 *
 * Triggers, CHECKs and index expressions of rel run as its owner, too, and may
 * name objects by the search path.  A role without the owner's rights must not
 * choose which ones they find, so the search path is set to the schema of the
 * table.
 */
void
idem_become_owner(Relation rel, IdemIdentity *saved)
{
	Oid			owner = rel->rd_rel->relowner;
	const char *schema;

	GetUserIdAndSecContext(&saved->userid, &saved->sec_context);
	saved->guc_level = 0;
	SetUserIdAndSecContext(owner,
						   saved->sec_context |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	if (has_privs_of_role(saved->userid, owner))
		return;
	schema = get_namespace_name(RelationGetNamespace(rel));
	set_search_path(psprintf("pg_catalog, %s, pg_temp",
							 quote_identifier(schema)), saved);
}

/*
 * Run the following statements as a declaration does: as idem_become_owner,
 * and like the server's own maintenance commands restricted, with a search
 * path that holds nobody's objects, because index expressions, defaults and
 * checks of the table may run code of others.
 */
void
idem_become_declarer(Relation rel, IdemIdentity *saved)
{
	GetUserIdAndSecContext(&saved->userid, &saved->sec_context);
	SetUserIdAndSecContext(rel->rd_rel->relowner,
						   saved->sec_context |
						   SECURITY_RESTRICTED_OPERATION |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
	set_search_path("pg_catalog, pg_temp", saved);
}

/*
 * Run the following statements as the owner of a rule that reads tables of
 * others, restricted in the same way.
 */
void
idem_become_role(Oid role, IdemIdentity *saved)
{
	GetUserIdAndSecContext(&saved->userid, &saved->sec_context);
	SetUserIdAndSecContext(role,
						   saved->sec_context |
						   SECURITY_RESTRICTED_OPERATION |
						   SECURITY_LOCAL_USERID_CHANGE);
	set_search_path("pg_catalog, pg_temp", saved);
}

/*
 * The same of a table that is not open, and that somebody keeps from being
 * dropped; ACCESS SHARE stays on it.
 */
void
idem_become_declarer_of(Oid relid, IdemIdentity *saved)
{
	Relation	rel = relation_open(relid, AccessShareLock);

	idem_become_declarer(rel, saved);
	relation_close(rel, NoLock);
}

/*
 * Fail rather than overlook rows that row security hides from the owner of the
 * table: until the identity is back, after idem_become_declarer.
 */
void
idem_see_every_row(void)
{
	(void) set_config_option("row_security", "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Give the identity back. */
void
idem_restore_identity(const IdemIdentity *saved)
{
	if (saved->guc_level != 0)
		AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->userid, saved->sec_context);
}

/* The owner of a relation; none if it is gone. */
Oid
idem_owner_of(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

/* May this role read every row and column of the table, by its own name? */
static bool
role_may_read_table(Oid relid, Oid role)
{
	if (check_enable_rls(relid, role, true) == RLS_ENABLED)
		return false;
	return pg_class_aclcheck(relid, role, ACL_SELECT) == ACLCHECK_OK;
}

/* The same for the rows of a partition, also by the name of a table above. */
static bool
role_may_read(Relation rel, Oid role)
{
	ListCell   *lc;

	if (role_may_read_table(RelationGetRelid(rel), role))
		return true;
	if (!rel->rd_rel->relispartition)
		return false;
	foreach(lc, get_partition_ancestors(RelationGetRelid(rel)))
	{
		if (role_may_read_table(lfirst_oid(lc), role))
			return true;
	}
	return false;
}

/*
 * May the current user read whole rows of rel?  Only then an error message
 * may show values that it did not write itself (as ri_ReportViolation does,
 * but by the table: one answer for a whole row).  A SECURITY DEFINER function
 * writes as its owner, but the message reaches the role that called it: that
 * one must be allowed to read, too.
 */
bool
idem_may_read(Relation rel)
{
	return role_may_read(rel, GetUserId()) &&
		role_may_read(rel, GetOuterUserId());
}

/*
 * May the current user call a function of schema idem, in one of its forms?
 * Rights to something that is not a function are derived in this way: a role
 * that may call a function of an audience (idem.rights) belongs to it.
 */
bool
idem_may_call(const char *function)
{
	Oid			schema = get_namespace_oid("idem", false);
	CatCList   *forms = SearchSysCacheList1(PROCNAMEARGSNSP,
											CStringGetDatum(function));
	bool		may_call = false;
	int			i;

	for (i = 0; i < forms->n_members; i++)
	{
		Form_pg_proc form =
			(Form_pg_proc) GETSTRUCT(&forms->members[i]->tuple);

		if (form->pronamespace == schema &&
			object_aclcheck(ProcedureRelationId, form->oid, GetUserId(),
							ACL_EXECUTE) == ACLCHECK_OK)
			may_call = true;
	}
	ReleaseSysCacheList(forms);
	return may_call;
}

/*
 * May the current user overrule?  Only idem.grant_operator gives that right;
 * no other right includes it.
 */
bool
idem_is_operator(void)
{
	return idem_may_call("pause");
}

/* 42501 unless the current user may overrule: permission denied to ... */
void
idem_require_operator(const char *action)
{
	if (!idem_is_operator())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s", action),
				 errhint("It is for operators: idem.grant_operator names them, and none of them should be an application.")));
}

/*
 * In PG_CATCH: throw the current error again.  The server shows values of a
 * row (in the error of a CHECK, a unique index or a foreign key) to the owner
 * of the table, because a guard's statement runs as the owner.  They reach
 * the client only if the writer may read the row, and otherwise only the log.
 *
 * Whether it may is asked beforehand: after an error nothing is to be looked
 * up.  The context is the one to keep the error in, not the one of errors.
 */
void
idem_rethrow(MemoryContext context, bool may_read)
{
	ErrorData  *error;

	if (may_read)
		PG_RE_THROW();
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	switch (error->sqlerrcode)
	{
		case ERRCODE_NOT_NULL_VIOLATION:
		case ERRCODE_FOREIGN_KEY_VIOLATION:
		case ERRCODE_UNIQUE_VIOLATION:
		case ERRCODE_CHECK_VIOLATION:
		case ERRCODE_EXCLUSION_VIOLATION:
		case ERRCODE_IDEM_FIXED_COLUMN: /* of a CHECK (limit_check.c) */
			if (error->detail_log == NULL)
				error->detail_log = error->detail;
			error->detail = NULL;
			break;
	}
	ReThrowError(error);
}
