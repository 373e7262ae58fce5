// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* policy apply: reads a file whole, compiles it for the instance, sees to it that its author is not cut off, and puts it in
 * force. What `run` and `attach` do with --policy is the same. */
#include "cmd/policy_apply.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/policy.h"
#include "policy/policy.h"
#include "report/policy.h"
#include "report/report.h"

#define CONFIRM_MAX 86400 /* seconds */

enum { KEY_CONFIRM = 0x200, KEY_DRY_RUN };

static const struct argp_option options[] = {
	{ "confirm", KEY_CONFIRM, "DURATION", 0, "It takes itself back after so long (60, 90s, 2m), unless 'tcpward policy confirm' comes before", 0 },
	{ "dry-run", KEY_DRY_RUN, NULL, 0, "In mode dry-run, whatever the file says: count what it would drop", 0 },
	{ 0 },
};

struct words {
	uint64_t confirm_s;
	bool dry_run;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct words *words = state->input;

	switch (key) {
	case KEY_CONFIRM:
		if (parse_seconds(arg, 1, CONFIRM_MAX, &words->confirm_s))
			argp_error(state, "--confirm '%s': write 60, 90s, 2m or 1h30m: from 1s to 24h", arg);
		return 0;
	case KEY_DRY_RUN:
		return words->dry_run = true, 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- reading ---- */
struct policy *policy_load(const char *path, const char *means)
{
	unsigned errors = 0;
	struct policy *p = policy_read(path, stderr, &errors);

	if (!p)
		cmd_error(EXIT_USAGE, NULL, "policy '%s' has %u error%s: %s", path, errors, errors == 1 ? "" : "s", means);
	return p;
}

static struct policy_image *compile(const struct ward *w, const struct policy *p, const char **error)
{
	const struct ward_instance *info = ward_info(w);
	char ifaces[WARD_IFACES][WARD_NAME_LEN];
	unsigned count = 0;

	while (count < info->iface_count && count < WARD_IFACES) {
		memcpy(ifaces[count], info->iface[count].name, WARD_NAME_LEN);
		count++;
	}
	return policy_compile(p, ifaces, count, error);
}

/* What is kept beside the policy: "@lists" are looked for relative to it, from wherever it is shown. */
static const char *full_path(const char *path, char buf[PATH_MAX])
{
	if (!strcmp(path, "-"))
		return "standard input";
	return realpath(path, buf) ? buf : path;
}

/* ---- the session ---- */
static bool may_drop(const struct policy *p)
{
	return p->mode == MODE_ENFORCE;
}

/* Says which connections are exempt, or why that needs no thought; refuses what could cut an unknown one. */
static int secure_session(const struct policy *p, const struct policy_put *how, struct ward_session *s)
{
	char flow[128];

	ward_session_find(0, s);
	if (!may_drop(p))
		return EXIT_OK;
	for (unsigned i = 0; i < s->count; i++)
		fprintf(stderr, "tcpward: exempt until confirmed: %s (%s)\n", policy_flow_text(&s->flow[i], s->local_side[i], flow),
			s->why);
	if (s->count)
		return EXIT_OK;
	if (s->how == SESSION_LOCAL) {
		fprintf(stderr, "tcpward: no connection is exempt: this session is local (%s), and sshd serves none\n", s->why);
		return EXIT_OK;
	}
	if (how->confirm_s || how->unattended) {
		fprintf(stderr, "tcpward: no connection is exempt: %s\n", s->why);
		return EXIT_OK;
	}
	return cmd_error(EXIT_FAILED, "policy apply --confirm 60 takes it back, unless you confirm it",
			 "policy '%s' could cut the session that applies it, and that is not found: %s", how->path, s->why);
}

/* ---- applying ---- */
static bool answers_with_cookies(const struct policy_service *s)
{
	for (unsigned k = 0; k < LIMIT_COUNT; k++)
		if (s->limit[k].on && s->limit[k].then == THEN_SYNCOOKIE)
			return true;
	return false;
}

/* A port of each service that answers with cookies; how many there are. */
static unsigned cookie_ports(const struct policy *p, uint16_t port[POLICY_SERVICES])
{
	unsigned count = 0;

	for (size_t i = 0; i < p->service_count && i < POLICY_SERVICES; i++)
		if (answers_with_cookies(&p->service[i].service) && p->service[i].match.dport.count)
			port[count++] = p->service[i].match.dport.item[0].from;
	return count;
}

/* Does a service answer SYNs to this place with cookies? Whoever they come from, by whichever interface. */
static bool protects(const void *ctx, const __u8 addr[16], __u16 port)
{
	static const __u8 anybody[16] = { [10] = 0xff, [11] = 0xff };
	const struct policy_image *image = ctx;
	struct segment seg = { .bits = TH_SYN, .vlan = VLAN_UNSEEN };
	uint32_t services = 0;

	seg.dir = (__u8)flow_key_make(&seg.key, anybody, 0, addr, port);
	for (seg.iface = 0; seg.iface < WARD_IFACES; seg.iface++)
		services |= policy_image_services(image, &seg);
	for (unsigned i = 0; i < POLICY_SERVICES; i++)
		for (unsigned k = 0; services >> i & 1 && k < LIMIT_COUNT; k++)
			if (image->config.service[i].limit[k].on && image->config.service[i].limit[k].then == THEN_SYNCOOKIE)
				return true;
	return false;
}

/* ---- what it cannot protect ---- */
/* "80, 8000-8100": the ports of these ranges on which nobody listens, as far as they fit. */
static void unheard_text(const struct range_list *ranges, const __u64 heard[1024], char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; i < ranges->count; i++)
		for (unsigned port = ranges->item[i].from, end; port <= ranges->item[i].to; port = end + 1) {
			for (end = port; end <= ranges->item[i].to && !(heard[end >> 6] >> (end & 63) & 1); end++)
				;
			if (end == port || used + 24 > size) /* heard, or no room */
				continue;
			used += (size_t)snprintf(text + used, size - used, "%s%u", used ? ", " : "", port);
			if (end - 1 > port)
				used += (size_t)snprintf(text + used, size - used, "-%u", end - 1);
		}
}

/* A cookie needs a listener here, which would take it. Nobody may listen yet; or never, where the host passes such SYNs on. */
static void warn_unheard(const struct ward *w, const struct policy *p, const struct policy_image *image, const char *path)
{
	__u64 heard[1024];
	char text[160];

	if (!image->config.has_cookies || ward_listening(w, protects, image, heard))
		return;
	for (size_t i = 0; i < p->service_count; i++) {
		if (!answers_with_cookies(&p->service[i].service))
			continue;
		unheard_text(&p->service[i].match.dport, heard, text, sizeof(text));
		if (text[0])
			cmd_error(EXIT_OK, "start the server here; in front of other machines and containers: 'then: drop-first-syn'",
				  "policy '%s': nobody listens on port %s of service '%s': SYNs to it are not answered with cookies", path,
				  text, p->service[i].service.name);
	}
}

static void warn_unanswered(struct ward *w, const struct policy_image *image, const char *path)
{
	if (policy_has_half_open(&image->config) && ward_unanswered(w))
		cmd_error(EXIT_OK, POLICY_UNANSWERED_MEND, "policy '%s': half-open limits are not enforced: " POLICY_UNANSWERED, path);
}

/* Before the policy is in force: what SYN cookies lack is a reason not to apply it. */
static int cookies_on(struct ward *w, const struct policy *p, const struct policy_image *image)
{
	uint16_t port[POLICY_SERVICES];
	const struct ward_cookie_options opt = {
		.flavour = (enum cookie_flavour)p->cookie_flavour,
		.set_sysctls = p->set_sysctls,
		.port = port,
		.ports = cookie_ports(p, port),
		.protects = protects,
		.ctx = image,
	};
	const char *const *notes;
	int i, count, before = ward_notes(w, &notes), err;

	if (!image->config.has_cookies || p->mode < MODE_ENFORCE)
		return 0;
	err = ward_cookies_on(w, &opt);
	count = ward_notes(w, &notes);
	for (i = before; !err && i < count && ward_info(w)->iface[0].hooks; i++) /* not attached yet: whoever does tells them */
		fprintf(stderr, "tcpward: %s\n", notes[i]);
	return err;
}

/* Does the policy in force answer with cookies? When another one replaces it, it is what a rollback brings back, be it by time
 * with no process alive: then all must be ready for them. */
static bool has_cookies_now(struct ward *w)
{
	struct ward_policy active;

	return !ward_policy_get(w, &active) && active.config && active.config->has_cookies;
}

/* Which policy gives way, and how it comes back. */
static void tell_replaced(const struct ward *w, const struct ward_policy_brief *old, const char *new)
{
	char span[24];

	cmd_say(LEVEL_NOTICE, "policy '%s' (%s, in force for %s) gives way to '%s'; back to it: tcpward policy rollback", old->file,
		policy_mode_name(old->mode), duration_text(ward_now_ns(w) - old->applied_ns, span), new);
}

int policy_put(struct ward *w, struct policy *p, const struct policy_put *how)
{
	const char *error = NULL;
	struct ward_session session = { 0 };
	struct policy_image *image;
	char path[PATH_MAX];
	struct ward_apply apply = {
		.file = full_path(how->path, path),
		.text = p->text,
		.confirm_s = how->confirm_s,
		.learn_ns = p->learn_ns,
		.session = &session,
	};
	bool had_cookies = has_cookies_now(w), replaces;
	struct ward_policy_brief before;
	int code, err;

	if (how->dry_run && p->mode > MODE_DRY_RUN)
		p->mode = MODE_DRY_RUN;
	image = compile(w, p, &error);
	if (!image)
		return cmd_error(EXIT_USAGE, NULL, "cannot apply policy '%s' to instance '%s': %s", how->path, ward_name(w), error);
	code = secure_session(p, how, &session);
	err = code ? 0 : ward_policy_begin(w); /* two at once would take each other's cookies down */
	if (!code && !err) {
		err = cookies_on(w, p, image);
		replaces = ward_policy_brief(w, &before);
		if (!err)
			err = ward_policy_apply(w, image, &apply);
		if (!err && replaces && !how->again)
			tell_replaced(w, &before, how->path);
		if (!err) {
			warn_unheard(w, p, image, how->path);
			warn_unanswered(w, image, how->path);
		}
		if (!err && !image->config.has_cookies && !had_cookies)
			ward_cookies_off(w);
		ward_policy_end(w);
	}
	policy_image_free(image);
	return err ? cmd_fail(err) : code;
}

/* ---- the options of an instance ---- */
void policy_track(const struct policy *p, struct ward_options *opt)
{
	memcpy(opt->timeout_ns, p->timeout_ns, sizeof(opt->timeout_ns));
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		if (p->detect_given[i])
			opt->detect.value[i] = p->detect.value[i];
	if (may_drop(p))
		opt->enforce = true;
}

void policy_warn_track(const struct ward *w, const struct policy *p)
{
	bool timeouts = false, detect = false;

	for (unsigned i = 0; i < TIMEOUT_COUNT; i++)
		timeouts |= p->timeout_ns[i] && p->timeout_ns[i] != ward_info(w)->timeout_ns[i];
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		detect |= p->detect_given[i] && p->detect.value[i] != ward_detect_opts(w)->value[i];
	if (timeouts || detect)
		cmd_error(EXIT_OK, "run --policy FILE, or attach --policy FILE, after detach",
			  "the policy's %s%s%s are for the making of an instance: '%s' goes on with its own", timeouts ? "time-outs" : "",
			  timeouts && detect ? " and " : "", detect ? "thresholds" : "", ward_name(w));
}

/* ---- run and attach ---- */
int policy_start_read(struct policy_start *s, struct ward_options *opt)
{
	if (!s->path)
		return EXIT_OK;
	s->policy = policy_load(s->path, "nothing was changed");
	if (!s->policy)
		return EXIT_USAGE;
	policy_track(s->policy, opt);
	return EXIT_OK;
}

static int before_attach(struct ward *w, void *ctx)
{
	struct policy_start *s = ctx;
	const struct policy_put how = { .path = s->path, .unattended = true };
	struct ward_policy now;

	if (!ward_policy_get(w, &now) && now.rollback_ns) { /* of the instance that is taken over: its author decides */
		cmd_say(LEVEL_WARNING, "policy '%s' waits for its confirmation: it stays, and '%s' is not applied", now.config->file, s->path);
		return 0;
	}
	s->code = policy_put(w, s->policy, &how);
	return s->code ? -ECANCELED : 0;
}

void policy_start_hook(struct policy_start *s, struct ward *w)
{
	if (s->policy)
		ward_before_attach(w, before_attach, s);
}

void policy_start_free(struct policy_start *s)
{
	policy_free(s->policy);
	s->policy = NULL;
}

void policy_reload(struct ward *w, const char *path)
{
	const struct policy_put how = { .path = path, .unattended = true, .again = true };
	struct policy *p = policy_load(path, "nothing was changed");

	if (p && !policy_put(w, p, &how)) {
		cmd_say(LEVEL_NOTICE, "policy '%s' is read again and in force: %s", path, policy_mode_name(p->mode));
		policy_warn_track(w, p);
	}
	policy_free(p);
}

void policy_tell(const char *path, const struct policy *p)
{
	printf("policy '%s' is in force: %s, %zu service%s, %zu rule%s\n", path, policy_mode_name(p->mode), p->service_count,
	       p->service_count == 1 ? "" : "s", p->rule_count, p->rule_count == 1 ? "" : "s");
}

/* ---- the command ---- */
/* Time to learn is the instance's: one that is older has had it. */
static void tell_learning(struct ward *w, const struct policy *p)
{
	uint64_t now_ns = ward_now_ns(w), until_ns = ward_info(w)->created_ns + p->learn_ns;
	char span[24];

	if (p->learn_ns && until_ns > now_ns)
		printf("it learns for another %s, counted from the start of '%s', and drops nothing until then\n",
		       duration_text(until_ns - now_ns, span), ward_name(w));
}

static void tell(struct ward *w, const struct words *words, const char *path, const struct policy *p)
{
	policy_tell(path, p);
	tell_learning(w, p);
	if (words->confirm_s)
		printf("it takes itself back in %llu s, unless: tcpward policy confirm\n", (unsigned long long)words->confirm_s);
}

int cmd_policy_apply(int argc, char **argv)
{
	struct words words = { 0 };
	struct policy_put how = { 0 };
	struct cmd_line line;
	struct policy *p;
	struct ward *w;
	int code;

	cmd_parse(&line, OPT_NAME, options, parse, &words, "FILE",
		  "Put a policy in force, at once and as a whole; after an error the one before stays as it is. The connection that "
		  "this is typed over is exempt until 'tcpward policy confirm'.",
		  argc, argv);
	if (line.argc != 1)
		return cmd_error(EXIT_USAGE, "tcpward policy apply FILE", "policy apply: name one file (-: standard input)");
	p = policy_load(line.argv[0], "nothing was changed");
	if (!p)
		return EXIT_USAGE;
	code = cmd_open(&line, &w);
	if (!code) {
		how = (struct policy_put){ .path = line.argv[0], .confirm_s = (uint32_t)words.confirm_s, .dry_run = words.dry_run };
		code = policy_put(w, p, &how);
		if (!code) {
			tell(w, &words, line.argv[0], p);
			policy_warn_track(w, p);
		}
		ward_close(w);
	}
	policy_free(p);
	return code;
}
