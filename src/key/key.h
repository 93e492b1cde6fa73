/*
 * key.h
 *		Idempotency keys: their scopes, the tables they are kept in, and what a
 *		call for a key is answered.
 *
 * This header has what other rooms know of keys; declarations that only the
 * files of this room share are in key_inner.h.
 */
#ifndef IDEM_KEY_H
#define IDEM_KEY_H

#include "access/genam.h"
#include "access/htup.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/commit.h"

#define IDEM_KEY_BYTES_MAX			255

/* The keys of a scope, open for a guard that asks; see key_effect.c */
struct IdemEffects;

/* A member of the request that has to agree on a repeat. */
typedef struct IdemMember
{
	const char *name;			/* not terminated */
	int			len;			/* 1 to 255 */
} IdemMember;

/* Where a key carries its own time. */
typedef enum IdemKeyTime
{
	IDEM_TIME_NONE,
	IDEM_TIME_UUIDV7,
	IDEM_TIME_DATE,
	IDEM_TIME_ISO_DATE
} IdemKeyTime;

typedef struct IdemScope
{
	char		name[NAMEDATALEN];	/* hash key, must be first */
	int32		id;				/* of the name; part of every digest */
	TimestampTz created_at;		/* tells it from an earlier one of the name */
	bool		outside;		/* effect is a call to another system */
	bool		required;		/* no commit without complete */
	bool		flush;			/* a claim's commit is flushed, come what may */
	int			standbys;		/* so many have to be required; outside only */
	bool		any_charset;	/* keys of any text, not only visible ASCII */
	bool		is_table;		/* of the user's, and no scope: room bound */
	bool		spread;			/* other nodes have keys of their own: Citus */
	bool		limited;		/* only the roles below use its keys */
	int			nroles;
	char	  **roles;
	int			parts;			/* keys of so many parts; 0: of any form */
	IdemKeyTime key_time;
	bool		all_members;	/* fields is {*} */
	int			nmembers;
	IdemMember *members;		/* sorted as a fingerprint is */
	int64		lease;			/* microseconds; effects outside only */
	int64		quiet;
	int			nrungs;
	int64	   *ladder;
	int			nchannels;		/* effects outside only */
	char	  **channels;
	bool		keeps_fields;	/* of answers, nothing else */
	int64		repeat_within;	/* microseconds; 0: always */
	struct IdemScope *compared; /* the form of what requests are compared in,
								 * NULL: in nothing */
	bool		compares_fields;	/* in the fields themselves */
	int64		duplicate_window;	/* microseconds */
	bool		holds;			/* duplicates are held, not reported */
	bool		caller_confirms;
} IdemScope;

/* Columns of idem.anchor, and the states an anchor can be in. */
#define Anum_anchor_digest			1
#define Anum_anchor_first_seen		2
#define Anum_anchor_scope			3
#define Anum_anchor_state			4
#define Anum_anchor_key				5
#define Anum_anchor_fingerprint		6
#define Anum_anchor_response		7
#define Natts_anchor				7

#define IDEM_STATE_CLAIMED			'c' /* once committed, it succeeded */
#define IDEM_STATE_SUCCEEDED		's' /* completed with a response */
#define IDEM_STATE_DROPPED			'd' /* and the response dropped since */
#define IDEM_STATE_ADOPTED			'a' /* done before idem knew of it */
#define IDEM_STATE_FENCED			'n' /* never ran and never will */

/* Columns of idem.sighting */
#define Anum_sighting_digest		1
#define Anum_sighting_first_seen	2
#define Anum_sighting_scope			3
#define Anum_sighting_key			4
#define Natts_sighting				4

/* One key, as a call names it. */
typedef struct IdemKey
{
	const IdemScope *scope;
	text	   *text;
	pg_uuid_t	digest;
	TimestampTz time;			/* its own, in a scope with key_time; if
								 * judged */
	bool		sighted;		/* by this call, in a scope that compares */
} IdemKey;

/*
 * Of idem.reservation: the columns of idem.anchor come first, so that both
 * tables are probed and written alike.
 */
#define Anum_reservation_token			10
#define Anum_reservation_attempt		11
#define Anum_reservation_step			12
#define Anum_reservation_finished_at	15
#define Anum_reservation_due_at		16
#define Anum_reservation_dropped		19
#define Natts_reservation			25

/*
 * A scan of the unique index with a dirty snapshot, made by the first probe
 * and kept until the table is closed: many keys may be probed in one call.
 * The scan points to the snapshot, so neither is ever copied.
 */
typedef struct IdemProbe
{
	MemoryContext context;		/* the one the table was opened in */
	SnapshotData dirty;
	IndexScanDesc scan;			/* NULL before the first probe */
	TupleTableSlot *slot;
} IdemProbe;

/* A table that is open: idem.anchor, idem.reservation or idem.sighting. */
typedef struct IdemAnchor
{
	Relation	table;
	LOCKMODE	lockmode;		/* of the table and what belongs to it */
	Relation	arbiter;		/* the valid unique index; of sightings, the
								 * index of the digest */
	List	   *indexes;		/* ours, copies being built included, from the
								 * first row written on */
	List	   *others;			/* those that somebody else made */
	int			natts;			/* how many columns are ours: the first ones */
	IdemProbe	probe;			/* what one probe leaves for the next */
	struct IdemAnchor *sightings;	/* beside anchors, NULL: not open */
} IdemAnchor;

typedef enum IdemHeld
{
	IDEM_HELD_NOT,				/* no anchor: the key is new */
	IDEM_HELD_OWN,				/* taken by this transaction */
	IDEM_HELD_RIVAL,			/* by another one that has not ended */
	IDEM_HELD_COMMITTED
} IdemHeld;

/* What a probe found; the row only if it is held. */
typedef struct IdemFound
{
	IdemHeld	held;
	bool		written;		/* the row as it is was written by us */
	TransactionId rival;		/* of IDEM_HELD_RIVAL */
	IdemCommit	commit;			/* that wrote the row, if it is committed */
	HeapTuple	tuple;			/* a copy; toast pointers not followed */
	Datum		values[Natts_reservation];
	bool		nulls[Natts_reservation];
} IdemFound;

/* The answer to a call; members that are not set are NULL or false. */
typedef struct IdemAnswer
{
	const char *outcome;
	bool		granted;
	bool		settled;
	bool		reentrant;
	bool		never_reentrant;	/* the column is NULL: of a claim */
	const char *state;
	int64		token;			/* 0: none */
	int32		attempt;		/* 0: none */
	Datum		response;
	bool		has_response;
	bool		response_dropped;
	ArrayType  *mismatch;
	TimestampTz first_seen;		/* of this and the next three, 0: none */
	TimestampTz finished_at;
	TimestampTz lease_until;
	TimestampTz retry_at;
	TimestampTz dispatched_at;
	text	   *serial;			/* of this and the next, NULL: none */
	text	   *channel;
	DateADT		business_date;
	bool		has_date;
	DateADT		other_date;
	bool		has_other_date;
	Datum		settled_amount; /* numeric */
	bool		has_settled_amount;
	ArrayType  *marks;			/* NULL: none */
	const char *detail;
	IdemCommit	commit;			/* what the answer rests on */
} IdemAnswer;

/*
 * Columns of idem.claim_result, and after them those that idem.send_result has
 * more.
 */
enum
{
	RESULT_OUTCOME,
	RESULT_GRANTED,
	RESULT_SETTLED,
	RESULT_REENTRANT,
	RESULT_KEY,
	RESULT_STATE,
	RESULT_RESPONSE,
	RESULT_RESPONSE_DROPPED,
	RESULT_MISMATCH,
	RESULT_FIRST_SEEN,
	RESULT_DETAIL,
	CLAIM_RESULT_COLUMNS,
	RESULT_TOKEN = CLAIM_RESULT_COLUMNS,
	RESULT_ATTEMPT,
	RESULT_SERIAL,
	RESULT_CHANNEL,
	RESULT_BUSINESS_DATE,
	RESULT_OTHER_DATE,
	RESULT_DISPATCHED_AT,
	RESULT_FINISHED_AT,
	RESULT_LEASE_UNTIL,
	RESULT_RETRY_AT,
	RESULT_SETTLED_AMOUNT,
	RESULT_MARKS,
	SEND_RESULT_COLUMNS
};

/* The outcome of adopting a key */
typedef enum IdemAdopted
{
	IDEM_ADOPTED_NOW,
	IDEM_ADOPTED_KNOWN,			/* it was known, or may be forgotten */
	IDEM_ADOPTED_BUSY			/* a transaction that has not ended has it */
} IdemAdopted;

/* A row of idem.evidence; what is NULL or 0 is not known. */
typedef struct IdemEvidence
{
	const char *action;
	const char *outcome;
	int32		attempt;
	Jsonb	   *evidence;
	Jsonb	   *response;
	const char *reason;
	TimestampTz asked_at;
	const char *via;
	ArrayType  *codes;
	Datum		settled_amount; /* numeric */
	bool		has_settled_amount;
} IdemEvidence;

/* A row of idem.late_result; what is NULL or 0 is not known. */
typedef struct IdemLateResult
{
	int64		token;
	int32		attempt;
	const char *outcome;
	Jsonb	   *response;
	Jsonb	   *evidence;
	TimestampTz asked_at;
	const char *via;
	ArrayType  *codes;
	ArrayType  *mismatch;
	const char *state;			/* that it met */
	int64		newest;			/* token of the key at that time */
} IdemLateResult;

/* A row of a log of keys, about to be written. */
typedef struct IdemKeyLogRow
{
	Relation	log;
	Datum	   *values;			/* as many as the log has columns */
	bool	   *nulls;
} IdemKeyLogRow;

/* The columns with which each log of keys, and its primary key, begins. */
#define Anum_key_log_scope			1
#define Anum_key_log_key			2
#define Anum_key_log_number			3	/* n, or attempt */

/* key.c */
extern int32 idem_key_scope_id(const char *name);
extern void idem_key_digest(int32 scope, const text *key, pg_uuid_t *digest);
extern void idem_key_append(StringInfo buf, int number, const char *part,
							int len);
extern void idem_key_check(const IdemScope *scope, const text *key);
extern const char *idem_key_flaw(const IdemScope *scope, const text *key);
extern const char *idem_key_part_flaw(const char *part, int len);
extern void idem_key_init(const IdemScope *scope, text *str, IdemKey *key);

/* key_table.c */
extern const IdemScope *idem_key_open(text *name, LOCKMODE lockmode,
									  IdemAnchor *keys);
extern void idem_key_open_anchors(IdemAnchor *anchor, LOCKMODE lockmode);
extern void idem_key_close(IdemAnchor *anchor);

/* key_anchor.c */
extern void idem_key_probe(IdemAnchor *anchor, const IdemKey *key,
						   IdemFound *found);
extern void idem_key_find(IdemAnchor *anchor, const IdemKey *key,
						  IdemFound *found);
extern bool idem_key_lock(IdemAnchor *anchor, const IdemKey *key, bool wait,
						  IdemFound *found);
extern bool idem_key_insert_anchor(IdemAnchor *anchor, const IdemKey *key,
								   bytea *fingerprint, TimestampTz first_seen,
								   char state);
extern bool idem_key_insert(IdemAnchor *anchor, const IdemKey *key,
							Datum *values, bool *nulls);
extern void idem_key_update(IdemAnchor *anchor, const IdemFound *found,
							Datum *values, bool *nulls);
extern bool idem_key_read(IdemAnchor *anchor, const IdemKey *key,
						  IdemFound *found);
extern void idem_key_check_visible(IdemAnchor *anchor, const IdemKey *key,
								   IdemFound *found);

/* key_scope.c */
extern void idem_key_check_here(const IdemScope *scope);
extern void idem_key_form_of_table(const char *table, bool any_charset,
								   List *fields, IdemScope *form);

/* key_right.c */
extern void idem_key_refuse_role(const IdemScope *scope);
extern bool idem_key_may_look(const IdemScope *scope);

/* 42501 unless the caller may use keys of the scope. */
static inline void
idem_key_check_right(const IdemScope *scope)
{
	if (unlikely(scope->limited))
		idem_key_refuse_role(scope);
}

/* key_pause.c */
extern void idem_key_pause_init(void);
extern bool idem_key_paused(const IdemScope *scope, IdemAnswer *answer);

/* key_horizon.c */
extern bool idem_key_judge(IdemKey *key);

/* key_suspect.c */
extern const char *idem_key_confirmed(FunctionCallInfo fcinfo, int n,
									  const IdemScope *scope);
extern bool idem_key_refuse_suspect(IdemAnchor *anchor, IdemKey *key,
									Jsonb *request, bytea *fingerprint,
									const char *confirmed, IdemAnswer *answer);
extern bool idem_key_is_held(const IdemKey *key, TimestampTz *since);

/*
 * A key is about to be granted or reserved: is that allowed?  If not, answer
 * says why.  The fingerprint is that of the request; NULL: there is none, or
 * it was made from another request.
 */
static inline bool
idem_key_refused(IdemAnchor *anchor, IdemKey *key, Jsonb *request,
				 bytea *fingerprint, const char *confirmed, IdemAnswer *answer)
{
	if (likely(key->scope->compared == NULL))
		return idem_key_paused(key->scope, answer);
	return idem_key_refuse_suspect(anchor, key, request, fingerprint,
								   confirmed, answer);
}

/* key_taken.c */
extern void idem_key_note_taken(const pg_uuid_t *digest);
extern void idem_key_note_granted(const pg_uuid_t *digest);
extern bool idem_key_granted(const pg_uuid_t *digest);

/* key_effect.c */
extern bool idem_key_effect_scope(const char *name, bool *outside);
extern struct IdemEffects *idem_key_effects_open(const char *scope);
extern void idem_key_effects_close(struct IdemEffects *effects);
extern bool idem_key_effect_shown(const char *scope);
extern bool idem_key_is_effect_state(const char *word);
extern const char *idem_key_effect_state(const char *scope, text *key);
extern const char *idem_key_effects_state(struct IdemEffects *effects,
										  text *key);
extern struct IdemEffects *idem_key_effects_open_to_adopt(const char *scope,
														  bool done);
extern IdemAdopted idem_key_adopt(struct IdemEffects *effects, text *key,
								  Jsonb *request, TimestampTz first_seen);
extern bool idem_key_effects_know(struct IdemEffects *effects, text *key);

/* key_fingerprint.c */
extern bytea *idem_key_fingerprint(const IdemScope *scope, Jsonb *request,
								   bytea *first);
extern bytea *idem_key_fingerprint_stored(const IdemScope *scope,
										  Jsonb *request);
extern bool idem_key_has_fields(const IdemScope *scope, Jsonb *request);
extern ArrayType *idem_key_request_diff(const IdemScope *scope, Jsonb *request,
										bytea *first);
extern bool idem_key_same_value(const JsonbValue *a, const JsonbValue *b);
extern bool idem_key_number(const JsonbValue *value, Datum *number);

/* key_declare.c */
extern void idem_key_check_fields(List *fields);

/* key_duration.c */
extern int64 idem_key_duration(const char *argument, const Interval *interval,
							   bool zero);

/* key_answer.c */
extern void idem_key_describe(const IdemFound *found, IdemAnswer *answer);
extern void idem_key_answer_expired(const IdemKey *key, IdemAnswer *answer);
extern void idem_key_answer_reused(const IdemKey *key, IdemAnswer *answer);
extern const char *idem_key_rival_detail(TransactionId rival);
extern void idem_key_claim_values(const IdemKey *key, IdemAnswer *answer,
								  Datum *values, bool *nulls);
extern void idem_key_send_values(const IdemKey *key, IdemAnswer *answer,
								 Datum *values, bool *nulls);
extern Datum idem_key_claim_row(const IdemKey *key, IdemAnswer *answer);
extern Datum idem_key_send_row(const IdemKey *key, IdemAnswer *answer);

/* key_log.c */
extern void idem_key_keep_evidence(const IdemKey *key,
								   const IdemEvidence *evidence);
extern void idem_key_keep_confirmation(const IdemKey *key,
									   const pg_uuid_t *members,
									   const char *reason);
extern bool idem_key_was_confirmed(const IdemKey *key,
								   const pg_uuid_t *members, TimestampTz *at);
extern void idem_key_keep_late_result(const IdemKey *key,
									  const IdemLateResult *late);
extern void idem_key_log_begin(IdemKeyLogRow *row, const char *name, int natts,
							   const IdemKey *key);
extern void idem_key_log_put(IdemKeyLogRow *row, int attnum, Datum value);
extern void idem_key_log_put_pointer(IdemKeyLogRow *row, int attnum,
									 const void *value);
extern void idem_key_log_add(IdemKeyLogRow *row);
extern void idem_key_log_insert(IdemKeyLogRow *row);
extern Relation idem_key_log_open(const char *name, int natts,
								  LOCKMODE lockmode);
extern HeapTuple idem_key_log_find(Relation log, const IdemKey *key,
								   int32 number);

#endif							/* IDEM_KEY_H */
