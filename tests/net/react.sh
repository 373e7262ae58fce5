#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# react: what a policy asks for while something is found: the source goes on the block list, and comes off; local sockets of
# the flows are closed. Over real sockets, first in dry run.
. "$(dirname "$0")/lib.sh"
A=$(dev a)

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
start a "$BIN/crowd" serve 9000 || exit
must a attach "$A" --detect close-wait-leak.after=1s --detect port-scan.targets=10 \
	--detect half-open.after=4s --detect half-open.repeats=1
launch a "$TCPWARD" findings --name "$A" -f -j
followed=$log

holds() { # name seconds command...: it comes true in time
	local name=$1 within=$2
	shift 2
	if await "$within" "$@"; then ok "$name"; else fail "$name" "not within $within s"; fi
}
policy() { # mode
	cat >"$work/policy.yaml" <<-END
		version: 1
		mode: $1
		findings:
		  - {finding: port-scan, then: block, for: 4s}
		  - {finding: close-wait-leak, then: close}
		  - {finding: half-open, then: close}
	END
	must a policy apply --name "$A" "$work/policy.yaml"
}
found() { # name
	grep -q "\"finding\":\"$1\".*\"news\":\"raised\"" "$followed"
}
scan() { # first port
	local port
	for ((port = $1; port < $1 + 30; port++)); do
		on b timeout 1 bash -c "exec 3<>/dev/tcp/192.0.2.1/$port" 2>/dev/null
	done
}
reaches() {
	on b timeout 1 bash -c 'exec 3<>/dev/tcp/192.0.2.1/9000' 2>/dev/null
}
blocked() { # is b on the block list, by a finding?
	on a "$TCPWARD" block list --name "$A" -j | tr -d '\n' | grep -q '192.0.2.2.*"by": *"finding"'
}
leaking() { # sockets of a in CLOSE-WAIT
	on a ss -Htn state close-wait | wc -l
}
leaks() { # number
	[ "$(leaking)" = "$1" ]
}

# ---- dry run: nothing happens ----
policy dry-run
start b "$BIN/crowd" load 192.0.2.1 9000 3 3 l || exit
scan 7001
holds "the scan is found" 8 found port-scan
holds "the leak is found" 8 found close-wait-leak
sleep 2
holds "dry run: the scanner still gets through" 1 reaches
is "... nobody is on the block list" "$(blocked && echo blocked)" ""
holds "... the leaking sockets stay" 1 leaks 3

# ---- enforced ----
policy enforce
holds "enforced: its source goes on the block list" 4 blocked
holds "... and does not get through any more" 2 eval '! reaches'
holds "... the leaking sockets are closed" 4 leaks 0
ward a policy show --name "$A"
says "policy show counts it" "port-scan"

# ---- a connection that the stack has given up: to it the address is the listener's, which must not be closed ----
on a sysctl -q -w net.ipv4.tcp_synack_retries=1
on a ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev "$A"
on b "$BIN/raw" send 192.0.2.77 7777 192.0.2.1 9000 S seq=1000 >/dev/null || fail "raw" "exit $?"
holds "a handshake is left half open" 15 found half-open
sleep 3
expect "... the listener lives" "$(on a ss -Htnl sport = :9000 | wc -l)" = 1
holds "not blocked any more when it is over" 90 eval '! blocked && reaches'
