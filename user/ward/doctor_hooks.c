// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* doctor: which programs hang on an interface already, and whether the kernel has tcx. Nothing is attached. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ward/checks.h"
#include "ward/dispatch.h"
#include "ward/filters.h"
#include "ward/inside.h"

/* In the kernel's enum since 6.6; older headers lack them. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define NO_SUCH_IFINDEX 0x7fffffff
#define OUR_PREFIX "ward_"
#define MAX_PROGS 16

static int load_empty_tc(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1 /* TC_ACT_UNSPEC */ },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "ward_probe", "Dual BSD/GPL", insns, 2, NULL);

	return fd < 0 ? -errno : fd;
}

int doctor_has_tcx(void)
{
	int prog = load_empty_tc();
	int link;

	if (prog < 0)
		return prog;
	/* a kernel with tcx looks for the interface, one without refuses the attach type */
	link = bpf_link_create(prog, NO_SUCH_IFINDEX, TCX_INGRESS, NULL);
	if (link >= 0)
		close(link);
	else
		link = errno == ENODEV ? 1 : errno == EINVAL ? 0 : -errno;
	close(prog);
	return link < 0 ? link : link > 0;
}

/* Name of a loaded program; "?" where it may not be asked for. */
static void read_prog_name(__u32 id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	strcpy(name, "?");
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		snprintf(name, BPF_OBJ_NAME_LEN, "%s", info.name);
	close(fd);
}

static bool is_ours(const char *name)
{
	return !strncmp(name, OUR_PREFIX, strlen(OUR_PREFIX));
}

static void check_dispatcher(const char *ifname, unsigned ifindex, struct check_list *list)
{
	char others[120];
	bool ours = dispatch_names(ifindex, others, sizeof(others));

	check_add(list, "xdp-program", HEALTH_OK, NULL, "'%s': %s libxdp's dispatcher, %s %s%s", ifname,
		  ours ? "tcpward's own, by" : "", ours ? "beside" : "with", others[0] ? others : "nobody else",
		  ours ? "" : ": attach joins it; what they drop is not seen");
}

static void check_xdp(const char *ifname, unsigned ifindex, struct check_list *list)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	char name[BPF_OBJ_NAME_LEN], remedy[128];
	bool generic;
	__u32 id;

	if (bpf_xdp_query((int)ifindex, 0, &query)) {
		check_add(list, "xdp-program", HEALTH_WARN, NULL, "'%s': cannot ask for its XDP program: %s", ifname,
			  strerror(errno));
		return;
	}
	id = query.prog_id ? query.prog_id : query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
	if (!id) {
		check_add(list, "xdp-program", HEALTH_OK, NULL, "'%s': no XDP program is attached", ifname);
		return;
	}
	read_prog_name(id, name);
	if (dispatch_there(ifindex, &generic)) {
		check_dispatcher(ifname, ifindex, list);
		return;
	}
	if (!strcmp(name, DISPATCHER_NAME)) {
		const char *build, *why = dispatch_missing(&build);

		snprintf(remedy, sizeof(remedy), "tcpward attach --ingress tc %s, or %s", ifname, build);
		check_add(list, "xdp-program", HEALTH_WARN, remedy,
			  "'%s': libxdp's dispatcher is attached, and attach cannot join it: %s", ifname, why);
		return;
	}
	snprintf(remedy, sizeof(remedy), "tcpward attach --ingress tc %s, or remove it: ip link set dev %s xdp off", ifname,
		 ifname);
	if (is_ours(name))
		check_add(list, "xdp-program", HEALTH_OK, NULL, "'%s': tcpward's own XDP program is attached", ifname);
	else
		check_add(list, "xdp-program", HEALTH_WARN, remedy,
			  "'%s': another XDP program is attached ('%s', id %u): attach by XDP is refused", ifname, name, id);
}

/* ---- tcx ---- */
#define NAMES 80

/* The programs of a tcx hook, in their order. */
struct chain {
	bool ours;
	char before[NAMES], behind[NAMES]; /* foreign ones: their names; behind also where none of ours is */
};

static void add_name(char *names, const char *name)
{
	size_t used = strlen(names);

	snprintf(names + used, NAMES - used, "%s%s", used ? " " : "", name);
}

static void read_chain(unsigned ifindex, int hook, struct chain *out)
{
	__u32 ids[MAX_PROGS] = { 0 }, count = MAX_PROGS;

	memset(out, 0, sizeof(*out));
	if (bpf_prog_query((int)ifindex, (enum bpf_attach_type)hook, 0, NULL, ids, &count))
		return; /* no tcx, or nothing there */
	for (unsigned i = 0; i < count && i < MAX_PROGS; i++) {
		char name[BPF_OBJ_NAME_LEN];

		read_prog_name(ids[i], name);
		if (!is_ours(name)) {
			add_name(out->behind, name);
			continue;
		}
		out->ours = true;
		if (out->behind[0])
			add_name(out->before, out->behind);
		out->behind[0] = '\0';
	}
}

static void check_tcx_hook(const char *ifname, unsigned ifindex, int hook, struct check_list *list)
{
	const char *side = hook == TCX_INGRESS ? "ingress" : "egress";
	const char *check = hook == TCX_INGRESS ? "tcx-ingress" : "tcx-egress";
	struct filters clsact;
	struct chain tcx;
	char remedy[80];

	read_chain(ifindex, hook, &tcx);
	filters_read(ifindex, hook == TCX_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS, &clsact);
	if (tcx.before[0]) {
		snprintf(remedy, sizeof(remedy), "detach, and attach again: tcpward goes first (bpftool net show dev %s)", ifname);
		check_add(list, check, HEALTH_WARN, remedy,
			  "'%s': tcx programs before tcpward's at %s (%s): they hide from it what they return anything but -1 for",
			  ifname, side, tcx.before);
	} else if (tcx.behind[0] && !tcx.ours && clsact.ours) {
		snprintf(remedy, sizeof(remedy), "attach without --clsact (bpftool net show dev %s)", ifname);
		check_add(list, check, HEALTH_WARN, remedy,
			  "'%s': tcx programs at %s (%s) come before tcpward's filter: they hide from it what they return 0 for, or drop",
			  ifname, side, tcx.behind);
	} else if (tcx.behind[0]) {
		check_add(list, check, HEALTH_OK, NULL, "'%s': other tcx programs at %s (%s) %s", ifname, side, tcx.behind,
			  tcx.ours ? "come behind tcpward's and hide nothing from it" : "would come behind tcpward's, but with --clsact");
	} else {
		check_add(list, check, HEALTH_OK, NULL, "'%s': no other tcx program at %s", ifname, side);
	}
}

/* ---- clsact ---- */
static void check_clsact(const char *ifname, unsigned ifindex, struct check_list *list)
{
	struct filters in, out;
	char remedy[120];

	filters_read(ifindex, TC_H_MIN_INGRESS, &in);
	filters_read(ifindex, TC_H_MIN_EGRESS, &out);
	snprintf(remedy, sizeof(remedy), "give them a priority above %d: tc filter show dev %s ingress (or egress)",
		 WARD_TC_PRIORITY, ifname);
	if (!in.before && !in.behind && !out.before && !out.behind)
		check_add(list, "tc-filters", HEALTH_OK, NULL, "'%s': no other tc filter on clsact", ifname);
	else if (!in.ours && !out.ours && doctor_has_tcx() > 0)
		check_add(list, "tc-filters", HEALTH_OK, NULL,
			  "'%s': tc filters (%d at ingress, %d at egress) come after tcpward's tcx programs", ifname,
			  in.before + in.behind, out.before + out.behind);
	else if (in.before || out.before)
		check_add(list, "tc-filters", HEALTH_WARN, remedy,
			  "'%s': tc filters before tcpward's (%d at ingress, %d at egress): they hide from it what they accept or drop",
			  ifname, in.before, out.before);
	else
		check_add(list, "tc-filters", HEALTH_OK, NULL,
			  "'%s': tc filters (%d at ingress, %d at egress) come behind tcpward's and hide nothing from it", ifname,
			  in.behind, out.behind);
}

void doctor_hooks(const char *ifname, unsigned ifindex, struct check_list *list)
{
	check_xdp(ifname, ifindex, list);
	check_tcx_hook(ifname, ifindex, TCX_INGRESS, list);
	check_tcx_hook(ifname, ifindex, TCX_EGRESS, list);
	check_clsact(ifname, ifindex, list);
}
