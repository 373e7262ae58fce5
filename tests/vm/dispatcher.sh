# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
# dispatcher: what the tests dispatcher-*.sh share: a guest with xdp-filter, beside which ours goes by libxdp's dispatcher.
. "$(dirname "$0")/lib.sh"

# Are the functions of this dispatcher such as may change frames? Kernels that ask for it refuse ours otherwise. Since libxdp
# 1.5.5 they are.
may_change_frames() {
	local version
	version=$(pkg-config --modversion libxdp) && [ "$(printf '%s\n' 1.5.5 "$version" | sort -V | head -n 1)" = 1.5.5 ]
}
beside_filter() { # kernel, word for guest-dispatcher.sh
	local cause
	for cause in xdp-filter xdp-loader; do
		command -v $cause >/dev/null || { echo "skip $TEST: no $cause: packaging/deps.sh vm"; exit; }
	done
	ldd build/tcpward | grep -q libxdp || { echo "skip $TEST: this tcpward was built without libxdp"; exit; }
	TOOLS+=" xdp-filter xdp-loader"
	FILES+=" build/tests/tcpward-noxdp build/tests/tcpward-rebuilt"
	SYSTEM_FILES=$(ls /usr/lib/*/bpf/*.o)
	in_guest "$1" guest-dispatcher.sh "$2"
}
