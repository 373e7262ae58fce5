#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run.sh [unit|prog|find|net|NAME]...: runs the tests, all of them by default, and counts what they report.
#
# A test is a program of tests/unit, tests/prog or tests/find (built by make), or a script tests/net/*.sh. It reports lines
#   ok NAME        not ok NAME: WHY        skip NAME: WHY        # what it covered
# or cmocka's own. Exit status 0 without any result, another status without "not ok", and more than 300 s are failures.
#
# As root all run in namespaces of their own (network, mounts, processes): nothing reaches the machine's interfaces,
# and nothing can stay behind. The last test looks what the others would have left.
set -u
cd "$(dirname "$0")/.."

TIME_LIMIT_S=${TIME_LIMIT_S:-300}
log_dir=build/tests/log

# ---- namespaces ----
if [ "$(id -u)" = 0 ] && [ -z "${TCPWARD_TESTS_INSIDE:-}" ] &&
	unshare --net --mount --pid --fork --kill-child true 2>/dev/null; then
	TCPWARD_TESTS_INSIDE=1 exec unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc "$0" "$@"
fi
if [ -n "${TCPWARD_TESTS_INSIDE:-}" ]; then
	mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf || exit 1
	[ -d /sys/kernel/tracing ] && mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
	mkdir -p /run/netns /run/tcpward && mount -t tmpfs tmpfs /run/netns && mount -t tmpfs tmpfs /run/tcpward || exit 1
	ip link set lo up
fi

[ "$(id -u)" != 0 ] || [ -n "${TCPWARD_TESTS_INSIDE:-}" ] ||
	echo "# no namespaces of their own here (a plain chroot?): the tests run in those of the machine"

# ---- which ----
program() { # folder: its programs, as built
	local source
	for source in tests/"$1"/*.c; do
		source=$(basename "$source" .c)
		[ -x "build/tests/$source" ] && echo "$1/$source"
	done
}
script() { # folder: its scripts; helpers are files that are not executable
	local file
	for file in tests/"$1"/*.sh; do
		[ -x "$file" ] && echo "$1/$(basename "$file" .sh)"
	done
}
all_tests() {
	program unit
	program prog
	script prog
	program find
	script net
	script docs
}
wanted() { # test: is it among the words of the command line?
	local word
	[ ${#words[@]} = 0 ] && return
	for word in "${words[@]}"; do
		[ "$word" = "$1" ] || [ "$word" = "${1%%/*}" ] || [ "$word" = "${1#*/}" ] && return
	done
	return 1
}

# ---- results ----
passed=0 failed=0 skipped=0 failures=()

# Reads a log; prints "passed failed skipped", of our own lines and of cmocka's.
count() {
	awk '
	/^ok / { if (/# ?[Ss][Kk][Ii][Pp]/) skips++; else oks++ }
	/^not ok / { fails++ }
	/^skip / { skips++ }
	/^\[ +OK \] / { oks++ }
	/^\[  FAILED  \] / && !/[0-9]+ test\(s\)/ && !failed[$0]++ { fails++ }
	/^\[  SKIPPED \] / && !/[0-9]+ test\(s\)/ && !skipped[$0]++ { skips++ }
	END { print oks + 0, fails + 0, skips + 0 }' "$1"
}

record() { # name passed failed skipped
	passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
	[ "$3" = 0 ] || failures+=("$1")
}

run_test() { # folder/name
	local name=$1 folder=${1%%/*} base=${1#*/} log start status ok bad skip seconds
	log=$log_dir/$folder-$base.log
	local command=tests/$folder/$base.sh
	[ -x "$command" ] || command=build/tests/$base
	start=${EPOCHREALTIME/[.,]/}
	timeout --kill-after=10 "$TIME_LIMIT_S" "$command" >"$log" 2>&1 </dev/null
	status=$?
	seconds=$(((${EPOCHREALTIME/[.,]/} - start) / 100000))
	read -r ok bad skip < <(count "$log")
	if [ $status = 124 ] || [ $status = 137 ]; then
		echo "not ok $name: not done after $TIME_LIMIT_S s" >>"$log"
		bad=$((bad + 1))
	elif [ $status = 77 ] && [ $((ok + bad + skip)) = 0 ]; then
		echo "skip $name: $(tail -n1 "$log")" >>"$log"
		skip=1
	elif [ $status != 0 ] && [ "$bad" = 0 ]; then
		echo "not ok $name: exit status $status" >>"$log"
		bad=1
	elif [ $((ok + bad + skip)) = 0 ]; then
		echo "not ok $name: reported nothing" >>"$log"
		bad=1
	fi
	printf -- '-- %s: %d passed, %d failed, %d skipped (%d.%d s)\n' \
		"$name" "$ok" "$bad" "$skip" $((seconds / 10)) $((seconds % 10))
	# What it covered; the results of short tests one by one; all that went wrong.
	grep -E '^# ' "$log" | head -n 40
	[ "$ok" -gt 40 ] || grep -E '^ok ' "$log"
	grep -E '^(skip|not ok) |^\[  (SKIPPED|FAILED ) \] ' "$log" | grep -vE '[0-9]+ test\(s\)' | sort -u | head -n 60
	if [ "$bad" != 0 ]; then
		echo "   last lines of $log:"
		tail -n 25 "$log" | sed 's/^/   | /'
	fi
	record "$name" "$ok" "$bad" "$skip"
}

# ---- what would be left behind ----
interfaces() {
	ip -o link show 2>/dev/null | awk -F': ' '{ print $2 }'
}
interfaces_before=$(interfaces) # lo, and what kernel modules put into each new namespace (tunl0, sit0)
left_over() {
	ip netns list 2>/dev/null | grep -E '^(tcpward-|tw-)'
	interfaces | grep -vxF "$interfaces_before" | sed 's/^/interface /'
	ls -d /sys/fs/bpf/tcpward/* /run/tcpward/* 2>/dev/null
	local exe
	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe" 2>/dev/null) in
		"$PWD"/build/*) echo "process ${exe//[^0-9]/}: $(tr '\0' ' ' <"${exe%exe}cmdline" 2>/dev/null)" ;;
		esac
	done
}
# After each test: what is on its way out gets 3 s; what stays is noted with the test's name, and processes are ended,
# so that the next test starts as the first did.
behind=
note_left_over() { # folder/name
	local left try
	[ -n "${TCPWARD_TESTS_INSIDE:-}" ] || return
	for try in 1 2 3 4 5 6; do
		left=$(left_over)
		[ -n "$left" ] || return
		sleep 0.5
	done
	behind+=$(sed "s#^#$1 left #" <<<"$left")$'\n'
	sed -n 's/^process \([0-9]*\):.*/\1/p' <<<"$left" | xargs -r kill -9 2>/dev/null
	ip netns list | sed -n 's/^\(tcpward-\|tw-\)\([^ ]*\).*/\1\2/p' | xargs -rn1 ip netns del
	sed -n 's/^interface \([^@]*\).*/\1/p' <<<"$left" | xargs -rn1 ip link del 2>/dev/null
	rm -rf /sys/fs/bpf/tcpward /run/tcpward/*
}
report_left_over() {
	[ -n "${TCPWARD_TESTS_INSIDE:-}" ] || return
	echo "-- left-over"
	if [ -z "$behind" ]; then
		echo "ok nothing left behind: namespaces, interfaces, pins, processes"
		record left-over 1 0 0
		return
	fi
	printf '%s' "$behind" >"$log_dir/left-over.log"
	echo "not ok nothing left behind: $(grep -c . "$log_dir/left-over.log") things"
	head -n 12 "$log_dir/left-over.log" | sed 's/^/   | /'
	record left-over 0 1 0
}

words=("$@")
rm -rf "$log_dir"
mkdir -p "$log_dir"
began=$SECONDS
for name in $(all_tests); do
	wanted "$name" || continue
	run_test "$name"
	note_left_over "$name"
done
[ $((passed + failed + skipped)) = 0 ] || report_left_over

echo
echo "# $((SECONDS - began)) s"
for name in ${failures[@]+"${failures[@]}"}; do
	echo "# failed: $name (see $log_dir/${name/\//-}.log)"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
