#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# privilege: commands of a user who is not root, with exactly the capabilities that docs/threat-model.md names, and with one less;
# what is left of them once all is attached; whose files are whose, with any umask and beside links that somebody put there.
. "$(dirname "$0")/lib.sh"
A=$(dev a)
host a b
wire a "$A" 192.0.2.1/24 b "$(dev b)" 192.0.2.2/24
[ -n "$BPFTOOL" ] && xdp b "$(dev b)" pass && peer_xdp=1
user=65534 other=65533
three=,+bpf,+net_admin,+perfmon
umask 022
chmod 711 "$work" && cp "$TCPWARD" "$work/tcpward" && chmod 755 "$work/tcpward"
export STATE_DIRECTORY=$work/state
mkdir "$STATE_DIRECTORY" && chown $user "$STATE_DIRECTORY"

as_user() { # uid capabilities words...
	local uid=$1 caps=$2
	shift 2
	on a setpriv --reuid "$uid" --regid "$uid" --clear-groups --bounding-set=-all"$caps" --inh-caps=-all"$caps" --ambient-caps=-all"$caps" \
		--no-new-privs timeout -k 1 20 "$work/tcpward" "$@" >"$work/out" 2>"$work/err" </dev/null
	code=$?
}
mine() { as_user $user "$@"; }
works() { # name capabilities words...
	mine "${@:2}"
	exits "$1" 0
}
without() { # capability
	echo "${three/,+$1/}"
}
policy() { # file lines
	printf 'version: 1\nmode: enforce\n%s\n' "$2" >"$work/$1.yaml"
	chmod 644 "$work/$1.yaml"
}
policy plain 'rules: [{name: r, match: {dport: 7}, action: drop}]'
policy addresses 'rules: [{name: r, match: {saddr: [203.0.113.0/24, 198.51.100.7]}, action: drop}]'
policy cookies 'syncookie: {flavour: own, set-sysctls: false}
services: [{name: s, match: {dport: [80]}, new: {rate: 1/s, burst: 1, then: syncookie}}]'

# ---- the folders are root's ----
mkdir -p "$PINS" && chmod 700 "$PINS" /sys/fs/bpf
mine $three attach "$A"
exits "bpffs is root's: attach is refused, with all three" 1
says "... and says whose folders to look at" "has them, but not the files: 'ls -ld /sys/fs/bpf"
mine $three status
exits "... status, too" 1
says "... and says where to look" "run as root, or as the owner"

# ---- given to the user, as docs/threat-model.md says ----
chmod 711 /sys/fs/bpf && chown $user "$PINS" && chown $user /run/tcpward && chmod 700 /run/tcpward
for cap in bpf net_admin perfmon; do
	for words in "attach $A" "run $A --duration 1"; do
		mine "$(without $cap)" $words
		exits "${words% $A*} without cap_$cap is refused" 1
		says "... which names it, and nothing else" "this process lacks CAP_${cap^^}$"
	done
done
is "... and nothing is left" "$(ls "$PINS")" ""
for mask in 000 077; do
	umask $mask
	works "umask $mask: attach with the three" $three attach "$A"
	is "... folder" "$(stat -c '%a %u' "$PINS/$A")" "700 $user"
	is "... all pins are the user's alone" "$(stat -c '%a %u' "$PINS/$A"/* | sort -u | xargs)" "600 $user"
	is "... the lock, too" "$(stat -c '%a %u' "/run/tcpward/$A.lock")" "600 $user"
	works "... a list is filled" "" block add 203.0.113.9
	works "... detach" "" detach "$A"
	is "... the list that is left is the user's alone" "$(stat -c '%a %u' "$STATE_DIRECTORY"/* | xargs)" "600 $user"
	umask 022
done

# ---- the owner of the pins needs no capability for what is loaded ----
works "attach with the three" $three attach "$A"
says "... finds its list again" "1 entry of the block list is back"
for words in status flows "flows state all" stat "stat services" findings metrics verify "block list" "policy show" \
	"block add 203.0.113.10" "block del 203.0.113.10" "policy apply $work/plain.yaml" "explain half-open"; do
	works "owner, with net_admin and perfmon: ${words/$work\//}" ,+net_admin,+perfmon $words
done
mine "$(without bpf)" watch --duration 1
exits "owner, with net_admin and perfmon: watch is refused" 1
says "... which names what lacks" "this process lacks CAP_BPF$"
for words in status flows stat findings metrics "policy apply $work/plain.yaml" "policy show"; do
	works "owner, without any: ${words/$work\//}" "" $words
done
works "watch needs CAP_BPF alone, for its ring buffer" ,+bpf watch --duration 1
mine "$(without bpf)" policy apply "$work/addresses.yaml"
exits "a policy with addresses needs CAP_BPF, to make its tables" 1
says "... which is named" "this process lacks CAP_BPF$"
works "... and no other" ,+bpf policy apply "$work/addresses.yaml"
works "what its tables hold takes CAP_SYS_ADMIN to be read: policy diff" $three policy diff "$work/addresses.yaml"
says "... says that it compares the files instead" "compared as they are now, not as they are in force: cannot open the policy's table"
mine "$(without bpf)" doctor "$A"
says "doctor names what lacks" "this process lacks cap_bpf$"
as_user $other $three status
exits "another user, with all three: refused" 1
as_user $other $three block add 203.0.113.11 --name "$A"
exits "... lists, too" 1
if [ "${peer_xdp:-}" ]; then
	works "detach without any" "" detach "$A"
	works "attach by native XDP" $three attach "$A" --ingress xdp
	mine $three policy apply "$work/cookies.yaml"
	exits "SYN cookies are tested by raw segments: refused with the three" 1
	says "... CAP_NET_RAW is named" "CAP_NET_RAW for the test of SYN cookies; this process lacks CAP_NET_RAW$"
	works "... and with it they are applied" $three,+net_raw policy apply "$work/cookies.yaml"
else
	skip "SYN cookies are tested by raw segments" "no XDP on a veth"
fi

# ---- links that somebody put there ----
echo precious >"$work/victim" && chown $user "$work/victim"
ln -s "$work/victim" "$STATE_DIRECTORY/$A.block.new"
works "detach beside a link where the list will be written" "" detach "$A"
is "... what it leads to is untouched" "$(cat "$work/victim")" precious
is "... the list is there" "$(grep -c '^203.0.113' "$STATE_DIRECTORY/$A.block")" 1
mv "$STATE_DIRECTORY/$A.block" "$work/elsewhere" && ln -s "$work/elsewhere" "$STATE_DIRECTORY/$A.block"
works "attach beside a link where the list was" $three attach "$A"
says "... does not follow it" "it is a link, or others may write to it"
works "... detach" "" detach "$A"
rm -f "$STATE_DIRECTORY/$A.block" && cp "$work/elsewhere" "$STATE_DIRECTORY/$A.block" && chmod 666 "$STATE_DIRECTORY/$A.block"
works "attach beside a list that others may write" $three attach "$A"
says "... does not take it" "it is a link, or others may write to it"
works "... detach" "" detach "$A"
is "... the list is left there" "$(grep -c '^203.0.113' "$STATE_DIRECTORY/$A.block")" 1
works "attach beside it again" $three attach "$A"
mine $three block add 203.0.113.77
works "... detach" "" detach "$A"
says "... says that the new list is not saved" "the block list is not saved: '.*/$A.block', which could not be taken over, is still there"
is "... nor written over the old one" "$(grep -c '^203.0.113.77' "$STATE_DIRECTORY/$A.block")" 0
rm -f "$STATE_DIRECTORY/$A.block" "/run/tcpward/$A.lock"
ln -s "$work/victim" "/run/tcpward/$A.lock"
mine $three attach "$A"
exits "a link in the place of the lock: refused" 1
says "... and told" "it is a link, or no plain file"
is "... what it leads to is untouched" "$(cat "$work/victim")" precious
rm "/run/tcpward/$A.lock"

# ---- root beside a user's folders: what the user put there ----
echo precious >/run/tcpward/victim
ln /run/tcpward/victim "/run/tcpward/$A.lock"
ward a attach "$A"
exits "a hard link in the place of the lock: refused" 1
says "... and told" "it is a link, or no plain file"
is "... what it leads to is untouched" "$(cat /run/tcpward/victim)" precious
rm "/run/tcpward/$A.lock" /run/tcpward/victim
mkfifo "/run/tcpward/$A.lock"
on a timeout -k 1 10 "$TCPWARD" attach "$A" >"$work/out" 2>"$work/err"
code=$?
exits "a FIFO in the place of the lock: refused, and not waited for" 1
on a timeout -k 1 10 "$TCPWARD" detach "$A" >"$work/out" 2>"$work/err"
expect "... by detach neither" $? -ne 124
rm "/run/tcpward/$A.lock"
works "attach as the user" $three attach "$A"
own=$(cat "/run/tcpward/$A.lock")
sleep 60 &
bystander=$!
pids+=("$bystander")
record=$PINS/$A/instance
name_keeper() { # pid: in the record, where the keeper's stands
	local value at
	value=($("$BPFTOOL" -j map lookup pinned "$record" key 0 0 0 0 | sed 's/.*"value":\[\([^]]*\)\].*/\1/; s/[",]/ /g'))
	for at in 0 1 2 3; do value[32 + at]=$(($1 >> 8 * at & 255)); done
	"$BPFTOOL" map update pinned "$record" key 0 0 0 0 value "${value[@]}"
}
# As the owner of both may.
echo "$bystander" >"/run/tcpward/$A.lock"
name_keeper "$bystander"
is "the record names a process of root's" "$(on a "$TCPWARD" -j | member keeper_pid)" "$bystander"
ward a detach "$A"
exits "a lock of the user's that names a process of root's: detach by root does not end it" 1
says "... and says why" "pid $bystander: Operation not permitted"
expect "... it lives" "$(ps -o stat= -p "$bystander" | cut -c1)" = S
name_keeper "$own"
ward a detach "$A"
exits "the lock alone names it: that ends nobody, and the keeper goes by itself" 0
expect "... it lives" "$(ps -o stat= -p "$bystander" | cut -c1)" = S
is "... the keeper does not" "$(ps -o stat= -p "$own")" ""
is "... nor what it kept" "$(ls "$PINS")" ""

# ---- what a terminal would obey ----
tame() { # name: no control characters in the last output
	if LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' "$work/out" "$work/err"; then
		fail "$1" "$(cat "$work/out" "$work/err" | cat -v | head -n 2)"
	else
		ok "$1"
	fi
}
esc=$'\e[31m'
must a attach "$A"
printf '203.0.113.2 10m 3 hand %s\e]0;title\a\n' "$esc" >"$work/list"
ward a block import "$work/list"
exits "a list with escape sequences is read" 0
ward a block list
tame "... and listed without them"
says "... the rest of the reason stands" '203.0.113.2 .*title'
ward a block list -j
tame "... as JSON, too"
ward a block import "$work/${esc}file"$'\n<0>tcpward: all is well'
tame "the name of a file that is not there"
is "... begins no line of its own" "$(grep -c "^<0>" "$work/err")" 0
printf '%sno address\n' "$esc" >"$work/list"
ward a block import "$work/list"
tame "a line that is no address"
on a ip link add "${esc}0" type veth peer name "y$A" 2>/dev/null &&
	{ ward a attach "${esc}0"; exits "an interface whose name has escape sequences is refused" 2; tame "... without printing it"; }
must a block flush
must a detach "$A"

# ---- run: what it keeps ----
caps_of() { # pid: inheritable, permitted, effective, ambient
	awk '/^Cap(Prm|Eff|Inh|Amb)/ { printf "%s ", $2 }' "/proc/$1/status"
}
begin() { # words...: as the user, with the three
	told=$work/run.log
	: >"$told"
	(exec nsenter --net="/run/netns/tw-$ID-a" setpriv --reuid $user --regid $user --clear-groups --bounding-set=-all$three \
		--inh-caps=-all$three --ambient-caps=-all$three --no-new-privs "$work/tcpward" run "$@" "$A") >"$told" 2>&1 </dev/null &
	run=$!
	pids+=("$run")
}
keeps() { [ "$(caps_of "$run")" = "$1" ]; }
none=0000000000000000
begin -j
await 30 keeps "$none $none $none $none " && ok "run without a policy keeps no capability" || fail "run without a policy keeps no capability" "$(caps_of "$run")"
start a "$BIN/crowd" serve 9000 || exit
start b "$BIN/crowd" load 192.0.2.1 9000 3 1 s || exit
event() { grep 9000 "$told" | grep -q '"orig_state":"ESTABLISHED"'; }
await 8 event && ok "... sees connections" || fail "... sees connections" "$(tail -n 1 "$told")"
swept() { mine "" status -j && tr -d '\n ' <"$work/out" | grep -qE '"swept_ago_ns":[0-9]{1,9}[,}]'; }
await 5 swept && ok "... sweeps" || fail "... sweeps" "$(head -n 1 "$work/out")"
works "... is asked for metrics" "" metrics
says "... which count" 'tcpward_segments_total.*rx"} [1-9]'
stop "$run"
is "... and takes itself off" "$(ls "$PINS")" ""
cp "$work/plain.yaml" "$work/now.yaml"
begin --quiet --policy "$work/now.yaml"
kept=0000008000001000 # CAP_BPF, CAP_NET_ADMIN
await 30 keeps "$none $kept $kept $none " && ok "run with a policy keeps what reading it again needs" || fail "run with a policy keeps what reading it again needs" "$(caps_of "$run")"
is "... and gains nothing by running anything" "$(awk '/^NoNewPrivs/ { print $2 }' "/proc/$run/status")" 1
cp "$work/addresses.yaml" "$work/now.yaml"
kill -HUP "$run"
again() { grep -q "is read again and in force" "$told"; }
await 8 again && ok "SIGHUP: it reads a policy with addresses" || fail "SIGHUP: it reads a policy with addresses" "$(tail -n 2 "$told")"
stop "$run"
is "... and takes itself off" "$(ls "$PINS")" ""
if [ "${peer_xdp:-}" ]; then
	three=$three,+net_raw
	cp "$work/plain.yaml" "$work/now.yaml"
	begin --quiet --policy "$work/now.yaml" --ingress xdp
	kept=0000008000003000 # and CAP_NET_RAW
	await 30 keeps "$none $kept $kept $none " && ok "with CAP_NET_RAW it keeps that, too" || fail "with CAP_NET_RAW it keeps that, too" "$(caps_of "$run")"
	cp "$work/cookies.yaml" "$work/now.yaml"
	kill -HUP "$run"
	await 15 again && ok "SIGHUP: it reads a policy with SYN cookies, and tests them" ||
		fail "SIGHUP: it reads a policy with SYN cookies, and tests them" "$(tail -n 2 "$told")"
	stop "$run"
	is "... and takes itself off" "$(ls "$PINS")" ""
fi
