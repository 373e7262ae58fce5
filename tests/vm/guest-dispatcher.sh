# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# guest-dispatcher: in a guest of tests/vm: beside xdp-filter on one interface, by libxdp's dispatcher. Both see what is theirs;
# who goes leaves the other. With the word "refused": this kernel does not let our program in, so ingress goes by tc beside it;
# with "upgrade": SYN cookies, too, and another build that takes over.
. "$(dirname "$0")/../net/lib.sh"
A=$(dev a) B=$(dev b)
BLOCKED=9001 # by xdp-filter

echo "# Linux $(uname -r)"
host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
for i in 3 4; do on b ip addr add "192.0.2.$i/24" dev "$B"; done
start a "$BIN/crowd" serve 9000 || exit
start a "$BIN/crowd" serve $BLOCKED || exit

filter_works() { # name
	if connects b 2 192.0.2.3 192.0.2.1 $BLOCKED; then fail "$1" "its port is open"; else ok "$1"; fi
}
programs() { # the XDP programs that the dispatcher calls, in order
	on a xdp-loader status "$A" | awk '/=>/ { print $3 }' | tr '\n' ' '
}

follow() { # and drop
	local flow
	filter_works "xdp-filter still drops"
	if connects b 10 192.0.2.2 192.0.2.1 9000; then ok "others connect"; else fail "others connect" "$(cat "$log")"; fi
	flow=$(flows_json a "$A" 'dport = 9000 and state all')
	is "a connection is followed, once" "$(grep -c . <<<"$flow")" 1
	is "... to its end" "$(member conn_state <<<"$flow")" SF
	is "... with its bytes" "$(member orig_bytes <<<"$flow")/$(member resp_bytes <<<"$flow")" 300/5000
	must a block add 192.0.2.4
	if connects b 2 192.0.2.4 192.0.2.1 9000; then fail "we drop" "connected"; else ok "we drop"; fi
	expect "... and count it" "$(on a "$TCPWARD" stat -j | grep -o '"dropped":{[^}]*}' | member block-list)" -gt 0
	verify_on a "$A" "the sockets agree"
}

on a xdp-filter load --mode native --features tcp "$A" >"$work/filter" 2>&1 || { fail "xdp-filter loads" "$(cat "$work/filter")"; exit; }
on a xdp-filter port --proto tcp --mode dst $BLOCKED >"$work/filter" 2>&1
filter_works "xdp-filter drops"
alone=$(programs)
without_libxdp() {
	local TCPWARD=$BIN/tcpward-noxdp
	ward a attach "$A"
	exits "without libxdp: attach is refused" 1
	says "... with its cause" "cannot attach to '$A': libxdp's dispatcher is there, and this tcpward was built without libxdp"
	ward a doctor "$A"
	says "... doctor says so, too" "^WARN +xdp-program .*attach cannot join it: this tcpward was built without libxdp"
	is "... and nothing has changed" "$(programs)" "$alone"
}
without_libxdp
if [ "${1:-}" = refused ]; then
	ward a attach "$A" --ingress xdp
	exits "attach by XDP is refused" 4
	says "... with its cause" "cannot attach to '$A' by libxdp's dispatcher: this kernel lets nothing into it that may change frames"
	says "... and what to do" "use --ingress tc, or libxdp 1.5.5 or later"
	is "... and nothing has changed" "$(programs)" "$alone"
	ward a attach "$A"
	exits "attach of itself goes by tc" 0
	says "... says why" "ingress by tc; cannot attach to '$A' by libxdp's dispatcher"
	is "the filter stays alone" "$(programs)" "$alone"
	follow
	must a detach "$A"
	is "after detach it is there" "$(programs)" "$alone"
	filter_works "... and drops"
	exit
fi
ward a doctor "$A"
says "doctor: whom attach would join" "^OK +xdp-program .*libxdp's dispatcher, with '?xdpfilt"

ward a attach "$A" --ingress xdp
exits "attach" 0
says "... says beside whom" "by libxdp's dispatcher, beside 'xdpfilt"
is "both are there, the filter first" "$(programs)" "${alone}ward_xdp "
ward a status
says "status tells how" "ingress by +xdp"
follow

# ---- SYN cookies, and another build ----
answers_by_cookies() {
	local served good flavour=kernel
	grep -qw bpf_sk_assign_tcp_reqsk /proc/kallsyms && flavour=own
	cat >"$work/cookies.yaml" <<-END
		version: 1
		mode: enforce
		syncookie: {flavour: $flavour, rate: 500k/s, set-sysctls: true}
		services:
		  - name: tested
		    match: {dport: 9100}
		    new: {rate: 1/h, burst: 1, then: syncookie}
	END
	# XDP_TX over a veth reaches a peer that runs XDP itself
	on b ip link set dev "$B" xdp obj "$BIN/pass.bpf.o" sec xdp.frags || fail "a program that passes all at the peer" "see above"
	ward a policy apply "$work/cookies.yaml"
	exits "cookies by the dispatcher: a policy" 0
	[ $code = 0 ] || return
	start a "$BIN/options" serve 9100 || return
	served=$pid
	on b timeout 10 "$BIN/options" connect 192.0.2.1 9100 3 >/dev/null 2>&1
	good=$(counter a "$A" cookies-good)
	on b timeout 30 "$BIN/options" connect 192.0.2.1 9100 10 bytes 1000 >"$work/connects" 2>&1
	is "cookies by the dispatcher: connections that carry their bytes" "$(sed -n 's/^done //p' "$work/connects")" 10
	is "... each opened by a cookie" $(($(counter a "$A" cookies-good) - good)) 10
	stop "$served"
}
upgrade() {
	local holder holder_log flows old
	flows() { flows_json a "$A" "dport = 9000 and state established" | sed -n 's/.*"sport":\([0-9]*\).*"start_ns":\([0-9]*\).*/\1 \2/p' | sort; }
	ids() { on a xdp-loader status "$A" | awk '$3 == "ward_xdp" { print $4 }'; }
	start b "$BIN/crowd" hold 192.0.2.1 9000 3 || return
	holder=$pid holder_log=$log
	flows=$(flows) old=$(ids)
	is "upgrade: three flows" "$(wc -l <<<"$flows")" 3
	TCPWARD=$BIN/tcpward-rebuilt ward a attach "$A"
	exits "upgrade: another build takes over" 0
	is "upgrade: both are there, the filter first" "$(programs)" "${alone}ward_xdp "
	expect "upgrade: ours is a new program" "$(ids)" != "$old"
	is "upgrade: flows keep their age" "$(flows)" "$flows"
	kill -USR1 "$holder"
	echoed() { grep -q echoed "$holder_log"; }
	await 10 echoed
	is "upgrade: connections go on" "$(tail -n 1 "$holder_log")" "echoed, 0 failed"
	filter_works "upgrade: xdp-filter still drops"
	if connects b 2 192.0.2.4 192.0.2.1 9000; then fail "upgrade: we still drop" "connected"; else ok "upgrade: we still drop"; fi
	stop "$holder"
}
[ "${1:-}" = upgrade ] && { answers_by_cookies; upgrade; }

ward a doctor "$A"
says "doctor: ours beside another" "^OK +xdp-program .*tcpward's own, by libxdp's dispatcher, beside 'xdpfilt"
ward a detach "$A"
exits "detach" 0
is "the other stays" "$(programs)" "$alone"
filter_works "... and drops"
is "our pins are gone" "$(ls "$PINS" 2>/dev/null)" ""

# ---- a run that is killed: its guardian leaves the other there ----
launch a "$TCPWARD" run "$A" --ingress xdp
joined() { programs | grep -q ward_xdp; }
await "${WARD_PATIENCE_S:-60}" joined && ok "run joins it, too" || fail "run joins it, too" "$(tail -n 2 "$log")"
stop "$pid" KILL
left() { ! joined && [ -z "$(ls "$PINS" 2>/dev/null)" ]; }
await 20 left && ok "killed, it is taken out" || fail "killed, it is taken out" "$(programs)$(ls "$PINS")"
is "... and the other stays" "$(programs)" "$alone"
on a xdp-filter unload "$A" >/dev/null 2>&1
is "xdp-filter unloads as ever" "$(on a ip link show dev "$A" | grep -o 'xdp.*')" ""
