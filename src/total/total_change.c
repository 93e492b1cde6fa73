/*
 * total_change.c
 *		Changing the rows of parents for the notes of their children.
 *
 * Each row is found by the foreign key, judged, and written once, however
 * many children there are.  Two writers meet at its row version, so the sum
 * is right at every isolation level: under READ COMMITTED the second waits
 * and judges the version the first left; under REPEATABLE READ and
 * SERIALIZABLE a version that the transaction's own snapshot cannot see is
 * 40001, because writing upon it would show the transaction two versions of
 * one row; where the latest version already leaves no room, the guard says so
 * at once.  Whatever else is judged is judged on the version that was
 * changed, for the same reason.  Where a room says so, guards that look at the
 * same columns, as the two of a table of transfers, change a row together.
 *
 * The row is changed by total_direct.c, where the parent is a plain table,
 * else by total_statement.c.  No error of the server (40001, 40P01, 55P03,
 * 57014) is caught.
 *
 * Locked: the parent rows, FOR NO KEY UPDATE, which goes along with the KEY
 * SHARE of foreign keys, in the order of their keys, so that two statements
 * that change the same parents in another order of rows do not wait for one
 * another.  For child tables whose keys have different types no common order
 * is promised.
 */
#include "postgres.h"

#include "access/table.h"
#include "utils/memutils.h"

#include "total/total.h"

/* ------------------------------------------------------------------------
 * One row
 * ------------------------------------------------------------------------
 */

/* The words of the room, for the notes in their order. */
static void
judge_notes(IdemTotalChange *c)
{
	int			i;

	if (c->total->room->judge == NULL)
		return;
	for (i = 0; i < c->n; i++)
	{
		c->total->room->judge(c, c->notes[i]);
		if (c->notes[i] == c->refused)
			break;
	}
}

static void
report(IdemTotalChange *c, IdemTotalResult result)
{
	if (result == IDEM_TOTAL_NO_ROW)
		c->total->room->report_no_parent(c);
	judge_notes(c);
	if (result == IDEM_TOTAL_NO_ROOM)
		c->total->room->report_exceeded(c);
}

static void
change_by_statement(IdemTotalChange *c)
{
	IdemTotals	next;
	IdemTotalResult result;

	SPI_connect();
	result = idem_statement_look(c);
	if (result == IDEM_TOTAL_DONE && c->total->room->passes != NULL &&
		c->total->room->passes(c))
	{
		judge_notes(c);
		SPI_finish();
		return;
	}
	if (result == IDEM_TOTAL_DONE && !c->total->room->next(c, &next))
		result = IDEM_TOTAL_NO_ROOM;
	report(c, result);
	idem_statement_change(c, &next);
	SPI_finish();
}

/* Change one row of the parent, the short way if the parent allows it. */
static void
change_row(IdemTotalNote **notes, int n)
{
	IdemTotalChange c = {.total = notes[0]->total,.notes = notes,.n = n};
	IdemTotalResult result = IDEM_TOTAL_NOT_PLAIN;

	c.parent = table_open(c.total->key.parent, NoLock);
	if (c.total->direct != NULL)
		result = idem_direct_change(&c);
	if (result != IDEM_TOTAL_NOT_PLAIN)
		report(&c, result);
	if (c.seen != NULL)
		ExecDropSingleTupleTableSlot(c.seen);
	if (result == IDEM_TOTAL_NOT_PLAIN)
		change_by_statement(&c);
	table_close(c.parent, NoLock);
}

/* ------------------------------------------------------------------------
 * All rows
 * ------------------------------------------------------------------------
 */

/* By the columns of the parent that they look at. */
static int
compare_columns(const IdemTotal *a, const IdemTotal *b)
{
	if (a->ncolumns != b->ncolumns)
		return a->ncolumns < b->ncolumns ? -1 : 1;
	return memcmp(a->number, b->number, sizeof(AttrNumber) * a->ncolumns);
}

/*
 * Are they of one guard, on whatever partition it fired?  Or of guards of one
 * kind that look at the same columns, so that what they do to a row is one
 * change of it?  0: they are.
 */
static int
compare_guards(const IdemTotal *a, const IdemTotal *b)
{
	int			order;

	if (a == b)
		return 0;
	order = strcmp(a->kind, b->kind);
	if (order == 0)
		order = strcmp(a->column[IDEM_TOTAL_KEPT], b->column[IDEM_TOTAL_KEPT]);
	if (order == 0 && a->room->merges)
		return compare_columns(a, b);
	if (order == 0)
		order = (a->key.child > b->key.child) - (a->key.child < b->key.child);
	return order != 0 ? order : strcmp(a->fk_text, b->fk_text);
}

/* By parent table and key, if that can be told of two guards. */
static int
compare_rows(const IdemTotalNote *a, const IdemTotalNote *b)
{
	IdemTotal  *x = a->total;
	IdemTotal  *y = b->total;
	int			order = (x->key.parent > y->key.parent) -
		(x->key.parent < y->key.parent);
	int			i;

	if (order == 0 && x != y)
	{
		order = (x->key.index > y->key.index) - (x->key.index < y->key.index);
		if (order == 0)
			order = memcmp(x->fk_type, y->fk_type, sizeof(Oid) * x->key.n);
		if (order == 0)
			order = memcmp(x->key.parent_column, y->key.parent_column,
						   sizeof(AttrNumber) * x->key.n);
	}
	for (i = 0; order == 0 && i < x->key.n; i++)
		order = DatumGetInt32(FunctionCall2Coll(&x->fk_order[i],
												x->collation[i],
												a->values[i].value,
												b->values[i].value));
	return order;
}

static int
compare_notes(const void *a, const void *b)
{
	const IdemTotalNote *x = *(IdemTotalNote *const *) a;
	const IdemTotalNote *y = *(IdemTotalNote *const *) b;
	int			order = compare_rows(x, y);

	if (order == 0)
		order = compare_guards(x->total, y->total);
	return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

static bool
same_change(const IdemTotalNote *a, const IdemTotalNote *b)
{
	return compare_rows(a, b) == 0 && compare_guards(a->total, b->total) == 0;
}

/* Change the parents for these notes, each row of each guard once. */
void
idem_total_apply(IdemTotalNote **notes, int n)
{
	MemoryContext context;
	MemoryContext old;
	int			from;
	int			to;

	if (n == 1)
	{
		change_row(notes, n);
		return;
	}
	qsort(notes, n, sizeof(IdemTotalNote *), compare_notes);
	context = AllocSetContextCreate(CurrentMemoryContext, "idem totals",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	for (from = 0; from < n; from = to)
	{
		for (to = from + 1; to < n && same_change(notes[from], notes[to]);)
			to++;
		change_row(notes + from, to - from);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
