/*
 * bound.c
 *		No effect without its claim.
 *
 * A row of a guarded table names the idempotency key of its effect.  It may be
 * inserted only by the transaction that was granted this key, and one claim
 * pays for one row, unless the guard says rows => 'many'.  The columns of the
 * key are fixed, so that a row stays with the claim that paid for it.
 *
 * The guard judges the stored row, AFTER ROW, however it was written, by what
 * this transaction remembers of its own claims (key_taken.c) and payments
 * (bound_paid.c), each with the subtransaction that made it.  Not the anchor's
 * xmin: a transaction writes anchors that it did not claim.  No table is read,
 * nothing is locked, and no other session is involved: the claim itself
 * promises that only one transaction is granted a key.
 *
 * The keys belong to a scope or to a table of the user's (bound_keys.c); both
 * are remembered in the same way.
 *
 * Where the effect is outside, the row is not the effect but tells of it: its
 * state is bound to that of the claim (bound_state.c).
 *
 * An apply worker does not judge: the row was judged at its origin.
 *
 * Not promised: that a claim has a row.  A claim that was granted and wrote
 * nothing is used up all the same, and a DELETE of the row does not give it
 * back.  fixed.c and kept rows keep what was written.
 *
 * Shown by sql/bound.sql and test/isolation/specs/bound_race.spec.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/arrive.h"
#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/moved.h"
#include "base/settings.h"
#include "base/settings_trigger.h"
#include "bound/bound.h"
#include "key/key.h"
#include "key/key_taken.h"

/* 39P01 unless the claims are those of a scope or of a table of keys. */
static void
refuse_source(Relation rel, const char *trigger)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("trigger \"%s\" on table \"%s\" needs either \"scope\" or \"keys\"",
					trigger, RelationGetRelationName(rel)),
			 errhint("Put guards on a table with the idem.guard_... functions."),
			 errtable(rel)));
}

/*
 * The table of keys that a trigger names: 42P01 if it is gone, or called
 * otherwise.  Its settings depend on that table (IdemGuardCompile).
 */
static void
compile_keys(Relation rel, Bound *bound, Oid *also)
{
	bound->keys_relid = idem_bound_keys_relid(bound->keys);
	*also = bound->keys_relid;
	if (!OidIsValid(bound->keys_relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s, which keeps the keys of table \"%s\", does not exist",
						bound->keys, RelationGetRelationName(rel)),
				 errhint("Where it was renamed, take the guard off with idem.drop_guard and declare it anew."),
				 errtable(rel)));
	bound->keys_foreign = idem_bound_keys_foreign(bound->keys_relid,
												  idem_root_relid(rel));
}

/*
 * scope=debit, key={message}, rows=one; or keys=app.request_key instead of
 * scope; or state=status, claimed={paying,"{reserved,dispatched}"} instead of
 * rows (IdemGuardCompile)
 */
static void *
compile_settings(Relation rel, Trigger *trigger, Oid *also)
{
	List	   *settings = idem_settings_of_trigger(trigger);
	char	   *name = pstrdup(trigger->tgname);
	const char *rows = idem_setting(settings, "rows");
	const char *column = idem_setting(settings, "state");
	List	   *states;
	List	   *claimed;
	Bound	   *bound = palloc0(sizeof(Bound));

	bound->scope = idem_setting_copy(settings, "scope");
	bound->keys = idem_setting_copy(settings, "keys");
	if ((bound->scope == NULL) == (bound->keys == NULL) ||
		(bound->keys != NULL && column != NULL))
		refuse_source(rel, name);
	bound->many = rows != NULL && strcmp(rows, "many") == 0;
	if (bound->keys != NULL)
		compile_keys(rel, bound, also);
	else
		bound->scope_id = idem_key_scope_id(bound->scope);
	idem_bound_key_compile(rel, idem_setting_list(settings, "key"),
						   &bound->key);
	bound->table = idem_root_relid(rel);
	if (column == NULL)
		return bound;
	idem_setting_map(settings, "claimed", &states, &claimed);
	idem_bound_states_compile(rel, column, states, claimed, &bound->states);
	return bound;
}

/* What the client has to do first */
static int
hint_claim(const Bound *bound)
{
	if (bound->keys != NULL)
		return errhint("Insert the key into %s in the same transaction first, with ON CONFLICT DO NOTHING, and write the row only if that inserted one.",
					   bound->keys);
	return errhint("Call idem.claim(%s, key, request) in the same transaction first, and write the row only if it answers granted.",
				   quote_literal_cstr(bound->scope));
}

pg_noreturn static void
refuse_unclaimed(const IdemGuardCall *call, const Bound *bound,
				 const text *key, const char *detail)
{
	const char *source = bound->keys != NULL ?
		psprintf("table %s", bound->keys) :
		psprintf("scope \"%s\"", bound->scope);

	ereport(ERROR,
			(errcode(ERRCODE_IDEM_UNCLAIMED_EFFECT),
			 errmsg("row of table \"%s\" has no claim of %s in %s",
					RelationGetRelationName(call->rel),
					idem_bound_shown_key(call->rel, key), source),
			 errdetail_internal("%s", detail),
			 hint_claim(bound),
			 errtableconstraint(call->rel, call->trigger->tgname)));
}

/* 42501 if the keys are in a table that is somebody else's. */
static void
check_keys_owner(const IdemGuardCall *call, const Bound *bound)
{
	if (bound->keys_foreign)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("table %s, which keeps the keys of table \"%s\", belongs to somebody else",
						bound->keys, RelationGetRelationName(call->rel)),
				 errhint("Both tables have one owner."),
				 errtableconstraint(call->rel, call->trigger->tgname)));
}

/* 23I0A unless the row is paid for by a claim of this transaction. */
static void
demand_claim(const IdemGuardCall *call, const Bound *bound)
{
	text	   *key = idem_bound_key_of(&bound->key, call->rel, call->after);
	pg_uuid_t	digest;

	if (VARSIZE_ANY_EXHDR(key) > IDEM_KEY_BYTES_MAX)
		refuse_unclaimed(call, bound, key,
						 "It is longer than a key can be.");
	check_keys_owner(call, bound);
	if (bound->keys != NULL)
		idem_bound_table_digest(bound->keys_relid, key, &digest);
	else
		idem_key_digest(bound->scope_id, key, &digest);
	if (!idem_key_granted(&digest))
		refuse_unclaimed(call, bound, key,
						 "The key was not granted to this transaction, or that was rolled back.");
	if (!bound->many && !idem_bound_pay(&digest, bound->table))
		refuse_unclaimed(call, bound, key,
						 "The claim has paid for another row of the table; one claim pays for one row.");
}

/*
 * keep_claimed() -> trigger
 *
 * AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW, of which the DELETE matters
 * only for a row that moves between partitions.  23I0A for a row without its
 * claim, 23I07 if the key changed.
 */
PG_FUNCTION_INFO_V1(idem_keep_claimed);
Datum
idem_keep_claimed(PG_FUNCTION_ARGS)
{
	IdemGuardCall call;
	Bound	   *bound;

	if (!idem_guard_call(fcinfo, "idem.keep_claimed", &call) ||
		IDEM_CALL_IS_DELETE(&call))
		return PointerGetDatum(NULL);
	bound = idem_guard_settings(&call, compile_settings);
	if (IDEM_CALL_IS_UPDATE(&call))
		idem_bound_refuse_other_key(&call, &bound->key,
									"It is the idempotency key that the row was written for.");
	if (idem_in_apply_worker())
		return PointerGetDatum(NULL);
	if (bound->states.attnum != InvalidAttrNumber)
		idem_bound_judge_state(&call, bound);
	else if (IDEM_CALL_IS_INSERT(&call))
		demand_claim(&call, bound);
	return PointerGetDatum(NULL);
}
