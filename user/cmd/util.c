/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/util.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "tcp_seq.h"
/* after tcp_seq.h */
#include "flow_finding.h"

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

int parse_seconds(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *error;
	uint64_t ns, s;

	if (!parse_number(text, min, max, out))
		return 0;
	if (duration_parse(text, &ns, &error))
		return -EINVAL;
	s = ns / WARD_NS_PER_S + !!(ns % WARD_NS_PER_S);
	if (s < min || s > max)
		return -EINVAL;
	*out = s;
	return 0;
}

int cmd_filter(const struct cmd_line *line, int from, struct filter **out)
{
	struct filter_error error;

	if (!filter_parse(line->argc - from, line->argv + from, out, &error))
		return EXIT_OK;
	return cmd_error(EXIT_USAGE,
			 !strncmp(error.text, "unknown finding", 15) ? "man tcpward-findings lists all; tcpward explain NAME tells of one" :
			 !strncmp(error.text, "unknown", 7) ? "man tcpward, section FILTERS, has all words" :
							     "the grammar is ss(8)'s: state established and dport = :443",
			 "filter: %s (column %d)", error.text, error.column);
}

int cmd_filter_flows(const struct cmd_line *line, int from, struct filter **out)
{
	int code = cmd_filter(line, from, out);
	const char *word = code ? NULL : filter_of_events(*out);

	if (!word)
		return code;
	code = cmd_error(EXIT_USAGE, "tcpward watch prints events", "%s: '%s' is a filter for events: no flow matches it",
			 line->command, word);
	filter_free(*out);
	*out = NULL;
	return code;
}

int cmd_filter_all(const struct cmd_line *line, int from, struct filter **out)
{
	int code = cmd_filter(line, from, out);

	if (!code)
		filter_show_closed(*out);
	return code;
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

/* As the programs of the instance have them. */
static void track_opts_of(const struct ward_instance *info, struct track_opts *o)
{
	track_opts_init(o);
	memcpy(o->timeout_ns, info->timeout_ns, sizeof(o->timeout_ns));
	o->msl2_ns = info->msl2_s * WARD_NS_PER_S;
	o->rfc1337 = info->rfc1337;
	o->loose = !info->no_pickup;
	o->tap = info->tap;
}

uint64_t cmd_flow_findings(const struct ward *w, const struct flow *flow, uint64_t now_ns)
{
	struct track_opts track;

	track_opts_of(ward_info(w), &track);
	return flow_findings(flow, ward_detect_opts(w), &track, now_ns);
}

static const struct {
	const char *name, *text;
} blindness[] = {
#define X(id, name, text) { name, text },
	WARD_BLINDNESS(X)
#undef X
};

const char *cmd_blind_name(unsigned bit)
{
	return bit < BLIND_COUNT ? blindness[bit].name : "?";
}

const char *cmd_blind_text(unsigned bit)
{
	return bit < BLIND_COUNT ? blindness[bit].text : "?";
}

const char *cmd_blind_kinds(unsigned bit, char *buf, size_t size)
{
	unsigned long long kinds = detector_suppresses(1U << bit);
	size_t used = 0;

	*buf = '\0';
	for (unsigned kind = 0; kind < FINDING_COUNT && used < size; kind++)
		if (kinds >> kind & 1)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? ", " : "", finding_name(kind));
	return buf;
}

uint64_t cmd_grace_left(const struct ward *w, uint64_t now_ns)
{
	uint64_t end = ward_info(w)->created_ns + ward_detect_opts(w)->value[PARAM_OUT_OF_STATE_FLOOD_GRACE];

	return end > now_ns ? end - now_ns : 0;
}

void cmd_warn_blind(struct ward *w)
{
	unsigned blind = ward_blind(w);
	char kinds[BLIND_KINDS_LEN], grace[32], until[96] = "";

	fflush(stdout);
	for (unsigned bit = 0; bit < BLIND_COUNT; bit++) {
		if (!(blind >> bit & 1))
			continue;
		if (bit == BLIND_GRACE)
			snprintf(until, sizeof(until), "; the capture ends within %s of its begin (out-of-state-flood.grace)",
				 param_text(UNIT_TIME, ward_detect_opts(w)->value[PARAM_OUT_OF_STATE_FLOOD_GRACE], grace));
		fprintf(stderr, "tcpward: not looked for at the end: %s: %s (%s)%s\n",
			cmd_blind_kinds(bit, kinds, sizeof(kinds)), blindness[bit].text, blindness[bit].name,
			bit == BLIND_GRACE ? until : "");
	}
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
	return -cmd_error(EXIT_FAILED, "run as root, or as the owner: 'ls -ld /sys/fs/bpf /sys/fs/bpf/tcpward' shows whose they are",
			  "cannot look for instances: %s", strerror(-count));
}

int cmd_no_instance(void)
{
	struct ward *w;
	int err = ward_open(NULL, &w);

	if (err)
		return cmd_fail(err);
	ward_close(w); /* it has come meanwhile */
	return EXIT_OK;
}

bool cmd_still_pinned(const struct ward *w)
{
	char names[WARD_INSTANCES][WARD_NAME_LEN];
	int count = ward_instances(names, WARD_INSTANCES);

	for (int i = 0; i < count; i++)
		if (!strncmp(names[i], ward_name(w), WARD_NAME_LEN))
			return true;
	return count >= WARD_INSTANCES;
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
		cmd_say(LEVEL_NOTICE, "%s", lines[i]);
}
