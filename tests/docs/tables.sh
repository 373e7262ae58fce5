#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The generated pages say what the headers say, and the repository stands alone.
cd "$(dirname "$0")/../.." || exit 1
echo "# docs/states-and-flags.md against the tables of include/*.h; stray references"

result() { # status name why
	if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2: $3"; fi
}

for page in states-and-flags speed; do
	build/gendoc markdown docs/$page.in | cmp -s - docs/$page.md
	result $? "docs/$page.md is up to date" "run: make docs"
done
head=$("${BPFTOOL:-bpftool}" btf dump file /sys/kernel/btf/vmlinux 2>/dev/null | awk '/STRUCT .htab_elem./ { on = 1; next } on && /^\[/ { exit }
	on && /.key./ { sub(/.*bits_offset=/, ""); print $1 / 8; exit }')
if [ -n "$head" ]; then
	[ "$head" = "$(sed -n 's/#define ENTRY_HEAD \([0-9]*\).*/\1/p' docs/genlines.c)" ]
	result $? "docs/speed.md counts with this kernel's hash table" "struct htab_elem has its key at $head"
else
	echo "skip docs/speed.md counts with this kernel's hash table: no bpftool, or no BTF"
fi

want="States|The state machine|Flags|Why a flow ended|Time-outs|Events|Frames that are not followed|Counters"
missing=$(echo "$want" | tr '|' '\n' | while read -r title; do
	awk -v title="## $title" '$0 == title { on = 1; next } /^## / { on = 0 } on && /^\| [`A-Z]/ { n++ } END { exit n < 2 }' \
		docs/states-and-flags.md || echo "$title"
done)
[ -z "$missing" ]
result $? "it has every table" "no rows below: $missing"

kinds=$(echo @findings@ >build/findings.in && build/gendoc markdown build/findings.in | sed -n 's/^| `\([a-z0-9-]*\)` | .*/\1/p')
row() { # kind example: README's row of it
	grep -qE "^\\| \`$1\` \\| (info|warning|critical) \\| .+ \\| $2 \\|$" README.md
}
missing=$(for kind in $kinds; do row "$kind" '(.{20,}|-)' || echo "$kind"; done | tr '\n' ' ')
[ -n "$kinds" ] && [ -z "$missing" ]
result $? "README lists each finding" "run: make examples; without a row: $missing"
bare=$(for kind in $kinds; do ! row "$kind" - || echo "$kind"; done | tr '\n' ' ')
if [ -z "$bare" ]; then
	echo "ok README has an example of each finding"
else
	echo "skip README has an example of each finding: no scene of tests/find raised $bare"
fi

# The words are cut in two so that this file does not find itself.
found=$(grep -rlE '\.\./sha''red|/work/ma''in|(tcp-sta''tes|des''ign|fac''ts)\.md' --include='*' --exclude-dir=build --exclude-dir=.git --exclude=.git . | tr '\n' ' ')
[ -z "$found" ]
result $? "nothing refers outside the repository" "$found"

missing=$(grep -rL 'SPDX-License-Identifier: GPL-2.0-only' bpf include user tests vmlinux packaging docs Makefile \
	--include='*.[ch]' --include='*.sh' --include=Makefile 2>/dev/null | tr '\n' ' ')
[ -z "$missing" ]
result $? "each source names its licence" "$missing"
