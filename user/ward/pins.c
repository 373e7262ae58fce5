// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * pins: /sys/fs/bpf/tcpward/NAME/ holds the maps, programs and links of instance NAME under their own names.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/magic.h>

#include "ward/inside.h"

#define BPFFS "/sys/fs/bpf"
#define PIN_ROOT BPFFS "/tcpward"

#ifndef BPF_FS_MAGIC
#define BPF_FS_MAGIC 0xcafe4a11
#endif

const char *const ward_map_names[MAP_COUNT] = {
#define X(id, name) [MAP_##id] = name,
	WARD_MAPS(X)
#undef X
};
const char *const ward_prog_names[PROG_COUNT] = {
#define X(id, name) [PROG_##id] = name,
	WARD_PROGS(X)
#undef X
};

bool name_valid(const char *name)
{
	size_t len = strlen(name);

	for (const char *at = name; *at; at++) /* of an interface it may be anything: terminals obey what is printed */
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return false;
	return len && len < WARD_NAME_LEN && !strpbrk(name, "/: \t\n") && strcmp(name, ".") && strcmp(name, "..");
}

/* bpffs refuses dots, interface names (and ours) cannot hold colons. */
static void swap_char(char *text, char from, char to)
{
	for (; *text; text++)
		if (*text == from)
			*text = to;
}

void pins_path(char *path, const char *name, const char *leaf)
{
	char dir[WARD_NAME_LEN];

	snprintf(dir, sizeof(dir), "%s", name);
	swap_char(dir, '.', ':');
	snprintf(path, PIN_PATH, PIN_ROOT "/%s%s%s", dir, leaf ? "/" : "", leaf ? leaf : "");
}

void pins_dir(char *path, const char *name)
{
	pins_path(path, name, NULL);
}

void pins_link_leaf(char *leaf, size_t size, const char *ifname, bool egress)
{
	snprintf(leaf, size, "link_%s_%s", ifname, egress ? "egress" : "ingress");
	swap_char(leaf, '.', ':');
}

static bool is_bpffs(void)
{
	struct statfs fs;

	return !statfs(BPFFS, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/*
 * "ip netns exec" gives a command a /sys of its own: pins made there vanish with it, and nobody else sees them. Where
 * pid 1 may not be looked at, our parent stands for the rest of the host.
 */
static bool private_mounts(void)
{
	struct stat mine, other;
	char parent[40];

	snprintf(parent, sizeof(parent), "/proc/%d/ns/mnt", getppid());
	if (stat("/proc/self/ns/mnt", &mine) || (stat("/proc/1/ns/mnt", &other) && stat(parent, &other)))
		return false;
	return mine.st_ino != other.st_ino;
}

bool pins_hidden(void)
{
	return !is_bpffs() && private_mounts();
}

int pins_mount(bool keep)
{
	if (is_bpffs())
		return 0;
	if (keep && private_mounts())
		return ward_fail(
			-EPERM, REMEDY_HIDDEN,
			"cannot pin in '%s': this mount namespace has no bpffs ('ip netns exec' hides it)", BPFFS);
	if (mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return ward_fail(-errno, errno == EPERM ? REMEDY_ROOT : "mount -t bpf bpf " BPFFS,
				 "cannot mount bpffs on '%s': %s", BPFFS, strerror(errno));
	return 0;
}

int pins_make(const char *name)
{
	char path[PIN_PATH];

	pins_dir(path, name);
	if ((mkdir(PIN_ROOT, 0700) && errno != EEXIST) || mkdir(path, 0700))
		return ward_fail(-errno, errno == EPERM || errno == EACCES ? REMEDY_ROOT : "", "cannot make '%s': %s",
				 path, strerror(errno));
	return 0;
}

bool pins_exist(const char *name)
{
	char path[PIN_PATH];

	pins_dir(path, name);
	return is_bpffs() && access(path, F_OK) == 0;
}

void pins_remove(const char *name)
{
	char path[PIN_PATH], leaf[PIN_PATH + 260];
	struct dirent *entry;
	DIR *dir;

	pins_dir(path, name);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(leaf, sizeof(leaf), "%s/%s", path, entry->d_name);
		unlink(leaf);
	}
	closedir(dir);
	rmdir(path);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

int pins_list(char names[][WARD_NAME_LEN], int max)
{
	struct dirent *entry;
	int count = 0;
	DIR *dir = is_bpffs() ? opendir(PIN_ROOT) : NULL;

	if (!dir)
		return errno == EACCES ? -EACCES : 0;
	while (count < max && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= WARD_NAME_LEN)
			continue;
		strcpy(names[count], entry->d_name);
		swap_char(names[count++], ':', '.');
	}
	closedir(dir);
	qsort(names, count, WARD_NAME_LEN, by_name);
	return count;
}

int ward_instances(char names[][WARD_NAME_LEN], int max)
{
	return pins_list(names, max);
}

static int other_layout(const char *name)
{
	char path[PIN_PATH], mend[PIN_PATH + 160];

	pins_dir(path, name);
	snprintf(mend, sizeof(mend), "tcpward attach with its interfaces takes it over, or detach with the tcpward that made it, or: rm -r %s", path);
	return ward_fail(-EPROTO, mend,
			 "cannot open instance '%s': another build made it, its maps are laid out otherwise", name);
}

static int read_info_fd(int fd, const char *name, struct ward_instance *info)
{
	struct bpf_map_info map = { 0 };
	struct ward_instance read;
	__u32 len = sizeof(map), zero = 0;

	if (bpf_obj_get_info_by_fd(fd, &map, &len))
		return -errno;
	if (map.value_size != sizeof(read))
		return other_layout(name);
	if (bpf_map_lookup_elem(fd, &zero, &read))
		return -errno;
	if (read.layout_hash != layout_hash())
		return read.layout_hash ? other_layout(name) : -ENOENT; /* 0: its maker died, or is still at it */
	*info = read;
	return 0;
}

int pins_read_info(const char *name, struct ward_instance *info)
{
	char path[PIN_PATH];
	int fd, err;

	pins_path(path, name, ward_map_names[MAP_INSTANCE]);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == EACCES ? -EPERM : -errno;
	err = read_info_fd(fd, name, info);
	close(fd);
	return err;
}

int pins_read_head(const char *name, struct ward_instance *info)
{
	struct bpf_map_info map = { 0 };
	__u32 len = sizeof(map), zero = 0;
	char path[PIN_PATH];
	void *record = NULL;
	int fd, err = 0;

	pins_path(path, name, ward_map_names[MAP_INSTANCE]);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &map, &len))
		err = -errno;
	else if (map.value_size < WARD_HEAD)
		err = -EPROTO; /* of a build that knew no heads */
	else if (!(record = malloc(map.value_size)))
		err = -ENOMEM;
	else if (bpf_map_lookup_elem(fd, &zero, record))
		err = -errno;
	close(fd);
	if (!err) {
		memset(info, 0, sizeof(*info));
		memcpy(info, record, WARD_HEAD);
	}
	free(record);
	if (!err && !info->layout_hash)
		err = -ENOENT; /* its maker died, or is still at it */
	return err;
}

static int open_one(const char *name, const char *leaf, int *fd)
{
	char path[PIN_PATH];

	pins_path(path, name, leaf);
	*fd = bpf_obj_get(path);
	if (*fd >= 0)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return ward_fail(-errno, REMEDY_ROOT, "cannot open '%s': %s", path, strerror(errno));
	return ward_fail(-errno == -ENOENT ? -EIO : -errno, errno == EROFS ? REMEDY_READ_ONLY : "", "cannot open '%s': %s", path,
			 strerror(errno));
}

int pins_open(struct ward *w)
{
	int i, err;

	for (i = 0; i < MAP_COUNT; i++) {
		err = open_one(w->name, ward_map_names[i], &w->map[i]);
		if (err)
			return err;
	}
	for (i = 0; i < PROG_COUNT; i++) {
		err = open_one(w->name, ward_prog_names[i], &w->prog[i]);
		if (err && i != PROG_TC_COOKIE) /* not every kernel could load that one */
			return err;
	}
	return 0;
}
