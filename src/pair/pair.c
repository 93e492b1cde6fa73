/*
 * pair.c
 *		A child is in its state only while its parent is in one that goes
 *		with it.
 *
 * The child is judged when it is inserted, and when it changes its state or
 * its parent, by the parent row that its foreign key names; the parent when it
 * changes its state, by its children (pair_parent.c).  Each side judges the
 * row that is stored, AFTER ROW, however it came in.
 *
 * What decides between two sessions is the parent row.  The child locks it,
 * FOR NO KEY UPDATE, which is the lock that an UPDATE of it takes, and judges
 * the version that it has locked: so either the parent that changes its state
 * waits until the child is committed, and then sees it, or the child waits for
 * the parent and judges what that has become.  A version that the snapshot of
 * a REPEATABLE READ or SERIALIZABLE transaction cannot see is 40001, unless the
 * state of the child does not go with it, which is said at once.  With judge =>
 * 'entry' no row is locked (pair_entry.c).
 *
 * The trigger is named so that it fires behind a limit of the same row, whose
 * lock is the same, and before that of the foreign key.
 *
 * A state without a rule is free, and so is deleting a child.  A fact is stored
 * whatever the state of the parent; the doctor reports it.  A logical apply
 * worker does not judge: the row was judged at its origin.
 *
 * Not promised: an order among parents.  A statement that writes children of
 * several parents locks these in the order of its rows, and two such
 * statements can wait for each other (40P01).
 *
 * Shown by sql/pair.sql and test/isolation/specs/pair_race.spec.
 */
#include "postgres.h"

#include "base/arrive.h"
#include "base/guard.h"
#include "base/row.h"
#include "pair/pair.h"

/* Is there something to judge: a new child, state or parent? */
static bool
comes_in(const IdemGuardCall *call, IdemPair *pair)
{
	if (IDEM_CALL_IS_INSERT(call))
		return true;
	return !idem_pair_same_key(call, pair) ||
		(pair->state != 0 && !idem_same_image(call->rel, pair->state,
											  call->before, call->after)) ||
		idem_pair_is_own(call, pair);
}

/* The rule that the stored child is judged by; NULL: none. */
static IdemPairRule *
rule_of(const IdemGuardCall *call, IdemPair *pair)
{
	bool		isnull = true;
	Datum		state = (Datum) 0;

	if (pair->state != 0)
		state = slot_getattr(call->after, pair->state, &isnull);
	return idem_pair_rule_of(pair, state, isnull);
}

/* 23I0C unless the parent's state goes with the rule. */
static void
judge_child(const IdemGuardCall *call, IdemPair *pair, IdemPairRule *rule)
{
	NullableDatum values[INDEX_MAX_KEYS];
	IdemPairLock lock = IDEM_PAIR_NO_KEY_UPDATE;
	IdemPairSeen seen;

	if (!idem_pair_values(call, pair, call->after, values))
		idem_pair_report_no_key(call, pair->column[0]);
	if (pair->entry)
		lock = idem_pair_enter(pair, values);
	idem_pair_look(pair, values, lock, &seen);
	if (!seen.found)
		idem_pair_report_no_parent(call, pair, values);
	if (!idem_pair_agrees(rule, seen.state, seen.isnull))
		idem_pair_report_child(call, pair, rule, values, &seen);
	if (seen.is_newer)
		idem_pair_report_newer();
}

/*
 * keep_pair() -> trigger
 *
 * AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW of the child.
 */
PG_FUNCTION_INFO_V1(idem_keep_pair);
Datum
idem_keep_pair(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	IdemPair   *pair;
	IdemPairRule *rule;

	if (idem_in_apply_worker())
		return PointerGetDatum(NULL);
	if (!idem_guard_call(fcinfo, "idem.keep_pair", &call) ||
		IDEM_CALL_IS_DELETE(&call))
		return PointerGetDatum(NULL);
	pair = idem_pair_open(&call);
	if (!idem_pair_is_last(&call, pair) || !comes_in(&call, pair))
		return PointerGetDatum(NULL);
	rule = rule_of(&call, pair);
	if (rule != NULL && !rule->any)
		judge_child(&call, pair, rule);
	return PointerGetDatum(NULL);
}
