#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# scarce: what a running instance may lose of the machine: room on the disk for its lists, a bpffs that can be written, the name
# of its network namespace, its keeper while a policy is written, the processor for a while. Each time what is in force stays so,
# it is said in one line, and the next command mends it.
. "$(dirname "$0")/lib.sh"
A=$(dev a)
ENTRIES=4000 # of the block list: more than the disk holds
STOPPED_S=8

[ "${TCPWARD_TESTS_INSIDE:-}" = 1 ] || { skip scarce "no mounts of its own here"; exit; }
host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
start a "$BIN/crowd" serve 9000 || exit
hooks() { # XDP programs of ours; bpftool may not know tcx
	on a ip -d link show dev "$A" | grep -c "prog/xdp"
}
nothing_left() {
	[ "$(hooks)" = 0 ] && [ -z "$(ls "$PINS" /run/tcpward 2>/dev/null | grep "$ID")" ]
}
detached() { # name
	must a detach "$A"
	if await 4 nothing_left; then ok "$1: detach leaves nothing"; else fail "$1: detach leaves nothing" "$(hooks) $(ls "$PINS" /run/tcpward)"; fi
}
one_line() { # name, exit code, pattern
	exits "$1" "$2"
	says "$1: the message" "^tcpward.*$3"
	says "$1: what to do" "mount -o remount,rw /sys/fs/bpf"
	is "$1: it is one line" "$(grep -c '^tcpward' "$work/err")" 1
}
follows() { # name
	local before
	before=$(counter a "$A" flows-new)
	start b "$BIN/crowd" load 192.0.2.1 9000 5 5 nsh
	is "$1: new connections are followed" $(($(counter a "$A" flows-new) - before)) 5
}
keeper() { on a "$TCPWARD" status -j --name "$A" | member keeper_pid; }

# ---- no room on the disk for the lists ----
disk=$work/disk
mkdir "$disk"
awk -v n=$ENTRIES 'BEGIN { for (i = 0; i < n; i++) printf "203.0.%d.%d\n", i / 256, i % 256 }' >"$work/feed"
for size in 16k 64k; do # full at once; after some of it
	mount -t tmpfs -o size=$size tmpfs "$disk"
	[ $size = 64k ] || head -c 65536 /dev/zero >"$disk/other" 2>/dev/null
	STATE_DIRECTORY=$disk ward a attach "$A"
	exits "a disk of $size: attach" 0
	must a block import "$work/feed"
	must a allow add 198.51.100.1
	STATE_DIRECTORY=$disk ward a detach "$A"
	exits "a disk of $size: detach" 0
	says "a disk of $size: it is said" "cannot save a list to '$disk/$A.block.new': No space left on device"
	is "a disk of $size: no part of the list stays" "$(ls "$disk" | grep block)" ""
	if await 4 nothing_left; then ok "a disk of $size: nothing is left"; else fail "a disk of $size: nothing is left" "$(ls "$PINS" /run/tcpward)"; fi
	STATE_DIRECTORY=$disk ward a attach "$A"
	exits "a disk of $size: the next attach" 0
	[ $size = 16k ] || is "a disk of $size: the list that had room is back" "$(on a "$TCPWARD" allow list -H --name "$A" | cut -d' ' -f1)" 198.51.100.1
	must a block flush
	must a allow flush
	detached "a disk of $size"
	umount "$disk"
done

# ---- bpffs cannot be written any more, while the instance runs ----
printf 'version: 1\nmode: enforce\nrules:\n  - {name: %s, match: {dport: 9}, action: drop}\n' one >"$work/one.yaml"
sed 's/one/two/' "$work/one.yaml" >"$work/two.yaml"
must a attach "$A" --policy "$work/one.yaml"
mount -o remount,ro /sys/fs/bpf
for words in "policy apply $work/two.yaml" "policy remove" "block add 203.0.113.1" "detach $A" "attach $A"; do
	ward a $words
	one_line "bpffs read-only: ${words%% /*}" 1 "[Rr]ead-only"
done
is "bpffs read-only: the hook stays" "$(hooks)" 1
mount -o remount,rw /sys/fs/bpf
is "writable again: the policy is as it was" "$(on a "$TCPWARD" policy show -j --name "$A" | member file)" "$work/one.yaml"
is "writable again: nobody is blocked" "$(on a "$TCPWARD" block list -H --name "$A")" ""
follows "writable again"
detached "writable again"

# ---- the name of its namespace goes; a process in it keeps it ----
host c
wire c "c$A" 198.51.100.1/24 b "d$A" 198.51.100.2/24
launch c "$TCPWARD" run "c$A" --quiet
run=$pid run_log=$log
attached() { [ "$(nsenter --net="/proc/$run/ns/net" "$TCPWARD" status -j --name "c$A" 2>/dev/null | member keeper_alive)" = true ]; }
await 10 attached || fail "run starts" "$(cat "$run_log")"
ip netns del "tw-$ID-c"
sleep 1.2
if attached; then ok "its namespace has no name any more: run goes on"; else fail "its namespace has no name any more: run goes on" "$(tail -n 1 "$run_log")"; fi
stop "$run" -INT
code=$?
is "... and ends in order" $code 0
without_c() { [ -z "$(ls "$PINS" /run/tcpward 2>/dev/null | grep "c$A")" ]; }
if await 4 without_c; then ok "... and nothing is left"; else fail "... and nothing is left" "$(ls "$PINS" /run/tcpward)"; fi

# ---- its keeper is killed while a policy is written, to be confirmed: it is in force, and takes itself back ----
{
	printf 'version: 1\nmode: enforce\nrules:\n'
	for i in $(seq 60); do echo "  - {name: many-$i, match: {dport: $i}, action: drop}"; done
} >"$work/many.yaml"
must a attach "$A" --policy "$work/one.yaml"
wrong= mended=0
for i in $(seq 0 2 8); do
	sweeper=$(keeper)
	launch a "$TCPWARD" policy apply "$work/many.yaml" --name "$A" --confirm 2
	read -rt "0.00$i" <> <(:)
	kill -KILL "$sweeper"
	wait "$pid" || wrong+="$i: apply: $(head -n 1 "$log"); "
	shown=$(on a "$TCPWARD" policy show -j --name "$A" 2>/dev/null)
	shown="$(member file <<<"$shown") $(grep -o 'many-[0-9]*' <<<"$shown" | sort -u | wc -l)"
	[ "$shown" = "$work/many.yaml 60" ] || wrong+="$i: in force: $shown; "
	back() { [ "$(on a "$TCPWARD" policy show -j --name "$A" 2>/dev/null | member file)" = "$work/one.yaml" ]; }
	await 6 back || wrong+="$i: not taken back; "
	ward a attach "$A"
	[ $code = 0 ] && mended=$((mended + 1))
done
is "its keeper is killed while a policy is written: 5 times whole, and taken back in time" "$wrong" ""
is "... and attach starts another one" $mended 5
follows "... after all that"

# ---- it stands still for a while, as in a container that is stopped: it does not make up for each second ----
on b ip route add 198.18.0.0/24 via 192.0.2.1
on b "$BIN/raw" send 192.0.2.2 1000 198.18.0.1 81 S count=30000 ports=30000 >/dev/null
pid=$(keeper)
ran_ns() { cut -d' ' -f1 "/proc/$pid/schedstat"; }
if [ -r "/proc/$pid/schedstat" ]; then
	began=$(ran_ns)
	sleep 3
	usual=$((($(ran_ns) - began) / 3)) # of one sweep
	kill -STOP "$pid"
	sleep $STOPPED_S
	began=$(ran_ns)
	kill -CONT "$pid"
	sleep 0.6
	took=$(($(ran_ns) - began))
	echo "# a sweep takes it $((usual / 1000)) us; after it stood still for $STOPPED_S s: $((took / 1000)) us in 0.6 s"
	expect "its keeper stood still: it sweeps again" $took -gt $((usual / 3))
	expect "... but not once for each second that it missed" $took -lt $((usual * 5))
else
	skip "its keeper stood still" "no /proc/PID/schedstat"
fi
detached "at the end"
