// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * find: scenes on a fake clock through "tcpward replay --findings", as a user runs it. Each scene with a cause must raise what
 * it expects, and nothing else; without its cause nothing; what only looks like a cause, nothing either.
 *
 *   find                          all of them
 *   find [--harmless] NAME...     some of them (the beginning of a name will do)
 *   find --write FILE NAME        only the capture
 *   find --list
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "find/check.h"
#include "find/scenes.h"
#include "lib/temp.h"

enum scene_kind { RAISES, LOOKS_ALIKE, WITHOUT_CAUSES, THRESHOLD };

struct scene_row {
	const char *name;
	void (*build)(struct scene *s);
	const char *words;
	enum scene_kind kind;
	const char *finding; /* THRESHOLD: what is found, or NULL: nothing */
	const char *blind;   /* LOOKS_ALIKE: why some is suppressed, beside the start */
};

static void all_without_causes(struct scene *s);

static const struct scene_row rows[] = {
#define X(name, function, words) { name, function, words, RAISES, NULL, NULL },
	SCENES(X)
#undef X
#define X(name, function, blind) { name, function, "", LOOKS_ALIKE, NULL, blind },
		LOOKALIKES(X)
#undef X
#define X(name, function, words, finding) { name, function, words, THRESHOLD, finding, NULL },
			THRESHOLDS(X)
#undef X
				{ "without-causes", all_without_causes, "--flows 262144", WITHOUT_CAUSES, NULL, NULL },
};

#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

static bool harmless;

/* Every scene that raises something, without its cause, in one capture. */
static void all_without_causes(struct scene *s)
{
	s->harmless = true;
	for (int i = 0; i < ROWS && rows[i].kind == RAISES; i++) {
		s->place = (uint8_t)(i + 1);
		rows[i].build(s);
		while (s->expected_count)
			free(s->expected[--s->expected_count].offender);
		s->allowed_count = 0;
	}
}

/* For how many seconds the clock runs on: until all are cleared. */
static unsigned linger(const struct scene *s)
{
	uint64_t end = s->last_ns + SECONDS(15);

	for (int i = 0; i < s->expected_count; i++)
		if (s->expected[i].ends_high_ns + SECONDS(14) > end)
			end = s->expected[i].ends_high_ns + SECONDS(14);
	return (unsigned)((end - s->last_ns) / SECONDS(1));
}

static int judge(const struct scene_row *row, const struct scene *s, const struct findings *f)
{
	if (row->kind == THRESHOLD && row->finding)
		return check_kind(f, row->finding, row->name);
	if (row->kind == RAISES && !harmless)
		return check_findings(s, f, row->name);
	return check_nothing(s, f, row->name);
}

static const char *first_line(const char *path)
{
	static char line[300];
	FILE *in = fopen(path, "r");

	if (!in || !fgets(line, sizeof(line), in))
		*line = '\0';
	if (in)
		fclose(in);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* What tcpward said to stderr: it suppresses what would lie, and says so; and it says so only then. */
static int check_said(const struct scene_row *row, const char *said)
{
	bool blind = strstr(said, "one-way") != NULL;

	if (blind == (row->blind != NULL))
		return 0;
	return printf("not ok %s: it is %ssaid that one direction does not pass: '%s'\n", row->name,
		      blind ? "" : "not ", said) > 0;
}

static int run(const struct scene_row *row, struct scene *s, const char *capture)
{
	const char *program = getenv("TCPWARD") ?: "build/tcpward";
	struct findings f;
	char command[1024], said[TEMP_PATH_LEN + 8];
	int failed, status;
	FILE *in;

	snprintf(said, sizeof(said), "%s.err", capture);
	snprintf(command, sizeof(command), "%s replay --findings -j --flows 16384 --linger %u %s %s 2>%s", program,
		 linger(s), row->words, capture, said);
	in = popen(command, "r");
	if (!in)
		return printf("not ok %s: cannot run '%s': %s\n", row->name, command, strerror(errno)) > 0;
	failed = findings_read(&f, in, row->name) != 0;
	status = pclose(in);
	if (status)
		failed += printf("not ok %s: exit status %d: %s: %s\n", row->name, WEXITSTATUS(status), command,
				 first_line(said)) > 0;
	failed += check_said(row, first_line(said));
	unlink(said);
	if (!failed)
		failed = judge(row, s, &f);
	findings_free(&f);
	return failed;
}

/* One scene, in a process of its own. */
static int play(const struct scene_row *row)
{
	char capture[TEMP_PATH_LEN];
	int fd = mkstemp(temp_template("find", capture)), failed;
	struct scene s;

	if (fd < 0)
		err(1, "%s", capture);
	close(fd);
	scene_init(&s, harmless);
	row->build(&s);
	if (scene_write(&s, capture))
		err(1, "cannot write '%s'", capture);
	failed = run(row, &s, capture);
	unlink(capture);
	scene_free(&s);
	return failed;
}

static bool wanted(const struct scene_row *row, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strncmp(row->name, *names, strlen(*names)))
			return true;
	return false;
}

/* All that are wanted, one on each CPU. Results stand in files until then, so that lines do not mix. */
static int play_all(char **names)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), running = 0;
	int failed = 0, status;
	FILE *out[ROWS] = { 0 };
	char line[1024];

	for (int i = 0; i < ROWS; i++) {
		if (!wanted(&rows[i], names))
			continue;
		out[i] = tmpfile();
		if (!out[i])
			err(1, "cannot make a temporary file");
		if (running == cpus && wait(&status) > 0)
			failed += status != 0, running--;
		fflush(stdout);
		if (!fork()) {
			dup2(fileno(out[i]), STDOUT_FILENO);
			exit(play(&rows[i]) ? 1 : 0);
		}
		running++;
	}
	while (wait(&status) > 0)
		failed += status != 0;
	for (int i = 0; i < ROWS; i++) {
		if (!out[i])
			continue;
		rewind(out[i]);
		while (fgets(line, sizeof(line), out[i]))
			fputs(line, stdout);
		fclose(out[i]);
	}
	return failed;
}

static int write_one(const char *path, char **names)
{
	struct scene s;

	for (int i = 0; *names && i < ROWS; i++) {
		if (!wanted(&rows[i], names))
			continue;
		scene_init(&s, harmless);
		rows[i].build(&s);
		if (scene_write(&s, path))
			err(1, "cannot write '%s'", path);
		printf("%s: %zu segments, %.1f s; replay --findings --linger %u %s\n", rows[i].name, s.count,
		       (double)s.last_ns / 1e9, linger(&s), rows[i].words);
		scene_free(&s);
		return 0;
	}
	errx(2, "--write FILE NAME: no such scene");
}

int main(int argc, char **argv)
{
	const char *path = NULL;
	int i = 1;

	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--harmless")) {
			harmless = true;
		} else if (!strcmp(argv[i], "--write") && i + 1 < argc) {
			path = argv[++i];
		} else if (!strcmp(argv[i], "--list")) {
			for (int k = 0; k < ROWS; k++)
				puts(rows[k].name);
			return 0;
		} else {
			errx(2, "find [--harmless] [--write FILE] [--list] [NAME...]");
		}
	}
	(void)argc;
	if (path)
		return write_one(path, argv + i);
	if (!path && getuid()) {
		puts("skip find: needs root");
		return 0;
	}
	return play_all(argv + i) != 0;
}
