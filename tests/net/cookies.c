/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cookies INSTANCE: which SYN cookies it uses, and the ports on which nobody listens, a word each; without a command's rounding. */
#include <stdio.h>

#include "ward/cookie.h"

int main(int argc, char **argv)
{
	static const char *const names[] = { "off", "own", "kernel" };
	uint16_t ports[64];
	struct ward *w;
	int i, n;

	if (argc != 2 || ward_open(argv[1], &w)) {
		printf("failed: %s\n", ward_reason());
		return 1;
	}
	printf("%s", names[ward_cookies(w)]);
	n = ward_unprotected(w, ports, 64);
	for (i = 0; i < n && i < 64; i++)
		printf(" %u", ports[i]);
	puts("");
	ward_close(w);
	return 0;
}
