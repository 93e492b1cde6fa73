/*
 * send.h
 *		What the files of effects outside share.
 *
 *		send.c	a row of idem.reservation: read, described, written
 *		send_reserve.c		reserve: a key is mine for a lease
 *		send_dispatch.c	what the holder of a token does next
 *		send_settle.c		complete, resolve, and what comes too late
 *		send_fence.c		fence: what has not run will never run
 *		send_due.c			what somebody has to look at now
 *		key_log.c			attempts, evidence and late results
 */
#ifndef IDEM_SEND_H
#define IDEM_SEND_H

#include "utils/date.h"

#include "key/key.h"

/* States of a reservation; the letters are what is stored. */
#define IDEM_STATE_RESERVED			'r'
#define IDEM_STATE_DISPATCHED		'd'
#define IDEM_STATE_UNKNOWN			'u'
#define IDEM_STATE_RELEASED			'l'
#define IDEM_STATE_FAILED			'f'
/* IDEM_STATE_SUCCEEDED and IDEM_STATE_FENCED are those of idem.anchor */

/* What a person has to look at, whatever the state. */
#define IDEM_CONCERN_NONE			'\0'
#define IDEM_CONCERN_LATE			'l' /* a late result */
#define IDEM_CONCERN_RAN			's' /* one that says it succeeded */
#define IDEM_CONCERN_REVERSE		'r' /* succeeded, and was fenced */

/* A row of idem.reservation; times of 0 are NULL. */
typedef struct IdemReservation
{
	IdemFound	found;			/* as it was read */
	char		state;
	int64		token;
	int32		attempt;
	int32		step;
	TimestampTz lease_until;
	TimestampTz dispatched_at;
	TimestampTz finished_at;
	TimestampTz due_at;
	TimestampTz fenced_at;
	char		concern;
	bool		dropped;
	text	   *serial;			/* of every attempt; NULL: none */
	Datum		settled_amount; /* numeric */
	bool		has_settled_amount;
	TimestampTz presumed_at;	/* marks beside the state */
	TimestampTz corrected_at;
	bool		returned;
	Jsonb	   *response;		/* NULL: none */
	text	   *nonce;			/* NULL: none */
} IdemReservation;

/* A call for a key of an effect outside. */
typedef struct IdemCall
{
	IdemAnchor	table;
	IdemKey		key;
	IdemReservation row;
	TimestampTz now;			/* read after waiting */
} IdemCall;

/* What was said to the provider of one attempt; NULL: nothing. */
typedef struct IdemAttempt
{
	text	   *channel;
	text	   *serial;
	bool		has_date;
	DateADT		business_date;
	bool		has_other_date;
	DateADT		other_date;
} IdemAttempt;

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
	const char *state;			/* that it met */
	int64		newest;			/* token of the key at that time */
} IdemLateResult;

/* send.c */
extern void idem_call_begin(FunctionCallInfo fcinfo, LOCKMODE lockmode,
							IdemCall *call);
extern void idem_call_begin_write(FunctionCallInfo fcinfo,
								  const char *function, IdemCall *call);
extern bool idem_call_lock(IdemCall *call, bool wait);
extern bool idem_call_has_row(const IdemCall *call);
extern int64 idem_call_token(FunctionCallInfo fcinfo, IdemCall *call,
							 const char *verb);
extern void idem_reservation_decode(IdemReservation *row);
extern bool idem_reservation_insert(IdemCall *call, bytea *fingerprint,
									Jsonb *request);
extern void idem_reservation_update(IdemCall *call);
extern void idem_reservation_write(IdemCall *call);
extern void idem_reservation_watch(IdemCall *call, TimestampTz from);
extern bool idem_reservation_is_final(const IdemReservation *row);
extern bool idem_reservation_may_have_run(const IdemReservation *row);
extern const char *idem_reservation_state(const IdemReservation *row);
extern void idem_reservation_describe(const IdemCall *call,
									  IdemAnswer *answer);
pg_noreturn extern void idem_call_refuse(const IdemCall *call, const char *message,
										 const char *hint);

/* key_log.c */
extern void idem_keep_evidence(const IdemKey *key,
							   const IdemEvidence *evidence);
extern void idem_keep_late_result(const IdemKey *key,
								  const IdemLateResult *late);
extern void idem_keep_attempt(const IdemCall *call,
							  const IdemAttempt *attempt);
extern void idem_read_attempt(const IdemKey *key, int32 number,
							  IdemAttempt *attempt);

#endif							/* IDEM_SEND_H */
