/*
 * key_sha256.c
 *		SHA-256 (FIPS 180-4) of a short text.
 *
 * The server's own goes through a cryptographic library that is set up anew
 * for every text: three times the work of hashing a key.  Digests are stored
 * for good and computed in every claim, so this is plain arithmetic without
 * allocation, the same on every platform.
 */
#include "postgres.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define HAVE_WIDE
#endif

#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"

#include "key/key_inner.h"

#define BLOCK_BYTES		64
#define ROUNDS			64
#define LENGTH_BYTES	8

static const uint32 round_constant[ROUNDS] = {
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

/* One round; the caller turns the eight letters by one place each time. */
#define ROUND(a, b, c, d, e, f, g, h, word) \
	do { \
		uint32		t = (h) + SUM_E(e) + ((g) ^ ((e) & ((f) ^ (g)))) + (word); \
		(d) += t; \
		(h) = t + SUM_A(a) + ((b) ^ (((a) ^ (b)) & ((b) ^ (c)))); \
	} while (0)

#define EIGHT_ROUNDS(word) \
	do { \
		ROUND(a, b, c, d, e, f, g, h, (word)[0]); \
		ROUND(h, a, b, c, d, e, f, g, (word)[1]); \
		ROUND(g, h, a, b, c, d, e, f, (word)[2]); \
		ROUND(f, g, h, a, b, c, d, e, (word)[3]); \
		ROUND(e, f, g, h, a, b, c, d, (word)[4]); \
		ROUND(d, e, f, g, h, a, b, c, (word)[5]); \
		ROUND(c, d, e, f, g, h, a, b, (word)[6]); \
		ROUND(b, c, d, e, f, g, h, a, (word)[7]); \
	} while (0)

/* Take a block into the state, its words being scheduled, constants added. */
static pg_attribute_always_inline void
take_words(uint32 state[8], const uint32 word[ROUNDS])
{
	uint32		a = state[0];
	uint32		b = state[1];
	uint32		c = state[2];
	uint32		d = state[3];
	uint32		e = state[4];
	uint32		f = state[5];
	uint32		g = state[6];
	uint32		h = state[7];

	EIGHT_ROUNDS(word);
	EIGHT_ROUNDS(word + 8);
	EIGHT_ROUNDS(word + 16);
	EIGHT_ROUNDS(word + 24);
	EIGHT_ROUNDS(word + 32);
	EIGHT_ROUNDS(word + 40);
	EIGHT_ROUNDS(word + 48);
	EIGHT_ROUNDS(word + 56);
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
	state[5] += f;
	state[6] += g;
	state[7] += h;
}

/* Take 64 bytes into the state. */
static void
take_block_anywhere(uint32 state[8], const uint8 *block)
{
	uint32		w[ROUNDS];
	int			i;

	memcpy(w, block, BLOCK_BYTES);
	for (i = 0; i < 16; i++)
		w[i] = pg_ntoh32(w[i]);
	for (; i < ROUNDS; i++)
		w[i] = w[i - 16] + SPREAD_0(w[i - 15]) + w[i - 7] + SPREAD_1(w[i - 2]);
	for (i = 0; i < ROUNDS; i++)
		w[i] += round_constant[i];
	take_words(state, w);
}

#ifdef HAVE_WIDE

/*
 * The same with what nearly every processor of this kind has: four words are
 * scheduled at a time, and words are turned without being copied first.
 */
#define WIDE __attribute__((target("avx2,bmi2")))

/* SPREAD_0 of four words. */
static inline WIDE __m128i
spread_0(__m128i x)
{
	return _mm_srli_epi32(x, 3) ^
		_mm_srli_epi32(x, 7) ^ _mm_slli_epi32(x, 25) ^
		_mm_srli_epi32(x, 18) ^ _mm_slli_epi32(x, 14);
}

/* SPREAD_1 of two words, each given twice; in the even places. */
static inline WIDE __m128i
spread_1(__m128i x)
{
	return _mm_srli_epi32(x, 10) ^ _mm_srli_epi64(x, 17) ^
		_mm_srli_epi64(x, 19);
}

/* The four words after x, which are 16: the last two depend on the first. */
static inline WIDE __m128i
next_words(const __m128i * x)
{
	const		__m128i low = _mm_setr_epi8(0, 1, 2, 3, 8, 9, 10, 11,
											-1, -1, -1, -1, -1, -1, -1, -1);
	const		__m128i high = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1,
											 0, 1, 2, 3, 8, 9, 10, 11);
	__m128i		w;
	__m128i		last;

	w = _mm_add_epi32(_mm_add_epi32(x[0], _mm_alignr_epi8(x[3], x[2], 4)),
					  spread_0(_mm_alignr_epi8(x[1], x[0], 4)));
	last = spread_1(_mm_unpackhi_epi32(x[3], x[3]));
	w = _mm_add_epi32(w, _mm_shuffle_epi8(last, low));
	last = spread_1(_mm_unpacklo_epi32(w, w));
	return _mm_add_epi32(w, _mm_shuffle_epi8(last, high));
}

static WIDE void
take_block_wide(uint32 state[8], const uint8 *block)
{
	const		__m128i swap = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4,
											 11, 10, 9, 8, 15, 14, 13, 12);
	const		__m128i *constant = (const __m128i *) round_constant;
	__m128i		x[ROUNDS / 4];
	__m128i		word[ROUNDS / 4];
	int			i;

#pragma GCC unroll 16
	for (i = 0; i < ROUNDS / 4; i++)
	{
		x[i] = i < 4 ?
			_mm_shuffle_epi8(_mm_loadu_si128((const __m128i *) block + i),
							 swap) :
			next_words(x + i - 4);
		word[i] = _mm_add_epi32(x[i], _mm_loadu_si128(constant + i));
	}
	take_words(state, (uint32 *) word);
}

static void take_block_first(uint32 state[8], const uint8 *block);
static void (*take_block) (uint32 state[8], const uint8 *block) =
			take_block_first;

/*
 * The first block of a session decides which of the two is taken, and both
 * have to make the same of it: digests are stored for good.
 */
static void
take_block_first(uint32 state[8], const uint8 *block)
{
	bool		wide = __builtin_cpu_supports("avx2") &&
		__builtin_cpu_supports("bmi2");
	uint32		other[8];

	memcpy(other, state, sizeof(other));
	take_block_anywhere(state, block);
	if (wide)
		take_block_wide(other, block);
	if (wide && memcmp(other, state, sizeof(other)) != 0)
		elog(ERROR, "the two ways to compute SHA-256 differ");
	take_block = wide ? take_block_wide : take_block_anywhere;
}

#else
#define take_block take_block_anywhere
#endif

/*
 * The first 16 bytes of SHA-256: the only place of the room that hashes.
 */
void
idem_key_digest16(const void *data, size_t len, uint8 *digest)
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
