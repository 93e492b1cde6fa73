/*
 * key_sighting.c
 *		The members with which keys came.
 *
 * In a scope with duplicate_fields, every key that is granted leaves a row in
 * idem.sighting: a digest of those members of its request, the time and the
 * key.  A claim of another key with the same members finds it there.
 *
 * Two keys that race: each writes its row first and looks then, with a dirty
 * snapshot, so that of two rows at least the later look finds the other one,
 * committed or not.  So at least one of the two is suspected.
 *
 * Where duplicates are held, a row that its key is not granted for is taken
 * back.  It is inserted speculatively and confirmed once the look is over; a
 * row that is found speculative is of a session that is looking now.  Both
 * could give way to each other, so one waits for what the other decides: the
 * one with the lower transaction id.  Waits go from lower to higher only, no
 * two sessions wait for each other, and the highest gives way at once.
 *
 * A key that is held leaves a row whose time is infinity.  It speaks against no
 * other key; it is there for the key itself, which finds it whenever it comes
 * again, in the very look that it would make anyway, and then counts its window
 * from when it came first (idem.suspect).
 *
 * Another key speaks against a key if its own row (idem.anchor or
 * idem.reservation), as committed now, is open or succeeded; not if it is
 * failed, released, fenced or forgotten.  For the same reason a row of
 * idem.sighting does not count if its key was not taken after all, because
 * somebody was faster; idem.retire removes it.
 *
 * Under REPEATABLE READ and SERIALIZABLE, what speaks against a key now, and
 * does not as the transaction's snapshot sees it, is 40001.
 *
 * Costs a row of about 70 bytes and one entry of an index, and a look that
 * reads as many rows as there are keys with these members within the window;
 * where they are reported, one.
 *
 * Locks: ROW EXCLUSIVE on idem.sighting until the end of the transaction.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "port/pg_bswap.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/idem_compat.h"
#include "key/key_inner.h"
#include "key/key_request.h"

/* States of a key that does not speak against another one, any more or yet. */
#define STATES_WITHOUT_EFFECT	"fln"	/* failed, released, fenced */

#define SCAN_KEYS				2

/* ---------- a row ---------- */

/* 16 bytes of SHA-256 of scope and fingerprint */
static void
members_digest(const IdemScope *scope, const bytea *fingerprint,
			   pg_uuid_t *digest)
{
	int			len = VARSIZE_ANY_EXHDR(fingerprint);
	uint32		id = pg_hton32((uint32) scope->id);
	char	   *text_of = palloc(sizeof(id) + len);

	memcpy(text_of, &id, sizeof(id));
	memcpy(text_of + sizeof(id), VARDATA_ANY(fingerprint), len);
	idem_key_digest16(text_of, sizeof(id) + len, digest->data);
	pfree(text_of);
}

/*
 * A key that is about to be granted, and the members of its request; its
 * fingerprint may be given.  22023 if the request is not an object with all
 * of the members.
 */
void
idem_key_sighting_init(const IdemKey *key, Jsonb *request, bytea *fingerprint,
					   IdemSighting *sighting)
{
	const IdemScope *scope = key->scope;

	if (fingerprint == NULL || !scope->compares_fields)
		fingerprint = idem_key_fingerprint(scope->compared, request, NULL);
	memset(sighting, 0, sizeof(IdemSighting));
	sighting->key = key;
	members_digest(scope, fingerprint, &sighting->members);
	sighting->seen = GetCurrentTimestamp();
	sighting->since = sighting->seen - scope->duplicate_window;
}

/* The row, in a slot of its own. */
static TupleTableSlot *
make_row(IdemAnchor *sightings, const IdemSighting *sighting)
{
	Datum		values[Natts_sighting];
	bool		nulls[Natts_sighting] = {false};
	TupleTableSlot *slot =
		MakeSingleTupleTableSlot(RelationGetDescr(sightings->table),
								 &TTSOpsHeapTuple);

	values[Anum_sighting_digest - 1] = UUIDPGetDatum(&sighting->members);
	values[Anum_sighting_first_seen - 1] = TimestampTzGetDatum(sighting->seen);
	values[Anum_sighting_scope - 1] = Int32GetDatum(sighting->key->scope->id);
	values[Anum_sighting_key - 1] = PointerGetDatum(sighting->key->text);
	ExecStoreHeapTuple(idem_key_form_row(sightings, NULL, values, nulls), slot,
					   true);
	return slot;
}

/* Add the row in slot to the indexes; none of them is unique. */
static void
insert_entries(IdemAnchor *sightings, const IdemSighting *sighting,
			   TupleTableSlot *slot)
{
	IndexInfo  *info = makeNode(IndexInfo); /* of which a btree reads nothing */
	Datum		columns[2];
	bool		isnull[2] = {false, false};
	ListCell   *lc;

	columns[0] = UUIDPGetDatum(&sighting->members);
	columns[1] = TimestampTzGetDatum(sighting->seen);
	idem_key_open_indexes(sightings);
	foreach(lc, sightings->indexes)
	{
		Relation	index = lfirst(lc);

		if (index->rd_index->indisready)
			(void) index_insert(index, columns, isnull, &slot->tts_tid,
								sightings->table, UNIQUE_CHECK_NO, false, info);
	}
	idem_key_insert_other_entries(sightings, slot, false);
}

/* Write the row of a key that is granted, whatever is found. */
void
idem_key_sighting_write(IdemAnchor *anchor, const IdemSighting *sighting)
{
	IdemAnchor *sightings = idem_key_open_sightings(anchor);
	TupleTableSlot *slot = make_row(sightings, sighting);

	table_tuple_insert(sightings->table, slot, GetCurrentCommandId(true), 0,
					   NULL);
	insert_entries(sightings, sighting, slot);
	ExecDropSingleTupleTableSlot(slot);
}

/* Note that the key is held, so that it is found when it comes again. */
void
idem_key_sighting_hold(IdemAnchor *anchor, IdemSighting *sighting)
{
	TimestampTz seen = sighting->seen;

	sighting->seen = DT_NOEND;
	idem_key_sighting_write(anchor, sighting);
	sighting->seen = seen;
}

/* Write the row of a key that may be granted; others see that it may. */
void
idem_key_sighting_begin(IdemAnchor *anchor, IdemSighting *sighting)
{
	IdemAnchor *sightings = idem_key_open_sightings(anchor);

	sighting->slot = make_row(sightings, sighting);
	sighting->token =
		SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
	table_tuple_insert_speculative(sightings->table, sighting->slot,
								   GetCurrentCommandId(true), 0, NULL,
								   sighting->token);
	insert_entries(sightings, sighting, sighting->slot);
}

/* The key is granted, and its row stays; or it is not, and nothing does. */
void
idem_key_sighting_end(IdemAnchor *anchor, IdemSighting *sighting, bool stays)
{
	table_tuple_complete_speculative(anchor->sightings->table, sighting->slot,
									 sighting->token, stays);
	SpeculativeInsertionLockRelease(GetCurrentTransactionId());
	ExecDropSingleTupleTableSlot(sighting->slot);
	sighting->slot = NULL;
}

/* ---------- looking ---------- */

/* Look for the members, from since on, with a dirty snapshot. */
static IdemProbe *
begin_look(IdemAnchor *sightings, const IdemSighting *sighting)
{
	IdemProbe  *probe = &sightings->probe;
	ScanKeyData keys[SCAN_KEYS];

	if (probe->scan == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(probe->context);

		InitDirtySnapshot(probe->dirty);
		probe->slot = table_slot_create(sightings->table, NULL);
		probe->scan = index_beginscan(sightings->table, sightings->arbiter,
									  &probe->dirty, NULL, SCAN_KEYS, 0,
									  SO_NONE);
		MemoryContextSwitchTo(old);
	}
	ScanKeyInit(&keys[0], Anum_sighting_digest, BTEqualStrategyNumber,
				F_UUID_EQ, UUIDPGetDatum(&sighting->members));
	ScanKeyInit(&keys[1], Anum_sighting_first_seen,
				BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE,
				TimestampTzGetDatum(sighting->since));
	index_rescan(probe->scan, keys, SCAN_KEYS, NULL, 0);
	return probe;
}

/* The key of the row that was found last, in its page; NULL if it is ours. */
static text *
other_key(IdemProbe *probe, const IdemSighting *sighting)
{
	bool		isnull;
	text	   *other = DatumGetTextPP(slot_getattr(probe->slot,
													Anum_sighting_key,
													&isnull));
	const text *key = sighting->key->text;

	if (VARSIZE_ANY_EXHDR(other) == VARSIZE_ANY_EXHDR(key) &&
		memcmp(VARDATA_ANY(other), VARDATA_ANY(key),
			   VARSIZE_ANY_EXHDR(key)) == 0)
		return NULL;
	return other;
}

/* The time of the row that was found last. */
static TimestampTz
seen_time(IdemProbe *probe)
{
	bool		isnull;

	return DatumGetTimestampTz(slot_getattr(probe->slot,
											Anum_sighting_first_seen,
											&isnull));
}

/* Is the row that was found last one of a key that is held? */
static bool
is_held(IdemProbe *probe)
{
	return TIMESTAMP_IS_NOEND(seen_time(probe));
}

/* Did another key come with the same members, whatever became of it? */
bool
idem_key_sighting_any(IdemAnchor *anchor, IdemSighting *sighting)
{
	IdemProbe  *probe = begin_look(idem_key_open_sightings(anchor), sighting);
	bool		found = false;

	while (!found && idem_key_next_row(probe))
		found = other_key(probe, sighting) != NULL;
	ExecClearTuple(probe->slot);
	return found;
}

/*
 * When the key itself was granted last, before the row that is being judged,
 * as far as the look goes back; 0: it was not.
 */
TimestampTz
idem_key_sighting_taken(IdemAnchor *anchor, IdemSighting *sighting)
{
	IdemProbe  *probe = begin_look(idem_key_open_sightings(anchor), sighting);
	TimestampTz taken = 0;

	while (idem_key_next_row(probe))
	{
		if (other_key(probe, sighting) == NULL && !is_held(probe) &&
			seen_time(probe) != sighting->seen)
			taken = Max(taken, seen_time(probe));
	}
	ExecClearTuple(probe->slot);
	return taken;
}

/*
 * If the row is of a session that is looking now, and we are the one to wait,
 * wait for what it decides; the look begins again then.
 */
static bool
wait_for_higher(IdemProbe *probe)
{
	TransactionId xid = probe->dirty.xmin;
	uint32		token = probe->dirty.speculativeToken;

	if (token == 0 || TransactionIdPrecedes(xid, GetCurrentTransactionId()))
		return false;
	/* hold no page meanwhile */
	ExecClearTuple(probe->slot);
	index_rescan(probe->scan, NULL, SCAN_KEYS, NULL, 0);
	SpeculativeInsertionWait(xid, token);
	return true;
}

static bool
has_effect(const IdemFound *found)
{
	return strchr(STATES_WITHOUT_EFFECT,
				  DatumGetChar(found->values[Anum_anchor_state - 1])) == NULL;
}

/*
 * A key that speaks against ours has to do so as the transaction's snapshot
 * sees it, where the isolation level asks for one answer throughout: 40001
 * unless it does.
 */
static void
check_visible(IdemAnchor *anchor, const IdemKey *key, IdemFound *found)
{
	idem_key_check_visible(anchor, key, found);
	if (!has_effect(found))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to a concurrent change of key \"%s\" in scope \"%s\"",
						text_to_cstring(key->text), key->scope->name),
				 errhint("The transaction might succeed if retried.")));
}

/* Did a key come first when it was known not to be the same payment? */
static bool
is_accepted(const IdemSighting *sighting, const IdemFound *found)
{
	Datum		first_seen = found->values[Anum_anchor_first_seen - 1];

	return sighting->accepted != 0 &&
		DatumGetTimestampTz(first_seen) <= sighting->accepted;
}

/* Does the key of the row that was found speak against ours? */
static IdemOther
judge_other(IdemAnchor *anchor, IdemSighting *sighting, text *other)
{
	IdemFound	found;
	IdemKey		key;

	sighting->rival = anchor->sightings->probe.dirty.xmin;
	if (TransactionIdIsValid(sighting->rival))
		return IDEM_OTHER_RIVAL;
	idem_key_init(sighting->key->scope, other, &key);
	idem_key_find(anchor, &key, &found);
	sighting->rival = found.rival;
	if (found.held == IDEM_HELD_RIVAL)
		return IDEM_OTHER_RIVAL;
	if (found.held == IDEM_HELD_NOT || !has_effect(&found) ||
		is_accepted(sighting, &found))
		return IDEM_OTHER_NONE;
	check_visible(anchor, &key, &found);
	return IDEM_OTHER_KNOWN;
}

/*
 * What speaks against a key whose row is written: one that is open or
 * succeeded rather than one whose transaction has not ended.  Which one it is
 * is noted, and unless there is one of the first kind, whether the key has a
 * row that says it is held.
 */
IdemOther
idem_key_sighting_judge(IdemAnchor *anchor, IdemSighting *sighting)
{
	IdemProbe  *probe = begin_look(idem_key_open_sightings(anchor), sighting);
	TransactionId rival = InvalidTransactionId;
	IdemOther	result = IDEM_OTHER_NONE;

	while (result != IDEM_OTHER_KNOWN && idem_key_next_row(probe))
	{
		text	   *other = other_key(probe, sighting);
		IdemOther	one = IDEM_OTHER_NONE;

		CHECK_FOR_INTERRUPTS();
		if (is_held(probe))
			sighting->held = sighting->held || other == NULL;
		else if (other != NULL && wait_for_higher(probe))
			result = IDEM_OTHER_NONE;
		else if (other != NULL)
			one = judge_other(anchor, sighting, other);
		if (one <= result)
			continue;
		result = one;
		rival = sighting->rival;
		sighting->other =
			(text *) PG_DETOAST_DATUM_COPY(PointerGetDatum(other));
	}
	sighting->rival = rival;
	ExecClearTuple(probe->slot);
	return result;
}

/*
 * The same row for a key whose effect was there before anybody claimed it: for
 * later keys, if its request has the members.
 */
void
idem_key_sighting_adopt(IdemAnchor *anchor, const IdemKey *key, Jsonb *request,
						TimestampTz at)
{
	IdemSighting sighting;

	if (request == NULL ||
		!idem_key_has_fields(key->scope->compared, request))
		return;
	idem_key_sighting_init(key, request, NULL, &sighting);
	if (at < sighting.since)
		return;
	sighting.seen = at;
	idem_key_sighting_write(anchor, &sighting);
}
