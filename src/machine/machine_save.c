/*
 * machine_save.c
 *		Telling the saving of a row from a repeated transition.
 *
 * An object mapper that saves a row writes back all columns that it knows, the
 * state among them, whatever has changed.  A message that came twice sets the
 * state, and perhaps another column, to the values that they have.  The
 * columns that the statement names tell the two apart.
 *
 * A save is a statement that names every column except
 *
 *		the primary key, identity and generated columns: no save writes them
 *		columns that a guard of idem keeps (a limit's totals): nobody may
 *		columns that were added after the guard was declared: a release of the
 *			application that does not know them yet still saves rows
 *
 * and that names at least two besides the state.  A statement that names fewer
 * and sets the state to the value that it has is a repeat.
 *
 * The trigger lists the columns that there were when the guard was declared,
 * by name: numbers change when a dump is restored, and differ between the
 * partitions of a table.  A column that was renamed since then counts as an
 * added one.  With a trigger that has no such list, nothing is a save.
 *
 * Not promised: a MERGE says of all its actions together which columns they
 * name; a statement that comes from a rule or a trigger names the columns that
 * the rule or trigger names.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "nodes/bitmapset.h"
#include "utils/rel.h"

#include "base/kind_trigger.h"
#include "base/row.h"
#include "base/settings_known.h"
#include "machine/machine.h"

/* So many columns besides the state make a row */
#define SAVED_MIN	2

/* Is the column one that a guard of the table keeps? */
static bool
is_kept(List *triggers, const char *column)
{
	ListCell   *lc;

	foreach(lc, triggers)
	{
		if (idem_guard_names_column(((IdemGuardTrigger *) lfirst(lc))->guard,
									IDEM_SETTING_KEPT, column))
			return true;
	}
	return false;
}

/* The numbers of the columns that a save of a row has reason to name. */
static Bitmapset *
columns_to_save(Relation rel, AttrNumber state)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Bitmapset  *key = idem_row_key_columns(rel);
	List	   *triggers = idem_guard_triggers(rel);
	Bitmapset  *columns = NULL;
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || att->attgenerated != '\0' ||
			att->attidentity != '\0' || att->attnum == state ||
			bms_is_member(att->attnum, key) ||
			is_kept(triggers, NameStr(att->attname)))
			continue;
		columns = bms_add_member(columns, att->attnum);
	}
	return columns;
}

/* Their names, as a guard that is being declared keeps them. */
List *
idem_saved_names(Relation rel, AttrNumber state)
{
	Bitmapset  *columns = columns_to_save(rel, state);
	List	   *names = NIL;
	int			i = -1;

	while ((i = bms_next_member(columns, i)) >= 0)
		names =
			lappend(names, pstrdup(NameStr(TupleDescAttr(RelationGetDescr(rel),
														 i - 1)->attname)));
	return names;
}

/*
 * The columns that a statement has to name to save a row of this table, which
 * may be a partition: those in the list of the trigger that still exist and
 * can be saved.  NULL: nothing is a save.
 */
Bitmapset *
idem_saved_columns(Relation rel, AttrNumber state, List *names)
{
	Bitmapset  *columns = columns_to_save(rel, state);
	Bitmapset  *saved = NULL;
	int			i = -1;

	while ((i = bms_next_member(columns, i)) >= 0)
	{
		const char *name = NameStr(TupleDescAttr(RelationGetDescr(rel),
												 i - 1)->attname);
		ListCell   *lc;

		foreach(lc, names)
		{
			if (strcmp(lfirst(lc), name) == 0)
				saved = bms_add_member(saved,
									   i - FirstLowInvalidHeapAttributeNumber);
		}
	}
	return bms_num_members(saved) < SAVED_MIN ? NULL : saved;
}
