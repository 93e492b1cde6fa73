/*
 * key.c
 *		Idempotency keys: which ones are accepted, the digest of a key, and the
 *		id of a scope.
 *
 * Each key has one row, for ever, and the unique index on its digest decides
 * which claim gets it (key_anchor.c).
 *
 * A key is a string of bytes that are compared as they are, never trimmed,
 * folded or normalised; characters that could make two keys look alike to a
 * person are refused. 1 to 255 bytes of visible ASCII; in a scope with charset
 * => 'any', any valid text without control characters and without a blank at
 * either end. In databases that are not UTF-8, only ASCII control characters
 * and blanks are known as such.
 *
 * A key of several parts is written "4:M001,8:20180718,6:000001": before each
 * part its length in bytes.  So no two lists of parts have the same key,
 * whatever the parts contain, and a scope can require a number of parts.
 *
 * A scope may become stricter about the form of its keys while there are keys
 * of the former kind.  Those are served as before: only a key that is not
 * known is judged by its form.
 *
 * Shown by sql/key.sql and test/isolation/specs/key_retire.spec.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "port/pg_bswap.h"
#include "port/pg_crc32c.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "base/idem_errors.h"
#include "key/key_inner.h"

/* how much of the end of a key does not say where it lies in the index */
#define COUNTED_BYTES	3

/* the part of a digest that says it */
#define PLACE_BYTES		4

/*
 * The id of a scope: the first 31 bits of SHA-256 of its name, big endian.  So
 * it is the same on every server, and keys that are carried to another one are
 * found there, in whatever order the scopes were declared.  0 is not an id.
 */
int32
idem_key_scope_id(const char *name)
{
	uint8		hash[IDEM_DIGEST_BYTES];
	uint32		head;

	idem_key_digest16(name, strlen(name), hash);
	memcpy(&head, hash, sizeof(head));
	return (int32) (pg_ntoh32(head) >> 1);
}

/*
 * The digest in the unique index, of scope id (big endian) and key: CRC-32C
 * without the last 3 bytes of the key, big endian, then 12 bytes of SHA-256.
 *
 * Keys that are counted up, as numbers of messages and orders are, differ in
 * their last characters.  So they lie beside each other, in pages that are in
 * memory and written out together, and each thousand of them in another place
 * than the one before, so that sessions do not meet in one page.  The caller
 * has checked the key.
 *
 * Why not an index on (scope, key)?  It was built and measured (instructions
 * of one claim against INSERT ON CONFLICT, with this digest and without it):
 * fresh 0.71 and 0.77, repeated 0.70 and 0.74, repeated with a fingerprint of
 * two fields 0.78 and 0.83, 1000 fresh keys a call 0.67 and 0.85.  Bytes a
 * key, table and index: 157 and 135 for keys that are counted up, 150 and 163
 * where half of them are random, 162 and 193 for UUIDs written as text.
 */
static void
compute_digest(const uint8 *data, int len, pg_uuid_t *digest)
{
	uint8		hash[IDEM_DIGEST_BYTES];
	pg_crc32c	place;

	idem_key_digest16(data, len, hash);
	INIT_CRC32C(place);
	COMP_CRC32C(place, data,
				Max(len - COUNTED_BYTES, (int) sizeof(uint32)));
	FIN_CRC32C(place);
	place = pg_hton32(place);
	memcpy(digest->data, &place, PLACE_BYTES);
	memcpy(digest->data + PLACE_BYTES, hash, UUID_LEN - PLACE_BYTES);
}

/*
 * The digest of the same key again costs a comparison only: a row is most
 * often written right after its claim, and then its guard asks for the same
 * key.
 */
void
idem_key_digest(int32 scope, const text *key, pg_uuid_t *digest)
{
	static uint8 last[sizeof(uint32) + IDEM_KEY_BYTES_MAX];
	static int	last_len = 0;
	static pg_uuid_t last_digest;
	uint32		id = pg_hton32((uint32) scope);
	int			len = VARSIZE_ANY_EXHDR(key);

	Assert(len <= IDEM_KEY_BYTES_MAX);
	if (last_len != sizeof(id) + len ||
		memcmp(last, &id, sizeof(id)) != 0 ||
		memcmp(last + sizeof(id), VARDATA_ANY(key), len) != 0)
	{
		memcpy(last, &id, sizeof(id));
		memcpy(last + sizeof(id), VARDATA_ANY(key), len);
		last_len = sizeof(id) + len;
		compute_digest(last, last_len, &last_digest);
	}
	*digest = last_digest;
}

/* The code point at s, and its length; s is valid UTF-8. */
static uint32
code_point(const unsigned char *s, int *len)
{
	if (s[0] < 0x80)
	{
		*len = 1;
		return s[0];
	}
	if (s[0] < 0xe0)
	{
		*len = 2;
		return (s[0] & 0x1f) << 6 | (s[1] & 0x3f);
	}
	if (s[0] < 0xf0)
	{
		*len = 3;
		return (s[0] & 0x0f) << 12 | (s[1] & 0x3f) << 6 | (s[2] & 0x3f);
	}
	*len = 4;
	return (s[0] & 0x07) << 18 | (s[1] & 0x3f) << 12 |
		(s[2] & 0x3f) << 6 | (s[3] & 0x3f);
}

/* C0, DEL and C1 */
static bool
is_control(uint32 c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* White space as Unicode has it, and the two that have no width at all. */
static bool
is_blank(uint32 c)
{
	return c == 0x20 || c == 0xa0 || c == 0x1680 ||
		(c >= 0x2000 && c <= 0x200b) || c == 0x2028 || c == 0x2029 ||
		c == 0x202f || c == 0x205f || c == 0x3000 || c == 0xfeff;
}

/* What is wrong with a text, or NULL.  Charset 'any'. */
static const char *
text_flaw(const char *data, int len)
{
	const unsigned char *s = (const unsigned char *) data;
	bool		utf8 = GetDatabaseEncoding() == PG_UTF8;
	uint32		c = 0;
	int			step = 1;
	int			i;

	for (i = 0; i < len; i += step)
	{
		if (utf8)
			c = code_point(s + i, &step);
		else
			c = IS_HIGHBIT_SET(s[i]) ? PG_UINT32_MAX : s[i];
		if (is_control(c))
			return "contains a control character";
		if (i == 0 && is_blank(c))
			return "begins with a blank";
	}
	return is_blank(c) ? "ends with a blank" : NULL;
}

/* What is wrong with a text, or NULL.  Charset 'ascii'. */
static const char *
ascii_flaw(const char *data, int len)
{
	int			i;

	for (i = 0; i < len; i++)
	{
		if (data[i] < 0x21 || data[i] > 0x7e)
			return "contains a character other than visible ASCII";
	}
	return NULL;
}

/* Length of the part whose length stands at s, and where it begins; or -1. */
static int
part_length(const char *s, int len, const char **part)
{
	int			size = 0;
	int			i;

	for (i = 0; i < len && i < 3 && s[i] >= '0' && s[i] <= '9'; i++)
		size = size * 10 + (s[i] - '0');
	if (size == 0 || s[0] == '0' || i == len || s[i] != ':' ||
		size > len - i - 1)
		return -1;
	*part = s + i + 1;
	return size;
}

/* How many parts is the key made of?  0 if it is not made as idem.key does. */
static int
count_parts(const char *s, int len)
{
	const char *end = s + len;
	int			parts = 0;

	for (;;)
	{
		const char *part;
		int			size = part_length(s, end - s, &part);

		/* half a character is no end either: no comma comes after it */
		if (size < 0 || text_flaw(part, size) != NULL)
			return 0;
		parts++;
		s = part + size;
		if (s == end)
			return parts;
		if (*s++ != ',')
			return 0;
	}
}

/* The first part of a key made of parts; len becomes its length. */
const char *
idem_key_first_part(const char *key, int *len)
{
	const char *part = key;

	*len = part_length(key, *len, &part);
	Assert(*len > 0);
	return part;
}

static void
refuse_key(const IdemScope *scope, const char *flaw)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_INVALID_KEY),
			 errmsg("idempotency key %s", flaw),
			 scope->any_charset ?
			 errhint("A key is 1 to 255 bytes of text without control characters and without a blank at either end.") :
			 scope->is_table ?
			 errhint("A key is 1 to 255 bytes of visible ASCII; other text needs a guard with charset => 'any'.") :
			 errhint("A key is 1 to 255 bytes of visible ASCII; other text needs a scope with charset => 'any'.")));
}

/* The flaw in the size of a key, for any scope, or NULL. */
static const char *
size_flaw(const text *key)
{
	int			len = key ? (int) VARSIZE_ANY_EXHDR(key) : 0;

	if (key == NULL)
		return "is null";
	if (len == 0)
		return "is empty";
	return len > IDEM_KEY_BYTES_MAX ? "is longer than 255 bytes" : NULL;
}

/* 22I01 for a key that no scope accepts: null, empty or too long. */
static void
check_size(const IdemScope *scope, const text *key)
{
	const char *flaw = size_flaw(key);

	if (flaw != NULL)
		refuse_key(scope, flaw);
}

/*
 * The key of a call: 22I01 if no scope accepts it.  Its form is judged
 * only if it is not there (idem_key_judge).
 */
void
idem_key_init(const IdemScope *scope, text *str, IdemKey *key)
{
	key->scope = scope;
	key->text = str;
	key->time = 0;
	key->sighted = false;
	check_size(scope, str);
	idem_key_digest(scope->id, str, &key->digest);
}

/* Is the key made of as many parts as the scope asks for? */
static bool
has_parts(const IdemScope *scope, const char *key, int len)
{
	return scope->parts == 0 || count_parts(key, len) == scope->parts;
}

/* The flaw in the characters of a key, or NULL. */
static const char *
charset_flaw(const IdemScope *scope, const char *key, int len)
{
	return scope->any_charset ? text_flaw(key, len) : ascii_flaw(key, len);
}

/*
 * The flaw in a key, apart from its parts, as the end of a sentence, or NULL.
 */
const char *
idem_key_flaw(const IdemScope *scope, const text *key)
{
	const char *flaw = size_flaw(key);

	return flaw != NULL ? flaw :
		charset_flaw(scope, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
}

/* Has a key, whose size is right, the form that the scope asks of new ones? */
bool
idem_key_has_form(const IdemScope *scope, const text *key)
{
	const char *data = VARDATA_ANY(key);
	int			len = VARSIZE_ANY_EXHDR(key);

	return charset_flaw(scope, data, len) == NULL &&
		has_parts(scope, data, len);
}

/*
 * 22I01 unless the key can be told from every other one.  The message does not
 * show the key, which may hold anything.
 */
void
idem_key_check(const IdemScope *scope, const text *key)
{
	const char *flaw = idem_key_flaw(scope, key);

	if (flaw != NULL)
		refuse_key(scope, flaw);
	if (!has_parts(scope, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key)))
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_INVALID_KEY),
				 errmsg("idempotency key is not made of %d parts",
						scope->parts),
				 errhint("Make it with idem.key, from as many parts as the scope declares.")));
}

/* Can the name of a scope not be mistaken for another one? */
bool
idem_key_is_clean_name(const char *name, int len)
{
	return len > 0 && len <= IDEM_SCOPE_NAME_BYTES_MAX &&
		text_flaw(name, len) == NULL;
}

/*
 * What is wrong with a part of a key, which could be taken for another one, as
 * the end of a sentence; or NULL.  A part that is NULL is none.
 */
const char *
idem_key_part_flaw(const char *part, int len)
{
	if (part == NULL)
		return "is null";
	if (len == 0)
		return "is empty";
	return len > IDEM_KEY_BYTES_MAX ? "is longer than 255 bytes" :
		text_flaw(part, len);
}

/* One part more of the key in buf; 22I01 for one that has a flaw. */
void
idem_key_append(StringInfo buf, int number, const char *part, int len)
{
	const char *flaw = idem_key_part_flaw(part, len);

	if (flaw != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_INVALID_KEY),
				 errmsg("part %d of an idempotency key %s", number, flaw)));
	appendStringInfo(buf, "%s%d:", number > 1 ? "," : "", len);
	appendBinaryStringInfo(buf, part, len);
}

static void
append_part(StringInfo buf, int number, const text *part)
{
	if (part == NULL)
		idem_key_append(buf, number, NULL, 0);
	else
		idem_key_append(buf, number, VARDATA_ANY(part),
						VARSIZE_ANY_EXHDR(part));
}

/*
 * key(VARIADIC parts text[]) -> text
 */
PG_FUNCTION_INFO_V1(idem_key);
Datum
idem_key(PG_FUNCTION_ARGS)
{
	StringInfoData buf;
	Datum	   *parts = NULL;
	bool	   *nulls = NULL;
	int			n = 0;
	int			i;

	if (!PG_ARGISNULL(0))
	{
		ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);

		if (ARR_NDIM(array) > 1)
			ereport(ERROR,
					(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
					 errmsg("argument \"%s\" must be one-dimensional",
							"parts")));
		deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT,
						  &parts, &nulls, &n);
	}
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_INVALID_KEY),
				 errmsg("idempotency key has no parts")));
	initStringInfo(&buf);
	for (i = 0; i < n; i++)
		append_part(&buf, i + 1, nulls[i] ? NULL : DatumGetTextPP(parts[i]));
	if (buf.len > IDEM_KEY_BYTES_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_INVALID_KEY),
				 errmsg("idempotency key is longer than 255 bytes"),
				 errdetail("It has %d parts; each takes its length and a comma, too.",
						   n)));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(buf.data, buf.len));
}
