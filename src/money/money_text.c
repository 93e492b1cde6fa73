/*
 * money_text.c
 *		Reading and writing amounts, exact or not at all.
 *
 * No server header is used here, so that this file can be tested, fuzzed and
 * reused alone.  Nothing is allocated, no error is raised: the caller gets a
 * status and decides.
 *
 * What is read is a number in ASCII:
 *
 *		spaces [+|-] number [(e|E) [+|-] digits] spaces
 *
 * where the number is "digits [. [digits]]" or ". digits".  It has at most
 * IDEM_MONEY_DECIMALS significant decimals once the exponent has moved the
 * point; a digit beyond these is an error (too fine), unless it is zero.  Text
 * that is both malformed and too large counts as malformed.
 *
 * A digit is added only while the number is still within its limit, so that no
 * step can wrap, however long the text.  The zeros that an exponent stands for
 * are written out only until the number has left its limit, so that the work
 * depends on the length of the text only.
 */
#include "money_text.h"

#include "money/money_text.h"

#include <string.h>

static const int64_t powers_of_ten[IDEM_MONEY_SCALE_MAX + 1] = {
	INT64_C(1),
	INT64_C(10),
	INT64_C(100),
	INT64_C(1000),
	INT64_C(10000),
	INT64_C(100000),
	INT64_C(1000000),
	INT64_C(10000000),
	INT64_C(100000000),
	INT64_C(1000000000),
	INT64_C(10000000000),
	INT64_C(100000000000),
	INT64_C(1000000000000),
	INT64_C(10000000000000),
	INT64_C(100000000000000),
	INT64_C(1000000000000000),
	INT64_C(10000000000000000),
	INT64_C(100000000000000000),
	INT64_C(1000000000000000000)
};

static const char digit_pairs[] =
"00010203040506070809"
"10111213141516171819"
"20212223242526272829"
"30313233343536373839"
"40414243444546474849"
"50515253545556575859"
"60616263646566676869"
"70717273747576777879"
"80818283848586878889"
"90919293949596979899";

/* So many digits of whole units are within the range, whatever they are. */
#define PLAIN_DIGITS_MAX	12

/*
 * An exponent is not read beyond this: no text is long enough for its digits
 * to bring the number back.
 */
#define EXPONENT_MAX		(INT64_C(1) << 40)

/* A magnitude while it is being read. */
typedef struct Reading
{
	uint64_t	whole;			/* stops growing beyond the largest amount */
	uint64_t	fraction;		/* the decimals read so far */
	int			decimals;		/* how many they are */
	bool		too_fine;		/* a digit after the last decimal, not zero */
} Reading;

static inline bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline void
read_whole_digit(Reading *reading, char digit)
{
	if (reading->whole <= (uint64_t) IDEM_MONEY_WHOLE_MAX)
		reading->whole = reading->whole * 10 + (uint64_t) (digit - '0');
}

static inline void
read_fraction_digit(Reading *reading, char digit)
{
	if (reading->decimals < IDEM_MONEY_DECIMALS)
	{
		reading->fraction = reading->fraction * 10 + (uint64_t) (digit - '0');
		reading->decimals++;
	}
	else if (digit != '0')
		reading->too_fine = true;
}

/* What was read, as an amount. */
static IdemMoneyStatus
finish_reading(const Reading *reading, bool negative, int64_t *micros)
{
	uint64_t	magnitude;

	/* this many whole units do not fit, so the product below cannot wrap */
	if (reading->whole > (uint64_t) IDEM_MONEY_WHOLE_MAX)
		return IDEM_MONEY_OUT_OF_RANGE;

	magnitude = reading->whole * (uint64_t) IDEM_MONEY_UNIT +
		reading->fraction *
		(uint64_t) powers_of_ten[IDEM_MONEY_DECIMALS - reading->decimals];

	if (magnitude > (uint64_t) IDEM_MONEY_MAX)
		return IDEM_MONEY_OUT_OF_RANGE;
	if (reading->too_fine)
		return IDEM_MONEY_TOO_FINE;

	*micros = negative ? -(int64_t) magnitude : (int64_t) magnitude;
	return IDEM_MONEY_OK;
}

/* Narrows the text to what stands between spaces and takes the sign off. */
static bool
strip_spaces_and_sign(const char **start, const char **end)
{
	const char *p = *start;
	const char *stop = *end;
	bool		negative = false;

	while (p < stop && is_space(*p))
		p++;
	while (p < stop && is_space(stop[-1]))
		stop--;
	if (p < stop && (*p == '-' || *p == '+'))
		negative = (*p++ == '-');

	*start = p;
	*end = stop;
	return negative;
}

/*
 * The amount of a text in the usual form, up to its zero byte: a minus or
 * none, some digits that cannot leave the range, and at most six decimals.
 * False for any other, which may still be an amount.
 */
bool
idem_money_parse_plain(const char *str, int64_t *micros)
{
	bool		negative = (*str == '-');
	const char *p = str + negative;
	const char *first = p;
	uint64_t	number = 0;		/* wraps around for what is refused below */
	long		decimals = 0;

	for (; is_digit(*p); p++)
		number = number * 10 + (uint64_t) (*p - '0');
	if (p == first || p - first > PLAIN_DIGITS_MAX)
		return false;
	if (*p == '.')
	{
		first = ++p;
		for (; is_digit(*p); p++)
			number = number * 10 + (uint64_t) (*p - '0');
		decimals = (long) (p - first);
	}
	if (*p != '\0' || decimals > IDEM_MONEY_DECIMALS)
		return false;

	number *= (uint64_t) powers_of_ten[IDEM_MONEY_DECIMALS - decimals];
	*micros = negative ? -(int64_t) number : (int64_t) number;
	return true;
}

/* Past the digits from here on. */
static inline const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

/*
 * Reads an exponent, whose "e" has been read, up to the end of the text.
 * False if it is none.
 */
static bool
read_exponent(const char *p, const char *end, int64_t *exponent)
{
	bool		negative = false;
	int64_t		number = 0;

	if (p < end && (*p == '-' || *p == '+'))
		negative = (*p++ == '-');
	if (p == end)
		return false;
	for (; p < end; p++)
	{
		if (!is_digit(*p))
			return false;
		if (number < EXPONENT_MAX)
			number = number * 10 + (*p - '0');
	}
	*exponent = negative ? -number : number;
	return true;
}

/*
 * Reads digits and at most one point among them, which changes nothing here:
 * the first digit counts 10^place, each further one a tenth of the one before.
 */
static void
read_placed_digits(Reading *reading, const char *p, const char *end,
				   int64_t place)
{
	/* zeros between the point and the first digit */
	while (reading->decimals < IDEM_MONEY_DECIMALS &&
		   reading->decimals < -1 - place)
		read_fraction_digit(reading, '0');

	for (; p < end; p++)
	{
		if (*p == '.')
			continue;
		if (place >= 0)
			read_whole_digit(reading, *p);
		else
			read_fraction_digit(reading, *p);
		place--;
	}

	/* zeros between the last digit and the point */
	for (; place >= 0 && reading->whole > 0 &&
		 reading->whole <= (uint64_t) IDEM_MONEY_WHOLE_MAX; place--)
		read_whole_digit(reading, '0');
}

/* The amount that the text says.  Only with IDEM_MONEY_OK is it set. */
IdemMoneyStatus
idem_money_parse(const char *str, size_t length, int64_t *micros)
{
	Reading		reading = {0};
	const char *start = str;
	const char *end = str + length;
	bool		negative = strip_spaces_and_sign(&start, &end);
	const char *point = skip_digits(start, end);
	const char *stop = point;
	int64_t		exponent = 0;

	if (stop < end && *stop == '.')
		stop = skip_digits(stop + 1, end);
	/* a digit on one side of the point at least */
	if (stop - start == (stop > point))
		return IDEM_MONEY_MALFORMED;
	if (stop < end &&
		((*stop != 'e' && *stop != 'E') ||
		 !read_exponent(stop + 1, end, &exponent)))
		return IDEM_MONEY_MALFORMED;

	read_placed_digits(&reading, start, stop, (point - start) - 1 + exponent);
	return finish_reading(&reading, negative, micros);
}

/*
 * The amount that a count of 10^-scale units stands for: "000001230" with
 * scale 2 is 12.30.  Digits and a sign, no point.  The caller has ensured
 * 0 <= scale <= IDEM_MONEY_SCALE_MAX.
 */
IdemMoneyStatus
idem_money_parse_scaled(const char *str, size_t length, int scale,
						int64_t *micros)
{
	Reading		reading = {0};
	const char *p = str;
	const char *end = str + length;
	bool		negative = strip_spaces_and_sign(&p, &end);
	const char *q;
	int			missing;

	if (p == end)
		return IDEM_MONEY_MALFORMED;
	for (q = p; q < end; q++)
	{
		if (!is_digit(*q))
			return IDEM_MONEY_MALFORMED;
	}

	for (; end - p > scale; p++)
		read_whole_digit(&reading, *p);
	for (missing = scale - (int) (end - p); missing > 0; missing--)
		read_fraction_digit(&reading, '0');
	for (; p < end; p++)
		read_fraction_digit(&reading, *p);

	return finish_reading(&reading, negative, micros);
}

/* Writes six digits. */
static inline void
write_fraction(char *str, uint32_t fraction)
{
	memcpy(str, digit_pairs + fraction / 10000 * 2, 2);
	memcpy(str + 2, digit_pairs + fraction / 100 % 100 * 2, 2);
	memcpy(str + 4, digit_pairs + fraction % 100 * 2, 2);
}

/* Writes a number so that it ends before "end"; returns where it starts. */
static inline char *
write_whole(char *end, uint64_t whole)
{
	while (whole >= 100)
	{
		end -= 2;
		memcpy(end, digit_pairs + whole % 100 * 2, 2);
		whole /= 100;
	}
	if (whole >= 10)
	{
		end -= 2;
		memcpy(end, digit_pairs + whole * 2, 2);
	}
	else
		*--end = (char) ('0' + whole);
	return end;
}

/*
 * Writes an amount with at least two decimals and no more than needed, ends
 * it with a zero byte and returns its length.  The caller provides
 * IDEM_MONEY_TEXT_SIZE bytes.
 */
size_t
idem_money_format(int64_t micros, char *str)
{
	char		buffer[IDEM_MONEY_TEXT_SIZE];
	char	   *end = buffer + IDEM_MONEY_TEXT_SIZE;
	char	   *start = end - IDEM_MONEY_DECIMALS;
	uint64_t	magnitude = (uint64_t) micros;
	uint64_t	whole;
	size_t		length;

	if (micros < 0)
		magnitude = 0 - magnitude;
	whole = magnitude / (uint64_t) IDEM_MONEY_UNIT;

	write_fraction(start, (uint32_t) (magnitude % (uint64_t) IDEM_MONEY_UNIT));
	while (end - start > 2 && end[-1] == '0')
		end--;
	*--start = '.';
	start = write_whole(start, whole);
	if (micros < 0)
		*--start = '-';

	length = (size_t) (end - start);
	memcpy(str, start, length);
	str[length] = '\0';
	return length;
}

/*
 * Writes an amount for people: whole units in groups of three, at least so
 * many decimals (0 to 6) and no more than needed.  The caller provides
 * IDEM_MONEY_GROUPED_SIZE bytes.
 */
size_t
idem_money_format_grouped(int64_t micros, int decimals, char *str)
{
	char		plain[IDEM_MONEY_TEXT_SIZE];
	size_t		length = idem_money_format(micros, plain);
	size_t		point = (size_t) (strchr(plain, '.') - plain);
	size_t		first = (micros < 0);
	size_t		i;
	char	   *p = str;

	for (i = 0; i < point; i++)
	{
		if (i > first && (point - i) % 3 == 0)
			*p++ = ',';
		*p++ = plain[i];
	}
	/* the text has the decimals needed, and two; not fewer than asked for */
	while (length - 1 - point > (size_t) decimals && plain[length - 1] == '0')
		length--;
	if (decimals > 0 || length - 1 > point)
		*p++ = '.';
	for (i = point + 1; i < length || i <= point + (size_t) decimals; i++)
		*p++ = i < length ? plain[i] : '0';
	*p = '\0';
	return (size_t) (p - str);
}

/* Does the amount need no more than so many decimals (0 to 6)? */
bool
idem_money_has_decimals(int64_t micros, int decimals)
{
	return micros % powers_of_ten[IDEM_MONEY_DECIMALS - decimals] == 0;
}

/* A count of 10^-scale units as an amount. */
IdemMoneyStatus
idem_money_from_scaled(int64_t count, int scale, int64_t *micros)
{
	int64_t		result;

	if (scale > IDEM_MONEY_DECIMALS)
	{
		int64_t		divisor = powers_of_ten[scale - IDEM_MONEY_DECIMALS];

		if (count % divisor != 0)
			return IDEM_MONEY_TOO_FINE;
		result = count / divisor;	/* a tenth of any count is in range */
	}
	else if (idem_money_mul_overflow(count,
									 powers_of_ten[IDEM_MONEY_DECIMALS - scale],
									 &result))
		return IDEM_MONEY_OUT_OF_RANGE;

	*micros = result;
	return IDEM_MONEY_OK;
}

/* An amount as a count of 10^-scale units; scale is 0 to 6. */
IdemMoneyStatus
idem_money_to_scaled(int64_t micros, int scale, int64_t *count)
{
	if (!idem_money_has_decimals(micros, scale))
		return IDEM_MONEY_TOO_FINE;
	*count = micros / powers_of_ten[IDEM_MONEY_DECIMALS - scale];
	return IDEM_MONEY_OK;
}
