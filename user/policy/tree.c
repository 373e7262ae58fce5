/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tree: libfyaml's events, made into nodes. Events rather than its documents: what a document would resolve, copy or
 * merge (aliases within aliases grow without bounds) is refused when it is met.
 */
#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "policy/internal.h"
#include "policy/tree.h"

struct build {
	struct tree *tree;
	struct faults *faults;
	struct fy_parser *parser;
	const char *text;
	size_t len;
	size_t pos; /* the place that was worked out last, and where it is: places are asked for nearly in order */
	unsigned line, column;
	bool stop;   /* nothing more can be read */
	bool broken; /* ... because of what stands there: what was read before makes no sense without the rest */
	bool no_memory;
};

/* ---- places ---- */
/* Lines end as in YAML: LF, CR, or CR LF. */
static bool ends_line(const struct build *b, size_t pos)
{
	char c = b->text[pos];

	return c == '\n' || (c == '\r' && !(pos + 1 < b->len && b->text[pos + 1] == '\n'));
}

static bool has_column(const struct build *b, size_t pos)
{
	return b->text[pos] != '\r' && ((unsigned char)b->text[pos] & 0xc0) != 0x80;
}

/* One byte back. Only from the beginning of a line the column must be counted anew. */
static void step_back(struct build *b)
{
	size_t at = --b->pos;

	if (!ends_line(b, at)) {
		b->column -= has_column(b, at);
		return;
	}
	b->line--;
	b->column = 1;
	while (at && !ends_line(b, at - 1))
		b->column += has_column(b, --at);
}

static void find_place(struct build *b, size_t pos)
{
	while (b->pos > pos)
		step_back(b);
	for (; b->pos < pos && b->pos < b->len; b->pos++) {
		if (ends_line(b, b->pos)) {
			b->line++;
			b->column = 1;
		} else {
			b->column += has_column(b, b->pos);
		}
	}
}

static void fault_pos(struct build *b, size_t pos, const char *text)
{
	find_place(b, pos);
	fault_at(b->faults, b->line, b->column, "%s", text);
}

/* ---- nodes ---- */
static struct node *node_new(struct build *b, enum node_kind kind, size_t pos, const char *text, size_t len)
{
	struct node *n = calloc(1, sizeof(*n) + len + 1);

	if (!n) {
		b->stop = b->no_memory = true;
		return NULL;
	}
	find_place(b, pos);
	n->kind = kind;
	n->line = b->line;
	n->column = b->column;
	if (len)
		memcpy(n->text, text, len);
	n->all = b->tree->all;
	b->tree->all = n;
	return n;
}

struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (struct node *k = map->child; k; k = k->next)
		if (!strcmp(k->text, key))
			return k->value;
	return NULL;
}

static size_t position(const struct build *b, struct fy_event *e, size_t otherwise)
{
	const struct fy_mark *m = fy_event_start_mark(e);

	return m && m->input_pos <= b->len ? m->input_pos : otherwise;
}

/* The mark of an anchor or a tag before a value. */
static size_t position_of(const struct build *b, struct fy_token *token, size_t otherwise, char sign)
{
	const struct fy_mark *m = token ? fy_token_start_mark(token) : NULL;
	size_t pos = m && m->input_pos <= b->len ? m->input_pos : otherwise;

	return pos && pos < b->len && b->text[pos] != sign && b->text[pos - 1] == sign ? pos - 1 : pos;
}

static bool refuse_decoration(struct build *b, struct fy_token *anchor, struct fy_token *tag, size_t pos)
{
	if (anchor)
		fault_pos(b, position_of(b, anchor, pos, '&'),
			  "anchors are not taken, '&': write the value where it is used, or keep addresses in a file: "
			  "\"@list.txt\"");
	if (tag)
		fault_pos(b, position_of(b, tag, pos, '!'),
			  "tags are not taken, '!': write the plain value, or put it in quotes: \"!ack\"");
	return anchor || tag;
}

static struct node *build_node(struct build *b, struct fy_event *e, unsigned depth);

static struct fy_event *next_event(struct build *b)
{
	struct fy_event *e = b->stop ? NULL : fy_parser_parse(b->parser);

	if (!e)
		b->stop = true;
	return e;
}

static struct node *build_word(struct build *b, struct fy_event *e)
{
	size_t pos = position(b, e, b->pos), len = 0;
	const char *text = fy_token_get_text(e->scalar.value, &len);
	enum fy_scalar_style style = fy_token_scalar_style(e->scalar.value);
	bool plain = style == FYSS_PLAIN || style == FYSS_ANY;
	struct node *n;

	if (!plain && pos && strchr("'\"", b->text[pos - 1]))
		pos--;
	n = node_new(b, plain && (!text || !len) ? NODE_EMPTY : NODE_WORD, pos, text, text ? len : 0);
	if (n && len && memchr(text, 0, len)) {
		fault(b->faults, n, "a NUL character in a word, '%s'", n->text);
		n->refused = true;
	}
	if (n && refuse_decoration(b, e->scalar.anchor, e->scalar.tag, pos))
		n->refused = true;
	return n;
}

static void build_items(struct build *b, struct node *list, unsigned depth)
{
	struct node **end = &list->child;
	struct fy_event *e;

	while ((e = next_event(b)) && e->type != FYET_SEQUENCE_END) {
		*end = build_node(b, e, depth);
		if (*end)
			end = &(*end)->next;
	}
	if (e)
		fy_parser_event_free(b->parser, e);
}

static const struct node *key_before(const struct node *map, const struct node *key)
{
	for (const struct node *k = map->child; k && k != key; k = k->next)
		if (!strcmp(k->text, key->text))
			return k;
	return NULL;
}

/* Is the key one that can be kept? A key that is none keeps its value all the same: that is read past. */
static bool check_key(struct build *b, const struct node *map, struct node *key)
{
	const struct node *first;
	char word[QUOTED_LEN];

	if (key->kind != NODE_WORD) {
		if (!key->refused)
			fault(b->faults, key, "a key must be a word, '%s': write key: value",
			      key->kind == NODE_LIST  ? "[...]"
			      : key->kind == NODE_MAP ? "{...}"
						      : "");
		return false;
	}
	if (key->refused)
		return false;
	if (!strcmp(key->text, "<<")) {
		fault(b->faults, key, "merge keys are not taken, '<<': write the keys themselves");
		return false;
	}
	first = key_before(map, key);
	if (first)
		fault(b->faults, key, "a key that stands twice, '%s': first in line %u; keep one of them",
		      quoted(key->text, word), first->line);
	return !first;
}

static void same_place(struct node *node, const struct node *as)
{
	node->line = as->line;
	node->column = as->column;
}

static void build_pairs(struct build *b, struct node *map, unsigned depth)
{
	struct node **end = &map->child;
	struct fy_event *e;
	unsigned keys = 0;

	while ((e = next_event(b)) && e->type != FYET_MAPPING_END) {
		struct node *key = build_node(b, e, depth);
		bool good;

		e = next_event(b);
		if (!e)
			return;
		if (!key) {
			fy_parser_event_free(b->parser, e);
			return;
		}
		key->value = build_node(b, e, depth);
		/* what is left out has no place of its own */
		if (key->value && key->value->kind == NODE_EMPTY && !key->value->refused)
			same_place(key->value, key);
		else if (key->value && key->kind == NODE_EMPTY && !key->refused)
			same_place(key, key->value);
		good = check_key(b, map, key);
		if (++keys > TREE_KEYS) {
			fault(b->faults, key, "too many keys in one place, more than %d", TREE_KEYS);
			b->stop = b->broken = true;
		}
		if (good && key->value) {
			*end = key;
			end = &key->next;
		}
	}
	if (e)
		fy_parser_event_free(b->parser, e);
}

/* Takes e and all that belongs to it. NULL: nothing more can be read. */
static struct node *build_node(struct build *b, struct fy_event *e, unsigned depth)
{
	size_t pos = position(b, e, b->pos);
	struct node *n = NULL;

	if (depth > TREE_DEPTH) {
		fault_pos(b, pos, "nested too deep: a policy needs six levels");
		b->stop = b->broken = true;
	} else if (e->type == FYET_SCALAR) {
		n = build_word(b, e);
	} else if (e->type == FYET_ALIAS) {
		n = node_new(b, NODE_EMPTY, pos && pos < b->len && b->text[pos] != '*' ? pos - 1 : pos, NULL, 0);
		if (n) {
			n->refused = true;
			fault(b->faults, n,
			      "aliases are not taken, '*': write the value itself; a rule for every segment has the "
			      "match {any: true}");
		}
	} else if (e->type == FYET_SEQUENCE_START) {
		n = node_new(b, NODE_LIST, pos, NULL, 0);
		if (n) {
			n->refused = refuse_decoration(b, e->sequence_start.anchor, e->sequence_start.tag, pos);
			build_items(b, n, depth + 1);
		}
	} else if (e->type == FYET_MAPPING_START) {
		n = node_new(b, NODE_MAP, pos, NULL, 0);
		if (n) {
			n->refused = refuse_decoration(b, e->mapping_start.anchor, e->mapping_start.tag, pos);
			build_pairs(b, n, depth + 1);
		}
	}
	fy_parser_event_free(b->parser, e);
	return n;
}

/* ---- what libfyaml refuses ---- */
/* What libfyaml says, as far as its words tell what to do; they may change with its version. */
static const char *const hints[][2] = {
	{ "closing quote", ": a quotation mark is missing" },
	{ "closing bracket", ": a ']' is missing" },
	{ "flow mapping without", ": a '}' is missing" },
	{ "missing comma", ": a comma or a bracket is missing" },
	{ "multiline plain key", ": write key: value, with a blank behind the colon" },
	{ "value after mapping", ": write key: value, with a colon and a blank behind it" },
	{ "'-' indicator", ": the items of a list, and the keys of a mapping, begin in the same column" },
	{ "wrongly indented", ": the items of a list, and the keys of a mapping, begin in the same column" },
};

static const char *syntax_hint(const struct build *b, size_t pos, const char *message)
{
	char c = pos < b->len ? b->text[pos] : 0;

	if (c == '@')
		return ": a list in a file is written in quotes: \"@list.txt\"";
	if (memchr(b->text + pos, '\t', b->len - pos < 2 ? b->len - pos : 2))
		return ": indent with blanks";
	if (c == '%' || c == '`')
		return ": put it in quotes";
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
		if (strstr(message, hints[i][0]))
			return hints[i][1];
	return ": this is not YAML";
}

static void syntax_error(struct build *b, struct fy_diag *diag)
{
	const struct fy_diag_error *e;
	const struct fy_mark *m;
	const char *message;
	void *at = NULL;
	char word[QUOTED_LEN], line[QUOTED_LEN];
	size_t pos, len;

	e = fy_diag_errors_iterate(diag, &at);
	m = e && e->fyt ? fy_token_start_mark(e->fyt) : NULL;
	pos = m && m->input_pos <= b->len ? m->input_pos : b->len;
	for (len = 0; pos + len < b->len && !strchr("\r\n", b->text[pos + len]);)
		len++;
	snprintf(line, sizeof(line), "%.*s", (int)(len < 40 ? len : 40), b->text + pos);
	find_place(b, pos);
	message = e && e->msg ? e->msg : "cannot be read";
	fault_at(b->faults, b->line, b->column, "%s, '%s'%s", message, quoted(line, word),
		 syntax_hint(b, pos, message));
}

/* ---- bytes ---- */
/* The length of the character at text, or 0: not UTF-8 (RFC 3629), or a control character that YAML does not know. */
static size_t character(const unsigned char *text, size_t left)
{
	static const struct {
		unsigned char mask, head;
		unsigned least;
	} forms[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };

	for (size_t n = 0; n < ARRAY_SIZE(forms); n++) {
		unsigned code = text[0] & (unsigned char)~forms[n].mask;

		if ((text[0] & forms[n].mask) != forms[n].head)
			continue;
		if (n >= left)
			return 0;
		for (size_t i = 1; i <= n; i++) {
			if ((text[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (text[i] & 0x3f);
		}
		if (code < forms[n].least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return 0;
		if (code == 0x7f || (code < 0x20 && !strchr("\t\n\r", (int)code)) || !code)
			return 0;
		return n + 1;
	}
	return 0;
}

static bool check_bytes(struct build *b)
{
	const unsigned char *text = (const unsigned char *)b->text;
	char what[96];

	for (size_t pos = 0, n; pos < b->len; pos += n) {
		n = character(text + pos, b->len - pos);
		if (n)
			continue;
		snprintf(what, sizeof(what),
			 text[pos] < 0x80 ? "a control character, '\\x%02x': a policy is text"
					  : "not UTF-8, '\\x%02x': save the file as UTF-8",
			 text[pos]);
		fault_pos(b, pos, what);
		return false;
	}
	return true;
}

/* Is it "%YAML 1.2", or no directive? Long ones keep libfyaml busy for seconds, and a policy needs none. */
static bool check_directives(struct build *b)
{
	for (size_t pos = 0; pos < b->len; pos++) {
		bool begins = !pos || strchr("\r\n", b->text[pos - 1]);

		if (!begins || b->text[pos] != '%' || (b->len - pos > 9 && !memcmp(b->text + pos, "%YAML 1.", 8)))
			continue;
		fault_pos(b, pos, "directives are not taken, '%': only %YAML 1.2 may stand there");
		return false;
	}
	return true;
}

/* ---- the whole ---- */
static void read_stream(struct build *b)
{
	unsigned documents = 0;
	struct fy_event *e;

	while ((e = next_event(b))) {
		if (e->type == FYET_DOCUMENT_START && documents++) {
			fault_pos(b, position(b, e, b->pos), "a second document, '---': a policy is one document");
			b->stop = true;
		}
		if (e->type >= FYET_MAPPING_START && !b->tree->root && documents)
			b->tree->root = build_node(b, e, 0);
		else
			fy_parser_event_free(b->parser, e);
	}
}

int tree_read(struct tree *t, const char *text, size_t len, struct faults *f)
{
	struct build b = { .tree = t, .faults = f, .text = text, .len = len, .line = 1, .column = 1 };
	struct fy_parse_cfg config = { .flags = FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE };
	struct fy_diag_cfg quiet;

	*t = (struct tree){ 0 };
	if (!check_bytes(&b) || !check_directives(&b))
		return 0;
	fy_diag_cfg_default(&quiet);
	quiet.fp = NULL;
	config.diag = fy_diag_create(&quiet);
	if (!config.diag)
		return -ENOMEM;
	fy_diag_set_collect_errors(config.diag, true);
	b.parser = fy_parser_create(&config);
	if (b.parser && !fy_parser_set_string(b.parser, text, len)) {
		read_stream(&b);
		if (!b.broken && fy_parser_get_stream_error(b.parser)) {
			syntax_error(&b, config.diag);
			b.broken = true;
		}
		if (b.broken)
			t->root = NULL;
	}
	if (b.parser)
		fy_parser_destroy(b.parser);
	fy_diag_destroy(config.diag);
	return b.parser && !b.no_memory ? 0 : -ENOMEM;
}

void tree_free(struct tree *t)
{
	while (t->all) {
		struct node *n = t->all;

		t->all = n->all;
		free(n);
	}
	t->root = NULL;
}
