/*
 * ledger_side.c
 *		Is an entry a debit or a credit?
 */
#include "postgres.h"

#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "ledger/ledger.h"

/* 23514 for a word that is neither, and for none. */
static void
refuse_word(const IdemGuardCall *call, IdemLedgerSettings *s)
{
	const char *name = NameStr(TupleDescAttr(RelationGetDescr(call->rel),
											 s->debit.column - 1)->attname);

	idem_ledger_refuse_entry(call, ERRCODE_CHECK_VIOLATION, s->debit.column,
							 psprintf("\"%s\" of %s is neither the word for a debit nor the one for a credit",
									  name, get_rel_name(s->total.key.child)),
							 "The words are arguments of idem.guard_balance.");
}

static IdemLedgerSide
side_of_word(const IdemGuardCall *call, IdemLedgerSettings *s,
			 TupleTableSlot *row)
{
	bool		isnull;
	Datum		word = slot_getattr(row, s->debit.column, &isnull);

	if (idem_states_contain(&s->debit, word, isnull))
		return IDEM_SIDE_DEBIT;
	if (!idem_states_contain(&s->credit, word, isnull))
		refuse_word(call, s);
	return IDEM_SIDE_CREDIT;
}

/* The side of a row, as one of its images says: debit or credit. */
IdemLedgerSide
idem_ledger_side(const IdemGuardCall *call, IdemLedgerSettings *s,
				 TupleTableSlot *row)
{
	IdemAmountType *type = &s->total.amount;
	bool		isnull;
	Datum		amount;

	if (s->side == IDEM_SIDE_OF_ROW)
		return side_of_word(call, s, row);
	if (s->side != IDEM_SIDE_OF_SIGN)
		return s->side;
	amount = slot_getattr(row, s->total.amount_column, &isnull);
	return idem_amount_compare(type, amount, type->zero) < 0 ?
		IDEM_SIDE_DEBIT : IDEM_SIDE_CREDIT;
}
