/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stands in until the detectors are here. */
#include "detect/detect.h"
#define W __attribute__((weak))
W struct detector *detector_new(const struct detect_opts *o, struct finding *t, uint32_t *n) { (void)o; (void)t; (void)n; return 0; }
W unsigned detector_tick(struct detector *d, const struct detect_view *v, detect_fn f, void *c) { (void)d; (void)v; (void)f; (void)c; return 0; }
W unsigned detector_blind(const struct detector *d) { (void)d; return 0; }
W void detector_free(struct detector *d) { (void)d; }
