/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/loop.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <systemd/sd-event.h>

#include "cmd/util.h"
#include "ward/netns.h"

#define USEC_PER_SEC 1000000ULL
#define POLL_USEC 100000ULL
#define LOOP_EVERY 4

struct loop {
	sd_event *event;
	struct ward_reader *reader;
	struct mnl_socket *links;
	struct ward_iface guarded[WARD_IFACES];
	unsigned guarded_count;
	void (*second)(void *ctx);
	void (*polled)(void *ctx);
	void *ctx;
	struct every {
		uint64_t usec;
		void (*fn)(void *ctx);
		void *ctx;
	} every[LOOP_EVERY];
	int every_count;
	void (*hangup)(void *ctx); /* SIGHUP, NULL: it ends the loop */
	void *hangup_ctx;
};

static const int end_signals[] = { SIGINT, SIGTERM, SIGHUP }; /* SIGHUP last: to some it means something else */
#define END_SIGNALS (sizeof(end_signals) / sizeof(*end_signals))

void loop_hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < END_SIGNALS; i++)
		sigaddset(&set, end_signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static bool any_pending(size_t count)
{
	sigset_t set;

	sigpending(&set);
	for (size_t i = 0; i < count; i++)
		if (sigismember(&set, end_signals[i]))
			return true;
	return false;
}

bool loop_signal_waits(void)
{
	return any_pending(END_SIGNALS);
}

bool loop_end_waits(void)
{
	return any_pending(END_SIGNALS - 1);
}

void loop_end(struct loop *l, int exit_code)
{
	sd_event_exit(l->event, exit_code);
}

static void poll_reader(struct loop *l)
{
	int got = l->reader ? ward_reader_poll(l->reader) : 0;

	if (got > 0 && l->polled)
		l->polled(l->ctx);
	if (!output_alive())
		loop_end(l, EXIT_OK);
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *info, void *ctx)
{
	struct loop *l = ctx;

	(void)s;
	if (info->ssi_signo == SIGHUP && l->hangup)
		l->hangup(l->hangup_ctx);
	else
		loop_end(l, EXIT_OK);
	return 0;
}

static int on_ring(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	(void)s;
	(void)fd;
	(void)revents;
	poll_reader(ctx);
	return 0;
}

static int on_output(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	(void)s;
	(void)fd;
	if (revents & (EPOLLERR | EPOLLHUP))
		loop_end(ctx, EXIT_OK);
	return 0;
}

static int on_poll_timer(sd_event_source *s, uint64_t usec, void *ctx)
{
	(void)usec;
	poll_reader(ctx);
	return sd_event_source_set_time_relative(s, POLL_USEC);
}

static int on_second(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct loop *l = ctx;

	(void)usec;
	if (l->second)
		l->second(l->ctx);
	return sd_event_source_set_time_relative(s, USEC_PER_SEC);
}

static int on_every(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct every *every = ctx;

	(void)usec;
	every->fn(every->ctx);
	return sd_event_source_set_time_relative(s, every->usec);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *ctx)
{
	(void)s;
	(void)usec;
	loop_end(ctx, EXIT_OK);
	return 0;
}

static int add_timer(struct loop *l, uint64_t usec, sd_event_time_handler_t fn, void *ctx, bool repeat)
{
	sd_event_source *s;
	int err = sd_event_add_time_relative(l->event, &s, CLOCK_MONOTONIC, usec, 1000, fn, ctx);

	if (err < 0)
		return err;
	if (repeat)
		err = sd_event_source_set_enabled(s, SD_EVENT_ON);
	sd_event_source_set_floating(s, true);
	sd_event_source_unref(s);
	return err;
}

static int add_sources(struct loop *l)
{
	int err = 0;

	for (size_t i = 0; i < END_SIGNALS && err >= 0; i++)
		err = sd_event_add_signal(l->event, NULL, end_signals[i], on_signal, l);
	if (err >= 0 && l->reader)
		err = sd_event_add_io(l->event, NULL, ward_reader_fd(l->reader), EPOLLIN, on_ring, l);
	if (err >= 0)
		err = add_timer(l, POLL_USEC, on_poll_timer, l, true);
	if (err >= 0)
		err = add_timer(l, USEC_PER_SEC, on_second, l, true);
	/* Fails for a regular file, which is always there. */
	sd_event_add_io(l->event, NULL, STDOUT_FILENO, 0, on_output, l);
	return err < 0 ? err : 0;
}

int loop_open(struct ward_reader *reader, struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	loop_hold_signals();
	l->reader = reader;
	err = sd_event_new(&l->event);
	if (err >= 0)
		err = add_sources(l);
	if (err < 0) {
		loop_close(l);
		return err;
	}
	*out = l;
	return 0;
}

int loop_each_second(struct loop *l, void (*fn)(void *ctx), void (*fn_polled)(void *ctx), void *ctx)
{
	l->second = fn;
	l->polled = fn_polled;
	l->ctx = ctx;
	return 0;
}

int loop_every(struct loop *l, uint64_t usec, void (*fn)(void *ctx), void *ctx)
{
	struct every *every = &l->every[l->every_count];

	if (l->every_count == LOOP_EVERY)
		return -ENOSPC;
	l->every_count++;
	*every = (struct every){ .usec = usec, .fn = fn, .ctx = ctx };
	return add_timer(l, usec, on_every, every, true);
}

void loop_on_hangup(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	l->hangup = fn;
	l->hangup_ctx = ctx;
}

int loop_end_after(struct loop *l, uint64_t seconds)
{
	return add_timer(l, seconds * USEC_PER_SEC, on_deadline, l, false);
}

/* ---- interfaces that go away ---- */
static void link_gone(struct loop *l, unsigned ifindex)
{
	for (unsigned i = 0; i < l->guarded_count; i++)
		if (l->guarded[i].ifindex == ifindex)
			loop_end(l, cmd_error(EXIT_FAILED, NULL, "interface '%s' is gone", l->guarded[i].name));
}

static int on_link_message(const struct nlmsghdr *nlh, void *ctx)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_type == RTM_DELLINK && link->ifi_family != AF_BRIDGE)
		link_gone(ctx, (unsigned)link->ifi_index);
	return MNL_CB_OK;
}

static void check_links(struct loop *l)
{
	char name[IF_NAMESIZE];

	for (unsigned i = 0; i < l->guarded_count; i++)
		if (!if_indextoname(l->guarded[i].ifindex, name)) {
			link_gone(l, l->guarded[i].ifindex);
			return;
		}
}

static int on_links(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct loop *l = ctx;
	char buf[32768];
	ssize_t got = mnl_socket_recvfrom(l->links, buf, sizeof(buf));

	(void)s;
	(void)fd;
	(void)revents;
	if (got > 0)
		mnl_cb_run(buf, (size_t)got, 0, 0, on_link_message, l);
	else if (errno == ENOBUFS)
		check_links(l); /* messages were lost */
	return 0;
}

static void guard_those_here(struct loop *l, const struct ward_instance *info)
{
	for (unsigned i = 0; i < info->iface_count && i < WARD_IFACES; i++)
		if (info->iface[i].ifindex && netns_here(info->iface[i].netns, info->netns_cookie))
			l->guarded[l->guarded_count++] = info->iface[i];
}

int loop_guard_links(struct loop *l, const struct ward_instance *info)
{
	guard_those_here(l, info);
	l->links = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!l->links || mnl_socket_bind(l->links, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	if (sd_event_add_io(l->event, NULL, mnl_socket_get_fd(l->links), EPOLLIN, on_links, l) < 0)
		return -ENOMEM;
	check_links(l); /* one may have gone before we listened */
	return 0;
}

int loop_run(struct loop *l)
{
	int code = sd_event_loop(l->event);

	if (code >= 0)
		return code;
	return cmd_error(EXIT_FAILED, NULL, "event loop: %s", strerror(-code));
}

void loop_close(struct loop *l)
{
	if (!l)
		return;
	sd_event_unref(l->event);
	if (l->links)
		mnl_socket_close(l->links);
	free(l);
}
