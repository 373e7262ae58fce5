#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# stacked-6.1: bonds and VLAN devices.
#
# first: it takes long
. "$(dirname "$0")/lib.sh"
MODULES+=" bonding 8021q bridge"
in_guest 6.1 guest-stacked.sh
