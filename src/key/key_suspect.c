/*
 * key_suspect.c
 *		Suspected duplicates: another key, the same payment.
 *
 * A key whose members (duplicate_fields) are those of another one that is open
 * or succeeded, first seen within the window, may be a second request for one
 * payment; or an equal payment, which is lawful.  So people have to decide.  A
 * scope with on_duplicate 'report' grants the key and lists it in
 * idem.suspects; nobody waits, and nothing is refused.  Under 'hold' it is
 * answered suspect, neither granted nor settled, until it is confirmed or what
 * spoke against it has failed; while that is not committed, in_progress.
 *
 * What decides a race is key_sighting.c: of n keys with the same members at
 * least n - 1 are reported, and at most one is granted where they are held.
 *
 * A held key stays held: its first row in idem.suspect says when it came, and
 * the window is counted from there, however late it comes again.  That row
 * commits with the caller's transaction; a caller that rolls back after
 * suspect leaves none, and the key is new when it comes again.
 *
 * A confirmation of a key that was granted, and released since, says nothing of
 * keys that came first after both: the customer may have ordered anew.
 *
 * A confirmation is a row of idem.evidence, kept with its reason.  It has to
 * come from an operator, unless the scope leaves it to the caller.
 *
 * Shown by sql/claim_suspect.sql and test/isolation/specs/claim_suspect.spec.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/approval.h"
#include "base/argument.h"
#include "base/durable.h"
#include "base/latest.h"
#include "base/reason.h"
#include "base/right.h"
#include "key/key_answer.h"
#include "key/key_inner.h"
#include "key/key_log.h"

/* Columns of idem.suspect; scope and key are those of a log of keys. */
#define Anum_suspect_id				3
#define Anum_suspect_members		4
#define Anum_suspect_first_seen		5
#define Anum_suspect_held			6
#define Natts_suspect				6

/* ---------- rows of idem.suspect ---------- */

/* The index on the id, or InvalidOid: then the table is read without. */
static Oid
find_index(Relation rel)
{
	static Oid	known = InvalidOid; /* checked before each use */
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	if (!list_member_oid(indexes, known))
		known = InvalidOid;
	foreach(lc, indexes)
	{
		Relation	index;

		if (OidIsValid(known))
			break;
		index = index_open(lfirst_oid(lc), AccessShareLock);
		if (index->rd_index->indisvalid && index->rd_index->indnatts == 1 &&
			index->rd_index->indkey.values[0] == Anum_suspect_id &&
			heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
			known = RelationGetRelid(index);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return known;
}

/* What such a row says. */
typedef struct Noted
{
	pg_uuid_t	members;
	TimestampTz since;
	bool		held;
} Noted;

static void
read_suspect(HeapTuple tuple, TupleDesc desc, Noted *noted)
{
	bool		isnull;

	noted->members = *DatumGetUUIDP(heap_getattr(tuple, Anum_suspect_members,
												 desc, &isnull));
	noted->since = DatumGetTimestampTz(heap_getattr(tuple,
													Anum_suspect_first_seen,
													desc, &isnull));
	noted->held = DatumGetBool(heap_getattr(tuple, Anum_suspect_held, desc,
											&isnull));
}

/*
 * The first time that a key was noted as held, or as granted, with these
 * members, or with any for NULL; as is committed now or written here.
 */
static bool
find_suspect(const IdemKey *key, bool held, const pg_uuid_t *members,
			 Noted *first)
{
	Relation	rel = table_open(idem_key_suspect_relid(), AccessShareLock);
	Oid			index = find_index(rel);
	bool		found = false;
	ScanKeyData scankey;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&scankey, Anum_suspect_id, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(&key->digest));
	scan = systable_beginscan(rel, index, OidIsValid(index), SnapshotSelf, 1,
							  &scankey);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Noted		noted;

		read_suspect(tuple, RelationGetDescr(rel), &noted);
		if (noted.held != held || (found && noted.since >= first->since) ||
			(members != NULL &&
			 memcmp(noted.members.data, members->data, UUID_LEN) != 0))
			continue;
		*first = noted;
		found = true;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* Note that a key is suspected, if that is not noted; returns since when. */
static TimestampTz
keep_suspect(IdemAnchor *anchor, IdemSighting *sighting, bool held)
{
	IdemKeyLogRow row;
	Noted		noted;

	if (find_suspect(sighting->key, held, &sighting->members, &noted))
		return noted.since;
	if (held)
		idem_key_sighting_hold(anchor, sighting);
	idem_key_log_begin(&row, "suspect", Natts_suspect, sighting->key);
	idem_key_log_put_pointer(&row, Anum_suspect_id, &sighting->key->digest);
	idem_key_log_put_pointer(&row, Anum_suspect_members, &sighting->members);
	idem_key_log_put(&row, Anum_suspect_first_seen,
					 TimestampTzGetDatum(sighting->seen));
	idem_key_log_put(&row, Anum_suspect_held, BoolGetDatum(held));
	idem_key_log_add(&row);
	return sighting->seen;
}

/* Is a key that nobody has one that is held?  Since when, then. */
bool
idem_key_is_held(const IdemKey *key, TimestampTz *since)
{
	Noted		noted;

	if (key->scope->compared == NULL || !key->scope->holds ||
		!find_suspect(key, true, NULL, &noted) ||
		idem_key_was_confirmed(key, &noted.members, NULL))
		return false;
	*since = noted.since;
	return true;
}

/* ---------- confirming ---------- */

/*
 * The argument that says why a key is no duplicate, or NULL: 22023 for one
 * that is no reason, or in a scope that compares no requests; 42501 from a
 * caller who may not say so.
 */
const char *
idem_key_confirmed(FunctionCallInfo fcinfo, int n, const IdemScope *scope)
{
	const char *reason = idem_reason(fcinfo, n, "confirmed");

	if (likely(reason == NULL))
		return NULL;
	if (scope->compared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scope \"%s\" suspects no duplicates", scope->name),
				 errhint("Leave \"confirmed\" out, or declare duplicate_fields with idem.alter_scope.")));
	if (!scope->caller_confirms)
		idem_require_operator("confirm suspects");
	return reason;
}

static char *
uuid_text(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid)));
}

/* A caller says why its key is no duplicate. */
static void
confirm(IdemSighting *sighting, const char *reason)
{
	const IdemKey *key = sighting->key;

	if (!key->scope->caller_confirms)
		idem_need_approval("confirm",
						   psprintf("key \"%s\" in scope \"%s\"",
									text_to_cstring(key->text),
									key->scope->name),
						   list_make3(pstrdup(reason),
									  psprintf(INT64_FORMAT,
											   key->scope->created_at),
									  uuid_text(&sighting->members)));
	idem_key_keep_confirmation(key, &sighting->members, reason);
}

/* ---------- what a call is answered ---------- */

/* What is compared, for people. */
static char *
compared_text(const IdemScope *scope)
{
	StringInfoData buf;
	int			i;

	initStringInfo(&buf);
	if (scope->compared->all_members)
		appendStringInfoString(&buf, "request");
	for (i = 0; i < scope->compared->nmembers; i++)
		appendStringInfo(&buf, "%s%.*s", i == 0 ? "" : ", ",
						 scope->compared->members[i].len,
						 scope->compared->members[i].name);
	return buf.data;
}

static void
answer_in_progress(const IdemSighting *sighting, IdemAnswer *answer)
{
	answer->outcome = "in_progress";
	answer->detail = psprintf("key \"%s\" has the same %s, and is %s",
							  text_to_cstring(sighting->other),
							  compared_text(sighting->key->scope),
							  idem_key_rival_detail(sighting->rival));
}

static void
answer_suspect(const IdemSighting *sighting, IdemAnswer *answer)
{
	const IdemScope *scope = sighting->key->scope;

	answer->outcome = "suspect";
	answer->detail = psprintf("key \"%s\" has the same %s: %s confirms with a reason that this is another payment",
							  text_to_cstring(sighting->other),
							  compared_text(scope),
							  scope->caller_confirms ? "the caller" : "an operator");
}

/*
 * What speaks against a key although it is confirmed: nothing, unless it was
 * granted before, and somebody else came first after that and after it was
 * confirmed.
 */
static IdemOther
judge_confirmed(IdemAnchor *anchor, IdemSighting *sighting,
				TimestampTz confirmed)
{
	IdemFound	found;

	idem_key_find(anchor, sighting->key, &found);
	if (found.held != IDEM_HELD_COMMITTED && found.held != IDEM_HELD_OWN)
		return IDEM_OTHER_NONE;
	sighting->accepted = Max(confirmed,
							 idem_key_sighting_taken(anchor, sighting));
	return idem_key_sighting_judge(anchor, sighting);
}

/*
 * What speaks against a key whose row is written, within the window before it
 * came, which may be long ago if it was held.
 */
static IdemOther
judge(IdemAnchor *anchor, IdemSighting *sighting)
{
	const IdemKey *key = sighting->key;
	IdemOther	other = idem_key_sighting_judge(anchor, sighting);
	Noted		noted;
	TimestampTz confirmed;

	if (other != IDEM_OTHER_KNOWN && sighting->held &&
		find_suspect(key, true, &sighting->members, &noted))
	{
		sighting->since = noted.since - key->scope->duplicate_window;
		other = idem_key_sighting_judge(anchor, sighting);
	}
	if (other != IDEM_OTHER_NONE &&
		idem_key_was_confirmed(key, &sighting->members, &confirmed))
		other = judge_confirmed(anchor, sighting, confirmed);
	return other;
}

/*
 * Under hold: write, look, and leave the row only if the key is granted.
 * False: it may be.
 */
static bool
refuse_held(IdemAnchor *anchor, IdemSighting *sighting, IdemAnswer *answer)
{
	const IdemKey *key = sighting->key;
	IdemOther	other;
	bool		refused;

	idem_key_sighting_begin(anchor, sighting);
	other = judge(anchor, sighting);
	refused = other != IDEM_OTHER_NONE || idem_key_paused(key->scope, answer);
	idem_key_sighting_end(anchor, sighting, !refused);
	if (other == IDEM_OTHER_RIVAL)
		answer_in_progress(sighting, answer);
	else if (other == IDEM_OTHER_KNOWN)
	{
		answer_suspect(sighting, answer);
		answer->first_seen = keep_suspect(anchor, sighting, true);
	}
	return refused;
}

/*
 * Where duplicates are reported, or this is said to be none: only a pause
 * keeps the key from being granted.
 */
static bool
report(IdemAnchor *anchor, IdemSighting *sighting, const char *confirmed,
	   IdemAnswer *answer)
{
	if (idem_key_paused(sighting->key->scope, answer))
		return true;
	idem_key_sighting_write(anchor, sighting);
	if (confirmed != NULL)
		confirm(sighting, confirmed);
	else if (idem_key_sighting_any(anchor, sighting))
		(void) keep_suspect(anchor, sighting, false);
	return false;
}

/*
 * In a scope that compares requests: is a key that is about to be granted, of
 * an open table, not to be?  Then answer says why.  Once a call: if the key is
 * not taken after all because somebody was faster, the row it has left counts
 * for the next turn.
 */
bool
idem_key_refuse_suspect(IdemAnchor *anchor, IdemKey *key, Jsonb *request,
						bytea *fingerprint, const char *confirmed,
						IdemAnswer *answer)
{
	IdemSighting sighting;
	bool		refused;

	if (key->sighted)
		return idem_key_paused(key->scope, answer);
	idem_key_sighting_init(key, request, fingerprint, &sighting);
	refused = key->scope->holds && confirmed == NULL ?
		refuse_held(anchor, &sighting, answer) :
		report(anchor, &sighting, confirmed, answer);
	key->sighted = !refused;
	return refused;
}

/* ---------- many at once ---------- */

/* A suspect that is there to be confirmed. */
typedef struct Suspect
{
	text	   *scope;
	text	   *key;
	pg_uuid_t	members;
} Suspect;

static text *
text_result(uint64 row, int column)
{
	return cstring_to_text(SPI_getvalue(SPI_tuptable->vals[row],
										SPI_tuptable->tupdesc, column));
}

/*
 * Those of the ids that are suspects now, in the order in which many keys are
 * claimed, so that two calls that confirm cannot wait for each other.
 */
static Suspect *
read_suspects(Datum ids, uint64 *count)
{
	static const char *const sql =
		"SELECT scope, key, members FROM idem.suspects WHERE id = ANY ($1)"
		" ORDER BY id, members";
	Oid			type = UUIDARRAYOID;
	Suspect    *suspects;
	uint64		i;
	bool		isnull;

	*count = idem_run_as_extension(sql, 1, &type, &ids, NULL);
	suspects = palloc(sizeof(Suspect) * Max(*count, 1));
	for (i = 0; i < *count; i++)
	{
		suspects[i].scope = text_result(i, 1);
		suspects[i].key = text_result(i, 2);
		suspects[i].members =
			*DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[i],
										 SPI_tuptable->tupdesc, 3, &isnull));
	}
	return suspects;
}

/* 42501 where it needs a second person: of these very keys. */
static void
need_approval(const Suspect *suspects, uint64 count, const char *reason)
{
	List	   *facts = list_make1(pstrdup(reason));
	uint64		i;

	for (i = 0; i < count; i++)
	{
		facts = lappend(facts, text_to_cstring(suspects[i].scope));
		facts = lappend(facts, text_to_cstring(suspects[i].key));
		facts = lappend(facts, uuid_text(&suspects[i].members));
	}
	idem_need_approval("confirm", psprintf(UINT64_FORMAT " suspects", count),
					   facts);
}

/*
 * confirm_suspects(ids, reason) -> bigint
 */
PG_FUNCTION_INFO_V1(idem_confirm_suspects);
Datum
idem_confirm_suspects(PG_FUNCTION_ARGS)
{
	const char *reason = idem_required_reason(fcinfo, 1, "reason");
	Suspect    *suspects;
	uint64		count;
	uint64		i;

	PreventCommandIfReadOnly("idem.confirm_suspects()");
	idem_require_argument(fcinfo, 0, "ids");
	idem_require_operator("confirm suspects");
	SPI_connect();
	suspects = read_suspects(PG_GETARG_DATUM(0), &count);
	if (count > 0)
		need_approval(suspects, count, reason);
	for (i = 0; i < count; i++)
	{
		IdemKey		key;

		CHECK_FOR_INTERRUPTS();
		idem_key_init(idem_key_scope_get(suspects[i].scope), suspects[i].key,
					  &key);
		idem_key_keep_confirmation(&key, &suspects[i].members, reason);
	}
	if (count > 0)
		idem_flush();
	SPI_finish();
	PG_RETURN_INT64((int64) count);
}

/*
 * key_digest(scope, key) -> uuid
 */
PG_FUNCTION_INFO_V1(idem_key_digest_sql);
Datum
idem_key_digest_sql(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *digest;

	if (VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(1)) > IDEM_KEY_BYTES_MAX)
		PG_RETURN_NULL();
	digest = palloc(sizeof(pg_uuid_t));
	idem_key_digest(PG_GETARG_INT32(0), PG_GETARG_TEXT_PP(1), digest);
	PG_RETURN_UUID_P(digest);
}
