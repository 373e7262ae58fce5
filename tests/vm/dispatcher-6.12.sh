#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# dispatcher-6.12: beside xdp-filter on one interface, in Debian 13's kernel, which lets us in by libxdp 1.5.5, not by 1.3.
. "$(dirname "$0")/dispatcher.sh"
beside_filter 6.12 "$(may_change_frames && echo upgrade || echo refused)"
