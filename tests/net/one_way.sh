#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# one_way: connections come in by one interface, and the answers leave by another. Where only the first is attached no handshake is
# seen to end: half-open limits must not hit ordinary clients for that, and it is said. Where both are attached, they act.
. "$(dirname "$0")/lib.sh"
a=$(dev a) b=$(dev b) c=$(dev c) d=$(dev d)
host server client
wire server "$a" 10.30.0.1/24 client "$b" 10.30.0.2/24
wire server "$c" 10.40.0.1/24 client "$d" 10.40.0.2/24
for h in server client; do
	on $h sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
	for device in $(on $h ls /proc/sys/net/ipv4/conf | grep "$ID"); do on $h sysctl -q -w "net.ipv4.conf.$device.rp_filter=0"; done
done
on server ip route add 10.30.0.2/32 via 10.40.0.2 dev "$c"
start server "$BIN/crowd" serve 80 || exit
cat >"$work/limits.yaml" <<-END
	version: 1
	mode: enforce
	services:
	  - name: web
	    match: {dport: [80]}
	    half-open: {enter: 5%, leave: 2%, min: 10, then: drop}
	    half-open-per-source: {max: 8, then: drop}
END
connects() { # count: how many succeed, each within a second
	on client timeout 60 "$BIN/connects" 10.30.0.1 80 "$1" 1 | awk '{ print $2 }'
}
unanswered() {
	on server "$TCPWARD" policy show -j --name "$a" | grep -q '"half_open_enforced":false'
}

must server attach "$a"
must server policy apply --name "$a" "$work/limits.yaml"
connects 7 >"$work/first"
if await 5 unanswered; then ok "one direction: it is noticed"; else fail "one direction: it is noticed" "not within 5 s"; fi
is "one direction: clients connect" "$(connects 100)" 100
is "... and none was dropped" "$(on server "$TCPWARD" policy show -j --name "$a" | grep -o '"dropped":[1-9]' | wc -l)" 0
ward server policy show --name "$a"
says "policy show says so" "half-open limits are not enforced: answers to SYNs leave another way"
ward server status --name "$a"
says "status says so" "half-open limits +not enforced"
ward server doctor "$a"
says "doctor says so" "one-way .*connections open whose answers do not pass here"
ward server policy apply --name "$a" "$work/limits.yaml"
says "policy apply says so" "half-open limits are not enforced: .*"
says "... with the way out" "attach the interface that they leave by too"
must server detach "$a"

# ---- both attached ----
must server attach "$a" "$c"
must server policy apply --name "$a" "$work/limits.yaml"
is "both directions: clients connect" "$(connects 60)" 60
on client "$BIN/raw" send 10.30.0.77 2000 10.30.0.1 80 S count=40 ports=40 >"$work/raw"
sleep 2.2
expect "both directions: half-open limits act" "$(on server "$TCPWARD" policy show -j --name "$a" | grep -o '"dropped":[0-9]*' | cut -d: -f2 | sort -n | tail -n 1)" -gt 10
unanswered && fail "... and are said to" "not enforced" || ok "... and are said to"

# ---- a forger does not switch them off: SYN, ACK, and no answer in between ----
on client "$BIN/raw" send 10.30.0.9 3000 10.30.0.1 80 A count=2000 ports=2000 seq=7 ack=9 >"$work/raw"
connects 30 >"$work/first"
sleep 2.2
unanswered && fail "forged ACKs do not switch them off" "not enforced" || ok "forged ACKs do not switch them off"
must server detach "$a" "$c"
