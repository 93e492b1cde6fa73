/*
 * machine_count.c
 *		A machine as it is drawn, with the rows that stand in each state.
 *
 * The text it was defined with, and behind it for each state
 *
 *		state "paying" as paying
 *		state "12 rows" as paying
 *
 * which Mermaid draws as a box of two lines, and which can be defined like any
 * other diagram: words are for the eye.
 *
 * Counted are the rows of all tables under the machine, by their guards that
 * count for it, at the latest snapshot.  Whoever asks must be allowed to read
 * them all; they are read as their owners.
 *
 * Shown by sql/machine_show.sql.
 */
#include "postgres.h"

#include "access/relation.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/column.h"
#include "base/right.h"
#include "machine/machine_watch.h"

/* Add the rows of one table: 42501 unless the caller may read it. */
static void
count_table(const IdemMachine *machine, const IdemGuarded *guarded,
			List *states, int64 *counts)
{
	Relation	rel = relation_open(guarded->relid, AccessShareLock);

	if (!idem_may_read(rel))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE,
					   RelationGetRelationName(rel));
	idem_watch_counts(rel, machine, idem_column_number(rel, guarded->column),
					  states, counts);
	relation_close(rel, NoLock);
}

/* How many rows stand in each state of the machine.  Connected to SPI. */
static int64 *
count_rows(const IdemMachine *machine)
{
	int			n = idem_state_count(&machine->diagram);
	int64	   *counts = palloc0(sizeof(int64) * (n + 1));
	List	   *states = NIL;
	ListCell   *lc;
	int			i;

	for (i = 0; i < n; i++)
		states = lappend_int(states, i);
	foreach(lc, idem_machine_guarded(machine->name))
	{
		if (idem_watch_asks(lfirst(lc)))
			count_table(machine, lfirst(lc), states, counts);
	}
	return counts;
}

/*
 * machine_diagram(name, version, counts) -> text
 */
PG_FUNCTION_INFO_V1(idem_machine_diagram);
Datum
idem_machine_diagram(PG_FUNCTION_ARGS)
{
	Datum		text_datum = idem_definition_show(&idem_machine_kind, fcinfo);
	StringInfoData drawn;
	IdemMachine *machine;
	int64	   *counts;
	int			i;

	if (PG_ARGISNULL(2) || !PG_GETARG_BOOL(2))
		return text_datum;
	initStringInfo(&drawn);
	appendStringInfoString(&drawn, TextDatumGetCString(text_datum));
	if (drawn.len > 0 && drawn.data[drawn.len - 1] != '\n')
		appendStringInfoChar(&drawn, '\n');
	machine =
		idem_machine_load(text_to_cstring(PG_GETARG_TEXT_PP(0)),
						  PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1));
	SPI_connect();
	counts = count_rows(machine);
	for (i = 0; i < idem_state_count(&machine->diagram); i++)
	{
		const char *name = machine->diagram.states[i].name;

		appendStringInfo(&drawn, "    state \"%s\" as %s\n", name, name);
		appendStringInfo(&drawn, "    state \"" INT64_FORMAT " %s\" as %s\n",
						 counts[i], counts[i] == 1 ? "row" : "rows", name);
	}
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(drawn.data, drawn.len));
}
