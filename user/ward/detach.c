// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* detach: interfaces are taken off an instance; with the last one it ends, and leaves its lists to the next of that name. */
#include <errno.h>
#include <string.h>

#include "ward/cookie.h"

static int detach_rows(struct ward *w, const char *ifname, int *left)
{
	bool found = false;
	unsigned i;
	int err = 0, one;

	*left = 0;
	for (i = 0; i < w->info->iface_count; i++) {
		struct ward_iface *row = &w->info->iface[i];

		if (!row->hooks)
			continue;
		if (ifname && strcmp(row->name, ifname)) {
			++*left;
			continue;
		}
		found = true;
		one = detach_row(w->name, row, &w->ids);
		if (one) {
			err = one;
			++*left;
			continue;
		}
		row->hooks = 0;
		row->ingress = INGRESS_NONE;
	}
	if (ifname && !found)
		return ward_fail(-ENOENT, "", "'%s' is not attached in instance '%s'", ifname, w->name);
	return err;
}

int ward_detach(struct ward *w, const char *ifname)
{
	int err, left = 0, pid = 0;

	if (w->info->keep == KEEP_NOT || (w->info->keep == KEEP_KILLED && lock_held(w->name, NULL))) {
		lock_held(w->name, &pid);
		return ward_fail(-EBUSY, "end that process", "instance '%s' belongs to tcpward run, pid %d", w->name,
				 pid);
	}
	err = keeper_may_end(w->name, w->info); /* before anything is taken off */
	if (err)
		return err;
	err = detach_rows(w, ifname, &left);
	cookie_knowledge(w);
	if (err || left)
		return err;
	ward_cookies_off(w);
	err = keeper_end(w->name, w->info);
	if (err)
		return err < 0 ? err : 0;
	w->lock_fd = lock_take_to_clean(w->name, 0); /* nobody shall begin under this name before the pins are gone */
	if (w->lock_fd == -EWOULDBLOCK)
		return 0; /* somebody found it dead, removed it, and has begun anew */
	if (pins_exist(w->name)) { /* else somebody has cleaned up, and kept the lists */
		lists_save(w);
		pins_remove(w->name);
	}
	lock_drop(w->lock_fd, w->name);
	w->lock_fd = -1;
	return 0;
}
