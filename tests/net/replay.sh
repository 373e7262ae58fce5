#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# replay: tcpdump and tcpward watch the same interface; the replayed capture gives the same flows as the live table. The
# same capture gives the same bytes each time, cut packets and jumping clocks change nothing but times.
. "$(dirname "$0")/lib.sh"
A=$(dev a) B=$(dev b)
command -v tcpdump >/dev/null || { skip replay "no tcpdump"; exit 0; }
N=${N:-220} KINDS=nshrRclibtx

host a b
wire a "$A" 192.0.2.1/24 b "$B" 192.0.2.2/24
on a ip addr add 2001:db8::1/64 dev "$A" nodad
on b ip addr add 2001:db8::2/64 dev "$B" nodad
# One frame a segment, on the wire and so in the capture; 2 % are lost on the way there and back.
on a ip link set "$A" gso_max_segs 1
on b ip link set "$B" gso_max_segs 1
on b nft -f - <<'NFT'
table inet loss {
	chain in {
		type filter hook prerouting priority -300;
		iif != lo meta l4proto tcp numgen random mod 100 < 2 counter drop
	}
}
NFT
# All on one CPU: of two segments that pass on two, tcpdump and we may see another first.
start b taskset -c 0 "$BIN/crowd" serve 9000 || exit
must a attach "$A" --ingress tc # there tcpdump looks too; native XDP comes before GRO, it after
captures=()
capture() { # file options...: with two of them, the same packets have the same times in both
	launch a tcpdump -Z root --immediate-mode -U -B 65536 -i "$A" -w "$@" tcp
	captures+=("$pid")
	await 10 grep -q listening "$log"
}
capture "$work/full.pcap" -s 2000 # whole frames; without the limit the ring would have few places
full_log=$log
capture "$work/cut.pcap" -s 96
cut_log=$log
launch a "$TCPWARD" watch -j
watch=$pid watched=$log
sleep 0.7 # until it listens
launch a taskset -c 0 "$BIN/crowd" load 192.0.2.2 9000 $((N / 2)) 30 $KINDS
four=$log
launch a taskset -c 0 "$BIN/crowd" load 2001:db8::2 9000 $((N / 2)) 30 $KINDS
six=$log
await 30 says_ready "$four" && await 30 says_ready "$six" || fail "the crowd comes to its end" "$(cat "$four" "$six")"
# Closed flows are shown for 10 s more: the table is read before that, when retransmissions have settled.
sleep 1.5
flows_json a "$A" 'state all' >"$work/live"
for pid in "${captures[@]}" "$watch"; do stop "$pid" -INT; done
is "the capture is whole" "$(sed -n 's/ packets dropped by kernel//p' "$full_log" "$cut_log")" "0
0"
expect "live: every connection is there" "$(wc -l <"$work/live")" -ge $((N - 2))

# The members that the clock of the capture, finer than ours, may not change
essence() {
	awk -v members="saddr sport daddr dport orig_state resp_state orig_confirmed resp_confirmed orig_pkts resp_pkts orig_bytes resp_bytes orig_rtx resp_rtx syn_rtx synack_rtx fin_rtx history conn_state flags end_reason" '
	BEGIN { n = split(members, name, " ") }
	{
		line = ""
		for (i = 1; i <= n; i++)
			if (match($0, "\"" name[i] "\":(\"[^\"]*\"|\\[[^]]*\\]|[^,}]*)"))
				line = line " " substr($0, RSTART, RLENGTH)
		print line
	}' "$1" | sort
}
alike() { # name file file: the same flows
	essence "$2" >"$work/one"
	essence "$3" >"$work/other"
	if cmp -s "$work/one" "$work/other"; then
		ok "$1"
	else
		fail "$1" "$(diff "$work/one" "$work/other" | grep -c '^[<>]') lines differ"
		diff "$work/one" "$work/other" | grep '^[<>]' | head -n 6 | sed 's/^/#   /'
	fi
}
replay() { # file to, capture, words...
	local to=$1
	shift
	on a "$TCPWARD" replay -j "$@" >"$to" 2>"$work/err" || fail "replay ${*##*/}" "$(head -n 1 "$work/err")"
}

replay "$work/replayed" "$work/full.pcap"
alike "replay gives what was seen live: states, counts, flags, history" "$work/live" "$work/replayed"
echo "# $(wc -l <"$work/replayed") flows, $(stat -c %s "$work/full.pcap") bytes of capture," \
	"$(grep -o '"flags":\["[^]]*' "$work/replayed" | grep -o '"[A-Z_0-9]*"' | sort | uniq -c | sort -rn | awk '{ printf "%s %s ", $1, $2 }' | tr -d '"')"

replay "$work/again" "$work/full.pcap"
cmp -s "$work/replayed" "$work/again" && ok "twice the same bytes: flows" || fail "twice the same bytes: flows" "they differ"
replay "$work/events" --events "$work/full.pcap"
replay "$work/events.again" --events "$work/full.pcap"
cmp -s "$work/events" "$work/events.again" && ok "twice the same bytes: events" || fail "twice the same bytes: events" "they differ"
is "the last event is the summary" "$(tail -n 1 "$work/events" | member type)" summary
is "watch lost nothing" "$(grep -c '"type":"lost"' "$watched")" 0
expect "as many state events as live" "$(grep -c '"type":"state"' "$work/events")" = "$(grep -c '"type":"state"' "$watched")"

replay "$work/cut" "$work/cut.pcap"
alike "packets cut after 96 bytes: the same flows" "$work/replayed" "$work/cut"
on a tcpdump -r "$work/full.pcap" -w "$work/half.pcap" 'ip' 2>/dev/null
replay "$work/four" "$work/half.pcap"
grep -v '"saddr":"2001' "$work/replayed" >"$work/expected"
alike "IPv4 alone: the same flows, without the others" "$work/expected" "$work/four"

"$BIN/jumble" "$work/full.pcap" "$work/late.pcap" 7 -40
replay "$work/late" "$work/late.pcap"
alike "every seventh packet 40 ms back: the same flows" "$work/replayed" "$work/late"
"$BIN/jumble" "$work/full.pcap" "$work/old.pcap" 50 -3600000
replay "$work/old" "$work/old.pcap"
expect "every fiftieth an hour back: the clock does not stall, nothing is lost" "$(wc -l <"$work/old")" -ge "$(wc -l <"$work/replayed")"

# ---- the ladder, and time that runs on ----
for address in 192.0.2.1 2001:db8::1; do
	tuple=$(grep "\"saddr\":\"$address\"" "$work/replayed" | grep '"conn_state":"SF"' | head -n 1)
	ends="$address:$(member sport <<<"$tuple")-$(member daddr <<<"$tuple"):9000"
	[ "${address//:/}" = "$address" ] || ends="[$address]:$(member sport <<<"$tuple")-[$(member daddr <<<"$tuple")]:9000"
	ward a replay --flow "$ends" "$work/full.pcap"
	exits "the ladder of a flow of $address" 0
	is "... has a rung for each segment" "$(grep -c '|[-<].*[->]|' "$work/out")" \
		$(($(member orig_pkts <<<"$tuple") + $(member resp_pkts <<<"$tuple")))
done
replay "$work/lingered" --linger 600 "$work/full.pcap"
is "--linger 600: TIME-WAIT is over" "$(grep -c TIME-WAIT "$work/lingered")" 0
expect "--linger 600: open connections are not" "$(grep -c '"orig_state":"ESTABLISHED","resp_state":"ESTABLISHED"' "$work/lingered")" -ge $((N / 12))
