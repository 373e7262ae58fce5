/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* gendoc: what its files share. */
#ifndef GENDOC_H
#define GENDOC_H

#include <stdbool.h>

/* Text with the marks of the format escaped, to the standard output. */
void put_scdoc(const char *text);
void put_markdown(const char *text);
/* "@each-finding@": a section a kind, all that user/detect/ says of it. */
void put_each_finding(bool scdoc);
/* "@policy-schema@": every key of a policy, by mapping. */
void put_policy_schema(bool scdoc);
/* "@cache-lines@": lines that a segment touches, counted from the layout of the records. Markdown only. */
void put_cache_lines(void);

#endif
