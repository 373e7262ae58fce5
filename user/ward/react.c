// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * react: what the policy asks for while something is found: the source goes on the block list, the local sockets of the flows
 * are closed. Done by whoever sweeps, after each look of the detectors; so a finding that goes on keeps its source blocked.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/prefix.h"
#include "ward/inside.h"
#include "ward/netns.h"
#include "ward/sockets.h"

#define CLOSES_AT_ONCE 256 /* of one look */
#define LOCAL_MAX 1024	   /* addresses of this host */
#define V4_MORE 96	   /* bits of an IPv4 address before it begins */

/* Of the process that sweeps: what was done about the finding in each place of map "findings". */
struct reactions {
	struct {
		uint32_t id;
		uint64_t until_ns;
	} blocked[FINDING_ROOM];
	uint8_t local[LOCAL_MAX][16]; /* sorted */
	unsigned locals;
	bool told; /* that sockets cannot be closed here */
};

void reactions_free(struct ward *w)
{
	free(w->reactions);
	w->reactions = NULL;
}

/* Does it act now? The same rule as the packet path's: bpf/verdict.h. */
static bool enforced(const struct policy_config *cfg, const struct policy_react *r, uint64_t now_ns)
{
	return cfg->mode == MODE_ENFORCE && r->mode == MODE_ENFORCE && now_ns >= cfg->learn_until_ns;
}

static bool counted(const struct policy_config *cfg, const struct policy_react *r)
{
	return cfg->mode >= MODE_DRY_RUN && r->mode >= MODE_DRY_RUN;
}

/* ---- block ---- */
/* The source that the finding is about. false: it names none. */
static bool source_of(const struct finding *f, struct address_prefix *out)
{
	const __u8 *addr = f->key.a_addr;
	static const __u8 mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	bool v4;

	if (f->subject == SUBJECT_FLOW && f->orig)
		addr = f->key.b_addr;
	else if (f->subject == SUBJECT_SERVICE)
		return false;
	v4 = !memcmp(addr, mapped, sizeof(mapped));
	memcpy(out->addr, addr, 16);
	if (f->subject == SUBJECT_FLOW)
		out->len = 128;
	else if (f->subject == SUBJECT_PREFIX)
		out->len = f->prefix_len + (v4 ? V4_MORE : 0U);
	else
		out->len = v4 ? 128 : 64;
	return true;
}

static void block(struct ward *w, struct policy_config *cfg, const struct finding *f, unsigned place, uint64_t now_ns)
{
	struct policy_react *r = &cfg->block[f->kind & (POLICY_REACTIONS - 1)];
	struct list_item item = { .entry = { .by = LISTED_BY_FINDING } };
	char who[140];

	if (!r->on || (w->reactions->blocked[place].id == f->id && w->reactions->blocked[place].until_ns > now_ns))
		return;
	if (!source_of(f, &item.prefix))
		return;
	w->reactions->blocked[place].id = f->id;
	w->reactions->blocked[place].until_ns = now_ns + r->for_ns;
	if (!enforced(cfg, r, now_ns)) {
		r->would += counted(cfg, r);
		return;
	}
	item.entry.until_ns = now_ns + r->for_ns;
	snprintf(item.entry.reason, sizeof(item.entry.reason), "%s", finding_name(f->kind));
	if (ward_list_add(w, WARD_BLOCK, &item)) {
		ward_notice(w, "finding %u (%s): cannot block its source: %s", f->id, finding_name(f->kind), ward_reason());
		return;
	}
	r->done++;
	ward_notice(w, "finding %u (%s): %s is on the block list for %llu s", f->id, finding_name(f->kind), finding_subject_text(f, who),
		    (unsigned long long)(r->for_ns / NS_PER_S));
}

/* ---- close ---- */
static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

static void read_local(struct reactions *re)
{
	struct ifaddrs *list, *at;

	re->locals = 0;
	if (getifaddrs(&list))
		return;
	for (at = list; at && re->locals < LOCAL_MAX; at = at->ifa_next) {
		uint8_t *to = re->local[re->locals];

		if (!at->ifa_addr || (at->ifa_addr->sa_family != AF_INET && at->ifa_addr->sa_family != AF_INET6))
			continue;
		memset(to, 0, 16);
		if (at->ifa_addr->sa_family == AF_INET6) {
			memcpy(to, &((struct sockaddr_in6 *)(void *)at->ifa_addr)->sin6_addr, 16);
		} else {
			to[10] = to[11] = 0xff;
			memcpy(to + 12, &((struct sockaddr_in *)(void *)at->ifa_addr)->sin_addr, 4);
		}
		re->locals++;
	}
	freeifaddrs(list);
	qsort(re->local, re->locals, 16, by_address);
}

static bool is_local(const struct reactions *re, const __u8 addr[16])
{
	return bsearch(addr, re->local, re->locals, 16, by_address);
}

/* The kinds of this flow that are to be closed. */
static struct policy_react *to_close(struct policy_config *cfg, uint64_t mask)
{
	unsigned kind;

	for (kind = 0; kind < FINDING_COUNT; kind++)
		if ((mask >> kind & 1) && cfg->close[kind].on)
			return &cfg->close[kind];
	return NULL;
}

static void close_flow(struct ward *w, struct policy_react *r, const struct flow_key *key)
{
	int err = socket_destroy(key);

	if (!err)
		r->done++;
	if (!err || err == -ENOENT || w->reactions->told)
		return;
	w->reactions->told = true;
	ward_notice(w, "cannot close sockets as the policy asks: %s%s", strerror(-err),
		    err == -EOPNOTSUPP ? " (this kernel lacks CONFIG_INET_DIAG_DESTROY)" :
		    err == -EPERM      ? " (what was started without --policy has given up CAP_NET_ADMIN: start it with it)" :
					 "");
}

static bool anything_to_close(const struct ward *w, struct policy_config *cfg)
{
	unsigned i;

	for (i = 0; i < w->hits->count && i < HITS_MAX; i++)
		if (to_close(cfg, w->hits->hit[i].mask))
			return true;
	return false;
}

static void close_flows(struct ward *w, struct policy_config *cfg, uint64_t now_ns)
{
	unsigned i, done = 0;

	read_local(w->reactions);
	for (i = 0; i < w->hits->count && i < HITS_MAX && done < CLOSES_AT_ONCE; i++) {
		const struct flow_hit *hit = &w->hits->hit[i];
		struct policy_react *r = to_close(cfg, hit->mask);

		if (!r || (!is_local(w->reactions, hit->key.a_addr) && !is_local(w->reactions, hit->key.b_addr)))
			continue;
		done++;
		if (enforced(cfg, r, now_ns))
			close_flow(w, r, &hit->key);
		else
			r->would += counted(cfg, r);
	}
}

/* Sockets are seen in their own network namespace only; a keeper lives in another one, so that it holds nobody's. */
static void close_there(struct ward *w, struct policy_config *cfg, uint64_t now_ns)
{
	struct netns_visit visit;

	if (!anything_to_close(w, cfg))
		return;
	if (!netns_enter(w->info->iface[0].netns, w->info->netns_cookie, &visit)) {
		close_flows(w, cfg, now_ns);
		netns_leave(&visit);
	} else if (!w->reactions->told) {
		w->reactions->told = true;
		ward_notice(w, "cannot close sockets as the policy asks: their network namespace cannot be entered: %s",
			    errno != ESTALE	  ? strerror(errno) :
			    w->info->netns_cookie ? "another one has its number now: detach, and attach where the interfaces are" :
						    "this kernel does not tell it from another one (SO_NETNS_COOKIE): tcpward run --policy there does it");
	}
}

void reactions_look(struct ward *w, uint64_t now_ns)
{
	struct policy_config *cfg;
	unsigned i;

	if (w->opt.replay || !w->live || !w->live->loaded)
		return;
	cfg = policy_now(w, now_ns);
	if (!cfg || !(cfg->has_block || cfg->has_close))
		return;
	if (!w->reactions)
		w->reactions = calloc(1, sizeof(*w->reactions));
	if (!w->reactions)
		return;
	for (i = 0; cfg->has_block && i < FINDING_ROOM; i++)
		if (w->findings[i].id && !w->findings[i].cleared_ns)
			block(w, cfg, &w->findings[i], i, now_ns);
	if (cfg->has_close)
		close_there(w, cfg, now_ns);
}
