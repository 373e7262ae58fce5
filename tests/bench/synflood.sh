#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# synflood: how much of a SYN flood one core carries, and what real clients get meanwhile: without protection, with the
# kernel's SYN cookies, with nft synproxy, with tcpward's. All in one run, by turns; the generator, all that the flood sets off
# and the answers' sink share CPU 1, client and server have CPU 0. Carried: SYNs that came in at the service's device a second;
# answered: by the counter of whoever answers.
#
# ROUNDS=3 SECONDS_EACH=8 tests/bench/synflood.sh
. "$(dirname "$0")/lib.sh"
ROUNDS=${ROUNDS:-3} SECONDS_EACH=${SECONDS_EACH:-8} CONNECTS=300
W=$(dev w) X=$(dev x) V=$(dev v) C=$(dev c)
[ "$CPUS" -ge 2 ] || { skip synflood "needs two CPUs"; exit 0; }

host v x c
wire v "$V" 192.0.2.1/24 c "$C" 192.0.2.2/24
wire v "$W" 198.51.100.1/24 x "$X" 198.51.100.2/24
on v sysctl -q -w net.ipv4.conf.all.rp_filter=0 "net.ipv4.conf.$W.rp_filter=0" net.ipv4.tcp_max_syn_backlog=4096 \
	net.core.somaxconn=4096 net.ipv4.ip_forward=0
on v ip neigh replace 198.51.100.2 lladdr "$(link_address x "$X")" dev "$W" nud permanent
on v ip route add 10.0.0.0/8 via 198.51.100.2
xdp x "$X" sink || exit
xdp c "$C" pass || exit
start v taskset -c 0 "$BIN/crowd" serve 443 || exit

received() { # frames that came in at the service's device
	frames_in v "$W"
}
kernel_cookies() { kernel_counter v TcpExt SyncookiesSent; }
synproxy_answers() { synproxy_syns v; }
nothing() { echo 0; }

# ---- what protects ----
none_on() { on v sysctl -q -w net.ipv4.tcp_syncookies=0; xdp v "$W" pass; }
none_off() { no_xdp v "$W"; on v sysctl -q -w net.ipv4.tcp_syncookies=1; }
kernel_on() { on v sysctl -q -w net.ipv4.tcp_syncookies=2; xdp v "$W" pass; }
kernel_off() { none_off; }
synproxy_on() { xdp v "$W" pass; synproxy_rules v 443; }
synproxy_off() { on v nft delete table ip guard; no_xdp v "$W"; }
tcpward_on() {
	cookie_policy >"$work/policy.yaml"
	must v attach "$V" "$W" --name "tw$ID"
	must v policy apply --name "tw$ID" "$work/policy.yaml"
}
tcpward_off() { must v detach --name "tw$ID"; }
ward_cookies() { counter v "tw$ID" cookies-sent; }

# ---- one turn ----
turn() { # protection, counter of answers
	local before answers
	"$1_on"
	before=$(received) answers=$("$2")
	(exec nsenter --net="/run/netns/tw-$ID-x" taskset -c 1 "$BIN/flood" "$X" "$(link_address v "$W")" 192.0.2.1 443 10.0.0.0 \
		1048576 389567 "$SECONDS_EACH" 0) >"$work/flood" 2>&1 &
	sleep 1
	on c taskset -c 0 "$BIN/connects" 192.0.2.1 443 $CONNECTS $((SECONDS_EACH - 4)) >"$work/connects"
	wait $!
	awk -v name="$1" -v from="$before" -v to="$(received)" -v a="$answers" -v b="$("$2")" \
		-v seconds="$SECONDS_EACH" -v got="$(cat "$work/connects")" 'BEGIN {
		split(got, word, " ")
		printf "%s carried %.0f answered %.0f connects %d p50 %.2f p99 %.2f\n", name, (to - from) / seconds, (b - a) / seconds,
			word[2], word[6], word[8] }' | tee -a "$work/turns"
	"$1_off"
}
for ((round = 0; round < ROUNDS; round++)); do
	turn none nothing
	turn kernel kernel_cookies
	turn synproxy synproxy_answers
	turn tcpward ward_cookies
done

# ---- medians, and the ratios ----
awk -v rounds="$ROUNDS" -v connects=$CONNECTS '
function median(name, what,   i, j, n, list, t) {
	n = 0
	for (i = 1; i <= count[name]; i++) list[++n] = value[name, what, i]
	for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (list[j] < list[i]) { t = list[i]; list[i] = list[j]; list[j] = t }
	return list[int((n + 1) / 2)]
}
{ i = ++count[$1]; value[$1, "carried", i] = $3; value[$1, "answered", i] = $5; value[$1, "connects", i] = $7
  value[$1, "p50", i] = $9; value[$1, "p99", i] = $11; if (!($1 in least) || $7 < least[$1]) least[$1] = $7 }
END {
	printf "%-10s %14s %14s %10s %8s %8s\n", "", "carried/s", "answered/s", "connects", "p50 ms", "p99 ms"
	split("none kernel synproxy tcpward", names, " ")
	for (k = 1; k <= 4; k++)
		printf "%-10s %14d %14d %6d/%d %8.2f %8.2f\n", names[k], median(names[k], "carried"), median(names[k], "answered"),
			least[names[k]], connects, median(names[k], "p50"), median(names[k], "p99")
	k = median("kernel", "carried") ? median("tcpward", "carried") / median("kernel", "carried") : 0
	s = median("synproxy", "carried") ? median("tcpward", "carried") / median("synproxy", "carried") : 0
	printf "tcpward carries %.2f x the kernel'\''s cookies (at least 2.5), %.2f x nft synproxy (at least 2)\n", k, s
	print (k >= 2.5 ? "ok" : "not ok") " 2.5 times the flood of kernel cookies"
	print (s >= 2 ? "ok" : "not ok") " twice the flood of nft synproxy"
	print (least["tcpward"] == connects ? "ok" : "not ok") " all real connects succeed"
}' "$work/turns"
