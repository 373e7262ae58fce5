/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * policy: text <-> struct. A policy file (YAML 1.2, tcpward-policy(5)) is read into a struct policy, which says what the
 * file says; policy_compile() makes of it what the packet path reads (include/enforce.h). No libbpf, no clock.
 */
#ifndef USER_POLICY_H
#define USER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "syncookie.h"
#include "finding.h"
#include "enforce.h"
#include "tcp_opts.h"

#define POLICY_ENTRIES_MAX 200000 /* addresses and prefixes of one list */

struct cidr {
	struct address_prefix prefix; /* IPv4: ::ffff:a.b.c.d, len with 96 more; bits beyond len are 0 */
};

struct cidr_list {
	struct cidr *item;
	size_t count;
	bool given; /* the key stands in the file: an empty list matches nothing */
};

struct port_range {
	uint16_t from, to; /* host order, both included; VLAN ids too */
};

struct range_list {
	struct port_range *item;
	size_t count;
	bool given;
};

/* The condition of a rule or service: keys are AND, lists are OR. */
struct policy_match {
	struct cidr_list saddr, daddr;
	struct range_list sport, dport, vlan;
	char (*iface)[WARD_NAME_LEN];
	size_t iface_count;
	uint32_t invalid;    /* 1 << enum policy_invalid; 0: not asked for */
	uint64_t flags;      /* 1 << each value of the six control bits (include/tcpward.h: TH_*) that matches; 0: not asked for */
};

struct policy_file_rule {
	struct policy_rule rule;
	struct policy_match match;
};

struct policy_file_service {
	struct policy_service service;
	struct policy_match match; /* daddr, dport, vlan, iface alone */
};

/* What is done when something is found: D10's "block its source for 60 s", D11's "close". */
enum reaction_then { REACT_BLOCK, REACT_CLOSE };
struct policy_reaction {
	uint8_t finding; /* enum finding_kind */
	uint8_t then;    /* enum reaction_then */
	uint8_t mode;    /* enum policy_mode */
	uint64_t for_ns; /* REACT_BLOCK */
};

struct policy {
	enum policy_mode mode;
	enum policy_check check;
	char (*iface)[WARD_NAME_LEN]; /* of the instance; none: any */
	size_t iface_count;
	struct cidr_list allow;
	uint64_t learn_ns;
	bool open_without_sweeper; /* without-daemon: open */
	bool drop_unparsed;
	uint8_t cookie_flavour; /* enum cookie_flavour */
	struct policy_rate cookie_rate;
	bool set_sysctls; /* syncookie: set what the kernel's settings lack */
	struct policy_file_service *service;
	size_t service_count; /* at most POLICY_SERVICES */
	struct policy_file_rule *rule;
	size_t rule_count; /* at most POLICY_RULES */
	struct policy_reaction *reaction;
	size_t reaction_count;
	uint64_t timeout_ns[TIMEOUT_COUNT]; /* 0: not given */
	bool detect_given[PARAM_COUNT];
	struct detect_opts detect;
	char *text; /* the file as it was read, for `policy show` */
};

/* ---- reading ---- */
/*
 * Reads the file ("-": standard input), whole, and checks all of it. Every error goes to err as one line
 * "file:line:column: what is wrong, the text in quotes: a hint". Returns NULL after any error; *errors: how many there were.
 * "@file" lists are looked for relative to the policy file.
 */
struct policy *policy_read(const char *path, FILE *err, unsigned *errors);
/* The same from memory; name stands in the errors, dir (may be NULL: the working directory) is where "@file" is looked for. */
struct policy *policy_parse(const char *text, size_t len, const char *name, const char *dir, FILE *err, unsigned *errors);
void policy_free(struct policy *p);
/* One address or prefix as text ("192.0.2.0/24", "2001:db8::1"), or -EINVAL with *error one line. Host bits must be 0. */
int cidr_parse(const char *text, struct cidr *out, const char **error);
const char *cidr_text(const struct cidr *c, char buf[64]);
/* "10m", "1h30m", "250ms": nanoseconds; "50/s", "10/m": a bucket of burst 1. 0 or -EINVAL with *error one line. */
int duration_parse(const char *text, uint64_t *ns, const char **error);
int rate_parse(const char *text, struct policy_rate *out, const char **error);
/* "50/s": what rate_parse() makes the same interval of; the interval is not 0. */
const char *rate_text(const struct policy_rate *r, char buf[64]);
/* A list file: one address or prefix a line, "#" begins a comment. Errors as above. 0 or the number of errors. */
unsigned cidr_list_read(const char *path, struct cidr_list *out, FILE *err);

/* ---- what it says ---- */
/* The policy in its own format, whole and with the defaults that act; parsing it again gives the same policy. */
void policy_print(const struct policy *p, FILE *out);
/* The same as a JSON object. */
struct json_object *policy_json(const struct policy *p);
/* What changes from a to b, one line each ("service web: half-open.enter: 25% -> 30%"); returns how many. a may be NULL. */
unsigned policy_diff(const struct policy *a, const struct policy *b, FILE *out);
/* The same as an array of objects: path, change (changed, added, removed, moved), and from, to, items or behind. */
struct json_object *policy_diff_json(const struct policy *a, const struct policy *b);

/* ---- what the packet path reads ---- */
struct policy_address {
	struct address_prefix prefix;
	struct policy_class class;
};

struct policy_table {
	struct policy_address *item; /* whole addresses (len 128), or prefixes */
	size_t count;
};

struct policy_image {
	struct policy_config config;
	struct policy_ports ports;
	struct policy_table saddr_exact, saddr_prefix, daddr_exact, daddr_prefix;
	uint8_t block_len[2]; /* see policy_live */
};

/*
 * Makes the image. ifaces: the names of the instance's interface rows; NULL: there is no instance (policy check, replay),
 * and what is said of interfaces holds on each of them. A policy with "interfaces" has rules and services on those alone.
 * NULL with *error one line, which stays until the next call, if it needs more classes than there is room for, names an
 * interface that is not the instance's, or has limits that cannot stand together. What needs a clock or the maps
 * (learn_until_ns, exempt) is left 0. Free with policy_image_free().
 */
struct policy_image *policy_compile(const struct policy *p, const char (*ifaces)[WARD_NAME_LEN], unsigned iface_count,
				    const char **error);
void policy_image_free(struct policy_image *image);
/*
 * The rules that match one segment, 1 << each: the lowest decides. invalid: 1 << enum policy_invalid of what is wrong with
 * it. The same AND of classes that the packet path makes, but its tables are searched from end to end: for tests.
 */
uint64_t policy_image_rules(const struct policy_image *image, const struct segment *seg, uint32_t invalid);
/* The same for services: 1 << each whose match holds. */
uint32_t policy_image_services(const struct policy_image *image, const struct segment *seg);
/* Whether the policy's allow list has the segment's source. */
bool policy_image_allows(const struct policy_image *image, const struct segment *seg);
/*
 * The rule that drops the segment, in enforce mode and leaving limits of services and the block list aside: -1: none does.
 * One that drops only what is above a rate counts as none.
 */
int policy_image_dropper(const struct policy_image *image, const struct segment *seg, uint32_t invalid);
/*
 * Makes the lists of p what they were when an image was made: `now` is p's own image, `then` that of the same text, whose lists in
 * files ("@FILE") may have been others. What is said twice may be said once. 0; -EINVAL: the images are not of one text; -ENOMEM.
 */
int policy_lists_restore(struct policy *p, const struct policy_image *now, const struct policy_image *then);

/* ---- the schema: one table for the parser, the man page and completion ---- */
struct policy_schema_row {
	const char *path;     /* "services[].half-open.enter" */
	const char *type;     /* "share", "duration", "one of: drop, block" */
	const char *fallback; /* default, "" if it must be given */
	const char *text;     /* one sentence */
};
const struct policy_schema_row *policy_schema(unsigned *count);

#endif
