/*
 * send_hear.c
 *		The outcome of an effect outside that a caller tells, in its own words
 *		or by the answer of a provider.
 *
 * Where the scope has channels, an answer is judged by their codes
 * (send_word.c); elsewhere the caller has to say the outcome.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/argument.h"
#include "base/reason.h"
#include "base/right.h"
#include "base/site.h"
#include "send/send.h"

/* 22023: there are no codes by which an answer could be read. */
static void
refuse_answer(const IdemScope *scope)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("scope \"%s\" has no channels by whose codes the answer could be read",
					scope->name),
			 errhint("Say the outcome, and give the answer as response.")));
}

/*
 * The outcome in argument n: 'succeeded', 'failed' or other, and the state that
 * each of them means.  22004 for null, 22023 for another word.
 */
const char *
idem_send_outcome_argument(FunctionCallInfo fcinfo, int n, const char *other,
						   char other_state, char *state)
{
	const char *outcome = idem_required_text(fcinfo, n, "outcome");

	if (strcmp(outcome, "succeeded") == 0)
		*state = IDEM_STATE_SUCCEEDED;
	else if (strcmp(outcome, "failed") == 0)
		*state = IDEM_STATE_FAILED;
	else if (strcmp(outcome, other) == 0)
		*state = other_state;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid outcome \"%s\"", outcome),
				 errhint("It is 'succeeded', 'failed' or '%s'.", other)));
	return outcome;
}

/*
 * Judge the outcome from a holder; 22023 for an answer without codes to read
 * it by.
 */
void
idem_send_hear_holder(IdemCall *call, IdemNews *news)
{
	const IdemScope *scope = call->key.scope;

	if (idem_send_is_judged(call))
		idem_send_judge_holder(call, news);
	else if (news->outcome == NULL)
		refuse_answer(scope);
	else
		idem_send_keep_fields(call, news);
}

/* The evidence of a resolve: 22004 for null, 22023 for nothing. */
static Jsonb *
evidence_argument(FunctionCallInfo fcinfo, int n)
{
	Jsonb	   *evidence;

	idem_require_argument(fcinfo, n, "evidence");
	evidence = PG_GETARG_JSONB_P(n);
	if (JB_ROOT_COUNT(evidence) == 0 ||
		(JB_ROOT_IS_SCALAR(evidence) &&
		 getIthJsonbValueFromContainer(&evidence->root, 0)->type == jbvNull))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("evidence is empty"),
				 errhint("Give the answer of the provider, or say who looked and where.")));
	return evidence;
}

/*
 * May an attempt of which nothing is known be one that is lost (send_site.c)?
 * Then the word is taken for the whole key; that nothing arrived, only where
 * that is a person's to decide.
 */
static bool
may_be_lost(const IdemCall *call, const IdemNews *news)
{
	return call->row.concern == IDEM_CONCERN_MOVED ||
		(news->state != IDEM_STATE_RELEASED && idem_has_site());
}

/* The attempt a resolve is about; 0: the last one.  22023 if there is none. */
int32
idem_send_attempt_argument(FunctionCallInfo fcinfo, int n, const IdemCall *call,
						   const IdemNews *news)
{
	int32		attempt = PG_ARGISNULL(n) ? 0 : PG_GETARG_INT32(n);

	if (attempt > call->row.attempt && idem_send_has_row(call) &&
		may_be_lost(call, news))
		return 0;
	if (!PG_ARGISNULL(n) && idem_send_has_row(call) &&
		(attempt < 1 || attempt > call->row.attempt))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("key \"%s\" in scope \"%s\" has no attempt %d",
						text_to_cstring(call->key.text),
						call->key.scope->name, attempt)));
	return attempt;
}

/*
 * Read the arguments of resolve.  An answer is its own evidence, and needs no
 * outcome beside it.
 */
void
idem_send_read_news(FunctionCallInfo fcinfo, IdemNews *news)
{
	bool		answered = !PG_ARGISNULL(9);

	news->state = IDEM_STATE_UNKNOWN;
	if (!answered || !PG_ARGISNULL(2))
		news->outcome = idem_send_outcome_argument(fcinfo, 2, "released",
												   IDEM_STATE_RELEASED, &news->state);
	if (!answered || !PG_ARGISNULL(3))
		news->evidence = evidence_argument(fcinfo, 3);
	news->response = answered ? PG_GETARG_JSONB_P(9) :
		PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4);
	news->force = idem_reason(fcinfo, 5, "force");
	if (news->force != NULL)
		idem_require_operator("resolve with force");
	news->via = PG_ARGISNULL(8) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(8));
}

/*
 * Judge the outcome from somebody else; 22004 and 22023 for one that cannot be
 * judged.
 */
void
idem_send_hear_notice(IdemCall *call, IdemNews *news)
{
	const IdemScope *scope = call->key.scope;

	if (idem_send_is_judged(call))
	{
		if (news->response != NULL && news->via == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null", "via"),
					 errhint("Name the interface by which the answer came: its codes tell what it means.")));
		idem_send_judge_notice(call, news);
	}
	else if (news->outcome == NULL)
		refuse_answer(scope);
	else
		idem_send_keep_fields(call, news);
}
