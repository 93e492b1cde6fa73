/*
 * reason.c
 *		Why somebody overrules a rule.
 *
 * Whatever loosens, drops, forces or fences takes a reason, which is kept for
 * those who come later.  There is one rule for all of them: a reason is a text
 * that is not blank, of at most 1,000 characters; anything else is 22023, and
 * never the same as giving none.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "base/argument.h"
#include "base/reason.h"

#define REASON_CHARACTERS_MAX	1000

/* White space as Unicode has it, and what has no width at all. */
static bool
is_blank(pg_wchar c)
{
	return c <= 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0x1680 ||
		(c >= 0x2000 && c <= 0x200f) || c == 0x2028 || c == 0x2029 ||
		c == 0x202f || c == 0x205f || c == 0x2060 || c == 0x3000 ||
		c == 0xfeff;
}

/*
 * Is there nothing to read in a text?  In databases that are not UTF-8, any
 * character beyond ASCII can be read.
 */
static bool
is_blank_text(const char *str)
{
	bool		utf8 = GetDatabaseEncoding() == PG_UTF8;

	while (*str != '\0')
	{
		const unsigned char *s = (const unsigned char *) str;

		if (IS_HIGHBIT_SET(*s) ? !utf8 || !is_blank(utf8_to_unicode(s)) :
			!is_blank(*s))
			return false;
		str += pg_mblen(str);
	}
	return true;
}

/* What keeps a text from being a reason, or NULL. */
const char *
idem_reason_flaw(const char *reason)
{
	if (is_blank_text(reason))
		return "is blank";
	if (pg_mbstrlen(reason) > REASON_CHARACTERS_MAX)
		return "is longer than 1000 characters";
	return NULL;
}

/* For a setting: a reason, or empty. */
bool
idem_check_reason(char **newval, void **extra, GucSource source)
{
	const char *flaw = **newval == '\0' ? NULL : idem_reason_flaw(*newval);

	if (flaw != NULL)
		GUC_check_errdetail("The reason %s.", flaw);
	return flaw == NULL;
}

/*
 * The reason in argument n, or NULL if it is null: 22023 for one that is none.
 */
char *
idem_reason(FunctionCallInfo fcinfo, int n, const char *argument)
{
	char	   *reason;
	const char *flaw;

	if (PG_ARGISNULL(n))
		return NULL;
	reason = text_to_cstring(PG_GETARG_TEXT_PP(n));
	flaw = idem_reason_flaw(reason);
	if (flaw != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" %s", argument, flaw),
				 errhint("It is kept as the reason, for later readers.")));
	return reason;
}

/* The same where a reason has to be given: 22004 for null. */
char *
idem_required_reason(FunctionCallInfo fcinfo, int n, const char *argument)
{
	idem_require_argument(fcinfo, n, argument);
	return idem_reason(fcinfo, n, argument);
}
