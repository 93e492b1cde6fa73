/*
 * money_share.h
 *		Rounding by a named rule and sharing without loss, without the server.
 */
#ifndef IDEM_MONEY_SHARE_H
#define IDEM_MONEY_SHARE_H

#include "money/money_text.h"

/* Aligned as the server's memory is, which may be less than by nature. */
__extension__ typedef __int128 IdemInt128 __attribute__((aligned(8)));
__extension__ typedef unsigned __int128 IdemUint128
			__attribute__((aligned(8)));

/* Names and meanings of java.math.RoundingMode. */
typedef enum IdemRounding
{
	IDEM_ROUND_HALF_EVEN,		/* to the nearest, a half to the even one */
	IDEM_ROUND_HALF_UP,			/* to the nearest, a half away from zero */
	IDEM_ROUND_HALF_DOWN,		/* to the nearest, a half towards zero */
	IDEM_ROUND_UP,				/* away from zero */
	IDEM_ROUND_DOWN,			/* towards zero */
	IDEM_ROUND_CEILING,			/* towards plus infinity */
	IDEM_ROUND_FLOOR,			/* towards minus infinity */
	IDEM_ROUND_UNNECESSARY		/* refused if there is something to round */
} IdemRounding;

/* What was cut off, in units of the last digit that is kept. */
typedef enum IdemMoneyRest
{
	IDEM_REST_NONE,
	IDEM_REST_BELOW_HALF,
	IDEM_REST_HALF,
	IDEM_REST_ABOVE_HALF
} IdemMoneyRest;

/* One share of an amount. */
typedef struct IdemMoneyShare
{
	IdemUint128 weight;			/* in: what it counts */
	int64_t		part;			/* out: units of the amount */
	IdemUint128 rest;			/* what was cut off the part, by the sum of
								 * the weights */
	size_t		place;			/* where it stood */
} IdemMoneyShare;

/* Sums of weights stay below this, so that a doubled rest fits. */
#define IDEM_MONEY_WEIGHT_MAX	((IdemUint128) 1 << 127)

/* Decimals of a weight that are read; more do not fit in 127 bits. */
#define IDEM_MONEY_WEIGHT_DECIMALS_MAX	38

extern bool idem_money_rounding(const char *name, IdemRounding *rounding);
extern IdemMoneyStatus idem_money_round_away(IdemRounding rounding,
											 IdemMoneyRest rest, bool negative,
											 bool odd, bool *away);
extern IdemMoneyStatus idem_money_round_ratio(IdemInt128 dividend,
											  IdemInt128 divisor, int scale,
											  IdemRounding rounding,
											  int64_t *micros);
extern int64_t idem_money_unit_of_scale(int scale);
extern IdemMoneyStatus idem_money_parse_weight(const char *str,
											   IdemUint128 * weight,
											   int *decimals);
extern bool idem_money_scale_weight(IdemUint128 * weight, int powers);
extern bool idem_money_share(int64_t units, IdemMoneyShare *shares,
							 size_t count);

#endif							/* IDEM_MONEY_SHARE_H */
