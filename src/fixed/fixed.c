/*
 * fixed.c
 *		What was recorded stays recorded.
 *
 * Two guards.  A fixed column keeps the value that the INSERT gave it; NULL
 * stays NULL.  A column that is fixed once may be NULL at first and takes one
 * value.  A kept row is never changed, deleted or truncated.
 *
 * Both decide AFTER ROW, on the stored row, so that a BEFORE trigger, a
 * cascade of a foreign key or an upsert is judged by what it did.  A row that
 * moves between partitions is an update.  No lock is taken but that of the
 * row, which the statement has anyway; under READ COMMITTED a second writer
 * waits for it and is judged against the version that it then finds.
 *
 * Cost: one comparison of stored images a fixed column and updated row; text
 * output only where the images differ.  A DELETE costs the firing of the
 * trigger.  An INSERT costs nothing, except into a partitioned table with
 * fixed columns: there a row that was moved has to be told from a new one.
 *
 * Not promised: that the row stays.  DELETE passes, and so does DELETE
 * followed by INSERT; guard_kept and guard_states keep rows.
 *
 * Shown by sql/fixed.sql and test/isolation/specs/fixed_once.spec.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "base/column.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/right.h"
#include "base/row.h"
#include "base/settings_trigger.h"

/* bytes of a value that a message shows */
#define SHOWN_BYTES 64

/* The settings of a trigger idem_fixed, columns by number. */
typedef struct FixedSettings
{
	int			ncolumns;
	struct
	{
		AttrNumber	attnum;
		bool		once;		/* may go from NULL to a value */
	}			column[FLEXIBLE_ARRAY_MEMBER];
} FixedSettings;

static void
add_columns(FixedSettings *settings, Relation rel, List *names, bool once)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		settings->column[settings->ncolumns].attnum =
			idem_column_number(rel, lfirst(lc));
		settings->column[settings->ncolumns].once = once;
		settings->ncolumns++;
	}
}

/* columns={amount,currency}, once={paid_at} (IdemGuardCompile) */
static void *
compile_settings(Relation rel, Trigger *trigger, Oid *also)
{
	List	   *always = idem_trigger_setting_list(trigger, "columns");
	List	   *once = idem_trigger_setting_list(trigger, "once");
	int			n = list_length(always) + list_length(once);
	FixedSettings *settings;

	settings = palloc0(offsetof(FixedSettings, column) +
					   n * sizeof(settings->column[0]));
	add_columns(settings, rel, always, false);
	add_columns(settings, rel, once, true);
	return settings;
}

/*
 * The column of a row as text that shows the whole value: with the user's
 * settings for dates and floating-point numbers two values could look alike.
 * NULL for null.
 */
static char *
exact_text(Relation rel, AttrNumber attnum, TupleTableSlot *slot)
{
	int			level = NewGUCNestLevel();
	char	   *str;

	(void) set_config_option("datestyle", "ISO",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("intervalstyle", "postgres",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("extra_float_digits", "3",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	str = idem_column_text(rel, attnum, slot);
	AtEOXact_GUC(true, level);
	return str;
}

/*
 * Did the update leave the column as it was?  Images that differ may still be
 * one value (an array with and without a bitmap of nulls).  A type need not
 * have an equality, and an equality can be too mild (1.0 = 1.00), so the text
 * decides.
 */
static bool
unchanged(const IdemGuardCall *call, AttrNumber attnum)
{
	char	   *before;
	char	   *after;

	if (idem_same_image(call->rel, attnum, call->before, call->after))
		return true;
	before = exact_text(call->rel, attnum, call->before);
	after = exact_text(call->rel, attnum, call->after);
	return before && after && strcmp(before, after) == 0;
}

/* "100.00" in quotes, cut where it is long; null for NULL. */
static const char *
shown(char *str)
{
	int			len;

	if (str == NULL)
		return "null";
	len = strlen(str);
	if (len <= SHOWN_BYTES)
		return psprintf("\"%s\"", str);
	return psprintf("\"%.*s...\"", pg_mbcliplen(str, len, SHOWN_BYTES), str);
}

/* DETAIL with both values, for someone who may read the row. */
static int
detail_change(const IdemGuardCall *call, AttrNumber attnum)
{
	if (!idem_may_read(call->rel))
		return 0;
	return errdetail("It is %s and would become %s.",
					 shown(exact_text(call->rel, attnum, call->before)),
					 shown(exact_text(call->rel, attnum, call->after)));
}

static void
refuse_column(const IdemGuardCall *call, AttrNumber attnum, bool once)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(call->rel),
										  attnum - 1);

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_FIXED_COLUMN),
			 errmsg("column \"%s\" of table \"%s\" is fixed and cannot be changed",
					NameStr(att->attname), RelationGetRelationName(call->rel)),
			 detail_change(call, attnum),
			 once ?
			 errhint("It takes one value, once; a later result goes to a column of its own.") :
			 errhint("It keeps the value it was inserted with; a later result goes to a column of its own."),
			 errtablecol(call->rel, attnum),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/*
 * A row leaves a table that was not a partition when the guard was declared.
 */
static void
refuse_move(const IdemGuardCall *call)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_KEPT_ROW),
			 errmsg("row%s of table \"%s\" cannot move to another partition",
					idem_readable_key(call->rel, call->before),
					RelationGetRelationName(call->rel)),
			 errdetail("Its columns were fixed before the table became a partition; their values elsewhere are not seen."),
			 errhint("Put the guard on the partitioned table at the top."),
			 errtableconstraint(call->rel, call->trigger->tgname)));
}

/*
 * keep_fixed() -> trigger
 *
 * AFTER UPDATE OR DELETE FOR EACH ROW; a DELETE matters only where it is part
 * of moving a row.  On a partitioned table also AFTER INSERT, by which such a
 * row arrives.  23I07 if a fixed column changed, 23I08 for a row that leaves.
 */
PG_FUNCTION_INFO_V1(idem_keep_fixed);
Datum
idem_keep_fixed(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	FixedSettings *settings;
	int			i;

	if (!idem_guard_call(fcinfo, "idem.keep_fixed", &call))
		return PointerGetDatum(NULL);
	if (IDEM_CALL_IS_DELETE(&call) && call.moved)
		refuse_move(&call);
	if (!IDEM_CALL_IS_UPDATE(&call))
		return PointerGetDatum(NULL);
	settings = idem_guard_settings(&call, compile_settings);
	for (i = 0; i < settings->ncolumns; i++)
	{
		AttrNumber	attnum = settings->column[i].attnum;
		bool		once = settings->column[i].once;

		if (unchanged(&call, attnum))
			continue;
		if (once && slot_attisnull(call.before, attnum))
			continue;
		refuse_column(&call, attnum, once);
	}
	return PointerGetDatum(NULL);
}

/* The first column that the update changed, or InvalidAttrNumber. */
static AttrNumber
first_changed(const IdemGuardCall *call)
{
	TupleDesc	desc = RelationGetDescr(call->rel);
	int			i;

	if (call->after == NULL)	/* on its way to another partition */
		return InvalidAttrNumber;
	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && !unchanged(call, att->attnum))
			return att->attnum;
	}
	return InvalidAttrNumber;
}

/*
 * A kept row is not deleted and not updated, not even with the values it has.
 * attnum: the column that would change, if one is known.
 */
pg_noreturn static void
refuse_change(const IdemGuardCall *call, const char *done, AttrNumber attnum)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_KEPT_ROW),
			 errmsg("row%s of table \"%s\" cannot be %s",
					idem_readable_key(call->rel, call->before),
					RelationGetRelationName(call->rel), done),
			 errhint("Rows of this table are only added: record a correction as a row of its own."),
			 attnum ? errtablecol(call->rel, attnum) : errtable(call->rel),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* There are no settings but the grammar's (IdemGuardCompile). */
static void *
compile_nothing(Relation rel, Trigger *trigger, Oid *also)
{
	return palloc0(1);
}

/*
 * keep_rows() -> trigger
 *
 * AFTER UPDATE OR DELETE FOR EACH ROW: always 23I08.
 */
PG_FUNCTION_INFO_V1(idem_keep_rows);
Datum
idem_keep_rows(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;

	if (!idem_guard_call(fcinfo, "idem.keep_rows", &call) ||
		IDEM_CALL_IS_INSERT(&call))
		return PointerGetDatum(NULL);
	(void) idem_guard_settings(&call, compile_nothing);
	if (IDEM_CALL_IS_DELETE(&call) && !call.moved)
		refuse_change(&call, "deleted", InvalidAttrNumber);
	refuse_change(&call, "updated", first_changed(&call));
}
