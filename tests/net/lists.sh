#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# lists: `block` and `allow` by commands and in the pinned maps: add, del, list, flush, import; time that runs out; wrong
# words; a file of 200,000; several processes at once; an instance that goes away.
. "$(dirname "$0")/lib.sh"
A=$(dev a)

host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
must a attach "$A"

listed() { # list: "ADDRESS BY REASON" of each entry
	on a "$TCPWARD" "$1" list -H --name "$A" | awk '{ printf "%s %s %s;", $1, $4, $5 }'
}
json() { # list
	on a "$TCPWARD" "$1" list -j --name "$A"
}
flags() { # member of policy_live
	"$BPFTOOL" -j map lookup pinned "$PINS/$A/policy_live" key 0 0 0 0 | tr -d '\n ' |
		sed -n "s/.*\"formatted\":.*\"$1\":\([0-9]*\).*/\1/p"
}
entries() { # map
	"$BPFTOOL" map dump pinned "$PINS/$A/$1" | grep -c '"key": {'
}

# ---- one by one ----
is "nothing is listed at first" "$(json block)" "[]"
ward a block lst
exits "a command that there is not" 2
says "... and the one that was meant" "unknown command 'block lst', did you mean 'list'"
ward a block --help
expect "block --help fits a terminal" "$(awk '{ if (length($0) > most) most = length($0) } END { print most }' "$work/out")" -le 80
ward a block add 203.0.113.0/24 --for 10m --reason scan
exits "block add" 0
says "... says what it did: until when, and why" "^203.0.113.0/24: added to the block list for 10m, until ([0-9-]* )?[0-9:]{8} \(scan\)$"
must a block add 198.51.100.7 2001:db8::/32 2001:db8::1
says "... each entry, and that it has no end" "^2001:db8::/32: added to the block list for ever$"
is "... in order, whole addresses without length" "$(listed block)" \
	"198.51.100.7 hand -;203.0.113.0/24 hand scan;2001:db8::/32 hand -;2001:db8::1 hand -;"
is "addresses and prefixes stand in maps of their own" "$(entries block_addrs)/$(entries block_prefixes)" 2/2
is "... and the packet path is told of both" "$(flags lists)" 12
left=$(json block | grep '203.0.113.0/24' | member left_ns)
expect "time is left" "$left" -gt 590000000000 -a "$left" -le 600000000000
is "for ever has no end" "$(json block | grep '198.51.100.7' | member until_ns)" null
revision=$(flags revision)
must a block add 198.51.100.7 --for 1h --reason again
is "adding again changes the entry" "$(listed block | tr ';' '\n' | grep 198.51)" "198.51.100.7 hand again"
is "... an address is looked up for each segment: flows need no new mark" "$(flags revision)" "$revision"
must a allow add 10.0.0.0/8
is "another list is another list" "$(listed allow)" "10.0.0.0/8 hand -;"
expect "... but one of prefixes does" "$(flags revision)" -gt "$revision"
ward a block add 10.1.2.3
says "what is allowed is not blocked, and that is said" "'10.0.0.0/8' is in the allow list"
ward a block del 10.1.2.3 203.0.113.0/24
exits "block del" 0
ward a block del 203.0.113.0/25
exits "what is not there cannot be taken out" 1
says "... by name" "'203.0.113.0/25' is not in the block list"
must a block flush
says "block flush" "3 entries taken out"
is "... all of it" "$(json block)$(entries block_addrs)$(entries block_prefixes)" "[]00"
is "... and the packet path does not look there any more" "$(flags lists)" 2
must a allow flush
for prefix in 0.0.0.0/0 ::/0; do
	ward a block add 203.0.113.9 "$prefix"
	exits "everybody is not blocked by a slip: $prefix" 1
	says "... it says whom" "'$prefix' would drop what anybody sends by IPv$([ "$prefix" = ::/0 ] && echo 6 || echo 4)"
done
for prefix in 128.0.0.0/1 202.0.0.0/7 2000::/3 2000::/15; do
	ward a block add "$prefix"
	exits "nor who may be typing this: $prefix" 1
	says "... it says why" "'$prefix' is so wide .* that it may hold the session that this is typed over, which is not found"
done
printf '203.0.113.9\n0.0.0.0/0\n' >"$work/feed"
ward a block import "$work/feed"
exits "... nor by a file" 1
is "... and nothing of it was done" "$(json block)" "[]"
must a block add 203.0.0.0/8 2000::/16
must a block flush
must a block import "$work/feed" --force
says "... unless by force" "2 added"
must a allow add 0.0.0.0/0
says "to allow everybody cuts nobody" "added to the allow list for ever"
must a allow flush
must a block flush
for prefix in 0.0.0.0/0 128.0.0.0/1 192.168.0.0/16 203.0.113.4/31 ::/0 2001:db8:1::/48 2001:db8:1:2::/64 2001:db8::/127; do
	must a block add --force "$prefix"
done
is "every length" "$(listed block)" "$(printf '%s hand -;' ::/0 0.0.0.0/0 128.0.0.0/1 192.168.0.0/16 203.0.113.4/31 2001:db8::/127 2001:db8:1::/48 2001:db8:1:2::/64)"
is "-4" "$(on a "$TCPWARD" block list -H -4 --name "$A" | wc -l)" 4
must a block del 0.0.0.0/0
is "taking a wide one out leaves the narrow ones" "$(json block | grep -c '"address"')" 7
must a block flush

# ---- time that runs out ----
must a block add 203.0.113.9 --for 1s
must a block add 203.0.113.128/25 --for 1s
must a block add 203.0.113.10
sleep 1.2
is "what is over is not listed" "$(listed block)" "203.0.113.10 hand -;"
swept() { [ "$(entries block_addrs)/$(entries block_prefixes)" = 1/0 ]; }
await 12 swept
is "... and the keeper takes it out" "$(entries block_addrs)/$(entries block_prefixes)" 1/0
is "... and closes the map" "$(flags lists)" 4
must a block flush

# ---- who is listed is dropped, at once, for so long, and counted; also over a restart ----
reached() { # as b, from its address: 0 refused (the SYN came through), 124 nothing came back
	on b timeout 0.7 bash -c "</dev/tcp/192.0.2.1/81" 2>/dev/null
	[ $? != 124 ]
}
answer() { reached && echo refused || echo silence; }
in_sets() { # ways that are taken
	"$BPFTOOL" -j map dump pinned "$PINS/$A/block_sets" | tr -d '\n ' | grep -oE '"formatted":\{"key":[0-9]+,"value":\{"way":\[[0-9,]*' |
		sed 's/.*\[//' | tr ',' '\n' | grep -vcx 0
}
hits() { json block | grep '"192.0.2.2"' | member hits; }
is "a source that is not listed" "$(answer)" refused
must a block add 192.0.2.2 192.0.2.3
is "... is dropped when it is" "$(answer)" silence
expect "... which its entry counts" "$(hits)" -ge 1
is "both stand in their sets" "$(in_sets)" 2
must a detach "$A"
must a attach "$A"
before=$(hits)
expect "a restart keeps the hits" "$before" -ge 1
is "... and drops it" "$(answer)" silence
expect "... and counts on" "$(hits)" -gt "$before"
must a allow add 192.0.2.0/24
is "an allow list comes first" "$(answer)" refused
must a allow flush
is "... while it stands" "$(answer)" silence
must a block del 192.0.2.2
is "taken out, it is let in at once" "$(answer)" refused
is "... and its way is free" "$(in_sets)" 1
must a block add 192.0.2.2 --for 1s
sleep 1
is "nor is it dropped when its time is over" "$(answer)" refused
must a block flush
is "flush empties the sets" "$(in_sets)" 0

# ---- import ----
cat >"$work/feed" <<-EOF
	# a feed
	203.0.113.1
	203.0.113.0/26   # half of it
	2001:db8:bad::/48
	203.0.113.1
EOF
must a block import "$work/feed" --reason feed --for 1h
says "import" "^block list: 3 added, 0 taken out, 0 stay$"
is "... all of it, once" "$(listed block)" "203.0.113.0/26 file feed;203.0.113.1 file feed;2001:db8:bad::/48 file feed;"
printf '203.0.113.1\n203.0.113.2\n' >"$work/feed"
must a block import "$work/feed"
says "... replaces what was there" "^block list: 1 added, 2 taken out, 1 stay$"
on a "$TCPWARD" block list --name "$A" >"$work/saved"
must a block add 203.0.113.77/32 --for 2h --reason "by hand"
on a "$TCPWARD" block list --name "$A" >"$work/saved"
before=$(listed block)
must a block flush
must a block import "$work/saved"
is "what list prints can be imported" "$(listed block)" "$before"
expect "... with the time left" "$(json block | grep 203.0.113.77 | member left_ns)" -gt 7190000000000

printf '203.0.113.5\n203.0.113.300\n  bad.example\n203.0.113.5 10\n203.0.113.1/24\n' >"$work/feed"
before=$(json block | sed 's/"left_ns":[0-9]*//')
ward a block import "$work/feed"
exits "a file with errors" 2
says "... each with line and column" "^$work/feed:3:3: .*'bad.example'"
says "... of its columns, too" "^$work/feed:4:13: "
is "... changes nothing" "$(json block | sed 's/"left_ns":[0-9]*//')" "$before"
ward a block import "$work/none"
exits "a file that is not there" 1
says "... by name" "cannot read '$work/none': No such file"
ward a block import "$work"
says "a directory" "Is a directory"

awk 'BEGIN { for (i = 0; i < 160000; i++) printf "10.%d.%d.%d\n", i / 65536, i / 256 % 256, i % 256
	for (i = 0; i < 40000; i++) printf "100.%d.%d.0/24\n", i / 256, i % 256 }' >"$work/many"
TIMEFORMAT="%R %U %S"
took=$({ time on a "$TCPWARD" block import "$work/many" --name "$A" >"$work/out" 2>"$work/err"; } 2>&1)
says "200,000 entries" "^block list: 200000 added"
expect "... within 2 s of CPU" "$(awk '{ print int(($2 + $3) * 1000) }' <<<"$took")" -lt 2000
echo "# import of 200,000 entries: seconds, user, system: $took"
is "... are all there" "$(json block | grep -c '"address"')" 200000
# Another list, beside a reader: it sees one or the other.
sed 's/^10\./11./; s/^100\./101./' "$work/many" >"$work/other"
(for _ in 1 2 3 4 5 6 7 8; do on a "$TCPWARD" block list -H -4 --name "$A" | awk '{ sub(/\..*/, "", $1); n[$1]++ } END { print n[10] + n[100], n[11] + n[101] }'; done) >"$work/seen" &
reader=$!
must a block import "$work/other"
says "... as many others in their place" "^block list: 200000 added, 200000 taken out"
wait $reader
is "... and a reader sees one of the two lists, whole" "$(sort -u "$work/seen" | grep -vxE '200000 0|0 200000' | head -n 3)" ""
echo "# readers saw $(sort "$work/seen" | uniq -c | tr '\n' ';')"
must a block flush
says "... and out" "200000 entries taken out"

# ---- several at once ----
for i in 1 2 3 4 5 6 7 8; do
	on a "$TCPWARD" block add "198.51.100.$i" "198.51.$i.0/24" --name "$A" >/dev/null &
	adders+=($!)
done
wait "${adders[@]}"
is "eight processes at once" "$(json block | grep -c '"address"')" 16
must a block flush

# ---- wrong words ----
ward a block
exits "no subcommand" 2
ward a block ad 192.0.2.1
exits "an unknown one" 2
says "... by name" "unknown command 'block ad'"
ward a block add
exits "no address" 2
ward a block add 300.1.1.1
exits "a bad address" 2
says "... by name" "'300.1.1.1'"
ward a block add 203.0.113.4 203.0.113.1/24
exits "host bits" 2
is "... and nothing of the line was done" "$(json block)" "[]"
ward a block add 203.0.113.4 --for soon
exits "a bad duration" 2
says "... by name" "'soon'"
ward a block add 203.0.113.4 --reason "much longer than anyone wants to read it"
exits "a long reason" 2
ward a block list 203.0.113.4
exits "a word too many" 2
ward a block add 203.0.113.4 --name nobody
exits "an unknown instance" 3
on a setpriv --bounding-set -all --inh-caps -all --reuid 65534 --regid 65534 --clear-groups "$TCPWARD" block list >"$work/out" 2>"$work/err"
code=$?
exits "without root" 1
says "... says what is needed" "run as root"

# ---- the session that types it ----
export SSH_CONNECTION="198.51.100.7 50022 192.0.2.1 22"
ward a block add 198.51.0.0/16
exits "the session's own address is not blocked" 1
says "... by name" "'198.51.0.0/16' would cut the session from '198.51.100.7' \(SSH_CONNECTION"
is "... and nothing was done" "$(json block)" "[]"
printf '198.51.100.7\n' >"$work/feed"
ward a block import "$work/feed"
exits "... nor by a file" 1
# sudo takes the variable from its own, not from those above it
on a bash -c 'env -u SSH_CONNECTION "$0" "$@"; exit $?' "$TCPWARD" block add 198.51.100.7 >"$work/out" 2>"$work/err"
code=$?
exits "... nor when only a process above knows of the session" 1
must a block add 198.51.100.7 --force
must a block add 198.51.101.0/24
must a block add 128.0.0.0/2 # the session is known, and not there
must a block flush
must a allow add 198.51.100.7
must a block add 198.51.0.0/16
says "an allowed session is not cut" "'198.51.100.7' is in the allow list"
must a allow flush
unset SSH_CONNECTION

# ---- an instance that goes, and the next one of its name ----
must a block flush
must a block add 203.0.113.0/24 203.0.113.9 --for 1h --reason "for a while"
must a block add 203.0.113.8 --for 1s
must a block add 2001:db8::/32
must a allow add 192.0.2.7
must a detach "$A"
ward a block list --name "$A"
exits "after detach there is no list" 3
sleep 1
must a attach "$A"
says "the next one takes them over" "3 entries of the block list are back from the last '$A'"
is "... as they were" "$(listed block)$(listed allow)" \
	"203.0.113.0/24 hand for;203.0.113.9 hand for;2001:db8::/32 hand -;192.0.2.7 hand -;"
left=$(json block | grep 203.0.113.9 | member left_ns)
expect "... with the time left" "$left" -gt 3590000000000 -a "$left" -lt 3600000000000
is "... and in force" "$(flags lists)" 13
is "the files are gone" "$(ls "$STATE_DIRECTORY" | grep -c "^$A")" 0
must a detach "$A"
# a clock that was wrong by a year when they were saved, or is now
saved=$STATE_DIRECTORY/$A.block
sed -i "1s/# [0-9]*/# $(($(date +%s) + 31536000))000000000/" "$saved"
must a attach "$A"
left=$(json block | grep 203.0.113.9 | member left_ns)
expect "a clock that was set back: nobody stays for longer than was left" "$left" -gt 3500000000000 -a "$left" -lt 3600000000000
must a detach "$A"
launch a "$TCPWARD" run "$A"
listening() { on a "$TCPWARD" block list --name "$A" >/dev/null 2>&1; }
await 10 listening
is "... from attach to run" "$(json block | grep -c '"address"')" 3
kill -KILL "$pid"
killed() { [ ! -d "$PINS/$A" ]; }
await 5 killed
must a attach "$A"
is "... and from a run that was killed" "$(json block | grep -c '"address"')" 3
must a block flush
must a allow flush
must a detach "$A"
must a attach "$A"
is "what was taken out does not come back" "$(listed block)$(listed allow)" ""
