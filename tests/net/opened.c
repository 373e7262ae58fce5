// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * opened FILE BASE SOURCES TUPLES SECONDS DEV...: opens the connections whose SYNs flood.c sends (its stride 1, the same BASE,
 * SOURCES, TUPLES), by answering as both ends at the devices given. When all are open, or after SECONDS, what their later
 * segments acknowledge goes to FILE, for flood.c. Prints "ready", then "done N of TUPLES"; answers on until SIGTERM, or for
 * SECONDS more.
 *
 * It answers only in network namespaces that a test made, and sends nothing unasked.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <glob.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "opened.skel.h"

#define FIRST_PORT 1024 /* flood.c's */
#define TUPLES_MAX (1U << 22)

static void die(const char *what, const char *value, const char *why)
{
	fprintf(stderr, "opened: %s '%s': %s\n", what, value, why);
	exit(1);
}

static void check_namespace(void)
{
	struct stat self, test;
	glob_t found;
	size_t i;

	if (!stat("/proc/self/ns/net", &self) && !glob("/run/netns/tw-*", 0, NULL, &found))
		for (i = 0; i < found.gl_pathc; i++)
			if (!stat(found.gl_pathv[i], &test) && test.st_ino == self.st_ino && test.st_dev == self.st_dev)
				return;
	die("will not answer in", "this network namespace", "no test of tests/net made it");
}

static volatile sig_atomic_t ended;

static void on_end(int sig)
{
	(void)sig;
	ended = 1;
}

static void save(const char *path, const uint64_t *acks, uint32_t count)
{
	FILE *file = fopen(path, "wb");

	if (!file || fwrite(acks, sizeof(*acks), count, file) != count || fclose(file))
		die("cannot write", path, strerror(errno));
}

int main(int argc, char **argv)
{
	const struct timespec nap = { .tv_nsec = 20000000 };
	struct opened_bpf *skel = opened_bpf__open();
	uint32_t sources, tuples;
	uint64_t *acks;
	struct in_addr base;
	double left;
	int i;

	if (argc < 7 || inet_pton(AF_INET, argv[2], &base) != 1) {
		fprintf(stderr, "usage: opened FILE BASE SOURCES TUPLES SECONDS DEV...\n");
		return 2;
	}
	check_namespace();
	sources = (uint32_t)strtoul(argv[3], NULL, 10);
	tuples = (uint32_t)strtoul(argv[4], NULL, 10);
	if (!sources || sources & (sources - 1) || !tuples || tuples > TUPLES_MAX)
		die("bad number of sources, or of 4-tuples,", argv[3], "not a power of two; or more than 2^22");
	if (!skel)
		die("cannot open", "opened.bpf.o", strerror(errno));
	skel->rodata->source_base = ntohl(base.s_addr);
	skel->rodata->source_bits = (uint32_t)__builtin_ctz(sources);
	skel->rodata->tuples = tuples;
	skel->rodata->first_port = FIRST_PORT;
	if (bpf_map__set_max_entries(skel->maps.acks, tuples) || opened_bpf__load(skel))
		die("cannot load", "opened.bpf.o", strerror(errno));
	acks = mmap(NULL, tuples * sizeof(*acks), PROT_READ, MAP_SHARED, bpf_map__fd(skel->maps.acks), 0);
	if (acks == MAP_FAILED)
		die("cannot map", "acks", strerror(errno));
	for (i = 6; i < argc; i++)
		if (bpf_xdp_attach((int)if_nametoindex(argv[i]), bpf_program__fd(skel->progs.opened), XDP_FLAGS_DRV_MODE, NULL))
			die("cannot attach to", argv[i], strerror(errno));
	signal(SIGTERM, on_end);
	puts("ready");
	fflush(stdout);
	for (left = atof(argv[5]); left > 0 && skel->bss->open < tuples; left -= 0.02)
		nanosleep(&nap, NULL);
	save(argv[1], acks, tuples);
	printf("done %u of %u\n", skel->bss->open, tuples);
	fflush(stdout);
	for (left = atof(argv[5]); left > 0 && !ended; left -= 0.02)
		nanosleep(&nap, NULL);
	for (i = 6; i < argc; i++)
		bpf_xdp_detach((int)if_nametoindex(argv[i]), XDP_FLAGS_DRV_MODE, NULL);
	return 0;
}
