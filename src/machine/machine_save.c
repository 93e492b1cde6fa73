/*
 * machine_save.c
 *		Telling a row that is saved from a transition that is repeated.
 *
 * An object mapper that saves a row writes back all it knows, the state among
 * it, whatever has changed.  A message that came twice sets the state, and
 * perhaps a column beside it, to what they are.  What tells the two apart is
 * which columns the statement names.
 *
 * A save is a statement that names every column except
 *
 *		the primary key, identity and generated columns: no save writes them
 *		columns that a guard of idem keeps (a limit's totals): nobody may
 *		columns that were added after the guard was declared: a release of the
 *			application that does not know them yet still saves rows
 *
 * and at least two besides the state.  Anything less that sets the state to
 * what it is, is a repeat.
 *
 * Which columns there were when the guard was declared stands in its trigger,
 * by name: numbers change in a dump that is restored, and differ between the
 * partitions of a table.  A column that was renamed since counts as one that
 * was added.  A trigger without that list knows no save.
 *
 * Not promised: a MERGE says of all its actions together which columns they
 * name; a statement that comes through a rule or a trigger names what that
 * names.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "nodes/bitmapset.h"
#include "utils/rel.h"

#include "base/kind.h"
#include "base/settings.h"
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
 * may be a partition: those of the list in the trigger that still are there
 * to be saved.  NULL: nothing saves a row.
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
