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
 *		key_effect.c		what a guard on a table of effects asks
 *		key_answer.c		what a call is answered
 *		key_log.c			what is only ever added for a key
 *		key_declare.c		declaring and altering scopes
 *		key_drop.c			dropping them
 *		key_retire.c		dropping bodies, forgetting keys
 *
 * A file uses what stands above it.
 */
#ifndef IDEM_KEY_INNER_H
#define IDEM_KEY_INNER_H

#include "key/key.h"

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

/* key_anchor.c */
extern void idem_key_check_version(IdemAnchor *anchor, const IdemKey *key,
								   IdemFound *found);

#endif							/* IDEM_KEY_INNER_H */
