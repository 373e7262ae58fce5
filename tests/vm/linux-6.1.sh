#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# linux-6.1: Debian 12's kernel, the oldest that is supported: no tcx.
#
# first: it takes long
. "$(dirname "$0")/lib.sh"
FILES+=" build/tests/tcpward-rebuilt build/tests/tcpward-relaid"
in_guest 6.1 guest-watch.sh upgrade generic
