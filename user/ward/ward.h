/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ward: everything that knows libbpf, behind a few verbs. Commands call these and never bpf_*.
 *
 * All functions that return int give 0 (or a count) or a negative errno; out-parameters change only on success.
 * After a failure ward_reason() is one line "what: cause" naming the value, and ward_remedy() the command or option
 * that mends it ("" when there is none). ward_exit_code() maps an error to the exit code contract:
 * 1 failed, 2 usage, 3 not attached, 4 the kernel or NIC lacks it.
 */
#ifndef WARD_H
#define WARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "detect/detect.h"
#include "enforce.h"
#include "policy/prefix.h"
#include "tcp_opts.h"
#include "syncookie.h"
#include "tcpward.h"
#include "ward/session.h"

/* Limits of the options of that name. */
#define WARD_FLOWS_MIN 64
#define WARD_FLOWS_MAX (1U << 26)
#define WARD_EMBRYOS_MIN 64
#define WARD_EMBRYOS_MAX (1U << 22)
#define WARD_SERVICES_MIN 64
#define WARD_SERVICES_MAX (1U << 20)
#define WARD_SOURCES_MIN 64
#define WARD_SOURCES_MAX (1U << 20)
#define WARD_MSL_MAX 600 /* seconds */

struct ward; /* one instance: a set of maps and programs, loaded here or opened by its pins */

enum ward_ingress { INGRESS_AUTO, INGRESS_XDP, INGRESS_XDP_GENERIC, INGRESS_TC, INGRESS_NONE };

/* The tracking options: the same for run, attach and replay. Fill with ward_options_init(). */
struct ward_options {
	const char *name; /* instance; NULL: the first interface */
	enum ward_ingress ingress;
	bool hooks_ingress_only;
	bool tap;
	bool no_pickup;
	bool key_vlan;
	bool rfc1337;
	bool clsact;     /* do not use tcx even where the kernel has it */
	bool no_seed;    /* do not take the kernel's sockets into the table */
	unsigned msl_s;  /* MSL, seconds (2MSL is twice that) */
	unsigned flows;  /* capacity of the flow table */
	unsigned embryos;
	unsigned services; /* capacity of the accounts: responder addresses and ports */
	unsigned sources;  /* ... originator addresses and their aggregates */
	struct detect_opts detect; /* thresholds */
	uint64_t timeout_ns[TIMEOUT_COUNT]; /* 0: the default */
	bool enforce;    /* --ingress auto: generic XDP rather than tc, where the driver has no XDP */
	bool all_hooks;  /* with replay: load the tc programs too (ward_feed_tc) */
	bool replay;     /* load for BPF_PROG_TEST_RUN: the capture's clock, no limits on events */
};

void ward_options_init(struct ward_options *opt);

/* ---- errors and log ---- */
const char *ward_reason(void);
const char *ward_remedy(void);
int ward_exit_code(int err);
/* Records "what: cause" and a remedy for the caller to report; returns err. Formats like printf. */
int ward_fail(int err, const char *remedy, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Lets libbpf's and the verifier's log through to stderr (-v). */
void ward_verbose(bool on);

/* ---- life of an instance ---- */
/* Checks that this process and kernel can; for replay also loads maps and programs. What is to be attached is loaded by
 * ward_attach(), once its interfaces are known, or by the first call that needs the maps. */
int ward_load(const struct ward_options *opt, struct ward **out);
/* Pins all by name below /sys/fs/bpf/tcpward/NAME/, attaches to the interfaces, seeds from the kernel's sockets.
 * KEEP_ALWAYS: it is to outlive this process (attach), and gets a keeper process. KEEP_NOT: its links are held by this
 * process alone, and a guardian process cleans up should it be killed. KEEP_KILLED: it ends with this process, but stays if that
 * is killed, and the next attach takes it over. On failure nothing is left, or all as it was. */
int ward_attach(struct ward *w, const char *const *ifnames, int count, enum ward_keep keep);
/* The instance stays in force without this process, for the next one to take over: ward_close() takes nothing off. Nothing is
 * left of one that was made to go with its process. */
void ward_leave(struct ward *w);
/* Opens a pinned instance; name NULL: the only one there is (several: -EINVAL naming them; none: -ENOENT, exit 3). */
int ward_open(const char *name, struct ward **out);
/* Opens the instance that interface ifname of this network namespace belongs to. */
int ward_open_iface(const char *ifname, struct ward **out);
/* Detaches one interface (NULL: all) of a pinned instance; with the last one its pins go too. */
int ward_detach(struct ward *w, const char *ifname);
/* Frees what this process holds. An instance made by ward_attach(keep=false) is detached and unpinned. */
void ward_close(struct ward *w);

#define WARD_INSTANCES 256 /* so many at most are looked at */
/* The instances that are pinned: names, at most max; returns how many. */
int ward_instances(char names[][WARD_NAME_LEN], int max);
const char *ward_name(const struct ward *w);
const struct ward_instance *ward_info(const struct ward *w);
/* Name of row iface of the instance's interface table, NULL in replay. */
const char *ward_iface_name(const struct ward *w, unsigned iface);
/* One line a warning that belongs to the attach: "eth0: ingress by tc, since the driver has no native XDP". */
int ward_notes(const struct ward *w, const char *const **lines);
/* true while a process (run or keeper) sweeps it */
bool ward_keeper_alive(const struct ward *w, int *pid);
/* Are its programs those of this build? */
bool ward_own_build(const struct ward *w);
/* Starts a keeper for a pinned instance whose own is gone; -EBUSY if it has one. */
int ward_keeper_restart(struct ward *w);

/* What a process still has to do, once it has attached: it gives up all other capabilities (caps.c says what for). */
enum ward_caps {
	CAPS_SWEEP,    /* sweep, and take off what it attached */
	CAPS_POLICY,   /* ... and read a policy again */
	CAPS_KEEPER,   /* sweep; sockets may have to be closed, by a policy that comes later */
	CAPS_GUARDIAN, /* take off the filters of clsact */
};
int ward_caps_keep(const struct ward *w, enum ward_caps what);

/* ---- reading ---- */
/* Now on the instance's clock: nanoseconds since the epoch. */
uint64_t ward_now_ns(const struct ward *w);
/* How far the host's clock is ahead of the instance's, ns: it has been set since the maps were made, or the host has slept. */
int64_t ward_clock_off_ns(const struct ward *w);
typedef int (*ward_flow_fn)(const struct flow_key *key, const struct flow *flow, bool embryo, void *ctx);
/* Calls fn for each live record: flow table, then embryos (each made whole). A non-zero return of fn ends the walk and is returned. */
int ward_flows_each(struct ward *w, ward_flow_fn fn, void *ctx);
int ward_flow_get(struct ward *w, const struct flow_key *key, struct flow *out, bool *embryo);
int ward_counters_read(struct ward *w, struct ward_counters *sum);
int ward_gauges_read(struct ward *w, struct ward_gauges *out);

/* ---- findings and accounts ---- */
/* The findings of the instance: FINDING_ROOM elements of shared memory, free places have id 0. NULL after an error. */
const struct finding *ward_findings(struct ward *w);
typedef void (*ward_finding_fn)(const struct finding *f, enum detect_news news, void *ctx);
/* Lets fn know what ward_sweep() finds from now on (in the process that sweeps: run, replay). */
void ward_on_finding(struct ward *w, ward_finding_fn fn, void *ctx);
/* Calls fn for each live service (source) of the last sweep; half: index of its whole gauges. Non-zero ends the walk and is
 * returned. */
int ward_services_each(struct ward *w, int (*fn)(const struct service *s, unsigned half, void *ctx), void *ctx);
int ward_sources_each(struct ward *w, int (*fn)(const struct source *s, unsigned half, void *ctx), void *ctx);
/* Bits 1 << enum blindness, as the last sweep had it. */
unsigned ward_blind(struct ward *w);
/* Connections open here whose answers leave another way, by the last sweep: no half-open limit is enforced. */
bool ward_unanswered(struct ward *w);
/* How many findings held at the last sweep, but have no place among FINDING_ROOM. */
unsigned ward_findings_dropped(struct ward *w);
/* The thresholds that the instance was made with. */
const struct detect_opts *ward_detect_opts(const struct ward *w);

/* ---- lists kept by hand, and by limits ---- */
enum ward_list { WARD_ALLOW, WARD_BLOCK, WARD_LISTS };
#define WARD_LIST_MAX 262144 /* single addresses of one list, and as many prefixes */
/* Adds an entry, or makes it what is given here: its hits and its age stay. */
int ward_list_add(struct ward *w, enum ward_list list, const struct list_item *item);
/* -ESRCH if it is not there; nothing else is touched, not what covers it either. */
int ward_list_delete(struct ward *w, enum ward_list list, const struct address_prefix *prefix);
/* Takes out everything; returns how much. */
int ward_list_flush(struct ward *w, enum ward_list list);
struct list_change {
	size_t added, removed, stayed;
	size_t others; /* entries of limits and findings, which a file does not replace */
};
/* Makes the list what is given, which is sorted here: first adds what is new, then takes out what is not given. What is in
 * both is in force all the time. After an error the list is as it was. */
int ward_list_replace(struct ward *w, enum ward_list list, struct list_item *items, size_t count,
		      struct list_change *change);
/* Calls fn for each entry that is not over, in the order of prefix_compare(). Non-zero ends the walk and is returned. */
int ward_list_each(struct ward *w, enum ward_list list, int (*fn)(const struct list_item *item, void *ctx), void *ctx);
/* How many entries there are that are not over. */
int ward_list_count(struct ward *w, enum ward_list list);

/* ---- policy ---- */
struct policy_image; /* user/policy/policy.h */
struct ward_apply {
	const char *file;   /* where it was read */
	const char *text;   /* what was read */
	uint32_t confirm_s; /* it takes itself back after so long; 0: it stays */
	uint64_t learn_ns;  /* so long after the begin of the instance it drops nothing */
	const struct ward_session *session; /* its connections are exempt until ward_policy_confirm(); NULL: none */
};
/* Keeps other processes from changing policy, lists and cookies of the instance until ward_policy_end(), however many calls
 * of this one change them. 0, or -EBUSY: another one is at it for long. */
int ward_policy_begin(struct ward *w);
void ward_policy_end(struct ward *w);
/* Puts a policy in force, at once and as a whole. After an error all is as it was: -EBUSY: the one before waits for its
 * confirmation; -E2BIG, -ENOMEM, ... */
int ward_policy_apply(struct ward *w, const struct policy_image *image, const struct ward_apply *apply);
/* Makes the policy stay, and ends the exemption of the session. 1: it did; 0: there was nothing to confirm; -ETIME: too late. */
int ward_policy_confirm(struct ward *w);
/* What would drop ordinary segments of a connection once it is exempt no more. */
struct ward_cut {
	struct flow_key flow;
	unsigned local_side;         /* the end that the segments come to: 0: A, 1: B */
	unsigned subject;            /* SUBJECT_RULE(), or SUBJECT_BLOCK_LIST: */
	struct address_prefix entry; /* its entry */
};
/* Asks the policy in force and the lists about the connections that are exempt. 1: *out is the first one that would be dropped;
 * 0: none would. -EPERM: to look into the policy's tables takes CAP_SYS_ADMIN. */
int ward_policy_cuts(struct ward *w, struct ward_cut *out);
/* The policy in force as its maps have it; for policy_image_free(). -ESRCH: there is none; -EPERM: as above. */
int ward_policy_image(struct ward *w, struct policy_image **out);
/* Brings the policy before back (or none, if there was none). -ESRCH: nothing to go back to. */
int ward_policy_rollback(struct ward *w);
/* No policy any more; rollback brings it back. -ESRCH: there is none. */
int ward_policy_remove(struct ward *w);

/* In replay: the packets that come now are judged by policy and lists, or only followed. */
void ward_policy_judge(struct ward *w, bool judge);

/* What is in force; the pointers are good until ward_close(). */
struct ward_policy {
	const struct policy_config *config; /* NULL: no policy */
	const char *text;                   /* the file's */
	uint64_t rollback_ns;               /* when it takes itself back; 0: never */
	bool has_before;                    /* ward_policy_rollback() brings another one back */
	struct policy_count count[POLICY_SUBJECTS];
};
int ward_policy_get(struct ward *w, struct ward_policy *out);
/* The same in short, without waiting for anybody. false: no policy is in force. */
struct ward_policy_brief {
	unsigned mode;       /* enum policy_mode */
	uint64_t applied_ns; /* tells one apply from another */
	char file[128];
};
bool ward_policy_brief(struct ward *w, struct ward_policy_brief *out);
struct policy_drops;
/* How many segments were dropped (or would have been) since the instance was made, by enum ward_drop; all CPUs. */
int ward_drops_read(struct ward *w, struct policy_drops *sum);
/* Who a drop is owed to: "known-bad", "web/half-open", "block list". NULL: nobody of the policy in force. */
const char *ward_subject_name(struct ward *w, unsigned subject, char buf[80]);

/* What the numbers of a drop's event stand for, by policy and block list of now. */
struct drop_names; /* user/policy/drop.h */
void ward_drop_names(struct ward *w, const struct event *ev, struct drop_names *out);

/* Called when an instance is loaded and knows its interfaces, before the first packet; its failure is that of ward_attach(). */
void ward_before_attach(struct ward *w, int (*fn)(struct ward *w, void *ctx), void *ctx);
/* Asked between the steps of ward_attach(): from true on it takes back what it has done, and returns -EINTR, told. */
void ward_stop_if(struct ward *w, bool (*fn)(void));
/* One line of what ward_sweep() did by itself, in the process that sweeps. */
void ward_on_notice(struct ward *w, void (*fn)(const char *line, void *ctx), void *ctx);

/* ---- SYN cookies ---- */
struct ward_cookie_options {
	enum cookie_flavour flavour; /* COOKIE_AUTO: our own where the kernel can take them, else the kernel's */
	bool set_sysctls;            /* set the stack's settings where they lack; set back by ward_cookies_off() */
	const uint16_t *port;        /* some of those that are answered for: what a firewall lets in there counts */
	unsigned ports;
	/* Is a SYN to this address and port (host order) one that may be answered? NULL: nothing is known. */
	bool (*protects)(const void *ctx, const __u8 addr[16], __u16 port);
	const void *ctx;
};
/*
 * Makes everything ready for the packet path to answer the SYNs that the policy says: checks settings, attaches what hands
 * the cookies to the stack. In the network namespace of the instance's interfaces, which may not be attached yet. Before
 * it every SYN goes to the stack. Again: with other options.
 */
int ward_cookies_on(struct ward *w, const struct ward_cookie_options *opt);
void ward_cookies_off(struct ward *w);
/* Are SYNs of unknown connections answered by cookies without asking the stack for a socket? watched: whoever sweeps sees to it
 * that this ends when addresses are added on interfaces that are not watched. */
bool ward_cookies_unasked(struct ward *w, bool *watched);
/* Are cookies of our own in use, and NAT beside them, which loses them? chain: the first one, as text. */
bool ward_cookies_beside_nat(struct ward *w, char *chain, size_t size);
/* The flavour in use; COOKIE_AUTO: cookies are off. */
enum cookie_flavour ward_cookies(struct ward *w);
/*
 * Ports (a bit each, host order) on which somebody listens in this network namespace, and not for itself alone: on any address, or on
 * one for which fits says so. 0 or -errno: -EXDEV: the instance's interfaces are in another namespace.
 */
int ward_listening(const struct ward *w, bool (*fits)(const void *ctx, const __u8 addr[16], __u16 port), const void *ctx,
		   __u64 ports[1024]);
/* Ports of services in cookie state on which nobody listens here: at most max of them; returns how many there are. */
int ward_unprotected(struct ward *w, uint16_t *ports, int max);

/* ---- sweeping: by its keeper only (run, the daemon of attach, replay) ---- */
/* One sweep at now_ns: timers, expiry, deletion, gauges. Returns > 0 when it stopped early and wants to be called again. */
int ward_sweep(struct ward *w, uint64_t now_ns);

/* ---- events ---- */
struct ward_reader;
/* fn gets each record, size bytes: struct event, or one of the structures that begin with it. */
typedef void (*ward_event_fn)(const struct event *ev, size_t size, void *ctx);
/* Takes a free slot of the instance and a ring buffer of ring_bytes (power of two, pages) for this reader. */
int ward_reader_open(struct ward *w, size_t ring_bytes, ward_event_fn fn, void *ctx, struct ward_reader **out);
/* An epoll descriptor to wait on. Records come without wake-up: also call ward_reader_poll() every 100 ms. */
int ward_reader_fd(const struct ward_reader *r);
/* Delivers what is there and renews this reader's slot; returns the number of records. */
int ward_reader_poll(struct ward_reader *r);
/* Records that the programs could not deliver since the last call (ring full, rate limit). */
uint64_t ward_reader_lost(struct ward_reader *r);
/* How long this reader did not poll, if that was so long that nothing was sent to it any more; 0: it always did. Since the
 * last call. */
uint64_t ward_reader_stood_ns(struct ward_reader *r);
void ward_reader_close(struct ward_reader *r);
/* Also report each segment of this flow (EVENT_SEGMENT) until until_ns; key NULL: stop. */
int ward_ladder(struct ward *w, const struct flow_key *key, uint64_t until_ns);

/* ---- replay: the XDP program run over bytes ---- */
/* data: up to 256 first bytes of a frame of wire_len bytes; l3: it starts at the IP header.
 * now_ns: the capture's clock. Returns the program's verdict (XDP_PASS = 2) or a negative errno. */
int ward_feed(struct ward *w, const void *data, size_t len, uint32_t wire_len, bool l3, uint64_t now_ns, uint64_t pkt);
/* The same through the tc programs (tests): egress or ingress; returns the tc verdict, -1 = TC_ACT_UNSPEC. err separate. */
int ward_feed_tc(struct ward *w, bool egress, const void *data, size_t len, int *verdict);

/* ---- what doctor asks ---- */
enum ward_health { HEALTH_OK, HEALTH_WARN, HEALTH_LACKS };
struct ward_check {
	const char *name; /* "kernel", "btf", "jit", ... */
	enum ward_health health;
	char text[160];
	char remedy[160];
};
/* Fills checks of the kernel (ifname NULL) or of one interface; returns how many, at most max. */
int ward_doctor(const char *ifname, struct ward_check *checks, int max);

#endif
