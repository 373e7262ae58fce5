# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# guest-dispatcher: in a guest of tests/vm: beside xdp-filter on one interface, by libxdp's dispatcher. Both see what is theirs;
# who goes leaves the other. With the word "refused": this kernel does not let our program in, so ingress goes by tc beside it.
. "$(dirname "$0")/../net/lib.sh"
A=$(dev a) B=$(dev b)
BLOCKED=9001 # by xdp-filter

echo "# Linux $(uname -r)"
host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
for i in 3 4; do on b ip addr add "192.0.2.$i/24" dev "$B"; done
start a "$BIN/crowd" serve 9000 || exit
start a "$BIN/crowd" serve $BLOCKED || exit

filter_works() { # name
	if connects b 2 192.0.2.3 192.0.2.1 $BLOCKED; then fail "$1" "its port is open"; else ok "$1"; fi
}
programs() { # the XDP programs that the dispatcher calls, in order
	on a xdp-loader status "$A" | awk '/=>/ { print $3 }' | tr '\n' ' '
}

follow() { # and drop
	local flow
	filter_works "xdp-filter still drops"
	if connects b 10 192.0.2.2 192.0.2.1 9000; then ok "others connect"; else fail "others connect" "$(cat "$log")"; fi
	flow=$(flows_json a "$A" 'dport = 9000 and state all')
	is "a connection is followed, once" "$(grep -c . <<<"$flow")" 1
	is "... to its end" "$(member conn_state <<<"$flow")" SF
	is "... with its bytes" "$(member orig_bytes <<<"$flow")/$(member resp_bytes <<<"$flow")" 300/5000
	must a block add 192.0.2.4
	if connects b 2 192.0.2.4 192.0.2.1 9000; then fail "we drop" "connected"; else ok "we drop"; fi
	expect "... and count it" "$(on a "$TCPWARD" stat -j | grep -o '"dropped":{[^}]*}' | member block-list)" -gt 0
	verify_on a "$A" "the sockets agree"
}

on a xdp-filter load --mode native --features tcp "$A" >"$work/filter" 2>&1 || { fail "xdp-filter loads" "$(cat "$work/filter")"; exit; }
on a xdp-filter port --proto tcp --mode dst $BLOCKED >"$work/filter" 2>&1
filter_works "xdp-filter drops"
alone=$(programs)
if [ "${1:-}" = refused ]; then
	ward a attach "$A" --ingress xdp
	exits "attach by XDP is refused" 4
	says "... with its cause" "cannot attach to '$A' by libxdp's dispatcher: this kernel lets nothing into it that may change frames"
	says "... and what to do" "use --ingress tc"
	is "... and nothing has changed" "$(programs)" "$alone"
	ward a attach "$A"
	exits "attach of itself goes by tc" 0
	says "... says why" "ingress by tc; cannot attach to '$A' by libxdp's dispatcher"
	is "the filter stays alone" "$(programs)" "$alone"
	follow
	must a detach "$A"
	is "after detach it is there" "$(programs)" "$alone"
	filter_works "... and drops"
	exit
fi
ward a doctor "$A"
says "doctor: whom attach would join" "^OK +xdp-program .*libxdp's dispatcher, with '?xdpfilt"

ward a attach "$A" --ingress xdp
exits "attach" 0
says "... says beside whom" "by libxdp's dispatcher, beside 'xdpfilt"
is "both are there, the filter first" "$(programs)" "${alone}ward_xdp "
ward a status
says "status tells how" "ingress by +xdp"
follow
ward a doctor "$A"
says "doctor: ours beside another" "^OK +xdp-program .*tcpward's own, by libxdp's dispatcher, beside 'xdpfilt"
ward a detach "$A"
exits "detach" 0
is "the other stays" "$(programs)" "$alone"
filter_works "... and drops"
is "our pins are gone" "$(ls "$PINS" 2>/dev/null)" ""

# ---- a run that is killed: its guardian leaves the other there ----
launch a "$TCPWARD" run "$A" --ingress xdp
joined() { programs | grep -q ward_xdp; }
await 60 joined && ok "run joins it, too" || fail "run joins it, too" "$(tail -n 2 "$log")"
stop "$pid" KILL
left() { ! joined && [ -z "$(ls "$PINS" 2>/dev/null)" ]; }
await 20 left && ok "killed, it is taken out" || fail "killed, it is taken out" "$(programs)$(ls "$PINS")"
is "... and the other stays" "$(programs)" "$alone"
on a xdp-filter unload "$A" >/dev/null 2>&1
is "xdp-filter unloads as ever" "$(on a ip link show dev "$A" | grep -o 'xdp.*')" ""
