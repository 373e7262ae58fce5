// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * object: a policy as a tree of the keys and words of its file, by the same table that reads the file (schema.c). The tree
 * is what `policy show -j` prints; print.c makes YAML of it, diff.c compares two.
 */
#include <string.h>

#include "detect/detect.h"
#include "policy/schema.h"
#include "policy/show.h"

static void put(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add_ex(o, key, value, JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_KEY_IS_CONSTANT);
}

static struct json_object *word(const char *text)
{
	return json_object_new_string(text);
}

/* ---- numbers with units ---- */
/* An unsigned number of 1, 2, 4 or 8 bytes. */
static uint64_t number_at(const char *at, unsigned size)
{
	uint64_t n = 0;

	memcpy(&n, at, size); /* little-endian: tcpward.h */
	return n;
}

/* The roundest number of 'least' to 'most'. */
static uint64_t roundest(uint64_t least, uint64_t most)
{
	for (uint64_t scale = 1000000000; scale > 1; scale /= 10)
		if (most / scale * scale >= least && most >= scale)
			return most / scale * scale;
	return most;
}

/* rate_parse() rounds down, so several rates are one interval. */
const char *rate_text(const struct policy_rate *r, char buf[64])
{
	static const struct {
		const char *name;
		uint64_t ns;
	} periods[] = { { "s", POLICY_SECOND }, { "m", POLICY_MINUTE }, { "h", POLICY_HOUR }, { "d", POLICY_DAY } };

	for (size_t i = 0; i < ARRAY_SIZE(periods); i++) {
		uint64_t most = periods[i].ns / r->interval_ns;
		uint64_t n = roundest(periods[i].ns / (r->interval_ns + 1) + 1, most);

		if (!most || periods[i].ns / n != r->interval_ns)
			continue;
		if (n >= 10000 && n % 1000 == 0)
			snprintf(buf, 64, "%lluk/%s", (unsigned long long)n / 1000, periods[i].name);
		else
			snprintf(buf, 64, "%llu/%s", (unsigned long long)n, periods[i].name);
		return buf;
	}
	snprintf(buf, 64, "1/d");
	return buf;
}

static struct json_object *share(uint64_t permille)
{
	char text[16];

	snprintf(text, sizeof(text), permille % 10 ? "%u.%u%%" : "%u%%", (unsigned)permille / 10,
		 (unsigned)permille % 10);
	return word(text);
}

static struct json_object *duration(uint64_t ns)
{
	char text[64];

	return word(duration_words(ns, text));
}

/* A time as detect_opts_set() reads it: with one unit. */
static struct json_object *detect_time(uint64_t ns)
{
	unsigned long long n = ns;
	char text[32];

	if (n % POLICY_SECOND)
		snprintf(text, sizeof(text), "%llums", n / (POLICY_SECOND / 1000));
	else if (n % POLICY_HOUR == 0)
		snprintf(text, sizeof(text), "%lluh", n / POLICY_HOUR);
	else if (n % POLICY_MINUTE == 0)
		snprintf(text, sizeof(text), "%llum", n / POLICY_MINUTE);
	else
		snprintf(text, sizeof(text), "%llus", n / POLICY_SECOND);
	return word(text);
}

/* ---- lists ---- */
static struct json_object *addresses(const struct cidr_list *l)
{
	struct json_object *list = json_object_new_array_ext((int)l->count);
	char text[64];

	for (size_t i = 0; i < l->count; i++)
		json_object_array_add(list, word(cidr_text(&l->item[i], text)));
	return list;
}

static struct json_object *ranges(const struct range_list *l)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < l->count; i++) {
		const struct port_range *r = &l->item[i];
		char text[16];

		snprintf(text, sizeof(text), "%u-%u", r->from, r->to);
		json_object_array_add(list, r->from == r->to ? json_object_new_int(r->from) : word(text));
	}
	return list;
}

static struct json_object *names(char (*name)[WARD_NAME_LEN], size_t count)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, json_object_new_string_len(name[i], (int)strnlen(name[i], WARD_NAME_LEN)));
	return list;
}

static struct json_object *reasons(uint64_t mask)
{
	static const char *const invalid[] = {
#define X(id, name, text) name,
		WARD_INVALID(X)
#undef X
	};
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < INVALID_COUNT; i++)
		if (mask >> i & 1)
			json_object_array_add(list, word(invalid[i]));
	return list;
}

/* ---- keys: base is the struct of their place ---- */
static struct json_object *place_object(const struct policy *p, enum schema_place place, const char *base);

static struct json_object *word_of(const struct schema_key *key, uint64_t value)
{
	for (unsigned i = 0; i < key->words.count; i++) {
		const char *name = key->words.word[i].name;

		if (key->words.word[i].value != value)
			continue;
		return strcmp(name, "true") && strcmp(name, "false") ? word(name) : json_object_new_boolean(value != 0);
	}
	return NULL;
}

/* A value of the struct that is one number. NULL: it was not given, and has no default. */
static struct json_object *number_object(const struct schema_key *key, uint64_t n)
{
	bool always = key->fallback && *key->fallback != '(';

	switch (key->kind) {
	case KEY_WORDS:
		return word_of(key, n);
	case KEY_DURATION:
		return n || always ? duration(n) : NULL;
	case KEY_SHARE:
		return n ? share(n) : NULL;
	case KEY_COUNT:
		return n || always ? json_object_new_uint64(n) : NULL;
	case KEY_INVALID:
		return n ? reasons(n) : NULL;
	case KEY_FLAGS:
		return n ? control_bits(n) : NULL;
	case KEY_FINDING:
		return word(finding_name((unsigned)n));
	default:
		return NULL;
	}
}

static struct json_object *list_object(const struct policy *p, enum schema_place place)
{
	size_t count = place == PLACE_SERVICE ? p->service_count
		       : place == PLACE_RULE  ? p->rule_count
					      : p->reaction_count;
	struct json_object *list = count ? json_object_new_array() : NULL;

	for (size_t i = 0; i < count; i++) {
		const void *base = place == PLACE_SERVICE ? (const void *)&p->service[i]
				   : place == PLACE_RULE  ? (const void *)&p->rule[i]
							  : (const void *)&p->reaction[i];

		json_object_array_add(list, place_object(p, place, base));
	}
	return list;
}

/* NULL where the mapping would be empty, and where a limit is not on. */
static struct json_object *map_object(const struct policy *p, const struct schema_key *key, const char *base)
{
	struct json_object *o;

	base += key->offset;
	if (key->size == sizeof(struct policy_limit) && !((const struct policy_limit *)(const void *)base)->on)
		return NULL;
	o = place_object(p, key->place, base);
	if (json_object_object_length(o))
		return o;
	json_object_put(o);
	return NULL;
}

static struct json_object *iface_object(const struct policy *p, enum schema_place place, const char *base)
{
	const struct policy_match *m = (const void *)base;

	if (place == PLACE_TOP)
		return p->iface_count ? names(p->iface, p->iface_count) : NULL;
	return m->iface_count ? names(m->iface, m->iface_count) : NULL;
}

/* rate: the last one of this place, which "burst" belongs to. */
static struct json_object *key_object(const struct policy *p, enum schema_place place, const struct schema_key *key,
				      const char *base, const struct policy_rate *rate)
{
	const void *at = base + key->offset;
	char text[64];

	switch (key->kind) {
	case KEY_VERSION:
		return json_object_new_int(1);
	case KEY_NAME:
		return json_object_new_string_len(at, (int)strnlen(at, POLICY_NAME_LEN));
	case KEY_ADDRESSES:
		return ((const struct cidr_list *)at)->given ? addresses(at) : NULL;
	case KEY_PORTS:
	case KEY_VLANS:
		return ((const struct range_list *)at)->given ? ranges(at) : NULL;
	case KEY_IFACES:
		return iface_object(p, place, base);
	case KEY_RATE:
		return rate->interval_ns ? word(rate_text(rate, text)) : NULL;
	case KEY_MAP:
		return map_object(p, key, base);
	case KEY_LIST:
		return list_object(p, key->place);
	default:
		break;
	}
	if (!key->size) /* "burst", and the mode of a service, which stands in its limits */
		return key->kind == KEY_COUNT && rate && rate->interval_ns ? json_object_new_uint64(rate->burst) : NULL;
	return number_object(key, number_at(at, key->size));
}

static struct json_object *threshold(const struct param_row *param, uint64_t value)
{
	char text[32];

	if (param->unit == UNIT_TIME)
		return detect_time(value);
	if (param->unit == UNIT_COUNT)
		return json_object_new_uint64(value);
	snprintf(text, sizeof(text), "%llu%%", (unsigned long long)value);
	return word(text);
}

static struct json_object *detect_object(const struct policy *p)
{
	struct json_object *o = json_object_new_object(), *of_finding;
	const struct param_row *param = detect_params();

	for (unsigned i = 0; i < PARAM_COUNT; i++) {
		if (!p->detect_given[i])
			continue;
		if (!json_object_object_get_ex(o, finding_name(param[i].finding), &of_finding)) {
			of_finding = json_object_new_object();
			put(o, finding_name(param[i].finding), of_finding);
		}
		put(of_finding, param[i].name, threshold(&param[i], p->detect.value[i]));
	}
	return o;
}

static struct json_object *place_object(const struct policy *p, enum schema_place place, const char *base)
{
	struct json_object *o, *value;
	const struct policy_rate *rate = NULL;
	const struct schema_key *keys;
	unsigned count;

	if (place == PLACE_DETECT)
		return detect_object(p);
	o = json_object_new_object();
	keys = schema_keys(place, &count);
	for (unsigned i = 0; i < count; i++) {
		const struct schema_key *key = &keys[i];

		if (key->kind == KEY_RATE)
			rate = (const void *)(base + key->offset);
		if (key->kind == KEY_TRUE) /* the last of a match: no condition stands before it */
			value = json_object_object_length(o) ? NULL : json_object_new_boolean(true);
		else
			value = key_object(p, place, key, base, rate);
		if (value)
			put(o, key->name, value);
	}
	return o;
}

struct json_object *policy_json(const struct policy *p)
{
	return place_object(p, PLACE_TOP, (const char *)p);
}
