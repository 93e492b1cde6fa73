/*
 * approval.c
 *		Changes that one person may not make alone.
 *
 * After idem.require_approval(true) each call that loosens or overrules a rule
 * needs a second person.  The call is refused with a digest of what it would
 * do: over its action, its object, its arguments, and the version or state of
 * the object.  Another person approves that digest (idem.approve), and the
 * same call then passes, once, within a day.  If anything about the call
 * changes, so does the digest.
 *
 * A person is a login that the server has authenticated: not a role, which a
 * superuser may change, and not a name that nobody has checked.  A session
 * that was not authenticated, under trust, is nobody, and can neither approve
 * nor act here.  One name is one person, whichever way it was authenticated.
 *
 * An approval is used up by an UPDATE of its row in the transaction of the
 * call: two calls cannot use one, and a call that is rolled back has used none.
 *
 * Not promised: anything against who may write idem's tables, a superuser.
 *
 * Shown by sql/control_approval.sql and test/tap/610_control_approval.pl.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#define IDEM_WANTS_SYSTEM_USER
#include "base/approval.h"
#include "base/idem_compat.h"
#include "base/ask.h"

/*
 * The person that the server has authenticated in this session, by whatever
 * method; 42501 if there is none.
 */
const char *
idem_required_person(const char *action)
{
	const char *user = GetSystemUser();
	const char *person = user == NULL ? NULL : strchr(user, ':');

	if (person == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for \"%s\": the server has not authenticated anybody",
						action),
				 errdetail("Two persons are two logins that the server itself has checked; \"trust\" checks none."),
				 errhint("Connect in a way for which pg_hba.conf asks for a password, a certificate or the like.")));
	return person + 1;
}

/* Each part with its length before it, so that no two lists have one text. */
static void
append_fact(StringInfo buf, const char *fact)
{
	appendStringInfo(buf, "%zu:%s,", strlen(fact), fact);
}

/* SHA-256 of all of it, as 64 hexadecimal digits. */
static char *
digest_of(const char *action, const char *object, List *facts)
{
	StringInfoData buf;
	Datum		hash;
	ListCell   *lc;

	initStringInfo(&buf);
	append_fact(&buf, action);
	append_fact(&buf, object);
	foreach(lc, facts)
		append_fact(&buf, lfirst(lc));
	hash = DirectFunctionCall1(sha256_bytea,
							   PointerGetDatum(cstring_to_text_with_len(buf.data,
																		buf.len)));
	return TextDatumGetCString(DirectFunctionCall2(binary_encode, hash,
												   CStringGetTextDatum("hex")));
}

/* Does anything need an approval here?  Connected to SPI. */
static bool
is_required(void)
{
	return idem_ask(NULL, "SELECT FROM idem.policy WHERE name = 'approval'",
					"") > 0;
}

/*
 * Use up an approval of this by somebody else, or one that the caller gave in
 * an emergency; false if there is none.
 */
static bool
use_approval(const char *action, const char *object, const char *digest,
			 const char *person)
{
	static const char *const sql =
		"UPDATE idem.approval SET used_at = clock_timestamp(), used_by = $4"
		" WHERE id = (SELECT a.id FROM idem.approval a"
		" WHERE a.action = $1 AND a.object = $2 AND a.digest = $3"
		" AND a.used_at IS NULL AND a.at > clock_timestamp() - interval '1 day'"
		" AND (a.person <> $4 OR a.emergency IS NOT NULL)"
		" ORDER BY a.emergency IS NOT NULL, a.at LIMIT 1)"
		" AND used_at IS NULL";

	return idem_ask(NULL, sql, "tttt", action, object, digest, person) > 0;
}

/*
 * 42501 unless nobody asks for approvals here, or this was approved.  facts
 * are strings that describe the object; the caller holds a lock that keeps it
 * as they say until it has done the approved action.
 */
void
idem_need_approval(const char *action, const char *object, List *facts)
{
	const char *person;
	char	   *digest;

	SPI_connect();
	if (is_required())
	{
		person = idem_required_person(action);
		digest = digest_of(action, object, facts);
		if (!use_approval(action, object, digest, person))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("%s of %s needs the approval of another person",
							action, object),
					 errdetail("The digest is of the arguments of the call and of the present state of the object that it would change."),
					 errhint("Another person who is an operator says SELECT idem.approve(%s, %s, '%s', reason => '...'); then the same call passes once, within a day.",
							 quote_literal_cstr(action),
							 quote_literal_cstr(object), digest)));
	}
	SPI_finish();
}
