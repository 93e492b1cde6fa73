/*
 * named.c
 *		Is there a guard that names something?
 *
 * A guard can rely on something outside its table: a scope, which its
 * settings name.  Such a thing should not be dropped silently.  Triggers are
 * read as they are committed now, whoever put them there; nothing is locked,
 * so a guard that is declared at the same moment may be missed, and then
 * refuses every row.
 */
#include "postgres.h"

#include "base/ask.h"
#include "base/rows.h"

/*
 * A guard that has a setting of this value: "claimed guard idem_claimed_message
 * on app.debit", or NULL.  Asked as the owner of shown, a table of the
 * extension.  Connected to SPI.
 */
char *
idem_guard_naming(Relation shown, const char *setting, const char *value)
{
	if (idem_ask(shown, "SELECT format('%s guard %I on %s', k.kind, t.tgname, t.tgrelid::regclass)"
				 " FROM pg_trigger t"
				 " JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'idem'::regnamespace"
				 " JOIN idem.guard_kinds() k ON k.function = p.proname AND k.part = 'row'"
				 " WHERE t.tgparentid = 0"
				 " AND idem.setting(idem.trigger_settings(t.tgargs), $1) = $2"
				 " ORDER BY 1 LIMIT 1",
				 "tt", setting, value) == 0)
		return NULL;
	return idem_found_text(0, 1);
}
