#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# keeper: `attach` and then no command at all: expiry and gauges stay right, read from the pinned maps by bpftool.
# TIME-WAIT is made short (--msl 1), so that what takes minutes elsewhere takes seconds.
. "$(dirname "$0")/lib.sh"
A=$(dev a)
[ -n "$BPFTOOL" ] || { skip keeper "no bpftool"; exit 0; }

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
start b "$BIN/crowd" serve 9000 || exit
must a attach "$A" --msl 1
keeper=$(on a "$TCPWARD" -j | member keeper_pid)
is "status shows a keeper that lives" "$(on a "$TCPWARD" -j | member keeper_alive)" true
is "it is a process of that name" "$(cat "/proc/$keeper/comm")" tcpward-keeper
expect "it has let go of our directory" "$(readlink "/proc/$keeper/cwd")" = /
expect "it holds no terminal" "$(readlink "/proc/$keeper/fd/1")" = /dev/null

# What the maps say, without a command of ours. gauges: row 0 is the last whole sweep.
gauge() { # member
	"$BPFTOOL" -j map lookup pinned "$PINS/$A/gauges" key 0 0 0 0 | tr -d '\n' |
		sed -n "s/.*\"formatted\":.*\"$1\": *\([0-9]*\).*/\1/p"
}
state() { # number of enum tcp_state: endpoints in it
	"$BPFTOOL" -j map lookup pinned "$PINS/$A/gauges" key 0 0 0 0 | tr -d '\n ' |
		sed -n 's/.*"formatted":.*"state":\[\([0-9,]*\)\].*/\1/p' | cut -d, -f$(($1 + 1))
}
entries() {
	"$BPFTOOL" map dump pinned "$PINS/$A/flows" | grep -c '"key": {'
}
ESTABLISHED=5 TIME_WAIT=11

start a "$BIN/crowd" hold 192.0.2.2 9000 40 || exit
holder=$pid
start a "$BIN/crowd" load 192.0.2.2 9000 200 20 ncs || exit
launch a "$BIN/crowd" load 192.0.2.99 9000 1 1 n # into a black hole
sleep 1.6
is "open endpoints in the gauges" "$(state $ESTABLISHED)" 80
expect "TIME-WAIT in the gauges" "$(state $TIME_WAIT)" -ge 150
is "flows in the gauges" "$(gauge flows)" 240
swept=$(gauge swept_ns)
is "entries in the table" "$(entries)" 240
counted=$(($(cat "/proc/$keeper/stat" | awk '{ print $14 + $15 }')))

# 2MSL is 2 s; the tombstones of what is closed stay 10 s more.
sleep 2.4
is "TIME-WAIT ended by itself" "$(state $TIME_WAIT)" 0
only_open() { [ "$(entries)" = 40 ]; }
await 14 only_open
is "the table holds what is open, and nothing else" "$(entries)" 40
is "... and the gauges say so" "$(gauge flows)/$(state $ESTABLISHED)" 40/80
expect "swept each second" $((($(gauge swept_ns) - swept) / 1000000000)) -ge 8
used=$(($(awk '{ print $14 + $15 }' "/proc/$keeper/stat") - counted))
echo "# keeper: $used ticks of CPU in $((($(gauge swept_ns) - swept) / 1000000000)) s, last sweep $(gauge sweep_ns) ns," \
	"$(awk '/VmRSS/ { print $2 }' "/proc/$keeper/status") kB"
verified=$(on a "$TCPWARD" stat -j --name "$A")
ends=$(grep -o '"ended-[a-z]*":[0-9]*' <<<"$verified" | tr -d '"')
is "ended: counted once each" "$(awk -F: '{ n += $2 } END { print n }' <<<"$ends")" 200
expect "... and nearly all as closed (a veth may lose a segment)" "$(member ended-closed <<<"$verified")" -ge 195
echo "# $(tr '\n' ' ' <<<"$ends")"
is "stat and the maps agree" "$(sed 's/.*"tables":{"flows":\([0-9]*\).*/\1/' <<<"$verified")" 40

# ---- without its keeper ----
stop "$holder"
kill -KILL "$keeper"
await 3 gone "$keeper"
is "status says that the keeper is dead" "$(on a "$TCPWARD" -j | member keeper_alive)" false
ward a status
says "... and what follows from it" "expiry and gauges stand still: tcpward attach $A"
for words in flows stat verify "watch --duration 1" "flow 192.0.2.1:1-192.0.2.2:2"; do
	ward a $words
	says "${words%% *} says that the keeper is dead" "^tcpward: the keeper of '$A' \\(pid $keeper\\) is gone: expiry and gauges stand still"
	says "${words%% *}: the way out" "^  tcpward attach $A"
done
start a "$BIN/crowd" load 192.0.2.2 9000 20 20 i || exit
is "flows are followed without it" "$(flows_json a "$A" 'dport = 9000 and state established' | wc -l)" 20

must a attach "$A"
ok "attach starts a new keeper"
is "... that lives" "$(on a "$TCPWARD" -j | member keeper_alive)" true
expect "... is another" "$(on a "$TCPWARD" -j | member keeper_pid)" != "$keeper"
ward a flows
[ -s "$work/err" ] && fail "... so that nobody complains" "$(cat "$work/err")" || ok "... so that nobody complains"
before=$(gauge swept_ns)
sleep 2.2
expect "... and sweeps" "$(gauge swept_ns)" -gt "$before"
ward a attach "$A"
exits "a second attach is refused as before" 1

# ---- somebody else has the lock: another command that found it dead and cleans up ----
keeper=$(on a "$TCPWARD" -j | member keeper_pid)
kill -KILL "$keeper"
await 3 gone "$keeper"
cat >"$work/cleaner.sh" <<-'END'
	echo $$ >"$1"
	trap 'echo hit; exit' TERM INT
	echo ready
	sleep 1
	echo left alone
END
start a flock "/run/tcpward/$A.lock" bash "$work/cleaner.sh" "/run/tcpward/$A.lock" || exit
cleaner=$pid cleaner_log=$log
ward a detach "$A"
exits "detach waits for somebody else who has the lock" 0
await 3 gone "$cleaner"
is "... and does not end him" "$(tail -n 1 "$cleaner_log")" "left alone"
[ -e "$PINS/$A" ] && fail "... and then leaves no pins" "$(ls "$PINS/$A")" || ok "... and then leaves no pins"
must a attach "$A"

# ---- a run of a container that shares bpffs, and has a /run of its own ----
must a detach "$A"
launch a "$TCPWARD" run "$A" --quiet
run=$pid
swept() { [ "$(gauge swept_ns)" -gt 0 ] 2>/dev/null; }
await 20 swept || fail "run sweeps" "$(tail -n 1 "$log")"
rm "/run/tcpward/$A.lock"
ward a status
[ -e "$PINS/$A" ] && ok "no lock is seen of it, but it sweeps: nobody takes it for dead" || fail "no lock is seen of it, but it sweeps: nobody takes it for dead" "no pins"
stop "$run"
[ -e "$PINS/$A" ] && fail "... it ends as ever" "$(ls "$PINS/$A")" || ok "... it ends as ever"
must a attach "$A"

# ---- the end ----
must a detach "$A"
[ -e "$PINS/$A" ] && fail "detach leaves no pins" "$(ls "$PINS/$A")" || ok "detach leaves no pins"
[ -e "/run/tcpward/$A.lock" ] && fail "detach leaves no lock" "/run/tcpward/$A.lock" || ok "detach leaves no lock"
must a attach "$A"
keeper=$(on a "$TCPWARD" -j | member keeper_pid)
must a detach "$A"
await 3 gone "$keeper" && ok "detach ends the keeper" || fail "detach ends the keeper" "pid $keeper lives"
must a attach "$A"
keeper=$(on a "$TCPWARD" -j | member keeper_pid)
on a ip link del "$A"
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
ward a attach "$A"
exits "its interface is made anew, and attached at once" 0
await 4 gone "$keeper" && ok "the old keeper is gone" || fail "the old keeper is gone" "pid $keeper lives"
keeper=$(on a "$TCPWARD" -j | member keeper_pid)
on a ip link del "$A"
await 4 gone "$keeper" && ok "the keeper ends with its interface" || fail "the keeper ends with its interface" "pid $keeper lives"
[ -e "$PINS/$A" ] && fail "... and takes the pins along" "$(ls "$PINS/$A")" || ok "... and takes the pins along"
