// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * cookie: what SYN cookies need of user space: keys and their rotation, the stack's settings, and the program at tc ingress
 * that hands good cookies to the stack. The packet path answers no SYN before ward_cookies_on().
 *
 * Keys come from getrandom() and live in the map "cookie_keys" (0600 in a directory of 0700). They are never printed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "ward/cookie.h"
#include "ward/netns.h"
#include "ward/sockets.h"

#define TEST_NS 8000000000ULL /* of an interface: IPv4 and IPv6, each with some ports that do not answer */
#define KEY_SLOTS 9 /* a key for 5 minutes, of 34 s each; the one before is good for two slots more */

_Static_assert(KEY_SLOTS > 2, "a key may only be overwritten when no cookie of it is good any more");

int cookie_has_kfunc(void)
{
	static int has = -1;
	struct btf *btf;

	if (has >= 0)
		return has;
	btf = btf__load_vmlinux_btf();
	has = btf && btf__find_by_name_kind(btf, "bpf_sk_assign_tcp_reqsk", BTF_KIND_FUNC) > 0;
	btf__free(btf);
	return has;
}

/* ---- memory ---- */
static void *map_of(struct ward *w, enum ward_map map, size_t size)
{
	void *memory = map_memory(w->map[map], size);

	if (!memory)
		ward_fail(-errno, errno == EPERM ? REMEDY_ROOT : "", "cannot map '%s': %s", ward_map_names[map],
			  strerror(errno));
	return memory;
}

/* ---- keys ---- */
static int new_key(struct cookie_key *key)
{
	return getrandom(key, sizeof(*key), 0) == (ssize_t)sizeof(*key) ? 0 : -errno;
}

int cookie_keys_make(struct ward *w)
{
	struct cookie_keys keys;
	uint32_t zero = 0;
	int err = 0;

	memset(&keys, 0, sizeof(keys));
	if (getrandom(keys.key, sizeof(keys.key), 0) != (ssize_t)sizeof(keys.key) ||
	    getrandom(&keys.ts_offset, sizeof(keys.ts_offset), 0) != (ssize_t)sizeof(keys.ts_offset))
		err = -errno;
	keys.since = cookie_slot(ward_now_ns(w));
	if (!err && bpf_map_update_elem(w->map[MAP_COOKIE_KEYS], &zero, &keys, BPF_ANY))
		err = -errno;
	explicit_bzero(&keys, sizeof(keys));
	return err ? ward_fail(err, "", "cannot make the keys of SYN cookies: %s", strerror(-err)) : 0;
}

/* The key that goes is two slots out of use at least; the new one begins with the slot after the next. */
void cookie_keys_rotate(struct ward *w, uint64_t now_ns)
{
	uint32_t slot = cookie_slot(now_ns);
	struct cookie_keys *keys;
	uint64_t word;

	if (w->opt.replay || (int32_t)(slot - w->cookie_look) < 0)
		return;
	w->cookie_look = slot + 1; /* once a slot is often enough */
	keys = map_memory(w->map[MAP_COOKIE_KEYS], sizeof(*keys));
	if (!keys)
		return;
	if ((int32_t)(slot - keys->since) >= KEY_SLOTS && !new_key(&keys->key[(keys->turn ^ 1) & 1])) {
		word = (slot + 2) | (uint64_t)((keys->turn ^ 1) & 1) << 32;
		__atomic_store_n((uint64_t *)&keys->since, word, __ATOMIC_RELEASE);
	}
	munmap(keys, sizeof(*keys));
}

/* ---- the program at tc ingress ---- */
static void link_path(char path[PIN_PATH], const char *name, const char *ifname)
{
	char leaf[64];

	pins_link_leaf(leaf, sizeof(leaf), ifname, false);
	memcpy(leaf, "cook", 4); /* link_eth0_ingress: cook_eth0_ingress */
	pins_path(path, name, leaf);
}

static int pin_row(struct ward *w, int row)
{
	char path[PIN_PATH];

	link_path(path, w->name, w->info->iface[row].name);
	if (w->cookie_link[row] < 0 || !bpf_obj_pin(w->cookie_link[row], path))
		return 0;
	return ward_fail(-errno, "", "cannot pin '%s': %s", path, strerror(errno));
}

int cookie_pin(struct ward *w)
{
	unsigned i;
	int err = 0;

	for (i = 0; !err && i < w->info->iface_count; i++)
		err = pin_row(w, (int)i);
	return err;
}

static int attach_row(struct ward *w, int row)
{
	const struct ward_iface *iface = &w->info->iface[row];
	char path[PIN_PATH];
	int fd;

	link_path(path, w->name, iface->name);
	if (w->cookie_link[row] >= 0 || !access(path, F_OK))
		return 0;
	fd = tcx_link_create(w->prog[PROG_TC_COOKIE], iface->ifindex, false);
	if (fd < 0)
		return ward_fail(fd, fd == -EPERM ? REMEDY_ROOT : "", "cannot attach '%s' to '%s': %s",
				 ward_prog_names[PROG_TC_COOKIE], iface->name, strerror(-fd));
	w->cookie_link[row] = fd;
	return w->info->keep ? pin_row(w, row) : 0;
}

int cookie_replace(struct ward *w, int prog_fd)
{
	char path[PIN_PATH];
	unsigned i;
	int fd;

	for (i = 0; i < w->info->iface_count; i++) {
		link_path(path, w->name, w->info->iface[i].name);
		fd = w->cookie_link[i] >= 0 ? w->cookie_link[i] : bpf_obj_get(path);
		if (fd < 0)
			continue;
		w->cookie_link[i] = fd;
		if (prog_fd < 0 || bpf_link_update(fd, prog_fd, NULL))
			return prog_fd < 0 ? -EOPNOTSUPP : -errno;
	}
	return 0;
}

void cookie_detach(const char *name, const struct ward_iface *iface)
{
	char path[PIN_PATH];
	int fd;

	link_path(path, name, iface->name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	bpf_link_detach(fd);
	close(fd);
	unlink(path);
}

void cookie_drop_links(struct ward *w, bool detach)
{
	int i;

	for (i = 0; i < WARD_IFACES; i++) {
		if (w->cookie_link[i] < 0)
			continue;
		if (detach)
			bpf_link_detach(w->cookie_link[i]);
		close(w->cookie_link[i]);
		w->cookie_link[i] = -1;
	}
}

static bool answers_in_xdp(const struct ward_iface *iface)
{
	return iface->ingress == INGRESS_XDP || iface->ingress == INGRESS_XDP_GENERIC;
}

void cookie_note(struct ward *w)
{
	unsigned i;

	if (w->opt.replay || ward_cookies(w) == COOKIE_AUTO)
		return;
	for (i = 0; i < w->info->iface_count; i++)
		if (!answers_in_xdp(&w->info->iface[i]))
			note(w, "%s: no SYN is answered with a cookie, for its ingress is not XDP (--ingress xdp)",
			     w->info->iface[i].name);
}

/* ---- on and off ---- */
static int choose(const struct ward *w, enum cookie_flavour want, enum cookie_flavour *flavour)
{
	bool own = cookie_has_kfunc() && w->prog[PROG_TC_COOKIE] >= 0;

	if (want == COOKIE_OWN && !own)
		return ward_fail(-EOPNOTSUPP, "use cookie-flavour: kernel, or Linux 6.9 or later",
				 "cannot make SYN cookies of our own: this kernel has no bpf_sk_assign_tcp_reqsk()");
	*flavour = want == COOKIE_AUTO ? (own ? COOKIE_OWN : COOKIE_KERNEL) : want;
	return 0;
}

static int turn_on(struct ward *w, enum cookie_flavour flavour, const struct ward_cookie_options *opt)
{
	enum cookie_flavour before = ward_cookies(w);
	struct cookie_settings settings;
	struct cookie_conf *conf;
	unsigned i;
	int err;

	conf = map_of(w, MAP_COOKIE_CONF, sizeof(*conf));
	if (!conf)
		return -EIO;
	err = cookie_settings_prepare(w, flavour, opt->set_sysctls, conf, &settings);
	for (i = 0; !err && flavour == COOKIE_OWN && i < w->info->iface_count; i++)
		err = attach_row(w, (int)i);
	if (!err) {
		conf->features = settings.features;
		conf->wscale = settings.wscale;
		conf->window = settings.window;
		conf->test_until_ns = ward_now_ns(w) + TEST_NS * w->info->iface_count;
		__atomic_store_n(&conf->flavour, (uint8_t)flavour, __ATOMIC_RELEASE);
	}
	for (i = 0; !err && i < w->info->iface_count; i++)
		err = cookie_self_test(w, &w->info->iface[i], flavour, opt);
	conf->test_until_ns = 0;
	if (err && before != COOKIE_AUTO)
		conf->flavour = (uint8_t)before;
	munmap(conf, sizeof(*conf));
	if (err && before == COOKIE_AUTO)
		ward_cookies_off(w);
	return err;
}

int ward_cookies_on(struct ward *w, const struct ward_cookie_options *opt)
{
	enum cookie_flavour flavour = COOKIE_AUTO;
	unsigned i;
	int err = choose(w, opt->flavour, &flavour);

	for (i = 0; !err && i < w->info->iface_count; i++)
		err = cookie_place(w, &w->info->iface[i]);
	if (err)
		return err;
	err = turn_on(w, flavour, opt);
	if (err == -EPROTONOSUPPORT && opt->flavour == COOKIE_AUTO) {
		note(w, "%s: the kernel's are used instead", ward_reason());
		err = turn_on(w, COOKIE_KERNEL, opt);
	}
	cookie_knowledge(w);
	return err;
}

void ward_cookies_off(struct ward *w)
{
	struct netns_visit visit;
	struct cookie_conf *conf;
	unsigned i;

	if (w->opt.replay || w->map[MAP_COOKIE_CONF] < 0)
		return;
	conf = map_memory(w->map[MAP_COOKIE_CONF], sizeof(*conf));
	if (!conf)
		return;
	__atomic_store_n(&conf->flavour, (uint8_t)COOKIE_AUTO, __ATOMIC_RELEASE);
	for (i = 0; i < w->info->iface_count; i++)
		cookie_detach(w->name, &w->info->iface[i]);
	cookie_drop_links(w, true);
	if ((conf->was_syncookies || conf->was_timestamps) &&
	    !netns_enter(w->info->iface[0].netns, w->info->netns_cookie, &visit)) { /* else it has gone, and they with it */
		cookie_settings_restore(conf);
		netns_leave(&visit);
	}
	munmap(conf, sizeof(*conf));
}

enum cookie_flavour ward_cookies(struct ward *w)
{
	struct cookie_conf conf;
	uint32_t zero = 0;

	return bpf_map_lookup_elem(w->map[MAP_COOKIE_CONF], &zero, &conf) ? COOKIE_AUTO : (enum cookie_flavour)conf.flavour;
}

void cookie_settings_undo(int fd, const struct ward_instance *info)
{
	struct cookie_conf *conf;

	/* the settings are those of the namespace that we are in */
	if (fd < 0 || !netns_here(info->iface[0].netns, info->netns_cookie))
		return;
	conf = map_memory(fd, sizeof(*conf));
	if (!conf)
		return;
	cookie_settings_restore(conf);
	munmap(conf, sizeof(*conf));
}

struct listening {
	bool (*fits)(const void *ctx, const __u8 addr[16], __u16 port);
	const void *ctx;
	__u64 *ports;
};

static int note_listener(const struct socket_info *sock, void *ctx)
{
	static const __u8 any[16], any_v4[16] = { [10] = 0xff, [11] = 0xff };
	static const __u8 self_v4[13] = { [10] = 0xff, [11] = 0xff, [12] = 127 }, self[16] = { [15] = 1 };
	const struct listening *l = ctx;

	if (!memcmp(sock->laddr, self_v4, sizeof(self_v4)) || !memcmp(sock->laddr, self, sizeof(self)))
		return 0;
	if (sock->state == LISTEN &&
	    (!memcmp(sock->laddr, any, 16) || !memcmp(sock->laddr, any_v4, 16) || l->fits(l->ctx, sock->laddr, sock->lport)))
		l->ports[sock->lport >> 6] |= 1ULL << (sock->lport & 63);
	return 0;
}

int ward_listening(const struct ward *w, bool (*fits)(const void *ctx, const __u8 addr[16], __u16 port), const void *ctx,
		   __u64 ports[1024])
{
	struct listening l = { fits, ctx, ports };

	memset(ports, 0, 1024 * sizeof(*ports));
	for (unsigned i = 0; i < w->info->iface_count; i++)
		if (!netns_here(w->info->iface[i].netns, w->info->netns_cookie))
			return -EXDEV;
	return sockets_each(note_listener, &l);
}

int ward_unprotected(struct ward *w, uint16_t *ports, int max)
{
	uint64_t word[65536 / 64];
	uint32_t zero = 0, port;
	int n = 0;

	if (bpf_map_lookup_elem(w->map[MAP_COOKIE_UNPROTECTED], &zero, word))
		return -errno;
	for (port = 0; port < 65536; port++)
		if (word[port >> 6] >> (port & 63) & 1 && n++ < max)
			ports[n - 1] = (uint16_t)port;
	return n;
}
