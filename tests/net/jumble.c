// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * jumble: a capture whose clock jumps: the packets in their order, the time of every Nth one so many milliseconds off.
 *
 *   jumble IN OUT N MS
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head, moved;
	const u_char *data;
	pcap_dumper_t *out;
	pcap_t *in;
	int n = 0;

	if (argc != 5) {
		fprintf(stderr, "usage: jumble IN OUT N MS\n");
		return 2;
	}
	in = pcap_open_offline(argv[1], error);
	out = in ? pcap_dump_open(in, argv[2]) : NULL;
	if (!out) {
		fprintf(stderr, "jumble: %s\n", in ? pcap_geterr(in) : error);
		return 1;
	}
	while (pcap_next_ex(in, &head, &data) == 1) {
		moved = *head;
		if (++n % atoi(argv[3]) == 0) {
			long long us = moved.ts.tv_sec * 1000000LL + moved.ts.tv_usec + atoi(argv[4]) * 1000LL;

			moved.ts.tv_sec = us / 1000000;
			moved.ts.tv_usec = us % 1000000;
		}
		pcap_dump((u_char *)out, &moved, data);
	}
	pcap_dump_close(out);
	pcap_close(in);
	return 0;
}
