/*
 * bound.c
 *		No effect without its claim.
 *
 * A row of a guarded table names the idempotency key of its effect.  It may be
 * inserted only by the transaction that was granted this key, and one claim
 * pays for one row, unless the guard says rows => 'many'.  The columns of the
 * key are fixed, so that a row stays with the claim that paid for it.
 *
 * What decides is the stored row, AFTER ROW, however it came in, and what this
 * transaction remembers of its own claims (key_taken.c) and payments
 * (bound_paid.c), each with the subtransaction that made it.  Not the anchor's
 * xmin: a transaction writes anchors that it did not claim.  No table is read,
 * nothing is locked, and no other session has a part in it: that only one
 * transaction is granted a key is the claim's own promise.
 *
 * Where the effect is outside, the row is not the effect but tells of it: its
 * state is bound to that of the claim (bound_state.c).
 *
 * An apply worker does not judge: the row was judged at its origin.
 *
 * Not promised: that a claim has a row.  A claim that was granted and wrote
 * nothing is used up all the same, and a DELETE of the row does not give it
 * back.  fixed.c and kept rows keep what was written.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/guard.h"
#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/identity.h"
#include "base/moved.h"
#include "bound/bound.h"

/*
 * scope=debit, key={message}, rows=one; or state=status,
 * claimed={paying,"{reserved,dispatched}"} instead of rows (IdemGuardCompile)
 */
static void *
compile_settings(Relation rel, Trigger *trigger, Oid *also)
{
	List	   *settings = idem_settings_of_trigger(trigger);
	const char *rows = idem_setting(settings, "rows");
	const char *column = idem_setting(settings, "state");
	List	   *columns = idem_setting_list(settings, "key");
	List	   *states;
	List	   *claimed;
	Bound	   *bound = palloc0(sizeof(Bound));

	bound->scope = pstrdup(idem_setting(settings, "scope"));
	bound->many = rows != NULL && strcmp(rows, "many") == 0;
	bound->scope_id = idem_key_scope_id(bound->scope);
	idem_bound_key_compile(rel, columns, &bound->key);
	bound->table = idem_root_relid(rel);
	if (column == NULL)
		return bound;
	idem_setting_map(settings, "claimed", &states, &claimed);
	idem_bound_states_compile(rel, column, states, claimed, &bound->states);
	return bound;
}

/* 23I07 if a column of the key changed. */
static void
refuse_other_key(const IdemGuardCall *call, const Bound *bound)
{
	int			i;

	for (i = 0; i < bound->key.ncolumns; i++)
	{
		AttrNumber	attnum = bound->key.column[i].attnum;

		if (!idem_same_image(call->rel, attnum, call->before, call->after))
			ereport(ERROR,
					(errcode(ERRCODE_IDEM_FIXED_COLUMN),
					 errmsg("column \"%s\" of table \"%s\" is fixed and cannot be changed",
							NameStr(TupleDescAttr(RelationGetDescr(call->rel),
												  attnum - 1)->attname),
							RelationGetRelationName(call->rel)),
					 errhint("It is the idempotency key that the row was written for."),
					 errtablecol(call->rel, attnum),
					 err_generic_string(PG_DIAG_CONSTRAINT_NAME,
										call->trigger->tgname)));
	}
}

/* key "msg-1", for someone who may read the row */
const char *
idem_bound_shown_key(Relation rel, const text *key)
{
	int			len = VARSIZE_ANY_EXHDR(key);

	if (!idem_may_read(rel))
		return "its key";
	if (len <= IDEM_KEY_BYTES_MAX)
		return psprintf("key \"%.*s\"", len, VARDATA_ANY(key));
	return psprintf("key \"%.*s...\"",
					pg_mbcliplen(VARDATA_ANY(key), len, IDEM_KEY_BYTES_MAX),
					VARDATA_ANY(key));
}

pg_noreturn static void
refuse_unclaimed(const IdemGuardCall *call, const Bound *bound,
				 const text *key, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_UNCLAIMED_EFFECT),
			 errmsg("row of table \"%s\" has no claim of %s in scope \"%s\"",
					RelationGetRelationName(call->rel),
					idem_bound_shown_key(call->rel, key),
					bound->scope),
			 errdetail_internal("%s", detail),
			 errhint("Call idem.claim(%s, key, request) in the same transaction first, and write the row only if it answers granted.",
					 quote_literal_cstr(bound->scope)),
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
		refuse_other_key(&call, bound);
	if (idem_in_apply_worker())
		return PointerGetDatum(NULL);
	if (bound->states.attnum != InvalidAttrNumber)
		idem_bound_judge_state(&call, bound);
	else if (IDEM_CALL_IS_INSERT(&call))
		demand_claim(&call, bound);
	return PointerGetDatum(NULL);
}
