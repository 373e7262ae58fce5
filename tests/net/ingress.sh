#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# ingress: each way in (native XDP, generic XDP, tc), with GSO super-segments; one direction alone; lo; a device without
# Ethernet headers; a mirror port with VLAN tags. Always against the kernel's own account of its sockets.
#
# alone: on a busy machine a veth loses segments before the hook, which its socket has counted as sent (then: once more)
. "$(dirname "$0")/lib.sh"
A=$(dev a) B=$(dev b)

host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
out() { # log name: of the kernel's account
	grep ^done "$1" | first_of "$2"
}
near() { # name value expected: within 5 %
	if [ $((${2:-0} * 100)) -ge $(($3 * 95)) ] && [ $((${2:-0} * 100)) -le $(($3 * 105)) ]; then
		ok "$1"
	else
		fail "$1" "$2, not about $3"
	fi
}
# What devices have lost on their way out, since they are there.
lost() {
	for host in a b; do on $host ip -j -s link show; done | grep -o '"tx":{[^}]*' | sed -n 's/.*"dropped":\([0-9]*\).*/\1/p' | awk '{ n += $1 } END { print n + 0 }'
}
# One connection, through which nothing was lost; its accounts to $client and $server. It stays: hang_up.
transfer() { # host address port bytes-there bytes-back [host of the server]
	for again in 1 2 3 4 5; do
		local before=$(lost)
		transfer_once "$@"
		[ "$(lost)" != "$before" ] || return
		echo "# a device has lost $(($(lost) - before)) packets on their way out: once more"
		[ $again = 5 ] || hang_up
	done
}
transfer_once() { # the same
	launch "${6:-b}" "$BIN/stream" listen "$3" "$5" $((CPUS - 1))
	server=$log server_pid=$pid
	await 10 says_ready "$server"
	launch "$1" "$BIN/stream" connect "$2" "$3" "$4" 0
	client=$log client_pid=$pid
	ended() { grep -q ^done "$client" && grep -q ^done "$server"; }
	await 20 ended || fail "the transfer ends" "$(cat "$client" "$server")"
}
hang_up() {
	stop "$client_pid"
	stop "$server_pid"
}
# The flow $flow against $client and $server
counted() { # name [near: the number of segments is an estimate]
	is "$1: bytes there" "$(member orig_bytes <<<"$flow")" "$(out "$client" bytes_sent)"
	is "$1: bytes back" "$(member resp_bytes <<<"$flow")" "$(out "$server" bytes_sent)"
	${2:-is} "$1: segments there" "$(member orig_pkts <<<"$flow")" "$(out "$client" segs_out)"
	${2:-is} "$1: segments back" "$(member resp_pkts <<<"$flow")" $(($(out "$server" segs_out) + 1))
	is "$1: states" "$(member orig_state <<<"$flow")/$(member resp_state <<<"$flow")" ESTABLISHED/ESTABLISHED
}

# ---- each way in; 12 MB there, 6 MB back, cut into segments only after our hook ----
for how in auto xdp xdp-generic tc "tc --clsact"; do
	case $how in
	auto) by='xdp","egress":"tcx' ;;
	"tc --clsact") by='tc","egress":"clsact' ;;
	*) by="$how\",\"egress\":\"tcx" ;;
	esac
	must a attach "$A" --ingress $how
	ward a status -j
	says "$how: status tells how" "\"ingress\":\"$by\""
	transfer a 192.0.2.2 7000 12000000 6000000
	flow=$(flows_json a "$A" 'dport = 7000 and state established')
	if [ "$how" = xdp-generic ]; then
		counted "$how" near
		expect "$how: estimates are counted as such" "$(counter a "$A" estimated)" -gt 0
	else
		counted "$how"
		is "$how: no estimates" "$(counter a "$A" estimated)" 0
	fi
	verify_on a "$A" "$how: the sockets agree"
	hang_up
	must a detach "$A"
done
is "no way in leaves anything" "$(on a tc filter show dev "$A" ingress; on a ip link show dev "$A" | grep -o 'xdp.*')" ""

# ---- --hooks ingress: one direction alone ----
must a attach "$A" --hooks ingress --ingress tc
is "--hooks ingress: status" "$(on a "$TCPWARD" -j | member egress)" none
transfer b 192.0.2.1 7001 500000 400000 a
flow=$(flows_json a "$A" 'dport = 7001 and state established')
is "--hooks ingress: one flow" "$(grep -c . <<<"$flow")" 1
is "--hooks ingress: bytes of what came in" "$(member orig_bytes <<<"$flow")" "$(out "$client" bytes_sent)"
is "--hooks ingress: nothing of what went out" "$(member resp_pkts <<<"$flow")$(counter a "$A" tx-segments)" 00
is "--hooks ingress: the end unseen is inferred" "$(member resp_confirmed <<<"$flow")" false
says_flag=$(member flags <<<"$flow")
expect "--hooks ingress: flag ASYM" -n "$(grep ASYM <<<"$says_flag")"
hang_up
must a detach "$A"

# ---- lo: each segment passes twice, and is counted once ----
for how in auto tc; do
	must a attach lo --name "lo$ID" --ingress $how
	transfer a 127.0.0.1 7002 3000000 2000000 a
	flow=$(flows_json a "lo$ID" 'dport = 7002 and state established')
	is "lo, $how: one flow" "$(grep -c . <<<"$flow")" 1
	if [ "$(on a "$TCPWARD" -j --name "lo$ID" | member ingress)" = tc ]; then counted "lo, $how"; else counted "lo, $how" near; fi
	verify_on a "lo$ID" "lo, $how: the sockets agree"
	hang_up
	must a detach --name "lo$ID"
done

# ---- without Ethernet headers ----
T=$(dev t)
launch a "$BIN/tunnel" "/run/netns/tw-$ID-a" "$T" "/run/netns/tw-$ID-b" "$T"
if await 5 says_ready "$log"; then
	address a "$T" 198.51.100.1/24
	address b "$T" 198.51.100.2/24
	for how in auto xdp-generic tc; do
		must a attach "$T" --ingress $how
		is "tun, $how: status tells what it is" "$(on a "$TCPWARD" -j | member l3)" true
		transfer a 198.51.100.2 7003 400000 300000
		flow=$(flows_json a "$T" 'dport = 7003 and state established')
		counted "tun, $how"
		verify_on a "$T" "tun, $how: the sockets agree"
		hang_up
		must a detach "$T"
	done
else
	skip "a device without Ethernet headers" "$(cat "$log")"
fi

# ---- a mirror port with VLAN tags: in line for XDP, taken off and told in the skb for tc ----
M=$(dev m) W=$(dev w)
host w
wire b "$M" none w "$W" none
for d in "a $A" "b $B"; do on ${d% *} ip link set ${d#* } gso_max_segs 1; done
on b ip link set "$M" mtu 1600
on w ip link set "$W" mtu 1600
mirrored() { # name, tracking options, tags of each mirror ("" none)
	local name=$1 options=$2 mirrors=()
	shift 2
	must w attach "$W" --hooks ingress $options
	for tags in "$@"; do
		start b "$BIN/mirror" "$B" "$M" $tags
		mirrors+=("$pid")
	done
	transfer a 192.0.2.2 7004 200000 300000
	sleep 0.3
	flow=$(flows_json w "$W" 'dport = 7004 and state established')
	hang_up
	for pid in "${mirrors[@]}"; do stop "$pid"; done
	must w detach "$W"
}
mirrored "mirror" "" ""
counted "mirror, no tag"
is "mirror, no tag: vlan" "$(member vlan <<<"$flow")" null
for how in xdp tc; do
	mirrored "" "--ingress $how" 7
	counted "802.1Q, $how"
	is "802.1Q, $how: vlan" "$(member vlan <<<"$flow")" 7
	mirrored "" "--ingress $how" "100 7"
	counted "QinQ, $how"
	is "QinQ, $how: the outer vlan" "$(member vlan <<<"$flow")" 100
done
mirrored "" "--key-vlan --ingress xdp" 7 8
is "--key-vlan: the same connection in two VLANs is two flows" "$(grep -c . <<<"$flow")" 2
is "--key-vlan: of either VLAN" "$(grep -o '"vlan":[0-9]*' <<<"$flow" | sort | tr '\n' ' ')" '"vlan":7 "vlan":8 '
both=$flow
for vlan in 7 8; do
	flow=$(grep "\"vlan\":$vlan," <<<"$both")
	counted "--key-vlan, VLAN $vlan"
done
