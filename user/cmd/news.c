/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/news.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/util.h"
#include "report/findings.h"

struct news {
	const struct finding *table;
	struct ward *w;
	struct finding seen[FINDING_ROOM]; /* as it was last time; id 0: nothing */
};

/*
 * Its keeper may write while we read: the worst is a copy with numbers of two ticks. An element that changes hands in between
 * is not taken.
 */
static bool take(const struct finding *place, struct finding *out)
{
	uint32_t id = __atomic_load_n(&place->id, __ATOMIC_ACQUIRE);

	*out = *place;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&place->id, __ATOMIC_RELAXED) != id)
		return false;
	out->id = id;
	return true;
}

struct news *news_open(struct ward *w)
{
	struct news *n = calloc(1, sizeof(*n));

	if (!n) {
		ward_fail(-ENOMEM, "", "cannot follow findings: out of memory");
		return NULL;
	}
	n->w = w;
	n->table = ward_findings(w);
	if (!n->table) {
		free(n);
		return NULL;
	}
	for (int i = 0; i < FINDING_ROOM; i++)
		take(&n->table[i], &n->seen[i]);
	return n;
}

static bool widened(const struct finding *was, const struct finding *now)
{
	return was->severity != now->severity || was->subject != now->subject || was->prefix_len != now->prefix_len ||
	       memcmp(&was->key, &now->key, sizeof(was->key));
}

/* Of one place of the table: what was in it, what is. */
static void tell(struct news *n, struct finding *was, const struct finding *now, detect_fn fn, void *ctx)
{
	bool stood = was->id && !was->cleared_ns;

	if (was->id != now->id) {
		if (stood) { /* it was cleared and its place taken between two looks */
			was->cleared_ns = ward_now_ns(n->w);
			fn(was, DETECT_CLEARED, ctx);
		}
		if (now->id)
			fn(now, DETECT_RAISED, ctx);
		if (now->id && now->cleared_ns)
			fn(now, DETECT_CLEARED, ctx);
	} else if (now->id && stood && now->cleared_ns) {
		fn(now, DETECT_CLEARED, ctx);
	} else if (now->id && !stood && !now->cleared_ns) {
		fn(now, DETECT_RAISED, ctx);
	} else if (now->id && stood && widened(was, now)) {
		fn(now, DETECT_UPDATED, ctx);
	}
}

void news_poll(struct news *n, detect_fn fn, void *ctx)
{
	for (int i = 0; i < FINDING_ROOM; i++) {
		struct finding now;

		if (!take(&n->table[i], &now))
			continue;
		tell(n, &n->seen[i], &now, fn, ctx);
		n->seen[i] = now;
	}
}

void news_close(struct news *n)
{
	free(n);
}

bool findings_wanted(const struct cmd_line *line, const struct filter *filter, const struct finding *f, uint64_t now_ns)
{
	return cmd_family_ok(line, &f->key) && (!filter || filter_match_finding(filter, f, now_ns));
}

int findings_copy(struct ward *w, const struct cmd_line *line, const struct filter *filter, bool cleared,
		  struct finding *out)
{
	const struct finding *table = ward_findings(w);
	uint64_t now_ns = ward_now_ns(w);
	int count = 0;

	if (!table)
		return -EIO;
	for (int i = 0; i < FINDING_ROOM; i++) {
		struct finding *f = &out[count];

		if (take(&table[i], f) && f->id && (cleared || !f->cleared_ns) &&
		    findings_wanted(line, filter, f, now_ns))
			count++;
	}
	qsort(out, (size_t)count, sizeof(*out), finding_order);
	return count;
}
