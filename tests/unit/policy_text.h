/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* policy_text: policies out of the text of a test. "@file" is looked for in tests/policy/right. */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

#define EVERY_KEY "tests/policy/right/every-key.yaml"

/* The policy, or NULL with what was told (to be freed) and how many errors. */
struct policy *parse(const char *text, size_t len, char **told, unsigned *errors);
/* A policy that must be right. */
struct policy *right(const char *text);
struct policy *right_file(const char *path);
/* Refused with one error or more; the first begins with this. */
void wrong(const char *text, size_t len, const char *first);
/* To be freed; terminated. */
char *whole_file(const char *path, size_t *len);

#endif
