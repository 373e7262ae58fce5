// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * dispatch: beside other XDP programs on one interface, by libxdp's dispatcher, an XDP program that calls those of others in
 * turn. Each is loaded as an extension (BPF_PROG_TYPE_EXT) of one of its empty functions, so ward_xdp is loaded once more,
 * over the maps that are there. libxdp makes a new dispatcher for every change and puts it into the place of the old one; its
 * links are pinned below /sys/fs/bpf/xdp.
 *
 * We go there only where a dispatcher is already, and with libxdp's ordinary priority (50): a filter (xdp-filter has 10) comes
 * first, and what it drops reaches neither us nor the host.
 *
 * Which of the programs is ours is told by its name: an interface is watched by one instance.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ward/dispatch.h"

#ifdef WARD_LIBXDP
#include <xdp/libxdp.h>

/* Its levels are libbpf's. */
static int print_log(enum libxdp_print_level level, const char *fmt, va_list args)
{
	return log_take((int)level, fmt, args);
}

/* The dispatcher of an interface, or NULL. */
static struct xdp_multiprog *open_dispatcher(uint32_t ifindex)
{
	struct xdp_multiprog *mp;

	libxdp_set_print(print_log);
	mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	if (libxdp_get_error(mp))
		return NULL;
	if (!xdp_multiprog__is_legacy(mp) && xdp_multiprog__program_count(mp) > 0)
		return mp;
	xdp_multiprog__close(mp);
	return NULL;
}

static bool is_ours(const struct xdp_program *prog)
{
	return !strcmp(xdp_program__name(prog), ward_prog_names[PROG_XDP]);
}

bool dispatch_there(uint32_t ifindex, bool *generic)
{
	struct xdp_multiprog *mp = open_dispatcher(ifindex);

	if (!mp)
		return false;
	*generic = xdp_multiprog__attach_mode(mp) == XDP_MODE_SKB;
	xdp_multiprog__close(mp);
	return true;
}

bool dispatch_names(uint32_t ifindex, char *text, size_t size)
{
	struct xdp_multiprog *mp = open_dispatcher(ifindex);
	struct xdp_program *prog = NULL;
	size_t used = 0;
	bool ours = false;

	*text = '\0';
	while (mp && (prog = xdp_multiprog__next_prog(prog, mp)))
		if (is_ours(prog))
			ours = true;
		else if (used < size)
			used += (size_t)snprintf(text + used, size - used, "%s'%s'", used ? ", " : "",
						 xdp_program__name(prog));
	if (mp)
		xdp_multiprog__close(mp);
	return ours;
}

const char *dispatch_missing(const char **mend)
{
	*mend = "ls /sys/fs/bpf/xdp shows what libxdp keeps of it";
	return "libxdp finds no programs in it (are its pins gone, or those of another mount namespace?)";
}

/* A second object of the same programs, over the maps of the first, of which ward_xdp alone will be loaded. */
static struct bpf_object *open_again(const struct ward *w)
{
	struct bpf_object *obj;
	struct bpf_program *prog;
	struct bpf_map *map, *first = NULL;
	size_t size;
	const void *elf = load_elf(&size);
	int err = 0;

	obj = bpf_object__open_mem(elf, size, NULL);
	if (!obj)
		return NULL;
	bpf_object__for_each_program(prog, obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), ward_prog_names[PROG_XDP]));
	bpf_object__for_each_map(map, obj) {
		first = bpf_object__next_map(load_object(w), first); /* the same file, the same order */
		if (!err)
			err = first ? bpf_map__reuse_fd(map, bpf_map__fd(first)) : -ENOENT;
	}
	if (!err)
		return obj;
	bpf_object__close(obj);
	errno = -err;
	return NULL;
}

static int failed(const struct ward_iface *iface, const char *what, int err)
{
	if (strstr(log_last(), "changes packet data")) /* Linux 6.13, stable 6.12, and a dispatcher that says that it changes none */
		return ward_fail(-EOPNOTSUPP, "use --ingress tc, or libxdp 1.5.5 or later",
				 "cannot %s '%s' by libxdp's dispatcher: this kernel lets nothing into it that may change frames, as for "
				 "SYN cookies",
				 what, iface->name);
	return ward_fail(err == -EINVAL || err == -ENOTSUP ? -EOPNOTSUPP : err, "use --ingress tc; -v shows libbpf's log",
			 "cannot %s '%s' by libxdp's dispatcher: %s%s%s", what, iface->name, strerror(-err),
			 log_last()[0] ? ": " : "", log_last());
}

int dispatch_attach(struct ward *w, int row)
{
	const struct ward_iface *iface = &w->info->iface[row];
	struct bpf_object *obj = open_again(w);
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = obj, .prog_name = ward_prog_names[PROG_XDP]);
	struct xdp_program *prog;
	int err;

	log_forget();
	if (!obj)
		return failed(iface, "attach to", -errno);
	prog = xdp_program__create(&opts);
	err = (int)libxdp_get_error(prog);
	if (!err) {
		err = xdp_program__attach(prog, (int)iface->ifindex,
					  iface->flags & IFACE_GENERIC ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
		xdp_program__close(prog);
	}
	bpf_object__close(obj); /* libxdp's pins hold what was loaded */
	return err ? failed(iface, "attach to", err) : 0;
}

int dispatch_detach(const struct ward_iface *iface)
{
	struct xdp_multiprog *mp = open_dispatcher(iface->ifindex);
	struct xdp_program *prog = NULL;
	int err = 0;

	while (mp && (prog = xdp_multiprog__next_prog(prog, mp)))
		if (is_ours(prog)) {
			err = xdp_program__detach(prog, (int)iface->ifindex, xdp_multiprog__attach_mode(mp), 0);
			break;
		}
	if (mp)
		xdp_multiprog__close(mp);
	return err ? failed(iface, "detach from", err) : 0;
}

#else /* built without libxdp */
#define BUILT_WITHOUT "this tcpward was built without libxdp"
#define BUILD_AGAIN "build tcpward with libxdp-dev installed"

bool dispatch_there(uint32_t ifindex, bool *generic)
{
	(void)ifindex, (void)generic;
	return false;
}

bool dispatch_names(uint32_t ifindex, char *text, size_t size)
{
	(void)ifindex, (void)size;
	*text = '\0';
	return false;
}

const char *dispatch_missing(const char **mend)
{
	*mend = BUILD_AGAIN;
	return BUILT_WITHOUT;
}

int dispatch_attach(struct ward *w, int row)
{
	return ward_fail(-EOPNOTSUPP, "use --ingress tc, or " BUILD_AGAIN,
			 "cannot attach to '%s' by libxdp's dispatcher: " BUILT_WITHOUT, w->info->iface[row].name);
}

int dispatch_detach(const struct ward_iface *iface)
{
	return ward_fail(-EOPNOTSUPP, BUILD_AGAIN, "cannot detach from '%s' by libxdp's dispatcher: " BUILT_WITHOUT, iface->name);
}

#endif
