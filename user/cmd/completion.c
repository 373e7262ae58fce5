/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * completion: scripts for bash, zsh and fish, from the table of commands and from each command's own options: a child
 * process per command prints what its parser knows (CMD_LIST_OPTIONS).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/policy.h"

struct option_line {
	char *name, *help;
	char letter; /* '-': none */
	bool takes_value;
};

typedef void (*option_fn)(const struct command *c, const struct option_line *o);

static FILE *ask(const struct command *c, pid_t *pid)
{
	char list[] = CMD_LIST_OPTIONS, name[32];
	char *argv[] = { name, list, NULL };
	int ends[2];

	snprintf(name, sizeof(name), "%s", c->name);
	fflush(NULL);
	if (pipe(ends))
		return NULL;
	*pid = fork();
	if (!*pid) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		c->run(2, argv);
		_exit(0);
	}
	close(ends[1]);
	return *pid < 0 ? NULL : fdopen(ends[0], "r");
}

static void each_option(const struct command *c, option_fn fn)
{
	char *text = NULL;
	size_t size = 0;
	pid_t pid = -1;
	FILE *in = ask(c, &pid);

	while (in && getline(&text, &size, in) > 0) {
		char *rest = text;
		struct option_line o = { .name = strsep(&rest, "\t") };
		char *letter = strsep(&rest, "\t"), *value = strsep(&rest, "\t");

		o.help = strsep(&rest, "\n");
		if (!letter || !value || !o.help)
			continue;
		o.letter = *letter;
		o.takes_value = *value == '=';
		fn(c, &o);
	}
	free(text);
	if (in)
		fclose(in);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static bool takes_ifaces(const struct command *c)
{
	static const char *const names[] = { "run", "attach", "detach", "doctor" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(c->name, names[i]))
			return true;
	return false;
}

static bool takes_files(const struct command *c)
{
	return !strcmp(c->name, "replay");
}

static bool has_commands(const struct command *c)
{
	return !strcmp(c->name, "policy") || !strcmp(c->name, "block") || !strcmp(c->name, "allow");
}

/* The words that a command takes, separated by blanks; nothing for those that take others. */
static void put_words(const struct command *c)
{
	if (!strcmp(c->name, "stat"))
		fputs(" services sources states", stdout);
	else if (!strcmp(c->name, "completion"))
		fputs(" bash zsh fish", stdout);
	else if (!strcmp(c->name, "block") || !strcmp(c->name, "allow"))
		fputs(" add del list flush import", stdout);
	for (const struct command *sub = policy_commands; !strcmp(c->name, "policy") && sub->name; sub++)
		printf(" %s", sub->name);
	for (unsigned kind = 0; !strcmp(c->name, "explain") && kind < FINDING_COUNT; kind++)
		printf(" %s", finding_name(kind));
}

static bool takes_words(const struct command *c)
{
	static const char *const names[] = { "stat", "completion", "explain", "block", "allow", "policy" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(c->name, names[i]))
			return true;
	return false;
}

/* The values of --detect, up to the '='. */
static void put_thresholds(void)
{
	const struct param_row *params = detect_params();

	for (unsigned i = 0; i < PARAM_COUNT; i++)
		printf(" %s.%s=", finding_name(params[i].finding), params[i].name);
}

static bool takes_threshold(const struct option_line *o)
{
	return !strcmp(o->name, "detect");
}

/* Prints text with the quote and the colon that the shells mind left out. */
static void put_help(const char *text)
{
	for (; *text; text++)
		if (!strchr("'[]:\"`$\\", *text))
			putchar(*text);
}

/* ---- bash ---- */
static void bash_option(const struct command *c, const struct option_line *o)
{
	(void)c;
	printf(" --%s%s", o->name, o->takes_value ? "=" : "");
	if (o->letter != '-')
		printf(" -%c", o->letter);
}

static void bash(void)
{
	puts("# bash completion for tcpward, made by: tcpward completion bash");
	puts("_tcpward()\n{\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words= what=");
	puts("\tCOMPREPLY=()\n\tif [ \"$COMP_CWORD\" -eq 1 ]; then");
	fputs("\t\twords='--help --version", stdout);
	for (const struct command *c = commands; c->name; c++)
		printf(" %s", c->name);
	puts("'\n\telse\n\t\tcase ${COMP_WORDS[1]} in");
	for (const struct command *c = commands; c->name; c++) {
		printf("\t\t%s)\n\t\t\twords='--help", c->name);
		each_option(c, bash_option);
		put_words(c);
		printf("'\n\t\t\twhat=%s ;;\n", takes_ifaces(c) ? "ifaces" : takes_files(c) ? "files" : has_commands(c) ? "commands" : "");
	}
	puts("\t\tesac\n\tfi");
	fputs("\tlocal prev=${COMP_WORDS[COMP_CWORD-1]}\n\t[ \"$prev\" = = ] && prev=${COMP_WORDS[COMP_CWORD-2]}\n"
	      "\tif [ \"$prev\" = --detect ]; then\n\t\tcur=${cur#=}\n\t\tCOMPREPLY=($(compgen -W '",
	      stdout);
	put_thresholds();
	puts("' -- \"$cur\"))\n\t\tcompopt -o nospace\n\t\treturn 0\n\tfi");
	/* behind a command of policy, block, or allow: the files that it reads, else nothing but options */
	puts("\tif [ \"$what\" = commands ] && [ \"$COMP_CWORD\" -gt 2 ] && [[ $cur != -* ]]; then\n\t\twords=\n"
	     "\t\tcase ${COMP_WORDS[2]} in check | test | apply | diff | import) what=files ;; esac\n\tfi");
	puts("\tif [ \"$prev\" = --policy ] || [ \"$prev\" = --replay ]; then\n\t\twhat=files cur=${cur#=}\n\tfi");
	puts("\tif [ \"$what\" = ifaces ] && [[ $cur != -* ]]; then\n\t\twords=$(command ls /sys/class/net)\n\tfi");
	puts("\tif [ \"$what\" = files ] && [[ $cur != -* ]]; then\n\t\tCOMPREPLY=($(compgen -f -- "
	     "\"$cur\"))\n\t\treturn\n\tfi");
	puts("\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))");
	puts("\t[[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n\treturn 0\n}\ncomplete -o default -F _tcpward "
	     "tcpward");
}

/* ---- zsh ---- */
static void zsh_option(const struct command *c, const struct option_line *o)
{
	(void)c;
	printf("\t\t\t'--%s%s[", o->name, o->takes_value ? "=" : "");
	put_help(o->help);
	if (takes_threshold(o)) {
		fputs("]:threshold:(", stdout);
		put_thresholds();
		fputs(")' \\\n", stdout);
		return;
	}
	printf("]%s'", o->takes_value ? ":value:" : "");
	if (o->letter != '-') {
		printf(" '-%c[", o->letter);
		put_help(o->help);
		printf("]%s'", o->takes_value ? ":value:" : "");
	}
	puts(" \\");
}

static void zsh(void)
{
	puts("#compdef tcpward\n# zsh completion for tcpward, made by: tcpward completion zsh");
	puts("_tcpward()\n{\n\tlocal -a list\n\tif (( CURRENT == 2 )); then\n\t\tlist=(");
	for (const struct command *c = commands; c->name; c++) {
		printf("\t\t\t'%s:", c->name);
		put_help(c->help);
		puts("'");
	}
	puts("\t\t)\n\t\t_describe command list\n\t\treturn\n\tfi");
	puts("\tlocal word=$words[2]\n\tshift words\n\t(( CURRENT-- ))\n\tcase $word in");
	for (const struct command *c = commands; c->name; c++) {
		printf("\t%s)\n\t\t_arguments \\\n", c->name);
		each_option(c, zsh_option);
		printf("\t\t\t'--help[help]' '*:%s", takes_ifaces(c)  ? "interface:_net_interfaces"
						     : takes_files(c) ? "capture:_files"
								      : "word:");
		if (takes_words(c)) {
			putchar('(');
			put_words(c);
			putchar(')');
		}
		puts("' ;;");
	}
	puts("\tesac\n}\n_tcpward \"$@\"");
}

/* ---- fish ---- */
static void fish_option(const struct command *c, const struct option_line *o)
{
	printf("complete -c tcpward -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
	if (o->letter != '-')
		printf(" -s %c", o->letter);
	printf("%s", o->takes_value ? " -x" : "");
	if (takes_threshold(o)) {
		fputs(" -a '", stdout);
		put_thresholds();
		putchar('\'');
	}
	fputs(" -d '", stdout);
	put_help(o->help);
	puts("'");
}

static void fish(void)
{
	puts("# fish completion for tcpward, made by: tcpward completion fish");
	puts("complete -c tcpward -f");
	for (const struct command *c = commands; c->name; c++) {
		printf("complete -c tcpward -n __fish_use_subcommand -a %s -d '", c->name);
		put_help(c->help);
		puts("'");
		each_option(c, fish_option);
		if (takes_ifaces(c))
			printf("complete -c tcpward -n '__fish_seen_subcommand_from %s' -a '(command ls "
			       "/sys/class/net)'\n",
			       c->name);
		if (takes_files(c) || !strcmp(c->name, "policy"))
			printf("complete -c tcpward -n '__fish_seen_subcommand_from %s' -F\n", c->name);
		if (takes_words(c)) {
			printf("complete -c tcpward -n '__fish_seen_subcommand_from %s' -a '", c->name);
			put_words(c);
			puts("'");
		}
	}
}

int cmd_completion(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };
	struct cmd_line line;

	cmd_parse(&line, 0, NULL, NULL, NULL, "bash|zsh|fish", "Print a completion script.", argc, argv);
	if (line.argc != 1)
		return cmd_error(EXIT_USAGE, "tcpward completion bash|zsh|fish", "completion: name one shell");
	for (size_t i = 0; i < sizeof(shells) / sizeof(*shells); i++)
		if (!strcmp(line.argv[0], shells[i].name)) {
			shells[i].print();
			return EXIT_OK;
		}
	return cmd_error(EXIT_USAGE, NULL, "completion '%s': not bash, zsh or fish", line.argv[0]);
}
