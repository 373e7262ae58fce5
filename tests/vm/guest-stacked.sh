# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# guest-stacked: in a guest of tests/vm, since it takes modules that few machines have: a bond and its ports, a VLAN device and its
# parent. Wherever it is attached a connection is followed once, with the keys right. (Bridges: tests/net/neighbours.sh.)
. "$(dirname "$0")/../net/lib.sh"
echo "# Linux $(uname -r)"

followed_once() { # name host instance port interface vlan: one flow, whose bytes are those of one connection of kind n
	local flow
	flow=$(flows_json "$2" "$3" "dport = $4 and state all")
	is "$1: one flow" "$(grep -c . <<<"$flow")" 1
	is "$1: each byte once" "$(member orig_bytes <<<"$flow")/$(member resp_bytes <<<"$flow")" 300/5000
	is "$1: nothing sent again" "$(member orig_rtx <<<"$flow")/$(member resp_rtx <<<"$flow")" 0/0
	is "$1: to its end" "$(member conn_state <<<"$flow")" SF
	is "$1: its key" "$(member saddr <<<"$flow") $(member daddr <<<"$flow"):$(member dport <<<"$flow")" "$6.2 $6.1:$4"
	is "$1: the interface it came by" "$(member iface <<<"$flow")" "$5"
	vlan=$(member vlan <<<"$flow")
}
port=9000
watched() { # name host device addresses words of attach...: attached there, a connection to the host comes and goes
	local name=$1 where=$2 device=$3 net=$4 server
	shift 4
	port=$((port + 1))
	ward "$where" attach "$device" "$@"
	exits "$name: attach" 0
	[ $code = 0 ] || return
	start "$where" "$BIN/crowd" serve $port || return
	server=$pid
	start b "$BIN/crowd" load "$net.1" $port 1 1 n || { must "$where" detach "$device"; return; }
	followed_once "$name" "$where" "$device" $port "$device" "$net"
	verify_on "$where" "$device" "$name: the sockets agree"
	stop "$server"
	must "$where" detach "$device"
}

# ---- a bond of two links to a bridge's ports, as of a switch ----
host a b
A0=$(dev a0) A1=$(dev a1) BOND=$(dev bo) BR=$(dev br)
on b ip link add "$BR" type bridge
address b "$BR" 192.0.2.2/24
on a ip link add "$BOND" type bond mode active-backup miimon 100
for d in "$A0 $(dev b0)" "$A1 $(dev b1)"; do
	wire a ${d% *} none b ${d#* } none
	on b ip link set ${d#* } master "$BR"
	on a ip link set ${d% *} down
	on a ip link set ${d% *} master "$BOND"
	on a ip link set ${d% *} up
done
address a "$BOND" 192.0.2.1/24
bond_carries() { connects b 3 192.0.2.2 192.0.2.1 9000; }
start a "$BIN/crowd" serve 9000 || exit
if await 20 bond_carries; then ok "the bond carries connections"; else fail "the bond carries connections" "$(on a ip -br link)"; exit; fi
active=$(on a ip -d link show dev "$BOND" | first_of active_slave)
ward a attach "$BOND" "$A0"
exits "a bond and its port: refused" 2
says "... with the reason" "'$A0' is a port of '$BOND', so each segment would be counted twice"
ward a doctor "$BOND" "$A0"
says "doctor: a bond with ports" "^WARN +ports +'$BOND': its ports \(2\) see the same segments"
says "doctor: a bond's port" "^WARN +master +'$A0': is a port of '$BOND'"
says "... and what to do" "attach to one of the two, never to both"
watched "bond, tc" a "$BOND" 192.0.2 --ingress tc
watched "bond, XDP" a "$BOND" 192.0.2 --ingress xdp
watched "its active port, XDP" a "$active" 192.0.2

# A port that joins later, and a second bond, whose ports XDP could not tell from those of the first.
A2=$(dev a2) A3=$(dev a3) BOND2=$(dev bp)
wire a "$A2" none b "$(dev b2)" none
on b ip link set "$(dev b2)" master "$BR"
on a ip link add "$BOND2" type bond mode active-backup miimon 100
wire a "$A3" none b "$(dev b3)" 192.0.3.2/24
on a ip link set "$A3" down
on a ip link set "$A3" master "$BOND2"
address a "$BOND2" 192.0.3.1/24
ward a attach "$BOND" "$BOND2" --ingress xdp
exits "two bonds by XDP: refused" 4
says "... with the reason" "cannot attach to '$BOND2': native XDP cannot tell its frames from those of '$BOND', which has ports, too"
says "... and what to do" "attach to each by a command of its own, or use --ingress tc"
ward a attach "$BOND" "$BOND2"
exits "two bonds: attach" 0
says "two bonds: the second by tc" "$BOND2: ingress by tc, since native XDP cannot tell its frames from those of '$BOND'"
on a ip link set "$A2" down
on a ip link set "$A2" master "$BOND"
on a ip link set "$A2" up
joined_is_active() { on a ip link set "$BOND" type bond active_slave "$A2" 2>/dev/null; }
if await 10 joined_is_active; then ok "a port joins, and carries all"; else fail "a port joins, and carries all" "$(on a ip -br link)"; fi
for net in 192.0.2 192.0.3; do
	port=$((port + 1))
	start a "$BIN/crowd" serve $port && start b "$BIN/crowd" load "$net.1" $port 1 1 n || continue
	if [ $net = 192.0.2 ]; then device=$BOND; else device=$BOND2; fi
	followed_once "two bonds, $net" a "$BOND" $port "$device" $net
done
must a detach "$BOND"

# ---- a VLAN device, and its parent ----
host v
V=$(dev v) W=$(dev w)
wire v "$V" none b "$W" none
on v ip link add link "$V" name "$V.7" type vlan id 7
on b ip link add link "$W" name "$W.7" type vlan id 7
address v "$V.7" 198.51.100.1/24
address b "$W.7" 198.51.100.2/24
ward v attach "$V" "$V.7"
exits "a VLAN device and its parent: refused" 2
says "... with the reason" "is a VLAN on '$V', so each segment would be counted twice"
ward v doctor "$V" "$V.7"
says "doctor: a parent" "^WARN +vlans +'$V': VLAN devices above it \(1\) see the same segments"
says "doctor: a VLAN device" "^WARN +parent +'$V.7': stands on '$V', which sees the same segments"
watched "a VLAN's parent" v "$V" 198.51.100
is "a VLAN's parent: its tag" "$vlan" 7
watched "a VLAN device, tc" v "$V.7" 198.51.100 --ingress tc
is "a VLAN device: no tag" "$vlan" null

# ---- a router: in by a VLAN device, out by another interface ----
host c
X=$(dev x)
wire v "$X" 203.0.113.1/24 c "$(dev y)" 203.0.113.2/24
on v sysctl -q -w net.ipv4.ip_forward=1
on b ip route add 203.0.113.0/24 via 198.51.100.1
on c ip route add default via 203.0.113.1
for way in tc xdp; do
	port=$((port + 1))
	start c "$BIN/crowd" serve $port || exit
	ward v attach "$V" "$X" --ingress $way
	exits "a router, $way: attach" 0
	start b "$BIN/crowd" load 203.0.113.2 $port 1 1 n || exit
	flow=$(flows_json v "$V" "dport = $port and state all")
	is "a router, $way: one flow" "$(grep -c . <<<"$flow")" 1
	is "a router, $way: each byte once" "$(member orig_bytes <<<"$flow")/$(member resp_bytes <<<"$flow")" 300/5000
	is "a router, $way: nothing sent again" "$(member orig_rtx <<<"$flow")/$(member resp_rtx <<<"$flow")" 0/0
	must v detach --name "$V"
done
