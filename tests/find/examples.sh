#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# examples.sh [NAME...]: real output of each finding: its text line and its JSON object, as the scenes of this folder raise it.
# NAME: a scene or the beginning of its name (build/tests/find --list). As root, after make tests.
set -eu
cd "$(dirname "$0")/../.."
tcpward=${TCPWARD:-build/tcpward} find=${FIND:-build/tests/find}
[ -x "$find" ] || { echo "examples.sh: no '$find': run make tests" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

example() { # scene
	local words
	words=$("$find" --write "$work/scene.pcap" "$1" | sed 's/.*; replay //')
	echo "# $1"
	# shellcheck disable=SC2086
	"$tcpward" replay $words -H "$work/scene.pcap" finding "${1%%/*}" 2>/dev/null
	# shellcheck disable=SC2086
	"$tcpward" replay $words -j "$work/scene.pcap" finding "${1%%/*}" 2>/dev/null
	echo
}

raised() { # the scenes that raise something
	"$find" --list | grep / | grep -v '^thresholds/'
}

for scene in $(raised); do
	[ $# = 0 ] && example "$scene"
	for name; do [ "${scene#"$name"}" = "$scene" ] || example "$scene"; done
done
