// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* tuple: two endpoints as text, and the canonical key of a flow. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "report/internal.h"

int addr_parse(const char *text, __u8 addr[16])
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		memset(addr, 0, 10);
		memset(addr + 10, 0xff, 2);
		memcpy(addr + 12, &v4, 4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return -EINVAL;
	memcpy(addr, &v6, 16);
	return 0;
}

int port_parse(const char *text, __u16 *port)
{
	unsigned n = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		n = n * 10 + (unsigned)(*text - '0');
		if (n > 65535)
			return -EINVAL;
	}
	*port = (__u16)n;
	return 0;
}

/* Puts two ends (ports in host order) into a key in canonical order, its VLAN 0. Returns 0 when the first end became
 * side A, 1 when it became side B. */
int flow_key_make(struct flow_key *key, const __u8 saddr[16], __u16 sport, const __u8 daddr[16], __u16 dport)
{
	int order = memcmp(saddr, daddr, 16);
	int swap = order ? order > 0 : sport > dport;
	struct flow_key made = { .a_port = swap ? dport : sport, .b_port = swap ? sport : dport };

	memcpy(made.a_addr, swap ? daddr : saddr, 16);
	memcpy(made.b_addr, swap ? saddr : daddr, 16);
	*key = made;
	return swap;
}

struct endpoint {
	__u8 addr[16];
	__u16 port;
};

/* Cuts "[v6]:port" or "v4:port" in place. Returns NULL, or what is wrong. */
static const char *endpoint_split(char *text, char **addr, char **port)
{
	if (*text == '[') {
		char *close = strchr(text, ']');

		if (!close)
			return "']' is missing after an IPv6 address";
		*close = '\0';
		*addr = text + 1;
		if (close[1] != ':')
			return "a ':' and a port are expected after ']'";
		*port = close + 2;
		return NULL;
	}
	*port = strchr(text, ':');
	if (!*port)
		return "an endpoint needs a port: ADDR:PORT";
	if (strchr(*port + 1, ':'))
		return "an IPv6 address is written in brackets: [2001:db8::1]:443";
	*addr = text;
	*(*port)++ = '\0';
	return NULL;
}

static const char *endpoint_parse(char *text, struct endpoint *end)
{
	char *addr, *port;
	const char *wrong = endpoint_split(text, &addr, &port);

	if (wrong)
		return wrong;
	if (addr_parse(addr, end->addr))
		return "not an IPv4 or IPv6 address (names are not resolved)";
	if (port_parse(port, &end->port))
		return "a port is a number from 0 to 65535";
	return NULL;
}

/* Cuts text in place at what stands between the two ends; NULL if there are not just two. */
static char *second_end(char *text)
{
	static const char between[] = " \t,->";
	char *cut = text + strcspn(text, between);
	char *second = cut + strspn(cut, between);

	if (second == cut || !*second || second[strcspn(second, between)])
		return NULL;
	*cut = '\0';
	return second;
}

/* Parses two endpoints in either order into a canonical key; report.h has the forms. 0, or -EINVAL with *error set to a
 * text that stays. */
int tuple_parse(const char *text, struct flow_key *key, const char **error)
{
	struct endpoint first, second;
	char copy[160];
	char *rest, *end;

	text += strspn(text, " \t");
	*error = "a flow is two endpoints: 192.0.2.1:40000-198.51.100.7:443";
	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	for (end = copy + strlen(copy); end > copy && isspace((unsigned char)end[-1]); end--)
		end[-1] = '\0';
	rest = second_end(copy);
	if (!rest)
		return -EINVAL;
	*error = endpoint_parse(copy, &first);
	if (!*error)
		*error = endpoint_parse(rest, &second);
	if (!*error && addr_is_v4(first.addr) != addr_is_v4(second.addr))
		*error = "one end is IPv4, the other one IPv6";
	if (*error)
		return -EINVAL;
	flow_key_make(key, first.addr, first.port, second.addr, second.port);
	return 0;
}
