// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Names of findings, and the numbers that each carries: one table for JSON, text and the man page. */
#include "detect/internal.h"

static const char *const names[] = {
#define X(id, name, severity, detector, title) name,
	WARD_FINDINGS(X)
#undef X
};

const char *finding_name(unsigned kind)
{
	return kind < FINDING_COUNT ? names[kind] : "";
}

int finding_parse(const char *name)
{
	for (int i = 0; i < FINDING_COUNT; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

const char *severity_name(unsigned severity)
{
	static const char *const severities[] = {
#define X(id, name) name,
		WARD_SEVERITIES(X)
#undef X
	};

	return severity < ARRAY_SIZE(severities) ? severities[severity] : "";
}

const char *subject_name(unsigned subject)
{
	static const char *const subjects[] = {
#define X(id, name) name,
		WARD_SUBJECTS(X)
#undef X
	};

	return subject < ARRAY_SIZE(subjects) ? subjects[subject] : "";
}

/* ---- the numbers: evidence[0] is the one that the finding is about ---- */
static const struct evidence_row rows[FINDING_COUNT][FINDING_EVIDENCE] = {
	[FINDING_STALE_SYN] = { { "unanswered", UNIT_COUNT, PARAM_NONE },
				{ "age", UNIT_TIME, PARAM_STALE_SYN_AFTER },
				{ "syns_repeated", UNIT_COUNT, PARAM_NONE },
				{ "completion", UNIT_PERCENT, PARAM_NONE },
				{ "handshakes_60s", UNIT_COUNT, PARAM_NONE },
				{ "sources", UNIT_COUNT, PARAM_NONE },
				{ "completed_60s", UNIT_COUNT, PARAM_NONE },
				{ "stale_10s", UNIT_COUNT, PARAM_STALE_SYN_MANY } },
	[FINDING_HALF_OPEN] = { { "half_open", UNIT_COUNT, PARAM_HALF_OPEN_MAX },
				{ "age", UNIT_TIME, PARAM_HALF_OPEN_AFTER },
				{ "synacks_repeated", UNIT_COUNT, PARAM_HALF_OPEN_REPEATS },
				{ "completion", UNIT_PERCENT, PARAM_HALF_OPEN_COMPLETION },
				{ "handshakes_60s", UNIT_COUNT, PARAM_NONE },
				{ "sources", UNIT_COUNT, PARAM_NONE },
				{ "completed_60s", UNIT_COUNT, PARAM_NONE } },
	[FINDING_SYN_FLOOD] = { { "half_open", UNIT_COUNT, PARAM_SYN_FLOOD_MIN },
				{ "completion", UNIT_PERCENT, PARAM_SYN_FLOOD_COMPLETION },
				{ "answered", UNIT_COUNT, PARAM_NONE },
				{ "unanswered", UNIT_COUNT, PARAM_NONE },
				{ "syns_10s", UNIT_COUNT, PARAM_NONE },
				{ "evicted_10s", UNIT_COUNT, PARAM_NONE } },
	[FINDING_ACCEPT_QUEUE_FULL] = { { "waiting", UNIT_COUNT, PARAM_NONE },
					{ "synacks_repeated", UNIT_COUNT, PARAM_ACCEPT_QUEUE_FULL_REPEATS },
					{ "age", UNIT_TIME, PARAM_NONE } },
	[FINDING_DEAD_PEER] = { { "flows", UNIT_COUNT, PARAM_NONE },
				{ "silence", UNIT_TIME, PARAM_DEAD_PEER_SILENCE },
				{ "unanswered", UNIT_COUNT, PARAM_DEAD_PEER_REPEATS } },
	[FINDING_TIME_WAIT_BUILDUP] = { { "time_wait", UNIT_COUNT, PARAM_TIME_WAIT_BUILDUP_MAX },
					{ "share", UNIT_PERCENT, PARAM_TIME_WAIT_BUILDUP_SHARE } },
	[FINDING_TIME_WAIT_REUSE] = { { "reuses_10s", UNIT_COUNT, PARAM_TIME_WAIT_REUSE_MAX } },
	[FINDING_TIME_WAIT_ASSASSINATION] = { { "flows", UNIT_COUNT, PARAM_NONE },
					      { "resets", UNIT_COUNT, PARAM_TIME_WAIT_ASSASSINATION_RESETS } },
	[FINDING_FIN_STORM] = { { "fins_10s", UNIT_COUNT, PARAM_FIN_STORM_MAX },
				{ "fins_of_one_flow", UNIT_COUNT, PARAM_FIN_STORM_FINS },
				{ "flows", UNIT_COUNT, PARAM_NONE } },
	[FINDING_TIME_WAIT_PINNING] = { { "flows", UNIT_COUNT, PARAM_NONE },
					{ "restarts", UNIT_COUNT, PARAM_TIME_WAIT_PINNING_RESTARTS },
					{ "age", UNIT_TIME, PARAM_NONE } },
	[FINDING_PORT_EXHAUSTION] = { { "ports", UNIT_COUNT, PARAM_NONE },
				      { "share", UNIT_PERCENT, PARAM_PORT_EXHAUSTION_SHARE },
				      { "range", UNIT_COUNT, PARAM_NONE } },
	[FINDING_CLOSE_WAIT_LEAK] = { { "flows", UNIT_COUNT, PARAM_CLOSE_WAIT_LEAK_MANY },
				      { "idle", UNIT_TIME, PARAM_CLOSE_WAIT_LEAK_AFTER },
				      { "grown_30s", UNIT_COUNT, PARAM_NONE } },
	[FINDING_FIN_WAIT_2_HANG] = { { "flows", UNIT_COUNT, PARAM_NONE },
				      { "idle", UNIT_TIME, PARAM_FIN_WAIT_2_HANG_AFTER } },
	[FINDING_LAST_ACK_FLOOD] = { { "last_ack_old", UNIT_COUNT, PARAM_LAST_ACK_FLOOD_MAX },
				     { "share", UNIT_PERCENT, PARAM_LAST_ACK_FLOOD_SHARE },
				     { "last_ack", UNIT_COUNT, PARAM_NONE },
				     { "flows", UNIT_COUNT, PARAM_NONE },
				     { "age", UNIT_TIME, PARAM_LAST_ACK_FLOOD_AFTER } },
	[FINDING_BACKSCATTER] = { { "peers", UNIT_COUNT, PARAM_BACKSCATTER_PEERS },
				  { "unasked_10s", UNIT_COUNT, PARAM_NONE } },
	[FINDING_REFLECTION] = { { "repeated", UNIT_COUNT, PARAM_REFLECTION_MAX },
				 { "half_open", UNIT_COUNT, PARAM_NONE },
				 { "syns_60s", UNIT_COUNT, PARAM_NONE } },
	[FINDING_OUT_OF_STATE_FLOOD] = { { "segments_10s", UNIT_COUNT, PARAM_OUT_OF_STATE_FLOOD_MAX },
					 { "strays_10s", UNIT_COUNT, PARAM_OUT_OF_STATE_FLOOD_ACKS },
					 { "completed_60s", UNIT_COUNT, PARAM_NONE } },
	[FINDING_BAD_FLAGS] = { { "segments_60s", UNIT_COUNT, PARAM_BAD_FLAGS_MAX },
				{ "completed_60s", UNIT_COUNT, PARAM_NONE } },
	[FINDING_PORT_SCAN] = { { "targets", UNIT_COUNT, PARAM_PORT_SCAN_TARGETS },
				{ "success", UNIT_PERCENT, PARAM_PORT_SCAN_SUCCESS },
				{ "hosts", UNIT_COUNT, PARAM_NONE },
				{ "ports", UNIT_COUNT, PARAM_NONE },
				{ "attempts_60s", UNIT_COUNT, PARAM_NONE },
				{ "completed_60s", UNIT_COUNT, PARAM_NONE },
				{ "one_way_60s", UNIT_COUNT, PARAM_NONE } },
	[FINDING_ZERO_WINDOW] = { { "flows", UNIT_COUNT, PARAM_ZERO_WINDOW_FLOWS },
				  { "shut", UNIT_TIME, PARAM_ZERO_WINDOW_AFTER } },
	[FINDING_RST_INJECTION] = { { "flows", UNIT_COUNT, PARAM_NONE },
				    { "resets", UNIT_COUNT, PARAM_RST_INJECTION_RESETS } },
	[FINDING_SYN_INJECTION] = { { "flows", UNIT_COUNT, PARAM_NONE }, { "syns", UNIT_COUNT, PARAM_NONE } },
	[FINDING_RETRANSMISSION] = { { "repeated", UNIT_COUNT, PARAM_RETRANSMISSION_MIN },
				     { "share", UNIT_PERCENT, PARAM_RETRANSMISSION_SHARE },
				     { "flows", UNIT_COUNT, PARAM_NONE },
				     { "handshake_share", UNIT_PERCENT, PARAM_RETRANSMISSION_HANDSHAKE },
				     { "handshakes_repeated_10s", UNIT_COUNT, PARAM_NONE },
				     { "handshakes_10s", UNIT_COUNT, PARAM_NONE } },
	[FINDING_ABORT_RATE] = { { "resets_10s", UNIT_COUNT, PARAM_ABORT_RATE_MIN },
				 { "share", UNIT_PERCENT, PARAM_ABORT_RATE_SHARE },
				 { "ends_10s", UNIT_COUNT, PARAM_NONE } },
	[FINDING_SYN_DATA] = { { "syns_10s", UNIT_COUNT, PARAM_SYN_DATA_MAX },
			       { "completed_60s", UNIT_COUNT, PARAM_NONE } },
};

unsigned finding_evidence(unsigned kind, const struct evidence_row **out)
{
	unsigned count = 0;

	*out = NULL;
	if (kind >= FINDING_COUNT)
		return 0;
	*out = rows[kind];
	while (count < FINDING_EVIDENCE && rows[kind][count].name)
		count++;
	return count;
}

int completed_row(enum finding_kind kind)
{
	for (int i = 0; i < FINDING_EVIDENCE && rows[kind][i].name; i++)
		if (!strcmp(rows[kind][i].name, "completed_60s"))
			return i;
	return -1;
}
