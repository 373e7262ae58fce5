/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cookies INSTANCE: which SYN cookies it uses, and the ports on which nobody listens, a word each; without a command's rounding.
 * cookies INSTANCE knows 0|1: from now on the tracker is taken to know all that the stack knows, or is not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ward/cookie.h"

static int set_knows(struct ward *w, int knows)
{
	struct cookie_conf *conf = map_memory(w->map[MAP_COOKIE_CONF], sizeof(*conf));

	if (!conf)
		return 1;
	printf("%s\n", conf->knows_from_ns ? "knows" : "asks");
	conf->knows_from_ns = (uint64_t)knows;
	munmap(conf, sizeof(*conf));
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "off", "own", "kernel" };
	uint16_t ports[64];
	struct ward *w;
	int i, n;

	if (argc < 2 || ward_open(argv[1], &w)) {
		printf("failed: %s\n", ward_reason());
		return 1;
	}
	if (argc == 4 && !strcmp(argv[2], "knows"))
		return set_knows(w, atoi(argv[3]));
	printf("%s", names[ward_cookies(w)]);
	n = ward_unprotected(w, ports, 64);
	for (i = 0; i < n && i < 64; i++)
		printf(" %u", ports[i]);
	puts("");
	ward_close(w);
	return 0;
}
