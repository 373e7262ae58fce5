# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# lib: what the tests of this folder share. Source it first: it goes to the top folder, checks for root, makes $work, and
# removes namespaces, processes and instances on exit, however that comes.
#
# Hosts are network namespaces "tw-PID-NAME"; their devices carry the PID too, since bpffs knows no namespaces.
set -u
test_file=$(realpath "$0")
cd "$(dirname "$0")/../.."
TEST=$(basename "$0" .sh)
[ "$(id -u)" = 0 ] || { echo "skip $TEST: needs root"; exit 0; }

# A test that is started by itself, not by run.sh, goes into such namespaces too: the host's own instances and pins are not in its
# way. Where there are none to be had it runs beside them, and commands without --name then fail if there is another instance.
. tests/inside.sh
case ${TCPWARD_TESTS_INSIDE:-} in
'') "${enter_namespaces[@]}" true 2>/dev/null && TCPWARD_TESTS_INSIDE=alone exec "${enter_namespaces[@]}" bash "$test_file" "$@" ;;
alone) mount_inside && export TCPWARD_TESTS_INSIDE=1 || exit 1 ;;
esac

TCPWARD=${TCPWARD:-$PWD/build/tcpward}
BIN=${BIN:-$PWD/build/tests}
BPFTOOL=$(sed -n 's/^BPFTOOL := //p' build/tools.mk)
PINS=/sys/fs/bpf/tcpward
ID=$$
CPUS=$(nproc)
work=$(mktemp -d)
export STATE_DIRECTORY=$work # where instances leave their lists
hosts=() pids=()

clean_up() {
	trap - EXIT
	exec 2>/dev/null # bash tells of each job that was killed
	local pid name host
	for pid in ${pids[@]+"${pids[@]}"}; do kill -KILL "$pid" 2>/dev/null; done
	for name in "$PINS"/*"$ID"*; do
		[ -d "$name" ] && "$TCPWARD" detach --name "$(basename "$name")" >/dev/null 2>&1
	done
	for host in ${hosts[@]+"${hosts[@]}"}; do ip netns del "$host" 2>/dev/null; done
	wait 2>/dev/null
	for name in "$PINS"/*"$ID"*; do [ -d "$name" ] && rm -r "$name"; done
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# ---- hosts and wires ----
host() { # name...
	local name
	for name in "$@"; do
		ip netns add "tw-$ID-$name" && hosts+=("tw-$ID-$name")
		on "$name" ip link set lo up
		on "$name" sysctl -q -w net.ipv4.tcp_no_metrics_save=1 net.ipv6.conf.all.accept_dad=0
	done
}
on() { # host command...  (not "ip netns exec": that hides bpffs)
	local name=$1
	shift
	nsenter --net="/run/netns/tw-$ID-$name" "$@"
}
wire() { # host device address/len host device address/len
	on "$1" ip link add "$2" type veth peer name "$5" netns "tw-$ID-$4"
	address "$1" "$2" "$3"
	address "$4" "$5" "$6"
}
address() { # host device address/len
	[ "$3" = none ] || on "$1" ip addr add "$3" dev "$2"
	on "$1" ip link set "$2" up
}
# "dev a" is twa1234
dev() {
	echo "tw$1$ID"
}

# ---- processes ----
launch() { # host command...: in the background; its pid to $pid, what it prints to $log
	log=$work/log.${#pids[@]}
	: >"$log"
	(exec nsenter --net="/run/netns/tw-$ID-$1" "${@:2}") >"$log" 2>&1 </dev/null &
	pid=$!
	pids+=("$pid")
}
await() { # seconds command...: until it succeeds
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
says_ready() { # log
	grep -qE '^(ready|done)' "$1"
}
start() { # host command...: waits until it says so
	launch "$@"
	await 30 says_ready "$log" || { fail "$2 $3 starts" "$(tail -n 1 "$log")"; return 1; }
}
has_connected() { # log of "crowd load" of one connection
	grep -qs '^done 1 failed 0' "$1"
}
connects() { # host seconds from address port: one connection of kind n is made in that time, and ends
	local client connected=1
	launch "$1" "$BIN/crowd" load "$4" "$5" 1 1 n "$3" 1
	client=$pid
	await "$2" has_connected "$log" && connected=0
	stop "$client"
	return $connected
}
stop() { # pid [signal]
	kill "${2:--TERM}" "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}
gone() { # pid
	! kill -0 "$1" 2>/dev/null
}

# What XDP_TX on one end of a veth needs on the other: a program there, build/tests/PROGRAM.bpf.o.
xdp() { # host device program
	mkdir -p /sys/fs/bpf && "$BPFTOOL" prog load "build/tests/$3.bpf.o" "/sys/fs/bpf/$3$ID" type xdp || return
	on "$1" "$BPFTOOL" net attach xdpdrv pinned "/sys/fs/bpf/$3$ID" dev "$2"
	rm "/sys/fs/bpf/$3$ID"
}

# ---- results ----
ok() {
	echo "ok $1"
}
fail() { # name why
	echo "not ok $1: $2"
}
# Mounts that nobody else sees. Not in a chroot whose root is no mount point: there they would be seen outside, too.
private_mounts() { # what needs them
	unshare --mount true 2>/dev/null && return
	skip "$1" "unshare --mount fails here: is this a chroot? (mount --bind DIR DIR before chroot DIR)"
	return 1
}
skip() { # name why
	echo "skip $1: $2"
}
is() { # name value expected
	if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "'$2', not '$3'"; fi
}
expect() { # name words of test(1)
	local name=$1
	shift
	if [ "$@" ]; then ok "$name"; else fail "$name" "not $*"; fi
}

# ---- tcpward ----
ward() { # host words...: its output to $work/out and $work/err, its exit code to $code
	local name=$1
	shift
	on "$name" timeout -k 1 "${WARD_PATIENCE_S:-30}" "$TCPWARD" "$@" >"$work/out" 2>"$work/err" </dev/null
	code=$?
}
must() { # host words...: what a test cannot go on without
	ward "$@"
	[ $code = 0 ] && return
	fail "tcpward ${*:2}" "exit $code: $(head -n 1 "$work/err")"
	exit 1
}
exits() { # name code
	if [ "$code" = "$2" ]; then ok "$1"; else fail "$1" "exit $code, not $2: $(head -n 1 "$work/err")"; fi
}
says() { # name pattern: a line of the last output
	if cat "$work/out" "$work/err" | grep -qE -- "$2"; then
		ok "$1"
	else
		fail "$1" "no line matches '$2'"
		sed 's/^/#   /' "$work/out" "$work/err" | cut -c1-300 | head -n 12
	fi
}
# One object a line, of lists and streams
flows_json() { # host name filter...
	local name=$1 instance=$2
	shift 2
	on "$name" "$TCPWARD" flows -j --name "$instance" "$@" | sed 's/^\[//; s/\]$//; s/},{"v":/}\n{"v":/g' | grep .
}
member() { # name: of the object on standard input; strings bare. Without another process: some tests run where each takes long
	local line value pattern=".*\"$1\":(\"[^\"]*\"|\[[^]]*\]|[^,}]*)"
	while IFS= read -r line || [ -n "$line" ]; do
		[[ $line =~ $pattern ]] || continue
		value=${BASH_REMATCH[1]}
		echo "${value//\"/}"
		return
	done
}
counter() { # host instance name
	on "$1" "$TCPWARD" stat -j --name "$2" | member "$3"
}
first_of() { # name: of words "name value"
	awk -v name="$1" '{ for (i = 1; i < NF; i++) if ($i == name) { print $(i + 1); exit } }'
}
verify_on() { # host instance what: no unexplained difference, and not too many others
	ward "$1" verify --name "$2"
	if [ $code = 0 ]; then
		ok "$3"
	else
		fail "$3" "exit $code"
		sed 's/^/#   /' "$work/out" "$work/err" | head -n 30
	fi
}
verify_count() { # word of the last verify
	awk -v name="$1" '$1 == name { n = $2 } END { print n + 0 }' "$work/out"
}
