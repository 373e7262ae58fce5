#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# upgrade: kill -9, restart, and other builds, while connections carry data and a source that is blocked floods: flows keep
# their age, no segment is lost, and of the flood nothing comes through.
. "$(dirname "$0")/lib.sh"
A=$(dev a)
REBUILT=$BIN/tcpward-rebuilt # the same layout of the maps
RELAID=$BIN/tcpward-relaid   # another one
TIMES=${TIMES:-20}

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
on b ip addr add 192.0.2.66/24 dev "$(dev b)"
start a "$BIN/crowd" serve 9000 || exit
cat >"$work/policy.yaml" <<END
version: 1
mode: enforce
state-check: strict
rules:
  - {name: stray, match: {invalid: [no-flow, out-of-window]}, action: drop}
  - {name: flood, match: {saddr: 192.0.2.66}, action: drop}
END
sed 's/^mode/without-daemon: open\nmode/' "$work/policy.yaml" >"$work/open.yaml"

# What comes through of the flood is counted behind XDP.
on a nft -f - <<END
table ip t {
	counter through { }
	chain in {
		type filter hook prerouting priority -400
		ip saddr 192.0.2.66 counter name through
	}
}
END
through() { on a nft list counter ip t through | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }
resent() { # by both stacks
	local h
	for h in a b; do on $h awk '/^Tcp: [0-9]/ { print $13 }' /proc/net/snmp; done | awk '{ n += $1 } END { print n }'
}
begin() { # program words...: run; $run, $out
	local program=$1
	shift
	out=$work/run.$((++runs))
	: >"$out"
	(exec nsenter --net="/run/netns/tw-$ID-a" "$program" run --quiet "$@" "$A") >"$out" 2>&1 </dev/null &
	run=$!
	pids+=("$run")
	holds() { grep -qx "$run" "/run/tcpward/$A.lock" 2>/dev/null && [ "$(member_of keeper_pid)/$(member_of keep)" = "$run/2" ]; }
	await 10 holds || fail "${program##*/} run goes on" "$(tail -n 2 "$out")"
}
member_of() { # field of the instance's record
	"$BPFTOOL" -j map lookup pinned "$PINS/$A/instance" key 0 0 0 0 2>/dev/null | tr -d '\n ' | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}
keeper() { member_of keeper_pid; }
runs=0
killed() {
	kill -KILL "$run"
	wait "$run" 2>/dev/null
}
starts() { # of the held connections, sorted
	flows_json a "$A" 'dport = 9000 and state established' | sed -n 's/.*"sport":\([0-9]*\).*"start_ns":\([0-9]*\).*/\1 \2/p' | sort
}
all_echo() { # name
	local before
	before=$(grep -c echoed "$holder_log")
	kill -USR1 "$holder"
	more() { [ "$(grep -c echoed "$holder_log")" -gt "$before" ]; }
	await 5 more
	is "$1" "$(tail -n 1 "$holder_log")" "echoed, 0 failed"
}
[ -n "$BPFTOOL" ] || { skip upgrade "no bpftool"; exit 0; }

begin "$TCPWARD" --policy "$work/policy.yaml"
start b "$BIN/crowd" hold 192.0.2.1 9000 20 || exit
holder=$pid holder_log=$log
all_echo "connections carry data"
must a block add 198.51.100.7 --name "$A"
twenty() { [ "$(starts | wc -l)" = 20 ]; }
await 3 twenty
starts >"$work/first"
is "20 flows" "$(wc -l <"$work/first")" 20
[ "$(wc -l <"$work/first")" = 20 ] || on a "$TCPWARD" flows --name "$A" | sed 's/^/# /' | sort

# ---- kill -9 ----
killed
expect "kill -9: the programs stay" "$(on a ip link show "$A" | grep -c xdp)" -ge 1
before=$(through)
on b "$BIN/raw" send 192.0.2.66 1000 192.0.2.1 9000 S count=200 ports=200 >/dev/null
is "... and what is blocked stays blocked" $(($(through) - before)) 0
all_echo "... connections go on"
ward a status --name "$A"
says "status says that nobody sweeps" "keeper alive +no"
ward a detach "$A" --name nobody
begin "$TCPWARD" --policy "$work/policy.yaml"
is "the next start takes over: the same flows, with their age" "$(starts)" "$(cat "$work/first")"
ward a block list --name "$A"
says "... and the lists" "198.51.100.7"

# Without its file: the policy in the maps goes on.
killed
begin "$TCPWARD"
is "taken over without --policy: the policy in force stays" "$(on a "$TCPWARD" policy show -j --name "$A" | member file)" "$work/policy.yaml"
killed
ward a attach "$A" eth9 --name "$A"
exits "taking over with other interfaces is refused" 1
begin "$TCPWARD" --policy "$work/policy.yaml"

# ---- many restarts, by turns of two builds, under a flood and with traffic ----
launch b "$BIN/raw" send 192.0.2.66 1000 192.0.2.1 9000 S count=100000 ports=50000 gap=1
flood=$pid
restarts() { # how many
	local i
	for ((i = 0; i < $1; i++)); do
		killed
		case $((i % 2)) in
		0) begin "$REBUILT" --policy "$work/policy.yaml" ;;
		1) begin "$TCPWARD" --policy "$work/policy.yaml" ;;
		esac
	done
}
dropped() { # by this rule
	on a "$TCPWARD" policy show -j --name "$A" | grep -o "\"name\":\"$1\"[^}]*" | sed -n 's/.*"dropped":\([0-9]*\).*/\1/p'
}
sleep 0.5
before=$(through) resent=$(resent)
(while sleep 0.05; do kill -USR1 "$holder" || exit; done) 2>/dev/null &
talk=$!
pids+=("$talk")
began=${EPOCHREALTIME/./}
restarts "$TIMES"
took=$(((${EPOCHREALTIME/./} - began) / 1000))
stop "$talk" -KILL 2>/dev/null
sleep 0.3
is "$TIMES restarts: nothing of the flood came through" $(($(through) - before)) 0
is "... no segment was lost" $(($(resent) - resent)) 0
is "... no connection was harmed" "$(grep -c echoed "$holder_log")" "$(grep -cx "echoed, 0 failed" "$holder_log")"
expect "... they carried data all the time" "$(grep -c echoed "$holder_log")" -gt $((TIMES * 5))
is "... flows are the same, with their age" "$(starts)" "$(cat "$work/first")"
expect "... the flood was there" "$(dropped flood)" -gt 500
echo "# $TIMES restarts in $took ms"

# As fast as it goes. Segments are resent then even without a restart (backlog of the veth), so what is asserted is that no
# segment was dropped by us: none is held to be out of its flow's window.
start a "$BIN/stream" listen 9001 1000000000000 0 || exit
launch b "$BIN/stream" connect 192.0.2.1 9001 0 1
stream=$pid stream_log=$log
sleep 0.5
restarts 6
is "a fast stream: no segment of it was dropped" "$(dropped stray)" 0
says_ready "$stream_log" && fail "... and it ran all the time" "$(cat "$stream_log")" || ok "... and it ran all the time"
stop "$stream" -KILL

# ---- another layout ----
before=$(through) resent=$(resent)
killed
begin "$RELAID" --policy "$work/policy.yaml"
is "another layout: nothing of the flood came through" $(($(through) - before)) 0
is "... no segment was lost" $(($(resent) - resent)) 0
grep -q "is of another build" "$out" && ok "... it is said" || fail "... it is said" "$(head -n 2 "$out")"
all_echo "... connections go on, though unknown"
on a "$RELAID" block list --name "$A" >"$work/out" 2>&1
grep -q 198.51.100.7 "$work/out" && ok "... the lists are there" || fail "... the lists are there" "$(head -n 1 "$work/out")"
ward a flows --name "$A"
exits "the build before cannot read it" 1
says "... and says why" "another build made it"
killed
begin "$TCPWARD" --policy "$work/policy.yaml"
stop "$flood" -KILL

# ---- without-daemon: open ----
stop "$run"
is "SIGTERM takes all off" "$(ls "$PINS/$A" 2>/dev/null)$(on a ip link show "$A" | grep -c xdp)" 0
begin "$TCPWARD" --policy "$work/open.yaml"
sleep 1.2
killed
before=$(through)
on b "$BIN/raw" send 192.0.2.66 1000 192.0.2.1 9000 S count=20 ports=20 >/dev/null
is "without-daemon: open: at first it stays" $(($(through) - before)) 0
sleep 10.5
on b "$BIN/raw" send 192.0.2.66 1100 192.0.2.1 9000 S count=20 ports=20 >/dev/null
expect "... after 10 s all passes" $(($(through) - before)) -ge 20
begin "$TCPWARD" --policy "$work/open.yaml"
sleep 1.2
before=$(through)
on b "$BIN/raw" send 192.0.2.66 1200 192.0.2.1 9000 S count=20 ports=20 >/dev/null
is "... until the next one takes over" $(($(through) - before)) 0

# ---- clsact ----
stop "$run"
begin "$TCPWARD" --policy "$work/policy.yaml" --clsact --ingress tc
sleep 0.2
killed
on b "$BIN/raw" send 192.0.2.66 1300 192.0.2.1 9000 S count=20 ports=20 >/dev/null
before=$(on a tc filter show dev "$A" ingress | grep -o "id [0-9]*")
begin "$TCPWARD" --policy "$work/policy.yaml" --clsact --ingress tc
expect "clsact: the filter has the new program" "$before" != "$(on a tc filter show dev "$A" ingress | grep -o "id [0-9]*")"
is "... and is the only one" "$(on a tc filter show dev "$A" ingress | grep -c "ward_tc")" 1
stop "$run"
is "... and goes at the end" "$(on a tc filter show dev "$A" ingress | grep -c ward_tc)$(on a tc qdisc show dev "$A" | grep -c clsact)" 00

# ---- attach ----
must a attach "$A" --policy "$work/policy.yaml"
all_echo "attach: connections"
starts >"$work/first"
old=$(keeper)
ward a attach "$A"
exits "the same build does not attach again" 1
on a "$REBUILT" attach "$A" >"$work/out" 2>"$work/err"
code=$?
exits "another build takes over what attach left" 0
expect "... with a keeper of its own" "$(keeper)" != "$old"
await 3 gone "$old" && ok "... the old one is gone" || fail "... the old one is gone" "$old"
is "... flows are the same" "$(starts)" "$(cat "$work/first")"
# A takeover that fails half-way, after the programs were replaced: a pin that cannot be written.
hooks() { "$BPFTOOL" -j link show pinned "$PINS/$A/link_${A}_ingress" | member prog_id; }
before=$(hooks)
mkdir "$PINS/$A/ward_clock~" # where the new pin is made before it takes the place of the old one
for other in "$TCPWARD" "$RELAID"; do
	on a "$other" attach "$A" >"$work/out" 2>"$work/err"
	code=$?
	exits "${other##*/}: a takeover that fails half-way" 1
	says "... says what is in force" "cannot pin .*ward_clock.*; the old programs are in force again"
	is "... which is so" "$(hooks)" "$before"
	is "... with the flows of before" "$(starts)" "$(cat "$work/first")"
done
rmdir "$PINS/$A/ward_clock~"
all_echo "... connections go on"
on a "$RELAID" attach "$A" >"$work/out" 2>"$work/err"
code=$?
exits "... so does one of another layout" 0
is "... with the policy" "$(on a "$RELAID" policy show -j --name "$A" | member file)" "$work/policy.yaml"
on a "$RELAID" detach "$A" >"$work/out" 2>"$work/err"
is "... detach leaves nothing" "$(ls "$PINS/$A" 2>/dev/null)$(on a ip link show "$A" | grep -c xdp)" 0
