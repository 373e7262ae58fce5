#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# around: what happens to an attached interface and to the machine: link down and up, another MTU, another name, its namespace
# removed; bpffs read-only; no memory for the maps. Each time nothing is left, or all is in force, and it is said in one line.
#
# The clock of the host is not set here (there is one for all), but in a guest: tests/vm/linux-6.12.sh. See also scarce.sh.
. "$(dirname "$0")/lib.sh"
A=$(dev a) B=$(dev b)
[ -n "$BPFTOOL" ] || { skip around "no bpftool"; exit 0; }

host a b c
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
start b "$BIN/crowd" serve 9000 || exit
hooks() { # device: XDP programs of ours; bpftool may not know tcx
	on a ip -d link show dev "$1" 2>/dev/null | grep -c "prog/xdp"
}
traces() {
	hooks "$A"
	ls "$PINS" 2>/dev/null | grep "$ID"
	ls /run/tcpward 2>/dev/null | grep "$ID"
}
traces >"$work/clean"
nothing_left() {
	traces >"$work/now"
	cmp -s "$work/clean" "$work/now"
}
works() { # name, device: new connections are followed, and agree with the kernel
	local before after
	before=$(counter a "$A" flows-new)
	start a "$BIN/crowd" load 192.0.2.2 9000 5 5 nsh
	after=$(counter a "$A" flows-new)
	is "$1: the hook is in place" "$(hooks "$2")" 1
	is "$1: new connections are followed" $((after - before)) 5
	verify_on a "$A" "$1: the tracked states are those of the sockets"
}
one_line() { # name, exit code, pattern
	exits "$1: exit code" "$2"
	says "$1: the message" "^tcpward.*$3"
	is "$1: it is one line" "$(grep -c '^tcpward' "$work/err")" 1
}

# ---- the interface ----
must a attach "$A"
works "attached" "$A"
on a ip link set "$A" down
on a ip link set "$A" up
works "link down and up" "$A"
on a ip link set "$A" mtu 9000 && on b ip link set "$B" mtu 9000
works "MTU 9000" "$A"
on a ip link set "$A" mtu 1400
works "MTU 1400" "$A"
on a ip link set "$A" down
on a ip link set "$A" name "n$A"
on a ip link set "n$A" up
works "another name" "n$A"
ward a status
exits "another name: status" 0
must a detach --name "$A"
is "another name: detach takes all off" "$(hooks "n$A")" 0
on a ip link set "n$A" down
on a ip link set "n$A" name "$A"
on a ip link set "$A" up mtu 1500
nothing_left && ok "... and nothing is left" || fail "... and nothing is left" "$(cat "$work/now")"

# ---- its namespace goes ----
on c ip link add "c$A" type veth peer name "d$A"
on c ip link set "c$A" up
must c attach "c$A"
keeper=$(on c "$TCPWARD" status -j --name "c$A" | member keeper_pid)
ip netns del "tw-$ID-c"
await 8 gone "$keeper" && ok "its namespace is removed: the keeper ends" || fail "its namespace is removed: the keeper ends" "pid $keeper lives"
await 4 nothing_left && ok "... and nothing is left" || fail "... and nothing is left" "$(cat "$work/now")"

# ---- bpffs read-only (a bind mount of our own over it, so that nobody else meets it) ----
read_only() { # words...
	on a unshare --mount sh -c 'mount --bind /sys/fs/bpf /sys/fs/bpf && mount -o remount,bind,ro /sys/fs/bpf && exec "$@"' - \
		timeout 20 "$TCPWARD" "$@" >"$work/out" 2>"$work/err"
	code=$?
}
read_only attach "$A"
one_line "attach, bpffs read-only" 1 "[Rr]ead-only"
nothing_left && ok "... and nothing is left" || fail "... and nothing is left" "$(cat "$work/now")"

# ---- no memory for the maps ----
group=/sys/fs/cgroup/tw-$ID
if mkdir "$group" 2>/dev/null && echo 48M 2>/dev/null >"$group/memory.max"; then
	on a sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' - "$group" timeout 20 "$TCPWARD" attach "$A" --flows 1000000 \
		>"$work/out" 2>"$work/err"
	code=$?
	if [ $code = 137 ]; then
		ok "no memory for the maps: the kernel ended it"
	else
		one_line "no memory for the maps" 1 "[Mm]emory"
	fi
	await 4 nothing_left && ok "... and nothing is left" || fail "... and nothing is left" "$(cat "$work/now")"
else
	skip "no memory for the maps" "no cgroup with memory.max here"
fi
rmdir "$group" 2>/dev/null
must a attach "$A"
works "after all that" "$A"
must a detach "$A"
