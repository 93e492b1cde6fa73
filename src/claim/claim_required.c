/*
 * claim_required.c
 *		No commit with a claim that was not completed.
 *
 * In a scope with completion => 'required', a claim whose work was lost (an
 * exception swallowed around the work, a code path that forgot) must not use
 * the key up.  Such claims are noted, and before the transaction commits or is
 * prepared their anchors are looked at: if one still is only claimed, the
 * commit fails.  A savepoint that was rolled back took the claim or its
 * completion away from the anchor itself, so nothing here has to follow
 * savepoints.
 *
 * Costs one probe a claim at commit, and nothing in other scopes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/idem_errors.h"
#include "claim/claim.h"

/* A claim to look at: a copy that outlives the call and the scope cache. */
typedef struct Required
{
	IdemScope	scope;			/* only name and id are used */
	IdemKey		key;
} Required;

/* In TopTransactionContext. */
static List *required = NIL;

/* 55I02 if the claim is there and not completed. */
static void
check_completed(IdemAnchor *anchor, const IdemKey *key)
{
	IdemFound	found;

	idem_key_probe(anchor, key, &found);
	if (found.held == IDEM_HELD_OWN &&
		DatumGetChar(found.values[Anum_anchor_state - 1]) == IDEM_STATE_CLAIMED)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_CLAIM_NOT_OPEN),
				 errmsg("claim of key \"%s\" in scope \"%s\" was not completed",
						text_to_cstring(key->text), key->scope->name),
				 errdetail("The scope requires completion before the commit."),
				 errhint("Call idem.complete after the work, or roll back to free the key.")));
}

static void
check_required(void)
{
	IdemAnchor	anchor;
	ListCell   *lc;

	PushActiveSnapshot(GetTransactionSnapshot());
	idem_key_open_anchors(&anchor, AccessShareLock);
	foreach(lc, required)
		check_completed(&anchor, &((Required *) lfirst(lc))->key);
	idem_key_close(&anchor);
	PopActiveSnapshot();
}

static void
required_at_xact_event(XactEvent event, void *arg)
{
	if (required == NIL)
		return;
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		check_required();
	else
		required = NIL;
}

/* This claim was just granted: do not let it be committed half-way. */
void
idem_claim_require_completion(const IdemKey *key)
{
	static bool registered = false;
	MemoryContext old;
	Required   *entry;

	if (!registered)
		RegisterXactCallback(required_at_xact_event, NULL);
	registered = true;
	old = MemoryContextSwitchTo(TopTransactionContext);
	entry = palloc(sizeof(Required));
	entry->scope = *key->scope;
	entry->key = *key;
	entry->key.scope = &entry->scope;
	entry->key.text =
		(text *) PG_DETOAST_DATUM_COPY(PointerGetDatum(key->text));
	required = lappend(required, entry);
	MemoryContextSwitchTo(old);
}
