/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "prog/enforce_rig.h"

#define TC_SHOT 2

static const char *name;
static int checks, failed;

void case_begin(const char *what)
{
	name = what;
	checks = failed = 0;
}

void case_end(void)
{
	rig_report(!failed && checks, name, "%d checks%s", checks, failed ? ", see above" : "");
}

void check_that(bool good, const char *file, int line, const char *what)
{
	checks++;
	if (good)
		return;
	failed++;
	printf("# %s:%d: %s: not so: %s\n", file, line, name, what);
}

void same_that(long long a, long long b, const char *file, int line, const char *what, const char *wanted)
{
	checks++;
	if (a == b)
		return;
	failed++;
	printf("# %s:%d: %s: %s is %lld, not %s (%lld)\n", file, line, name, what, a, wanted, b);
}

static void give_up(const char *what, const char *why)
{
	printf("not ok programs: %s: %s: %s\n", name ? name : "policy", what, why);
	exit(1);
}

void enforce_with(struct rig *rig, const char *yaml, const struct ward_apply *how)
{
	static const char names[2][WARD_NAME_LEN] = { "first", "other" }; /* replay: all comes in by row 0 */
	char text[8192];
	struct policy_image *image;
	const char *error = "";
	struct policy *p;
	unsigned errors = 0;

	snprintf(text, sizeof(text), "%s%s", strncmp(yaml, "version", 7) ? "version: 1\nmode: enforce\n" : "", yaml);
	p = policy_parse(text, strlen(text), "test", NULL, stdout, &errors);
	if (!p)
		give_up("policy_parse", text);
	image = policy_compile(p, names, 2, &error);
	if (!image)
		give_up("policy_compile", error);
	rig->w->control->replay_now_ns = rig->now_ns;
	if (ward_policy_apply(rig->w, image, how))
		give_up("ward_policy_apply", ward_reason());
	policy_image_free(image);
	policy_free(p);
}

void enforce(struct rig *rig, const char *yaml)
{
	struct ward_apply how = {.file = "test", .text = ""};

	enforce_with(rig, yaml, &how);
}

/* Every count, every meter and guard, as if the programs had just been loaded. */
static void wipe(struct rig *rig, enum ward_map which, __u32 entries, size_t size)
{
	int cpus = libbpf_num_possible_cpus();
	char *zero = calloc((size_t)cpus, size);
	__u32 i;

	for (i = 0; i < entries; i++)
		if (bpf_map_update_elem(rig->w->map[which], &i, zero, BPF_ANY))
			give_up("cannot empty a map", ward_map_names[which]);
	free(zero);
}

void enforce_nothing(struct rig *rig)
{
	rig_empty(rig);
	rig_wait(rig, 2 * SECOND); /* entries that are being deleted are gone too: their keys can be used again */
	rig->w->control->replay_now_ns = rig->now_ns;
	ward_policy_remove(rig->w);
	ward_list_flush(rig->w, WARD_ALLOW);
	ward_list_flush(rig->w, WARD_BLOCK);
	wipe(rig, MAP_POLICY_COUNTS, POLICY_SUBJECTS, sizeof(struct policy_count));
	wipe(rig, MAP_POLICY_DROPS, 1, sizeof(struct policy_drops));
	rig->wrong_verdicts = 0;
}

static struct list_item item_of(const char *prefix)
{
	struct list_item item = {.entry.by = LISTED_BY_HAND};
	const char *error;
	struct cidr c;

	if (cidr_parse(prefix, &c, &error))
		give_up(prefix, error);
	item.prefix = c.prefix;
	return item;
}

void list(struct rig *rig, enum ward_list list, const char *prefix, uint64_t for_ns)
{
	struct list_item item = item_of(prefix);

	rig->w->control->replay_now_ns = rig->now_ns;
	item.entry.added_ns = rig->now_ns;
	item.entry.until_ns = for_ns ? rig->now_ns + for_ns : 0;
	if (ward_list_add(rig->w, list, &item))
		give_up(prefix, ward_reason());
}

void unlist(struct rig *rig, enum ward_list list, const char *prefix)
{
	struct list_item item = item_of(prefix);

	if (ward_list_delete(rig->w, list, &item.prefix))
		give_up(prefix, ward_reason());
}

struct hits {
	struct address_prefix of;
	uint64_t hits;
};

static int hits_of_one(const struct list_item *item, void *ctx)
{
	struct hits *h = ctx;

	if (!memcmp(&item->prefix, &h->of, sizeof(h->of)))
		h->hits += item->entry.hits;
	return 0;
}

uint64_t hits_of(struct rig *rig, const char *prefix)
{
	struct hits h = {.of = item_of(prefix).prefix};

	rig->w->control->replay_now_ns = rig->now_ns;
	ward_list_each(rig->w, WARD_BLOCK, hits_of_one, &h);
	return h.hits;
}

/* ---- segments ---- */
struct wire_end end_of(const char *addr, uint16_t port)
{
	struct wire_end e = {.port = port};

	if (inet_pton(AF_INET, addr, e.addr + 12) == 1)
		e.addr[10] = e.addr[11] = 0xff;
	else if (inet_pton(AF_INET6, addr, e.addr) != 1)
		give_up("not an address", addr);
	return e;
}

struct talk talk_of(const char *client, uint16_t sport, const char *server, uint16_t dport)
{
	return (struct talk){.client = end_of(client, sport), .server = end_of(server, dport), .seq = {1000, 500000}};
}

static bool is_v6(const struct wire_end *e)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(e->addr, mapped, sizeof(mapped)) != 0;
}

static int send_by(struct rig *rig, enum rig_hook hook, const struct wire_end *from, const struct wire_end *to,
		   const struct wire_segment *seg, int tags)
{
	struct wire_layout l = {.name = "plain", .v6 = is_v6(from), .tags = tags};
	uint8_t frame[WIRE_MAX];
	size_t len = wire_build(frame, &l, from, to, seg);
	int verdict = rig_send(rig, hook, frame, len, (uint32_t)len, false, 0);

	if (hook == HOOK_XDP ? verdict != XDP_PASS && verdict != XDP_DROP : verdict != -1 && verdict != TC_SHOT)
		give_up("verdict", "neither pass nor drop");
	return hook == HOOK_XDP ? verdict == XDP_DROP : verdict == TC_SHOT;
}

int dropped(struct rig *rig, const struct wire_end *from, const struct wire_end *to, const struct wire_segment *seg)
{
	return send_by(rig, HOOK_XDP, from, to, seg, 0);
}

int syn_dropped(struct rig *rig, const char *from, uint16_t sport, const char *to, uint16_t dport)
{
	struct wire_segment syn = {.bits = TH_SYN, .seq = 1000, .win = 64240};
	struct wire_end c = end_of(from, sport), s = end_of(to, dport);

	return dropped(rig, &c, &s, &syn);
}

static int say(struct rig *rig, enum rig_hook hook, const struct talk *t, int who, const struct wire_segment *seg)
{
	return send_by(rig, hook, who == CLIENT ? &t->client : &t->server, who == CLIENT ? &t->server : &t->client, seg, t->tag);
}

int says_by(struct rig *rig, enum rig_hook hook, struct talk *t, int who, uint8_t bits, uint32_t len)
{
	struct wire_segment seg = {.bits = bits, .seq = t->seq[who], .ack = bits & TH_ACK ? t->seq[!who] : 0, .len = len, .win = 64240};
	int drop = say(rig, hook, t, who, &seg);

	if (!drop)
		t->seq[who] += len + !!(bits & TH_SYN) + !!(bits & TH_FIN);
	return drop;
}

int says(struct rig *rig, struct talk *t, int who, uint8_t bits, uint32_t len)
{
	return says_by(rig, HOOK_XDP, t, who, bits, len);
}

int says_odd(struct rig *rig, const struct talk *t, int who, uint8_t bits, uint32_t seq, uint32_t ack, uint32_t len)
{
	struct wire_segment seg = {.bits = bits, .seq = seq, .ack = ack, .len = len, .win = 64240};

	return say(rig, HOOK_XDP, t, who, &seg);
}

int opens(struct rig *rig, struct talk *t)
{
	int drops = says(rig, t, CLIENT, TH_SYN, 0);

	drops += says(rig, t, SERVER, TH_SYN | TH_ACK, 0);
	drops += says(rig, t, CLIENT, TH_ACK, 0);
	drops += says(rig, t, CLIENT, TH_ACK | TH_PSH, 10);
	drops += says(rig, t, SERVER, TH_ACK | TH_PSH, 20);
	drops += says(rig, t, CLIENT, TH_ACK, 0);
	drops += says(rig, t, SERVER, TH_ACK, 0);
	return !!drops;
}

/* ---- counts ---- */
struct policy_count count_of(struct rig *rig, unsigned subject)
{
	int cpus = libbpf_num_possible_cpus(), i;
	struct policy_count *part = calloc((size_t)cpus, sizeof(*part)), sum = {0};
	__u32 key = subject;

	if (bpf_map_lookup_elem(rig->w->map[MAP_POLICY_COUNTS], &key, part))
		give_up("cannot read", "policy_counts");
	for (i = 0; i < cpus; i++) {
		sum.hits += part[i].hits;
		sum.dropped += part[i].dropped;
		sum.would += part[i].would;
	}
	free(part);
	return sum;
}

struct policy_drops drops_of(struct rig *rig)
{
	int cpus = libbpf_num_possible_cpus(), i, j;
	struct policy_drops *part = calloc((size_t)cpus, sizeof(*part)), sum = {0};
	__u32 key = 0;

	if (bpf_map_lookup_elem(rig->w->map[MAP_POLICY_DROPS], &key, part))
		give_up("cannot read", "policy_drops");
	for (i = 0; i < cpus; i++)
		for (j = 0; j < DROP_COUNT; j++) {
			sum.dropped[j] += part[i].dropped[j];
			sum.would[j] += part[i].would[j];
		}
	free(part);
	return sum;
}

uint64_t counter_of(struct rig *rig, enum ward_counter which)
{
	return rig_counters(rig).counter[which];
}

bool record_of(struct rig *rig, const struct talk *t, struct flow *f)
{
	struct flow_key key;
	bool embryo;

	wire_key(&key, &t->client, &t->server);
	return !ward_flow_get(rig->w, &key, f, &embryo);
}
