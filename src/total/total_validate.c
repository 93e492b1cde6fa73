/*
 * total_validate.c
 *		Reading the rows that were there before a guard.
 *
 * The CHECKs of totals are NOT VALID on a parent that had rows when the guard
 * was declared.  Here they are validated, under SHARE UPDATE EXCLUSIVE, while
 * others write; the totals are compared with the sums of the children, which
 * another guard that shared them may have left behind; and so are the rows of
 * other guards that can be read later.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/argument.h"
#include "base/declare.h"
#include "base/identity.h"
#include "base/kind.h"
#include "base/kind_guard.h"
#include "base/kind_trigger.h"
#include "base/named.h"
#include "base/qualified.h"
#include "base/settings.h"
#include "base/settings_known.h"
#include "total/total_declare.h"
#include "total/total_keep.h"

/* Validate the CHECK of one column, if there is one. */
static void
validate_check(Oid parent, const char *kind, const char *column)
{
	char	   *name;

	if (column == NULL)
		return;
	name = idem_check_name(kind, column);
	if (OidIsValid(get_relation_constraint_oid(parent, name, true)))
		idem_execute("ALTER TABLE %s VALIDATE CONSTRAINT %s",
					 idem_qualified_name_of(parent), quote_identifier(name));
}

/* Those of all columns that a guard of the child keeps. */
static void
validate_checks(Oid parent, const IdemGuard *guard)
{
	ListCell   *lc;

	foreach(lc, idem_all_kinds())
	{
		const IdemGuardKind *kind = lfirst(lc);
		const IdemSetting *setting = kind->settings;

		if (kind->decides || strcmp(kind->kind, guard->kind->kind) != 0)
			continue;
		for (; setting->name != NULL; setting++)
		{
			if (setting->flags & IDEM_SETTING_KEPT)
				validate_check(parent, kind->kind,
							   idem_setting(guard->settings, setting->name));
		}
	}
}

/* 23514 with what is found in the rows of a guard. */
static void
validate_rows(Relation rel, const IdemGuard *guard)
{
	char	   *finding;

	idem_guard_require(guard);
	finding = guard->kind->check_rows(guard, guard->relid);
	if (finding != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("table \"%s\" does not follow guard \"%s\"",
						RelationGetRelationName(rel), guard->name),
				 errdetail("It has %s.", finding),
				 errtableconstraint(rel, guard->name)));
}

static void
validate_total(Relation rel, const IdemGuard *guard)
{
	IdemTotalKey key;
	Relation	parent;
	IdemIdentity saved;

	idem_total_find_key(guard->relid, idem_setting_list(guard->settings, "fk"),
						ERRCODE_INVALID_OBJECT_DEFINITION, &key);
	idem_check_owned(key.parent);
	parent = table_open(key.parent, ShareUpdateExclusiveLock);
	idem_check_owned(key.parent);
	idem_become_declarer(parent, &saved);
	table_close(parent, NoLock);
	validate_checks(key.parent, guard);
	idem_restore_identity(&saved);
	validate_rows(rel, guard);
}

static bool
has_total(const IdemGuard *guard)
{
	return guard->kind->decides &&
		strcmp(idem_statement_function(guard->kind),
			   IDEM_TOTAL_STATEMENT_FUNCTION) == 0 &&
		idem_settings_problem(guard->settings, guard->kind->settings) == NULL;
}

/*
 * validate_guard(relation regclass, name text) -> void
 */
PG_FUNCTION_INFO_V1(idem_validate_guard);
Datum
idem_validate_guard(PG_FUNCTION_ARGS)
{
	Relation	rel;
	char	   *name = idem_text_argument(fcinfo, 1);
	int			found = 0;
	ListCell   *lc;

	idem_require_argument(fcinfo, 0, "relation");
	rel = idem_open_named(PG_GETARG_OID(0));
	SPI_connect();
	foreach(lc, idem_guard_triggers(rel))
	{
		const IdemGuard *guard = ((IdemGuardTrigger *) lfirst(lc))->guard;

		if (name != NULL && strcmp(name, guard->name) != 0)
			continue;
		if (has_total(guard))
			validate_total(rel, guard);
		else if (guard->kind->validates)
		{
			idem_check_owned(guard->relid);
			validate_rows(rel, guard);
		}
		else
			continue;
		found++;
	}
	SPI_finish();
	if (found == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" has no limit",
						RelationGetRelationName(rel))));
	relation_close(rel, NoLock);
	PG_RETURN_VOID();
}
