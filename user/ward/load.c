// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * load: from options to loaded maps and programs. The only file that knows the skeleton.
 *
 * The interface table is rodata, so what will be attached is loaded by ward_attach(); ward_load() then only probes.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "finding.h"
#include "embryo.h"
#include "sweep.h"
#include "tcp_opts.h"
#include "tcpward.skel.h"
#include "ward/cookie.h"
#include "ward/takeover.h"

#define EVENTS_PER_S 20000	/* of each type and CPU; embryos and other flows each */
#define FLOW_BYTES 336		/* an element of the hash with its share of buckets */

void ward_options_init(struct ward_options *opt)
{
	memset(opt, 0, sizeof(*opt));
	opt->msl_s = 30;
	opt->flows = 262144;
	opt->embryos = 32768;
	opt->services = 4096;
	opt->sources = 8192;
	detect_opts_init(&opt->detect);
}

/* ---- probing ---- */

static bool may(uint64_t caps, int cap)
{
	return caps >> cap & 1;
}

static bool privileged(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };
	uint64_t caps;

	if (syscall(SYS_capget, &head, data))
		return true; /* let the kernel say */
	caps = data[0].effective | (uint64_t)data[1].effective << 32;
	if (!may(caps, CAP_NET_ADMIN) && !may(caps, CAP_SYS_ADMIN))
		return false;
	return may(caps, CAP_SYS_ADMIN) || (may(caps, 39 /* CAP_BPF */) && may(caps, 38 /* CAP_PERFMON */));
}

int load_probe(void)
{
	int fd;

	log_capture();
	if (!privileged())
		return ward_fail(-EPERM, REMEDY_ROOT, "cannot load BPF programs: not permitted");
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ward_probe", 4, 4, 1, NULL);
	if (fd < 0 && (errno == EPERM || errno == EACCES))
		return ward_fail(-EPERM, REMEDY_ROOT, "cannot make a BPF map: %s", strerror(errno));
	if (fd < 0)
		return ward_fail(-EOPNOTSUPP, "", "cannot make a BPF map: %s", strerror(errno));
	close(fd);
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return ward_fail(-EOPNOTSUPP, "use a kernel built with CONFIG_DEBUG_INFO_BTF=y",
				 "this kernel cannot run tcpward: it carries no BTF (/sys/kernel/btf/vmlinux)");
	if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SYSCALL, NULL) == 0)
		return ward_fail(-EOPNOTSUPP, "use Linux 6.1 or later",
				 "this kernel cannot run tcpward: it has no BPF syscall programs");
	if (libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 0)
		return ward_fail(-EOPNOTSUPP, "use Linux 6.1 or later",
				 "this kernel cannot run tcpward: it has no BPF ring buffers");
	return 0;
}

static int check_options(const struct ward_options *opt)
{
	if (opt->name && !name_valid(opt->name))
		return ward_fail(-EINVAL, "", "bad instance name '%s': 1 to %d characters without '/', ':' or blanks",
				 opt->name, WARD_NAME_LEN - 1);
	if (opt->flows < WARD_FLOWS_MIN || opt->flows > WARD_FLOWS_MAX)
		return ward_fail(-EINVAL, "", "bad --flows '%u': %u to %u", opt->flows, WARD_FLOWS_MIN, WARD_FLOWS_MAX);
	if (opt->embryos < WARD_EMBRYOS_MIN || opt->embryos > WARD_EMBRYOS_MAX)
		return ward_fail(-EINVAL, "", "bad --embryos '%u': %u to %u", opt->embryos, WARD_EMBRYOS_MIN,
				 WARD_EMBRYOS_MAX);
	if (opt->services < WARD_SERVICES_MIN || opt->services > WARD_SERVICES_MAX)
		return ward_fail(-EINVAL, "", "bad --services '%u': %u to %u", opt->services, WARD_SERVICES_MIN,
				 WARD_SERVICES_MAX);
	if (opt->sources < WARD_SOURCES_MIN || opt->sources > WARD_SOURCES_MAX)
		return ward_fail(-EINVAL, "", "bad --sources '%u': %u to %u", opt->sources, WARD_SOURCES_MIN,
				 WARD_SOURCES_MAX);
	if (!opt->msl_s || opt->msl_s > WARD_MSL_MAX)
		return ward_fail(-EINVAL, "", "bad --msl '%u': 1 to %u seconds", opt->msl_s, WARD_MSL_MAX);
	return 0;
}

/* ---- what others need of the skeleton ---- */

struct bpf_object *load_object(const struct ward *w)
{
	return ((struct tcpward_bpf *)w->skel)->obj;
}

const void *load_elf(size_t *size)
{
	return tcpward_bpf__elf_bytes(size);
}

#define BSS(member) offsetof(struct tcpward_bpf__bss, member)
const void *load_bss_layout(size_t *size)
{
	static const uint32_t layout[] = {
		sizeof(struct tcpward_bpf__bss), BSS(cookie_ns),    BSS(epoch_offset_ns), BSS(promotions), BSS(evicted_ns), BSS(unnoted_ns),
		BSS(present_gone),		 BSS(cookie_spent),
	};

	*size = sizeof(layout);
	return layout;
}

/* ---- loading ---- */

struct ward *ward_new(void)
{
	struct ward *w = calloc(1, sizeof(*w));
	int i;

	if (!w) {
		ward_fail(-ENOMEM, "", "out of memory");
		return NULL;
	}
	for (i = 0; i < MAP_COUNT; i++)
		w->map[i] = -1;
	for (i = 0; i < PROG_COUNT; i++)
		w->prog[i] = -1;
	for (i = 0; i < WARD_IFACES; i++)
		w->link[i][0] = w->link[i][1] = w->cookie_link[i] = -1;
	w->iter_link = w->lock_fd = w->guardian_pipe = -1;
	w->info = &w->plan;
	return w;
}

int ward_load(const struct ward_options *opt, struct ward **out)
{
	struct ward *w;
	int err = check_options(opt);

	if (err)
		return err;
	err = load_probe();
	if (err)
		return err;
	w = ward_new();
	if (!w)
		return -ENOMEM;
	w->opt = *opt;
	w->opt.name = NULL; /* the caller's memory; copied: */
	if (opt->name)
		strcpy(w->name, opt->name);
	err = opt->replay ? load_programs(w) : 0;
	if (err) {
		ward_close(w);
		return err;
	}
	*out = w;
	return 0;
}

static uint32_t embryo_sets(uint32_t embryos)
{
	uint32_t sets = 1;

	while (sets * EMBRYO_WAYS < embryos)
		sets *= 2;
	return sets;
}

static uint32_t account_sets(uint32_t places)
{
	uint32_t sets = 1;

	while (sets * ACCOUNT_WAYS < places)
		sets *= 2;
	return sets;
}

/* In each half of map "present": eight for each place of the flow table, and at least a word. */
static uint32_t present_bits(uint32_t flows)
{
	uint32_t bits = 64;

	while (bits < 8ULL * flows && bits < 1U << 30)
		bits *= 2;
	return bits;
}

static void set_track_opts(struct track_opts *track, const struct ward_options *opt)
{
	track_opts_init(track);
	track->msl2_ns = 2 * opt->msl_s * NS_PER_S;
	if (track->timeout_ns[TIMEOUT_TIME_WAIT] < track->msl2_ns)
		track->timeout_ns[TIMEOUT_TIME_WAIT] = track->msl2_ns;
	track->timeout_ns[TIMEOUT_STALE_SYN] = opt->detect.value[PARAM_STALE_SYN_AFTER];
	track->timeout_ns[TIMEOUT_EMBRYO] = opt->detect.value[PARAM_HALF_OPEN_AFTER];
	track->timeout_ns[TIMEOUT_FW2_HANG] = opt->detect.value[PARAM_FIN_WAIT_2_HANG_AFTER];
	track->timeout_ns[TIMEOUT_CW_LEAK] = opt->detect.value[PARAM_CLOSE_WAIT_LEAK_AFTER];
	for (int i = 0; i < TIMEOUT_COUNT; i++)
		if (opt->timeout_ns[i])
			track->timeout_ns[i] = opt->timeout_ns[i];
	track->rfc1337 = opt->rfc1337;
	track->loose = !opt->no_pickup;
	track->tap = opt->tap;
	if (!opt->replay && track->reorder_ns < clock_tick_ns())
		track->reorder_ns = clock_tick_ns();
}

static void set_uppers(struct ward *w, struct tcpward_bpf *skel)
{
	int left = uppers_find(w->plan.iface, w->plan.iface_count, (uint32_t *)skel->rodata->uppers);

	if (left > 0)
		note(w, "%d devices above the interfaces found no room: what is forwarded from them is counted twice", left);
	else if (left < 0)
		note(w, "cannot list the devices above the interfaces: %s; what is forwarded from them may be counted twice", strerror(-left));
}

static int set_rodata(struct ward *w, struct tcpward_bpf *skel)
{
	struct track_opts track;
	unsigned i;

	set_track_opts(&track, &w->opt);
	memcpy((void *)&skel->rodata->opts, &track, sizeof(track));
	skel->rodata->key_vlan = w->opt.key_vlan;
	skel->rodata->ingress_only = w->opt.hooks_ingress_only;
	skel->rodata->replay = w->opt.replay;
	skel->rodata->tick_ns = clock_tick_ns();
	skel->rodata->flows_max = w->opt.flows;
	memcpy((void *)&skel->rodata->detect, &w->opt.detect, sizeof(w->opt.detect));
	skel->rodata->service_mask = account_sets(w->opt.services) - 1;
	skel->rodata->source_mask = account_sets(w->opt.sources) - 1;
	skel->rodata->cpus = (uint32_t)libbpf_num_possible_cpus();
	skel->rodata->present_mask = present_bits(w->opt.flows) - 1;
	skel->rodata->embryo_mask = embryo_sets(w->opt.embryos) - 1;
	skel->rodata->iface_count = w->plan.iface_count;
	for (i = 0; i < w->plan.iface_count; i++) {
		skel->rodata->ifaces[i].ifindex = w->plan.iface[i].ifindex;
		skel->rodata->ifaces[i].flags = w->plan.iface[i].flags;
		skel->rodata->ifaces[i].mtu = w->plan.iface[i].mtu;
	}
	if (!w->opt.replay)
		set_uppers(w, skel);
	skel->rodata->ports_row = (uint8_t)iface_ports_row(w->plan.iface, w->plan.iface_count);
	for (i = 0; i < EVENT_COUNT; i++)
		skel->rodata->event_limit[i] = w->opt.replay ? 0 : EVENTS_PER_S;
	if (w->opt.replay) /* the same capture, the same output */
		memset((void *)skel->rodata->boot_secret, 0x5a, sizeof(skel->rodata->boot_secret));
	else if (w->take)
		memcpy((void *)skel->rodata->boot_secret, w->take->head.boot_secret, sizeof(skel->rodata->boot_secret));
	else if (getrandom((void *)skel->rodata->boot_secret, sizeof(skel->rodata->boot_secret), 0) < 0)
		return -errno;
	memcpy(w->plan.boot_secret, (const void *)skel->rodata->boot_secret, sizeof(w->plan.boot_secret));
	return 0;
}

static int size_maps(struct ward *w, struct tcpward_bpf *skel)
{
	int err = bpf_map__set_max_entries(skel->maps.flows, w->opt.flows);

	if (!err)
		err = bpf_map__set_max_entries(skel->maps.syns, embryo_sets(w->opt.embryos));
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.present, 2 * present_bits(w->opt.flows) / 64);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.embryos, embryo_sets(w->opt.embryos));
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.services, account_sets(w->opt.services) * ACCOUNT_WAYS);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.service_counts, account_sets(w->opt.services) * ACCOUNT_WAYS);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.guards, account_sets(w->opt.services) * ACCOUNT_WAYS);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.guard_state, account_sets(w->opt.services) * ACCOUNT_WAYS);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.service_sets, account_sets(w->opt.services));
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.sources, account_sets(w->opt.sources) * ACCOUNT_WAYS);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.source_sets, account_sets(w->opt.sources));
	if (!err) /* the programs do not read it; here it is the memory that processes share */
		err = bpf_map__set_map_flags(skel->maps.instance, BPF_F_MMAPABLE);
	return err;
}

static int find_fds(struct ward *w, struct bpf_object *obj)
{
	struct bpf_program *prog;
	int i;

	for (i = 0; i < MAP_COUNT; i++) {
		w->map[i] = bpf_object__find_map_fd_by_name(obj, ward_map_names[i]);
		if (w->map[i] < 0)
			return ward_fail(-EPROTO, "", "the BPF object has no map '%s'", ward_map_names[i]);
	}
	for (i = 0; i < PROG_COUNT; i++) {
		prog = bpf_object__find_program_by_name(obj, ward_prog_names[i]);
		w->prog[i] = prog ? bpf_program__fd(prog) : -1;
		if (w->prog[i] < 0 && (!prog || bpf_program__autoload(prog)))
			return ward_fail(-EPROTO, "", "the BPF object has no program '%s'", ward_prog_names[i]);
	}
	return 0;
}

static void fill_plan(struct ward *w)
{
	struct ward_instance *plan = &w->plan;
	struct track_opts track;

	_Static_assert(TIMEOUT_COUNT <= WARD_TIMEOUT_ROOM, "an instance tells all its time-outs");
	set_track_opts(&track, &w->opt);
	memcpy(plan->timeout_ns, track.timeout_ns, sizeof(track.timeout_ns));

	plan->layout_hash = layout_hash();
	plan->build = build_hash();
	plan->tick_ns = clock_tick_ns();
	plan->keeper_pid = getpid();
	snprintf(plan->version, sizeof(plan->version), "%s", TCPWARD_VERSION);
	plan->flows_max = w->opt.flows;
	plan->embryos_max = 2 * embryo_sets(w->opt.embryos) * EMBRYO_WAYS; /* SYNs, and records */
	plan->services_max = account_sets(w->opt.services) * ACCOUNT_WAYS;
	plan->sources_max = account_sets(w->opt.sources) * ACCOUNT_WAYS;
	memcpy(plan->thresholds, &w->opt.detect, sizeof(w->opt.detect));
	plan->msl2_s = 2 * w->opt.msl_s;
	plan->tap = w->opt.tap;
	plan->no_pickup = w->opt.no_pickup;
	plan->key_vlan = w->opt.key_vlan;
	plan->rfc1337 = w->opt.rfc1337;
	plan->hooks_ingress_only = w->opt.hooks_ingress_only;
}

void *map_memory(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int load_map_memory(struct ward *w)
{
	struct ward_instance *info = map_memory(w->map[MAP_INSTANCE], sizeof(*info));
	int err;

	if (info)
		w->info = info;
	w->control = map_memory(w->map[MAP_CONTROL], sizeof(*w->control));
	if (!info || !w->control)
		return ward_fail(-errno, errno == EPERM ? REMEDY_ROOT : "", "cannot map the instance's memory: %s",
				 strerror(errno));
	err = live_map(w);
	return err ? err : accounts_map(w);
}

/* An iterator is a tracing program, which a kernel may lack: the table is then only read by maps. */
static void spare_iterator(struct tcpward_bpf *skel)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(skel->obj, FLOWS_TEXT);

	if (prog && libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_TRACING, NULL) != 1)
		bpf_program__set_autoload(prog, false);
}

/* A kernel without bpf_sk_assign_tcp_reqsk() must not see the program that calls it: cookies are the kernel's there. */
static void spare_cookie(struct ward *w, struct tcpward_bpf *skel)
{
	if (w->opt.replay || !cookie_has_kfunc())
		bpf_program__set_autoload(skel->progs.ward_tc_cookie, false);
}

/* Captures go through XDP alone: what is not loaded is not verified either. */
static void spare_tc(struct tcpward_bpf *skel)
{
	bpf_program__set_autoload(skel->progs.ward_tc_ingress, false);
	bpf_program__set_autoload(skel->progs.ward_tc_egress, false);
	bpf_program__set_autoload(skel->progs.flows_text, false);
}

/*
 * The kernel would not give the memory of a map, though check_memory() found enough: one map may be too large for it, or a control
 * group allows less. Bytes are those of keys and values; the kernel adds its own.
 */
static int map_failed(struct tcpward_bpf *skel, const char *name, int err)
{
	static const struct {
		const char *prefix, *option;
	} options[] = { { "flows", "--flows" },	    { "present", "--flows" },	{ "embryos", "--embryos" }, { "syns", "--embryos" },
			{ "service", "--services" }, { "guard", "--services" }, { "source", "--sources" } };
	struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, name);
	const char *option = "--flows and --embryos";
	unsigned long long bytes;
	char mend[64];

	if (!map)
		return ward_fail(err, "use smaller --flows and --embryos", "cannot load the BPF programs: %s", strerror(-err));
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (!strncmp(name, options[i].prefix, strlen(options[i].prefix)))
			option = options[i].option;
	bytes = ((unsigned long long)(bpf_map__key_size(map) + 7) / 8 + (bpf_map__value_size(map) + 7) / 8) * 8 * bpf_map__max_entries(map);
	if (bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY)
		bytes *= (unsigned)libbpf_num_possible_cpus();
	snprintf(mend, sizeof(mend), "use a smaller %s", option);
	return ward_fail(err, mend, "cannot make the map '%s' of %u elements, %llu bytes: %s", name, bpf_map__max_entries(map), bytes,
			 strerror(-err));
}

static int load_failed(struct tcpward_bpf *skel, int err)
{
	if (err == -EPERM || err == -EACCES) {
		if (!strstr(log_last(), "nvalid") && geteuid())
			return ward_fail(-EPERM, REMEDY_ROOT, "cannot load the BPF programs: %s", strerror(-err));
	}
	if (skel && (err == -ENOMEM || (err == -E2BIG && *log_map())))
		return map_failed(skel, log_map(), err);
	return ward_fail(-EOPNOTSUPP, "-v shows the verifier's log; 'tcpward doctor' what this kernel lacks",
			 "this kernel refuses the BPF programs: %s (%s)", strerror(-err), log_last());
}

/* 0 where the kernel does not say. */
static uint64_t memory_available(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib << 10;
}

static uint64_t accounts_bytes(const struct ward_options *opt)
{
	uint64_t service = sizeof(struct service) + sizeof(struct service_counts) * libbpf_num_possible_cpus();

	return ACCOUNT_WAYS * (account_sets(opt->services) * service +
			       (uint64_t)account_sets(opt->sources) * sizeof(struct source));
}

/* The tables are made whole at once: what does not fit would end other processes first. */
static int check_memory(const struct ward_options *opt)
{
	uint64_t embryos = (uint64_t)embryo_sets(opt->embryos) * (sizeof(struct syn_set) + sizeof(struct embryo_set)) +
			   accounts_bytes(opt);
	uint64_t need = (uint64_t)opt->flows * FLOW_BYTES + embryos, available = memory_available();
	uint64_t room = available - available / 4, fitting; /* a quarter stays for everything else */
	char mend[80];

	if (!available || need <= room)
		return 0;
	fitting = room > embryos ? (room - embryos) / FLOW_BYTES : 0;
	if (fitting >= WARD_FLOWS_MIN)
		snprintf(mend, sizeof(mend), "--flows %llu fits",
			 (unsigned long long)(fitting > 1000 ? fitting / 1000 * 1000 : fitting));
	else
		snprintf(mend, sizeof(mend), "use smaller --flows and --embryos");
	return ward_fail(-ENOMEM, mend, "--flows %u, --embryos %u: the tables need %llu MiB, %llu MiB are available",
			 opt->flows, opt->embryos, (unsigned long long)(need >> 20),
			 (unsigned long long)(available >> 20));
}

int load_programs(struct ward *w)
{
	struct tcpward_bpf *skel;
	int err = check_memory(&w->opt);

	if (err)
		return err;
	log_forget();
	skel = tcpward_bpf__open();
	if (!skel)
		return load_failed(NULL, -errno);
	w->skel = skel;
	err = set_rodata(w, skel);
	if (!err)
		err = size_maps(w, skel);
	spare_iterator(skel);
	spare_cookie(w, skel);
	if (w->opt.replay && !w->opt.all_hooks)
		spare_tc(skel);
	if (err)
		return load_failed(skel, err);
	err = w->take ? takeover_reuse(w, skel->obj) : 0;
	if (err)
		return err;
	err = tcpward_bpf__load(skel);
	if (err)
		return load_failed(skel, err);
	err = find_fds(w, skel->obj);
	if (!err)
		err = load_map_memory(w);
	if (err)
		return err;
	if (!w->opt.replay) {
		w->ids.tc_ingress = prog_id(w->prog[PROG_TC_INGRESS]);
		w->ids.tc_egress = prog_id(w->prog[PROG_TC_EGRESS]);
		w->ids.netns_cookie = w->plan.netns_cookie;
	}
	fill_plan(w);
	if (w->take) {
		w->plan.epoch_offset_ns = w->take->head.epoch_offset_ns;
		w->plan.created_ns = w->take->head.created_ns;
	}
	err = clock_measure(w, !w->take);
	if (err)
		return err;
	if (!takeover_has(w, "bss")) {
		skel->bss->epoch_offset_ns = w->plan.epoch_offset_ns;
		skel->bss->cookie_ns = w->take ? ward_now_ns(w) : 0; /* cookies may come back that the programs before have sent */
	}
	if (w->take)
		return takeover_loaded(w);
	err = cookie_keys_make(w);
	if (err)
		return err;
	*w->info = w->plan;
	live_init(w);
	return 0;
}

int load_needed(struct ward *w)
{
	return w->map[MAP_FLOWS] >= 0 ? 0 : load_programs(w);
}

void load_free(struct ward *w)
{
	int i;

	accounts_free(w);
	lists_sweep_free(w);
	reactions_free(w);
	policy_free_slots(w);
	live_free(w);
	if (w->control)
		munmap(w->control, sizeof(*w->control));
	if (w->info != &w->plan)
		munmap(w->info, sizeof(*w->info));
	takeover_free(w);
	if (w->iter_link >= 0)
		close(w->iter_link);
	if (w->skel) {
		tcpward_bpf__destroy(w->skel); /* closes the descriptors */
		return;
	}
	for (i = 0; i < MAP_COUNT; i++)
		if (w->map[i] >= 0)
			close(w->map[i]);
	for (i = 0; i < PROG_COUNT; i++)
		if (w->prog[i] >= 0)
			close(w->prog[i]);
}
