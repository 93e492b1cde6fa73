/*
 * bound_state.c
 *		No state of a row without that of its claim: effects outside.
 *
 * A row enters a listed state only while its claim is in one of the states
 * listed for it: no payment succeeds before its claim is known to.  And while
 * what was sent may have taken effect (dispatched, unknown), a row enters no
 * state that is not listed: no payment is cancelled while the money is on its
 * way.  Judged when a row is inserted, and when its state changes; a row that
 * stays in its state is not judged again, whatever its claim becomes.
 *
 * Two sessions: the claim's row is read as it is committed now, and stays
 * locked until the row commits (key_effect.c).  So a result or a correction
 * that comes meanwhile waits; one that came before is seen, or 40001.
 *
 * The state of a claim is shown only to those who may ask idem.lookup for it.
 * The owner of a table can still find out by trying which states it accepts;
 * nothing is promised against that.
 *
 * Order of locks: the row, which is written, and then the claim.  A transaction
 * that records a result and writes the row locks the claim first, by recording
 * first.  All such transactions have to keep to that order, or two of them can
 * wait for each other (40P01).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/column.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/row.h"
#include "base/settings_write.h"
#include "bound/bound.h"
#include "key/key_effect.h"

/* 42P17 for a column whose values are not words. */
static void
check_words(Relation rel, AttrNumber attnum)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	Oid			type = getBaseType(att->atttypid);

	if (type != TEXTOID && type != VARCHAROID && !type_is_enum(type))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("column \"%s\" of table \"%s\" cannot hold a state",
						NameStr(att->attname), RelationGetRelationName(rel)),
				 errhint("It is of type text, varchar or an enum."),
				 errtablecol(rel, attnum)));
}

/*
 * The states of a table: rows' states and, for each, the text of a list of
 * those of claims.  In current memory.
 */
void
idem_bound_states_compile(Relation rel, const char *column, List *states,
						  List *claimed, BoundStates *result)
{
	ListCell   *lc;

	result->attnum = idem_column_number(rel, column);
	check_words(rel, result->attnum);
	result->states = states;
	result->claimed = NIL;
	foreach(lc, claimed)
		result->claimed = lappend(result->claimed,
								  idem_text_list(lfirst(lc)));
}

/* The states of claims that allow a state of a row; NULL: it is not listed. */
static List **
listed_for(const BoundStates *states, const char *state)
{
	ListCell   *s;
	ListCell   *c;

	forboth(s, states->states, c, states->claimed)
	{
		if (strcmp(lfirst(s), state) == 0)
			return (List **) &lfirst(c);
	}
	return NULL;
}

static bool
may_have_run(const char *claim)
{
	return strcmp(claim, "dispatched") == 0 || strcmp(claim, "unknown") == 0;
}

static bool
is_among(List *words, const char *word)
{
	ListCell   *lc;

	foreach(lc, words)
	{
		if (strcmp(lfirst(lc), word) == 0)
			return true;
	}
	return false;
}

/* May a row come into a state while its claim is in that one? */
bool
idem_bound_agree(const BoundStates *states, const char *state,
				 const char *claim)
{
	List	  **listed = listed_for(states, state);

	return listed ? is_among(*listed, claim) : !may_have_run(claim);
}

/* The state of a row as text. */
static char *
state_text(Relation rel, AttrNumber attnum, TupleTableSlot *slot)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attnum - 1);
	bool		isnull;
	Datum		value = slot_getattr(slot, attnum, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("row of table \"%s\" has no state: column \"%s\" is null",
						RelationGetRelationName(rel), NameStr(att->attname)),
				 errhint("Declare the column NOT NULL."),
				 errtablecol(rel, attnum)));
	return idem_value_text(att->atttypid, value);
}

/* What is wrong, and how the claim is, to those who may look at claims */
static int
message_state(const IdemGuardCall *call, const Bound *bound, const text *key,
			  const char *state, const char *claim)
{
	const char *shown = idem_bound_shown_key(call->rel, key);

	if (!idem_key_effect_shown(bound->scope))
		return errmsg("row of table \"%s\" cannot be \"%s\": the claim of %s in scope \"%s\" does not allow it",
					  RelationGetRelationName(call->rel), state, shown,
					  bound->scope);
	return errmsg("row of table \"%s\" cannot be \"%s\" while the claim of %s in scope \"%s\" is %s",
				  RelationGetRelationName(call->rel), state, shown,
				  bound->scope, claim);
}

/* Why, as far as the declaration says it, or the claim may be shown */
static int
detail_state(const Bound *bound, const char *state)
{
	List	  **listed = listed_for(&bound->states, state);

	if (listed != NULL)
		return errdetail("State \"%s\" needs a claim that is one of %s.",
						 state, idem_list_text(*listed));
	if (!idem_key_effect_shown(bound->scope))
		return 0;
	return errdetail("An effect that was sent may have happened, and state \"%s\" is not declared for that.",
					 state);
}

pg_noreturn static void
refuse_state(const IdemGuardCall *call, const Bound *bound, const text *key,
			 const char *state, const char *claim)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_UNCLAIMED_EFFECT),
			 message_state(call, bound, key, state, claim),
			 detail_state(bound, state),
			 errhint("Record the outcome of the claim first (idem.reserve, idem.complete, idem.resolve, idem.fence), then change the row."),
			 errtablecol(call->rel, bound->states.attnum),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
								call->trigger->tgname)));
}

/* 23I0A unless the claim allows the state that a row has come into. */
void
idem_bound_judge_state(const IdemGuardCall *call, const Bound *bound)
{
	AttrNumber	attnum = bound->states.attnum;
	const char *state;
	const char *claim;
	text	   *key;

	if (IDEM_CALL_IS_UPDATE(call) &&
		idem_same_image(call->rel, attnum, call->before, call->after))
		return;
	state = state_text(call->rel, attnum, call->after);
	key = idem_bound_key_of(&bound->key, call->rel, call->after);
	claim = idem_key_effect_state(bound->scope, key);
	if (!idem_bound_agree(&bound->states, state, claim))
		refuse_state(call, bound, key, state, claim);
}
