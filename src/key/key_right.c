/*
 * key_right.c
 *		The scopes in which a role uses keys.
 *
 * EXECUTE decides which roles may call claim and the other functions at all.
 * In addition idem.runtime_role keeps the scopes that idem.grant_runtime named
 * for a role.  While no role is limited that costs the test of a flag, which a
 * session remembers with the scope.  Once one is, a scope is for the roles
 * that have it by name or without a limit, for their members, for operators
 * and superusers, and for nobody else: a role that was renamed, or given
 * EXECUTE by hand, is refused rather than let through.
 *
 * The calling role is judged: in a SECURITY DEFINER function its owner, as
 * with EXECUTE.
 *
 * Shown by sql/control_scopes.sql.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/right.h"
#include "key/key_inner.h"

#define Anum_runtime_role_role		1
#define Anum_runtime_role_scopes	2

/* Is the name of the scope an element of a text[]? */
static bool
names_scope(ArrayType *scopes, const char *name)
{
	Datum	   *names;
	bool	   *nulls;
	int			n;
	int			i;

	deconstruct_array(scopes, TEXTOID, -1, false, TYPALIGN_INT, &names,
					  &nulls, &n);
	for (i = 0; i < n; i++)
	{
		if (!nulls[i] && strcmp(TextDatumGetCString(names[i]), name) == 0)
			return true;
	}
	return false;
}

/* Note what a row of idem.runtime_role says of the scope. */
static void
read_role(IdemScope *scope, Relation rel, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	Datum		role = heap_getattr(tuple, Anum_runtime_role_role, desc,
									&isnull);
	Datum		scopes = heap_getattr(tuple, Anum_runtime_role_scopes, desc,
									  &isnull);

	if (!isnull)
		scope->limited = true;
	if (!isnull && !names_scope(DatumGetArrayTypePCopy(scopes), scope->name))
		return;
	scope->roles = scope->roles == NULL ? palloc(sizeof(char *)) :
		repalloc(scope->roles, sizeof(char *) * (scope->nroles + 1));
	scope->roles[scope->nroles++] = pstrdup(NameStr(*DatumGetName(role)));
}

/*
 * The roles that use the scope, as committed now, in the current memory
 * context: for key_scope.c, which keeps them with the scope.
 */
void
idem_key_read_roles(IdemScope *scope)
{
	Relation	rel = table_open(idem_key_runtime_role_relid(),
								 AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0,
										  NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		read_role(scope, rel, tuple);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* Is the caller one of the roles of a scope that is limited? */
static bool
has_role(const IdemScope *scope)
{
	int			i;

	for (i = 0; i < scope->nroles; i++)
	{
		Oid			role = get_role_oid(scope->roles[i], true);

		if (OidIsValid(role) && has_privs_of_role(GetUserId(), role))
			return true;
	}
	return superuser() || idem_is_operator();
}

/* May the caller look up a key of the scope? */
bool
idem_key_may_look(const IdemScope *scope)
{
	return idem_may_call("lookup") && (!scope->limited || has_role(scope));
}

/* 42501 unless the caller is one of the roles of a scope that is limited. */
void
idem_key_refuse_role(const IdemScope *scope)
{
	if (has_role(scope))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for scope \"%s\"", scope->name),
			 errhint("idem.grant_runtime(role, scopes) names the scopes in which a role uses keys.")));
}
