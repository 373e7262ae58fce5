# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# cache: where the kernels are kept that tests/vm boots. Of each: vmlinuz, lib/modules/RELEASE, release, or else the file
# "why": why there is none. To get newer ones remove the directory.
VM_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/tcpward/kernels

kernel_is_there() { # name
	[ -s "$VM_CACHE/$1/vmlinuz" ]
}
