#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# kernel: the tracker against the kernel's own sockets. Two hosts, a wire that a program makes (chaos.c): applications at random
# and random hostile segments; whenever nothing is on its way, each end's tracked state is compared with its socket.
#
#   REAL_SEED=N      the seed that a run printed, again (timing differs: the kernel's timers run on)
#   REAL_SECONDS=N   at most so long (20); REAL_COMPARE=N ends it after so many comparisons (8000; 0: after REAL_SECONDS)
#   REAL_OPTIONS=-   without hostile segments; he: with them, and each known difference is shown
#
# What differs must be on verify's closed list, or, where a third party has spoken in the connection's name, on that of
# chaos_compare.c, which says what the tracker is known to get wrong (docs/tracker.md). Anything else is shown, and fails if it
# is more than one connection in 300: the stack knows of things that no wire shows, and not all of them are on a list yet. (A
# mistake of the tracker is met by tens of connections.)
#
# That it can fail: in each run, at the end, one socket is closed by TCP_REPAIR, without a word on the wire, and must be found.
. "$(dirname "$0")/../net/lib.sh"
A=$(dev a) B=$(dev b) RA=$(dev x) RB=$(dev y)
SEED=${REAL_SEED:-$((EPOCHSECONDS % 100000 * 10 + RANDOM % 10))}
SECONDS_MOST=${REAL_SECONDS:-20} COMPARE=${REAL_COMPARE:-8000}

host a b wire
wire a "$A" 192.0.2.1/24 wire "$RA" none
wire b "$B" 192.0.2.2/24 wire "$RB" none
on a ip addr add 2001:db8::1/64 dev "$A" nodad
on b ip addr add 2001:db8::2/64 dev "$B" nodad
on wire sysctl -q -w net.ipv6.conf.all.disable_ipv6=1
for h in a b; do
	on $h sysctl -q -w net.ipv4.tcp_fin_timeout=300 net.ipv4.tcp_syncookies=0
done
must a attach "$A" --flows 16384 --embryos 4096
must b attach "$B" --flows 16384 --embryos 4096

echo "# REAL_SEED=$SEED"
timeout $((SECONDS_MOST + 30)) "$BIN/chaos" "$SEED" "$SECONDS_MOST" "$COMPARE" "${REAL_OPTIONS:-h}p" "tw-$ID-a" "$A" "tw-$ID-b" "$B" \
	"tw-$ID-wire" "$RA" "$RB" >"$work/chaos" 2>&1
code=$?
# Of what is told, the last is the control's if it was found.
grep '^#' "$work/chaos"
count() { # word
	sed -n 's/^compared /compared /p' "$work/chaos" | first_of "$1"
}
is "the socket that was taken away in silence is found, and all came to an end" $code 0
expect "of 300 connections at most one differs without a reason (REAL_SEED=$SEED, $(count strange) of $(count connections))" \
	$((300 * $(count strange))) -le "$(count connections)"
[ "$(count unexplained)" = 0 ] || sed -n '/^not ok/,/^# [^ ]*connections/p' "$work/chaos" | sed 's/^not ok/# not ok/' | head -n 120
expect "states were compared with the socket at that host" "$(count compared)" -ge $((COMPARE ? 1000 : 5000))
expect "... and with the one at the other host, where the wire was honest" "$(count far)" -ge $(($(count compared) / 50))
expect "what differs for a known reason is a small part" $((10 * $(count known))) -le "$(count compared)"
for h in a b; do
	name=$A
	[ $h = a ] || name=$B
	is "host $h: no half-open gauge drifted" "$(counter $h "$name" gauges-corrected)" 0
	expect "host $h: nothing was lost for want of room" "$(counter $h "$name" table-full)" = 0
done
