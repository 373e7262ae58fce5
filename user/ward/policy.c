// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * policy: which one is in force: apply, confirm, go back, remove.
 *
 * There are two slots (include/enforce.h): an apply fills the one that is not in use and then changes over by one word. All
 * that may fail is done before anything that another process or the packet path could see. Killed in between, it leaves the
 * policy in force as it is; what it has overwritten is the one that `rollback` would have brought back, and then there is none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "policy/policy.h"
#include "ward/inside.h"

#define ROUND8(n) (((n) + 7) / 8 * 8) /* elements of an array stand so far apart */


/* The maps' memory, both slots of each. */
struct policy_slots {
	char *config;
	char *text;
};

#define CONFIG_STRIDE ROUND8(sizeof(struct policy_config))

static struct policy_config *config_of(const struct ward *w, unsigned slot)
{
	return (struct policy_config *)(w->slots->config + (slot & 1) * CONFIG_STRIDE);
}

unsigned policy_slot_of(const struct ward *w, const struct policy_config *config)
{
	return config == config_of(w, 1);
}

static char *text_of(const struct ward *w, unsigned slot)
{
	return w->slots->text + (slot & 1) * (size_t)POLICY_TEXT_LEN;
}

void policy_free_slots(struct ward *w)
{
	if (!w->slots)
		return;
	if (w->slots->config)
		munmap(w->slots->config, POLICY_SLOTS * CONFIG_STRIDE);
	if (w->slots->text)
		munmap(w->slots->text, POLICY_SLOTS * (size_t)POLICY_TEXT_LEN);
	free(w->slots);
	w->slots = NULL;
}

static int map_slots(struct ward *w)
{
	int err = load_needed(w);

	if (err || w->slots)
		return err;
	w->slots = calloc(1, sizeof(*w->slots));
	if (!w->slots)
		return ward_fail(-ENOMEM, "", "out of memory");
	w->slots->config = map_memory(w->map[MAP_POLICY_CONFIG], POLICY_SLOTS * CONFIG_STRIDE);
	w->slots->text = map_memory(w->map[MAP_POLICY_TEXT], POLICY_SLOTS * (size_t)POLICY_TEXT_LEN);
	if (w->slots->config && w->slots->text)
		return 0;
	err = ward_fail(-errno, errno == EPERM ? REMEDY_ROOT : "", "cannot map the memory of the policy: %s", strerror(errno));
	policy_free_slots(w);
	return err;
}

/* ---- changing over: see policy_slot() ---- */
#define STORE(where, value) __atomic_store_n(&(where), (value), __ATOMIC_SEQ_CST)

void policy_settle_blocks(struct ward *w)
{
	int simple = !map_slots(w) && block_simple(w->live, w->live->loaded ? config_of(w, w->live->slot) : NULL, ward_now_ns(w));

	STORE(w->live->block_drops, simple);
}

static void settle(struct ward *w, const struct policy_config *from)
{
	int slot = policy_slot(w->live, ward_now_ns(w));
	const struct policy_config *to = slot < 0 ? NULL : config_of(w, (unsigned)slot);
	int i;

	for (i = 0; i < 2; i++)
		STORE(w->live->block_len[i], to ? to->block_len[i] : 0);
	policy_counts_move(w, from, to);
	policy_settle_blocks(w);
	live_revise(w);
}

struct policy_config *policy_now(struct ward *w, uint64_t now_ns)
{
	int slot;

	if (map_slots(w))
		return NULL;
	slot = policy_slot(w->live, now_ns);
	return slot < 0 ? NULL : config_of(w, (unsigned)slot);
}

static const struct policy_config *in_use(struct ward *w)
{
	return w->live->loaded ? config_of(w, w->live->slot) : NULL;
}

/* Takes the policy back that waits for its confirmation. */
static void end_waiting(struct ward *w)
{
	const struct policy_config *from = in_use(w);

	STORE(w->live->block_drops, 0);
	if (w->live->before)
		STORE(w->live->slot, w->live->before - 1);
	else
		STORE(w->live->loaded, 0);
	STORE(w->live->rollback_ns, 0);
	STORE(w->live->before, 0);
	settle(w, from);
}

static bool is_waiting(const struct ward *w)
{
	return w->live->loaded && w->live->rollback_ns;
}

/* Killed on its way out: nothing is loaded, and nothing waits. */
static bool is_due(const struct ward *w, uint64_t now_ns)
{
	return is_waiting(w) && now_ns >= w->live->rollback_ns;
}

static void tell_rollback(struct ward *w, const char *file, uint64_t when_ns)
{
	ward_notice(w, "policy '%s' was not confirmed within its time: taken back%s (%llu s ago)", file,
		    w->live->loaded ? ", the one before is in force" : ", no policy is in force",
		    (unsigned long long)((ward_now_ns(w) - when_ns) / NS_PER_S));
}

void policy_sweep(struct ward *w, uint64_t now_ns)
{
	char file[sizeof(((struct policy_config *)0)->file)];
	uint64_t when_ns = w->live->rollback_ns;
	int lock;

	if (w->live->marked != w->live->revision)
		live_mark(w);
	if (map_slots(w) || (!is_due(w, now_ns) && w->live->block_drops == block_simple(w->live, in_use(w), now_ns)))
		return;
	lock = live_lock(w, false, 0);
	if (lock < 0)
		return; /* whoever has it ends the rollback first */
	policy_settle_blocks(w);
	if (is_due(w, now_ns)) {
		snprintf(file, sizeof(file), "%s", config_of(w, w->live->slot)->file);
		end_waiting(w);
		tell_rollback(w, file, when_ns);
	}
	live_unlock(lock);
}

/* The lock, with no rollback left half done. */
static int begin(struct ward *w)
{
	int err = map_slots(w), lock;

	if (err)
		return err;
	lock = live_lock(w, false, LIVE_WAIT_MS);
	if (lock >= 0 && is_due(w, ward_now_ns(w)))
		end_waiting(w);
	return lock;
}

/* ---- apply ---- */

static int refuse_waiting(struct ward *w)
{
	const struct policy_config *config = config_of(w, w->live->slot);

	return ward_fail(-EBUSY, "tcpward policy confirm, or: tcpward policy rollback",
			 "cannot apply a policy: '%s' waits for its confirmation, %llu s more", config->file,
			 (unsigned long long)((w->live->rollback_ns - ward_now_ns(w)) / NS_PER_S + 1));
}

static void write_config(struct ward *w, unsigned slot, const struct policy_image *image, const struct ward_apply *apply)
{
	struct policy_config *config = config_of(w, slot);
	uint64_t now_ns = ward_now_ns(w), learn_until_ns = w->info->created_ns + apply->learn_ns;

	*config = image->config;
	memcpy(config->block_len, image->block_len, sizeof(config->block_len));
	config->learn_until_ns = apply->learn_ns && learn_until_ns > now_ns ? learn_until_ns : 0;
	config->applied_ns = now_ns;
	snprintf(config->file, sizeof(config->file), "%s", apply->file ? apply->file : "");
	config->exempt_count = 0;
	if (apply->session) {
		memcpy(config->exempt, apply->session->flow, sizeof(config->exempt));
		config->exempt_count = apply->session->count;
	}
	snprintf(text_of(w, slot), POLICY_TEXT_LEN, "%s", apply->text ? apply->text : "");
}

/* The instance is as old as it was, but its flows were begun anew: they have the policy's time to become known. */
static void relearn(struct ward *w, uint64_t learn_ns)
{
	uint64_t until_ns = w->control->flows_ns + learn_ns;

	if (w->control->flows_ns && until_ns > w->control->relearn_until_ns)
		w->control->relearn_until_ns = until_ns;
}

static void change_over(struct ward *w, unsigned slot, uint32_t confirm_s)
{
	const struct policy_config *from = in_use(w);
	uint32_t before = from ? 1 + (w->live->slot & 1) : 0;

	STORE(w->live->block_drops, 0);
	if (confirm_s) {
		STORE(w->live->before, before);
		STORE(w->live->rollback_ns, ward_now_ns(w) + confirm_s * NS_PER_S);
	}
	STORE(w->live->slot, slot);
	STORE(w->live->loaded, 1);
	STORE(w->live->before, before);
	settle(w, from);
}

int ward_policy_apply(struct ward *w, const struct policy_image *image, const struct ward_apply *apply)
{
	struct policy_tables tables;
	unsigned slot;
	int lock, err;

	if (apply->text && strlen(apply->text) >= POLICY_TEXT_LEN)
		return ward_fail(-E2BIG, "put long lists into files of their own: saddr: \"@FILE\"",
				 "cannot apply policy '%s': its text has %zu bytes, %d fit", apply->file, strlen(apply->text),
				 POLICY_TEXT_LEN - 1);
	lock = begin(w);
	if (lock < 0)
		return lock;
	err = is_waiting(w) ? refuse_waiting(w) : policy_tables_make(image, &tables);
	if (err) {
		live_unlock(lock);
		return err;
	}
	slot = w->live->loaded ? (w->live->slot & 1) ^ 1 : w->live->slot & 1;
	STORE(w->live->before, 0); /* what stands in that slot cannot come back any more */
	err = policy_tables_put(w, slot, image, &tables);
	if (!err) {
		write_config(w, slot, image, apply);
		relearn(w, apply->learn_ns);
		change_over(w, slot, apply->confirm_s);
	}
	policy_tables_free(&tables);
	live_unlock(lock);
	return err;
}

/* ---- confirm, rollback, remove ---- */

int ward_policy_confirm(struct ward *w)
{
	int err = map_slots(w), lock, confirmed = 0;
	struct policy_config *config;

	if (err)
		return err;
	lock = live_lock(w, false, LIVE_WAIT_MS);
	if (lock < 0)
		return lock;
	if (is_due(w, ward_now_ns(w))) {
		config = config_of(w, w->live->slot);
		err = ward_fail(-ETIME, "tcpward policy apply", "too late: policy '%s' has taken itself back %llu s ago", config->file,
				(unsigned long long)((ward_now_ns(w) - w->live->rollback_ns) / NS_PER_S));
		end_waiting(w);
	} else if (w->live->loaded) {
		config = config_of(w, w->live->slot);
		confirmed = w->live->rollback_ns || config->exempt_count;
		STORE(w->live->rollback_ns, 0);
		STORE(config->exempt_count, 0);
		policy_settle_blocks(w);
		if (confirmed)
			live_revise(w);
	}
	live_unlock(lock);
	return err ? err : confirmed;
}

int ward_policy_rollback(struct ward *w)
{
	const struct policy_config *from;
	int lock = begin(w), err = 0;
	uint32_t here;

	if (lock < 0)
		return lock;
	from = in_use(w);
	here = from ? 1 + (w->live->slot & 1) : 0;
	if (is_waiting(w)) {
		end_waiting(w);
	} else if (w->live->before) {
		STORE(w->live->block_drops, 0);
		STORE(w->live->slot, w->live->before - 1);
		STORE(w->live->loaded, 1);
		STORE(w->live->before, here);
		settle(w, from);
	} else {
		err = ward_fail(-ESRCH, from ? "tcpward policy remove takes this one away" : "tcpward policy apply FILE",
				"cannot go back: there is no policy before this one");
	}
	live_unlock(lock);
	return err;
}

int ward_policy_remove(struct ward *w)
{
	const struct policy_config *from;
	int lock = begin(w), err = 0;

	if (lock < 0)
		return lock;
	from = in_use(w);
	if (from) {
		STORE(w->live->block_drops, 0);
		STORE(w->live->loaded, 0);
		STORE(w->live->rollback_ns, 0);
		STORE(w->live->before, 1 + (w->live->slot & 1));
		settle(w, from);
	} else {
		err = ward_fail(-ESRCH, "tcpward policy apply FILE", "there is no policy to remove");
	}
	live_unlock(lock);
	return err;
}

void ward_policy_judge(struct ward *w, bool judge)
{
	STORE(w->live->block_drops, 0);
	STORE(w->live->loaded, judge);
	policy_settle_blocks(w);
}

/* ---- reading ---- */

bool ward_policy_brief(struct ward *w, struct ward_policy_brief *out)
{
	const struct policy_config *config = policy_now(w, ward_now_ns(w));

	if (!config)
		return false;
	out->mode = config->mode;
	out->applied_ns = config->applied_ns;
	snprintf(out->file, sizeof(out->file), "%.*s", (int)sizeof(config->file), config->file);
	return true;
}

int ward_policy_get(struct ward *w, struct ward_policy *out)
{
	struct ward_policy got = { 0 };
	int err = map_slots(w), slot, lock;
	uint64_t now_ns;

	if (err)
		return err;
	lock = live_lock(w, true, LIVE_WAIT_MS);
	if (lock < 0)
		return lock;
	now_ns = ward_now_ns(w);
	slot = policy_slot(w->live, now_ns);
	if (slot >= 0) {
		got.config = config_of(w, (unsigned)slot);
		got.text = text_of(w, (unsigned)slot);
	}
	if (is_waiting(w) && !is_due(w, now_ns))
		got.rollback_ns = w->live->rollback_ns;
	got.has_before = w->live->before && !is_due(w, now_ns);
	err = policy_counts_read(w, got.count);
	live_unlock(lock);
	if (!err)
		*out = got;
	return err;
}
