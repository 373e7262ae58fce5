#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# deps.sh [vm|fuzz]: installs what building and testing tcpward needs, and nothing that is there already; with "vm" what
# booting other kernels (make test-kernels) needs besides, with "fuzz" what the fuzz targets do (make fuzz-short).
# On systems without apt it checks, and prints the list.
set -eu
here=$(dirname "$0")

# Also for the tests: libcmocka-dev iproute2 nftables tcpdump util-linux
apt_packages="ca-certificates make gcc libc6-dev clang pkg-config libbpf-dev libelf-dev zlib1g-dev libjson-c-dev
libfyaml-dev libsystemd-dev libpcap-dev libmnl-dev libcap-ng-dev libcmocka-dev scdoc iproute2 nftables tcpdump util-linux procps"
dnf_packages="make gcc clang pkgconf-pkg-config bpftool libbpf-devel elfutils-libelf-devel zlib-devel json-c-devel
libfyaml-devel systemd-devel libpcap-devel libmnl-devel libcap-ng-devel libcmocka-devel scdoc iproute nftables tcpdump util-linux"
pacman_packages="make gcc clang pkgconf bpf libbpf libelf zlib json-c libfyaml systemd-libs libpcap libmnl libcap-ng
cmocka scdoc iproute2 nftables tcpdump util-linux"

apt_optional=libxdp-dev # beside other XDP programs

if [ "${1:-}" = vm ]; then
	command -v apt-get >/dev/null || exit 0 # tests/vm says what it lacks
	apt_packages="qemu-system-x86 cpio kmod debian-archive-keyring"
	apt_optional=xdp-tools
fi

if [ "${1:-}" = fuzz ]; then
	command -v apt-get >/dev/null || exit 0 # the linker says what it lacks
	clang=$("$here/tools.sh" | sed -n 's/^CLANG := //p')
	apt_packages="libclang-rt-$(echo __clang_major__ | "$clang" -E -P -x c -)-dev" # libFuzzer and the sanitizers of that clang
fi

if ! command -v apt-get >/dev/null; then
	missing=$("$here/tools.sh" 2>&1 >/dev/null) && exit 0
	echo "make: ${missing% - run:*}; there is no apt-get here to install it with. The packages are:"
	echo "Fedora and kin: dnf install" $dnf_packages
	echo "Arch and kin:   pacman -S" $pacman_packages
	echo "Others: clang >= 14, bpftool, and the same libraries with their headers."
	exit 1
fi

# Packages of the list given that are not installed
missing() {
	dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
		awk -v want="$*" '$2 == "installed" { have[$1] = 1 }
			END { n = split(want, w, " "); for (i = 1; i <= n; i++) if (!(w[i] in have)) print w[i] }'
}

# Not every release has these.
for package in $apt_optional; do
	[ -z "$(apt-cache policy "$package" 2>/dev/null | sed -n 's/^ *Candidate: \([^(]\)/\1/p')" ] || apt_packages="$apt_packages $package"
done

todo=$(missing $apt_packages)
"$here/tools.sh" bpftool >/dev/null 2>&1 || need_bpftool=1
[ -n "$todo" ] || [ -n "${need_bpftool:-}" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "make: not installed:" $todo ${need_bpftool:+bpftool} "- run: sudo make deps" >&2
	exit 1
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
	"$@" >"$log" 2>&1
}
update() {
	[ -z "${updated:-}" ] || return 1
	updated=1
	echo "  APT   update"
	quietly apt-get -q update || { cat "$log" >&2; return 1; }
}
install() {
	echo "  APT   install $*"
	quietly apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@" && return
	update && quietly apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@" && return
	cat "$log" >&2
	echo "make: apt-get could not install: $*" >&2
	exit 1
}

# A fresh image comes without package lists.
ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 || update
[ -z "$todo" ] || install $todo
if [ -n "${need_bpftool:-}" ]; then
	# Debian has a package of this name; Ubuntu 24.04 keeps it among the tools of its kernel.
	case $(apt-cache policy bpftool 2>/dev/null | sed -n 's/^ *Candidate: //p') in
	'' | '(none)') install linux-tools-common linux-tools-generic ;;
	*) install bpftool ;;
	esac
fi
"$here/tools.sh" >/dev/null
