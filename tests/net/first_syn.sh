#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# first_syn: a router in front of a service, where no socket could complete a cookie's handshake: while the service is flooded the
# first SYN of each connection is dropped. The flood does not get through; real clients do, a second later, by their
# stack's own repetition; connections that were open before notice nothing.
. "$(dirname "$0")/lib.sh"
O=$(dev o) I=$(dev i) X=$(dev x) V=$(dev v) D=$(dev d) C=$(dev c)
SERVICE=198.51.100.10
host x c r s
wire r "$O" 203.0.113.1/24 x "$X" 203.0.113.2/24
wire r "$D" 192.0.2.1/24 c "$C" 192.0.2.2/24
wire r "$I" 198.51.100.1/24 s "$V" $SERVICE/24
link_address() { # host device
	on "$1" ip -o link show "$2" | sed -n 's/.*link.ether \([^ ]*\).*/\1/p'
}
on r sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 "net.ipv4.conf.$O.rp_filter=0"
on r ip neigh replace 203.0.113.2 lladdr "$(link_address x "$X")" dev "$O" nud permanent
on r ip route add 10.0.0.0/8 via 203.0.113.2
on c ip route add default via 192.0.2.1
on s ip route add default via 198.51.100.1
on s sysctl -q -w net.ipv4.tcp_syncookies=0 net.ipv4.tcp_max_syn_backlog=256 net.core.somaxconn=256
on x nft "add table ip sink; add chain ip sink in { type filter hook prerouting priority -300; }; \
	add rule ip sink in ip daddr 10.0.0.0/8 drop"
on s nft "add table ip count; add chain ip count in { type filter hook prerouting priority -300; }; \
	add rule ip count in ip saddr 10.0.0.0/8 tcp flags syn counter"
start s "$BIN/crowd" serve 80 || exit
must r attach "$O" "$D"
arrived() { # SYNs of the flood at the service
	on s nft list table ip count | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}
flooded() { # seconds
	on x "$BIN/flood" "$X" "$(link_address r "$O")" $SERVICE 80 10.0.0.0 1048576 389567 "$1" 20000
}
connects() { # count, of which so many succeeded; the middle one's time in ms
	on c "$BIN/connects" $SERVICE 80 "$1" 2 | awk '{ print $2, $6 }'
}

cat >"$work/router.yaml" <<-END
	version: 1
	mode: enforce
	services:
	  - name: behind
	    match: {daddr: [198.51.100.0/24], dport: [80]}
	    half-open: {enter: 25%, leave: 12%, min: 128, then: drop-first-syn}
END
start c "$BIN/crowd" hold $SERVICE 80 20 || exit
holder=$pid held=$log
must r policy apply --name "$O" "$work/router.yaml"
read -r good middle < <(connects 30)
is "no flood: clients get through" "$good" 30
expect "... at once" "${middle%.*}" -lt 500

flooded 14 >"$work/flood" 2>&1 &
pids+=($!)
sleep 3
before=$(arrived)
read -r good middle < <(connects 30)
after=$(arrived)
is "flooded: clients get through" "$good" 30
expect "... by their second SYN" "${middle%.*}" -ge 900
expect "... the flood does not ($((after - before)) of its SYNs did in 4 s)" $((after - before)) -lt 400
ward r policy show --name "$O"
says "policy show counts them" "behind/half-open +limit +enforce +drop-first-syn +[0-9]{5,} +[0-9]{5,}"
kill -USR1 "$holder" # 1000 bytes there and back on each
echoed() {
	grep -q '^echoed' "$held"
}
await 5 echoed
is "what was open before carries data meanwhile" "$(tail -n 1 "$held")" "echoed, 0 failed"
wait "${pids[-1]}"
