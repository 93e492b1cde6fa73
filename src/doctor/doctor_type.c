/*
 * doctor_type.c
 *		A type whose values get another meaning, or lose a part.
 *
 * An enum value that is renamed, or an attribute that a composite type loses,
 * changes what stands in columns of that type, of a domain over it, of an
 * array and of a composite that has it, without a word about their tables.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "base/kind.h"
#include "base/kind_trigger.h"
#include "base/settings_known.h"
#include "doctor/doctor.h"

/* A column of a table */
typedef struct TypedColumn
{
	Oid			relid;
	AttrNumber	attnum;
} TypedColumn;

/*
 * Columns that hold values of the type, themselves or in a domain, an array or
 * a composite, added to a list
 */
static List *
columns_with_type(Oid type, List *columns)
{
	Relation	catalog = table_open(DependRelationId, AccessShareLock);
	List	   *types = NIL;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	ListCell   *lc;

	check_stack_depth();
	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(TypeRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(type));
	scan = systable_beginscan(catalog, DependReferenceIndexId, true, NULL, 2,
							  key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend depend = (Form_pg_depend) GETSTRUCT(tuple);

		if (depend->classid == TypeRelationId)
			types = lappend_oid(types, depend->objid);
		else if (depend->classid == RelationRelationId && depend->objsubid > 0)
		{
			TypedColumn *column = palloc(sizeof(TypedColumn));

			column->relid = depend->objid;
			column->attnum = depend->objsubid;
			columns = lappend(columns, column);
			types = lappend_oid(types, get_rel_type_id(depend->objid));
		}
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	foreach(lc, types)
	{
		if (OidIsValid(lfirst_oid(lc)))
			columns = columns_with_type(lfirst_oid(lc), columns);
	}
	return columns;
}

/* Does a guard of the table judge or keep this column? */
static void
check_typed_column(const TypedColumn *column, bool kept, const char *what)
{
	char	   *name = get_attname(column->relid, column->attnum, true);
	ListCell   *lc;

	if (name == NULL || !idem_has_triggers(column->relid))
		return;
	foreach(lc, idem_guard_triggers_of(column->relid))
	{
		IdemGuardTrigger *trigger = lfirst(lc);

		if (!trigger->is_clone &&
			((kept && trigger->kind->keeps_all) ||
			 idem_guard_names_column(trigger->guard, IDEM_SETTING_COLUMN,
									 name)))
			idem_refuse_trigger(column->relid, trigger->kind, trigger->guard,
								trigger->bound, what);
	}
}

/*
 * Values of a type get another meaning, or lose a part (kept: so a kept table
 * minds, too).  Only tables with a column of the type are opened, so that no
 * lock on another one keeps the command waiting.
 */
void
idem_check_type(Oid type, bool kept, const char *what)
{
	ListCell   *lc;

	foreach(lc, columns_with_type(type, NIL))
		check_typed_column(lfirst(lc), kept, what);
}
