// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* names: states, flags, addresses, quantities and times as people read them. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "detect/detect.h"
#include "report/internal.h"

#define NS_PER_S 1000000000ULL
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *const state_names[] = {
#define X(id, name, text) [id] = name,
	WARD_STATES(X)
#undef X
};
static const char *const end_names[] = {
#define X(id, name, text) [END_##id] = name,
	WARD_END_REASONS(X)
#undef X
};
static const char *const event_names[] = {
#define X(id, name, text) [EVENT_##id] = name,
	WARD_EVENT_TYPES(X)
#undef X
};
static const char *const flag_names[] = {
#define X(id, text) [FLAG_BIT_##id] = #id,
	WARD_FLAGS(X)
#undef X
};
_Static_assert(ARRAY_SIZE(state_names) == STATE_COUNT, "a name for each state");
_Static_assert(ARRAY_SIZE(end_names) == END_COUNT, "a name for each end reason");
_Static_assert(ARRAY_SIZE(event_names) == EVENT_COUNT, "a name for each event type");
_Static_assert(ARRAY_SIZE(flag_names) == FLAG_COUNT, "a name for each flag");

/* A number that a newer program wrote is shown as "?" rather than read out of bounds. */
static const char *name_of(const char *const *names, size_t count, unsigned index)
{
	return index < count ? names[index] : "?";
}

/* The RFC 9293 name of a state; "CLOSED" for NO_STATE. */
const char *state_name(enum tcp_state state)
{
	return name_of(state_names, STATE_COUNT, state);
}

/* "closed", "reset", ...; "none" while the flow lives. */
const char *end_reason_name(enum ward_end_reason why)
{
	return name_of(end_names, END_COUNT, why);
}

const char *event_type_name(enum ward_event_type type)
{
	return name_of(event_names, EVENT_COUNT, type);
}

/* Name of a flag by its bit number: "SYN_RTX". */
const char *flag_name(unsigned bit)
{
	return name_of(flag_names, FLAG_COUNT, bit);
}

bool state_confirmed(enum tcp_state state, bool conf)
{
	return conf || state == NO_STATE || state == CLOSED || state == LISTEN;
}

/* The name of a state, with "?" behind it where no segment of that end has proven it. */
const char *state_text(enum tcp_state state, bool confirmed, char buf[20])
{
	snprintf(buf, 20, "%s%s", state_name(state), state_confirmed(state, confirmed) ? "" : "?");
	return buf;
}

const char *pair_text(const enum tcp_state state[2], const bool conf[2], int orig, char buf[40])
{
	char first[20], second[20];

	snprintf(buf, 40, "%s:%s", state_text(state[orig], conf[orig], first),
		 state_text(state[!orig], conf[!orig], second));
	return buf;
}

const char *flags_text(uint64_t flags, char *buf, size_t size, size_t limit)
{
	size_t used = 0;
	unsigned left = 0;

	snprintf(buf, size, "-");
	for (unsigned bit = 0; bit < FLAG_COUNT; bit++) {
		size_t need = strlen(flag_names[bit]) + (used > 0);

		if (!(flags >> bit & 1))
			continue;
		/* five bytes are kept for the "+nn" of what does not fit; the first one is always shown */
		if (left || (used && used + need + 4 > limit) || used + need + 5 > size)
			left++;
		else
			used += snprintf(buf + used, size - used, "%s%s", used ? "," : "", flag_names[bit]);
	}
	if (left)
		snprintf(buf + used, size - used, "+%u", left);
	return buf;
}

const char *findings_text(uint64_t mask, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned kind = 0; kind < FINDING_COUNT && used < size; kind++)
		if (mask >> kind & 1)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? "," : "", finding_name(kind));
	return buf;
}

/* ---- Zeek's conn_state ---- */
/* ^?S[^HAFGIQ]*R: the originator's SYN, then its RST, and between them no letter of its own that tells of more */
static bool history_syn_then_reset(const struct flow *flow)
{
	const char *h = flow->history, *end = h + strnlen(h, HISTORY_LEN);

	if (h < end && *h == '^')
		h++;
	if (h == end || *h++ != 'S')
		return false;
	while (h < end && *h != 'R' && !strchr("HAFGIQ", *h))
		h++;
	return h < end && *h == 'R';
}

static bool zeek_unheard(unsigned z)
{
	return z == Z_INACTIVE || z == Z_PARTIAL;
}

static const char *conn_state_of_reset(const struct flow *flow, unsigned o, unsigned r)
{
	bool no_payload = !flow->half[0].bytes && !flow->half[1].bytes;

	if (r == Z_RESET) {
		if (o == Z_SYN_SENT || o == Z_SYN_ACK_SENT || (o == Z_RESET && no_payload))
			return "REJ";
		return zeek_unheard(o) ? "RSTRH" : "RSTR";
	}
	if (zeek_unheard(r))
		return history_syn_then_reset(flow) ? "RSTOS0" : "OTH";
	return "RSTO";
}

/*
 * Zeek's conn_state from the coarse states of both ends, the first rule that matches.
 * S1 includes handshakes whose third segment never came: that is Zeek's meaning, not ours.
 */
const char *conn_state_name(const struct flow *flow)
{
	int side = flow_orig(flow);
	unsigned o = flow->zeek >> (side ? 4 : 0) & 0xf;
	unsigned r = flow->zeek >> (side ? 0 : 4) & 0xf;

	if (o == Z_RESET || r == Z_RESET)
		return conn_state_of_reset(flow, o, r);
	if (o == Z_CLOSED && r == Z_CLOSED)
		return "SF";
	if (o == Z_CLOSED)
		return zeek_unheard(r) ? "SH" : "S2";
	if (r == Z_CLOSED)
		return zeek_unheard(o) ? "SHR" : "S3";
	if (o == Z_SYN_SENT && r == Z_INACTIVE)
		return "S0";
	return o == Z_ESTABLISHED && r == Z_ESTABLISHED ? "S1" : "OTH";
}

/* ---- addresses ---- */
bool addr_is_v4(const __u8 addr[16])
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, mapped, sizeof(mapped));
}

/* An address as inet_ntop(3) writes it, a v4-mapped one as IPv4. */
const char *addr_text(const __u8 addr[16], char buf[46])
{
	if (addr_is_v4(addr))
		inet_ntop(AF_INET, addr + 12, buf, 46);
	else
		inet_ntop(AF_INET6, addr, buf, 46);
	return buf;
}

/* Address and port (host order); brackets around IPv6. */
const char *endpoint_text(const __u8 addr[16], __u16 port, char buf[60])
{
	char text[46];

	snprintf(buf, 60, addr_is_v4(addr) ? "%s:%u" : "[%s]:%u", addr_text(addr, text), port);
	return buf;
}

const char *endpoint_styled(const struct report_style *style, const __u8 addr[16], __u16 port, char buf[80])
{
	struct servent *service = style->resolve_ports ? getservbyport(htons(port), "tcp") : NULL;
	char text[46];

	if (!service)
		return endpoint_text(addr, port, buf);
	snprintf(buf, 80, addr_is_v4(addr) ? "%s:%s" : "[%s]:%s", addr_text(addr, text), service->s_name);
	return buf;
}

/* ---- quantities and times ---- */
/* Two units, the second one of two digits: "4m10s", "2h03m", "3d04h". */
static void long_duration(uint64_t s, char buf[24])
{
	unsigned long long n = s;

	if (s < 3600)
		snprintf(buf, 24, "%llum%02llus", n / 60, n % 60);
	else if (s < 86400)
		snprintf(buf, 24, "%lluh%02llum", n / 3600, n % 3600 / 60);
	else
		snprintf(buf, 24, "%llud%02lluh", n / 86400, n % 86400 / 3600);
}

/* n, below 1000 units, with one decimal below ten; cut, never rounded up, so that 59.99 s is not a minute. */
static void one_decimal(uint64_t n, uint64_t unit, const char *name, char *buf, size_t size)
{
	uint64_t tenths = unit >= 10 ? n / (unit / 10) : n * 10;

	if (tenths < 100 && tenths % 10)
		snprintf(buf, size, "%u.%u%s", (unsigned)tenths / 10, (unsigned)tenths % 10, name);
	else
		snprintf(buf, size, "%u%s", (unsigned)(tenths / 10), name);
}

/* A duration in its two largest units or with one decimal: "850ns", "1.2ms", "35s", "4m10s", "2h03m". */
const char *duration_text(uint64_t ns, char buf[24])
{
	if (!ns)
		snprintf(buf, 24, "0s");
	else if (ns < 1000)
		snprintf(buf, 24, "%uns", (unsigned)ns);
	else if (ns < 1000000)
		one_decimal(ns, 1000, "us", buf, 24);
	else if (ns < NS_PER_S)
		one_decimal(ns, 1000000, "ms", buf, 24);
	else if (ns < 60 * NS_PER_S)
		one_decimal(ns, NS_PER_S, "s", buf, 24);
	else
		long_duration(ns / NS_PER_S, buf);
	return buf;
}

/* A count with a decimal unit: "999", "1.4k", "14M". */
const char *quantity_text(uint64_t n, char buf[16])
{
	static const char *const units[] = { "", "k", "M", "G", "T", "P", "E" };
	uint64_t unit = 1;
	unsigned i = 0;

	while (i + 1 < ARRAY_SIZE(units) && n / unit >= 1000) {
		unit *= 1000;
		i++;
	}
	one_decimal(n, unit, units[i], buf, 16);
	return buf;
}

static bool same_day(time_t a, time_t b)
{
	struct tm x, y;

	return localtime_r(&a, &x) && localtime_r(&b, &y) && x.tm_year == y.tm_year && x.tm_yday == y.tm_yday;
}

const char *date_text(uint64_t epoch_ns, uint64_t today_ns, char buf[16])
{
	time_t seconds = (time_t)(epoch_ns / NS_PER_S);
	struct tm tm;

	*buf = '\0';
	if (!same_day(seconds, (time_t)(today_ns / NS_PER_S)) && localtime_r(&seconds, &tm))
		strftime(buf, 16, "%Y-%m-%d ", &tm);
	return buf;
}

/* Local time of day, "13:04:05.000012". */
const char *time_text(uint64_t epoch_ns, char buf[40])
{
	time_t seconds = (time_t)(epoch_ns / NS_PER_S);
	struct tm tm;
	size_t used;

	if (!localtime_r(&seconds, &tm))
		memset(&tm, 0, sizeof(tm));
	used = strftime(buf, 40, "%H:%M:%S", &tm);
	snprintf(buf + used, 40 - used, ".%06u", (unsigned)(epoch_ns % NS_PER_S / 1000));
	return buf;
}
