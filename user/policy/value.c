/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* value: the words of a policy file: addresses, durations, rates, shares, counts, ports; each with its unit. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "policy/internal.h"
#include "policy/prefix.h"

static char error_text[512];

__attribute__((format(printf, 2, 3))) static int refuse(const char **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error_text, sizeof(error_text), format, args);
	va_end(args);
	*error = error_text;
	return -EINVAL;
}

const char *quoted(const char *text, char buf[QUOTED_LEN])
{
	size_t used = 0;

	for (; *text && used < QUOTED_LEN - 4; text++)
		buf[used++] = iscntrl((unsigned char)*text) ? ' ' : *text;
	while (*text && used && ((unsigned char)buf[used - 1] & 0xc0) == 0x80)
		used--; /* not the half of a character */
	if (*text && used && (unsigned char)buf[used - 1] >= 0xc0)
		used--;
	memcpy(buf + used, *text ? "..." : "", *text ? 4 : 1);
	return buf;
}

/* ---- numbers ---- */
/* Digits, "_" between them. Where they end; NULL if there are none, or the number does not fit. */
static const char *digits(const char *text, uint64_t *out)
{
	uint64_t n = 0;

	if (!isdigit((unsigned char)*text))
		return NULL;
	for (; isdigit((unsigned char)*text) || (*text == '_' && isdigit((unsigned char)text[1])); text++) {
		if (*text == '_')
			continue;
		if (n > (UINT64_MAX - 9) / 10)
			return NULL;
		n = n * 10 + (uint64_t)(*text - '0');
	}
	*out = n;
	return text;
}

/* The same with "k" or "M" behind. */
static const char *quantity(const char *text, uint64_t *out)
{
	uint64_t n, scale = 1;
	const char *end = digits(text, &n);

	if (!end)
		return NULL;
	if (*end == 'k' || *end == 'K')
		scale = 1000;
	else if (*end == 'M')
		scale = 1000000;
	if (n > UINT64_MAX / scale)
		return NULL;
	*out = n * scale;
	return end + (scale > 1);
}

int count_parse(const char *text, uint64_t *count, const char **error)
{
	char word[QUOTED_LEN];
	uint64_t n;
	const char *end = quantity(text, &n);

	if (!end)
		return refuse(error, "not a count, '%s': write a whole number: 128, 20k, 2M", quoted(text, word));
	if (*end == '%')
		return refuse(error, "a count takes no share, '%s': write a whole number: 128, 20k, 2M",
			      quoted(text, word));
	if (*end)
		return refuse(error, "not a count, '%s': write a whole number: 128, 20k, 2M", quoted(text, word));
	*count = n;
	return 0;
}

int share_parse(const char *text, uint16_t *permille, const char **error)
{
	char word[QUOTED_LEN];
	uint64_t n, tenth = 0;
	const char *end = digits(text, &n);

	quoted(text, word);
	if (!end)
		return refuse(error, "not a share, '%s': write 25%% or 12.5%%", word);
	if (!*end)
		return refuse(error, "a share needs its unit, '%s': %s%%", word, word);
	if (*end == '.' && isdigit((unsigned char)end[1]) && end[2] == '%') {
		tenth = (uint64_t)(end[1] - '0');
		end += 2;
	}
	if (strcmp(end, "%"))
		return refuse(error, "not a share, '%s': write 25%% or 12.5%%", word);
	if (n > 100 || n * 10 + tenth > 1000 || n * 10 + tenth == 0)
		return refuse(error, "out of range, '%s': a share is 0.1%% to 100%%", word);
	*permille = (uint16_t)(n * 10 + tenth);
	return 0;
}

int range_parse(const char *text, const char *what, unsigned min, unsigned max, struct port_range *out,
		const char **error)
{
	char word[QUOTED_LEN];
	uint64_t from, to;
	const char *end = digits(text, &from);

	quoted(text, word);
	to = from;
	if (end && *end == '-')
		end = digits(end + 1, &to);
	if (!end || *end)
		return refuse(error, "not a %s, '%s': write a number, or a range as 8000-8100; names are not looked up",
			      what, word);
	if (from < min || to < min || from > max || to > max)
		return refuse(error, "out of range, '%s': a %s is %u to %u", word, what, min, max);
	if (from > to)
		return refuse(error, "a range that ends before it begins, '%s': %u-%u", word, (unsigned)to,
			      (unsigned)from);
	*out = (struct port_range){ .from = (uint16_t)from, .to = (uint16_t)to };
	return 0;
}

/* ---- durations and rates ---- */
static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "d", POLICY_DAY },	  { "h", POLICY_HOUR },		  { "m", POLICY_MINUTE },
	{ "s", POLICY_SECOND },	  { "ms", POLICY_SECOND / 1000 }, { "us", POLICY_SECOND / 1000000 },
	{ "min", POLICY_MINUTE }, /* read, never written */
};

/* The unit that begins here, longest name first. */
static const struct unit *unit_at(const char *text)
{
	const struct unit *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strncmp(text, units[i].name, strlen(units[i].name)) &&
		    (!found || strlen(units[i].name) > strlen(found->name)))
			found = &units[i];
	return found;
}

int duration_parse(const char *text, uint64_t *ns, const char **error)
{
	const struct unit *last = NULL;
	uint64_t sum = 0, n;
	char word[QUOTED_LEN];
	const char *at = text;

	quoted(text, word);
	if (!strcmp(text, "0")) { /* is the same in every unit */
		*ns = 0;
		return 0;
	}
	do {
		const struct unit *unit;

		at = digits(at, &n);
		if (!at)
			return refuse(error, "not a duration, '%s': write 250ms, 10s, 5m, 1h30m or 7d", word);
		if (!*at)
			return refuse(error, "a duration needs a unit, '%s': %ss, %sm", word, word, word);
		unit = unit_at(at);
		if (!unit)
			return refuse(error, "unknown unit '%.8s' of a duration, '%s': us, ms, s, m, h or d%s", at,
				      word, *at == '.' ? "; 1.5h is written 1h30m" : "");
		if (last && unit->ns >= last->ns)
			return refuse(error, "units out of order, '%s': the larger ones come first, each once: 1h30m",
				      word);
		if (n > (INT64_MAX - sum) / unit->ns)
			return refuse(error, "out of range, '%s': a duration of more than 292 years", word);
		sum += n * unit->ns;
		at += strlen(unit->name);
		last = unit;
	} while (*at);
	*ns = sum;
	return 0;
}

const char *duration_words(uint64_t ns, char buf[64])
{
	size_t used = 0;

	strcpy(buf, "0");
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (ns < units[i].ns)
			continue;
		used += (size_t)snprintf(buf + used, 64 - used, "%llu%s", (unsigned long long)(ns / units[i].ns),
					 units[i].name);
		ns %= units[i].ns;
	}
	return buf;
}

/* "s", "m" or "min", "h", "d": its length in ns, 0 for others */
static uint64_t period_of(const char *name)
{
	static const struct unit periods[] = {
		{ "s", POLICY_SECOND }, { "sec", POLICY_SECOND }, { "m", POLICY_MINUTE }, { "min", POLICY_MINUTE },
		{ "h", POLICY_HOUR },	{ "hour", POLICY_HOUR },  { "d", POLICY_DAY },	  { "day", POLICY_DAY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(periods); i++)
		if (!strcmp(name, periods[i].name))
			return periods[i].ns;
	return 0;
}

int rate_parse(const char *text, struct policy_rate *out, const char **error)
{
	char word[QUOTED_LEN];
	uint64_t n, period;
	const char *end = quantity(text, &n);

	quoted(text, word);
	if (!end)
		return refuse(error, "not a rate, '%s': write 50/s, 10/m, 1000/h or 200k/s", word);
	if (!*end)
		return refuse(error, "a rate needs its unit, '%s': %s/s, %s/m", word, word, word);
	period = *end == '/' ? period_of(end + 1) : 0;
	if (!period)
		return refuse(error, "unknown unit '%.8s' of a rate, '%s': write 50/s, 10/m, 1000/h or 5/d", end, word);
	if (!n)
		return refuse(error, "a rate of nothing, '%s': at least 1/d", word);
	if (n > RATE_MAX * (period / POLICY_SECOND))
		return refuse(error, "out of range, '%s': a rate is 1/d to 10M/s", word);
	*out = (struct policy_rate){ .interval_ns = period / n, .burst = 1 };
	return 0;
}

/* ---- addresses ---- */
static const char *why_no_address(const char *text)
{
	size_t plain = strspn(text, "0123456789./");

	if (strchr(text, '%'))
		return "an interface does not belong here: that is the key iface";
	if (!text[plain])
		return "an IPv4 address has four numbers of 0 to 255 without leading zeros: 192.0.2.0/24";
	if (strchr(text, '-') && strspn(text, "0123456789.-") == strlen(text))
		return "a range of addresses is written as prefixes: 192.0.2.0/24";
	if (!text[strspn(text, "0123456789abcdefABCDEF:./")])
		return "write 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or 2001:db8::/32";
	return "names are not looked up; write 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or 2001:db8::/32";
}

static int prefix_length(const char *word, const char *text, unsigned max, unsigned *len, const char **error)
{
	uint64_t n;
	const char *end = text[0] == '0' && text[1] ? NULL : digits(text, &n);

	if (!end || *end || strchr(text, '_'))
		return refuse(error, "not a prefix length, '%s': after the '/' comes a number of 0 to %u", word, max);
	if (n > max)
		return refuse(error, "out of range, '%s': an IPv%d prefix has 0 to %u bits", word, max == 32 ? 4 : 6,
			      max);
	*len = (unsigned)n;
	return 0;
}

static bool is_mapped(const struct in6_addr *a)
{
	return IN6_IS_ADDR_V4MAPPED(a);
}

/* ::ffff:192.0.2.0/120. What is shorter than /96 is no IPv4 prefix, and its bits beyond the length are told instead. */
static bool is_dressed(const struct cidr *c, bool v4)
{
	return !v4 && c->prefix.len >= 96 && is_mapped((const struct in6_addr *)c->prefix.addr);
}

int cidr_parse(const char *text, struct cidr *out, const char **error)
{
	char word[QUOTED_LEN], address[INET6_ADDRSTRLEN + 1], meant[64];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct cidr made = { 0 };
	unsigned len;
	bool v4;

	if (n > INET6_ADDRSTRLEN)
		return refuse(error, "not an address, '%s': %s", quoted(text, word), why_no_address(text));
	memcpy(address, text, n);
	address[n] = 0;
	v4 = inet_pton(AF_INET, address, made.prefix.addr + 12) == 1;
	if (v4)
		memset(made.prefix.addr + 10, 0xff, 2);
	else if (inet_pton(AF_INET6, address, made.prefix.addr) != 1)
		return refuse(error, "not an address, '%s': %s", quoted(text, word), why_no_address(text));
	len = v4 ? 32 : 128;
	if (slash && prefix_length(quoted(text, word), slash + 1, len, &len, error))
		return -EINVAL;
	made.prefix.len = v4 ? len + 96 : len;
	if (is_dressed(&made, v4)) {
		prefix_cut(&made.prefix);
		return refuse(error, "an IPv4 %s dressed as IPv6, '%s': write it as IPv4: %s", len < 128 ? "prefix" : "address",
			      quoted(text, word), cidr_text(&made, meant));
	}
	if (prefix_cut(&made.prefix))
		return refuse(
			error,
			"bits beyond the prefix length are set, '%s': was the network %s meant, or the address %s?",
			quoted(text, word), cidr_text(&made, meant), address);
	*out = made;
	return 0;
}

const char *cidr_text(const struct cidr *c, char buf[64])
{
	struct in6_addr a;
	bool v4;
	size_t used;

	memcpy(&a, c->prefix.addr, sizeof(a));
	v4 = c->prefix.len >= 96 && is_mapped(&a);
	if (v4)
		inet_ntop(AF_INET, c->prefix.addr + 12, buf, 64);
	else
		inet_ntop(AF_INET6, &a, buf, 64);
	used = strlen(buf);
	if (c->prefix.len < 128)
		snprintf(buf + used, 64 - used, "/%u", v4 ? c->prefix.len - 96 : c->prefix.len);
	return buf;
}
