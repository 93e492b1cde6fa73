/*
 * channel_answer.c
 *		What an answer means, and whether it is about this request.
 *
 * An answer means what its code means in the table of the interface by which it
 * came; a code that is not listed is unknown.  The code is the member "code" of
 * the answer: a text, its layers parted by slashes, or an array of layers.
 *
 * The members that the channel echoes tell whether the answer is about this
 * request.  Those that are present have to agree, compared as requests are.
 * Success requires all of them, any other outcome only the serial.  An adapter
 * that knows what it asked about says so in a member "asked", which is believed
 * for anything but success.  A member that disagrees makes the answer one about
 * something else, whatever its code is.
 *
 * Nothing is guessed: whatever is missing, malformed or contradictory makes
 * the word "unknown", and never the opposite.  No answer is an error.
 *
 * Shown by sql/channel.sql and test/isolation/specs/channel_answer.spec.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "channel/channel.h"
#include "codes/codes.h"
#include "key/key_request.h"

#define CODE_LAYERS_MAX		16

/* A member of an answer that we know by its own name. */
#define MEMBER(name)		((IdemMember) {(name), sizeof(name) - 1})

static bool
find_member(Jsonb *object, IdemMember member, JsonbValue *value)
{
	return object != NULL && JB_ROOT_IS_OBJECT(object) &&
		getKeyJsonValueFromContainer(&object->root, member.name, member.len,
									 value) != NULL &&
		value->type != jbvNull;
}

/* A member of the member "asked" of an answer. */
static bool
find_asked(Jsonb *answer, IdemMember member, JsonbValue *value)
{
	JsonbValue	asked;

	return find_member(answer, MEMBER("asked"), &asked) &&
		asked.type == jbvBinary &&
		JsonContainerIsObject(asked.val.binary.data) &&
		getKeyJsonValueFromContainer(asked.val.binary.data, member.name,
									 member.len, value) != NULL &&
		value->type != jbvNull;
}

/* ----------
 * The code
 * ----------
 */

/* A text or a number as a string; NULL: it is neither. */
static char *
string_of(const JsonbValue *value)
{
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	if (value->type == jbvNumeric)
		return DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(value->val.numeric)));
	return NULL;
}

/* The layers of a text, parted by slashes; 0: too many. */
static int
split_layers(char *code, const char **layers)
{
	int			n = 0;

	for (;;)
	{
		int			len = strcspn(code, "/");
		bool		last = code[len] == '\0';

		if (n == CODE_LAYERS_MAX)
			return 0;
		code[len] = '\0';
		layers[n++] = code;
		if (last)
			return n;
		code += len + 1;
	}
}

/* The layers of an array of texts or numbers; 0: it is none. */
static int
array_layers(JsonbContainer *array, const char **layers)
{
	uint32		size = JsonContainerSize(array);
	uint32		i;

	if (!JsonContainerIsArray(array) || size > CODE_LAYERS_MAX)
		return 0;
	for (i = 0; i < size; i++)
	{
		layers[i] = string_of(getIthJsonbValueFromContainer(array, i));
		if (layers[i] == NULL)
			return 0;
	}
	return size;
}

/* The code of an answer; 0: it has none. */
static int
read_code(Jsonb *answer, const char **layers)
{
	JsonbValue	code;
	char	   *whole;

	if (!find_member(answer, MEMBER("code"), &code))
		return 0;
	if (code.type == jbvBinary)
		return array_layers(code.val.binary.data, layers);
	whole = string_of(&code);
	return whole == NULL ? 0 : split_layers(whole, layers);
}

/* A code, as it is kept: a layer an element. */
static ArrayType *
layers_array(const char *const *layers, int n)
{
	Datum		items[CODE_LAYERS_MAX];
	int			i;

	for (i = 0; i < n; i++)
		items[i] = CStringGetTextDatum(layers[i]);
	return construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/* What the code of an answer means on its interface. */
static void
read_word(const char *interface, Jsonb *answer, IdemVerdict *verdict)
{
	static const IdemWord words[] =
	{
		[IDEM_MEANING_UNKNOWN] = IDEM_WORD_UNKNOWN,
		[IDEM_MEANING_SUCCEEDED] = IDEM_WORD_SUCCEEDED,
		[IDEM_MEANING_FAILED] = IDEM_WORD_FAILED,
		[IDEM_MEANING_ABSENT] = IDEM_WORD_ABSENT,
		[IDEM_MEANING_RETURNED] = IDEM_WORD_RETURNED
	};
	const char *layers[CODE_LAYERS_MAX];
	int			n = read_code(answer, layers);

	verdict->word = IDEM_WORD_UNKNOWN;
	verdict->detail = n == 0 ? "the answer has no code" : NULL;
	if (n == 0)
		return;
	verdict->codes = layers_array(layers, n);
	verdict->word = words[idem_code_meaning(interface, layers, n,
											&verdict->listed)];
	if (!verdict->listed)
		verdict->detail = "the code is not listed";
}

/* ----------
 * Is it about this request?
 * ----------
 */

/* What an answer lacks, and in what it disagrees. */
typedef struct Comparison
{
	Datum	   *differing;		/* names of members */
	int			ndiffering;
	const IdemMember *lacking;	/* the first one; NULL: none */
	bool		lacks_serial;
	bool		other_serial;
	bool		other_amount;
} Comparison;

static void
note_differing(Comparison *c, IdemMember member)
{
	c->differing[c->ndiffering++] =
		PointerGetDatum(cstring_to_text_with_len(member.name, member.len));
}

static bool
is_member(IdemMember a, IdemMember b)
{
	return a.len == b.len && memcmp(a.name, b.name, a.len) == 0;
}

/*
 * Is a value of an answer the serial?  It is one to the letter: "5.1" and
 * "5.10" are one amount, and two numbers of attempts.
 */
static bool
is_serial(const JsonbValue *value, text *serial)
{
	const char *theirs = string_of(value);

	return theirs != NULL &&
		strlen(theirs) == VARSIZE_ANY_EXHDR(serial) &&
		memcmp(theirs, VARDATA_ANY(serial), strlen(theirs)) == 0;
}

/* The serial, where one was made: in the answer, or in what was asked. */
static void
compare_serial(const IdemSent *sent, const IdemMember *member, Jsonb *answer,
			   Comparison *c)
{
	JsonbValue	value;
	bool		there = find_member(answer, *member, &value);
	bool		wrong = there && !is_serial(&value, sent->serial);

	if (!there)
		c->lacking = c->lacking != NULL ? c->lacking : member;
	if (find_asked(answer, *member, &value))
	{
		there = true;
		wrong = wrong || !is_serial(&value, sent->serial);
	}
	c->lacks_serial = !there;
	c->other_serial = wrong;
	if (wrong)
		note_differing(c, *member);
}

/* A member that is the request's. */
static void
compare_member(const IdemSent *sent, const IdemMember *member, Jsonb *answer,
			   Comparison *c)
{
	JsonbValue	theirs;
	JsonbValue	ours;

	if (!find_member(answer, *member, &theirs))
	{
		c->lacking = c->lacking != NULL ? c->lacking : member;
		return;
	}
	/* the request of a key that is final may have been dropped */
	if (sent->dropped)
		return;
	if (find_member(sent->request, *member, &ours) &&
		idem_key_same_value(&theirs, &ours))
		return;
	if (is_member(*member, sent->channel->amount))
		c->other_amount = true;
	else
		note_differing(c, *member);
}

static void
compare(const IdemSent *sent, Jsonb *answer, Comparison *c)
{
	const IdemChannel *channel = sent->channel;
	int			i;

	memset(c, 0, sizeof(*c));
	c->differing = palloc(sizeof(Datum) * (channel->necho + 1));
	for (i = 0; i < channel->necho; i++)
	{
		const IdemMember *member = &channel->echo[i];

		if (is_member(*member, MEMBER("serial")) && sent->serial != NULL)
			compare_serial(sent, member, answer, c);
		else
			compare_member(sent, member, answer, c);
	}
}

/* Say less than the code does. */
static void
withdraw(IdemVerdict *verdict, const char *detail)
{
	verdict->word = IDEM_WORD_UNKNOWN;
	verdict->detail = detail;
}

/* The number in a member, if there is a positive one. */
static bool
positive_amount(Jsonb *answer, IdemMember member, Datum *amount)
{
	JsonbValue	value;

	return find_member(answer, member, &value) &&
		idem_key_number(&value, amount) &&
		DatumGetInt32(DirectFunctionCall2(numeric_cmp, *amount,
										  DirectFunctionCall1(int4_numeric, Int32GetDatum(0)))) > 0;
}

/*
 * Another amount than was sent.  What came back may be a part; what arrived
 * may be one where the channel records that, and the serial says that it is
 * this one.
 */
static void
judge_amount(const IdemSent *sent, Jsonb *answer, Comparison *c,
			 IdemVerdict *verdict)
{
	const IdemChannel *channel = sent->channel;

	if (!c->other_amount || verdict->word == IDEM_WORD_RETURNED)
		return;
	if (verdict->word == IDEM_WORD_SUCCEEDED && channel->records_partial &&
		channel->echoes_serial && c->lacking == NULL && c->ndiffering == 0 &&
		positive_amount(answer, channel->amount, &verdict->amount))
		verdict->has_amount = true;
	else
		note_differing(c, channel->amount);
}

/* Hold an answer against what was sent. */
static void
judge_echo(const IdemSent *sent, Jsonb *answer, IdemVerdict *verdict)
{
	Comparison	c;

	compare(sent, answer, &c);
	judge_amount(sent, answer, &c, verdict);
	if (c.ndiffering > 0)
	{
		verdict->ran = !c.other_serial &&
			(verdict->word == IDEM_WORD_SUCCEEDED ||
			 verdict->word == IDEM_WORD_RETURNED);
		verdict->mismatch = construct_array(c.differing, c.ndiffering,
											TEXTOID, -1, false, TYPALIGN_INT);
		withdraw(verdict, "the answer is not about this request");
	}
	else if (verdict->word == IDEM_WORD_SUCCEEDED && c.lacking != NULL)
		withdraw(verdict, psprintf("the answer lacks member \"%.*s\"",
								   c.lacking->len, c.lacking->name));
	else if (verdict->word != IDEM_WORD_UNKNOWN &&
			 sent->channel->echoes_serial && c.lacks_serial)
		withdraw(verdict, "the answer does not say which serial it is about");
}

/* ----------
 * Days and amounts
 * ----------
 */

/* YYYY-MM-DD or YYYYMMDD, and a day that there is. */
static bool
read_date(const JsonbValue *value, DateADT *date)
{
	char		digits[9];
	int			n = 0;
	int			i;
	int			y,
				m,
				d;

	if (value->type != jbvString)
		return false;
	for (i = 0; i < value->val.string.len; i++)
	{
		char		c = value->val.string.val[i];

		if (c == '-' && value->val.string.len == 10 && (i == 4 || i == 7))
			continue;
		if (c < '0' || c > '9' || n == 8)
			return false;
		digits[n++] = c;
	}
	digits[n] = '\0';
	if (n != 8 || sscanf(digits, "%4d%2d%2d", &y, &m, &d) != 3 || y < 1 ||
		m < 1 || m > 12 || d < 1 || d > day_tab[isleap(y)][m - 1])
		return false;
	*date = date2j(y, m, d) - POSTGRES_EPOCH_JDATE;
	return true;
}

/* One day that the answer speaks of, or was asked about. */
static void
note_day(const IdemSent *sent, const JsonbValue *value, IdemVerdict *verdict)
{
	DateADT		date;

	if (!read_date(value, &date))
		return;
	if (sent->has_date && date == sent->business_date)
		verdict->days |= 1;
	if (sent->has_other_date && date == sent->other_date)
		verdict->days |= 2;
}

/* The days in a member: one, or an array of them. */
static void
note_days(const IdemSent *sent, const JsonbValue *value, IdemVerdict *verdict)
{
	uint32		i;

	verdict->names_days = true;
	if (value->type != jbvBinary)
		note_day(sent, value, verdict);
	else if (JsonContainerIsArray(value->val.binary.data))
	{
		for (i = 0; i < JsonContainerSize(value->val.binary.data); i++)
			note_day(sent,
					 getIthJsonbValueFromContainer(value->val.binary.data, i),
					 verdict);
	}
}

/* The days in "business_date" of the answer, or of what was asked. */
static void
read_days(const IdemSent *sent, Jsonb *answer, IdemVerdict *verdict)
{
	IdemMember	member = MEMBER("business_date");
	JsonbValue	value;

	if (find_asked(answer, member, &value))
		note_days(sent, &value, verdict);
	if (find_member(answer, member, &value))
	{
		note_days(sent, &value, verdict);
		verdict->has_date = read_date(&value, &verdict->date);
	}
}

/*
 * Does an answer that there is no such transaction speak of every day on which
 * it may be booked?  One that names no day speaks of the one that was sent.
 */
bool
idem_channel_all_days(const IdemSent *sent, const IdemVerdict *verdict)
{
	if (sent->has_other_date)
		return verdict->days == 3;
	return !sent->has_date || !verdict->names_days || verdict->days == 1;
}

/* What came back: returned_amount, or the amount of the answer. */
static void
read_return(const IdemSent *sent, Jsonb *answer, IdemVerdict *verdict)
{
	if (verdict->word != IDEM_WORD_RETURNED)
		return;
	verdict->has_amount =
		positive_amount(answer, MEMBER("returned_amount"), &verdict->amount) ||
		positive_amount(answer, sent->channel->amount, &verdict->amount);
}

/*
 * What an answer means for the attempt that it is held against, by the codes
 * of one interface of its channel.  An answer that is null, or no object, has
 * no code.
 */
void
idem_channel_judge(const IdemSent *sent, IdemInterface which, Jsonb *answer,
				   IdemVerdict *verdict)
{
	memset(verdict, 0, sizeof(*verdict));
	read_word(sent->channel->interfaces[which], answer, verdict);
	judge_echo(sent, answer, verdict);
	read_days(sent, answer, verdict);
	read_return(sent, answer, verdict);
}

/*
 * 22023 for a request that lacks what the channel's answers repeat: no answer
 * could ever be told to be about it.
 */
void
idem_channel_check_request(const IdemChannel *channel, Jsonb *request)
{
	JsonbValue	value;
	int			i;

	for (i = 0; i < channel->necho; i++)
	{
		const IdemMember *member = &channel->echo[i];

		if ((channel->serial != NULL && is_member(*member, MEMBER("serial"))) ||
			find_member(request, *member, &value))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("request lacks member \"%.*s\", which channel \"%s\" echoes",
						member->len, member->name, channel->name),
				 errdetail("No answer could be told to be about it.")));
	}
}

/* The serial that an answer names, as text; NULL: none. */
text *
idem_channel_named_serial(Jsonb *answer)
{
	JsonbValue	value;

	if (find_member(answer, MEMBER("serial"), &value) ||
		find_asked(answer, MEMBER("serial"), &value))
	{
		char	   *serial = string_of(&value);

		return serial == NULL ? NULL : cstring_to_text(serial);
	}
	return NULL;
}

/* Are two serials one, as an answer is compared? */
bool
idem_channel_same_serial(text *serial, text *other)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = VARDATA_ANY(other);
	value.val.string.len = VARSIZE_ANY_EXHDR(other);
	return is_serial(&value, serial);
}

/* ----------
 * What is kept of it
 * ----------
 */

static bool
is_among(IdemMember member, const IdemMember *members, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (is_member(member, members[i]))
			return true;
	}
	return false;
}

/* Is a member of an answer kept where only fields are? */
static bool
is_kept(const IdemScope *scope, const IdemChannel *channel, IdemMember member,
		Jsonb *request)
{
	const IdemMember ours[] = {
		MEMBER("code"), MEMBER("serial"), MEMBER("asked"),
		MEMBER("business_date"), MEMBER("returned_amount")
	};
	JsonbValue	value;

	if (is_among(member, ours, lengthof(ours)) ||
		is_among(member, scope->members, scope->nmembers))
		return true;
	if (scope->all_members && find_member(request, member, &value))
		return true;
	return channel != NULL &&
		(is_member(member, channel->amount) ||
		 is_among(member, channel->echo, channel->necho));
}

/*
 * What is kept of an answer in a scope that keeps fields only: its code, what
 * it echoes, and the declared fields.  NULL for what is no object.
 */
Jsonb *
idem_channel_trim(const IdemScope *scope, const IdemChannel *channel,
				  Jsonb *answer, Jsonb *request)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	name;
	Datum	   *dropped;
	int			n = 0;

	if (answer == NULL)
		return NULL;
	if (!JB_ROOT_IS_OBJECT(answer))
		return DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
												  CStringGetDatum("{}")));
	dropped = palloc(sizeof(Datum) * Max(JB_ROOT_COUNT(answer), 1));
	it = JsonbIteratorInit(&answer->root);
	while ((token = JsonbIteratorNext(&it, &name, true)) != WJB_DONE)
	{
		IdemMember	member;

		if (token != WJB_KEY)
			continue;
		member.name = name.val.string.val;
		member.len = name.val.string.len;
		if (!is_kept(scope, channel, member, request))
			dropped[n++] = PointerGetDatum(cstring_to_text_with_len(member.name,
																	member.len));
	}
	if (n == 0)
		return answer;
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_delete_array,
											  JsonbPGetDatum(answer),
											  PointerGetDatum(construct_array(dropped, n, TEXTOID, -1, false, TYPALIGN_INT))));
}
