/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* status: what is attached where, who sweeps it, how full it is, and what it does not see. */
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/news.h"
#include "cmd/sheet.h"
#include "cmd/util.h"
#include "report/policy.h"
#include "ward/netns.h"

#define HOOK_EGRESS 2 /* struct ward_iface, hooks */
#define CLOCK_OFF_TOLD_NS 2000000000LL

struct snapshot {
	struct ward *w;
	const struct ward_instance *info;
	struct ward_counters counters;
	struct ward_gauges gauges;
	uint64_t now_ns;
};

static const char *const ingress_names[] = {
	[INGRESS_AUTO] = "auto", [INGRESS_XDP] = "xdp",	  [INGRESS_XDP_GENERIC] = "xdp-generic",
	[INGRESS_TC] = "tc",	 [INGRESS_NONE] = "none",
};

static const char *egress_name(const struct ward_iface *iface)
{
	if (!(iface->hooks & HOOK_EGRESS))
		return "none";
	return iface->tcx ? "tcx" : "clsact";
}

static const char *presence(const struct ward_instance *info, const struct ward_iface *iface)
{
	char name[IF_NAMESIZE];

	if (!netns_here(iface->netns, info->netns_cookie))
		return "other-netns";
	return if_indextoname(iface->ifindex, name) ? "present" : "gone";
}

static void show_iface(struct sheet *s, const struct ward_instance *info, const struct ward_iface *iface)
{
	char name[WARD_NAME_LEN + 1];

	snprintf(name, sizeof(name), "%.*s", WARD_NAME_LEN, iface->name);
	sheet_object(s, NULL, name);
	sheet_text(s, "iface", "interface", name, NULL);
	sheet_number(s, "ifindex", NULL, iface->ifindex, NULL);
	sheet_text(s, "presence", NULL, presence(info, iface), NULL);
	sheet_text(s, "ingress", "ingress by", iface->ingress <= INGRESS_NONE ? ingress_names[iface->ingress] : "?",
		   NULL);
	sheet_text(s, "egress", "egress by", egress_name(iface), NULL);
	sheet_bool(s, "l3", "without Ethernet header", iface->flags & IFACE_L3, NULL);
	sheet_close(s);
}

static void show_keeper(struct sheet *s, const struct snapshot *snap)
{
	int pid = 0;
	bool alive = ward_keeper_alive(snap->w, &pid);
	uint64_t age = snap->now_ns - snap->gauges.swept_ns;
	char remedy[REMEDY_LEN], note[REMEDY_LEN + 48];

	cmd_keeper_remedy(snap->w, remedy);
	snprintf(note, sizeof(note), "expiry and gauges stand still: %s", remedy);

	sheet_bool(s, "keeper_alive", "keeper alive", alive, alive ? NULL : note);
	if (alive)
		sheet_number(s, "keeper_pid", "keeper pid", (uint64_t)pid, NULL);
	else
		sheet_text(s, "keeper_pid", "keeper pid", NULL, NULL);
	sheet_duration(s, "swept_ago_ns", "last sweep ago", snap->gauges.swept_ns ? &age : NULL, NULL);
}

/* The clock of an instance is taken from the host's once: nothing jumps when that is set, but times are told by the old one. */
static void show_clock(struct sheet *s, const struct snapshot *snap)
{
	int64_t off = ward_clock_off_ns(snap->w);
	const char *label = off >= CLOCK_OFF_TOLD_NS ? "host's clock ahead by" : off <= -CLOCK_OFF_TOLD_NS ? "host's clock behind by" : "";

	sheet_distance(s, "clock_off_ns", label, off,
		       "it was set since the attach, or the host slept: times here are as before; anew: tcpward detach, then attach");
}

static void show_tables(struct sheet *s, const struct snapshot *snap)
{
	char note[80];

	snprintf(note, sizeof(note), "of %u: %.1f %%", snap->info->flows_max,
		 snap->info->flows_max ? 100.0 * (double)snap->gauges.flows / snap->info->flows_max : 0.0);
	sheet_number(s, "flows", "flows", snap->gauges.flows, note);
	sheet_number(s, "flows_max", "flows at most", snap->info->flows_max, NULL);
	snprintf(note, sizeof(note), "of %u: half for SYNs, half for unfinished handshakes, one-way flows", snap->info->embryos_max);
	sheet_number(s, "embryos", "embryos", snap->gauges.embryos, note);
	sheet_number(s, "embryos_max", "embryos at most", snap->info->embryos_max, NULL);
	sheet_number(s, "tombstones", "ended, not yet removed", snap->gauges.tombstones, NULL);
}

static void show_seen(struct sheet *s, const struct snapshot *snap)
{
	const __u64 *c = snap->counters.counter;

	sheet_number(s, "rx_segments", "segments in", c[CNT_RX_SEGMENTS], NULL);
	sheet_number(s, "tx_segments", "segments out", c[CNT_TX_SEGMENTS], NULL);
	sheet_number(s, "flows_new", "flows since attach", c[CNT_FLOWS_NEW], NULL);
	sheet_number(s, "events_lost", "events lost", c[CNT_LOST_RING] + c[CNT_LOST_RATE], NULL);
	sheet_number(s, "evicted", "flows evicted", c[CNT_END_EVICTED], NULL);
	sheet_number(s, "table_full", "found the table full", c[CNT_TABLE_FULL], NULL);
	sheet_number(s, "midstream", "met mid-stream", c[CNT_MIDSTREAM_NEW], NULL);
	sheet_number(s, "one_way", "one-way handshakes", snap->counters.flag[FLAG_BIT_ASYM], NULL);
	sheet_number(s, "services_full", c[CNT_SERVICES_FULL] ? "services not counted" : "", c[CNT_SERVICES_FULL],
		     "for want of room: --services");
	sheet_number(s, "sources_replaced", c[CNT_SOURCES_REPLACED] ? "sources replaced" : "", c[CNT_SOURCES_REPLACED],
		     "quiet ones gave way to busier ones: --sources");
	sheet_number(s, "block_list_full", c[CNT_LIST_FULL] ? "sources not blocked" : "", c[CNT_LIST_FULL],
		     "for want of room: tcpward block del, or a shorter list");
	sheet_number(s, "ack_unseen", "acked but never seen", snap->counters.flag[FLAG_BIT_ACK_UNSEEN], NULL);
}

/* What is not raised now, why, and if that is known for how long. */
static void show_blindness(struct sheet *s, const struct snapshot *snap, unsigned bit)
{
	uint64_t left = cmd_grace_left(snap->w, snap->now_ns), kinds = detector_suppresses(1U << bit);
	char names[BLIND_KINDS_LEN], note[BLIND_KINDS_LEN + 160], still[24], end[48] = "";

	if (bit == BLIND_GRACE)
		snprintf(end, sizeof(end), " for another %s", duration_text(left, still));
	snprintf(note, sizeof(note), "%s; not raised%s: %s", cmd_blind_text(bit), end,
		 cmd_blind_kinds(bit, names, sizeof(names)));
	sheet_object(s, NULL, NULL);
	sheet_text(s, "reason", "suppressed", cmd_blind_name(bit), note);
	sheet_text(s, "text", "", cmd_blind_text(bit), NULL);
	sheet_list(s, "findings");
	for (unsigned kind = 0; kind < FINDING_COUNT; kind++)
		if (kinds >> kind & 1)
			sheet_text(s, NULL, "", finding_name(kind), NULL);
	sheet_close(s);
	sheet_duration(s, "left_ns", "", bit == BLIND_GRACE ? &left : NULL, NULL);
	sheet_close(s);
}

/* How many stand by severity (text: where there are any), the worst one's line, and what keeps others from being raised. */
static void show_findings(struct sheet *s, const struct snapshot *snap, bool all)
{
	static const char *const labels[] = { "findings, info", "findings, warning", "findings, critical" };
	struct finding *found = calloc(FINDING_ROOM, sizeof(*found));
	const struct cmd_line any = { 0 };
	int count = found ? findings_copy(snap->w, &any, NULL, false, found) : 0;
	uint64_t sums[SEVERITY_COUNT] = { 0 };
	unsigned blind = ward_blind(snap->w), dropped = ward_findings_dropped(snap->w);
	char text[320], note[64];

	_Static_assert(sizeof(labels) / sizeof(*labels) == SEVERITY_COUNT, "one label a severity");
	for (int i = 0; i < count; i++)
		if (found[i].severity < SEVERITY_COUNT)
			sums[found[i].severity]++;
	sheet_object(s, "findings", NULL);
	for (unsigned i = SEVERITY_COUNT; i--;)
		sheet_number(s, severity_name(i), sums[i] || all ? labels[i] : "", sums[i], NULL);
	sheet_close(s);
	snprintf(note, sizeof(note), "they hold, but there is room for %d", FINDING_ROOM);
	sheet_number(s, "findings_dropped", dropped ? "findings dropped" : "", dropped, note);
	sheet_text(s, "worst", count > 0 ? "worst" : "", count > 0 ? finding_text(&found[0], text) : NULL, NULL);
	sheet_list(s, "suppressed");
	for (unsigned bit = 0; bit < BLIND_COUNT; bit++)
		if (blind >> bit & 1)
			show_blindness(s, snap, bit);
	sheet_close(s);
	free(found);
}

/* What the instance does not follow: every reason in JSON, those that occurred in text. */
static void show_unseen(struct sheet *s, const struct snapshot *snap, bool all)
{
	static const char *const names[] = {
#define X(id, name, text) name,
		WARD_REASONS(X)
#undef X
	};
	static const char *const texts[] = {
#define X(id, name, text) text,
		WARD_REASONS(X)
#undef X
	};

	sheet_object(s, "not_followed", "not followed");
	for (int i = 0; i < REASON_COUNT; i++)
		if (all || snap->counters.reason[i])
			sheet_number(s, names[i], NULL, snap->counters.reason[i], texts[i]);
	sheet_close(s);
}

static bool has_xdp(const struct ward_instance *info)
{
	for (unsigned i = 0; i < info->iface_count && i < WARD_IFACES; i++)
		if (info->iface[i].ingress == INGRESS_XDP || info->iface[i].ingress == INGRESS_XDP_GENERIC)
			return true;
	return false;
}

#define PORTS_SHOWN 64

/* Who is asked whether the connection of a SYN is known, before a cookie answers it; and what ends these connections. */
static void show_asked(struct sheet *s, const struct snapshot *snap)
{
	bool own = ward_cookies(snap->w) == COOKIE_OWN, watched = false, unasked = own && ward_cookies_unasked(snap->w, &watched);
	char chain[120] = "", note[200];

	snprintf(note, sizeof(note), "addresses added to other interfaces are not noticed: nobody sweeps in their network namespace; after "
				     "adding one: tcpward policy apply");
	sheet_text(s, "syns_known_by", own ? "known connections by" : "", !own ? NULL : unasked ? "tracker" : "stack",
		   unasked && !watched ? note : NULL);
	ward_cookies_beside_nat(snap->w, chain, sizeof(chain));
	sheet_text(s, "cookies_lost_by", chain[0] ? "cookies are lost by NAT" : "", chain[0] ? chain : NULL,
		   "apply the policy again: it takes the kernel's");
}

/* SYN cookies, and the ports that they cannot protect. */
static void show_cookies(struct sheet *s, const struct snapshot *snap, const struct policy_config *c)
{
	static const char *const flavours[] = { [COOKIE_AUTO] = "off", [COOKIE_OWN] = "own", [COOKIE_KERNEL] = "kernel" };
	bool wanted = c && c->has_cookies;
	char text[PORTS_SHOWN * 6 + 16] = "";
	uint16_t ports[PORTS_SHOWN];
	int i, used = 0, count = ward_unprotected(snap->w, ports, PORTS_SHOWN);

	for (i = 0; i < count && i < PORTS_SHOWN; i++)
		used += snprintf(text + used, sizeof(text) - used, "%s%u", i ? " " : "", ports[i]);
	if (count > PORTS_SHOWN)
		snprintf(text + used, sizeof(text) - used, " ...");
	sheet_text(s, "cookies", wanted ? "SYN cookies" : "", flavours[ward_cookies(snap->w)],
		   has_xdp(snap->info) ? NULL : "none is sent, for no ingress is by XDP: attach with --ingress xdp");
	show_asked(s, snap);
	sheet_text(s, "unprotected_ports", text[0] ? "unprotected ports" : "", text,
		   "nobody listens there: their SYNs are not answered with cookies");
}

/* What is enforced, and what the lists hold. */
static void show_policy(struct sheet *s, const struct snapshot *snap, bool all)
{
	uint64_t left = 0, learn = 0, dropped = 0, would = 0;
	int allowed = ward_list_count(snap->w, WARD_ALLOW), blocked = ward_list_count(snap->w, WARD_BLOCK);
	bool unanswered = ward_unanswered(snap->w);
	struct ward_policy policy;
	const struct policy_config *c;

	if (ward_policy_get(snap->w, &policy) || allowed < 0 || blocked < 0)
		return;
	c = policy.config;
	if (policy.rollback_ns > snap->now_ns)
		left = policy.rollback_ns - snap->now_ns;
	if (c && c->learn_until_ns > snap->now_ns)
		learn = c->learn_until_ns - snap->now_ns;
	for (int i = 0; i < POLICY_SUBJECTS; i++) {
		dropped += policy.count[i].dropped;
		would += policy.count[i].would;
	}
	sheet_object(s, "policy", NULL);
	sheet_text(s, "file", c || all ? "policy" : "", c ? c->file : NULL, NULL);
	sheet_text(s, "mode", c ? "policy mode" : "", c ? policy_mode_name(c->mode) : NULL, NULL);
	sheet_duration(s, "rollback_left_ns", left ? "takes itself back in" : "", left ? &left : NULL, "unless: tcpward policy confirm");
	sheet_duration(s, "learn_left_ns", learn ? "learns for another" : "", learn ? &learn : NULL, "drops nothing yet");
	if (c && policy_has_half_open(c))
		sheet_text(s, "half_open_limits", unanswered ? "half-open limits" : "", unanswered ? "not enforced" : "enforced",
			   POLICY_UNANSWERED);
	show_cookies(s, snap, c);
	sheet_number(s, "allowed", allowed ? "allow list" : "", (uint64_t)allowed, NULL);
	sheet_number(s, "blocked", blocked ? "block list" : "", (uint64_t)blocked, NULL);
	sheet_number(s, "dropped", dropped ? "segments dropped" : "", dropped, NULL);
	sheet_number(s, "would_drop", would ? "would have dropped" : "", would, NULL);
	sheet_close(s);
}

static void show_instance(struct sheet *s, const struct snapshot *snap, bool all)
{
	const struct ward_instance *info = snap->info;
	uint64_t up = snap->now_ns - info->created_ns;
	char heading[WARD_NAME_LEN + 16];

	snprintf(heading, sizeof(heading), "instance %s", ward_name(snap->w));
	sheet_object(s, NULL, heading);
	sheet_number(s, "v", "", 1, NULL);
	sheet_text(s, "name", "", ward_name(snap->w), NULL);
	sheet_text(s, "made_by", "made by", info->keep == KEEP_ALWAYS ? "attach" : "run",
		   info->keep == KEEP_ALWAYS ? NULL : info->keep == KEEP_KILLED ? "ends with its process, unless that is killed" : "goes with its process");
	sheet_duration(s, "up_ns", "up for", &up, NULL);
	show_clock(s, snap);
	show_keeper(s, snap);
	sheet_list(s, "interfaces");
	for (unsigned i = 0; i < info->iface_count && i < WARD_IFACES; i++)
		show_iface(s, info, &info->iface[i]);
	sheet_close(s);
	show_policy(s, snap, all);
	show_findings(s, snap, all);
	show_tables(s, snap);
	show_seen(s, snap);
	show_unseen(s, snap, all);
	sheet_close(s);
}

static int show(struct sheet *s, const char *name, bool all)
{
	struct snapshot snap;
	int err = ward_open(name, &snap.w);

	if (err)
		return cmd_fail(err);
	snap.info = ward_info(snap.w);
	snap.now_ns = ward_now_ns(snap.w);
	err = ward_counters_read(snap.w, &snap.counters);
	if (!err)
		err = ward_gauges_read(snap.w, &snap.gauges);
	if (err)
		err = cmd_fail(err);
	else
		show_instance(s, &snap, all);
	ward_close(snap.w);
	return err;
}

/* The instances that are asked for: --name's, or all. */
static int list(const struct cmd_line *line, char names[][WARD_NAME_LEN])
{
	if (!line->track.name)
		return cmd_instances(names, WARD_INSTANCES);
	snprintf(names[0], WARD_NAME_LEN, "%s", line->track.name);
	return 1;
}

int cmd_status(int argc, char **argv)
{
	char names[WARD_INSTANCES][WARD_NAME_LEN];
	struct report_style style;
	struct cmd_line line;
	struct sheet *sheet;
	int count, code = EXIT_OK;

	cmd_parse(&line, OPT_OUTPUT | OPT_NAME, NULL, NULL, NULL, "", "Show what is attached, and how it fares.", argc,
		  argv);
	if (line.argc)
		return cmd_error(EXIT_USAGE, "options come behind the command: tcpward COMMAND [OPTION...]",
				 "status: unexpected word '%s'", line.argv[0]);
	cmd_style(&line, &style);
	count = list(&line, names);
	if (count < 0)
		return -count;
	sheet = sheet_begin(&style, true);
	if (!sheet)
		return cmd_error(EXIT_FAILED, NULL, "status: out of memory");
	for (int i = 0; i < count; i++) {
		int one = show(sheet, names[i], style.json);

		code = one ? one : code;
	}
	sheet_end(sheet);
	if (!count)
		return cmd_no_instance();
	return code;
}
