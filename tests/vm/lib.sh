# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# lib: boots a kernel of tests/vm/kernels under QEMU and runs a script of this folder in it, which reports as any test does.
# The guest has no disk and no network: all it needs is in its initial file system: TOOLS of this machine with their libraries,
# kernel MODULES, FILES of this tree, SYSTEM_FILES at their own places. A test that needs more adds to these lists.
# The guest writes to three serial lines: console, what the script prints, its exit status.
set -u
cd "$(dirname "$0")/../.."
. tests/vm/cache.sh
TEST=$(basename "$0" .sh)

MEMORY_M=768
BOOT_S=60 PATIENCE_S=${PATIENCE_S:-280}
ACCEL=${ACCEL:-tcg} # kvm is faster, and does not work in each cloud that shows it
# What only costs time where each instruction is emulated: with "rep movsb" for memcpy() a verifier takes twice as long, with
# SMAP a fifth longer.
CPU=max,-erms,-fsrm,-la57,-smap,-smep,-pku,-umip
QUIET="quiet audit=0 lsm= init_on_alloc=0 hardened_usercopy=off mitigations=off tsc=reliable"
TOOLS="awk basename bash cat chmod cmp cp cut date dirname env grep head id ip ln ls mkdir mktemp modprobe mount mv nproc
nsenter readlink realpath rm rmdir sed sleep sort stat stty sysctl tail tc timeout tr umount uname wc"
MODULES="veth sch_ingress cls_bpf tcp_diag"
FILES="build/tcpward build/tests/crowd build/tests/options build/tests/cookies build/tests/verified build/tests/test_programs
tests/inside.sh tests/net/lib.sh build/tests/pass.bpf.o tests/vectors/tcp-conformance.txt tests/vectors/tcpward.txt"
SYSTEM_FILES=

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

# ---- the guest's file system, made in few processes ----
# shellcheck disable=SC2086
put_modules() { # directory of the kernel, release
	local files
	files=$(modprobe -d "$1" -S "$2" -a --show-depends $MODULES 2>/dev/null |
		sed -n 's#^insmod .*/\(lib/modules/[^ ]*\).*#\1#p' | sort -u)
	(cd "$1" && cp --parents -t "$root" $files "lib/modules/$2"/modules.{order,builtin})
	cp "$1/lib/modules/$2/modules.builtin.modinfo" "$root/lib/modules/$2/" 2>/dev/null
	depmod -b "$root" "$2"
}
# shellcheck disable=SC2086 # lists of words
fill_root() { # kernel, script
	local tools
	mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,root,sbin,usr/bin,t/tests/vm}
	mapfile -t tools < <(type -P $TOOLS)
	cp -L -t "$root/bin" "${tools[@]}"
	ln -s bash "$root/bin/sh"
	cp --parents -t "$root/t" $FILES "tests/vm/$2"
	ldd "${tools[@]}" $FILES 2>/dev/null | sed -n 's#^[^/]*\(/[^ ]*\) (0x.*#\1#p' | sort -u |
		xargs cp -L --parents -t "$root"
	[ -z "$SYSTEM_FILES" ] || cp -L --parents -t "$root" $SYSTEM_FILES
	put_modules "$VM_CACHE/$1" "$(<"$VM_CACHE/$1/release")"
	echo >"$root/t/build/tools.mk" # no bpftool
	install -m 755 tests/vm/init "$root/init"
	echo "MODULES='$MODULES' SCRIPT='tests/vm/${*:2}'" >"$root/t/what"
}

# ---- the guest ----
# Runs to its end, or is ended where it has not come up in BOOT_S. The script's output to $work/out, its exit status to
# $work/status, which is empty if it did not get there.
boot() { # kernel
	local qemu end=$((SECONDS + BOOT_S))
	: >"$work/status"
	timeout -k 5 "$PATIENCE_S" qemu-system-x86_64 -accel "$ACCEL" -cpu "$CPU" -smp 1 -m "$MEMORY_M" -nodefaults \
		-display none -no-reboot -kernel "$VM_CACHE/$1/vmlinuz" -initrd "$work/initrd" \
		-append "console=ttyS0 panic=-1 oops=panic $QUIET" \
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
