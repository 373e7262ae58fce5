// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * control_bits: a set of the 64 values that the six control bits may have, in the words of the file: "syn" (of SYN, ACK,
 * FIN and RST just this one is set), "rst+!ack" (what is not named is free). take.c reads them.
 */
#include <string.h>

#include "policy/show.h"

#define ALL 0x3fU
#define NAMED_ALWAYS (TH_SYN | TH_ACK | TH_FIN | TH_RST) /* without '!', these are clear unless named */

/* Values that have all of set and none of clear. */
struct cube {
	unsigned set, clear;
};

static uint64_t cube_values(struct cube c)
{
	uint64_t values = 0;

	for (unsigned bits = 0; bits <= ALL; bits++)
		if ((bits & c.set) == c.set && !(bits & c.clear))
			values |= 1ULL << bits;
	return values;
}

/* It can be written without '!'. */
static bool is_plain(struct cube c)
{
	return c.clear == (NAMED_ALWAYS & ~c.set);
}

static unsigned weight(uint64_t values, struct cube c)
{
	return 2 * (unsigned)__builtin_popcountll(values) + is_plain(c);
}

/* The one within values that says most of what is left; of equals, a plain one. What has neither '!' nor all of the four
 * bits cannot be written. */
static struct cube best_cube(uint64_t values, uint64_t left)
{
	struct cube best = { ALL, ALL };
	unsigned most = 0;

	for (unsigned set = 0; set <= ALL; set++)
		for (unsigned clear = 0; clear <= ALL; clear++) {
			struct cube c = { set, clear };
			uint64_t mine;

			if (set & clear || (!clear && !is_plain(c)))
				continue;
			mine = cube_values(c);
			if (mine & ~values || weight(mine & left, c) <= most || !(mine & left))
				continue;
			best = c;
			most = weight(mine & left, c);
		}
	return best;
}

static void add_bits(unsigned which, const char *sign, char buf[64])
{
	static const struct {
		const char *name;
		unsigned bit;
	} bits[] = { { "syn", TH_SYN }, { "ack", TH_ACK }, { "fin", TH_FIN },
		     { "rst", TH_RST }, { "psh", TH_PSH }, { "urg", TH_URG } };

	for (size_t i = 0; i < sizeof(bits) / sizeof(*bits); i++) {
		size_t used = strlen(buf);

		if (which & bits[i].bit)
			snprintf(buf + used, 64 - used, "%s%s%s", used ? "+" : "", sign, bits[i].name);
	}
}

static const char *cube_words(struct cube c, char buf[64])
{
	*buf = '\0';
	add_bits(c.set, "", buf);
	if (!is_plain(c))
		add_bits(c.clear, "!", buf);
	return *buf ? buf : "none";
}

struct json_object *control_bits(uint64_t values)
{
	struct json_object *list = json_object_new_array();
	char text[64];

	for (uint64_t left = values; left;) {
		struct cube c = best_cube(values, left);

		json_object_array_add(list, json_object_new_string(cube_words(c, text)));
		left &= ~cube_values(c);
	}
	return list;
}
