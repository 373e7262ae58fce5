/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SYN cookies of our own: all that the third segment of a handshake must bring back lies in the sequence number of the
 * SYN-ACK, so that no SYN needs memory.
 *
 *	31                                10 9             1  0
 *	+-----------------------------------+---------------+----+
 *	| hash over addresses, ports, the   | MSS 3, WS 4,  |slot|
 *	| client's ISN and the slot: 22 bit | SACK 1, ECN 1 |    |
 *	+-----------------------------------+---------------+----+
 *
 * The nine bits of options are masked with other bits of the same hash. The hash is SipHash-2-4 with a key of 128 bits; time
 * is cut into slots of 2^35 ns (34 s), and a cookie is good in its own slot and the next one: 34 to 69 s.
 *
 * What an attacker can do. Without the key, an ACK is taken for the answer to a cookie with a chance of 2^-22, whatever else
 * it says: 100,000 of them get one in with a chance of 2.4 %, a million a second one in 4 s, for an address that he
 * does not hold, of which he sees no answer. Who holds the address may ask for a cookie, use it for its lifetime, and change
 * the options in it: as he could in his SYN.
 *
 * Keys: two live ones. A new key is laid down ahead of time, for the slots from `since` on, so each slot has one key and a
 * cookie names it by its slot. They must not change more often than a cookie's lifetime.
 *
 * Pure: compiled for BPF and natively.
 */
#ifndef SYNCOOKIE_H
#define SYNCOOKIE_H

#include "enforce.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* Who makes the cookies. */
enum cookie_flavour { COOKIE_AUTO, COOKIE_OWN, COOKIE_KERNEL };

#define COOKIE_SLOT_SHIFT 35
#define COOKIE_LIFETIME_NS (2ULL << COOKIE_SLOT_SHIFT) /* at the most */
#define COOKIE_WS_NONE 15
#define COOKIE_TICK_SHIFT 20 /* of time stamps: 2^20 ns, 1.05 ms */
#define COOKIE_BATCH 32      /* a CPU takes so many replies at once from what the rate allows */

struct cookie_key {
	__u64 word[2];
};

/* Map "cookie_keys", one element. Slots below `since` have key[turn ^ 1], those from there on key[turn]. */
struct cookie_keys {
	struct cookie_key key[2];
	__u32 since; /* these two are one word: written at once */
	__u32 turn;
	__u32 ts_offset; /* time stamps do not tell how the clock stands */
	__u32 pad;
};

/* What the SYN's options said, and the answer's may say. */
#define COOKIE_HAS_TS 0x01
#define COOKIE_HAS_WS 0x02
#define COOKIE_HAS_SACK 0x04
#define COOKIE_HAS_ECN 0x08

/* Map "cookie_conf", one element: what user space found out for the interfaces' namespace. */
struct cookie_conf {
	__u8 flavour;  /* enum cookie_flavour; COOKIE_AUTO: none, every SYN goes to the stack */
	__u8 features; /* COOKIE_HAS_*: that the stack allows */
	__u8 wscale;   /* that the stack will use */
	__u8 pad;
	__u16 window; /* offered with the SYN-ACK: never more than the stack will have */
	__u8 was_syncookies; /* sysctls that were set for cookies: what they were before, plus one; 0: not touched */
	__u8 was_timestamps;
	__u8 set_syncookies; /* ... and to what */
	__u8 pad2[7];
	__u64 knows_from_ns; /* from then on the tracker knows all that the stack knows, but what it forgot; 0: it does not */
	__u64 test_until_ns; /* our own test brings a cookie back, though no SYN was answered */
};

struct cookie_options {
	__u16 mss; /* the client's, rounded down to one of eight; see cookie_mss() */
	__u8 ws;   /* the client's, COOKIE_WS_NONE if it offered none */
	__u8 has;  /* COOKIE_HAS_SACK, COOKIE_HAS_ECN, and COOKIE_HAS_WS if ws is not COOKIE_WS_NONE */
};

/* What a cookie is bound to: the connection as its client's SYN said. Addresses and ports in network order. */
struct cookie_tuple {
	const __u8 *saddr, *daddr; /* 16 bytes each, IPv4 as ::ffff:a.b.c.d */
	__be16 sport, dport;
	__u32 isn; /* the client's */
	__u32 v6;
};

/* ---- SipHash-2-4 (Aumasson and Bernstein, 2012) ---- */
struct siphash {
	__u64 v0, v1, v2, v3;
};

static __always_inline __u64 rotate_left(__u64 x, int by)
{
	return x << by | x >> (64 - by);
}

static __always_inline void siphash_round(struct siphash *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 = rotate_left(s->v0, 32) + s->v3;
	s->v2 += s->v1;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v2 = rotate_left(s->v2, 32);
}

static __always_inline void siphash_begin(struct siphash *s, const struct cookie_key *key)
{
	s->v0 = key->word[0] ^ 0x736f6d6570736575ULL;
	s->v1 = key->word[1] ^ 0x646f72616e646f6dULL;
	s->v2 = key->word[0] ^ 0x6c7967656e657261ULL;
	s->v3 = key->word[1] ^ 0x7465646279746573ULL;
}

/* The next eight bytes of the message, the first in the lowest place. */
static __always_inline void siphash_word(struct siphash *s, __u64 m)
{
	s->v3 ^= m;
	siphash_round(s);
	siphash_round(s);
	s->v0 ^= m;
}

/* tail: the last bytes, fewer than eight; len: of the whole message, bytes. */
static __always_inline __u64 siphash_end(struct siphash *s, __u64 tail, __u32 len)
{
	siphash_word(s, tail | (__u64)len << 56);
	s->v2 ^= 0xff;
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	siphash_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* ---- MSS: one of eight, never more than the client's but for the least, which the stack insists on ---- */
static __always_inline __u32 cookie_mss_index(__u16 mss, int v6)
{
	if (v6)
		return (mss >= 1300) + (mss >= 1340) + (mss >= 1360) + (mss >= 1380) + (mss >= 1420) + (mss >= 1440) +
		       (mss >= 8940);
	return (mss >= 1200) + (mss >= 1340) + (mss >= 1380) + (mss >= 1400) + (mss >= 1440) + (mss >= 1460) +
	       (mss >= 8960);
}

static __always_inline __u16 cookie_mss(__u32 index, int v6)
{
	switch (index & 7) {
	case 0: return v6 ? 1220 : 536;
	case 1: return v6 ? 1300 : 1200;
	case 2: return 1340;
	case 3: return v6 ? 1360 : 1380;
	case 4: return v6 ? 1380 : 1400;
	case 5: return v6 ? 1420 : 1440;
	case 6: return v6 ? 1440 : 1460;
	default: return v6 ? 8940 : 8960;
	}
}

/* ---- make and check ---- */
static __always_inline __u32 cookie_slot(__u64 now_ns)
{
	return (__u32)(now_ns >> COOKIE_SLOT_SHIFT);
}

static __always_inline const struct cookie_key *cookie_key_of(const struct cookie_keys *keys, __u32 slot)
{
	__u64 word = *(const volatile __u64 *)&keys->since;
	__u32 turn = (__u32)(word >> 32) ^ ((__s32)(slot - (__u32)word) < 0);

	asm volatile("" : "+r"(turn)); /* or the bound below is folded away, and Linux 6.1 does not see it */
	return &keys->key[turn & 1];
}

static __always_inline __u64 cookie_hash(const struct cookie_keys *keys, const struct cookie_tuple *t, __u32 slot)
{
	const __u64 *s = (const __u64 *)t->saddr, *d = (const __u64 *)t->daddr;
	struct siphash sip;

	siphash_begin(&sip, cookie_key_of(keys, slot));
	if (t->v6) {
		siphash_word(&sip, s[0]);
		siphash_word(&sip, s[1]);
		siphash_word(&sip, d[0]);
		siphash_word(&sip, d[1]);
	} else {
		siphash_word(&sip, s[1] >> 32 | (d[1] & 0xffffffff00000000ULL));
	}
	siphash_word(&sip, t->sport | (__u64)t->dport << 16 | (__u64)t->isn << 32);
	return siphash_end(&sip, slot, t->v6 ? 44 : 20);
}

/* The server's ISN for the SYN of t. */
static __always_inline __u32 cookie_make(const struct cookie_keys *keys, const struct cookie_tuple *t,
					 const struct cookie_options *o, __u64 now_ns)
{
	__u32 slot = cookie_slot(now_ns);
	__u64 h = cookie_hash(keys, t, slot);
	__u32 bits = cookie_mss_index(o->mss, t->v6) | (o->has & COOKIE_HAS_WS ? o->ws & 15 : COOKIE_WS_NONE) << 3 |
		     !!(o->has & COOKIE_HAS_SACK) << 7 | !!(o->has & COOKIE_HAS_ECN) << 8;

	return (__u32)(h >> 42) << 10 | (bits ^ (__u32)(h & 0x1ff)) << 1 | (slot & 1);
}

/*
 * Is isn a cookie that was made for t, this slot or the one before? Returns 1 and what it says, or 0 with *o untouched.
 */
static __always_inline int cookie_check(const struct cookie_keys *keys, const struct cookie_tuple *t, __u32 isn,
					__u64 now_ns, struct cookie_options *o)
{
	__u32 slot = cookie_slot(now_ns), bits;
	__u64 h;

	slot -= (slot ^ isn) & 1;
	h = cookie_hash(keys, t, slot);
	if ((__u32)(h >> 42) != isn >> 10)
		return 0;
	bits = (isn >> 1 & 0x1ff) ^ (__u32)(h & 0x1ff);
	o->mss = cookie_mss(bits, t->v6);
	o->ws = bits >> 3 & 15;
	o->has = (o->ws != COOKIE_WS_NONE ? COOKIE_HAS_WS : 0) | (bits & 0x80 ? COOKIE_HAS_SACK : 0) |
		 (bits & 0x100 ? COOKIE_HAS_ECN : 0);
	return 1;
}

/* ---- time stamps ---- */
static __always_inline __u32 cookie_clock(const struct cookie_keys *keys, __u64 now_ns)
{
	return (__u32)(now_ns >> COOKIE_TICK_SHIFT) + keys->ts_offset;
}

/*
 * What the stack is told that the ACK echoed. It makes its clock of this connection go on from there, and takes the difference
 * to what was really echoed for the handshake's round trip: so it is our clock now, unless the echo is none of ours.
 */
static __always_inline __u32 cookie_clock_now(const struct cookie_keys *keys, __u64 now_ns, __u32 echo)
{
	__u32 now = cookie_clock(keys, now_ns);

	return now - echo <= COOKIE_LIFETIME_NS >> COOKIE_TICK_SHIFT ? now : echo;
}

/* ---- the kernel's own cookies (net/ipv4/syncookies.c): options in the low six bits of the time stamp ---- */
#define KERNEL_TS_BITS 6

static __always_inline __u32 cookie_kernel_stamp(__u32 clock, const struct cookie_options *o)
{
	__u32 bits = (o->has & COOKIE_HAS_WS ? o->ws & 15 : COOKIE_WS_NONE) | !!(o->has & COOKIE_HAS_SACK) << 4 |
		     !!(o->has & COOKIE_HAS_ECN) << 5;
	__u32 stamp = (clock & ~63U) | bits;

	return stamp > clock ? stamp - 64 : stamp;
}

static __always_inline void cookie_kernel_options(__u32 echo, struct cookie_options *o)
{
	o->ws = echo & 15;
	o->has = (o->ws != COOKIE_WS_NONE ? COOKIE_HAS_WS : 0) | (echo & 0x10 ? COOKIE_HAS_SACK : 0) |
		 (echo & 0x20 ? COOKIE_HAS_ECN : 0);
}

/* ---- the SYN-ACK's options ---- */
struct cookie_reply {
	__u32 word[5]; /* host order */
	__u32 words;
};

/* mss: ours; wscale: ours; echo: the client's time stamp. has: COOKIE_HAS_*, what both ends want. */
static __always_inline void cookie_reply_options(struct cookie_reply *r, __u8 has, __u16 mss, __u8 wscale, __u32 stamp,
						 __u32 echo)
{
	__u32 n = 1;

	r->word[0] = 0x02040000 | mss;
	if (has & COOKIE_HAS_TS) {
		r->word[1] = has & COOKIE_HAS_SACK ? 0x0402080a : 0x0101080a;
		r->word[2] = stamp;
		r->word[3] = echo;
		n = 4;
	} else if (has & COOKIE_HAS_SACK) {
		r->word[1] = 0x01010402;
		n = 2;
	}
	if (has & COOKIE_HAS_WS) {
		r->word[n == 4 ? 4 : n == 2 ? 2 : 1] = 0x01030300 | wscale;
		n++;
	}
	r->words = n;
}

#endif
