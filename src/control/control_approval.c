/*
 * control_approval.c
 *		Two persons: asking for them, and approving.
 *
 * What is approved is a digest (base/approval.c).  Whoever approves sees the
 * digest of a call by making the same call, which is refused and names it.
 *
 * One person alone can go on in an emergency, by name and with a reason, and
 * the doctor says so until another person has looked: otherwise the night
 * shift would share a password.
 *
 * Locks: ROW EXCLUSIVE on idem.approval or idem.policy.
 *
 * Shown by sql/control_approval.sql and test/tap/610_control_approval.pl.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "base/approval.h"
#include "base/argument.h"
#include "base/change.h"
#include "base/latest.h"
#include "base/reason.h"

#define DIGEST_DIGITS	64

/* What a call of approve says, as arguments of a statement. */
enum
{
	ACTION,
	OBJECT,
	DIGEST,
	PERSON,
	REASON,
	EMERGENCY,
	WORDS
};

/* 22023 for what is no digest. */
static void
check_digest(const char *digest)
{
	if (strlen(digest) != DIGEST_DIGITS ||
		strspn(digest, "0123456789abcdef") != DIGEST_DIGITS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid digest of an approval"),
				 errdetail("It has %d digits from 0 to f.", DIGEST_DIGITS),
				 errhint("The HINT of the refused call names it.")));
}

/* Run a statement with the words that are given; how many rows there were. */
static uint64
run(const char *sql, int nargs, char *const *words)
{
	Oid			types[WORDS];
	Datum		values[WORDS];
	char		nulls[WORDS];
	int			i;

	for (i = 0; i < nargs; i++)
	{
		types[i] = TEXTOID;
		nulls[i] = words[i] == NULL ? 'n' : ' ';
		values[i] = words[i] == NULL ? (Datum) 0 :
			CStringGetTextDatum(words[i]);
	}
	return idem_run_as_extension(sql, nargs, types, values, nulls);
}

/*
 * approve(action, object, digest, reason, emergency) -> text
 */
PG_FUNCTION_INFO_V1(idem_approve);
Datum
idem_approve(PG_FUNCTION_ARGS)
{
	static const char *const confirm_sql =
		"UPDATE idem.approval SET confirmed_at = clock_timestamp(),"
		" confirmed_by = $4, confirmed_reason = $5"
		" WHERE action = $1 AND object = $2 AND digest = $3 AND person <> $4"
		" AND emergency IS NOT NULL AND confirmed_at IS NULL";
	static const char *const approve_sql =
		"INSERT INTO idem.approval (id, at, person, role, action, object, digest, reason, emergency)"
		" VALUES (gen_random_uuid(), clock_timestamp(), $4, SESSION_USER, $1, $2, $3, $5, $6)";
	char	   *words[WORDS];
	bool		confirmed;

	PreventCommandIfReadOnly("idem.approve()");
	words[ACTION] = idem_required_text(fcinfo, 0, "action");
	words[OBJECT] = idem_required_text(fcinfo, 1, "object");
	words[DIGEST] = idem_required_text(fcinfo, 2, "digest");
	words[REASON] = idem_required_reason(fcinfo, 3, "reason");
	words[EMERGENCY] = idem_reason(fcinfo, 4, "emergency");
	check_digest(words[DIGEST]);
	words[PERSON] = pstrdup(idem_required_person("approve"));
	SPI_connect();
	confirmed = words[EMERGENCY] == NULL &&
		run(confirm_sql, REASON + 1, words) > 0;
	if (!confirmed)
		(void) run(approve_sql, WORDS, words);
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(confirmed ? "confirmed" : "approved"));
}

/* Since when approvals are required, as text; NULL: they are not. */
static char *
required_since(void)
{
	if (run("SELECT extract(epoch FROM since)::text FROM idem.policy"
			" WHERE name = 'approval'", 0, NULL) == 0)
		return NULL;
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/*
 * require_approval(required) -> void
 */
PG_FUNCTION_INFO_V1(idem_require_approval);
Datum
idem_require_approval(PG_FUNCTION_ARGS)
{
	bool		required;
	char	   *since;

	PreventCommandIfReadOnly("idem.require_approval()");
	idem_require_argument(fcinfo, 0, "required");
	required = PG_GETARG_BOOL(0);
	(void) idem_required_person("require_approval");
	SPI_connect();
	since = required_since();
	if (required == (since != NULL))
		ereport(NOTICE,
				(errmsg(required ? "approvals are required already" :
						"approvals are not required")));
	else
	{
		if (!required)
			idem_need_approval("require_approval", "this database",
							   list_make2("false", since));
		(void) run(required ?
				   "INSERT INTO idem.policy (name, since, role) VALUES ('approval', clock_timestamp(), SESSION_USER)" :
				   "DELETE FROM idem.policy WHERE name = 'approval'", 0, NULL);
		idem_log_change("altered", "policy", InvalidOid, "approval",
						list_make1(required ? "required=true" :
								   "required=false"), NULL);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
