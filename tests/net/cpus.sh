#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# cpus: one connection whose two ends run on different CPUs, a million segments: no state lost or invented, counters as
# exact as the kernel's own. Then churn on both CPUs with sweeps without a pause: the counters of idle flows do not move.
#
# alone: both CPUs of one connection, whose socket must not lack its turn
. "$(dirname "$0")/lib.sh"
[ "$CPUS" -ge 2 ] || { skip cpus "this machine has one CPU"; exit 0; }
A=$(dev a) B=$(dev b)
BYTES=${BYTES:-40000000} MSS=100

host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
# One frame a segment: nothing is merged or cut later.
on a ip link set "$A" gso_max_segs 1
on b ip link set "$B" gso_max_segs 1
on a sysctl -q -w net.ipv4.ip_local_port_range="1024 65000"

# ---- both directions at once ----
must a attach "$A"
launch b "$BIN/stream" listen 7000 "$BYTES" 1 $MSS
server=$log
await 10 says_ready "$server"
began=$SECONDS
launch a "$BIN/stream" connect 192.0.2.2 7000 "$BYTES" 0 $MSS
client=$log
finished() { grep -q ^done "$client" && grep -q ^done "$server"; }
await 60 finished || fail "the transfer ends" "$(cat "$client" "$server")"
flow=$(flows_json a "$A" 'dport = 7000')
sent() { grep ^done "$1" | first_of "$2"; }
is "one flow" "$(wc -l <<<"$flow")" 1
is "one flow was made" "$(counter a "$A" flows-new)" 1
is "it is open at the originator" "$(member orig_state <<<"$flow")" ESTABLISHED
is "it is open at the responder" "$(member resp_state <<<"$flow")" ESTABLISHED
is "both confirmed" "$(member orig_confirmed <<<"$flow")$(member resp_confirmed <<<"$flow")" truetrue
is "no flag that nothing accounts for" "$(member flags <<<"$flow" | tr -d '[]' | sed 's/\bRTX\b//; s/,//g')" ""
is "bytes of the originator: what its socket sent, repetitions included" "$(member orig_bytes <<<"$flow")" "$(sent "$client" bytes_sent)"
is "bytes of the responder" "$(member resp_bytes <<<"$flow")" "$(sent "$server" bytes_sent)"
segments=$(($(member orig_pkts <<<"$flow") + $(member resp_pkts <<<"$flow")))
is "segments of the originator" "$(member orig_pkts <<<"$flow")" "$(sent "$client" segs_out)"
# ... whose SYN-ACK is on no socket's account: there was none yet
is "segments of the responder" "$(member resp_pkts <<<"$flow")" $(($(sent "$server" segs_out) + 1))
is "segments by the counters" $(($(counter a "$A" rx-segments) + $(counter a "$A" tx-segments))) $segments
expect "a million segments" $segments -ge 1000000
is "no segment found its record busy" "$(counter a "$A" lock-busy)" 0
echo "# $segments segments in $((SECONDS - began)) s, $(counter a "$A" fast-path) on the fast path," \
	"repeated: $(sent "$client" bytes_retrans) and $(sent "$server" bytes_retrans) bytes;" \
	"rtx $(member orig_rtx <<<"$flow")/$(member resp_rtx <<<"$flow")"
verify_on a "$A" "the sockets agree"
for p in "${pids[@]}"; do stop "$p"; done
must a detach "$A"

# ---- churn, sweep and delete on two CPUs: a table so small that entries are deleted and used again all the time ----
must a attach "$A" --flows 6000
start b "$BIN/crowd" serve 9000 || exit
start a "$BIN/crowd" hold 192.0.2.2 9000 500 || exit
holder=$pid
sleep 0.3
idle() { flows_json a "$A" 'dport = 9000 and state established' | sed 's/"duration_ns":[0-9]*//' | sort; }
idle >"$work/before"
is "500 idle flows" "$(wc -l <"$work/before")" 500
keeper=$(on a "$TCPWARD" -j | member keeper_pid)
kill -STOP "$keeper"
launch a "$BIN/sweeps" "$A" 6
sweeps=$log
# Connections of one port after the other; ends by RST, since TIME-WAIT would use up the ports.
start b "$BIN/crowd" serve 9100 || exit
launch a taskset -c 0 "$BIN/crowd" load 192.0.2.2 9100 12000 8 rRt
one=$log
launch a taskset -c 1 "$BIN/crowd" load 192.0.2.2 9100 12000 8 rRR
two=$log
both_done() { says_ready "$one" && says_ready "$two" && says_ready "$sweeps"; }
await 40 both_done || fail "the churn ends" "$(cat "$one" "$two" "$sweeps")"
kill -CONT "$keeper"
idle >"$work/after"
if cmp -s "$work/before" "$work/after"; then
	ok "no counter, state or flag of an idle flow moved"
else
	fail "no counter, state or flag of an idle flow moved" "$(diff "$work/before" "$work/after" | grep -c '^<') of 500 did"
	diff "$work/before" "$work/after" | head -n 4 | cut -c1-400 | sed 's/^/#   /'
fi
expect "entries were deleted and used again" "$(counter a "$A" early-expiry)" -gt 6000
new=$(counter a "$A" flows-new)
expect "each connection was a flow of its own" "$new" -ge 24500
echo "# $(cat "$sweeps"), $new flows made, $(counter a "$A" early-expiry) expired early, $(counter a "$A" table-full) found it full, $(counter a "$A" sweep-race) met in the act by a sweep;" \
	"lock-busy $(counter a "$A" lock-busy)"
kill -USR1 "$holder"
counted() { [ "$(idle | grep -c '"orig_bytes":1300,"resp_bytes":1000')" = 500 ]; }
await 10 counted
is "the idle flows count again: 1000 bytes more each way" "$(idle | grep -c '"orig_bytes":1300,"resp_bytes":1000')" 500
