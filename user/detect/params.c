// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Thresholds: --detect stale-syn.after=5s. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "detect/internal.h"
#include "report/nearest.h"

#define NS_PER_MS 1000000ULL
#define COUNT_MAX 1000000000ULL
#define TIME_MIN (1 * DETECT_SECOND)
#define TIME_MAX (24 * 3600 * DETECT_SECOND)
#define HANDSHAKE_MAX (60 * DETECT_SECOND)
#define WORD 64

static const struct param_row rows[PARAM_COUNT] = {
#define X(finding_, id, name_, unit_, value_, text_)                                                                   \
	{ .finding = FINDING_##finding_,                                                                               \
	  .name = name_,                                                                                               \
	  .unit = UNIT_##unit_,                                                                                        \
	  .value = UNIT_##unit_ == UNIT_TIME ? (value_) * DETECT_SECOND : (value_),                                    \
	  .text = text_ },
	WARD_PARAMS(X)
#undef X
};

const struct param_row *detect_params(void)
{
	return rows;
}

const char *param_text(enum param_unit unit, uint64_t value, char buf[32])
{
	unsigned long long n = value;

	if (unit == UNIT_PERCENT)
		snprintf(buf, 32, "%llu %%", n);
	else if (unit == UNIT_COUNT)
		snprintf(buf, 32, "%llu", n);
	else if (n % DETECT_SECOND)
		snprintf(buf, 32, "%llu ms", n / NS_PER_MS);
	else if (n % (3600 * DETECT_SECOND) == 0 && n)
		snprintf(buf, 32, "%llu h", n / (3600 * DETECT_SECOND));
	else if (n % (60 * DETECT_SECOND) == 0 && n > 120 * DETECT_SECOND)
		snprintf(buf, 32, "%llu min", n / (60 * DETECT_SECOND));
	else
		snprintf(buf, 32, "%llu s", n / DETECT_SECOND);
	return buf;
}

/* ---- errors ---- */
static char error_text[400];

__attribute__((format(printf, 2, 3))) static int refuse(const char **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error_text, sizeof(error_text), format, args);
	va_end(args);
	*error = error_text;
	return -EINVAL;
}

/* Nearer than half of the word? Then it may be meant, and is the best so far. */
static bool nearer(const char *word, const char *candidate, size_t *best)
{
	size_t d = word_distance(word, candidate);

	if (d >= *best || d > 1 + strlen(word) / 3)
		return false;
	*best = d;
	return true;
}

static int unknown_finding(const char *word, const char **error)
{
	const char *meant = NULL;
	size_t best = WORD;

	for (unsigned i = 0; i < FINDING_COUNT; i++)
		if (nearer(word, finding_name(i), &best))
			meant = finding_name(i);
	if (meant)
		return refuse(error, "unknown finding '%s', did you mean '%s'?", word, meant);
	return refuse(error, "unknown finding '%s'; tcpward-findings(7) lists them with their thresholds", word);
}

static int unknown_param(int finding, const char *word, const char **error)
{
	const char *meant = NULL;
	char list[200] = "";
	size_t best = WORD;

	for (unsigned i = 0; i < PARAM_COUNT; i++) {
		size_t used = strlen(list);

		if ((int)rows[i].finding != finding)
			continue;
		snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", rows[i].name);
		if (nearer(word, rows[i].name, &best))
			meant = rows[i].name;
	}
	if (!*list)
		return refuse(error, "'%s' has no thresholds", finding_name((unsigned)finding));
	if (meant)
		return refuse(error, "'%s' has no threshold '%s', did you mean '%s'?", finding_name((unsigned)finding),
			      word, meant);
	return refuse(error, "'%s' has no threshold '%s'; it has: %s", finding_name((unsigned)finding), word, list);
}

/* ---- values ---- */
static const struct {
	const char *name;
	enum param_unit unit;
	uint64_t scale;
} units[] = {
	{ "ms", UNIT_TIME, NS_PER_MS },
	{ "s", UNIT_TIME, DETECT_SECOND },
	{ "m", UNIT_TIME, 60 * DETECT_SECOND },
	{ "min", UNIT_TIME, 60 * DETECT_SECOND },
	{ "h", UNIT_TIME, 3600 * DETECT_SECOND },
	{ "", UNIT_PERCENT, 1 },
	{ "%", UNIT_PERCENT, 1 },
	{ "", UNIT_COUNT, 1 },
	{ "k", UNIT_COUNT, 1000 },
	{ "m", UNIT_COUNT, 1000000 },
};

static const char *const unit_hints[] = {
	[UNIT_COUNT] = "a count is written 100, 5k or 1m",
	[UNIT_TIME] = "a time is written 500ms, 10s, 5m or 1h",
	[UNIT_PERCENT] = "a share is written 30% or 30",
};

/* A number that a kernel cannot pass, or that a record cannot count past, stands in the row's own text: "(at most 6)". */
static uint64_t count_max(const struct param_row *row)
{
	const char *cap = strstr(row->text, "(at most ");

	return cap ? strtoull(cap + strlen("(at most "), NULL, 10) : COUNT_MAX;
}

static bool of_handshake(const struct param_row *row)
{
	return row == &rows[PARAM_STALE_SYN_AFTER] || row == &rows[PARAM_HALF_OPEN_AFTER];
}

static int check_range(const struct param_row *row, const char *whole, uint64_t value, const char **error)
{
	uint64_t max = row->unit == UNIT_PERCENT ? 100 : count_max(row);

	if (row->unit == UNIT_TIME) {
		if (value > HANDSHAKE_MAX && value <= TIME_MAX && of_handshake(row))
			return refuse(error, "'%s': at most 60s: an unfinished handshake is not kept for much longer, so none "
					     "would be found; write %s.%s=60s or less", whole, finding_name(row->finding),
				      row->name);
		if (value < TIME_MIN || value > TIME_MAX)
			return refuse(error, "'%s': a time must be 1s to 24h", whole);
		return 0;
	}
	if (value >= 1 && value <= max)
		return 0;
	if (row->unit == UNIT_PERCENT)
		return refuse(error, "'%s': a share must be 1%% to 100%%", whole);
	return refuse(error, "'%s': the count must be 1 to %llu", whole, (unsigned long long)max);
}

static int value_parse(const struct param_row *row, const char *whole, const char *text, uint64_t *value,
		       const char **error)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return refuse(error, "'%s': '%s' is not a number; %s", whole, text, unit_hints[row->unit]);
	errno = 0;
	n = strtoull(text, &end, 10);
	while (*end == ' ')
		end++;
	if (row->unit == UNIT_TIME && !*end)
		return refuse(error, "'%s': a time needs a unit: %ss, %sm or %sh", whole, text, text, text);
	for (unsigned i = 0; i < ARRAY_SIZE(units); i++) {
		if (units[i].unit != row->unit || strcasecmp(units[i].name, end))
			continue;
		if (errno || n > UINT64_MAX / units[i].scale)
			n = UINT64_MAX / units[i].scale; /* refused as out of range */
		*value = n * units[i].scale;
		return check_range(row, whole, *value, error);
	}
	return refuse(error, "'%s': unknown unit '%s'; %s", whole, end, unit_hints[row->unit]);
}

static const struct param_row *find_row(int finding, const char *name)
{
	for (unsigned i = 0; i < PARAM_COUNT; i++)
		if ((int)rows[i].finding == finding && !strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

int detect_opts_set(struct detect_opts *opts, const char *text, const char **error)
{
	char word[2 * WORD], *name, *value;
	const struct param_row *row;
	uint64_t number = 0;
	int finding, err;

	if (snprintf(word, sizeof(word), "%s", text) >= (int)sizeof(word))
		return refuse(error, "'%.40s...' is too long for a threshold; write stale-syn.after=10s", text);
	value = strchr(word, '=');
	if (value)
		*value++ = 0;
	name = strchr(word, '.');
	if (!name || !value)
		return refuse(error, "'%s' is not a threshold; write FINDING.NAME=VALUE, as in stale-syn.after=10s", text);
	*name++ = 0;
	finding = finding_parse(word);
	if (finding < 0)
		return unknown_finding(word, error);
	row = find_row(finding, name);
	if (!row)
		return unknown_param(finding, name, error);
	err = value_parse(row, text, value, &number, error);
	if (err)
		return err;
	opts->value[row - rows] = number;
	return 0;
}
