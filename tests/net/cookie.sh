#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# cookie: real connections whose SYNs were answered with SYN cookies: what they bring over, what passes to the stack instead,
# and what floods and forgeries come to.
. "$(dirname "$0")/lib.sh"
a=$(dev a) b=$(dev b)
host server client
wire server "$a" 10.30.0.1/24 client "$b" 10.30.0.2/24
on server ip addr add 2001:db8:30::1/64 dev "$a" nodad
on client ip addr add 2001:db8:30::2/64 dev "$b" nodad

# XDP_TX over a veth reaches a peer that runs XDP itself
xdp client "$b" pass || { skip cookie "no XDP on a veth"; exit 0; }

# Every SYN to these ports is answered by a cookie, but the first two of each address and port: one makes its account,
# and one is within the rate
cookies() { # flavour rate ports [more of "syncookie:"]
	cat >"$work/cookies.yaml" <<-EOF
		version: 1
		mode: enforce
		syncookie: {flavour: $1, rate: $2${4:+, $4}}
		services:
		  - name: tested
		    match: {dport: [$3]}
		    new: {rate: 1/h, burst: 1, then: syncookie}
	EOF
	must server policy apply --name "$a" "$work/cookies.yaml"
}
first() { # port...: the SYNs that are not answered by a cookie
	local one
	for one in "$@"; do
		on client timeout 10 "$BIN/options" connect 10.30.0.1 "$one" 3 >"$work/first" 2>&1
		on client timeout 10 "$BIN/options" connect 2001:db8:30::1 "$one" 3 >"$work/first" 2>&1
	done
}
count() { # name
	counter server "$a" "$1"
}
connects() { # name count address words...: all of them succeed, each opened by a cookie
	local name=$1 n=$2 before good
	before=$(count cookies-good)
	on client timeout 120 "$BIN/options" connect "$3" "$port" "$n" "${@:4}" >"$work/connects" 2>&1
	good=$(sed -n 's/^done //p' "$work/connects")
	is "$name: $n connections" "$good" "$n"
	is "$name: by cookies" $(($(count cookies-good) - before)) "$n"
}
options_are() { # name log field=value...: of the last line
	local name=$1 line word
	line=$(grep '^options' "$2" | tail -n 1)
	for word in "${@:3}"; do
		[[ " $line " == *" $word "* ]] || { fail "$name" "no $word in: $line"; return; }
	done
	ok "$name: ${*:3}"
}
sysctls() { # host name=value...
	on "$1" sysctl -q -w "${@:2}"
}

must server attach "$a" --ingress xdp
port=80
start server "$BIN/options" serve 80 && served=$log
start server "$BIN/options" serve 81 first

# ---- cookies of our own ----
own_cookies() {
	connects "own, IPv4" 300 10.30.0.1 bytes 100
	connects "own, IPv6" 300 2001:db8:30::1 bytes 100
	connects "own, a megabyte" 3 10.30.0.1 bytes 1000000
	is "none was refused" "$(count cookies-refused)" 0
	is "none was taken for bad" "$(count cookies-bad)" 0
	ward server flows state all --name "$a"
	says "the flow says so" 'ShADadFf.*COOKIE'
	verify_on server "$a" "flows are as the stack has them"
}

both_ends() { # name field=value...: the last connection, at either end; what one scales the other knows
	local client server
	options_are "$1, client" "$work/connects" "${@:2}"
	options_are "$1, server" "$served" "${@:2}"
	client=$(sed -n 's/.*snd=\([0-9]*\) rcv=\([0-9]*\).*/\1 \2/p' "$work/connects" | tail -n 1)
	server=$(sed -n 's/.*snd=\([0-9]*\) rcv=\([0-9]*\).*/\2 \1/p' "$served" | tail -n 1)
	is "$1: window scales" "$client" "$server"
}

option_cases() { # flavour, MSS that it makes of 1300
	connects "$1: all options" 1 10.30.0.1
	both_ends "$1: all options" mss=1448 ws=1 sack=1 ts=1
	sysctls client net.ipv4.tcp_rmem="4096 16384 32768" net.ipv4.tcp_wmem="4096 16384 262144"
	sysctls client net.ipv4.tcp_sack=0
	connects "$1: small windows, no SACK" 1 10.30.0.1
	both_ends "$1: small windows, no SACK" ws=1 sack=0 ts=1
	sysctls client net.ipv4.tcp_sack=1 net.ipv4.tcp_window_scaling=0
	connects "$1: no window scale" 1 10.30.0.1
	both_ends "$1: no window scale" ws=0 sack=1 ts=1 snd=0 rcv=0
	sysctls client net.ipv4.tcp_window_scaling=1 net.ipv4.tcp_ecn=1
	connects "$1: ECN" 1 10.30.0.1
	both_ends "$1: ECN" ecn=1 ws=1 sack=1 ts=1
	sysctls client net.ipv4.tcp_ecn=2
	connects "$1: MSS 1300" 1 10.30.0.1 mss 1300
	options_are "$1: MSS 1300" "$served" "mss=$2" # less 12 for time stamps
}

# ---- what goes to the stack ----
time_wait() {
	local sent good
	sent=$(count cookies-sent)
	on client timeout 60 "$BIN/options" connect 10.30.0.1 81 60 port 40000 bytes 10 first >"$work/connects" 2>&1
	good=$(sed -n 's/^done //p' "$work/connects")
	is "one port, again and again into TIME-WAIT" "$good" 60
	expect "... the stack answered into TIME-WAIT" $(($(count cookies-sent) - sent)) -le 10
}
# The stack is not asked about SYNs of which the tracker has no record, if it should know them all. One CPU: what is known of a
# listener is kept by each, for a tick; the flood keeps it known.
knows() { # 0 or 1; prints what was so
	on server "$BIN/cookies" "$a" knows "$1"
}
reused() { # first port, as many: how many of them connect, which may have connected before
	local port good=0
	for port in $(seq "$1" $(($1 + $2 - 1))); do
		on client timeout 5 taskset -c 0 "$BIN/options" connect 10.30.0.1 81 1 port "$port" bytes 10 first 2>&1 | grep -q '^done 1' && good=$((good + 1))
	done
	echo $good
}
reused_under_flood() { # first port, as many
	launch client taskset -c 0 "$BIN/flood" "$b" "$(on server ip -o link show "$a" | first_of link/ether)" 10.30.0.1 81 10.99.0.0 65536 1 30 100000
	sleep 0.5
	reused "$@"
	stop "$pid"
}
begin_again() { # words of attach
	must server attach "$a" --ingress xdp "$@"
	cookies own 500k/s 80-83
	first 80 81
}
time_wait_unasked() {
	is "the tracker knows what the stack knows" "$(knows 1)" knows
	is "used before" "$(reused 41000 60)" 60
	is "TIME-WAIT, the tracker knows: all connect, over a flood" "$(reused_under_flood 41000 60)" 60
	must server detach "$a"
	is "used before it is attached" "$(reused 42000 100)" 100
	begin_again --no-seed
	is "without the kernel's sockets the stack is asked" "$(knows 0)" asks
	is "... and all connect, over a flood" "$(reused_under_flood 42000 10)" 10
	knows 1 >"$work/knows"
	# a listener is known while the flood got this CPU in the same tick: of one in five at the least
	lost=0
	for try in 1 2 3; do # by chance, so more than once
		lost=$((lost + 30 - $(reused_under_flood $((41980 + 30 * try)) 30)))
		[ $lost -gt 0 ] && break
	done
	expect "control: if it were not, some could not" $lost -gt 0
	must server detach "$a"
	begin_again
}
mptcp() {
	if [ ! -d /proc/sys/net/mptcp ]; then
		skip "a listener of Multipath TCP" "this kernel has none"
		return
	fi
	start server "$BIN/options" serve 82 mptcp
	first 82
	local sent mptcp
	sent=$(count cookies-sent) mptcp=$(count cookies-mptcp)
	on client timeout 60 "$BIN/options" connect 10.30.0.1 82 20 bytes 10 >"$work/connects" 2>&1
	is "a listener of Multipath TCP: all connect" "$(sed -n 's/^done //p' "$work/connects")" 20
	is "... without cookies" "$(count cookies-sent)" "$sent"
	is "... and it is counted" $(($(count cookies-mptcp) - mptcp)) 20
}
nobody_listens() {
	first 83
	on client timeout 5 "$BIN/options" connect 10.30.0.1 83 1 >"$work/connects" 2>&1
	expect "nobody listens: the stack refuses" "$(grep -c 'refused' "$work/connects")" = 1
	expect "... and it is counted" "$(count cookies-no-listener)" -ge 1
	is "... with its port" "$(on server "$BIN/cookies" "$a")" "own 83"
	ward server status --name "$a"
	says "... and status tells" 'unprotected ports +83 '
	says "... and which cookies" 'SYN cookies +own'

}

# ---- floods ----
forged_acks() { # name
	local bad good lines
	bad=$(count cookies-bad) good=$(count cookies-good) lines=$(grep -c ^options "$served")
	on client "$BIN/raw" send 10.31.0.1 1024 10.30.0.1 80 A count=100000 addresses=50 ports=2000 seq=12345 ack=987654321 >"$work/raw"
	await 10 [ "$(($(count cookies-bad) - bad))" -ge 99000 ]
	expect "$1: 100,000 forged ACKs are dropped" $(($(count cookies-bad) - bad)) -ge 99000
	is "$1: none is taken for good" "$(count cookies-good)" "$good"
	is "$1: no connection came of them" "$(grep -c ^options "$served")" "$lines"
	connects "$1: after the forgeries" 20 10.30.0.1 bytes 10
}
syn_flood() {
	local sent rate
	cookies own 20k/s 80-83 "burst: 2000"
	sent=$(count cookies-sent) rate=$(count cookies-beyond-rate)
	on client timeout 20 "$BIN/flood" "$b" "$(on server ip -o link show "$a" | first_of link/ether)" 10.30.0.1 80 10.99.0.0 65536 1 2 100000 >"$work/flood" 2>&1
	sent=$(($(count cookies-sent) - sent)) rate=$(($(count cookies-beyond-rate) - rate))
	# 20,000 a second, and a flood of 100,000 for about two seconds
	expect "a flood is answered" "$sent" -gt 10000
	expect "... but not beyond the rate" "$sent" -lt 60000
	expect "... and what is beyond is counted" "$rate" -gt 20000
	is "... and none of it is an embryo" "$(on server "$TCPWARD" flows state SYN-SENT --name "$a" -j | grep -o 10.99 | wc -l)" 0
	cookies own 500k/s 80-83
	connects "after the flood" 20 10.30.0.1 bytes 10
}

# ---- the kernel's cookies ----
kernel_cookies() {
	sysctls server net.ipv4.tcp_syncookies=1 net.ipv4.tcp_timestamps=1
	cookies kernel 500k/s 80-83 "set-sysctls: true"
	is "the settings are made" "$(on server sysctl -n net.ipv4.tcp_syncookies net.ipv4.tcp_timestamps | xargs)" "2 2"
	connects "kernel, IPv4" 300 10.30.0.1 bytes 100
	connects "kernel, IPv6" 300 2001:db8:30::1 bytes 100
	option_cases kernel 1288
	forged_acks kernel
	rules_of_the_host kernel
	printf 'version: 1\nmode: enforce\n' >"$work/empty.yaml"
	must server policy apply --name "$a" "$work/empty.yaml"
	must server policy apply --name "$a" "$work/empty.yaml" # twice: the first could bring back the one before it
	is "no policy with cookies: they are off" "$(on server "$BIN/cookies" "$a" | cut -d' ' -f1)" off
	is "the settings are put back" "$(on server sysctl -n net.ipv4.tcp_syncookies net.ipv4.tcp_timestamps | xargs)" "1 1"
	connects_plain=$(on client "$BIN/options" connect 10.30.0.1 80 5 | sed -n 's/^done //p')
	is "cookies off: the stack answers" "$connects_plain" 5
}

# ---- the host's own rules ----
rules() { # lines of the chain
	on server nft -f - <<-EOF
		table inet filter
		delete table inet filter
		table inet filter {
			chain input {
				type filter hook input priority 0; policy ${policy:-accept};
				$1
			}
		}
	EOF
}
apply_again() {
	ward server policy apply --name "$a" "$work/cookies.yaml"
}
rules_of_the_host() { # flavour
	local kills='ct state new tcp flags & (fin|syn|rst|ack) != syn drop' mends='tcp flags & (syn|rst|ack) == ack tcp dport 80-83 accept'
	rules "ct state established accept" || { skip "the host's own rules" "no nft with conntrack"; return; }
	apply_again
	exits "$1: a harmless rule set" 0
	rules "$kills"
	apply_again
	exits "$1: a rule that kills cookie connections: apply is refused" 1
	says "... and says why" "SYN cookies would not work on '$a': a firewall rule drops the ACK"
	handle=$(on server nft -a list chain inet filter input | sed -n 's/.*drop # handle //p')
	says "... and which rule, most likely" "\(most likely in table inet filter, chain input: rule with handle $handle\)"
	mend=$(sed -n "s/.*\(nft insert rule .* accept'\)\$/\1/p" "$work/err")
	is "... and names the rule that mends it" "$mend" \
		"nft insert rule inet filter input handle $handle 'tcp flags & (syn|rst|ack) == ack tcp dport 80-82 accept'"
	expect "... rightly" "$(on client timeout 10 "$BIN/options" connect 10.30.0.1 80 1 bytes 10 | sed -n 's/^done //p')" = 0
	on server bash -c "$mend" # as it is told, word for word, by a shell
	apply_again
	exits "... with which it is applied" 0
	policy=drop rules "ct state established accept; tcp flags & (fin|syn|rst|ack) == syn accept"
	apply_again
	says "$1: a chain's policy: which chain" "most likely in table inet filter, chain input: its policy is drop"
	says "... and what mends it" "nft add rule inet filter input 'tcp flags .* accept'\$"
	rules "$mends; $kills"
	connects "$1: with the rule that mends it" 20 10.30.0.1 bytes 10
	rules "ct state invalid drop; ct state established accept"
	sysctls server net.netfilter.nf_conntrack_tcp_loose=0
	apply_again
	exits "$1: nf_conntrack_tcp_loose is 0: apply is refused" 1
	says "... and says so" 'sysctl -w net.netfilter.nf_conntrack_tcp_loose=1'
	sysctls server net.netfilter.nf_conntrack_tcp_loose=1
	policy=drop rules "ct state established,related accept; tcp dport 80-83 accept"
	apply_again
	exits "$1: a firewall that is closed but for the service" 0
	says "... is not judged by a port that is shut" 'could not be tested: the firewall lets nothing in to port'
	on server nft delete table inet filter
	apply_again
	exits "$1: without rules" 0
}

if grep -qw bpf_sk_assign_tcp_reqsk /proc/kallsyms; then
	cookies own 500k/s 80-83
	first 80 81
	own_cookies
	option_cases own 1188
	time_wait
	time_wait_unasked
	mptcp
	nobody_listens
	forged_acks own
	syn_flood
	rules_of_the_host own
else
	skip "cookies of our own" "this kernel has no bpf_sk_assign_tcp_reqsk()"
	cookies kernel 500k/s 80-83 "set-sysctls: true"
	first 80
fi
kernel_cookies
ward server detach "$a"
exits "detach" 0
