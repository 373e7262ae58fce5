# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# guest-watch: in a guest of tests/vm: all programs load; a handshake and a close are followed, by XDP and by tc; detach leaves
# nothing.
. "$(dirname "$0")/../net/lib.sh"
A=$(dev a)
FIRST_PORT=9000
VERIFIED_MOST=400000 # instructions; the kernel gives up at a million

milliseconds() {
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}
traces() {
	on a tc qdisc show dev "$A"
	on a tc filter show dev "$A" ingress 2>/dev/null
	on a tc filter show dev "$A" egress 2>/dev/null
	on a ip link show dev "$A" | grep -o 'xdp.*'
	ls "$PINS" /run/tcpward 2>/dev/null | grep "$A"
	grep -l '^tcpward' /proc/[0-9]*/comm 2>/dev/null
}
nothing_left() {
	[ "$(traces)" = "$before" ]
}

echo "# Linux $(uname -r)"
host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
port=$FIRST_PORT
before=$(traces)
ward a doctor "$A"
exits "doctor: this kernel has all that is needed" 0

# ---- one connection, from SYN to the last ACK, and one that stays ----
watch_by() { # words of attach
	local how=$* began flow most server
	port=$((port + 1)) # what went before is in TIME-WAIT, and known after an attach
	start b "$BIN/crowd" serve $port || return
	server=$pid
	began=$(milliseconds)
	ward a attach "$A" "$@"
	exits "$how: attach" 0
	[ $code = 0 ] || return
	echo "# $how: attached in $(($(milliseconds) - began)) ms"
	"$BIN/verified" "$PINS/$A" >"$work/verified"
	[ $port != $((FIRST_PORT + 1)) ] || awk '{ printf "# %s: %d instructions, verified %d\n", $1, $2, $3 }' "$work/verified"
	most=$(awk '$3 > n { n = $3 } END { print n + 0 }' "$work/verified")
	expect "$how: the verifier walks some instructions of each program" "$most" -gt 0
	expect "$how: ... and no more than $VERIFIED_MOST" "$most" -le $VERIFIED_MOST

	start a "$BIN/crowd" load 192.0.2.2 $port 1 1 n || return
	flow=$(flows_json a "$A" "dport = $port and state all")
	is "$how: one flow" "$(grep -c . <<<"$flow")" 1
	is "$how: closed by its originator" "$(member orig_state <<<"$flow")/$(member resp_state <<<"$flow")" TIME-WAIT/CLOSED
	is "$how: both ends confirmed" "$(member orig_confirmed <<<"$flow")$(member resp_confirmed <<<"$flow")" truetrue
	is "$how: its bytes" "$(member orig_bytes <<<"$flow")/$(member resp_bytes <<<"$flow")" 300/5000
	is "$how: conn_state" "$(member conn_state <<<"$flow")" SF
	is "$how: stat counts its segments" "$(($(counter a "$A" rx-segments) + $(counter a "$A" tx-segments)))" \
		$(($(member orig_pkts <<<"$flow") + $(member resp_pkts <<<"$flow")))
	is "$how: stat counts the flow" "$(counter a "$A" flows-new)" 1

	start a "$BIN/crowd" hold 192.0.2.2 $port 1 || return
	is "$how: an open connection" \
		"$(flows_json a "$A" "dport = $port" | grep -c '"orig_state":"ESTABLISHED","resp_state":"ESTABLISHED"')" 1
	verify_on a "$A" "$how: the sockets agree"
	stop "$pid"
	stop "$server"
	ward a detach "$A"
	exits "$how: detach" 0
	if await 5 nothing_left; then ok "$how: nothing is left"; else fail "$how: nothing is left" "$(traces | tr '\n' ' ')"; fi
}
watch_by --ingress xdp
watch_by --ingress tc
watch_by --ingress tc --clsact
