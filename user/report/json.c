// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* json: the members that several objects have in common, and how an object is printed. */
#include "detect/detect.h"
#include "report/internal.h"

const struct pair_names pair_now = { "orig_state", "resp_state", "orig_confirmed", "resp_confirmed" };
const struct pair_names pair_old = { "old_orig_state", "old_resp_state", "old_orig_confirmed", "old_resp_confirmed" };

/* Names are constants and never repeated: json-c neither copies nor looks them up. */
void json_add(struct json_object *o, const char *name, struct json_object *value)
{
	json_object_object_add_ex(o, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_KEY_IS_CONSTANT);
}

struct json_object *json_text(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

struct json_object *json_number(uint64_t n)
{
	return json_object_new_uint64(n);
}

struct json_object *json_flags(uint64_t flags)
{
	struct json_object *list = json_object_new_array();

	for (unsigned bit = 0; bit < FLAG_COUNT; bit++)
		if (flags >> bit & 1)
			json_object_array_add(list, json_text(flag_name(bit)));
	return list;
}

struct json_object *json_findings(uint64_t mask)
{
	struct json_object *list = json_object_new_array();

	for (unsigned kind = 0; kind < FINDING_COUNT; kind++)
		if (mask >> kind & 1)
			json_object_array_add(list, json_text(finding_name(kind)));
	return list;
}

struct json_object *json_vlan(__u16 vlan)
{
	return vlan == VLAN_UNSEEN ? NULL : json_number(vlan);
}

struct json_object *json_addr(const __u8 addr[16])
{
	char text[46];

	return json_text(addr_text(addr, text));
}

void json_add_tuple(struct json_object *o, const struct flow_key *key, int orig)
{
	json_add(o, "saddr", json_addr(key_addr(key, orig)));
	json_add(o, "sport", json_number(key_port(key, orig)));
	json_add(o, "daddr", json_addr(key_addr(key, !orig)));
	json_add(o, "dport", json_number(key_port(key, !orig)));
}

void json_add_pair(struct json_object *o, const struct pair_names *names, const enum tcp_state state[2],
		   const bool conf[2], int orig)
{
	json_add(o, names->orig_state, json_text(state_name(state[orig])));
	json_add(o, names->resp_state, json_text(state_name(state[!orig])));
	json_add(o, names->orig_confirmed, json_object_new_boolean(state_confirmed(state[orig], conf[orig])));
	json_add(o, names->resp_confirmed, json_object_new_boolean(state_confirmed(state[!orig], conf[!orig])));
}

void json_print(const struct report_style *style, struct json_object *o)
{
	int how = JSON_C_TO_STRING_NOSLASHESCAPE;

	if (style->pretty)
		how |= JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	fputs(json_object_to_json_string_ext(o, how), style->out);
	json_object_put(o);
}

void json_print_line(const struct report_style *style, struct json_object *o)
{
	json_print(style, o);
	fputc('\n', style->out);
	fflush(style->out);
}

void report_list_open(struct report *r)
{
	if (!r->stream)
		fputc('[', r->style.out);
}

void report_object(struct report *r, struct json_object *o)
{
	if (r->stream) {
		json_print_line(&r->style, o);
	} else {
		fputs(r->count ? ",\n" : "\n", r->style.out);
		json_print(&r->style, o);
	}
	r->count++;
}
