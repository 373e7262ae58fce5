/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A SYN in, a SYN-ACK out, byte by byte: families, tags, options of all kinds, and what is not answered. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "prog/rig.h"
#include "syncookie.h"
#include "tcp_opts.h"
#include "sweep.h"
#include "finding.h"
#include "embryo.h"
/* after the headers above: its types are theirs */
#include "answer.skel.h"

#define PORT 80
#define NOW_NS (1700000000ULL * 1000000000ULL)
#define CLIENT_ISN 0xfffffffeU
#define WINDOW 64000
#define WSCALE 9
#define MTU 1500

static struct answer_bpf *skel;
static int listener;
static const struct cookie_keys keys = { .key = { { { 0x1234, 0x5678 } }, { { 0x9abc, 0xdef0 } } }, .ts_offset = 77 };

static void die(const char *what)
{
	printf("not ok answer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void set_conf(uint8_t features, uint8_t flavour)
{
	const struct cookie_conf conf = { .flavour = flavour, .features = features, .wscale = WSCALE, .window = WINDOW };
	uint32_t zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(skel->maps.cookie_conf), &zero, &conf, BPF_ANY))
		die("cookie_conf");
}

static void listen_here(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int fd;

	if (unshare(CLONE_NEWNET))
		die("unshare");
	fd = listener = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 1))
		die("listen");
}

static void open_programs(void)
{
	struct track_opts opts;
	uint32_t zero = 0;

	skel = answer_bpf__open();
	if (!skel)
		die("open");
	track_opts_init(&opts);
	memcpy((void *)&skel->rodata->opts, &opts, sizeof(opts));
	skel->rodata->tick_ns = 0; /* the clock stands */
	skel->rodata->iface_count = 1;
	skel->rodata->ifaces[0].ifindex = 1;
	skel->rodata->ifaces[0].mtu = MTU;
	skel->rodata->cpus = (uint32_t)libbpf_num_possible_cpus();
	bpf_program__set_autoload(skel->progs.ward_xdp, false);
	if (answer_bpf__load(skel))
		die("load");
	skel->bss->epoch_offset_ns = NOW_NS;
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.cookie_keys), &zero, &keys, BPF_ANY))
		die("cookie_keys");
}

/* ---- what should come ---- */
struct want {
	uint8_t has;     /* COOKIE_HAS_*, in the answer */
	uint16_t mss;    /* by the cookie */
	uint8_t ws;      /* ... */
	const char *hex; /* the answer's options, TS values as TTTTTTTT EEEEEEEE */
};

struct syn_case {
	const char *name;
	struct wire_layout layout;
	uint8_t bits_more; /* ECE, CWR */
	const char *options; /* hex */
	uint8_t features;
	struct want want;
};

#define ALL (COOKIE_HAS_TS | COOKIE_HAS_WS | COOKIE_HAS_SACK | COOKIE_HAS_ECN)
#define LINUX_SYN "020405b40402080a000000070000000001030308"

static const struct syn_case cases[] = {
	{ "IPv4", { .name = "v4" }, 0, LINUX_SYN, ALL, { 7, 1460, 8, "020405b40402080aTTTTTTTT0000000701030309" } },
	{ "IPv6", { .v6 = true }, 0, LINUX_SYN, ALL, { 7, 1440, 8, "020405a00402080aTTTTTTTT0000000701030309" } },
	{ "a tag", { .tags = 1 }, 0, LINUX_SYN, ALL, { 7, 1460, 8, "020405b40402080aTTTTTTTT0000000701030309" } },
	{ "two tags", { .tags = 2 }, 0, LINUX_SYN, ALL, { 7, 1460, 8, "020405b40402080aTTTTTTTT0000000701030309" } },
	{ "IPv6, two tags", { .v6 = true, .tags = 2 }, 0, LINUX_SYN, ALL, { 7, 1440, 8, "020405a00402080aTTTTTTTT0000000701030309" } },
	{ "IPv4 options are left out", { .ip_options = 12 }, 0, LINUX_SYN, ALL, { 7, 1460, 8, "020405b40402080aTTTTTTTT0000000701030309" } },
	{ "IPv6 extension headers are left out", { .v6 = true, .extensions = true }, 0, LINUX_SYN, ALL, { 7, 1440, 8, "020405a00402080aTTTTTTTT0000000701030309" } },
	{ "padding goes", { .padding = 6 }, 0, "020405b4", ALL, { 0, 1460, 15, "020405b4" } },
	{ "no options: longer than the SYN", { .name = "" }, 0, "", ALL, { 0, 536, 15, "020405b4" } },
	{ "no options, IPv6", { .v6 = true }, 0, "", ALL, { 0, 1220, 15, "020405a0" } },
	{ "ECN", { .name = "" }, 0xc0, LINUX_SYN, ALL, { 15, 1460, 8, "020405b40402080aTTTTTTTT0000000701030309" } },
	{ "ECE alone is no ECN", { .name = "" }, 0x40, LINUX_SYN, ALL, { 7, 1460, 8, "020405b40402080aTTTTTTTT0000000701030309" } },
	{ "no ECN here", { .name = "" }, 0xc0, LINUX_SYN, ALL & ~COOKIE_HAS_ECN, { 7, 1460, 8, "020405b40402080aTTTTTTTT0000000701030309" } },
	{ "no time stamps here", { .name = "" }, 0, LINUX_SYN, ALL & ~COOKIE_HAS_TS, { 6, 1460, 8, "020405b40101040201030309" } },
	{ "no SACK here", { .name = "" }, 0, LINUX_SYN, ALL & ~COOKIE_HAS_SACK, { 3, 1460, 8, "020405b40101080aTTTTTTTT0000000701030309" } },
	{ "no window scale here", { .name = "" }, 0, LINUX_SYN, ALL & ~COOKIE_HAS_WS, { 5, 1460, 15, "020405b40402080aTTTTTTTT00000007" } },
	{ "odd order, unknown option", { .name = "" }, 0, "fd040102 01030304 01010402 02040218", ALL, { 6, 536, 4, "020405b40101040201030309" } },
	{ "window scale beyond 14", { .name = "" }, 0, "020405b4 010303ff", ALL, { 2, 1460, 14, "020405b401030309" } },
	{ "MSS 0", { .name = "" }, 0, "02040000", ALL, { 0, 536, 15, "020405b4" } },
	{ "Fast Open is not taken", { .name = "" }, 0, "020405b4 2202 0101", ALL, { 0, 1460, 15, "020405b4" } },
};

static size_t from_hex(const char *hex, uint8_t *out, uint32_t stamp)
{
	char text[128];
	size_t n = 0, i;
	char *at;

	for (; *hex; hex++)
		if (*hex != ' ')
			text[n++] = *hex;
	text[n] = '\0';
	at = strstr(text, "TTTTTTTT");
	if (at) {
		char number[9];

		snprintf(number, sizeof(number), "%08x", stamp);
		memcpy(at, number, 8);
	}
	for (i = 0; i < n / 2; i++)
		sscanf(text + 2 * i, "%2hhx", &out[i]);
	return n / 2;
}

static uint32_t sum16(const uint8_t *at, size_t len)
{
	uint32_t sum = 0;

	for (; len > 1; len -= 2, at += 2)
		sum += (uint32_t)at[0] << 8 | at[1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* ---- one case ---- */
struct run {
	uint8_t in[WIRE_MAX], out[WIRE_MAX];
	size_t in_len, out_len;
	uint32_t verdict;
	struct wire_end client, server;
};

static void send_syn(struct run *r, const struct syn_case *c, uint16_t port, uint32_t data)
{
	uint8_t options[64];
	struct wire_segment seg = { .bits = TH_SYN, .seq = CLIENT_ISN, .win = 1000, .len = data, .raw_options = options };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = r->in, .data_out = r->out, .data_size_out = sizeof(r->out));
	size_t tcp;

	seg.raw_options_len = from_hex(c->options, options, 0);
	wire_address(&r->client, c->layout.v6, 7, 40000);
	wire_address(&r->server, c->layout.v6, 1, port);
	r->in_len = wire_build(r->in, &c->layout, &r->client, &r->server, &seg);
	tcp = r->in_len - c->layout.padding - data - 20 - seg.raw_options_len;
	r->in[tcp + 13] |= c->bits_more;
	run.data_size_in = (uint32_t)r->in_len;
	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.answer), &run))
		die("test_run");
	r->verdict = run.retval;
	r->out_len = run.data_size_out;
}

/* Why the answer is wrong, or NULL. */
static const char *compare(const struct run *r, const struct syn_case *c)
{
	const size_t l3 = 14 + 4 * c->layout.tags, ip_len = c->layout.v6 ? 40 : 20, size = c->layout.v6 ? 16 : 4;
	const uint8_t *ip = r->out + l3, *tcp = ip + ip_len, *addr = ip + (c->layout.v6 ? 8 : 12);
	const struct cookie_tuple t = { r->client.addr, r->server.addr, htons(r->client.port), htons(r->server.port), CLIENT_ISN,
					c->layout.v6 };
	uint32_t stamp = cookie_clock(&keys, NOW_NS);
	uint8_t options[64];
	size_t n = from_hex(c->want.hex, options, stamp), tcp_len = 20 + n;
	struct cookie_options o;

	if (r->verdict != XDP_TX)
		return "it is not sent";
	if (r->out_len != l3 + ip_len + tcp_len)
		return "its length";
	if (memcmp(r->out, r->in + 6, 6) || memcmp(r->out + 6, r->in, 6) || memcmp(r->out + 12, r->in + 12, l3 - 12))
		return "Ethernet header and tags";
	if (memcmp(addr, r->server.addr + 16 - size, size) || memcmp(addr + size, r->client.addr + 16 - size, size))
		return "its addresses";
	if (!c->layout.v6 && (ip[0] != 0x45 || ip[1] || ip[2] != 0 || ip[3] != 20 + tcp_len || memcmp(ip + 4, "\0\0\x40\0\x40\6", 6) ||
			      sum16(ip, 20) != 0xffff))
		return "its IPv4 header";
	if (c->layout.v6 && (get32(ip) != 0x60000000 || ip[4] || ip[5] != tcp_len || ip[6] != 6 || ip[7] != 64))
		return "its IPv6 header";
	if ((tcp[0] << 8 | tcp[1]) != PORT || (tcp[2] << 8 | tcp[3]) != 40000 || get32(tcp + 8) != CLIENT_ISN + 1)
		return "its ports and ack";
	if (tcp[12] != tcp_len / 4 << 4 || tcp[13] != (0x12 | (c->want.has & COOKIE_HAS_ECN ? 0x40 : 0)))
		return "its control bits";
	if ((tcp[14] << 8 | tcp[15]) != WINDOW || tcp[18] || tcp[19])
		return "its window";
	if (memcmp(tcp + 20, options, n))
		return "its options";
	if ((sum16(tcp, tcp_len) + sum16(addr, 2 * size) + 6 + tcp_len) % 0xffff)
		return "its checksum";
	if (!cookie_check(&keys, &t, get32(tcp + 4), NOW_NS, &o))
		return "its cookie";
	if (o.mss != c->want.mss || o.ws != c->want.ws || o.has != (c->want.has & ~COOKIE_HAS_TS))
		return "what its cookie says";
	return NULL;
}

static void answer_case(const struct syn_case *c)
{
	static struct run r;
	const char *wrong;

	set_conf(c->features, COOKIE_OWN);
	send_syn(&r, c, PORT, 0);
	wrong = compare(&r, c);
	rig_report(!wrong, c->name, "%s (verdict %u, %zu bytes)", wrong ? wrong : "as it should be", r.verdict, r.out_len);
}

static void passes(const char *what, const struct syn_case *c, uint16_t port)
{
	static struct run r;

	send_syn(&r, c, port, 0);
	rig_report(r.verdict == XDP_PASS && r.out_len == r.in_len && !memcmp(r.in, r.out, r.in_len), what, "verdict %u, as it came",
		   r.verdict);
}

static void data_goes(void)
{
	static struct run r;
	const char *wrong;

	set_conf(ALL, COOKIE_OWN);
	send_syn(&r, &cases[0], PORT, 600);
	wrong = compare(&r, &cases[0]);
	rig_report(!wrong, "a SYN's data is not acknowledged, and goes", "%s", wrong ? wrong : "as without");
}

/* ---- what is known without the socket ---- */
static void set_knows(uint64_t from)
{
	struct cookie_conf conf = { .flavour = COOKIE_OWN, .features = ALL, .wscale = WSCALE, .window = WINDOW,
				    .knows_from_ns = from };
	uint32_t zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(skel->maps.cookie_conf), &zero, &conf, BPF_ANY))
		die("cookie_conf");
}

static void set_fill(uint32_t permille)
{
	struct ward_control control = { .fill_permille = permille };
	uint32_t zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(skel->maps.control), &zero, &control, BPF_ANY))
		die("control");
}

enum { TIMED_OUT, EVICTED, EVICTED_BEFORE, NOTES };

/* The note of a forgotten flow of this hash: enum above; NOTES: none. */
static void set_forgotten(int note, uint64_t hash)
{
	uint64_t words[4] = { 0 };
	uint32_t index = hash >> 26 & 16383;

	if (note < NOTES)
		words[note] = 1ULL << (hash >> 20 & 63);
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.forgotten), &index, words, BPF_ANY))
		die("forgotten");
}

static void answered(const char *what)
{
	static struct run r;

	send_syn(&r, &cases[0], PORT, 0);
	rig_report(r.verdict == XDP_TX, what, "verdict %u", r.verdict);
}

/* The listener goes within one tick of the clock: an answer shows that its socket was not asked for. */
static void without_socket(void)
{
	const uint64_t tick = 4000000;

	set_knows(NOW_NS);
	skel->bss->epoch_offset_ns = NOW_NS + tick;
	skel->bss->fresh = 1;
	answered("somebody listens: found out");
	close(listener);
	answered("... and known for this tick of the clock");
	passes("... of this port alone", &cases[0], PORT + 1);
	passes("... and address", &cases[1], PORT);
	skel->bss->fresh = 0;
	passes("a record: the stack is asked", &cases[0], PORT);
	skel->bss->fresh = 1;
	set_knows(0);
	passes("the tracker does not know all: asked", &cases[0], PORT);
	set_knows(NOW_NS + 2 * tick);
	passes("... not yet: asked", &cases[0], PORT);
	set_knows(NOW_NS);
	skel->bss->unnoted_ns = NOW_NS - 130000000000ULL;
	passes("embryos evicted lately, without a note: asked", &cases[0], PORT);
	skel->bss->unnoted_ns = NOW_NS - 140000000000ULL;
	answered("... long ago: not asked");
	skel->bss->early_ns = NOW_NS - 130000000000ULL;
	passes("flows dropped early: asked", &cases[0], PORT);
	skel->bss->early_ns = 0;
	set_fill(950);
	passes("the table is full: asked", &cases[0], PORT);
	set_fill(949);
	answered("... is not: not asked");
	set_forgotten(TIMED_OUT, skel->bss->hash);
	passes("a flow that timed out: asked", &cases[0], PORT);
	set_forgotten(EVICTED, skel->bss->hash);
	passes("a handshake that was evicted: asked", &cases[0], PORT);
	set_forgotten(EVICTED_BEFORE, skel->bss->hash);
	passes("... in the generation before: asked", &cases[0], PORT);
	set_forgotten(TIMED_OUT, skel->bss->hash ^ 1 << 20);
	answered("... of another hash: not asked");
	set_forgotten(NOTES, skel->bss->hash);
	skel->bss->epoch_offset_ns = NOW_NS + 2 * tick;
	passes("the next tick: asked", &cases[0], PORT);
	passes("... where nobody listens that is not kept", &cases[0], PORT);
}

int main(void)
{
	if (geteuid()) {
		printf("skip answer: needs root\n");
		return 77;
	}
	listen_here();
	open_programs();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		answer_case(&cases[i]);
	data_goes();
	set_conf(ALL, COOKIE_OWN);
	passes("nobody listens", &cases[0], PORT + 1);
	set_conf(ALL, COOKIE_AUTO);
	passes("cookies are off", &cases[0], PORT);
	without_socket();
	answer_bpf__destroy(skel);
	return rig_result();
}
