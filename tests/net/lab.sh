#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# lab: shows each step's states on real connections, and nothing stays, however it ends.
set -u
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "skip lab: needs root"; exit 0; }

TCPWARD=${TCPWARD:-$PWD/build/tcpward}
NAME=tw-lab-$$
NAME=${NAME:0:15}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

says() { # name pattern [file]
	if grep -qE -- "$2" "${3:-$work/out}"; then
		echo "ok $1"
	else
		echo "not ok $1: no line matches '$2'"
	fi
}
namespaces() {
	local ns
	for ns in /proc/[0-9]*/ns/net; do readlink "$ns"; done 2>/dev/null | sort -u
}
processes() { # of this lab
	local dir
	for dir in /proc/[0-9]*; do
		tr '\0' ' ' <"$dir/cmdline" 2>/dev/null | grep -q -- "lab --name $NAME" && echo "${dir#/proc/}"
	done
}
left() {
	[ "$(namespaces)" = "$before" ] || echo "a network namespace"
	[ ! -e /sys/fs/bpf/tcpward/$NAME ] || echo "pins"
	processes | sed 's/^/process /'
	ip -o link show 2>/dev/null | grep -oE 'lab[01]'
}
nothing_left() { # name
	local try what
	for try in 1 2 3 4 5 6 7 8 9 10; do
		what=$(left)
		[ -n "$what" ] || break
		sleep 0.3
	done
	if [ -z "$what" ]; then echo "ok $1"; else echo "not ok $1:" $what; fi
}

wait_for() { # pattern: in the output of the lab, which loads its programs first
	local try
	for try in $(seq 300); do
		grep -qE -- "$1" "$work/out" && return
		sleep 0.1
	done
}

before=$(namespaces)

# ---- the show, as text ----
"$TCPWARD" lab --name $NAME --duration 13 >"$work/out" 2>"$work/err"
code=$?
if [ $code = 0 ]; then echo "ok exit code 0"; else
	echo "not ok exit code 0: $code: $(head -n 2 "$work/err")"
	exit
fi
for step in black-hole open-close server-first refused half-close reset leak open-v6 burst; do
	says "step $step" "^# $step: "
done
says "the handshake" 'SYN-SENT'
says "the close" 'TIME-WAIT'
says "a refused port" 'refused'
says "a half-close is noticed" 'HALF_CLOSE'
says "a reset" 'RESET'
says "IPv6" '2001:db8::1'
sed -n '/^# the connections/,$p' "$work/out" >"$work/table"
says "the table: the black hole" 'SYN-SENT' "$work/table"
says "the table: the leak" 'CLOSE-WAIT' "$work/table"
says "the table: TIME-WAIT" 'TIME-WAIT' "$work/table"
says "what it finds, as it is raised" '^[0-9:.]+ finding raised: info stale-syn, id [0-9]+: '
says "the list of findings" '^ *[0-9]+ info +stale-syn +.* stands ' "$work/table"
says "the line of counts" '^[0-9]+ segments in, [0-9]+ out; .* 0 lost$' "$work/table"
says "a stale SYN is noticed after 10 s" 'STALE_SYN'
nothing_left "nothing is left after the show"
echo "# $(grep -c . "$work/out") lines; $(tail -n 1 "$work/out")"

# ---- the same as JSON, ended by Ctrl-C ----
"$TCPWARD" lab --name $NAME --duration 60 -j >"$work/out" 2>"$work/err" &
pid=$!
wait_for '"step":"half-close"'
kill -INT $pid
wait $pid
code=$?
if [ $code = 0 ]; then echo "ok Ctrl-C: exit code 0"; else echo "not ok Ctrl-C: exit code 0: $code"; fi
says "JSON: steps" '^\{"v":1,"type":"step",.*"step":"refused"'
says "JSON: events" '"type":"state"'
says "JSON: flows" '"conn_state"'
says "JSON: the last line is the summary" '"type":"summary"' <(tail -n 1 "$work/out")
if grep -qvE '^\{.*\}$' "$work/out"; then
	echo "not ok JSON: one object a line: $(grep -vE '^\{.*\}$' "$work/out" | head -n 1)"
else
	echo "ok JSON: one object a line"
fi
nothing_left "Ctrl-C: nothing is left"

# ---- killed ----
"$TCPWARD" lab --name $NAME --duration 60 >"$work/out" 2>&1 &
pid=$!
wait_for '^# open-close'
kill -KILL $pid
wait $pid 2>/dev/null
nothing_left "kill -9: nothing is left"

# ---- without privilege ----
cp "$TCPWARD" "$work/tcpward" && chmod 755 "$work" "$work/tcpward"
setpriv --reuid=65534 --regid=65534 --clear-groups "$work/tcpward" lab >"$work/out" 2>&1
code=$?
if [ $code = 1 ]; then echo "ok without privilege: exit code 1"; else echo "not ok without privilege: exit code 1: $code"; fi
says "without privilege: what to do" 'sudo tcpward lab'
