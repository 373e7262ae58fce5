// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * lists_save: an instance that ends leaves its lists in a file, and the next one of that name takes them over, with the time
 * that is left then. So a restart neither opens what was blocked nor blocks what was allowed. The file goes when it has been
 * read; while the instance lives, its maps are the lists. What it does badly: a machine that loses its power loses them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/list_file.h"
#include "ward/inside.h"

#define STATE_DIR "/var/lib/tcpward"
#define SAVED_PATH 512

/* systemd gives a service a folder of its own, perhaps several. */
static const char *state_dir(char buf[256])
{
	const char *dir = secure_getenv("STATE_DIRECTORY");

	snprintf(buf, 256, "%.*s", dir && *dir ? (int)strcspn(dir, ":") : (int)strlen(STATE_DIR), dir && *dir ? dir : STATE_DIR);
	return buf;
}

static void saved_path(const struct ward *w, enum ward_list list, char path[SAVED_PATH])
{
	char dir[256];

	snprintf(path, SAVED_PATH, "%s/%s.%s", state_dir(dir), w->name, list_places[list].name);
}

/* ---- writing ---- */
struct saving {
	FILE *out;
	uint64_t now_ns;
};

static int save_item(const struct list_item *item, void *ctx)
{
	const struct saving *s = ctx;
	char addr[64], left[32], reason[32];

	list_reason(&item->entry, reason);
	errno = EIO;
	if (fprintf(s->out, "%s %s %" PRIu64 " %s %s\n", prefix_text(&item->prefix, addr),
		    list_left_text(&item->entry, s->now_ns, left), (uint64_t)item->entry.hits, list_by_name(item->entry.by),
		    *reason ? reason : "-") < 0)
		return -errno;
	return 0;
}

static int save_failed(const char *path, int err)
{
	unlink(path);
	return ward_fail(err, "", "cannot save a list to '%s': %s", path, strerror(-err));
}

/* A new file for its owner alone, whatever the umask, and never what a link leads to, whoever may write to the folder. */
static FILE *make_file(const char *path)
{
	FILE *f;
	int fd;

	unlink(path); /* of one that was killed */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	f = fchmod(fd, 0600) ? NULL : fdopen(fd, "w");
	if (!f)
		close(fd);
	return f;
}

static int save_list(struct ward *w, enum ward_list list, const char *path)
{
	struct saving saving = { .now_ns = ward_now_ns(w) };
	char fresh[SAVED_PATH + 8], dir[256];
	int err;

	if (mkdir(state_dir(dir), 0700) && errno != EEXIST)
		return save_failed(path, -errno);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	saving.out = make_file(fresh);
	if (!saving.out)
		return save_failed(fresh, -errno);
	fprintf(saving.out, "# %" PRIu64 ": the %s list of instance '%s', for the next one of that name\n", saving.now_ns,
		list_places[list].name, w->name);
	err = ward_list_each(w, list, save_item, &saving);
	if (!err && (fflush(saving.out) || fsync(fileno(saving.out)))) /* some disks say only now that they are full */
		err = -errno;
	fclose(saving.out);
	if (!err && rename(fresh, path))
		err = -errno;
	return err ? save_failed(fresh, err) : 0;
}

/* What the last one saved and this one could not read, or did not come to, is not written over. */
static int stays(const struct ward *w, enum ward_list list, const char *path, int count)
{
	if (!(w->info->lists_unread & 1 << list) || access(path, F_OK))
		return 0;
	if (!count)
		return 1;
	return ward_fail(-EEXIST, "", "the %s list is not saved: '%s', which could not be taken over, is still there", list_places[list].name,
			 path);
}

int lists_save(struct ward *w)
{
	char path[SAVED_PATH];
	int list, err = 0;

	for (list = 0; w->lists_taken_over && list < WARD_LISTS; list++) {
		int count = ward_list_count(w, list), one;

		saved_path(w, list, path);
		one = stays(w, list, path, count);
		if (!one && !count)
			unlink(path);
		else if (!one)
			one = count < 0 ? count : save_list(w, list, path);
		err = one < 0 ? one : err;
	}
	if (err)
		ward_notice(w, "%s", ward_reason());
	return err;
}

/* ---- reading ---- */
static size_t drop_over(struct list_item *items, size_t count, uint64_t now_ns)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (!items[i].entry.until_ns || items[i].entry.until_ns > now_ns)
			items[kept++] = items[i];
	return kept;
}

/* The time of saving stands in the first line. Returns how many entries are back, or a negative errno. */
static int restore_from(struct ward *w, enum ward_list list, FILE *in, const char *path)
{
	struct list_file_opts opts = { 0 };
	struct list_change change;
	struct list_item *items;
	FILE *nobody = fopen("/dev/null", "we");
	size_t count;
	int err;

	if (!nobody)
		return -errno;
	err = fscanf(in, "# %" SCNu64 ":%*[^\n]\n", &opts.now_ns) == 1 ? 0 : -EINVAL;
	if (opts.now_ns > ward_now_ns(w)) /* the host's clock was set back, or is not set yet: nobody stays on a list for years */
		opts.now_ns = ward_now_ns(w);
	if (!err && list_file_read(in, path, &opts, &items, &count, nobody))
		err = -EINVAL;
	fclose(nobody);
	if (err)
		return err;
	count = drop_over(items, count, ward_now_ns(w));
	err = count ? ward_list_replace(w, list, items, count, &change) : 0;
	free(items);
	return err ? err : (int)count;
}

/* What another user may have put there must not open what was blocked: NULL with errno, EPERM: it is not ours alone. */
static FILE *open_saved(const char *path)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	FILE *f;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && (st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & 022)) {
		f = fdopen(fd, "r");
		if (f)
			return f;
	}
	close(fd);
	errno = EPERM;
	return NULL;
}

void lists_take_over(struct ward *w)
{
	char path[SAVED_PATH];
	int list, back;
	FILE *in;

	for (list = 0; list < WARD_LISTS; list++) {
		saved_path(w, list, path);
		in = open_saved(path);
		if (!in) {
			if (errno == ENOENT)
				w->info->lists_unread &= (uint8_t)~(1 << list);
			else
				note(w, "cannot take over the %s list that '%s' saved, it is left there: %s", list_places[list].name, path,
				     errno == EPERM || errno == ELOOP ? "it is a link, or others may write to it" : strerror(errno));
			continue;
		}
		back = restore_from(w, list, in, path);
		fclose(in);
		if (back < 0) {
			note(w, "cannot take over the %s list that '%s' saved, it is left there: %s", list_places[list].name, path,
			     strerror(-back));
			continue;
		}
		w->info->lists_unread &= (uint8_t)~(1 << list);
		unlink(path);
		if (back)
			note(w, "%d entr%s of the %s list %s back from the last '%s' (tcpward %s flush takes them out)", back,
			     back == 1 ? "y" : "ies", list_places[list].name, back == 1 ? "is" : "are", w->name,
			     list_places[list].name);
	}
	w->lists_taken_over = true;
}
