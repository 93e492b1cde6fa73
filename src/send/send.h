/*
 * send.h
 *		Declarations that the files of the room share.
 *
 *		send.c				a row of idem.reservation: read, described, written
 *		send_attempt.c		the attempts that were dispatched
 *		send_channel.c		by which channel an attempt goes, and under which
 *							number
 *		send_site.c			the place from which effects may leave
 *		send_reserve.c		reserve: a key is mine for a lease
 *		send_dispatch.c		what the holder of a token does next
 *		send_word.c			what a provider's answer says of a key
 *		send_hear.c			what a caller says became of an effect
 *		send_settle.c		complete, resolve, and what comes too late
 *		send_correct.c		a final state that turned out to be wrong
 *		send_presume.c		no news that is good news
 *		send_fence.c		fence: what has not run will never run
 *		send_lookup.c		what is known of a key
 *		send_due.c			what somebody has to look at now
 */
#ifndef IDEM_SEND_H
#define IDEM_SEND_H

#include "channel/channel.h"
#include "key/key_answer.h"
#include "key/key_table.h"

/* Columns of idem.reservation after those of idem.anchor; 16 is due_at. */
#define Anum_reservation_request		8
#define Anum_reservation_nonce			9
#define Anum_reservation_lease_until	13
#define Anum_reservation_dispatched_at	14
#define Anum_reservation_fenced_at		17
#define Anum_reservation_concern		18
#define Anum_reservation_serial			20
#define Anum_reservation_settled_amount	21
#define Anum_reservation_presumed_at	22
#define Anum_reservation_corrected_at	23
#define Anum_reservation_returned_on	24
#define Anum_reservation_returned_amount 25

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
#define IDEM_CONCERN_STALE			'a' /* the next attempt may be paid twice */
#define IDEM_CONCERN_MOVED			'm' /* an attempt may be lost: send_site.c */

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
	DateADT		returned_on;
	Datum		returned_amount;	/* numeric */
	bool		has_returned_amount;
	Jsonb	   *response;		/* NULL: none */
	text	   *nonce;			/* NULL: none */
} IdemReservation;

/* An attempt that was dispatched; what is NULL is not known. */
typedef struct IdemAttempt
{
	int32		number;			/* 0: none */
	int64		token;
	TimestampTz dispatched_at;
	text	   *channel;
	text	   *serial;
	bool		has_date;
	DateADT		business_date;
	bool		has_other_date;
	DateADT		other_date;
} IdemAttempt;

/* A call for a key of an effect outside. */
typedef struct IdemCall
{
	IdemAnchor	table;
	IdemKey		key;
	IdemReservation row;
	TimestampTz now;			/* read after waiting */
	IdemAttempt attempt;		/* the one that was read last */
} IdemCall;

/* What a call says became of the effect. */
typedef struct IdemNews
{
	char		state;			/* succeeded, failed, unknown or released */
	const char *outcome;		/* the same as a word; NULL: the caller has
								 * said none */
	int64		token;			/* 0: by resolve */
	int32		attempt;		/* that it is about; 0: the last one */
	TimestampTz asked_at;		/* it knows nothing later */
	Jsonb	   *response;		/* NULL: none */
	Jsonb	   *evidence;		/* NULL: none */
	const char *force;			/* reason, or NULL */

	/* of an answer that was judged by the codes of a channel */
	bool		judged;
	IdemInterface which;
	const char *via;
	ArrayType  *codes;
	ArrayType  *mismatch;		/* not about this request; NULL: it is */
	bool		ran;			/* even so something ran under its serial */
	const char *detail;			/* why it says so little, or NULL */
	bool		absent;			/* there is no such transaction */
	bool		all_days;		/* on none of the days that it may be on */
	bool		returned;		/* it succeeded, and came back */
	Datum		amount;			/* settled, or returned */
	bool		has_amount;
	DateADT		date;
	bool		has_date;
} IdemNews;

/* send.c */
extern void idem_send_begin(FunctionCallInfo fcinfo, LOCKMODE lockmode,
							IdemCall *call);
extern void idem_send_begin_write(FunctionCallInfo fcinfo,
								  const char *function, IdemCall *call);
extern void idem_send_begin_batch(FunctionCallInfo fcinfo, IdemCall *call,
								  int32 *batch);
extern void idem_send_check_standbys(const IdemScope *scope);
extern bool idem_send_paused(IdemCall *call, IdemAnswer *answer);
extern bool idem_send_suspected(IdemCall *call, Jsonb *request,
								const char *confirmed, IdemAnswer *answer);
extern bool idem_send_lock(IdemCall *call, bool wait);
extern bool idem_send_has_row(const IdemCall *call);
extern int64 idem_send_token(FunctionCallInfo fcinfo, IdemCall *call,
							 const char *verb);
extern void idem_send_decode(IdemReservation *row);
extern bool idem_send_insert(IdemCall *call, bytea *fingerprint,
							 Jsonb *request);
extern void idem_send_update(IdemCall *call);
extern void idem_send_write(IdemCall *call);
extern void idem_send_watch(IdemCall *call, TimestampTz from);
extern bool idem_send_is_final(const IdemReservation *row);
extern bool idem_send_may_have_run(const IdemReservation *row);
extern const char *idem_send_state_name(const IdemReservation *row);
extern void idem_send_describe(IdemCall *call, IdemAnswer *answer);
_Noreturn extern void idem_send_refuse(const IdemCall *call,
									   const char *message,
									   const char *hint);

/* send_attempt.c */
extern void idem_send_keep_attempt(IdemCall *call,
								   const IdemAttempt *attempt);
extern const IdemAttempt *idem_send_attempt(IdemCall *call, int32 number);
extern const IdemAttempt *idem_send_attempt_of_token(IdemCall *call,
													 int64 token);
extern void idem_send_move_date(IdemCall *call, int32 number, DateADT date);

/* send_channel.c */
extern text *idem_send_key_serial(IdemCall *call);
extern const IdemChannel *idem_send_channel(const IdemCall *call,
											const char *name);
extern bool idem_send_nothing_goes(const IdemScope *scope, TimestampTz now);
extern bool idem_send_may_go(IdemCall *call, const IdemChannel *channel,
							 IdemAttempt *attempt, IdemAnswer *answer);

/* send_site.c */
extern bool idem_send_misplaced_new(IdemAnswer *answer);
extern bool idem_send_misplaced(IdemCall *call, IdemAnswer *answer);
extern void idem_send_doubt_fence(const IdemCall *call, IdemAnswer *answer);

/* send_fence.c */
extern void idem_send_end_fenced(IdemCall *call);

/* send_word.c */
extern bool idem_send_is_judged(IdemCall *call);
extern void idem_send_keep_fields(const IdemCall *call, IdemNews *news);
extern void idem_send_judge_holder(IdemCall *call, IdemNews *news);
extern void idem_send_judge_notice(IdemCall *call, IdemNews *news);
extern IdemAbsence idem_send_absence(IdemCall *call);
extern int64 idem_send_quiet(IdemCall *call);
extern bool idem_send_was_absent(IdemCall *call, const IdemNews *news);
extern bool idem_send_is_doubted(IdemCall *call);
extern const char *idem_send_said(const IdemNews *news);
extern void idem_send_keep_evidence(const IdemCall *call, const char *action,
									const IdemNews *news,
									const char *outcome);

/* send_hear.c */
extern const char *idem_send_outcome_argument(FunctionCallInfo fcinfo, int n,
											  const char *other,
											  char other_state, char *state);
extern void idem_send_hear_holder(IdemCall *call, IdemNews *news);
extern int32 idem_send_attempt_argument(FunctionCallInfo fcinfo, int n,
										const IdemCall *call,
										const IdemNews *news);
extern void idem_send_read_news(FunctionCallInfo fcinfo, IdemNews *news);
extern void idem_send_hear_notice(IdemCall *call, IdemNews *news);

#endif							/* IDEM_SEND_H */
