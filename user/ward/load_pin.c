// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * load_pin: pins what was loaded. A pin that another instance has left is replaced in one step (rename), so there is no moment
 * without it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "ward/takeover.h"

/* ".bss" becomes "bss", for bpffs refuses dots; .rodata belongs to the programs: NULL. */
const char *pin_leaf(const char *map)
{
	const char *dot = strchr(map, '.');

	if (!dot)
		return map;
	return strcmp(dot, ".bss") ? NULL : dot + 1;
}

int pin_over(int fd, const char *path)
{
	char fresh[PIN_PATH + 8];
	int err;

	if (!bpf_obj_pin(fd, path))
		return 0;
	if (errno != EEXIST)
		return -errno;
	snprintf(fresh, sizeof(fresh), "%s~", path);
	unlink(fresh); /* of one that was killed */
	if (bpf_obj_pin(fd, fresh))
		return -errno;
	if (!rename(fresh, path))
		return 0;
	err = -errno;
	unlink(fresh);
	return err;
}

static int pin_failed(const char *path, int err)
{
	return ward_fail(err, err == -EPERM ? REMEDY_ROOT : "", "cannot pin '%s': %s", path, strerror(-err));
}

static int pin_iter(struct ward *w, struct bpf_object *obj)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(obj, FLOWS_TEXT);
	union bpf_iter_link_info info = { .map = { .map_fd = (__u32)w->map[MAP_FLOWS] } };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	char path[PIN_PATH];

	if (!prog)
		return 0;
	if (bpf_program__fd(prog) < 0)
		return -EOPNOTSUPP;
	w->iter_link = bpf_link_create(bpf_program__fd(prog), 0, BPF_TRACE_ITER, &opts);
	if (w->iter_link < 0)
		return -errno;
	pins_path(path, w->name, FLOWS_TEXT);
	return pin_over(w->iter_link, path);
}

static int pin_map(struct ward *w, const struct bpf_map *map)
{
	char path[PIN_PATH];
	int err;

	pins_path(path, w->name, pin_leaf(bpf_map__name(map)));
	err = pin_over(bpf_map__fd(map), path);
	return err ? pin_failed(path, err) : 0;
}

static int pin_maps(struct ward *w, struct bpf_object *obj)
{
	const char *const instance = ward_map_names[MAP_INSTANCE];
	struct bpf_map *map;
	int err;

	bpf_object__for_each_map(map, obj)
	{
		const char *leaf = pin_leaf(bpf_map__name(map));

		/* what was taken over stands there already; the instance comes last: by its hash the others are known */
		if (!leaf || !strcmp(leaf, instance) || takeover_has(w, leaf))
			continue;
		err = pin_map(w, map);
		if (err)
			return err;
	}
	return takeover_has(w, instance) ? 0 : pin_map(w, bpf_object__find_map_by_name(obj, instance));
}

int load_pin(struct ward *w, enum ward_keep keep)
{
	struct bpf_object *obj = load_object(w);
	struct bpf_program *prog;
	char path[PIN_PATH];
	int err;

	bpf_object__for_each_program(prog, obj)
	{
		if (bpf_program__fd(prog) < 0 || !strcmp(bpf_program__name(prog), FLOWS_TEXT))
			continue;
		pins_path(path, w->name, bpf_program__name(prog));
		err = pin_over(bpf_program__fd(prog), path);
		if (err)
			return pin_failed(path, err);
	}
	err = pin_maps(w, obj);
	if (err)
		return err;
	pins_dir(path, w->name);
	if (pin_iter(w, obj) && keep == KEEP_ALWAYS)
		note(w, "no flows_text below '%s', for this kernel has no BPF tracing: `tcpward flows` shows the same", path);
	return 0;
}
