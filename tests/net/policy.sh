#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# policy: its life by commands and maps: apply, confirm, rollback, remove, reload; who is exempt; what goes wrong, and that
# nothing has changed then: bad files, no room, two at once, kill -9 in the middle, an instance that goes away.
. "$(dirname "$0")/lib.sh"
A=$(dev a)

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
on b ip addr add 192.0.2.3/24 dev "$(dev b)"
start a "$BIN/crowd" serve 9000 || exit
must a attach "$A"

policy() { # name mode rule...: writes $work/NAME.yaml
	local name=$1 mode=$2
	shift 2
	printf 'version: 1\nmode: %s\nrules:\n' "$mode" >"$work/$name.yaml"
	printf '  - %s\n' "$@" >>"$work/$name.yaml"
}
shown() { # member of policy show
	on a "$TCPWARD" policy show -j --name "$A" | member "$1"
}
rules() { # "NAME MODE HITS;" of each
	on a "$TCPWARD" policy show -H --name "$A" | awk '$2 == "rule" { printf "%s %s %s;", $1, $3, $5 }'
}
live() { # member of policy_live, from the map itself
	"$BPFTOOL" -j map lookup pinned "$PINS/$A/policy_live" key 0 0 0 0 | tr -d '\n ' |
		sed -n "s/.*\"formatted\":.*\"$1\":\([0-9]*\).*/\1/p"
}
metric() { # name with its labels, value
	on a "$TCPWARD" metrics --name "$A" | grep -c "^tcpward_$1 $2$"
}
state() { # all that a failed apply must leave as it was
	echo "$(live loaded) $(live slot) $(live rollback_ns) $(live before) $(live revision) $(shown file) $(shown applied_ns) $(rules)"
}
connects() { # from: address; 0: a connection to port 9000 comes about
	on b timeout 2 "$BIN/crowd" load 192.0.2.1 9000 1 1 c "$1" 1 >"$work/connect" 2>&1
	grep -q 'done 1 failed 0' "$work/connect"
}
holder() { # a connection that stays: its pid to $pid, what it prints to $log
	start b "$BIN/crowd" hold 192.0.2.1 9000 1
}
echoes() { # pid log: a request and its answer go over it
	local before
	before=$(grep -c echoed "$2")
	kill -USR1 "$1"
	await 2 eval "[ \$(grep -c 'echoed, 0 failed' '$2') -gt $before ]"
}
local_port() {
	on b ss -Htn state established dst 192.0.2.1:9000 | awk '{ sub(/.*:/, "", $3); print $3; exit }'
}

policy three enforce '{name: third, match: {saddr: 192.0.2.3}, action: drop}' \
	'{name: none, match: {saddr: 198.51.100.0/24}, action: drop}'
policy all enforce '{name: everyone, match: {saddr: 0.0.0.0/0}, action: drop}'

# ---- apply, show ----
is "there is no policy at first" "$(shown loaded)/$(live loaded)" false/0
ward a policy rollback
exits "nothing to go back to" 1
ward a policy remove
exits "nothing to remove" 1
ward a policy confirm
exits "nothing to confirm" 1
connects 192.0.2.3 && ok "everybody gets through" || fail "everybody gets through" "$(cat "$work/connect")"
ward a policy apply "$work/three.yaml"
exits "policy apply" 0
says "... says what is in force" "is in force: enforce, 0 services, 2 rules"
says "... and that nobody is exempt" "no connection is exempt: this session is local"
is "... the file is known by its full path" "$(shown file)" "$work/three.yaml"
is "... whole, in the maps too" "$(live loaded)/$(rules)" "1/third enforce 0;none enforce 0;"
connects 192.0.2.3 && fail "a rule drops" "connected" || ok "a rule drops"
connects 192.0.2.2 && ok "... whom it names" || fail "... whom it names" "$(cat "$work/connect")"
dropped=$(on a "$TCPWARD" policy show -H --name "$A" | awk '$1 == "third" { print $6 }')
expect "... and is counted" "$dropped" -ge 1
is "the text is there" "$(on a "$TCPWARD" policy show --text --name "$A")" "$(cat "$work/three.yaml")"
ward a policy diff
says "policy diff: none" "no difference"
ward a policy diff "$work/all.yaml"
says "policy diff: what would change" "everyone"

# ---- the other slot; counts go with the names ----
slot=$(live slot)
policy turned enforce '{name: first, match: {saddr: 198.51.101.0/24}, action: drop}' \
	'{name: third, match: {saddr: 192.0.2.3}, action: drop}'
must a policy apply "$work/turned.yaml"
says "the policy that gives way is named, and how it comes back" \
	"policy '$work/three.yaml' \(enforce, in force for .*\) gives way to '$work/turned.yaml'; back to it: tcpward policy rollback"
is "a new policy takes the other slot" "$(live slot)" $((1 - slot))
is "counts go with the names of rules" "$(rules | tr ';' '\n' | awk '{ print $1, ($3 > 0) }' | head -n 2 | tr '\n' ';')" \
	"first 0;third 1;"
must a policy rollback
says "policy rollback" "three.yaml' is in force again"
is "... to what was there, with its counts" "$(live slot)/$(rules | tr ';' '\n' | awk '{ print $1, ($3 > 0) }' | head -n 2 | tr '\n' ';')" \
	"$slot/third 1;none 0;"
must a policy rollback
says "... and forth" "turned.yaml' is in force again"
must a policy remove
is "policy remove" "$(shown loaded)/$(live loaded)" false/0
connects 192.0.2.3 && ok "... nobody is dropped any more" || fail "... nobody is dropped any more" "$(cat "$work/connect")"
must a policy rollback
is "... can be taken back" "$(shown file)" "$work/turned.yaml"

# ---- learning: since the start of the instance ----
cp "$work/three.yaml" "$work/learns.yaml"
echo 'learn: 1h' >>"$work/learns.yaml"
must a policy apply "$work/learns.yaml"
says "learn: for how long yet, since when" "it learns for another 59m[0-9]*s, counted from the start of '$A', and drops nothing until then"
expect "... as policy show has it" "$(shown learn_left_ns)" -lt 3600000000000
connects 192.0.2.3 && ok "... meanwhile nothing is dropped" || fail "... meanwhile nothing is dropped" "$(cat "$work/connect")"
sed -i 's/learn: 1h/learn: 1s/' "$work/learns.yaml"
must a policy apply "$work/learns.yaml"
is "... an older instance has learnt already" "$(shown learn_left_ns)/$(grep -c 'it learns' "$work/out")" 0/0
connects 192.0.2.3 && fail "... and drops at once" "connected" || ok "... and drops at once"
must a policy apply "$work/turned.yaml"

# ---- modes ----
must a policy apply "$work/three.yaml" --dry-run
connects 192.0.2.3 && ok "--dry-run drops nothing" || fail "--dry-run drops nothing" "$(cat "$work/connect")"
would=$(on a "$TCPWARD" policy show -H --name "$A" | awk '$1 == "third" { print $7 }')
expect "... and counts what it would have dropped" "$would" -ge 1
is "... in mode dry-run" "$(shown mode)" dry-run
ward a block add 192.0.2.3
says "... the block list too, which is said" "nothing is dropped, for policy '$work/three.yaml' is in mode dry-run"
must a block del 192.0.2.3

# ---- locked out: a policy against everybody, over a live session ----
holder
session=$pid session_log=$log port=$(local_port)
must a policy remove
export SSH_CONNECTION="192.0.2.2 $port 192.0.2.1 9000"
ward a policy apply "$work/all.yaml" --confirm 4
unset SSH_CONNECTION
exits "a policy against everybody" 0
says "... the session is found" "exempt until confirmed: 192.0.2.2:$port > 192.0.2.1:9000 \(SSH_CONNECTION"
says "... and it says when it goes" "takes itself back in 4 s"
expect "... it counts down" "$(shown rollback_left_ns)" -gt 1000000000
echoes "$session" "$session_log" && ok "the session lives" || fail "the session lives" "no answer"
connects 192.0.2.2 && fail "everybody else does not get in" "connected" || ok "everybody else does not get in"
is "metrics: it waits" "$(metric "policy_unconfirmed{instance=\"$A\"}" 1)" 1
ward a policy apply "$work/three.yaml"
exits "another apply has to wait" 1
says "... for the confirmation" "policy confirm, or: tcpward policy rollback"
back() { [ "$(live loaded)" = 0 ]; }
await 6 back
is "not confirmed: it has taken itself back" "$(live loaded)/$(live rollback_ns)/$(shown loaded)" 0/0/false
connects 192.0.2.2 && ok "... and everybody gets in again" || fail "... and everybody gets in again" "$(cat "$work/connect")"
ward a policy confirm
exits "too late to confirm" 1

# The same without a keeper: the packet path alone.
keeper=$(on a "$TCPWARD" -j --name "$A" | member keeper_pid)
must a policy apply "$work/three.yaml"
must a policy apply "$work/all.yaml" --confirm 2
kill -KILL "$keeper"
connects 192.0.2.2 && fail "without a keeper: nobody gets in" "connected" || ok "without a keeper: nobody gets in"
sleep 1
connects 192.0.2.2 && ok "... and then it has taken itself back, with no process alive" || fail "... and then it has taken itself back" "$(cat "$work/connect")"
is "... the map tells that nobody has written it" "$(live slot)" "$((1 - $(live before) + 1))"
is "... and commands see the one before" "$(shown file)" "$work/three.yaml"
connects 192.0.2.3 && fail "... which acts" "connected" || ok "... which acts"
must a attach "$A"
back() { [ "$(live rollback_ns)" = 0 ]; }
await 5 back
is "a new keeper makes it final" "$(live rollback_ns)/$(shown file)" "0/$work/three.yaml"

# Confirmed: it stays, and the exemption ends.
export SSH_CONNECTION="192.0.2.2 $port 192.0.2.1 9000"
must a policy apply "$work/all.yaml" --confirm 1m30s
says "--confirm with units" "takes itself back in 90 s, unless"
unset SSH_CONNECTION
before=$(state)
ward a policy confirm
exits "confirming what would cut the exempt session" 1
says "... names rule and session" \
	"cannot confirm policy '$work/all.yaml': rule 'everyone' would drop the exempt session 192.0.2.2:$port > 192.0.2.1:9000"
says "... and what mends it" "tcpward allow add 192.0.2.2 keeps it open; --force confirms all the same"
is "... nothing has changed" "$(state)" "$before"
echoes "$session" "$session_log" && ok "... and the session lives" || fail "... and the session lives" "no answer"
must a policy rollback
export SSH_CONNECTION="192.0.2.2 $port 192.0.2.1 9000"
must a policy apply "$work/three.yaml" --confirm 60
unset SSH_CONNECTION
must a block add 192.0.2.0/28 --force
ward a policy confirm
says "... the same by the block list" "entry '192.0.2.0/28' of the block list would drop the exempt session 192.0.2.2:$port"
must a allow add 192.0.2.2
must a policy confirm
says "... but not what is allowed" "three.yaml' is confirmed: enforce"
must a allow flush
must a block flush
# by addresses or ports of the session, in one direction or the other, by a rule that does not act, by a limit
judge() { # name expected: exit code of the confirmation of name.yaml
	export SSH_CONNECTION="192.0.2.2 $port 192.0.2.1 9000"
	must a policy apply "$work/$1.yaml" --confirm 60
	unset SSH_CONNECTION
	ward a policy confirm
	exits "confirming $1" "$2"
	must a policy rollback
}
policy to-port enforce '{name: x, match: {dport: 9000}, action: drop}'
policy from-port enforce "{name: x, match: {sport: $port}, action: drop}"
policy back enforce '{name: x, match: {sport: 9000}, action: drop}'
policy syns enforce '{name: x, match: {dport: 9000, flags: "syn+!ack"}, action: drop}'
policy rule-in-dry-run enforce '{name: x, match: {dport: 9000}, action: drop, mode: dry-run}'
policy behind-a-pass enforce '{name: y, match: {saddr: 192.0.2.2}, action: pass}' '{name: x, match: {dport: 9000}, action: drop}'
judge to-port 1
judge from-port 1
judge back 0
judge syns 0
judge rule-in-dry-run 0
judge behind-a-pass 0
export SSH_CONNECTION="192.0.2.2 $port 192.0.2.1 9000"
must a policy apply "$work/all.yaml" --confirm 60
unset SSH_CONNECTION
must a policy confirm --force
says "policy confirm --force" "all.yaml' is confirmed: enforce"
is "... it does not go any more" "$(live rollback_ns)/$(shown exempt)" "0/[]"
echoes "$session" "$session_log" && fail "... and nobody is exempt" "answered" || ok "... and nobody is exempt"
must a policy rollback
says "... and back to what it gave way to" "three.yaml' is in force again"
kill -KILL "$session"

# ---- whose session it is ----
pty() { # on a pseudo-terminal, with nothing of SSH in sight
	on a env -u SSH_CONNECTION script -qec "$TCPWARD $*" /dev/null >"$work/out" 2>&1 </dev/null
	code=$?
	: >"$work/err"
}
if command -v script >/dev/null; then
	before=$(state)
	pty policy apply "$work/all.yaml"
	exits "a terminal of nobody knows whom needs --confirm" 1
	says "... says so" "--confirm 60"
	is "... and nothing has changed" "$(state)" "$before"
	pty policy apply "$work/all.yaml" --dry-run
	exits "... but not for what drops nothing" 0
	pty policy apply "$work/all.yaml" --confirm 30
	exits "... --confirm does" 0
	must a policy rollback
	# an sshd, as far as /proc can tell
	cp "$BIN/crowd" "$work/sshd"
	start a "$work/sshd" serve 2222 && start b "$BIN/crowd" hold 192.0.2.1 2222 1
	client=$pid
	pty policy apply "$work/all.yaml"
	exits "sshd's connections are exempt where nothing else is known" 0
	says "... they are named" "exempt until confirmed: 192.0.2.2:[0-9]* > 192.0.2.1:2222"
	echoes "$client" "$log" && ok "... and live" || fail "... and live" "no answer"
	must a policy rollback
	export SSH_CONNECTION="192.0.2.2 5 192.0.2.1 2222" # of a terminal multiplexer: over long since
	ward a policy apply "$work/all.yaml"
	unset SSH_CONNECTION
	exits "a connection that is over tells nothing: sshd's are exempt" 0
	says "... they are named" "exempt until confirmed: 192.0.2.2:[0-9]* > 192.0.2.1:2222"
	echoes "$client" "$log" && ok "... and live" || fail "... and live" "no answer"
	must a policy rollback
else
	skip "a terminal of nobody knows whom" "no script(1)"
fi

# ---- what goes wrong changes nothing ----
must a policy apply "$work/three.yaml"
before=$(state)
printf 'version: 1\nmode: enforce\nrules:\n  - {name: x, match: {saddr: nobody}, action: drop}\n' >"$work/bad.yaml"
ward a policy apply "$work/bad.yaml"
exits "a bad file" 2
says "... each error has its place" "^$work/bad.yaml:4:"
printf 'version: 1\nmode: enforce\nrules:\n  - {name: x, match: {saddr: "@none.txt"}, action: drop}\n' >"$work/bad.yaml"
ward a policy apply "$work/bad.yaml"
exits "a list that cannot be read" 2
printf 'version: 1\nmode: enforce\ninterfaces: [eth77]\n' >"$work/bad.yaml"
ward a policy apply "$work/bad.yaml"
exits "an interface that is not the instance's" 2
says "... by name" "eth77"
ward a policy apply "$work/none.yaml"
exits "no such file" 2
ward a policy apply
exits "no file" 2
for time in soon 0 0s 1x 2d 86401 -5; do
	ward a policy apply "$work/three.yaml" --confirm=$time
	exits "--confirm $time" 2
done
says "... which is named, with what may be written" "--confirm '-5': write 60, 90s, 2m or 1h30m: from 1s to 24h"
ward a policy apply "$work/three.yaml" --name nobody
exits "no such instance" 3
on a setpriv --bounding-set -all --inh-caps -all --reuid 65534 --regid 65534 --clear-groups "$TCPWARD" policy show >"$work/out" 2>"$work/err"
code=$?
exits "without root" 1
is "... nothing has changed" "$(state)" "$before"

# Descriptors run out at every point in turn.
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "10.%d.%d.%d\n", i / 65536, i / 256 % 256, i % 256; print "172.16.0.0/12"; print "2001:db8::/32" }' >"$work/many.txt"
policy many enforce '{name: many, match: {saddr: "@many.txt"}, action: drop}'
refused=0 broken=
for ((limit = 20; limit < 60; limit++)); do
	on a bash -c "ulimit -n $limit; exec $TCPWARD policy apply $work/many.yaml --name $A" >"$work/out" 2>"$work/err" && break
	refused=$((refused + 1))
	[ "$(state)" = "$before" ] || broken="$broken $limit"
done
expect "no descriptors left: refused" $refused -gt 10
says "... in the end it was applied" "is in force"
is "... and until then nothing had changed" "$broken" ""
echo "# refused with up to $limit descriptors"
is "100,000 addresses and two prefixes" "$(shown file)" "$work/many.yaml"

# ---- several at once, and killed in the middle ----
must a policy apply "$work/three.yaml"
for i in 1 2 3; do
	on a "$TCPWARD" policy apply "$work/many.yaml" --name "$A" >/dev/null 2>&1 &
	appliers+=($!)
	on a "$TCPWARD" policy apply "$work/turned.yaml" --name "$A" >/dev/null 2>&1 &
	appliers+=($!)
done
failed=0
for i in "${appliers[@]}"; do wait "$i" || failed=$((failed + 1)); done
is "six at once: each has its turn" $failed 0
case "$(shown file) $(rules)" in
"$work/many.yaml many enforce 0;" | "$work/turned.yaml first enforce 0;third enforce "*) ok "... and one of them is in force, whole" ;;
*) fail "... and one of them is in force, whole" "$(shown file) $(rules)" ;;
esac
must a policy apply "$work/three.yaml"
whole=0 torn= new=0
for ((i = 0; i < 24; i++)); do
	(exec nsenter --net="/run/netns/tw-$ID-a" "$TCPWARD" policy apply "$work/many.yaml" --name "$A") >/dev/null 2>&1 &
	sleep "0.$((i % 3))$((RANDOM % 10))"
	kill -KILL $! 2>/dev/null
	wait $! 2>/dev/null
	case "$(shown file) $(rules | sed 's/[0-9]*;/;/g')" in
	"$work/three.yaml third enforce ;none enforce ;") whole=$((whole + 1)) ;;
	"$work/many.yaml many enforce ;") whole=$((whole + 1)) new=$((new + 1)) && must a policy apply "$work/three.yaml" ;;
	*) torn="$torn; $(shown file) $(rules)" ;;
	esac
done 2>/dev/null
is "killed at any moment: the old or the new one is in force" "$torn" ""
expect "... some had not come that far" $new -lt 24
echo "# of 24 that were killed, $new had been applied"
must a policy apply "$work/turned.yaml"
is "... and the next one goes in" "$(shown file)" "$work/turned.yaml"

# ---- an instance that goes away meanwhile ----
on a "$TCPWARD" policy apply "$work/many.yaml" --name "$A" >"$work/out" 2>"$work/err" &
applier=$!
must a detach "$A"
wait $applier
code=$?
case $code in
0 | 1 | 3) ok "detached in the middle: the apply ends with $code" ;;
*) fail "detached in the middle" "exit $code: $(head -n 1 "$work/err")" ;;
esac
ls -d "$PINS/$A" >/dev/null 2>&1 && fail "... and nothing stays" "$(ls "$PINS/$A" | head -n 3)" || ok "... and nothing stays"
ward a policy show
exits "... no policy without an instance" 3

# ---- over a capture: raw IPv4, so many SYNs from two addresses, each answered ----
hex() { # bytes in hexadecimal
	printf '%b' "$(sed 's/../\\x&/g' <<<"${1// /}")"
}
packet() { # second from to control-bits
	hex "$(printf '%02x%02x%02x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255))) 00000000 28000000 28000000"
	hex "45000028 00000000 40060000 $2 $3 0fa00050 000003e8 00000000 50 $4 faf0 0000 0000"
}
server=c0000201 blocked=c0000203 other=c0000205
{
	hex "d4c3b2a1 02000400 00000000 00000000 ffff0000 65000000"
	for i in 1 2 3 4 5; do
		packet $((1700000000 + i)) $blocked $server 02
		packet $((1700000000 + i)) $server $blocked 14
		packet $((1700000000 + i)) $other $server 02
	done
} >"$work/some.pcap"
ward a policy test "$work/three.yaml" --replay "$work/some.pcap"
exits "policy test" 0
says "... what would have been dropped" "would have dropped 5 of 15 packets"
says "... by which rule" "^third +rule +dry-run +drop +5 +0 +5$"
is "... with the first three" "$(grep -c 'would drop: rule by third' "$work/out")" 3
says "... in both directions, if nobody tells" "both directions were judged"
ward a policy test "$work/three.yaml" --replay "$work/some.pcap" --local 192.0.2.1 -j
is "... what comes in alone" "$(member judged <"$work/out")/$(grep -o '"would_drop":[0-9]*' "$work/out" | head -n 1)" '10/"would_drop":5'
policy server enforce '{name: server, match: {saddr: 192.0.2.1}, action: drop}'
ward a policy test "$work/server.yaml" --replay "$work/some.pcap" --local 192.0.2.0/31 -j
is "... what goes out is not judged" "$(member would_drop <"$work/out")" 0
ward a policy test "$work/server.yaml" --replay "$work/some.pcap" -j
is "... unless it is taken for what comes in" "$(member would_drop <"$work/out")" 5
ward a policy test "$work/server.yaml" --replay "$work/none.pcap"
exits "no such capture" 1
ward a policy test "$work/server.yaml"
exits "no capture" 2

# ---- SYN cookies come back with their policy, and what the mode kept from the block list is told ----
cookies() { # "own" or "kernel", "off"
	on a "$TCPWARD" status -j --name "$A" | member cookies
}
must a attach "$A" --ingress xdp-generic # the peer of this veth has no program
cat >"$work/cookies.yaml" <<-END
	version: 1
	mode: enforce
	services:
	  - {name: nine, match: {dport: 9000}, half-open: {max: 1000, then: syncookie}}
END
must a policy apply "$work/cookies.yaml"
flavour=$(cookies)
must a policy apply "$work/three.yaml"
must a policy rollback
is "rolled back: cookies again" "$(shown file)/$(cookies)" "$work/cookies.yaml/$flavour"
must a policy apply "$work/three.yaml" --confirm 1
back() { [ "$(shown file)" = "$work/cookies.yaml" ]; }
await 5 back
is "... and not confirmed" "$(cookies)" "$flavour"
must a policy remove
must a policy rollback
is "... and after remove" "$(cookies)" "$flavour"
must a policy apply "$work/three.yaml"
must a policy apply "$work/three.yaml" --dry-run
is "none when nothing can bring them back" "$(cookies)" off
must a block add 203.0.113.9
ward a policy remove
says "without its policy the block list drops: told" "the block list drops from now on: 1 entry"
must a block flush
on a "$TCPWARD" policy apply - --name "$A" <"$work/three.yaml" >/dev/null 2>&1
ward a policy diff
exits "diff with what came from standard input" 2
says "... asks for a file" "was read from standard input; name a file"
must a detach "$A"
must a attach "$A" --ingress tc --policy "$work/cookies.yaml"
ward a status
says "cookies without XDP: status says that there are none" "SYN cookies .* none is sent, for no ingress is by XDP"
must a detach "$A"

# ---- run and attach --policy ----
ward a attach "$A" --policy "$work/bad.yaml"
exits "attach with a policy for another interface" 2
ls -d "$PINS/$A" >/dev/null 2>&1 && fail "... attaches nothing" "$(ls "$PINS/$A" | head -n 3)" || ok "... attaches nothing"
printf 'version: 1\n' >"$work/bad.yaml"
ward a run "$A" --policy "$work/bad.yaml"
exits "run with a bad file" 2
must a attach "$A" --policy "$work/three.yaml"
expect "attach with the first policy replaces none" "$(grep -c 'gives way' "$work/err")" = 0
says "attach says which policy is in force" "^policy '$work/three.yaml' is in force: enforce, 0 services, 2 rules"
is "... as metrics do" "$(metric "policy{instance=\"$A\",mode=\"enforce\"}" 1)$(metric "policy{instance=\"$A\",mode=\"none\"}" 0)" 11
is "attach --policy" "$(shown file)/$(live loaded)" "$work/three.yaml/1"
connects 192.0.2.3 && fail "... acts" "connected" || ok "... acts"
ward a run "$A" --policy "$work/turned.yaml" --duration 1
exits "run --policy joins" 0
says "... and names the policy that it replaces" "policy '$work/three.yaml' \(enforce, in force for .*\) gives way to '$work/turned.yaml'"
is "... in force" "$(shown file)" "$work/turned.yaml"
must a block add 203.0.113.9 203.0.113.10
must a allow add 203.0.113.11
must a detach "$A"
says "detach says what is enforced no more" \
	"^$A: detached; no longer in force: policy '$work/turned.yaml' \(enforce\); 2 blocked, 1 allowed: kept for the next '$A'$"
must a attach "$A"
is "... and the lists are there for the next one" "$(on a "$TCPWARD" block list -H --name "$A" | wc -l)" 2
must a block flush
must a allow flush
STATE_DIRECTORY=/proc/nowhere ward a detach "$A"
is "... nothing more where there was nothing" "$(cat "$work/out")" "$A: detached"
cp "$work/three.yaml" "$work/run.yaml"
printf 'timeouts: {fin-wait-2: 30m}\nlearn: 4s\n' >>"$work/run.yaml"
launch a "$TCPWARD" run "$A" --policy "$work/run.yaml"
runner=$pid run_log=$log
there() { [ "$(shown loaded)" = true ]; }
await 10 there
is "run --policy" "$(shown file)" "$work/run.yaml"
expect "... learns first" "$(shown learn_left_ns)" -gt 0
connects 192.0.2.3 && ok "... and drops nothing meanwhile" || fail "... and drops nothing meanwhile" "$(cat "$work/connect")"
learnt() { [ "$(shown learn_left_ns)" = 0 ]; }
await 6 learnt
connects 192.0.2.3 && fail "... and then does" "connected" || ok "... and then does"
ward a
says "status shows it" "policy mode +enforce"
cp "$work/turned.yaml" "$work/run.yaml"
printf 'timeouts: {fin-wait-2: 20m}\n' >>"$work/run.yaml"
kill -HUP "$runner"
reread() { grep -q "is read again" "$run_log"; }
await 5 reread
is "SIGHUP reads it again" "$(rules | cut -d' ' -f1)" first
await 5 grep -q "time-outs are for the making" "$run_log"
ok "... and says what it cannot take over"
before=$(state)
printf 'nonsense\n' >"$work/run.yaml"
kill -HUP "$runner"
await 5 grep -q "nothing was changed" "$run_log" && ok "... a bad file is told" || fail "... a bad file is told" "$(tail -n 3 "$run_log")"
is "... and the old one stays" "$(state)" "$before"
must a policy apply "$work/all.yaml" --confirm 1
await 5 grep -q "was not confirmed within its time: taken back, the one before is in force" "$run_log" &&
	ok "run tells of a policy that took itself back" || fail "run tells of a policy that took itself back" "$(tail -n 3 "$run_log")"
stop "$runner"
ls -d "$PINS/$A" >/dev/null 2>&1 && fail "after run nothing stays" "$(ls "$PINS/$A" | head -n 3)" || ok "after run nothing stays"
