#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# dispatcher-6.1: beside xdp-filter on one interface, which takes a kernel with BPF extensions.
. "$(dirname "$0")/lib.sh"
for cause in xdp-filter xdp-loader; do
	command -v $cause >/dev/null || { echo "skip $TEST: no $cause: packaging/deps.sh vm"; exit; }
done
ldd build/tcpward | grep -q libxdp || { echo "skip $TEST: this tcpward was built without libxdp"; exit; }
TOOLS+=" xdp-filter xdp-loader"
SYSTEM_FILES=$(ls /usr/lib/*/bpf/*.o)
in_guest 6.1 guest-dispatcher.sh
