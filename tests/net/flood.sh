#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# flood: 2^20 spoofed sources flood one service with SYNs, as fast as the generator can; first the service answers them, then
# a filter behind tcpward drops them, which is the faster flood. Meanwhile 200 connections of the same service live and carry
# data, and 500 new ones are made. Nothing of theirs may be lost: record, state, bytes, events; and what is lost of the flood
# is counted.
#
# alone: a rate of SYNs, and two seconds until it is found
. "$(dirname "$0")/lib.sh"
V=$(dev v) W=$(dev w) X=$(dev x) C=$(dev c)
SERVICE=192.0.2.1 PORT=443
HELD=200 NEW=500
SOURCES=1048576
STRIDE=${STRIDE:-389567} # no two of a /24 in a row: as spoofed sources are. 1: one /24 after another

# The service has a line to its clients, and one to the rest of the world.
host v c x
wire v "$V" $SERVICE/24 c "$C" 192.0.2.2/24
wire v "$W" 198.51.100.1/24 x "$X" 198.51.100.2/24
link_address() { # host device
	on "$1" ip -o link show "$2" | sed -n 's/.*link.ether \([^ ]*\).*/\1/p'
}
on v sysctl -q -w net.ipv4.conf.all.rp_filter=0 "net.ipv4.conf.$W.rp_filter=0"
on v ip neigh replace 198.51.100.2 lladdr "$(link_address x "$X")" dev "$W" nud permanent
on v ip route add 10.0.0.0/8 via 198.51.100.2
on x nft "add table ip sink; add chain ip sink in { type filter hook prerouting priority -300; }; \
	add rule ip sink in ip daddr 10.0.0.0/8 drop"
start v "$BIN/crowd" serve $PORT || exit
must v attach "$V" "$W"
start c "$BIN/crowd" hold $SERVICE $PORT $HELD || exit
holder=$pid held=$log
keeper=$(on v "$TCPWARD" -j | member keeper_pid)

# ---- what is looked at ----
resident() { # kB of the keeper
	awk '/VmRSS/ { print $2 }' "/proc/$keeper/status"
}
map_bytes() {
	awk '/^memlock/ { n += $2 } END { print n }' /proc/"$keeper"/fdinfo/*
}
tx_dropped() { # frames that did not get from the generator to the service's device
	on x awk -v dev="$X:" '$1 == dev { print $13 }' /proc/net/dev
}
# Of what `flows` lists: how many of the held connections are open at both ends, with so much data each way.
held_flows() { # bytes of the client, bytes of the server
	flows_json v "$V" "state established and dport = :$PORT and src 192.0.2.0/24" |
		awk -v ours="$1" -v theirs="$2" '
		function member(name) { return match($0, "\"" name "\":[^,}]*") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3) : "" }
		member("orig_state") member("resp_state") == "\"ESTABLISHED\"\"ESTABLISHED\"" && member("orig_confirmed") member("resp_confirmed") == "truetrue" &&
		member("orig_bytes") + 0 >= ours && member("resp_bytes") + 0 >= theirs { n++ }
		END { print n + 0 }'
}
# Of the connections that a watch saw opened: those whose every change was told, from ESTABLISHED to the end of one side.
told_whole() { # log of watch -j
	awk '
	function member(name) { return match($0, "\"" name "\":[^,}]*") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3) : "" }
	function ends(p) { return member(p "orig_state") member(p "resp_state") member(p "orig_confirmed") member(p "resp_confirmed") }
	/"type":"state"/ {
		flow = member("saddr") member("sport")
		if (member("orig_state") member("resp_state") == "\"ESTABLISHED\"\"ESTABLISHED\"" && !(flow in now)) { now[flow] = ends(""); next }
		if (!(flow in now)) next
		if (ends("old_") != now[flow]) broken[flow] = 1
		now[flow] = ends("")
	}
	END { for (f in now) if (!(f in broken) && now[f] ~ /CLOSED|TIME-WAIT/) n++; print n + 0 }' "$1"
}

# A member of the finding, with its text to the log.
flood_finding() { # member
	on v "$TCPWARD" findings --all -j --name "$V" | grep '"finding":"syn-flood"' >"$work/finding"
	case $1 in
	subject) sed 's/.*"subject":\({[^}]*}\).*/\1/' "$work/finding" | tr -d '"' ;;
	*) member "$1" <"$work/finding" ;;
	esac
}
is_cleared() {
	[ "$(flood_finding cleared_ns)" -gt 0 ] 2>/dev/null
}

# ---- one flood ----
one_flood() { # name seconds first-source state-of-the-evicted
	local name=$1 seconds=$2 first=$3 evicted=$4 bytes=$echoes
	local flood flood_pid load watch watch_pid before after sent gone rate real midstream lost i
	launch v "$TCPWARD" watch -j "dport = :$PORT and src 192.0.2.0/24"
	watch=$log watch_pid=$pid
	sleep 0.3
	before=$(on v "$TCPWARD" stat -j --name "$V")
	gone=$(tx_dropped)
	launch x "$BIN/flood" "$X" "$(link_address v "$W")" $SERVICE $PORT "$first" $SOURCES $STRIDE "$seconds" 0
	flood=$log flood_pid=$pid
	began=$(date +%s%N)
	sleep 1
	launch c "$BIN/crowd" load $SERVICE $PORT $NEW 4 nshr
	load=$log
	for ((i = 0; i < seconds - 2; i++)); do
		kill -USR1 $holder
		echoes=$((echoes + 1))
		sleep 1
	done
	is "$name: the flood is found, and about whom" "$(flood_finding subject) $(flood_finding severity)" \
		"{service:$SERVICE:$PORT} critical"
	is "$name: the $HELD connections are all known, open, and their bytes counted" \
		"$(held_flows $((300 + 1000 * (bytes + 1))) $((1000 * (bytes + 1))))" $HELD
	await 60 says_ready "$load"
	is "$name: new connections are served" "$(cat "$load")" "done $NEW failed 0"
	await 30 says_ready "$flood" || { fail "$name: the flood ends" "$(cat "$flood")"; return; }
	wait "$flood_pid"
	sent=$(first_of done <"$flood")
	gone=$(($(tx_dropped) - gone))
	rate=$(awk '{ print $(NF - 2) }' "$flood")
	echo "# $name: $(cat "$flood"), $gone of them lost before tcpward"
	expect "$name: it was one" "$rate" -ge 20000
	sleep 0.5
	stop "$watch_pid"
	await 5 eval "[ \"\$(held_flows $((300 + 1000 * echoes)) $((1000 * echoes)))\" = $HELD ]"
	is "$name: after it, too" "$(held_flows $((300 + 1000 * echoes)) $((1000 * echoes)))" $HELD
	is "$name: none of their echoes failed" "$(tail -n 1 "$held")" "echoed, 0 failed"
	is "$name: each change of the new connections was told" "$(told_whole "$watch")" $NEW
	after=$(on v "$TCPWARD" stat -j --name "$V")
	grew() { echo $(($(member "$1" <<<"$after") - $(member "$1" <<<"$before"))); }
	midstream=$(grew midstream-new) # SYN-ACKs for SYNs that were evicted already
	lost=$(($(grew lock-busy) + $(grew no-room)))
	is "$name: each SYN is a flow, or is counted as lost" $(($(grew flows-new) - midstream - NEW + lost)) $((sent - gone))
	expect "$name: evictions are counted by state" "$(grew "evicted-$evicted")" -ge $((sent - gone - 65536 - midstream))
	is "$name: ... and all of them" \
		$(($(grew evicted-syn-sent) + $(grew evicted-syn-received) + $(grew evicted-other))) "$(grew ended-evicted)"
	echo "# $name: evicted in SYN-SENT $(grew evicted-syn-sent), in SYN-RECEIVED $(grew evicted-syn-received), else" \
		"$(grew evicted-other); met mid-stream $midstream; segments that were not applied $lost; events $(grew events)," \
		"lost $(grew events-lost-rate) by rate, $(grew events-lost-ring) by ring; last sweep $(member sweep_ns <<<"$after") ns"
}

resident_before=$(resident) maps_before=$(map_bytes) echoes=0
one_flood answered 5 10.0.0.0 syn-received
delay=$((($(flood_finding raised_ns) - began) / 1000000))
expect "syn-flood is raised within 2 s of its first SYN (after $delay ms)" $delay -le 2000
sed 's/.*"text":/# /' "$work/finding"
on v nft "add table netdev filter; add chain netdev filter in { type filter hook ingress device $W priority 0; }; \
	add rule netdev filter in ip saddr 10.0.0.0/8 drop"
one_flood unanswered 8 10.16.0.0 syn-sent
if await 45 is_cleared; then ok "syn-flood is cleared"; else fail "syn-flood is cleared" "$(cat "$work/finding")"; fi
is "nothing else is found" "$(on v "$TCPWARD" findings --all -j --name "$V" | grep '"finding"' | grep -vc syn-flood)" 0
on v "$TCPWARD" findings --all --name "$V" | head -n 8 | sed 's/^/# /'
expect "the keeper's memory stays as it was" $(($(resident) - resident_before)) -le 512
is "the maps' memory stays as it was" "$(map_bytes)" "$maps_before"
echo "# keeper: $resident_before kB, then $(resident) kB; maps: $((maps_before / 1024)) kB"

# ---- the generator works nowhere else ----
if unshare --net "$BIN/flood" lo 00:00:00:00:00:00 127.0.0.1 1 10.0.0.0 16 1 1 10 >"$work/out" 2>"$work/err"; then
	fail "the generator refuses to work outside a test" "it ran"
else
	says "the generator refuses to work outside a test" "no test of tests/net made it"
fi
on x "$BIN/flood" lo 00:00:00:00:00:00 127.0.0.1 1 10.0.0.0 16 1 1 10 >"$work/out" 2>"$work/err"
says "... and out of anything but a veth" "'lo'"
