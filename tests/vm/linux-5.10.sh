#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# linux-5.10: lacks what the programs need: refused with one clear line.
. "$(dirname "$0")/lib.sh"
in_guest 5.10 guest-refused.sh
