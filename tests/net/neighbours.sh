#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# neighbours: with others on the same host: a foreign XDP program, which is never replaced; tc programs before ours and behind;
# nftables and conntrack; a bridge and its ports, where nothing is followed twice.
. "$(dirname "$0")/lib.sh"
A=$(dev a) B=$(dev b)
host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
on b ip addr add 192.0.2.3/24 dev "$B"

connects() { # from port [seconds]
	on b timeout "${3:-2}" "$BIN/crowd" load 192.0.2.1 "$2" 1 1 n "$1" 1 >"$work/connect" 2>&1
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

# ---- libxdp's dispatcher, or what has its name, where it cannot be joined (where it can: tests/vm/dispatcher-*.sh) ----
refuses_dispatcher() { # name program why
	local TCPWARD=$2
	ward a doctor "$A"
	says "$1: doctor says why attach cannot join" "^WARN +xdp-program .*libxdp's dispatcher is attached, and attach cannot join it: $3"
	says "... and what to do" "tcpward attach --ingress tc $A, or "
	ward a attach "$A"
	exits "$1: attach is refused" 1
	says "... with the reason" "^tcpward: cannot attach to '$A': libxdp's dispatcher is there, and $3"
	is "... it stays" "$(xdp_on)" "$foreign"
	must a attach "$A" --ingress tc
	must a detach "$A"
}
if on a ip link set dev "$A" xdp obj "$BIN/dispatcher.bpf.o" sec xdp 2>"$work/ip"; then
	foreign=$(xdp_on)
	refuses_dispatcher "without libxdp" "$BIN/tcpward-noxdp" "this tcpward was built without libxdp"
	ldd "$TCPWARD" | grep -q libxdp && refuses_dispatcher "an empty dispatcher" "$TCPWARD" "libxdp finds no programs in it"
	on a ip link set dev "$A" xdp off
else
	skip "libxdp's dispatcher" "ip(8) cannot load a program here: $(head -n 1 "$work/ip")"
fi
watches_without_libxdp() {
	local TCPWARD=$BIN/tcpward-noxdp
	must a attach "$A" --ingress xdp
	if connects 192.0.2.2 9000; then ok "without libxdp: connections"; else fail "without libxdp: connections" "$(cat "$work/connect")"; fi
	followed_once "without libxdp" a "$A" 'dport = 9000' "$A"
	must a detach "$A"
	is "without libxdp: detach leaves nothing" "$(xdp_on)$(ls "$PINS" 2>/dev/null)" ""
}
watches_without_libxdp

# ---- other tc programs, on tcx and on clsact, before ours and behind: what of a connection we still see ----
declare -A verdict=([OK]=0 [SHOT]=2 [PIPE]=3 [UNSPEC]=-1)
cases=0
# A neighbour drops ARP, too.
knows() { # host device address its-host its-device
	on "$1" ip neigh replace "$3" lladdr "$(on "$4" ip -br link show dev "$5" | awk '{ print $3 }')" nud permanent dev "$2"
}
knows b "$B" 192.0.2.1 a "$A"
beside() { # hook, first, last or a priority, verdict's name: a neighbour, until leaves
	start a "$BIN/beside" "$A" "$1" "$2" "${verdict[$3]}"
	neighbour=$pid
}
leaves() {
	stop "$neighbour"
}
case_of() { # name in out doctor's: ours see that much of the segments of each direction, with the neighbour that is there
	local from=192.0.2.$((100 + ++cases)) flow
	on b ip addr add $from/24 dev "$B"
	knows a "$A" $from b "$B"
	connects $from 9000 0.7
	flow=$(flows_json a "$A" "src $from and state all")
	is "$1: ours see of what comes in, goes out" "$(amount orig_pkts "$flow") $(amount resp_pkts "$flow")" "$2 $3"
	[ -n "$4" ] || return
	ward a doctor "$A"
	says "$1: doctor" "$4"
}
amount() { # field flow
	[ "$(member "$1" <<<"$2")" -gt 0 ] 2>/dev/null && echo some || echo none
}
comes_after() { # name where: a neighbour at that place of a hook, when ours are there; lines: hook verdict in out doctor's
	local hook name in out told
	while read -r hook name in out told; do
		beside "$hook" "$2" "$name" || continue
		case_of "$1, $hook $name" "$in" "$out" "$told"
		leaves
	done
}
hides="^WARN +tcx-ingress .*before tcpward's at ingress .beside.: they hide from it what they return anything but -1 for"
if on a "$TCPWARD" doctor | grep -q ' no tcx '; then
	skip "tcx neighbours" "this kernel has no tcx"
else
	while read -r hook name; do
		beside "$hook" first "$name" || continue
		must a attach "$A" --ingress tc
		case_of "attached after it, tcx $hook $name" some some \
			"^OK +tcx-$hook .*other tcx programs at $hook .beside. come behind tcpward's and hide nothing"
		leaves
		must a detach "$A"
	done <<-END
		ingress OK
		ingress PIPE
		egress OK
	END
	must a attach "$A" --ingress tc
	comes_after "tcx behind ours" last <<-END
		ingress OK some some ^OK +tcx-ingress .*.beside. come behind tcpward's and hide nothing
		egress UNSPEC some some ^OK +tcx-egress .*.beside. come behind tcpward's and hide nothing
		ingress SHOT some none
		egress SHOT some some
	END
	comes_after "tcx before ours" first <<-END
		ingress OK none some $hides
		ingress UNSPEC some some
		ingress PIPE none some
		ingress SHOT none none
		egress OK some none ${hides//ingress/egress}
		egress UNSPEC some some
		egress PIPE some none
		egress SHOT some none
	END
	comes_after "clsact beside our tcx" 1 <<-END
		ingress OK some some ^OK +tc-filters .*1 at ingress, 0 at egress. come after tcpward's tcx programs
		egress OK some some ^OK +tc-filters .*0 at ingress, 1 at egress. come after tcpward's tcx programs
		ingress SHOT some none
	END
	must a detach "$A"
	must a attach "$A" --ingress tc --clsact
	comes_after "tcx beside our clsact" last <<-END
		ingress OK none some ^WARN +tcx-ingress .*come before tcpward's filter: they hide from it what they return 0 for, or drop
		ingress UNSPEC some some
		ingress PIPE some some
		egress OK some none ^WARN +tcx-egress .*come before tcpward's filter
		egress PIPE some some
	END
	must a detach "$A"
	must a attach "$A" --ingress xdp
	comes_after "tcx before ours, XDP" first <<-END
		ingress OK some some ^OK +tcx-ingress
		ingress SHOT some none
	END
	must a detach "$A"
fi
must a attach "$A" --ingress tc --clsact
comes_after "clsact before ours" 1 <<-END
	ingress OK none some ^WARN +tc-filters .*before tcpward's .1 at ingress, 0 at egress.: they hide from it what they accept or drop
	ingress UNSPEC some some
	ingress PIPE some some
	ingress SHOT none none
	egress OK some none ^WARN +tc-filters .*before tcpward's .0 at ingress, 1 at egress.
	egress UNSPEC some some
END
comes_after "clsact behind ours" 49000 <<-END
	ingress OK some some ^OK +tc-filters .*1 at ingress, 0 at egress. come behind tcpward's and hide nothing
	egress OK some some ^OK +tc-filters .*0 at ingress, 1 at egress. come behind tcpward's and hide nothing
	ingress SHOT some none
END
must a detach "$A"
is "the last neighbour's qdisc stays, without a filter of ours" "$(on a tc filter show dev "$A" ingress | grep -c ward)" 0
on a tc qdisc del dev "$A" clsact 2>/dev/null

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
