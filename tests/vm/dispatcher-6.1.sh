#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# dispatcher-6.1: beside xdp-filter on one interface, in the oldest kernel; with SYN cookies and an upgrade.
#
# first: it takes long
. "$(dirname "$0")/dispatcher.sh"
beside_filter 6.1 upgrade
