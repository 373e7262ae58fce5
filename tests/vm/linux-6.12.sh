#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# linux-6.12: Debian 13's kernel.
#
# first: it takes long
. "$(dirname "$0")/lib.sh"
in_guest 6.12 guest-watch.sh clsact clock
