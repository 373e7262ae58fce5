/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/systemd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#include "cmd/journal.h"
#include "cmd/util.h"
#include "report/policy.h"

#define USEC_PER_SEC 1000000ULL
#define STATUS_EVERY 5	    /* seconds */
#define SWEEP_LATE_USEC (5 * USEC_PER_SEC) /* so long without a sweep, and the watchdog is left to bite */
#define BUS_WAIT_USEC (2 * USEC_PER_SEC)

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* ---- what `systemctl status` shows ---- */
static void status_text(struct systemd *s, char *text, size_t size)
{
	struct ward_policy_brief policy;
	struct ward_gauges gauges;
	struct policy_drops drops;
	char flows[16] = "?", dropped[16] = "?";
	uint64_t sum = 0;

	if (!ward_gauges_read(s->w, &gauges))
		quantity_text(gauges.flows + gauges.embryos, flows);
	if (!ward_drops_read(s->w, &drops)) {
		for (int i = 0; i < DROP_COUNT; i++)
			sum += drops.dropped[i];
		quantity_text(sum, dropped);
	}
	if (ward_policy_brief(s->w, &policy))
		snprintf(text, size, "policy '%s': %s; %s flows, %s segments dropped", policy.file, policy_mode_name(policy.mode),
			 flows, dropped);
	else
		snprintf(text, size, "no policy; %s flows, %s segments dropped", flows, dropped);
}

static void notify_status(struct systemd *s)
{
	char text[256];

	status_text(s, text, sizeof(text));
	sd_notifyf(0, "STATUS=%s", text);
}

/* ---- the watchdog ---- */
static void on_watchdog(void *ctx)
{
	struct systemd *s = ctx;

	if (!s->sweeps || now_usec() - s->swept_usec < SWEEP_LATE_USEC)
		sd_notify(0, "WATCHDOG=1");
}

/* ---- life ---- */
static void note_policy(struct systemd *s)
{
	struct ward_policy_brief policy;

	s->applied_ns = ward_policy_brief(s->w, &policy) ? policy.applied_ns : 0;
}

int systemd_begin(struct systemd *s, struct ward *w, struct loop *loop, bool sweeps)
{
	char text[256];
	int err = 0;

	*s = (struct systemd){ .w = w, .sweeps = sweeps, .notified = getenv("NOTIFY_SOCKET"), .swept_usec = now_usec() };
	note_policy(s);
	if (!s->notified)
		return 0;
	status_text(s, text, sizeof(text));
	sd_notifyf(0, "READY=1\nSTATUS=%s", text);
	if (sd_watchdog_enabled(0, &s->watchdog_usec) > 0)
		err = loop_every(loop, s->watchdog_usec / 2, on_watchdog, s);
	return err < 0 ? err : 0;
}

/* By `policy apply`, confirm, rollback and remove in another process, and by a rollback whose time has come. */
static void tell_policy(struct systemd *s)
{
	struct ward_policy_brief policy;
	bool is = ward_policy_brief(s->w, &policy);
	uint64_t applied_ns = is ? policy.applied_ns : 0;

	if (applied_ns == s->applied_ns)
		return;
	s->applied_ns = applied_ns;
	if (is)
		cmd_say(LEVEL_NOTICE, "policy '%s' is in force: %s", policy.file, policy_mode_name(policy.mode));
	else
		cmd_say(LEVEL_NOTICE, "no policy is in force any more");
}

void systemd_second(struct systemd *s, bool swept)
{
	if (swept)
		s->swept_usec = now_usec();
	tell_policy(s);
	if (s->notified && s->seconds++ % STATUS_EVERY == 0)
		notify_status(s);
}

void systemd_reloading(struct systemd *s)
{
	if (s->notified)
		sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now_usec());
}

void systemd_reloaded(struct systemd *s)
{
	char text[256];

	note_policy(s); /* whoever reloads has told it */
	if (!s->notified)
		return;
	status_text(s, text, sizeof(text));
	sd_notifyf(0, "READY=1\nSTATUS=%s", text);
}

void systemd_end(struct systemd *s)
{
	if (s->notified)
		sd_notify(0, "STOPPING=1");
}

/* ---- restart or stop ---- */
/* Property "Job" of our unit is (number, path) of what systemd is at with it, number 0: nothing. */
static int job_type(sd_bus *bus, const char *unit, char **type)
{
	sd_bus_message *reply = NULL;
	char *path = NULL, *job_path = NULL;
	const char *job = NULL;
	uint32_t id = 0;
	int err = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path);

	if (err >= 0)
		err = sd_bus_get_property(bus, "org.freedesktop.systemd1", path, "org.freedesktop.systemd1.Unit", "Job", NULL, &reply,
					  "(uo)");
	if (err >= 0)
		err = sd_bus_message_read(reply, "(uo)", &id, &job);
	if (err >= 0 && !id)
		err = -ENOENT;
	if (err >= 0 && !(job_path = strdup(job)))
		err = -ENOMEM;
	if (err >= 0)
		err = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", job_path, "org.freedesktop.systemd1.Job", "JobType",
						 NULL, type);
	sd_bus_message_unref(reply);
	free(path);
	free(job_path);
	return err;
}

/* systemd's own socket, for root alone: a bus daemon need not run. */
static int open_manager(sd_bus **out)
{
	sd_bus *bus;
	int err = sd_bus_new(&bus);

	if (err < 0)
		return err;
	err = sd_bus_set_address(bus, "unix:path=/run/systemd/private");
	if (err >= 0)
		err = sd_bus_set_method_call_timeout(bus, BUS_WAIT_USEC);
	if (err >= 0)
		err = sd_bus_start(bus);
	if (err < 0)
		sd_bus_unref(bus);
	else
		*out = bus;
	return err;
}

bool systemd_restarts(void)
{
	const char *unit = getenv("TCPWARD_UNIT");
	char *type = NULL;
	sd_bus *bus = NULL;
	bool restarts;

	if (!unit || !getenv("NOTIFY_SOCKET"))
		return false;
	if (open_manager(&bus) < 0)
		return false;
	restarts = job_type(bus, unit, &type) >= 0 && (!strcmp(type, "restart") || !strcmp(type, "try-restart"));
	free(type);
	sd_bus_flush_close_unref(bus);
	return restarts;
}
