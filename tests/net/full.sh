#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# full: every table as small as it can be, and more of everything than fits: embryos, flows, services, sources, readers. Each is
# counted and told, nothing ends, and connections that were there go on with their age. (Findings: findings.sh; the block list:
# prog/test_lists, prog/test_policy_limits.)
. "$(dirname "$0")/lib.sh"
A=$(dev a) READERS=8

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
on a ip route add 198.51.100.0/24 via 192.0.2.2 # where nobody answers, but for whom we answer below
on b ip route add 203.0.113.0/24 via 192.0.2.1
start a "$BIN/crowd" serve 9000 || exit
must a attach "$A" --flows 64 --embryos 64 --services 64 --sources 64
start b "$BIN/crowd" hold 192.0.2.1 9000 10 || exit
holder=$pid holder_log=$log
starts() { flows_json a "$A" 'dport = 9000 and state established' | grep -o '"sport":[0-9]*\|"start_ns":[0-9]*' | paste - - | sort; }
ten() { [ "$(starts | wc -l)" = 10 ]; }
await 3 ten
starts >"$work/first"
is "10 connections" "$(wc -l <"$work/first")" 10
told() { # field of status: what it says
	on a "$TCPWARD" status -j --name "$A" | member "$1"
}
for field in evicted table_full services_full sources_replaced; do
	is "at first: $field" "$(told $field)" 0
done

# ---- more of each than there is room for ----
on b "$BIN/raw" send 192.0.2.2 1000 203.0.113.1 81 S count=2000 ports=2000 >/dev/null || fail "raw sends" "exit $?"
expect "embryos: what gave way is counted" "$(told evicted)" -gt 1000
on a "$BIN/raw" send 192.0.2.1 2000 198.51.100.1 1000 S count=300 dports=300 seq=100 >/dev/null || fail "raw sends" "exit $?"
on b "$BIN/raw" send 198.51.100.1 1000 192.0.2.1 2000 SA count=300 ports=300 seq=500 ack=101 >/dev/null || fail "raw sends" "exit $?"
on b "$BIN/raw" send 10.66.0.1 1000 192.0.2.1 80 FPU count=600 addresses=600 >/dev/null || fail "raw sends" "exit $?"
expect "sources: what gave way is counted" "$(told sources_replaced)" -gt 0
start b "$BIN/crowd" hold 192.0.2.1 9000 300 || exit
many=$pid
full() { [ "$(told table_full)" -gt 0 ]; }
await 5 full
expect "flows: that it was full is counted" "$(told table_full)" -gt 0
ward a status --name "$A"
says "status: evicted" "^ *flows evicted +[0-9]{3,}"
says "status: the flow table" "^ *found the table full +[1-9]"
says "status: sources" "^ *sources replaced +[1-9].*--sources"
ward a metrics --name "$A"
for metric in table_full_total sources_replaced_total; do says "metrics: $metric" "^tcpward_$metric\{.*\} [1-9]"; done
ward a stat --name "$A"
exits "stat goes on" 0
swept=$(told swept_ago_ns)
expect "it is still swept" "${swept:-99000000000}" -lt 5000000000
more() { [ "$(grep -c echoed "$holder_log")" -gt 0 ]; }
kill -USR1 "$holder"
await 5 more
is "the connections that were there carry data" "$(tail -n 1 "$holder_log")" "echoed, 0 failed"
is "... and have their age" "$(starts | grep -Fxf "$work/first" | wc -l)" 10
stop "$many"
must a detach "$A"

# ---- services ----
must a attach "$A" --services 64
on a "$BIN/raw" send 192.0.2.1 3000 198.51.100.1 1000 S count=300 dports=300 seq=100 >/dev/null || fail "raw sends" "exit $?"
on b "$BIN/raw" send 198.51.100.1 1000 192.0.2.1 3000 SA count=300 ports=300 seq=500 ack=101 >/dev/null || fail "raw sends" "exit $?"
without=$(told services_full)
expect "services: those without a record are counted" "$without" -ge 236
ward a status --name "$A"
says "status: services" "^ *services not counted +$without.*--services"
ward a metrics --name "$A"
says "metrics: services" "^tcpward_services_without_record_total\{.*\} $without"

# ---- readers ----
listening=()
for i in $(seq $READERS); do
	launch a "$TCPWARD" watch -j --name "$A"
	listening+=("$pid")
	last_log=$log
done
refused() {
	on a timeout 1 "$TCPWARD" watch --name "$A" >"$work/out" 2>"$work/err"
	code=$?
	[ $code = 1 ]
}
await 10 refused
exits "one reader too many" 1
says "... is told so, and the way out" "cannot listen to events: all $READERS readers are taken"
start b "$BIN/crowd" load 192.0.2.1 9000 1 1 n || exit
hears() { grep -q '"dport":9000' "$last_log"; }
if await 5 hears; then ok "the others hear"; else fail "the others hear" "$(tail -n 1 "$last_log")"; fi
stop "${listening[0]}" -INT
freed() { on a timeout 1 "$TCPWARD" watch --name "$A" >"$work/out" 2>"$work/err"; [ $? = 124 ]; }
if await 5 freed; then ok "where one ends another finds its place"; else fail "where one ends another finds its place" "$(head -n 1 "$work/err")"; fi
must a detach "$A"
