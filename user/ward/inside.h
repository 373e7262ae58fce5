/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * inside: what the files of the ward library share. Nobody outside user/ward/ includes it.
 *
 * Who calls whom: instance.c (life of an instance) over load.c, attach.c, seed.c, pins.c, lock.c, guardian.c, keeper.c;
 * read.c, reader.c, feed.c and clock.c work on the descriptors of an instance, however it was come by.
 */
#ifndef WARD_INSIDE_H
#define WARD_INSIDE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "enforce.h"
#include "ward/ward.h"

#ifndef TCPWARD_VERSION
#define TCPWARD_VERSION "dev"
#endif

/* X(enumerator, name in the object and of its pin) */
#define WARD_MAPS(X)                                                                                                   \
	X(FLOWS, "flows")                                                                                              \
	X(SYNS, "syns")                                                                                                \
	X(PRESENT, "present")                                                                                          \
	X(EMBRYOS, "embryos")                                                                                          \
	X(SERVICES, "services")                                                                                        \
	X(SOURCES, "sources")                                                                                          \
	X(SERVICE_SETS, "service_sets")                                                                                \
	X(SOURCE_SETS, "source_sets")                                                                                  \
	X(PAIRS, "pairs")                                                                                              \
	X(HITS, "hits")                                                                                                \
	X(FINDINGS, "findings")                                                                                        \
	X(COUNTERS, "counters")                                                                                        \
	X(GAUGES, "gauges")                                                                                            \
	X(INSTANCE, "instance")                                                                                        \
	X(CONTROL, "control")                                                                                          \
	X(POLICY_LIVE, "policy_live")                                                                                  \
	X(POLICY_CONFIG, "policy_config")                                                                              \
	X(POLICY_PORTS, "policy_ports")                                                                                \
	X(POLICY_SADDR, "policy_saddr")                                                                                \
	X(POLICY_DADDR, "policy_daddr")                                                                                \
	X(POLICY_SPREFIX, "policy_sprefix")                                                                            \
	X(POLICY_DPREFIX, "policy_dprefix")                                                                            \
	X(POLICY_COUNTS, "policy_counts")                                                                              \
	X(POLICY_DROPS, "policy_drops")                                                                                \
	X(POLICY_TEXT, "policy_text")                                                                                  \
	X(ALLOW_ADDRS, "allow_addrs")                                                                                  \
	X(ALLOW_PREFIXES, "allow_prefixes")                                                                            \
	X(BLOCK_ADDRS, "block_addrs")                                                                                  \
	X(BLOCK_PREFIXES, "block_prefixes")                                                                            \
	X(BLOCK_FILTER, "block_filter")                                                                                \
	X(BLOCK_SETS, "block_sets")                                                                                    \
	X(COOKIE_KEYS, "cookie_keys")                                                                                  \
	X(COOKIE_CONF, "cookie_conf")                                                                                  \
	X(COOKIE_UNPROTECTED, "cookie_unprotected")                                                                    \
	X(EVENTS, "events")

#define WARD_PROGS(X)                                                                                                  \
	X(XDP, "ward_xdp")                                                                                             \
	X(TC_INGRESS, "ward_tc_ingress")                                                                               \
	X(TC_EGRESS, "ward_tc_egress")                                                                                 \
	X(MARK, "ward_mark")                                                                                           \
	X(TC_COOKIE, "ward_tc_cookie")                                                                                 \
	X(SWEEP, "ward_sweep")                                                                                         \
	X(CLOCK, "ward_clock")

enum ward_map {
#define X(id, name) MAP_##id,
	WARD_MAPS(X)
#undef X
		MAP_COUNT
};
enum ward_prog {
#define X(id, name) PROG_##id,
	WARD_PROGS(X)
#undef X
		PROG_COUNT
};
extern const char *const ward_map_names[MAP_COUNT];
extern const char *const ward_prog_names[PROG_COUNT];

/* ward_iface.hooks */
#define HOOK_INGRESS 1
#define HOOK_EGRESS 2

/* clsact knows no links: our filters are found again by these, and by the program's id. */
#define WARD_TC_PRIORITY 0x7c90
#define WARD_TC_HANDLE 0x7c9

#define MAX_NOTES 40

/* What detaching needs, even in a process that has no program open (guardian). */
struct prog_ids {
	uint32_t tc_ingress, tc_egress;
	uint64_t netns_cookie; /* of the namespace where they hang */
};

struct ward {
	struct ward_options opt;
	char name[WARD_NAME_LEN];
	void *skel; /* struct tcpward_bpf, see load.c; NULL: opened by its pins */
	int map[MAP_COUNT];
	int prog[PROG_COUNT];
	struct prog_ids ids;
	struct ward_control *control; /* mmapped */
	struct ward_instance *info;   /* mmapped */
	struct ward_instance plan;    /* what will become the instance record; info points here before */
	int link[WARD_IFACES][2];     /* ingress, egress; -1 */
	int cookie_link[WARD_IFACES]; /* ward_tc_cookie */
	uint64_t cookie_looked_ns;    /* cookie_knows.c */
	unsigned cookie_looks;
	bool cookie_nat;              /* at the last look */
	uint32_t cookie_look;         /* the slot in which the cookies' keys are looked at next */
	int iter_link;
	struct takeover *take; /* NULL: it begins anew */
	bool attached; /* by this process, to go with it */
	int lock_fd;
	int guardian_pipe;
	pid_t guardian;
	uint64_t clock_offset; /* added to CLOCK_MONOTONIC_COARSE */
	uint64_t clock_measured;
	uint32_t sweep_budget; /* events of one sweep, 0: no limit */
	struct service *services; /* these five mmapped */
	struct source *sources;
	struct pair *pairs;
	struct flow_hits *hits;
	struct finding *findings;
	bool live_held; /* between ward_policy_begin() and _end(), by this lock */
	int live_lock;
	struct policy_live *live; /* these three mmapped: live.c */
	__u64 *block_filter;
	struct block_set *block_sets;
	unsigned block_set_at; /* that is compared next: block_sets.c */
	bool lists_taken_over;         /* they are saved when the instance ends */
	struct list_sweep *list_sweep; /* of the process that sweeps */
	struct policy_slots *slots;    /* policy.c */
	struct reactions *reactions;   /* react.c: of the process that sweeps */
	int (*before_attach)(struct ward *w, void *ctx); /* NULL: nobody wants to */
	void *before_attach_ctx;
	bool (*stop_if)(void); /* NULL: nothing stops it */
	void (*on_notice)(const char *line, void *ctx);
	void *on_notice_ctx;
	unsigned service_room, source_room; /* elements */
	struct detector *detector; /* of the process that sweeps */
	uint64_t first_look_ns;
	ward_finding_fn on_finding; /* NULL: nobody wants to know */
	void *on_finding_ctx;
	char *notes[MAX_NOTES];
	int note_count;
};

/* notice.c: a line of what happened in the background, to who has asked for such by ward_on_notice(); to nobody else. */
void ward_notice(struct ward *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- error.c ---- */
void log_capture(void);
/* One piece of the log of libbpf, or of a library with the same levels. Returns 0. */
int log_take(int level, const char *fmt, va_list args);
/* The last line of libbpf's log that says why, "" if there is none. */
const char *log_last(void);
/* The map that libbpf could not make, "" if there is none. */
const char *log_map(void);
void log_forget(void);
/* The remedy for want of privilege; it names what this process lacks. errno stays. */
#define REMEDY_ROOT remedy_privilege(false)

/* ---- caps.c ---- */
/* raw: CAP_NET_RAW is needed, too. Good until the next call. */
const char *remedy_privilege(bool raw);

/* ---- load.c ---- */
struct ward *ward_new(void);
int load_programs(struct ward *w);
/* Loads on first use what ward_load() put off until the interfaces are known. */
int load_needed(struct ward *w);
int load_map_memory(struct ward *w);
/* The memory of an mmapable map, NULL (errno) if it cannot be had. */
void *map_memory(int fd, size_t size);
void load_free(struct ward *w);

/* ---- layout.c ---- */
uint64_t layout_hash(void);
/* Of programs and version: what a newer build has otherwise. */
uint64_t build_hash(void);

/* ---- load_pin.c ---- */
/* The loaded object. */
struct bpf_object *load_object(const struct ward *w);
/* What of the skeleton tells builds apart: its bytes; where its variables stand. */
const void *load_elf(size_t *size);
const void *load_bss_layout(size_t *size);
/* Pins maps and programs of the loaded object; keep: others will read them there. */
int load_pin(struct ward *w, enum ward_keep keep);
/* Pins fd at path, in the place of what is there. */
int pin_over(int fd, const char *path);
/* Name of a map's pin; NULL: it has none. */
const char *pin_leaf(const char *map);
#define FLOWS_TEXT "flows_text" /* iterator that prints the live flows */
/* 0, or the failure (already told) why this process or kernel cannot load anything. */
int load_probe(void);

/* ---- doctor_link.c ---- */
/* Is the offload with the kernel's name ("rx-lro") on? */
bool link_offload_on(const char *ifname, const char *name);

/* ---- accounts.c ---- */
/* Maps what the detector reads and writes; info and control are mapped. */
int accounts_map(struct ward *w);
void accounts_free(struct ward *w);
/* After a whole sweep: decides what is found. */
void accounts_look(struct ward *w, uint64_t now_ns);

/* ---- live.c ---- */
/* Maps policy_live, block_filter and block_sets; the maps are open. */
int live_map(struct ward *w);
/* What they hold before the first packet. */
void live_init(struct ward *w);
void live_free(struct ward *w);
/* The lock on policy and lists, waited for that long: for live_unlock(). -EBUSY, -ENOENT: told. In replay there is nobody to
 * share them with. */
#define LIVE_WAIT_MS 10000
#define LIVE_UNSHARED 0x7fffffff
int live_lock(struct ward *w, bool shared, int wait_ms);
void live_unlock(int lock);
/* What flows are marked by has changed: marks them anew. */
void live_revise(struct ward *w);
/* The same once more, where a flow was missed: live.marked is not live.revision. */
void live_mark(struct ward *w);

/* ---- lists.c ---- */
/* Where a list stands: single addresses, prefixes. */
struct list_place {
	const char *name;
	enum ward_map map[2];
	__u32 flag[2]; /* LIST_* */
};
extern const struct list_place list_places[WARD_LISTS];
/* Puts an entry, with all its hits, into its map and its set, sets its bit in the filter, and says that the map is not empty.
 * 0 or -errno, not told. */
int list_put(struct ward *w, enum ward_list list, const struct address_prefix *prefix, struct list_entry entry);
/* Takes an entry of just this prefix out of its map, and out of its set. 0 or -errno, not told. */
int list_take(struct ward *w, enum ward_list list, const struct address_prefix *prefix);
/* If the map is empty, the packet path need not look there. */
void list_close_empty(struct ward *w, enum ward_list list, int which);

/* ---- block_sets.c ---- */
/* All of these do nothing for what has no place in the sets: see include/block_set.h. */
int block_sets_map(struct ward *w);
void block_sets_free(struct ward *w);
/* What has just been put into block_addrs; reset: its hits here begin at 0, those there are all it had. */
void block_sets_put(struct ward *w, const struct address_prefix *prefix, const struct list_entry *entry, bool reset);
/* What is about to be taken out of block_addrs, and once more when it was. */
void block_sets_take(struct ward *w, const struct address_prefix *prefix);
/* Is it there just so? Also if it has no place. */
bool block_sets_has(const struct ward *w, const struct address_prefix *prefix, const struct list_entry *entry);
/* Hits that are not in its entry yet. */
uint32_t block_sets_hits(const struct ward *w, const struct address_prefix *prefix);
/* Takes all out, their hits go to their entries; the sweep brings back what belongs there. */
void block_sets_clear(struct ward *w);
/* Compares some of the sets with block_addrs. */
void block_sets_check(struct ward *w);

/* ---- lists_save.c ---- */
/* What the last instance of this name has left; what becomes of it is told in notes. */
void lists_take_over(struct ward *w);
/* Leaves the lists to the next one. */
int lists_save(struct ward *w);

/* ---- policy.c ---- */
/* Ends a rollback whose time has come; the packet path has gone back already. */
void policy_sweep(struct ward *w, uint64_t now_ns);
/* The policy that counts at now_ns, in shared memory; NULL: none does. */
struct policy_config *policy_now(struct ward *w, uint64_t now_ns);
/* The slot that this configuration stands in. */
unsigned policy_slot_of(const struct ward *w, const struct policy_config *config);
void policy_free_slots(struct ward *w);
/* Is the block list simply in force now? policy_live.block_drops follows. */
void policy_settle_blocks(struct ward *w);

/* ---- react.c ---- */
/* Does what the policy asks for while something is found; after the detectors have looked. */
void reactions_look(struct ward *w, uint64_t now_ns);
void reactions_free(struct ward *w);

/* ---- policy_fill.c ---- */
/* The maps of a policy that is on its way in; -1: it needs none. */
struct policy_tables {
	int map[4]; /* policy_saddr, policy_daddr, policy_sprefix, policy_dprefix */
};
/* Makes and fills them: all that may fail for want of anything. 0 or -errno, told. */
int policy_tables_make(const struct policy_image *image, struct policy_tables *out);
void policy_tables_free(struct policy_tables *tables);
/* Puts tables and ports into a slot that is not in use. */
int policy_tables_put(struct ward *w, unsigned slot, const struct policy_image *image, const struct policy_tables *tables);
/* Sums of all CPUs. */
int policy_counts_read(struct ward *w, struct policy_count sum[POLICY_SUBJECTS]);
/* The subjects of `from` have other places in `to` (either may be NULL): their counts go with their names. */
int policy_counts_move(struct ward *w, const struct policy_config *from, const struct policy_config *to);

/* ---- lists_sweep.c ---- */
/* Takes out what is over, at most a slice of it, and makes the block filter anew. */
void lists_sweep(struct ward *w, uint64_t now_ns);
void lists_sweep_free(struct ward *w);

/* ---- read.c ---- */
typedef int (*batch_fn)(const void *key, const void *value, void *ctx);
/* Calls fn for every entry of a map, `batch` at a time. Non-zero ends the walk and is returned. */
int map_each(struct ward *w, enum ward_map map, size_t key_size, size_t value_size, unsigned batch, batch_fn fn, void *ctx);
/* The same of a map that stands in another one: map, which its errors name. */
int map_fd_each(int fd, enum ward_map map, size_t key_size, size_t value_size, unsigned batch, batch_fn fn, void *ctx);

/* ---- clock.c ---- */
int clock_measure(struct ward *w, bool make_offset);
uint64_t clock_tick_ns(void);

/* ---- pins.c ---- */
#define PIN_PATH 160
#define REMEDY_READ_ONLY "mount -o remount,rw /sys/fs/bpf"
#define REMEDY_HIDDEN "enter the namespace by 'nsenter --net=/run/netns/NAME', or mount bpffs on /sys/fs/bpf"
/* Is there no bpffs here, in a mount namespace of our own? Then there may be instances that cannot be seen from here. */
bool pins_hidden(void);
/* Mounts bpffs if it is not; keep: the pins are to be seen by other processes. */
int pins_mount(bool keep);
void pins_dir(char *path, const char *name);
/* dir/NAME/leaf; dots, which bpffs refuses, are written as colons (no interface name holds one). */
void pins_path(char *path, const char *name, const char *leaf);
int pins_make(const char *name);
bool pins_exist(const char *name);
void pins_remove(const char *name);
int pins_list(char names[][WARD_NAME_LEN], int max);
/* Reads the instance record; -ENOENT without one, -EPROTO (told) if another layout made it. */
int pins_read_info(const char *name, struct ward_instance *info);
/* The part that all layouts have in common; the rest is 0. 0, or a negative errno, not told. */
int pins_read_head(const char *name, struct ward_instance *info);
int pins_open(struct ward *w);
void pins_link_leaf(char *leaf, size_t size, const char *ifname, bool egress);
bool name_valid(const char *name);

/* ---- reap.c ---- */
/* Takes off what instance name is, if it is dead. */
void reap(const char *name);
void reap_all(void);

/* ---- lock.c ---- */
#define LOCK_WAIT_MS 3000 /* as long somebody may take who cleans up (guardian, reap) */
/* Takes the lock of instance name: its descriptor, or -EWOULDBLOCK with the holder in *pid. Waits wait_ms at most. */
int lock_take(const char *name, int wait_ms, int *pid);
/* ... for a moment, without a name in it: who wants to begin waits for that, and nobody is ended for it. Waits LOCK_WAIT_MS at most
 * for others who clean up, and for process keeper (0: none); not for any other that lives. */
int lock_take_to_clean(const char *name, int keeper);
/* Is pid, of a lock, that of a process that lives? */
bool lock_names_living(int pid);
/* ... of one of ours, keeper or command? */
bool lock_names_ours(int pid);
/* Has somebody had this lock, here, since the machine started? */
bool lock_known(const char *name);
/* Writes this process's id into the lock that it holds. */
void lock_sign(int fd);
/* Gives it up and removes the file. */
void lock_drop(int fd, const char *name);
bool lock_held(const char *name, int *pid);
/*
 * Sends sig to pid, of which a lock says that it holds it. Where the folder of the locks is another user's, who could have written
 * any number, only to a process of that user's: else -EPERM. 0 (also if it is gone), or another negative errno; not told.
 */
int lock_end_holder(int pid, int sig);

/* ---- iface.c ---- */
/* Fills name, ifindex, mtu, flags and netns of each interface and refuses pairs that see the same segments. */
int iface_plan(struct ward_iface *rows, const char *const *names, int count);
/* A device of this kind sees what the one below it has seen: VLAN, macvlan. */
bool iface_shares_segments(const char *kind);
/* ---- uppers.c: numbers of the devices that stand on these interfaces; returns how many found no room, or a negative errno ---- */
int uppers_find(const struct ward_iface *rows, unsigned count, uint32_t uppers[UPPER_SETS * UPPER_WAYS]);
/* Row of the one interface whose ports may run native XDP for it (a bond): XDP sees a port's number, which is in no row. 0xff: none. */
unsigned iface_ports_row(const struct ward_iface *rows, unsigned count);

/* ---- attach.c ---- */
/* Before anything is loaded: refuses an interface that a foreign XDP program holds, unless that is libxdp's dispatcher, which
 * is noted in the plan. */
int attach_plan_xdp(struct ward *w);
int attach_all(struct ward *w);
int attach_pin(struct ward *w);
/* The program on a tcx hook before all that are there, since one that returns 0 hides segments from those behind it. The link, or
 * -errno: -EINVAL, this kernel has no tcx. */
int tcx_link_create(int prog_fd, uint32_t ifindex, bool egress);
/* The program at this hook of a row. */
enum ward_prog attach_prog(const struct ward_iface *iface, bool egress);
/* Another program in the place of that in our clsact filter. */
int attach_filter_replace(const struct ward_iface *iface, bool egress, int prog_fd);
void attach_undo(struct ward *w);
/* Opens the pinned links of an instance that was opened by its pins. */
void attach_open_links(struct ward *w);
/* Detaches row of instance name by its pinned links or its clsact filters; 0 or -errno. */
int detach_row(const char *name, const struct ward_iface *row, const struct prog_ids *ids);
/* Takes off what no link of ours holds, if this is its namespace: clsact filters, the program in libxdp's dispatcher. */
int detach_others(const struct ward_iface *row, const struct prog_ids *ids);
void note(struct ward *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint32_t prog_id(int fd);

/* ---- seed.c ---- */
int seed_before(struct ward *w);
int seed_after(struct ward *w);

/* ---- guardian.c ---- */
int guardian_start(struct ward *w);
void guardian_dismiss(struct ward *w);
/* Leaves the session and all descriptors but those given; stdio goes to /dev/null. */
void process_seclude(const int *keep, int count);

/* ---- keeper.c ---- */
int keeper_start(struct ward *w);
/* Does link fd still hang on a device? */
bool link_alive(int fd);
/* Ends the keeper of instance name, if one lives: the process that info names, once it holds the lock. Whoever cleans up is waited
 * for. 0, -errno, or the pid of another process, which has begun anew under that name. */
int keeper_end(const char *name, const struct ward_instance *info);
/* 0, or what it would fail with for want of permission, told. */
int keeper_may_end(const char *name, const struct ward_instance *info);

/* ---- reader.c ---- */
/* Frees the slots of readers that are gone; called by whoever sweeps. */
void readers_clear_stale(struct ward *w);

#endif
