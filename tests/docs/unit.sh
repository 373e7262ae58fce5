#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The systemd unit: installed where systemd looks, with four capabilities, and little exposed.
cd "$(dirname "$0")/../.." || exit 1
into=$(mktemp -d)
trap 'rm -rf "$into"' EXIT

result() { # status name why
	if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2: $3"; fi
}

make install-unit DESTDIR="$into" PREFIX=/usr UNITDIR=/usr/lib/systemd/system >"$into/log" 2>&1
result $? "make install-unit" "$(tail -n1 "$into/log")"
unit="$into/usr/lib/systemd/system/tcpward@.service"
grep -q '^ExecStart=/usr/sbin/tcpward run ' "$unit"
result $? "it starts the program that was installed" "$(grep ExecStart "$unit")"
four="CAP_BPF CAP_NET_ADMIN CAP_NET_RAW CAP_PERFMON"
[ "$(sed -n 's/^CapabilityBoundingSet=//p; s/^AmbientCapabilities=//p' "$unit" | sort -u)" = "$four" ]
result $? "four capabilities" "$(grep Capabilit "$unit" | tr '\n' ' ')"

# Options that the unit gives to the program must be options of it.
unknown=
for option in $(sed -n 's/^ExecStart=//p' "$unit" | tr ' ' '\n' | grep '^--'); do
	build/tcpward run --help | grep -q -- "$option" || unknown="$unknown $option"
done
[ -z "$unknown" ]
result $? "it knows its options" "unknown:$unknown"

if ! command -v systemd-analyze >/dev/null || ! systemd-analyze security --help 2>&1 | grep -q -- --offline; then
	echo "skip exposure at most 3.0: no systemd-analyze that reads files (Debian: apt install systemd)"
	echo "skip systemd knows every line of it: no systemd-analyze that reads files (Debian: apt install systemd)"
	exit 0
fi
cp "$unit" "$into/tcpward@eth0.service"
said=$(systemd-analyze security --offline=yes --no-pager --threshold=30 "$into/tcpward@eth0.service" 2>&1)
result $? "exposure at most 3.0" "$(echo "$said" | tail -n 1)"
echo "# $(echo "$said" | sed -n 's/.*\(Overall.*[0-9]\).*/\1/p')"
# It also looks for the program, the manual and the other units, which are not there.
said=$(systemd-analyze verify "$into/tcpward@eth0.service" 2>&1 | grep -iE "unknown|invalid|failed to parse|ignoring" | grep -v "^/")
[ -z "$said" ]
result $? "systemd knows every line of it" "$said"

make uninstall DESTDIR="$into" PREFIX=/usr UNITDIR=/usr/lib/systemd/system >"$into/log" 2>&1
[ ! -e "$unit" ]
result $? "make uninstall takes it away" "$unit"
