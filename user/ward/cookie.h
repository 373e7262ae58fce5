/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cookie: what the files about SYN cookies share, and what load, attach and the sweeper call. */
#ifndef WARD_COOKIE_H
#define WARD_COOKIE_H

#include "syncookie.h"
#include "ward/inside.h"

/* ---- cookie.c ---- */
/* Has the kernel bpf_sk_assign_tcp_reqsk()? 1 or 0. */
int cookie_has_kfunc(void);
/* First keys for a new instance; its clock is set. */
int cookie_keys_make(struct ward *w);
/* Pins the links of ward_tc_cookie; the instance stays. */
int cookie_pin(struct ward *w);
/* Puts prog_fd in the place of the pinned program; -EOPNOTSUPP: there is one, but none to replace it. */
int cookie_replace(struct ward *w, int prog_fd);
/* Detaches it from a row of instance name, by its pin. */
void cookie_detach(const char *name, const struct ward_iface *iface);
/* Closes this process's links. */
void cookie_drop_links(struct ward *w, bool detach);
/* A note for each interface where cookies are wanted, and cannot be had. */
void cookie_note(struct ward *w);
/* Finds out whether the tracker knows all that the stack knows, so that SYNs need not ask it; after what could change that. */
void cookie_knowledge(struct ward *w);
/* Once a second by whoever sweeps: is it still so? And is there NAT now? Told by the instance's notices. */
void cookie_look(struct ward *w, uint64_t now_ns);
/* Sets back what was set for an instance that nobody ends in the ordinary way; fd: its cookie_conf. */
void cookie_settings_undo(int fd, const struct ward_instance *info);
/* Every few minutes a new key; called by whoever sweeps. */
void cookie_keys_rotate(struct ward *w, uint64_t now_ns);

/* ---- cookie_test.c ---- */
/*
 * One handshake by a cookie through the host's own rules, and an ACK to each port that opt->protects. 0, also if nothing could be
 * found out, which becomes a note of w; an error names the rule or setting that mends it. -EPROTONOSUPPORT: the flavour does
 * not work here, another may.
 */
int cookie_self_test(struct ward *w, const struct ward_iface *iface, enum cookie_flavour flavour,
		     const struct ward_cookie_options *opt);

/* ---- cookie_place.c ---- */
/* Does an answer of XDP get from this interface to where its SYN came from? 0, or -errno: told, with what mends it. */
int cookie_place(const struct ward *w, const struct ward_iface *iface);
/* Would native XDP's answers be lost or changed there, but not generic XDP's? why: one line. */
bool cookie_wants_generic(const char *ifname, char *why, size_t size);

/* ---- cookie_settings.c: the stack's settings, of this process's network namespace ---- */
struct cookie_settings {
	uint8_t features; /* COOKIE_HAS_* that an answer may offer */
	uint8_t wscale;   /* that the stack will use */
	uint16_t window;
};
/*
 * Checks the settings that the flavour needs; set: changes those that lack, and notes in conf what they were. Fills *out. An error
 * names the setting and the command; what is merely less good becomes a note of w.
 */
int cookie_settings_prepare(struct ward *w, enum cookie_flavour flavour, bool set, struct cookie_conf *conf,
			    struct cookie_settings *out);
/* Sets back what was set, where nobody has set it to something else since. */
void cookie_settings_restore(struct cookie_conf *conf);
/* net.ipv4.NAME, -1 if it cannot be read. */
long cookie_setting(const char *name);

/* ---- nft_run.c ---- */
/* What `nft -j list ruleset` prints in the calling thread's network namespace, to be freed. NULL: it cannot be run. */
char *nft_ruleset(void);

#endif
