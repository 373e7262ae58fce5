# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# guest-watch: in a guest of tests/vm. All programs load; the conformance vectors pass through them; attached by XDP and by tc, a
# handshake and a close are followed, a block list and a rule drop, detach leaves nothing; SYN cookies of each flavour open
# connections; tables larger than the memory are refused. What need not be seen in each kernel goes by words: "generic": by
# generic XDP, too; "clsact": by that, too, where there is tcx; "upgrade": other builds take over meanwhile; "clock": the guest's
# clock is set back and ahead.
#
# Lines "# loads ..." are what tests/vm/table makes docs/kernels.md of.
. "$(dirname "$0")/../net/lib.sh"
A=$(dev a) B=$(dev b)
FIRST_PORT=9000
VERIFIED_MOST=400000 # instructions; the kernel gives up at a million

milliseconds() {
	echo $((${EPOCHREALTIME/[.,]/} / 1000))
}
traces() {
	on a tc qdisc show dev "$A"
	on a tc filter show dev "$A" ingress 2>/dev/null
	on a tc filter show dev "$A" egress 2>/dev/null
	on a ip link show dev "$A" | grep -o 'xdp.*'
	ls "$PINS" /run/tcpward 2>/dev/null | grep "$A"
	grep -l '^tcpward' /proc/[0-9]*/comm 2>/dev/null
}
nothing_left() {
	[ "$(traces)" = "$before" ]
}
count() { # counter
	counter a "$A" "$1"
}

echo "# Linux $(uname -r)"
host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
for i in 3 4; do on b ip addr add "192.0.2.$i/24" dev "$B"; done
# XDP_TX over a veth reaches a peer that runs XDP itself
on b ip link set dev "$B" xdp obj "$BIN/pass.bpf.o" sec xdp.frags || fail "a program that passes all at the peer" "see above"
port=$FIRST_PORT
before=$(traces)
ward a doctor "$A"
exits "doctor: this kernel has all that is needed" 0
grep -q ' no tcx ' "$work/out" && no_tcx=1

# ---- more than this kernel can give ----
# First by what /proc/meminfo says; then the kernel itself says no, where /proc/meminfo has it wrong. What fits is attached below.
too_much() { # name, pattern of the message, pattern of the way out
	ward a attach "$A" --flows 4000000
	exits "$1: attach" 1
	is "$1: one line" "$(grep -c '^tcpward' "$work/err")" 1
	says "$1: the message" "^tcpward: $2"
	says "$1: the way out" "$3"
	if await 5 nothing_left; then ok "$1: nothing is left"; else fail "$1: nothing is left" "$(traces | tr '\n' ' ')"; fi
}
too_much "no memory for --flows" "--flows 4000000, --embryos .*: the tables need 1[0-9]{3} MiB, [0-9]{3} MiB are available" "--flows [0-9]{6,7} fits"
echo "MemAvailable: 64000000 kB" >"$work/meminfo"
mount --bind "$work/meminfo" /proc/meminfo
too_much "the kernel has no memory for --flows" \
	"cannot make the map 'flows' of 4000000 elements, 1[0-9]{9} bytes: Cannot allocate memory" "use a smaller --flows"
umount /proc/meminfo

# ---- what the verifier says ----
verified() { # way: of what has been attached
	local most
	"$BIN/verified" "$PINS/$A" >"$work/verified"
	[ -n "${loads_told:-}" ] || awk '{ printf "# loads: %s %d %d\n", $1, $2, $3 }' "$work/verified"
	loads_told=1
	most=$(awk '$3 > n { n = $3 } END { print n + 0 }' "$work/verified")
	expect "$1: the verifier walks some instructions of each program" "$most" -gt 0
	expect "$1: ... and no more than $VERIFIED_MOST" "$most" -le $VERIFIED_MOST
}

# ---- one connection, from SYN to the last ACK, and one that stays ----
follow() { # way
	local how=$1 flow server
	start b "$BIN/crowd" serve $port || return
	server=$pid
	start a "$BIN/crowd" load 192.0.2.2 $port 1 1 n || return
	flow=$(flows_json a "$A" "dport = $port and state all")
	is "$how: one flow" "$(grep -c . <<<"$flow")" 1
	is "$how: closed by its originator" "$(member orig_state <<<"$flow")/$(member resp_state <<<"$flow")" TIME-WAIT/CLOSED
	is "$how: both ends confirmed" "$(member orig_confirmed <<<"$flow")$(member resp_confirmed <<<"$flow")" truetrue
	is "$how: its bytes" "$(member orig_bytes <<<"$flow")/$(member resp_bytes <<<"$flow")" 300/5000
	is "$how: conn_state" "$(member conn_state <<<"$flow")" SF
	is "$how: stat counts its segments" "$(($(count rx-segments) + $(count tx-segments)))" \
		$(($(member orig_pkts <<<"$flow") + $(member resp_pkts <<<"$flow")))
	is "$how: stat counts the flow" "$(count flows-new)" 1

	start a "$BIN/crowd" hold 192.0.2.2 $port 1 || return
	is "$how: an open connection" \
		"$(flows_json a "$A" "dport = $port" | grep -c '"orig_state":"ESTABLISHED","resp_state":"ESTABLISHED"')" 1
	verify_on a "$A" "$how: the sockets agree"
	stop "$pid"
	stop "$server"
}

# ---- two who must not, one who may ----
cat >"$work/drop.yaml" <<END
version: 1
mode: enforce
rules:
  - {name: unwanted, match: {saddr: 192.0.2.3}, action: drop}
END
drops_by() { # reason
	on a "$TCPWARD" stat -j --name "$A" | grep -o '"dropped":{[^}]*}' | member "$1"
}
enforce() { # way: each of the two tries long enough to send a second SYN
	local server rule listed rule_log listed_log end
	start a "$BIN/crowd" serve $port || return
	server=$pid
	must a policy apply --name "$A" "$work/drop.yaml"
	must a block add 192.0.2.4 --name "$A"
	launch b "$BIN/crowd" load 192.0.2.1 $port 1 1 n 192.0.2.3 1
	rule=$pid rule_log=$log
	launch b "$BIN/crowd" load 192.0.2.1 $port 1 1 n 192.0.2.4 1
	listed=$pid listed_log=$log
	end=$(($(milliseconds) + 1300))
	if connects b 10 192.0.2.2 192.0.2.1 $port; then ok "$1: others connect"; else fail "$1: others connect" "$(cat "$log")"; fi
	while [ "$(milliseconds)" -lt $end ]; do sleep 0.1; done
	expect "$1: a rule drops" "$(drops_by rule)" -gt 0
	expect "$1: the block list drops" "$(drops_by block-list)" -gt 0
	if has_connected "$rule_log"; then fail "$1: that client cannot connect" "it did"; else ok "$1: that client cannot connect"; fi
	if has_connected "$listed_log"; then fail "$1: nor can the blocked" "it did"; else ok "$1: nor can the blocked"; fi
	must a block flush --name "$A"
	stop "$rule"
	stop "$listed"
	stop "$server"
}

# ---- SYN cookies ----
# Every SYN is answered by one, but the first two of an address: one makes its account, and one is within the rate.
cookies() { # flavour
	local good served
	port=$((port + 1))
	cat >"$work/cookies.yaml" <<-END
		version: 1
		mode: enforce
		syncookie: {flavour: $1, rate: 500k/s, set-sysctls: true}
		services:
		  - name: tested
		    match: {dport: $port}
		    new: {rate: 1/h, burst: 1, then: syncookie}
	END
	ward a policy apply --name "$A" "$work/cookies.yaml"
	exits "cookies, $1: a policy" 0
	[ $code = 0 ] || return
	start a "$BIN/options" serve $port || return
	served=$pid
	on b timeout 10 "$BIN/options" connect 192.0.2.1 $port 3 >/dev/null 2>&1
	good=$(count cookies-good)
	on b timeout 30 "$BIN/options" connect 192.0.2.1 $port 10 bytes 1000 >"$work/connects" 2>&1
	is "cookies, $1: connections that carry their bytes" "$(sed -n 's/^done //p' "$work/connects")" 10
	is "cookies, $1: each was opened by a cookie" $(($(count cookies-good) - good)) 10
	is "cookies, $1: these" "$(on a "$BIN/cookies" "$A" | cut -d' ' -f1)" "$1"
	stop "$served"
}
cookies_of_each_flavour() {
	if grep -qw bpf_sk_assign_tcp_reqsk /proc/kallsyms; then
		cookies own
	else
		skip "cookies, own" "this kernel has no bpf_sk_assign_tcp_reqsk()"
	fi
	cookies kernel
}

# ---- another build takes over ----
hooked() { # ids of our programs
	on a ip link show dev "$A" | grep -o 'prog/xdp id [0-9]*'
	on a tc filter show dev "$A" ingress 2>/dev/null | grep -o 'ward_tc.* id [0-9]*'
	on a tc filter show dev "$A" egress 2>/dev/null | grep -o 'ward_tc.* id [0-9]*'
}
ages() { # of the connections that are held
	flows_json a "$A" "dport = $port and state established" | sed -n 's/.*"sport":\([0-9]*\).*"start_ns":\([0-9]*\).*/\1 \2/p' | sort
}
echoes() { # name: each connection carries data
	local before
	before=$(grep -c echoed "$holder_log")
	kill -USR1 "$holder"
	more() { [ "$(grep -c echoed "$holder_log")" -gt "$before" ]; }
	await 10 more
	is "$1" "$(tail -n 1 "$holder_log")" "echoed, 0 failed"
}
upgrade() { # way build: the hooks keep their number, and all have new programs
	local what="$1: tcpward-$2 takes over" holder holder_log server flows old began
	[ -n "$upgrades" ] || return
	port=$((port + 1))
	start a "$BIN/crowd" serve $port || return
	server=$pid
	start b "$BIN/crowd" hold 192.0.2.1 $port 3 || return
	holder=$pid holder_log=$log
	echoes "$1: connections carry data"
	must a block add 192.0.2.4 --name "$A"
	flows=$(ages) old=$(hooked)
	is "$1: three flows" "$(wc -l <<<"$flows")" 3

	TCPWARD=$BIN/tcpward-$2
	began=$(milliseconds)
	ward a attach "$A"
	exits "$what" 0
	echo "# took over in $(($(milliseconds) - began)) ms: $1"
	is "$what: as many programs" "$(hooked | wc -l)" "$(wc -l <<<"$old")"
	is "$what: none of the old" "$(hooked | grep -cxF "$old")" 0
	[ "$2" = relaid ] || is "$what: flows keep their age" "$(ages)" "$flows"
	echoes "$what: connections go on"
	is "$what: they are followed" "$(ages | wc -l)" 3
	if connects b 2 192.0.2.4 192.0.2.1 $port; then fail "$what: who was blocked is" "connected"; else ok "$what: who was blocked is"; fi
	stop "$holder"
	stop "$server"
}

# ---- the host's clock is set, which no test on the machine itself may do: back by a day, then ahead by two ----
clock_is_set() {
	local holder server flows before=$(date +%s)
	status_of() { on a "$TCPWARD" status -j --name "$A" | member "$1"; }
	new_start() { flows_json a "$A" "dport = $port and state all" | grep '"conn_state":"SF"' | member start_ns; }
	port=$((port + 1))
	start a "$BIN/crowd" serve $port || return
	server=$pid
	start b "$BIN/crowd" hold 192.0.2.1 $port 3 || return
	holder=$pid
	flows=$(ages)
	is "clock: three flows" "$(wc -l <<<"$flows")" 3
	must a block add 192.0.2.3 --for 2s --name "$A"
	must a block add 192.0.2.4 --for 1h --name "$A"
	sed 's/unwanted/unconfirmed/' "$work/drop.yaml" >"$work/unconfirmed.yaml"
	must a policy apply "$work/unconfirmed.yaml" --confirm 3 --name "$A"
	expect "clock: not told where it is right" "$(status_of clock_off_ns)" -lt 1000000000
	date -s "@$((before - 86400))" >/dev/null
	is "clock set back: flows keep their age" "$(ages)" "$flows"
	expect "clock set back: they are not from the future" "$(status_of up_ns)" -lt 1000000000000
	expect "clock set back: status has it" "$(status_of clock_off_ns)" -lt -86000000000000
	ward a status --name "$A"
	says "clock set back: status says so" "host's clock behind by +(1d|24h|23h5).*it was set since the attach"
	back() { on a "$TCPWARD" policy show --name "$A" | grep -q unwanted; }
	if await 20 back; then ok "clock set back: a policy that is not confirmed goes"; else fail "clock set back: it goes" "it is there"; fi
	over() { ! on a "$TCPWARD" block list -H --name "$A" | grep -qF 192.0.2.3; }
	await 20 over
	is "clock set back: what is blocked for 2 s goes, what is for an hour stays" "$(on a "$TCPWARD" block list -H --name "$A" | cut -d' ' -f1)" 192.0.2.4
	date -s "@$((before + 86400))" >/dev/null
	if connects b 10 192.0.2.2 192.0.2.1 $port; then ok "clock set ahead: a connection"; else fail "clock set ahead: a connection" "$(cat "$log")"; fi
	is "clock set ahead: flows keep their age" "$(ages)" "$flows"
	expect "clock set ahead: a new one is younger" "$(new_start)" -gt "$(tail -n 1 <<<"$flows" | cut -d' ' -f2)"
	expect "clock set ahead: ... by less than a day" "$(new_start)" -lt $(((before + 3600) * 1000000000))
	is "clock set ahead: who is blocked for an hour is" "$(on a "$TCPWARD" block list -H --name "$A" | cut -d' ' -f1)" 192.0.2.4
	expect "clock set ahead: it is swept" "$(status_of swept_ago_ns)" -lt 30000000000
	expect "clock set ahead: status has it" "$(status_of clock_off_ns)" -gt 86000000000000
	verify_on a "$A" "clock set ahead: the sockets agree"
	date -s "@$before" >/dev/null
	must a block flush --name "$A"
	stop "$holder"
	stop "$server"
}
has_word() { # of those this script was called with
	[[ " $words " == *" $1 "* ]]
}
words=$*
upgrades=
has_word upgrade && upgrades=1
ours=$TCPWARD

# ---- each way in ----
attach_by() { # words of attach
	local how=$* began
	port=$((port + 1)) # what went before is in TIME-WAIT, and known after an attach
	began=$(milliseconds)
	ward a attach "$A" "$@"
	exits "$how: attach" 0
	[ $code = 0 ] || return
	echo "# loads in $(($(milliseconds) - began)) ms: $how"
	verified "$how"
	follow "$how"
	port=$((port + 1))
	enforce "$how"
}
detach_from() { # way
	ward a detach "$A"
	exits "$1: detach" 0
	if await 5 nothing_left; then ok "$1: nothing is left"; else fail "$1: nothing is left" "$(traces | tr '\n' ' ')"; fi
}
attach_by --ingress xdp
cookies_of_each_flavour
upgrade "--ingress xdp" rebuilt
detach_from "--ingress xdp"
TCPWARD=$ours
if has_word generic; then
	attach_by --ingress xdp-generic
	detach_from "--ingress xdp-generic"
fi
attach_by --ingress tc
has_word clock && clock_is_set
upgrade "--ingress tc" relaid
detach_from "--ingress tc"
TCPWARD=$ours
if [ -z "${no_tcx:-}" ] && has_word clsact; then
	attach_by --ingress tc --clsact
	detach_from "--ingress tc --clsact"
fi

# ---- the vectors ----
"$BIN/test_programs" short
