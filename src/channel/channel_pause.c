/*
 * channel_pause.c
 *		A channel that is paused is sent to by no new attempt.
 *
 * Checked at the last moment before an attempt is granted.  What was sent
 * before is settled as usual, and keys can still be reserved.
 *
 * Shown by sql/channel.sql.
 */
#include "postgres.h"

#include "base/pause.h"
#include "channel/channel.h"

/* Why a channel is paused, for people; NULL: it is not. */
char *
idem_channel_paused(const IdemChannel *channel)
{
	const IdemPause *pause = idem_paused("channel", channel->name, "",
										 InvalidOid);

	return likely(pause == NULL) ? NULL :
		psprintf("channel \"%s\" is %s", channel->name, idem_pause_text(pause));
}

/* The channel that a pause names: IdemPauseFind. */
static void
find_channel(const char *name, const char *state, ArrayType *fk,
			 IdemPauseTarget *target)
{
	idem_pause_refuse_argument("channel", "state", state != NULL);
	idem_pause_refuse_argument("channel", "fk", fk != NULL);
	target->name = idem_channel_get(name)->name;
	target->logged = target->name;
}

/* Called when the library is loaded. */
void
idem_channel_pause_init(void)
{
	idem_pause_register("channel", find_channel);
}
