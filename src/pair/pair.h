/*
 * pair.h
 *		What the files of the room pair share.
 *
 *		pair_rule.c			which states of a child go with which of its parent
 *		pair_settings.c		what the triggers of both tables keep
 *		pair_deferred.c		what is judged when the transaction commits
 *		pair_entry.c		children that come in, a parent that closes
 *		pair_look.c			the parent row, as a child is judged by it
 *		pair_report.c		what is said
 *		pair.c				the trigger of the child
 *		pair_parent.c		the trigger of the parent
 *		pair_children.c		the children that it is judged by
 *		pair_index.c		how a parent finds its children
 *		pair_rows.c			the kind, and questions about rows
 *		pair_declare.c		guard_parent_state()
 */
#ifndef IDEM_PAIR_H
#define IDEM_PAIR_H

#include "access/skey.h"
#include "executor/spi.h"

#include "total/total_key.h"
#include "total/total_type.h"

struct IdemGuard;
struct IdemGuardCall;

/* the triggers of child and parent, in schema idem */
#define IDEM_PAIR_FUNCTION "keep_pair"
#define IDEM_PAIR_COUNTERPART "keep_pair_parent"

/* One entry of "allowed": a state of the child, and those of its parent. */
typedef struct IdemPairRule
{
	char	   *state;			/* of the child; NULL: "*", all that have no
								 * rule of their own */
	List	   *names;			/* of the parent's states */
	bool		any;			/* {*}: whatever the parent is */
	IdemStates	child;			/* the state as a value, of the child's
								 * trigger */
	IdemStates	parent;			/* the parent's states as values */
} IdemPairRule;

/* The statements that a trigger keeps prepared. */
typedef enum IdemPairPlan
{
	IDEM_PAIR_LOOK,				/* at the parent row, without a lock, ... */
	IDEM_PAIR_LOOK_SHARE,		/* ... FOR SHARE, ... */
	IDEM_PAIR_LOOK_UPDATE,		/* ... FOR NO KEY UPDATE */
	IDEM_PAIR_SAME,				/* is it the version of this snapshot? */
	IDEM_PAIR_CHILDREN,			/* that do not go with the parent's state */
	IDEM_PAIR_PLANS
} IdemPairPlan;

/* How a child holds the parent row that it is judged by. */
typedef enum IdemPairLock
{
	IDEM_PAIR_NO_LOCK,
	IDEM_PAIR_SHARE,
	IDEM_PAIR_NO_KEY_UPDATE
} IdemPairLock;

/* What a trigger keeps, from its arguments and the catalog. */
typedef struct IdemPair
{
	IdemTotalKey key;
	char	   *fk;				/* as the triggers name it */
	char	   *state_name;		/* column of the child, or NULL */
	char	   *parent_name;	/* column of the parent */
	List	   *fact_names;
	bool		entry;			/* a child is judged when it comes in */
	bool		deferred;		/* until the transaction commits */
	int			nrules;
	IdemPairRule *rules;		/* "*" is the last, where it is one */
	IdemStates	facts;			/* of the child */

	/* of the table that fired */
	AttrNumber	state;			/* its column of the state; 0: it has none */
	AttrNumber	column[INDEX_MAX_KEYS]; /* in the order of the key */
	Oid			type[INDEX_MAX_KEYS];	/* of these */

	/* how an entry locks, and what its lock is named by (pair_entry.c) */
	bool		locks_rows;
	IdemPairLock row_lock;		/* where it locks the row */
	FmgrInfo	hash[INDEX_MAX_KEYS];
	Oid			collation[INDEX_MAX_KEYS];

	/* of the child's trigger */
	bool		is_plain;		/* the parent can be searched by its index */
	IdemTotalSearch search;
	AttrNumber	parent_state;
	int16		len;			/* of its type */
	bool		byval;

	/* of the parent's trigger */
	Oid			child_index;	/* to find children by; or none: a statement */
	ScanKeyData child_key[INDEX_MAX_KEYS];	/* without arguments */
	int			child_source[INDEX_MAX_KEYS];	/* column of the key of each */
	AttrNumber	child_state;	/* 0: children have none */

	SPIPlanPtr	plan[IDEM_PAIR_PLANS];	/* NULL until needed */
} IdemPair;

/* A parent row as it was looked at. */
typedef struct IdemPairSeen
{
	bool		found;
	bool		isnull;
	Datum		state;
	bool		is_newer;		/* than the snapshot of the transaction */
} IdemPairSeen;

/* A child that was found, as text for a message. */
typedef struct IdemPairChild
{
	char	   *key;			/* " 7"; "" without a primary key */
	char	   *state;			/* NULL: none */
} IdemPairChild;

/* pair_rule.c */
extern void idem_pair_read_rules(List *settings, Relation child,
								 Relation parent, IdemPair *pair);
extern IdemPairRule *idem_pair_rule_of(IdemPair *pair, Datum state,
									   bool isnull);
extern bool idem_pair_agrees(IdemPairRule *rule, Datum state, bool isnull);
extern bool idem_pair_takes(Oid type);
extern List *idem_pair_fact_parents(List *settings, const char *fact);

/* pair_settings.c */
extern IdemPair *idem_pair_open(const struct IdemGuardCall *call);
extern IdemPair *idem_pair_open_parent(const struct IdemGuardCall *call);
extern bool idem_pair_values(const struct IdemGuardCall *call, IdemPair *pair,
							 TupleTableSlot *row, NullableDatum *values);
extern bool idem_pair_same_key(const struct IdemGuardCall *call,
							   IdemPair *pair);

/* pair_deferred.c */
extern bool idem_pair_is_last(const struct IdemGuardCall *call, IdemPair *pair);
extern bool idem_pair_is_own(const struct IdemGuardCall *call, IdemPair *pair);

/* pair_entry.c */
extern void idem_pair_entry_init(void);
extern void idem_pair_entry_compile(IdemPair *pair);
extern IdemPairLock idem_pair_enter(IdemPair *pair,
									const NullableDatum *values);
extern void idem_pair_close(IdemPair *pair, const NullableDatum *values);

/* pair_look.c */
typedef char *(*IdemPairText) (IdemPair *pair, IdemPairPlan which);

extern void idem_pair_query(IdemPair *pair, IdemPairPlan which,
							IdemPairText text, Relation rel, int n,
							Oid *types, Datum *values, bool latest);
extern void idem_pair_look(IdemPair *pair, const NullableDatum *values,
						   IdemPairLock lock, IdemPairSeen *seen);

/* pair_children.c */
extern void idem_pair_compile_children(IdemPair *pair, Relation child);
extern bool idem_pair_find_child(IdemPair *pair, const NullableDatum *values,
								 const bool *rules, IdemPairChild *found);

/* pair_report.c */
_Noreturn extern void idem_pair_report_child(const struct IdemGuardCall *call,
											 IdemPair *pair,
											 IdemPairRule *rule,
											 const NullableDatum *values,
											 const IdemPairSeen *seen);
_Noreturn extern void idem_pair_report_parent(const struct IdemGuardCall *call,
											  IdemPair *pair,
											  TupleTableSlot *row,
											  const IdemPairChild *child);
_Noreturn extern void
			idem_pair_report_no_parent(const struct IdemGuardCall *call,
									   IdemPair *pair,
									   const NullableDatum *values);
_Noreturn extern void idem_pair_report_no_key(const struct IdemGuardCall *call,
											  AttrNumber column);
_Noreturn extern void idem_pair_report_newer(void);

/* pair_index.c */
extern Oid	idem_pair_index(const IdemTotalKey *key, Snapshot snapshot);
extern char *idem_pair_shape_problem(const struct IdemGuard *guard,
									 Snapshot snapshot);

/* pair_rows.c */
extern char *idem_pair_offenders_sql(List *settings, Relation child,
									 Relation parent,
									 const IdemTotalKey *key);

#endif							/* IDEM_PAIR_H */
