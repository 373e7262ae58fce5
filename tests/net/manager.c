/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* manager PATH UNIT TYPE: answers in systemd's place at the socket PATH: UNIT has a job of this type ("-": it has none). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>

#define JOB "/org/freedesktop/systemd1/job/7"

static const char *type;

static int get_job(sd_bus *bus, const char *path, const char *iface, const char *name, sd_bus_message *reply, void *ctx,
		   sd_bus_error *error)
{
	(void)bus, (void)path, (void)iface, (void)name, (void)ctx, (void)error;
	return strcmp(type, "-") ? sd_bus_message_append(reply, "(uo)", 7, JOB) : sd_bus_message_append(reply, "(uo)", 0, "/");
}

static int get_type(sd_bus *bus, const char *path, const char *iface, const char *name, sd_bus_message *reply, void *ctx,
		    sd_bus_error *error)
{
	(void)bus, (void)path, (void)iface, (void)name, (void)ctx, (void)error;
	return sd_bus_message_append(reply, "s", type);
}

static const sd_bus_vtable unit_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Job", "(uo)", get_job, 0, 0),
	SD_BUS_VTABLE_END,
};
static const sd_bus_vtable job_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("JobType", "s", get_type, 0, 0),
	SD_BUS_VTABLE_END,
};

static int serve(int fd, const char *unit)
{
	sd_id128_t id;
	sd_bus *bus;
	char *path;
	int err = sd_id128_randomize(&id);

	if (err < 0 || (err = sd_bus_new(&bus)) < 0)
		return err;
	if ((err = sd_bus_set_fd(bus, fd, fd)) < 0 || (err = sd_bus_set_server(bus, 1, id)) < 0 || (err = sd_bus_start(bus)) < 0 ||
	    (err = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path)) < 0)
		return err;
	err = sd_bus_add_object_vtable(bus, NULL, path, "org.freedesktop.systemd1.Unit", unit_table, NULL);
	if (err >= 0)
		err = sd_bus_add_object_vtable(bus, NULL, JOB, "org.freedesktop.systemd1.Job", job_table, NULL);
	while (err >= 0) {
		err = sd_bus_process(bus, NULL);
		if (!err)
			err = sd_bus_wait(bus, UINT64_MAX);
	}
	sd_bus_unref(bus);
	free(path);
	return err;
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, one;

	if (argc != 4)
		return 2;
	type = argv[3];
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", argv[1]);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 4)) {
		perror(argv[1]);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while ((one = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
		serve(one, argv[2]); /* ends with its client */
	return 1;
}
