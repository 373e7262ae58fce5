#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# kills: kill -9 at a random moment: of run, of attach, of policy apply, of the process that sweeps, of an upgrade. Each time
# nothing is left, or all is in force, and the next command of the same kind succeeds; connections keep their age.
#
#   KILLS=100      so many in all, in equal parts (25: within a minute)
#   KILLS_SEED=N   the moments of a run that printed N
. "$(dirname "$0")/lib.sh"
A=$(dev a) TIMES=$((${KILLS:-25} / 5)) # of each
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

killed_after() { # most milliseconds, command...: sets status, 137: it was killed in time
	local most=$1 pid
	shift
	(exec nsenter --net="/run/netns/tw-$ID-a" "$@") >"$work/killed" 2>&1 </dev/null &
	pid=$!
	sleep "$(printf '0.%03d' $((RANDOM % most)))"
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	status=$?
	[ $status != 137 ] || inside=$((inside + 1))
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
bad=0 inside=0
wrong() { # what
	bad=$((bad + 1))
	[ $bad -gt 5 ] || echo "# $1: $(head -n 1 "$work/err") $(tr '\n' ' ' <"$work/now") [$(tail -n 1 "$work/killed")]"
}
done_with() { # what
	is "$1: killed $TIMES times, $inside of them while it ran: nothing was left, or all was in force" $bad 0
	bad=0 inside=0
}

# ---- run: it takes everything along ----
for _ in $(seq "$TIMES"); do
	killed_after 500 "$TCPWARD" run --quiet "$A"
	await 3 nothing_left || wrong "run"
done
done_with "run"
ward a attach "$A"
exits "... and attach works" 0
must a detach "$A"

# ---- attach: nothing, all, or what the next one mends ----
for _ in $(seq "$TIMES"); do
	killed_after 400 "$TCPWARD" attach "$A"
	ward a attach "$A"
	[ $code = 0 ] || serves || wrong "attach again"
	ward a detach "$A"
	[ $code = 0 ] && await 3 nothing_left || wrong "detach"
done
done_with "attach"

# ---- policy apply: the one before or the new one, whole ----
must a attach "$A" --policy "$work/policy1.yaml"
last=1
for i in $(seq "$TIMES"); do
	next=$((i % 2 + 1))
	killed_after 60 "$TCPWARD" policy apply --name "$A" "$work/policy$next.yaml"
	ward a policy show --name "$A"
	rules=$(grep -oE 'p[12]-[0-9]+' "$work/out" | sort -u)
	if [ $code != 0 ] || [ "$(wc -l <<<"$rules")" != 40 ] || [ "$(cut -c2 <<<"$rules" | sort -u | wc -l)" != 1 ]; then
		wrong "policy show: exit $code, $(wc -l <<<"$rules") rules"
	fi
done
done_with "policy apply"
ward a policy apply --name "$A" "$work/policy1.yaml"
exits "... and the next apply goes through" 0

# ---- the process that sweeps: another one takes over ----
start b "$BIN/crowd" serve 9000 || exit
start a "$BIN/crowd" hold 192.0.2.2 9000 3 || exit
ages() { flows_json a "$A" 'state established' | grep -o '"start_ns":[0-9]*' | sort; }
ages >"$work/ages"
expect "connections are open, and tracked" "$(wc -l <"$work/ages")" -ge 3
keeper() { on a "$TCPWARD" status -j --name "$A" | member keeper_pid; }
swept() { "$BPFTOOL" -j map lookup pinned "$PINS/$A/gauges" key 0 0 0 0 | tr -d '\n' | sed -n 's/.*"swept_ns": *\([0-9]*\).*/\1/p'; }
for _ in $(seq "$TIMES"); do
	pid=$(keeper)
	sleep "$(printf '0.%03d' $((RANDOM % 300)))"
	kill -KILL "$pid" && inside=$((inside + 1))
	await 2 gone "$pid"
	serves || wrong "without its keeper"
	ward a attach "$A"
	[ $code = 0 ] && [ "$(keeper)" != "$pid" ] || wrong "a new keeper"
done
done_with "the keeper"
before=$(swept)
sleep 1.5
expect "... and the last one sweeps" "$(swept)" -gt "$before"
is "... and the open connections are as old as they were" "$(ages)" "$(cat "$work/ages")"
must a detach "$A"

# ---- an upgrade: run of another build takes over, and is killed ----
builds=("$TCPWARD" "$BIN/tcpward-rebuilt" "$BIN/tcpward-relaid")
for i in $(seq "$TIMES"); do
	killed_after 700 "${builds[i % 3]}" run --quiet --policy "$work/policy1.yaml" "$A"
	ward a status
	[ $code = 0 ] || [ $code = 3 ] || wrong "status: exit $code"
	[ "$(hooks)" = 0 ] || [ "$(hooks)" = 1 ] || wrong "$(hooks) hooks"
done
done_with "upgrades"
launch a "$TCPWARD" run --quiet --policy "$work/policy1.yaml" "$A"
await 10 serves || fail "the last one starts" "$(cat "$log")"
stop "$pid" -INT
await 3 nothing_left && ok "... and the last one, ended, leaves nothing" || fail "... and the last one, ended, leaves nothing" "$(cat "$work/now")"
