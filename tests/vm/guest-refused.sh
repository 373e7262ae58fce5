# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# guest-refused: in a guest of tests/vm whose kernel is too old: refused with one line that says so, and nothing is left.
. "$(dirname "$0")/../net/lib.sh"
A=$(dev a)

echo "# Linux $(uname -r)"
host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
ward a doctor "$A"
exits "doctor: something is lacking" 4
for words in "attach $A" "attach $A --ingress tc" "run $A"; do
	ward a $words
	exits "$words" 4
	is "$words: one line" "$(grep -c '^tcpward: ' "$work/err")" 1
	says "$words: what the kernel lacks" '^tcpward: this kernel cannot run tcpward: it has no [a-zA-Z ]+$'
	says "$words: what does it" '^  use Linux 6\.1 or later$'
done
sed 's/^/# /' "$work/err"
is "nothing is left" "$(on a tc qdisc show dev "$A" | grep clsact; ls "$PINS" /run/tcpward 2>/dev/null | grep "$A")" ""
