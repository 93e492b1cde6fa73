/*
 * money.c
 *		Fuzzes the reading, writing, arithmetic, rounding and sharing of
 *		amounts (src/money/money_text.c, src/money/money_share.c).
 *
 * Every answer is compared with that of an oracle that works another way: text
 * is read as digits and a count of decimals, without zeros at either end, and
 * then as one 128-bit number instead of two 64-bit ones, arithmetic is done in
 * 128 bits and then compared with the range, rounding chooses between floor
 * and ceiling instead of cutting off, and shares are multiplied back in 192
 * bits.  The undefined-behaviour sanitizer watches the code and the oracle.
 *
 * run.sh builds and runs it.  The first byte of an input chooses what is
 * fuzzed, the rest are its arguments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "money/money_share.h"
#include "money/money_text.h"

#define SHARES_MAX	6

/* What an oracle says. */
typedef struct Answer
{
	IdemMoneyStatus status;
	int64_t		value;			/* if the status is IDEM_MONEY_OK */
} Answer;

/* The arguments that are left. */
typedef struct Input
{
	const uint8_t *next;
	size_t		left;
} Input;

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(condition) \
	do { \
		if (!(condition)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* Takes so many bytes, zeros where there are none. */
static void
take(Input *input, void *bytes, size_t count)
{
	size_t		got = count < input->left ? count : input->left;

	memset(bytes, 0, count);
	if (got > 0)
		memcpy(bytes, input->next, got);
	input->next += got;
	input->left -= got;
}

static uint8_t
take_byte(Input *input)
{
	uint8_t		result;

	take(input, &result, 1);
	return result;
}

/* A number of any magnitude, often at an edge. */
static int64_t
take_number(Input *input)
{
	static const int64_t edges[] = {
		0, 1, -1, 999999, 1000000, -1000000, IDEM_MONEY_MAX, -IDEM_MONEY_MAX,
		IDEM_MONEY_MAX - 1, IDEM_MONEY_MAX / 2, IDEM_MONEY_MAX / 2 + 1, 5, 50, 500000
	};
	uint8_t		how = take_byte(input);
	uint64_t	bits;

	if (how < 0x40)
		return edges[how % (sizeof(edges) / sizeof(edges[0]))];
	take(input, &bits, how < 0x80 ? 2 : 8);
	bits >>= how % 64;
	return (how & 1) ? -(int64_t) (bits >> 1) : (int64_t) (bits >> 1);
}

static int64_t
take_amount(Input *input)
{
	return take_number(input) % (IDEM_MONEY_MAX + 1);
}

static bool
within(IdemInt128 number)
{
	return number >= -(IdemInt128) IDEM_MONEY_MAX &&
		number <= (IdemInt128) IDEM_MONEY_MAX;
}

static void
expect_answer(Answer answer, IdemMoneyStatus status, int64_t value)
{
	EXPECT(status == answer.status);
	EXPECT(status != IDEM_MONEY_OK || value == answer.value);
}


/* ---------- reading ---------- */

#define IS_DIGIT(c)	((c) >= '0' && (c) <= '9')
#define IS_BLANK(c)	((c) == ' ' || ((c) >= 9 && (c) <= 13))

/* Large enough to be out of every range, small enough to take a digit. */
#define HUGE	((IdemInt128) 1 << 100)

/* No input is longer: run.sh */
#define TEXT_MAX	80

/* Where the number starts and ends; its sign. */
static int
strip(const char *text, size_t *start, size_t *end)
{
	while (*start < *end && IS_BLANK(text[*start]))
		(*start)++;
	while (*end > *start && IS_BLANK(text[*end - 1]))
		(*end)--;
	if (*start < *end && text[*start] == '-')
		return (*start)++, -1;
	if (*start < *end && text[*start] == '+')
		(*start)++;
	return 1;
}

static Answer
answer_of(IdemInt128 micros, bool lost, int sign)
{
	Answer		answer = {IDEM_MONEY_OK, 0};

	if (micros > IDEM_MONEY_MAX)
		answer.status = IDEM_MONEY_OUT_OF_RANGE;
	else if (lost)
		answer.status = IDEM_MONEY_TOO_FINE;
	else
		answer.value = (int64_t) (sign * micros);
	return answer;
}

/* The exponent behind an "e", as far as it matters to TEXT_MAX digits. */
static bool
read_exponent(const char *text, size_t start, size_t end, int *exponent)
{
	int			sign = 1;

	*exponent = 0;
	if (start < end && (text[start] == '-' || text[start] == '+'))
		sign = text[start++] == '-' ? -1 : 1;
	if (start == end)
		return false;
	for (; start < end; start++)
	{
		if (!IS_DIGIT(text[start]))
			return false;
		*exponent = *exponent * 10 + (text[start] - '0');
		if (*exponent > 4 * TEXT_MAX)
			*exponent = 4 * TEXT_MAX;
	}
	*exponent *= sign;
	return true;
}

/*
 * So many digits, of which so many are decimals (less than none: zeros are to
 * be appended), in millionths.  Zeros at both ends are taken off, and then the
 * number of digits says how large it is.
 */
static Answer
digits_in_micros(const char *digits, int count, int decimals, int sign)
{
	IdemInt128	number = 0;
	bool		lost;
	int			i;

	for (; count > 0 && *digits == '0'; digits++)
		count--;
	for (; count > 0 && digits[count - 1] == '0'; decimals--)
		count--;
	if (count == 0)
		return answer_of(0, false, sign);
	if (count - decimals > 20)
		return answer_of(HUGE, false, sign);
	lost = decimals > 6;
	for (i = 0; i < count && i < count - decimals + 6; i++)
		number = number * 10 + (digits[i] - '0');
	for (; decimals < 6; decimals++)
		number *= 10;
	return answer_of(number, lost, sign);
}

static Answer
read_amount(const char *text, size_t length)
{
	Answer		malformed = {IDEM_MONEY_MALFORMED, 0};
	size_t		start = 0;
	size_t		end = length;
	int			sign = strip(text, &start, &end);
	char		digits[TEXT_MAX];
	int			count = 0;
	int			points = 0;
	int			decimals = 0;
	int			exponent = 0;
	size_t		i;

	EXPECT(length <= TEXT_MAX);
	for (i = start; i < end && text[i] != 'e' && text[i] != 'E'; i++)
	{
		if (text[i] == '.')
			points++;
		else if (IS_DIGIT(text[i]))
		{
			digits[count++] = text[i];
			decimals += points;
		}
		else
			return malformed;
	}
	if (count == 0 || points > 1)
		return malformed;
	if (i < end && !read_exponent(text, i + 1, end, &exponent))
		return malformed;
	return digits_in_micros(digits, count, decimals - exponent, sign);
}

/* Groups of three whole digits, the first one of one to three. */
static bool
is_grouped(const char *text)
{
	size_t		whole;

	text += (*text == '-');
	whole = strcspn(text, ".");
	if (strspn(text, "0123456789") != (whole - 1) % 4 + 1)
		return false;
	for (text += (whole - 1) % 4 + 1; *text == ','; text += 4)
	{
		if (strspn(text + 1, "0123456789") != 3)
			return false;
	}
	return *text == '.' || *text == '\0';
}

/* The short way says the same, or nothing; it says it of what is written. */
static void
expect_plain(const char *text, size_t length, IdemMoneyStatus status,
			 int64_t micros)
{
	char		copy[128];
	int64_t		plain = 0;

	if (length >= sizeof(copy) || memchr(text, '\0', length) != NULL)
		return;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (idem_money_parse_plain(copy, &plain))
		EXPECT(status == IDEM_MONEY_OK && plain == micros);
	if (status != IDEM_MONEY_OK)
		return;
	idem_money_format(micros, copy);
	if (idem_money_parse_plain(copy, &plain))
		EXPECT(plain == micros);
	else
		EXPECT(strlen(copy) > 14);
}

static void
fuzz_parse(Input *input)
{
	const char *text = (const char *) input->next;
	int64_t		micros = 0;
	IdemMoneyStatus status = idem_money_parse(text, input->left, &micros);
	char		written[IDEM_MONEY_TEXT_SIZE];
	char		grouped[IDEM_MONEY_GROUPED_SIZE];
	size_t		length;
	int64_t		again = 0;
	size_t		from;
	size_t		to = 0;

	expect_answer(read_amount(text, input->left), status, micros);
	expect_plain(text, input->left, status, micros);
	if (status != IDEM_MONEY_OK)
		return;

	/* what is written is read as the same amount, and nothing is superfluous */
	length = idem_money_format(micros, written);
	EXPECT(length < IDEM_MONEY_TEXT_SIZE && written[length] == '\0');
	EXPECT(idem_money_parse(written, length, &again) == IDEM_MONEY_OK);
	EXPECT(again == micros);
	EXPECT(written[0] != '-' || micros < 0);
	EXPECT(strchr(written, '.') <= written + length - 3);
	EXPECT(written[length - 1] != '0' || written[length - 3] == '.');

	/* without its commas, text for people is the same amount */
	length = idem_money_format_grouped(micros, (int) (input->left % 7), grouped);
	EXPECT(length < IDEM_MONEY_GROUPED_SIZE && grouped[length] == '\0');
	EXPECT(is_grouped(grouped));
	for (from = 0; from <= length; from++)
	{
		if (grouped[from] != ',')
			written[to++] = grouped[from];
	}
	EXPECT(idem_money_parse(written, strlen(written), &again) == IDEM_MONEY_OK);
	EXPECT(again == micros);
}

static Answer
read_units(const char *text, size_t length, int scale)
{
	Answer		malformed = {IDEM_MONEY_MALFORMED, 0};
	size_t		start = 0;
	size_t		end = length;
	int			sign = strip(text, &start, &end);
	IdemInt128	number = 0;
	bool		lost = false;
	size_t		i;

	if (start == end)
		return malformed;
	for (i = start; i < end; i++)
	{
		if (!IS_DIGIT(text[i]))
			return malformed;
		/* of the last scale digits only the first six are millionths */
		if (end - i <= (size_t) scale && end - i + 6 <= (size_t) scale)
			lost = lost || text[i] != '0';
		else if (number < HUGE)
			number = number * 10 + (text[i] - '0');
	}
	for (; scale < 6; scale++)
		number *= 10;
	return answer_of(number, lost, sign);
}

static void
fuzz_parse_scaled(Input *input)
{
	int			scale = take_byte(input) % (IDEM_MONEY_SCALE_MAX + 1);
	int64_t		micros = 0;
	IdemMoneyStatus status;

	status = idem_money_parse_scaled((const char *) input->next, input->left,
									 scale, &micros);
	expect_answer(read_units((const char *) input->next, input->left, scale),
				  status, micros);
}


/* ---------- arithmetic ---------- */

static IdemInt128
power_of_ten(int exponent)
{
	IdemInt128	result = 1;

	while (exponent-- > 0)
		result *= 10;
	return result;
}

static void
fuzz_arithmetic(Input *input)
{
	int64_t		a = take_amount(input);
	int64_t		b = take_amount(input);
	int64_t		factor = take_number(input);
	int			decimals = take_byte(input) % 7;
	int64_t		result = 0;

	EXPECT(idem_money_add_overflow(a, b, &result) == !within((IdemInt128) a + b));
	EXPECT(!within((IdemInt128) a + b) || result == (IdemInt128) a + b);
	EXPECT(idem_money_sub_overflow(a, b, &result) == !within((IdemInt128) a - b));
	EXPECT(!within((IdemInt128) a - b) || result == (IdemInt128) a - b);
	EXPECT(idem_money_mul_overflow(a, factor, &result) ==
		   !within((IdemInt128) a * factor));
	EXPECT(!within((IdemInt128) a * factor) || result == (IdemInt128) a * factor);
	EXPECT(idem_money_has_decimals(a, decimals) ==
		   ((IdemInt128) a * power_of_ten(decimals) % 1000000 == 0));
}

static void
fuzz_scaled(Input *input)
{
	int64_t		amount = take_amount(input);
	int64_t		count = take_number(input);
	int			scale = take_byte(input) % (IDEM_MONEY_SCALE_MAX + 1);
	IdemInt128	above = (IdemInt128) count * 1000000;
	IdemInt128	below = power_of_ten(scale);
	int64_t		result = 0;
	IdemMoneyStatus status = idem_money_from_scaled(count, scale, &result);

	if (above % below != 0)
		EXPECT(status == IDEM_MONEY_TOO_FINE);
	else if (!within(above / below))
		EXPECT(status == IDEM_MONEY_OUT_OF_RANGE);
	else
		EXPECT(status == IDEM_MONEY_OK && result == above / below);

	scale %= IDEM_MONEY_DECIMALS + 1;
	above = (IdemInt128) amount * power_of_ten(scale);
	status = idem_money_to_scaled(amount, scale, &result);
	if (above % 1000000 != 0)
		EXPECT(status == IDEM_MONEY_TOO_FINE);
	else
		EXPECT(status == IDEM_MONEY_OK && result == above / 1000000);
}


/* ---------- rounding ---------- */

/* Which of floor and ceiling it is: true for the ceiling. */
static bool
takes_ceiling(IdemRounding rounding, IdemInt128 floor, bool positive, int half)
{
	switch (rounding)
	{
		case IDEM_ROUND_CEILING:
			return true;
		case IDEM_ROUND_FLOOR:
			return false;
		case IDEM_ROUND_UP:
			return positive;
		case IDEM_ROUND_DOWN:
			return !positive;
		default:
			break;
	}
	if (half != 0)
		return half > 0;
	switch (rounding)
	{
		case IDEM_ROUND_HALF_UP:
			return positive;
		case IDEM_ROUND_HALF_DOWN:
			return !positive;
		default:
			return floor % 2 != 0;
	}
}

static Answer
round_exactly(IdemInt128 above, IdemInt128 below, int scale, IdemRounding rounding)
{
	Answer		answer = {IDEM_MONEY_OK, 0};
	IdemInt128	floor;
	IdemInt128	rest;
	IdemInt128	micros;

	if (below < 0)
	{
		above = -above;
		below = -below;
	}
	floor = above / below - (above % below < 0);
	rest = above - floor * below;
	if (rest != 0 && rounding == IDEM_ROUND_UNNECESSARY)
	{
		answer.status = IDEM_MONEY_TOO_FINE;
		return answer;
	}
	if (rest != 0 &&
		takes_ceiling(rounding, floor, above > 0, (2 * rest > below) - (2 * rest < below)))
		floor++;
	if (floor > INT64_MAX || floor < -INT64_MAX)
		floor = HUGE;
	micros = floor * power_of_ten(IDEM_MONEY_DECIMALS - scale);
	answer.status = within(micros) ? IDEM_MONEY_OK : IDEM_MONEY_OUT_OF_RANGE;
	answer.value = within(micros) ? (int64_t) micros : 0;
	return answer;
}

static void
fuzz_rounding(Input *input)
{
	uint8_t		how = take_byte(input);
	IdemRounding rounding = (IdemRounding) (how % 8);
	int			scale = take_byte(input) % 7;
	int64_t		amount = take_amount(input);
	int64_t		number = take_amount(input);
	int64_t		unit = idem_money_unit_of_scale(scale);
	IdemInt128	above = amount;
	IdemInt128	below = unit;
	int64_t		result = 0;
	IdemMoneyStatus status;

	/* an amount, a product, a quotient: what the callers make of them */
	if (how & 0x10)
	{
		above = (IdemInt128) amount * number;
		below = (IdemInt128) IDEM_MONEY_UNIT * unit;
	}
	else if ((how & 0x20) && number != 0)
	{
		above = (IdemInt128) amount * IDEM_MONEY_UNIT;
		below = (IdemInt128) number * unit;
	}
	status = idem_money_round_ratio(above, below, scale, rounding, &result);
	expect_answer(round_exactly(above, below, scale, rounding), status, result);
}


/* ---------- sharing ---------- */

/* a * b, lowest 64 bits first */
static void
multiply_wide(IdemUint128 a, uint64_t b, uint64_t *product)
{
	IdemUint128 low = (IdemUint128) (uint64_t) a * b;
	IdemUint128 high = (IdemUint128) (uint64_t) (a >> 64) * b + (uint64_t) (low >> 64);

	product[0] = (uint64_t) low;
	product[1] = (uint64_t) high;
	product[2] = (uint64_t) (high >> 64);
}

static void
add_wide(uint64_t *sum, IdemUint128 number)
{
	IdemUint128 low = (IdemUint128) sum[0] + (uint64_t) number;
	IdemUint128 high = (IdemUint128) sum[1] + (uint64_t) (number >> 64) + (uint64_t) (low >> 64);

	sum[0] = (uint64_t) low;
	sum[1] = (uint64_t) high;
	sum[2] += (uint64_t) (high >> 64);
}

static IdemUint128
take_weight(Input *input)
{
	uint8_t		how = take_byte(input);
	IdemUint128 weight = 0;

	if (how < 0x80)
		return how % 4;
	take(input, &weight, how < 0xC0 ? 3 : 16);
	return weight >> (3 + how % 16);
}

/* Did the share get a unit of what was left over?  Its rest says so. */
static bool
got_unit(const IdemMoneyShare *share, uint64_t units, IdemUint128 sum)
{
	uint64_t	part = share->part < 0 ? (uint64_t) -share->part : (uint64_t) share->part;
	uint64_t	exact[3];
	uint64_t	floor[3];

	multiply_wide(share->weight, units, exact);
	multiply_wide(sum, part, floor);
	EXPECT(share->rest < sum);
	add_wide(floor, share->rest);
	if (memcmp(exact, floor, sizeof(exact)) == 0)
		return false;
	/* one more than the floor: part - 1 times sum, and the rest */
	EXPECT(part > 0);
	multiply_wide(sum, part - 1, floor);
	add_wide(floor, share->rest);
	EXPECT(memcmp(exact, floor, sizeof(exact)) == 0);
	return true;
}

static void
fuzz_sharing(Input *input)
{
	size_t		count = 1 + take_byte(input) % SHARES_MAX;
	int64_t		amount = take_amount(input);
	uint64_t	units = amount < 0 ? (uint64_t) -amount : (uint64_t) amount;
	IdemMoneyShare shares[SHARES_MAX];
	IdemUint128 weights[SHARES_MAX];
	bool		got[SHARES_MAX];
	IdemUint128 sum = 0;
	IdemInt128	total = 0;
	size_t		i;
	size_t		j;

	for (i = 0; i < count; i++)
	{
		weights[i] = shares[i].weight = take_weight(input);
		sum += weights[i];
	}
	EXPECT(idem_money_share(amount, shares, count) == (sum > 0));
	if (sum == 0)
		return;

	for (i = 0; i < count; i++)
	{
		EXPECT(shares[i].weight == weights[i]);
		EXPECT(weights[i] > 0 || shares[i].part == 0);
		EXPECT(shares[i].part == 0 || (shares[i].part < 0) == (amount < 0));
		total += shares[i].part;
		got[i] = got_unit(&shares[i], units, sum);
	}
	EXPECT(total == amount);
	for (i = 0; i < count; i++)
	{
		for (j = 0; j < count; j++)
		{
			/* who got a unit lost at least as much, or stood before */
			if (got[i] && !got[j])
				EXPECT(shares[i].rest > shares[j].rest ||
					   (shares[i].rest == shares[j].rest && i < j));
		}
	}
}

/* A weight is read as what its digits say. */
static void
fuzz_weight(Input *input)
{
	char		text[64];
	size_t		length = input->left < sizeof(text) - 1 ? input->left : sizeof(text) - 1;
	const char *point;
	IdemUint128 weight = 0;
	IdemUint128 expected = 0;
	int			decimals = 0;
	size_t		i;

	/* only digits and one point between them: what the server writes */
	for (i = 0; i < length; i++)
		text[i] = (char) ('0' + input->next[i] % 10);
	if (length > 2)
		text[1 + input->next[0] % (length - 2)] = '.';
	text[length] = '\0';

	if (idem_money_parse_weight(text, &weight, &decimals) != IDEM_MONEY_OK)
	{
		EXPECT(length > 37);
		return;
	}
	point = strchr(text, '.');
	EXPECT(decimals == 0 || point != NULL);
	EXPECT(decimals == 0 || weight % 10 != 0);
	for (i = 0; i < length; i++)
	{
		if (point == NULL || text + i < point)
			expected = expected * 10 + (unsigned) (text[i] - '0');
		else if (text + i > point && text + i <= point + decimals)
			expected = expected * 10 + (unsigned) (text[i] - '0');
		else
			EXPECT(text[i] == '.' || text[i] == '0');
	}
	EXPECT(weight == expected);
	if (idem_money_scale_weight(&weight, 3))
		EXPECT(weight == expected * 1000);
	else
		EXPECT(expected >= IDEM_MONEY_WEIGHT_MAX / 1000);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[]) (Input *) = {
		fuzz_parse, fuzz_parse_scaled, fuzz_arithmetic, fuzz_scaled,
		fuzz_rounding, fuzz_sharing, fuzz_weight
	};
	Input		input = {data, size};

	targets[take_byte(&input) % (sizeof(targets) / sizeof(targets[0]))] (&input);
	return 0;
}
