#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# mixed: two hosts on one wire, each watched by an instance of its own, 660 connections of eleven kinds. Each host loses
# 2 % of what comes in, after our hook has seen it: the harder place, since the tracker saw segments that the socket
# did not. (verify.sh loses them in between.) RSTs are spared: nobody sends them again, and the two would rightly differ.
. "$(dirname "$0")/lib.sh"
A=$(dev a) B=$(dev b)
N=${N:-660} KINDS=nshrRclibtx

host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
on a ip addr add 2001:db8::1/64 dev "$A" nodad
on b ip addr add 2001:db8::2/64 dev "$B" nodad
for h in a b; do
	on $h nft -f - <<'NFT'
table inet loss {
	chain in {
		type filter hook prerouting priority -300;
		iif != lo meta l4proto tcp tcp flags & rst != rst numgen random mod 100 < 2 counter drop
	}
}
NFT
done
must a attach "$A"
must b attach "$B"

start b "$BIN/crowd" serve 9000 || exit
launch a "$BIN/crowd" load 192.0.2.2 9000 $((N / 2)) 40 $KINDS
four=$log
launch a "$BIN/crowd" load 2001:db8::2 9000 $((N / 2)) 40 $KINDS
six=$log
await 60 says_ready "$four" && await 60 says_ready "$six" || fail "the crowd comes to its end" "$(cat "$four" "$six")"
failed=$(cat "$four" "$six" | awk '{ n += $4 } END { print n }')
expect "the connections went as planned" "$failed" -le $((N / 50))
lost=$(for h in a b; do on $h nft list table inet loss; done | first_of packets)
expect "segments were lost" "$lost" -gt 0

# Retransmission time-outs double: what was lost late needs its time.
settled() {
	sleep 0.5
	for h in a b; do
		[ "$(on $h ss -Htan state fin-wait-1 state closing state last-ack state syn-sent state syn-recv | wc -l)" = 0 ] || return 1
	done
}
await 15 settled
for h in a b; do
	name=$A
	[ $h = a ] || name=$B
	verify_on $h "$name" "host $h: no unexplained difference"
	expect "host $h: hundreds of ends were compared" "$(verify_count compared)" -ge $((N / 4))
	echo "# host $h: $(verify_count sockets) sockets, $(verify_count compared) compared, $(verify_count agree) agree," \
		"$(counter $h "$name" SYN_RTX) SYN_RTX, $(counter $h "$name" RTX) RTX, $(counter $h "$name" SIMUL_CLOSE) SIMUL_CLOSE"
	expect "host $h: nothing met a busy record" "$(counter $h "$name" lock-busy)" = 0
	# (veth's ring of 256 may lose a RST: then the peer's FIN comes late, to a host that has forgotten. That is NO_TCB.)
	is "host $h: nothing was picked up mid-stream" "$(flows_json $h "$name" 'state all' | grep MIDSTREAM | grep -v NO_TCB)" ""
	expect "host $h: every connection is a flow" "$(counter $h "$name" flows-new)" -ge "$N"
done
