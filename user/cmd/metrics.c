/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* metrics: all counters and gauges of all instances, in Prometheus' text format. */
#include "cmd/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/news.h"
#include "cmd/util.h"
#include "enforce.h"
#include "report/accounts.h"
#include "report/policy.h"
#include "tcp_seq.h"
/* after tcp_seq.h */
#include "tcp_fsm.h"

#define NO_POLICY (-1)
#define SHOWN(i) ((i) + 1) /* of the states row 0 is no endpoint's */

/* What one instance counted, read before anything is printed: samples of one metric stand together. */
struct reading {
	char name[2 * WARD_NAME_LEN]; /* escaped */
	char version[2 * WARD_NAME_LEN];
	struct ward_counters counters;
	struct ward_gauges gauges;
	struct policy_drops drops;
	uint64_t findings[FINDING_COUNT][SEVERITY_COUNT];
	uint64_t edge[EDGE_COUNT];
	uint64_t services, sources, prefixes;
	__u64 held[SERVICE_GAUGES];
	uint64_t flows_max, embryos_max, created_ns;
	uint64_t allowed, blocked;
	unsigned blind, dropped;
	int mode; /* enum policy_mode; NO_POLICY */
	bool keeper, unconfirmed;
};

struct exposition {
	const char *name; /* of the metric at hand */
	const struct reading *r;
};

/* ---- samples ---- */
static void put_head(const struct exposition *e, const char *label, const char *value)
{
	printf("tcpward_%s{instance=\"%s\"", e->name, e->r->name);
	if (label)
		printf(",%s=\"%s\"", label, value);
}

static void put(const struct exposition *e, const char *label, const char *value, uint64_t n)
{
	put_head(e, label, value);
	printf("} %" PRIu64 "\n", n);
}

static void put_two(const struct exposition *e, const char *label, const char *value, const char *second,
		    const char *second_value, uint64_t n)
{
	put_head(e, label, value);
	printf(",%s=\"%s\"} %" PRIu64 "\n", second, second_value, n);
}

static void put_seconds(const struct exposition *e, uint64_t ns)
{
	put_head(e, NULL, NULL);
	printf("} %llu.%09llu\n", ns / WARD_NS_PER_S, ns % WARD_NS_PER_S);
}

/* Counters of enum ward_counter: each stands in one metric. */
static const struct counter_row {
	enum metric metric;
	const char *label, *value;
	enum ward_counter counter;
} counter_rows[] = {
	{ METRIC_SEGMENTS, "direction", "rx", CNT_RX_SEGMENTS },
	{ METRIC_SEGMENTS, "direction", "tx", CNT_TX_SEGMENTS },
	{ METRIC_PAYLOAD, "direction", "rx", CNT_RX_BYTES },
	{ METRIC_PAYLOAD, "direction", "tx", CNT_TX_BYTES },
	{ METRIC_FAST, NULL, NULL, CNT_FAST },
	{ METRIC_ESTIMATED, NULL, NULL, CNT_ESTIMATED },
	{ METRIC_STRAYS, "kind", "rst", CNT_STRAY_RST },
	{ METRIC_STRAYS, "kind", "bad-flags", CNT_STRAY_BADFLAGS },
	{ METRIC_STRAYS, "kind", "other", CNT_STRAY_OTHER },
	{ METRIC_OPENED, "how", "all", CNT_FLOWS_NEW },
	{ METRIC_OPENED, "how", "midstream", CNT_MIDSTREAM_NEW },
	{ METRIC_OPENED, "how", "promoted", CNT_PROMOTED },
	{ METRIC_ENDED, "reason", "closed", CNT_END_CLOSED },
	{ METRIC_ENDED, "reason", "reset", CNT_END_RESET },
	{ METRIC_ENDED, "reason", "refused", CNT_END_REFUSED },
	{ METRIC_ENDED, "reason", "timeout", CNT_END_TIMEOUT },
	{ METRIC_ENDED, "reason", "reuse", CNT_END_REUSE },
	{ METRIC_ENDED, "reason", "evicted", CNT_END_EVICTED },
	{ METRIC_EVICTIONS, "state", "syn-sent", CNT_EVICT_SYN_SENT },
	{ METRIC_EVICTIONS, "state", "syn-received", CNT_EVICT_SYN_RECEIVED },
	{ METRIC_EVICTIONS, "state", "other", CNT_EVICT_OTHER },
	{ METRIC_TABLE_FULL, NULL, NULL, CNT_TABLE_FULL },
	{ METRIC_EARLY, NULL, NULL, CNT_EARLY_EXPIRY },
	{ METRIC_EVENTS, NULL, NULL, CNT_EVENTS },
	{ METRIC_LOST, "why", "ring", CNT_LOST_RING },
	{ METRIC_LOST, "why", "rate", CNT_LOST_RATE },
	{ METRIC_RACES, NULL, NULL, CNT_SWEEP_RACE },
	{ METRIC_UNCOUNTED, NULL, NULL, CNT_SERVICES_FULL },
	{ METRIC_REPLACED, NULL, NULL, CNT_SOURCES_REPLACED },
	{ METRIC_UNLISTED, NULL, NULL, CNT_LIST_FULL },
	{ METRIC_CORRECTIONS, NULL, NULL, CNT_CORRECTED },
	{ METRIC_COOKIES, "what", "sent", CNT_COOKIE_SENT },
	{ METRIC_COOKIES, "what", "beyond-rate", CNT_COOKIE_RATE },
	{ METRIC_COOKIES, "what", "good", CNT_COOKIE_OK },
	{ METRIC_COOKIES, "what", "bad", CNT_COOKIE_BAD },
	{ METRIC_COOKIES, "what", "refused", CNT_COOKIE_REFUSED },
	{ METRIC_COOKIES, "what", "known", CNT_COOKIE_KNOWN },
	{ METRIC_COOKIES, "what", "mptcp", CNT_COOKIE_MPTCP },
	{ METRIC_COOKIES, "what", "no-listener", CNT_COOKIE_UNPROTECTED },
};
#define COUNTER_ROWS (sizeof(counter_rows) / sizeof(*counter_rows))
_Static_assert(COUNTER_ROWS == COUNTER_COUNT, "each counter is in one metric");

static void put_counters(const struct exposition *e, enum metric metric)
{
	for (size_t i = 0; i < COUNTER_ROWS; i++)
		if (counter_rows[i].metric == metric)
			put(e, counter_rows[i].label, counter_rows[i].value,
			    e->r->counters.counter[counter_rows[i].counter]);
}

static void put_all(const struct exposition *e, const char *label, const char *const *names, const __u64 *values,
		    int count)
{
	for (int i = 0; i < count; i++)
		put(e, label, names[i], values[i]);
}

#define X(id, name, text) name,
static const char *const reason_names[] = { WARD_REASONS(X) };
static const char *const gauge_names[] = { WARD_SERVICE_GAUGES(X) };
#undef X
#define X(id, text) #id,
static const char *const flag_names[] = { WARD_FLAGS(X) };
#undef X

static void put_edges(const struct exposition *e)
{
	static const struct {
		enum tcp_state from, to;
	} edges[] = {
#define X(from, to, kind, text) { from, to },
		WARD_EDGES(X)
#undef X
	};

	for (unsigned i = 0; i < EDGE_OTHER; i++)
		put_two(e, "from", state_name(edges[i].from), "to", state_name(edges[i].to), e->r->edge[i]);
	put_two(e, "from", "other", "to", "other", e->r->edge[EDGE_OTHER]);
}

static void put_drops(const struct exposition *e)
{
	for (unsigned i = DROP_NONE + 1; i < DROP_COUNT; i++) {
		put_two(e, "reason", drop_name(i), "enforced", "true", e->r->drops.dropped[i]);
		put_two(e, "reason", drop_name(i), "enforced", "false", e->r->drops.would[i]);
	}
}

static void put_endpoints(const struct exposition *e)
{
	const struct ward_gauges *g = &e->r->gauges;

	for (int s = SHOWN(0); s < STATE_COUNT; s++) {
		put_two(e, "state", state_name((enum tcp_state)s), "confirmed", "true", g->confirmed[s]);
		put_two(e, "state", state_name((enum tcp_state)s), "confirmed", "false",
			g->state[s] > g->confirmed[s] ? g->state[s] - g->confirmed[s] : 0);
	}
}

static void put_findings(const struct exposition *e)
{
	for (unsigned kind = 0; kind < FINDING_COUNT; kind++)
		for (unsigned severity = 0; severity < SEVERITY_COUNT; severity++)
			put_two(e, "finding", finding_name(kind), "severity", severity_name(severity),
				e->r->findings[kind][severity]);
}

static void put_gauges(const struct exposition *e, enum metric metric)
{
	const struct reading *r = e->r;

	switch (metric) {
	case METRIC_RECORDS:
		put(e, "table", "flows", r->gauges.flows);
		put(e, "table", "embryos", r->gauges.embryos);
		break;
	case METRIC_CAPACITY:
		put(e, "table", "flows", r->flows_max);
		put(e, "table", "embryos", r->embryos_max);
		break;
	case METRIC_TOMBSTONES:
		put(e, NULL, NULL, r->gauges.tombstones);
		break;
	case METRIC_ACCOUNTS:
		put(e, "of", "services", r->services);
		put(e, "of", "sources", r->sources);
		put(e, "of", "prefixes", r->prefixes);
		break;
	case METRIC_DROPPED:
		put(e, NULL, NULL, r->dropped);
		break;
	case METRIC_POLICY:
		put(e, "mode", "none", r->mode == NO_POLICY);
		for (int mode = MODE_MONITOR; mode <= MODE_ENFORCE; mode++)
			put(e, "mode", policy_mode_name((unsigned)mode), r->mode == mode);
		break;
	case METRIC_UNCONFIRMED:
		put(e, NULL, NULL, r->unconfirmed);
		break;
	case METRIC_LISTED:
		put(e, "list", "allow", r->allowed);
		put(e, "list", "block", r->blocked);
		break;
	case METRIC_BLIND:
		for (unsigned bit = 0; bit < BLIND_COUNT; bit++)
			put(e, "reason", cmd_blind_name(bit), r->blind >> bit & 1);
		break;
	case METRIC_KEEPER:
		put(e, NULL, NULL, r->keeper);
		break;
	case METRIC_SWEEP:
		put_seconds(e, r->gauges.sweep_ns);
		break;
	case METRIC_SWEPT:
		put_seconds(e, r->gauges.swept_ns);
		break;
	case METRIC_STARTED:
		put_seconds(e, r->created_ns);
		break;
	default:
		put(e, "version", r->version, 1);
	}
}

static void put_metric(const struct exposition *e, enum metric metric)
{
	switch (metric) {
	case METRIC_NOT_FOLLOWED:
		put_all(e, "reason", reason_names, e->r->counters.reason, REASON_COUNT);
		break;
	case METRIC_FLAGS:
		put_all(e, "flag", flag_names, e->r->counters.flag, FLAG_COUNT);
		break;
	case METRIC_SERVICE_FLOWS:
		put_all(e, "condition", gauge_names, e->r->held, SERVICE_GAUGES);
		break;
	case METRIC_TRANSITIONS:
		put_edges(e);
		break;
	case METRIC_DROPS:
		put_drops(e);
		break;
	case METRIC_ENDPOINTS:
		put_endpoints(e);
		break;
	case METRIC_FINDINGS:
		put_findings(e);
		break;
	default:
		if (metric < METRIC_RECORDS)
			put_counters(e, metric);
		else
			put_gauges(e, metric);
	}
}

/* ---- reading ---- */
/* The name of an instance may hold what stands for something else between quotes. */
static void escape(const char *text, size_t len, char *out)
{
	for (; len-- && *text; text++) {
		if (*text == '"' || *text == '\\')
			*out++ = '\\';
		*out++ = *text;
	}
	*out = '\0';
}

static int add_service(const struct service *s, unsigned half, void *ctx)
{
	struct reading *r = ctx;

	r->services++;
	for (int i = 0; i < SERVICE_GAUGES; i++)
		r->held[i] += s->now[half & 1][i];
	return 0;
}

static int add_source(const struct source *s, unsigned half, void *ctx)
{
	struct reading *r = ctx;

	(void)half;
	if (source_is_prefix(s))
		r->prefixes++;
	else
		r->sources++;
	return 0;
}

static void add_edges(struct reading *r)
{
	for (unsigned from = 0; from < STATE_COUNT; from++)
		for (unsigned to = 0; to < STATE_COUNT; to++) {
			uint32_t edge = tcp_edge((__u8)from, (__u8)to);

			if (edge < EDGE_COUNT)
				r->edge[edge] += r->counters.edge[from][to];
		}
}

static int add_findings(struct reading *r, struct ward *w)
{
	struct finding *found = calloc(FINDING_ROOM, sizeof(*found));
	const struct cmd_line all = { 0 };
	int count = found ? findings_copy(w, &all, NULL, false, found) : 0;

	for (int i = 0; i < count; i++)
		if (found[i].kind < FINDING_COUNT && found[i].severity < SEVERITY_COUNT)
			r->findings[found[i].kind][found[i].severity]++;
	free(found);
	return count < 0 ? count : 0;
}

static int add_policy(struct reading *r, struct ward *w)
{
	int allowed = ward_list_count(w, WARD_ALLOW), blocked = ward_list_count(w, WARD_BLOCK);
	struct ward_policy policy;
	int err = ward_policy_get(w, &policy);

	if (err)
		return err;
	r->mode = policy.config ? (int)policy.config->mode : NO_POLICY;
	r->unconfirmed = policy.rollback_ns > ward_now_ns(w);
	r->allowed = allowed > 0 ? (uint64_t)allowed : 0;
	r->blocked = blocked > 0 ? (uint64_t)blocked : 0;
	return 0;
}

static int read_instance(const char *name, struct reading *r)
{
	const struct ward_instance *info;
	struct ward *w;
	int err = ward_open(name, &w);

	if (err)
		return cmd_fail(err);
	info = ward_info(w);
	escape(name, WARD_NAME_LEN, r->name);
	escape(info->version, sizeof(info->version), r->version);
	r->flows_max = info->flows_max;
	r->embryos_max = info->embryos_max;
	r->created_ns = info->created_ns;
	r->keeper = ward_keeper_alive(w, NULL);
	r->blind = ward_blind(w);
	r->dropped = ward_findings_dropped(w);
	err = ward_counters_read(w, &r->counters);
	if (!err)
		err = ward_gauges_read(w, &r->gauges);
	if (!err)
		err = ward_drops_read(w, &r->drops);
	if (!err)
		err = ward_services_each(w, add_service, r);
	if (!err)
		err = ward_sources_each(w, add_source, r);
	if (!err)
		err = add_findings(r, w);
	if (!err)
		err = add_policy(r, w);
	add_edges(r);
	ward_close(w);
	return err ? cmd_fail(err) : EXIT_OK;
}

/* ---- the table ---- */
static void print_all(const struct reading *readings, int count)
{
	static const struct {
		const char *name, *type, *help;
	} metrics[] = {
#define COUNTER "counter"
#define GAUGE "gauge"
#define X(id, name, type, labels, help) { name, type, help },
		WARD_METRICS(X)
#undef X
#undef COUNTER
#undef GAUGE
	};

	for (int m = 0; m < METRIC_COUNT; m++) {
		printf("# HELP tcpward_%s %s\n# TYPE tcpward_%s %s\n", metrics[m].name, metrics[m].help, metrics[m].name,
		       metrics[m].type);
		for (int i = 0; i < count; i++)
			put_metric(&(struct exposition){ metrics[m].name, &readings[i] }, (enum metric)m);
	}
}

/* Reads all before anything is printed; those that cannot be read are left out, and told. */
static int read_and_print(char names[][WARD_NAME_LEN], int count)
{
	struct reading *readings = calloc((size_t)count, sizeof(*readings));
	int code = EXIT_OK, got = 0;

	if (!readings)
		return cmd_error(EXIT_FAILED, NULL, "metrics: out of memory");
	for (int i = 0; i < count; i++) {
		int one = read_instance(names[i], &readings[got]);

		got += !one;
		code = one ? one : code;
	}
	if (got)
		print_all(readings, got);
	free(readings);
	return code;
}

int cmd_metrics(int argc, char **argv)
{
	char names[WARD_INSTANCES][WARD_NAME_LEN];
	struct cmd_line line;
	int code, count = 1;

	cmd_parse(&line, OPT_NAME, NULL, NULL, NULL, "",
		  "Print all counters and gauges of all instances (or the one of --name) in Prometheus' text format.", argc,
		  argv);
	code = cmd_no_words(&line);
	if (code)
		return code;
	if (line.track.name)
		snprintf(names[0], WARD_NAME_LEN, "%s", line.track.name);
	else
		count = cmd_instances(names, WARD_INSTANCES);
	if (count < 0)
		return -count;
	if (!count)
		return cmd_no_instance();
	return read_and_print(names, count);
}
