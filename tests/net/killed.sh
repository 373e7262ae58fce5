#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# killed: SYN cookies of `run --policy` and `attach --policy` from start to finish, and the stack's settings that were made
# for them: put back however it ends.
. "$(dirname "$0")/lib.sh"
a=$(dev a) b=$(dev b)
host server client
wire server "$a" 10.30.0.1/24 client "$b" 10.30.0.2/24
xdp client "$b" pass || exit
start server "$BIN/options" serve 80

cat >"$work/cookies.yaml" <<-EOF
	version: 1
	mode: enforce
	syncookie: {flavour: kernel, rate: 500k/s, set-sysctls: true}
	services:
	  - name: tested
	    match: {dport: [80]}
	    new: {rate: 1/h, burst: 1, then: syncookie}
EOF
settings() {
	on server sysctl -n net.ipv4.tcp_syncookies net.ipv4.tcp_timestamps | xargs
}
put_back() {
	[ "$(settings)" = "1 1" ]
}
works() { # name: settings are made, and connections come by cookies
	is "$1: the settings are made" "$(settings)" "2 2"
	on client timeout 30 "$BIN/options" connect 10.30.0.1 80 10 bytes 100 >"$work/connects" 2>&1
	is "$1: all connect" "$(sed -n 's/^done //p' "$work/connects")" 10
	expect "$1: by cookies" "$(counter server "$a" cookies-good)" -ge 8
}
are_back() { # name
	if await 5 put_back; then ok "$1: the settings are put back"; else fail "$1: the settings are put back" "$(settings)"; fi
}
run_it() {
	launch server "$TCPWARD" run "$a" --ingress xdp --policy "$work/cookies.yaml"
	running=$pid
	set_already() { [ "$(settings)" = "2 2" ] && on server "$TCPWARD" stat --name "$a" >"$work/out" 2>&1; }
	await 20 set_already || fail "run --policy starts" "$(tail -n 1 "$log")"
	sleep 1.5 # settings come before the interface is attached
}
process_of() { # name, of a descendant or of this instance
	local dir
	for dir in /proc/[0-9]*; do
		[ "$(cat "$dir/comm" 2>/dev/null)" = "$1" ] && [ "$(awk '/^PPid/ { print $2 }' "$dir/status")" = "$2" ] && echo "${dir#/proc/}"
	done
}
on server sysctl -q -w net.ipv4.tcp_syncookies=1 net.ipv4.tcp_timestamps=1

# ---- run ----
run_it
works "run"
stop "$running"
are_back "run, ended"
run_it
stop "$running" -KILL
works "run, killed: its policy stays in force"
must server detach "$a"
are_back "... detached"

# ---- run, and a policy later: nothing stays ----
run_bare() {
	launch server "$TCPWARD" run "$a" --ingress xdp
	running=$pid
	is_up() { on server "$TCPWARD" stat --name "$a" >"$work/out" 2>&1; }
	await 20 is_up || fail "run starts" "$(tail -n 1 "$log")"
	must server policy apply --name "$a" "$work/cookies.yaml"
	is "a policy for run: the settings are made" "$(settings)" "2 2"
}
run_bare
stop "$running" -KILL
are_back "run, killed"
run_bare
guard=$(process_of tcpward-guard "$running")
expect "run has its guardian" -n "$guard"
kill -KILL "$guard"
stop "$running" -KILL
is "run and its guardian killed: nobody is left who could" "$(settings)" "2 2"
ward server status
are_back "... the next command does it"

# ---- attach ----
must server attach "$a" --ingress xdp --policy "$work/cookies.yaml"
works "attach"
must server detach "$a"
are_back "attach, detached"
must server attach "$a" --ingress xdp --policy "$work/cookies.yaml"
on client sysctl -q -w net.ipv4.tcp_syncookies=2 net.ipv4.tcp_timestamps=2
must client detach --name "$a"
are_back "attach, detached from another network namespace"
is "... whose own stay" "$(on client sysctl -n net.ipv4.tcp_syncookies net.ipv4.tcp_timestamps | xargs)" "2 2"
on client sysctl -q -w net.ipv4.tcp_syncookies=1 net.ipv4.tcp_timestamps=1
must server attach "$a" --ingress xdp --policy "$work/cookies.yaml"
keeper=$(on server "$TCPWARD" -j | member keeper_pid)
kill -KILL "$keeper"
await 3 gone "$keeper"
works "attach, its keeper killed"
must server detach "$a"
are_back "... detached"
must server attach "$a" --ingress xdp --policy "$work/cookies.yaml"
keeper=$(on server "$TCPWARD" -j | member keeper_pid)
kill -KILL "$keeper"
await 3 gone "$keeper"
on server ip link del "$a"
ward server status
are_back "keeper killed, interface gone: the next command does it"
