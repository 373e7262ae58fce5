/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every gauge should be: a recount of all records, one by one, which shares nothing with that of the sweep. */
#ifndef PROG_DRIFT_H
#define PROG_DRIFT_H

#include "account.h"
#include "prog/rig.h"

#define DRIFT_FLOWS 8192    /* more connections than test_drift has */
#define DRIFT_SERVICES 2048 /* a client's port is one too, once it has answered */

/* All services, as drift_read() found them; live or not. */
extern struct service drift_services[DRIFT_SERVICES];

/* Reads every element of an array: the test ends where it cannot. */
void drift_read_map(struct rig *rig, enum ward_map map, uint32_t index, void *value);

/* Reads all records and services, for the functions below. skip: leave out the record of this number; -1: none. */
void drift_read(struct rig *rig, int skip);

/* The gauges of the instance. */
struct ward_gauges drift_gauges(void);

/* The gauges of a service that depend on states alone. */
void drift_service(const struct service *s, uint64_t now[SERVICE_GAUGES]);

/*
 * Open flows of a service whose other end is a service too: the sweep, which reads no more of an open flow than states and times,
 * counts it for either of both.
 */
uint64_t drift_either(const struct service *s);

/* The gauges of a source that depend on states alone. */
void drift_source(const struct source *s, uint64_t now[SOURCE_GAUGES]);

#endif
