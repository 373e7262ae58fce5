// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* cookie_settings: which TCP options an answer may offer, what the stack must be told before, and back again after. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ward/cookie.h"

#define SYNCOOKIES "tcp_syncookies"
#define TIMESTAMPS "tcp_timestamps"

static long read_long(const char *path, int field)
{
	long value[3] = { -1, -1, -1 };
	FILE *f = fopen(path, "re");

	if (!f)
		return -1;
	if (fscanf(f, "%ld %ld %ld", &value[0], &value[1], &value[2]) < 1)
		value[field] = -1;
	fclose(f);
	return value[field];
}

static void setting_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, "/proc/sys/net/ipv4/%s", name);
}

long cookie_setting(const char *name)
{
	char path[80];

	setting_path(path, sizeof(path), name);
	return read_long(path, 0);
}

static int write_setting(const char *name, long value)
{
	char path[80];
	FILE *f;
	int err = 0;

	setting_path(path, sizeof(path), name);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	if (fprintf(f, "%ld\n", value) < 0)
		err = -EIO;
	if (fclose(f) && !err)
		err = -errno;
	return err;
}

/* As the stack does (tcp_select_initial_window): from the largest receive buffer there may be. */
static uint8_t window_scale(void)
{
	long space = read_long("/proc/sys/net/ipv4/tcp_rmem", 2), max = read_long("/proc/sys/net/core/rmem_max", 0);
	uint8_t scale = 0;

	if (max > space)
		space = max;
	if (cookie_setting("tcp_window_scaling") <= 0)
		return 0;
	for (; space > 0xffff && scale < 14; space >>= 1)
		scale++;
	return scale;
}

/* Half the default buffer is the least that the stack makes a window of; 10 segments of data may always come. */
static uint16_t first_window(void)
{
	long space = read_long("/proc/sys/net/ipv4/tcp_rmem", 1) / 2;

	return (uint16_t)(space > 64240 ? 64240 : space < 14600 ? 14600 : space);
}

/* Sets name to value, and notes in *was what it was (plus one). */
static int change(const char *name, long value, uint8_t *was)
{
	long now = cookie_setting(name);
	char mend[80];
	int err = write_setting(name, value);

	if (err) {
		snprintf(mend, sizeof(mend), "sysctl -w net.ipv4.%s=%ld", name, value);
		return ward_fail(err, mend, "cannot set net.ipv4.%s to %ld for SYN cookies: %s", name, value, strerror(-err));
	}
	if (!*was)
		*was = (uint8_t)(now + 1);
	return 0;
}

static int lacks(const char *name, long value, long want, const char *why)
{
	char mend[120];

	snprintf(mend, sizeof(mend), "sysctl -w net.ipv4.%s=%ld, or set-sysctls: true in the policy", name, want);
	return ward_fail(-EOPNOTSUPP, mend, "cannot answer SYNs with cookies: net.ipv4.%s is %ld: %s", name, value, why);
}

static int prepare_syncookies(struct ward *w, enum cookie_flavour flavour, bool set, struct cookie_conf *conf)
{
	long value = cookie_setting(SYNCOOKIES), want = flavour == COOKIE_KERNEL ? 2 : 1;

	if (value >= want)
		return 0;
	if (set) {
		conf->set_syncookies = (uint8_t)want;
		return change(SYNCOOKIES, want, &conf->was_syncookies);
	}
	if (value <= 0)
		return lacks(SYNCOOKIES, value, want, "the stack takes none");
	note(w, "net.ipv4." SYNCOOKIES " is 1: the kernel's cookies are made only once a listener's queue has overflowed; "
		"sysctl -w net.ipv4." SYNCOOKIES "=2 has them made at once");
	return 0;
}

static int prepare_timestamps(struct ward *w, enum cookie_flavour flavour, bool set, struct cookie_conf *conf)
{
	long value = cookie_setting(TIMESTAMPS);

	if (flavour != COOKIE_KERNEL || value == 2)
		return 0;
	if (set)
		return change(TIMESTAMPS, 2, &conf->was_timestamps);
	note(w, "net.ipv4." TIMESTAMPS " is %ld: connections opened by the kernel's cookies go without window scale and SACK; "
		"sysctl -w net.ipv4." TIMESTAMPS "=2 keeps them", value);
	return 0;
}

int cookie_settings_prepare(struct ward *w, enum cookie_flavour flavour, bool set, struct cookie_conf *conf,
			    struct cookie_settings *out)
{
	int err = prepare_syncookies(w, flavour, set, conf);
	long stamps;

	if (!err)
		err = prepare_timestamps(w, flavour, set, conf);
	if (err)
		return err;
	stamps = cookie_setting(TIMESTAMPS);
	out->features = (cookie_setting("tcp_window_scaling") > 0 ? COOKIE_HAS_WS : 0) |
			(cookie_setting("tcp_sack") > 0 ? COOKIE_HAS_SACK : 0) |
			(cookie_setting("tcp_ecn") > 0 ? COOKIE_HAS_ECN : 0) |
			((flavour == COOKIE_KERNEL ? stamps == 2 : stamps > 0) ? COOKIE_HAS_TS : 0);
	out->wscale = window_scale();
	out->window = first_window();
	return 0;
}

static void restore(const char *name, long set, uint8_t *was)
{
	if (*was && cookie_setting(name) == set)
		write_setting(name, *was - 1);
	*was = 0;
}

void cookie_settings_restore(struct cookie_conf *conf)
{
	restore(SYNCOOKIES, conf->set_syncookies, &conf->was_syncookies);
	restore(TIMESTAMPS, 2, &conf->was_timestamps);
}
