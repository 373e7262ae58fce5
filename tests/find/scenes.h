/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The scenes, by the part of a connection's life that they are about. */
#ifndef FIND_SCENES_H
#define FIND_SCENES_H

#include "find/scene.h"

/*
 * X(name, function, further words for tcpward): must raise what the scene expects and nothing else; without its cause,
 * nothing
 */
#define SCENES(X)                                                                                                      \
	/* opening.c */                                                                                                \
	X("stale-syn/flow", stale_syn_flow, "")                                                                        \
	X("stale-syn/source", stale_syn_source, "")                                                                    \
	X("half-open/flow", half_open_flow, "")                                                                        \
	X("half-open/flow-v6", half_open_flow_v6, "")                                                                  \
	X("half-open/source", half_open_source, "")                                                                    \
	X("half-open/prefix", half_open_prefix, "")                                                                    \
	X("syn-flood/service", syn_flood, "")                                                                          \
	X("syn-flood/service-v6", syn_flood_v6, "")                                                                    \
	X("accept-queue-full/service", accept_queue_full, "")                                                          \
	X("backscatter/source", backscatter, "")                                                                       \
	X("reflection/source", reflection, "")                                                                         \
	X("syn-data/source", syn_data, "")                                                                             \
	X("port-scan/vertical", port_scan_vertical, "")                                                                \
	X("port-scan/horizontal", port_scan_horizontal, "")                                                            \
	X("port-scan/beside-strays", port_scan_beside_strays, "--sources 64")                                          \
	X("bad-flags/source", bad_flags, "")                                                                           \
	/* open.c */                                                                                                   \
	X("dead-peer/data", dead_peer_data, "")                                                                        \
	X("dead-peer/probes", dead_peer_probes, "")                                                                    \
	X("dead-peer/no-tcb", dead_peer_no_tcb, "")                                                                    \
	X("dead-peer/reboot", dead_peer_reboot, "")                                                                    \
	X("zero-window/flow", zero_window_flow, "")                                                                    \
	X("zero-window/source", zero_window_source, "")                                                                \
	X("rst-injection/inexact", rst_injection, "")                                                                  \
	X("rst-injection/exact", rst_injection_exact, "")                                                              \
	X("syn-injection/flow", syn_injection, "")                                                                     \
	X("retransmission/flow", retransmission_flow, "")                                                              \
	X("retransmission/source", retransmission_source, "")                                                          \
	X("retransmission/service", retransmission_service, "")                                                        \
	X("abort-rate/service", abort_rate, "")                                                                        \
	X("out-of-state-flood/source", out_of_state_source, "")                                                        \
	X("out-of-state-flood/service", out_of_state_service, "")                                                      \
	X("out-of-state-flood/acks", out_of_state_acks, "")                                                            \
	/* closing.c */                                                                                                \
	X("time-wait-buildup/pair", time_wait_buildup, "")                                                             \
	X("time-wait-reuse/source", time_wait_reuse, "")                                                               \
	X("time-wait-assassination/exact", time_wait_assassination, "")                                                \
	X("time-wait-assassination/inexact", time_wait_assassination_inexact, "")                                      \
	X("fin-storm/flow", fin_storm_flow, "")                                                                        \
	X("fin-storm/source", fin_storm_source, "")                                                                    \
	X("time-wait-pinning/flow", time_wait_pinning, "")                                                             \
	X("port-exhaustion/pair", port_exhaustion, "--flows 65536")                                                  \
	X("close-wait-leak/flow", close_wait_leak_flow, "")                                                            \
	X("close-wait-leak/service", close_wait_leak_service, "")                                                      \
	X("fin-wait-2-hang/flow", fin_wait_2_hang, "")                                                                 \
	X("last-ack-flood/max", last_ack_flood_max, "")                                                                \
	X("last-ack-flood/share", last_ack_flood_share, "")

/*
 * X(name, function, what is suppressed since it cannot be seen; NULL: no more than at any start): what looks like one of
 * these and is none. Nothing is raised but what the scene allows.
 */
#define LOOKALIKES(X)                                                                                                  \
	X("busy-proxy", busy_proxy, NULL)                                                                              \
	X("nat", nat, NULL)                                                                                            \
	X("power-off", power_off, NULL)                                                                                \
	X("low-syn", low_syn, NULL)                                                                                    \
	X("network-duplicates", network_duplicates, NULL)                                                              \
	X("port-reuse", port_reuse, NULL)                                                                              \
	X("late-rst", late_rst, NULL)                                                                                  \
	X("half-close", half_close_uploads, NULL)                                                                      \
	X("keep-alives", keep_alives, NULL)                                                                            \
	X("slow-consumer", slow_consumer, NULL)                                                                        \
	X("one-way-client", one_way_client, "one-way")                                                                 \
	X("one-way-server", one_way_server, NULL)                                                                      \
	X("one-way-flood/client", one_way_flood_client, "one-way")                                                     \
	X("one-way-flood/server", one_way_flood_server, NULL)                                                          \
	X("restart", restart, NULL)                                                                                    \
	X("aborted-downloads", aborted_downloads, NULL)                                                                \
	X("health-checks", health_checks, NULL)                                                                        \
	X("dead-service", dead_service, NULL)                                                                          \
	X("clean", clean, NULL) /* X(name, function, words, what is found; NULL: nothing): other thresholds, another outcome */
#define THRESHOLDS(X)                                                                                                  \
	X("thresholds/stale-syn.after", stale_syn_flow, "--detect stale-syn.after=30s", NULL)                          \
	X("thresholds/half-open.max", half_open_source, "--detect half-open.max=300", NULL)                            \
	X("thresholds/abort-rate.min", health_checks, "--detect abort-rate.min=5", "abort-rate")                       \
	X("thresholds/out-of-state-flood.grace", one_way_server, "--detect out-of-state-flood.grace=1s", NULL)         \
	X("thresholds/zero-window.after", slow_consumer, "--detect zero-window.after=10s", "zero-window")

#define X(name, function, ...) void function(struct scene *s);
SCENES(X)
LOOKALIKES(X)
#undef X

#endif
