/*
 * ledger_judge.c
 *		Which accounts take an entry: those that it agrees with.
 *
 * Judged on the version of the account row that is changed, or locked.
 */
#include "postgres.h"

#include "ledger/ledger.h"

/* 23I06 if the account differs in a compared column; room total calls it. */
void
idem_ledger_judge(IdemTotalChange *c, const IdemTotalNote *note)
{
	if ((note->step & IDEM_ENTRY_UNDO) == 0)
		idem_total_judge_same(c, note);
}
