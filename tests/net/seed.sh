#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# seed: connections that lived, idle, before the attach are shown after it at both ends, and followed from then on.
. "$(dirname "$0")/lib.sh"
A=$(dev a) B=$(dev b)

host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
on a ip addr add 2001:db8::1/64 dev "$A" nodad
on b ip addr add 2001:db8::2/64 dev "$B" nodad
start b "$BIN/crowd" serve 9000 || exit
start a "$BIN/crowd" hold 192.0.2.2 9000 20 || exit
four=$pid four_log=$log
start a "$BIN/crowd" hold 2001:db8::2 9000 10 || exit
six=$pid
start a "$BIN/crowd" load 192.0.2.2 9000 12 12 nslihc || exit # TIME-WAIT, CLOSE-WAIT and the like
start a "$BIN/crowd" load 127.0.0.1 9000 3 3 iii >/dev/null # not of this interface
sleep 0.3

asked_ns=$(date +%s%N)
must a attach "$A"
last_ns=$(flows_json a "$A" state time-wait | member last_ns)
expect "TIME-WAIT: its clock has run since before the attach" "${last_ns:-0}" -gt 0 -a "${last_ns:-0}" -lt "$asked_ns"
must b attach "$B"
for h in a b; do
	name=$A
	[ $h = a ] || name=$B
	is "host $h: 20 idle IPv4 connections" "$(flows_json $h "$name" -4 'dport = 9000 and state established' | grep -c ESTABLISHED)" 22
	is "host $h: 10 idle IPv6 connections" "$(flows_json $h "$name" -6 'dport = 9000' | grep -c ESTABLISHED)" 10
	is "host $h: flagged as met mid-stream" "$(flows_json $h "$name" 'dport = 9000 and state established' | grep -c MIDSTREAM)" 32
	verify_on $h "$name" "host $h: the sockets agree"
	expect "host $h: all compared" "$(verify_count compared)" -ge 32
	is "host $h: no segment was needed for it" "$(counter $h "$name" rx-segments)/$(counter $h "$name" tx-segments)" 0/0
done
is "not those of lo" "$(flows_json a "$A" 'dst 127.0.0.1' | wc -l)" 0

# ---- they move ----
kill -USR1 "$four" "$six"
await 5 grep -q echoed "$four_log"
is "the data went through" "$(grep echoed "$four_log")" "echoed, 0 failed"
for h in a b; do
	name=$A
	[ $h = a ] || name=$B
	moved() { [ "$(flows_json $h "$name" 'dport = 9000' | grep -c '"orig_bytes":1000,"resp_bytes":1000')" = 30 ]; }
	await 3 moved
	is "host $h: bytes since the attach" "$(flows_json $h "$name" 'dport = 9000' | grep -c '"orig_bytes":1000,"resp_bytes":1000')" 30
	is "host $h: no flow was made anew" "$(flows_json $h "$name" 'dport = 9000 and state established' | wc -l)" 32
	is "host $h: nothing out of order" "$(flows_json $h "$name" 'dport = 9000' | grep -cE 'OOW|OOS|ACK_UNSEEN|"RTX')" 0
	verify_on $h "$name" "host $h: still agree"
done

# ---- and end: by FIN of the client, the server follows ----
stop "$four"
ended() { [ "$(flows_json a "$A" -4 'dport = 9000 and state established' | wc -l)" -le 2 ]; }
await 5 ended
is "closed ones are seen closed" "$(flows_json a "$A" -4 'dport = 9000 and state established' | wc -l)" 2
verify_on a "$A" "after the close: agree"
verify_on b "$B" "after the close, at the server: agree"

# ---- --no-seed ----
must a detach "$A"
must a attach "$A" --no-seed
is "--no-seed: nothing is known before a segment comes" "$(flows_json a "$A" | wc -l)" 0
