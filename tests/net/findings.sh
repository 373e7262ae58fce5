#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# findings: what users see of them: the list, -f, events, explain, status, stat, filters, thresholds; live, over a leak of
# CLOSE-WAIT that begins and ends, and a scan.
. "$(dirname "$0")/lib.sh"
A=$(dev a)

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
start b "$BIN/crowd" serve 9000 || exit
server=$pid
must a attach "$A" --detect close-wait-leak.after=1s --detect port-scan.targets=10
launch a "$TCPWARD" findings -f -j
followed=$log
launch a "$TCPWARD" watch -j finding close-wait-leak
watched=$log
launch a "$TCPWARD" watch
watched_text=$log
sleep 0.6 # until they listen

one_a_line() { # of an array
	sed 's/^\[//; s/\]$//; s/},{"v":/}\n{"v":/g' | grep '^{'
}
found() { # words of the filter: findings as lines
	on a "$TCPWARD" findings -j "$@" | one_a_line
}
says_finding() { # file news name
	grep -q "\"finding\":\"$3\".*\"news\":\"$2\"" "$1"
}
scan() { # ports where nobody listens
	local port
	for ((port = 7001; port <= 7030; port++)); do
		on a timeout 1 bash -c "exec 3<>/dev/tcp/192.0.2.2/$port" 2>/dev/null
	done
}

ward a findings
exits "findings: exit code 0 with none" 0
is "... and a header alone" "$(wc -l <"$work/out")" 1
is "... on standard error" "$(cat "$work/err")" "tcpward: nothing found"
ward a findings state close-wait
exits "a filter for flows is refused" 2
says "... by its word" "'state' is a filter for flows"
ward a findings half-opne
exits "a finding alone is no filter" 2
says "... says how to write it" "did you mean 'finding half-open'"
is "... without a word of ss(8)" "$(grep -c 'ss(8)' "$work/err")" 0
ward a findings --duration 3
exits "--duration without -f is refused" 2
lasts() { # duration seconds: watch ends after so long
	local began=$EPOCHREALTIME took
	ward a watch --duration "$1"
	took=$(((${EPOCHREALTIME/[.,]/} - ${began/[.,]/}) / 100000))
	expect "--duration $1 lasts $2 s" "$code" = 0 -a "$took" -ge $(($2 * 10)) -a "$took" -le $(($2 * 10 + 15))
}
lasts 1 1
lasts 2s 2
lasts 1100ms 2 # up to whole seconds
for words in 0 soon 1s1m 1.5m -3 5x; do
	ward a watch "--duration=$words"
	exits "--duration=$words is refused" 2
done
says "... says how to write it" 'write 90, 90s, 10m or 1h30m'
ward a run x --msl 2h
says "--msl beyond its limit" "--msl '2h': write 30, 30s or 2m: from 1s to 600s"
is "findings as JSON: an empty array" "$(on a "$TCPWARD" findings -j | tr -d '\n')" "[]"

# ---- raised ----
start a "$BIN/crowd" load 192.0.2.2 9000 3 3 l || exit # three that the server never closes
scan
await 8 says_finding "$followed" raised close-wait-leak
await 8 says_finding "$followed" raised port-scan
leak=$(found finding close-wait-leak | head -n 1)
probe=$(found finding port-scan | head -n 1)
is "the leak is found" "$(member finding <<<"$leak")" close-wait-leak
is "the scan is found, its subject the source" "$(grep -o '"subject":{[^}]*}' <<<"$probe")" '"subject":{"source":"192.0.2.1"}'
is "its threshold is the option's" "$(member targets_limit <<<"$probe")" 10
expect "its number is above that" "$(member targets <<<"$probe")" -ge 10
is "it stands" "$(member cleared_ns <<<"$probe")" null
says_finding "$followed" raised close-wait-leak && ok "findings -f tells of it" || fail "findings -f tells of it" "$(cat "$followed")"
await 3 grep -q '"type":"finding","ts_ns":[0-9]*,"pkt":null,"finding":"close-wait-leak"' "$watched" &&
	ok "watch has the event" || fail "watch has the event" "$(head -n 2 "$watched")"
is "watch's filter keeps the scan out" "$(grep -c port-scan "$watched")" 0
grep -qE '^[0-9:.]+ finding raised: warning port-scan, id [0-9]+: 192.0.2.1 ' "$watched_text" &&
	ok "watch as text" || fail "watch as text" "$(grep finding "$watched_text" | head -n 2)"
is "severity filters" "$(found 'severity >= warning' | grep -c port-scan) $(found 'severity >= warning' | grep -c '"info"')" "1 0"
is "src filters" "$(found src 192.0.2.1 finding port-scan | wc -l) $(found src 192.0.2.77 finding port-scan | wc -l)" "1 0"

# ---- one of them, explained ----
ward a explain "$(member id <<<"$probe")"
exits "explain ID" 0
says "... its number beside the threshold" '^  targets  *[0-9]+   limit 10 \(port-scan\.targets\)'
says "... the threshold as it was set" 'port-scan\.targets  *10 .*\(default: 20\)'
ward a explain 999999
exits "explain of a number that is none" 1
ward a explain half-opne
exits "explain of a name that is none" 2
says "... says which was meant" "did you mean 'half-open'"
ward a explain -j half-open
exits "explain of a kind" 0

# ---- the flows that it is found on, the instance, the accounts ----
expect "flows have it" "$(flows_json a "$A" finding close-wait-leak | grep -c '"findings":\["close-wait-leak"\]')" -ge 1
ward a flows finding close-wait-leak
says "... in text behind the flags" 'CW_LEAK \[close-wait-leak\]|- \[close-wait-leak\]'
ward a status
says "status counts them" '^  findings, warning  *1'
says "... says what is not raised yet, and for how long" \
	'suppressed  *grace .*not raised for another 1m[0-9]+s: backscatter, out-of-state-flood$'
says "... and shows the worst" '^  worst  .*192\.0\.2\.1'
on a "$TCPWARD" status -j >"$work/out"
is "... that as JSON" "$(grep -cE '"findings":\["backscatter","out-of-state-flood"\],"left_ns":[0-9]{10,12}\}\]' "$work/out")" 1
is "... as JSON" "$(grep -o '"findings":{[^}]*}' "$work/out" | grep -o '"warning":[0-9]*')" '"warning":1'
on a "$TCPWARD" stat sources -j | one_a_line >"$work/sources"
expect "stat sources knows the scanner" "$(grep '"source":"192.0.2.1"' "$work/sources" | grep -o '"total":{[^}]*}' | grep -o '"refused":[0-9]*' | cut -d: -f2)" -ge 10
on a "$TCPWARD" stat services -j | one_a_line >"$work/services"
is "stat services knows the server" "$(grep '"service":"192.0.2.2:9000"' "$work/services" | grep -o '"total":{[^}]*}' | grep -o '"completed":[0-9]*')" '"completed":3'
ward a stat sources --prefixes
is "... with --prefixes only prefixes" "$(grep -vcE '^SOURCE|/24 ' "$work/out")" 0
ward a stat states
says "stat states: endpoints" '^CLOSE-WAIT  *3'
says "stat states: edges" '^SYN-SENT -> CLOSED  *30 '

# ---- cleared ----
stop "$server"
await 30 says_finding "$followed" cleared close-wait-leak && ok "it is cleared when the server is gone" ||
	fail "it is cleared when the server is gone" "$(tail -n 1 "$followed")"
is "it does not stand any more" "$(found finding close-wait-leak | wc -l)" 0
expect "--all still shows it" "$(found --all finding close-wait-leak | grep -c '"cleared_ns":[0-9]')" -ge 1
is "it was raised once" "$(grep -c '"finding":"close-wait-leak".*"news":"raised"' "$followed")" \
	"$(grep -c '"finding":"close-wait-leak".*"news":"cleared"' "$followed")"
must a detach "$A"

# ---- more than there is room for ----
must a attach "$A" --detect bad-flags.max=1
is "no finding is dropped at first" "$(on a "$TCPWARD" status -j | member findings_dropped)" 0
on b "$BIN/raw" send 10.66.0.1 1000 192.0.2.1 80 FPU count=600 addresses=600 >/dev/null || fail "raw sends" "exit $?"
some_dropped() { [ "$(on a "$TCPWARD" status -j | member findings_dropped)" -gt 0 ]; }
await 8 some_dropped
ward a findings finding bad-flags -H
is "as many are listed as there is room for" "$(grep -c bad-flags "$work/out")" 512
dropped=$(on a "$TCPWARD" status -j | member findings_dropped)
expect "status counts those for which there is none" "$dropped" -ge 80
ward a status
says "... in text too" "^  findings dropped  *$dropped .*there is room for 512"
ward a metrics
says "... as do metrics" "^tcpward_findings_dropped\{instance=\"$A\"\} $dropped$"
must a detach "$A"

# ---- run finds by itself, and says at the end what stands ----
launch a "$TCPWARD" run "$A" --ingress tc --detect port-scan.targets=10
run=$pid said=$log
await 5 test -d "$PINS/$A"
sleep 0.5
scan
await 8 grep -q 'finding raised: .*port-scan' "$said" && ok "run tells what it finds" || fail "run tells what it finds" "$(tail -n 3 "$said")"
stop "$run" -INT
grep -qE '^  warning port-scan: 192\.0\.2\.1 ' "$said" && ok "... and what stands at the end" ||
	fail "... and what stands at the end" "$(tail -n 3 "$said")"

# ---- thresholds that are none ----
for bad in port-scan.target=10 port-scn.targets=10 port-scan.targets=x close-wait-leak.after=5parsecs close-wait-leak.after; do
	ward a run "$A" --detect "$bad"
	exits "--detect $bad is refused" 2
done
