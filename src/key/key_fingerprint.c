/*
 * key_fingerprint.c
 *		The part of a request that must agree on a repeat, without keeping the
 *		request.
 *
 * A fingerprint is a sequence of entries, one a member: a length byte, the
 * member's name, 16 bytes of SHA-256 of its canonical value; sorted by length
 * and then by bytes of the name.  So equal requests have equal fingerprints,
 * and of two different ones the members that differ can be named, also after
 * the scope's fields have changed.
 *
 * The canonical value keeps the type, and compares numbers by value, written
 * as a JSON number or as a string: "88.0", 88.00 and 88 are one, "-0" is 0;
 * "0012" and "1e2" are text.  Objects do not depend on the order of members.
 * A member that is null is not the same as a missing one.
 *
 * A JSON number may stand for many more digits than it is written with: one
 * of more than 1,000 digits is refused.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "key/key_inner.h"
#include "key/key_request.h"

/* of a JSON number, written out */
#define NUMBER_DIGITS_MAX	1000

/* Names sort by length first, as the members of a jsonb object do. */
int
idem_key_member_cmp(const void *a, const void *b)
{
	const IdemMember *m = a;
	const IdemMember *n = b;

	if (m->len != n->len)
		return m->len < n->len ? -1 : 1;
	return memcmp(m->name, n->name, m->len);
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)? */
static bool
is_plain_number(const char *s, int len)
{
	int			i = 0;
	int			start;

	if (i < len && s[i] == '-')
		i++;
	start = i;
	while (i < len && s[i] >= '0' && s[i] <= '9')
		i++;
	if (i == start || (s[start] == '0' && i > start + 1))
		return false;
	if (i == len)
		return true;
	if (s[i++] != '.')
		return false;
	start = i;
	while (i < len && s[i] >= '0' && s[i] <= '9')
		i++;
	return i == len && i > start;
}

static void
append_length(StringInfo buf, uint32 len)
{
	uint32		n = pg_hton32(len);

	appendBinaryStringInfo(buf, (char *) &n, sizeof(n));
}

static void
append_tagged(StringInfo buf, char tag, const char *s, int len)
{
	appendStringInfoChar(buf, tag);
	append_length(buf, len);
	appendBinaryStringInfo(buf, s, len);
}

/* A number without the zeros that do not change its value. */
static void
append_number(StringInfo buf, const char *s, int len)
{
	if (memchr(s, '.', len) != NULL)
	{
		while (s[len - 1] == '0')
			len--;
		if (s[len - 1] == '.')
			len--;
	}
	if (len == 2 && s[0] == '-' && s[1] == '0')
	{
		s++;
		len--;
	}
	append_tagged(buf, '#', s, len);
}

/*
 * A JSON number, written out: 22023 if that is out of proportion.  A string of
 * digits is as long as it was sent.
 */
static void
append_numeric(StringInfo buf, Numeric number)
{
	char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out,
															 NumericGetDatum(number)));
	int			len = strlen(digits);

	if (len - (digits[0] == '-') > NUMBER_DIGITS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number in the request has more than %d digits",
						NUMBER_DIGITS_MAX),
				 errhint("Send it as a string.")));
	append_number(buf, digits, len);
	pfree(digits);
}

static void
append_scalar(StringInfo buf, const JsonbValue *value)
{

	switch (value->type)
	{
		case jbvNull:
			appendStringInfoChar(buf, 'n');
			break;
		case jbvBool:
			appendStringInfoChar(buf, value->val.boolean ? 't' : 'f');
			break;
		case jbvNumeric:
			append_numeric(buf, value->val.numeric);
			break;
		case jbvString:
			if (is_plain_number(value->val.string.val, value->val.string.len))
				append_number(buf, value->val.string.val,
							  value->val.string.len);
			else
				append_tagged(buf, 's', value->val.string.val,
							  value->val.string.len);
			break;
		default:
			elog(ERROR, "unexpected type of jsonb value: %d",
				 (int) value->type);
	}
}

/*
 * An array or object, its members in the order jsonb keeps them.  Counts and
 * lengths stand before what they count, so no two values read the same.
 */
static void
append_container(StringInfo buf, JsonbContainer *container)
{
	JsonbIterator *it = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
				appendStringInfoChar(buf, '[');
				append_length(buf, value.val.array.nElems);
				break;
			case WJB_BEGIN_OBJECT:
				appendStringInfoChar(buf, '{');
				append_length(buf, value.val.object.nPairs);
				break;
			case WJB_KEY:
				append_tagged(buf, 'k', value.val.string.val,
							  value.val.string.len);
				break;
			case WJB_VALUE:
			case WJB_ELEM:
				append_scalar(buf, &value);
				break;
			default:			/* ends follow from the counts */
				break;
		}
	}
}

static void
refuse_size(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("fingerprint of the request is longer than %d bytes",
					IDEM_FINGERPRINT_BYTES_MAX),
			 errdetail("A member takes 17 bytes and its name, and a name at most 255."),
			 errhint("Declare the fields of the scope that have to agree on a repeat, not {*}.")));
}

/* One entry more; canonical is room to work in. */
static void
append_entry(StringInfo fingerprint, StringInfo canonical,
			 const char *name, int len, const JsonbValue *value)
{
	uint8		digest[IDEM_DIGEST_BYTES];

	if (len > IDEM_MEMBER_BYTES_MAX ||
		fingerprint->len - VARHDRSZ + 1 + len + IDEM_DIGEST_BYTES >
		IDEM_FINGERPRINT_BYTES_MAX)
		refuse_size();
	resetStringInfo(canonical);
	if (value->type == jbvBinary)
		append_container(canonical, value->val.binary.data);
	else
		append_scalar(canonical, value);
	idem_key_digest16(canonical->data, canonical->len, digest);
	appendStringInfoChar(fingerprint, (char) len);
	appendBinaryStringInfo(fingerprint, name, len);
	appendBinaryStringInfo(fingerprint, (char *) digest, sizeof(digest));
}

/* Every member of the request: {*} */
static void
append_all(StringInfo fingerprint, StringInfo canonical, Jsonb *request)
{
	JsonbIterator *it = JsonbIteratorInit(&request->root);
	JsonbIteratorToken token;
	JsonbValue	name;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&it, &name, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&it, &value, true);
		append_entry(fingerprint, canonical, name.val.string.val,
					 name.val.string.len, &value);
	}
}

/* Length of the entry at p, 0 at the end. */
static size_t
entry_size(const uint8 *p, const uint8 *end)
{
	size_t		size;

	if (p == end)
		return 0;
	size = 1 + (size_t) *p + IDEM_DIGEST_BYTES;
	if (size > (size_t) (end - p))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored fingerprint is damaged")));
	return size;
}

/* Has a stored fingerprint an entry for this member? */
static bool
has_entry(bytea *fingerprint, const IdemMember *member)
{
	const uint8 *p = (uint8 *) VARDATA_ANY(fingerprint);
	const uint8 *end = p + VARSIZE_ANY_EXHDR(fingerprint);
	size_t		size;

	for (; (size = entry_size(p, end)) > 0; p += size)
	{
		if (*p == member->len && memcmp(p + 1, member->name, *p) == 0)
			return true;
	}
	return false;
}

/*
 * Is the fingerprint the same for every request?  It is for a key that was
 * claimed before any of the members was declared.
 */
static bool
needs_nothing(const IdemScope *scope, bytea *first)
{
	int			i;

	if (scope->all_members)
		return false;
	for (i = 0; i < scope->nmembers; i++)
	{
		if (first == NULL || has_entry(first, &scope->members[i]))
			return false;
	}
	return true;
}

/* What declares the fields: scope "debit", or table "request_key". */
static const char *
declarer(const IdemScope *scope)
{
	return psprintf("%s \"%s\"", scope->is_table ? "table" : "scope",
					scope->name);
}

/*
 * The declared members; 22023 for one the request does not have, unless the
 * first request of the key was not asked for it either.
 */
static void
append_declared(StringInfo fingerprint, StringInfo canonical,
				const IdemScope *scope, Jsonb *request, bytea *first)
{
	int			i;

	for (i = 0; i < scope->nmembers; i++)
	{
		const IdemMember *member = &scope->members[i];
		JsonbValue	value;

		CHECK_FOR_INTERRUPTS();
		if (!getKeyJsonValueFromContainer(&request->root, member->name,
										  member->len, &value))
		{
			if (first != NULL && !has_entry(first, member))
				continue;
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("request lacks member \"%.*s\" of %s",
							member->len, member->name, declarer(scope))));
		}
		append_entry(fingerprint, canonical, member->name, member->len,
					 &value);
	}
}

/* The fingerprint of an object; first as below. */
static bytea *
fingerprint_of(const IdemScope *scope, Jsonb *request, bytea *first)
{
	StringInfoData fingerprint;
	StringInfoData canonical;

	initStringInfo(&fingerprint);
	fingerprint.len = VARHDRSZ;
	initStringInfo(&canonical);
	if (scope->all_members)
		append_all(&fingerprint, &canonical, request);
	else
		append_declared(&fingerprint, &canonical, scope, request, first);
	pfree(canonical.data);
	SET_VARSIZE(fingerprint.data, fingerprint.len);
	return (bytea *) fingerprint.data;
}

/*
 * The fingerprint of a request (which may be NULL) under a scope; empty if
 * the scope declares no fields.  22023 if the request is not an object with
 * all of them, and for a number of too many digits.
 *
 * first is the fingerprint of a key that is there, which the result will be
 * held against: fields that were declared later are not asked for.  NULL for a
 * new key.
 */
bytea *
idem_key_fingerprint(const IdemScope *scope, Jsonb *request, bytea *first)
{
	if (needs_nothing(scope, first))
		return (bytea *) cstring_to_text_with_len("", 0);
	if (request == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("request is null, but %s declares fields",
						declarer(scope))));
	if (!JB_ROOT_IS_OBJECT(request))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("request is not a JSON object, but %s declares fields",
						declarer(scope))));
	return fingerprint_of(scope, request, first);
}

/* The same of a request that is stored, of the fields that it has. */
bytea *
idem_key_fingerprint_stored(const IdemScope *scope, Jsonb *request)
{
	bytea	   *nothing = (bytea *) cstring_to_text_with_len("", 0);

	return JB_ROOT_IS_OBJECT(request) ?
		fingerprint_of(scope, request, nothing) : nothing;
}

/* Is the request an object that has all fields? */
bool
idem_key_has_fields(const IdemScope *scope, Jsonb *request)
{
	int			i;

	if (!JB_ROOT_IS_OBJECT(request))
		return false;
	for (i = 0; i < scope->nmembers; i++)
	{
		JsonbValue	value;

		if (!getKeyJsonValueFromContainer(&request->root,
										  scope->members[i].name,
										  scope->members[i].len, &value))
			return false;
	}
	return true;
}

/* The name of the member that an entry is about: after its length */
static text *
member_name(const uint8 *entry)
{
	return cstring_to_text_with_len((const char *) entry + 1, *entry);
}

/*
 * The names of the members in which two fingerprints differ; NULL if they
 * agree.  A member that only one of them has differs where all members count;
 * where fields are declared, they were declared otherwise at another time,
 * and only what was and is declared has to agree.
 */
static ArrayType *
fingerprint_diff(const IdemScope *scope, bytea *first, bytea *repeat)
{
	const uint8 *a = (uint8 *) VARDATA_ANY(first);
	const uint8 *b = (uint8 *) VARDATA_ANY(repeat);
	const uint8 *a_end = a + VARSIZE_ANY_EXHDR(first);
	const uint8 *b_end = b + VARSIZE_ANY_EXHDR(repeat);
	Datum	   *names;
	int			n = 0;

	if (a_end - a == b_end - b && memcmp(a, b, a_end - a) == 0)
		return NULL;
	names = palloc(sizeof(Datum) * ((a_end - a) + (b_end - b)) /
				   (1 + IDEM_DIGEST_BYTES));
	while (a < a_end || b < b_end)
	{
		size_t		a_size = entry_size(a, a_end);
		size_t		b_size = entry_size(b, b_end);
		const uint8 *entry;
		int			cmp;

		/* the length byte comes first, so bytes order as names do */
		if (a_size == 0 || b_size == 0)
			cmp = a_size == 0 ? 1 : -1;
		else
			cmp = memcmp(a, b, 1 + Min(*a, *b));
		entry = cmp <= 0 ? a : b;
		if (cmp != 0 ? scope->all_members : memcmp(a, b, a_size) != 0)
			names[n++] = PointerGetDatum(member_name(entry));
		a += cmp <= 0 ? a_size : 0;
		b += cmp >= 0 ? b_size : 0;
	}
	if (n == 0)
		return NULL;
	return construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/*
 * The members in which a request differs from the first one, of which the
 * fingerprint is given; NULL: none.  Errors are those of idem_key_fingerprint.
 */
ArrayType *
idem_key_request_diff(const IdemScope *scope, Jsonb *request, bytea *first)
{
	/* then there is no member that both could have */
	if (needs_nothing(scope, first))
		return NULL;
	return fingerprint_diff(scope, first,
							idem_key_fingerprint(scope, request, first));
}

/*
 * The number that a value of JSON is, or that a string of digits says, as
 * numeric.  False: it is none, or has more digits than we compare.
 */
bool
idem_key_number(const JsonbValue *value, Datum *number)
{
	if (value->type == jbvNumeric)
	{
		*number = NumericGetDatum(value->val.numeric);
		return true;
	}
	if (value->type != jbvString ||
		value->val.string.len > NUMBER_DIGITS_MAX ||
		!is_plain_number(value->val.string.val, value->val.string.len))
		return false;
	*number = DirectFunctionCall3(numeric_in,
								  CStringGetDatum(pnstrdup(value->val.string.val,
														   value->val.string.len)),
								  ObjectIdGetDatum(InvalidOid),
								  Int32GetDatum(-1));
	return true;
}

static bool
is_same_text(const JsonbValue *a, const JsonbValue *b)
{
	return a->type == jbvString && b->type == jbvString &&
		a->val.string.len == b->val.string.len &&
		memcmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
}

/*
 * Are two values the same, as in the comparison of two requests?  Here no
 * value is an error: a number with too many digits agrees only with itself.
 */
bool
idem_key_same_value(const JsonbValue *a, const JsonbValue *b)
{
	Datum		one;
	Datum		other;

	if (is_same_text(a, b))
		return true;
	if (idem_key_number(a, &one) && idem_key_number(b, &other))
		return DatumGetBool(DirectFunctionCall2(numeric_eq, one, other));
	if (a->type != b->type || a->type == jbvString || a->type == jbvNumeric)
		return false;
	if (a->type == jbvBinary)
		return compareJsonbContainers(a->val.binary.data,
									  b->val.binary.data) == 0;
	return a->type == jbvNull || a->val.boolean == b->val.boolean;
}
