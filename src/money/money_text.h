/*
 * money_text.h
 *		Amounts as numbers and as text, without the server.
 *
 * An amount is a signed count of millionths (micros).  Its magnitude stays
 * below 2^61, so that the sum of any two amounts fits in 64 bits and bytes
 * of ASCII text read as a binary number are never an amount.
 */
#ifndef IDEM_MONEY_TEXT_H
#define IDEM_MONEY_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDEM_MONEY_DECIMALS		6
#define IDEM_MONEY_UNIT			INT64_C(1000000)
#define IDEM_MONEY_MAX			((INT64_C(1) << 61) - 1)

/* whole units of the largest amount */
#define IDEM_MONEY_WHOLE_MAX	(IDEM_MONEY_MAX / IDEM_MONEY_UNIT)

/* sign, 13 digits, point, 6 digits, end; also enough for any int64 */
#define IDEM_MONEY_TEXT_SIZE	24

/* the same with a comma every three digits */
#define IDEM_MONEY_GROUPED_SIZE	32

/* minor units beyond this many decimals are not read or written */
#define IDEM_MONEY_SCALE_MAX	18

typedef enum IdemMoneyStatus
{
	IDEM_MONEY_OK = 0,
	IDEM_MONEY_MALFORMED,		/* not the text of an amount */
	IDEM_MONEY_TOO_FINE,		/* more exact than the unit allows */
	IDEM_MONEY_OUT_OF_RANGE
} IdemMoneyStatus;

extern IdemMoneyStatus idem_money_parse(const char *str, size_t length,
										int64_t *micros);
extern bool idem_money_parse_plain(const char *str, int64_t *micros);
extern IdemMoneyStatus idem_money_parse_scaled(const char *str, size_t length,
											   int scale, int64_t *micros);
extern size_t idem_money_format(int64_t micros, char *str);
extern size_t idem_money_format_grouped(int64_t micros, int decimals,
										char *str);
extern bool idem_money_has_decimals(int64_t micros, int decimals);
extern IdemMoneyStatus idem_money_from_scaled(int64_t count, int scale,
											  int64_t *micros);
extern IdemMoneyStatus idem_money_to_scaled(int64_t micros, int scale,
											int64_t *count);

static inline bool
idem_money_in_range(int64_t micros)
{
	return micros >= -IDEM_MONEY_MAX && micros <= IDEM_MONEY_MAX;
}

/* The sum of two amounts cannot leave int64, only the range. */
static inline bool
idem_money_add_overflow(int64_t a, int64_t b, int64_t *sum)
{
	*sum = a + b;
	return !idem_money_in_range(*sum);
}

static inline bool
idem_money_sub_overflow(int64_t a, int64_t b, int64_t *difference)
{
	*difference = a - b;
	return !idem_money_in_range(*difference);
}

static inline bool
idem_money_mul_overflow(int64_t a, int64_t factor, int64_t *product)
{
	return __builtin_mul_overflow(a, factor, product) ||
		!idem_money_in_range(*product);
}

#endif							/* IDEM_MONEY_TEXT_H */
