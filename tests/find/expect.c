/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a scene expects. */
#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "find/scene.h"

const char *end_text(const struct wire_end *end, char buf[64])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool v4 = !memcmp(end->addr, mapped, sizeof(mapped));
	char addr[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, end->addr + (v4 ? 12 : 0), addr, sizeof(addr));
	snprintf(buf, 64, v4 ? "%s:%u" : "[%s]:%u", addr, end->port);
	return buf;
}

const char *ends_text(const struct wire_end *from, const struct wire_end *to, char buf[140])
{
	char a[64], b[64];

	snprintf(buf, 140, "%s > %s", end_text(from, a), end_text(to, b));
	return buf;
}

struct expected *expect(struct scene *s, const char *finding, const char *severity, const char *kind,
			const char *subject)
{
	struct expected *e = &s->expected[s->expected_count++];

	if (s->expected_count > SCENE_EXPECTED)
		errx(1, "more than %d findings expected", SCENE_EXPECTED);
	*e = (struct expected){ .finding = finding, .severity = severity, .kind = kind };
	snprintf(e->subject, sizeof(e->subject), "%s", subject);
	return e;
}

struct expected *expect_flow(struct scene *s, const char *finding, const char *severity, const struct conn *c)
{
	char subject[140];
	struct expected *e =
		expect(s, finding, severity, "flow", ends_text(&c->end[CLIENT].at, &c->end[SERVER].at, subject));

	offender(e, c);
	return e;
}

void holds(struct expected *e, uint64_t ns)
{
	e->holds_ns = ns;
}

void ends_between(struct expected *e, uint64_t low_ns, uint64_t high_ns)
{
	e->ends_low_ns = low_ns;
	e->ends_high_ns = high_ns;
}

void ends(struct expected *e, uint64_t ns)
{
	ends_between(e, ns, ns);
}

uint64_t window_after(uint64_t ns, unsigned seconds)
{
	return (ns / SECONDS(seconds) + 2) * SECONDS(seconds);
}

void peak(struct expected *e, uint64_t low, uint64_t high)
{
	e->peak_low = low;
	e->peak_high = high;
}

void between(struct expected *e, const char *name, uint64_t low, uint64_t high, uint64_t limit)
{
	struct expected_number *n = &e->number[e->numbers++];

	if (e->numbers > (int)(sizeof(e->number) / sizeof(*e->number)))
		errx(1, "too many numbers expected of %s", e->finding);
	*n = (struct expected_number){ name, low, high, limit };
}

void number(struct expected *e, const char *name, uint64_t value, uint64_t limit)
{
	between(e, name, value, value, limit);
}

void offender(struct expected *e, const struct conn *c)
{
	if (e->offenders == e->offender_room) {
		e->offender_room = e->offender_room ? e->offender_room * 2 : 16;
		e->offender = reallocarray(e->offender, e->offender_room, sizeof(*e->offender));
		if (!e->offender)
			err(1, "%zu offenders", e->offender_room);
	}
	e->offender[e->offenders][0] = c->end[CLIENT].at;
	e->offender[e->offenders++][1] = c->end[SERVER].at;
}

void allow(struct scene *s, const char *finding)
{
	if (s->allowed_count == SCENE_ALLOWED)
		errx(1, "more than %d findings allowed", SCENE_ALLOWED);
	s->allowed[s->allowed_count++] = finding;
}
