/*
 * pause.c
 *		What is paused, as every call has to know it.
 *
 * idem.pause has a row for everything that is paused.  A session reads all of
 * it once, most often nothing, and again when the table's statement trigger
 * has sent word of a change.  A call that would grant something, or let a row
 * in, accepts such news at its head (latest.h) and asks here at the last
 * moment, after all waiting: so a pause is in force for the next statement of
 * every session and transaction when its commit returns.  The table is read as
 * it is committed now, whatever snapshot the transaction has.
 *
 * A pause waits for nobody.  A call that asked before the commit may still be
 * granted, and a transaction that was granted something may still commit.
 *
 * A guard is paused by the number that it has in the change log, so that the
 * pause follows a table that is renamed, and a dump.
 *
 * Costs one test of a flag while nothing is paused, a walk along what is
 * paused else.
 *
 * Shown by sql/control_pause.sql and test/isolation/specs/control_pause.spec.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/change.h"
#include "base/forget.h"
#include "base/kind.h"
#include "base/named.h"
#include "base/pause.h"

#define Anum_pause_kind		1
#define Anum_pause_name		2
#define Anum_pause_state	3
#define Anum_pause_at		4
#define Anum_pause_role		5
#define Anum_pause_reason	6

#define PAUSE_KINDS_MAX		8

IdemPauses	idem_pauses = IDEM_PAUSES_UNKNOWN;

static Oid	pause_relid = InvalidOid;
static List *paused = NIL;		/* of IdemPause, in paused_context */
static MemoryContext paused_context = NULL;

/* The rooms that know what can be paused. */
static struct
{
	const char *kind;
	IdemPauseFind find;
}			kinds[PAUSE_KINDS_MAX];
static int	nkinds = 0;

/* ---------- what is paused ---------- */

static void
forget_pauses(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == pause_relid)
		idem_pauses = IDEM_PAUSES_UNKNOWN;
}

/* What was read before stays readable until the end of the transaction. */
static void
reset_paused(void)
{
	if (paused_context != NULL)
		MemoryContextSetParent(paused_context, TopTransactionContext);
	paused = NIL;
	paused_context = AllocSetContextCreate(CacheMemoryContext, "idem pauses",
										   ALLOCSET_SMALL_SIZES);
}

static Datum
column(Relation rel, HeapTuple tuple, int number)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, number, RelationGetDescr(rel),
									 &isnull);

	if (isnull)
		elog(ERROR, "column %d of idem.pause is null", number);
	return value;
}

/*
 * A guard is kept by its number; where it stands now the change log says.
 * False: nowhere, it was dropped, or is not restored yet.
 */
static bool
find_guard(IdemPause *pause)
{
	Datum		number = DirectFunctionCall1(uuid_in,
											 CStringGetDatum(pause->name));

	return idem_log_place(number, &pause->relid, &pause->name);
}

/* Remember a row of idem.pause, in paused_context. */
static void
keep_pause(Relation rel, HeapTuple tuple)
{
	MemoryContext old = MemoryContextSwitchTo(paused_context);
	IdemPause  *pause = palloc0(sizeof(IdemPause));

	pause->kind = TextDatumGetCString(column(rel, tuple, Anum_pause_kind));
	pause->name = TextDatumGetCString(column(rel, tuple, Anum_pause_name));
	pause->state = TextDatumGetCString(column(rel, tuple, Anum_pause_state));
	pause->at = DatumGetTimestampTz(column(rel, tuple, Anum_pause_at));
	pause->role = pstrdup(NameStr(*DatumGetName(column(rel, tuple,
													   Anum_pause_role))));
	pause->reason = TextDatumGetCString(column(rel, tuple, Anum_pause_reason));
	if (idem_kind_named(pause->kind) == NULL || find_guard(pause))
		paused = lappend(paused, pause);
	MemoryContextSwitchTo(old);
}

/*
 * Read idem.pause.  Known is what was read only if no word of a change came
 * after the table was open.
 */
static void
read_pauses(void)
{
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;

	idem_forget_with(forget_pauses);
	pause_relid = idem_extension_relation("pause");
	rel = table_open(pause_relid, AccessShareLock);
	reset_paused();
	idem_pauses = IDEM_PAUSES_NONE;
	PG_TRY();
	{
		scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
			keep_pause(rel, tuple);
		systable_endscan(scan);
	}
	PG_CATCH();
	{
		idem_pauses = IDEM_PAUSES_UNKNOWN;
		PG_RE_THROW();
	}
	PG_END_TRY();
	table_close(rel, AccessShareLock);
	if (idem_pauses == IDEM_PAUSES_NONE && paused != NIL)
		idem_pauses = IDEM_PAUSES_SOME;
}

/* idem_paused, where something is paused or it is not known. */
const IdemPause *
idem_find_pause(const char *kind, const char *name, const char *state,
				Oid relid)
{
	ListCell   *lc;

	while (idem_pauses == IDEM_PAUSES_UNKNOWN)
		read_pauses();
	foreach(lc, paused)
	{
		IdemPause  *pause = lfirst(lc);

		if (strcmp(pause->kind, kind) == 0 && pause->relid == relid &&
			strcmp(pause->name, name) == 0 &&
			strcmp(pause->state, state) == 0)
			return pause;
	}
	return NULL;
}

/* Since when, by whom and why, as the end of a sentence. */
char *
idem_pause_text(const IdemPause *pause)
{
	return psprintf("paused since %s by %s: %s",
					timestamptz_to_str(pause->at), pause->role,
					pause->reason);
}

/* ---------- what can be paused ---------- */

/* Called once a kind, when the library is loaded. */
void
idem_pause_register(const char *kind, IdemPauseFind find)
{
	if (nkinds == PAUSE_KINDS_MAX)
		elog(ERROR, "too many kinds of pauses");
	kinds[nkinds].kind = kind;
	kinds[nkinds++].find = find;
}

/* How a thing of this kind is found: 22023 for what cannot be paused. */
IdemPauseFind
idem_pause_kind(const char *kind)
{
	StringInfoData known;
	int			i;

	initStringInfo(&known);
	for (i = 0; i < nkinds; i++)
	{
		if (strcmp(kinds[i].kind, kind) == 0)
			return kinds[i].find;
		appendStringInfo(&known, "%s'%s'", i > 0 ? ", " : "", kinds[i].kind);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid kind \"%s\" of a pause", kind),
			 errhint("These can be paused: %s.", known.data)));
	return NULL;				/* keep the compiler quiet */
}

/* 22023 for an argument that only another kind of pause has. */
void
idem_pause_refuse_argument(const char *kind, const char *argument, bool given)
{
	if (given)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a pause of kind \"%s\" takes no argument \"%s\"",
						kind, argument)));
}
