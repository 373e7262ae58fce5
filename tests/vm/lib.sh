# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# lib: boots a kernel of tests/vm/kernels under QEMU and runs a script of this folder in it, which reports as any test does.
# The guest has no disk and no network: all it needs is in its initial file system: TOOLS of this machine with their libraries,
# kernel MODULES, PROGRAMS of build/, FILES of this tree, SYSTEM_FILES at their
# own places. A test that needs more adds to these lists.
# The guest writes to three serial lines: console, what the script prints, its exit status.
set -u
cd "$(dirname "$0")/../.."
. tests/vm/cache.sh
TEST=$(basename "$0" .sh)

MEMORY_M=768
BOOT_S=60 PATIENCE_S=${PATIENCE_S:-180}
ACCEL=${ACCEL:-tcg} # kvm is faster, and does not work in each cloud that shows it
TOOLS="awk basename bash cat chmod cmp cp cut date dirname env grep head id ip ln ls mkdir mktemp modprobe mount mv nproc
nsenter readlink realpath rm rmdir sed sleep sort stat stty sysctl tail tc timeout tr uname wc"
MODULES="veth sch_ingress cls_bpf tcp_diag"
PROGRAMS="tcpward tests/crowd tests/options tests/cookies tests/verified tests/test_programs"
FILES="tests/inside.sh tests/net/lib.sh build/tests/pass.bpf.o tests/vectors/tcp-conformance.txt tests/vectors/tcpward.txt"
SYSTEM_FILES=

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# ---- the guest's file system ----
# With the libraries that it is linked to, at their places.
put() { # file, place
	local library
	install -D -m 755 "$(readlink -f "$1")" "$root/$2"
	ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
		[ -e "$root/$library" ] || install -D -m 755 "$(readlink -f "$library")" "$root/$library"
	done
}
put_modules() { # directory of the kernel, release
	local module file
	for module in $MODULES; do
		modprobe -d "$1" -S "$2" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p'
	done | sort -u | while read -r file; do
		install -D -m 644 "$file" "$root/lib/modules/$2/${file#*/lib/modules/"$2"/}"
	done
	cp "$1/lib/modules/$2"/modules.{order,builtin} "$root/lib/modules/$2/"
	cp "$1/lib/modules/$2/modules.builtin.modinfo" "$root/lib/modules/$2/" 2>/dev/null
	depmod -b "$root" "$2"
}
fill_root() { # kernel, script
	local tool release
	release=$(<"$VM_CACHE/$1/release")
	mkdir -p "$root"/{dev,proc,sys,tmp,run,root,sbin,usr/bin,t/build}
	for tool in $TOOLS; do put "$(command -v "$tool")" "bin/$tool"; done
	ln -s bash "$root/bin/sh"
	put_modules "$VM_CACHE/$1" "$release"
	for tool in $PROGRAMS; do put "build/$tool" "t/build/$tool"; done
	echo >"$root/t/build/tools.mk" # no bpftool
	for tool in $SYSTEM_FILES; do install -D -m 644 "$tool" "$root/$tool"; done
	for tool in $FILES; do install -D -m 644 "$tool" "$root/t/$tool"; done
	install -D -m 755 "tests/vm/$2" "$root/t/tests/vm/$2"
	install -m 755 tests/vm/init "$root/init"
	echo "MODULES='$MODULES' SCRIPT='tests/vm/${*:2}'" >"$root/t/what"
}

# ---- the guest ----
# Runs to its end, or is ended where it has not come up in BOOT_S. The script's output to $work/out, its exit status to
# $work/status, which is empty if it did not get there.
boot() { # kernel
	local qemu end=$((SECONDS + BOOT_S))
	: >"$work/status"
	timeout -k 5 "$PATIENCE_S" qemu-system-x86_64 -accel "$ACCEL" -cpu max -smp 1 -m "$MEMORY_M" -nodefaults \
		-display none -no-reboot -kernel "$VM_CACHE/$1/vmlinuz" -initrd "$work/initrd" \
		-append "console=ttyS0 quiet panic=-1 oops=panic mitigations=off tsc=reliable" \
		-serial "file:$work/console" -serial "file:$work/out" -serial "file:$work/status" 2>"$work/qemu" </dev/null &
	qemu=$!
	until [ -s "$work/out" ] || ! kill -0 $qemu 2>/dev/null; do
		[ $SECONDS -lt $end ] || kill $qemu
		sleep 0.2
	done
	wait $qemu
	qemu_status=$?
}

# The whole test: skipped where the kernel or QEMU cannot be had.
in_guest() { # kernel, script, its words
	local root=$work/root cause try
	[ "$(uname -m)" = x86_64 ] || { echo "skip $TEST: the kernels of tests/vm are for x86_64, this is $(uname -m)"; exit; }
	for cause in qemu-system-x86_64 cpio modprobe depmod; do
		command -v "$cause" >/dev/null || { echo "skip $TEST: no $cause: packaging/deps.sh vm"; exit; }
	done
	if ! kernel_is_there "$1"; then
		echo "skip $TEST: no Linux $1: $(cat "$VM_CACHE/$1/why" 2>/dev/null || echo "tests/vm/fetch gets it")"
		exit
	fi
	fill_root "$@"
	(cd "$root" && find . | cpio -o -H newc --quiet) >"$work/initrd"
	for try in 1 2; do # without KVM a guest hangs at times, before it has come up
		boot "$1"
		[ ! -s "$work/out" ] || break
	done
	tr -d '\r' <"$work/out"
	case $(tr -d '\r' <"$work/status") in
	"status 0") ;;
	status*) echo "not ok $TEST: the script in the guest failed: $(<"$work/status")" ;;
	*)
		echo "not ok $TEST: the guest died, or was not done after $PATIENCE_S s (QEMU: exit status $qemu_status)"
		cat "$work/qemu"
		tail -n 20 "$work/console"
		;;
	esac
}
