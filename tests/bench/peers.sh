#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# peers.sh [--write] [PART...]: tcpward beside what else stands at this place, measured by turns in namespaces of its own; prints
# the tables (medians). Parts, as "forward:10000", are those of peers_bed.sh; by default all that docs/peers.md has. What was
# measured is kept in build/bench-peers, so that the parts can be measured one after the other: "peers.sh report" prints all.
# --write makes docs/peers.md and docs/peers.svg of it; without it the tree stays as it is.
#
# QUICK=1 ROUNDS=3 SECONDS_EACH=1 REQUESTS=100 tests/bench/peers.sh
#
# nf_conntrack's limits are the first network namespace's: while a part runs they are raised to twice its flows, and then put
# back. Where that is refused, connection tracking is measured with what it has, and says how far it came.
set -u
cd "$(dirname "$0")/../.." || exit
[ "$(id -u)" = 0 ] || { echo "peers: needs root: sudo make bench-peers" >&2; exit 1; }
results=build/bench-peers
all_parts="forward:10000 forward:100000 forward:1000000 terminate:10000 terminate:100000 flood:10000 flood:100000
	block:10000 block:200000 rules:1 rules:60 rules:1000"
[ -z "${QUICK:-}" ] || { export ROUNDS=${ROUNDS:-1} && all_parts="forward:10000 flood:10000 block:10000"; }
write='' parts=''
for word in "$@"; do
	case $word in
	--write) write=1 ;;
	report | *:*) parts="$parts $word" ;;
	*) echo "peers: '$word': not --write, report, or a part as forward:10000" >&2; exit 2 ;;
	esac
done
mkdir -p $results
[ -n "$parts" ] || { rm -f $results/*.turns && parts=$all_parts; }

# ---- conntrack's limits ----
limits=/proc/sys/net/netfilter
raised=''
put_back() {
	[ -n "$raised" ] || return
	echo "${raised% *}" >$limits/nf_conntrack_max
	echo "${raised#* }" >$limits/nf_conntrack_buckets
}
raise() { # entries
	local want=262144
	[ "$1" -le 131072 ] || want=$(($1 * 2))
	[ -w $limits/nf_conntrack_max ] && [ "$(<$limits/nf_conntrack_max)" != $want ] || return
	[ -n "$raised" ] || raised="$(<$limits/nf_conntrack_max) $(<$limits/nf_conntrack_buckets)"
	echo $want 2>/dev/null >$limits/nf_conntrack_buckets && echo $want 2>/dev/null >$limits/nf_conntrack_max ||
		echo "peers: the limits of nf_conntrack stay as they are: only the first network namespace may raise them" >&2
}
trap put_back EXIT
trap 'exit 1' INT TERM

for part in $parts; do
	[ "$part" != report ] || continue
	began=$SECONDS
	case $part in
	block:* | rules:*) raise 0 ;;
	*) raise "${part#*:}" ;;
	esac
	tests/bench/peers_bed.sh "${part%:*}" "${part#*:}" >"$results/$part.new" || { cat "$results/$part.new" >&2; exit 1; }
	mv "$results/$part.new" "$results/$part.turns"
	echo "# $part: $((SECONDS - began)) s" >&2
done

tests/bench/peers_report.sh "${write:+--write}" $results/*.turns
