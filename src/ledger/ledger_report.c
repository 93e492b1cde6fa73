/*
 * ledger_report.c
 *		What is said when an entry is refused, in words of accounts.
 *
 * The message alone is enough.  Values of account and entry are told only to
 * someone who may know them (total_report.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/idem_errors.h"
#include "base/right.h"
#include "ledger/ledger.h"

/*
 * a - b - c as text; NULL if it has no place in the type, as with a floor that
 * stands for none.
 */
static const char *
difference_text(IdemAmountType *type, Datum a, Datum b, Datum c)
{
	int64		values[3] = {0, 0, 0};
	int64		result;

	if (type->byval && type->len == sizeof(int32))
	{
		values[0] = (int64) DatumGetInt32(a) - DatumGetInt32(b) -
			DatumGetInt32(c);
		return psprintf(INT64_FORMAT, values[0]);
	}
	if (type->type != NUMERICOID)
	{
		values[0] = DatumGetInt64(a);
		values[1] = DatumGetInt64(b);
		values[2] = DatumGetInt64(c);
		if (pg_sub_s64_overflow(values[0], values[1], &result) ||
			pg_sub_s64_overflow(result, values[2], &result))
			return NULL;
	}
	return idem_amount_text(type,
							idem_amount_minus(type,
											  idem_amount_minus(type, a, b),
											  c));
}

/* debit of 60.00, or of a table with signed amounts: entry of -60.00 */
static const char *
entry_text(const IdemTotalNote *note)
{
	IdemLedgerSettings *s = IDEM_LEDGER_SETTINGS(note->total);
	IdemAmountType *type = &note->total->amount;
	Datum		amount = note->amount;
	const char *word = note->step & IDEM_ENTRY_CREDIT ? "credit" : "debit";

	if (s->side == IDEM_SIDE_OF_SIGN)
	{
		word = get_rel_name(note->total->key.child);
		if ((note->step & IDEM_ENTRY_CREDIT) == 0)
			amount = idem_amount_minus(type, type->zero, amount);
	}
	return psprintf("%s%s%s", word, idem_total_amount_text(note, amount),
					note->step & IDEM_ENTRY_UNDO ? ", taken back," : "");
}

/* Balance 50.00, held 10.00, floor 0.00, available 40.00. */
static char *
floor_text(IdemTotalChange *c, const IdemTotals *t)
{
	IdemAmountType *type = &c->total->amount;
	Datum		floor = idem_total_amount(c, IDEM_LEDGER_FLOOR);
	const char *available;
	StringInfoData buf;

	available = difference_text(type, t->value[IDEM_LEDGER_BALANCE],
								t->value[IDEM_LEDGER_HELD], floor);
	initStringInfo(&buf);
	appendStringInfo(&buf, "Balance %s",
					 idem_amount_text(type, t->value[IDEM_LEDGER_BALANCE]));
	if (c->total->number[IDEM_LEDGER_HELD])
		appendStringInfo(&buf, ", held %s",
						 idem_amount_text(type, t->value[IDEM_LEDGER_HELD]));
	appendStringInfo(&buf, ", floor %s", idem_amount_text(type, floor));
	if (available != NULL)
		appendStringInfo(&buf, ", available %s", available);
	appendStringInfoChar(&buf, '.');
	return buf.data;
}

/* Balance 90.00, ceiling 100.00. */
static char *
ceiling_text(IdemTotalChange *c)
{
	IdemAmountType *type = &c->total->amount;
	Datum		balance = idem_total_amount(c, IDEM_LEDGER_BALANCE);

	return psprintf("Balance %s, ceiling %s.", idem_amount_text(type, balance),
					idem_amount_text(type,
									 idem_total_amount(c, IDEM_LEDGER_CEILING)));
}

/* 23I05, with the amounts as they were when the entry was judged. */
void
idem_ledger_report_exceeded(IdemTotalChange *c)
{
	IdemTotals	totals;
	bool		takes;
	const char *detail;

	(void) idem_ledger_next(c, &totals);
	takes = idem_ledger_takes(c, c->refused);
	detail = takes ? floor_text(c, &totals) : ceiling_text(c);
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_LIMIT_EXCEEDED),
			 errmsg(takes ? "%s exceeds the balance of %s%s" :
					"%s exceeds the ceiling of %s%s",
					entry_text(c->refused), RelationGetRelationName(c->parent),
					idem_total_key_text(c)),
			 idem_may_read(c->parent) ? errdetail("%s", detail) : 0,
			 idem_total_fields(c->refused->total,
							   c->refused->total->amount_column)));
}

/* Refuse the row of a trigger call: the column, a message, and what to do. */
void
idem_ledger_refuse_entry(const IdemGuardCall *call, int sqlstate,
						 AttrNumber column, const char *message,
						 const char *hint)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s", message),
			 hint != NULL ? errhint("%s", hint) : 0,
			 errtablecol(call->rel, column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}
