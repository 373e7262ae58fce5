#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# dispatcher-7.2: beside xdp-filter on one interface, in a kernel whose verifier does not let us into the dispatcher of libxdp 1.3.
. "$(dirname "$0")/lib.sh"
for cause in xdp-filter xdp-loader; do
	command -v $cause >/dev/null || { echo "skip $TEST: no $cause: packaging/deps.sh vm"; exit; }
done
ldd build/tcpward | grep -q libxdp || { echo "skip $TEST: this tcpward was built without libxdp"; exit; }
TOOLS+=" xdp-filter xdp-loader"
SYSTEM_FILES=$(ls /usr/lib/*/bpf/*.o)
in_guest 7.2 guest-dispatcher.sh refused
