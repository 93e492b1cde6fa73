/*
 * ledger.h
 *		What the files of the room ledger share.
 */
#ifndef IDEM_LEDGER_H
#define IDEM_LEDGER_H

#include "total/total.h"

/* the trigger functions in schema idem */
#define IDEM_BALANCE_FUNCTION "keep_balance"
#define IDEM_ACCOUNT_FUNCTION "keep_account"

/* Columns of an account, by their place in what is looked at. */
typedef enum IdemLedgerColumn
{
	IDEM_LEDGER_BALANCE = IDEM_TOTAL_KEPT,
	IDEM_LEDGER_HELD,
	IDEM_LEDGER_SHORTFALL,
	IDEM_LEDGER_FLOOR = IDEM_TOTAL_BOUND,
	IDEM_LEDGER_CEILING,
	IDEM_LEDGER_UNBOUNDED = IDEM_TOTAL_JUDGED,
	IDEM_LEDGER_NORMAL
} IdemLedgerColumn;

/* What an entry does to its account: step of a note with a positive amount. */
#define IDEM_ENTRY_CREDIT	0x01	/* else it is a debit */
#define IDEM_ENTRY_PENDING	0x02	/* a hold: it concerns what is held */
#define IDEM_ENTRY_POSTING	0x04	/* of a hold, which is the other amount */
#define IDEM_ENTRY_FACT		0x08	/* it has happened, whatever the bounds */
#define IDEM_ENTRY_UNDO		0x10	/* it no longer counts */

/* Which side an entry is on, or makes an account grow. */
typedef enum IdemLedgerSide
{
	IDEM_SIDE_DEBIT,
	IDEM_SIDE_CREDIT,
	IDEM_SIDE_OF_ROW,			/* a column of each row says it */
	IDEM_SIDE_OF_SIGN			/* of entries: positive ones are credits */
} IdemLedgerSide;

/* How entries name the hold that they post. */
typedef struct IdemLedgerPosts
{
	AttrNumber	column;			/* of the table that fired; 0: none does */
	AttrNumber	target;			/* the column that it references, of the same */
	IdemTotalKey key;			/* by which it does */
	bool		over;			/* more than the hold may be posted */
	int			busy;			/* executions of the plans under way */
	SPIPlanPtr	hold;			/* kept plans, NULL until needed */
	SPIPlanPtr	posting;
} IdemLedgerPosts;

/* What the trigger of the entries keeps, from its arguments. */
typedef struct IdemLedgerSettings
{
	IdemTotal	total;			/* must be first */
	Bitmapset  *row_key;		/* primary key without the state itself */
	IdemStates	released;		/* states of entries that do not count, ... */
	IdemStates	pending;		/* ... that are held, ... */
	IdemStates	facts;			/* ... and that count in any case */
	IdemLedgerSide side;
	IdemStates	debit;			/* the words of the column of the direction */
	IdemStates	credit;
	IdemLedgerSide normal;		/* what makes the balance grow */
	IdemStates	normal_debit;	/* the words of the account's column */
	IdemStates	normal_credit;
	IdemLedgerPosts posts;
	bool		editable;
	bool		batched;		/* accounts without bounds are not changed */
} IdemLedgerSettings;

#define IDEM_LEDGER_SETTINGS(total)	((IdemLedgerSettings *) (total))

/* ledger_count.c */
extern bool idem_ledger_next(IdemTotalChange *c, IdemTotals *next);
extern bool idem_ledger_passes(IdemTotalChange *c);
extern bool idem_ledger_grows(IdemTotalChange *c, const IdemTotalNote *note);
extern bool idem_ledger_takes(IdemTotalChange *c, const IdemTotalNote *note);

/* ledger_judge.c */
extern void idem_ledger_judge(IdemTotalChange *c, const IdemTotalNote *note);

/* ledger_settings.c */
extern void *idem_ledger_compile(Relation rel, Trigger *trigger, Oid *also);

/* ledger_report.c */
extern void idem_ledger_report_exceeded(IdemTotalChange *c);
_Noreturn extern void idem_ledger_refuse_entry(const IdemGuardCall *call,
											   int sqlstate,
											   AttrNumber column,
											   const char *message,
											   const char *hint);

/* ledger_side.c */
extern IdemLedgerSide idem_ledger_side(const IdemGuardCall *call,
									   IdemLedgerSettings *s,
									   TupleTableSlot *row);

/* ledger_hold.c */
extern Datum idem_hold_amount(const IdemGuardCall *call,
							  IdemLedgerSettings *s,
							  const IdemTotalNote *note, Datum hold);
extern void idem_hold_require_open(const IdemGuardCall *call,
								   IdemLedgerSettings *s);
extern void idem_hold_free(IdemLedgerPosts *posts);

#endif							/* IDEM_LEDGER_H */
