#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# tcpward policy check: what it says and how it ends, as text and JSON, of files and standard input, and how long it takes.
cd "$(dirname "$0")/../.." || exit 1
echo "# tcpward policy check: text, JSON, standard input, exit codes, 200,000 addresses; every example of tcpward-policy(5)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
T=build/tcpward

result() { # status name why
	if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2: $3"; fi
}
is() { # name got wanted
	[ "$2" = "$3" ]
	result $? "$1" "got '$2', wanted '$3'"
}
check() { # arguments: status in $status, output in $out and $err
	$T policy check "$@" >"$work/out" 2>"$work/err"
	status=$? out=$(cat "$work/out") err=$(cat "$work/err")
}

check docs/examples/web-server.yaml docs/examples/router.yaml
is "right files" "$status $out $err" "0 docs/examples/web-server.yaml: ok: 1 service, 1 rule, 4 addresses; enforce
docs/examples/router.yaml: ok: 3 services, 3 rules, 5 addresses; enforce "
check docs/examples/web-server.yaml tests/policy/wrong/mode-near.yaml
is "a wrong one among them" "$status $err" \
	"2 tests/policy/wrong/mode-near.yaml:3:7: unknown mode, 'enfroce': did you mean 'enforce'?"
is "... the right one is said all the same" "$out" "docs/examples/web-server.yaml: ok: 1 service, 1 rule, 4 addresses; enforce"
check - < <(printf 'version: 1\nmode: dry-run\nlearn: 60\n')
is "standard input" "$status $err" "2 standard input:3:8: a duration needs a unit, '60': 60s, 60m"
check "$work/none.yaml"
is "a file that is not there" "$status $err" \
	"2 $work/none.yaml:1:1: cannot read the policy, '$work/none.yaml': No such file or directory"
check "$work"
is "a folder" "$status $err" "2 $work:1:1: cannot read the policy, '$work': Is a directory"
check
is "no file" "$status $(echo $err)" "2 tcpward: policy check: name a file tcpward policy check FILE..."
check -j docs/examples/strict.yaml tests/policy/wrong/list-lines.yaml
has() { # name, part of the JSON
	grep -qF -- "$2" "$work/out"
	result $? "$1" "$(cat "$work/out")"
}
is "JSON: exit code, and nothing on standard error" "$status $err" "2 "
has "JSON: of a good file" '"ok":true,"mode":"dry-run","services":0,"rules":8,"addresses":5,"errors":[]},{'
has "JSON: of a wrong one, with the place of each error" '"ok":false,"errors":[{"file":"tests/policy/wrong/bad-list.txt","line":3,"column":3,"text":"bits beyond '
is "JSON: all four" "$(grep -o '"line":' "$work/out" | wc -l)" 4
$T policy chek >/dev/null 2>"$work/err"
is "a command that is none" "$? $(cat "$work/err")" "2 tcpward: unknown command 'policy chek', did you mean 'check'?"

# ---- what does not fit, which only the making of the tables finds ----
awk 'BEGIN { print "version: 1\nmode: dry-run\nrules:"
	for (r = 0; r < 60; r++) { printf "  - {name: r%d, match: {dport: [", r
		for (i = 0; i < 6; i++) printf "%s%d", i ? ", " : "", 1000 + r * 20 + i * 3
		print "]}, action: drop}" } }' >"$work/classes.yaml"
check "$work/classes.yaml"
is "60 rules of six ports each have room" "$status" 0
awk 'BEGIN { print "version: 1\nmode: dry-run\nrules:"
	for (r = 0; r < 64; r++) { printf "  - {name: r%d, match: {dport: [", r
		for (i = 0; i < 64; i++) if ((i * 37 + r * 11 + int(i * r / 3)) % 2) printf "%s%d-%d", n++ ? ", " : "", 100 * i + r, 100 * i + r + 50
		n = 0; print "]}, action: drop}" } }' >"$work/classes.yaml"
check "$work/classes.yaml"
is "more classes of ports than fit" "$status $(grep -c 'classes.yaml:1:1: .*classes' <<<"$err")" "2 1"
check -j "$work/classes.yaml"
is "... in JSON" "$(grep -o '"ok":false' <<<"$out")$(grep -o '"line":1,"column":1' <<<"$out")" '"ok":false"line":1,"column":1'
{ printf 'version: 1\nmode: dry-run\n'; yes '# a remark that nobody will ever read' | head -c 300000; } >"$work/text.yaml"
check "$work/text.yaml"
is "too long a text" "$status $err" "2 $work/text.yaml:1:1: too long, 300025 bytes, 262143 fit: put long lists into files of \
their own: saddr: \"@FILE\""

# ---- long lists ----
awk 'BEGIN { for (i = 0; i < 200000; i++) printf "10.%d.%d.%d\n", i / 65536, i / 256 % 256, i % 256 }' >"$work/list.txt"
printf 'version: 1\nmode: enforce\nrules: [{name: bad, match: {saddr: "@list.txt"}, action: drop}]\n' >"$work/long.yaml"
TIMEFORMAT=%U
spent=$({ time check "$work/long.yaml"; } 2>&1)
check "$work/long.yaml"
is "200,000 addresses, beside the policy" "$out" "$work/long.yaml: ok: 0 services, 1 rule, 200000 addresses; enforce"
awk -v spent="$spent" 'BEGIN { exit !(spent < 0.3) }'
result $? "... read in less than 0.3 s ($spent s)" "$spent s"

# ---- the manual ----
awk '/^```/ { on = !on; next } on && /^version:/ { yaml = 1 } on && yaml { print } !on { yaml = 0 }' man/tcpward-policy.5.scd >"$work/man.yaml"
check "$work/man.yaml"
is "the example of tcpward-policy(5)" "$status $out" "0 $work/man.yaml: ok: 1 service, 1 rule, 1 address; enforce"
make man >/dev/null 2>&1
missing=
for key in $(build/gendoc markdown <(echo @policy-schema@) | sed -n 's/^- \*\*\([a-z0-9-]*\)\*\*.*/\1/p' | sort -u); do
	sed 's/\\-/-/g' build/man/tcpward-policy.5 | grep -q "^\\\\fB$key\\\\fR" || missing="$missing $key"
done
is "tcpward-policy(5) has every key" "$missing" ""
