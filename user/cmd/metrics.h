/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* metrics: the one table behind `tcpward metrics` and its documentation. Labels have fixed sets of values: never an address. */
#ifndef CMD_METRICS_H
#define CMD_METRICS_H

/* X(NAME, name behind "tcpward_", type, labels beside "instance", help) */
#define WARD_METRICS(X)                                                                                                \
	X(SEGMENTS, "segments_total", COUNTER, "direction", "TCP segments followed.")                                  \
	X(PAYLOAD, "payload_bytes_total", COUNTER, "direction", "TCP payload followed.")                               \
	X(FAST, "fast_path_segments_total", COUNTER, "", "Segments that took the established fast path.")              \
	X(ESTIMATED, "estimated_segments_total", COUNTER, "",                                                          \
	  "Super-segments whose number of segments was estimated.")                                                    \
	X(NOT_FOLLOWED, "not_followed_total", COUNTER, "reason", "Frames that were not followed.")                     \
	X(STRAYS, "stray_segments_total", COUNTER, "kind", "Segments that belong to no flow.")                         \
	X(OPENED, "flows_opened_total", COUNTER, "how",                                                                \
	  "Flow objects made; of these those met mid-way, and those that moved to the flow table.")                    \
	X(ENDED, "flows_ended_total", COUNTER, "reason", "Flow objects that ended.")                                   \
	X(EVICTIONS, "evictions_total", COUNTER, "state", "Unfinished flows whose place was needed.")                  \
	X(TABLE_FULL, "table_full_total", COUNTER, "", "Segments whose flow found the flow table full.")               \
	X(EARLY, "early_expiry_total", COUNTER, "", "Closed flows removed early for want of room.")                    \
	X(DROPS, "dropped_total", COUNTER, "reason, enforced", "Segments that the policy dropped, or in dry run would have.") \
	X(FLAGS, "flags_total", COUNTER, "flag", "How often each flag was newly set on a flow.")                       \
	X(TRANSITIONS, "transitions_total", COUNTER, "from, to", "How often an endpoint took each edge of Figure 5.")  \
	X(EVENTS, "events_total", COUNTER, "", "Events delivered to readers.")                                         \
	X(LOST, "events_lost_total", COUNTER, "why", "Events that a reader did not get.")                              \
	X(RACES, "sweep_races_total", COUNTER, "", "Records that moved while the sweep looked at them.")               \
	X(UNCOUNTED, "services_without_record_total", COUNTER, "", "Services without a record for want of room.")      \
	X(REPLACED, "sources_replaced_total", COUNTER, "", "Records of quiet sources that gave way to busier ones.")   \
	X(UNLISTED, "block_list_full_total", COUNTER, "", "Sources that a limit could not put on the block list: it was full.") \
	X(CORRECTIONS, "corrections_total", COUNTER, "", "By how much half-open counts had drifted from a recount.")   \
	X(COOKIES, "syn_cookies_total", COUNTER, "what", "SYN cookies: SYNs answered or not, and ACKs.")                \
	X(RECORDS, "flows", GAUGE, "table", "Live flows at the last sweep.")                                           \
	X(CAPACITY, "flows_capacity", GAUGE, "table", "How many flows there is room for.")                             \
	X(TOMBSTONES, "tombstones", GAUGE, "", "Ended flows that are not yet removed.")                                \
	X(ENDPOINTS, "endpoints", GAUGE, "state, confirmed", "Endpoints in each state at the last sweep.")             \
	X(ACCOUNTS, "accounts", GAUGE, "of", "Services, sources and prefixes with a record of their own.")             \
	X(SERVICE_FLOWS, "service_flows", GAUGE, "condition", "Flows of all services by condition at the last sweep.") \
	X(FINDINGS, "findings", GAUGE, "finding, severity", "Findings that stand.")                                    \
	X(DROPPED, "findings_dropped", GAUGE, "", "Findings that hold, but are not listed for want of room.")          \
	X(POLICY, "policy", GAUGE, "mode", "1 for the mode of the policy in force; none: there is none.")              \
	X(UNCONFIRMED, "policy_unconfirmed", GAUGE, "", "1 while a policy waits for its confirmation.")                \
	X(LISTED, "list_entries", GAUGE, "list", "Entries of the allow list and the block list.")                      \
	X(BLIND, "blind", GAUGE, "reason", "1 while some findings are suppressed for this reason.")                    \
	X(KEEPER, "keeper_up", GAUGE, "", "1 while a process sweeps.")                                                 \
	X(SWEEP, "sweep_seconds", GAUGE, "", "How long the last sweep took.")                                          \
	X(SWEPT, "swept_timestamp_seconds", GAUGE, "", "When the last sweep was.")                                     \
	X(STARTED, "start_timestamp_seconds", GAUGE, "", "When the instance was made.")                                \
	X(BUILD, "build_info", GAUGE, "version", "1; the version that made the instance.")

enum metric {
#define X(id, name, type, labels, help) METRIC_##id,
	WARD_METRICS(X)
#undef X
	METRIC_COUNT
};

#endif
