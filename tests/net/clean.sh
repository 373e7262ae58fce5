#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# clean: more than 20,000 ordinary connections, at the default thresholds: requests and answers, big ones, half-closed ones,
# downloads that are given up, a few that are refused, 300 that live and talk all the time; IPv4 and IPv6, from 120 clients of
# each. Nothing may be found.
#
# alone: 20,000 connections, none of which may be late
. "$(dirname "$0")/lib.sh"
V=$(dev v) C=$(dev c)
EACH=${EACH:-11000} CLIENTS=120 HELD=150
KINDS=nnnsnnhnnnsnbnnhnnnsncnatnnsnnhnnnrnnsnnnhnnRnnsnbnnhnnnsnnntnnsnnnhnnnsnnnnx

host v c
wire v "$V" 192.0.2.1/24 c "$C" 192.0.2.2/24
on v ip addr add 2001:db8::1/64 dev "$V" nodad
for ((i = 0; i < CLIENTS; i++)); do
	echo "addr add 192.0.2.$((10 + i))/24 dev $C"
	printf 'addr add 2001:db8::1:%x/64 dev %s nodad\n' $i "$C"
done | on c ip -batch -
start v "$BIN/crowd" serve 80 || exit
must v attach "$V"
start c "$BIN/crowd" hold 192.0.2.1 80 $HELD || exit
holders=$pid
start c "$BIN/crowd" hold 2001:db8::1 80 $HELD || exit
holders+=" $pid"

began=$SECONDS
launch c "$BIN/crowd" load 192.0.2.1 80 $EACH 12 $KINDS 192.0.2.10 $CLIENTS
loads=("$log")
launch c "$BIN/crowd" load 2001:db8::1 80 $EACH 12 $KINDS 2001:db8::1:0 $CLIENTS
loads+=("$log")
while ! says_ready "${loads[0]}" || ! says_ready "${loads[1]}"; do
	[ $((SECONDS - began)) -lt 90 ] || break
	kill -USR1 $holders
	sleep 1
done
took=$((SECONDS - began))
for log in "${loads[@]}"; do
	is "all connections go as they should" "$(cat "$log")" "done $EACH failed 0"
done
sleep 3 # whoever waits for something has waited for two looks at least
ward v findings --all -j --name "$V"
is "nothing is found" "$(cat "$work/out")" "[]"
says "... and that is all that findings say" '^\[\]$'
ward v findings --all --name "$V"
sed 's/^/# /' "$work/out" | cut -c1-200
verify_on v "$V" "every tracked state agrees with the kernel's, or is explained"
stat=$(on v "$TCPWARD" stat -j --name "$V")
expect "20,000 connections and more were seen" "$(member flows-new <<<"$stat")" -ge 20000
is "none of them mid-stream" "$(member midstream-new <<<"$stat")" 0
is "no gauge had to be corrected" "$(member gauges-corrected <<<"$stat")" 0
echo "# $took s; new $(member flows-new <<<"$stat"), closed $(member ended-closed <<<"$stat"), reset" \
	"$(member ended-reset <<<"$stat"), refused $(member ended-refused <<<"$stat"); $(member rx-segments <<<"$stat") segments" \
	"in, $(member tx-segments <<<"$stat") out"
