#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# drops: events of dropped segments, over real sockets: the filters that select them, the number that was too much, the limit, and
# who put an entry on the block list.
. "$(dirname "$0")/lib.sh"
A=$(dev a)

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
for i in 3 4 5; do on b ip addr add "192.0.2.$i/24" dev "$(dev b)"; done
on b ip neigh add 192.0.2.1 lladdr "$(on a cat "/sys/class/net/$A/address")" dev "$(dev b)"
start a "$BIN/crowd" serve 9000 || exit
must a attach "$A"
cat >"$work/policy.yaml" <<END
version: 1
mode: enforce
services:
  - name: web
    match: {dport: 9000}
    half-open-per-source: {max: 2, then: drop}
    new-per-source: {rate: 1/h, burst: 3, then: block, for: 1m}
rules:
  - {name: known-bad, match: {saddr: 192.0.2.3}, action: drop}
END
must a policy apply --name "$A" "$work/policy.yaml"

declare -A watched
watches() { # name filter...
	launch a "$TCPWARD" watch --name "$A" -j "${@:2}"
	watched[$1]=$log
}
watches drops type drop
watches other not type drop
watches rule rule known-bad
watches limit rule web/new-per-source
watches service rule web
watches list reason block-list
launch a "$TCPWARD" watch --name "$A" type drop
text=$log
sleep 1 # they take their places

connects() { # from
	on b timeout 2 "$BIN/crowd" load 192.0.2.1 9000 1 1 c "$1" 1 >"$work/connect" 2>&1
	grep -q 'done 1 failed 0' "$work/connect"
}
connects 192.0.2.3 && fail "the rule drops" "connected" || ok "the rule drops"
for _ in 1 2 3; do connects 192.0.2.2 || fail "within the burst" "$(cat "$work/connect")"; done
connects 192.0.2.2 && fail "the limit drops" "connected" || ok "the limit drops"
connects 192.0.2.2 && fail "the block list drops" "connected" || ok "the block list drops"
# half-open ones of a source nobody answers for
for port in 41001 41002 41003; do on b "$BIN/raw" send 192.0.2.44 $port 192.0.2.1 9000 S seq=1000 >/dev/null; done
arrived() { grep -q '"reason":"half-open-per-source"' "${watched[drops]}" && grep -q 'by block list' "$text"; }
await 10 arrived || fail "the events arrive" "$(cut -c1-200 "${watched[drops]}" | head -n 5)"

of() { # watcher reason member: of its first event
	grep "\"reason\":\"$2\"" "${watched[$1]}" | head -n 1 | member "$3"
}
count() { # watcher pattern
	grep -cE "$2" "${watched[$1]}"
}
is "a rule: who, and no number" "$(of drops rule rule)/$(of drops rule value)/$(of drops rule limit)" known-bad/null/null
is "a rate: who, what it allows, and no number" \
	"$(of drops new-per-source rule)/$(of drops new-per-source limit)/$(of drops new-per-source value)" web/new-per-source/1/h/null
is "a number of half-open ones: who, what it allows, how many there were" \
	"$(of drops half-open-per-source rule)/$(of drops half-open-per-source limit)/$(of drops half-open-per-source value)" \
	web/half-open-per-source/2/2
is "the block list: which entry, and the limit that put it there" \
	"$(of drops block-list rule)/$(of drops block-list entry)/$(of drops block-list listed_by)" "block list/192.0.2.2/web/new-per-source"
grep -qE '192\.0\.2\.2:[0-9]+ > 192\.0\.2\.1:9000 +dropped: block-list by block list \(192\.0\.2\.2, by web/new-per-source\)$' "$text" &&
	ok "... in text" || fail "... in text" "$(grep block "$text" | head -n 2)"
grep -qE 'dropped: half-open-per-source \(2\) by web/half-open-per-source \(limit 2\)$' "$text" &&
	ok "... a number beside its limit" || fail "... a number beside its limit" "$(grep half-open "$text" | head -n 2)"
is "type drop: nothing else" "$(grep -vc '"type":"drop"' "${watched[drops]}")" 0
is "not type drop: none of them" "$(count other '"type":"drop"')" 0
expect "... but all else" "$(count other '"type":"state"')" -gt 0
expect "rule NAME: its drops" "$(count rule '"rule":"known-bad"')" -gt 0
is "... nothing else" "$(grep -vc '"rule":"known-bad"' "${watched[rule]}")" 0
expect "rule LIMIT: its own drops" "$(count limit '"rule":"web/new-per-source"')" -gt 0
expect "... and those by what it put on the block list" "$(count limit '"rule":"block list"')" -gt 0
is "... nothing else" "$(grep -vcE '"rule":"(web/new-per-source|block list)"' "${watched[limit]}")" 0
is "rule SERVICE: those of all its limits" "$(grep -o '"rule":"[^"]*"' "${watched[service]}" | sort -u | tr '\n' ' ')" \
	'"rule":"block list" "rule":"web/half-open-per-source" "rule":"web/new-per-source" '
is "reason NAME" "$(grep -o '"reason":"[^"]*"' "${watched[list]}" | sort -u)" '"reason":"block-list"'

# ---- who puts an entry there else ----
must a block add 192.0.2.4 --reason scan
must a block add 192.0.2.5/32 --for 1s
must a block add 192.0.2.0/29 --force
connects 192.0.2.4
sleep 1
connects 192.0.2.5 # its own entry is over: the prefix counts
arrived() { grep '"entry":"192.0.2.0/29"' "${watched[list]}" | grep -q '"saddr":"192.0.2.5"'; }
await 5 arrived && ok "a prefix" || fail "a prefix" "$(tail -n 1 "${watched[list]}")"
is "... by hand" "$(grep '"entry":"192.0.2.4"' "${watched[list]}" | head -n 1 | member listed_by)" hand

# ---- wrong words ----
ward a watch --name "$A" type dropp
exits "an unknown type" 2
says "... what was meant" "unknown type of event 'dropp', did you mean 'drop'"
ward a watch --name "$A" reason half-opn
says "an unknown reason" "unknown reason 'half-opn', did you mean 'half-open'"
ward a flows --name "$A" type drop
exits "flows have no type" 2
says "... says so" "flows: 'type' is a filter for events: no flow matches it"
ward a findings --name "$A" rule web
exits "findings have no rule" 2
