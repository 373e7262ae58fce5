/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The programs of bench.bpf.c over a table filled with established flows. */
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

#include "bench/bed.h"
#include "bench/turn.h"
#include "finding.h"
#include "embryo.h"
#include "sweep.h"
#include "syncookie.h"
#include "tcp_opts.h"
#include "tcpward.h"
/* after the headers above: its types are theirs */
#include "bench.skel.h"

#define EMBRYO_SETS 4096
#define SERVICE_SETS 512
#define SOURCE_SETS 1024
#define SERVER 0x0a7f0001 /* above all clients: they are side A */
#define BATCH 4096
#define RING_BYTES (1 << 22)

static int on_record(void *ctx, void *data, size_t size)
{
	(void)data;
	(void)size;
	++*(uint64_t *)ctx;
	return 0;
}

static struct bench_bpf *load(unsigned capacity)
{
	struct bench_bpf *skel = bench_bpf__open();
	struct detect_opts detect;
	struct track_opts opts;

	if (!skel)
		bench_die("cannot open the programs: %s", strerror(errno));
	track_opts_init(&opts);
	memcpy((void *)&skel->rodata->opts, &opts, sizeof(opts));
	skel->rodata->tick_ns = 4000000;
	skel->rodata->embryo_mask = EMBRYO_SETS - 1;
	skel->rodata->present_mask = 8 * capacity - 1;
	detect_opts_init(&detect);
	memcpy((void *)&skel->rodata->detect, &detect, sizeof(detect));
	skel->rodata->service_mask = SERVICE_SETS - 1;
	skel->rodata->source_mask = SOURCE_SETS - 1;
	skel->rodata->cpus = (uint32_t)libbpf_num_possible_cpus();
	skel->rodata->iface_count = 1;
	skel->rodata->ifaces[0].ifindex = 1; /* lo: what test_run pretends */
	skel->rodata->ifaces[0].mtu = 1500;
	skel->rodata->boot_secret[0] = 0x0123456789abcdefULL;
	skel->rodata->boot_secret[1] = 0xfedcba9876543210ULL;
	skel->rodata->event_limit[EVENT_END] = 20000; /* as loaded for an interface; STATE has none here: each SYN's event counts */
	bpf_map__set_max_entries(skel->maps.flows, capacity);
	bpf_map__set_max_entries(skel->maps.syns, EMBRYO_SETS);
	bpf_map__set_max_entries(skel->maps.present, 2 * 8 * capacity / 64);
	bpf_map__set_max_entries(skel->maps.embryos, EMBRYO_SETS);
	if (bench_bpf__load(skel))
		bench_die("cannot load the programs: %s", strerror(errno));
	return skel;
}

/* Forgets all SYNs, and reads the programs' clock. */
static void reset(struct bed *b)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &b->now, .ctx_size_in = sizeof(b->now));

	if (bpf_prog_test_run_opts(bpf_program__fd(b->skel->progs.bench_reset), &run))
		bench_die("cannot reset: %s", strerror(errno));
}

/* An open flow that rotate() in bench.bpf.c will name, with a window wide enough for all rounds. */
static void make_flow(struct flow_key *key, struct flow *f, uint32_t number, uint64_t now)
{
	const uint32_t client = htonl(0x0a000000 + number), server = htonl(SERVER);
	int i;

	memset(key, 0, sizeof(*key));
	memset(f, 0, sizeof(*f));
	key->a_addr[10] = key->a_addr[11] = key->b_addr[10] = key->b_addr[11] = 0xff;
	memcpy(key->a_addr + 12, &client, 4);
	memcpy(key->b_addr + 12, &server, 4);
	key->a_port = (uint16_t)(1024 + (number & 0x7fff));
	key->b_port = 443;
	for (i = 0; i < 2; i++) {
		f->state[i] = ESTABLISHED;
		f->known[i] = KNOWN_CONF | KNOWN_ISN | KNOWN_ACK | KNOWN_REDGE | KNOWN_HIST_A | KNOWN_HIST_D;
		f->half[i].pkts = 2;
		f->half[i].last_ns = now;
		f->isn[i] = i ? 5000 : 1000;
		f->half[i].nxt = i ? 5001 : 1001;
		f->half[i].ack = i ? 1001 : 5001;
		f->half[i].redge = f->half[i].ack + (1U << 30);
		f->win[i] = f->maxwin[i] = 64240;
	}
	f->zeek = Z_ESTABLISHED | Z_ESTABLISHED << 4;
	f->phase = PHASE_LIVE;
	f->start_ns = f->since_ns[0] = f->since_ns[1] = now;
	f->vlan = VLAN_UNSEEN;
}

static void fill(struct bed *b, unsigned flows)
{
	struct flow_key *keys = calloc(BATCH, sizeof(*keys));
	struct flow *values = calloc(BATCH, sizeof(*values));
	unsigned n, i;
	uint32_t count;

	for (n = 0; n < flows; n += count) {
		count = flows - n < BATCH ? flows - n : BATCH;
		for (i = 0; i < count; i++)
			make_flow(&keys[i], &values[i], n + i, b->now);
		if (bpf_map_update_batch(bpf_map__fd(b->skel->maps.flows), keys, values, &count, NULL))
			bench_die("cannot fill the table: %s", strerror(errno));
	}
	free(keys);
	free(values);
}

static void set_reader(struct bed *b, bool on)
{
	struct ward_control control;
	uint32_t zero = 0;

	memset(&control, 0, sizeof(control));
	control.reader_until_ns[0] = control.listen_until_ns = on ? UINT64_MAX : 0;
	if (bpf_map_update_elem(b->control_fd, &zero, &control, BPF_ANY))
		bench_die("cannot set the reader: %s", strerror(errno));
}

size_t bed_frame(uint8_t *frame, const struct bench_case *c)
{
	static const uint8_t head[] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 0,
		SERVER >> 24, SERVER >> 16 & 255, SERVER >> 8 & 255, SERVER & 255,
	};
	uint8_t *tcp = frame + 34;

	memset(frame, 0, FRAME_LEN);
	memcpy(frame, head, sizeof(head));
	frame[16] = (uint8_t)((52 + c->payload) >> 8);
	frame[17] = (uint8_t)((c->syn ? 60 : 52) + c->payload);
	tcp[2] = 443 >> 8;
	tcp[3] = 443 & 255;
	memcpy(tcp + 8, c->syn ? "\0\0\0\0" : "\0\0\x13\x89", 4); /* ack 5001 */
	tcp[12] = c->syn ? 0xa0 : 0x80;
	tcp[13] = c->syn ? TH_SYN : TH_ACK;
	memcpy(tcp + 14, "\xfa\xf0", 2);
	if (c->syn)
		memcpy(tcp + 20, "\2\4\5\xb4\4\2\x8\xa\0\0\0\7\0\0\0\0\1\3\3\7", 20); /* as Linux sends it */
	else
		memcpy(tcp + 20, "\1\1\x8\xa\0\0\0\7\0\0\0\5", 12);
	return (c->syn ? 74 : 66) + c->payload;
}

/* SYNs are answered by cookies of our own, and somebody listens: in a network namespace of this program's. */
static void set_cookies(struct bed *b)
{
	static const struct bench_case syn = { .syn = true };
	struct cookie_conf conf = { .flavour = COOKIE_OWN, .wscale = 7, .window = 64240,
				    .features = COOKIE_HAS_TS | COOKIE_HAS_WS | COOKIE_HAS_SACK,
				    .knows_from_ns = 1 /* as on a host that the tracker sees whole */ };
	struct cookie_keys keys = { .key = { { { 1, 2 } }, { { 3, 4 } } } };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(443) };
	uint8_t frame[FRAME_LEN];
	uint32_t zero = 0;
	static int fd = -1;

	bed_frame(frame, &syn);
	memcpy(&b->skel->bss->syn_head, frame, 2);
	memcpy(b->skel->bss->syn_words, frame + 2, sizeof(b->skel->bss->syn_words));
	if (bpf_map_update_elem(bpf_map__fd(b->skel->maps.cookie_conf), &zero, &conf, BPF_ANY) ||
	    bpf_map_update_elem(bpf_map__fd(b->skel->maps.cookie_keys), &zero, &keys, BPF_ANY))
		bench_die("cannot turn cookies on: %s", strerror(errno));
	if (fd >= 0)
		return;
	if (unshare(CLONE_NEWNET))
		bench_die("cannot make a network namespace: %s", strerror(errno));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, 16))
		bench_die("cannot listen: %s", strerror(errno));
}

void bed_open(struct bed *b, unsigned flows, unsigned capacity)
{
	struct flow_key first;
	struct flow unused;
	LIBBPF_OPTS(bpf_test_run_opts, mark, .ctx_in = &first, .ctx_size_in = sizeof(first));
	uint32_t zero = 0;

	memset(b, 0, sizeof(*b));
	b->skel = load(capacity);
	b->flows = flows;
	b->control_fd = bpf_map__fd(b->skel->maps.control);
	reset(b);
	fill(b, flows);
	make_flow(&first, &unused, 0, b->now);
	if (bpf_prog_test_run_opts(bpf_program__fd(b->skel->progs.bench_present), &mark))
		bench_die("cannot mark the flows: %s", strerror(errno));
	b->ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "bench_ring", 0, 0, RING_BYTES, NULL);
	if (b->ring_fd < 0 || bpf_map_update_elem(bpf_map__fd(b->skel->maps.events), &zero, &b->ring_fd, BPF_ANY))
		bench_die("cannot make a ring buffer: %s", strerror(errno));
	b->ring = ring_buffer__new(b->ring_fd, on_record, &b->events, NULL);
	if (!b->ring)
		bench_die("cannot map the ring buffer");
	b->skel->bss->turn.flows = flows;
	b->skel->bss->turn.stride = (uint32_t)(flows * 0.381966) | 1;
	while (flows % b->skel->bss->turn.stride == 0 || b->skel->bss->turn.stride % 5 == 0)
		b->skel->bss->turn.stride += 2; /* flows are powers of ten: without a common factor each comes once a round */
	set_cookies(b);
}

static struct ward_counters read_counters(struct bed *b)
{
	int cpus = libbpf_num_possible_cpus(), i;
	struct ward_counters *parts = calloc(cpus, sizeof(*parts)), sum;
	uint32_t zero = 0;
	size_t j;

	memset(&sum, 0, sizeof(sum));
	if (bpf_map_lookup_elem(bpf_map__fd(b->skel->maps.counters), &zero, parts))
		bench_die("cannot read the counters");
	for (i = 0; i < cpus; i++)
		for (j = 0; j < sizeof(sum) / 8; j++)
			((uint64_t *)&sum)[j] += ((uint64_t *)&parts[i])[j];
	free(parts);
	return sum;
}

/* A bounds mistake looks fast: everything must have been counted as what it is. */
static void check(struct bed *b, const struct bench_case *c, const struct ward_counters *before, uint64_t verdicts)
{
	struct ward_counters after = read_counters(b);
	uint64_t n = c->repeat, fast = after.counter[CNT_FAST] - before->counter[CNT_FAST],
		 fresh = after.counter[CNT_FLOWS_NEW] - before->counter[CNT_FLOWS_NEW],
		 lost = after.counter[CNT_LOST_RING] - before->counter[CNT_LOST_RING];

	if (c->verdict >= 0 && verdicts + c->stray < n)
		bench_die("%s: %lu of %lu verdicts are %d", c->name, (long)verdicts, (long)n, c->verdict);
	if (fast != (c->effect == FAST ? n : 0) || (c->effect == NEW ? fresh != n : fresh > c->stray))
		bench_die("%s: of %lu segments %lu took the fast path, %lu made flows", c->name, (long)n, (long)fast, (long)fresh);
	if (c->reader && !c->flood && (lost || b->events < n))
		bench_die("%s: %lu events, %lu lost, of %lu", c->name, (long)b->events, (long)lost, (long)n);
}

/* One run: ns per repetition, CPU time of this thread. */
static double measure_once(struct bed *b, struct bench_case *c)
{
	uint8_t frame[FRAME_LEN];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .repeat = c->repeat);
	struct ward_counters before = read_counters(b);
	uint64_t began, verdicts = b->skel->bss->verdict[c->verdict & 3];
	double ns;

	run.data_size_in = (uint32_t)bed_frame(frame, c);
	set_reader(b, c->reader);
	b->events = 0;
	began = bench_cpu_ns();
	if (bpf_prog_test_run_opts(c->fd, &run))
		bench_die("%s: cannot run: %s", c->name, strerror(errno));
	ns = (double)(bench_cpu_ns() - began) / c->repeat;
	ring_buffer__consume(b->ring);
	check(b, c, &before, b->skel->bss->verdict[c->verdict & 3] - verdicts);
	return ns;
}

bool bed_in_short_runs(const struct bench_case *c)
{
	return c->syn && !c->flood;
}

void bed_prepare(struct bed *b, struct bench_case *c)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(b->skel->obj, c->prog);

	if (!prog)
		bench_die("%s: no program '%s'", c->name, c->prog);
	c->fd = bpf_program__fd(prog);
}

double bed_measure(struct bed *b, struct bench_case *c)
{
	double sum = 0;
	int i;

	if (!bed_in_short_runs(c))
		return measure_once(b, c);
	for (i = 0; i < CHUNKS; i++) {
		reset(b);
		sum += measure_once(b, c);
	}
	return sum / CHUNKS;
}

static double warm_round(struct bed *b, struct bench_case *c)
{
	if (!bed_in_short_runs(c)) /* those empty their table each time */
		bed_measure(b, c); /* what others have pushed out comes back in, and a flood's table is full */
	return bed_measure(b, c);
}

void bed_round(struct bed *b, struct bench_case *c)
{
	if (c->rounds == PACKET_ROUNDS)
		bench_die("%s: more than %d rounds", c->name, PACKET_ROUNDS);
	c->ns[c->rounds++] = warm_round(b, c);
}

void bed_calm_round(struct bed *b, struct bench_case *c)
{
	double ns;

	while (bench_wait_calm()) {
		ns = warm_round(b, c);
		if (!bench_calm()) /* to the end */
			continue;
		c->calm_ns[c->calm_rounds++] = ns;
		return;
	}
}

double bed_settled(const struct bench_case *c)
{
	return c->calm_rounds == CALM_ROUNDS ? quiet(c->calm_ns, CALM_ROUNDS) : quiet(c->ns, c->rounds);
}

void bed_new_round(struct bed *b)
{
	b->skel->bss->turn.seen = 0;
	b->skel->bss->turn.round = 0;
	b->skel->bss->turn.number = 0;
	reset(b);
	fill(b, b->flows);
}

uint64_t bed_counter(struct bed *b, unsigned counter)
{
	return read_counters(b).counter[counter];
}

void bed_forget_evictions(struct bed *b)
{
	const unsigned zeroes[8] = { 0 };
	uint32_t i, count = bpf_map__max_entries(b->skel->maps.forgotten);

	b->skel->bss->unnoted_ns = 0;
	for (i = 0; i < count; i++)
		if (bpf_map_update_elem(bpf_map__fd(b->skel->maps.forgotten), &i, zeroes, BPF_ANY))
			bench_die("cannot forget the evictions: %s", strerror(errno));
}

int bed_walker(int flows_fd)
{
	struct bench_bpf *skel = bench_bpf__open();
	struct bpf_program *prog;
	int fd;

	if (!skel)
		bench_die("cannot open the programs: %s", strerror(errno));
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, prog == skel->progs.bench_walk);
	if (bpf_map__reuse_fd(skel->maps.flows, flows_fd) || bench_bpf__load(skel))
		bench_die("cannot load the walk: %s", strerror(errno));
	fd = dup(bpf_program__fd(skel->progs.bench_walk));
	bench_bpf__destroy(skel);
	return fd;
}

void bed_close(struct bed *b)
{
	ring_buffer__free(b->ring);
	close(b->ring_fd);
	bench_bpf__destroy(b->skel);
}
