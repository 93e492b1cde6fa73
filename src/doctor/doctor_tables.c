/*
 * doctor_tables.c
 *		DDL on the tables of idem itself.
 *
 * An administrator may maintain them like any others: VACUUM FULL, CLUSTER,
 * REINDEX, an additional index or column.  What would keep idem from writing
 * or reading them is refused: idem.table_problems says what that is, and is
 * asked before and after a command; a problem that the command has caused is
 * the reason of the refusal.  So the doctor and DDL have one definition.
 *
 * Three things are refused earlier.  Making a table unlogged, one of ours or
 * a guarded one, before it is rewritten: a server that crashes after such a
 * command was rolled back does not start.  By the parse tree, what is
 * committed before the end of the command (a unique index built
 * CONCURRENTLY), and what cannot be seen afterwards (the type or the default
 * of our columns).
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/ask.h"
#include "base/idem_compat.h"
#include "base/kind_trigger.h"
#include "doctor/doctor.h"

/* Did the extension make this object? */
bool
idem_is_own(Oid catalog, Oid object)
{
	Oid			extension = get_extension_oid("idem", true);

	return OidIsValid(extension) &&
		getExtensionOfObject(catalog, object) == extension;
}

/* Is this a table that the extension made? */
bool
idem_is_own_table(Oid relid)
{
	Oid			schema = get_namespace_oid("idem", true);

	return OidIsValid(schema) && get_rel_namespace(relid) == schema &&
		get_rel_relkind(relid) == RELKIND_RELATION &&
		idem_is_own(RelationRelationId, relid);
}

/* Does the script of our own extension run? */
bool
idem_in_own_script(void)
{
	return creating_extension &&
		CurrentExtensionObject == get_extension_oid("idem", true);
}

/*
 * The table of schema idem that a command names, if the caller owns it: to
 * anybody else the server will say so itself.  Not locked.  Most commands name
 * something that is not called as anything of idem.
 */
static Oid
owned_table(const RangeVar *name)
{
	Oid			relid = InvalidOid;

	if (name != NULL &&
		OidIsValid(get_relname_relid(name->relname,
									 get_namespace_oid("idem", false))))
		relid = RangeVarGetRelid(name, NoLock, true);
	return OidIsValid(relid) &&
		object_ownercheck(RelationRelationId, relid, GetUserId()) ?
		relid : InvalidOid;
}

/* ---------- problems, before and after ---------- */

/* What is wrong now. */
static uint64
select_problems(void)
{
	return idem_ask(NULL, "SELECT object || ' ' || problem, object, problem, instead, relation"
					" FROM idem.table_problems ORDER BY 2, 3", "");
}

static bool
is_among(const List *texts, const char *str)
{
	ListCell   *lc;

	foreach(lc, texts)
	{
		if (strcmp(lfirst(lc), str) == 0)
			return true;
	}
	return false;
}

/* 2BP01: a table of idem cannot be changed so, unless a reason is given. */
static void
refuse_own_table(Oid relid, const char *object, const char *problem,
				 const char *instead)
{
	if (idem_lets_pass(relid, "extension", OidIsValid(relid) ?
					   get_rel_name(relid) : object, problem))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot change %s: it belongs to extension idem", object),
			 errdetail("Afterwards it %s.", problem),
			 errhint("%s", instead)));
}

/*
 * A command on a table of ours is complete; before is what was wrong when it
 * began.  Connected to SPI.
 */
void
idem_settle_own_table(const List *before)
{
	uint64		n = select_problems();
	uint64		i;

	for (i = 0; i < n; i++)
	{
		if (!is_among(before, idem_found_text(i, 1)))
			refuse_own_table(idem_found_oid(i, 5), idem_found_text(i, 2),
							 idem_found_text(i, 3), idem_found_text(i, 4));
	}
}

/*
 * A permanent table is about to become unlogged: refused if it is ours or has
 * guards.  This is the last moment before the server writes it anew.
 */
void
idem_check_unlogged(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	ListCell   *lc;

	if (idem_is_own_table(relid))
		refuse_own_table(relid,
						 psprintf("table idem.%s", RelationGetRelationName(rel)),
						 "is unlogged: a crash empties it",
						 "A crash would empty it, and what was paid would be paid again.");
	foreach(lc, idem_guard_triggers(rel))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		idem_refuse_trigger(relid, trigger->kind, trigger->guard,
							trigger->bound,
							psprintf("make table \"%s\" unlogged",
									 RelationGetRelationName(rel)));
	}
}

/* ---------- before the command ---------- */

/* Does the command change a column in a way that is not seen afterwards? */
static bool
changes_column(const AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AlterColumnType:
		case AT_ColumnDefault:
		case AT_DropExpression:
		case AT_SetNotNull:
		case AT_DropNotNull:
		case AT_SetStorage:
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_DropIdentity:
			return cmd->name != NULL;
		default:
			return false;
	}
}

/* Is the column one that the extension made? */
static bool
is_own_column(Oid relid, const char *column)
{
	return idem_ask(NULL, "SELECT FROM idem.own_tables o"
					" JOIN pg_catalog.pg_class c ON c.relname = o.name"
					" WHERE c.oid = $1 AND $2 = ANY (o.columns)",
					"rn", relid, column) > 0;
}

static void
check_columns(Oid relid, const AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (changes_column(cmd) && is_own_column(relid, cmd->name))
			refuse_own_table(relid,
							 psprintf("table idem.%s", get_rel_name(relid)),
							 psprintf("has another column \"%s\"", cmd->name),
							 "idem relies on its columns.");
	}
}

/* The table or index that a command is about, of those that matter here. */
static const RangeVar *
table_named(Node *parsetree)
{
	switch (nodeTag(parsetree))
	{
		case T_AlterTableStmt:
			return ((AlterTableStmt *) parsetree)->relation;
		case T_RenameStmt:
			return ((RenameStmt *) parsetree)->relation;
		case T_AlterObjectSchemaStmt:
			return ((AlterObjectSchemaStmt *) parsetree)->relation;
		case T_IndexStmt:
			return ((IndexStmt *) parsetree)->relation;
		case T_CreateTrigStmt:
			return ((CreateTrigStmt *) parsetree)->relation;
		case T_RuleStmt:
			return ((RuleStmt *) parsetree)->relation;
		default:
			return NULL;
	}
}

/* A command begins. */
void
idem_tables_at_start(Node *parsetree)
{
	Oid			relid = owned_table(table_named(parsetree));

	if (!OidIsValid(relid) || idem_in_own_script())
		return;
	if (get_rel_relkind(relid) == RELKIND_INDEX)
		relid = IndexGetRelation(relid, false);
	if (!idem_is_own_table(relid))
		return;
	SPI_connect();
	if (IsA(parsetree, AlterTableStmt))
		check_columns(relid, (AlterTableStmt *) parsetree);
	if (!IsA(parsetree, IndexStmt))
	{
		(void) select_problems();
		idem_note_own_table(relid, idem_found_texts());
	}
	else if (((IndexStmt *) parsetree)->unique)
		refuse_own_table(relid, psprintf("table idem.%s", get_rel_name(relid)),
						 "has another unique index",
						 "An index that is not unique is kept; idem itself decides which keys there are once.");
	SPI_finish();
}
