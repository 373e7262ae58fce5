/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* chaos: the connections by their ports, and what happened to each. */
#include <string.h>

#include "real/chaos.h"
#include "report/report.h"

#define RECENT 160

struct conn conns[CONNS];
unsigned conn_count;
static uint16_t table[4 * CONNS]; /* index + 1, open addressing */

struct conn *conn_of(bool v6, uint16_t port_a, uint16_t port_b)
{
	uint32_t slot = (port_a * 2654435761U ^ port_b * 40503U ^ v6) % (4 * CONNS);
	struct conn *c;

	for (; table[slot]; slot = (slot + 1) % (4 * CONNS)) {
		c = &conns[table[slot] - 1];
		if (c->v6 == v6 && c->port[0] == port_a && c->port[1] == port_b)
			return c;
	}
	if (conn_count == CONNS)
		return NULL;
	c = &conns[conn_count++];
	table[slot] = (uint16_t)conn_count;
	memset(c, 0, sizeof(*c));
	c->v6 = v6;
	c->port[0] = port_a;
	c->port[1] = port_b;
	c->fd[0] = c->fd[1] = -1;
	return c;
}

struct conn *conn_some(void)
{
	unsigned among = conn_count < RECENT ? conn_count : RECENT;

	return among ? &conns[conn_count - 1 - chance(among)] : NULL;
}

struct line *conn_note(struct conn *c, char what, unsigned from, const char *fate)
{
	struct line *l = &c->line[c->lines++ % LOG_LINES];

	memset(l, 0, sizeof(*l));
	l->ms = ms_since_start();
	l->what = what;
	l->from = (uint8_t)from;
	l->fate = fate;
	return l;
}

static void print_segment(const struct conn *c, const struct line *l)
{
	static const char letters[] = "FSRPAUEC";
	char bits[9] = "", *at = bits;

	for (int i = 0; i < 8; i++)
		if (l->bits & (1 << i))
			*at++ = letters[i];
	*at = '\0';
	printf("#   %6u %c %s %-4s seq=%-10d", l->ms, l->what, l->from ? "b>a" : "a>b", bits,
	       (int32_t)(l->seq - c->shown[l->from].isn));
	if (l->bits & 16)
		printf(" ack=%-10d", (int32_t)(l->ack - c->shown[!l->from].isn));
	printf(" len=%u %s\n", l->len, l->fate);
}

void conn_print(const struct conn *c)
{
	unsigned from = c->lines > LOG_LINES ? c->lines - LOG_LINES : 0;

	printf("# IPv%d a:%u b:%u\n", c->v6 ? 6 : 4, c->port[0], c->port[1]);
	for (unsigned i = from; i < c->lines; i++) {
		const struct line *l = &c->line[i % LOG_LINES];

		if (l->what == 'c')
			printf("#   %6u c %c: %s %u\n", l->ms, 'a' + l->from, l->fate, l->len);
		else if (l->what == 'q')
			printf("#   %6u q %s of %c: %s, socket %s\n", l->ms, l->fate, 'a' + l->from, state_name(l->ours),
			       state_name(l->kernel));
		else
			print_segment(c, l);
	}
}
