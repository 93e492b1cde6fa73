/*
 * key_inner.h
 *		What only the files of the room share.
 *
 *		key.c				which keys are accepted; the digest of a key
 *		key_sha256.c		SHA-256
 *		key_time.c			keys that carry their own time
 *		key_fingerprint.c	what of a request must agree on a repeat
 *		key_duration.c		leases, quiet intervals, ladders
 *		key_relation.c		where the room's tables are
 *		key_scope.c			declared scopes, remembered per session
 *		key_right.c			which roles use a scope
 *		key_pause.c			a scope that is paused
 *		key_horizon.c		how a scope may forget keys
 *		key_taken.c			which keys this transaction has taken
 *		key_table.c			the table of a scope's keys, opened
 *		key_anchor.c		its rows: probe, insert, lock, change
 *		key_sighting.c		which keys came with which members
 *		key_effect.c		what a guard on a table of effects asks
 *		key_answer.c		what a call is answered
 *		key_log.c			what is only ever added for a key
 *		key_suspect.c		suspected duplicates
 *		key_declare.c		declaring and altering scopes
 *		key_drop.c			dropping them
 *		key_retire.c		dropping bodies, forgetting keys
 *
 * A file uses what stands above it.
 */
#ifndef IDEM_KEY_INNER_H
#define IDEM_KEY_INNER_H

#include "utils/array.h"
#include "utils/jsonb.h"

#include "key/key_table.h"

#define IDEM_KEY_PARTS_MAX			64	/* each takes 4 bytes at least */
#define IDEM_SCOPE_NAME_BYTES_MAX	(NAMEDATALEN - 1)
#define IDEM_MEMBER_BYTES_MAX		255
#define IDEM_FINGERPRINT_BYTES_MAX	2000
#define IDEM_DIGEST_BYTES			UUID_LEN

/* key_sha256.c */
extern void idem_key_digest16(const void *data, size_t len, uint8 *digest);

/* key.c */
extern bool idem_key_has_form(const IdemScope *scope, const text *key);
extern const char *idem_key_first_part(const char *key, int *len);
extern bool idem_key_is_clean_name(const char *name, int len);

/* key_time.c */
extern IdemKeyTime idem_key_time_named(const char *name);
extern bool idem_key_read_time(const IdemScope *scope, const text *key,
							   TimestampTz *time);
extern TimestampTz idem_key_time_of(const IdemScope *scope, const text *key);

/* key_fingerprint.c */
extern int	idem_key_member_cmp(const void *a, const void *b);

/* key_duration.c */
extern int64 *idem_key_ladder(ArrayType *array, int *count);

/* key_relation.c */
extern Oid	idem_key_scope_relid(void);
extern Oid	idem_key_anchor_relid(void);
extern Oid	idem_key_reservation_relid(void);
extern Oid	idem_key_runtime_role_relid(void);
extern Oid	idem_key_sighting_relid(void);
extern Oid	idem_key_suspect_relid(void);
extern Oid	idem_key_claim_result_type(void);
extern Oid	idem_key_send_result_type(void);

/* key_scope.c */
extern bool idem_key_scope_exists(const char *name);
extern char *idem_key_scope_named(int32 id);
extern const IdemScope *idem_key_scope_get(text *name);
extern TimestampTz idem_key_scope_horizon(const IdemScope *scope,
										  IdemCommit *commit);

/* key_declare.c */
extern uint64 idem_key_run_with_scope(Relation rel, const char *sql,
									  int32 scope);
extern List *idem_key_logged_settings(Relation rel, int32 scope);
extern void idem_key_need_approval(Relation rel, const char *action,
								   int32 scope, const char *name,
								   List *changes, const char *force);

/* key_right.c */
extern void idem_key_read_roles(IdemScope *scope);

/* key_horizon.c */
extern bool idem_key_expired(const IdemKey *key);
extern bool idem_key_forgotten(IdemKey *key);

/* key_taken.c */
extern bool idem_key_taken_here(const pg_uuid_t *digest);

/* key_table.c */
extern void idem_key_open_indexes(IdemAnchor *anchor);
extern IdemAnchor *idem_key_open_sightings(IdemAnchor *anchor);

/* key_anchor.c */
extern void idem_key_check_version(IdemAnchor *anchor, const IdemKey *key,
								   IdemFound *found);
extern HeapTuple idem_key_form_row(IdemAnchor *anchor, HeapTuple before,
								   Datum *values, bool *nulls);
extern void idem_key_insert_other_entries(IdemAnchor *anchor,
										  TupleTableSlot *slot,
										  bool only_summarizing);
extern bool idem_key_next_row(IdemProbe *probe);

/* key_sighting.c */

/* What speaks against a key: another one that has the same members. */
typedef enum IdemOther
{
	IDEM_OTHER_NONE,
	IDEM_OTHER_RIVAL,			/* of a transaction that has not ended */
	IDEM_OTHER_KNOWN			/* open or succeeded */
} IdemOther;

/* A key, and the members it came with. */
typedef struct IdemSighting
{
	const IdemKey *key;
	pg_uuid_t	members;
	TimestampTz seen;			/* when it came */
	TimestampTz since;			/* others from then on speak against it */
	TimestampTz accepted;		/* but none first seen until then; 0: any */
	text	   *other;			/* which one does; NULL: none */
	bool		held;			/* it was held when it came before */
	TransactionId rival;		/* of IDEM_OTHER_RIVAL */
	TupleTableSlot *slot;		/* its row, while it may be taken back */
	uint32		token;			/* the same */
} IdemSighting;

extern void idem_key_sighting_init(const IdemKey *key, Jsonb *request,
								   bytea *fingerprint, IdemSighting *sighting);
extern void idem_key_sighting_write(IdemAnchor *anchor,
									const IdemSighting *sighting);
extern bool idem_key_sighting_any(IdemAnchor *anchor, IdemSighting *sighting);
extern void idem_key_sighting_begin(IdemAnchor *anchor,
									IdemSighting *sighting);
extern void idem_key_sighting_end(IdemAnchor *anchor, IdemSighting *sighting,
								  bool stays);
extern void idem_key_sighting_hold(IdemAnchor *anchor, IdemSighting *sighting);
extern void idem_key_sighting_adopt(IdemAnchor *anchor, const IdemKey *key,
									Jsonb *request, TimestampTz at);
extern TimestampTz idem_key_sighting_taken(IdemAnchor *anchor,
										   IdemSighting *sighting);
extern IdemOther idem_key_sighting_judge(IdemAnchor *anchor,
										 IdemSighting *sighting);

#endif							/* IDEM_KEY_INNER_H */
