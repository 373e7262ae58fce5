// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Policy files (user/policy/): any text is read. What is refused is refused with as many errors as are told, each with its
 * place; what is taken is printed (YAML), read again, and compared: the same text, no difference told, the same JSON, and the
 * same image for the packet path, or the same reason for which there is none.
 *
 * What stands behind a NUL byte is the file of any "@list": no other file is read (open() is wrapped by the linker).
 *
 * Each of this can fail: tests/fuzz/selftest plants mistakes that it must find.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <json-c/json.h>

#include "fuzz/fuzz.h"
#include "policy/policy.h"

#define NAME "fuzz"

/* libfyaml 0.7.12 loses a buffer at some of the errors that it finds. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libfyaml.so";
}

/* ---- the list file ---- */
static const uint8_t *list;
static size_t list_size;

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	int fd = list ? memfd_create("list", MFD_CLOEXEC) : -1;

	(void)flags;
	if (fd < 0 || write(fd, list, list_size) != (ssize_t)list_size || lseek(fd, 0, SEEK_SET)) {
		if (fd >= 0)
			close(fd);
		errno = ENOENT;
		return -1;
	}
	(void)path;
	return fd;
}

/* ---- what is taken ---- */
/* The images are compared whole: they are made by calloc(), padding and all. */
static void same_table(const struct policy_table *a, const struct policy_table *b, const char *which)
{
	MUST(a->count == b->count, "%s: %zu, %zu entries", which, a->count, b->count);
	if (a->count)
		MUST(!memcmp(a->item, b->item, a->count * sizeof(*a->item)), "%s", which);
}

static void same_image(const struct policy *p, const struct policy *q)
{
	const char *why = NULL;
	char first[400] = "";
	struct policy_image *a = policy_compile(p, NULL, 0, &why), *b;

	if (!a) {
		MUST(why && *why, "refused without a word");
		snprintf(first, sizeof(first), "%s", why);
	}
	b = policy_compile(q, NULL, 0, &why);
	MUST(!a == !b, "one of them is refused: %s", why);
	if (!a) {
		MUST(!strncmp(first, why, sizeof(first) - 1), "'%s', then '%s'", first, why);
		return;
	}
	MUST(!memcmp(&a->config, &b->config, sizeof(a->config)), "config");
	MUST(!memcmp(&a->ports, &b->ports, sizeof(a->ports)), "ports");
	MUST(!memcmp(a->block_len, b->block_len, sizeof(a->block_len)), "block_len");
	same_table(&a->saddr_exact, &b->saddr_exact, "saddr_exact");
	same_table(&a->saddr_prefix, &b->saddr_prefix, "saddr_prefix");
	same_table(&a->daddr_exact, &b->daddr_exact, "daddr_exact");
	same_table(&a->daddr_prefix, &b->daddr_prefix, "daddr_prefix");
	policy_image_free(a);
	policy_image_free(b);
}

static char *printed(const struct policy *p, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	policy_print(p, out);
	fclose(out);
	return text;
}

/* Reads it; what is told goes to *told, to be freed. */
static struct policy *read_text(const char *text, size_t len, char **told, unsigned *errors)
{
	size_t size = 0;
	FILE *err = open_memstream(told, &size);
	struct policy *p = policy_parse(text, len, NAME, NULL, err, errors);

	fclose(err);
	return p;
}

/* ---- what is refused ---- */
/* A list's name may hold colons and numbers itself: only a whole ":LINE:COLUMN: ", both counted from 1, is a place. */
static bool is_place(const char *at)
{
	unsigned line, column;
	int len = 0;

	return sscanf(at, ":%u:%u:%n", &line, &column, &len) == 2 && len && at[len] == ' ' && line && column;
}

static void check_refused(const char *told, unsigned errors)
{
	unsigned lines = 0;

	MUST(errors, "refused without an error");
	MUST(*told, "refused without a word");
	for (const char *at = told; *at; at = strchr(at, '\n') + 1) {
		const char *end = strchr(at, '\n'), *colon = strchr(at, ':');

		MUST(end, "the last line does not end: %s", at);
		while (colon && colon < end && !is_place(colon))
			colon = strchr(colon + 1, ':');
		MUST(colon && colon < end, "a line without a place: %.*s", (int)(end - at), at);
		lines++;
	}
	MUST(lines && lines <= errors + 1, "%u errors, %u places: %s", errors, lines, told);
}

/* "@list" has become what stands in it, so no file is read any more. */
static void check_taken(struct policy *p)
{
	size_t len, len_again;
	char *text = printed(p, &len), *told = NULL, *again;
	struct json_object *a = policy_json(p), *b;
	struct policy *q;
	unsigned errors = 0;

	q = read_text(text, len, &told, &errors);
	MUST(q, "what was printed is refused: %s%s", told, text);
	again = printed(q, &len_again);
	MUST(len == len_again && !memcmp(text, again, len), "printed:\n%sprinted again:\n%s", text, again);
	MUST(!policy_diff(p, q, stderr), "what was printed differs: %s", text);
	b = policy_json(q);
	MUST(json_object_equal(a, b), "as JSON: %s", text);
	same_image(p, q);
	json_object_put(a);
	json_object_put(b);
	policy_free(q);
	free(told);
	free(text);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t len = nul && nul + 1 < data + size ? (size_t)(nul - data) : size; /* at the very end it is the policy's own */
	char *text = malloc(len + 1), *told = NULL;
	unsigned errors = 0;
	struct policy *p;

	list = len < size ? nul + 1 : NULL;
	list_size = len < size ? size - len - 1 : 0;
	memcpy(text, data, len);
	text[len] = '\0';
	p = read_text(text, len, &told, &errors);
	list = NULL;
	MUST(!p == !!errors, "%u errors, and a policy all the same, or none: %s", errors, told);
	if (p)
		check_taken(p);
	else
		check_refused(told, errors);
	policy_free(p);
	free(told);
	free(text);
	return 0;
}
