/*
 * key.h
 *		Idempotency keys and their scopes.
 *
 * The tables that keys are kept in are in key_table.h, what a call for a key
 * is answered in key_answer.h; what only the files of this room share is in
 * key_inner.h.
 */
#ifndef IDEM_KEY_H
#define IDEM_KEY_H

#include "nodes/pg_list.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "key/key_member.h"

struct StringInfoData;

#define IDEM_KEY_BYTES_MAX			255

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

/* key.c */
extern int32 idem_key_scope_id(const char *name);
extern void idem_key_digest(int32 scope, const text *key, pg_uuid_t *digest);
extern void idem_key_append(struct StringInfoData *buf, int number,
							const char *part, int len);
extern void idem_key_check(const IdemScope *scope, const text *key);
extern const char *idem_key_flaw(const IdemScope *scope, const text *key);
extern const char *idem_key_part_flaw(const char *part, int len);
extern void idem_key_init(const IdemScope *scope, text *str, IdemKey *key);

/* key_scope.c */
extern int	idem_key_standbys(const IdemScope *scope);
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

/* key_horizon.c */
extern bool idem_key_judge(IdemKey *key);

/* key_declare.c */
extern void idem_key_check_fields(List *fields);

/* key_duration.c */
extern int64 idem_key_duration(const char *argument, const Interval *interval,
							   bool zero);

#endif							/* IDEM_KEY_H */
