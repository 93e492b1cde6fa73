/*
 * ledger_journal.c
 *		Every journal balances, in each currency, pending and posted.
 *
 * Each stored entry is added to the book of its transaction (ledger_book.c),
 * one that goes or changes is taken out of it as it was.  A state is a phase:
 * pending and posted entries balance each for itself, released ones count for
 * nothing.
 *
 * A journal is closed with the transaction that made it: no entry joins it
 * later, leaves it, or changes its amount, side or currency, so that it stays
 * what it was; a change of state is allowed.  To find out whether the journal's
 * row was there before, it is looked up with the latest snapshot and without
 * the changes of our own transaction: an UPDATE of ours does not make it ours.
 * The trigger fires after that of the foreign key, so a row that the look-up
 * does not see was made by this transaction.
 *
 * Nothing is locked.  In a logical apply worker the entries were judged at
 * their origin.
 *
 * Shown by sql/ledger_journal.sql.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/arrive.h"
#include "base/column.h"
#include "base/idem_errors.h"
#include "base/identity.h"
#include "base/moved.h"
#include "base/qualified.h"
#include "base/right.h"
#include "base/row.h"
#include "base/settings_trigger.h"
#include "ledger/ledger.h"
#include "ledger/ledger_journal.h"

/* A column, and how its values are shown. */
typedef struct Shown
{
	AttrNumber	column;			/* of the table that fired; 0: there is none */
	FmgrInfo	output;
} Shown;

/* What the trigger keeps, from its arguments. */
typedef struct JournalSettings
{
	IdemTotalKey key;
	const char *fk;				/* as the trigger names it */
	Shown		columns[INDEX_MAX_KEYS];	/* of the foreign key */
	Shown		currency;
	AttrNumber	amount_column;
	IdemAmountType amount;
	IdemStates	debit;			/* the words of the column of the direction */
	IdemStates	credit;
	IdemStates	pending;
	IdemStates	released;
	bool		closed;
	IdemTotalSearch search;
	bool		is_plain;		/* the journal can be searched so */
} JournalSettings;

/* ------------------------------------------------------------------------
 * Settings
 * ------------------------------------------------------------------------
 */

static void
compile_shown(Relation rel, const char *column, Shown *shown)
{
	Oid			output;
	bool		varlena;

	if (column == NULL)
		return;
	shown->column = idem_column_number(rel, column);
	getTypeOutputInfo(TupleDescAttr(RelationGetDescr(rel),
									shown->column - 1)->atttypid,
					  &output, &varlena);
	fmgr_info_cxt(output, &shown->output, CurrentMemoryContext);
}

static void
compile_word(Relation rel, Trigger *trigger, const char *setting,
			 IdemStates *states)
{
	const char *direction = idem_trigger_setting(trigger, "direction");
	const char *word = idem_trigger_setting(trigger, setting);

	if (direction != NULL && word != NULL)
		idem_states_init(states, rel, direction, list_make1(pstrdup(word)));
}

/* The amounts have a type that does not round: 42804. */
static void
compile_amount(Relation rel, Trigger *trigger, JournalSettings *s)
{
	Oid			type;

	s->amount_column =
		idem_column_number(rel, idem_trigger_setting(trigger, "amount"));
	type = idem_column_base_type(rel, s->amount_column, NULL);
	if (!idem_amount_type_supported(type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("amounts of table \"%s\" have no type in which a journal can balance",
						RelationGetRelationName(rel)),
				 errtablecol(rel, s->amount_column)));
	idem_amount_type_init(&s->amount, type);
}

static void *
compile_journal(Relation rel, Trigger *trigger, Oid *also)
{
	JournalSettings *s = palloc0(sizeof(JournalSettings));
	const char *state = idem_trigger_setting(trigger, "state");
	const char *closed = idem_trigger_setting(trigger, "closed");
	int			i;

	idem_total_find_key(idem_root_relid(rel),
						idem_trigger_setting_list(trigger, "fk"),
						ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED, &s->key);
	*also = s->key.parent;
	idem_total_check_key_types(rel, &s->key);
	s->fk = pstrdup(idem_trigger_setting(trigger, "fk"));
	for (i = 0; i < s->key.n; i++)
		compile_shown(rel, get_attname(s->key.child, s->key.child_column[i],
									   false), &s->columns[i]);
	compile_shown(rel, idem_trigger_setting(trigger, "currency"),
				  &s->currency);
	compile_amount(rel, trigger, s);
	compile_word(rel, trigger, "debit", &s->debit);
	compile_word(rel, trigger, "credit", &s->credit);
	idem_states_init(&s->pending, rel, state,
					 idem_trigger_setting_list(trigger, "pending"));
	idem_states_init(&s->released, rel, state,
					 idem_trigger_setting_list(trigger, "released"));
	s->closed = closed == NULL || strcmp(closed, "true") == 0;
	s->is_plain = get_rel_relkind(s->key.parent) == RELKIND_RELATION &&
		idem_total_search_init(&s->key, &s->search);
	return s;
}

/* ------------------------------------------------------------------------
 * Is the journal still open?
 * ------------------------------------------------------------------------
 */

/* The value of a column; NULL for null. */
static char *
shown_text(Shown *shown, TupleTableSlot *row)
{
	bool		isnull;
	Datum		value = slot_getattr(row, shown->column, &isnull);

	return isnull ? NULL : OutputFunctionCall(&shown->output, value);
}

/*
 * journal 7, or journal (7, 4711); without the key to someone who has changed
 * a row that it may not read.
 */
static char *
journal_name(const IdemGuardCall *call, JournalSettings *s,
			 TupleTableSlot *row)
{
	char	   *table = get_rel_name(s->key.parent);
	List	   *texts = NIL;
	int			i;

	if (!idem_row_is_known(call))
		return table;
	for (i = 0; i < s->key.n; i++)
		texts = lappend(texts, shown_text(&s->columns[i], row));
	return psprintf("%s %s", table, idem_key_text(texts));
}

/*
 * Append the value of a column as it is stored, in hexadecimal: its output
 * depends on settings such as DateStyle, and may contain any character.
 */
static void
append_image(const IdemGuardCall *call, TupleTableSlot *row,
			 AttrNumber column, StringInfo buf)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(call->rel),
										  column - 1);
	bool		isnull;
	Datum		value = slot_getattr(row, column, &isnull);
	const char *bytes = (const char *) DatumGetPointer(value);
	Size		length = att->attlen;

	if (isnull || att->attbyval)
	{
		appendStringInfo(buf, isnull ? "-," : UINT64_FORMAT ",",
						 (uint64) value);
		return;
	}
	if (att->attlen == -1)
	{
		struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);

		bytes = VARDATA_ANY(packed);
		length = VARSIZE_ANY_EXHDR(packed);
	}
	else if (att->attlen == -2)
		length = strlen(bytes);
	enlargeStringInfo(buf, length * 2 + 2);
	buf->len += hex_encode(bytes, length, buf->data + buf->len);
	appendStringInfoChar(buf, ',');
}

/* What tells the journal of a row from every other, of any guard. */
static char *
journal_key(const IdemGuardCall *call, JournalSettings *s,
			TupleTableSlot *row)
{
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%u %s ", s->key.child, s->fk);
	for (i = 0; i < s->key.n; i++)
		append_image(call, row, s->columns[i].column, &buf);
	return buf.data;
}

/* The same of the sum to which a row belongs. */
static char *
sum_key(const IdemGuardCall *call, JournalSettings *s, TupleTableSlot *row,
		const char *phase)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfoString(&buf, journal_key(call, s, row));
	if (s->currency.column != 0)
		append_image(call, row, s->currency.column, &buf);
	if (phase != NULL)
		appendStringInfoString(&buf, phase);
	return buf.data;
}

/* Does the snapshot see the row, of a table that can be searched? */
static bool
is_seen(JournalSettings *s, Snapshot snapshot, const NullableDatum *values)
{
	Relation	journal = table_open(s->key.parent, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(journal, NULL);
	bool		seen = idem_total_search(&s->key, &s->search, journal,
										 snapshot, values, slot);

	ExecDropSingleTupleTableSlot(slot);
	table_close(journal, NoLock);
	return seen;
}

/* The same by a query, as the owner of the journals. */
static bool
is_seen_by_query(JournalSettings *s, Snapshot snapshot,
				 const NullableDatum *values)
{
	Relation	journal = table_open(s->key.parent, AccessShareLock);
	Oid			types[INDEX_MAX_KEYS];
	Datum		args[INDEX_MAX_KEYS];
	IdemIdentity saved;
	SPIPlanPtr	plan;
	bool		seen;
	int			i;

	for (i = 0; i < s->key.n; i++)
	{
		types[i] = get_atttype(s->key.child, s->key.child_column[i]);
		args[i] = values[i].value;
	}
	SPI_connect();
	idem_become_owner(journal, &saved);
	plan = SPI_prepare(psprintf("SELECT FROM %s p WHERE %s",
								idem_qualified_name(journal),
								idem_total_join_sql(&s->key, "$%d")),
					   s->key.n, types);
	if (plan == NULL ||
		SPI_execute_snapshot(plan, args, NULL, snapshot, InvalidSnapshot,
							 true, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for a journal");
	seen = SPI_processed > 0;
	idem_restore_identity(&saved);
	SPI_finish();
	table_close(journal, NoLock);
	return seen;
}

/*
 * Was the journal there before this transaction?  As the latest snapshot sees
 * it, without anything that the transaction has done: what it inserted is not
 * there, what it changed is as it was.
 */
static bool
was_there(JournalSettings *s, TupleTableSlot *row)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	NullableDatum values[INDEX_MAX_KEYS];
	bool		seen;
	int			i;

	for (i = 0; i < s->key.n; i++)
		values[i].value = slot_getattr(row, s->columns[i].column,
									   &values[i].isnull);
	snapshot->curcid = FirstCommandId;
	seen = s->is_plain ? is_seen(s, snapshot, values) :
		is_seen_by_query(s, snapshot, values);
	UnregisterSnapshot(snapshot);
	return seen;
}

/* 23I0B unless the journal of the row was made by this transaction. */
static void
require_open(const IdemGuardCall *call, JournalSettings *s,
			 TupleTableSlot *row)
{
	char	   *key;

	if (!s->closed)
		return;
	key = journal_key(call, s, row);
	if (idem_book_is_own(key))
		return;
	if (was_there(s, row))
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_UNBALANCED_JOURNAL),
				 errmsg("%s is closed", journal_name(call, s, row)),
				 errhint("Entries are made with their journal; a correction is a journal of its own."),
				 errtableconstraint(call->rel, call->trigger->tgname)));
	idem_book_note_own(key);
}

/* ------------------------------------------------------------------------
 * Entries
 * ------------------------------------------------------------------------
 */

static bool
in_states(IdemStates *states, TupleTableSlot *row)
{
	bool		isnull;
	Datum		state;

	if (states->column == 0)
		return false;
	state = slot_getattr(row, states->column, &isnull);
	return idem_states_contain(states, state, isnull);
}

static const char *
phase_of(JournalSettings *s, TupleTableSlot *row)
{
	if (s->pending.n == 0)
		return NULL;
	return in_states(&s->pending, row) ? "pending" : "posted";
}

static void
refuse(const IdemGuardCall *call, AttrNumber column, const char *what)
{
	const char *name = NameStr(TupleDescAttr(RelationGetDescr(call->rel),
											 column - 1)->attname);

	idem_ledger_refuse_entry(call, ERRCODE_CHECK_VIOLATION, column,
							 psprintf("\"%s\" of %s is %s", name,
									  RelationGetRelationName(call->rel), what),
							 NULL);
}

/* 23514 unless the amount is one: finite, and positive beside a direction. */
static Datum
amount_of(const IdemGuardCall *call, JournalSettings *s, TupleTableSlot *row)
{
	bool		isnull;
	Datum		amount = slot_getattr(row, s->amount_column, &isnull);

	if (isnull)
		refuse(call, s->amount_column, "null");
	if (!idem_amount_is_finite(&s->amount, amount) ||
		(s->debit.column &&
		 idem_amount_compare(&s->amount, amount, s->amount.zero) <= 0))
		refuse(call, s->amount_column, "not a positive number");
	return amount;
}

static bool
is_credit(const IdemGuardCall *call, JournalSettings *s, TupleTableSlot *row)
{
	if (s->debit.column == 0 || in_states(&s->credit, row))
		return true;
	if (!in_states(&s->debit, row))
		refuse(call, s->debit.column,
			   "neither the word for a debit nor the one for a credit");
	return false;
}

static char *
currency_of(JournalSettings *s, TupleTableSlot *row)
{
	char	   *str;

	if (s->currency.column == 0)
		return NULL;
	str = shown_text(&s->currency, row);
	return str == NULL ? "null" : str;
}

/* Add an image of a row to the book; undo: take it out. */
static void
book_row(const IdemGuardCall *call, JournalSettings *s, TupleTableSlot *row,
		 bool undo)
{
	IdemJournalSum what = {0};
	Datum		amount = amount_of(call, s, row);
	bool		credit = is_credit(call, s, row);

	if (in_states(&s->released, row))
		return;
	what.name = journal_name(call, s, row);
	what.currency = currency_of(s, row);
	what.phase = phase_of(s, row);
	what.type = &s->amount;
	what.child = s->key.child;
	what.key = sum_key(call, s, row, what.phase);
	idem_book_add(&what, amount, credit != undo);
}

static bool
same_column(const IdemGuardCall *call, AttrNumber column)
{
	return column == 0 ||
		idem_same_image(call->rel, column, call->before, call->after);
}

/* Has an update left what the journal says, but for the phase? */
static bool
same_entry(const IdemGuardCall *call, JournalSettings *s)
{
	int			i;

	for (i = 0; i < s->key.n; i++)
	{
		if (!same_column(call, s->columns[i].column))
			return false;
	}
	return same_column(call, s->amount_column) &&
		same_column(call, s->debit.column) &&
		same_column(call, s->currency.column);
}

static void
judge_update(const IdemGuardCall *call, JournalSettings *s)
{
	bool		same = same_entry(call, s);

	if (same && same_column(call, s->released.column))
		return;
	if (!same)
	{
		require_open(call, s, call->before);
		require_open(call, s, call->after);
	}
	book_row(call, s, call->before, true);
	book_row(call, s, call->after, false);
}

/*
 * keep_journal() -> trigger
 *
 * AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW of the entries.
 */
PG_FUNCTION_INFO_V1(idem_keep_journal);
Datum
idem_keep_journal(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	JournalSettings *s;

	if (idem_in_apply_worker())
		return PointerGetDatum(NULL);
	if (!idem_guard_call(fcinfo, "idem.keep_journal", &call))
		return PointerGetDatum(NULL);
	s = idem_guard_settings(&call, compile_journal);
	if (IDEM_CALL_IS_DELETE(&call))
	{
		require_open(&call, s, call.before);
		book_row(&call, s, call.before, true);
	}
	else if (IDEM_CALL_IS_INSERT(&call))
	{
		require_open(&call, s, call.after);
		book_row(&call, s, call.after, false);
	}
	else
		judge_update(&call, s);
	return PointerGetDatum(NULL);
}
