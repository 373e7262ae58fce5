#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# one.sh FOLDER/NAME LOG: runs one test, for run.sh, which tells what a test reports. All that it prints goes to LOG.log; what
# is to be shown of it to LOG.report, what it left behind to LOG.left, and "passed failed skipped" to LOG.counts, at last.
#
# With TCPWARD_TESTS_INSIDE=1 it is the first process of namespaces of its own (network, mounts, processes): interfaces, pins,
# locks and process ids are those of this test alone, so that others may run beside it, and all goes when it ends.
set -u
cd "$(dirname "$0")/.."

TIME_LIMIT_S=${TIME_LIMIT_S:-300}
name=$1 base=$2
log=$base.log

. tests/inside.sh
if [ -n "${TCPWARD_TESTS_INSIDE:-}" ]; then
	mount_inside || exit 1
fi

# ---- results ----
# Of a log: "passed failed skipped", of our own lines and of cmocka's.
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

# Runs it; sets ok, bad, skip and tenths (of a second).
run_test() {
	local command=tests/$name.sh start status
	[ -x "$command" ] || command=build/tests/${name#*/}
	start=${EPOCHREALTIME/[.,]/}
	timeout --kill-after=10 "$TIME_LIMIT_S" "$command" >"$log" 2>&1 </dev/null
	status=$?
	tenths=$(((${EPOCHREALTIME/[.,]/} - start) / 100000))
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
}

report() {
	printf -- '-- %s: %d passed, %d failed, %d skipped (%d.%d s)\n' \
		"$name" "$ok" "$bad" "$skip" $((tenths / 10)) $((tenths % 10))
	# What it covered; the results of short tests one by one; all that went wrong.
	grep -E '^# ' "$log" | head -n 40
	[ "$ok" -gt 40 ] || grep -E '^ok ' "$log"
	grep -E '^(skip|not ok) |^\[  (SKIPPED|FAILED ) \] ' "$log" | grep -vE '[0-9]+ test\(s\)' | sort -u | head -n 60
	if [ "$bad" != 0 ]; then
		echo "   last lines of $log:"
		tail -n 25 "$log" | sed 's/^/   | /'
	fi
}

# ---- what it leaves behind ----
interfaces() {
	ip -o link show 2>/dev/null | awk -F': ' '{ print $2 }'
}
left_over() {
	ip netns list 2>/dev/null | grep -E '^(tcpward-|tw-)'
	interfaces | grep -vxF "$interfaces_before" | sed 's/^/interface /'
	ls -d /sys/fs/bpf/tcpward/* /run/tcpward/* 2>/dev/null
	find "$TMPDIR" -mindepth 1 -maxdepth 1
	local exe
	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe" 2>/dev/null) in
		"$PWD"/build/*) echo "process ${exe//[^0-9]/}: $(tr '\0' ' ' <"${exe%exe}cmdline" 2>/dev/null)" ;;
		esac
	done
}
note_left_over() { # what is on its way out gets 3 s
	local left try
	for try in 1 2 3 4 5 6; do
		left=$(left_over)
		[ -n "$left" ] || return
		sleep 0.5
	done
	sed "s#^#$name left #" <<<"$left" >"$base.left"
}

interfaces_before=$(interfaces) # lo, and what kernel modules put into each new namespace (tunl0, sit0)
run_test
report >"$base.report"
[ -z "${TCPWARD_TESTS_INSIDE:-}" ] || note_left_over
echo "$ok $bad $skip" >"$base.counts.new" && mv "$base.counts.new" "$base.counts"
