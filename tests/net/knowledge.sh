#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# knowledge: what the tracker knew of the stack (so that SYNs were answered by cookies unasked) is not believed any more from the
# moment on when the programs of another layout are in place, whose tables are empty: also if that takeover is killed just then.
. "$(dirname "$0")/lib.sh"
a=$(dev a)
host server client
wire server "$a" 10.30.0.1/24 client "$(dev b)" 10.30.0.2/24
[ -n "$BPFTOOL" ] || { skip knowledge "no bpftool"; exit 0; }
xdp client "$(dev b)" pass || { skip knowledge "no XDP on a veth"; exit 0; }

cat >"$work/cookies.yaml" <<-EOF
	version: 1
	mode: enforce
	syncookie: {flavour: own, rate: 500k/s, set-sysctls: true}
	services:
	  - name: tested
	    match: {dport: [80]}
	    new: {rate: 1/h, burst: 1, then: syncookie}
EOF
knows_from() {
	"$BPFTOOL" -j map lookup pinned "$PINS/$a/cookie_conf" key 0 0 0 0 2>/dev/null | tr -d '\n ' | sed -n 's/.*"knows_from_ns":\([0-9]*\).*/\1/p'
}
knows() { [ "$(knows_from)" -gt 0 ] 2>/dev/null; }
program() { on server ip -d link show "$a" | sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p'; }
killed_when_replaced() { # program
	local before after
	before=$(program)
	launch server "$1" run --quiet "$a"
	replaced() { after=$(program) && [ "$after" != "$before" ]; }
	for _ in $(seq 1000); do
		replaced || ! kill -0 "$pid" && break
	done
	stop "$pid" -KILL
	expect "${1##*/}, killed: the programs were replaced" "$after" != "$before"
}

launch server "$TCPWARD" run "$a" --ingress xdp --policy "$work/cookies.yaml"
await 20 knows || { skip knowledge "no cookies of our own here: $(tail -n 1 "$log")"; exit 0; }
stop "$pid" -KILL
goes_on() { # the usual build, to the end of its takeover; $pid
	launch server "$TCPWARD" run --quiet "$a"
	running=$pid
	holds() { grep -qx "$running" "/run/tcpward/$a.lock" 2>/dev/null && on server "$BIN/cookies" "$a" >"$work/out" 2>&1; }
	await 20 holds || fail "the usual build goes on" "$(tail -n 1 "$log")"
	sleep 0.5
}
for _ in 1 2; do
	is "it knows" "$(knows_from | sed 's/.*[1-9].*/yes/')" yes
	killed_when_replaced "$BIN/tcpward-relaid"
	is "... and nothing is known any more" "$(knows_from)" 0
	goes_on
	on server "$BIN/cookies" "$a" knows 1 >"$work/out"
	stop "$pid" -KILL
done
goes_on
stop "$pid"
is "detached" "$(ls "$PINS/$a" 2>/dev/null)" ""
