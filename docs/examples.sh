#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# examples.sh [README.md]: one real example of each finding, as `tcpward replay --findings` prints it for the scenes of
# tests/find. Prints a table; with a file, puts it between the file's two marks "<!-- findings ... -->". As root, after make tests.
set -eu
cd "$(dirname "$0")/.."
tcpward=${TCPWARD:-build/tcpward} find=${FIND:-build/tests/find}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -x "$find" ] || { echo "examples.sh: no '$find': run make tests" >&2; exit 1; }

example() { # finding: the text of the first one that its first scene raises
	local scene words
	scene=$("$find" --list | grep -m 1 "^$1/") || return 0
	words=$("$find" --write "$work/scene.pcap" "$scene" | sed 's/.*; replay //')
	# shellcheck disable=SC2086
	"$tcpward" replay -j $words "$work/scene.pcap" finding "$1" 2>"$work/err" | sed -n '1s/.*"text":"\([^"]*\)".*/\1/p'
}

table() {
	local name severity title text
	echo "| finding | usually | what it is | for example |"
	echo "|---|---|---|---|"
	build/gendoc markdown <(echo @findings@) | sed -n 's/^| `\([a-z0-9-]*\)` | \([a-z]*\) | \(.*\) |$/\1|\2|\3/p' |
		while IFS='|' read -r name severity title; do
			text=$(example "$name")
			[ -n "$text" ] || echo "examples.sh: no example of $name" >&2
			echo "| \`$name\` | $severity | $title | ${text:--} |"
		done
}

table >"$work/table"
if [ $# = 0 ]; then
	cat "$work/table"
else
	awk -v table="$work/table" '
		/^<!-- findings: end -->$/ { inside = 0 }
		!inside { print }
		/^<!-- findings: made by / { inside = 1; while ((getline line < table) > 0) print line }' "$1" >"$work/page"
	cat "$work/page" >"$1"
fi
! grep -q '| - |$' "$work/table"
