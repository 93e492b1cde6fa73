/*
 * bound.h
 *		What the files of the room share.
 *
 *		bound_key.c				the key that a row names
 *		bound_index.c			who decides a key of a table of the user's
 *		bound_paid.c			which claims have paid for a row
 *		bound_state.c			no state of a row without that of its claim
 *		bound.c					the trigger: no row without its claim
 *		bound_declare.c			guard_claimed()
 *		bound_adopt.c			claims for rows from before
 *		bound_rows.c			the kind, and questions about rows
 *
 * and of tables of the user's that hold keys:
 *
 *		bound_response.c		no commit without a response
 *		bound_keys.c			the trigger: keys that a claim would take
 *		bound_repeat.c			the trigger: a repeat asks for the same
 *		bound_keys_declare.c	guard_keys()
 *		bound_keys_rows.c		the kinds, and questions about rows
 */
#ifndef IDEM_BOUND_H
#define IDEM_BOUND_H

#include "access/attnum.h"
#include "access/htup.h"
#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"
#include "utils/uuid.h"

/* How the value of a column is written in a key. */
typedef enum BoundForm
{
	BOUND_TEXT,
	BOUND_UUID,
	BOUND_INT2,
	BOUND_INT4,
	BOUND_INT8
} BoundForm;

typedef struct BoundColumn
{
	AttrNumber	attnum;
	BoundForm	form;
} BoundColumn;

/* The columns that make the key of a row, in their order. */
typedef struct BoundKey
{
	int			ncolumns;
	BoundColumn *column;
} BoundKey;

/*
 * Which states of claims allow a state of a row: of effects outside.  A state
 * of a row that is not listed is free while nothing may have been sent.
 */
typedef struct BoundStates
{
	AttrNumber	attnum;			/* of the row's state; 0: effect inside */
	List	   *states;			/* char *: of rows */
	List	   *claimed;		/* List * of char *: those of claims for each */
} BoundStates;

/* The settings of a trigger idem_claimed, names as numbers. */
typedef struct Bound
{
	char	   *scope;			/* NULL: a table of keys */
	int32		scope_id;
	char	   *keys;			/* that table by its name; NULL: a scope */
	Oid			keys_relid;
	bool		keys_foreign;	/* that table is somebody else's */
	Oid			table;			/* the partitioned one at the top */
	bool		many;			/* one claim pays for any number of rows */
	BoundKey	key;
	BoundStates states;
} Bound;

struct IdemGuardCall;
struct IdemScope;

/* A row of a table, read by idem_bound_each_row in memory of its own */
typedef void (*IdemBoundRow) (void *arg, HeapTuple row, TupleDesc desc,
							  MemoryContext result);

/* bound_state.c */
extern void idem_bound_states_compile(Relation rel, const char *column,
									  List *states, List *claimed,
									  BoundStates *result);
extern bool idem_bound_agree(const BoundStates *states, const char *state,
							 const char *claim);
extern void idem_bound_judge_state(const struct IdemGuardCall *call,
								   const Bound *bound);

/* bound_key.c */
extern bool idem_bound_form(Oid type, BoundForm *form);
extern void idem_bound_key_compile(Relation rel, List *columns, BoundKey *key);
extern text *idem_bound_key_make(const BoundKey *key, const Datum *values);
extern text *idem_bound_key_of(const BoundKey *key, Relation rel,
							   TupleTableSlot *slot);
extern const char *idem_bound_key_flaw(const BoundKey *key,
									   const struct IdemScope *form,
									   const Datum *values);
extern const char *idem_bound_shown_key(Relation rel, const text *key);
extern void idem_bound_refuse_changed(const struct IdemGuardCall *call,
									  AttrNumber attnum, const char *hint);
extern void idem_bound_refuse_other_key(const struct IdemGuardCall *call,
										const BoundKey *key, const char *hint);

/* bound_index.c */
extern Oid	idem_bound_arbiter(Oid relid, int n, const AttrNumber *columns,
							   Snapshot snapshot);
extern Oid	idem_bound_arbiter_named(Oid relid, List *names,
									 Snapshot snapshot);

/* bound_response.c */
extern void idem_bound_require_response(const pg_uuid_t *digest,
										const char *table, const text *key);
extern void idem_bound_note_response(const pg_uuid_t *digest);

/* bound_keys.c */
extern Oid	idem_bound_keys_relid(const char *name);
extern bool idem_bound_keys_foreign(Oid keys, Oid relid);
extern void idem_bound_table_digest(Oid table, const text *key,
									pg_uuid_t *digest);

/* bound_declare.c */
extern void idem_bound_check_not_null(Relation rel, AttrNumber attnum,
									  const char *why);

/* bound_rows.c */
extern char *idem_bound_columns_sql(List *columns);
extern void idem_bound_each_row(Relation rel, List *columns,
								IdemBoundRow judge, void *arg);
extern char *idem_bound_repeated(Relation rel, List *key, Oid part);

/* bound_paid.c */
extern bool idem_bound_pay(const pg_uuid_t *digest, Oid table);

#endif							/* IDEM_BOUND_H */
