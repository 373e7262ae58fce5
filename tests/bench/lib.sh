# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# lib: what the benches of whole hosts share: devices with XDP programs of their own, counters of whoever answers, the guards'
# rules. Source it first; it sources tests/net/lib.sh.
. "$(dirname "$0")/../net/lib.sh"

# ---- devices ----
link_address() { # host device
	on "$1" ip -o link show "$2" | sed -n 's/.*link.ether \([^ ]*\).*/\1/p'
}
xdp() { # host device program
	"$BPFTOOL" prog load "build/tests/$3.bpf.o" "/sys/fs/bpf/$3$ID" type xdp || return
	on "$1" "$BPFTOOL" net attach xdpdrv pinned "/sys/fs/bpf/$3$ID" dev "$2" overwrite
	rm "/sys/fs/bpf/$3$ID"
}
no_xdp() { # host device
	on "$1" "$BPFTOOL" net detach xdpdrv dev "$2"
}

# ---- counters ----
frames_in() { # host device: frames that came in at it
	on "$1" awk -v dev="$2:" '$1 == dev { print $3 }' /proc/net/dev
}
frames_out() { # host device
	on "$1" awk -v dev="$2:" '$1 == dev { print $11 }' /proc/net/dev
}
kernel_counter() { # host group name: of /proc/net/netstat or /proc/net/snmp, as TcpExt SyncookiesSent
	on "$1" awk -v group="$2:" -v want="$3" '$1 != group { n = 0; next }
		!n { for (i = 1; i <= NF; i++) name[i] = $i; n = 1; next }
		{ for (i = 1; i <= NF; i++) if (name[i] == want) print $i; exit }' /proc/net/netstat /proc/net/snmp
}
synproxy_syns() { # host
	local entries syns more sum=0
	while read -r entries syns more; do
		[ "$entries" = entries ] || sum=$((sum + 16#$syns))
	done < <(on "$1" cat /proc/net/stat/synproxy)
	echo $sum
}

# ---- the guards' rules ----
synproxy_rules() { # host ports, as "443" or "{ 80, 443 }": SYN cookies by nft, as its documentation has it
	on "$1" sysctl -q -w net.netfilter.nf_conntrack_tcp_loose=0
	on "$1" nft "add table ip guard
		add chain ip guard raw { type filter hook prerouting priority raw; }
		add rule ip guard raw tcp dport $2 tcp flags syn notrack
		add chain ip guard in { type filter hook input priority filter; }
		add rule ip guard in tcp dport $2 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
		add rule ip guard in ct state invalid drop"
}
cookie_policy() { # answers a flood's SYNs at port 443 by cookies of its own
	cat <<-END
		version: 1
		mode: enforce
		syncookie: {flavour: own, rate: 10M/s}
		services:
		  - name: web
		    match: {dport: [443]}
		    half-open: {enter: 25%, leave: 12%, min: 128, then: syncookie}
	END
}
