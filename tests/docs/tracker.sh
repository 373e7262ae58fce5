#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# docs/tracker.md against the headers and the vectors: rows, time-outs, traces.
cd "$(dirname "$0")/../.." || exit 1
page=docs/tracker.md
echo "# $page: its rows against those that include/ names, its time-outs, its traces"

result() { # status name why
	if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2: $3"; fi
}

# Ranges ("C10 to C13") name all rows between.
rows_of_headers() {
	cat include/*.h | grep -oE '\b[OCRNV][0-9]+( to [OCRNV][0-9]+)?\b' |
		awk '{ letter = substr($1, 1, 1); from = substr($1, 2); to = NF == 3 ? substr($3, 2) : from
			for (i = from + 0; i <= to + 0; i++) print letter i }' | sort -u
}
rows_of_page() {
	sed -nE 's/^\| ([OCRNV][0-9]+) \|.*/\1/p' $page | sort
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rows_of_headers >"$work/headers"
rows_of_page >"$work/page"
twice=$(uniq -d "$work/page" | tr '\n' ' ')
[ -z "$twice" ]
result $? "each row stands there once" "$twice"
unknown=$(comm -23 "$work/headers" "$work/page" | tr '\n' ' ')
[ -s "$work/headers" ] && [ -z "$unknown" ]
result $? "each row that include/ names is described" "not in $page: $unknown"
unnamed=$(comm -13 "$work/headers" "$work/page" | tr '\n' ' ')
[ -s "$work/page" ] && [ -z "$unnamed" ]
result $? "each row that is described is named in include/" "not in include/: $unnamed"

# X(NAME, "name", seconds, ...) of WARD_TIMEOUTS
sed -nE 's/^[[:space:]]*X\([A-Z0-9_]+, "([a-z0-9-]+)", ([0-9]+), .*/| \1 | \2 s |/p' include/tcp_opts.h >"$work/timeouts"
wrong=$(while read -r line; do grep -qF "$line" $page || echo "$line"; done <"$work/timeouts")
[ -s "$work/timeouts" ] && [ -z "$wrong" ]
result $? "its time-outs are those of include/tcp_opts.h" "$wrong"

missing=$(grep -oE '\b[TW][0-9]{2,3}\b' $page | sort -u | while read -r trace; do
	grep -q "^TRACE $trace " tests/vectors/*.txt || echo "$trace"
done | tr '\n' ' ')
[ -z "$missing" ]
result $? "the traces that it names exist" "$missing"
