/*
 * money_share.c
 *		Rounding by a named rule and sharing without loss, without the server.
 *
 * Like money_text.c, this file uses no server header and raises no error, so
 * that it can be fuzzed alone.
 *
 * Rounding takes an exact fraction of two 128-bit numbers and rounds it once;
 * nothing is rounded on the way.
 *
 * Sharing cuts every exact part down to whole units.  The units that are left
 * over go one by one to the parts that lost most; of two that lost the same,
 * to the first.  The parts add up to the amount.  A part whose weight is zero
 * loses nothing and so gets nothing: the sum of the rests, each below one
 * unit, is left over, so there are more parts with a rest than units to give.
 * Shares of a negative amount are those of the positive one with the sign
 * turned.
 */
#include "money/money_share.h"

#include <stdlib.h>
#include <string.h>

static const char *const rounding_names[] = {
	"half_even",
	"half_up",
	"half_down",
	"up",
	"down",
	"ceiling",
	"floor",
	"unnecessary"
};

/* The rule of that name; false if there is none. */
bool
idem_money_rounding(const char *name, IdemRounding *rounding)
{
	size_t		i;

	for (i = 0; i < sizeof(rounding_names) / sizeof(rounding_names[0]); i++)
	{
		if (strcmp(name, rounding_names[i]) == 0)
		{
			*rounding = (IdemRounding) i;
			return true;
		}
	}
	return false;
}

/* Millionths of the last digit with so many decimals, 0 to 6. */
int64_t
idem_money_unit_of_scale(int scale)
{
	int64_t		unit = IDEM_MONEY_UNIT;

	while (scale-- > 0)
		unit /= 10;
	return unit;
}

/*
 * Does the last kept digit have to move away from zero by one?  negative: the
 * exact value is; odd: the last kept digit is.
 */
IdemMoneyStatus
idem_money_round_away(IdemRounding rounding, IdemMoneyRest rest, bool negative,
					  bool odd, bool *away)
{
	*away = false;
	if (rest == IDEM_REST_NONE)
		return IDEM_MONEY_OK;

	switch (rounding)
	{
		case IDEM_ROUND_HALF_EVEN:
			*away = rest == IDEM_REST_ABOVE_HALF ||
				(rest == IDEM_REST_HALF && odd);
			break;
		case IDEM_ROUND_HALF_UP:
			*away = rest >= IDEM_REST_HALF;
			break;
		case IDEM_ROUND_HALF_DOWN:
			*away = rest == IDEM_REST_ABOVE_HALF;
			break;
		case IDEM_ROUND_UP:
			*away = true;
			break;
		case IDEM_ROUND_DOWN:
			break;
		case IDEM_ROUND_CEILING:
			*away = !negative;
			break;
		case IDEM_ROUND_FLOOR:
			*away = negative;
			break;
		case IDEM_ROUND_UNNECESSARY:
			return IDEM_MONEY_TOO_FINE;
	}
	return IDEM_MONEY_OK;
}

static IdemMoneyRest
rest_of(IdemUint128 rest, IdemUint128 divisor)
{
	if (rest == 0)
		return IDEM_REST_NONE;
	/* rest is below divisor, so the difference cannot wrap */
	if (rest == divisor - rest)
		return IDEM_REST_HALF;
	return rest < divisor - rest ? IDEM_REST_BELOW_HALF : IDEM_REST_ABOVE_HALF;
}

static IdemUint128
magnitude_of(IdemInt128 number)
{
	return number < 0 ? 0 - (IdemUint128) number : (IdemUint128) number;
}

/*
 * The amount that is dividend / divisor units of 10^-scale, rounded.  The
 * caller has ensured that the divisor is not zero and scale is 0 to 6.
 */
IdemMoneyStatus
idem_money_round_ratio(IdemInt128 dividend, IdemInt128 divisor, int scale,
					   IdemRounding rounding, int64_t *micros)
{
	bool		negative = (dividend < 0) != (divisor < 0);
	IdemUint128 above = magnitude_of(dividend);
	IdemUint128 below = magnitude_of(divisor);
	IdemUint128 units = above / below;
	int64_t		unit = idem_money_unit_of_scale(scale);
	IdemMoneyStatus status;
	bool		away;

	status = idem_money_round_away(rounding, rest_of(above % below, below),
								   negative, units % 2 != 0, &away);
	if (status != IDEM_MONEY_OK)
		return status;
	/* units cannot wrap here: what is rounded up is below the dividend */
	units += away;
	if (units > (IdemUint128) (IDEM_MONEY_MAX / unit))
		return IDEM_MONEY_OUT_OF_RANGE;

	*micros = (int64_t) units * (negative ? -unit : unit);
	return IDEM_MONEY_OK;
}


/* ---------- sharing ---------- */

/* Adds a digit; false if the number gets too large. */
static bool
add_digit(IdemUint128 * number, unsigned digit)
{
	if (*number > (IDEM_MONEY_WEIGHT_MAX - 1 - digit) / 10)
		return false;
	*number = *number * 10 + digit;
	return true;
}

/*
 * A weight, written as digits with or without a point and decimals, as an
 * integer of so many decimals.  Zeros at the end of the decimals are left out.
 */
IdemMoneyStatus
idem_money_parse_weight(const char *str, IdemUint128 * weight, int *decimals)
{
	const char *point = strchr(str, '.');
	const char *end = str + strlen(str);
	const char *p;

	if (point != NULL)
	{
		while (end[-1] == '0')
			end--;
		if (end - 1 == point)
			end = point;
	}

	*weight = 0;
	*decimals = 0;
	for (p = str; p < end; p++)
	{
		if (p == point)
			continue;
		if (*p < '0' || *p > '9')
			return IDEM_MONEY_MALFORMED;
		if (!add_digit(weight, (unsigned) (*p - '0')))
			return IDEM_MONEY_OUT_OF_RANGE;
	}
	if (point != NULL && end > point)
	{
		if (end - point - 1 > IDEM_MONEY_WEIGHT_DECIMALS_MAX)
			return IDEM_MONEY_OUT_OF_RANGE;
		*decimals = (int) (end - point - 1);
	}
	return IDEM_MONEY_OK;
}

/* Multiplies by so many powers of ten; false if that gets too large. */
bool
idem_money_scale_weight(IdemUint128 * weight, int powers)
{
	while (powers-- > 0)
	{
		if (!add_digit(weight, 0))
			return false;
	}
	return true;
}

/*
 * units * weight / sum, for weight <= sum < 2^127: the quotient is at most
 * units.  Binary long division, as the product has up to 190 bits.
 */
static uint64_t
mul_div_wide(uint64_t units, IdemUint128 weight, IdemUint128 sum,
			 IdemUint128 * rest)
{
	uint64_t	quotient = 0;
	IdemUint128 remainder = 0;
	int			bit;

	/*
	 * From the highest bit of units down: the remainder of the product so far
	 * is doubled, and takes weight on if the bit is set.  It stays below sum,
	 * so neither step makes it more than twice that.
	 */
	for (bit = 63; bit >= 0; bit--)
	{
		quotient <<= 1;
		remainder <<= 1;
		if (remainder >= sum)
		{
			remainder -= sum;
			quotient++;
		}
		if ((units >> bit) & 1)
		{
			remainder += weight;
			if (remainder >= sum)
			{
				remainder -= sum;
				quotient++;
			}
		}
	}
	*rest = remainder;
	return quotient;
}

static uint64_t
mul_div(uint64_t units, IdemUint128 weight, IdemUint128 sum, IdemUint128 * rest)
{
	/* units are below 2^61, so the product is below 2^125 */
	if (weight <= UINT64_MAX)
	{
		IdemUint128 product = units * weight;

		*rest = product % sum;
		return (uint64_t) (product / sum);
	}
	return mul_div_wide(units, weight, sum, rest);
}

/* The largest rest first; of equal ones, the one that stood first. */
static int
compare_rests(const void *left, const void *right)
{
	const IdemMoneyShare *a = left;
	const IdemMoneyShare *b = right;

	if (a->rest != b->rest)
		return a->rest > b->rest ? -1 : 1;
	return a->place < b->place ? -1 : 1;
}

static int
compare_places(const void *left, const void *right)
{
	const IdemMoneyShare *a = left;
	const IdemMoneyShare *b = right;

	return a->place < b->place ? -1 : 1;
}

/*
 * Sets the part of every share, so that the parts add up to the units.
 * False if the weights add up to zero.  The caller has ensured that they
 * add up to less than 2^127 and units is less than 2^61 either way.
 */
bool
idem_money_share(int64_t units, IdemMoneyShare *shares, size_t count)
{
	bool		negative = units < 0;
	uint64_t	left = negative ? (uint64_t) -units : (uint64_t) units;
	uint64_t	whole = left;
	IdemUint128 sum = 0;
	size_t		i;

	for (i = 0; i < count; i++)
		sum += shares[i].weight;
	if (sum == 0)
		return false;

	for (i = 0; i < count; i++)
	{
		shares[i].place = i;
		shares[i].part = (int64_t) mul_div(whole, shares[i].weight, sum,
										   &shares[i].rest);
		left -= (uint64_t) shares[i].part;
	}

	/* fewer are left than there are shares with a rest */
	if (left > 0)
		qsort(shares, count, sizeof(IdemMoneyShare), compare_rests);
	for (i = 0; i < left; i++)
		shares[i].part++;
	if (left > 0)
		qsort(shares, count, sizeof(IdemMoneyShare), compare_places);

	for (i = 0; negative && i < count; i++)
		shares[i].part = -shares[i].part;
	return true;
}
