#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# protect: README's "Protect a web service in five minutes", step by step over a flood: found, tried, enforced, confirmed; real
# clients get through, and everything ends when the flood does. OUTPUT=FILE keeps what the commands print, for the README.
. "$(dirname "$0")/lib.sh"
E=$(dev e) X=$(dev x) V=$(dev v) C=$(dev c)
OUTPUT=${OUTPUT:-/dev/null}
SOURCES=1048576 STRIDE=389567 RATE=50000

# The service has a line to its clients, and one to the rest of the world.
host web x client
wire web "$E" 198.51.100.10/24 x "$X" 198.51.100.2/24
wire web "$V" 192.0.2.1/24 client "$C" 192.0.2.2/24
link_address() { # host device
	on "$1" ip -o link show "$2" | sed -n 's/.*link.ether \([^ ]*\).*/\1/p'
}
on web sysctl -q -w net.ipv4.conf.all.rp_filter=0 "net.ipv4.conf.$E.rp_filter=0"
on web ip neigh replace 198.51.100.2 lladdr "$(link_address x "$X")" dev "$E" nud permanent
on web ip route add 10.0.0.0/8 via 198.51.100.2
on client ip route add 198.51.100.0/24 via 192.0.2.1
xdp x "$X" pass && xdp client "$C" pass || exit
on x nft "add table ip sink; add chain ip sink in { type filter hook prerouting priority -300; }; \
	add rule ip sink in ip daddr 10.0.0.0/8 drop"
start web "$BIN/crowd" serve 443 || exit
must web attach "$E" "$V"

policy() { # mode
	cat >"$work/web.yaml" <<-END
		version: 1
		mode: $1
		allow: [203.0.113.0/24]
		services:
		  - name: web
		    match: {daddr: [198.51.100.10], dport: [443]}
		    half-open: {enter: 25%, leave: 12%, min: 128, then: syncookie}
		    new-per-source: {rate: 50/s, burst: 200, then: drop, for: 1m}
		rules:
		  - {name: bad-flags, match: {invalid: bad-flags}, action: drop}
	END
}
told() { # words...: on the host; what it prints is kept, as it looks where there is no other instance
	{
		echo "# tcpward $*"
		[ "$1 ${2:-}" = "policy check" ] || set -- "$@" --name "$E"
		(cd "$work" && on web timeout 30 "$TCPWARD" "$@" 2>&1)
	} | tee -a "$OUTPUT" >"$work/out"
	: >"$work/err"
}
shown() { # name column of `policy show`
	on web "$TCPWARD" policy show --name "$E" | awk -v name="$1" -v column="$2" 'index($0, name) == 1 { print $(NF - column) }'
}
connects() { # count
	on client "$BIN/connects" 198.51.100.10 443 "$1" 2 | tee -a "$OUTPUT"
}
answered() {
	counter web "$E" cookies-sent
}
flooded() { # seconds
	on x "$BIN/flood" "$X" "$(link_address web "$E")" 198.51.100.10 443 10.0.0.0 $SOURCES $STRIDE "$1" $RATE
}

# ---- no flood: nothing is too much ----
policy enforce
must web policy apply "$work/web.yaml" --name "$E"
is "no flood: clients get through" "$(connects 50 | awk '{ print $2 }')" 50
is "... without cookies" "$(answered)" 0
must web policy remove --name "$E"

# ---- found ----
(flooded 25) >"$work/flood" 2>&1 &
pids+=($!)
is_found() {
	on web "$TCPWARD" findings -j --name "$E" | grep -q '"finding":"syn-flood"'
}
if await 8 is_found; then ok "the flood is found"; else fail "the flood is found" "not within 8 s"; fi
told findings
says "... with its service" "syn-flood *198.51.100.10:443"

# ---- tried ----
policy dry-run
told policy check web.yaml
says "the policy is right" "ok: 1 service, 1 rule, 2 addresses; dry-run"
told policy apply web.yaml
sleep 2
told policy show
expect "dry run: it would answer" "$(shown web/half-open 0)" -gt 1000
is "... and answers nothing" "$(shown web/half-open 1) $(answered)" "0 0"

# ---- enforced ----
policy enforce
told policy diff web.yaml
says "what changes" "mode: dry-run -> enforce"
told policy apply web.yaml --confirm 60
says "it waits for its confirmation" "takes itself back in 60 s"
told policy confirm
sleep 1
before=$(answered)
is "enforced: real clients get through" "$(connects 50 | awk '{ print $2 }')" 50
expect "... SYNs are answered by cookies" $(($(answered) - before)) -gt 20000
expect "... and cookies bring connections back" "$(counter web "$E" cookies-good)" -ge 50
told policy show
told stat
told block add 203.0.113.0/24 --for 10m --reason scan
told block list
says "a block by hand" "203.0.113.0/24 .* hand scan"

# ---- over ----
wait "${pids[-1]}"
settled() { # within two windows of 34 s the flood is forgotten, and SYNs go to the stack again
	local sent
	sent=$(answered)
	[ "$(connects 5 | awk '{ print $2 }')" = 5 ] && [ "$(answered)" = "$sent" ]
}
if await 90 settled; then ok "the flood over, the stack answers again"; else fail "the flood over, the stack answers again" "not within 90 s"; fi
