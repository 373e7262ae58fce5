// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* verified DIRECTORY: of each program pinned there "NAME INSTRUCTIONS VERIFIED": how long it is, how many the verifier walked. */
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define INSTRUCTION_BYTES 8

static void show(const char *dir, const char *name)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		err(1, "%s", path);
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		err(1, "%s", path);
	printf("%s %u %u\n", name, info.xlated_prog_len / INSTRUCTION_BYTES, info.verified_insns);
	close(fd);
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	DIR *dir;

	if (argc != 2)
		errx(2, "usage: verified DIRECTORY");
	dir = opendir(argv[1]);
	if (!dir)
		err(1, "%s", argv[1]);
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "ward_", strlen("ward_")))
			show(argv[1], entry->d_name);
	closedir(dir);
	return 0;
}
