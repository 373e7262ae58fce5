/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

static const char *const state_names[STATE_COUNT] = {"NONE",	   "CLOSED",	 "LISTEN",     "SYN_SENT",
						     "SYN_RCVD",   "ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2",
						     "CLOSE_WAIT", "CLOSING",	 "LAST_ACK",   "TIME_WAIT"};
static const char *const flag_names[FLAG_COUNT] = {
#define X(id, text) #id,
	WARD_FLAGS(X)
#undef X
};

static void die(const char *path, int line, const char *what, const char *word)
{
	fprintf(stderr, "%s:%d: %s '%s'\n", path, line, what, word);
	exit(2);
}

const char *vector_state_name(uint8_t state)
{
	return state == VECTOR_EXPIRED ? "EXPIRED" : state < STATE_COUNT ? state_names[state] : "?";
}

uint64_t vector_flag(const char *name)
{
	int i;

	for (i = 0; i < FLAG_COUNT; i++)
		if (!strcmp(flag_names[i], name))
			return 1ULL << i;
	return 0;
}

const char *vector_flags_text(uint64_t flags, char *buf, int n)
{
	int i, at = 0;

	buf[0] = '\0';
	for (i = 0; i < FLAG_COUNT; i++)
		if (flags >> i & 1)
			at += snprintf(buf + at, n - at, "%s%s", at ? "," : "", flag_names[i]);
	return at ? buf : "-";
}

static uint8_t parse_state(const char *path, int line, char *word, bool *conf)
{
	size_t n = strlen(word);
	int i;

	*conf = true;
	if (!strcmp(word, "EXPIRED"))
		return VECTOR_EXPIRED;
	if (n && word[n - 1] == '?') {
		*conf = false;
		word[n - 1] = '\0';
	}
	for (i = 0; i < STATE_COUNT; i++)
		if (!strcmp(word, state_names[i]))
			return (uint8_t)i;
	die(path, line, "unknown state", word);
	return 0;
}

static uint8_t parse_bits(const char *path, int line, char *word)
{
	static const struct {
		const char *name;
		uint8_t bit;
	} bits[] = {{"SYN", TH_SYN}, {"ACK", TH_ACK}, {"FIN", TH_FIN}, {"RST", TH_RST},
		    {"PSH", TH_PSH}, {"URG", TH_URG}, {"NULL", 0}};
	uint8_t all = 0;
	char *save, *w;
	unsigned i;

	for (w = strtok_r(word, "+", &save); w; w = strtok_r(NULL, "+", &save)) {
		for (i = 0; i < sizeof(bits) / sizeof(*bits) && strcmp(bits[i].name, w); i++)
			;
		if (i == sizeof(bits) / sizeof(*bits))
			die(path, line, "unknown control bit", w);
		all |= bits[i].bit;
	}
	return all;
}

static void parse_segment(const char *path, int line, char *words, struct vector_step *st)
{
	char *save, *w = strtok_r(words, " ", &save);

	st->from_client = w[0] == 'C';
	st->win = 64240;
	w = strtok_r(NULL, " ", &save);
	st->bits = parse_bits(path, line, w);
	while ((w = strtok_r(NULL, " ", &save))) {
		char *eq = strchr(w, '=');
		uint32_t v = eq ? (uint32_t)strtoul(eq + 1, NULL, 10) : 0;

		if (!eq)
			die(path, line, "not key=value", w);
		*eq = '\0';
		if (!strcmp(w, "seq"))
			st->seq = v;
		else if (!strcmp(w, "ack"))
			st->ack = v;
		else if (!strcmp(w, "len"))
			st->len = v;
		else if (!strcmp(w, "win"))
			st->win = (uint16_t)v;
		else if (!strcmp(w, "ts"))
			st->ts = v, st->has_ts = true;
		else if (!strcmp(w, "ws"))
			st->ws = (uint8_t)v, st->has_ws = true;
		else
			die(path, line, "unknown key", w);
	}
}

static void parse_step(const char *path, int line, char *text, struct vector_trace *t)
{
	char *arrow = strstr(text, " => "), a[24], b[24];
	struct vector_step *st;

	if (!arrow || sscanf(arrow + 4, "%23s %23s", a, b) != 2)
		die(path, line, "no expectation in", text);
	*arrow = '\0';
	t->steps = realloc(t->steps, (t->count + 1) * sizeof(*st));
	st = memset(&t->steps[t->count++], 0, sizeof(*st));
	st->line = line;
	st->state[0] = parse_state(path, line, a, &st->conf[0]);
	st->state[1] = parse_state(path, line, b, &st->conf[1]);
	if (!strncmp(text, "WAIT ", 5)) {
		st->wait = true;
		st->wait_ns = (uint64_t)(atof(text + 5) * 1e9);
	} else {
		parse_segment(path, line, text, st);
	}
}

static void parse_end(const char *path, int line, char *text, struct vector_trace *t)
{
	char *save, *inner, *w, *f;

	for (w = strtok_r(text + 4, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (!strncmp(w, "state=", 6))
			snprintf(t->conn_state, sizeof(t->conn_state), "%s", w + 6);
		else if (!strncmp(w, "hist=", 5))
			snprintf(t->history, sizeof(t->history), "%s", w + 5);
		else if (strncmp(w, "flags=", 6))
			die(path, line, "unknown key", w);
		else if (strcmp(w + 6, "-"))
			for (f = strtok_r(w + 6, ",", &inner); f; f = strtok_r(NULL, ",", &inner)) {
				if (!vector_flag(f))
					die(path, line, "unknown flag", f);
				t->flags |= vector_flag(f);
			}
	}
}

static void parse_options(char *text, struct vector_trace *t)
{
	char *save, *w;

	for (w = strtok_r(text + 4, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		sscanf(w, "rfc1337=%d", &t->rfc1337);
		sscanf(w, "loose=%d", &t->loose);
		sscanf(w, "tap=%d", &t->tap);
		sscanf(w, "msl2=%d", &t->msl2);
	}
}

int vectors_read(const char *path, struct vector_trace **out)
{
	FILE *in = fopen(path, "r");
	struct vector_trace *t = NULL;
	char text[400];
	int count = 0, line = 0;

	if (!in)
		die(path, 0, "cannot open", path);
	*out = NULL;
	while (fgets(text, sizeof(text), in)) {
		line++;
		text[strcspn(text, "\n#")] = '\0';
		if (!strncmp(text, "TRACE ", 6)) {
			*out = realloc(*out, (count + 1) * sizeof(**out));
			t = memset(&(*out)[count++], 0, sizeof(**out));
			t->line = line;
			t->loose = 1;
			t->msl2 = 60;
			if (sscanf(text + 6, "%15s %119[^\n]", t->id, t->text) < 1)
				die(path, line, "no name in", text);
		} else if (!t || !text[0]) {
			continue;
		} else if (!strncmp(text, "OPT ", 4)) {
			parse_options(text, t);
		} else if (!strncmp(text, "END ", 4)) {
			parse_end(path, line, text, t);
		} else {
			parse_step(path, line, text, t);
		}
	}
	fclose(in);
	return count;
}
