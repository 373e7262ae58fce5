#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# cookie_places: where SYN cookies would end connections instead of saving them: a veth whose peer runs no XDP, a port that NAT sends
# elsewhere, cookies of our own beside NAT. Such a policy is refused, and clients go on connecting; or it is made to work.
. "$(dirname "$0")/lib.sh"
a=$(dev a) b=$(dev b) c=$(dev c) d=$(dev d) t=$(dev t)
host server client box
wire server "$a" 10.30.0.1/24 client "$b" 10.30.0.2/24
wire server "$c" 10.40.0.1/24 box "$d" 10.40.0.2/24
on box ip route add default via 10.40.0.1
on server sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.tcp_syncookies=1 net.ipv4.tcp_timestamps=1

# Every SYN to port 80 is answered by a cookie, but the first two
policy() { # flavour
	cat >"$work/cookies.yaml" <<-EOF
		version: 1
		mode: enforce
		syncookie: {flavour: $1, rate: 500k/s, set-sysctls: true}
		services:
		  - name: tested
		    match: {dport: [80]}
		    new: {rate: 1/h, burst: 1, then: syncookie}
	EOF
}
apply() { # flavour [device]
	policy "$1"
	ward server policy apply --name "${2:-$a}" "$work/cookies.yaml"
}
connects() { # name count [address [device]]: all succeed, and all but the first two by a cookie
	local name=$1 n=$2 before good
	before=$(counter server "${4:-$a}" cookies-good)
	good=$(on client timeout 60 "$BIN/options" connect "${3:-10.30.0.1}" 80 "$n" bytes 100 2>&1 | sed -n 's/^done //p')
	is "$1: $n connections" "$good" "$n"
	expect "$1: by cookies" $(($(counter server "${4:-$a}" cookies-good) - before)) -ge $((n - 2))
}
refused() { # name cause remedy [exit code]
	exits "$1: apply is refused" "${4:-1}"
	says "$1: the cause" "^tcpward: .*$2"
	says "$1: the way out" "$3"
	is "$1: clients connect" "$(on client timeout 20 "$BIN/options" connect 10.30.0.1 80 5 bytes 10 2>&1 | sed -n 's/^done //p')" 5
}
nat() { # rule
	on server nft -f - <<-EOF
		table ip tested
		delete table ip tested
		table ip tested {
			chain before {
				type nat hook prerouting priority -100
				$1
			}
		}
	EOF
}
has_own=$(grep -cw bpf_sk_assign_tcp_reqsk /proc/kallsyms)
start server "$BIN/options" serve 80
start box "$BIN/options" serve 80

# ---- a veth whose peer runs no XDP ----
must server attach "$a" --ingress xdp
for flavour in auto kernel; do
	apply $flavour
	refused "no XDP at the peer, $flavour" "cannot answer SYNs with cookies on '$a': its peer runs no XDP program" \
		"tcpward detach $a; tcpward attach $a --ingress xdp-generic" 4
done
ward server doctor "$a"
says "doctor says it beforehand" "cookie-answer .*its peer runs no XDP"
must server detach "$a"
for flavour in kernel ${has_own/0/}; do
	must server attach "$a" --ingress xdp-generic
	apply "${flavour/1/own}"
	exits "generic XDP, ${flavour/1/own}" 0
	connects "generic XDP, ${flavour/1/own}" 20
	must server detach "$a"
done
policy auto
ward server attach "$a" --policy "$work/cookies.yaml"
exits "attach --policy" 0
says "... chooses generic XDP itself, and says why" "'?$a'?: ingress by generic XDP, for SYN cookies: its peer runs no XDP program"
connects "... which works" 20
must server detach "$a"
ward server attach "$a" --ingress xdp --policy "$work/cookies.yaml"
exits "attach --ingress xdp --policy is refused" 4
says "... and says why" "its peer runs no XDP program"

# ---- ports without a listener ----
start server "$BIN/options" serve 84
must server attach "$a" --ingress xdp-generic
policy kernel
sed -i 's/dport: .*/dport: [80, 81-90, 443]}/' "$work/cookies.yaml"
ward server policy apply --name "$a" "$work/cookies.yaml"
exits "some ports without a listener" 0
says "... are named" "nobody listens on port 81-83, 85-90, 443 of service 'tested': SYNs to it are not answered"
apply kernel
exits "no port without a listener" 0
is "... and none is named" "$(grep -c 'nobody listens' "$work/err")" 0
must server detach "$a"

# ---- NAT ----
xdp client "$b" pass || { skip "cookies and NAT" "no XDP on a veth"; exit 0; }
nat "tcp dport 9 redirect to :10" || { skip "cookies and NAT" "no nft with NAT"; exit 0; }
must server attach "$a" --ingress xdp
ward server doctor "$a"
says "doctor says what NAT does to cookies" "cookie-(nat .*chain 'before' of table 'tested'|forward)"
nat "iifname $a tcp dport 80 dnat to 10.40.0.2"
for flavour in auto kernel; do
	apply $flavour
	refused "DNAT over a local listener, $flavour" "would end every connection to '10.30.0.1:80' on '$a': a NAT rule" "drop-first-syn"
done
start server "$BIN/options" serve 8080
nat "iifname $a tcp dport 80 redirect to :8080"
apply kernel
refused "a redirect over a local listener" "would end every connection to '10.30.0.1:80' on '$a': a NAT rule" "drop-first-syn"
nat "iifname $a meta l4proto tcp redirect to :8080"
apply auto
refused "all ports are redirected" "would end every connection to '10.30.0.1:80' on '$a': a NAT rule" "drop-first-syn"
nat "tcp dport 9 redirect to :10"
if [ "$has_own" != 0 ]; then
	apply own
	refused "own cookies beside NAT" "SYN cookies of our own do not work on '$a': beside NAT .chain 'before' of table 'tested'" "flavour: kernel"
	apply auto
	exits "auto beside NAT" 0
	says "... takes the kernel's, and says so" "beside NAT .* the kernel's are used instead"
	is "... which is so" "$(on server "$BIN/cookies" "$a" | cut -d' ' -f1)" kernel
	on server nft "add table inet filter; add chain inet filter in { type filter hook input priority 0; policy drop; }; \
		add rule inet filter in tcp dport 80 accept"
	apply own
	exits "own cookies beside NAT, all other ports shut: refused" 1
	on server nft delete table inet filter
fi
apply kernel
exits "the kernel's beside NAT" 0
connects "the kernel's beside NAT" 20
on server nft delete table ip tested
must server detach "$a"

# ---- frames without an Ethernet header ----
launch server "$BIN/tunnel" "/run/netns/tw-$ID-server" "$t" "/run/netns/tw-$ID-client" "$t"
if await 5 says_ready "$log"; then
	address server "$t" 10.50.0.1/24
	address client "$t" 10.50.0.2/24
	for flavour in kernel ${has_own/0/}; do
		must server attach "$t" --ingress xdp-generic
		apply "${flavour/1/own}" "$t"
		exits "tun, ${flavour/1/own}" 0
		connects "tun, ${flavour/1/own}" 20 10.50.0.1 "$t"
		must server detach "$t"
	done
else
	skip "tun" "no tun devices"
fi
