/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/util.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || value < min || value > max)
		return -EINVAL;
	*out = value;
	return 0;
}

static int filter_error(const struct filter_error *error, int shift)
{
	return cmd_error(EXIT_USAGE, "the grammar is ss(8)'s: state established and dport = :443",
			 "filter: %s (column %d)", error->text, error->column > shift ? error->column - shift : 1);
}

int cmd_filter(const struct cmd_line *line, int from, struct filter **out)
{
	struct filter_error error;

	if (!filter_parse(line->argc - from, line->argv + from, out, &error))
		return EXIT_OK;
	return filter_error(&error, 0);
}

int cmd_filter_all(const struct cmd_line *line, int from, struct filter **out)
{
	static char state[] = "state", all[] = "all", and[] = "and", open[] = "(", close[] = ")";
	int count = line->argc - from, err;
	char **words = calloc((size_t)count + 5, sizeof(*words));
	struct filter_error error;

	if (!words)
		return cmd_error(EXIT_FAILED, NULL, "filter: out of memory");
	memcpy(words, (char *[]){ state, all, and, open }, 4 * sizeof(*words));
	memcpy(words + 4, line->argv + from, (size_t)count * sizeof(*words));
	words[count + 4] = close;
	err = filter_parse(count + 5, words, out, &error);
	free(words);
	return err ? filter_error(&error, (int)strlen("state all and ( ")) : EXIT_OK;
}

static bool is_v4(const __u8 addr[16])
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, mapped, sizeof(mapped));
}

bool cmd_family_ok(const struct cmd_line *line, const struct flow_key *key)
{
	bool v4 = is_v4(key->a_addr);

	return !(line->only_v4 && !v4) && !(line->only_v6 && v4);
}

void cmd_keeper_remedy(const struct ward *w, char remedy[REMEDY_LEN])
{
	const struct ward_instance *info = ward_info(w);
	const char *name = ward_name(w); /* mostly its interface's */

	for (unsigned i = 0; i < info->iface_count && i < WARD_IFACES; i++)
		if (info->iface[i].hooks) {
			name = info->iface[i].name;
			break;
		}
	snprintf(remedy, REMEDY_LEN, "tcpward attach %.*s (starts a new one)", WARD_NAME_LEN, name);
}

void cmd_warn_keeper(const struct ward *w)
{
	char remedy[REMEDY_LEN];

	if (!ward_info(w)->keep || ward_keeper_alive(w, NULL))
		return;
	cmd_keeper_remedy(w, remedy);
	cmd_error(EXIT_OK, remedy, "the keeper of '%s' (pid %u) is gone: expiry and gauges stand still", ward_name(w),
		  ward_info(w)->keeper_pid);
}

int cmd_open(const struct cmd_line *line, struct ward **out)
{
	int err = ward_open(line->track.name, out);

	if (err)
		return cmd_fail(err);
	cmd_warn_keeper(*out);
	return EXIT_OK;
}

int cmd_instances(char names[][WARD_NAME_LEN], int max)
{
	int count = ward_instances(names, max);

	if (count >= 0)
		return count;
	return -cmd_error(EXIT_FAILED, "run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
			  "cannot look for instances: %s", strerror(-count));
}

bool cmd_still_pinned(const struct ward *w)
{
	char names[64][WARD_NAME_LEN];
	int count = ward_instances(names, 64);

	for (int i = 0; i < count; i++)
		if (!strncmp(names[i], ward_name(w), WARD_NAME_LEN))
			return true;
	return count >= 64;
}

int cmd_no_words(const struct cmd_line *line)
{
	if (!line->argc)
		return EXIT_OK;
	return cmd_error(EXIT_USAGE, NULL, "%s: unexpected word '%s'", line->command, line->argv[0]);
}

void cmd_notes(const struct ward *w)
{
	const char *const *lines;
	int count = ward_notes(w, &lines);

	for (int i = 0; i < count; i++)
		fprintf(stderr, "tcpward: %s\n", lines[i]);
}

static bool reader_gone(void)
{
	struct pollfd fd = { .fd = STDOUT_FILENO };

	return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLERR | POLLHUP));
}

bool output_alive(void)
{
	return !ferror(stdout) && !reader_gone();
}

int output_finish(int code)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return code;
	if (errno == EPIPE || reader_gone())
		return EXIT_OK;
	fprintf(stderr, "tcpward: cannot write to standard output: %s\n", errno ? strerror(errno) : "write error");
	return EXIT_FAILED;
}
