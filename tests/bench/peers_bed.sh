#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# peers_bed.sh KIND SIZE: one part of peers.sh, which starts it. Each peer guards a host of its own, all prepared alike; then they
# are measured by turns. Prints a line for each turn, and one for each request that was answered meanwhile:
#   turn KIND SIZE SCENARIO PEER RATE PASSED ANSWERED OF    segments a second that came in; those that got through, of 1000
#   ms KIND SIZE SCENARIO PEER TIME
#   skip KIND SIZE SCENARIO PEER WHY
#
#   forward SIZE      open connections through a router, so many
#   terminate SIZE    open connections of the host itself, so many; floods of SYNs and of ACKs to its service
#   block SIZE        SYNs from the sources of a block list of so many
#   rules SIZE        open connections, and ACKs of none, through a router with so many rules that do not match
#
# Generator, all that its segments set off, and the sink are on CPU 1; the client, and the service that answers it, on CPU 0.
#
# Host v: w --- flood (x), z --- beyond (x too: both ends of what is forwarded), v --- client (c).
. "$(dirname "$0")/lib.sh"
KIND=$1 SIZE=$2 FLOWS=$2
[ "$KIND" != rules ] || FLOWS=10000
ROUNDS=${ROUNDS:-3} SECONDS_EACH=${SECONDS_EACH:-1} REQUESTS=${REQUESTS:-100}
SERVICE=443 PARKING=8443 OPENING=200000
[ "${TCPWARD_TESTS_INSIDE:-}" = 1 ] || { echo "skip $KIND $SIZE all all no namespaces of its own here"; exit 0; }
[ "$CPUS" -ge 2 ] || { echo "skip $KIND $SIZE all all needs two CPUs"; exit 0; }

declare -A at=() # peer: its number
V() { dev "v${at[$1]}"; }
W() { dev "w${at[$1]}"; }
Z() { dev "z${at[$1]}"; }
note_skip() { # scenario peer why
	echo "skip $KIND $SIZE $*"
}

# ---- a host with its neighbours ----
build_host() { # peer
	local p=$1 n=${#at[@]}
	at[$p]=$n
	host "v$n" "x$n" "c$n"
	wire "v$n" "$(V "$p")" 192.0.2.1/24 "c$n" "$(dev "c$n")" 192.0.2.2/24
	wire "v$n" "$(W "$p")" 198.51.100.1/24 "x$n" "$(dev "x$n")" 198.51.100.2/24
	wire "v$n" "$(Z "$p")" 203.0.113.1/24 "x$n" "$(dev "y$n")" none
	on "v$n" sysctl -q -w net.ipv4.conf.all.rp_filter=0 "net.ipv4.conf.$(W "$p").rp_filter=0" net.ipv4.tcp_max_syn_backlog=4096 \
		net.core.somaxconn=4194304 net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0
	on "v$n" ip neigh replace 198.51.100.2 lladdr "$(link_address "x$n" "$(dev "x$n")")" dev "$(W "$p")" nud permanent
	on "v$n" ip neigh replace 203.0.113.2 lladdr "$(link_address "x$n" "$(dev "y$n")")" dev "$(Z "$p")" nud permanent
	on "v$n" ip route add 10.0.0.0/8 via 198.51.100.2
	xdp "v$n" "$(W "$p")" pass && xdp "v$n" "$(Z "$p")" pass && xdp "c$n" "$(dev "c$n")" pass && sinks "$p" || exit
	start "v$n" taskset -c 0 "$BIN/requests" serve $SERVICE $PARKING || exit
}
sinks() { # peer: what comes back from the host ends here
	xdp "x${at[$1]}" "$(dev "x${at[$1]}")" sink && xdp "x${at[$1]}" "$(dev "y${at[$1]}")" sink
}

# ---- the peers ----
guard_none() { :; }
guard_xdp-drop() { xdp "v${at[xdp-drop]}" "$(W xdp-drop)" sink; }
guard_tc-drop() {
	on "v${at[tc-drop]}" tc qdisc add dev "$(W tc-drop)" clsact
	on "v${at[tc-drop]}" tc filter add dev "$(W tc-drop)" ingress bpf da obj "build/tests/shot.bpf.o" sec tc
}
guard_kernel-cookies() { on "v${at[kernel-cookies]}" sysctl -q -w net.ipv4.tcp_syncookies=2; }
guard_nft-synproxy() { synproxy_rules "v${at[nft-synproxy]}" "{ $SERVICE, $PARKING }"; }
guard_nft-ct() { # accept first what is established, then rules, then the open ports
	local chain
	on "v${at[nft-ct]}" sysctl -q -w net.netfilter.nf_conntrack_tcp_loose=0
	{
		echo "add table ip guard"
		for chain in input forward; do
			echo "add chain ip guard $chain { type filter hook $chain priority filter; }"
			echo "add rule ip guard $chain ct state established accept"
			more_rules "add rule ip guard $chain ip saddr %s tcp dport %d drop"
			echo "add rule ip guard $chain tcp dport { $SERVICE, $PARKING } tcp flags syn / fin,syn,rst,ack ct state new accept"
			echo "add rule ip guard $chain meta l4proto tcp drop"
		done
	} | on "v${at[nft-ct]}" nft -f -
}
more_rules() { # format of an address and a port: none of them matches
	local i
	[ "$KIND" = rules ] || return
	# shellcheck disable=SC2059
	for ((i = 0; i < SIZE; i++)); do printf "$1\n" "172.16.$((i / 250)).$((i % 250))" $((2000 + i)); done
}
guard_nft-set() {
	on "v${at[nft-set]}" nft 'add table ip guard
		add set ip guard bad { type ipv4_addr; }
		add chain ip guard raw { type filter hook prerouting priority raw; }
		add rule ip guard raw ip saddr @bad drop'
	listed | awk 'NR % 5000 == 1 { if (NR > 1) print " }"; printf "add element ip guard bad { %s", $1; next } { printf ", %s", $1 }
		END { print " }" }' | on "v${at[nft-set]}" nft -f -
}
guard_xdp-filter() {
	local n=${at[xdp-filter]} device
	for device in V W; do
		no_xdp "v$n" "$($device xdp-filter)" 2>/dev/null
		on "v$n" timeout 20 xdp-filter load -m native -p allow -f ipv4 "$($device xdp-filter)" || return
	done
	[ "$KIND" != block ] || xdp_filter_list
}
# Its own command takes one address at a time: the same values, into its map. Bit 0: drop what comes from there.
xdp_filter_list() {
	listed | awk -F. '{
		print "map update pinned /sys/fs/bpf/xdp-filter/filter_ipv4 key", $1, $2, $3, $4, "value 1 0 0 0 0 0 0 0" }' >"$work/batch"
	"$BPFTOOL" batch file "$work/batch" >"$work/batch.log" 2>&1
}
guard_tcpward() {
	local n=${at[tcpward]} name="tw${ID}p" flows=262144
	no_xdp "v$n" "$(W tcpward)"
	no_xdp "v$n" "$(Z tcpward)"
	[ "$KIND" = block ] || [ $((FLOWS * 2)) -lt $flows ] || flows=$((FLOWS * 2))
	must "v$n" attach "$(W tcpward)" "$(V tcpward)" "$(Z tcpward)" --name "$name" --flows "$flows"
	{
		cookie_policy
		echo "state-check: strict"
		echo "rules:"
		echo "  - {name: out-of-state, match: {invalid: [no-flow, out-of-state, out-of-window]}, action: drop, sample: 5/s}"
		more_rules "  - {match: {saddr: %s, dport: %d}, action: drop}" | awk '{ sub(/\{/, "{name: r" NR ", "); print }'
	} >"$work/policy.yaml"
	must "v$n" policy apply --name "$name" "$work/policy.yaml"
	[ "$KIND" != block ] || { listed >"$work/list" && must "v$n" block import --name "$name" "$work/list"; }
}
# Sources of the block list: the first SIZE that flood uses.
listed() {
	awk -v n="$SIZE" 'BEGIN { for (k = 0; k < n; k++) { a = (k * 389567) % 1048576
		printf "10.%d.%d.%d\n", int(a / 65536), int(a / 256) % 256, a % 256 } }'
}
# ---- segments ----
flood() { # peer address port sources stride seconds rate kind...
	local n=${at[$1]} to
	to=$(link_address "v$n" "$(W "$1")")
	on "x$n" taskset -c 1 "$BIN/flood" "$(dev "x$n")" "$to" "$2" "$3" 10.0.0.0 "${@:4}"
}
open_all() { # peer address: FLOWS connections
	local n=${at[$1]} opener try
	launch "x$n" "$BIN/opened" "$work/acks-$1" 10.0.0.0 65536 "$FLOWS" 24 "$(dev "x$n")" "$(dev "y$n")"
	opener=$pid
	await 30 says_ready "$log" || { fail "opened" "$(tail -n 1 "$log")"; exit 1; }
	for try in 1 2 3; do # a SYN may be lost while others use the machine
		flood "$1" "$2" $PARKING 65536 1 20 $OPENING syn "$FLOWS" "$FLOWS" >"$work/flood" 2>&1 || { cat "$work/flood"; exit 1; }
		await 1 grep -q '^done' "$log" && break
	done
	await 20 grep -q '^done' "$log"
	# data and its ACK: what nobody has seen the server use is not open beyond doubt
	flood "$1" "$2" $PARKING 65536 1 20 $OPENING data "$FLOWS" "$FLOWS" "$work/acks-$1" >"$work/flood" 2>&1 || { cat "$work/flood"; exit 1; }
	sleep 0.3
	stop "$opener"
	sinks "$1"
	grep -q "^done $FLOWS of" "$log" || { note_skip all "$1" "only $(sed -n 's/^done //p' "$log") connections opened"; return 1; }
}

# ---- one turn ----
through() { # peer: segments that the guard let through
	case $KIND in
	forward | rules) frames_out "v${at[$1]}" "$(Z "$1")" ;;
	*) kernel_counter "v${at[$1]}" Tcp InSegs ;;
	esac
}
turn() { # scenario peer words of flood...
	local scenario=$1 p=$2 n=${at[$2]} came passed flooding
	came=$(frames_in "v$n" "$(W "$p")") passed=$(through "$p")
	flood "$p" "${@:3}" >"$work/flood" 2>&1 &
	flooding=$!
	sleep 0.15
	on "c$n" taskset -c 0 "$BIN/requests" ask 192.0.2.1 $SERVICE "$REQUESTS" "$SECONDS_EACH" >"$work/asked" &
	wait $flooding || { note_skip "$scenario" "$p" "$(tail -n 1 "$work/flood")"; return; }
	came=$(($(frames_in "v$n" "$(W "$p")") - came)) passed=$(($(through "$p") - passed))
	wait $!
	awk -v head="$KIND $SIZE $scenario $p" -v came=$came -v passed=$passed '
		FNR == NR { seconds = $5; next }
		/^ms/ { print "ms", head, $2 }
		/^done/ { printf "turn %s %.0f %.0f %d %d\n", head, came / seconds, came ? 1000 * passed / came : 0, $2, $4 }
	' "$work/flood" "$work/asked"
}
by_turns() { # scenario words-function peers...
	local scenario=$1 words=$2 round p
	shift 2
	for ((round = 0; round < ROUNDS; round++)); do
		for p in "$@"; do [ -n "${ready[$p]:-}" ] && turn "$scenario" "$p" $($words "$p"); done
	done
}
established() { echo "$target $PARKING 65536 1 $SECONDS_EACH 0 ack $FLOWS 0 $work/acks-$1"; }
unopened() { echo "$target $SERVICE 1048576 389567 $SECONDS_EACH 0 ack 0 0"; }
syns() { echo "$target $SERVICE 1048576 389567 $SECONDS_EACH 0 syn 0 0"; }
blocked() { echo "$target $SERVICE 1048576 389567 $SECONDS_EACH 0 syn $SIZE 0"; }

# ---- the parts ----
declare -A ready=()
prepare() { # peers...
	local p
	for p in "$@"; do
		if [ "$p" = xdp-filter ] && ! command -v xdp-filter >/dev/null; then
			note_skip all "$p" "xdp-filter is not installed (Debian: apt-get install xdp-tools)"
			continue
		fi
		build_host "$p"
		"guard_$p" >"$work/guard" 2>&1 && ready[$p]=1 ||
			note_skip all "$p" "$(grep -m 1 . "$work/guard" || grep -m 1 -i error "$work/batch.log" 2>/dev/null)"
	done
}
prepare_open() { # peers...: with connections
	local p
	prepare "$@"
	for p in "$@"; do
		[ -n "${ready[$p]:-}" ] || continue
		case $p in *-drop) continue ;; esac
		open_all "$p" "$target" || unset "ready[$p]"
	done
}
case $KIND in
forward)
	target=203.0.113.2
	prepare_open none nft-ct xdp-filter tcpward
	by_turns established established none nft-ct xdp-filter tcpward
	;;
terminate)
	target=198.51.100.1
	prepare_open none nft-ct nft-synproxy xdp-filter tcpward
	by_turns established established none nft-ct nft-synproxy xdp-filter tcpward
	;;
flood)
	target=198.51.100.1
	prepare xdp-drop tc-drop
	prepare_open none kernel-cookies nft-ct nft-synproxy tcpward
	by_turns ack-flood unopened xdp-drop tc-drop none nft-ct nft-synproxy tcpward
	by_turns syn-flood syns xdp-drop tc-drop none kernel-cookies nft-ct nft-synproxy tcpward
	;;
block)
	target=198.51.100.1
	prepare xdp-drop tc-drop nft-set xdp-filter tcpward
	by_turns blocked blocked xdp-drop tc-drop nft-set xdp-filter tcpward
	;;
rules)
	target=203.0.113.2
	peers="nft-ct tcpward"
	[ "$SIZE" -le 63 ] || { peers=nft-ct && note_skip all tcpward "a policy has at most 64 rules"; }
	prepare_open $peers
	by_turns established established $peers
	by_turns ack-flood unopened $peers
	;;
*)
	echo "usage: peers_bed.sh forward|terminate|flood|block|rules SIZE" >&2
	exit 2
	;;
esac
