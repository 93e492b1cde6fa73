/*
 * limit.h
 *		What the files of the room limit share.
 */
#ifndef IDEM_LIMIT_H
#define IDEM_LIMIT_H

#include "access/attnum.h"
#include "base/guard.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"

/* The foreign key a limit rides on; columns in the order of the key. */
typedef struct IdemLimitKey
{
	Oid			child;			/* table at the top */
	Oid			parent;			/* table at the top */
	int			n;				/* number of columns */
	AttrNumber	child_column[INDEX_MAX_KEYS];	/* of the table at the top */
	AttrNumber	parent_column[INDEX_MAX_KEYS];	/* of the table at the top */
	Oid			equal_child[INDEX_MAX_KEYS];	/* operator parent = child */
	Oid			equal_parent[INDEX_MAX_KEYS];	/* operator parent = parent */
} IdemLimitKey;

/* The arithmetic of the one type that amount, cap and used have. */
typedef struct IdemAmountType
{
	Oid			type;			/* never a domain */
	FmgrInfo	compare;
	FmgrInfo	plus;
	FmgrInfo	minus;
	FmgrInfo	output;
	Datum		zero;
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
	int			n;
	Datum	   *values;
	IdemEquality equal;
} IdemStates;

/*
 * One change of a running total as the guard announces it in backend memory;
 * lives on the C stack of the announcer.
 */
typedef struct IdemLimitChange
{
	Oid			parent;			/* table at the top */
	const char *used;			/* its column */
	int			nkeys;			/* key of the row */
	const Datum *key;
	const Oid  *key_type;		/* of the parent's columns */
	FmgrInfo   *equal;			/* parent = child, a column each */
	bool		plus;			/* counted, or given back */
	Datum		amount;
	bool		accepted;		/* the counterpart has seen it */
	struct IdemLimitChange *outer;	/* announced before, still under way */
} IdemLimitChange;

/* limit_key.c */
extern void idem_limit_find_key(Oid child, List *columns, int sqlstate,
								IdemLimitKey *key);
extern List *idem_limit_parent_columns(const IdemLimitKey *key);
extern void idem_limit_check_key_types(Relation child,
									   const IdemLimitKey *key);

/* limit_type.c */
extern bool idem_amount_type_supported(Oid type);
extern void idem_amount_type_init(IdemAmountType *amount, Oid type);
extern int	idem_amount_compare(IdemAmountType *amount, Datum a, Datum b);
extern bool idem_amount_is_finite(IdemAmountType *amount, Datum value);
extern char *idem_amount_text(IdemAmountType *amount, Datum value);
extern void idem_equality_init(IdemEquality *equal, Oid left, Oid right);
extern bool idem_equal(IdemEquality *equal, Datum a, Datum b);
extern void idem_states_init(IdemStates *states, Relation rel,
							 const char *column, List *labels);
extern bool idem_states_contain(IdemStates *states, Datum state, bool isnull);
extern Oid	idem_column_base_type(Relation rel, AttrNumber column,
								  int32 *typmod);
extern char *idem_limit_type_name(Oid type);

/* limit_total.c */
extern void idem_limit_announce(IdemLimitChange *change);
extern void idem_limit_withdraw(IdemLimitChange *change);
extern void idem_limit_require_total(Relation rel, Trigger *trigger,
									 Relation parent,
									 const IdemLimitKey *key);

#endif							/* IDEM_LIMIT_H */
