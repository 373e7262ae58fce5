#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# daemon: `run --policy FILE --quiet` as systemd runs it: readiness, reload, watchdog, status; what stands in the journal.
. "$(dirname "$0")/lib.sh"
A=$(dev a)

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
start b "$BIN/crowd" serve 9000 || exit
cat >"$work/one.yaml" <<END
version: 1
mode: enforce
rules:
  - {name: no-81, match: {dport: 81}, action: drop}
END
sed 's/no-81/no-82/; s/81/82/' "$work/one.yaml" >"$work/two.yaml"
sed 's/action: drop/action: dorp/' "$work/one.yaml" >"$work/wrong.yaml"
policy=$work/policy.yaml

start a "$BIN/notified" "$work/notify" || exit
notified=$log
tells() { grep -qE "^$run $1" "$notified"; }
told() { # name pattern
	if await 8 tells "$2"; then ok "$1"; else fail "$1" "$(tail -n 5 "$notified" | tr '\n' ';')"; fi
}
begin() { # words...: run as a unit would, its output to $out; $run
	out=$work/journal.$RANDOM
	: >"$out"
	(
		export NOTIFY_SOCKET=$work/notify JOURNAL_STREAM=$(stat -c %d:%i "$out") TCPWARD_UNIT=tcpward@x.service
		[ -z "${WATCHDOG_USEC:-}" ] || export WATCHDOG_USEC
		exec nsenter --net="/run/netns/tw-$ID-a" "$TCPWARD" run --quiet --policy "$policy" "$@"
	) >"$out" 2>&1 </dev/null &
	run=$!
	pids+=("$run")
}
logged() { # name pattern
	sees() { grep -qE -- "$1" "$out"; }
	if await 5 sees "$2"; then ok "$1"; else fail "$1" "$(tail -n 4 "$out" | tr '\n' ';')"; fi
}

# ---- a policy that cannot be read: nothing is attached ----
cp "$work/wrong.yaml" "$policy"
begin "$A"
wait "$run"
is "a wrong policy at the start: exit code" $? 2
is "... nothing is attached" "$(ls "$PINS/$A" 2>/dev/null)$(on a ip link show "$A" | grep -c xdp)" 0
grep -q "^$run READY" "$notified" && fail "... and it is never ready" "READY" || ok "... and it is never ready"
logged "... the journal has it as an error" "^<3>tcpward: policy '$policy' has 1 error: nothing was changed"

# ---- life ----
cp "$work/one.yaml" "$policy"
WATCHDOG_USEC=1000000 begin "$A"
told "ready" "READY=1"
[ "$(on a "$TCPWARD" policy show -j | member file)" = "$policy" ] && ok "... with its policy in force" || fail "... with its policy in force" "no"
told "status: policy and counts" "STATUS=policy '$policy': enforce; [0-9]+ flows, 0 segments dropped"
sleep 2.2
beats=$(grep -c "^$run WATCHDOG=1" "$notified")
expect "the watchdog hears of it twice a WatchdogSec" "$beats" -ge 3
cp "$work/two.yaml" "$policy"
kill -HUP "$run"
told "SIGHUP: reloading" "RELOADING=1"
told "... with the time" "MONOTONIC_USEC=[0-9]{4,}"
is "... ready again" "$(await 5 grep -cE "^$run READY=1" "$notified" >/dev/null; sleep 0.3; grep -cE "^$run READY=1" "$notified")" 2
logged "... said" "^<5>tcpward: policy '$policy' is read again and in force: enforce"
cp "$work/wrong.yaml" "$policy"
kill -HUP "$run"
logged "a wrong policy at a reload is an error" "^<3>tcpward: policy '$policy' has 1 error: nothing was changed"
is "... and the old one stays" "$(on a "$TCPWARD" policy show | grep -c no-82)" 1
three() { [ "$(grep -cE "^$run READY=1" "$notified")" = 3 ]; }
await 5 three && ok "... and it is ready again" || fail "... and it is ready again" "$(grep -c READY "$notified")"

must a policy rollback
logged "a change of the policy by another is told" "^<5>tcpward: (no policy is in force any more|policy '.*' is in force: enforce)"
start a "$BIN/crowd" load 192.0.2.2 9000 20 4 nsi || exit
sleep 1.2
grep -qE "SYN-SENT|ESTABLISHED" "$out" && fail "quiet: no events" "$(grep -m1 ESTAB "$out")" || ok "quiet: no events"
grep -q $'\033' "$out" && fail "no colours" "there are" || ok "no colours"

caps() { # pid: effective and permitted, what of them has a name here
	awk '/^Cap(Eff|Prm)/ { print $2 }' "/proc/$1/status" | tr '\n' ' '
}
is "it has kept CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW, for a reload" "$(caps "$run")" "0000008000003000 0000008000003000 "

# ---- a second one on this interface ----
ward a run "$A"
exits "two daemons on one interface: the second is refused" 1
says "... and says why" "'$A' is already watched by tcpward run, pid $run"
ward a attach "$A"
exits "... so is attach" 1

# Stopped, it cannot sweep: nobody speaks for it.
kill -STOP "$run"
sleep 0.3
beats=$(grep -c "^$run WATCHDOG=1" "$notified")
sleep 1.5
is "stopped: the watchdog hears nothing" "$(grep -c "^$run WATCHDOG=1" "$notified")" "$beats"
kill -CONT "$run"
stop "$run"
code=$?
is "SIGTERM: exit code" $code 0
told "... stopping" "STOPPING=1"
is "... and nothing is left" "$(ls "$PINS/$A" 2>/dev/null)$(on a ip link show "$A" | grep -c xdp)" 0

# ---- capabilities ----
launch a "$TCPWARD" run --quiet "$A"
await 10 test -e "$PINS/$A/instance"
none() { [ "$(caps "$pid")" = "0000000000000000 0000000000000000 " ]; }
await 5 none
is "run without a policy keeps none" "$(caps "$pid")" "0000000000000000 0000000000000000 "
guard=$(pgrep -P "$pid")
is "... its guardian CAP_NET_ADMIN" "$(caps "$guard")" "0000000000001000 0000000000001000 "
sleep 1.2
grep -q "cannot" "$log" && fail "... and can sweep" "$(cat "$log")" || ok "... and can sweep"
stop "$pid"
is "... and take itself off" "$(ls "$PINS/$A" 2>/dev/null)$(on a ip link show "$A" | grep -c xdp)" 0
launch a "$TCPWARD" run --quiet --clsact --ingress tc "$A"
await 10 test -e "$PINS/$A/instance"
admin() { [ "$(caps "$pid")" = "0000000000001000 0000000000001000 " ]; }
await 5 admin && ok "with filters of clsact it keeps CAP_NET_ADMIN" || fail "with filters of clsact it keeps CAP_NET_ADMIN" "$(caps "$pid")"
stop "$pid"
is "... and takes them off" "$(on a tc qdisc show dev "$A" | grep -c clsact)" 0
must a attach "$A"
keeper=$(on a "$TCPWARD" -j --name "$A" | member keeper_pid)
few() { [ "$(caps "$keeper")" = "0000000000281000 0000000000281000 " ]; }
await 5 few
# its interface is in another network namespace: to close a socket there it must enter it
is "a keeper keeps what it takes to close a socket elsewhere" "$(caps "$keeper")" "0000000000281000 0000000000281000 "
must a detach "$A"

# Without SYN cookies three of the unit's four are enough for a life.
cp "$work/one.yaml" "$policy"
three=$TCPWARD
TCPWARD="setpriv --bounding-set=-all,+bpf,+net_admin,+perfmon --no-new-privs $three"
out=$work/three
: >"$out"
(exec env NOTIFY_SOCKET="$work/notify" nsenter --net="/run/netns/tw-$ID-a" $TCPWARD run --quiet --policy "$policy" "$A") >"$out" 2>&1 </dev/null &
run=$!
pids+=("$run")
TCPWARD=$three
told "with three of the unit's capabilities: ready" "READY=1"
cp "$work/two.yaml" "$policy"
kill -HUP "$run"
logged "... reads its policy again" "is read again and in force: enforce"
stop "$run"
code=$?
is "... ends" $code 0
is "... and leaves nothing" "$(ls "$PINS/$A" 2>/dev/null)$(on a ip link show "$A" | grep -c xdp)" 0

# ---- restart, as systemd does it: SIGTERM, while its unit has a job of that type ----
start_under() { # type of the job: run with a systemd of ours to ask; its socket is where systemd's is, for run alone
	mkdir -p "$work/systemd.$1"
	start a "$BIN/manager" "$work/systemd.$1/private" tcpward@x.service "$1" || exit
	out=$work/under.$1
	: >"$out"
	(
		export NOTIFY_SOCKET=$work/notify TCPWARD_UNIT=tcpward@x.service
		exec nsenter --net="/run/netns/tw-$ID-a" unshare -m sh -c \
			'mkdir -p /run/systemd; mount --bind "$0" /run/systemd && exec "$@"' "$work/systemd.$1" \
			"$TCPWARD" run --quiet --policy "$policy" "$A"
	) >"$out" 2>&1 </dev/null &
	run=$!
	pids+=("$run")
	told "a job of type '$1': ready" "READY=1"
}
if private_mounts "restart, as systemd does it"; then
	start_under stop
	stop "$run"
	is "... SIGTERM takes all off" "$(ls "$PINS/$A" 2>/dev/null)$(on a ip link show "$A" | grep -c xdp)" 0
	start_under restart
	must a block add 198.51.100.9 --name "$A"
	stop "$run"
	code=$?
	is "... SIGTERM ends it" $code 0
	grep -q "restart: all stays in force for the next one" "$out" && ok "... it is said" || fail "... it is said" "$(tail -n 1 "$out")"
	is "... and leaves everything in force" "$(on a ip link show "$A" | grep -om1 prog/xdp)$([ -e "$PINS/$A/instance" ] && echo pinned)" prog/xdppinned
	ward a block list --name "$A"
	says "... the lists, too" 198.51.100.9

	# What waits for its confirmation is its author's.
	must a policy apply "$work/one.yaml" --confirm 60 --name "$A"
	begin "$A"
	told "the next start goes on with it" "READY=1"
	logged "... and leaves a policy that waits for its confirmation" "^<4>tcpward: policy '.*/one.yaml' waits for its confirmation: it stays"
	stop "$run"
fi

# ---- the interface goes away, and comes back ----
on a ip link add "x$A" type veth peer name "y$A"
on a ip link set "x$A" up
begin "x$A"
told "on another interface: ready" "READY=1"
must a block add 198.51.100.8 --name "x$A"
on a ip link del "x$A"
await 5 gone "$run"
wait "$run"
is "the interface goes away: exit code" $? 1
logged "... as an error" "^<3>tcpward: interface 'x$A' is gone"
is "... nothing is left" "$(ls "$PINS/x$A" 2>/dev/null)" ""
begin "x$A"
wait "$run"
is "without it: exit code" $? 1
logged "... and why" "^<3>tcpward: cannot attach to 'x$A': no such device"
on a ip link add "x$A" type veth peer name "y$A"
on a ip link set "x$A" up
begin "x$A"
told "it comes back: ready" "READY=1"
ward a block list --name "x$A"
says "... with its lists" 198.51.100.8
kill -KILL "$run"
wait "$run" 2>/dev/null
on a ip link del "x$A"
on a ip link add "x$A" type veth peer name "y$A"
on a ip link set "x$A" up
begin "x$A"
told "it goes while nobody runs, and comes back: ready" "READY=1"
ward a block list --name "x$A"
says "... with its lists" 198.51.100.8
must a block flush --name "x$A"
stop "$run"
