/*
 * claim_sha256.c
 *		SHA-256 (FIPS 180-4) of a short text.
 *
 * The server's own goes through a cryptographic library that is set up anew
 * for every text: three times the work of hashing a key.  Digests are stored
 * for good and computed in every claim, so this is plain arithmetic without
 * allocation, the same on every platform.
 */
#include "postgres.h"

#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"

#include "claim/claim.h"

#define BLOCK_BYTES		64
#define LENGTH_BYTES	8

static const uint32 round_constant[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
	0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
	0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
	0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

/* Rotated by 2, 13 and 22; by 6, 11 and 25: each step turns those before it. */
#define TURN(x, n) pg_rotate_right32(x, n)
#define SUM_A(x) TURN(TURN(TURN(x, 9) ^ (x), 11) ^ (x), 2)
#define SUM_E(x) TURN(TURN(TURN(x, 14) ^ (x), 5) ^ (x), 6)
#define SPREAD_0(x) (TURN(x, 7) ^ TURN(x, 18) ^ ((x) >> 3))
#define SPREAD_1(x) (TURN(x, 17) ^ TURN(x, 19) ^ ((x) >> 10))

/* Word i of the message schedule, in place of word i - 16. */
#define SCHEDULE(i) \
	(w[(i) & 15] += SPREAD_1(w[((i) - 2) & 15]) + w[((i) - 7) & 15] + \
	 SPREAD_0(w[((i) - 15) & 15]))

/* One round; the caller turns the eight letters by one place each time. */
#define ROUND(a, b, c, d, e, f, g, h, i, word) \
	do { \
		uint32		t = (h) + SUM_E(e) + ((g) ^ ((e) & ((f) ^ (g)))) + \
			round_constant[i] + (word); \
		(d) += t; \
		(h) = t + SUM_A(a) + ((b) ^ (((a) ^ (b)) & ((b) ^ (c)))); \
	} while (0)

#define EIGHT_ROUNDS(i, word) \
	do { \
		ROUND(a, b, c, d, e, f, g, h, (i), word((i))); \
		ROUND(h, a, b, c, d, e, f, g, (i) + 1, word((i) + 1)); \
		ROUND(g, h, a, b, c, d, e, f, (i) + 2, word((i) + 2)); \
		ROUND(f, g, h, a, b, c, d, e, (i) + 3, word((i) + 3)); \
		ROUND(e, f, g, h, a, b, c, d, (i) + 4, word((i) + 4)); \
		ROUND(d, e, f, g, h, a, b, c, (i) + 5, word((i) + 5)); \
		ROUND(c, d, e, f, g, h, a, b, (i) + 6, word((i) + 6)); \
		ROUND(b, c, d, e, f, g, h, a, (i) + 7, word((i) + 7)); \
	} while (0)

/* The first 16 words are those of the block. */
#define GIVEN(i) w[i]

/* Take 64 bytes into the state. */
static void
take_block(uint32 state[8], const uint8 *block)
{
	uint32		w[16];
	uint32		a = state[0];
	uint32		b = state[1];
	uint32		c = state[2];
	uint32		d = state[3];
	uint32		e = state[4];
	uint32		f = state[5];
	uint32		g = state[6];
	uint32		h = state[7];
	int			i;

	memcpy(w, block, BLOCK_BYTES);
	for (i = 0; i < 16; i++)
		w[i] = pg_ntoh32(w[i]);
	EIGHT_ROUNDS(0, GIVEN);
	EIGHT_ROUNDS(8, GIVEN);
	EIGHT_ROUNDS(16, SCHEDULE);
	EIGHT_ROUNDS(24, SCHEDULE);
	EIGHT_ROUNDS(32, SCHEDULE);
	EIGHT_ROUNDS(40, SCHEDULE);
	EIGHT_ROUNDS(48, SCHEDULE);
	EIGHT_ROUNDS(56, SCHEDULE);
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
	state[5] += f;
	state[6] += g;
	state[7] += h;
}

/*
 * The first 16 bytes of SHA-256: the only place of the room that hashes.
 */
void
idem_digest16(const void *data, size_t len, uint8 *digest)
{
	uint32		state[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
	};
	uint8		tail[2 * BLOCK_BYTES] = {0};
	const uint8 *p = data;
	size_t		left = len;
	size_t		tail_len;
	uint64		bits = pg_hton64((uint64) len * 8);
	int			i;

	for (; left >= BLOCK_BYTES; left -= BLOCK_BYTES, p += BLOCK_BYTES)
		take_block(state, p);

	/* what is left, a bit that is set, zeros, the length */
	tail_len = left + 1 + LENGTH_BYTES <= BLOCK_BYTES ?
		BLOCK_BYTES : 2 * BLOCK_BYTES;
	memcpy(tail, p, left);
	tail[left] = 0x80;
	memcpy(tail + tail_len - LENGTH_BYTES, &bits, LENGTH_BYTES);
	take_block(state, tail);
	if (tail_len > BLOCK_BYTES)
		take_block(state, tail + BLOCK_BYTES);

	for (i = 0; i < IDEM_DIGEST_BYTES / (int) sizeof(uint32); i++)
		state[i] = pg_hton32(state[i]);
	memcpy(digest, state, IDEM_DIGEST_BYTES);
}
