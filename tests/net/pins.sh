#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# pins: what is pinned can be read by everybody's tools: named fields, readable states, BTF, one line a flow.
. "$(dirname "$0")/lib.sh"
A=$(dev a)
[ -n "$BPFTOOL" ] || { skip pins "no bpftool"; exit 0; }

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
on a ip addr add 2001:db8::1/64 dev "$A" nodad
on b ip addr add 2001:db8::2/64 dev "$(dev b)" nodad
start b "$BIN/crowd" serve 9000 || exit
must a attach "$A"
start a "$BIN/crowd" load 192.0.2.2 9000 5 1 insih || exit
start a "$BIN/crowd" load 2001:db8::2 9000 1 1 i || exit
dir=$PINS/$A

is "the folder is for root alone" "$(stat -c %a "$dir")" 700
for name in flows syns present embryos counters gauges instance control events scratch; do
	"$BPFTOOL" -j map show pinned "$dir/$name" >"$work/out" 2>&1 && [ "$(member name <"$work/out")" = $name ] &&
		ok "map $name" || fail "map $name" "$(head -n 1 "$work/out")"
	case $name in
	events) ;; # a map of maps: its values have none
	*) expect "map $name has BTF" "$(member btf_id <"$work/out")" -gt 0 ;;
	esac
done
for name in ward_xdp ward_tc_ingress ward_tc_egress ward_sweep; do
	"$BPFTOOL" -j prog show pinned "$dir/$name" >"$work/out" 2>&1 && [ "$(member name <"$work/out")" = $name ] &&
		ok "program $name" || fail "program $name" "$(head -n 1 "$work/out")"
	expect "program $name has BTF" "$(member btf_id <"$work/out")" -gt 0
done
for name in ingress egress; do
	"$BPFTOOL" -j link show pinned "$dir/link_${A}_$name" >"$work/out" 2>&1
	expect "link of $name" "$(member prog_id <"$work/out")" -gt 0
done

"$BPFTOOL" map dump pinned "$dir/flows" >"$work/out" 2>"$work/err"
is "the table: six flows" "$(grep -c '"key": {' "$work/out")" 6
says "states by name" '"state": \["ESTABLISHED","ESTABLISHED"'
says "... the closed ones' too" '"TIME_WAIT"'
says "ports as numbers in host order" '"[ab]_port": 9000'
says "addresses" '"a_addr": \[0,0,0,0,0,0,0,0,0,0,255,255,192,0,2,1$'
says "the history as text" '"history": "ShAD'
for field in prev half nxt pkts bytes redge win flags start_ns since_ns isn rtt_syn_ns orig end_reason vlan iface; do
	grep -q "\"$field\":" "$work/out" || fail "field $field" "not in the dump"
done
"$BPFTOOL" map lookup pinned "$dir/instance" key 0 0 0 0 >"$work/out" 2>&1
says "the instance: whose tables these are" "\"name\": \"$A\""
"$BPFTOOL" map dump pinned "$dir/gauges" >"$work/out" 2>&1
says "gauges have names" '"tombstones": '

if [ -e "$dir/flows_text" ]; then
	cat "$dir/flows_text" >"$work/out" 2>"$work/err"
	is "flows_text: a line a flow" "$(grep -c 9000 "$work/out")" 6
	says "flows_text: IPv4" '192\.0\.2\.1[: ][0-9]+ .*192\.0\.2\.2[: ]9000 .*ESTABLISHED.*ESTABLISHED'
	says "flows_text: IPv6" '2001:db8:.*ESTABLISHED'
	says "flows_text: closed ones" 'TIME-WAIT'
	sed 's/^/# /' "$work/out" | head -n 3
else
	skip "flows_text: a line a flow" "no iterator over a map: this kernel has no tracing programs"
fi
must a detach "$A"
[ -e "$dir" ] && fail "nothing is left of it" "$dir" || ok "nothing is left of it"
