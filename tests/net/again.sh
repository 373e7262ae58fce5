#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# again: attach and detach 100 times under traffic, at both ends of the wire at once. Nothing leaks, and the traffic does
# not notice.
. "$(dirname "$0")/lib.sh"
A=$(dev a) B=$(dev b)
TIMES=${TIMES:-50} # at each end
FLOWS=$((3000 + RANDOM % 997)) # known by their size: others may run beside us
[ -n "$BPFTOOL" ] || { skip again "no bpftool"; exit 0; }

host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
start b "$BIN/crowd" serve 9000 || exit

# What there is of ours. Each program holds the flow table, so a table that is gone says that all of them are.
things() {
	echo "tables $("$BPFTOOL" -j map show | tr '}' '\n' | grep -c "\"max_entries\":$FLOWS\b")"
	echo "links $(for h in a b; do on $h "$BPFTOOL" net show; done | grep -c ward_)"
	echo "pins $(ls "$PINS/$A" "$PINS/$B" 2>/dev/null | wc -l)"
	echo "locks $(ls /run/tcpward 2>/dev/null | grep -cE "$A|$B")"
	echo "processes $(grep -laE "[t]cpward.*($A|$B)" /proc/[0-9]*/cmdline 2>/dev/null | wc -l)"
	echo "XDP $(for h in a b; do on $h ip link show; done | grep -c xdp)"
	echo "qdiscs $(for h in a b; do on $h tc qdisc show; done | grep -c clsact)"
}
# Maps are freed some milliseconds after their last user.
stable() {
	things >"$work/now"
	cmp -s "$work/first" "$work/now"
}
things >"$work/first"
expect "nothing is there before" -z "$(grep -v ' 0$' "$work/first")"
free_before=$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)

turns() { # host device: failures to a file
	local i out how=(auto tc xdp-generic xdp)
	for i in $(seq "$TIMES"); do
		out=$(on "$1" "$TCPWARD" attach "$2" --flows $FLOWS --ingress "${how[i % 4]}" \
			$([ $((i % 5)) != 0 ] || echo --clsact) 2>&1) || echo "$out"
		[ $((i % 25)) != 0 ] || on "$1" "$TCPWARD" verify --name "$2" >"$work/verify.$1" || echo "verify: exit $?"
		out=$(on "$1" "$TCPWARD" detach "$2" 2>&1) || echo "$out"
	done >"$work/turns.$1"
}
launch a "$BIN/crowd" load 192.0.2.2 9000 3000 4 nshcrb
crowd=$log
start a "$BIN/crowd" hold 192.0.2.2 9000 10 || exit
holder=$pid holder_log=$log
began=${EPOCHREALTIME/./}
turns a "$A" &
turns_a=$!
turns b "$B"
wait $turns_a
took=$(((${EPOCHREALTIME/./} - began) / 1000))
is "attached and detached $TIMES times at a" "$(head -n 2 "$work/turns.a")" ""
is "attached and detached $TIMES times at b" "$(head -n 2 "$work/turns.b")" ""
echo "# $((2 * TIMES)) times in $took ms; in between: $(awk '/^compared|^agree/ { print $1, $2 }' "$work/verify.a" | tr '\n' ' ')"
if await 5 stable; then
	ok "nothing leaks: programs, maps, links, filters, qdiscs, pins, locks, processes"
else
	fail "nothing leaks: programs, maps, links, filters, qdiscs, pins, locks, processes" "$(diff "$work/first" "$work/now" | tr '\n' ' ')"
fi
echo "# memory available: $((free_before / 1024)) MB before, $(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo) MB after"
kill -USR1 "$holder"
await 5 grep -q echoed "$holder_log"
is "connections held all along are unharmed" "$(grep echoed "$holder_log")" "echoed, 0 failed"
await 20 says_ready "$crowd" || fail "the traffic ends" "$(cat "$crowd")"
is "no connection of the traffic was harmed" "$(cat "$crowd")" "done 3000 failed 0"
