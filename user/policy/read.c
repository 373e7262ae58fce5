/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* read: a policy from its file, and its end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/internal.h"

/* All of fd, or the beginning of what is too large to be looked at. NULL: errno. */
static char *load(int fd, size_t *len)
{
	size_t room = 1 << 16;
	char *text = malloc(room);
	ssize_t n = 1;

	for (*len = 0; text && n > 0 && *len <= POLICY_BYTES_MAX; *len += (size_t)n) {
		if (*len == room) {
			char *grown = realloc(text, room *= 2);

			if (!grown)
				break;
			text = grown;
		}
		n = TEMP_FAILURE_RETRY(read(fd, text + *len, room - *len));
		if (n < 0)
			break;
	}
	if (text && (n == 0 || *len > POLICY_BYTES_MAX))
		return text;
	free(text);
	return NULL;
}

/* The folder that path is in; NULL: the working directory. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : NULL;
}

struct policy *policy_read(const char *path, FILE *err, unsigned *errors)
{
	bool standard = !strcmp(path, "-");
	const char *name = standard ? "standard input" : path;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	char *text = fd < 0 ? NULL : load(fd, &len), *folder = NULL;
	struct policy *p = NULL;

	if (!text) {
		fprintf(err, "%s:1:1: cannot read the policy, '%s': %s\n", name, path, strerror(errno));
		*errors = 1;
	} else {
		folder = folder_of(path);
		p = policy_parse(text, len, name, folder, err, errors);
	}
	if (fd >= 0 && !standard)
		close(fd);
	free(folder);
	free(text);
	return p;
}

static void match_free(struct policy_match *m)
{
	free(m->saddr.item);
	free(m->daddr.item);
	free(m->sport.item);
	free(m->dport.item);
	free(m->vlan.item);
	free(m->iface);
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->service_count; i++)
		match_free(&p->service[i].match);
	for (size_t i = 0; i < p->rule_count; i++)
		match_free(&p->rule[i].match);
	free(p->service);
	free(p->rule);
	free(p->reaction);
	free(p->iface);
	free(p->allow.item);
	free(p->text);
	free(p);
}
