// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * flood: SYNs, or ACKs, from spoofed sources to one service, as fast as this machine makes them: live frames of
 * BPF_PROG_TEST_RUN, redirected out of a veth whose peer runs an XDP program.
 *
 *   flood DEV MAC ADDR PORT BASE SOURCES STRIDE SECONDS RATE [syn|ack|data TUPLES FRAMES [ACKS]]
 *
 * MAC: of the next hop. BASE: the first source; SOURCES: how many, a power of two; STRIDE: from one to the next, round about
 * them all (odd); RATE: segments a second at most, 0: no limit. Each is a 4-tuple of its own: when all sources had their turn,
 * the port goes one up. TUPLES: begins again after so many, 0: never; FRAMES: no more than these, 0: until the time is over.
 * ACKS: file of opened.c: the segments belong to the connections that it opened (by SYNs with the same numbers):
 * first DATA_LEN bytes on each (data), then ACKs after them (ack).
 *
 * A weapon, so it works in the network namespaces of this folder's tests alone (tests/net/lib.sh makes them), out of a veth,
 * for at most SECONDS_MAX and FRAMES_MAX. It is never installed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <glob.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "flood.skel.h"

#define TEST_NAMESPACES "/run/netns/tw-*"
#define SECONDS_MAX 30
#define FRAMES_MAX 64000000ULL
#define CALL_NS 250000000ULL /* a call takes about so long: what it sets up and tears down costs 20 ms */
#define CHUNK_MIN 4096
#define CHUNK_MAX (1 << 20)
#define FIRST_PORT 1024
#define FRAME_LEN 54
#define DATA_LEN 10 /* zeroes */
#define TUPLES_MAX (1U << 22)
#define SYN 0x02
#define ACK 0x10

static void die(const char *what, const char *value, const char *why)
{
	fprintf(stderr, "flood: %s '%s': %s\n", what, value, why);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Only in a namespace that a test made. */
static void check_namespace(void)
{
	struct stat self, test;
	glob_t found;
	size_t i;

	if (stat("/proc/self/ns/net", &self))
		die("cannot look at", "/proc/self/ns/net", strerror(errno));
	if (!glob(TEST_NAMESPACES, 0, NULL, &found)) {
		for (i = 0; i < found.gl_pathc; i++)
			if (!stat(found.gl_pathv[i], &test) && test.st_ino == self.st_ino && test.st_dev == self.st_dev)
				return;
		globfree(&found);
	}
	die("will not flood from", "this network namespace", "no test of tests/net made it");
}

/* Only out of a veth: never a line of the machine. Returns its index. */
static unsigned check_device(const char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq req = { .ifr_data = (void *)&info };

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &req))
		die("cannot flood from", name, strerror(errno));
	close(fd);
	if (strcmp(info.driver, "veth"))
		die("will not flood from", name, "it is not a veth");
	return if_nametoindex(name);
}

static uint32_t sum16(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint32_t sum = 0;
	uint16_t word;

	for (; len >= 2; len -= 2, at += 2) {
		memcpy(&word, at, 2);
		sum += word;
	}
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The frame without what changes: source, port, sequence numbers, checksums. */
static void build(uint8_t *frame, const char *dev, const char *mac, const char *address, int port, uint8_t flags, int len)
{
	uint8_t *ip = frame + ETH_HLEN, *tcp = ip + 20;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq req = { 0 };

	memset(frame, 0, FRAME_LEN + DATA_LEN);
	if (sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", frame, frame + 1, frame + 2, frame + 3, frame + 4, frame + 5) != 6)
		die("bad link address", mac, "not six bytes");
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", dev);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &req))
		die("no link address of", dev, strerror(errno));
	close(fd);
	memcpy(frame + 6, req.ifr_hwaddr.sa_data, 6);
	frame[12] = ETHERTYPE_IP >> 8;
	ip[0] = 0x45;
	ip[3] = (uint8_t)(FRAME_LEN - ETH_HLEN + len);
	ip[6] = 0x40; /* do not fragment */
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	if (inet_pton(AF_INET, address, ip + 16) != 1)
		die("bad address", address, "not IPv4");
	tcp[2] = (uint8_t)(port >> 8);
	tcp[3] = (uint8_t)port;
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	tcp[14] = 0xfa;
	tcp[15] = 0xf0;
}

/* What the map of acknowledgements is to hold: count words of 64 bits. */
static void read_acks(struct flood_bpf *skel, const char *path, uint32_t count)
{
	size_t size = count * sizeof(uint64_t);
	void *acks = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(skel->maps.acks), 0);
	FILE *file = fopen(path, "rb");

	if (!file || acks == MAP_FAILED)
		die("cannot read acknowledgements of", path, strerror(errno));
	if (fread(acks, sizeof(uint64_t), count, file) != count)
		die("cannot read acknowledgements of", path, "fewer than TUPLES");
	fclose(file);
	munmap(acks, size);
}

/* acks: path or NULL. tuples: 0, or after how many to begin again. */
static struct flood_bpf *load(const uint8_t *frame, unsigned ifindex, uint32_t base, uint32_t sources, uint32_t stride,
			      uint32_t tuples, const char *acks)
{
	const uint8_t *ip = frame + ETH_HLEN, *tcp = ip + 20;
	const uint8_t pseudo[4] = { 0, IPPROTO_TCP, 0, (uint8_t)(ip[3] - 20) };
	struct flood_bpf *skel = flood_bpf__open();

	if (!skel)
		die("cannot open", "flood.bpf.o", strerror(errno));
	skel->rodata->out_ifindex = ifindex;
	skel->rodata->source_base = base;
	skel->rodata->source_mask = sources - 1;
	skel->rodata->source_stride = stride | 1;
	skel->rodata->source_bits = (uint32_t)__builtin_ctz(sources);
	skel->rodata->first_port = FIRST_PORT;
	skel->rodata->ip_sum = fold(sum16(ip, 20));
	skel->rodata->tcp_sum = fold(sum16(tcp, 20) + sum16(ip + 16, 4) + sum16(pseudo, sizeof(pseudo)));
	skel->rodata->tuples = tuples;
	skel->rodata->seq_offset = ip[3] > 40 ? 1 : 1 + DATA_LEN;
	skel->rodata->acks_len = acks ? tuples : 0;
	if ((acks && bpf_map__set_max_entries(skel->maps.acks, tuples)) || flood_bpf__load(skel))
		die("cannot load", "flood.bpf.o", strerror(errno));
	if (acks)
		read_acks(skel, acks, tuples);
	memcpy(skel->bss->whole, frame, FRAME_LEN);
	return skel;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static void run(struct flood_bpf *skel, const uint8_t *frame, int seconds, uint64_t rate, uint64_t frames)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = ETH_HLEN + frame[ETH_HLEN + 3],
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	const char *what = frame[ETH_HLEN + 20 + 13] == SYN ? "SYNs" : "ACKs";
	uint64_t began = now_ns(), end = began + seconds * 1000000000ULL, now = began, chunk = CHUNK_MIN, due, called;

	while (now < end && skel->bss->sent < frames) {
		due = rate ? clamp((now - began) * rate / 1000000000ULL, 0, frames) : frames;
		if (due > skel->bss->sent) {
			called = now;
			opts.repeat = (int)(due - skel->bss->sent < chunk ? due - skel->bss->sent : chunk);
			skel->bss->limit = skel->bss->sent + opts.repeat;
			if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.flood), &opts))
				die("cannot run", "live frames", strerror(errno));
			chunk = clamp(opts.repeat * CALL_NS / (now_ns() - called + 1), CHUNK_MIN, CHUNK_MAX);
		} else {
			usleep(200);
		}
		now = now_ns();
	}
	printf("done %llu %s in %.2f s: %.0f a second\n", (unsigned long long)skel->bss->sent, what, (double)(now - began) / 1e9,
	       (double)skel->bss->sent * 1e9 / (double)(now - began));
}

int main(int argc, char **argv)
{
	const char *kind = argc > 10 ? argv[10] : "syn", *acks = argc > 13 ? argv[13] : NULL;
	uint64_t frames = argc > 12 ? strtoull(argv[12], NULL, 10) : 0;
	uint32_t tuples = argc > 11 ? (uint32_t)strtoul(argv[11], NULL, 10) : 0;
	uint8_t frame[FRAME_LEN + DATA_LEN];
	struct in_addr base;
	unsigned sources, ifindex;
	int seconds;

	if ((argc != 10 && argc != 13 && argc != 14) || (strcmp(kind, "syn") && strcmp(kind, "ack") && strcmp(kind, "data"))) {
		fprintf(stderr, "usage: flood DEV MAC ADDR PORT BASE SOURCES STRIDE SECONDS RATE [syn|ack|data TUPLES FRAMES [ACKS]]\n");
		return 2;
	}
	check_namespace();
	ifindex = check_device(argv[1]);
	build(frame, argv[1], argv[2], argv[3], atoi(argv[4]), strcmp(kind, "syn") ? ACK : SYN,
	      strcmp(kind, "data") ? 0 : DATA_LEN);
	sources = (unsigned)strtoul(argv[6], NULL, 10);
	if (inet_pton(AF_INET, argv[5], &base) != 1)
		die("bad address", argv[5], "not IPv4");
	if (!sources || sources & (sources - 1) || sources > 1U << 22)
		die("bad number of sources", argv[6], "not a power of two up to 2^22");
	if (tuples > TUPLES_MAX || (acks && !tuples))
		die("bad number of 4-tuples", argv[11], acks ? "not 1 to 2^22" : "not 0 to 2^22");
	seconds = atoi(argv[8]);
	if (seconds < 1 || seconds > SECONDS_MAX)
		die("bad time", argv[8], "not 1 to 30 s");
	run(load(frame, ifindex, ntohl(base.s_addr), sources, (uint32_t)strtoul(argv[7], NULL, 10), tuples, acks), frame, seconds,
	    strtoull(argv[9], NULL, 10), frames && frames < FRAMES_MAX ? frames : FRAMES_MAX);
	return 0;
}
