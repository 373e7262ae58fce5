#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# tools.sh [bpftool]: finds the tools and libraries of the build and prints them as make variables.
# What is missing is told in one line. With "bpftool" it looks for nothing else. NO_LIBXDP=1: as if libxdp were not there.
set -u
libraries="libbpf libelf zlib json-c libfyaml libsystemd libpcap libmnl libcap-ng"
optional="libxdp" # beside other XDP programs
clang_least=14

# /usr/sbin/bpftool of Ubuntu is a script that fails unless the tools of the running kernel are installed;
# those of any other kernel do as well.
find_bpftool() {
	for tool in "${BPFTOOL:-bpftool}" /usr/sbin/bpftool /usr/lib/linux-tools/*/bpftool /usr/lib/linux-tools-*/bpftool; do
		if "$tool" version >/dev/null 2>&1; then
			command -v "$tool"
			return
		fi
	done
	return 1
}

clang_version() {
	echo __clang_major__ | "$1" -E -P -x c - 2>/dev/null
}

find_clang() {
	for tool in "${CLANG:-clang}" clang-22 clang-21 clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
		if [ "$(clang_version "$tool" || true)" -ge "$clang_least" ] 2>/dev/null; then
			command -v "$tool"
			return
		fi
	done
	return 1
}

bpftool=$(find_bpftool)
if [ "${1:-}" = bpftool ]; then
	[ -n "$bpftool" ] || exit 1
	echo "$bpftool"
	exit 0
fi

missing=
[ -n "$bpftool" ] || missing="$missing bpftool"
clang=$(find_clang) || missing="$missing clang(>=$clang_least)"
command -v "${CC:-gcc}" >/dev/null || missing="$missing ${CC:-gcc}"
if command -v pkg-config >/dev/null; then
	for library in $libraries; do
		pkg-config --exists "$library" || missing="$missing $library"
	done
else
	missing="$missing pkg-config"
fi
if [ -n "$missing" ]; then
	echo "not installed:$missing - run: sudo make deps" >&2
	exit 1
fi

[ -z "${NO_LIBXDP:-}" ] || optional=
for library in $optional; do
	pkg-config --exists "$library" && libraries="$library $libraries" && defines="${defines:-} -DWARD_$(echo "$library" | tr a-z A-Z)"
done

echo "# NO_LIBXDP=${NO_LIBXDP:-}"
echo "CLANG := $clang"
echo "BPFTOOL := $bpftool"
echo "LIB_CFLAGS := $(pkg-config --cflags $libraries)${defines:-}"
echo "LIBS := $(pkg-config --libs $libraries)"
