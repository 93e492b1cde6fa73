/*
 * channel_serial.c
 *		The number under which a provider knows an attempt.
 *
 * It is made once, before the commit that accepts the key or the attempt, and
 * stored with it.  It is never made when sending, where a retry would make
 * another one.  Its form is text with pieces in braces:
 *
 *		{key}			the key
 *		{hash:16}		hexadecimal digits of SHA-256 of scope and key, 16 to 64
 *		{attempt}		which attempt
 *		{seq:7}			a sequence of the channel, with leading zeros
 *		{seq:7 per day}	the same, from 1 on every day
 *		{YYYYMMDD}		the day in the zone of the channel's calendar; so with
 *		{YYMMDD}		this and the next; {YYYYMMDDZ} and so on in UTC
 *		{HHMMSS}
 *
 * A form has to tell keys apart (key, hash or seq), and also attempts (attempt
 * or seq) if each of them gets a number, so that no two share one.  The length
 * and the alphabet that the provider accepts are checked at the declaration as
 * far as possible, and again when a number is made.
 *
 * Numbers of a sequence are never reused: one that was handed out in a
 * transaction that rolls back is missing.  The sequence reaches the disk with
 * the commit of the number, so after a crash no number is repeated that anybody
 * was told.  Only the first number of a day locks a row: the others of that day
 * wait until its transaction ends.  A sequence that has used up its digits
 * raises 2200H and never starts over.
 *
 * Not promised: that lastval() is unchanged where {seq} is used.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "base/idem_compat.h"
#include "base/idem_errors.h"
#include "base/latest.h"
#include "base/named.h"
#include "channel/channel_inner.h"
#include "key/key.h"

#define HASH_DIGITS_MIN		16
#define HASH_DECIMALS_MIN	20	/* where the provider takes no letters */
#define HASH_DIGITS_MAX		64
#define SEQ_DIGITS_MAX		18

typedef enum PieceKind
{
	PIECE_LITERAL,
	PIECE_KEY,
	PIECE_HASH,
	PIECE_ATTEMPT,
	PIECE_SEQ,
	PIECE_DATE,
	PIECE_SHORT_DATE,
	PIECE_TIME
} PieceKind;

typedef struct Piece
{
	PieceKind	kind;
	char	   *literal;		/* of PIECE_LITERAL */
	int			digits;			/* of PIECE_HASH and PIECE_SEQ */
	bool		per_day;		/* of PIECE_SEQ */
	bool		utc;			/* of days and times */
} Piece;

struct IdemSerialForm
{
	char	   *text;			/* as it was declared */
	List	   *pieces;
	int			max;			/* characters; 0: any number */
	char	   *charset;		/* NULL: all */
};

/* ----------
 * Alphabets
 * ----------
 */

/* Is a character one of those that stand in the brackets [...]? */
static bool
in_charset(const char *charset, char c)
{
	const char *p;

	for (p = charset; *p != '\0'; p++)
	{
		if (p[1] == '-' && p[2] != '\0')
		{
			if (c >= p[0] && c <= p[2])
				return true;
			p += 2;
		}
		else if (c == *p)
			return true;
	}
	return false;
}

static bool
all_in_charset(const char *charset, const char *s)
{
	if (charset == NULL)
		return true;
	for (; *s != '\0'; s++)
	{
		if (!in_charset(charset, *s))
			return false;
	}
	return true;
}

/* The digits in which a hash is written, as the provider takes them. */
static const char *
hash_digits(const char *charset)
{
	static const char *const lower = "0123456789abcdef";
	static const char *const upper = "0123456789ABCDEF";

	return all_in_charset(charset, lower) ? lower :
		all_in_charset(charset, upper) ? upper : "0123456789";
}

static int
hash_digits_min(const char *charset)
{
	return strlen(hash_digits(charset)) == 16 ? HASH_DIGITS_MIN :
		HASH_DECIMALS_MIN;
}

/* ----------
 * Reading a form
 * ----------
 */

pg_noreturn static void
refuse_form(const char *form, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid serial \"%s\" of a channel", form),
			 errdetail_internal("%s", why),
			 errhint("Pieces are {key}, {hash:n}, {attempt}, {seq:n}, {seq:n per day}, {YYYYMMDD}, {YYMMDD}, {HHMMSS}, the last three also with Z for UTC.")));
}

/* "hash:16" and the like: the number after the name; 0: it is another piece. */
static int
number_after(const char *piece, const char *name, const char *end)
{
	int			len = strlen(name);
	int			number = 0;
	const char *p;

	if (strncmp(piece, name, len) != 0)
		return 0;
	for (p = piece + len; *p >= '0' && *p <= '9' && number < 1000; p++)
		number = number * 10 + (*p - '0');
	return strcmp(p, end) == 0 ? number : 0;
}

/* A day or a time, in UTC if it ends in Z. */
static bool
read_clock_piece(const char *s, Piece *piece)
{
	static const struct
	{
		const char *name;
		PieceKind	kind;
	}			clocks[] =

	{
		{"YYYYMMDD", PIECE_DATE},
		{"YYMMDD", PIECE_SHORT_DATE},
		{"HHMMSS", PIECE_TIME}
	};
	int			i;

	for (i = 0; i < (int) lengthof(clocks); i++)
	{
		int			len = strlen(clocks[i].name);

		if (strncmp(s, clocks[i].name, len) != 0 ||
			(s[len] != '\0' && strcmp(s + len, "Z") != 0))
			continue;
		piece->kind = clocks[i].kind;
		piece->utc = s[len] == 'Z';
		return true;
	}
	return false;
}

/* What stands between two braces. */
static Piece *
read_piece(const char *form, const char *s)
{
	Piece	   *piece = palloc0(sizeof(Piece));

	if (strcmp(s, "key") == 0)
		piece->kind = PIECE_KEY;
	else if (strcmp(s, "attempt") == 0)
		piece->kind = PIECE_ATTEMPT;
	else if ((piece->digits = number_after(s, "hash:", "")) > 0)
		piece->kind = PIECE_HASH;
	else if ((piece->digits = number_after(s, "seq:", "")) > 0)
		piece->kind = PIECE_SEQ;
	else if ((piece->digits = number_after(s, "seq:", " per day")) > 0)
	{
		piece->kind = PIECE_SEQ;
		piece->per_day = true;
	}
	else if (!read_clock_piece(s, piece))
		refuse_form(form, psprintf("{%s} is no piece.", s));
	return piece;
}

static Piece *
literal_piece(const char *s, int len)
{
	Piece	   *piece = palloc0(sizeof(Piece));

	piece->kind = PIECE_LITERAL;
	piece->literal = pnstrdup(s, len);
	return piece;
}

/* The pieces of a form, in order. */
static List *
read_pieces(const char *form)
{
	List	   *pieces = NIL;
	const char *p = form;

	while (*p != '\0')
	{
		int			len = strcspn(p, "{}");
		int			inner;

		if (len > 0)
			pieces = lappend(pieces, literal_piece(p, len));
		p += len;
		if (*p == '\0')
			break;
		inner = *p == '{' ? (int) strcspn(p + 1, "{}") : 0;
		if (*p == '}' || p[1 + inner] != '}')
			refuse_form(form, "The braces do not match.");
		pieces = lappend(pieces, read_piece(form, pnstrdup(p + 1, inner)));
		p += inner + 2;
	}
	return pieces;
}

/* ----------
 * Checks, when a form is declared
 * ----------
 */

/* The place of the first piece of a kind; -1: there is none. */
static int
place_of(const IdemSerialForm *form, PieceKind kind)
{
	ListCell   *lc;

	foreach(lc, form->pieces)
	{
		if (((Piece *) lfirst(lc))->kind == kind)
			return foreach_current_index(lc);
	}
	return -1;
}

static bool
has(const IdemSerialForm *form, PieceKind kind)
{
	return place_of(form, kind) >= 0;
}

/* The sequence of the form, or NULL. */
static const Piece *
sequence_piece(const IdemSerialForm *form)
{
	int			place = place_of(form, PIECE_SEQ);

	return place < 0 ? NULL : list_nth(form->pieces, place);
}

/* No two attempts have one number, whatever the keys are. */
static void
check_told_apart(const IdemSerialForm *form, bool per_key)
{
	if (!has(form, PIECE_KEY) && !has(form, PIECE_HASH) &&
		!has(form, PIECE_SEQ))
		refuse_form(form->text, "It has to tell keys apart, by {key}, {hash:n} or {seq:n}.");
	if (!per_key && !has(form, PIECE_ATTEMPT) && !has(form, PIECE_SEQ))
		refuse_form(form->text, "With serial_per 'attempt' it has to tell attempts apart, by {attempt} or {seq:n}.");
	if (per_key && has(form, PIECE_ATTEMPT))
		refuse_form(form->text, "With serial_per 'key' all attempts have one number.");
}

/*
 * The number of an attempt is as long as it is, and so is a key: where both
 * are, what stands before or after the number must not be read as part of it.
 */
static void
check_attempt_ends(const IdemSerialForm *form)
{
	int			key = place_of(form, PIECE_KEY);
	int			attempt = place_of(form, PIECE_ATTEMPT);
	const Piece *between;
	char		c;

	if (key < 0 || attempt < 0)
		return;
	between = list_nth(form->pieces, key < attempt ? attempt - 1 : attempt + 1);
	c = between->kind != PIECE_LITERAL ? '0' :
		key < attempt ? between->literal[strlen(between->literal) - 1] :
		between->literal[0];
	if (c >= '0' && c <= '9')
		refuse_form(form->text, "Between {key} and {attempt} there has to be a character that is no digit, next to {attempt}.");
}

/* Days have a zone, and numbers that begin again every day name it. */
static void
check_days(const IdemSerialForm *form, const char *calendar)
{
	const Piece *sequence = sequence_piece(form);
	ListCell   *lc;

	foreach(lc, form->pieces)
	{
		const Piece *piece = lfirst(lc);

		if (piece->kind >= PIECE_DATE && !piece->utc && calendar == NULL)
			refuse_form(form->text, "Days and times need the zone of a calendar, or Z for UTC.");
	}
	if (sequence != NULL && sequence->per_day &&
		!has(form, PIECE_DATE) && !has(form, PIECE_SHORT_DATE))
		refuse_form(form->text, "Numbers that begin again every day need the day beside them, as {YYYYMMDD} or {YYMMDD}.");
}

static int64
largest(int digits)
{
	int64		n = 1;

	while (digits-- > 0)
		n *= 10;
	return n - 1;
}

static void
check_digits(const IdemSerialForm *form, int64 first)
{
	const Piece *sequence = sequence_piece(form);
	ListCell   *lc;
	int			sequences = 0;

	foreach(lc, form->pieces)
	{
		const Piece *piece = lfirst(lc);

		if (piece->kind == PIECE_HASH &&
			(piece->digits < hash_digits_min(form->charset) ||
			 piece->digits > HASH_DIGITS_MAX))
			refuse_form(form->text, psprintf("A hash has %d to %d digits here: with fewer, two keys could have one.",
											 hash_digits_min(form->charset),
											 HASH_DIGITS_MAX));
		if (piece->kind == PIECE_SEQ && piece->digits > SEQ_DIGITS_MAX)
			refuse_form(form->text, "A sequence has 1 to 18 digits.");
		sequences += piece->kind == PIECE_SEQ;
	}
	if (sequences > 1)
		refuse_form(form->text, "There is one sequence a channel.");
	if (first != 0 && (sequence == NULL || sequence->per_day))
		refuse_form(form->text, "first_serial is for {seq:n}.");
	if (first != 0 && (first < 1 || first > largest(sequence->digits)))
		refuse_form(form->text, "first_serial does not fit the digits of {seq:n}.");
}

/* The fewest characters of a piece, and whether the provider takes them. */
static int
piece_length(const IdemSerialForm *form, const Piece *piece)
{
	const char *sample = "0123456789";
	int			length = piece->digits;

	switch (piece->kind)
	{
		case PIECE_LITERAL:
			sample = piece->literal;
			length = pg_mbstrlen(sample);
			break;
		case PIECE_KEY:
			return 1;			/* looked at when there is one */
		case PIECE_ATTEMPT:
			length = 1;
			break;
		case PIECE_HASH:
			sample = hash_digits(form->charset);
			break;
		case PIECE_SEQ:
			break;
		case PIECE_DATE:
			length = 8;
			break;
		case PIECE_SHORT_DATE:
		case PIECE_TIME:
			length = 6;
			break;
	}
	if (!all_in_charset(form->charset, sample))
		refuse_form(form->text, psprintf("The provider takes only [%s].",
										 form->charset));
	return length;
}

static void
check_taken(const IdemSerialForm *form)
{
	int			length = 0;
	ListCell   *lc;

	foreach(lc, form->pieces)
		length += piece_length(form, lfirst(lc));
	if (form->max > 0 && length > form->max)
		refuse_form(form->text, psprintf("It has at least %d characters, and the provider takes %d.",
										 length, form->max));
}

/*
 * The form of a serial, in the current memory context: 22023 for one of which
 * no numbers could be made.
 */
IdemSerialForm *
idem_channel_read_serial(const IdemSerial *serial)
{
	IdemSerialForm *form = palloc0(sizeof(IdemSerialForm));
	bool		per_key = strcmp(serial->per, "key") == 0;

	form->text = pstrdup(serial->form);
	form->max = serial->max;
	form->charset = serial->charset == NULL ? NULL : pstrdup(serial->charset);
	form->pieces = read_pieces(form->text);
	check_told_apart(form, per_key);
	check_attempt_ends(form);
	check_days(form, serial->calendar);
	check_digits(form, serial->first);
	check_taken(form);
	return form;
}

/* Does the form count, so that the channel needs a sequence? */
bool
idem_channel_serial_counts(const IdemSerialForm *form)
{
	return has(form, PIECE_SEQ);
}

/* Are the numbers of a channel those of its sequence? */
bool
idem_channel_counts(const IdemChannel *channel)
{
	return channel->serial != NULL && has(channel->serial, PIECE_SEQ);
}

/* Do two channels make the same number of a key? */
bool
idem_channel_same_form(const IdemChannel *a, const IdemChannel *b)
{
	return strcmp(a->serial->text, b->serial->text) == 0 &&
		!has(a->serial, PIECE_SEQ) && !has(a->serial, PIECE_DATE) &&
		!has(a->serial, PIECE_SHORT_DATE) && !has(a->serial, PIECE_TIME) &&
		strcmp(hash_digits(a->serial->charset),
			   hash_digits(b->serial->charset)) == 0;
}

/* ----------
 * Making a number
 * ----------
 */

/* The name of the sequence of a channel, in schema idem. */
char *
idem_channel_sequence(const char *channel)
{
	return psprintf("serial_%s", channel);
}

/* A number that is made, as it grows. */
typedef struct Making
{
	const IdemChannel *channel;
	const IdemKey *key;
	int32		attempt;
	TimestampTz now;
	StringInfoData text;
} Making;

/* One value of a query about the channel's name and the number $2; connected
 * to SPI, and as the owner of the room's tables. */
static bool
ask(const char *sql, const char *name, Oid type, Datum argument, Datum *value)
{
	Oid			types[2] = {TEXTOID, type};
	Datum		values[2] = {CStringGetTextDatum(name), argument};
	Relation	rel = table_open(idem_extension_relation("channel"),
								 AccessShareLock);
	bool		isnull = true;

	if (idem_run_as_owner(rel, sql, 2, types, values, NULL) > 0 &&
		SPI_tuptable != NULL)
		*value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							   &isnull);
	table_close(rel, AccessShareLock);
	return !isnull;
}

/* The time of a number, broken up in the zone of a piece. */
static void
local_time(const Making *making, const Piece *piece, struct pg_tm *tm)
{
	Timestamp	local = making->now;	/* of UTC */
	fsec_t		fsec;

	if (!piece->utc)
	{
		Datum		zone;

		SPI_connect();
		if (!ask("SELECT c.time_zone FROM idem.calendar_at($1, $2) c",
				 making->channel->calendar, TIMESTAMPTZOID,
				 TimestampTzGetDatum(making->now), &zone))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("calendar \"%s\" does not exist",
							making->channel->calendar)));
		local = DatumGetTimestamp(DirectFunctionCall2(timestamptz_zone, zone,
													  TimestampTzGetDatum(making->now)));
		SPI_finish();
	}
	if (timestamp2tm(local, NULL, tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
}

/* The piece of a form that says the day. */
static const Piece *
day_piece(const IdemSerialForm *form)
{
	int			place = place_of(form, PIECE_DATE);

	if (place < 0)
		place = place_of(form, PIECE_SHORT_DATE);
	return list_nth(form->pieces, place);
}

/*
 * The number before the first one of a day: kept by whoever needs it first.
 * So 0 or less is the place of a number that was taken before that, by
 * somebody who was slower.
 */
static int64
base_of_day(const Making *making, int64 number)
{
	static const char *const read =
		"SELECT base FROM idem.serial_day WHERE channel = $1 AND day = $2";
	static const char *const keep =
		"INSERT INTO idem.serial_day (channel, day, base) VALUES ($1, $2, %lld)"
		" ON CONFLICT ON CONSTRAINT serial_day_pkey DO NOTHING";
	const char *name = making->channel->name;
	struct pg_tm tm;
	Datum		day;
	Datum		base;

	local_time(making, day_piece(making->channel->serial), &tm);
	day = DateADTGetDatum(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) -
						  POSTGRES_EPOCH_JDATE);
	SPI_connect();
	if (!ask(read, name, DATEOID, day, &base))
	{
		(void) ask(psprintf(keep, (long long) (number - 1)), name, DATEOID,
				   day, &base);
		if (!ask(read, name, DATEOID, day, &base))
			elog(ERROR, "could not read idem.serial_day");
	}
	SPI_finish();
	return DatumGetInt64(base);
}

static int64
next_number(const Making *making, const Piece *piece)
{
	char	   *name = idem_channel_sequence(making->channel->name);
	Oid			sequence = idem_extension_relation(name);
	int64		number = nextval_internal(sequence, false);

	while (piece->per_day)
	{
		int64		of_day = number - base_of_day(making, number);

		if (of_day > 0)
			return of_day;
		number = nextval_internal(sequence, false);
	}
	return number;
}

/*
 * Leave out as many numbers of a channel that counts, for good: they may have
 * been given out where nothing is known of it here.  Those of today go on
 * behind them, too.
 */
void
idem_channel_leave_out(const IdemChannel *channel, int64 numbers,
					   TimestampTz now)
{
	static const char *const sql =
		"SELECT setval(format('idem.%I', $1)::regclass, $2)";
	Making		making = {.channel = channel,.now = now};
	char	   *name = idem_channel_sequence(channel->name);
	int64		number;
	Datum		value;

	number = nextval_internal(idem_extension_relation(name), false);
	if (sequence_piece(channel->serial)->per_day)
		(void) base_of_day(&making, number);
	SPI_connect();
	(void) ask(sql, name, INT8OID, Int64GetDatum(number + numbers), &value);
	SPI_finish();
}

static void
append_sequence(Making *making, const Piece *piece)
{
	int64		number = next_number(making, piece);

	if (number > largest(piece->digits))
		ereport(ERROR,
				(errcode(ERRCODE_SEQUENCE_GENERATOR_LIMIT_EXCEEDED),
				 errmsg("serials of channel \"%s\" are used up",
						making->channel->name),
				 errdetail("The next number would be " INT64_FORMAT ", of more than %d digits.",
						   number, piece->digits),
				 errhint("Declare a channel whose serial has more digits. A number is never given twice.")));
	appendStringInfo(&making->text, "%0*lld", piece->digits, (long long) number);
}

/* Digits of SHA-256 of the scope's name, a byte of zero and the key. */
static void
append_hash(Making *making, const Piece *piece)
{
	const char *digits = hash_digits(making->channel->serial->charset);
	int			base = strlen(digits);
	const char *scope = making->key->scope->name;
	text	   *key = making->key->text;
	int			size = strlen(scope) + 1 + VARSIZE_ANY_EXHDR(key);
	bytea	   *input = palloc(VARHDRSZ + size);
	Datum		sha256;
	uint8	   *hash;
	int			i;

	SET_VARSIZE(input, VARHDRSZ + size);
	strcpy(VARDATA(input), scope);
	memcpy(VARDATA(input) + strlen(scope) + 1, VARDATA_ANY(key),
		   VARSIZE_ANY_EXHDR(key));
	sha256 = DirectFunctionCall1(sha256_bytea, PointerGetDatum(input));
	hash = (uint8 *) VARDATA_ANY(DatumGetByteaPP(sha256));
	for (i = 0; i < piece->digits; i++)
	{
		int			half = i % 2 == 0 ? hash[i / 2] >> 4 : hash[i / 2] & 15;

		appendStringInfoChar(&making->text, digits[half % base]);
	}
}

static void
append_clock(Making *making, const Piece *piece)
{
	struct pg_tm tm;

	local_time(making, piece, &tm);
	if (piece->kind == PIECE_TIME)
		appendStringInfo(&making->text, "%02d%02d%02d", tm.tm_hour, tm.tm_min,
						 tm.tm_sec);
	else
		appendStringInfo(&making->text, "%0*d%02d%02d",
						 piece->kind == PIECE_DATE ? 4 : 2,
						 piece->kind == PIECE_DATE ? tm.tm_year : tm.tm_year % 100,
						 tm.tm_mon, tm.tm_mday);
}

static void
append_piece(Making *making, const Piece *piece)
{
	const text *key = making->key->text;

	switch (piece->kind)
	{
		case PIECE_LITERAL:
			appendStringInfoString(&making->text, piece->literal);
			break;
		case PIECE_KEY:
			appendBinaryStringInfo(&making->text, VARDATA_ANY(key),
								   VARSIZE_ANY_EXHDR(key));
			break;
		case PIECE_HASH:
			append_hash(making, piece);
			break;
		case PIECE_ATTEMPT:
			appendStringInfo(&making->text, "%d", making->attempt);
			break;
		case PIECE_SEQ:
			append_sequence(making, piece);
			break;
		case PIECE_DATE:
		case PIECE_SHORT_DATE:
		case PIECE_TIME:
			append_clock(making, piece);
			break;
	}
}

/* Does the provider of a channel take a number? */
bool
idem_channel_serial_fits(const IdemChannel *channel, text *serial)
{
	const IdemSerialForm *form = channel->serial;
	char	   *s = text_to_cstring(serial);

	return (form->max == 0 || pg_mbstrlen(s) <= form->max) &&
		all_in_charset(form->charset, s);
}

/*
 * A number for an attempt of a key, NULL if the channel makes none.  22I01 for
 * a key that the provider does not take, 2200H if there are no more.
 */
text *
idem_channel_serial(const IdemChannel *channel, const IdemKey *key,
					int32 attempt, TimestampTz now)
{
	Making		making = {.channel = channel,.key = key,.attempt = attempt};
	text	   *serial;
	ListCell   *lc;

	if (channel->serial == NULL)
		return NULL;
	making.now = now;
	initStringInfo(&making.text);
	foreach(lc, channel->serial->pieces)
		append_piece(&making, lfirst(lc));
	serial = cstring_to_text_with_len(making.text.data, making.text.len);
	if (!idem_channel_serial_fits(channel, serial))
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_INVALID_KEY),
				 errmsg("channel \"%s\" does not take the serial \"%s\"",
						channel->name, making.text.data),
				 errdetail("It is made of the key as \"%s\".",
						   channel->serial->text),
				 errhint("Choose keys of the provider's length and alphabet, or make its serial of {hash:n}.")));
	return serial;
}
