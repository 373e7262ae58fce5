#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# policy_diff: what a file would change of the policy in force, wherever that was read from.
. "$(dirname "$0")/lib.sh"
A=$(dev a)

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
mkdir "$work/etc"
cat >"$work/etc/one.yaml" <<'END'
version: 1
mode: dry-run
services:
  - name: web
    match: {daddr: [192.0.2.1, "2001:db8::10"], dport: [80, 443]}
    half-open: {enter: 25%, then: drop}
rules:
  - {name: bad-flags, match: {invalid: bad-flags}, action: drop}
  - {name: known-bad, match: {saddr: "@bad.txt"}, action: drop}
END
printf '203.0.113.0/24\n2001:db8:bad::/48 # a comment\n' >"$work/etc/bad.txt"
sed -e 's/25%/30%/' -e '/bad-flags/d' "$work/etc/one.yaml" >"$work/etc/two.yaml"

ward a policy diff "$work/etc/one.yaml" "$work/etc/two.yaml"
exits "two files need no instance" 0
says "... the limit" '^service web: half-open.enter: 25% -> 30%$'
says "... what follows from it" '^service web: half-open.leave: 12.5% -> 15%$'
says "... the rule" '^rule bad-flags: removed$'
is "... and nothing else" "$(wc -l <"$work/out")" 3
ward a policy diff --name "$A" "$work/etc/one.yaml"
exits "one file needs one" 3

must a attach "$A"
ward a policy diff --name "$A"
exits "neither a policy nor a file" 2
ward a policy diff --name "$A" "$work/etc/one.yaml"
exits "no policy is in force" 0
says "... all of it is new" '^rule known-bad: added .*203.0.113.0/24, "2001:db8:bad::/48"'
must a policy apply --name "$A" "$work/etc/one.yaml"
cd "$work" || exit
ward a policy diff --name "$A" etc/one.yaml
is "the one in force, its list from where it was" "$(cat "$work/out" "$work/err")" "tcpward: no difference"
cp etc/one.yaml etc/kept.yaml
cp etc/two.yaml etc/one.yaml
ward a policy diff --name "$A"
says "without a file: the one it was read from" '^rule bad-flags: removed$'
cp etc/kept.yaml etc/one.yaml
ward a policy diff -j --name "$A" etc/two.yaml
says "JSON" '"path":"service web: half-open.enter","change":"changed","from":"25%","to":"30%"'
is "... as many as in text" "$(grep -o '"path"' "$work/out" | wc -l)" 3
# lists in files of their own: what is in force is what they said then
{ echo 2001:db8:bad::/48; seq -f '198.51.100.%g' 10 19; echo '203.0.113.128/25'; } >etc/bad.txt
ward a policy diff --name "$A"
says "a list that has changed since: what has come, with how many" \
	'^rule known-bad: match.saddr: added 11: 198.51.100.10, 198.51.100.11, 198.51.100.12, 198.51.100.13, and 7 more$'
says "... and gone" '^rule known-bad: match.saddr: removed 203.0.113.0/24$'
is "... and nothing else" "$(wc -l <"$work/out")" 2
ward a policy diff --name "$A" etc/two.yaml
is "... of another file too" "$(grep -c 'known-bad: match.saddr: added 11: \|known-bad: match.saddr: removed ' "$work/out")" 2
ward a policy diff -j --name "$A"
is "... in JSON, all of them" "$(grep -o '"198.51.100.[0-9]*"' "$work/out" | wc -l)" 10
must a policy apply --name "$A" etc/one.yaml
ward a policy diff --name "$A"
is "... applied again, there is none" "$(cat "$work/out" "$work/err")" "tcpward: no difference"
printf '203.0.113.0/24\n203.0.113.7\n203.0.113.0/24\n' >etc/bad.txt
must a policy apply --name "$A" etc/one.yaml
ward a policy diff --name "$A"
is "... what a list says twice is none" "$(cat "$work/out" "$work/err")" "tcpward: no difference"
on a setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$TCPWARD" policy diff --name "$A" >"$work/out" 2>"$work/err"
says "without the privilege to look into the tables: told" "lists in files are compared as they are now"
rm etc/bad.txt
sed -i 's/"@bad.txt"/203.0.113.7/' etc/two.yaml
ward a policy diff --name "$A" etc/two.yaml
exits "the list of the one in force is gone" 1
says "... and it says so" "cannot read the policy in force \('$work/etc/one.yaml'\)"
ward a policy diff etc/two.yaml etc/one.yaml
exits "a file's own list is gone" 2
