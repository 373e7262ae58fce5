#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# causes: real causes on real stacks, all at once, each with addresses of its own: what must be found of it, about whom, with
# which number, how soon; that nothing else is found; and that it is cleared when the cause has ended. Thresholds are
# shortened, so that minutes become seconds.
#
# alone: each finding within two seconds of its cause
. "$(dirname "$0")/lib.sh"
V=$(dev v) C=$(dev c)

# Cause N is between 192.0.2.(100 + N) at host c, or 10.66.N.1, which nobody has, and 10.9.N.1 at host v.
host v c
wire v "$V" 192.0.2.1/24 c "$C" 192.0.2.2/24
on v ip route add 10.66.0.0/16 via 192.0.2.2
for n in $(seq 25); do
	on v ip addr add "10.9.$n.1/32" dev lo
	on c ip addr add "192.0.2.$((100 + n))/24" dev "$C"
	on c ip route add "10.9.$n.1/32" via 192.0.2.1 src "192.0.2.$((100 + n))"
done
on v sysctl -q -w net.ipv4.conf.all.rp_filter=0 "net.ipv4.conf.$V.rp_filter=0" net.ipv4.tcp_fin_timeout=300
on c sysctl -q -w net.ipv4.tcp_fin_timeout=300
# A SYN each second, and other repetitions every 3 s at the latest, where the kernel can: so that recovery is soon seen.
on c sysctl -q -w net.ipv4.tcp_syn_linear_timeouts=60 net.ipv4.tcp_rto_max_ms=3000 2>/dev/null
filter() { # host rule: in a chain before all else; its handle to $handle
	on "$1" nft -f - <<-END
		add table ip t
		add chain ip t in { type filter hook prerouting priority -300; }
	END
	handle=$(on "$1" nft -e -a insert rule ip t in "${*:2}" | sed -n 's/.*# handle \([0-9]*\).*/\1/p')
	[ -n "$handle" ] || fail "nft takes a rule" "${*:2}"
}
unfilter() { # host handle
	on "$1" nft delete rule ip t in handle "$2"
}
filter c ip daddr 10.66.0.0/16 drop

MISCHIEF=$BIN/mischief RAW=$BIN/raw CROWD=$BIN/crowd
start v "$CROWD" serve 80 || exit
start v "$MISCHIEF" sink 81 || exit
sink=$pid
start v "$MISCHIEF" closer 82 || exit
start v "$MISCHIEF" stuck 83 || exit
stuck=$pid

must v attach "$V" \
	--detect stale-syn.after=2s --detect half-open.after=2s --detect half-open.repeats=1 --detect dead-peer.silence=3s \
	--detect dead-peer.repeats=3 --detect close-wait-leak.after=2s --detect fin-wait-2-hang.after=2s \
	--detect zero-window.after=3s --detect time-wait-reuse.max=6 --detect out-of-state-flood.grace=1s \
	--detect last-ack-flood.after=2s --detect last-ack-flood.max=20 --detect time-wait-buildup.max=2000 \
	--detect port-exhaustion.share=7
sleep 1.5 # the grace

# ---- causes: those that take longest come first ----
declare -A began
begin() { # N
	began[$1]=$(date +%s%N)
}
raw() { # words
	on c "$RAW" "$@" >/dev/null || fail "raw $*" "exit $?"
}

# The FINs of the server do not arrive: it stays in LAST-ACK, and more and more connections do.
filter c ip saddr 10.9.21.1 tcp flags "&" fin == fin drop
close_in_vain() {
	for _ in $(seq 18); do
		timeout 1 nsenter --net="/run/netns/tw-$ID-c" "$CROWD" load 10.9.21.1 80 8 1 n
	done
}
begin 21
close_in_vain >/dev/null 2>&1 &
pids+=($!)

filter v ip daddr 10.9.1.1 drop
hole=$handle
begin 1
launch c "$MISCHIEF" connect 10.9.1.1 7 1
begin 2
raw send 10.66.2.1 1000 10.9.2.1 80 S count=5 ports=5 seq=1000
begin 17
raw send 10.66.17.1 1000 10.9.17.1 80 S count=30 ports=30 seq=1000

# The last ACKs of seven handshakes get as far as tcpward, but not to the server, and before they are sent again others have
# filled its accept queue.
filter v ip daddr 10.9.3.1 tcp flags == ack drop
late=$handle
begin 3
start c "$MISCHIEF" connect 10.9.3.1 83 7
unfilter v "$late"
start c "$MISCHIEF" connect 10.9.3.1 83 9

begin 4
start c "$MISCHIEF" finish 10.9.4.1 81
begin 5
start c "$MISCHIEF" push 10.9.5.1 81
start c "$MISCHIEF" talk 10.9.6.1 80 7006
start c "$MISCHIEF" talk 10.9.8.1 80 7008
victim=$pid
start c "$MISCHIEF" talk 10.9.9.1 80 7009
filter v ip daddr 10.9.6.1 drop
dead=$handle
begin 6
begin 7
launch c "$MISCHIEF" reuse 10.9.7.1 82 7007 14
begin 8
raw inject "$C" 192.0.2.108 7008 10.9.8.1 80 R seq=50 count=4 gap=50
begin 9
raw inject "$C" 192.0.2.109 7009 10.9.9.1 80 S seq=1000000

# What is counted in windows of 10 s is twice what is needed: it may fall onto the end of one.
begin 10
for flags in - FPU SF; do raw send 10.66.10.1 1000 10.9.10.1 80 $flags count=3; done
begin 11
start c "$MISCHIEF" scan 10.9.11.1 2000 40
begin 12
start c "$CROWD" load 10.9.12.1 80 110 8 r
begin 13
raw send 10.66.13.1 1000 10.9.13.1 80 S count=110 ports=110 dports=3 seq=1000 len=100
raw send 10.66.13.1 1000 10.9.13.1 80 R count=110 ports=110 dports=3 seq=1001
begin 14
raw send 10.66.14.1 80 10.9.14.1 5000 SA count=80 addresses=80 seq=1000 ack=1000

# The server closes first; then the client's last FIN comes again and again, and RSTs from nobody. The answers to these FINs
# get lost.
filter c ip saddr 10.9.15.1 tcp flags == ack drop
start c "$RAW" inject "$C" 192.0.2.115 7015 10.9.15.1 82 FA ack=1 wait=400 count=14 gap=100
start c "$RAW" inject "$C" 192.0.2.116 7016 10.9.16.1 82 R seq=100 wait=400 count=4 gap=50
start c "$RAW" inject "$C" 192.0.2.122 7022 10.9.22.1 82 A seq=1 ack=1 wait=400 count=8 gap=1150 # a restart a second counts
start c "$MISCHIEF" reuse 10.9.15.1 82 7015 1
start c "$MISCHIEF" reuse 10.9.16.1 82 7016 1
start c "$MISCHIEF" reuse 10.9.22.1 82 7022 1
begin 15
begin 16
begin 22

begin 18
raw send 10.66.18.1 1000 10.9.18.1 80 A count=2200 ports=2200 seq=1000 ack=1000
on v ip link set "$V" gso_max_segs 1 # single segments, so that single ones are lost
filter c ip saddr 10.9.20.1 ip length ">" 1000 numgen inc mod 8 0 drop
begin 20
launch c "$CROWD" load 10.9.20.1 80 6 2 b
begin 19
start c "$CROWD" load 10.9.19.1 80 2400 8 n

# ---- what must be found ----
deadline=$((SECONDS + 12))
found() { # of all findings, one object a line: those of this name and subject
	on v "$TCPWARD" findings -j --all --name "$V" | sed 's/^\[//; s/\]$//; s/},{"v":/}\n{"v":/g' >"$work/findings"
	grep -E "\"finding\":\"$1\",.*\"subject\":{$2}" "$work/findings" >"$work/found"
}
expected=() # pattern of each finding that has a cause
# The evidence is at least so much. threshold: ms from the cause until the condition holds.
raised() { # cause finding subject threshold member least [most]
	local value delay subject=${3//./\\.}
	subject+='(,"to":"[^"]*")?' # a source all of whose samples go to one service
	expected+=("\"finding\":\"$2\",.*\"subject\":{$subject}")
	local left=$((deadline - SECONDS))
	if ! await $((left > 1 ? left : 1)) found "$2" "$subject"; then
		fail "$2 is raised" "not in time"
		return
	fi
	is "$2 is raised, once" "$(grep -c . "$work/found")" 1
	delay=$((($(member raised_ns <"$work/found") - ${began[$1]}) / 1000000 - $4))
	expect "$2: within 2 s (after ${delay} ms)" $delay -le 2000
	value=$(sed 's/.*"evidence"//' "$work/found" | member "$5")
	expect "$2: $5 is at least $6" "${value:-0}" -ge "$6"
	[ -z "${7:-}" ] || expect "$2: ... and at most $7" "$value" -le "$7"
}
S=1000000000
PORT='[0-9]+'
raised 10 bad-flags '"source":"10.66.10.1"' 0 segments_60s 5 9
raised 11 port-scan '"source":"192.0.2.111"' 0 targets 32 50 # an estimate
raised 12 abort-rate '"service":"10.9.12.1:80"' 0 resets_10s 50 110
raised 13 syn-data '"source":"10.66.13.1"' 0 syns_10s 50 110
raised 14 backscatter '"source":"10.9.14.1"' 0 peers 64 100 # too
raised 18 out-of-state-flood '"source":"10.66.18.1"' 0 segments_10s 1000 2200
raised 19 time-wait-buildup '"source":"192.0.2.119","to":"10.9.19.1:80"' 1000 time_wait 2000 2400
raised 19 port-exhaustion '"source":"192.0.2.119","to":"10.9.19.1:80"' 1000 ports 1900 2400
raised 20 retransmission "\"(service\":\"|flow\":\"192.0.2.120:$PORT > )10.9.20.1:80\"" 2000 repeated 20
raised 7 time-wait-reuse '"source":"192.0.2.107"' 1000 reuses_10s 6 13
raised 8 rst-injection "\"flow\":\"192.0.2.108:7008 > 10.9.8.1:80\"" 150 resets 3
raised 9 syn-injection "\"flow\":\"192.0.2.109:7009 > 10.9.9.1:80\"" 0 syns 1 1
raised 16 time-wait-assassination "\"flow\":\"192.0.2.116:7016 > 10.9.16.1:82\"" 600 resets 3
raised 15 fin-storm "\"flow\":\"192.0.2.115:7015 > 10.9.15.1:82\"" 1300 fins_of_one_flow 8
raised 17 reflection '"source":"10.66.17.1"' 1000 repeated 30 30
raised 1 stale-syn "\"flow\":\"192.0.2.101:$PORT > 10.9.1.1:7\"" 2000 age $((2 * S))
raised 2 half-open '"source":"10.66.2.1"' 2000 half_open 5 5
raised 4 close-wait-leak "\"flow\":\"192.0.2.104:$PORT > 10.9.4.1:81\"" 2000 idle $((2 * S))
raised 4 fin-wait-2-hang "\"flow\":\"192.0.2.104:$PORT > 10.9.4.1:81\"" 2000 idle $((2 * S))
raised 5 zero-window "\"flow\":\"192.0.2.105:$PORT > 10.9.5.1:81\"" 3000 shut $((3 * S))
raised 3 accept-queue-full '"service":"10.9.3.1:83"' 3000 waiting 2 7
raised 6 dead-peer "\"flow\":\"192.0.2.106:7006 > 10.9.6.1:80\"" 6500 silence $((3 * S))

raised 22 time-wait-pinning "\"flow\":\"192.0.2.122:7022 > 10.9.22.1:82\"" 7500 restarts 6

# ---- what the RSTs and the SYN must not do ----
expect "the connection that RSTs were sent into goes on" -d "/proc/$victim"
for flow in "192.0.2.108 and sport = :7008" "192.0.2.109 and sport = :7009"; do
	is "... and is open: ${flow##* }" "$(flows_json v "$V" state established and src $flow | grep -c .)" 1
done

# ---- the causes end, and findings are cleared ----
ended=$(date +%s%N)
raw send 10.66.2.1 1000 10.9.2.1 80 R count=5 ports=5 seq=1001
raw send 10.66.17.1 1000 10.9.17.1 80 R count=30 ports=30 seq=1001
unfilter v "$hole"
unfilter v "$dead"
stop "$sink"
stop "$stuck"
deadline=$((SECONDS + 15))
raised 21 last-ack-flood '"service":"10.9.21.1:80"' 16000 last_ack_old 20
deadline=$((SECONDS + 20))
is_cleared() { # finding
	found "$1" '[^}]*' && [ "$(member cleared_ns <"$work/found")" != null ]
}
for name in half-open reflection close-wait-leak fin-wait-2-hang zero-window accept-queue-full dead-peer stale-syn; do
	left=$((deadline - SECONDS))
	if await $((left > 1 ? left : 1)) is_cleared $name; then
		ok "$name is cleared ($((($(member cleared_ns <"$work/found") - ended) / 1000000)) ms after its cause ended)"
	else
		fail "$name is cleared" "$(cat "$work/found")"
	fi
done

# ---- and nothing else ----
found nothing nothing
grep -vE "$(IFS='|' && echo "${expected[*]}")" "$work/findings" >"$work/others"
is "nothing else was found" "$(grep -c . "$work/others")" 0
sed 's/.*"text":/# /' "$work/others"
on v "$TCPWARD" findings --all --name "$V" | sed 's/^/# /'
