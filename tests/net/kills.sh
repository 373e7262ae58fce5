#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# kills: kill -9 at a random moment of their work: of run, of attach, of policy apply, of the process that sweeps, of an upgrade.
# Each time nothing is left, or all is in force, and the next command of the same kind succeeds; connections keep their age. How
# many were hit at work is counted: fewer than a quarter of them would be no test.
#
#   kills.sh [run|attach|apply|keeper|upgrade|relaid]...    all of them by default
#   KILLS=100      so many in all, in equal parts (24)
#   KILLS_SEED=N   the moments of a run that printed N
. "$(dirname "$0")/lib.sh"
A=$(dev a) TIMES=$((${KILLS:-24} / 6)) # of each
[ -n "$BPFTOOL" ] || { skip kills "no bpftool"; exit 0; }
SEED=${KILLS_SEED:-$RANDOM}
RANDOM=$SEED
echo "# KILLS_SEED=$SEED"

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
for n in 1 2; do
	{
		printf 'version: 1\nmode: enforce\nrules:\n'
		for i in $(seq 40); do echo "  - {name: p$n-$i, match: {dport: [$((n * 1000 + i))]}, action: drop}"; done
	} >"$work/policy$n.yaml"
done

now_us() {
	echo "${EPOCHREALTIME/[.,]/}"
}
exec {never}<> <(:)
pause() { # microseconds, without another process: that alone takes longer than a policy apply
	read -r -t "$(printf '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000)))" -u "$never"
}
# How long a command works: the shortest of three, for the machine is not ours alone; killed() corrects it.
lasts() { # command...: sets work_us, the moments of killed() are within
	local began took
	work_us=99000000
	for _ in 1 2 3; do
		[ -z "${before_each:-}" ] || $before_each
		began=$(now_us)
		nsenter --net="/run/netns/tw-$ID-a" "$@" >"$work/killed" 2>&1 </dev/null || fail "$1 $2" "$(head -n 1 "$work/killed")"
		took=$(($(now_us) - began))
		[ $took -ge $work_us ] || work_us=$took
	done
}
killed() { # command...: sets status, 137: it was killed in time
	local pid at
	(exec nsenter --net="/run/netns/tw-$ID-a" "$@") >"$work/killed" 2>&1 </dev/null &
	pid=$!
	# most of an attach is the verifier's: each second time near its end
	at=$((RANDOM * work_us / 32768)) turn=$((turn ^ 1))
	[ $turn = 0 ] || at=$((work_us - at / 8))
	pause $at
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	status=$?
	if [ $status = 137 ]; then
		inside=$((inside + 1)) work_us=$((work_us + work_us / 8))
	else
		work_us=$((work_us - work_us / 4)) # earlier, the next time
	fi
}
hooks() { # XDP programs of ours; bpftool may not know tcx
	on a ip -d link show dev "$A" 2>/dev/null | grep -c "prog/xdp"
}
traces() {
	hooks
	ls "$PINS" 2>/dev/null | grep "$ID"
}
traces >"$work/clean"
nothing_left() {
	traces >"$work/now"
	cmp -s "$work/clean" "$work/now"
}
serves() { # it is whole: both directions are watched, and commands answer
	ward a flows --name "$A"
	[ $code = 0 ] && [ "$(hooks)" = 1 ]
}
bad=0 inside=0 turn=0
wrong() { # what
	bad=$((bad + 1))
	[ $bad -gt 5 ] || echo "# $1: $(head -n 1 "$work/err") $(tr '\n' ' ' <"$work/now") [$(tail -n 1 "$work/killed")]"
}
done_with() { # what
	is "$1: killed $TIMES times: nothing was left, or all was in force" $bad 0
	expect "... $inside of them while it was at work" $inside -ge $((TIMES / 4))
	[ -z "${work_us:-}" ] || echo "# $1: the moments were within $((work_us / 1000)) ms at last"
	bad=0 inside=0
}

# ---- run: it takes everything along ----
run() {
	work_us=500000 # it does not end by itself: about as long as its start
	for _ in $(seq "$TIMES"); do
		killed "$TCPWARD" run --quiet "$A"
		await 3 nothing_left || wrong "run"
	done
	done_with "run"
}

# ---- attach: nothing, all, or what the next one mends ----
detached() { ward a detach "$A"; }
attach() {
	before_each=detached lasts "$TCPWARD" attach "$A"
	must a detach "$A"
	for _ in $(seq "$TIMES"); do
		killed "$TCPWARD" attach "$A"
		ward a attach "$A"
		[ $code = 0 ] || serves || wrong "attach again"
		ward a detach "$A"
		[ $code = 0 ] && await 3 nothing_left || wrong "detach"
	done
	done_with "attach"
}

# ---- policy apply: the one before or the new one, whole ----
in_force() { # sets force: 1 or 2, which policy; fails if it is not one of both, whole
	local rules
	ward a policy show --name "$A"
	rules=$(grep -oE 'p[12]-[0-9]+' "$work/out" | sort -u)
	force=$(cut -c2 <<<"$rules" | sort -u)
	[ $code = 0 ] && [ "$(wc -l <<<"$rules")" = 40 ] && [ ${#force} = 1 ]
}
apply() {
	local next new=0 i
	must a attach "$A" --policy "$work/policy1.yaml"
	lasts "$TCPWARD" policy apply --name "$A" "$work/policy1.yaml"
	for i in $(seq "$TIMES"); do
		next=$((i % 2 + 1))
		killed "$TCPWARD" policy apply --name "$A" "$work/policy$next.yaml"
		in_force || wrong "policy show: exit $code"
		[ "$force" = $next ] && new=$((new + 1))
		ward a policy apply --name "$A" "$work/policy$next.yaml"
		[ $code = 0 ] && in_force && [ "$force" = $next ] || wrong "the next apply: exit $code"
	done
	echo "# policy apply: the new policy was in force $new times of $TIMES"
	done_with "policy apply"
	must a detach "$A"
}

# ---- the process that sweeps, at work: another one takes over ----
ages() { flows_json a "$A" 'state established' | grep -o '"start_ns":[0-9]*' | sort; }
# Under a policy, with connections that have an age.
with_connections() {
	must a attach "$A" --policy "$work/policy1.yaml"
	start b "$BIN/crowd" serve 9000 || exit
	server=$pid
	start a "$BIN/crowd" hold 192.0.2.2 9000 3 || exit
	holder=$pid
	ages >"$work/ages"
	expect "connections are open, and tracked" "$(wc -l <"$work/ages")" -ge 3
}
same_ages() {
	[ "$(ages)" = "$(cat "$work/ages")" ]
}
without_connections() {
	stop "$holder"
	stop "$server"
	must a detach "$A"
	await 3 nothing_left && ok "... and detach leaves nothing" || fail "... and detach leaves nothing" "$(cat "$work/now")"
}
keeper_pid() { on a "$TCPWARD" status -j --name "$A" | member keeper_pid; }
gauge() { "$BPFTOOL" -j map lookup pinned "$PINS/$A/gauges" key 0 0 0 0 | tr -d '\n' | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p"; }
sweeps_again() { [ "$(gauge swept_ns)" -gt "$swept" ]; }
# Looks at it until it works, and a random number of times more. Where the work ends before, half as many the next time.
strike() { # pid
	local most=$((RANDOM % 200)) looks=0 end=$((SECONDS + 5)) line
	while read -r line <"/proc/$1/stat" && [ $SECONDS -lt $end ]; do
		line=${line##*) }
		if [ "${line%% *}" = R ]; then
			looks=$((looks + 1))
			[ $looks -le $most ] && continue
			inside=$((inside + 1))
			break
		fi
		[ $looks = 0 ] || most=$((looks / 2))
		looks=0
	done 2>/dev/null
	kill -KILL "$1"
}
keeper() {
	local pid
	with_connections
	# It has something to do: many half-open connections to addresses behind a, where nobody answers.
	on b ip route add 198.51.100.0/24 via 192.0.2.1
	on b "$BIN/raw" send 192.0.2.2 1000 198.51.100.1 81 S count=30000 ports=30000 >/dev/null
	unset work_us
	for _ in $(seq "$TIMES"); do
		pid=$(keeper_pid)
		strike "$pid"
		await 2 gone "$pid"
		serves || wrong "without its keeper"
		swept=$(gauge swept_ns)
		ward a attach "$A"
		[ $code = 0 ] && [ "$(keeper_pid)" != "$pid" ] || wrong "a new keeper"
		await 3 sweeps_again || wrong "the next sweep"
	done
	echo "# the keeper: a sweep takes $(($(gauge sweep_ns) / 1000)) us"
	done_with "the keeper"
	is "... and the open connections are as old as they were" "$(ages)" "$(cat "$work/ages")"
	without_connections
}

# ---- an upgrade: another build takes over, of the same layout or of another, and is killed ----
back() { # what is in force is ours again, taken over from whoever had it
	ward a attach "$A"
	[ $code = 0 ] || grep -qE 'already (watched|attached)' "$work/err"
}
upgrade() {
	local over i
	with_connections
	before_each=back lasts "$BIN/tcpward-rebuilt" attach "$A"
	over=0
	for i in $(seq "$TIMES"); do
		back || wrong "taking over again"
		same_ages || wrong "the ages of connections"
		killed "$BIN/tcpward-rebuilt" attach "$A"
		[ "$(hooks)" = 1 ] || wrong "$(hooks) hooks"
		ward a attach "$A"
		[ $code = 0 ] && over=$((over + 1))
		in_force && [ "$force" = 1 ] || wrong "the policy after a killed upgrade: exit $code"
		serves || wrong "after a killed upgrade"
	done
	echo "# upgrades: $over of $TIMES had to be taken back"
	done_with "an upgrade"
	is "... and the open connections are as old as they were" "$(ages)" "$(cat "$work/ages")"
	without_connections
}
relaid() {
	local i
	must a attach "$A" --policy "$work/policy1.yaml"
	before_each=back lasts "$BIN/tcpward-relaid" attach "$A"
	for i in $(seq "$TIMES"); do
		back || wrong "taking over again"
		killed "$BIN/tcpward-relaid" attach "$A"
		[ "$(hooks)" = 1 ] || wrong "$(hooks) hooks"
		back || wrong "after a killed upgrade"
		in_force && [ "$force" = 1 ] || wrong "the policy after a killed upgrade: exit $code"
	done
	done_with "an upgrade to another layout"
	must a detach "$A"
}

for part in ${*:-run attach apply keeper upgrade relaid}; do
	$part
done
