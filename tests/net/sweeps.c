// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * sweeps: sweeps an instance without a pause, to meet as many segments in the act as possible. Its keeper must be stopped
 * meanwhile: there may be one sweeper only.
 *
 *   sweeps NAME SECONDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ward/ward.h"

int main(int argc, char **argv)
{
	struct ward *w;
	time_t end;
	long n = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: sweeps NAME SECONDS\n");
		return 2;
	}
	if (ward_open(argv[1], &w)) {
		fprintf(stderr, "sweeps: %s\n", ward_reason());
		return 1;
	}
	end = time(NULL) + atoi(argv[2]);
	for (; time(NULL) < end; n++)
		if (ward_sweep(w, ward_now_ns(w)) < 0) {
			fprintf(stderr, "sweeps: %s\n", ward_reason());
			return 1;
		}
	printf("done %ld sweeps\n", n);
	ward_close(w);
	return 0;
}
