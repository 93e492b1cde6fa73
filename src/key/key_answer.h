/*
 * key_answer.h
 *		What a call for a key is answered.
 */
#ifndef IDEM_KEY_ANSWER_H
#define IDEM_KEY_ANSWER_H

#include "access/htup.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "base/commit.h"
#include "key/key.h"

struct IdemAnchor;
struct IdemFound;

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

/* key_pause.c */
extern bool idem_key_paused(const IdemScope *scope, IdemAnswer *answer);

/* key_suspect.c */
extern const char *idem_key_confirmed(FunctionCallInfo fcinfo, int n,
									  const IdemScope *scope);
extern bool idem_key_refuse_suspect(struct IdemAnchor *anchor, IdemKey *key,
									Jsonb *request, bytea *fingerprint,
									const char *confirmed, IdemAnswer *answer);
extern bool idem_key_is_held(const IdemKey *key, TimestampTz *since);

/*
 * A key is about to be granted or reserved: is that allowed?  If not, answer
 * says why.  The fingerprint is that of the request; NULL: there is none, or
 * it was made from another request.
 */
static inline bool
idem_key_refused(struct IdemAnchor *anchor, IdemKey *key, Jsonb *request,
				 bytea *fingerprint, const char *confirmed, IdemAnswer *answer)
{
	if (likely(key->scope->compared == NULL))
		return idem_key_paused(key->scope, answer);
	return idem_key_refuse_suspect(anchor, key, request, fingerprint,
								   confirmed, answer);
}

/* key_answer.c */
extern void idem_key_describe(const struct IdemFound *found,
							  IdemAnswer *answer);
extern void idem_key_answer_expired(const IdemKey *key, IdemAnswer *answer);
extern void idem_key_answer_reused(const IdemKey *key, IdemAnswer *answer);
extern const char *idem_key_rival_detail(TransactionId rival);
extern void idem_key_claim_values(const IdemKey *key, IdemAnswer *answer,
								  Datum *values, bool *nulls);
extern void idem_key_send_values(const IdemKey *key, IdemAnswer *answer,
								 Datum *values, bool *nulls);
extern Datum idem_key_claim_row(const IdemKey *key, IdemAnswer *answer);
extern Datum idem_key_send_row(const IdemKey *key, IdemAnswer *answer);

#endif							/* IDEM_KEY_ANSWER_H */
