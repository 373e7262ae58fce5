#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# faults: bad input, bad places, bad ends. Each time one clear line (what, which value, why, and what to do), the right exit
# code, nothing half attached, and the interface as it was.
. "$(dirname "$0")/lib.sh"
A=$(dev a) B=$(dev b)
LAYOUT_BYTES=8 # of the map "instance": its layout hash comes first

host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
start b "$BIN/crowd" serve 9000 || exit

# What an attach could leave on the interface or elsewhere.
traces() {
	on a tc qdisc show dev "$A"
	on a tc filter show dev "$A" ingress
	on a tc filter show dev "$A" egress
	on a ip link show dev "$A" | grep -o 'xdp.*'
	[ -z "$BPFTOOL" ] || on a "$BPFTOOL" net show dev "$A" | grep -E 'ward|stranger' | sed 's/ id .*//'
	ls "$PINS" 2>/dev/null | grep "$ID"
	ls /run/tcpward 2>/dev/null | grep "$ID"
}
traces >"$work/clean"
same() {
	traces >"$work/traces"
	cmp -s "$work/clean" "$work/traces"
}
untouched() { # name: soon, all is as it was
	if await 4 same; then ok "$1"; else fail "$1" "$(diff "$work/clean" "$work/traces" | tr '\n' ' ')"; fi
}
refused() { # name, exit code, pattern of the message, pattern of the way out (may be empty)
	exits "$1: exit code" "$2"
	says "$1: the message" "^tcpward.*$3"
	[ -z "$4" ] || says "$1: the way out" "$4"
	is "$1: the message is one line" "$(grep '^tcpward' "$work/err" | grep -vc 'no flows_text')" 1
}

# ---- words ----
ward a run nosuch0
refused "run on an unknown interface" 1 "'nosuch0': no such device" "ip link"
ward a attach "$A" nosuch0
refused "attach to one that is there and one that is not" 1 "'nosuch0': no such device" ""
ward a run "$A" "$A"
refused "the same interface twice" 2 "'$A' twice" ""
ward a run "$A" --ingress sideways
exits "a wrong option: exit code" 2
says "a wrong option: its value and the right ones" "'sideways': not auto, xdp, xdp-generic or tc"
ward a run "$A" -- state estabished
refused "a wrong filter" 2 "'estabished'" "section FILTERS"
ward a run "$A" dport = :443
refused "a filter without --" 2 "a filter follows '--': tcpward run $A -- dport = :443" ""
echo "MemAvailable: 102400 kB" >"$work/meminfo"
if private_mounts "a table larger than the memory"; then
	on a unshare --mount sh -c 'mount --bind "$1/meminfo" /proc/meminfo && exec "$2" attach "$3" --flows 1000000' \
		- "$work" "$TCPWARD" "$A" >"$work/out" 2>"$work/err"
	code=$?
	refused "a table larger than the memory" 1 "--flows 1000000,.*need 3[0-9][0-9] MiB, 100 MiB are available" \
		"--flows 1[0-9][0-9]000 fits"
fi
ward a run "$A" --embryos 4194305
exits "--embryos above its limit: exit code" 2
says "--embryos above its limit: the message" "'4194305': not a number from 64 to 4194304"
ward a flows "dport = :99999"
refused "a port that is none" 2 "99999" ""
ward a --name "$A" flows
refused "an option before the command" 2 "unexpected word 'flows'" "behind the command: tcpward COMMAND \\[OPTION"
ward a flow 192.0.2.1
refused "a flow that is no tuple" 2 "two endpoints: 192.0.2.1:40000-198.51.100.7:443" "tcpward flow 192.0.2.1:40000-198.51.100.7:443"
ward a stat --help
exits "help: exit code" 0
is "... without argp's note" "$(grep -c Mandatory "$work/out")" 0
on a env --block-signal=TERM sh -c 'kill -TERM $$ && exec "$@"' - "$TCPWARD" attach "$A" --ingress tc >"$work/out" 2>"$work/err"
code=$?
refused "attach, interrupted" 1 "attaching to '$A' was interrupted: all is as it was" ""
untouched "attach, interrupted: not attached at all"
must a attach "$A" --ingress tc
keeper=$(cat "/run/tcpward/$A.lock")
on a env --block-signal=TERM sh -c 'kill -TERM $$ && exec "$@"' - "$BIN/tcpward-rebuilt" attach "$A" --ingress tc >"$work/out" 2>"$work/err"
code=$?
refused "attach by another build, interrupted" 1 "attaching to '$A' was interrupted: all is as it was" ""
is "... the keeper that was there goes on" "$(cat "/run/tcpward/$A.lock")" "$keeper"
must a status --name "$A"
must a detach "$A"
untouched "... until it is detached"
ward a detach "$A"
refused "detach what is not attached" 3 "'$A' is not attached" "tcpward attach|instances there are"
ward a flows
exits "flows with nothing attached" 3
for words in status findings "flows state all" metrics "detach $A"; do
	private_mounts "$words by ip netns exec" || continue
	ip netns exec "tw-$ID-a" "$TCPWARD" $words >"$work/out" 2>"$work/err"
	code=$?
	refused "$words by ip netns exec" 3 "has no bpffs on '/sys/fs/bpf'" "nsenter --net=/run/netns"
done
must a attach "$A" --ingress tc
ward a detach nosuch7
refused "detach what is not attached, beside what is" 3 "'nosuch7' is not attached" "instances there are: .*$A"
ward a flows --name nosuch7
refused "a name that is not attached" 3 "no instance 'nosuch7'" "instances there are: .*$A"
must a detach "$A"
untouched "after wrong words nothing is left"

# ---- no privilege ----
cp "$TCPWARD" "$work/tcpward" && chmod 755 "$work" "$work/tcpward"
for words in "run $A" "attach $A"; do
	on a setpriv --reuid=65534 --regid=65534 --clear-groups "$work/tcpward" $words >"$work/out" 2>"$work/err"
	code=$?
	refused "${words% *} without privilege" 1 "not permitted" "CAP_BPF, CAP_NET_ADMIN"
done
on a setpriv --bounding-set=-all --inh-caps=-all "$work/tcpward" attach "$A" >"$work/out" 2>"$work/err"
code=$?
refused "root without capabilities" 1 "not permitted" "CAP_BPF"
untouched "without privilege nothing is left"

# ---- a stranger is there already ----
cat >"$work/stranger.bpf.c" <<'C'
__attribute__((section("xdp"), used)) int stranger(void *ctx) { (void)ctx; return 2; }
char _license[] __attribute__((section("license"), used)) = "GPL";
C
if clang -O2 -g -target bpf -c "$work/stranger.bpf.c" -o "$work/stranger.o" 2>/dev/null &&
	on a ip link set dev "$A" xdp obj "$work/stranger.o" sec xdp 2>/dev/null; then
	for how in auto xdp; do
		ward a attach "$A" --ingress $how
		refused "a foreign XDP program, $how" 1 "'$A'.*another XDP program.*'stranger'" "--ingress tc"
	done
	is "the stranger is still there" "$(on a ip -d link show dev "$A" | grep -c 'prog/xdp.*')" 1
	must a attach "$A" --ingress tc
	ok "--ingress tc lives beside it"
	must a detach "$A"
	on a ip link set dev "$A" xdp off
	untouched "beside a stranger nothing is left"
else
	skip "a foreign XDP program" "ip(8) cannot load one here"
fi

# ---- captures ----
head -c 5000 /dev/urandom >"$work/garbage.pcap"
ward a replay "$work/garbage.pcap"
refused "a file that is no capture" 1 "garbage.pcap': not a capture" "pcapng"
: >"$work/empty.pcap"
ward a replay "$work/empty.pcap"
refused "an empty file" 1 "empty.pcap': not a capture" ""
ward a replay "$work/nosuch.pcap"
refused "a capture that is not there" 1 "nosuch.pcap': No such file" ""
if command -v tcpdump >/dev/null; then
	launch a tcpdump -Z root --immediate-mode -U -i "$A" -w "$work/good.pcap" tcp
	await 5 grep -q listening "$log"
	start a "$BIN/crowd" load 192.0.2.2 9000 5 1 n || exit
	five_captured() { # connections, not SYNs: one may come twice
		[ "$(tcpdump -nr "$work/good.pcap" 'tcp[13] == 2' 2>/dev/null | awk '{ print $3 }' | sort -u | wc -l)" -ge 5 ]
	}
	await 5 five_captured
	sleep 0.5
	stop "${pids[-2]}" -INT
	size=$(stat -c %s "$work/good.pcap")
	head -c $((size - 20)) "$work/good.pcap" >"$work/cut.pcap"
	ward a replay "$work/cut.pcap"
	refused "a capture that ends within a packet" 1 "cut.pcap'.*(truncated|ends)" ""
	is "... what came before is shown" "$(grep -c 9000 "$work/out")" 5
else
	skip "a truncated capture" "no tcpdump"
fi

# ---- two at once ----
runs() { # words...: a run in the background; its pid to $run
	launch a "$TCPWARD" run "$A" "$@"
	run=$pid run_log=$log
	await 10 grep -q "'$A'\|$A" "$run_log" || true
	await 10 test -e "$PINS/$A/instance"
	sleep 0.3
}
runs
ward a run "$A"
refused "a second run" 1 "'$A' is already watched by tcpward run, pid $run" "end it"
ward a attach "$A"
refused "attach where run is" 1 "'$A' is already watched" ""
ward b attach "$B" --name "$A"
refused "a name that is taken, by another namespace too" 1 "instance name '$A' is taken" "--name"
ward a flows
exits "the first goes on" 0
for words in status "status -j" flows "flows -j" "flows -j -p" "findings -j" stat "stat -j" metrics "verify -j" doctor "doctor -j" \
	"policy show" "block list -j" --version --help "flows --help"; do
	on a "$TCPWARD" $words >/dev/full 2>"$work/err"
	code=$? && : >"$work/out"
	exits "$words to a full device" 1
	is "... the message, once" "$(grep '^tcpward: cannot' "$work/err")" \
		"tcpward: cannot write to standard output ('/dev/full'): No space left on device"
done
stop "$run" -INT
# One that has the lock, and no pins of its own yet: its programs are on their way through the verifier.
stopped_while_loading() { # words...: a command, stopped there; its pid to $loading
	local holder=
	launch a "$TCPWARD" "$@"
	loading=$pid loading_log=$log
	until [ "$holder" = "$loading" ] || ! kill -0 "$loading" 2>/dev/null; do
		read -r holder <"/run/tcpward/$A.lock"
	done 2>/dev/null
	kill -STOP "$loading" 2>/dev/null
}
stopped_while_loading attach "$A"
expect "attach, stopped while it loads: nothing is pinned yet" ! -e "$PINS/$A"
for words in "run $A" "attach $A"; do
	ward a $words
	refused "${words% *} while an attach is loading" 1 "instance '$A' is being made by pid $loading" "wait until that is done, and try again"
done
kill -CONT "$loading"
wait "$loading"
is "... which then is attached" $? 0
must a detach "$A"
untouched "... and detached"

# ---- the ends of run ----
runs
stop "$run" -INT
code=$?
is "SIGINT: exit code" $code 0
untouched "SIGINT: the interface is as before"
for clsact in "" --clsact; do
	for signal in TERM HUP KILL; do
		runs $clsact
		[ -n "$clsact" ] && expect "run --clsact: a filter is there" "$(on a tc filter show dev "$A" egress | grep -c ward)" -ge 1
		stop "$run" -$signal
		code=$?
		[ $signal = KILL ] || is "SIG$signal $clsact: exit code" $code 0
		untouched "SIG$signal $clsact: the interface is as before"
	done
done
interrupted() { # name signal code: what was stopped while it loads is not carried on
	kill "-$2" "$loading"
	kill -CONT "$loading"
	wait "$loading"
	is "$1: exit code" $? "$3"
	is "$1: it is said" "$(grep -c "^tcpward: attaching to '$A' was interrupted: all is as it was" "$loading_log")" 1
}
for how in tc xdp; do
	stopped_while_loading run "$A" --clsact --ingress $how
	interrupted "SIGINT while run is loading, $how" INT 0
	untouched "SIGINT while run is loading, $how: nothing is left"
	stopped_while_loading attach "$A" --clsact --ingress $how
	interrupted "SIGTERM while attach is loading, $how" TERM 1
	untouched "SIGTERM while attach is loading, $how: nothing is left"
done
printf 'version: 1\nmode: enforce\n' >"$work/policy.yaml"
runs --policy "$work/policy.yaml"
stop "$run" -KILL
stopped_while_loading run "$A" --policy "$work/policy.yaml"
kill -TERM "$loading"
kill -CONT "$loading"
wait "$loading"
is "SIGTERM while run takes over what a killed one left: exit code" $? 0
untouched "... nothing is left of either"
# Its guardian dies with it: nobody is left to clean up but the next one.
runs --clsact
kill -KILL $(pgrep -P "$run") "$run"
wait "$run" 2>/dev/null
runs
ward a flows
exits "after kill -9 of run and its guardian the next run takes over" 0
is "... and finds no second filter" "$(on a tc filter show dev "$A" egress | grep -c ward)" 0
stop "$run" -TERM
untouched "... and leaves nothing of either"

# ---- the interface goes away ----
on a ip link add "x$A" type veth peer name "y$A"
on a ip link set "x$A" up
launch a "$TCPWARD" run "x$A"
await 10 test -e "$PINS/x$A/instance"
sleep 0.5
on a ip link del "x$A"
await 5 gone "$pid"
wait "$pid"
is "the interface goes away: exit code" $? 1
is "the interface goes away: it is said, once" "$(grep -c "^tcpward: interface 'x$A' is gone" "$log")" 1
untouched "the interface goes away: nothing is left"

# ---- a full table ----
runs --flows 64 --embryos 64
start a "$BIN/crowd" hold 192.0.2.2 9000 300 || exit
holder=$pid
sleep 1.2
full=$(counter a "$A" table-full)
expect "a full table is counted" "$full" -gt 0
expect "evicted ones are counted" "$(counter a "$A" ended-evicted)" -gt 0
kept=$(on a "$TCPWARD" stat -j --name "$A" | sed 's/.*"tables":{"flows":\([0-9]*\).*/\1/')
is "the table holds what it can" "$kept" 64
ward a stat
says "stat shows it" "table.full|found the table full"
stop "$holder"
stop "$run" -INT
cp "$run_log" "$work/out"
: >"$work/err"
says "it is said on exit" "tables too small.* flow table was full"
says "the evicted ones too" "tables too small.* embryos evicted"
untouched "after a full table nothing is left"

# ---- a reader that does not read: its ring is full ----
runs -j
kill -STOP "$run"
start a "$BIN/crowd" load 192.0.2.2 9000 9000 8 rRR || exit
lost=$(counter a "$A" events-lost-ring)
expect "events that found the ring full are counted" "$lost" -gt 0
kill -CONT "$run"
sleep 1.5
verify_on a "$A" "... flows are not harmed: the sockets agree"
start b "$BIN/crowd" serve 9001 || exit
start a "$BIN/crowd" load 192.0.2.2 9001 1 1 n || exit
hears_on() { grep -q '"dport":9001' "$run_log"; }
if await 5 hears_on; then ok "... the reader hears again"; else fail "... the reader hears again" "$(tail -n 1 "$run_log")"; fi
stop "$run" -INT
told=$(grep '"type":"lost"' "$run_log" | sed 's/.*"count":\([0-9]*\).*/\1/' | awk '{ n += $1 } END { print n + 0 }')
expect "... told among the events" "$told" -ge "$lost"
cp "$run_log" "$work/out"
: >"$work/err"
says "... and on exit" "flows, .* segments, $told events lost"
untouched "after a slow reader nothing is left"

# ---- a reader that stands still for longer than its slot lasts ----
must a attach "$A"
launch a "$TCPWARD" watch -j
watch=$pid watch_log=$log
sleep 1
kill -STOP "$watch"
sleep 10.5
kill -CONT "$watch"
await 3 grep -q '"type":"lost"' "$watch_log"
is "a reader that stood still says so, once" "$(grep -c '"type":"lost".*"why":"this reader stood still for 1[0-2] s: events of that time are missing"' "$watch_log")" 1
start a "$BIN/crowd" load 192.0.2.2 9000 1 1 n || exit
heard() { grep -q '"dport":9000' "$watch_log"; }
if await 3 heard; then ok "... and hears again"; else fail "... and hears again" "$(tail -n 1 "$watch_log")"; fi
stop "$watch" -INT
must a detach "$A"

# ---- another version's state ----
if [ -n "$BPFTOOL" ]; then
	must a attach "$A"
	value=$("$BPFTOOL" -j map lookup pinned "$PINS/$A/instance" key 0 0 0 0 | grep -o '"value":\["0x[^]]*\]' | grep -o '0x[0-9a-f]*' | tr '\n' ' ')
	read -r -a bytes <<<"$value"
	other=("${bytes[@]}")
	other[0]=$(printf '0x%02x' $((bytes[0] ^ 0xff)))
	expect "the instance can be read" ${#bytes[@]} -gt $LAYOUT_BYTES
	"$BPFTOOL" map update pinned "$PINS/$A/instance" key 0 0 0 0 value "${other[@]}"
	for words in flows stat verify "detach $A"; do
		ward a $words $([ "$words" = "detach $A" ] || echo --name "$A")
		refused "${words% *} of another version's instance" 1 "instance '$A': another build" "detach with the tcpward that made it, or: .*rm -r"
	done
	ward a attach "$A"
	expect "attach over another version's instance is refused" $code = 1
	says "... with the way out" "rm -r|--name|another"
	"$BPFTOOL" map update pinned "$PINS/$A/instance" key 0 0 0 0 value "${bytes[@]}"
	must a detach "$A"
	untouched "with its own version again it goes without a trace"

	# An inode's number is given again: the cookie says that this is another namespace than that of the interfaces.
	must a attach "$A" --ingress tc --clsact
	value=$("$BPFTOOL" -j map lookup pinned "$PINS/$A/instance" key 0 0 0 0)
	cookie=$(member netns_cookie <<<"$value")
	read -r -a bytes <<<"$(grep -o '"value":\["0x[^]]*\]' <<<"$value" | grep -o '0x[0-9a-f]*' | tr '\n' ' ')"
	read -r -a sought <<<"$(for i in 0 8 16 24 32 40 48 56; do printf '0x%02x ' $((cookie >> i & 255)); done)"
	for ((at = 0; at < ${#bytes[@]}; at += 8)); do
		[ "${bytes[*]:at:8}" = "${sought[*]}" ] && break
	done
	expect "the namespace's cookie stands in the record" $at -lt ${#bytes[@]}
	other=("${bytes[@]}")
	other[at]=$(printf '0x%02x' $((bytes[at] ^ 0xff)))
	"$BPFTOOL" map update pinned "$PINS/$A/instance" key 0 0 0 0 value "${other[@]}"
	ward a detach --name "$A"
	refused "detach in another namespace of the same number" 1 "'$A': it lives in another network namespace" "nsenter"
	ward a verify --name "$A"
	refused "verify in another namespace of the same number" 3 "none of its interfaces is in this network namespace" "nsenter"
	ward a status -j
	is "status in another namespace of the same number" "$(member presence <"$work/out")" other-netns
	ward a run "$A" --name "x$A" --ingress tc --duration 1
	expect "... it is not attached here" "$(grep -c "'$A' is already" "$work/err")" = 0
	"$BPFTOOL" map update pinned "$PINS/$A/instance" key 0 0 0 0 value "${bytes[@]}"
	must a detach "$A"
	untouched "... and goes without a trace from its own"
else
	skip "another version's state" "no bpftool"
fi
