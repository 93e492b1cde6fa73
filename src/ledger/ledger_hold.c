/*
 * ledger_hold.c
 *		A hold is posted once or released, not both.
 *
 * The row that posts a hold locks the row of the hold FOR SHARE and checks that
 * it is still pending; a session that takes a hold out of its state has changed
 * that row, and checks that no row posts it.  One of two such sessions waits at
 * the row of the hold for the other, and looks with the latest snapshot: a
 * release that committed first is seen by the posting, a posting by the
 * release.  Two postings meet at the unique index on the column that names the
 * hold.
 *
 * Both look as the owner of the entries, with kept plans:
 *
 *		SELECT state, amount, ... FROM entry h WHERE key = $1 FOR SHARE
 *		SELECT FROM entry p WHERE hold = $1
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/ask.h"
#include "base/idem_errors.h"
#include "base/identity.h"
#include "base/qualified.h"
#include "base/right.h"
#include "base/row.h"
#include "ledger/ledger.h"

/* Where the values of a hold are in what is looked at. */
enum
{
	HOLD_STATE = 1,
	HOLD_AMOUNT,
	HOLD_DIRECTION,
	HOLD_KEY					/* the columns of the foreign key */
};

static Oid
target_type(IdemLedgerPosts *posts)
{
	return get_atttype(posts->key.parent, posts->key.parent_column[0]);
}

static const char *
root_column(IdemLedgerSettings *s, const IdemGuardCall *call,
			AttrNumber column)
{
	return quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(call->rel),
												  column - 1)->attname));
}

/*
 * SELECT h.state, h.amount, h.direction, h.fk, ... FROM schema.entry h
 * WHERE h.id = $1 FOR SHARE
 */
static char *
hold_sql(const IdemGuardCall *call, IdemLedgerSettings *s)
{
	IdemTotalKey *key = &s->posts.key;
	AttrNumber	direction = s->debit.column;
	StringInfoData sql;
	int			i;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT h.%s, h.%s, %s",
					 root_column(s, call, s->pending.column),
					 root_column(s, call, s->total.amount_column),
					 direction == 0 ? "NULL" :
					 psprintf("h.%s", root_column(s, call, direction)));
	for (i = 0; i < s->total.key.n; i++)
		appendStringInfo(&sql, ", h.%s",
						 root_column(s, call, s->total.source[i]));
	appendStringInfo(&sql, " FROM %s h WHERE ",
					 idem_qualified_name_of(key->parent));
	generate_operator_clause(&sql,
							 psprintf("h.%s",
									  root_column(s, call, s->posts.target)),
							 target_type(&s->posts), key->equal_child[0], "$1",
							 get_atttype(key->child, key->child_column[0]));
	appendStringInfoString(&sql, " FOR SHARE");
	return sql.data;
}

/* SELECT FROM schema.entry p WHERE $1 = p.hold_id */
static char *
posting_sql(const IdemGuardCall *call, IdemLedgerSettings *s)
{
	IdemTotalKey *key = &s->posts.key;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT FROM %s p WHERE ",
					 idem_qualified_name_of(key->child));
	generate_operator_clause(&sql, "$1", target_type(&s->posts),
							 key->equal_child[0],
							 psprintf("p.%s",
									  root_column(s, call, s->posts.column)),
							 get_atttype(key->child, key->child_column[0]));
	return sql.data;
}

/* Either of them. */
typedef char *(*HoldSql) (const IdemGuardCall *call, IdemLedgerSettings *s);

/* The kept plan, prepared anew when it has become invalid. */
static SPIPlanPtr
plan_of(const IdemGuardCall *call, IdemLedgerSettings *s, SPIPlanPtr *kept,
		HoldSql sql, Oid type)
{
	if (*kept != NULL && (s->posts.busy > 1 || SPI_plan_is_valid(*kept)))
		return *kept;
	return idem_keep_plan(kept, SPI_prepare_cursor(sql(call, s), 1, &type,
												   CURSOR_OPT_GENERIC_PLAN));
}

/* Free both; nobody runs them. */
void
idem_hold_free(IdemLedgerPosts *posts)
{
	if (posts->hold != NULL)
		SPI_freeplan(posts->hold);
	if (posts->posting != NULL)
		SPI_freeplan(posts->posting);
	posts->hold = posts->posting = NULL;
}

/* What is committed now and our own work; Invalid where that is taken anyway */
static pg_noinline Snapshot
latest_snapshot(void)
{
	if (!IsolationUsesXactSnapshot())
		return InvalidSnapshot;
	CommandCounterIncrement();
	return GetLatestSnapshot();
}

/*
 * Look for rows of a key, as the owner of the entries, in what is committed
 * now and in our own work; how many there are.
 */
static uint64
look(const IdemGuardCall *call, IdemLedgerSettings *s, SPIPlanPtr *kept,
	 HoldSql sql, Oid type, Datum key)
{
	Snapshot	snapshot = latest_snapshot();
	Relation	entries = table_open(s->posts.key.child, AccessShareLock);
	volatile int code = 0;
	IdemIdentity saved;

	idem_become_owner(entries, &saved);
	s->posts.busy++;
	PG_TRY();
	{
		code = SPI_execute_snapshot(plan_of(call, s, kept, sql, type), &key,
									NULL, snapshot, InvalidSnapshot, false,
									true, 0);
	}
	PG_FINALLY();
	{
		s->posts.busy--;
	}
	PG_END_TRY();
	idem_restore_identity(&saved);
	table_close(entries, NoLock);
	if (code != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_snapshot returned %s",
			 SPI_result_code_string(code));
	return SPI_processed;
}

/* A value of the hold that was looked at. */
static Datum
hold_value(int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column,
						 isnull);
}

/* hold 4711 of table "entry", or what anybody may know */
static char *
hold_text(const IdemGuardCall *call, IdemLedgerSettings *s, Datum hold)
{
	Oid			type = get_atttype(s->posts.key.child,
								   s->posts.key.child_column[0]);

	return psprintf("hold%s%s of table \"%s\"",
					idem_row_is_known(call) ? " " : "",
					idem_row_is_known(call) ? idem_value_text(type, hold) : "",
					get_rel_name(s->posts.key.child));
}

/* Is the hold of the same account, and on the same side? */
static bool
same_account(IdemLedgerSettings *s, const IdemTotalNote *note)
{
	const IdemTotal *total = &s->total;
	bool		isnull;
	Datum		word;
	int			i;

	for (i = 0; i < total->key.n; i++)
	{
		Datum		value = hold_value(HOLD_KEY + i, &isnull);

		if (isnull || !datum_image_eq(value, note->values[i].value,
									  total->byval[i], total->len[i]))
			return false;
	}
	if (s->side != IDEM_SIDE_OF_ROW)
		return true;
	word = hold_value(HOLD_DIRECTION, &isnull);
	return idem_states_contain(note->step & IDEM_ENTRY_CREDIT ?
							   &s->credit : &s->debit, word, isnull);
}

/* The amount of the hold; negative if it is on the other side by its sign. */
static Datum
held_amount(IdemLedgerSettings *s, const IdemTotalNote *note)
{
	IdemAmountType *type = &s->total.amount;
	bool		isnull;
	Datum		amount = hold_value(HOLD_AMOUNT, &isnull);

	if (s->side == IDEM_SIDE_OF_SIGN &&
		(note->step & IDEM_ENTRY_CREDIT) == 0)
		amount = idem_amount_minus(type, type->zero, amount);
	return SPI_datumTransfer(amount, type->byval, type->len);
}

/* 23I05: more is posted than was held. */
static void
check_amount(const IdemGuardCall *call, IdemLedgerSettings *s,
			 const IdemTotalNote *note, Datum hold, Datum held)
{
	IdemAmountType *type = &s->total.amount;

	if (!s->posts.over &&
		idem_amount_compare(type, note->amount, held) > 0)
		idem_ledger_refuse_entry(call, ERRCODE_IDEM_LIMIT_EXCEEDED,
								 s->total.amount_column,
								 psprintf("posting%s exceeds %s",
										  idem_total_amount_text(note, note->amount),
										  hold_text(call, s, hold)),
								 !idem_may_read(call->rel) ? NULL :
								 psprintf("At most %s is held; declared with over => true, more can be posted.",
										  idem_amount_text(type, held)));
}

/*
 * The amount that a hold, named by its key, gives back to the entry that posts
 * it, whose note is this; the row of the hold is then locked.  Raises 23I09
 * unless it is pending, 23I06 if it is of another account or on the other side,
 * 23I05 if it is exceeded.
 */
Datum
idem_hold_amount(const IdemGuardCall *call, IdemLedgerSettings *s,
				 const IdemTotalNote *note, Datum hold)
{
	IdemTotalKey *key = &s->posts.key;
	Datum		held;
	Datum		state;
	bool		isnull = true;
	bool		found;

	SPI_connect();
	found = look(call, s, &s->posts.hold, hold_sql,
				 get_atttype(key->child, key->child_column[0]), hold) > 0;
	state = found ? hold_value(HOLD_STATE, &isnull) : (Datum) 0;
	if (!found || !idem_states_contain(&s->pending, state, isnull))
		idem_ledger_refuse_entry(call, ERRCODE_IDEM_PARENT_NOT_OPEN,
								 s->posts.column,
								 psprintf(found ? "%s is not pending" :
										  "there is no %s", hold_text(call, s, hold)),
								 NULL);
	held = held_amount(s, note);
	if (!same_account(s, note) ||
		idem_amount_compare(&s->total.amount, held, s->total.amount.zero) < 0)
		idem_ledger_refuse_entry(call, ERRCODE_IDEM_REVERSE_MISMATCH,
								 s->posts.column,
								 psprintf("%s is not of the account and the side of the entry that posts it",
										  hold_text(call, s, hold)), NULL);
	check_amount(call, s, note, hold, held);
	SPI_finish();
	return held;
}

/* 23I07 if the hold that a row was has been posted. */
void
idem_hold_require_open(const IdemGuardCall *call, IdemLedgerSettings *s)
{
	bool		isnull;
	Datum		key = slot_getattr(call->before, s->posts.target, &isnull);
	bool		posted;

	if (isnull)
		return;
	SPI_connect();
	posted = look(call, s, &s->posts.posting, posting_sql,
				  target_type(&s->posts), key) > 0;
	SPI_finish();
	if (posted)
		idem_ledger_refuse_entry(call, ERRCODE_IDEM_FIXED_COLUMN,
								 s->released.column,
								 psprintf("%s has been posted and stays as it is",
										  hold_text(call, s, key)),
								 "What was posted is reversed by an entry of its own.");
}
