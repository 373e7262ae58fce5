// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * chaos SEED SECONDS UNTIL OPTIONS NETNS_A DEV_A NETNS_B DEV_B NETNS_WIRE WIRE_DEV_A WIRE_DEV_B
 *
 * Applications at random on two hosts, random segments in their names between them, for SECONDS or until UNTIL states have been
 * compared (0: SECONDS alone). OPTIONS: p: one socket is taken away in silence at the end and must be found; h: hostile
 * segments are invented; e: each difference of a known kind is shown; "-": none of these. See tests/real/kernel.sh.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "real/chaos.h"

#define STEPS 24 /* between two quiet points */
#define MOST_TOLD 8

static uint64_t random_state;
static struct timespec started;

uint32_t chance(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state * 0x2545f4914f6cdd1dULL) >> 32) % below;
}

bool percent(unsigned p)
{
	return chance(100) < p;
}

uint32_t ms_since_start(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)((now.tv_sec - started.tv_sec) * 1000 + (now.tv_nsec - started.tv_nsec) / 1000000);
}

void die(const char *what, const char *value)
{
	fflush(stdout);
	fprintf(stderr, "chaos: %s '%s': %s\n", what, value, strerror(errno));
	exit(2);
}

int enter(const char *netns)
{
	static const char *names[8];
	static int fds[8];
	char path[128];
	int i;

	for (i = 0; i < 8 && names[i] && strcmp(names[i], netns); i++)
		;
	if (i < 8 && !names[i]) {
		snprintf(path, sizeof(path), "/run/netns/%s", netns);
		names[i] = netns;
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (i == 8 || setns(fds[i], CLONE_NEWNET))
		die("cannot enter network namespace", netns);
	return 0;
}

static void play(const struct options *opt)
{
	while (ms_since_start() < opt->seconds * 1000 && conn_count < CONNS &&
	       (!opt->until || compare_counts.compared < opt->until) && compare_counts.strange < MOST_TOLD) {
		for (int i = 0; i < STEPS; i++) {
			hosts_act();
			wire_release();
			wire_pump(percent(90) ? 0 : 2);
		}
		compare_all();
	}
}

/* The control: without a word on the wire nobody can know. With one, as a delayed ACK that meets no socket, another is taken. */
static bool plant_one(bool *heard)
{
	struct conn *c = hosts_plant();
	unsigned lines;

	if (!c) {
		printf("not ok the control: no established socket that could be taken away\n");
		return false;
	}
	lines = c->lines;
	for (unsigned before = compare_counts.points, i = 0; i < 20 && compare_counts.points == before; i++)
		compare_all(); /* until it is quiet */
	if (compare_told(c)) {
		printf("# ... which was taken away on purpose\n");
		return true;
	}
	for (; lines < c->lines; lines++)
		*heard |= c->line[lines % LOG_LINES].what == 'w';
	printf("%s the control: a socket was taken away in silence, and %s\n", *heard ? "#" : "not ok",
	       *heard ? "its peer spoke to it" : "nothing was found");
	conn_print(c);
	return false;
}

static bool plant(void)
{
	bool heard = true;

	for (int i = 0; i < 5 && heard; i++) {
		heard = false;
		if (plant_one(&heard))
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct rlimit files = { 65536, 65536 };
	struct options opt = { 0 };

	if (argc != 12) {
		fprintf(stderr, "usage: chaos SEED SECONDS UNTIL OPTIONS NETNS_A DEV_A NETNS_B DEV_B NETNS_WIRE WIRE_DEV_A WIRE_DEV_B\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	setrlimit(RLIMIT_NOFILE, &files);
	clock_gettime(CLOCK_MONOTONIC, &started);
	opt.seed = strtoull(argv[1], NULL, 0);
	opt.seconds = (unsigned)atoi(argv[2]);
	opt.until = (unsigned)atoi(argv[3]);
	opt.plant = strchr(argv[4], 'p');
	opt.hostile = strchr(argv[4], 'h');
	opt.examples = strchr(argv[4], 'e');
	for (int host = 0; host < HOSTS; host++) {
		opt.netns[host] = argv[5 + 2 * host];
		opt.dev[host] = argv[6 + 2 * host];
		opt.wire_dev[host] = argv[10 + host];
	}
	opt.wire_netns = argv[9];
	random_state = opt.seed * 0x9e3779b97f4a7c15ULL + 1;
	wire_open(&opt);
	compare_open(&opt);
	hosts_open(&opt);
	play(&opt);
	printf("# %u connections by 4-tuple, %lu segments: %lu lost, %lu doubled, %lu held back, %lu invented, %lu old ones again\n",
	       conn_count, wire_counts.frames, wire_counts.dropped, wire_counts.doubled, wire_counts.held, wire_counts.invented,
	       wire_counts.again);
	compare_print();
	printf("compared %lu far %lu known %lu unexplained %lu strange %lu connections %u\n", compare_counts.compared,
	       compare_counts.far, compare_counts.known, compare_counts.unexplained, compare_counts.strange, conn_count);
	return opt.plant && !plant();
}
