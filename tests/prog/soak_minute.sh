#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# soak_minute: a minute of tests/soak/soak.c, where "make soak" takes two hours of the same clock.
exec build/tests/soak 60 1000
