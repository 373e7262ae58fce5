#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# docs/threat-model.md: each test, trace and fuzzing target that it names exists; tables and paragraphs of claims name some.
cd "$(dirname "$0")/../.." || exit 1
page=docs/threat-model.md
echo "# $page: the tests, traces and fuzzing targets that it names; capabilities of the unit"

result() { # status name why
	if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2: $3"; fi
}

tests=$(grep -oE '\b(unit|prog|net|find|docs|fuzz)/[a-z0-9_]+' $page | sort -u)
missing=$(for test in $tests; do
	if [ -e "tests/$test.c" ] || [ -x "tests/$test.sh" ]; then :; else echo "$test"; fi
done | tr '\n' ' ')
[ "$(echo "$tests" | wc -l)" -ge 15 ] && [ -z "$missing" ]
result $? "the tests that it names exist" "$missing"

traces=$(grep -oE '\b[TW][0-9]{2,3}\b' $page | sort -u)
missing=$(for trace in $traces; do
	grep -q "^TRACE $trace " tests/vectors/*.txt || echo "$trace"
done | tr '\n' ' ')
[ "$(echo "$traces" | wc -l)" -ge 15 ] && [ -z "$missing" ]
result $? "the traces that it names exist" "$missing"

# Tables whose last column is "proof": none of it is empty.
empty=$(awk -F'|' '/\| proof \|$/ { proof = 1; next } /^\|---/ { next } !/^\|/ { proof = 0 }
	proof && $(NF - 1) !~ /[TW][0-9][0-9]|[a-z]+\/[a-z]|\(1\)|#syn-cookies/ { print $2 }' $page)
[ -z "$empty" ]
result $? "each row of a table of proofs names one" "$empty"

lacks=$(sed -n 's/^CapabilityBoundingSet=//p' packaging/systemd/tcpward@.service | tr ' ' '\n' | while read -r cap; do
	grep -q "^| $cap |" $page || echo "$cap"
done | tr '\n' ' ')
[ -z "$lacks" ]
result $? "the capabilities of the unit are explained" "$lacks"

grep -q "$page" README.md
result $? "README leads to it" "no link"
