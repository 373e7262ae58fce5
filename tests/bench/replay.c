/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* tcpward replay over a made capture: 100,000 connections, 1,000 of them at a time, 11 segments each. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "tcpward.h"

#define CONNECTIONS 100000
#define AT_ONCE 1000
#define SEGMENTS 11
#define RUNS 3

struct packet_header {
	uint32_t sec, usec, cut, len;
};

struct script {
	bool from_server;
	uint8_t bits;
	uint32_t seq, ack, len; /* relative to the ISNs */
};

static const struct script script[SEGMENTS] = {
	{false, TH_SYN, 0, 0, 0},
	{true, TH_SYN | TH_ACK, 0, 1, 0},
	{false, TH_ACK, 1, 1, 0},
	{false, TH_PSH | TH_ACK, 1, 1, 400},
	{true, TH_ACK, 1, 401, 0},
	{true, TH_ACK, 1, 401, 1448},
	{true, TH_PSH | TH_ACK, 1449, 401, 500},
	{false, TH_ACK, 401, 1949, 0},
	{false, TH_FIN | TH_ACK, 401, 1949, 0},
	{true, TH_FIN | TH_ACK, 1949, 402, 0},
	{false, TH_ACK, 402, 1950, 0},
};

static void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

/* One segment, cut behind its headers as tcpdump -s 96 would. */
static void write_packet(FILE *out, uint32_t connection, const struct script *s, uint64_t usec)
{
	uint8_t frame[66] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45};
	struct packet_header head = {1700000000 + (uint32_t)(usec / 1000000), (uint32_t)(usec % 1000000), 66, 66 + s->len};
	uint32_t client = 0x0a000000 + connection / 50, server = 0x0a7f0001, cport = 10000 + connection % 50 * 7;
	uint32_t cisn = connection * 64007, sisn = connection * 7919 + 5;
	uint8_t *ip = frame + 14, *tcp = frame + 34;

	put16(ip + 2, 52 + s->len);
	ip[8] = 64;
	ip[9] = 6;
	put32(ip + 12, s->from_server ? server : client);
	put32(ip + 16, s->from_server ? client : server);
	put16(tcp, s->from_server ? 443 : cport);
	put16(tcp + 2, s->from_server ? cport : 443);
	put32(tcp + 4, s->seq + (s->from_server ? sisn : cisn));
	put32(tcp + 8, s->bits & TH_ACK ? s->ack + (s->from_server ? cisn : sisn) : 0);
	tcp[12] = 0x80;
	tcp[13] = s->bits;
	put16(tcp + 14, 64240);
	memcpy(tcp + 20, "\1\1\x8\xa\0\0\0\7\0\0\0\5", 12);
	fwrite(&head, sizeof(head), 1, out);
	fwrite(frame, sizeof(frame), 1, out);
}

/* Rounds of 1,000 connections, their segments interleaved, 10 us apart. Returns the number of packets. */
static long write_capture(const char *path)
{
	static const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 96, 1};
	uint32_t group, i;
	long packets = 0;
	FILE *out = fopen(path, "w");
	int s;

	if (!out)
		bench_die("cannot write '%s'", path);
	fwrite(head, sizeof(head), 1, out);
	for (group = 0; group < CONNECTIONS; group += AT_ONCE)
		for (s = 0; s < SEGMENTS; s++)
			for (i = 0; i < AT_ONCE; i++)
				write_packet(out, group + i, &script[s], (uint64_t)10 * packets++);
	if (fclose(out))
		bench_die("cannot write '%s'", path);
	return packets;
}

/* Runs the command; wall seconds, and the number of lines that it wrote. */
static double run_replay(const char *capture, const char *result, long *lines)
{
	uint64_t began = bench_wall_ns();
	char line[1024];
	double seconds;
	int status, out;
	pid_t pid = fork();
	FILE *in;

	if (!pid) {
		out = open(result, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(out, 1);
		execl("build/tcpward", "tcpward", "replay", capture, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		bench_die("tcpward replay failed");
	seconds = (double)(bench_wall_ns() - began) / 1e9;
	*lines = 0;
	in = fopen(result, "r");
	while (in && fgets(line, sizeof(line), in))
		++*lines;
	if (in)
		fclose(in);
	return seconds;
}

void bench_replay(void)
{
	char dir[] = "/tmp/tcpward-bench-XXXXXX", capture[64], result[64];
	double rate[RUNS];
	long packets, lines;
	int i;

	if (!mkdtemp(dir))
		bench_die("cannot make a directory in /tmp");
	snprintf(capture, sizeof(capture), "%s/made.pcap", dir);
	snprintf(result, sizeof(result), "%s/flows.txt", dir);
	packets = write_capture(capture);
	for (i = 0; i < RUNS; i++)
		rate[i] = (double)packets / run_replay(capture, result, &lines);
	unlink(capture);
	unlink(result);
	rmdir(dir);
	if (lines < CONNECTIONS)
		bench_die("replay printed %ld lines for %d connections", lines, CONNECTIONS);
	bench_title("replay of %ld packets, %d connections, from start to end of the command", packets, CONNECTIONS);
	result_add("replay", median(rate, RUNS), "packets/s", 300000, true);
}
