/*
 * total_type.h
 *		The types of amounts, counts and states.
 */
#ifndef IDEM_TOTAL_TYPE_H
#define IDEM_TOTAL_TYPE_H

#include "access/attnum.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"
#include "utils/reltrigger.h"

/* The arithmetic of the one type that amounts and totals have. */
typedef struct IdemAmountType
{
	Oid			type;			/* never a domain */
	FmgrInfo	compare;
	FmgrInfo	plus;
	FmgrInfo	minus;
	FmgrInfo	output;
	Datum		zero;
	int16		len;
	bool		byval;
} IdemAmountType;

/* An equality that a nondeterministic collation cannot soften. */
typedef struct IdemEquality
{
	FmgrInfo	function;
	Oid			collation;
} IdemEquality;

/* Some values of a state column. */
typedef struct IdemStates
{
	AttrNumber	column;			/* 0: there is no such column */
	bool		all;			/* {*}: every row, whatever its state */
	int			n;
	Datum	   *values;
	IdemEquality equal;
} IdemStates;

/* total_type.c */
extern AttrNumber idem_total_named(Relation rel, Trigger *trigger,
								   const char *setting);
extern bool idem_amount_type_supported(Oid type);
extern void idem_amount_type_init(IdemAmountType *amount, Oid type);
extern int	idem_amount_compare(IdemAmountType *amount, Datum a, Datum b);
extern Datum idem_amount_plus(IdemAmountType *amount, Datum a, Datum b);
extern Datum idem_amount_minus(IdemAmountType *amount, Datum a, Datum b);
extern bool idem_amount_is_finite(IdemAmountType *amount, Datum value);
extern char *idem_amount_text(IdemAmountType *amount, Datum value);
extern bool idem_count_type_supported(Oid type);
extern int64 idem_count_value(Oid type, Datum value);
extern Datum idem_count_datum(Oid type, int64 value);
extern void idem_equality_init(IdemEquality *equal, Oid left, Oid right);
extern bool idem_equal(IdemEquality *equal, Datum a, Datum b);
extern void idem_states_init(IdemStates *states, Relation rel,
							 const char *column, List *labels);
extern bool idem_states_contain(IdemStates *states, Datum state, bool isnull);
extern Oid	idem_column_base_type(Relation rel, AttrNumber column,
								  int32 *typmod);
extern char *idem_total_type_name(Oid type);

#endif							/* IDEM_TOTAL_TYPE_H */
