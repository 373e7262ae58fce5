# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# inside: what a test needs in network, mount and process namespaces of its own, by whoever is their first process: interfaces,
# pins, locks and process ids are those of this test alone. For tests/one.sh and tests/net/lib.sh.
enter_namespaces=(setpriv --pdeathsig KILL unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc)

mount_inside() {
	mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf || return
	[ -d /sys/kernel/tracing ] && mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
	mkdir -p /run/netns /run/tcpward && mount -t tmpfs tmpfs /run/netns && mount -t tmpfs tmpfs /run/tcpward || return
	ip link set lo up
}
