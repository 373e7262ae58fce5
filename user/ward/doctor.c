// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* doctor: what this kernel and process can do, found by trying, without attaching anything. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ward/checks.h"

#define BPFFS "/sys/fs/bpf"
#define BPFFS_MAGIC 0xcafe4a11
#define BTF "/sys/kernel/btf/vmlinux"
#define JIT "/proc/sys/net/core/bpf_jit_enable"
#define NEWER_KERNEL "use Linux 6.1 or later"

void check_add(struct check_list *list, const char *name, enum ward_health health, const char *remedy, const char *fmt,
	       ...)
{
	struct ward_check *c;
	va_list args;

	if (list->count == list->max)
		return;
	c = &list->row[list->count++];
	c->name = name;
	c->health = health;
	va_start(args, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, args);
	va_end(args);
	snprintf(c->remedy, sizeof(c->remedy), "%s", remedy ? remedy : "");
}

static void check_kernel(struct check_list *list)
{
	struct utsname uts;

	uname(&uts);
	check_add(list, "kernel", HEALTH_OK, NULL, "%s %s, %s", uts.sysname, uts.release, uts.machine);
}

/* ---- privilege ---- */
static bool has_capability(unsigned cap)
{
	return capng_have_capability(CAPNG_EFFECTIVE, cap) || capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN);
}

static void read_capabilities(void)
{
	if (capng_get_caps_process())
		capng_clear(CAPNG_SELECT_CAPS); /* what cannot be read counts as lacking */
}

static void check_capabilities(struct check_list *list)
{
	static const unsigned wanted[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };
	char missing[64] = "";

	read_capabilities();
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool has = wanted[i] == CAP_NET_ADMIN ? capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) :
							has_capability(wanted[i]);

		if (!has)
			snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), " cap_%s",
				 capng_capability_to_name(wanted[i]));
	}
	list->privileged = !missing[0];
	if (list->privileged)
		check_add(list, "capabilities", HEALTH_OK, NULL, "this process may load and attach BPF programs");
	else
		check_add(list, "capabilities", HEALTH_LACKS, "sudo tcpward doctor", "this process lacks%s", missing);
}

/* ---- kernel features ---- */
static void check_btf(struct check_list *list)
{
	if (access(BTF, R_OK) == 0)
		check_add(list, "btf", HEALTH_OK, NULL, "the kernel describes its types in " BTF);
	else
		check_add(list, "btf", HEALTH_LACKS, "use a kernel built with CONFIG_DEBUG_INFO_BTF=y",
			  "there is no " BTF ": %s", strerror(errno));
}

/* A probe's answer: 1 it works, 0 it does not, negative: could not be tried. */
static void check_feature(struct check_list *list, const char *name, const char *what, int answer)
{
	if (answer > 0)
		check_add(list, name, HEALTH_OK, NULL, "%s: there", what);
	else if (answer == 0)
		check_add(list, name, HEALTH_LACKS, NEWER_KERNEL, "%s: this kernel has none", what);
	else
		check_add(list, name, HEALTH_WARN, NULL, "%s: could not be tried: %s", what, strerror(-answer));
}

static void check_features(struct check_list *list)
{
	check_feature(list, "ring-buffer", "BPF ring buffer (events)",
		      libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL));
	check_feature(list, "xdp", "XDP programs", libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL));
	check_feature(list, "tc", "tc programs", libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, NULL));
	check_feature(list, "syscall-program", "BPF syscall programs (the sweep)",
		      libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SYSCALL, NULL));
	check_feature(list, "bpf-loop", "bpf_loop()",
		      libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_loop, NULL));
}

/* Only flows_text wants it. */
static void check_tracing(struct check_list *list)
{
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_TRACING, NULL) == 1)
		check_add(list, "tracing", HEALTH_OK, NULL, "BPF tracing (the flows as a file, flows_text): there");
	else
		check_add(list, "tracing", HEALTH_WARN, "tcpward flows",
			  "no BPF tracing: attach pins no flows_text; `tcpward flows` shows the same");
}

static void check_tcx(struct check_list *list)
{
	int answer = doctor_has_tcx();

	if (answer > 0)
		check_add(list, "tcx", HEALTH_OK, NULL, "tc programs hang on tcx links");
	else if (answer == 0)
		check_add(list, "tcx", HEALTH_OK, NULL, "no tcx (6.6 has it): tc programs are clsact filters");
	else
		check_add(list, "tcx", HEALTH_WARN, NULL, "tcx: could not be tried: %s", strerror(-answer));
}

static void check_jit(struct check_list *list)
{
	FILE *f = fopen(JIT, "re");
	int value = -1, err = f ? 0 : errno;

	if (f && fscanf(f, "%d", &value) != 1)
		err = EIO;
	if (f)
		fclose(f);
	if (value == 0)
		check_add(list, "jit", HEALTH_WARN, "sysctl -w net.core.bpf_jit_enable=1",
			  "BPF programs are interpreted: several times slower");
	else if (value > 0)
		check_add(list, "jit", HEALTH_OK, NULL, "BPF programs are compiled");
	else /* only the first network namespace has it */
		check_add(list, "jit", HEALTH_WARN, err == ENOENT ? "nsenter --net=/proc/1/ns/net tcpward doctor" : NULL,
			  "not known whether BPF programs are compiled: cannot read " JIT ": %s", strerror(err));
}

static void check_bpffs(struct check_list *list)
{
	struct statfs fs;

	if (statfs(BPFFS, &fs) == 0 && (unsigned long)fs.f_type == BPFFS_MAGIC)
		check_add(list, "bpffs", HEALTH_OK, NULL, "mounted at " BPFFS);
	else
		check_add(list, "bpffs", HEALTH_WARN, "mount -t bpf bpf " BPFFS,
			  "not mounted at " BPFFS ": attaching mounts it");
}

static void doctor_kernel(struct check_list *list)
{
	check_kernel(list);
	check_capabilities(list);
	check_btf(list);
	if (list->privileged) {
		check_features(list);
		check_tcx(list);
		check_tracing(list);
	}
	check_jit(list);
	check_bpffs(list);
	doctor_cookies(list);
}

/* ---- one interface ---- */
/* What an instance that is attached there has seen. */
static void doctor_instance(const char *ifname, struct check_list *list)
{
	struct ward *w;

	if (ward_open_iface(ifname, &w))
		return;
	if (ward_unanswered(w))
		check_add(list, "one-way", HEALTH_WARN,
			  "attach the interface that they leave by too, in one instance; or attach with --hooks ingress",
			  "'%s': connections open whose answers do not pass here: half-open limits are not enforced", ifname);
	ward_close(w);
}

static void doctor_interface(const char *ifname, struct check_list *list)
{
	struct link_facts link;
	int err = link_read(ifname, &link);

	if (err) {
		check_add(list, "interface", HEALTH_LACKS, "ip -brief link", "'%s': %s", ifname,
			  err == -ENODEV ? "there is no such interface in this network namespace" : strerror(-err));
		return;
	}
	read_capabilities();
	list->privileged = has_capability(CAP_BPF);
	doctor_link(ifname, &link, list);
	if (list->privileged)
		doctor_hooks(ifname, link.ifindex, list);
	doctor_relations(ifname, &link, list);
	doctor_cookies_link(ifname, &link, list);
	if (list->privileged)
		doctor_instance(ifname, list);
}

int ward_doctor(const char *ifname, struct ward_check *checks, int max)
{
	struct check_list list = { .row = checks, .max = max };

	if (ifname)
		doctor_interface(ifname, &list);
	else
		doctor_kernel(&list);
	return list.count;
}
