#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# README: the command on a capture does on a fresh clone what is printed below it.
cd "$(dirname "$0")/../.." || exit 1
[ "$(id -u)" = 0 ] || { echo "skip README: needs root"; exit 0; }

command=$(sed -n 's/^# \(build\/tcpward replay .*\)/\1/p' README.md)
printed=$(awk -v line="# $command" '$0 == line { on = 1; next } on && /^```$/ { exit } on' README.md)
[ -n "$command" ] && [ "$(wc -l <<<"$command")" = 1 ] && [ -n "$printed" ] ||
	{ echo "not ok README has one example of replay: '$command'"; exit 1; }
file=${command##* }
if git rev-parse --git-dir >/dev/null 2>&1; then
	git ls-files --error-unmatch "$file" >/dev/null 2>&1 && echo "ok $file is in the repository" || echo "not ok $file is in the repository: git ls-files knows no such"
else
	[ -r "$file" ] && echo "ok $file is there" || echo "not ok $file is there: it is not"
fi
# shellcheck disable=SC2086
said=$($command 2>&1)
if [ "$said" = "$printed" ]; then
	echo "ok README prints what replay says of it"
else
	echo "not ok README prints what replay says of it: $(diff <(echo "$printed") <(echo "$said") | head -n 4 | tr '\n' ' ')"
fi
