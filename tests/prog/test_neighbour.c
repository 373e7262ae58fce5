/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A neighbour on the same hooks sees every packet, whether it stands before or behind ours; by tcx and by clsact. All in a
 * network namespace of its own: two veth ends, raw frames.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "neighbour.skel.h"
#include "prog/rig.h"

#define FRAMES 500
#define DEV "tw-n0"
#define PEER "tw-n1"
#define TCX_INGRESS 46
#define TCX_EGRESS 47

static void run(const char *command)
{
	if (system(command)) {
		printf("not ok programs: neighbour: '%s' failed\n", command);
		exit(1);
	}
}

static void make_net(void)
{
	if (unshare(CLONE_NEWNET)) {
		printf("skip programs: neighbour: no namespace: %s\n", strerror(errno));
		exit(0);
	}
	run("ip link set lo up");
	run("ip link add " DEV " type veth peer name " PEER);
	run("echo 1 >/proc/sys/net/ipv6/conf/" DEV "/disable_ipv6; echo 1 >/proc/sys/net/ipv6/conf/" PEER "/disable_ipv6");
	run("ip link set " DEV " up && ip link set " PEER " up");
}

/* Frames out of one device; layout by turns: plain, one tag, with IP options. Returns how many were sent. */
static int send_frames(const char *dev, int tagged)
{
	struct wire_layout layout[] = {{.name = "v4"}, {.ip_options = 8}, {.tags = 1}};
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(dev), .sll_halen = 6};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), i, sent = 0;
	struct wire_segment seg = {.bits = TH_SYN, .win = 1000};
	struct wire_end a, b;
	uint8_t frame[WIRE_MAX];
	size_t len;

	for (i = 0; i < FRAMES; i++) {
		wire_address(&a, false, 1, (uint16_t)(1000 + i));
		wire_address(&b, false, 2, 80);
		seg.seq = (uint32_t)i;
		len = wire_build(frame, &layout[i % (2 + tagged)], &a, &b, &seg);
		memset(frame, 0xff, 6); /* to all: whatever the other end's address */
		sent += sendto(fd, frame, len, 0, (struct sockaddr *)&to, sizeof(to)) == (ssize_t)len;
	}
	close(fd);
	return sent;
}

struct neighbour {
	struct neighbour_bpf *skel;
	int link[2];
	bool clsact;
};

static int attach_clsact(struct neighbour *n, int ifindex, unsigned priority)
{
	enum bpf_tc_attach_point points[] = {BPF_TC_INGRESS, BPF_TC_EGRESS};
	struct bpf_program *progs[] = {n->skel->progs.neighbour_in, n->skel->progs.neighbour_out};
	int i, err;

	for (i = 0; i < 2; i++) {
		LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = points[i]);
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = priority, .prog_fd = bpf_program__fd(progs[i]));

		bpf_tc_hook_create(&hook); /* it may be there */
		err = bpf_tc_attach(&hook, &opts);
		if (err)
			return err;
	}
	return 0;
}

static int attach_tcx(struct neighbour *n, int ifindex)
{
	struct bpf_program *progs[] = {n->skel->progs.neighbour_in, n->skel->progs.neighbour_out};
	int i;

	for (i = 0; i < 2; i++) {
		n->link[i] = bpf_link_create(bpf_program__fd(progs[i]), ifindex, i ? TCX_EGRESS : TCX_INGRESS, NULL);
		if (n->link[i] < 0)
			return -errno;
	}
	return 0;
}

static int neighbour_attach(struct neighbour *n, bool clsact, bool behind)
{
	int ifindex = (int)if_nametoindex(DEV);

	return clsact ? attach_clsact(n, ifindex, behind ? WARD_TC_PRIORITY + 1 : 1) : attach_tcx(n, ifindex);
}

static void neighbour_detach(struct neighbour *n, bool clsact)
{
	int i;

	if (clsact)
		run("tc qdisc del dev " DEV " clsact 2>/dev/null || true");
	for (i = 0; i < 2; i++)
		if (n->link[i] >= 0)
			close(n->link[i]);
	n->link[0] = n->link[1] = -1;
}

static struct ward *attach_ours(enum ward_ingress ingress, bool clsact)
{
	const char *const devs[] = {DEV};
	struct ward_options opt;
	struct ward *w;

	ward_options_init(&opt);
	opt.flows = 4096;
	opt.embryos = 4096;
	opt.ingress = ingress;
	opt.clsact = clsact;
	opt.no_seed = true;
	if (ward_load(&opt, &w))
		return NULL;
	if (!ward_attach(w, devs, 1, KEEP_NOT))
		return w;
	ward_close(w);
	return NULL;
}

static void run_case(enum ward_ingress ingress, bool clsact, bool behind)
{
	struct neighbour n = {.skel = neighbour_bpf__open_and_load(), .link = {-1, -1}};
	struct ward_counters c;
	struct ward *w = NULL;
	char what[120];
	int err = -EINVAL, in = 0, out = 0, seen_in, seen_out;

	snprintf(what, sizeof(what), "a neighbour %s ours sees every packet (%s, ingress by %s)",
		 behind ? "behind" : "before", clsact ? "clsact" : "tcx", ingress == INGRESS_TC ? "tc" : "XDP");
	if (n.skel)
		err = behind ? 0 : neighbour_attach(&n, clsact, false);
	if (err == -EINVAL && !clsact) {
		printf("skip programs: %s: this kernel has no tcx\n", what);
		neighbour_bpf__destroy(n.skel);
		return;
	}
	if (!err)
		w = attach_ours(ingress, clsact);
	if (w && behind)
		err = neighbour_attach(&n, clsact, true);
	if (err || !w) {
		rig_report(false, what, "cannot attach: %s", err ? strerror(-err) : ward_reason());
	} else {
		in = send_frames(PEER, 1);
		out = send_frames(DEV, 0);
		usleep(50000);
		ward_counters_read(w, &c);
		seen_in = (int)n.skel->bss->seen[0];
		seen_out = (int)n.skel->bss->seen[1];
		rig_report(in == FRAMES && out == FRAMES && seen_in == in && seen_out == out &&
				   (int)c.counter[CNT_RX_SEGMENTS] == in && (int)c.counter[CNT_TX_SEGMENTS] == out,
			   what, "%d in, %d out; it saw %d and %d, ours %d and %d", in, out, seen_in, seen_out,
			   (int)c.counter[CNT_RX_SEGMENTS], (int)c.counter[CNT_TX_SEGMENTS]);
	}
	ward_close(w);
	neighbour_detach(&n, clsact);
	neighbour_bpf__destroy(n.skel);
}

/* A neighbour that was there first and ends the chain for those behind it: ours goes before it, and ends nothing. */
static void ender(void)
{
	struct neighbour n = {.skel = neighbour_bpf__open_and_load(), .link = {-1, -1}};
	const char *what = "one that returns TC_ACT_OK, attached before: ours sees every packet, and it does, too (tcx)";
	int ifindex = (int)if_nametoindex(DEV), in, fd;
	struct ward_counters c;
	struct ward *w;

	fd = n.skel ? bpf_link_create(bpf_program__fd(n.skel->progs.ender), ifindex, TCX_INGRESS, NULL) : -1;
	if (fd < 0) {
		printf("skip programs: %s: this kernel has no tcx\n", what);
		neighbour_bpf__destroy(n.skel);
		return;
	}
	w = attach_ours(INGRESS_TC, false);
	if (w) {
		in = send_frames(PEER, 1);
		usleep(50000);
		ward_counters_read(w, &c);
		rig_report(in == FRAMES && (int)n.skel->bss->seen[0] == in && (int)c.counter[CNT_RX_SEGMENTS] == in, what,
			   "%d in; it saw %d, ours %d", in, (int)n.skel->bss->seen[0], (int)c.counter[CNT_RX_SEGMENTS]);
		ward_close(w);
	} else {
		rig_report(false, what, "cannot attach: %s", ward_reason());
	}
	close(fd);
	neighbour_bpf__destroy(n.skel);
}

/* Behind a program that returns TC_ACT_OK it sees nothing: so the cases above can fail. */
static void control(void)
{
	struct neighbour n = {.skel = neighbour_bpf__open_and_load(), .link = {-1, -1}};
	const char *what = "control: behind TC_ACT_OK a neighbour sees nothing";
	int ifindex = (int)if_nametoindex(DEV), stopper;

	if (!n.skel) {
		rig_report(false, what, "cannot load");
		return;
	}
	stopper = bpf_link_create(bpf_program__fd(n.skel->progs.stopper), ifindex, TCX_INGRESS, NULL);
	if (stopper < 0) {
		printf("skip programs: %s: this kernel has no tcx\n", what);
	} else if (attach_tcx(&n, ifindex)) {
		rig_report(false, what, "cannot attach");
	} else {
		send_frames(PEER, 0);
		usleep(50000);
		rig_report(!n.skel->bss->seen[0], what, "it saw %d of %d", (int)n.skel->bss->seen[0], FRAMES);
	}
	if (stopper >= 0)
		close(stopper);
	neighbour_detach(&n, false);
	neighbour_bpf__destroy(n.skel);
}

int main(void)
{
	int clsact, behind;

	if (geteuid()) {
		puts("skip programs: neighbour: needs root");
		return 77;
	}
	make_net();
	for (clsact = 0; clsact < 2; clsact++)
		for (behind = 0; behind < 2; behind++) {
			run_case(INGRESS_TC, clsact, behind);
			run_case(INGRESS_XDP, clsact, behind);
		}
	ender();
	control();
	return rig_result();
}
