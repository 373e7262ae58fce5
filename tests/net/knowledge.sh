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

# ---- what comes later: an address on another interface, NAT ----
launch server "$TCPWARD" run --quiet "$a" --ingress xdp --policy "$work/cookies.yaml"
watched=$log
await 20 knows || { fail "it knows again" "$(tail -n 1 "$watched")"; exit; }
ward server --name "$a"
says "status: known connections by the tracker" 'known connections by +tracker$'
expect "... and it sees to it" "$(grep -c 'not noticed' "$work/out")" = 0
on server ip link add "$(dev x)" type veth peer name "$(dev y)"
on server ip link set "$(dev x)" up
on server ip link set "$(dev y)" up
on server ip addr add 10.30.0.9/24 dev "$a" label "$a:1"
sleep 2.5
expect "another interface without an address, and a labelled address of ours: it still knows" "$(knows_from)" -gt 0
forgot() { [ "$(knows_from)" = 0 ]; }
on server ip addr add 10.31.0.1/24 dev "$(dev x)"
await 4 forgot && ok "an address is added to it: the stack is asked" || fail "an address is added to it: the stack is asked" "$(knows_from)"
said() { [ "$(grep -c "the stack is asked .* may come by '$(dev x)', too" "$watched")" = 1 ]; }
await 2 said && ok "... which is said, with the name" || fail "... which is said, with the name" "$(tail -n 2 "$watched")"
ward server --name "$a"
says "... by status, too" 'known connections by +stack$'
on server ip link del "$(dev x)"
must server policy apply --name "$a" "$work/cookies.yaml"
sleep 2.5
is "it goes again: what came by it is not known, so that is for good" "$(knows_from)" 0
if on server nft add table ip later && on server nft 'add chain ip later out { type nat hook postrouting priority 100; }'; then
	nat() { grep -q "the stack loses them beside NAT (chain 'out' of table 'later'): apply the policy again" "$watched"; }
	await 24 nat && ok "a chain of NAT comes: it is said" || fail "a chain of NAT comes: it is said" "$(tail -n 2 "$watched")"
	ward server --name "$a"
	says "... by status, too" "cookies are lost by NAT +chain 'out' of table 'later'"
	on server nft delete table ip later
else
	skip "a chain of NAT comes" "no nft"
fi
stop "$pid"
on server ip addr del 10.30.0.9/24 dev "$a"
on server ip link add "$(dev z)" type veth peer name "$(dev w)"
on server ip link set "$(dev z)" up
must server attach "$a" --ingress xdp
must server policy apply --name "$a" "$work/cookies.yaml"
if knows; then
	ward server --name "$a"
	says "a keeper elsewhere does not look: status says so" 'known connections by +tracker .*not noticed: nobody sweeps in their network namespace'
else
	fail "attached by a keeper: it knows" "$(knows_from)"
fi
on server ip addr add 10.32.0.1/24 dev "$(dev z)"
must server policy apply --name "$a" "$work/cookies.yaml"
is "an address is added on another interface, which apply sees: the stack is asked" "$(knows_from)" 0
on server ip link del "$(dev z)"
must server policy apply --name "$a" "$work/cookies.yaml"
is "... it goes again: for good, too" "$(knows_from)" 0
must server detach "$a"
is "... all is gone" "$(ls "$PINS/$a" 2>/dev/null)" ""
