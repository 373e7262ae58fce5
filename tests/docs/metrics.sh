#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# metrics: the text format as promtool wants it, label sets that no traffic changes, the numbers of `stat`, and every metric
# in the manual.
. "$(dirname "$0")/../net/lib.sh"
A=$(dev a) B=$(dev b)
echo "# tcpward metrics: format, fixed label sets, the manual's table"

host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
must a attach "$A" --ingress tc
series() { # of a file: names and labels
	grep -v '^#' "$1" | sed 's/ [^ ]*$//'
}
ward a metrics
exits "metrics" 0
cp "$work/out" "$work/before"
start b "$BIN/crowd" serve 9000 || exit
start a "$BIN/crowd" load 192.0.2.2 9000 30 10 nsrR || exit
for port in 7001 7002 7003; do on a timeout 1 bash -c "exec 3<>/dev/tcp/192.0.2.2/$port" 2>/dev/null; done
sleep 1.2 # a sweep
ward a metrics --name "$A"
cp "$work/out" "$work/after"
cmp -s <(series "$work/before") <(series "$work/after") && ok "traffic makes no new series" ||
	fail "traffic makes no new series" "$(diff <(series "$work/before") <(series "$work/after") | head -n 3)"
is "no label holds an address" "$(series "$work/after" | grep -cE '"([0-9]+\.){3}[0-9]+|"[0-9a-f]*:[0-9a-f:]+')" 0
is "each series once" "$(series "$work/after" | sort | uniq -d | head -n 1)" ""

value() { # name{labels} of the last reading
	awk -v name="$1" '{ at = index($0, "} "); if (substr($0, 1, at) == name) print substr($0, at + 2) }' "$work/after"
}
for row in 'segments_total{instance="I",direction="rx"} rx-segments' 'flows_ended_total{instance="I",reason="reset"} ended-reset' \
	'flows_opened_total{instance="I",how="all"} flows-new'; do
	metric=tcpward_${row% *}
	is "${row%%\{*} is stat's ${row##* }" "$(value "${metric/I\"/$A\"}")" "$(counter a "$A" "${row##* }")"
done
expect "refused connections are counted" "$(value "tcpward_flows_ended_total{instance=\"$A\",reason=\"refused\"}")" -ge 3
expect "edges are counted" "$(value "tcpward_transitions_total{instance=\"$A\",from=\"SYN-SENT\",to=\"ESTABLISHED\"}")" -ge 30
is "the keeper is up" "$(value "tcpward_keeper_up{instance=\"$A\"}")" 1

# ---- two instances: each metric stands together, with one head ----
must b attach "$B" --ingress tc
ward a metrics
is "heads stand once" "$(grep '^# TYPE' "$work/out" | sort | uniq -d | head -n 1)" ""
is "samples of a metric stand together" "$(grep -v '^#' "$work/out" | sed 's/{.*//' | uniq | sort | uniq -d | head -n 1)" ""
is "both instances" "$(grep -o '^tcpward_keeper_up{instance="[^"]*"' "$work/out" | sort | tr '\n' ' ')" \
	"$(printf 'tcpward_keeper_up{instance="%s"\n' "$A" "$B" | sort | tr '\n' ' ')"
if command -v promtool >/dev/null; then
	said=$(promtool check metrics <"$work/out" 2>&1)
	is "promtool check metrics" "$? $said" "0 "
else
	skip "promtool check metrics" "no promtool (Debian: apt install prometheus)"
fi

# ---- the manual ----
sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$work/out" | sort >"$work/printed"
build/gendoc markdown <(echo @metrics@) | sed -n 's/^| `\([a-z_]*\)` |.*/\1/p' | sort >"$work/documented"
cmp -s "$work/printed" "$work/documented" && ok "the manual's table has them all" ||
	fail "the manual's table has them all" "$(diff "$work/printed" "$work/documented" | head -n 3)"
grep -q '^@metrics@' man/tcpward.8.scd && ok "... and is in it" || fail "... and is in it" "no @metrics@ in man/tcpward.8.scd"
ward a metrics --name none
exits "an instance that is none" 3
