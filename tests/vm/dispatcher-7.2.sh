#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# dispatcher-7.2: beside xdp-filter on one interface, as in 6.12, in the newest kernel.
. "$(dirname "$0")/dispatcher.sh"
beside_filter 7.2 "$(may_change_frames && echo upgrade || echo refused)"
