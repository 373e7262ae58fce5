#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# neighbours: with others on the same host: a foreign XDP program, which is never replaced; nftables and conntrack; a bridge and
# its ports, where nothing is followed twice.
. "$(dirname "$0")/lib.sh"
A=$(dev a) B=$(dev b)
host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
on b ip addr add 192.0.2.3/24 dev "$B"

connects() { # from port
	on b timeout 2 "$BIN/crowd" load 192.0.2.1 "$2" 1 1 n "$1" 1 >"$work/connect" 2>&1
	grep -q 'done 1 failed 0' "$work/connect"
}
followed_once() { # name host instance filter: one flow, whose bytes are those of one connection of kind n
	local flow
	flow=$(flows_json "$2" "$3" "$4 and state all")
	is "$1: one flow" "$(grep -c . <<<"$flow")" 1
	is "$1: each byte once" "$(member orig_bytes <<<"$flow")/$(member resp_bytes <<<"$flow")" 300/5000
	is "$1: nothing sent again" "$(member orig_rtx <<<"$flow")/$(member resp_rtx <<<"$flow")" 0/0
	is "$1: the interface it came by" "$(member iface <<<"$flow")" "$5"
}
start a "$BIN/crowd" serve 9000 || exit
start a "$BIN/crowd" serve 9001 || exit

# ---- a foreign XDP program ----
xdp_on() { # what "ip link" says of it, whoever it is
	on a ip link show dev "$A" | grep -o 'prog/xdp id [0-9]*'
}
if on a ip link set dev "$A" xdp obj "$BIN/pass.bpf.o" sec xdp.frags 2>"$work/ip"; then
	foreign=$(xdp_on)
	ward a doctor "$A"
	says "a foreign XDP program: doctor tells who, and what follows" "^WARN +xdp-program .*'pass', id [0-9]+.*attach by XDP is refused"
	says "... and what to do" "tcpward attach --ingress tc $A"
	for how in auto xdp xdp-generic; do
		ward a attach "$A" --ingress $how
		exits "a foreign XDP program: attach --ingress $how is refused" 1
		is "... by one line" "$(grep -c '^tcpward: ' "$work/err")" 1
		says "... that names it" "^tcpward: cannot attach to '$A': another XDP program is there \('pass', id [0-9]+\)$"
		says "... and what to do" "use --ingress tc, or remove it: ip link set dev $A xdp off"
		is "... it stays" "$(xdp_on)" "$foreign"
		is "... and nothing is left of ours" "$(ls "$PINS" 2>/dev/null)" ""
	done
	must a attach "$A" --ingress tc
	if connects 192.0.2.2 9000; then ok "... by tc: connections"; else fail "... by tc: connections" "$(cat "$work/connect")"; fi
	followed_once "... by tc" a "$A" 'dport = 9000' "$A"
	must a detach "$A"
	is "... it stays over the detach" "$(xdp_on)" "$foreign"
	on a ip link set dev "$A" xdp off
else
	skip "a foreign XDP program" "ip(8) cannot load one here: $(head -n 1 "$work/ip")"
fi

# ---- nftables and conntrack ----
if on a nft -f - 2>"$work/nft" <<-END; then
	table inet filter {
		counter reached {}
		chain input {
			type filter hook input priority 0; policy accept;
			ct state established accept
			tcp dport 9001 drop
			ct state new tcp dport 9000 counter name reached accept
		}
	}
END
	reached() { on a nft list counter inet filter reached | first_of packets; }
	must a attach "$A" --ingress xdp
	if connects 192.0.2.2 9000; then ok "beside nftables: what it accepts"; else fail "beside nftables" "$(cat "$work/connect")"; fi
	is "... reaches it once" "$(reached)" 1
	followed_once "beside nftables" a "$A" 'dport = 9000' "$A"
	if connects 192.0.2.2 9001; then fail "what it drops" "connected"; else ok "what it drops is not accepted"; fi
	is "... and seen as a SYN without an answer" "$(flows_json a "$A" 'dport = 9001' | member conn_state)" S0
	must a block add 192.0.2.3
	if connects 192.0.2.3 9000; then fail "what we drop" "connected"; else ok "what we drop is not accepted"; fi
	is "... and does not reach it" "$(reached)" 1
	verify_on a "$A" "beside nftables: the sockets agree"
	must a detach "$A"
	is "its rules stay" "$(on a nft list ruleset | grep -c 'tcp dport 9001 drop')" 1
	on a nft delete table inet filter
else
	skip "nftables and conntrack" "$(head -n 1 "$work/nft")"
fi

# ---- a bridge, with an address of its own, and two ports ----
host r c
R=$(dev r) RC=$(dev rc) C=$(dev c) BR=$(dev br)
on r ip link add "$BR" type bridge
address r "$BR" 198.51.100.1/24
wire r "$R" none b "$(dev b2)" 198.51.100.2/24
wire r "$RC" none c "$C" 198.51.100.3/24
on r ip link set "$R" master "$BR"
on r ip link set "$RC" master "$BR"
start r "$BIN/crowd" serve 9000 || exit
start c "$BIN/crowd" serve 9002 || exit
ward r attach "$BR" "$R"
exits "a bridge and its port: refused" 2
says "... with the reason" "'$R' is a port of '$BR', so each segment would be counted twice"
ward r doctor "$R"
says "doctor: a bridge's port" "^WARN +master .*is a port of '$BR': what passes here may be seen there again"
says "... and what to do" "attach to one of the two, never to both"
for on in "$BR" "$R"; do
	what="on the bridge"
	[ "$on" = "$R" ] && what="on its port"
	must r attach "$on"
	start b "$BIN/crowd" load 198.51.100.1 9000 1 1 n || exit
	followed_once "$what: its own connections" r "$on" 'dport = 9000' "$on"
	start b "$BIN/crowd" load 198.51.100.3 9002 1 1 n || exit
	if [ "$on" = "$R" ]; then
		followed_once "$what: what is bridged" r "$on" 'dport = 9002' "$on"
	else
		is "$what: what is bridged does not pass" "$(flows_json r "$on" 'dport = 9002 and state all')" ""
	fi
	must r detach "$on"
	sleep 1.1 # ports come again
done
