/*
 * key_pause.c
 *		A scope that is paused grants nothing.
 *
 * Checked at the last moment before a key would be granted or reserved.  A key
 * that is known is answered, and the outcome of an effect is stored, as
 * without the pause.
 *
 * Shown by sql/control_pause.sql and test/isolation/specs/control_pause.spec.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "base/pause.h"
#include "key/key_answer.h"
#include "key/key_inner.h"

/*
 * Is the scope paused?  Then that is the answer: neither granted nor settled.
 * A test of a flag while nothing is paused.
 */
bool
idem_key_paused(const IdemScope *scope, IdemAnswer *answer)
{
	const IdemPause *pause = idem_paused("scope", scope->name, "",
										 InvalidOid);

	if (likely(pause == NULL))
		return false;
	answer->outcome = "paused";
	answer->granted = false;
	answer->settled = false;
	answer->retry_at = 0;
	answer->detail = psprintf("scope \"%s\" is %s", scope->name,
							  idem_pause_text(pause));
	return true;
}

/* The scope that a pause names: IdemPauseFind. */
static void
find_scope(const char *name, const char *state, ArrayType *fk,
		   IdemPauseTarget *target)
{
	idem_pause_refuse_argument("scope", "state", state != NULL);
	idem_pause_refuse_argument("scope", "fk", fk != NULL);
	target->name = idem_key_scope_get(cstring_to_text(name))->name;
	target->logged = target->name;
}

/* Called when the library is loaded. */
void
idem_key_pause_init(void)
{
	idem_pause_register("scope", find_scope);
}
