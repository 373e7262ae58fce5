#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# doctor: names what is there, what is lacking and the command that mends it; attaches nothing.
set -u
cd "$(dirname "$0")/../.."
[ "$(id -u)" = 0 ] || { echo "skip doctor: needs root"; exit 0; }

NS=tw-doctor-$$
TCPWARD=${TCPWARD:-$PWD/build/tcpward}
work=$(mktemp -d)
trap 'ip netns del $NS 2>/dev/null; rm -rf "$work"' EXIT
ip netns add $NS
inside() { nsenter --net=/run/netns/$NS "$@"; }
inside ip link set lo up
inside ip link add d0 type veth peer name d1
inside ip link set d0 up
inside ip link set d1 up
inside ip link add dbr type bridge
inside ip link add ddown type veth peer name ddown1

# doctor's words about an interface go to $work/out, its exit code to $code
ask() {
	inside "$TCPWARD" doctor "$@" >"$work/out" 2>&1
	code=$?
}
says() { # name pattern
	if grep -qE "$2" "$work/out"; then
		echo "ok $1"
	else
		echo "not ok $1: no line matches '$2'"
		sed 's/^/# /' "$work/out"
	fi
}
exits() { # name code
	if [ $code = "$2" ]; then echo "ok $1"; else echo "not ok $1: exit $code, not $2"; fi
}

ask
exits "this kernel has all that is needed" 0
says "kernel release" "^OK +kernel +Linux $(uname -r)"
for check in capabilities btf ring-buffer xdp tc syscall-program tcx tracing jit bpffs syn-cookies; do
	says "checks $check" "^(OK|WARN) +$check "
done

if inside test -r /proc/sys/net/core/bpf_jit_enable; then
	says "the JIT's setting can be read" "^(OK|WARN) +jit +BPF programs are (compiled|interpreted)"
else
	says "what cannot be read is not OK" "^WARN +jit +not known whether .*/bpf_jit_enable: No such file"
	says "... and where it can be" "^ +nsenter --net=/proc/1/ns/net tcpward doctor$"
fi

ask d0
exits "a veth has all that is needed" 0
says "driver" "^OK +driver .*'veth'"
says "a veth loses TSO" "^WARN +native-xdp .*TSO"
says "... and the command that avoids it" "^ +tcpward attach --ingress tc d0$"
says "no XDP program" "^OK +xdp-program .*no XDP program"

ask ddown
says "an interface that is down, and its remedy" "^ +ip link set dev ddown up"

ask nosuch0
exits "an unknown interface" 4
says "an unknown interface is named" "^LACKS +interface +'nosuch0'"

inside ip link set d0 mtu 9000
inside ip link set d1 mtu 9000
ask d0
says "MTU" "^(OK|WARN) +mtu .*MTU 9000"
inside ip link set d0 mtu 1500
inside ip link set d1 mtu 1500

inside ip link set d1 master dbr
ask d1
says "a bridge's port" "^WARN +master .*port of 'dbr'"
ask dbr
says "a bridge with ports" "^WARN +ports "

# ---- strangers: an XDP program and a tc filter ----
cat >"$work/foreign.bpf.c" <<'C'
__attribute__((section("xdp"), used)) int stranger_x(void *ctx) { (void)ctx; return 2; }
__attribute__((section("tc"), used)) int stranger_t(void *ctx) { (void)ctx; return -1; }
char _license[] __attribute__((section("license"), used)) = "GPL";
C
if clang -O2 -g -target bpf -c "$work/foreign.bpf.c" -o "$work/foreign.o" 2>/dev/null &&
	inside ip link set dev d0 xdp obj "$work/foreign.o" sec xdp 2>/dev/null; then
	ask d0
	says "a foreign XDP program is named" "^WARN +xdp-program .*'stranger_x'"
	says "its remedy" "tcpward attach --ingress tc d0, or .*ip link set dev d0 xdp off"
	inside ip link set dev d0 xdp off
	inside tc qdisc add dev d0 clsact
	inside tc filter add dev d0 ingress bpf da obj "$work/foreign.o" sec tc
	ask d0
	says "foreign tc filters are counted" "^(OK|WARN) +tc-filters .*1 at ingress, 0 at egress"
else
	echo "skip a foreign XDP program is named: ip(8) cannot load one here"
fi

# ---- JSON, and no privilege ----
inside "$TCPWARD" doctor -j d0 >"$work/out" 2>&1
says "JSON: one array" '^\[\{"v":1,"iface":null,"check":"kernel",.*\}\]$'
says "JSON: the interface's checks" '"iface":"d0","check":"driver","health":"ok"'
cp "$TCPWARD" "$work/tcpward" && chmod 755 "$work" "$work/tcpward"
setpriv --reuid=65534 --regid=65534 --clear-groups "$work/tcpward" doctor >"$work/out" 2>&1
code=$?
exits "without privilege" 1
says "without privilege: what to do" "^ +sudo tcpward doctor$"
says "without privilege: what is lacking" "^LACKS +capabilities .*cap_bpf"
