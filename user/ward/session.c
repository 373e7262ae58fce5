// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * session: SSH_CONNECTION in the environment of this process or of those above it (sudo drops it from its own), or an sshd
 * among them, whose connection is then ours; else whatever sshd serves. A terminal multiplexer outlives the connection that
 * it was begun over, so a connection counts only while the kernel has it, if any candidate is there.
 */
#include "ward/session.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "report/report.h"
#include "ward/sockets.h"

#define ANCESTORS 64
#define ENVIRON_MAX (256 * 1024)
#define INODES 64

struct process {
	int pid, parent;
	unsigned tty; /* device number, 0: none */
	char name[20];
};

/* ---- /proc ---- */

/* Text of /proc/PID/leaf, terminated; returns its length, 0 if it cannot be read. */
static size_t read_proc(int pid, const char *leaf, char *buf, size_t size)
{
	char path[64];
	size_t used = 0;
	ssize_t got = 1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, leaf);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && used < size - 1 && got > 0) {
		got = read(fd, buf + used, size - 1 - used);
		used += got > 0 ? (size_t)got : 0;
	}
	if (fd >= 0)
		close(fd);
	buf[used] = '\0';
	return used;
}

/* "4711 (bash) S 4710 4711 4711 34816 ..."; a name may hold blanks and parentheses. */
static bool read_process(int pid, struct process *p)
{
	char text[512], *open_at, *close_at;

	if (!read_proc(pid, "stat", text, sizeof(text)))
		return false;
	open_at = strchr(text, '(');
	close_at = strrchr(text, ')');
	if (!open_at || !close_at || sscanf(close_at + 1, " %*c %d %*d %*d %u", &p->parent, &p->tty) != 2)
		return false;
	p->pid = pid;
	snprintf(p->name, sizeof(p->name), "%.*s", (int)(close_at - open_at - 1), open_at + 1);
	return true;
}

/* "sshd", and of newer ones "sshd-session" */
static bool is_sshd(const char *name)
{
	return !strcmp(name, "sshd") || !strncmp(name, "sshd-", 5);
}

/* The process and those above it; returns how many. */
static int lineage(int pid, struct process *p)
{
	int n = 0;

	while (pid > 0 && n < ANCESTORS && read_process(pid, &p[n]))
		pid = p[n++].parent;
	return n;
}

/* ---- SSH_CONNECTION ---- */

static bool parse_address(const char *text, __u8 addr[16])
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	char plain[64];

	snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(text, "%"), text); /* a link-local one names its interface */
	if (inet_pton(AF_INET, plain, addr + 12) == 1) {
		memcpy(addr, mapped, sizeof(mapped));
		return true;
	}
	return inet_pton(AF_INET6, plain, addr) == 1;
}

/* "198.51.100.7 50022 192.0.2.1 22": the client first */
static bool parse_connection(const char *text, struct flow_key *key, __u8 *local_side)
{
	char client[64], server[64];
	unsigned cport, sport;
	__u8 caddr[16], saddr[16];

	if (sscanf(text, "%63s %u %63s %u", client, &cport, server, &sport) != 4 || !cport || !sport || cport > 65535 ||
	    sport > 65535 || !parse_address(client, caddr) || !parse_address(server, saddr))
		return false;
	*local_side = (__u8)flow_key_make(key, saddr, (__u16)sport, caddr, (__u16)cport);
	return true;
}

static bool connection_of(int pid, struct flow_key *key, __u8 *local_side)
{
	static const char name[] = "SSH_CONNECTION=";
	char *text = malloc(ENVIRON_MAX);
	size_t len = text ? read_proc(pid, "environ", text, ENVIRON_MAX) : 0, at;
	bool found = false;

	for (at = 0; at < len && !found; at += strlen(text + at) + 1)
		if (!strncmp(text + at, name, sizeof(name) - 1))
			found = parse_connection(text + at + sizeof(name) - 1, key, local_side);
	free(text);
	return found;
}

/* ---- the kernel's sockets ---- */

struct search {
	struct ward_session *out;
	const struct flow_key *key; /* this one, or */
	const __u32 *inode;         /* these, or */
	unsigned inodes;
	const __u16 *port; /* those of these local ports */
	unsigned ports;
};

static void add(struct ward_session *s, const struct flow_key *key, __u8 local_side)
{
	unsigned i;

	for (i = 0; i < s->count; i++)
		if (!memcmp(&s->flow[i], key, sizeof(*key)))
			return;
	if (s->count == POLICY_EXEMPT)
		return;
	s->flow[s->count] = *key;
	s->local_side[s->count++] = local_side;
}

static int look_at(const struct socket_info *sock, void *ctx)
{
	const struct search *s = ctx;
	bool wanted = s->key && !memcmp(s->key, &sock->key, sizeof(*s->key));
	unsigned i;

	if (sock->state != ESTABLISHED && sock->state != CLOSE_WAIT)
		return 0;
	for (i = 0; i < s->inodes; i++)
		wanted |= sock->inode && sock->inode == s->inode[i];
	for (i = 0; i < s->ports; i++)
		wanted |= sock->lport == s->port[i];
	if (wanted)
		add(s->out, &sock->key, sock->local_side);
	return 0;
}

/* The sockets that process pid holds, behind those that are there already. */
static unsigned sockets_of(int pid, __u32 *inode, unsigned count)
{
	char path[64], target[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && count < INODES && (entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[len > 0 ? len : 0] = '\0';
		if (sscanf(target, "socket:[%u]", &inode[count]) == 1)
			count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

/* ---- the three ways ---- */

/* A connection that SSH_CONNECTION names, and of which the kernel of this namespace has no socket. */
struct stale {
	struct flow_key key;
	__u8 local_side;
	const struct process *process; /* NULL: there is none */
};

static void by_environment(const struct process *p, int n, struct ward_session *out, struct stale *stale)
{
	struct flow_key key;
	__u8 side;
	int i;

	for (i = 0; i < n && !out->count; i++) {
		const struct search search = { .out = out, .key = &key };

		if (!connection_of(p[i].pid, &key, &side))
			continue;
		sockets_each(look_at, (void *)&search);
		if (out->count)
			snprintf(out->why, sizeof(out->why), "SSH_CONNECTION of process %d (%s)", p[i].pid, p[i].name);
		if (!stale->process)
			*stale = (struct stale){ .key = key, .local_side = side, .process = &p[i] };
	}
}

/*
 * sshd is outside of this namespace, or the connection is over, and whoever sits at the terminal multiplexer now came by
 * another one: so it is only one of those that may be meant.
 */
static void add_stale(struct ward_session *out, const struct stale *stale)
{
	const unsigned others = out->count;

	add(out, &stale->key, stale->local_side);
	out->how = others ? SESSION_SSHD : SESSION_SSH;
	snprintf(out->why, sizeof(out->why), "SSH_CONNECTION of process %d (%s), which this network namespace has no socket of%s",
		 stale->process->pid, stale->process->name, others ? "; and what sshd serves" : "");
}

static void by_ancestor(const struct process *p, int n, struct ward_session *out)
{
	__u32 inode[INODES];
	int i;

	for (i = 0; i < n && !out->count; i++) {
		const struct search search = { .out = out, .inode = inode, .inodes = is_sshd(p[i].name) ? sockets_of(p[i].pid, inode, 0) : 0 };

		if (!search.inodes)
			continue;
		sockets_each(look_at, (void *)&search);
		snprintf(out->why, sizeof(out->why), "the connection of process %d (%s)", p[i].pid, p[i].name);
	}
}

struct ports {
	const __u32 *inode;
	unsigned inodes, count;
	__u16 port[8];
};

static int take_listener(const struct socket_info *sock, void *ctx)
{
	struct ports *ports = ctx;
	unsigned i;

	for (i = 0; sock->state == LISTEN && i < ports->inodes && ports->count < 8; i++)
		if (sock->inode && sock->inode == ports->inode[i])
			ports->port[ports->count++] = sock->lport;
	return 0;
}

/* All that any sshd holds, and all connections to the ports on which one listens. */
static void by_service(struct ward_session *out)
{
	__u32 inode[INODES];
	struct ports ports = { .inode = inode };
	struct search search = { .out = out, .inode = inode };
	struct dirent *entry;
	struct process p;
	DIR *dir = opendir("/proc");

	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)*entry->d_name) && read_process(atoi(entry->d_name), &p) && is_sshd(p.name))
			search.inodes = sockets_of(p.pid, inode, search.inodes);
	if (dir)
		closedir(dir);
	ports.inodes = search.inodes;
	if (!search.inodes)
		return;
	sockets_each(take_listener, &ports);
	search.port = ports.port;
	search.ports = ports.count;
	sockets_each(look_at, &search);
}

/* A console, or none at all. A terminal of a pseudo-terminal's kind may be of anything. */
static bool is_local(unsigned tty)
{
	unsigned kind = major(tty);

	return !tty || kind == 4 || kind == 5 || kind == 204 || kind == 229;
}

void ward_session_find(int pid, struct ward_session *out)
{
	struct process p[ANCESTORS];
	struct stale stale = { .process = NULL };
	int n = lineage(pid ? pid : getpid(), p);

	memset(out, 0, sizeof(*out));
	out->how = SESSION_SSH;
	by_environment(p, n, out, &stale);
	if (!out->count)
		by_ancestor(p, n, out);
	if (out->count)
		return;
	by_service(out);
	if (stale.process) {
		add_stale(out, &stale);
	} else if (n && is_local(p[0].tty)) {
		out->how = SESSION_LOCAL;
		snprintf(out->why, sizeof(out->why), "%s%s", p[0].tty ? "a console of this machine" : "no terminal",
			 out->count ? "; it is one that sshd serves" : "");
	} else if (out->count) {
		out->how = SESSION_SSHD;
		snprintf(out->why, sizeof(out->why), "nothing tells which connection this terminal is of; these are sshd's");
	} else {
		out->how = SESSION_UNKNOWN;
		snprintf(out->why, sizeof(out->why), "neither SSH_CONNECTION nor an sshd with a connection is found");
	}
}
