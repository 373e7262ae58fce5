#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# linux-7.2: the newest kernel of Debian.
#
# first: it takes long
. "$(dirname "$0")/lib.sh"
in_guest 7.2 guest-watch.sh generic
