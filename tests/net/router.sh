#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# router: two attached NICs, one instance. What it forwards is counted once, its own connections both ways, and through
# which NIC a flow came is told.
. "$(dirname "$0")/lib.sh"
R0=$(dev r0) R1=$(dev r1)

host a r b
wire a "$(dev a)" 198.51.100.2/24 r "$R0" 198.51.100.1/24
wire b "$(dev b)" 203.0.113.2/24 r "$R1" 203.0.113.1/24
on a ip route add default via 198.51.100.1
on b ip route add default via 203.0.113.1
on r sysctl -q -w net.ipv4.ip_forward=1

for how in auto tc; do
	must r attach "$R0" "$R1" --ingress $how
	is "$how: one instance of two interfaces" "$(on r "$TCPWARD" -j | grep -o '"iface":"[^"]*"' | wc -l)" 2

	# ---- forwarded ----
	launch b "$BIN/stream" listen 7000 300000 1
	server=$log server_pid=$pid
	await 10 says_ready "$server"
	start a "$BIN/stream" connect 203.0.113.2 7000 3000000 0 || exit
	client=$log client_pid=$pid
	await 10 grep -q ^done "$server"
	flow=$(flows_json r "$R0" 'dport = 7000')
	out() { grep ^done "$1" | first_of "$2"; }
	is "$how: forwarded: one flow" "$(wc -l <<<"$flow")" 1
	is "$how: forwarded: bytes there, each once" "$(member orig_bytes <<<"$flow")" "$(out "$client" bytes_sent)"
	is "$how: forwarded: bytes back, each once" "$(member resp_bytes <<<"$flow")" "$(out "$server" bytes_sent)"
	is "$how: forwarded: segments there" "$(member orig_pkts <<<"$flow")" "$(out "$client" segs_out)"
	is "$how: forwarded: segments back" "$(member resp_pkts <<<"$flow")" $(($(out "$server" segs_out) + 1))
	repeated=$(($(out "$client" bytes_retrans) + $(out "$server" bytes_retrans)))
	rtx=$(($(member orig_rtx <<<"$flow") + $(member resp_rtx <<<"$flow")))
	[ $repeated != 0 ] || is "$how: forwarded: no retransmission invented" $rtx 0
	is "$how: forwarded: nothing counted as sent" "$(counter r "$R0" tx-segments)" 0
	expect "$how: forwarded: what left was told apart" "$(counter r "$R0" forwarded)" -gt 0
	is "$how: forwarded: the originator's interface" "$(member iface <<<"$flow")" "$R0"
	stop "$client_pid"
	stop "$server_pid"
	forwarded_tx=$(counter r "$R0" tx-segments)

	# ---- its own, by either NIC, opened by it and by others ----
	launch r "$BIN/stream" listen 7001 200000 1
	server=$log server_pid=$pid
	await 10 says_ready "$server"
	start b "$BIN/stream" connect 203.0.113.1 7001 100000 0 || exit
	client=$log client_pid=$pid
	await 10 grep -q ^done "$server"
	flow=$(flows_json r "$R0" 'dport = 7001')
	is "$how: own: bytes both ways" "$(member orig_bytes <<<"$flow")/$(member resp_bytes <<<"$flow")" \
		"$(out "$client" bytes_sent)/$(out "$server" bytes_sent)"
	is "$how: own: segments both ways" "$(member orig_pkts <<<"$flow")/$(member resp_pkts <<<"$flow")" \
		"$(out "$client" segs_out)/$(($(out "$server" segs_out) + 1))"
	is "$how: own: state" "$(member orig_state <<<"$flow")/$(member resp_state <<<"$flow")" ESTABLISHED/ESTABLISHED
	is "$how: own: the interface it came by" "$(member iface <<<"$flow")" "$R1"
	expect "$how: own: its segments count as sent" "$(counter r "$R0" tx-segments)" -gt "$forwarded_tx"
	verify_on r "$R0" "$how: the router's sockets agree"
	expect "$how: forwarded flows are not compared" "$(verify_count foreign)" -ge 1
	stop "$client_pid"
	stop "$server_pid"
	must r detach "$R0" "$R1"
done
[ -e "$PINS/$R0" ] && fail "nothing left" "$PINS/$R0" || ok "nothing left"
