#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run.sh [unit|prog|find|net|real|docs|NAME]...: runs the tests, all of these by default, and counts what they report. More folders
# are run when they are named.
#
# A test is a program of tests/unit, tests/prog or tests/find (built by make), or a script of any folder. It reports lines
#   ok NAME        not ok NAME: WHY        skip NAME: WHY        # what it covered
# or cmocka's own. Exit status 0 without any result, another status without "not ok", and more than 300 s are failures.
#
# As root each runs in namespaces of its own (network, mounts, processes; see one.sh): nothing reaches the machine's
# interfaces, nothing can stay behind, and as many run at a time as there are processors (TEST_JOBS=1: one after the other).
# Those whose head says "first: WHY" begin first, so that no long one is left for the end, those that say "alone: WHY" come last,
# one after the other. Results are printed whole, in the order of the list; the last looks what the others would have left.
set -u
cd "$(dirname "$0")/.."

log_dir=build/tests/log
jobs=${TEST_JOBS:-$(nproc)}

# ---- namespaces ----
namespaces='' begin=(setsid)
if [ "$(id -u)" = 0 ]; then
	# Whoever ends us, or unshare, ends all that is inside.
	. tests/inside.sh
	if "${enter_namespaces[@]}" true 2>/dev/null; then
		namespaces=1 begin=(env TCPWARD_TESTS_INSIDE=1 "${enter_namespaces[@]}")
	else
		echo "# no namespaces of their own here (a plain chroot?): the tests run in those of the machine, one at a time"
		jobs=1
	fi
fi

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
	program soak
	script net
	script real
	script docs
	script vm
}
wanted() { # test: is it among the words of the command line?
	local word
	for word in "${words[@]}"; do
		[ "$word" = "$1" ] || [ "$word" = "${1%%/*}" ] || [ "$word" = "${1#*/}" ] && return
	done
	return 1
}
says() { # test word: in its head
	head -n 15 "tests/$1".* | grep -qE "^( \*|#) $2: "
}

# ---- running them ----
scratch=$(mktemp -d)
chmod 711 "$scratch" # some tests run a program of theirs as nobody
declare -A running=()
log_of() { # test
	echo "$log_dir/${1/\//-}"
}
end_all() {
	trap '' INT TERM HUP
	exec 2>/dev/null # bash tells of each job that was killed
	local pid try
	for pid in "${!running[@]}"; do
		if [ -n "$namespaces" ]; then
			kill -KILL "$pid" # and with it all in its namespaces
		else
			pkill -TERM --session "$pid"
		fi
	done
	wait
	for try in 1 2 3 4 5; do rm -rf "$scratch" && break || sleep 0.2; done # while the last of them write
}
interrupted() { # signal
	echo "# interrupted: the tests that run are ended, and not counted: ${running[*]}" >&2
	end_all
	trap - EXIT "$1"
	kill -"$1" $$
}
trap end_all EXIT
for signal in INT TERM HUP; do trap "interrupted $signal" $signal; done

start() { # test
	local tmp=$scratch/${1/\//-}
	mkdir "$tmp" && chmod 711 "$tmp"
	TMPDIR=$tmp "${begin[@]}" tests/one.sh "$1" "$(log_of "$1")" </dev/null &
	running[$!]=$1
}
# Until no more than so many run; prints what is complete.
settle() { # number
	local pid ended
	while [ ${#running[@]} -gt "$1" ]; do
		wait -n
		for pid in "${!running[@]}"; do
			kill -0 "$pid" 2>/dev/null && continue
			ended=${running[$pid]}
			unset "running[$pid]"
			rm -rf "${scratch:?}/${ended/\//-}"
			[ -e "$(log_of "$ended").counts" ] || died "$ended"
			print_complete
		done
	done
}
died() { # test: one.sh did not come to its end
	echo "-- $1: 0 passed, 1 failed, 0 skipped"$'\n'"not ok $1: its runner died" >"$(log_of "$1").report"
	echo "0 1 0" >"$(log_of "$1").counts"
}

# ---- results ----
passed=0 failed=0 skipped=0 failures=()
record() { # name passed failed skipped
	passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
	[ "$3" = 0 ] || failures+=("$1")
}
printed=0
print_complete() { # those of the list that come next, as far as they are done
	local name log
	while [ $printed -lt ${#list[@]} ]; do
		name=${list[printed]} log=$(log_of "${list[printed]}")
		[ -e "$log.counts" ] || return
		cat "$log.report"
		record "$name" $(<"$log.counts")
		printed=$((printed + 1))
	done
}
report_left_over() {
	[ -n "$namespaces" ] || return
	cat "$log_dir"/*.left >"$log_dir/left-over.log" 2>/dev/null
	echo "-- left-over"
	if [ ! -s "$log_dir/left-over.log" ]; then
		echo "ok nothing left behind: namespaces, interfaces, pins, processes, temporary files"
		record left-over 1 0 0
		return
	fi
	echo "not ok nothing left behind: $(grep -c . "$log_dir/left-over.log") things"
	head -n 12 "$log_dir/left-over.log" | sed 's/^/   | /'
	record left-over 0 1 0
}

words=("$@")
[ $# != 0 ] || words=(unit prog find net real docs)
rm -rf "$log_dir"
mkdir -p "$log_dir"
first=() together=() by_themselves=()
for name in $(all_tests); do
	wanted "$name" || continue
	if says "$name" alone; then by_themselves+=("$name"); elif says "$name" first; then first+=("$name"); else together+=("$name"); fi
done
together=(${first[@]+"${first[@]}"} ${together[@]+"${together[@]}"})
list=(${together[@]+"${together[@]}"} ${by_themselves[@]+"${by_themselves[@]}"})

began=$SECONDS
for name in ${together[@]+"${together[@]}"}; do
	settle $((jobs - 1))
	start "$name"
done
settle 0
for name in ${by_themselves[@]+"${by_themselves[@]}"}; do
	start "$name"
	settle 0
done
[ ${#list[@]} = 0 ] || report_left_over

echo
echo "# $((SECONDS - began)) s"
for name in ${failures[@]+"${failures[@]}"}; do
	echo "# failed: $name (see $(log_of "$name").log)"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
