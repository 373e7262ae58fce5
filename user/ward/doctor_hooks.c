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
	snprintf(remedy, sizeof(remedy), "tcpward attach --ingress tc %s, or remove it: ip link set dev %s xdp off", ifname,
		 ifname);
	if (!strcmp(name, DISPATCHER_NAME))
		check_add(list, "xdp-program", HEALTH_WARN, remedy,
			  "'%s': libxdp's dispatcher is attached; this tcpward was built without libxdp and cannot join it", ifname);
	else if (is_ours(name))
		check_add(list, "xdp-program", HEALTH_OK, NULL, "'%s': tcpward's own XDP program is attached", ifname);
	else
		check_add(list, "xdp-program", HEALTH_WARN, remedy,
			  "'%s': another XDP program is attached ('%s', id %u): attach by XDP is refused", ifname, name, id);
}

/* Names of the foreign programs of a tcx hook; returns how many. */
static int foreign_tcx(unsigned ifindex, int hook, char *names, size_t size)
{
	__u32 ids[MAX_PROGS] = { 0 }, count = MAX_PROGS;
	int foreign = 0;

	names[0] = '\0';
	if (bpf_prog_query((int)ifindex, (enum bpf_attach_type)hook, 0, NULL, ids, &count))
		return 0; /* no tcx, or nothing there */
	for (unsigned i = 0; i < count && i < MAX_PROGS; i++) {
		char name[BPF_OBJ_NAME_LEN];

		read_prog_name(ids[i], name);
		if (is_ours(name))
			continue;
		snprintf(names + strlen(names), size - strlen(names), "%s%s", foreign ? " " : "", name);
		foreign++;
	}
	return foreign;
}

static void check_tcx_hook(const char *ifname, unsigned ifindex, int hook, struct check_list *list)
{
	const char *side = hook == TCX_INGRESS ? "ingress" : "egress";
	const char *check = hook == TCX_INGRESS ? "tcx-ingress" : "tcx-egress";
	char names[80], remedy[64];
	int count = foreign_tcx(ifindex, hook, names, sizeof(names));

	snprintf(remedy, sizeof(remedy), "bpftool net show dev %s", ifname);
	if (count)
		check_add(list, check, HEALTH_WARN, remedy,
			  "'%s': other tcx programs at %s (%s): one that returns 0 hides segments from those behind it",
			  ifname, side, names);
	else
		check_add(list, check, HEALTH_OK, NULL, "'%s': no other tcx program at %s", ifname, side);
}

/* ---- clsact ---- */
static void check_clsact(const char *ifname, unsigned ifindex, struct check_list *list)
{
	int in = filters_foreign(ifindex, TC_H_MIN_INGRESS), out = filters_foreign(ifindex, TC_H_MIN_EGRESS);
	char remedy[96];

	snprintf(remedy, sizeof(remedy), "tc filter show dev %s ingress; tc filter show dev %s egress", ifname, ifname);
	if (!in && !out)
		check_add(list, "tc-filters", HEALTH_OK, NULL, "'%s': no other tc filter on clsact", ifname);
	else if (doctor_has_tcx() > 0)
		check_add(list, "tc-filters", HEALTH_OK, NULL,
			  "'%s': tc filters (%d at ingress, %d at egress) come after tcpward's tcx programs", ifname, in,
			  out);
	else
		check_add(list, "tc-filters", HEALTH_WARN, remedy,
			  "'%s': tc filters (%d at ingress, %d at egress): one that accepts early hides segments", ifname, in,
			  out);
}

void doctor_hooks(const char *ifname, unsigned ifindex, struct check_list *list)
{
	check_xdp(ifname, ifindex, list);
	check_tcx_hook(ifname, ifindex, TCX_INGRESS, list);
	check_tcx_hook(ifname, ifindex, TCX_EGRESS, list);
	check_clsact(ifname, ifindex, list);
}
