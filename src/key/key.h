/*
 * key.h
 *		What the files of the room share.
 *
 *		claim.c				the SQL functions: which answer a call gets
 *		key_anchor.c		the table: probe, insert, complete
 *		key_scope.c		declared scopes, remembered per session
 *		key.c			which keys are accepted; the digest of a key
 *		key_sha256.c		SHA-256
 *		key_horizon.c		keys that carry their own time, and may be forgotten
 *		key_declare.c		declaring, altering and dropping scopes
 *		key_retire.c		dropping bodies, forgetting keys
 *		claim_many.c		many keys in one call
 *		key_fingerprint.c	what of a request must agree on a repeat
 *		key_taken.c		which keys this transaction has taken
 *		claim_required.c	no commit with a claim that was not completed
 *		key_duration.c	leases, quiet intervals, ladders
 */
#ifndef IDEM_KEY_H
#define IDEM_KEY_H

#include "access/genam.h"
#include "access/htup.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "base/durable.h"

#define IDEM_KEY_BYTES_MAX			255
#define IDEM_KEY_PARTS_MAX			64	/* each takes 4 bytes at least */
#define IDEM_SCOPE_NAME_BYTES_MAX	(NAMEDATALEN - 1)
#define IDEM_MEMBER_BYTES_MAX		255
#define IDEM_FINGERPRINT_BYTES_MAX	2000
#define IDEM_DIGEST_BYTES			UUID_LEN

/* A member of the request that has to agree on a repeat. */
typedef struct IdemMember
{
	const char *name;			/* not terminated */
	int			len;			/* 1 to IDEM_MEMBER_BYTES_MAX */
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
	bool		spread;			/* other nodes have keys of their own: Citus */
	int			parts;			/* keys of so many parts; 0: of any form */
	IdemKeyTime key_time;
	bool		all_members;	/* fields is {*} */
	int			nmembers;
	IdemMember *members;		/* sorted as a fingerprint is */
	int64		lease;			/* microseconds; effects outside only */
	int64		quiet;
	int			nrungs;
	int64	   *ladder;
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

/* One key, as a call names it. */
typedef struct IdemKey
{
	const IdemScope *scope;
	text	   *text;
	pg_uuid_t	digest;
	TimestampTz time;			/* its own, in a scope with key_time; if judged */
} IdemKey;

/*
 * Columns of idem.reservation: those of idem.anchor come first, so that both
 * tables are probed and written alike.
 */
#define Anum_reservation_request		8
#define Anum_reservation_nonce			9
#define Anum_reservation_token			10
#define Anum_reservation_attempt		11
#define Anum_reservation_step			12
#define Anum_reservation_lease_until	13
#define Anum_reservation_dispatched_at	14
#define Anum_reservation_finished_at	15
#define Anum_reservation_due_at			16
#define Anum_reservation_fenced_at		17
#define Anum_reservation_concern		18
#define Anum_reservation_dropped		19
#define Anum_reservation_serial			20
#define Anum_reservation_settled_amount	21
#define Anum_reservation_presumed_at	22
#define Anum_reservation_corrected_at	23
#define Anum_reservation_returned_on	24
#define Anum_reservation_returned_amount 25
#define Natts_reservation				25

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

/* A table of anchors, open: idem.anchor or idem.reservation. */
typedef struct IdemAnchor
{
	Relation	table;
	LOCKMODE	lockmode;		/* of the table and what belongs to it */
	Relation	arbiter;		/* the valid unique index */
	List	   *indexes;		/* ours, copies being built included, from the
								 * first row written on */
	List	   *others;			/* those that somebody else made */
	int			natts;			/* how many columns are ours: the first ones */
	IdemProbe	probe;			/* what one probe leaves for the next */
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

/* What a call answers; what is not set is NULL or false. */
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

/* claim.c */
extern void idem_claim_key_read(const IdemScope *scope, text *text, IdemKey *key);
extern void idem_scope_check_inside(const IdemScope *scope);
extern void idem_claim_one(IdemAnchor *anchor, IdemKey *key, Jsonb *request,
						   IdemAnswer *answer);
extern void idem_answer_expired(const IdemKey *key, IdemAnswer *answer);
extern void idem_claim_values(const IdemKey *key, IdemAnswer *answer,
							  Datum *values, bool *nulls);
extern void idem_send_values(const IdemKey *key, IdemAnswer *answer,
							 Datum *values, bool *nulls);
extern Datum idem_claim_row(const IdemKey *key, IdemAnswer *answer);
extern Datum idem_send_row(const IdemKey *key, IdemAnswer *answer);
extern void idem_anchor_describe(const IdemFound *found, IdemAnswer *answer);
extern const char *idem_rival_detail(TransactionId rival);

/* key_anchor.c */
extern void idem_anchor_open(IdemAnchor *anchor, LOCKMODE lockmode);
extern void idem_reservation_open(IdemAnchor *anchor, LOCKMODE lockmode);
extern void idem_anchor_close(IdemAnchor *anchor);
extern void idem_anchor_unlock(IdemAnchor *anchor, LOCKMODE lockmode);
extern void idem_anchor_probe(IdemAnchor *anchor, const IdemKey *key,
							  IdemFound *found);
extern void idem_anchor_find(IdemAnchor *anchor, const IdemKey *key,
							 IdemFound *found);
extern bool idem_anchor_lock(IdemAnchor *anchor, const IdemKey *key, bool wait,
							 IdemFound *found);
extern bool idem_anchor_insert(IdemAnchor *anchor, const IdemKey *key,
							   bytea *fingerprint, TimestampTz first_seen,
							   char state);
extern bool idem_anchor_insert_row(IdemAnchor *anchor, const IdemKey *key,
								   Datum *values, bool *nulls);
extern void idem_anchor_update_row(IdemAnchor *anchor, const IdemFound *found,
								   Datum *values, bool *nulls);
extern bool idem_anchor_read(IdemAnchor *anchor, const IdemKey *key,
							 IdemFound *found);
extern void idem_anchor_check_visible(IdemAnchor *anchor, const IdemKey *key,
									  IdemFound *found);
extern void idem_anchor_complete(IdemAnchor *anchor, const IdemFound *found,
								 Datum response, bool no_response);

/* key_scope.c */
extern Oid	idem_scope_relid(void);
extern Oid	idem_anchor_relid(void);
extern Oid	idem_reservation_relid(void);
extern Oid	idem_claim_result_type(void);
extern Oid	idem_send_result_type(void);
extern bool idem_scope_exists(const char *name);
extern char *idem_scope_named(int32 id);
extern const IdemScope *idem_scope_get(text *name);
extern const IdemScope *idem_scope_open(text *name, LOCKMODE lockmode,
										IdemAnchor *keys);
extern void idem_scope_check_here(const IdemScope *scope);
extern void idem_scope_check_standbys(const IdemScope *scope);
extern TimestampTz idem_scope_horizon(const IdemScope *scope,
									  IdemCommit *commit);

/* key_sha256.c */
extern void idem_digest16(const void *data, size_t len, uint8 *digest);

/* key.c */
extern int32 idem_scope_id(const char *name);
extern void idem_key_digest(int32 scope, const text *key, pg_uuid_t *digest);
extern void idem_key_check_size(const IdemScope *scope, const text *key);
extern bool idem_key_has_form(const IdemScope *scope, const text *key);
extern void idem_key_check(const IdemScope *scope, const text *key);
extern const char *idem_key_first_part(const char *key, int *len);
extern bool idem_name_is_clean(const char *name, int len);

/* key_horizon.c */
extern IdemKeyTime idem_key_time_named(const char *name);
extern bool idem_key_judge(IdemKey *key);
extern bool idem_key_expired(const IdemKey *key);

/* key_fingerprint.c */
extern int	idem_member_cmp(const void *a, const void *b);
extern bytea *idem_fingerprint(const IdemScope *scope, Jsonb *request,
							   bytea *first);
extern ArrayType *idem_request_diff(const IdemScope *scope, Jsonb *request,
									bytea *first);

/* key_duration.c */
extern int64 idem_duration(const char *argument, const Interval *interval,
						   bool zero);
extern int64 *idem_ladder(ArrayType *array, int *count);

/* key_taken.c */
extern void idem_taken_note(const pg_uuid_t *digest);
extern bool idem_taken_here(const pg_uuid_t *digest);

/* claim_required.c */
extern void idem_require_completion(const IdemKey *key);

#endif							/* IDEM_KEY_H */
