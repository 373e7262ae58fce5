#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# live: an hour of real connections between two namespaces, 200 new ones a second of nine kinds, an instance at each end.
# Once a minute every end is compared with its socket. At the end nothing has grown: memory, descriptors, entries of the maps.
#
#   SECONDS_LIVE=180 RATE=200 tests/soak/live.sh     (3600 s by default; by itself, not by run.sh)
. "$(dirname "$0")/../net/lib.sh"
A=$(dev a) B=$(dev b)
SECONDS_LIVE=${SECONDS_LIVE:-3600} RATE=${RATE:-200}

host a b
wire a "$A" 192.0.2.1/16 b "$B" 192.0.200.1/16
for i in $(seq 2 40); do on a ip addr add "192.0.2.$i/16" dev "$A"; done
for h in a b; do on $h sysctl -q -w net.ipv4.tcp_fin_timeout=300; done
start b "$BIN/crowd" serve 9000 || exit
must a attach "$A"
must b attach "$B"

keeper_a=$(on a "$TCPWARD" status -j --name "$A" | member keeper_pid)
kb() { # pid
	awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}
fds() { # pid
	ls "/proc/$1/fd" | wc -l
}
entries() {
	"$BPFTOOL" map dump pinned "$PINS/$A/flows" | grep -c '"key": {'
}
failed=0 batches=()
wait_for_batches() { # as many may be left
	local line
	while [ ${#batches[@]} -gt "$1" ]; do
		read -r batch_pid batch_log <<<"${batches[0]}"
		await 20 grep -q '^done' "$batch_log" || echo "# a batch did not end: $(cat "$batch_log")"
		line=$(cat "$batch_log")
		failed=$((failed + $(first_of failed <<<"$line")))
		kill -KILL "$batch_pid"
		wait "$batch_pid" 2>/dev/null
		rm -f "$batch_log"
		batches=("${batches[@]:1}")
	done
}

began=$SECONDS minute=0 made=0
while [ $((SECONDS - began)) -lt "$SECONDS_LIVE" ]; do
	due=$(((SECONDS - began + 1) * RATE))
	if [ $made -lt $due ]; then
		(exec nsenter --net="/run/netns/tw-$ID-a" "$BIN/crowd" load 192.0.200.1 9000 "$RATE" 20 nshrRcatb 192.0.2.1 40) \
			>"$work/batch.$made" 2>&1 </dev/null &
		batches+=("$! $work/batch.$made")
		made=$((made + RATE))
	fi
	wait_for_batches 8
	sleep 0.1
	if [ $(((SECONDS - began) / 60)) -gt $minute ]; then
		minute=$(((SECONDS - began) / 60))
		[ $minute -gt 1 ] || first="$(kb "$keeper_a") $(fds "$keeper_a")"
		for h in a b; do
			name=$A
			[ $h = a ] || name=$B
			verify_on $h "$name" "minute $minute, host $h: no unexplained difference"
		done
		echo "# minute $minute: $made connections, $(entries) entries, keeper $(kb "$keeper_a") kB $(fds "$keeper_a") descriptors," \
			"$(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo) MB available"
	fi
done
wait_for_batches 0
echo "# $made connections in $((SECONDS - began)) s, $failed not as planned"
expect "connections went as planned" $((failed * 200)) -le $made
read -r first_kb first_fds <<<"${first:-$(kb "$keeper_a") $(fds "$keeper_a")}"
is "no descriptor of the keeper leaks" "$(fds "$keeper_a")" "$first_fds"
expect "no memory of the keeper leaks" "$(kb "$keeper_a")" -le $((first_kb + first_kb / 10 + 1024))
over() { [ "$(entries)" = 0 ]; }
await 150 over # 2MSL, the tombstones, and what a lost FIN left behind
for h in a b; do
	name=$A
	[ $h = a ] || name=$B
	expect "host $h: every connection was a flow" "$(counter $h "$name" flows-new)" -ge "$made"
	is "host $h: no half-open gauge drifted" "$(counter $h "$name" gauges-corrected)" 0
	is "host $h: nothing found its table full" "$(counter $h "$name" table-full)" 0
	ended=$(on $h "$TCPWARD" stat -j --name "$name" | grep -o '"ended-[a-z]*":[0-9]*' | awk -F: '{ n += $2 } END { print n }')
	left=$(flows_json $h "$name" 'not state closed' | wc -l)
	is "host $h: each flow ended once, or is alive" "$((ended + left))" "$(counter $h "$name" flows-new)"
done
is "the table is empty again" "$(entries)" 0
for h in a b; do
	name=$A
	[ $h = a ] || name=$B
	must $h detach --name "$name"
	is "host $h: no hook is left" "$(on $h ip -d link show dev "$name" | grep -c prog/xdp)" 0
done
is "no pin, and no lock of an instance is left" "$(ls "$PINS" /run/tcpward 2>/dev/null | grep -c "$ID")" 0
