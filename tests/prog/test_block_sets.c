// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The sets of blocked addresses (include/block_set.h): who is in one is dropped and nobody else, in a set that is full as in
 * one that is not; hits are counted wherever an address stands; time, policies and allow lists; and whatever comes between the
 * writers, nothing stays in a set that the list does not hold.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "block_set.h"
#include "prog/enforce_rig.h"

#define S "10.0.0.2"
#define NEIGHBOURS 8 /* more than a set has ways */
#define MANY 200000

/* ---- addresses, and where they stand ---- */
static struct address_prefix whole(uint32_t addr)
{
	struct address_prefix p = {.len = 128, .addr = {[10] = 0xff, [11] = 0xff}};

	addr = htonl(addr);
	memcpy(p.addr + 12, &addr, 4);
	return p;
}

static struct block_set *set_at(struct rig *rig, const struct address_prefix *p)
{
	return &rig->w->block_sets[block_set_index(block_bit(p))];
}

static bool in_set(struct rig *rig, const struct address_prefix *p)
{
	const struct block_set *set = set_at(rig, p);

	for (int i = 0; i < BLOCK_WAYS; i++)
		if ((uint32_t)set->way[i] && set->way[i] >> 32 == block_low(p) >> 32)
			return true;
	return false;
}

static bool listed(struct rig *rig, const struct address_prefix *p, struct list_entry *entry)
{
	return !bpf_map_lookup_elem(rig->w->map[MAP_BLOCK_ADDRS], p, entry);
}

/* Ways that are taken; *stray: those of which the list knows nothing, or something else. */
static unsigned ways_taken(struct rig *rig, unsigned *stray)
{
	unsigned taken = 0;
	struct list_entry entry;

	*stray = 0;
	for (unsigned i = 0; i < BLOCK_SETS; i++)
		for (int way = 0; way < BLOCK_WAYS; way++) {
			uint64_t word = rig->w->block_sets[i].way[way];
			struct address_prefix p = whole(ntohl((uint32_t)(word >> 32)));

			if (!(uint32_t)word)
				continue;
			taken++;
			*stray += !listed(rig, &p, &entry) || block_word(block_low(&p), entry.until_ns) != word;
		}
	return taken;
}

struct text {
	char is[16];
};

static struct text text_of(uint32_t addr)
{
	struct text t;

	snprintf(t.is, sizeof(t.is), "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255, addr & 255);
	return t;
}

/* Addresses of one set. */
static void neighbours(uint32_t addr[NEIGHBOURS])
{
	struct address_prefix p = whole(addr[0] = 0x0a010203);
	uint32_t set = block_set_index(block_bit(&p)), next = addr[0] + 1;

	for (int n = 1; n < NEIGHBOURS; next++) {
		p = whole(next);
		if (block_set_index(block_bit(&p)) == set)
			addr[n++] = next;
	}
}

static int syn_from(struct rig *rig, uint32_t addr)
{
	static uint16_t port = 1000;

	return syn_dropped(rig, text_of(addr).is, ++port, S, 80);
}

static uint64_t hits_at(struct rig *rig, uint32_t addr)
{
	return hits_of(rig, text_of(addr).is);
}

static void sweep(struct rig *rig)
{
	for (int i = 0; i < 8; i++)
		rig_wait(rig, SECOND);
}

/* ---- one set ---- */
static void test_neighbours(struct rig *rig)
{
	uint32_t addr[NEIGHBOURS];
	struct talk in, other;
	struct address_prefix p;
	unsigned stray;

	case_begin("sets: of the addresses of one set those are dropped that are listed");
	neighbours(addr);
	for (int n = 0; n < 3; n++)
		list(rig, WARD_BLOCK, text_of(addr[n]).is, 0);
	same(ways_taken(rig, &stray), 3);
	same(stray, 0);
	for (int n = 0; n < NEIGHBOURS; n++)
		same(syn_from(rig, addr[n]), n < 3);
	same(count_of(rig, SUBJECT_BLOCK_LIST).hits, 3);
	same(count_of(rig, SUBJECT_BLOCK_LIST).dropped, 3);
	same(drops_of(rig).dropped[DROP_BLOCK_LIST], 3);
	in = talk_of(text_of(addr[0]).is, 7, S, 80);
	other = talk_of(text_of(addr[3]).is, 7, S, 80);
	same(says_by(rig, HOOK_TC_IN, &in, CLIENT, TH_SYN, 0), 1);
	same(says_by(rig, HOOK_TC_IN, &other, CLIENT, TH_SYN, 0), 0);
	same(says_by(rig, HOOK_TC_OUT, &other, SERVER, TH_SYN | TH_ACK, 0), 0);
	list(rig, WARD_BLOCK, S, 0); /* what goes out is nobody's */
	same(says_by(rig, HOOK_TC_OUT, &other, SERVER, TH_SYN | TH_ACK, 0), 0);
	unlist(rig, WARD_BLOCK, S);
	unlist(rig, WARD_BLOCK, text_of(addr[1]).is);
	p = whole(addr[1]);
	check(!in_set(rig, &p));
	for (int n = 0; n < NEIGHBOURS; n++)
		same(syn_from(rig, addr[n]), n == 0 || n == 2);
	list(rig, WARD_BLOCK, text_of(addr[4]).is, 0); /* in the way that is free now */
	same(syn_from(rig, addr[4]), 1);
	same(syn_from(rig, addr[1]), 0);
	same(hits_at(rig, addr[4]), 1); /* none of who was there before */
	enforce_nothing(rig);
	same(ways_taken(rig, &stray), 0);
	case_end();
}

static void test_overflow(struct rig *rig)
{
	uint32_t addr[NEIGHBOURS];
	struct address_prefix p;
	unsigned stray;

	case_begin("sets: who finds no room is dropped and counted all the same, and gets in when there is room");
	neighbours(addr);
	for (int n = 0; n < NEIGHBOURS; n++)
		list(rig, WARD_BLOCK, text_of(addr[n]).is, 0);
	same(ways_taken(rig, &stray), BLOCK_WAYS);
	for (int n = 0; n < NEIGHBOURS; n++)
		for (int i = 0; i < 3 + n; i++)
			same(syn_from(rig, addr[n]), 1);
	for (int n = 0; n < NEIGHBOURS; n++)
		same(hits_at(rig, addr[n]), 3 + n);
	same(count_of(rig, SUBJECT_BLOCK_LIST).dropped, 8 * 3 + 28);
	unlist(rig, WARD_BLOCK, text_of(addr[0]).is);
	unlist(rig, WARD_BLOCK, text_of(addr[2]).is);
	sweep(rig);
	same(ways_taken(rig, &stray), BLOCK_WAYS);
	same(stray, 0);
	for (int n = 0; n < NEIGHBOURS; n++)
		same(syn_from(rig, addr[n]), n != 0 && n != 2);
	for (int n = 3; n < NEIGHBOURS; n++)
		same(hits_at(rig, addr[n]), 4 + n); /* those from before it had a way are not lost */
	p = whole(addr[0]);
	check(!in_set(rig, &p));
	enforce_nothing(rig);
	case_end();
}

/* ---- hits ---- */
static void test_hits(struct rig *rig)
{
	struct address_prefix p = whole(0x0a000001);
	struct list_entry entry = {0};

	case_begin("sets: hits go to the entry by 256, and are all counted, also over a change of it");
	list(rig, WARD_BLOCK, "10.0.0.1", 0);
	for (int i = 0; i < 600; i++)
		syn_from(rig, 0x0a000001);
	check(listed(rig, &p, &entry));
	same(entry.hits, 512);
	same(hits_at(rig, 0x0a000001), 600);
	list(rig, WARD_BLOCK, "10.0.0.1", 3600 * SECOND);
	same(hits_at(rig, 0x0a000001), 600);
	for (int i = 0; i < 300; i++)
		syn_from(rig, 0x0a000001);
	same(hits_at(rig, 0x0a000001), 900);
	block_sets_clear(rig->w); /* another build takes over */
	check(!in_set(rig, &p));
	same(hits_at(rig, 0x0a000001), 900);
	same(syn_from(rig, 0x0a000001), 1);
	sweep(rig);
	check(in_set(rig, &p));
	same(syn_from(rig, 0x0a000001), 1);
	same(hits_at(rig, 0x0a000001), 902);
	same(count_of(rig, SUBJECT_BLOCK_LIST).dropped, 902);
	enforce_nothing(rig);
	case_end();
}

/* ---- time ---- */
static void test_time(struct rig *rig)
{
	struct address_prefix p = whole(0x0a000001);
	uint32_t addr[NEIGHBOURS];
	unsigned stray;

	case_begin("sets: an end is exact, without a sweeper; a time that changes; a way whose time is over is used again");
	list(rig, WARD_BLOCK, "10.0.0.1", 10 * SECOND);
	check(in_set(rig, &p));
	rig->now_ns += 8 * SECOND;
	same(syn_from(rig, 0x0a000001), 1);
	rig->now_ns += 2 * SECOND - 1; /* the set says no more, the entry does */
	same(syn_from(rig, 0x0a000001), 1);
	same(hits_at(rig, 0x0a000001), 2);
	rig->now_ns += 1;
	same(syn_from(rig, 0x0a000001), 0);
	list(rig, WARD_BLOCK, "10.0.0.1", 100 * SECOND);
	same(syn_from(rig, 0x0a000001), 1);
	same(hits_at(rig, 0x0a000001), 1); /* of this time */
	list(rig, WARD_BLOCK, "10.0.0.1", 5 * SECOND);
	rig->now_ns += 5 * SECOND;
	same(syn_from(rig, 0x0a000001), 0);
	list(rig, WARD_BLOCK, "10.0.0.1", 0);
	rig->now_ns += 400ULL * 24 * 3600 * SECOND;
	same(syn_from(rig, 0x0a000001), 1);
	neighbours(addr);
	for (int n = 0; n < BLOCK_WAYS; n++)
		list(rig, WARD_BLOCK, text_of(addr[n]).is, 5 * SECOND);
	rig->now_ns += 6 * SECOND;
	list(rig, WARD_BLOCK, text_of(addr[6]).is, 60 * SECOND);
	p = whole(addr[6]);
	check(in_set(rig, &p));
	for (int n = 0; n < NEIGHBOURS; n++)
		same(syn_from(rig, addr[n]), n == 6);
	sweep(rig);
	same(ways_taken(rig, &stray), 2);
	same(stray, 0);
	enforce_nothing(rig);
	case_end();
}

/* ---- killed between two steps ---- */
static bool killed_here; /* right after the next change of a map */

/* The library's, which ward calls. */
int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	static int (*real)(int, const void *, const void *, __u64);
	int ret;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "bpf_map_update_elem");
	ret = real(fd, key, value, flags);
	if (killed_here)
		_exit(9);
	return ret;
}

static void test_cut_short(struct rig *rig)
{
	struct address_prefix p = whole(0x0a000001);
	struct list_entry entry = {0};
	int status = 0;
	pid_t pid;

	case_begin("sets: a command that is killed between list and set: nobody is dropped beyond the end that the list has");
	list(rig, WARD_BLOCK, "10.0.0.1", 0);
	same(syn_from(rig, 0x0a000001), 1);
	pid = fork();
	if (!pid) {
		killed_here = true;
		list(rig, WARD_BLOCK, "10.0.0.1", 5 * SECOND);
		_exit(1);
	}
	same(waitpid(pid, &status, 0), pid);
	same(WEXITSTATUS(status), 9);
	check(listed(rig, &p, &entry));
	check(entry.until_ns);
	same(syn_from(rig, 0x0a000001), 1);
	rig->now_ns += 5 * SECOND;
	same(syn_from(rig, 0x0a000001), 0);
	sweep(rig);
	check(!listed(rig, &p, &entry));
	enforce_nothing(rig);
	case_end();
}

static void test_families(struct rig *rig)
{
	unsigned stray;

	case_begin("sets: IPv6 and 0.0.0.0 are dropped by the list itself; hits");
	list(rig, WARD_BLOCK, "2001:db8::1", 0);
	list(rig, WARD_BLOCK, "0.0.0.0", 0);
	same(ways_taken(rig, &stray), 0);
	same(syn_dropped(rig, "2001:db8::1", 1000, "2001:db8::2", 80), 1);
	same(syn_dropped(rig, "2001:db8::3", 1000, "2001:db8::2", 80), 0);
	same(syn_dropped(rig, "0.0.0.0", 1000, S, 80), 1);
	same(hits_at(rig, 0), 1);
	same(count_of(rig, SUBJECT_BLOCK_LIST).dropped, 2);
	enforce_nothing(rig);
	case_end();
}

/* ---- what else decides ---- */
static void test_policy(struct rig *rig)
{
	struct ward_apply wait = {.file = "test", .text = "", .confirm_s = 5};
	struct ward_apply learn = {.file = "test", .text = "", .learn_ns = 60 * SECOND};

	case_begin("sets: only where nothing else is to be asked: modes, allow lists, learning, confirmation");
	list(rig, WARD_BLOCK, "10.0.0.1", 0);
	same(rig->w->live->block_drops, 1);
	same(syn_from(rig, 0x0a000001), 1);
	list(rig, WARD_ALLOW, "10.0.0.0/24", 0);
	same(syn_from(rig, 0x0a000001), 0);
	unlist(rig, WARD_ALLOW, "10.0.0.0/24");
	same(syn_from(rig, 0x0a000001), 1);
	list(rig, WARD_ALLOW, "10.0.0.1", 5 * SECOND);
	same(syn_from(rig, 0x0a000001), 0);
	rig->now_ns += 5 * SECOND;
	same(syn_from(rig, 0x0a000001), 1);
	enforce(rig, "allow: [10.0.0.1]\n");
	same(rig->w->live->block_drops, 0);
	same(syn_from(rig, 0x0a000001), 0);
	enforce(rig, "version: 1\nmode: dry-run\n");
	same(rig->w->live->block_drops, 0);
	same(syn_from(rig, 0x0a000001), 0);
	same(count_of(rig, SUBJECT_BLOCK_LIST).would, 1);
	enforce(rig, "version: 1\nmode: monitor\n");
	same(syn_from(rig, 0x0a000001), 0);
	enforce(rig, "without-daemon: open\n");
	same(rig->w->live->block_drops, 0);
	enforce(rig, "state-check: loose\n");
	same(rig->w->live->block_drops, 1);
	same(syn_from(rig, 0x0a000001), 1);
	enforce_with(rig, "version: 1\nmode: monitor\n", &wait);
	same(syn_from(rig, 0x0a000001), 0);
	rig->now_ns += 5 * SECOND; /* the one before counts again, and then it is simple again */
	same(syn_from(rig, 0x0a000001), 1);
	same(rig->w->live->block_drops, 0);
	rig_wait(rig, SECOND);
	same(rig->w->live->block_drops, 1);
	same(syn_from(rig, 0x0a000001), 1);
	enforce_with(rig, "state-check: loose\n", &wait);
	same(rig->w->live->block_drops, 0);
	rig->w->control->replay_now_ns = rig->now_ns;
	same(ward_policy_confirm(rig->w), 1);
	same(rig->w->live->block_drops, 1);
	same(ward_policy_rollback(rig->w), 0);
	same(syn_from(rig, 0x0a000001), 1);
	rig->w->info->created_ns = rig->now_ns;
	enforce_with(rig, "state-check: loose\n", &learn);
	same(syn_from(rig, 0x0a000001), 0);
	rig_wait(rig, 61 * SECOND);
	same(rig->w->live->block_drops, 1);
	same(syn_from(rig, 0x0a000001), 1);
	enforce_nothing(rig);
	same(rig->w->live->block_drops, 1);
	case_end();
}

/* ---- limits ---- */
static const char limit[] = "services:\n"
			    "  - {name: web, match: {dport: 80}, new-per-source: {rate: 1/m, burst: 1, then: block, for: 10s}}\n";

static void test_limits(struct rig *rig)
{
	struct address_prefix p = whole(0x0a000001);
	struct list_entry entry;

	case_begin("sets: a limit's source has its way at once, and after its time again; what is taken out is free");
	enforce(rig, limit);
	same(syn_from(rig, 0x0a000001), 0);
	same(syn_from(rig, 0x0a000001), 1);
	check(in_set(rig, &p));
	same(syn_from(rig, 0x0a000001), 1);
	same(hits_at(rig, 0x0a000001), 1); /* the one that the limit dropped is no hit of the list */
	same(drops_of(rig).dropped[DROP_BLOCK_LIST], 1);
	rig->now_ns += 10 * SECOND;
	same(syn_from(rig, 0x0a000001), 1); /* by the limit, which blocks it anew: its entry still stands there */
	same(drops_of(rig).dropped[DROP_NEW_SOURCE], 2);
	same(hits_at(rig, 0x0a000001), 0);
	check(in_set(rig, &p));
	check(listed(rig, &p, &entry) && entry.by == LISTED_BY_LIMIT && entry.until_ns == rig->now_ns + 10 * SECOND);
	unlist(rig, WARD_BLOCK, "10.0.0.1");
	check(!in_set(rig, &p));
	rig->now_ns += 120 * SECOND;
	same(syn_from(rig, 0x0a000001), 0);
	enforce_nothing(rig);
	case_end();
}

/* ---- all at once ---- */
#define SOURCES 16

struct racer {
	struct rig *rig;
	volatile bool stop;
	unsigned sent, dropped;
};

static void *race(void *arg)
{
	struct racer *r = arg;

	while (!r->stop) {
		r->dropped += (unsigned)syn_from(r->rig, 0x0a000100 + r->sent / 4 % SOURCES);
		r->sent++;
	}
	return NULL;
}

/* In its set, and not in the list: it stays so, for nobody asks the list then. A moment between two steps does not. */
static bool is_stray(struct rig *rig, const struct address_prefix *p)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	struct list_entry entry;

	for (int look = 0; look < 4; look++) {
		if (!in_set(rig, p) || listed(rig, p, &entry))
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

static void test_races(struct rig *rig)
{
	struct racer r = {.rig = rig};
	struct timespec end, now;
	unsigned gone = 0, put = 0, n = 0, found = 0, stray;
	struct list_item item = {0};
	pthread_t thread;

	case_begin("sets: limits block while commands and the sweeper change the same entries: nothing stays that is not listed");
	enforce(rig, limit);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 2;
	if (pthread_create(&thread, NULL, race, &r))
		exit(1);
	do {
		item.prefix = whole(0x0a000100 + n++ % SOURCES);
		found += is_stray(rig, &item.prefix);
		item.entry.until_ns = rig->now_ns - 1; /* over: who is quick renews it */
		if (n % 3 == 0)
			put += !ward_list_add(rig->w, WARD_BLOCK, &item);
		else
			gone += !ward_list_delete(rig->w, WARD_BLOCK, &item.prefix);
		if (n % 64 == 0)
			lists_sweep(rig->w, rig->now_ns + n * SECOND / 64);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	r.stop = true;
	pthread_join(thread, NULL);
	ways_taken(rig, &stray);
	same(found + stray, 0);
	check(gone > 1000 && put > 1000 && r.dropped > 1000);
	printf("# %u entries taken out, %u put, %u of %u segments dropped\n", gone, put, r.dropped, r.sent);
	enforce_nothing(rig);
	same(ways_taken(rig, &stray), 0);
	case_end();
}

/* A writer that was killed between its two steps. */
static void test_killed(struct rig *rig)
{
	struct address_prefix gone = whole(0x0a000001), longer = whole(0x0a000003), stays = whole(0x0a000005);
	unsigned stray;

	case_begin("sets: what a killed writer has left there goes");
	list(rig, WARD_BLOCK, "10.0.0.3", 0);
	list(rig, WARD_BLOCK, "10.0.0.5", 0);
	list(rig, WARD_BLOCK, "10.0.0.3", 3600 * SECOND);
	block_set_put(set_at(rig, &gone), block_word(block_low(&gone), 0), 0, 1);
	block_set_put(set_at(rig, &longer), block_word(block_low(&longer), 0), 0, 1);
	ways_taken(rig, &stray);
	same(stray, 2);
	for (int i = 0; i < 2 * BLOCK_SETS / 2048 + 4 && stray; i++) {
		rig_wait(rig, SECOND);
		ways_taken(rig, &stray);
	}
	same(stray, 0);
	check(in_set(rig, &stays));
	same(syn_from(rig, 0x0a000001), 0);
	same(syn_from(rig, 0x0a000003) + syn_from(rig, 0x0a000005), 2);
	enforce_nothing(rig);
	case_end();
}

static void test_many(struct rig *rig)
{
	struct list_item *items = calloc(MANY, sizeof(*items));
	struct list_change change = {0};
	unsigned stray, taken;

	case_begin("sets: 200,000 at once, others in their place, and out");
	for (int turn = 0; turn < 2; turn++) {
		memset(items, 0, MANY * sizeof(*items));
		for (uint32_t i = 0; i < MANY; i++)
			items[i].prefix = whole(0x0b000000 + (turn ? MANY / 2 : 0) + i);
		same(ward_list_replace(rig->w, WARD_BLOCK, items, MANY, &change), 0);
		for (int i = 0; turn && i < 60; i++) /* those for whom there was no room while both lists stood there */
			rig_wait(rig, SECOND);
		taken = ways_taken(rig, &stray);
		same(stray, 0);
		check(taken > MANY * 0.98 && taken <= MANY);
		for (uint32_t i = 0; i < MANY + MANY / 2; i += 997)
			same(syn_from(rig, 0x0b000000 + i), turn ? i >= MANY / 2 : i < MANY);
	}
	printf("# %u of %u in their sets\n", taken, MANY);
	same(ward_list_flush(rig->w, WARD_BLOCK), MANY);
	same(ways_taken(rig, &stray), 0);
	free(items);
	enforce_nothing(rig);
	case_end();
}

int main(void)
{
	struct rig_options opt;
	struct rig rig;

	rig_options_init(&opt);
	rig_open(&rig, &opt);
	test_neighbours(&rig);
	test_overflow(&rig);
	test_hits(&rig);
	test_cut_short(&rig);
	test_time(&rig);
	test_families(&rig);
	test_policy(&rig);
	test_limits(&rig);
	test_races(&rig);
	test_killed(&rig);
	test_many(&rig);
	rig_close(&rig);
	return rig_result();
}
