// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "policy/prefix.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

int prefix_compare(const void *a, const void *b)
{
	const struct address_prefix *x = a, *y = b;
	int order = memcmp(x->addr, y->addr, sizeof(x->addr));

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

static const __u8 v4[12] = { [10] = 0xff, [11] = 0xff };

bool prefix_is_v4(const struct address_prefix *prefix)
{
	return prefix->len >= 96 && !memcmp(prefix->addr, v4, sizeof(v4));
}

bool prefix_covers(const struct address_prefix *wide, const struct address_prefix *narrow)
{
	unsigned whole = wide->len / 8, rest = wide->len % 8;

	if (prefix_is_v4(wide) != prefix_is_v4(narrow) || wide->len > narrow->len || memcmp(wide->addr, narrow->addr, whole))
		return false;
	return !rest || !((wide->addr[whole] ^ narrow->addr[whole]) >> (8 - rest));
}

bool prefix_overlaps(const struct address_prefix *a, const struct address_prefix *b)
{
	return prefix_covers(a, b) || prefix_covers(b, a);
}

bool prefix_cut(struct address_prefix *prefix)
{
	bool any = false;

	for (unsigned byte = prefix->len / 8; byte < sizeof(prefix->addr); byte++) {
		__u8 keep = byte == prefix->len / 8 ? (__u8)(0xff00 >> prefix->len % 8) : 0;

		any |= prefix->addr[byte] & (__u8)~keep;
		prefix->addr[byte] &= keep;
	}
	return any;
}

struct address_prefix prefix_of(const __u8 addr[16])
{
	struct address_prefix prefix = { .len = PREFIX_WHOLE };

	memcpy(prefix.addr, addr, sizeof(prefix.addr));
	return prefix;
}

const char *prefix_text(const struct address_prefix *prefix, char buf[64])
{
	bool is_v4 = prefix_is_v4(prefix);
	size_t used;

	inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? prefix->addr + 12 : prefix->addr, buf, 64);
	used = strlen(buf);
	if (prefix->len < PREFIX_WHOLE)
		snprintf(buf + used, 64 - used, "/%u", is_v4 ? prefix->len - 96 : prefix->len);
	return buf;
}
