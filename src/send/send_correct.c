/*
 * send_correct.c
 *		A final state that turned out to be wrong.
 *
 * No answer moves a final state, however often it comes: it is a late result,
 * and kept.  An operator who has investigated says which outcome is the true
 * one.  It replaces the state, with a mark and a time, and is kept in
 * idem.evidence with the reason; from then on guards see the corrected state.
 * The answer that was believed stays as the response, because the provider
 * gave it.
 *
 * An effect that succeeded although its key was fenced has to be reversed,
 * because the caller of fence was told that it never ran.  The key is put
 * before a person.
 *
 * A key that is not final is resolved, not corrected.
 *
 * Shown by sql/channel_late.sql and test/isolation/specs/send_correct.spec.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/approval.h"
#include "base/argument.h"
#include "base/reason.h"
#include "base/right.h"
#include "send/send.h"

/*
 * The state that an outcome means; 22023 for one that no key can be corrected
 * to.
 */
static char
state_argument(FunctionCallInfo fcinfo, int n)
{
	const char *outcome = idem_required_text(fcinfo, n, "outcome");

	if (strcmp(outcome, "succeeded") == 0)
		return IDEM_STATE_SUCCEEDED;
	if (strcmp(outcome, "failed") == 0)
		return IDEM_STATE_FAILED;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid outcome \"%s\"", outcome),
			 errhint("It is 'succeeded' or 'failed'.")));
	return '\0';
}

/* Write the true state of a key that is final, and close what was open. */
static void
correct(IdemCall *call, const IdemNews *news, IdemAnswer *answer)
{
	IdemReservation *row = &call->row;
	bool		same = row->state == news->state;
	bool		reverse = !same && row->fenced_at != 0 &&
		news->state == IDEM_STATE_SUCCEEDED;

	if (!same)
	{
		row->state = news->state;
		row->finished_at = call->now;
		row->corrected_at = call->now;
		row->has_settled_amount = false;
		row->concern = reverse ? IDEM_CONCERN_REVERSE : IDEM_CONCERN_NONE;
		row->step = 0;
		row->due_at = reverse ? call->now : 0;
		idem_send_write(call);
	}
	idem_send_describe(call, answer);
	answer->outcome = reverse ? "reverse_needed" : answer->state;
	answer->reentrant = same;
	if (!same)
		idem_send_keep_evidence(call, "correct", news, answer->outcome);
}

/* 42501 where it needs a second person: of the key in this very state. */
static void
need_approval(const IdemCall *call, const IdemNews *news)
{
	const IdemReservation *row = &call->row;

	if (row->state == news->state)
		return;
	idem_need_approval("correct",
					   psprintf("key \"%s\" in scope \"%s\"",
								text_to_cstring(call->key.text),
								call->key.scope->name),
					   list_make5(psprintf("%c %c", row->state, news->state),
								  psprintf("%d", row->attempt),
								  psprintf(INT64_FORMAT, row->finished_at),
								  pstrdup(news->force),
								  JsonbToCString(NULL,
												 &news->evidence->root,
												 VARSIZE(news->evidence))));
}

/*
 * correct(scope, key, outcome, reason, evidence) -> send_result
 */
PG_FUNCTION_INFO_V1(idem_correct);
Datum
idem_correct(PG_FUNCTION_ARGS)
{
	IdemAnswer	answer = {0};
	IdemCall	call;
	IdemNews	news = {0};

	idem_require_operator("correct");
	news.state = state_argument(fcinfo, 2);
	news.force = idem_required_reason(fcinfo, 3, "reason");
	idem_require_argument(fcinfo, 4, "evidence");
	news.evidence = PG_GETARG_JSONB_P(4);
	idem_send_begin_write(fcinfo, "idem.correct()", &call);
	(void) idem_send_lock(&call, true);
	if (!idem_send_has_row(&call))
		idem_send_refuse(&call, "cannot be corrected: nothing is known of it",
						 "A key that was retired, or never reserved, has no state.");
	if (!idem_send_is_final(&call.row))
		idem_send_refuse(&call, "cannot be corrected: it is not final",
						 "Resolve it, with force if that is meant.");
	need_approval(&call, &news);
	correct(&call, &news, &answer);
	idem_key_close(&call.table);
	PG_RETURN_DATUM(idem_key_send_row(&call.key, &answer));
}
